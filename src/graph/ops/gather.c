/* Rows of a table by their numbers: table[V,D], row int32 [...] -> y[..., D]. Backward adds each row of dy to the row of
 * the table that it is from, in the order of dy, so that rows that are taken several times get one sum, whatever runs
 * beside it. */
#include <assert.h>
#include <string.h>

#include "graph/ops/ops.h"

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *table = &n->in[0], *row = &n->in[1];
    char tt[HISS_SHAPE_TEXT], tr[HISS_SHAPE_TEXT];
    if (table->ndim != 2 || row->ndim < 1 || row->ndim >= HISS_MAX_NDIM) {
        return hiss_arena_format(graph->arena, "needs a table [V,D] and numbers of rows [...], got %s and %s",
                                 hiss_shape_text(table, tt), hiss_shape_text(row, tr));
    }
    n->shape = *row;
    n->shape.dim[n->shape.ndim++] = table->dim[1];
    return NULL;
}

static void forward(const op_call *call) {
    const int64_t V = call->node->in[0].dim[0], D = call->node->in[0].dim[1];
    const int64_t rows = hiss_shape_count(&call->node->in[1]);
    const int32_t *row = (const int32_t *)call->x[1];
    for (int64_t i = 0; i < rows; i++) {
        assert(row[i] >= 0 && row[i] < V);
        memcpy(call->y + i * D, call->x[0] + row[i] * D, sizeof(float) * (size_t)D);
    }
}

static void backward(const op_call *call) {
    const int64_t V = call->node->in[0].dim[0], D = call->node->in[0].dim[1];
    const int64_t rows = hiss_shape_count(&call->node->in[1]);
    const int32_t *row = (const int32_t *)call->x[1];
    float *table = call->dx[0];
    if (!table) {
        return;
    }
    if (!call->accumulate[0]) {
        memset(table, 0, sizeof(float) * (size_t)(V * D));
    }
    for (int64_t i = 0; i < rows; i++) {
        float *restrict to = table + row[i] * D;
        const float *restrict dy = call->dy + i * D;
        for (int64_t k = 0; k < D; k++) {
            to[k] += dy[k];
        }
    }
}

static void example(hiss_graph *g, int variant) {
    const hiss_value table = graph_example_slot(g, 0, HISS_SHAPE(10 + variant, 1 + 2 * variant));
    const hiss_value row = hiss_graph_input_numbers(g, "label", variant % 2 ? HISS_SHAPE(3, 5) : HISS_SHAPE(13));
    graph_example_weigh(g, hiss_graph_gather(g, table, row));
}

const op graph_op_gather = {.name = "gather",
                            .shape = shape,
                            .equal = graph_equal_attributes,
                            .forward = forward,
                            .backward = backward,
                            .needs_input = 2,
                            .example = example};

hiss_value hiss_graph_gather(hiss_graph *graph, hiss_value table, hiss_value row) {
    return graph_append(graph, (node){.op = &graph_op_gather, .input = {table, row}, .inputs = 2});
}
