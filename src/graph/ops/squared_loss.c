/* scale * sum (a - b)^2. */
#include "graph/ops/ops.h"

typedef struct attributes {
    float scale;
} attributes;

static const char *shape(hiss_graph *graph, node *n) {
    const char *problem = graph_same_shape(graph, n);
    n->shape = HISS_SHAPE(1);
    return problem;
}

static void forward(const op_call *call) {
    const attributes *a = call->node->attributes;
    call->kernels->squared_loss_forward(hiss_shape_count(&call->node->in[0]), a->scale, call->x[0], call->x[1],
                                        call->y);
}

static void backward(const op_call *call) {
    const attributes *a = call->node->attributes;
    call->kernels->squared_loss_backward(hiss_shape_count(&call->node->in[0]), a->scale, call->x[0], call->x[1],
                                         *call->dy, call->dx[0], call->accumulate[0], call->dx[1], call->accumulate[1]);
}

static void example(hiss_graph *g, int variant) {
    const hiss_shape s = HISS_SHAPE(3, 5 + variant);
    hiss_graph_loss(
        g, hiss_graph_squared_loss(g, hiss_graph_parameter(g, 0, s, true), hiss_graph_parameter(g, 1, s, true), 0.3));
}

const op graph_op_squared_loss = {.name = "squared_loss",
                                  .attributes = sizeof(attributes),
                                  .shape = shape,
                                  .forward = forward,
                                  .backward = backward,
                                  .flops = graph_elementwise_flops,
                                  .needs_input = 3,
                                  .example = example};

hiss_value hiss_graph_squared_loss(hiss_graph *graph, hiss_value a, hiss_value b, double scale) {
    return graph_append(
        graph,
        (node){.op = &graph_op_squared_loss, .attributes = &(attributes){(float)scale}, .input = {a, b}, .inputs = 2});
}
