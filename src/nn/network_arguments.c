/* What stands beside a layer's word: its numbers, its name, and the names of earlier layers.
 *
 * A name stands for the value at the end of its block, the layers up to the next one that has a name. So a layer can
 * use every block that has ended before it: not the one it stands in, unless it has a name and begins the next one. */
#include <string.h>

#include "hiss/number.h"
#include "nn/network_impl.h"

static hiss_status read_number(const hiss_yaml *value, const hiss_word_argument *a, double *out, hiss_error *err) {
    const bool scalar = value->kind == HISS_YAML_SCALAR, truth = a->whole && a->min == 0.0 && a->max == 1.0;
    char hint[HISS_HINT] = "", found[NETWORK_FOUND];
    nn_network_found(value, found);
    if (truth && scalar && !value->quoted && (strcmp(value->text, "true") == 0 || strcmp(value->text, "false") == 0)) {
        *out = value->text[0] == 't';
    } else if (truth) {
        return nn_network_wrong(err, value, "expected true or false for %s, found %s%s", a->key, found,
                                scalar && value->quoted ? "; remove the quotes" : "");
    } else if (!scalar || value->quoted || !hiss_real_parse(value->text, out)) {
        return nn_network_wrong(err, value, "expected a number for %s, found %s%s", a->key, found,
                                !scalar || nn_network_is_nothing(value) ? ""
                                : value->quoted                         ? "; remove the quotes"
                                                : hiss_number_hint(value->text, a->whole, hint));
    }
    if (!(*out >= a->min && *out <= a->max) || (a->whole && *out != (double)(int64_t)*out)) {
        return nn_network_wrong(err, value, "%s must be %s in %.10g..%.10g, found %.10g", a->key,
                                a->whole ? "an integer" : "a number", a->min, a->max, *out);
    }
    return HISS_OK;
}

/* ---- names ---- */

static bool is_name(const hiss_yaml *value) {
    if (value->kind != HISS_YAML_SCALAR || nn_network_is_nothing(value) || !*value->text) {
        return false;
    }
    for (const char *c = value->text; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == '/' || *c == ',' || *c == 0x7f) {
            return false;
        }
    }
    return true;
}

hiss_status nn_layer_name(const layer_scope *scope, const layer *l, const char **out, hiss_error *err) {
    const hiss_yaml *name = hiss_yaml_get(scope->entry, "name");
    char found[NETWORK_FOUND];
    *out = NULL;
    if (name && !is_name(name)) {
        return nn_network_wrong(err, name, "a layer's name must be a word without '/', ',' and blanks, found %s",
                                nn_network_found(name, found));
    }
    if (name) {
        *out = name->text;
    } else if (l->named && !nn_layer_is_batch_norm(l)) {
        *out = hiss_arena_format(scope->arena, "%s%d", l->word.word, scope->index + 1);
    }
    return HISS_OK;
}

/* The layer behind scope's that has this name; NULL: none. */
static const hiss_yaml *find_later(const layer_scope *scope, const char *name) {
    layer_scope later = *scope;
    for (later.entry = scope->entry->next; later.entry; later.entry = later.entry->next) {
        layer l;
        const hiss_yaml *word;
        const char *its = NULL;
        later.index++;
        if (nn_layer_choose(later.entry, &l, &word, NULL) == HISS_OK &&
            nn_layer_name(&later, &l, &its, NULL) == HISS_OK && its && strcmp(its, name) == 0) {
            return later.entry;
        }
    }
    return NULL;
}

static hiss_status fail_place(const hiss_yaml *at, const layer_scope *scope, const char *own, hiss_error *err) {
    char names[NETWORK_NAMES] = "", why[256], line[32] = "";
    const char *near = NULL;
    for (int k = 0; k < scope->taps->count; k++) {
        const hiss_tap *tap = &scope->taps->tap[k];
        if (tap->value >= 0) {
            hiss_list_add(names, sizeof names, tap->name);
            near = hiss_edit_distance(tap->name, at->text) <= 1 ? tap->name : near;
        }
    }
    const hiss_yaml *later = find_later(scope, at->text);
    if (own && strcmp(own, at->text) == 0) {
        snprintf(why, sizeof why, "'%.48s' is this layer itself", at->text);
    } else if (hiss_taps_find(scope->taps, at->text) >= 0) {
        snprintf(why, sizeof why,
                 "'%.48s' stands for the value after its last layer, and this layer is one of them; give this layer a "
                 "name, which ends '%.48s' before it",
                 at->text, at->text);
    } else if (later) {
        if (later->line > 0) {
            snprintf(line, sizeof line, " (line %d)", later->line);
        }
        snprintf(why, sizeof why, "'%.48s' comes later%s; only earlier layers can be used", at->text, line);
    } else {
        snprintf(why, sizeof why, "no layer is named '%.48s'%s%s%s", at->text, near ? "; did you mean '" : "",
                 near ? near : "", near ? "'?" : "");
    }
    return nn_network_wrong(
        err, at, "%s; %s%s", why,
        *names ? "names that can be used here: " : "no name can be used here, for no layer before has one", names);
}

/* The value of a place named in the file: an earlier layer's. */
static hiss_status read_place(const hiss_yaml *at, const layer_scope *scope, const char *own, hiss_value *out,
                              hiss_error *err) {
    char found[NETWORK_FOUND];
    if (at->kind != HISS_YAML_SCALAR || nn_network_is_nothing(at)) {
        return nn_network_wrong(err, at, "expected the name of an earlier layer, found %s",
                                nn_network_found(at, found));
    }
    const int k = hiss_taps_find(scope->taps, at->text);
    if (k < 0 || scope->taps->tap[k].value < 0) {
        return fail_place(at, scope, own, err);
    }
    *out = scope->taps->tap[k].value;
    return HISS_OK;
}

