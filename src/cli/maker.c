/* Images that a method makes, in evaluation mode, with a model of its own; and what the same network makes before
 * training: of initial parameters, with BatchNorm's statistics of images that it makes in training mode. */
#include <math.h>
#include <string.h>

#include "cli/cli.h"

enum { CALIBRATION_BATCHES = 40, BATCH = HISS_FROZEN_BATCH };

typedef struct made { /* a graph that makes images */
    hiss_graph *graph;
    hiss_exec *exec;
    hiss_inputs inputs;
    hiss_value image;
} made;

struct maker {
    const hiss_generation_ops *ops;
    const hiss_task *task;
    void *method;
    hiss_model *model;
    made evaluation, training;
    float *trained, *untrained, *scratch; /* untrained: NULL until it is wanted */
    hiss_maker maker;
};

static int64_t size_of(const maker *e) {
    return e->maker.H * e->maker.W * e->maker.C;
}

/* Images first, first + 1, ... of the row of seed: BATCH of them, of which those past count are of class 0. */
static void run(maker *e, made *by, const hiss_exec_context *context, uint64_t seed, int64_t first, int64_t count,
                const int64_t *wanted) {
    int64_t number[BATCH];
    const hiss_batch batch = {.m = BATCH, .sample = number};
    const hiss_lane lane = {.task = e->task,
                            .phase = -1,
                            .view = HISS_VIEW_CENTER,
                            .batch = &batch,
                            .graph = by->graph,
                            .exec = by->exec,
                            .inputs = &by->inputs,
                            .scratch = e->scratch};
    for (int64_t i = 0; i < BATCH; i++) {
        number[i] = first + i;
    }
    for (int64_t i = 0; i < BATCH; i++) {
        e->ops->noise(e->method, &lane, i, seed, wanted && i < count ? wanted[i] : 0);
    }
    int begin = 0, end = hiss_graph_nodes(by->graph);
    if (!e->ops->advance) {
        hiss_exec_forward(by->exec, context, begin, end, NULL, NULL);
        return;
    }
    for (int64_t pass = 0; e->ops->advance(e->method, &lane, pass, seed, &begin, &end); pass++) {
        hiss_exec_forward(by->exec, context, begin, end, NULL, NULL);
    }
}

static bool has_statistics(const maker *e) {
    bool has = false;
    for (int k = 0; k < hiss_model_count(e->model); k++) {
        has = has || (hiss_model_at(e->model, k)->kind == HISS_SLOT_BUFFER && hiss_graph_records(e->training.graph, k));
    }
    return has;
}

/* Initial parameters, then the mean of what batches record in training mode. */
static void make_untrained(maker *e) {
    const int64_t floats = hiss_model_floats(e->model);
    double *mean = hiss_new(double, floats);
    float *lane = hiss_new(float, floats);
    int64_t wanted[BATCH];
    e->untrained = hiss_new(float, floats);
    hiss_model_initialize(e->model, e->task->seed, e->untrained);
    hiss_buffers_of_untrained(e->model, e->training.graph, e->trained, mean, e->untrained);
    for (int64_t b = 0; b < CALIBRATION_BATCHES && has_statistics(e); b++) {
        const hiss_exec_context context = {
            .model = e->untrained, .lane_vector = lane, .seed = e->task->seed, .step = b, .lanes = 1};
        for (int64_t i = 0; i < BATCH; i++) {
            wanted[i] = e->maker.classes > 0 ? (b * BATCH + i) % e->maker.classes : 0;
        }
        run(e, &e->training, &context, e->task->seed, b * BATCH, BATCH, wanted);
        hiss_exec_record(e->training.exec, &context);
        for (int64_t i = 0; i < floats; i++) {
            mean[i] += (double)lane[i] / CALIBRATION_BATCHES;
        }
    }
    hiss_buffers_of_untrained(e->model, e->training.graph, e->trained, mean, e->untrained);
    hiss_free(mean);
    hiss_free(lane);
}

