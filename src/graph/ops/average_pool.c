/* The mean over windows, padding counted as zeros. The attributes are a hiss_pooling. */
#include "graph/ops/ops.h"

static void forward(const op_call *call) {
    call->kernels->average_pool_forward(call->node->attributes, call->x[0], call->y);
}

static void backward(const op_call *call) {
    call->kernels->average_pool_backward(call->node->attributes, call->dy, call->dx[0], call->accumulate[0]);
}

static void example(hiss_graph *g, int variant) {
    static const int64_t v[][3] = {{2, 2, 0}, {3, 2, 1}, {3, 1, 0}, {6, 6, 0}};
    graph_example_weigh(g,
                        hiss_graph_average_pool(g, graph_example_slot(g, 0, HISS_SHAPE(2, 7, 6, 1 + 4 * (variant % 3))),
                                                v[variant % 4][0], v[variant % 4][1], v[variant % 4][2]));
}

static hiss_value build(hiss_graph *graph, int count, const hiss_value *x, const double *a) {
    (void)count;
    const double stride = a[1] > 0.0 ? a[1] : a[0];
    return hiss_graph_average_pool(graph, x[0], (int64_t)a[0], (int64_t)stride, (int64_t)a[2]);
}

const op graph_op_average_pool = {
    .name = "average_pool",
    .attributes = sizeof(hiss_pooling),
    .shape = graph_pool_shape,
    .forward = forward,
    .form = graph_pool_form,
    .backward = backward,
    .flops = graph_elementwise_flops,
    .word = {"average_pool", "size; stride (size), pad 0",
             .argument = {{"size", 0, 1, 1e6, true}, {"stride", 0, 0, 1e6, true}, {"pad", 0, 0, 1e3, true}},
             .build = build},
    .example = example};

hiss_value hiss_graph_average_pool(hiss_graph *graph, hiss_value x, int64_t size, int64_t stride, int64_t pad) {
    return graph_append(graph, (node){.op = &graph_op_average_pool,
                                      .attributes = &(hiss_pooling){.size = size, .stride = stride, .pad = pad},
                                      .input = {x},
                                      .inputs = 1});
}
