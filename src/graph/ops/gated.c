/* y[..., F] = tanh(a) sigmoid(b) of x[..., 2F], whose first F channels are a and whose others are b (van den Oord et al.
 * 2016, eq. 2); saved: tanh(a) and sigmoid(b), block by block, so that kernels get long runs. */
#include <string.h>

#include "graph/ops/ops.h"

enum { BLOCK = 4096 }; /* floats of a half, about: in the first-level cache */

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

static int64_t channels(const node *n) {
    return n->shape.dim[n->shape.ndim - 1];
}

static int64_t rows_of_block(int64_t F) {
    return F < BLOCK ? BLOCK / F : 1;
}

static void forward(const op_call *call) {
    const int64_t F = channels(call->node), rows = hiss_shape_count(&call->node->shape) / F, step = rows_of_block(F);
    for (int64_t first = 0; first < rows; first += step) {
        const int64_t some = rows - first < step ? rows - first : step, count = some * F;
        const float *x = call->x[0] + first * 2 * F;
        float *a = call->save + first * 2 * F, *b = a + count;
        for (int64_t r = 0; r < some; r++) {
            memcpy(a + r * F, x + 2 * r * F, sizeof(float) * (size_t)F);
            memcpy(b + r * F, x + (2 * r + 1) * F, sizeof(float) * (size_t)F);
        }
        call->kernels->activation_forward(HISS_TANH, count, 0.0f, a, a);
        call->kernels->activation_forward(HISS_SIGMOID, count, 0.0f, b, b);
        call->kernels->multiply(count, a, b, call->y + first * F, false);
    }
}

static void backward(const op_call *call) {
    const int64_t F = channels(call->node), rows = hiss_shape_count(&call->node->shape) / F, step = rows_of_block(F);
    for (int64_t r = 0; r < rows; r++) {
        const int64_t first = r / step * step, some = rows - first < step ? rows - first : step;
        const float *restrict a = call->save + first * 2 * F + (r - first) * F, *restrict b = a + some * F;
        const float *restrict dy = call->dy + r * F;
        float *restrict dx = call->dx[0] + 2 * r * F;
        for (int64_t k = 0; k < F; k++) {
            const float da = dy[k] * b[k] * (1.0f - a[k] * a[k]);
            dx[k] = call->accumulate[0] ? dx[k] + da : da;
        }
        for (int64_t k = 0; k < F; k++) {
            const float db = dy[k] * a[k] * b[k] * (1.0f - b[k]);
            dx[F + k] = call->accumulate[0] ? dx[F + k] + db : db;
        }
    }
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
