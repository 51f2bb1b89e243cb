/* Presets: lists of layers as text, so that there is one way to build a network. Messages about them stand where the
 * user named the preset, for he never wrote its lines. */
#include <assert.h>
#include <string.h>

#include "nn/network_impl.h"

/* Convolution, pooling, BatchNorm, ReLU in this order: pooling before BatchNorm leaves a quarter of the elements. */
static const char lenet_bn[] =
    "- {conv: %1$lld, kernel: 3, pad: 1, bias: false, name: conv1}\n- {max_pool: 2}\n- batch_norm\n- relu\n"
    "- {conv: %2$lld, kernel: 3, pad: 1, bias: false, name: conv2}\n- {max_pool: 2}\n- batch_norm\n- relu\n"
    "- {conv: %3$lld, kernel: 3, pad: 1, bias: false, name: conv3}\n- {max_pool: 2}\n- batch_norm\n- relu\n"
    "- flatten\n- {linear: 256, bias: false, name: fc1}\n- batch_norm\n- relu\n";

/* AlexNet with BatchNorm on image gradients, the trunk of Bojanowski & Joulin 2017: no groups, no local response
 * normalisation; BatchNorm before pooling, ReLU after it. */
static const char alexnet_bn[] =
    "- sobel\n"
    "- {conv: 96, kernel: 11, stride: 4, pad: 2, name: conv1}\n- batch_norm\n- {max_pool: 3, stride: 2}\n- relu\n"
    "- {conv: 256, kernel: 5, pad: 2, name: conv2}\n- batch_norm\n- {max_pool: 3, stride: 2}\n- relu\n"
    "- {conv: 384, kernel: 3, pad: 1, name: conv3}\n- batch_norm\n- relu\n"
    "- {conv: 384, kernel: 3, pad: 1, name: conv4}\n- batch_norm\n- relu\n"
    "- {conv: 256, kernel: 3, pad: 1, name: conv5}\n- batch_norm\n- {max_pool: 3, stride: 2}\n- relu\n"
    "- flatten\n"
    "- {linear: 4096, name: fc6}\n- batch_norm\n- relu\n- {dropout: 0.5}\n"
    "- {linear: 4096, name: fc7}\n- batch_norm\n- relu\n";

/* ResNet-18 (He et al. 2016): eight blocks of two convolutions and a way around them; where a block halves height and
 * width, that way is a convolution of 1 x 1. BatchNorm stands between convolution and ReLU, as published. */
#define CONV(name, filters, rest) "- {conv: " filters ", kernel: " rest ", bias: false, name: " name "}\n- batch_norm\n"
#define BRANCH(block, filters, rest)                                                                                   \
    CONV(block "_conv1", filters, "3" rest ", pad: 1") "- relu\n" CONV(block "_conv2", filters, "3, pad: 1")
#define JOIN(block, other)           "- {add: " other "}\n- {relu, name: " block "}\n"
#define SAME(block, before, filters) BRANCH(block, filters, "") JOIN(block, before)
#define HALVED(block, before, filters)                                                                                 \
    BRANCH(block, filters, ", stride: 2")                                                                              \
    CONV(block "_shortcut", filters, "1, stride: 2, from: " before) JOIN(block, block "_conv2")

/* clang-format off */
static const char resnet18_blocks[] =
    SAME("block1", "conv1", "%1$lld") SAME("block2", "block1", "%1$lld")
    HALVED("block3", "block2", "%2$lld") SAME("block4", "block3", "%2$lld")
    HALVED("block5", "block4", "%3$lld") SAME("block6", "block5", "%3$lld")
    HALVED("block7", "block6", "%4$lld") SAME("block8", "block7", "%4$lld")
    "- {global_average_pool, name: pool}\n";
/* clang-format on */
static const char resnet18_stem[] =
    CONV("conv1", "%1$lld", "7, stride: 2, pad: 3") "- relu\n- {max_pool: 3, stride: 2, pad: 1}\n";
static const char resnet18_small_stem[] = CONV("conv1", "%1$lld", "3, pad: 1") "- relu\n"; /* no pool */

/* X(name, images it is made for, stem, trunk, unit) */
#define PRESETS(X)                                                                                                     \
    X("lenet-bn", "28x28x1", lenet_bn, "", 1)                                                                          \
    X("alexnet-bn", "224x224x3", alexnet_bn, "", 1)                                                                    \
    X("resnet18", "224x224x3", resnet18_stem, resnet18_blocks, 4)                                                      \
    X("resnet18-small", "32x32x3", resnet18_small_stem, resnet18_blocks, 4)

/* Formats of layers, behind one another; %1$lld to %4$lld are 1, 2, 4, 8 times unit * network.width. */
static const struct preset {
    const char *name, *image;
    const char *stem, *trunk;
    long long unit;
} presets[] = {
#define PRESET(...) {__VA_ARGS__},
    PRESETS(PRESET)
#undef PRESET
};

#define NAME(name, ...) "|" name
const char nn_network_preset_choices[] = PRESETS(NAME);

static const struct preset *preset_named(const char *name) {
    for (int i = 0; i < HISS_COUNT(presets); i++) {
        if (strcmp(presets[i].name, name) == 0) {
            return &presets[i];
        }
    }
    return NULL;
}

bool nn_network_is_preset(const char *name) {
    return preset_named(name);
}

const char *hiss_network_image(const hiss_network *network) {
    const struct preset *p = network->layers ? NULL : preset_named(network->preset);
    return p ? p->image : NULL;
}

static void remove_places(hiss_yaml *node) {
    node->line = node->column = node->key_line = node->key_column = 0;
    for (hiss_yaml *child = node->first; child; child = child->next) {
        remove_places(child);
    }
}

static const char *layers_of(hiss_arena *arena, const char *format, long long unit) {
    return hiss_arena_format(arena, format, unit, 2 * unit, 4 * unit, 8 * unit);
}

hiss_status nn_network_preset(const hiss_network *network, hiss_arena *arena, hiss_yaml **out, hiss_error *err) {
    char where[HISS_WHERE];
    hiss_config_where(network->config, "network.preset", where);
    const struct preset *p = preset_named(network->preset);
    assert(p && "a choice of its row");
    const long long unit = p->unit * network->width;
    const char *text =
        hiss_arena_format(arena, "%s%s", layers_of(arena, p->stem, unit), layers_of(arena, p->trunk, unit));
    const bool set = network->config && hiss_config_has(network->config, "network.preset");
    const hiss_status s = hiss_yaml_parse(
        arena, hiss_arena_format(arena, "%s%s %s", where, set ? "" : " (not set)", network->preset), text, out, err);
    if (s == HISS_OK) {
        remove_places(*out);
    }
    return s;
}

void nn_network_presets_help(FILE *stream) {
    enum { WIDTH = 16 };
    hiss_arena *arena = hiss_arena_create();
    fprintf(stream, "Presets, at network.width %d:\n", WIDTH);
    for (int i = 0; i < HISS_COUNT(presets); i++) {
        const struct preset *p = &presets[i], *first = presets;
        while (first->trunk != p->trunk) {
            first++;
        }
        fprintf(stream, "%s, for images of %s, is\n%s", p->name, p->image, layers_of(arena, p->stem, WIDTH * p->unit));
        if (first == p) {
            fputs(layers_of(arena, p->trunk, WIDTH * p->unit), stream);
        } else if (*p->trunk) {
            fprintf(stream, "and goes on as %s does\n", first->name);
        }
    }
    hiss_arena_destroy(arena);
}
