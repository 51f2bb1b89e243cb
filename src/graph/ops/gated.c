/* y[..., F] = tanh(a) sigmoid(b) of x[..., 2F], whose first F channels are a and whose others are b (van den Oord et al.
 * 2016, eq. 2); saved: tanh(a) and sigmoid(b), as x has a and b. */
#include "graph/ops/ops.h"

static const char *shape(hiss_graph *graph, node *n) {
    char text[HISS_SHAPE_TEXT];
    n->shape = n->in[0];
    const int last = n->shape.ndim - 1;
    n->shape.dim[last] /= 2;
    return n->shape.dim[last] * 2 == n->in[0].dim[last] && n->shape.dim[last] > 0
               ? NULL
               : hiss_arena_format(graph->arena, "needs an even number of channels, got %s",
                                   hiss_shape_text(&n->in[0], text));
}

static int64_t save(const node *n) {
    return hiss_shape_count(&n->in[0]);
}

static void forward(const op_call *call) {
    const hiss_shape *out = &call->node->shape;
    const int64_t F = out->dim[out->ndim - 1];
    call->kernels->gated_forward(hiss_shape_count(out) / F, F, call->x[0], call->save, call->y);
}

static void backward(const op_call *call) {
    const hiss_shape *out = &call->node->shape;
    const int64_t F = out->dim[out->ndim - 1];
    call->kernels->gated_backward(hiss_shape_count(out) / F, F, call->save, call->dy, call->dx[0], call->accumulate[0]);
}

static void example(hiss_graph *g, int variant) {
    const hiss_value x =
        graph_example_slot(g, 0, variant % 2 ? HISS_SHAPE(2, 3, 3, 2 + 2 * variant) : HISS_SHAPE(5, 8));
    graph_example_weigh(g, hiss_graph_gated(g, variant > 1 ? hiss_graph_add(g, x, x) : x));
}

const op graph_op_gated = {.name = "gated",
                           .shape = shape,
                           .equal = graph_equal_attributes,
                           .forward = forward,
                           .backward = backward,
                           .save = save,
                           .flops = graph_elementwise_flops,
                           .example = example};

hiss_value hiss_graph_gated(hiss_graph *graph, hiss_value x) {
    return graph_append(graph, (node){.op = &graph_op_gated, .input = {x}, .inputs = 1});
}