/* See hiss_maker, as for the next. */
static hiss_status make(void *user, bool untrained, uint64_t seed, int64_t first, int64_t count, const int64_t *wanted,
                        float *image, hiss_error *err) {
    maker *e = user;
    const int64_t size = size_of(e);
    if (untrained && !e->untrained) {
        make_untrained(e);
    }
    const hiss_exec_context context = {.model = untrained ? e->untrained : e->trained, .lanes = 1};
    run(e, &e->evaluation, &context, seed, first, count, wanted);
    const float *pixel = hiss_exec_data(e->evaluation.exec, e->evaluation.image);
    for (int64_t k = 0; k < count * size; k++) {
        if (!isfinite(pixel[k])) {
            return hiss_fail(err, HISS_EUSER,
                             "pixel %lld of made image %lld is %g; the network has diverged: take an earlier "
                             "checkpoint, or train with a lower learning rate",
                             (long long)(k % size), (long long)(first + k / size), (double)pixel[k]);
        }
        image[k] = fminf(fmaxf(pixel[k], 0.0f), 1.0f);
    }
    return HISS_OK;
}

static hiss_status image(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    (void)err;
    const maker *e = user;
    const int64_t size = size_of(e);
    hiss_pixel_scale scale[BATCH];
    const hiss_lane lane = {
        .task = e->task, .phase = -1, .view = HISS_VIEW_CENTER, .batch = batch, .scratch = e->scratch, .scale = scale};
    for (int64_t i = 0; i < count; i++) {
        float *pixel = out[0] + i * size;
        hiss_lane_sample_view(&lane, i, 0, 1, pixel);
        for (int64_t k = 0; k < size; k++) {
            pixel[k] = (float)hiss_pixel_of(&scale[i], k % e->maker.C, (double)pixel[k]);
        }
    }
    return HISS_OK;
}

/* ---- making one ---- */

static hiss_status build(maker *e, bool training, made *out, hiss_error *err) {
    out->graph = hiss_graph_create();
    hiss_builder b = {.graph = out->graph, .model = e->model, .training = training, .trained_groups = ~0u};
    const hiss_status s = e->ops->build(e->method, &b, BATCH, &out->image, err);
    if (s == HISS_OK) {
        hiss_graph_keep(out->graph, out->image);
    }
    return s;
}

static void prepare(maker *e, const hiss_objective_ops *objective, made *out) {
    out->inputs = hiss_inputs_bind(objective, e->task, out->graph);
    out->exec = hiss_exec_create(out->graph, e->task->kernels, hiss_model_offsets(e->model));
}

hiss_status maker_create(const hiss_objective_ops *objective, const hiss_frozen *m, const char *checkpoint, maker **out,
                         hiss_error *err) {
    *out = NULL;
    if (!objective->generation) {
        return HISS_OK;
    }
    maker *e = *out = hiss_new(maker, 1);
    const hiss_task *t = e->task = hiss_frozen_task(m);
    e->ops = objective->generation;
    e->method = hiss_frozen_method(m);
    e->model = hiss_model_create();
    e->maker = (hiss_maker){.make = make,
                            .image = image,
                            .user = e,
                            .H = t->H,
                            .W = t->W,
                            .C = t->C,
                            .batch = BATCH,
                            .classes = e->ops->classes ? e->ops->classes(e->method) : 0};
    hiss_status s = build(e, false, &e->evaluation, err);
    s = s == HISS_OK ? build(e, true, &e->training, err) : s;
    if (s == HISS_OK) {
        const int64_t scratch = hiss_task_scratch(t);
        hiss_model_layout(e->model);
        prepare(e, objective, &e->evaluation);
        prepare(e, objective, &e->training);
        e->trained = hiss_new(float, hiss_model_floats(e->model));
        e->scratch = scratch > 0 ? hiss_new(float, scratch) : NULL;
        s = hiss_checkpoint_model(checkpoint, e->model, e->trained, err);
    }
    return s;
}

void maker_destroy(maker *e) {
    if (e) {
        hiss_exec_destroy(e->evaluation.exec);
        hiss_exec_destroy(e->training.exec);
        hiss_graph_destroy(e->evaluation.graph);
        hiss_graph_destroy(e->training.graph);
        hiss_model_destroy(e->model);
        hiss_free(e->trained);
        hiss_free(e->untrained);
        hiss_free(e->scratch);
        hiss_free(e);
    }
}

const hiss_maker *maker_of(const maker *e) {
    return e ? &e->maker : NULL;
}
