/* What a cell of long short-term memory keeps: of each row, with gates (i, f, g, o)[4H] before their activations,
 *     c' = sigmoid(f) c + sigmoid(i) tanh(g)
 * (Hochreiter & Schmidhuber, "Long short-term memory", 1997, with the forget gate of Gers, Schmidhuber & Cummins, "Learning to
 * forget", 2000). What it says, h = sigmoid(o) tanh(c'), is operation lstm_output. All is by elements, so that gates which are
 * maps [N,P,Q,4F] of a convolution make it a convolutional one (Shi et al. 2015, eq. 3, without peepholes).
 * Saved: sigmoid(i), sigmoid(f), tanh(g) of each row. */
#include <string.h>

#include "graph/ops/ops.h"

enum { GATES, CELL };

const char *graph_lstm_shape(hiss_graph *graph, node *n) {
    char tg[HISS_SHAPE_TEXT], tc[HISS_SHAPE_TEXT];
    const hiss_shape *gates = &n->in[GATES], *cell = &n->in[CELL];
    const int last = cell->ndim - 1;
    hiss_shape wanted = *cell;
    n->shape = *cell;
    wanted.dim[last] *= 4;
    return hiss_shape_equal(&wanted, gates)
               ? NULL
               : hiss_arena_format(graph->arena, "needs gates [..,4H] and cells [..,H], got %s and %s",
                                   hiss_shape_text(gates, tg), hiss_shape_text(cell, tc));
}

static int64_t units(const node *n) {
    return n->shape.dim[n->shape.ndim - 1];
}

static int64_t save(const node *n) {
    return 3 * hiss_shape_count(&n->shape);
}

static void forward(const op_call *call) {
    const int64_t H = units(call->node), rows = hiss_shape_count(&call->node->shape) / H;
    for (int64_t r = 0; r < rows; r++) {
        float *restrict s = call->save + 3 * H * r;
        const float *restrict gates = call->x[GATES] + 4 * H * r, *restrict c = call->x[CELL] + H * r;
        float *restrict y = call->y + H * r;
        call->kernels->activation_forward(HISS_SIGMOID, 2 * H, 0.0f, gates, s);
        call->kernels->activation_forward(HISS_TANH, H, 0.0f, gates + 2 * H, s + 2 * H);
        for (int64_t k = 0; k < H; k++) {
            y[k] = s[H + k] * c[k] + s[k] * s[2 * H + k];
        }
    }
}

static void backward_gates(int64_t H, const float *restrict s, const float *restrict c, const float *restrict dy,
                           bool accumulate, float *restrict dx) {
    if (!accumulate) {
        memset(dx, 0, sizeof *dx * (size_t)(4 * H));
    }
    for (int64_t k = 0; k < H; k++) {
        const float i = s[k], f = s[H + k], g = s[2 * H + k];
        dx[k] += dy[k] * g * i * (1.0f - i);
        dx[H + k] += dy[k] * c[k] * f * (1.0f - f);
        dx[2 * H + k] += dy[k] * i * (1.0f - g * g);
    }
}

static void backward(const op_call *call) {
    const int64_t H = units(call->node), rows = hiss_shape_count(&call->node->shape) / H;
    for (int64_t r = 0; r < rows; r++) {
        const float *s = call->save + 3 * H * r, *dy = call->dy + H * r;
        if (call->dx[GATES]) {
            backward_gates(H, s, call->x[CELL] + H * r, dy, call->accumulate[GATES], call->dx[GATES] + 4 * H * r);
        }
        if (call->dx[CELL]) {
            call->kernels->multiply(H, dy, s + H, call->dx[CELL] + H * r, call->accumulate[CELL]);
        }
    }
}

static void example(hiss_graph *g, int variant) {
    const int64_t H = 2 + variant;
    const bool map = variant % 2;
    const hiss_value gates = graph_example_slot(g, 0, map ? HISS_SHAPE(2, 2, 3, 4 * H) : HISS_SHAPE(3, 4 * H));
    const hiss_value c = graph_example_slot(g, 1, map ? HISS_SHAPE(2, 2, 3, H) : HISS_SHAPE(3, H));
    hiss_value next = hiss_graph_lstm_cell(g, gates, c);
    next = variant > 1 ? hiss_graph_lstm_cell(g, gates, next) : next;
    graph_example_weigh(g, next);
}

const op graph_op_lstm_cell = {.name = "lstm_cell",
                               .shape = graph_lstm_shape,
                               .forward = forward,
                               .backward = backward,
                               .save = save,
                               .flops = graph_elementwise_flops,
                               .needs_input = 1u << CELL,
                               .example = example};

hiss_value hiss_graph_lstm_cell(hiss_graph *graph, hiss_value gates, hiss_value cell) {
    return graph_append(graph, (node){.op = &graph_op_lstm_cell, .input = {gates, cell}, .inputs = 2});
}
