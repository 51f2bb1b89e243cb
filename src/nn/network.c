/* Networks from YAML: a list of layers, each a word (`relu`) or a map with the layer's word among its keys, in any
 * order (`{conv: 32, kernel: 3}`, `{relu, from: a}`).
 * Presets are such lists as text, so there is one way to build a network.
 *
 * A layer that fails at the size of the images is told apart by building the same layers, without data, at other sizes:
 * outputs grow with inputs, so the least side at which all fit is found by doubling and bisection. */
#include <string.h>

#include "nn/network_impl.h"

const hiss_row hiss_network_rows[] = {
    {"preset", HISS_NAME, offsetof(hiss_network, preset), "lenet-bn", 0, 0, nn_network_preset_choices,
     "network by name; their layers are below"},
    {"width", HISS_INT, offsetof(hiss_network, width), "16", 1, 4096, NULL,
     "filters of lenet-bn's first convolution, a quarter of those of resnet18's; later layers are multiples"},
    {"layers", HISS_NODE, offsetof(hiss_network, layers), NULL, 0, 0, NULL,
     "list of layers instead of a preset; their words are below"},
};
const int hiss_network_nrows = HISS_COUNT(hiss_network_rows);

typedef struct block {        /* the layers since the last named one */
    const char *name, *scope; /* scope: for messages */
    int norms;
    hiss_value end; /* of its last layer, but for flatten: a tap keeps the shape of a map; -1: it has none yet */
} block;

static void end_block(hiss_taps *taps, const block *blk) {
    if (taps->count > 0) {
        taps->tap[taps->count - 1].value = blk->end;
    }
}

static hiss_status begin_block(const hiss_yaml *at, const char *name, block *blk, hiss_taps *taps, hiss_error *err) {
    hiss_error full = {0};
    if (hiss_taps_add(taps, name, -1, &full) != HISS_OK) {
        return nn_network_wrong(err, at, "%s", full.text);
    }
    *blk = (block){.name = name, .scope = name, .end = -1};
    return HISS_OK;
}

