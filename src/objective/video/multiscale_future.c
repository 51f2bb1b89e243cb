/* How a clip goes on by multi-scale video prediction, a frame after the other: a made frame takes the place of the newest given
 * one (Mathieu, Couprie & LeCun 2016, section 4.2: the model is applied recursively). */
#include <string.h>

#include "hiss/alloc.h"
#include "objective/video/multiscale.h"

typedef struct forecaster {
    const multiscale *v;
    int64_t frames; /* of a future */
    hiss_model *model;
    hiss_graph *graph;
    hiss_exec *exec;
    hiss_value frame[HISS_MAX_INPUTS], made;
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
    const multiscale *v = self;
    (void)futures; /* one: there is nothing to draw */
    forecaster *f = hiss_new(forecaster, 1);
    *out = f;
    f->v = v;
    f->frames = frames;
    f->model = hiss_model_create();
    hiss_graph *g = f->graph = hiss_graph_create();
    hiss_builder b = {.graph = g, .model = f->model, .trained_groups = ~0u};
    objective_video_frame_inputs(v->task, g, "frame", 1, v->options->past, f->frame);
    const multiscale_pyramid given = video_multiscale_pyramid(g, v->options->past, f->frame),
                             made = video_multiscale_generate(v, &b, &given, NULL);
    f->made = video_multiscale_frame(g, &made);
    const hiss_status s = hiss_graph_status(g, err);
    if (s == HISS_OK) {
        hiss_graph_keep(g, f->made);
        for (int64_t t = 0; t < v->options->past; t++) {
            hiss_graph_keep(g, f->frame[t]);
        }
        hiss_model_layout(f->model);
        f->exec = hiss_exec_create(g, v->task->kernels, hiss_model_offsets(f->model));
    }
    return s;
}

static const hiss_model *model(const void *self) {
    return ((const forecaster *)self)->model;
}

static void run(void *self, const float *vector, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t first,
                const float *actions, float *out) {
    forecaster *f = self;
    const multiscale_options *o = f->v->options;
    const hiss_exec_context context = {.model = vector, .lanes = 1};
    const int64_t size = f->v->task->H * f->v->task->W * f->v->task->C;
    (void)seed;
    (void)first;
    (void)actions;
    for (int64_t t = 0; t < f->frames; t++) {
        for (int64_t k = 0; k < o->past; k++) { /* frame t + k of the clip */
            float *frame = hiss_exec_data(f->exec, f->frame[k]);
            if (t + k < o->past) {
                objective_video_frame(lane, i, t + k, frame);
            } else {
                memcpy(frame, out + (t + k - o->past) * size, sizeof *out * (size_t)size);
            }
        }
        hiss_exec_forward(f->exec, &context, 0, hiss_graph_nodes(f->graph), NULL, NULL);
        memcpy(out + t * size, hiss_exec_data(f->exec, f->made), sizeof *out * (size_t)size);
    }
}

static int64_t given(void *self) {
    return ((const multiscale *)self)->options->past;
}

static int64_t foretold(void *self) {
    return ((const multiscale *)self)->options->future;
}

const hiss_forecast_ops video_multiscale_forecast = {.given = given,
                                                     .foretold = foretold,
                                                     .create = create,
                                                     .destroy = destroy,
                                                     .model = model,
                                                     .frame = objective_video_frame,
                                                     .run = run};
