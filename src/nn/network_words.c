/* Layers as words: the table, the one layer that an entry of a list means, and what to say when it means none or two.
 * A map has no order, so the word is looked for among all keys; no argument of any layer has the name of a layer. */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "nn/network_impl.h"

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

layer nn_layer_at(int i) {
    const int op = i - HISS_COUNT(layers);
    const hiss_word *word = op >= 0 && op < hiss_op_count() ? hiss_op_word(op) : NULL;
    return op < 0 ? layers[i] : word ? (layer){.word = *word} : (layer){0};
}

int nn_layer_places(void) {
    return HISS_COUNT(layers) + hiss_op_count();
}

layer nn_layer_of(const char *word) {
    layer found = {0};
    for (int i = 0; i < nn_layer_places() && !found.word.word; i++) {
        const layer l = nn_layer_at(i);
        if (l.word.word && strcmp(l.word.word, word) == 0) {
            found = l;
        }
    }
    return found;
}

bool nn_layer_is_batch_norm(const layer *l) {
    return l->build == build_batch_norm;
}

int nn_layer_argument(const layer *l, const char *key) {
    for (int k = 0; k < HISS_WORD_ARGUMENTS && l->word.argument[k].key; k++) {
        if (strcmp(l->word.argument[k].key, key) == 0) {
            return k;
        }
    }
    return -1;
}

/* ---- messages ---- */

const char *nn_network_origin(hiss_arena *arena, const hiss_yaml *at) {
    return at->line > 0 ? hiss_arena_format(arena, "%s:%d:%d", at->file, at->line, at->column)
                        : hiss_arena_text(arena, at->file);
}

