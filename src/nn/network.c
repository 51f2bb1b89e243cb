/* Networks from YAML: a list of layers, each a word (`relu`) or a map whose first key is the layer and its value the
 * main argument (`{conv: 32, kernel: 3}`). Presets are such lists as text, so there is one way to build a network. */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/nn.h"
#include "hiss/number.h"

const hiss_row hiss_network_rows[] = {
    {"preset", HISS_STRING, offsetof(hiss_network, preset), "lenet-bn", 0, 0, NULL,
     "network by name: lenet-bn (28x28), alexnet-bn (224x224)"},
    {"width", HISS_INT, offsetof(hiss_network, width), "16", 1, 4096, NULL,
     "lenet-bn: filters of the first convolution (then twice, four times as many)"},
    {"layers", HISS_NODE, offsetof(hiss_network, layers), NULL, 0, 0, NULL,
     "list of layers instead of a preset, see `hiss train --help`"},
};
const int hiss_network_nrows = HISS_COUNT(hiss_network_rows);

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

typedef struct argument {
    const char *key;
    double standard, min, max; /* standard below min: required */
    bool whole;
} argument;

enum { ARGUMENTS = 5 };
typedef struct layer_call {
    hiss_builder *b;
    const char *name;
    hiss_value x;
    double a[ARGUMENTS];
} layer_call;

typedef struct layer {
    const char *word, *help;
    bool named; /* has parameters: takes a name */
    argument arguments[ARGUMENTS];
    hiss_value (*build)(const layer_call *call);
} layer;

static hiss_value build_conv(const layer_call *c) {
    return hiss_layer_conv(c->b, c->name, c->x, (int64_t)c->a[0], (int64_t)c->a[1], (int64_t)c->a[2], (int64_t)c->a[3],
                           c->a[4] != 0.0);
}
static hiss_value build_conv_transposed(const layer_call *c) {
    return hiss_layer_conv_transposed(c->b, c->name, c->x, (int64_t)c->a[0], (int64_t)c->a[1], (int64_t)c->a[2],
                                      (int64_t)c->a[3], (int64_t)c->a[4], true);
}
static hiss_value build_linear(const layer_call *c) {
    return hiss_layer_linear(c->b, c->name, c->x, (int64_t)c->a[0], c->a[1] != 0.0);
}
static hiss_value build_batch_norm(const layer_call *c) {
    return hiss_layer_batch_norm(c->b, c->name, c->x);
}
static hiss_value build_relu(const layer_call *c) {
    return hiss_relu(c->b->graph, c->x);
}
static hiss_value build_leaky_relu(const layer_call *c) {
    return hiss_activate(c->b->graph, c->x, HISS_LEAKY_RELU, c->a[0]);
}
static hiss_value build_sigmoid(const layer_call *c) {
    return hiss_sigmoid(c->b->graph, c->x);
}
static hiss_value build_tanh(const layer_call *c) {
    return hiss_tanh(c->b->graph, c->x);
}
static int64_t pool_stride(const layer_call *c) {
    return c->a[1] > 0.0 ? (int64_t)c->a[1] : (int64_t)c->a[0];
}
static hiss_value build_max_pool(const layer_call *c) {
    return hiss_max_pool(c->b->graph, c->x, (int64_t)c->a[0], pool_stride(c), (int64_t)c->a[2]);
}
static hiss_value build_average_pool(const layer_call *c) {
    return hiss_average_pool(c->b->graph, c->x, (int64_t)c->a[0], pool_stride(c), (int64_t)c->a[2]);
}
static hiss_value build_dropout(const layer_call *c) {
    return hiss_layer_dropout(c->b, c->x, c->a[0]);
}
static hiss_value build_flatten(const layer_call *c) {
    return hiss_flatten(c->b->graph, c->x);
}
static hiss_value build_l2_normalize(const layer_call *c) {
    return hiss_l2_normalize(c->b->graph, c->x);
}
static hiss_value build_sobel(const layer_call *c) {
    return hiss_layer_sobel(c->b, c->x);
}

#define SIZES 1, 1e6, true
#define POOL_ARGUMENTS                                                                                                 \
    {                                                                                                                  \
        {"size", 0, SIZES}, {"stride", 0, 0, 1e6, true}, {                                                             \
            "pad", 0, 0, 1e3, true                                                                                     \
        }                                                                                                              \
    }

