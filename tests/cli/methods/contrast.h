/* Contrastive divergence, one step, with probabilities (Hinton, "Training products of experts by minimizing contrastive
 * divergence", Neural Computation 14, 2002): h0 = sigma(W v0 + c), v1 = sigma(W^T h0 + b), h1 = sigma(W v1 + c), and
 * the gradients are of W: -(h0 v0^T - h1 v1^T), of b: -(v0 - v1), of c: -(h0 - h1), in the mean over samples.
 *
 * "contrast" writes them itself; "backward" has losses with these gradients: d/da of s |a - stop(a + t / 2s)|^2 is -t.
 * Both add 0.1 c to the gradient of c by backward. */
#include "methods.h"

enum { HIDDEN = 7 };

typedef struct contrast {
    const hiss_task *task;
    const hiss_placement *place;
    const hiss_model *model;
    hiss_value v0, h0, v1, h1;
} contrast;

static hiss_status contrast_create(const hiss_task *task, const hiss_placement *place, const void *options, void **self,
                                   hiss_error *err) {
    (void)options;
    (void)err;
    contrast *s = *self = hiss_new(contrast, 1);
    *s = (contrast){.task = task, .place = place};
    return HISS_OK;
}

static int64_t pixels(const contrast *s) {
    return s->task->H * s->task->W * s->task->C;
}

static hiss_value array(hiss_builder *b, const char *name, hiss_shape shape, double deviation) {
    const hiss_slot slot = {.name = name, .kind = HISS_SLOT_PARAMETER, .shape = shape, .deviation = deviation};
    const int number = hiss_model_slot(b->model, &slot);
    return hiss_graph_parameter(b->graph, number, shape, b->training);
}

static hiss_status contrast_encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    taps->count = 0;
    const hiss_value W = array(b, "rbm/weight", HISS_SHAPE(HIDDEN, pixels(self)), 0.05);
    const hiss_value h = hiss_graph_sigmoid(b->graph, hiss_graph_linear(b->graph, hiss_graph_flatten(b->graph, image),
                                                                        W, array(b, "rbm/c", HISS_SHAPE(HIDDEN), 0.0)));
    const hiss_status s = hiss_graph_status(b->graph, err);
    return s == HISS_OK ? hiss_taps_add(taps, "rbm", h, err) : s;
}

/* scale |a - stop(a + t / 2 scale)|^2 */
static hiss_value pull(hiss_graph *g, hiss_value a, hiss_value t, double scale) {
    return hiss_graph_squared_loss(
        g, a, hiss_graph_stop_gradient(g, hiss_graph_add(g, a, hiss_graph_scale(g, t, 0.5 / scale))), scale);
}

