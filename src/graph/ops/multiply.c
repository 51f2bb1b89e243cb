/* y = a b, element by element. */
#include "graph/ops/ops.h"

static void forward(const op_call *call) {
    call->kernels->multiply(hiss_shape_count(&call->node->shape), call->x[0], call->x[1], call->y, false);
}

static void backward(const op_call *call) {
    for (int k = 0; k < 2; k++) {
        if (call->dx[k]) {
            call->kernels->multiply(hiss_shape_count(&call->node->shape), call->dy, call->x[1 - k], call->dx[k],
                                    call->accumulate[k]);
        }
    }
}

static void example(hiss_graph *g, int variant) {
    hiss_value a = graph_example_slot(g, 0, HISS_SHAPE(3, 5));
    graph_example_weigh(g, hiss_graph_multiply(g, a, variant ? graph_example_slot(g, 1, HISS_SHAPE(3, 5)) : a));
}

const op graph_op_multiply = {.name = "multiply",
                              .shape = graph_same_shape,
                              .equal = graph_equal_attributes,
                              .forward = forward,
                              .backward = backward,
                              .flops = graph_elementwise_flops,
                              .needs_input = 3,
                              .example = example};

hiss_value hiss_graph_multiply(hiss_graph *graph, hiss_value a, hiss_value b) {
    return graph_append(graph, (node){.op = &graph_op_multiply, .input = {a, b}, .inputs = 2});
}
