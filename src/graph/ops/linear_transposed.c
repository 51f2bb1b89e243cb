/* y[M,D] = x[M,F] w[F,D] + bias[D]: the way back through a linear layer with the same weights, as a decoder whose weights
 * are tied to those of its encoder goes. Forward is the gradient of linear's input, and the other way round. */
#include "graph/ops/ops.h"

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[0], *w = &n->in[1], *b = &n->in[2];
    char tx[HISS_SHAPE_TEXT], tw[HISS_SHAPE_TEXT];
    if (x->ndim != 2 || w->ndim != 2 || x->dim[1] != w->dim[0] ||
        (b->ndim && (b->ndim != 1 || b->dim[0] != w->dim[1]))) {
        return hiss_arena_format(graph->arena, "needs x [M,F] and w [F,D] of equal F, got %s and %s",
                                 hiss_shape_text(x, tx), hiss_shape_text(w, tw));
    }
    n->shape = HISS_SHAPE(x->dim[0], w->dim[1]);
    return NULL;
}

static hiss_conv product(const node *n) {
    const int64_t M = n->in[0].dim[0], F = n->in[0].dim[1], D = n->shape.dim[1];
    return (hiss_conv){.N = M, .H = 1, .W = 1, .C = D, .F = F, .R = 1, .S = 1, .stride = 1, .P = 1, .Q = 1};
}

/* Rounded up to whole cache lines. */
static int64_t kernel_scratch(const node *n, const hiss_kernels *kernels) {
    return ((int64_t)kernels->linear_scratch(n->in[0].dim[0], n->shape.dim[1], n->in[0].dim[1]) + 15) / 16 * 16;
}

static int64_t scratch(const node *n, const hiss_kernels *kernels) {
    return kernel_scratch(n, kernels) + hiss_shape_count(&n->in[0]);
}

static void forward(const op_call *call) {
    const int64_t M = call->node->in[0].dim[0], F = call->node->in[0].dim[1], D = call->node->shape.dim[1];
    call->kernels->linear_backward_data(M, D, F, call->x[0], call->x[1], call->y, false, call->scratch);
    if (call->x[2]) {
        call->kernels->add_bias(M, D, call->y, call->x[2], call->y);
    }
}

static void backward(const op_call *call) {
    const int64_t M = call->node->in[0].dim[0], F = call->node->in[0].dim[1], D = call->node->shape.dim[1];
    if (call->dx[0] && !call->accumulate[0]) {
        call->kernels->linear_forward(M, D, F, call->dy, call->x[1], NULL, call->dx[0], call->scratch);
    } else if (call->dx[0]) { /* linear_forward overwrites: go through scratch beyond its own */
        float *sum = call->scratch + kernel_scratch(call->node, call->kernels);
        call->kernels->linear_forward(M, D, F, call->dy, call->x[1], NULL, sum, call->scratch);
        call->kernels->axpby(M * F, 1.0f, sum, 1.0f, call->dx[0]);
    }
    if (call->dx[1]) {
        call->kernels->linear_backward_weight(M, D, F, call->dy, call->x[0], call->dx[1], call->accumulate[1],
                                              call->scratch);
    }
    if (call->dx[2]) {
        call->kernels->column_sum(M, D, call->dy, call->dx[2], call->accumulate[2]);
    }
}

static double flops(const node *n) {
    return 2.0 * (double)hiss_shape_count(&n->in[0]) * (double)n->shape.dim[1];
}

static void example(hiss_graph *g, int variant) {
    const int64_t M = 3 + variant, F = 1 + 3 * variant, D = 5 + 2 * variant;
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(M, F)), w = graph_example_slot(g, 1, HISS_SHAPE(F, D));
    hiss_value bias = variant % 2 ? graph_example_slot(g, 2, HISS_SHAPE(D)) : -1;
    hiss_value y = hiss_graph_linear_transposed(g, x, w, bias);
    if (variant == 2) { /* two readers of x: the accumulating path */
        y = hiss_graph_add(g, y, hiss_graph_linear_transposed(g, x, graph_example_slot(g, 3, HISS_SHAPE(F, D)), -1));
    } else if (variant == 3) { /* weights that are read there and back */
        y = hiss_graph_linear_transposed(g, hiss_graph_linear(g, y, w, -1), w, -1);
    }
    graph_example_weigh(g, y);
}

const op graph_op_linear_transposed = {.name = "linear_transposed",
                                       .shape = shape,
                                       .forward = forward,
                                       .backward = backward,
                                       .scratch = scratch,
                                       .flops = flops,
                                       .needs_input = 3,
                                       .product = product,
                                       .product_is_linear = true,
                                       .example = example};

hiss_value hiss_graph_linear_transposed(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value bias) {
    return graph_append(graph, (node){.op = &graph_op_linear_transposed, .input = {x, w, bias}, .inputs = 3});
}
