/* scale * sum a b. */
#include "graph/ops/ops.h"

static void forward(const op_call *call) {
    const pair_attributes *a = call->node->attributes;
    const int64_t size = hiss_shape_count(&call->node->in[0]);
    double sum = 0.0;
    for (int64_t i = 0; i < size; i++) {
        sum += (double)call->x[0][i] * (double)call->x[1][i];
    }
    *call->y = (float)((double)a->scale * sum);
}

static void backward(const op_call *call) {
    const pair_attributes *a = call->node->attributes;
    for (int k = 0; k < 2; k++) {
        if (call->dx[k]) {
            call->kernels->axpby(hiss_shape_count(&call->node->in[0]), *call->dy * a->scale, call->x[1 - k],
                                 call->accumulate[k] ? 1.0f : 0.0f, call->dx[k]);
        }
    }
}

static void example(hiss_graph *g, int variant) {
    graph_pair_loss_example(g, &graph_op_dot, variant);
}

const op graph_op_dot = {.name = "dot",
                         .attributes = sizeof(pair_attributes),
                         .shape = graph_pair_loss_shape,
                         .forward = forward,
                         .backward = backward,
                         .flops = graph_elementwise_flops,
                         .needs_input = 3,
                         .example = example};

hiss_value hiss_graph_dot(hiss_graph *graph, hiss_value a, hiss_value b, double scale) {
    return graph_append_pair_loss(graph, &graph_op_dot, a, b, scale);
}
