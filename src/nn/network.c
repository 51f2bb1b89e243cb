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

typedef struct layer_call {
    hiss_builder *b;
    const char *name;
    hiss_value x[HISS_MAX_INPUTS]; /* the value before, or of `from`; then those of the places named */
    int count;
    double a[HISS_WORD_ARGUMENTS];
} layer_call;

typedef struct layer {
    hiss_word word;
    bool named;                                  /* has parameters: takes a name */
    hiss_value (*build)(const layer_call *call); /* NULL: an operation, built by its word */
} layer;

static hiss_value build_conv(const layer_call *c) {
    return hiss_layer_conv(c->b, c->name, c->x[0], (int64_t)c->a[0], (int64_t)c->a[1], (int64_t)c->a[2],
                           (int64_t)c->a[3], c->a[4] != 0.0);
}
static hiss_value build_conv_transposed(const layer_call *c) {
    return hiss_layer_conv_transposed(c->b, c->name, c->x[0], (int64_t)c->a[0], (int64_t)c->a[1], (int64_t)c->a[2],
                                      (int64_t)c->a[3], (int64_t)c->a[4], true);
}
static hiss_value build_linear(const layer_call *c) {
    return hiss_layer_linear(c->b, c->name, c->x[0], (int64_t)c->a[0], c->a[1] != 0.0);
}
static hiss_value build_batch_norm(const layer_call *c) {
    return hiss_layer_batch_norm(c->b, c->name, c->x[0]);
}
static hiss_value build_dropout(const layer_call *c) {
    return hiss_layer_dropout(c->b, c->x[0], c->a[0]);
}
static hiss_value build_sobel(const layer_call *c) {
    return hiss_layer_sobel(c->b, c->x[0]);
}

#define SIZES 1, 1e6, true

/* Layers of this module; operations come with words of their own. */
static const layer layers[] = {
    {{"conv", "filters; kernel, stride 1, pad 0, bias true",
      .argument = {{"filters", 0, SIZES},
                   {"kernel", 0, SIZES},
                   {"stride", 1, SIZES},
                   {"pad", 0, 0, 1e3, true},
                   {"bias", 1, 0, 1, true}}},
     true,
     build_conv},
    {{"conv_transposed", "filters; kernel, stride 1, pad 0, extra 0 (rows and columns added below and right)",
      .argument = {{"filters", 0, SIZES},
                   {"kernel", 0, SIZES},
                   {"stride", 1, SIZES},
                   {"pad", 0, 0, 1e3, true},
                   {"extra", 0, 0, 1e3, true}}},
     true,
     build_conv_transposed},
    {{"linear", "outputs; bias true", .argument = {{"outputs", 0, SIZES}, {"bias", 1, 0, 1, true}}},
     true,
     build_linear},
    {{.word = "batch_norm", .help = ""}, true, build_batch_norm},
    {{"dropout", "probability", .argument = {{"probability", -1, 0, 0.999, false}}}, false, build_dropout},
    {{.word = "sobel", .help = ""}, false, build_sobel},
};

/* Layer i of all, those of the table first; word.word is NULL where there is none, beyond the last too. */
static layer layer_at(int i) {
    const int op = i - HISS_COUNT(layers);
    const hiss_word *word = op >= 0 && op < hiss_op_count() ? hiss_op_word(op) : NULL;
    return op < 0 ? layers[i] : word ? (layer){.word = *word} : (layer){0};
}

static int layer_places(void) {
    return HISS_COUNT(layers) + hiss_op_count();
}