hiss_status nn_network_wrong(hiss_error *err, const hiss_yaml *at, const char *format, ...) {
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

hiss_yaml nn_network_key_of(const hiss_yaml *entry) {
    hiss_yaml key = *entry;
    key.line = entry->key_line;
    key.column = entry->key_column;
    return key;
}

bool nn_network_is_nothing(const hiss_yaml *value) {
    return value->kind == HISS_YAML_SCALAR && !value->quoted &&
           (!*value->text || strcmp(value->text, "null") == 0 || strcmp(value->text, "~") == 0);
}

const char *nn_network_found(const hiss_yaml *value, char out[NETWORK_FOUND]) {
    if (value->kind != HISS_YAML_SCALAR) {
        snprintf(out, NETWORK_FOUND, "%s", value->kind == HISS_YAML_LIST ? "a list" : "a section");
    } else if (nn_network_is_nothing(value)) {
        snprintf(out, NETWORK_FOUND, "nothing");
    } else {
        snprintf(out, NETWORK_FOUND, "'%.80s'", value->text);
    }
    return out;
}

/* ---- words that are none ---- */

enum { PLAIN = 32 };

/* Small letters and digits only, without the 2d of other programs' names: BatchNorm2d is batchnorm. */
static const char *plain(const char *word, char out[PLAIN]) {
    size_t length = 0;
    for (; *word && length < PLAIN - 1; word++) {
        if (isalnum((unsigned char)*word)) {
            out[length++] = (char)tolower((unsigned char)*word);
        }
    }
    out[length] = '\0';
    if (length > 2 && strcmp(out + length - 2, "2d") == 0) {
        out[length - 2] = '\0';
    }
    return out;
}

/* The layer that is most likely meant; NULL: none is near. */
static const char *nearest_layer(const char *word) {
    static const struct {
        const char *elsewhere, *word;
    } names[] = {{"dense", "linear"},           {"fc", "linear"},
                 {"fullyconnected", "linear"},  {"avgpool", "average_pool"},
                 {"bn", "batch_norm"},          {"globalavgpool", "global_average_pool"},
                 {"deconv", "conv_transposed"}, {"reshape", "flatten"},
                 {"residual", "add"},           {"cat", "concat"}};
    char mine[PLAIN], other[PLAIN];
    plain(word, mine);
    for (int i = 0; i < HISS_COUNT(names); i++) {
        if (strcmp(mine, names[i].elsewhere) == 0) {
            return names[i].word;
        }
    }
    const char *best = NULL;
    int least = strlen(mine) < 4 ? 2 : 3; /* at most one letter of three, else two */
    for (int i = 0; i < nn_layer_places(); i++) {
        const char *known = nn_layer_at(i).word.word;
        const int distance = known ? hiss_edit_distance(mine, plain(known, other)) : least;
        if (distance < least) {
            least = distance;
            best = known;
        }
    }
    return best;
}

/* A layer and its argument in one word, "conv 4", "conv:4" or "conv(4)": how to write it. False: text is none. */
static bool rewrite(const char *text, bool braces, char out[NETWORK_FOUND]) {
    const size_t length = strcspn(text, " \t:=(,");
    char head[PLAIN] = "";
    if (!text[length] || length >= sizeof head) {
        return false;
    }
    memcpy(head, text, length);
    const char *word = nn_layer_of(head).word.word ? head : nearest_layer(head);
    const char *value = text + length + strspn(text + length, " \t:=(,");
    const int width = (int)strcspn(value, " \t,)");
    if (!word) {
        return false;
    }
    const layer l = nn_layer_of(word);
    if (width > 0 && (l.word.argument[0].key || l.word.places)) {
        snprintf(out, NETWORK_FOUND, "%s%s: %.*s%s", braces ? "{" : "", word, width > 40 ? 40 : width, value,
                 braces ? "}" : "");
    } else {
        snprintf(out, NETWORK_FOUND, "%s", word);
    }
    return true;
}

static const char *all_layers(char names[NETWORK_NAMES]) {
    names[0] = '\0';
    for (int i = 0; i < nn_layer_places(); i++) {
        const char *word = nn_layer_at(i).word.word;
        if (word) {
            hiss_list_add(names, NETWORK_NAMES, word);
        }
    }
    return names;
}

static hiss_status fail_unknown(const hiss_yaml *at, const char *word, bool braces, hiss_error *err) {
    char text[NETWORK_FOUND], names[NETWORK_NAMES];
    const char *near = nearest_layer(word);
    if (rewrite(word, braces, text)) {
        return nn_network_wrong(err, at, "unknown layer '%.80s'; write %s", word, text);
    }
    if (near) {
        return nn_network_wrong(err, at, "unknown layer '%.80s'; did you mean '%s'?", word, near);
    }
    return nn_network_wrong(err, at, "unknown layer '%.80s'; expected one of %s", word, all_layers(names));
}

/* Whether some layer has an argument of this name. */
static bool is_argument(const char *key) {
    bool found = strcmp(key, "from") == 0 || strcmp(key, "name") == 0;
    for (int i = 0; i < nn_layer_places() && !found; i++) {
        const layer l = nn_layer_at(i);
        found = nn_layer_argument(&l, key) >= 0;
    }
    return found;
}

static hiss_status fail_wordless(const hiss_yaml *map, hiss_error *err) {
    char keys[NETWORK_NAMES] = "", names[NETWORK_NAMES];
    for (const hiss_yaml *e = map->first; e; e = e->next) {
        if (!is_argument(e->key)) {
            const hiss_yaml key = nn_network_key_of(e);
            return fail_unknown(&key, e->key, false, err);
        }
        hiss_list_add(keys, sizeof keys, e->key);
    }
    return nn_network_wrong(err, map, "no layer here, only %s; name one layer in each entry of the list: %s",
                            *keys ? keys : "an empty section", all_layers(names));
}

/* Neither a word nor a map. */
static hiss_status fail_shape(const hiss_yaml *entry, hiss_error *err) {
    char found[NETWORK_FOUND], text[NETWORK_FOUND] = "{conv: 32, kernel: 3}";
    const hiss_yaml *first = entry->first;
    if (entry->kind == HISS_YAML_LIST && first && first->kind == HISS_YAML_SCALAR &&
        nn_layer_of(first->text).word.word) {
        const hiss_yaml *value = first->next;
        char both[NETWORK_FOUND];
        snprintf(both, sizeof both, "%.30s %.40s", first->text,
                 value && value->kind == HISS_YAML_SCALAR ? value->text : "");
        rewrite(both, true, text);
    }
    return nn_network_wrong(err, entry, "expected a layer, found %s; write %s", nn_network_found(entry, found),
                            entry->kind == HISS_YAML_LIST ? text : "one behind the '-', or remove the '-'");
}

hiss_status nn_layer_choose(const hiss_yaml *entry, layer *out, const hiss_yaml **word, hiss_error *err) {
    *word = NULL;
    if (entry->kind == HISS_YAML_LIST || nn_network_is_nothing(entry)) {
        return fail_shape(entry, err);
    }
    if (entry->kind == HISS_YAML_SCALAR) {
        *out = nn_layer_of(entry->text);
        return out->word.word ? HISS_OK : fail_unknown(entry, entry->text, true, err);
    }
    for (const hiss_yaml *e = entry->first; e; e = e->next) {
        const layer l = nn_layer_of(e->key);
        if (l.word.word && *word) {
            const hiss_yaml key = nn_network_key_of(e);
            return nn_network_wrong(err, &key,
                                    "%s and %s in one entry of the list; begin each layer with a '-' of its own",
                                    (*word)->key, e->key);
        }
        if (l.word.word) {
            *out = l;
            *word = e;
        }
    }
    return *word ? HISS_OK : fail_wordless(entry, err);
}