static hiss_status build_layer(const hiss_yaml *at, int index, hiss_arena *names, hiss_builder *b, block *blk,
                               hiss_value *x, hiss_taps *taps, hiss_error *err) {
    const layer_scope scope = {.entry = at, .index = index, .taps = taps, .arena = names};
    const hiss_yaml *word;
    layer l;
    layer_call call = {.b = b, .x = {*x}, .count = 1};
    hiss_status s = nn_layer_choose(at, &l, &word, err);
    s = s == HISS_OK ? nn_layer_name(&scope, &l, &call.name, err) : s;
    if (s == HISS_OK && call.name) {
        end_block(taps, blk);
    }
    s = s == HISS_OK ? nn_layer_arguments(&scope, &l, word, &call, err) : s;
    s = s == HISS_OK && call.name ? begin_block(at, call.name, blk, taps, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    if (nn_layer_is_batch_norm(&l) && !call.name) {
        call.name = blk->norms++ ? hiss_arena_format(names, "%s/norm%d", blk->name, blk->norms)
                                 : hiss_arena_format(names, "%s/norm", blk->name);
    }
    if (!l.named) {
        hiss_graph_scope(b->graph, blk->scope);
    }
    b->origin = nn_network_origin(names, at);
    const bool same_values = l.word.reshapes && blk->end >= 0 && call.x[0] == *x;
    const bool reads_layer_before = !call.name && call.count == 1 && call.x[0] == *x; /* which has no name of its own */
    *x = l.build ? l.build(&call) : l.word.build(b->graph, call.count, call.x, call.a);
    *x = reads_layer_before && !b->apart ? hiss_graph_join(b->graph, *x) : *x;
    b->origin = NULL;
    blk->end = same_values ? blk->end : *x;
    return HISS_OK;
}

/* Whether an entry is one that makes rows of maps. */
static bool flattens(const hiss_yaml *entry) {
    layer l;
    const hiss_yaml *word;
    hiss_error other;
    return nn_layer_choose(entry, &l, &word, &other) == HISS_OK && l.word.reshapes;
}

/* maps: up to the first entry that flattens; failed: the layer at which the graph could not go on. */
static hiss_status build_list(const hiss_yaml *list, bool maps, hiss_arena *arena, hiss_builder *b, hiss_value *x,
                              hiss_taps *taps, const hiss_yaml **failed, hiss_error *err) {
    block blk = {.name = "input", .scope = "", .end = -1};
    hiss_status s = HISS_OK;
    int index = 0;
    taps->count = 0;
    *failed = NULL;
    for (const hiss_yaml *e = list->first; e && s == HISS_OK && !(maps && flattens(e)); e = e->next) {
        s = build_layer(e, index++, arena, b, &blk, x, taps, err);
        if (s == HISS_OK && hiss_graph_status(b->graph, err) != HISS_OK) {
            *failed = e;
            return HISS_EUSER;
        }
    }
    if (s == HISS_OK) {
        end_block(taps, &blk);
    }
    return s;
}

/* Whether images of H x W get through all layers. */
static bool fits(const hiss_yaml *list, bool maps, hiss_shape image, int64_t H, int64_t W) {
    hiss_builder b = {.graph = hiss_graph_create(), .model = hiss_model_create()};
    hiss_arena *arena = hiss_arena_create();
    hiss_taps *taps = hiss_new(hiss_taps, 1);
    const hiss_yaml *failed;
    image.dim[1] = H;
    image.dim[2] = W;
    hiss_value x = hiss_graph_input(b.graph, "image", image);
    const bool good = build_list(list, maps, arena, &b, &x, taps, &failed, NULL) == HISS_OK;
    hiss_free(taps);
    hiss_arena_destroy(arena);
    hiss_model_destroy(b.model);
    hiss_graph_destroy(b.graph);
    return good;
}

/* The least height and width at which all layers fit; 0: they fit the images, or no images. */
static int64_t least_side(const hiss_yaml *list, bool maps, hiss_shape image) {
    enum { LARGEST = 4096 };
    int64_t low = 0, high = 1;
    if (fits(list, maps, image, image.dim[1], image.dim[2])) {
        return 0;
    }
    while (high <= LARGEST && !fits(list, maps, image, high, high)) {
        low = high;
        high *= 2;
    }
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        const bool good = high <= LARGEST && fits(list, maps, image, middle, middle);
        high = good ? middle : high;
        low = good ? low : middle;
    }
    return high <= LARGEST ? high : 0;
}

static hiss_status fail_layer(const hiss_yaml *list, bool maps, const hiss_yaml *at, hiss_shape image, const char *why,
                              hiss_error *err) {
    const int64_t side = image.ndim == 4 ? least_side(list, maps, image) : 0;
    if (side == 0) {
        return nn_network_wrong(err, at, "%s", why);
    }
    return nn_network_wrong(
        err, at,
        "%s; the layers need images of at least %lld x %lld, found %lld x %lld: set augment.height and "
        "augment.width, or choose another network",
        why, (long long)side, (long long)side, (long long)image.dim[1], (long long)image.dim[2]);
}

static hiss_status check_list(const hiss_yaml *list, hiss_error *err) {
    char found[NETWORK_FOUND];
    if (list->kind == HISS_YAML_SCALAR && nn_network_is_preset(list->text)) {
        return nn_network_wrong(
            err, list, "network.layers must be a list of layers, found '%s'; did you mean network.preset?", list->text);
    }
    if (list->kind != HISS_YAML_LIST) {
        return nn_network_wrong(err, list,
                                "network.layers must be a list of layers, found %s; begin each layer with '- '",
                                nn_network_found(list, found));
    }
    if (!list->first) {
        return nn_network_wrong(err, list,
                                "network.layers has no layers; expected one or more (flatten alone leaves the "
                                "pixels as they are), or leave network.layers out to use "
                                "network.preset, as with --set network.layers=null");
    }
    return HISS_OK;
}

