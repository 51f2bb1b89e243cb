/* Whether a checkpoint was made by the config of this run: whether both mean the same, however they are written.
 *
 * Both resolved configs are read as trees and compared key by key. Of no account are the order of keys, how a number is
 * written, keys that say how and how long to run, keys that are newer than the checkpoint and have their defaults,
 * sections of methods that this run does not use, keys that evaluation alone reads, keys of optim that its optimiser and
 * schedule do not read, and what other things tell better: the data by their identity, who computes by its origin,
 * layers that stay as they are by the parameters that this means, and the source of train.init by its path or by its
 * checksum. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/number.h"
#include "train/states.h"

enum { VALUE_TEXT = 160 };

/* ---- keys ---- */

/* Whether the value of section.key decides the bits and is compared here. key "": the section as a whole. */
static bool decides(const char *section, const char *key) {
    static const struct {
        const char *section, *key; /* key NULL: all of the section */
    } free_keys[] = {{"data", "file"},
                     {"data", "follow"},
                     {"data", "generate"},
                     {"data", "images"},
                     {"data", "layout"},
                     {"data", "labels"},
                     {"data", "mode"},
                     {"data", "memory"},
                     {"data", "verify"},
                     {"train", "log_every"},
                     {"train", "activation_memory"},
                     {"train", "steps"},
                     {"train", "nonfinite"},
                     {"train", "nonfinite_limit"},
                     {"train", "verify_replicas"},
                     {"train", "epochs"},
                     {"train", "freeze"},
                     {"train", "init"},
                     {"dist", "threads"},
                     {"dist", "bucket"},
                     {"dist", "group"},
                     {"dist", "node"},
                     {"dist", "overlap"},
                     {"dist", "watchdog"},
                     {"checkpoint", NULL},
                     {"probe", NULL},
                     {"eval", NULL},
                     {"generate", NULL},
                     {"", "kernels"},
                     {"", "precision"},
                     {"", "kernel_table"}};
    for (int k = 0; k < HISS_COUNT(free_keys); k++) {
        if (strcmp(section, free_keys[k].section) == 0 && (!free_keys[k].key || strcmp(key, free_keys[k].key) == 0)) {
            return false;
        }
    }
    return true;
}

