/* y = a + b. The sum may lie where a or b did, and the gradient of one of them where that of the sum did. */
#include "graph/ops/ops.h"

static void forward(const op_call *call) {
    const int64_t count = hiss_shape_count(&call->node->shape);
    const int there = call->y == call->x[1];
    if (call->y != call->x[there]) {
        call->kernels->axpby(count, 1.0f, call->x[0], 0.0f, call->y);
    }
    call->kernels->axpby(count, 1.0f, call->x[!there], 1.0f, call->y);
}

static void backward(const op_call *call) {
    const int64_t count = hiss_shape_count(&call->node->shape);
    for (int k = 0; k < 2; k++) {
        if (call->dx[k] && call->dx[k] != call->dy) {
            call->kernels->axpby(count, 1.0f, call->dy, call->accumulate[k] ? 1.0f : 0.0f, call->dx[k]);
        }
    }
}

static void example(hiss_graph *g, int variant) {
    hiss_value a = graph_example_slot(g, 0, HISS_SHAPE(3, 5));
    graph_example_weigh(g, hiss_graph_add(g, a, variant ? graph_example_slot(g, 1, HISS_SHAPE(3, 5)) : a));
}

static hiss_value build(hiss_graph *graph, int count, const hiss_value *x, const double *a) {
    (void)count;
    (void)a;
    return hiss_graph_add(graph, x[0], x[1]);
}

const op graph_op_add = {
    .name = "add",
    .shape = graph_same_shape,
    .equal = graph_equal_attributes,
    .forward = forward,
    .backward = backward,
    .flops = graph_elementwise_flops,
    .in_place = 1u << 0 | 1u << 1,
    .word = {"add", "name of an earlier layer, of the same shape: residual connection", .places = 1, .build = build},
    .example = example};

hiss_value hiss_graph_add(hiss_graph *graph, hiss_value a, hiss_value b) {
    return graph_append(graph, (node){.op = &graph_op_add, .input = {a, b}, .inputs = 2});
}
