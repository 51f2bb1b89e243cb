/* What a cell of long short-term memory says: h = sigmoid(o) tanh(c') of each row's gates (i, f, g, o)[4H] and of what the cell
 * now keeps (operation lstm_cell). Saved: sigmoid(o) and tanh(c') of each row. */
#include <string.h>

#include "graph/ops/ops.h"

enum { GATES, CELL };

static int64_t units(const node *n) {
    return n->shape.dim[n->shape.ndim - 1];
}

static int64_t save(const node *n) {
    return 2 * hiss_shape_count(&n->shape);
}

static void forward(const op_call *call) {
    const int64_t H = units(call->node), rows = hiss_shape_count(&call->node->shape) / H;
    for (int64_t r = 0; r < rows; r++) {
        float *s = call->save + 2 * H * r;
        call->kernels->activation_forward(HISS_SIGMOID, H, 0.0f, call->x[GATES] + 4 * H * r + 3 * H, s);
        call->kernels->activation_forward(HISS_TANH, H, 0.0f, call->x[CELL] + H * r, s + H);
        call->kernels->multiply(H, s, s + H, call->y + H * r, false);
    }
}

static void backward(const op_call *call) {
    const int64_t H = units(call->node), rows = hiss_shape_count(&call->node->shape) / H;
    for (int64_t r = 0; r < rows; r++) {
        const float *restrict o = call->save + 2 * H * r, *restrict t = o + H, *restrict dy = call->dy + H * r;
        if (call->dx[GATES]) {
            float *restrict dx = call->dx[GATES] + 4 * H * r;
            if (!call->accumulate[GATES]) {
                memset(dx, 0, sizeof *dx * (size_t)(4 * H));
            }
            for (int64_t k = 0; k < H; k++) {
                dx[3 * H + k] += dy[k] * t[k] * o[k] * (1.0f - o[k]);
            }
        }
        if (call->dx[CELL]) {
            float *restrict dx = call->dx[CELL] + H * r;
            for (int64_t k = 0; k < H; k++) {
                const float dc = dy[k] * o[k] * (1.0f - t[k] * t[k]);
                dx[k] = call->accumulate[CELL] ? dx[k] + dc : dc;
            }
        }
    }
}

static void example(hiss_graph *g, int variant) {
    const int64_t H = 2 + variant;
    const bool map = variant % 2;
    const hiss_value gates = graph_example_slot(g, 0, map ? HISS_SHAPE(2, 2, 3, 4 * H) : HISS_SHAPE(3, 4 * H));
    hiss_value c = graph_example_slot(g, 1, map ? HISS_SHAPE(2, 2, 3, H) : HISS_SHAPE(3, H));
    c = variant > 1 ? hiss_graph_lstm_cell(g, gates, c) : c;
    graph_example_weigh(g, hiss_graph_lstm_output(g, gates, c));
}

const op graph_op_lstm_output = {.name = "lstm_output",
                                 .shape = graph_lstm_shape,
                                 .forward = forward,
                                 .backward = backward,
                                 .save = save,
                                 .flops = graph_elementwise_flops,
                                 .example = example};

hiss_value hiss_graph_lstm_output(hiss_graph *graph, hiss_value gates, hiss_value cell) {
    return graph_append(graph, (node){.op = &graph_op_lstm_output, .input = {gates, cell}, .inputs = 2});
}
