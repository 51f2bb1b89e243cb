/* Sound of a WaveNet, a value after the other, each drawn by the logits that those before it give.
 *
 * What a layer needs of the value d before waits in a queue of d places, so that a value costs one pass of each layer for it
 * alone, and not for all that the network looks back over (Le Paine et al., "Fast WaveNet generation algorithm", 2016). Its logits
 * are those of a whole row, bit for bit. As many values as the network looks back over are drawn first and left out: what was
 * learnt is sound that goes on. */
#include <math.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/autoregressive/pixels.h"
#include "objective/autoregressive/wavenet.h"
#include "objective/parts/parameters.h"

typedef struct maker {
    const wavenet *w;
    int64_t sounds, reach;
    hiss_model *model;
    hiss_graph *graph;
    hiss_exec *exec;
    float *vector;
    wavenet_step step;
    float *queue[WAVENET_MOST_BLOCKS * WAVENET_MOST_LAYERS]; /* [d, sounds, R] */
} maker;

static int64_t layer_count(const maker *k) {
    return k->w->options->blocks * k->w->options->layers;
}

static void destroy(maker *k) {
    for (int64_t l = 0; l < layer_count(k); l++) {
        hiss_free(k->queue[l]);
    }
    hiss_exec_destroy(k->exec);
    hiss_graph_destroy(k->graph);
    hiss_model_destroy(k->model);
    hiss_free(k->vector);
}

static hiss_status create(const wavenet *w, const hiss_model *model, const float *vector, int64_t sounds, maker *k,
                          hiss_error *err) {
    *k = (maker){.w = w,
                 .sounds = sounds,
                 .reach = autoregressive_wavenet_reach(w->options),
                 .model = hiss_model_create(),
                 .graph = hiss_graph_create()};
    hiss_builder b = {.graph = k->graph, .model = k->model, .trained_groups = ~0u};
    const hiss_status s = autoregressive_wavenet_step(w, &b, sounds, &k->step, err);
    if (s != HISS_OK) {
        return s;
    }
    hiss_model_layout(k->model);
    k->vector = objective_parameters(model, vector, k->model);
    k->exec = hiss_exec_create(k->graph, w->task->kernels, hiss_model_offsets(k->model));
    for (int64_t l = 0; l < layer_count(k); l++) {
        k->queue[l] = hiss_new(float, autoregressive_wavenet_dilation(w->options, l) * sounds * w->options->residual);
    }
    memset(hiss_exec_data(k->exec, k->step.before), 0, sizeof(float) * (size_t)(sounds * w->options->first));
    return HISS_OK;
}

/* Logits of value t, when `before` holds those before it. */
static void run(maker *k, int64_t t) {
    const hiss_exec_context context = {.model = k->vector, .lanes = 1};
    const int64_t floats = k->sounds * k->w->options->residual;
    for (int64_t l = 0; l < layer_count(k); l++) {
        const int64_t place = t % autoregressive_wavenet_dilation(k->w->options, l);
        memcpy(hiss_exec_data(k->exec, k->step.past[l]), k->queue[l] + place * floats, sizeof(float) * (size_t)floats);
    }
    hiss_exec_forward(k->exec, &context, 0, hiss_graph_nodes(k->graph), NULL, NULL);
    for (int64_t l = 0; l < layer_count(k); l++) {
        const int64_t place = t % autoregressive_wavenet_dilation(k->w->options, l);
        memcpy(k->queue[l] + place * floats, hiss_exec_data(k->exec, k->step.now[l]), sizeof(float) * (size_t)floats);
    }
}

static void put_before(maker *k, int64_t i, int32_t level) {
    const int64_t first = k->w->options->first;
    float *before = hiss_exec_data(k->exec, k->step.before) + i * first;
    memmove(before, before + 1, sizeof *before * (size_t)(first - 1));
    before[first - 1] = objective_mu_law_value(level);
}

hiss_status autoregressive_wavenet_make(const wavenet *w, const hiss_model *model, const float *vector, uint64_t seed,
                                        int64_t first, int64_t sounds, int64_t count, const int64_t *wanted, float *out,
                                        float *logits, hiss_error *err) {
    maker k;
    hiss_status s = create(w, model, vector, sounds, &k, err);
    if (s == HISS_OK && wanted && k.step.class >= 0) {
        const hiss_lane lane = {.task = w->task, .graph = k.graph, .exec = k.exec};
        for (int64_t i = 0; i < sounds; i++) {
            autoregressive_wavenet_set_class(w, &lane, i, wanted[i]);
        }
    }
    const int64_t left_out = logits ? 0 : k.reach, values = left_out + count;
    for (int64_t t = 0; t < values && s == HISS_OK; t++) {
        run(&k, t);
        const float *all = hiss_exec_data(k.exec, k.step.logits);
        for (int64_t i = 0; i < sounds; i++) {
            const float *at = all + i * MU_LAW_LEVELS;
            const float pixel = autoregressive_draw(MU_LAW_LEVELS, at, seed, first + i, t, INT32_MAX);
            const int32_t level = (int32_t)lroundf(pixel * (float)(MU_LAW_LEVELS - 1));
            put_before(&k, i, level);
            if (logits) {
                memcpy(logits + (i * count + t) * MU_LAW_LEVELS, at, sizeof *at * MU_LAW_LEVELS);
            }
            if (t >= left_out) {
                out[i * count + t - left_out] = objective_mu_law_sound(level);
            }
        }
    }
    destroy(&k);
    return s;
}

static int64_t classes(void *self) {
    const wavenet *w = self;
    return w->options->conditional ? w->task->classes : 0;
}

static hiss_status make(void *self, const hiss_model *model, const float *vector, uint64_t seed, int64_t first,
                        int64_t sounds, int64_t count, const int64_t *wanted, float *out, hiss_error *err) {
    return autoregressive_wavenet_make(self, model, vector, seed, first, sounds, count, wanted, out, NULL, err);
}

const hiss_sound_ops autoregressive_wavenet_sound = {.classes = classes, .make = make};
