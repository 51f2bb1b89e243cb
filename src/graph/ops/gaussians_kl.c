/* scale * sum of KL(N(mean, e^log_variance) || N(prior_mean, e^prior_log_variance)), element by element:
 *     1/2 (l2 - l1 + e^(l1 - l2) + (m1 - m2)^2 e^-l2 - 1).
 * Saved: e^(l1 - l2), and e^-l2. */
#include "graph/ops/ops.h"

enum { MEAN, LOG_VARIANCE, PRIOR_MEAN, PRIOR_LOG_VARIANCE, INPUTS };

static const char *shape(hiss_graph *graph, node *n) {
    char ta[HISS_SHAPE_TEXT], tb[HISS_SHAPE_TEXT];
    n->shape = HISS_SHAPE(1);
    for (int k = 1; k < INPUTS; k++) {
        if (!hiss_shape_equal(&n->in[0], &n->in[k])) {
            return hiss_arena_format(graph->arena, "needs four equal shapes, got %s and %s",
                                     hiss_shape_text(&n->in[0], ta), hiss_shape_text(&n->in[k], tb));
        }
    }
    return NULL;
}

static int64_t count_of(const op_call *call) {
    return hiss_shape_count(&call->node->in[0]);
}

static int64_t save(const node *n) {
    return 2 * hiss_shape_count(&n->in[0]);
}

static void forward(const op_call *call) {
    const pair_attributes *a = call->node->attributes;
    const int64_t count = count_of(call);
    const float *restrict m1 = call->x[MEAN], *restrict l1 = call->x[LOG_VARIANCE];
    const float *restrict m2 = call->x[PRIOR_MEAN], *restrict l2 = call->x[PRIOR_LOG_VARIANCE];
    float *restrict ratio = call->save, *restrict precision = ratio + count;
    double sum = 0.0;
    for (int64_t k = 0; k < count; k++) {
        ratio[k] = l1[k] - l2[k];
        precision[k] = -l2[k];
    }
    call->kernels->activation_forward(HISS_EXP, 2 * count, 0.0f, call->save, call->save);
    for (int64_t k = 0; k < count; k++) {
        const float d = m1[k] - m2[k];
        sum += 0.5 * (double)(l2[k] - l1[k] + (ratio[k] - 1.0f) + d * d * precision[k]);
    }
    *call->y = (float)((double)a->scale * sum);
}

static void backward(const op_call *call) {
    const pair_attributes *a = call->node->attributes;
    const int64_t count = count_of(call);
    const float *restrict ratio = call->save, *restrict precision = ratio + count, step = *call->dy * a->scale;
    for (int input = 0; input < INPUTS; input++) {
        float *restrict dx = call->dx[input];
        for (int64_t k = 0; dx && k < count; k++) {
            const float d = call->x[MEAN][k] - call->x[PRIOR_MEAN][k], pull = d * precision[k];
            const float slope = input == MEAN           ? pull
                                : input == PRIOR_MEAN   ? -pull
                                : input == LOG_VARIANCE ? 0.5f * (ratio[k] - 1.0f)
                                                        : 0.5f * (1.0f - ratio[k] - d * pull);
            dx[k] = call->accumulate[input] ? dx[k] + step * slope : step * slope;
        }
    }
}

static void example(hiss_graph *g, int variant) {
    const hiss_shape s = variant % 2 ? HISS_SHAPE(7) : HISS_SHAPE(3, 4);
    hiss_value x[INPUTS];
    for (int k = 0; k < INPUTS; k++) {
        x[k] = graph_example_slot(g, k, s);
    }
    const hiss_value loss = hiss_graph_gaussians_kl(g, x[0], x[1], x[2], x[3], 0.3);
    hiss_graph_loss(g, variant > 1 ? hiss_graph_add(g, loss, hiss_graph_gaussians_kl(g, x[2], x[3], x[0], x[1], 0.2))
                                   : loss);
}

const op graph_op_gaussians_kl = {.name = "gaussians_kl",
                                  .attributes = sizeof(pair_attributes),
                                  .shape = shape,
                                  .forward = forward,
                                  .backward = backward,
                                  .save = save,
                                  .flops = graph_elementwise_flops,
                                  .needs_input = 1u << MEAN | 1u << PRIOR_MEAN,
                                  .example = example};

hiss_value hiss_graph_gaussians_kl(hiss_graph *graph, hiss_value mean, hiss_value log_variance, hiss_value prior_mean,
                                   hiss_value prior_log_variance, double scale) {
    return graph_append(graph, (node){.op = &graph_op_gaussians_kl,
                                      .attributes = &(pair_attributes){(float)scale},
                                      .input = {mean, log_variance, prior_mean, prior_log_variance},
                                      .inputs = INPUTS});
}