static const layer layers[] = {
    {"conv",
     "filters; kernel, stride 1, pad 0, bias true",
     true,
     {{"filters", 0, SIZES},
      {"kernel", 0, SIZES},
      {"stride", 1, SIZES},
      {"pad", 0, 0, 1e3, true},
      {"bias", 1, 0, 1, true}},
     build_conv},
    {"conv_transposed",
     "filters; kernel, stride 1, pad 0, extra 0 (rows and columns added below and right)",
     true,
     {{"filters", 0, SIZES},
      {"kernel", 0, SIZES},
      {"stride", 1, SIZES},
      {"pad", 0, 0, 1e3, true},
      {"extra", 0, 0, 1e3, true}},
     build_conv_transposed},
    {"linear", "outputs; bias true", true, {{"outputs", 0, SIZES}, {"bias", 1, 0, 1, true}}, build_linear},
    {"batch_norm", "", true, {{0}}, build_batch_norm},
    {"relu", "", false, {{0}}, build_relu},
    {"leaky_relu", "slope", false, {{"slope", -1, 0, 1, false}}, build_leaky_relu},
    {"sigmoid", "", false, {{0}}, build_sigmoid},
    {"tanh", "", false, {{0}}, build_tanh},
    {"max_pool", "size; stride (size), pad 0", false, POOL_ARGUMENTS, build_max_pool},
    {"average_pool", "size; stride (size), pad 0", false, POOL_ARGUMENTS, build_average_pool},
    {"dropout", "probability", false, {{"probability", -1, 0, 0.999, false}}, build_dropout},
    {"flatten", "", false, {{0}}, build_flatten},
    {"l2_normalize", "", false, {{0}}, build_l2_normalize},
    {"sobel", "", false, {{0}}, build_sobel},
};

static const layer *layer_of(const char *word) {
    for (int i = 0; i < HISS_COUNT(layers); i++) {
        if (strcmp(layers[i].word, word) == 0) {
            return &layers[i];
        }
    }
    return NULL;
}

/* Error with file:line:column; values from --set have none. */
static hiss_status __attribute__((format(printf, 3, 4)))
wrong(hiss_error *err, const hiss_yaml *at, const char *format, ...) {
    char text[sizeof err->text], position[32] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (at->line > 0) {
        snprintf(position, sizeof position, ":%d:%d", at->line, at->column);
    }
    return hiss_fail(err, HISS_EUSER, "%s%s: %s", at->file, position, text);
}

static hiss_status read_number(const hiss_yaml *value, const argument *a, double *out, hiss_error *err) {
    const bool scalar = value->kind == HISS_YAML_SCALAR, truth = a->whole && a->min == 0.0 && a->max == 1.0;
    char hint[HISS_HINT] = "";
    if (truth && scalar && !value->quoted && (strcmp(value->text, "true") == 0 || strcmp(value->text, "false") == 0)) {
        *out = value->text[0] == 't';
    } else if (truth) {
        return wrong(err, value, "expected true or false for %s%s%.80s%s", a->key, scalar ? ", found '" : "",
                     scalar ? value->text : "", scalar ? "'" : "");
    } else if (!scalar || value->quoted || !hiss_parse_real(value->text, out)) {
        return wrong(err, value, "expected a number for %s%s%.80s%s%s", a->key, scalar ? ", found '" : "",
                     scalar ? value->text : "", scalar ? "'" : "",
                     !scalar         ? ""
                     : value->quoted ? "; remove the quotes"
                                     : hiss_number_hint(value->text, a->whole, hint));
    }
    if (!(*out >= a->min && *out <= a->max) || (a->whole && *out != (double)(int64_t)*out)) {
        return wrong(err, value, "%s must be %s in %.10g..%.10g, found %.10g", a->key,
                     a->whole ? "an integer" : "a number", a->min, a->max, *out);
    }
    return HISS_OK;
}

/* Fill call->a from the layer's map; the first key's value is argument 0. */
static hiss_status read_arguments(const hiss_yaml *at, const layer *l, layer_call *call, hiss_error *err) {
    bool given[ARGUMENTS] = {false};
    for (const hiss_yaml *e = at->kind == HISS_YAML_MAP ? at->first : NULL; e; e = e->next) {
        int k = e == at->first ? 0 : 1;
        while (e != at->first && k < ARGUMENTS && !(l->arguments[k].key && strcmp(l->arguments[k].key, e->key) == 0)) {
            k++;
        }
        if (e != at->first && l->named && strcmp(e->key, "name") == 0) {
            if (e->kind != HISS_YAML_SCALAR || !*e->text || strchr(e->text, '/')) {
                return wrong(err, e, "a layer's name must be a word without '/'");
            }
            call->name = e->text;
            continue;
        }
        if (k >= ARGUMENTS || !l->arguments[k].key) {
            return wrong(err, e, "layer %s has no argument '%s'; it takes: %s%s", l->word, e->key,
                         *l->help ? l->help : "none", l->named ? ", name" : "");
        }
        hiss_status s = read_number(e, &l->arguments[k], &call->a[k], err);
        if (s != HISS_OK) {
            return s;
        }
        given[k] = true;
    }
    for (int k = 0; k < ARGUMENTS && l->arguments[k].key; k++) {
        if (!given[k]) {
            call->a[k] = l->arguments[k].standard;
            if (call->a[k] < l->arguments[k].min) {
                return wrong(err, at, "layer %s needs %s", l->word, l->arguments[k].key);
            }
        }
    }
    return HISS_OK;
}

