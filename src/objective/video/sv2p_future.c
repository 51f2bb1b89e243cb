/* Futures of a clip by stochastic variational video prediction, a frame after the other, several at once. Each has a latent of its own,
 * of N(0, 1): none knows the frames to come. After the given frames the made one is seen. The memory goes from frame to frame in inputs
 * of the graph, into which what it says is copied. BatchNorm uses its running statistics. */
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/lasting.h"
#include "objective/video/sv2p.h"

enum { DRAW_OF_FUTURES = 1 << 20 }; /* when, of evaluation's streams; that of future k is k more */

typedef struct forecaster {
    const sv2p *v;
    int64_t futures, frames; /* of a future */
    hiss_model *model;
    hiss_graph *graph;
    hiss_exec *exec;
    hiss_value frame, latent, made;
    sv2p_state before, after;
} forecaster;

static void destroy(void *self) {
    forecaster *f = self;
    if (f) {
        hiss_exec_destroy(f->exec);
        hiss_graph_destroy(f->graph);
        hiss_model_destroy(f->model);
        hiss_free(f);
    }
}

static hiss_status create(void *self, int64_t futures, int64_t frames, void **out, hiss_error *err) {
    const sv2p *v = self;
    forecaster *f = hiss_new(forecaster, 1);
    *out = f;
    f->v = v;
    f->futures = futures;
    f->frames = frames;
    f->model = hiss_model_create();
    hiss_graph *g = f->graph = hiss_graph_create();
    hiss_builder b = {.graph = g, .model = f->model, .trained_groups = ~0u};
    const hiss_shape memory = video_sv2p_memory(v, futures);
    f->frame = objective_lasting_input(g, "frame", HISS_SHAPE(futures, v->task->H, v->task->W, v->task->C));
    f->latent = objective_lasting_input(g, "latent", HISS_SHAPE(futures, v->options->latent));
    f->before.hidden = objective_lasting_input(g, "hidden", memory);
    f->before.cell = objective_lasting_input(g, "cell", memory);
    f->after = f->before;
    f->made = video_sv2p_step(v, &b, f->frame, f->latent, &f->after);
    const hiss_status s = hiss_graph_status(g, err);
    if (s == HISS_OK) {
        hiss_graph_keep(g, f->made);
        hiss_graph_keep(g, f->after.hidden);
        hiss_graph_keep(g, f->after.cell);
        hiss_model_layout(f->model);
        f->exec = hiss_exec_create(g, v->task->kernels, hiss_model_offsets(f->model));
    }
    return s;
}

static const hiss_model *model(const void *self) {
    return ((const forecaster *)self)->model;
}

static void copy(forecaster *f, hiss_value from, hiss_value to) {
    const hiss_shape shape = hiss_graph_shape(f->graph, to);
    memcpy(hiss_exec_data(f->exec, to), hiss_exec_data(f->exec, from),
           sizeof(float) * (size_t)hiss_shape_count(&shape));
}

static void begin(forecaster *f, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t first) {
    const hiss_shape memory = video_sv2p_memory(f->v, f->futures);
    const size_t bytes = sizeof(float) * (size_t)hiss_shape_count(&memory);
    const int64_t K = f->v->options->latent;
    memset(hiss_exec_data(f->exec, f->before.hidden), 0, bytes);
    memset(hiss_exec_data(f->exec, f->before.cell), 0, bytes);
    for (int64_t k = 0; k < f->futures; k++) {
        hiss_rng rng = hiss_rng_keyed(seed, HISS_FOR_EVALUATION, DRAW_OF_FUTURES + first + k, lane->batch->sample[i]);
        hiss_rng_normals(&rng, K, hiss_exec_data(f->exec, f->latent) + k * K);
    }
}

static void run(void *self, const float *vector, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t first,
                const float *actions, float *out) {
    forecaster *f = self;
    const sv2p *v = f->v;
    const int64_t past = v->options->past, size = v->task->H * v->task->W * v->task->C;
    const hiss_exec_context context = {.model = vector, .lanes = 1};
    (void)actions;
    begin(f, lane, i, seed, first);
    for (int64_t t = 1; t < past + f->frames; t++) {
        float *frame = hiss_exec_data(f->exec, f->frame);
        for (int64_t k = 0; k < f->futures && t <= past; k++) {
            objective_video_frame(lane, i, t - 1, frame + k * size);
        }
        if (t > past) {
            copy(f, f->made, f->frame);
        }
        hiss_exec_forward(f->exec, &context, 0, hiss_graph_nodes(f->graph), NULL, NULL);
        copy(f, f->after.hidden, f->before.hidden);
        copy(f, f->after.cell, f->before.cell);
        const float *made = hiss_exec_data(f->exec, f->made);
        for (int64_t k = 0; k < f->futures && t >= past; k++) {
            memcpy(out + (k * f->frames + t - past) * size, made + k * size, sizeof *out * (size_t)size);
        }
    }
}

static int64_t given(void *self) {
    return ((const sv2p *)self)->options->past;
}

static int64_t foretold(void *self) {
    return ((const sv2p *)self)->options->future;
}

static bool draws(void *self) {
    (void)self;
    return true;
}

const hiss_forecast_ops video_sv2p_forecast = {.given = given,
                                               .foretold = foretold,
                                               .draws = draws,
                                               .create = create,
                                               .destroy = destroy,
                                               .model = model,
                                               .frame = objective_video_frame,
                                               .run = run};