hiss_status hiss_network_build(const hiss_network *network, hiss_builder *b, hiss_value x, hiss_value *out,
                               hiss_taps *taps, hiss_error *err) {
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *preset = NULL;
    const hiss_yaml *list = network->layers, *failed = NULL;
    hiss_error why = {0};
    taps->count = 0;
    hiss_status s = list ? check_list(list, err) : nn_network_preset(network, arena, &preset, err);
    list = list ? list : preset;
    *out = x;
    if (s == HISS_OK) {
        s = build_list(list, network->maps, arena, b, out, taps, &failed, &why);
        if (failed) {
            s = fail_layer(list, network->maps, failed, hiss_graph_shape(b->graph, x), why.text, err);
        } else if (s != HISS_OK) {
            s = hiss_fail(err, s, "%s", why.text);
        }
    }
    hiss_arena_destroy(arena);
    return s;
}

/* The user's layer of that name; NULL: none, as in a preset. */
static const hiss_yaml *layer_named(const hiss_network *network, const char *name) {
    const hiss_yaml *e = network->layers ? network->layers->first : NULL;
    for (; e; e = e->next) {
        const hiss_yaml *its = hiss_yaml_get(e, "name");
        if (its && its->kind == HISS_YAML_SCALAR && strcmp(its->text, name) == 0) {
            break;
        }
    }
    return e;
}

hiss_status hiss_network_end(const hiss_network *network, hiss_builder *b, const char *name, hiss_value x,
                             hiss_taps *taps, hiss_error *err) {
    hiss_error why = {0};
    char where[HISS_WHERE];
    const hiss_yaml *same = layer_named(network, name);
    hiss_status s = hiss_graph_status(b->graph, &why);
    if (s == HISS_OK && same) {
        return nn_network_wrong(err, same,
                                "layer '%s' has the name that the objective gives to the output of the network; give "
                                "it another name",
                                name);
    }
    s = s == HISS_OK ? hiss_taps_add(taps, name, x, &why) : s;
    hiss_config_where(network->config, network->layers ? "network.layers" : "network.preset", where);
    const char *file = network->layers ? network->layers->file : NULL;
    if (s != HISS_OK && file && strncmp(why.text, file, strlen(file)) == 0) { /* it has its place already */
        return hiss_fail(err, s, "%s", why.text);
    }
    return s == HISS_OK ? s : hiss_fail(err, s, "%s: %s", where, why.text);
}

void hiss_network_help(FILE *stream) {
    fprintf(stream, "Layers of network.layers, each `word` or `{word: argument, key: value}`, keys in any order:\n");
    for (int i = 0; i < nn_layer_places(); i++) {
        const layer l = nn_layer_at(i);
        if (l.word.word) {
            fprintf(stream, "  %-20s %s\n", l.word.word, l.word.help);
        }
    }
    fprintf(stream,
            "Any layer may have a name, and start from the value of a name instead of the layer before it, also one\n"
            "without argument: `{relu, name: NAME}`, `{conv: 32, kernel: 1, from: NAME}`. A name stands for the\n"
            "value before the next layer that has one; layers with parameters, but batch_norm, always have one.\n"
            "A residual block:\n"
            "  layers:\n"
            "    - {conv: 16, kernel: 3, pad: 1, name: stem}\n"
            "    - relu\n"
            "    - {conv: 16, kernel: 3, pad: 1, name: branch}\n"
            "    - batch_norm\n"
            "    - {add: stem}\n"
            "    - {relu, name: joined}\n"
            "    - {max_pool: 2, from: joined, name: half}\n"
            "    - flatten\n");
    nn_network_presets_help(stream);
}