static hiss_status contrast_graph(contrast *s, hiss_builder *b, bool backward, hiss_error *err) {
    hiss_graph *g = b->graph;
    const int64_t m = s->place->m, D = pixels(s);
    const hiss_value W = array(b, "rbm/weight", HISS_SHAPE(HIDDEN, D), 0.05),
                     c = array(b, "rbm/c", HISS_SHAPE(HIDDEN), 0.0);
    const hiss_value bias = array(b, "rbm/b", HISS_SHAPE(D), 0.0);
    const hiss_value W4 = hiss_graph_reshape(g, W, HISS_SHAPE(HIDDEN, 1, 1, D));
    s->model = b->model;
    s->v0 = hiss_graph_sigmoid(g, hiss_graph_flatten(g, method_image(s->task, m, b)));
    const hiss_value up0 = hiss_graph_linear(g, s->v0, W, c);
    s->h0 = hiss_graph_stop_gradient(g, hiss_graph_sigmoid(g, up0));
    const hiss_value down =
        hiss_graph_conv2d_transposed(g, hiss_graph_reshape(g, s->h0, HISS_SHAPE(m, 1, 1, HIDDEN)), W4, bias, 1, 0, 0);
    s->v1 = hiss_graph_stop_gradient(g, hiss_graph_reshape(g, hiss_graph_sigmoid(g, down), HISS_SHAPE(m, D)));
    const hiss_value up1 = hiss_graph_linear(g, s->v1, W, c);
    s->h1 = hiss_graph_stop_gradient(g, hiss_graph_sigmoid(g, up1));
    const float zeros[HIDDEN] = {0};
    hiss_value loss = hiss_graph_squared_loss(g, c, hiss_graph_constant(g, HISS_SHAPE(HIDDEN), zeros), 0.05);
    if (backward) {
        float *ones = hiss_new(float, m);
        const hiss_value none = hiss_graph_constant(g, HISS_SHAPE(m, 1), ones);
        hiss_free(ones);
        float *column = hiss_new(float, D);
        const hiss_value rows = hiss_graph_linear(g, none, hiss_graph_constant(g, HISS_SHAPE(D, 1), column), bias);
        hiss_free(column);
        const double scale = 1.0 / (double)m;
        loss = hiss_graph_add(g, loss, pull(g, up0, hiss_graph_scale(g, s->h0, scale), scale));
        loss = hiss_graph_add(g, loss, pull(g, up1, hiss_graph_scale(g, s->h1, -scale), scale));
        const hiss_value by = hiss_graph_add(g, s->v0, hiss_graph_scale(g, s->v1, -1.0));
        loss =
            hiss_graph_add(g, loss, pull(g, rows, hiss_graph_stop_gradient(g, hiss_graph_scale(g, by, scale)), scale));
    } else {
        hiss_layer_own_gradient(b, "rbm/weight");
        hiss_layer_own_gradient(b, "rbm/b");
        hiss_layer_own_gradient(b, "rbm/c");
        const hiss_value kept[] = {s->v0, s->h0, s->v1, s->h1};
        for (int k = 0; k < 4; k++) {
            hiss_graph_keep(g, kept[k]);
        }
    }
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss",
                      hiss_graph_squared_loss(g, s->v1, hiss_graph_stop_gradient(g, s->v0), 1.0 / (double)m));
    return hiss_graph_status(g, err);
}

static hiss_status contrast_build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    return contrast_graph(self, b, false, err);
}

static hiss_status backward_build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    return contrast_graph(self, b, true, err);
}

static float *gradient_at(const contrast *s, const hiss_exec_context *run, const char *name) {
    return run->lane_vector + hiss_model_at(s->model, hiss_model_find(s->model, name))->offset;
}

static void contrast_gradient(void *self, const hiss_lane *lane, const hiss_exec_context *run) {
    const contrast *s = self;
    const int64_t m = s->place->m, D = pixels(s);
    const float scale = 1.0f / (float)m;
    const float *v0 = hiss_exec_data(lane->exec, s->v0), *v1 = hiss_exec_data(lane->exec, s->v1);
    const float *h0 = hiss_exec_data(lane->exec, s->h0), *h1 = hiss_exec_data(lane->exec, s->h1);
    float *W = gradient_at(s, run, "rbm/weight"), *b = gradient_at(s, run, "rbm/b"), *c = gradient_at(s, run, "rbm/c");
    for (int64_t i = 0; i < m; i++, v0 += D, v1 += D, h0 += HIDDEN, h1 += HIDDEN) {
        for (int64_t d = 0; d < D; d++) {
            b[d] -= scale * (v0[d] - v1[d]);
        }
        for (int64_t f = 0; f < HIDDEN; f++) {
            c[f] -= scale * (h0[f] - h1[f]);
            for (int64_t d = 0; d < D; d++) {
                W[f * D + d] -= scale * (h0[f] * v0[d] - h1[f] * v1[d]);
            }
        }
    }
}

static const hiss_phase_ops contrast_phase = {.gradient = contrast_gradient};
static const hiss_objective_ops method_contrast = {.name = "contrast",
                                                   .summary = "contrastive divergence by its own sums",
                                                   .options_bytes = 1,
                                                   .create = contrast_create,
                                                   .destroy = hiss_free,
                                                   .build = contrast_build,
                                                   .encode = contrast_encode,
                                                   .phase = &contrast_phase};
static const hiss_objective_ops method_backward = {.name = "backward",
                                                   .summary = "contrastive divergence by losses",
                                                   .options_bytes = 1,
                                                   .create = contrast_create,
                                                   .destroy = hiss_free,
                                                   .build = backward_build,
                                                   .encode = contrast_encode};
