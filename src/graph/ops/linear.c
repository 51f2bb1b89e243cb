/* y[M,F] = x[M,D] w[F,D]^T + bias[F]. */
#include "graph/ops/ops.h"

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[0], *w = &n->in[1], *b = &n->in[2];
    char tx[HISS_SHAPE_TEXT], tw[HISS_SHAPE_TEXT];
    if (x->ndim != 2 || w->ndim != 2 || x->dim[1] != w->dim[1] ||
        (b->ndim && (b->ndim != 1 || b->dim[0] != w->dim[0]))) {
        return hiss_arena_format(graph->arena, "needs x [M,D] and w [F,D] of equal D, got %s and %s",
                                 hiss_shape_text(x, tx), hiss_shape_text(w, tw));
    }
    n->shape = HISS_SHAPE(x->dim[0], w->dim[0]);
    return NULL;
}

static hiss_conv product(const node *n) {
    const int64_t M = n->in[0].dim[0], D = n->in[0].dim[1], F = n->shape.dim[1];
    return (hiss_conv){.N = M, .H = 1, .W = 1, .C = D, .F = F, .R = 1, .S = 1, .stride = 1, .P = 1, .Q = 1};
}

static int64_t scratch(const node *n, const hiss_kernels *kernels) {
    return (int64_t)kernels->linear_scratch(n->in[0].dim[0], n->in[0].dim[1], n->shape.dim[1]);
}

static void forward(const op_call *call) {
    const int64_t M = call->node->in[0].dim[0], D = call->node->in[0].dim[1], F = call->node->shape.dim[1];
    call->kernels->linear_forward(M, D, F, call->x[0], call->x[1], call->x[2], call->y, call->scratch);
}

static void backward(const op_call *call) {
    const int64_t M = call->node->in[0].dim[0], D = call->node->in[0].dim[1], F = call->node->shape.dim[1];
    if (call->dx[0]) {
        call->kernels->linear_backward_data(M, D, F, call->dy, call->x[1], call->dx[0], call->accumulate[0],
                                            call->scratch);
    }
    if (call->dx[1]) {
        call->kernels->linear_backward_weight(M, D, F, call->x[0], call->dy, call->dx[1], call->accumulate[1],
                                              call->scratch);
    }
    if (call->dx[2]) {
        call->kernels->column_sum(M, F, call->dy, call->dx[2], call->accumulate[2]);
    }
}

static double flops(const node *n) {
    return 2.0 * (double)hiss_shape_count(&n->in[0]) * (double)n->shape.dim[1];
}

static void example(hiss_graph *g, int variant) {
    const int64_t M = 3 + variant, D = 5 + 2 * variant, F = 1 + 3 * variant;
    hiss_value bias = variant % 2 ? graph_example_slot(g, 2, HISS_SHAPE(F)) : -1;
    graph_example_weigh(g, hiss_graph_linear(g, graph_example_slot(g, 0, HISS_SHAPE(M, D)),
                                             graph_example_slot(g, 1, HISS_SHAPE(F, D)), bias));
}

const op graph_op_linear = {.name = "linear",
                            .shape = shape,
                            .equal = graph_equal_attributes,
                            .forward = forward,
                            .backward = backward,
                            .scratch = scratch,
                            .flops = flops,
                            .needs_input = 3,
                            .product = product,
                            .product_is_linear = true,
                            .example = example};

hiss_value hiss_graph_linear(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value bias) {
    return graph_append(graph, (node){.op = &graph_op_linear, .input = {x, w, bias}, .inputs = 3});
}
