/* Layers that the user names in section train, and those that he could have named. */
#include <stdio.h>
#include <string.h>

#include "train/trainer.h"

/* What --set put there has no line, and names the key by itself. */
hiss_status train_layers_refuse(const hiss_yaml *at, const char *key, const char *what, hiss_error *err) {
    char position[64] = "";
    if (at->line > 0) {
        snprintf(position, sizeof position, ":%d:%d: train.%s", at->line, at->column, key);
    }
    return hiss_fail(err, HISS_EUSER, "%s%s: %s", at->file, position, what);
}

hiss_status train_layers_refuse_kind(const hiss_yaml *at, const char *key, const char *expected, hiss_error *err) {
    char what[TRAIN_LAYERS_TEXT], found[120] = "nothing";
    if (at->kind != HISS_YAML_SCALAR) {
        snprintf(found, sizeof found, "%s", at->kind == HISS_YAML_LIST ? "a list" : "a map");
    } else if (*at->text) {
        snprintf(found, sizeof found, "'%.80s'", at->text);
    }
    snprintf(what, sizeof what, "%s, found %s", expected, found);
    return train_layers_refuse(at, key, what, err);
}

void train_layers_list(const hiss_model *model, int group, char out[TRAIN_LAYERS_TEXT]) {
    char last[TRAIN_LAYERS_TEXT] = "", layer[TRAIN_LAYERS_TEXT];
    out[0] = 0;
    for (int s = 0; s < hiss_model_count(model); s++) {
        const hiss_slot *slot = hiss_model_at(model, s);
        const char *end = strrchr(slot->name, '/');
        const bool other = group != TRAIN_ALL_GROUPS && (slot->group != group || slot->kind != HISS_SLOT_PARAMETER);
        snprintf(layer, sizeof layer, "%.*s", end ? (int)(end - slot->name) : (int)strlen(slot->name), slot->name);
        if (slot->kind != HISS_SLOT_METRIC && !other && strcmp(layer, last) != 0) {
            hiss_list_add(out, TRAIN_LAYERS_TEXT, layer);
            memcpy(last, layer, sizeof last);
        }
    }
}
