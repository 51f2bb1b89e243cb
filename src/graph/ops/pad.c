/* Zeros around a value, or parts cut off: dimension d becomes before_d + dim_d + after_d, where a negative number cuts.
 * Causal convolutions are ordinary ones of values that are padded and shifted so. Cost: one copy. */
#include <string.h>

#include "graph/ops/ops.h"

typedef struct attributes {
    int64_t before[HISS_MAX_NDIM], after[HISS_MAX_NDIM];
} attributes;

static const char *shape(hiss_graph *graph, node *n) {
    const attributes *a = n->attributes;
    char text[HISS_SHAPE_TEXT];
    n->shape = n->in[0];
    for (int d = 0; d < n->shape.ndim; d++) {
        n->shape.dim[d] += a->before[d] + a->after[d];
        if (n->shape.dim[d] < 1) {
            return hiss_arena_format(graph->arena, "padding of %lld and %lld leaves nothing of dimension %d of %s",
                                     (long long)a->before[d], (long long)a->after[d], d,
                                     hiss_shape_text(&n->in[0], text));
        }
    }
    return NULL;
}

/* to[k] = from[k] or, where adds, to[k] += from[k], for low <= k < high, of what else there is to[k] = 0. */
static void move(int64_t count, int64_t low, int64_t high, const float *from, bool adds, float *to) {
    if (adds) {
        for (int64_t k = low; k < high; k++) {
            to[k] += from[k];
        }
        return;
    }
    memset(to, 0, sizeof(float) * (size_t)low);
    memcpy(to + low, from + low, sizeof(float) * (size_t)(high - low));
    memset(to + high, 0, sizeof(float) * (size_t)(count - high));
}

static int64_t clamp(int64_t k, int64_t most) {
    return k < 0 ? 0 : k < most ? k : most;
}

/* Element t of `to` is element t - offset of `from`, or 0 where there is none. Dimensions behind the last one that is
 * moved are one run with it. */
static void shift(const hiss_shape *from, const hiss_shape *to, const int64_t *offset, const float *x, bool adds,
                  float *y) {
    int last = to->ndim - 1;
    int64_t run = 1, rows = 1, index[HISS_MAX_NDIM] = {0};
    while (last > 0 && offset[last] == 0 && from->dim[last] == to->dim[last]) {
        run *= to->dim[last--];
    }
    for (int d = 0; d < last; d++) {
        rows *= to->dim[d];
    }
    const int64_t width = to->dim[last], low = clamp(offset[last], width);
    const int64_t high = clamp(from->dim[last] + offset[last], width);
    for (int64_t r = 0; r < rows; r++, y += width * run) {
        int64_t row = 0;
        bool inside = true;
        for (int d = 0; d < last; d++) {
            const int64_t k = index[d] - offset[d];
            inside = inside && k >= 0 && k < from->dim[d];
            row = row * from->dim[d] + k;
        }
        const int64_t begin = inside ? low * run : 0, end = inside ? high * run : 0;
        move(width * run, begin, end, inside ? x + (row * from->dim[last] - offset[last]) * run : x, adds, y);
        for (int d = last - 1; d >= 0 && ++index[d] == to->dim[d]; d--) {
            index[d] = 0;
        }
    }
}

static void forward(const op_call *call) {
    const attributes *a = call->node->attributes;
    shift(&call->node->in[0], &call->node->shape, a->before, call->x[0], false, call->y);
}

static void backward(const op_call *call) {
    const attributes *a = call->node->attributes;
    int64_t back[HISS_MAX_NDIM];
    for (int d = 0; d < HISS_MAX_NDIM; d++) {
        back[d] = -a->before[d];
    }
    shift(&call->node->shape, &call->node->in[0], back, call->dy, call->accumulate[0], call->dx[0]);
}

static void example(hiss_graph *g, int variant) {
    static const attributes v[] = {{{0, 1, 2, 0}, {0, 0, 1, 0}},
                                   {{0, -1, 1, 0}, {0, 1, -2, 0}},
                                   {{2, 0, 0, 1}, {0, -1, 0, -2}},
                                   {{0, 3, 0, 0}, {0, -3, 0, 0}},
                                   {{0}, {0}}};
    const attributes *a = &v[variant % 5];
    const hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(2, 4, 5, 3));
    graph_example_weigh(g, hiss_graph_pad(g, variant % 2 ? hiss_graph_add(g, x, x) : x, a->before, a->after));
}

const op graph_op_pad = {.name = "pad",
                         .attributes = sizeof(attributes),
                         .shape = shape,
                         .equal = graph_equal_attributes,
                         .forward = forward,
                         .backward = backward,
                         .flops = graph_elementwise_flops,
                         .example = example};

hiss_value hiss_graph_pad(hiss_graph *graph, hiss_value x, const int64_t *before, const int64_t *after) {
    attributes a = {{0}, {0}};
    const int ndim = x < 0 ? 0 : hiss_graph_shape(graph, x).ndim;
    memcpy(a.before, before, sizeof(int64_t) * (size_t)ndim);
    memcpy(a.after, after, sizeof(int64_t) * (size_t)ndim);
    return graph_append(graph, (node){.op = &graph_op_pad, .attributes = &a, .input = {x}, .inputs = 1});
}
