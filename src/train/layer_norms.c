/* Norms of gradients and updates, layer by layer, of the steps that have a log line (probe.norms).
 *
 * The gradient is the mean over the batch as the optimiser gets it: before it is clipped, without weight decay. The update
 * is what the step has changed, all phases of it. Owners keep the sums of such a step as they update; rank 0 collects
 * them, has the parameters from before, and adds up squares in the order of elements, in float64. So the numbers are the
 * same on any number of ranks. Other steps cost nothing. Memory: the owned part of a vector of parameters on each rank,
 * and two vectors on rank 0. */
#include <math.h>
#include <string.h>

#include "train/trainer.h"

enum { NAME = 64 };

struct layer_norms {
    bool now;            /* this step has a line */
    float *gradient;     /* [owned floats] */
    float *all, *before; /* [model floats] on rank 0; else NULL */
    int layers;
    int *layer_of;       /* [slots] -1: none */
    char (*name)[NAME];  /* [layers] */
    double (*square)[2]; /* [layers] of gradient, update */
};

/* Names of layers are those of their slots up to the last '/'. */
static void list_layers(const trainer *t, layer_norms *n) {
    const int slots = hiss_model_count(t->model);
    n->layer_of = hiss_new(int, slots);
    n->name = hiss_alloc(sizeof *n->name * (size_t)(slots + 1));
    for (int s = 0; s < slots; s++) {
        const hiss_slot *slot = hiss_model_at(t->model, s);
        const char *end = strrchr(slot->name, '/');
        char name[NAME];
        snprintf(name, sizeof name, "%.*s", end ? (int)(end - slot->name) : NAME - 1, slot->name);
        int layer = 0;
        while (layer < n->layers && strcmp(n->name[layer], name) != 0) {
            layer++;
        }
        n->layer_of[s] = slot->kind == HISS_SLOT_PARAMETER && !slot->frozen ? layer : -1;
        if (n->layer_of[s] == n->layers) {
            memcpy(n->name[n->layers++], name, sizeof name);
        }
    }
    n->square = hiss_alloc(sizeof *n->square * (size_t)(n->layers + 1));
}

void train_layer_norms_create(trainer *t) {
    if (!t->experiment->probe.norms) {
        return;
    }
    layer_norms *n = t->layer_norms = hiss_new(layer_norms, 1);
    n->gradient = hiss_new(float, t->owned_floats);
    if (hiss_comm_rank(t->comm) == 0) {
        n->all = hiss_new(float, hiss_model_floats(t->model));
        n->before = hiss_new(float, hiss_model_floats(t->model));
    }
    list_layers(t, n);
}

void train_layer_norms_destroy(layer_norms *n) {
    if (n) {
        void *const all[] = {n->gradient, n->all, n->before, n->layer_of, n->name, n->square};
        for (int k = 0; k < HISS_COUNT(all); k++) {
            hiss_free(all[k]);
        }
        hiss_free(n);
    }
}

void train_layer_norms_begin(trainer *t, bool line) {
    layer_norms *n = t->layer_norms;
    if (!n) {
        return;
    }
    n->now = line;
    if (line) {
        memset(n->gradient, 0, sizeof(float) * (size_t)t->owned_floats);
    }
    if (line && n->before) {
        memcpy(n->before, t->vector, sizeof(float) * (size_t)hiss_model_floats(t->model));
    }
}

void train_layer_norms_keep(const trainer *t, int64_t begin, int64_t count, const float *sum) {
    const layer_norms *n = t->layer_norms;
    if (n && n->now) {
        const float mean = 1.0f / (float)t->placement.lanes;
        float *gradient = n->gradient + train_packed(t, begin);
        for (int64_t i = 0; i < count; i++) {
            gradient[i] = mean * sum[i];
        }
    }
}

int train_layer_norms_end(trainer *t) {
    layer_norms *n = t->layer_norms;
    if (!n || !n->now) {
        return 0;
    }
    n->now = false;
    hiss_reducer_gather(t->reducer, n->gradient, n->all);
    memset(n->square, 0, sizeof *n->square * (size_t)n->layers);
    for (int s = 0; s < hiss_model_count(t->model) && n->all; s++) {
        const hiss_slot *slot = hiss_model_at(t->model, s);
        double *square = n->layer_of[s] < 0 ? NULL : n->square[n->layer_of[s]];
        for (int64_t i = slot->offset; square && i < slot->offset + slot->count; i++) {
            const double gradient = (double)n->all[i], update = (double)t->vector[i] - (double)n->before[i];
            square[0] += gradient * gradient;
            square[1] += update * update;
        }
    }
    return n->all ? 2 * n->layers : 0;
}

hiss_probed_number train_layer_norms_number(const layer_norms *n, int k) {
    hiss_probed_number number;
    snprintf(number.name, sizeof number.name, "%s/%s", k % 2 ? "update" : "gradient", n->name[k / 2]);
    number.value = sqrt(n->square[k / 2][k % 2]);
    return number;
}
