/* The model as a list of named slots in one flat vector. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "hiss/nn.h"
#include "hiss/rng.h"

enum { SLOT_ALIGNMENT = 16 };

struct hiss_model {
    hiss_arena *arena;
    hiss_slot *slots;
    int64_t *offsets;
    int count, capacity;
    int64_t floats;
    bool fixed;
    const char *const *frozen; /* [frozen_count] names; not owned */
    int frozen_count;
};

hiss_model *hiss_model_create(void) {
    hiss_model *model = hiss_new(hiss_model, 1);
    model->arena = hiss_arena_create();
    return model;
}

void hiss_model_destroy(hiss_model *model) {
    if (model) {
        hiss_arena_destroy(model->arena);
        hiss_free(model->slots);
        hiss_free(model->offsets);
        hiss_free(model);
    }
}

int hiss_model_find(const hiss_model *model, const char *name) {
    for (int s = 0; s < model->count; s++) {
        if (strcmp(model->slots[s].name, name) == 0) {
            return s;
        }
    }
    return -1;
}

int64_t hiss_model_offset(const hiss_model *model, const char *name) {
    const int slot = hiss_model_find(model, name);
    assert(slot >= 0);
    return hiss_model_at(model, slot)->offset;
}

bool hiss_slot_within(const hiss_slot *slot, const char *name) {
    const size_t length = strlen(name);
    return strncmp(slot->name, name, length) == 0 && (slot->name[length] == 0 || slot->name[length] == '/');
}

void hiss_model_freeze(hiss_model *model, int count, const char *const *names) {
    model->frozen = names;
    model->frozen_count = count;
}

static bool is_frozen(const hiss_model *model, const hiss_slot *slot) {
    bool frozen = false;
    for (int k = 0; k < model->frozen_count && slot->kind != HISS_SLOT_METRIC; k++) {
        frozen |= hiss_slot_within(slot, model->frozen[k]);
    }
    return frozen;
}

int hiss_model_slot(hiss_model *model, const hiss_slot *slot) {
    const int known = hiss_model_find(model, slot->name);
    if (known >= 0) {
        const hiss_slot *old = &model->slots[known];
        return old->kind == slot->kind && hiss_shape_equal(&old->shape, &slot->shape) ? known : -1;
    }
    assert(!model->fixed);
    if (model->count == model->capacity) {
        model->capacity = model->capacity ? 2 * model->capacity : 32;
        hiss_slot *grown = hiss_new(hiss_slot, model->capacity);
        if (model->slots) {
            memcpy(grown, model->slots, sizeof(hiss_slot) * (size_t)model->count);
        }
        hiss_free(model->slots);
        model->slots = grown;
    }
    hiss_slot *fresh = &model->slots[model->count];
    *fresh = *slot;
    fresh->name = hiss_arena_text(model->arena, slot->name);
    fresh->origin = hiss_arena_text(model->arena, slot->origin);
    fresh->count = hiss_shape_count(&slot->shape);
    fresh->frozen = is_frozen(model, fresh);
    return model->count++;
}

int hiss_model_count(const hiss_model *model) {
    return model->count;
}

const hiss_slot *hiss_model_at(const hiss_model *model, int slot) {
    assert(slot >= 0 && slot < model->count);
    return &model->slots[slot];
}

static void place(hiss_model *model, hiss_slot_kind kind, int group) {
    for (int s = 0; s < model->count; s++) {
        hiss_slot *slot = &model->slots[s];
        if (slot->kind == kind && (group < 0 || slot->group == group)) {
            slot->offset = model->floats;
            model->offsets[s] = slot->offset;
            model->floats += (slot->count + SLOT_ALIGNMENT - 1) / SLOT_ALIGNMENT * SLOT_ALIGNMENT;
        }
    }
}

void hiss_model_layout(hiss_model *model) {
    assert(!model->fixed);
    model->fixed = true;
    model->offsets = hiss_new(int64_t, model->count + 1);
    int groups = 0;
    for (int s = 0; s < model->count; s++) {
        groups = model->slots[s].group >= groups ? model->slots[s].group + 1 : groups;
    }
    for (int g = 0; g < groups; g++) {
        place(model, HISS_SLOT_PARAMETER, g);
    }
    place(model, HISS_SLOT_BUFFER, -1);
    place(model, HISS_SLOT_METRIC, -1);
}

const int64_t *hiss_model_offsets(const hiss_model *model) {
    assert(model->fixed);
    return model->offsets;
}

int64_t hiss_model_floats(const hiss_model *model) {
    assert(model->fixed);
    return model->floats;
}

int64_t hiss_model_parameters(const hiss_model *model) {
    int64_t total = 0;
    for (int s = 0; s < model->count; s++) {
        total += model->slots[s].kind == HISS_SLOT_PARAMETER ? model->slots[s].count : 0;
    }
    return total;
}

void hiss_model_initialize(const hiss_model *model, uint64_t seed, float *vector) {
    assert(model->fixed);
    memset(vector, 0, sizeof(float) * (size_t)model->floats);
    for (int s = 0; s < model->count; s++) {
        const hiss_slot *slot = &model->slots[s];
        float *value = vector + slot->offset;
        if (slot->deviation > 0.0) {
            hiss_rng rng = hiss_rng_keyed(seed, HISS_FOR_PARAMETERS, 0, s);
            hiss_rng_normals(&rng, slot->count, value);
        }
        for (int64_t i = 0; i < slot->count; i++) {
            value[i] = slot->deviation > 0.0 ? value[i] * (float)slot->deviation : (float)slot->constant;
        }
    }
}

void hiss_model_hash(const hiss_model *model, const float *vector, char text[HISS_HASH_TEXT]) {
    hiss_hash *hash = hiss_hash_begin();
    for (int s = 0; s < model->count; s++) {
        const hiss_slot *slot = &model->slots[s];
        if (slot->kind != HISS_SLOT_METRIC) {
            hiss_hash_add(hash, slot->name, strlen(slot->name) + 1);
            hiss_hash_add(hash, vector + slot->offset, sizeof(float) * (size_t)slot->count);
        }
    }
    hiss_hash_end(hash, text);
}
