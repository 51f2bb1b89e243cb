/* Of each row, the probabilities e^x_j / sum_k e^x_k. dx_j = y_j (dy_j - sum_k y_k dy_k). */
#include "graph/ops/ops.h"

static const char *shape(hiss_graph *graph, node *n) {
    char tx[HISS_SHAPE_TEXT];
    if (n->in[0].ndim != 2) {
        return hiss_arena_format(graph->arena, "needs rows [M,D], got %s", hiss_shape_text(&n->in[0], tx));
    }
    n->shape = n->in[0];
    return NULL;
}

static void forward(const op_call *call) {
    const int64_t M = call->node->shape.dim[0], D = call->node->shape.dim[1];
    for (int64_t i = 0; i < M; i++) {
        const float *x = call->x[0] + i * D;
        float *y = call->y + i * D, top = x[0];
        for (int64_t k = 1; k < D; k++) {
            top = x[k] > top ? x[k] : top;
        }
        for (int64_t k = 0; k < D; k++) {
            y[k] = x[k] - top; /* nothing overflows, and the largest is 1 */
        }
    }
    call->kernels->activation_forward(HISS_EXP, M * D, 0.0f, call->y, call->y);
    for (int64_t i = 0; i < M; i++) {
        float *y = call->y + i * D, sum = 0.0f;
        for (int64_t k = 0; k < D; k++) {
            sum += y[k];
        }
        for (int64_t k = 0; k < D; k++) {
            y[k] /= sum;
        }
    }
}

static void backward(const op_call *call) {
    const int64_t M = call->node->shape.dim[0], D = call->node->shape.dim[1];
    for (int64_t i = 0; i < M; i++) {
        const float *y = call->y + i * D, *dy = call->dy + i * D;
        float *dx = call->dx[0] + i * D, sum = 0.0f;
        for (int64_t k = 0; k < D; k++) {
            sum += y[k] * dy[k];
        }
        for (int64_t k = 0; k < D; k++) {
            dx[k] = (call->accumulate[0] ? dx[k] : 0.0f) + y[k] * (dy[k] - sum);
        }
    }
}

static void example(hiss_graph *g, int variant) {
    graph_example_weigh(g, hiss_graph_softmax(g, graph_example_slot(g, 0, HISS_SHAPE(3 + variant, 1 + 3 * variant))));
}

const op graph_op_softmax = {.name = "softmax",
                             .shape = shape,
                             .equal = graph_equal_attributes,
                             .forward = forward,
                             .backward = backward,
                             .flops = graph_elementwise_flops,
                             .needs_output = true,
                             .example = example};

hiss_value hiss_graph_softmax(hiss_graph *graph, hiss_value x) {
    return graph_append(graph, (node){.op = &graph_op_softmax, .input = {x}, .inputs = 1});
}