/* The main argument of a layer with further inputs: one name, or a list of them. */
static hiss_status read_places(const hiss_yaml *at, const layer_scope *scope, const layer *l, layer_call *call,
                               hiss_error *err) {
    const hiss_yaml *e = at->kind == HISS_YAML_LIST ? at->first : at;
    hiss_status s = HISS_OK;
    for (; e && s == HISS_OK; e = at->kind == HISS_YAML_LIST ? e->next : NULL) {
        if (call->count > l->word.places) {
            return nn_network_wrong(err, e, "layer %s takes at most %d name%s", l->word.word, l->word.places,
                                    l->word.places == 1 ? "" : "s");
        }
        s = read_place(e, scope, call->name, &call->x[call->count++], err);
    }
    return s;
}

/* ---- the keys of an entry ---- */

/* The layer's key most likely meant: one begins with the other, or they differ in little. NULL: none is near. */
static const char *nearest_argument(const layer *l, const char *key) {
    const char *known[HISS_WORD_ARGUMENTS + 2] = {"name", "from"};
    int count = 2;
    for (int k = 0; k < HISS_WORD_ARGUMENTS && l->word.argument[k].key; k++) {
        known[count++] = l->word.argument[k].key;
    }
    for (int k = 0; k < count; k++) {
        const size_t a = strlen(known[k]), b = strlen(key);
        if (strncmp(known[k], key, a < b ? a : b) == 0 || hiss_edit_distance(known[k], key) <= (a < 5 ? 1 : 2)) {
            return known[k];
        }
    }
    return NULL;
}

static hiss_status fail_argument(const hiss_yaml *e, const layer *l, hiss_error *err) {
    const hiss_yaml key = nn_network_key_of(e);
    const char *near = nearest_argument(l, e->key);
    return nn_network_wrong(err, &key, "layer %s has no argument '%.80s'; %s%s%sit takes: %s%sname, from", l->word.word,
                            e->key, near ? "did you mean '" : "", near ? near : "", near ? "'? " : "", l->word.help,
                            *l->word.help ? "; " : "");
}

/* The value behind the layer's word. */
static hiss_status read_main(const hiss_yaml *e, const layer_scope *scope, const layer *l, layer_call *call,
                             bool *given, hiss_error *err) {
    const hiss_word_argument *a = &l->word.argument[0];
    char found[NETWORK_FOUND];
    if (nn_network_is_nothing(e)) {
        return HISS_OK;
    }
    if (e->kind == HISS_YAML_MAP) {
        return nn_network_wrong(
            err, e, "layer %s: found a section; write its keys beside its word, not below: {%s%s, name: NAME}",
            l->word.word, l->word.word, a->key || l->word.places ? ": VALUE" : "");
    }
    if (l->word.places) {
        return read_places(e, scope, l, call, err);
    }
    if (!a->key) {
        return nn_network_wrong(err, e,
                                "layer %s takes no value, found %s; write %s alone, or {%s, from: NAME, name: NAME}",
                                l->word.word, nn_network_found(e, found), l->word.word, l->word.word);
    }
    given[0] = true;
    return read_number(e, a, &call->a[0], err);
}

static hiss_status read_key(const hiss_yaml *e, const layer_scope *scope, const layer *l, layer_call *call, bool *given,
                            hiss_error *err) {
    if (strcmp(e->key, "name") == 0) {
        return HISS_OK; /* nn_layer_name */
    }
    if (strcmp(e->key, "from") == 0) {
        return read_place(e, scope, call->name, &call->x[0], err);
    }
    const int k = l->word.places ? -1 : nn_layer_argument(l, e->key);
    if (k < 0) {
        return fail_argument(e, l, err);
    }
    if (given[k]) {
        const hiss_yaml key = nn_network_key_of(e);
        return nn_network_wrong(err, &key, "layer %s has its %s already, as %s: VALUE; remove one of them",
                                l->word.word, e->key, l->word.word);
    }
    given[k] = true;
    return read_number(e, &l->word.argument[k], &call->a[k], err);
}

hiss_status nn_layer_arguments(const layer_scope *scope, const layer *l, const hiss_yaml *word, layer_call *call,
                               hiss_error *err) {
    bool given[HISS_WORD_ARGUMENTS] = {false};
    hiss_status s = word ? read_main(word, scope, l, call, given, err) : HISS_OK;
    for (const hiss_yaml *e = word ? scope->entry->first : NULL; e && s == HISS_OK; e = e->next) {
        s = e == word ? HISS_OK : read_key(e, scope, l, call, given, err);
    }
    if (s == HISS_OK && l->word.places && call->count < 2) {
        return nn_network_wrong(err, scope->entry, "layer %s needs the name of an earlier layer: {%s: NAME}",
                                l->word.word, l->word.word);
    }
    for (int k = 0; k < HISS_WORD_ARGUMENTS && l->word.argument[k].key && s == HISS_OK; k++) {
        const hiss_word_argument *a = &l->word.argument[k];
        if (!given[k]) {
            call->a[k] = a->standard;
            if (a->standard < a->min) {
                s = nn_network_wrong(err, scope->entry, "layer %s needs %s: {%s: %sNUMBER}", l->word.word, a->key,
                                     l->word.word, k == 0 ? "" : hiss_arena_format(scope->arena, "..., %s: ", a->key));
            }
        }
    }
    return s;
}
