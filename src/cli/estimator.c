/* How probable images are, and images of latents: a method's likelihood in evaluation mode, with a model of its own. */
#include <math.h>
#include <string.h>

#include "cli/cli.h"

struct estimator {
    const hiss_task *task;
    const hiss_likelihood_ops *ops;
    void *method;
    hiss_model *model;
    hiss_graph *graph, *decoder;
    hiss_exec *exec, *decoding;
    hiss_inputs inputs;
    hiss_value latent, image; /* of the decoder */
    float *vector, *scratch;
    double *sum, *largest, *divergence, *mean; /* [batch] of draws; [K] of a sample */
    char data[256];
    hiss_estimator estimator;
};

static hiss_lane lane_of(const estimator *e, const hiss_batch *batch) {
    return (hiss_lane){.task = e->task,
                       .phase = -1,
                       .view = HISS_VIEW_CENTER,
                       .batch = batch,
                       .graph = e->graph,
                       .exec = e->exec,
                       .inputs = &e->inputs,
                       .scratch = e->scratch};
}

/* Add a draw of sample i: log sum exp of the weights goes on from the largest so far. */
static void add_draw(estimator *e, const hiss_lane *lane, int64_t i, double *likelihood) {
    const hiss_draw d = e->ops->draw(e->method, lane, i);
    *likelihood += d.likelihood / (double)e->estimator.draws;
    if (lane->step == 0 || d.weight > e->largest[i]) {
        e->sum[i] = lane->step == 0 ? 1.0 : e->sum[i] * exp(e->largest[i] - d.weight) + 1.0;
        e->largest[i] = d.weight;
    } else {
        e->sum[i] += exp(d.weight - e->largest[i]);
    }
}

