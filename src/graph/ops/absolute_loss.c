/* scale * sum |a - b|. Where they are equal the gradient is 0. */
#include <math.h>

#include "graph/ops/ops.h"

static void forward(const op_call *call) {
    const pair_attributes *a = call->node->attributes;
    const int64_t count = hiss_shape_count(&call->node->in[0]);
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        sum += fabs((double)call->x[0][i] - (double)call->x[1][i]);
    }
    *call->y = (float)((double)a->scale * sum);
}

static void backward(const op_call *call) {
    const pair_attributes *a = call->node->attributes;
    const int64_t count = hiss_shape_count(&call->node->in[0]);
    for (int side = 0; side < 2; side++) {
        const float slope = (side ? -1.0f : 1.0f) * *call->dy * a->scale;
        float *dx = call->dx[side];
        for (int64_t i = 0; dx && i < count; i++) {
            const float p = call->x[0][i], q = call->x[1][i], d = slope * (float)((p > q) - (p < q));
            dx[i] = call->accumulate[side] ? dx[i] + d : d;
        }
    }
}

static void example(hiss_graph *g, int variant) {
    graph_pair_loss_example(g, &graph_op_absolute_loss, variant);
}

const op graph_op_absolute_loss = {.name = "absolute_loss",
                                   .attributes = sizeof(pair_attributes),
                                   .shape = graph_pair_loss_shape,
                                   .forward = forward,
                                   .backward = backward,
                                   .flops = graph_elementwise_flops,
                                   .needs_input = 3,
                                   .example = example};

hiss_value hiss_graph_absolute_loss(hiss_graph *graph, hiss_value a, hiss_value b, double scale) {
    return graph_append_pair_loss(graph, &graph_op_absolute_loss, a, b, scale);
}