static layer layer_of(const char *word) {
    layer found = {0};
    for (int i = 0; i < layer_places() && !found.word.word; i++) {
        const layer l = layer_at(i);
        if (l.word.word && strcmp(l.word.word, word) == 0) {
            found = l;
        }
    }
    return found;
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

static hiss_status read_number(const hiss_yaml *value, const hiss_word_argument *a, double *out, hiss_error *err) {
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

/* The value of a place named in the file: an earlier layer's. */
static hiss_status read_place(const hiss_yaml *at, const hiss_taps *taps, hiss_value *out, hiss_error *err) {
    if (at->kind != HISS_YAML_SCALAR) {
        return wrong(err, at, "expected the name of an earlier layer");
    }
    const int k = hiss_taps_find(taps, at->text);
    if (k < 0) {
        return wrong(err, at, "no earlier layer is named '%.48s'; give that layer a name: NAME", at->text);
    }
    if (taps->tap[k].value < 0) {
        return wrong(err, at, "'%.48s' ends after this layer; name one whose block has ended, that is, one before it",
                     at->text);
    }
    *out = taps->tap[k].value;
    return HISS_OK;
}

/* The main argument of a layer with further inputs: one name, or a list of them. */
static hiss_status read_places(const hiss_yaml *at, const hiss_word *word, const hiss_taps *taps, layer_call *call,
                               hiss_error *err) {
    const hiss_yaml *e = at->kind == HISS_YAML_LIST ? at->first : at;
    hiss_status s = HISS_OK;
    for (; e && s == HISS_OK; e = at->kind == HISS_YAML_LIST ? e->next : NULL) {
        if (call->count > word->places) {
            return wrong(err, e, "layer %s takes at most %d name%s", word->word, word->places,
                         word->places == 1 ? "" : "s");
        }
        s = read_place(e, taps, &call->x[call->count++], err);
    }
    return s;
}

/* Place of a key among the numbers of a layer; -1: not there. */
static int argument_of(const hiss_word *word, const char *key) {
    for (int k = 0; k < HISS_WORD_ARGUMENTS && word->argument[k].key; k++) {
        if (strcmp(word->argument[k].key, key) == 0) {
            return k;
        }
    }
    return -1;
}

/* One key of a layer's map; the first key is the layer itself, and its value the main argument. */
static hiss_status read_argument(const hiss_yaml *e, bool main, const layer *l, const hiss_taps *taps, layer_call *call,
                                 bool *given, hiss_error *err) {
    if (!main && strcmp(e->key, "from") == 0) {
        return read_place(e, taps, &call->x[0], err);
    }
    if (!main && l->named && strcmp(e->key, "name") == 0) {
        if (e->kind != HISS_YAML_SCALAR || !*e->text || strchr(e->text, '/')) {
            return wrong(err, e, "a layer's name must be a word without '/'");
        }
        call->name = e->text;
        return HISS_OK;
    }
    if (main && l->word.places) {
        return read_places(e, &l->word, taps, call, err);
    }
    const int k = main ? (l->word.argument[0].key ? 0 : -1) : argument_of(&l->word, e->key);
    if (k < 0) {
        return wrong(err, e, "layer %s has no argument '%s'; it takes: %s%s%s", l->word.word, e->key,
                     *l->word.help ? l->word.help : "none", l->named ? ", name" : "",
                     l->word.argument[0].key || l->word.places ? ", from" : "");
    }
    given[k] = true;
    return read_number(e, &l->word.argument[k], &call->a[k], err);
}

/* Fill the call from the layer's map. */
static hiss_status read_arguments(const hiss_yaml *at, const layer *l, const hiss_taps *taps, layer_call *call,
                                  hiss_error *err) {
    bool given[HISS_WORD_ARGUMENTS] = {false};
    for (const hiss_yaml *e = at->kind == HISS_YAML_MAP ? at->first : NULL; e; e = e->next) {
        hiss_status s = read_argument(e, e == at->first, l, taps, call, given, err);
        if (s != HISS_OK) {
            return s;
        }
    }
    if (l->word.places && call->count < 2) {
        return wrong(err, at, "layer %s needs the name of an earlier layer", l->word.word);
    }
    for (int k = 0; k < HISS_WORD_ARGUMENTS && l->word.argument[k].key; k++) {
        if (!given[k]) {
            call->a[k] = l->word.argument[k].standard;
            if (call->a[k] < l->word.argument[k].min) {
                return wrong(err, at, "layer %s needs %s", l->word.word, l->word.argument[k].key);
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
    const layer l = layer_of(word);
    if (!l.word.word) {
        return wrong(err, at, "unknown layer '%s'; `hiss train --help` lists the layers", word);
    }
    layer_call call = {.b = b, .x = {*x}, .count = 1};
    hiss_status s = read_arguments(at, &l, taps, &call, err);
    if (s != HISS_OK) {
        return s;
    }
    if (l.build == build_batch_norm && !call.name) {
        call.name = blk->norms++ ? hiss_arena_format(names, "%s/norm%d", blk->name, blk->norms)
                                 : hiss_arena_format(names, "%s/norm", blk->name);
    } else if (l.named) {
        end_block(taps, blk);
        if (!call.name) {
            call.name = hiss_arena_format(names, "%s%d", l.word.word, index + 1);
        }
        hiss_error full = {0};
        if (hiss_taps_add(taps, call.name, -1, &full) != HISS_OK) {
            return wrong(err, at, "%s", full.text);
        }
        *blk = (block){.name = call.name};
    }
    *x = l.build ? l.build(&call) : l.word.build(b->graph, call.count, call.x, call.a);
    blk->end = l.word.reshapes ? blk->end : *x;
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
    for (int i = 0; i < layer_places(); i++) {
        const layer l = layer_at(i);
        if (l.word.word) {
            fprintf(stream, "  %-20s %s\n", l.word.word, l.word.help);
        }
    }
    fprintf(stream, "The name of a layer stands for the value before the next layer that has one. Any layer may start\n"
                    "from such a value instead of the one before it: `{conv: 32, kernel: 1, from: NAME}`.\n");
    fprintf(stream, "Presets: lenet-bn is\n");
    fprintf(stream, lenet_bn, 16LL, 32LL, 64LL);
    fprintf(stream, "alexnet-bn is\n%s", alexnet_bn);
}
