/* Values side by side: x_k[..., C_k] -> y[..., sum of C_k], in the order of the inputs. */
#include "graph/ops/ops.h"

#include <string.h>

static int64_t channels(const hiss_shape *s) {
    return s->dim[s->ndim - 1];
}

static const char *shape(hiss_graph *graph, node *n) {
    char ta[HISS_SHAPE_TEXT], tb[HISS_SHAPE_TEXT];
    n->shape = n->in[0];
    for (int k = 1; k < n->inputs; k++) {
        const hiss_shape *x = &n->in[k];
        hiss_shape as_first = *x;
        if (x->ndim == n->in[0].ndim) {
            as_first.dim[x->ndim - 1] = channels(&n->in[0]);
        }
        if (!hiss_shape_equal(&as_first, &n->in[0])) {
            return hiss_arena_format(graph->arena, "needs shapes equal but for the last dimension, got %s and %s",
                                     hiss_shape_text(&n->in[0], ta), hiss_shape_text(x, tb));
        }
        n->shape.dim[x->ndim - 1] += channels(x);
    }
    return NULL;
}

static void forward(const op_call *call) {
    const node *n = call->node;
    const int64_t C = channels(&n->shape), rows = hiss_shape_count(&n->shape) / C;
    float *y = call->y;
    for (int k = 0; k < n->inputs; y += channels(&n->in[k]), k++) {
        const int64_t width = channels(&n->in[k]);
        for (int64_t r = 0; r < rows; r++) {
            memcpy(y + r * C, call->x[k] + r * width, sizeof(float) * (size_t)width);
        }
    }
}

static void backward(const op_call *call) {
    const node *n = call->node;
    const int64_t C = channels(&n->shape), rows = hiss_shape_count(&n->shape) / C;
    const float *dy = call->dy;
    for (int k = 0; k < n->inputs; dy += channels(&n->in[k]), k++) {
        const int64_t width = channels(&n->in[k]);
        for (int64_t r = 0; call->dx[k] && r < rows; r++) {
            if (call->accumulate[k]) {
                call->kernels->axpby(width, 1.0f, dy + r * C, 1.0f, call->dx[k] + r * width);
            } else {
                memcpy(call->dx[k] + r * width, dy + r * C, sizeof(float) * (size_t)width);
            }
        }
    }
}

static void example(hiss_graph *g, int variant) {
    const bool map = variant % 2;
    const int64_t C = 1 + variant;
    const hiss_value a = graph_example_slot(g, 0, map ? HISS_SHAPE(2, 3, 3, C) : HISS_SHAPE(5, C));
    const hiss_value b = graph_example_slot(g, 1, map ? HISS_SHAPE(2, 3, 3, 4) : HISS_SHAPE(5, 4));
    graph_example_weigh(g, hiss_graph_concat(g, variant > 1 ? 3 : 2, (const hiss_value[]){a, b, a}));
}

static hiss_value build(hiss_graph *graph, int count, const hiss_value *x, const double *a) {
    (void)a;
    return hiss_graph_concat(graph, count, x);
}

const op graph_op_concat = {.name = "concat",
                            .shape = shape,
                            .forward = forward,
                            .backward = backward,
                            .word = {"concat",
                                     "names of earlier layers: [a, b]; their channels, after the value before",
                                     .places = HISS_MAX_INPUTS - 1, .build = build},
                            .example = example};

hiss_value hiss_graph_concat(hiss_graph *graph, int count, const hiss_value *x) {
    node draft = {.op = &graph_op_concat, .inputs = count};
    memcpy(draft.input, x, sizeof(hiss_value) * (size_t)count);
    return graph_append(graph, draft);
}
