/* The maximum over windows; saved: where each was. The attributes are a hiss_pooling. */
#include "graph/ops/ops.h"

int64_t graph_argmax_floats(const hiss_pooling *p) {
    return (hiss_pool_argmax_bytes(p) + 3) / 4;
}

static int64_t save(const node *n) {
    return graph_argmax_floats(n->attributes);
}

static void forward(const op_call *call) {
    call->kernels->max_pool_forward(call->node->attributes, call->x[0], call->y, (uint8_t *)call->save);
}

static void backward(const op_call *call) {
    call->kernels->max_pool_backward(call->node->attributes, call->dy, (const uint8_t *)call->save, call->dx[0],
                                     call->accumulate[0]);
}

static void example(hiss_graph *g, int variant) {
    static const int64_t v[][3] = {/* size stride pad */ {2, 2, 0}, {3, 2, 0}, {3, 2, 1}, {2, 1, 1}};
    graph_example_weigh(g, hiss_graph_max_pool(g, graph_example_slot(g, 0, HISS_SHAPE(2, 7, 6, 1 + 4 * (variant % 3))),
                                               v[variant % 4][0], v[variant % 4][1], v[variant % 4][2]));
}

static hiss_value build(hiss_graph *graph, int count, const hiss_value *x, const double *a) {
    (void)count;
    const double stride = a[1] > 0.0 ? a[1] : a[0];
    return hiss_graph_max_pool(graph, x[0], (int64_t)a[0], (int64_t)stride, (int64_t)a[2]);
}

const op graph_op_max_pool = {
    .name = "max_pool",
    .attributes = sizeof(hiss_pooling),
    .shape = graph_pool_shape,
    .forward = forward,
    .form = graph_pool_form,
    .backward = backward,
    .save = save,
    .flops = graph_elementwise_flops,
    .join = graph_join_max_pool,
    .word = {"max_pool", "size; stride (size), pad 0",
             .argument = {{"size", 0, 1, 1e6, true}, {"stride", 0, 0, 1e6, true}, {"pad", 0, 0, 1e3, true}},
             .build = build},
    .example = example};

hiss_value hiss_graph_max_pool(hiss_graph *graph, hiss_value x, int64_t size, int64_t stride, int64_t pad) {
    return graph_append(graph, (node){.op = &graph_op_max_pool,
                                      .attributes = &(hiss_pooling){.size = size, .stride = stride, .pad = pad},
                                      .input = {x},
                                      .inputs = 1});
}
