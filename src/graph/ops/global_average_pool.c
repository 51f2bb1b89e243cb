/* The mean over all positions of each channel: x[N,H,W,C] -> y[N,C]. */
#include "graph/ops/ops.h"

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[0];
    char tx[HISS_SHAPE_TEXT];
    if (x->ndim != 4) {
        return hiss_arena_format(graph->arena, "needs images [N,H,W,C] as input, got %s%s", hiss_shape_text(x, tx),
                                 x->ndim == 2 ? ": put it before flatten" : "");
    }
    n->shape = HISS_SHAPE(x->dim[0], x->dim[3]);
    return NULL;
}

static void forward(const op_call *call) {
    const hiss_shape *x = &call->node->in[0];
    const int64_t N = x->dim[0], positions = x->dim[1] * x->dim[2], C = x->dim[3];
    for (int64_t n = 0; n < N; n++) {
        call->kernels->column_sum(positions, C, call->x[0] + n * positions * C, call->y + n * C, false);
    }
    for (int64_t i = 0; i < N * C; i++) {
        call->y[i] /= (float)positions;
    }
}

static void backward(const op_call *call) {
    const hiss_shape *x = &call->node->in[0];
    const int64_t N = x->dim[0], positions = x->dim[1] * x->dim[2], C = x->dim[3];
    for (int64_t row = 0; row < N * positions; row++) {
        const float *dy = call->dy + row / positions * C;
        call->kernels->axpby(C, 1.0f / (float)positions, dy, call->accumulate[0] ? 1.0f : 0.0f, call->dx[0] + row * C);
    }
}

static void example(hiss_graph *g, int variant) {
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(2 + variant % 2, 1 + variant, 5, 3 + 4 * (variant % 3)));
    hiss_value y = hiss_graph_global_average_pool(g, x);
    graph_example_weigh(g, variant == 3 ? hiss_graph_add(g, y, hiss_graph_global_average_pool(g, x)) : y);
}

static hiss_value build(hiss_graph *graph, int count, const hiss_value *x, const double *a) {
    (void)count;
    (void)a;
    return hiss_graph_global_average_pool(graph, x[0]);
}

const op graph_op_global_average_pool = {.name = "global_average_pool",
                                         .shape = shape,
                                         .forward = forward,
                                         .backward = backward,
                                         .flops = graph_elementwise_flops,
                                         .word = {"global_average_pool", "", .build = build},
                                         .example = example};

hiss_value hiss_graph_global_average_pool(hiss_graph *graph, hiss_value x) {
    return graph_append(graph, (node){.op = &graph_op_global_average_pool, .input = {x}, .inputs = 1});
}
