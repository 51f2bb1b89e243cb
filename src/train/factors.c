/* Layers that learn at another rate than the others of their group (train.lr_factors), as when a network that was
 * trained elsewhere is tuned under new layers: the factor of the scheduled rate, for each parameter. Where several names
 * are of a parameter, the longest is the closest, and counts. */
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/number.h"
#include "train/trainer.h"

static hiss_status refuse(const hiss_yaml *at, const char *what, hiss_error *err) {
    return train_layers_refuse(at, "lr_factors", what, err);
}

static hiss_status read_factor(const hiss_yaml *entry, double *factor, hiss_error *err) {
    const bool is_number = entry->kind == HISS_YAML_SCALAR && hiss_real_parse(entry->text, factor);
    char what[320];
    if (is_number && *factor > 0.0 && *factor <= 1e6) {
        return HISS_OK;
    }
    snprintf(what, sizeof what,
             "expected the factor of the learning rate of '%.80s', above 0, up to 1e6, found %.80s%s", entry->key,
             entry->kind == HISS_YAML_SCALAR ? entry->text : "no number",
             is_number && *factor == 0.0 ? "; train.freeze leaves layers as they are" : "");
    return refuse(entry, what, err);
}

/* How many parameters the entry speaks of that are trained; longest[slot] is the length of the name that counts. */
static int64_t apply(trainer *t, const char *name, double factor, size_t *longest) {
    const size_t length = strlen(name);
    int64_t n = 0;
    for (int s = 0; s < hiss_model_count(t->model); s++) {
        const hiss_slot *slot = hiss_model_at(t->model, s);
        if (slot->kind != HISS_SLOT_PARAMETER || slot->frozen || !hiss_slot_within(slot, name)) {
            continue;
        }
        n++;
        if (length > longest[s]) {
            t->lr_factor[s] = factor;
            longest[s] = length;
        }
    }
    return n;
}

static hiss_status read_entries(trainer *t, const hiss_yaml *map, size_t *longest, hiss_error *err) {
    hiss_status s = HISS_OK;
    for (const hiss_yaml *e = map->first; e && s == HISS_OK; e = e->next) {
        double factor = 1.0;
        s = read_factor(e, &factor, err);
        if (s == HISS_OK && apply(t, e->key, factor, longest) == 0) {
            char what[TRAIN_LAYERS_TEXT + 256], layers[TRAIN_LAYERS_TEXT];
            train_layers_list(t->model, TRAIN_ALL_GROUPS, layers);
            snprintf(what, sizeof what,
                     "'%.80s' has no parameters that are trained, nor has anything that begins with it and '/'; "
                     "parameters are in %s",
                     e->key, layers);
            s = refuse(e, what, err);
        }
    }
    return s;
}

hiss_status train_factors_read(trainer *t, hiss_error *err) {
    const hiss_yaml *map = t->experiment->train.lr_factors;
    const int slots = hiss_model_count(t->model);
    t->lr_factor = hiss_new(double, slots);
    for (int s = 0; s < slots; s++) {
        t->lr_factor[s] = 1.0;
    }
    if (!map) {
        return HISS_OK;
    }
    if (map->kind != HISS_YAML_MAP) {
        return train_layers_refuse_kind(map, "lr_factors",
                                        "expected factors by names of layers, as in {conv1: 0.1, conv2: 0.5}", err);
    }
    size_t *longest = hiss_new(size_t, slots);
    const hiss_status s = read_entries(t, map, longest, err);
    hiss_free(longest);
    return s;
}
