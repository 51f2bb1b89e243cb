/* Presets: lists of layers as text, so that there is one way to build a network. Messages about them stand where the
 * user named the preset, for he never wrote its lines. */
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

static const char *const names[] = {"lenet-bn", "alexnet-bn"};

bool nn_network_is_preset(const char *name) {
    return strcmp(name, names[0]) == 0 || strcmp(name, names[1]) == 0;
}

static void remove_places(hiss_yaml *node) {
    node->line = node->column = node->key_line = node->key_column = 0;
    for (hiss_yaml *child = node->first; child; child = child->next) {
        remove_places(child);
    }
}

hiss_status nn_network_preset(const hiss_network *network, hiss_arena *arena, hiss_yaml **out, hiss_error *err) {
    const long long w = network->width;
    char where[HISS_WHERE];
    hiss_config_where(network->config, "network.preset", where);
    if (!nn_network_is_preset(network->preset)) {
        const bool near = hiss_edit_distance(network->preset, names[0]) < hiss_edit_distance(network->preset, names[1]);
        return hiss_fail(err, HISS_EUSER, "%s is '%.80s'; expected %s or %s; did you mean '%s'?", where,
                         network->preset, names[0], names[1], names[near ? 0 : 1]);
    }
    const bool lenet = strcmp(network->preset, names[0]) == 0;
    const char *text = lenet ? hiss_arena_format(arena, lenet_bn, w, 2 * w, 4 * w) : alexnet_bn;
    const bool set = network->config && hiss_config_has(network->config, "network.preset");
    const hiss_status s = hiss_yaml_parse(
        arena, hiss_arena_format(arena, "%s%s %s", where, set ? "" : " (not set)", network->preset), text, out, err);
    if (s == HISS_OK) {
        remove_places(*out);
    }
    return s;
}

void nn_network_presets_help(FILE *stream) {
    fprintf(stream, "Presets: lenet-bn is\n");
    fprintf(stream, lenet_bn, 16LL, 32LL, 64LL);
    fprintf(stream, "alexnet-bn is\n%s", alexnet_bn);
}
