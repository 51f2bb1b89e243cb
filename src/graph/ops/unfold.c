/* The windows of a map, one after another: y[N,H*W*C,side*side] of x[N,H,W,C], row (i,j,c) being channel c in the window around place
 * (i,j), by rows, with zeros outside the map. A batched product with kernels [N,K,side*side] is a convolution of each image with
 * kernels of its own. Cost: side * side copies. */
#include <string.h>

#include "graph/ops/ops.h"

typedef struct attributes {
    int64_t side;
} attributes;

typedef struct
    run { /* element k of the windows around a row of places: y[to + j * step] is x[from + j], for j < count */
    int64_t from, to, step, count;
} run;

static const char *shape(hiss_graph *graph, node *n) {
    const attributes *a = n->attributes;
    const hiss_shape *x = &n->in[0];
    char text[HISS_SHAPE_TEXT];
    if (x->ndim != 4 || a->side < 1 || a->side % 2 == 0) {
        return hiss_arena_format(graph->arena, "needs maps [N,H,W,C] and an odd side, got %s and %lld",
                                 hiss_shape_text(x, text), (long long)a->side);
    }
    n->shape = HISS_SHAPE(x->dim[0], x->dim[1] * x->dim[2] * x->dim[3], a->side * a->side);
    return NULL;
}

static int64_t runs_of(const node *n) {
    const hiss_shape *x = &n->in[0];
    return x->dim[0] * x->dim[1] * n->shape.dim[2];
}

static run run_at(const node *n, int64_t number) {
    const hiss_shape *x = &n->in[0];
    const int64_t elements = n->shape.dim[2], side = ((const attributes *)n->attributes)->side;
    const int64_t row = number / elements, k = number % elements, C = x->dim[3], width = x->dim[2] * C;
    const int64_t down = k / side - side / 2, across = (k % side - side / 2) * C, i = row % x->dim[1] + down;
    const int64_t skipped = across < 0 ? -across : 0, count = width - (across < 0 ? -across : across);
    const bool inside = i >= 0 && i < x->dim[1] && count > 0;
    return (run){.from = (row + down) * width + skipped + across,
                 .to = (row * width + skipped) * elements + k,
                 .step = elements,
                 .count = inside ? count : 0};
}

static void forward(const op_call *call) {
    memset(call->y, 0, sizeof(float) * (size_t)hiss_shape_count(&call->node->shape));
    for (int64_t r = 0; r < runs_of(call->node); r++) {
        const run at = run_at(call->node, r);
        for (int64_t j = 0; j < at.count; j++) {
            call->y[at.to + j * at.step] = call->x[0][at.from + j];
        }
    }
}

static void backward(const op_call *call) {
    if (!call->accumulate[0]) {
        memset(call->dx[0], 0, sizeof(float) * (size_t)hiss_shape_count(&call->node->in[0]));
    }
    for (int64_t r = 0; r < runs_of(call->node); r++) {
        const run at = run_at(call->node, r);
        for (int64_t j = 0; j < at.count; j++) {
            call->dx[0][at.from + j] += call->dy[at.to + j * at.step];
        }
    }
}

static void example(hiss_graph *g, int variant) {
    const int64_t side = 1 + 2 * (variant % 4); /* one is wider than the map */
    const hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(2, 4, 3, 1 + variant % 3));
    graph_example_weigh(g, hiss_graph_unfold(g, variant % 2 ? hiss_graph_add(g, x, x) : x, side));
}

const op graph_op_unfold = {.name = "unfold",
                            .attributes = sizeof(attributes),
                            .shape = shape,
                            .equal = graph_equal_attributes,
                            .forward = forward,
                            .backward = backward,
                            .flops = graph_elementwise_flops,
                            .example = example};

hiss_value hiss_graph_unfold(hiss_graph *graph, hiss_value x, int64_t side) {
    return graph_append(graph,
                        (node){.op = &graph_op_unfold, .attributes = &(attributes){side}, .input = {x}, .inputs = 1});
}