typedef struct block { /* the layers since the last named one */
    const char *name;
    int norms;
    hiss_value end; /* of its last layer, but for flatten: a tap keeps the shape of a map */
} block;

static void end_block(hiss_taps *taps, const block *blk) {
    if (taps->count > 0) {
        taps->tap[taps->count - 1].value = blk->end;
    }
}

static hiss_status build_layer(const hiss_yaml *at, int index, hiss_arena *names, hiss_builder *b, block *blk,
                               hiss_value *x, hiss_taps *taps, hiss_error *err) {
    const char *word = at->kind == HISS_YAML_SCALAR             ? at->text
                       : at->kind == HISS_YAML_MAP && at->first ? at->first->key
                                                                : "";
    const layer *l = layer_of(word);
    if (!l) {
        return wrong(err, at, "unknown layer '%s'; `hiss train --help` lists the layers", word);
    }
    layer_call call = {.b = b, .x = *x};
    hiss_status s = read_arguments(at, l, &call, err);
    if (s != HISS_OK) {
        return s;
    }
    if (l->build == build_batch_norm && !call.name) {
        call.name = blk->norms++ ? hiss_arena_format(names, "%s/norm%d", blk->name, blk->norms)
                                 : hiss_arena_format(names, "%s/norm", blk->name);
    } else if (l->named) {
        end_block(taps, blk);
        if (!call.name) {
            call.name = hiss_arena_format(names, "%s%d", l->word, index + 1);
        }
        hiss_error full = {0};
        if (hiss_taps_add(taps, call.name, -1, &full) != HISS_OK) {
            return wrong(err, at, "%s", full.text);
        }
        *blk = (block){.name = call.name};
    }
    *x = l->build(&call);
    blk->end = l->build == build_flatten ? blk->end : *x;
    hiss_error graph_error = {0};
    if (hiss_graph_status(b->graph, &graph_error) != HISS_OK) {
        return wrong(err, at, "%s", graph_error.text);
    }
    return HISS_OK;
}

static const char *preset_text(const hiss_network *network, hiss_arena *arena) {
    const long long w = network->width;
    if (strcmp(network->preset, "lenet-bn") == 0) {
        return hiss_arena_format(arena, lenet_bn, w, 2 * w, 4 * w);
    }
    return strcmp(network->preset, "alexnet-bn") == 0 ? alexnet_bn : NULL;
}

hiss_status hiss_network_build(const hiss_network *network, hiss_builder *b, hiss_value x, hiss_value *out,
                               hiss_taps *taps, hiss_error *err) {
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *preset = NULL;
    const hiss_yaml *list = network->layers;
    hiss_status s = HISS_OK;
    taps->count = 0;
    if (!list) {
        const char *text = preset_text(network, arena);
        s = text ? hiss_yaml_parse(arena, network->preset, text, &preset, err)
                 : hiss_fail(err, HISS_EUSER, "network.preset is '%s'; expected lenet-bn or alexnet-bn",
                             network->preset);
        list = preset;
    } else if (list->kind != HISS_YAML_LIST) {
        s = wrong(err, list, "network.layers must be a list of layers");
    }
    block blk = {.name = "input"};
    int index = 0;
    for (const hiss_yaml *e = s == HISS_OK ? list->first : NULL; e && s == HISS_OK; e = e->next) {
        s = build_layer(e, index++, arena, b, &blk, &x, taps, err);
    }
    if (s == HISS_OK) {
        end_block(taps, &blk);
    }
    *out = x;
    hiss_arena_destroy(arena);
    return s;
}

void hiss_network_help(FILE *stream) {
    fprintf(stream, "Layers of network.layers, each `word` or `{word: argument, key: value, name: NAME}`:\n");
    for (int i = 0; i < HISS_COUNT(layers); i++) {
        fprintf(stream, "  %-16s %s\n", layers[i].word, layers[i].help);
    }
    fprintf(stream, "Presets: lenet-bn is\n");
    fprintf(stream, lenet_bn, 16LL, 32LL, 64LL);
    fprintf(stream, "alexnet-bn is\n%s", alexnet_bn);
}
