/* scale * sum (a - b)^2. */
#include "graph/ops/ops.h"

static void forward(const op_call *call) {
    const pair_attributes *a = call->node->attributes;
    call->kernels->squared_loss_forward(hiss_shape_count(&call->node->in[0]), a->scale, call->x[0], call->x[1],
                                        call->y);
}

static void backward(const op_call *call) {
    const pair_attributes *a = call->node->attributes;
    call->kernels->squared_loss_backward(hiss_shape_count(&call->node->in[0]), a->scale, call->x[0], call->x[1],
                                         *call->dy, call->dx[0], call->accumulate[0], call->dx[1], call->accumulate[1]);
}

static void example(hiss_graph *g, int variant) {
    graph_pair_loss_example(g, &graph_op_squared_loss, variant);
}

const op graph_op_squared_loss = {.name = "squared_loss",
                                  .attributes = sizeof(pair_attributes),
                                  .shape = graph_pair_loss_shape,
                                  .forward = forward,
                                  .backward = backward,
                                  .flops = graph_elementwise_flops,
                                  .needs_input = 3,
                                  .example = example};

hiss_value hiss_graph_squared_loss(hiss_graph *graph, hiss_value a, hiss_value b, double scale) {
    return graph_append_pair_loss(graph, &graph_op_squared_loss, a, b, scale);
}