/* See hiss_estimator, as for the next three. */
static hiss_status estimate(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    (void)err;
    estimator *e = user;
    const int64_t K = e->estimator.latent, width = HISS_ESTIMATES + 2 * K;
    const hiss_exec_context run = {.model = e->vector, .lanes = 1};
    hiss_lane lane = lane_of(e, batch);
    double likelihood[HISS_FROZEN_BATCH] = {0};
    for (int64_t i = 0; i < batch->m; i++) {
        e->ops->image(e->method, &lane, i);
    }
    for (lane.step = 0; lane.step < e->estimator.draws; lane.step++) {
        for (int64_t i = 0; i < batch->m; i++) {
            e->ops->noise(e->method, &lane, i);
        }
        hiss_exec_forward(e->exec, &run, lane.step == 0 ? 0 : hiss_graph_cut_at(e->graph), hiss_graph_nodes(e->graph),
                          NULL, NULL);
        for (int64_t i = 0; i < count; i++) {
            add_draw(e, &lane, i, &likelihood[i]);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        float *row = out[0] + i * width;
        double divergence = 0.0;
        e->ops->posterior(e->method, &lane, i, e->divergence, e->mean);
        for (int64_t k = 0; k < K; k++) {
            divergence += e->divergence[k];
            row[HISS_ESTIMATES + k] = (float)e->divergence[k];
            row[HISS_ESTIMATES + K + k] = (float)e->mean[k];
        }
        row[HISS_ESTIMATE_BOUND] = (float)(likelihood[i] - divergence);
        row[HISS_ESTIMATE_IMPORTANCE] = (float)(e->largest[i] + log(e->sum[i] / (double)e->estimator.draws));
        row[HISS_ESTIMATE_LIKELIHOOD] = (float)likelihood[i];
        row[HISS_ESTIMATE_DIVERGENCE] = (float)divergence;
    }
    return HISS_OK;
}

static hiss_status image(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    (void)err;
    const estimator *e = user;
    const hiss_lane lane = lane_of(e, batch);
    for (int64_t i = 0; i < batch->m; i++) {
        hiss_lane_default_sample(&lane, i);
    }
    memcpy(out[0], hiss_exec_data(e->exec, e->inputs.image),
           sizeof(float) * (size_t)(count * e->estimator.H * e->estimator.W * e->estimator.C));
    return HISS_OK;
}

static void decode(void *user, int64_t count, const float *latent, float *out) {
    estimator *e = user;
    const hiss_exec_context run = {.model = e->vector, .lanes = 1};
    float *z = hiss_exec_data(e->decoding, e->latent);
    memset(z, 0, sizeof(float) * (size_t)(HISS_FROZEN_BATCH * e->estimator.latent));
    memcpy(z, latent, sizeof(float) * (size_t)(count * e->estimator.latent));
    hiss_exec_forward(e->decoding, &run, 0, hiss_graph_nodes(e->decoder), NULL, NULL);
    memcpy(out, hiss_exec_data(e->decoding, e->image),
           sizeof(float) * (size_t)(count * e->estimator.H * e->estimator.W * e->estimator.C));
}

static double independent(void *user, double x, double mean, double variance) {
    const estimator *e = user;
    return e->ops->independent(e->method, x, mean, variance);
}

/* ---- making one ---- */

static hiss_status build(estimator *e, hiss_error *err) {
    hiss_builder b = {.graph = e->graph = hiss_graph_create(), .model = e->model, .trained_groups = ~0u};
    hiss_status s = e->ops->build(e->method, &b, HISS_FROZEN_BATCH, err);
    if (s == HISS_OK) {
        b.graph = e->decoder = hiss_graph_create();
        e->latent = hiss_graph_input(e->decoder, "latent", HISS_SHAPE(HISS_FROZEN_BATCH, e->estimator.latent));
        s = e->ops->decode(e->method, &b, e->latent, &e->image, err);
    }
    if (s == HISS_OK) {
        hiss_graph_keep(e->decoder, e->image);
    }
    return s;
}

static void allocate(estimator *e, const hiss_kernels *kernels) {
    const int64_t scratch = hiss_task_scratch(e->task);
    hiss_model_layout(e->model);
    e->vector = hiss_new(float, hiss_model_floats(e->model));
    e->exec = hiss_exec_create(e->graph, kernels, hiss_model_offsets(e->model));
    e->decoding = hiss_exec_create(e->decoder, kernels, hiss_model_offsets(e->model));
    e->scratch = scratch > 0 ? hiss_new(float, scratch) : NULL;
    e->sum = hiss_new(double, HISS_FROZEN_BATCH);
    e->largest = hiss_new(double, HISS_FROZEN_BATCH);
    e->divergence = hiss_new(double, e->estimator.latent);
    e->mean = hiss_new(double, e->estimator.latent);
}

hiss_status estimator_create(const hiss_objective_ops *objective, const hiss_frozen *m, const char *checkpoint,
                             int64_t draws, estimator **out, hiss_error *err) {
    *out = NULL;
    if (!objective->likelihood) {
        return HISS_OK;
    }
    estimator *e = *out = hiss_new(estimator, 1);
    const hiss_task *t = e->task = hiss_frozen_task(m);
    e->ops = objective->likelihood;
    e->method = hiss_frozen_method(m);
    e->model = hiss_model_create();
    e->estimator = (hiss_estimator){.estimate = estimate,
                                    .image = image,
                                    .decode = decode,
                                    .independent = independent,
                                    .user = e,
                                    .H = t->H,
                                    .W = t->W,
                                    .C = t->C,
                                    .batch = HISS_FROZEN_BATCH,
                                    .latent = e->ops->latent(e->method),
                                    .draws = draws,
                                    .data = e->data};
    e->ops->describe(e->method, e->data, sizeof e->data);
    hiss_status s = build(e, err);
    if (s == HISS_OK) {
        e->inputs = hiss_inputs_bind(objective, t, e->graph);
        allocate(e, t->kernels);
        s = hiss_checkpoint_model(checkpoint, e->model, e->vector, err);
    }
    return s;
}

void estimator_destroy(estimator *e) {
    if (e) {
        hiss_exec_destroy(e->exec);
        hiss_exec_destroy(e->decoding);
        hiss_graph_destroy(e->graph);
        hiss_graph_destroy(e->decoder);
        hiss_model_destroy(e->model);
        void *const arrays[] = {e->vector, e->scratch, e->sum, e->largest, e->divergence, e->mean};
        for (int k = 0; k < HISS_COUNT(arrays); k++) {
            hiss_free(arrays[k]);
        }
        hiss_free(e);
    }
}

const hiss_estimator *estimator_of(const estimator *e) {
    return e ? &e->estimator : NULL;
}