static bool has_section(const hiss_objective_ops *ops, const char *name) {
    for (const hiss_section *c = ops->sections; c < ops->sections + HISS_MAX_SECTIONS && c->name; c++) {
        if (strcmp(c->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the row of a method's key says so. */
static bool is_of_evaluation(const hiss_objective_ops *ops, const char *section, const char *key) {
    for (const hiss_section *c = ops->sections; c < ops->sections + HISS_MAX_SECTIONS && c->name; c++) {
        for (const hiss_row *row = c->rows; strcmp(c->name, section) == 0 && row < c->rows + *c->nrows; row++) {
            if (strcmp(row->key, key) == 0 &&
                strncmp(row->help, HISS_OF_EVALUATION, sizeof HISS_OF_EVALUATION - 1) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* A section of other methods only, which the user may leave in his file. */
static bool is_foreign(const hiss_objective_ops *mine, const char *name) {
    bool known = false;
    for (const hiss_objective_ops *const *o = hiss_objectives(); *o; o++) {
        known |= has_section(*o, name);
    }
    return known && !has_section(mine, name);
}

/* ---- values ---- */

static bool is_nothing(const hiss_yaml *a) {
    return !a || (a->kind == HISS_YAML_SCALAR && !a->quoted &&
                  (!*a->text || strcmp(a->text, "null") == 0 || strcmp(a->text, "~") == 0));
}

static bool same_text(const hiss_yaml *a, const hiss_yaml *b) {
    double left, right;
    return strcmp(a->text, b->text) == 0 || (!a->quoted && !b->quoted && hiss_real_parse(a->text, &left) &&
                                             hiss_real_parse(b->text, &right) && left == right);
}

/* {relu: } is the word relu. */
static bool is_word(const hiss_yaml *map, const char *word) {
    return map->kind == HISS_YAML_MAP && map->first && !map->first->next && is_nothing(map->first) &&
           strcmp(map->first->key, word) == 0;
}

typedef struct difference {
    const hiss_yaml *then, *now; /* NULL: there was, there is nothing */
} difference;

static bool same(const hiss_yaml *a, const hiss_yaml *b, difference *first);

static bool same_list(const hiss_yaml *a, const hiss_yaml *b, difference *first) {
    const hiss_yaml *left = a->first, *right = b->first;
    while (left && right && same(left, right, first)) {
        left = left->next;
        right = right->next;
    }
    if (left && right) {
        return false;
    }
    *first = (difference){left, right};
    return !left && !right;
}

static bool same_map(const hiss_yaml *a, const hiss_yaml *b, difference *first) {
    for (const hiss_yaml *e = b->first; e; e = e->next) {
        if (!same(hiss_yaml_get(a, e->key), e, first)) {
            return false;
        }
    }
    for (const hiss_yaml *e = a->first; e; e = e->next) {
        if (!hiss_yaml_get(b, e->key) && !same(e, NULL, first)) {
            return false;
        }
    }
    return true;
}

static bool same(const hiss_yaml *a, const hiss_yaml *b, difference *first) {
    *first = (difference){a, b};
    if (is_nothing(a) || is_nothing(b)) {
        return is_nothing(a) && is_nothing(b);
    }
    if (a->kind != b->kind) {
        return (a->kind == HISS_YAML_SCALAR && is_word(b, a->text)) ||
               (b->kind == HISS_YAML_SCALAR && is_word(a, b->text));
    }
    return a->kind == HISS_YAML_SCALAR ? same_text(a, b)
           : a->kind == HISS_YAML_LIST ? same_list(a, b, first)
                                       : same_map(a, b, first);
}

/* "key: value" on one line. */
static void print(const hiss_yaml *value, char out[VALUE_TEXT]) {
    char *text = NULL;
    size_t size;
    FILE *stream = hiss_text_open(&text, &size);
    if (value) {
        fprintf(stream, "%s%s", value->key ? value->key : "", value->key ? ": " : "");
        hiss_yaml_write(stream, value);
    }
    fclose(stream);
    snprintf(out, VALUE_TEXT, "%s", size ? text : "nothing");
    if (size >= VALUE_TEXT) {
        snprintf(out + VALUE_TEXT - 4, 4, "...");
    }
    free(text);
}

typedef struct comparison {
    const trainer *t;
    const char *path; /* of the checkpoint */
} comparison;

static hiss_status refuse(const comparison *c, const char *section, const char *key, const difference *first,
                          hiss_error *err) {
    char then[VALUE_TEXT], now[VALUE_TEXT], full[HISS_ERROR_KEY];
    print(first->then, then);
    print(first->now, now);
    snprintf(full, sizeof full, "%.40s%s%.40s", section, *section ? "." : "", key);
    return hiss_fail_key(err, HISS_EUSER, full,
                         "%s was made by another config: %s%s%sit had '%s', now '%s'; resume with the same config, or "
                         "start a new run directory",
                         c->path, *section ? "in section " : "", section, *section ? ", " : "", then, now);
}

/* Whether a key of section optim, or of optim.GROUP, can change an update of one of the groups that it is for. */
static bool is_read(const comparison *c, const char *section, const char *key) {
    const hiss_experiment *e = c->t->experiment;
    const char *group = strncmp(section, "optim.", 6) == 0 ? section + 6 : NULL;
    bool read = !group && strcmp(section, "optim") != 0;
    for (int g = 0; g < e->groups && !read; g++) {
        read = (!group || strcmp(e->objective->groups[g], group) == 0) && hiss_optim_reads(&e->optim[g], key);
    }
    return read;
}

static bool is_group(const comparison *c, const char *section, const char *key) {
    const char *const *groups = strcmp(section, "optim") == 0 ? c->t->experiment->objective->groups : NULL;
    while (groups && *groups && strcmp(*groups, key) != 0) {
        groups++;
    }
    return groups && *groups;
}

/* A key that hiss did not have then, and that the user has left as it is: its default is what hiss did without it. */
static bool is_newer(const comparison *c, const char *section, const char *key, const hiss_yaml *then) {
    char full[HISS_ERROR_KEY];
    snprintf(full, sizeof full, "%.40s%s%.40s", section, *section ? "." : "", key);
    return !then && !hiss_config_has(c->t->experiment->config, full);
}

static hiss_status compare_section(const comparison *c, const char *section, const hiss_yaml *then,
                                   const hiss_yaml *now, hiss_error *err);

static hiss_status compare_key(const comparison *c, const char *section, const char *key, const hiss_yaml *then,
                               const hiss_yaml *now, hiss_error *err) {
    difference first;
    if (!*section && strcmp(key, "objective") == 0 && then && now && hiss_objective_names_one(then->text, now->text)) {
        return HISS_OK; /* a method may have several names */
    }
    if (is_group(c, section, key)) {
        char name[HISS_ERROR_KEY];
        snprintf(name, sizeof name, "%s.%.60s", section, key);
        return compare_section(c, name, then, now, err);
    }
    return !decides(section, key) || is_of_evaluation(c->t->experiment->objective, section, key) ||
                   !is_read(c, section, key) || is_newer(c, section, key, then) || same(then, now, &first)
               ? HISS_OK
               : refuse(c, section, key, &first, err);
}

/* All keys of both, those of now first. */
static hiss_status compare_section(const comparison *c, const char *section, const hiss_yaml *then,
                                   const hiss_yaml *now, hiss_error *err) {
    hiss_status s = HISS_OK;
    for (const hiss_yaml *e = now ? now->first : NULL; e && s == HISS_OK; e = e->next) {
        s = compare_key(c, section, e->key, hiss_yaml_get(then, e->key), e, err);
    }
    for (const hiss_yaml *e = then ? then->first : NULL; e && s == HISS_OK; e = e->next) {
        s = hiss_yaml_get(now, e->key) ? HISS_OK : compare_key(c, section, e->key, e, NULL, err);
    }
    return s;
}

static hiss_status compare_entry(const comparison *c, const hiss_yaml *then, const hiss_yaml *now, hiss_error *err) {
    const char *name = now ? now->key : then->key;
    const bool section = (!now || now->kind == HISS_YAML_MAP) && (!then || then->kind == HISS_YAML_MAP);
    if (is_foreign(c->t->experiment->objective, name)) {
        return HISS_OK;
    }
    return section ? compare_section(c, name, then, now, err) : compare_key(c, "", name, then, now, err);
}

/* ---- train.freeze and train.init ---- */

static bool is_within(const hiss_slot *slot, const hiss_yaml *names) {
    bool within = false;
    const bool list = names && names->kind == HISS_YAML_LIST;
    for (const hiss_yaml *e = list ? names->first : names; e && !within; e = list ? e->next : NULL) {
        within = !is_nothing(e) && e->kind == HISS_YAML_SCALAR && hiss_slot_within(slot, e->text);
    }
    return within;
}

static hiss_status compare_freeze(const comparison *c, const hiss_yaml *then, const hiss_yaml *now, hiss_error *err) {
    for (int k = 0; k < hiss_model_count(c->t->model); k++) {
        const hiss_slot *slot = hiss_model_at(c->t->model, k);
        if (slot->kind != HISS_SLOT_METRIC && is_within(slot, then) != is_within(slot, now)) {
            return refuse(c, "train", "freeze", &(difference){then, now}, err);
        }
    }
    return HISS_OK;
}

static bool same_place(const char *a, const char *b) {
    char left[PATH_MAX], right[PATH_MAX];
    return realpath(a, left) && realpath(b, right) && strcmp(left, right) == 0;
}

/* sum: of the source, as the checkpoint knows it. Where the source is gone, its path must be the same. */
static hiss_status compare_init(const comparison *c, const hiss_yaml *then, const hiss_yaml *now, const char *sum,
                                hiss_error *err) {
    char found[HISS_HASH_TEXT] = "";
    if (is_nothing(then) || is_nothing(now)) {
        return is_nothing(then) && is_nothing(now) ? HISS_OK
                                                   : refuse(c, "train", "init", &(difference){then, now}, err);
    }
    if (strcmp(then->text, now->text) == 0 || same_place(then->text, now->text) ||
        (train_transfer_sum(c->t->experiment->train.init, found, NULL) == HISS_OK && strcmp(found, sum) == 0)) {
        return HISS_OK;
    }
    return hiss_fail_key(err, HISS_EUSER, "train.init",
                         "%s was made from another source: expected %.200s with SHA-256 %.16s..., found %.200s with "
                         "%.16s%s; resume with the same source, or start a new run directory",
                         c->path, then->text, sum, now->text, *found ? found : "none", *found ? "..." : "");
}

hiss_status train_same_config(const trainer *t, const char *path, const char *text, const char *init_sum,
                              int64_t *epochs, hiss_error *err) {
    const comparison c = {t, path};
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *then = NULL, *now = NULL;
    hiss_status s = hiss_yaml_parse(arena, path, text, &then, err);
    s = s == HISS_OK ? hiss_yaml_parse(arena, "config", hiss_config_resolved(t->experiment->config), &now, err) : s;
    for (const hiss_yaml *e = now ? now->first : NULL; e && s == HISS_OK; e = e->next) {
        s = compare_entry(&c, hiss_yaml_get(then, e->key), e, err);
    }
    for (const hiss_yaml *e = then ? then->first : NULL; e && s == HISS_OK; e = e->next) {
        s = hiss_yaml_get(now, e->key) ? HISS_OK : compare_entry(&c, e, NULL, err);
    }
    if (s == HISS_OK) {
        const hiss_yaml *train_then = hiss_yaml_get(then, "train"), *train_now = hiss_yaml_get(now, "train");
        const hiss_yaml *length = hiss_yaml_get(train_then, "epochs");
        if (length && length->kind == HISS_YAML_SCALAR) {
            (void)hiss_integer_parse(length->text, epochs);
        }
        s = compare_freeze(&c, hiss_yaml_get(train_then, "freeze"), hiss_yaml_get(train_now, "freeze"), err);
        s = s == HISS_OK
                ? compare_init(&c, hiss_yaml_get(train_then, "init"), hiss_yaml_get(train_now, "init"), init_sum, err)
                : s;
    }
    hiss_arena_destroy(arena);
    return s;
}
