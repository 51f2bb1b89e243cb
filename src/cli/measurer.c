/* What a method measures of itself, in evaluation mode, with a model of its own. */
#include "cli/cli.h"

enum { MOST_TRAINING = 10000 };

struct measurer {
    const hiss_measure_ops *ops;
    void *method;
    hiss_model *model;
    hiss_graph *graph;
    hiss_exec *exec;
    hiss_inputs inputs;
    float *vector, *scratch;
    hiss_measurer measurer;
};

/* Numbers of a batch's samples by measure() or show(), out [count, floats]. */
static void run_batch(const measurer *e, int64_t count, const hiss_batch *batch,
                      void (*hook)(void *self, const hiss_lane *lane, int64_t i, float *out), int64_t floats,
                      float *out) {
    const hiss_exec_context run = {.model = e->vector, .lanes = 1};
    const hiss_lane lane = {.task = e->measurer.network.task,
                            .phase = -1,
                            .view = HISS_VIEW_CENTER,
                            .batch = batch,
                            .graph = e->graph,
                            .exec = e->exec,
                            .inputs = &e->inputs,
                            .scratch = e->scratch};
    for (int64_t i = 0; i < batch->m; i++) {
        if (e->ops->sample) {
            e->ops->sample(e->method, &lane, i);
        } else {
            hiss_lane_default_sample(&lane, i);
        }
    }
    hiss_exec_forward(e->exec, &run, 0, hiss_graph_nodes(e->graph), NULL, NULL);
    for (int64_t i = 0; i < count; i++) {
        hook(e->method, &lane, i, out + i * floats);
    }
}

/* A hiss_embed, as is the next: see hiss_measurer. */
static hiss_status measure(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    (void)err;
    const measurer *e = user;
    run_batch(e, count, batch, e->ops->measure, e->measurer.width, out[0]);
    return HISS_OK;
}

static hiss_status show(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    (void)err;
    const measurer *e = user;
    run_batch(e, count, batch, e->ops->show, e->measurer.shown, out[0]);
    return HISS_OK;
}

static hiss_status conclude(void *user, const hiss_measured *measured, hiss_error *err) {
    const measurer *e = user;
    return e->ops->conclude(e->method, measured, err);
}

hiss_status measurer_create(const hiss_objective_ops *objective, const hiss_frozen *m, const char *checkpoint,
                            measurer **out, hiss_error *err) {
    *out = NULL;
    if (!objective->measure) {
        return HISS_OK;
    }
    measurer *e = *out = hiss_new(measurer, 1);
    const hiss_task *t = hiss_frozen_task(m);
    e->ops = objective->measure;
    e->method = hiss_frozen_method(m);
    e->model = hiss_model_create();
    e->graph = hiss_graph_create();
    hiss_builder b = {.graph = e->graph, .model = e->model, .trained_groups = ~0u};
    hiss_status s = e->ops->build(e->method, &b, HISS_FROZEN_BATCH, err);
    if (s == HISS_OK) {
        const int64_t scratch = hiss_task_scratch(t);
        e->inputs = hiss_inputs_bind(objective, t, e->graph);
        hiss_model_layout(e->model);
        e->vector = hiss_new(float, hiss_model_floats(e->model));
        e->scratch = scratch > 0 ? hiss_new(float, scratch) : NULL;
        e->exec = hiss_exec_create(e->graph, t->kernels, hiss_model_offsets(e->model));
        e->measurer = (hiss_measurer){.measure = measure,
                                      .show = e->ops->show ? show : NULL,
                                      .shown = e->ops->show ? e->ops->shown(e->method) : 0,
                                      .conclude = conclude,
                                      .user = e,
                                      .width = e->ops->width(e->method),
                                      .batch = HISS_FROZEN_BATCH,
                                      .baseline = e->ops->baseline,
                                      .training = e->ops->training > 0 ? e->ops->training : MOST_TRAINING,
                                      .network = {.task = t, .model = e->model, .vector = e->vector}};
        s = hiss_checkpoint_model(checkpoint, e->model, e->vector, err);
    }
    return s;
}

void measurer_destroy(measurer *e) {
    if (e) {
        hiss_exec_destroy(e->exec);
        hiss_graph_destroy(e->graph);
        hiss_model_destroy(e->model);
        hiss_free(e->vector);
        hiss_free(e->scratch);
        hiss_free(e);
    }
}

const hiss_measurer *measurer_of(const measurer *e) {
    return e ? &e->measurer : NULL;
}
