/* y = 1 where a < b, else 0. Of uniform numbers a and probabilities b it is a draw, through which no gradient passes. */
#include "graph/ops/ops.h"

static const char *shape(hiss_graph *graph, node *n) {
    if (!hiss_shape_equal(&n->in[0], &n->in[1])) {
        char ta[HISS_SHAPE_TEXT], tb[HISS_SHAPE_TEXT];
        return hiss_arena_format(graph->arena, "needs equal shapes, got %s and %s", hiss_shape_text(&n->in[0], ta),
                                 hiss_shape_text(&n->in[1], tb));
    }
    n->shape = n->in[0];
    return NULL;
}

static void forward(const op_call *call) {
    const int64_t count = hiss_shape_count(&call->node->shape);
    for (int64_t i = 0; i < count; i++) {
        call->y[i] = call->x[0][i] < call->x[1][i] ? 1.0f : 0.0f;
    }
}

static void example(hiss_graph *g, int variant) {
    /* To the check the draw must be a constant. */
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(3, 4));
    hiss_value still = hiss_graph_input(g, "still", HISS_SHAPE(3, 4));
    hiss_value draw = hiss_graph_less(g, still, hiss_graph_scale(g, still, variant % 2 ? 0.5 : -0.5));
    graph_example_weigh(g, hiss_graph_multiply(g, x, draw));
}

const op graph_op_less = {.name = "less",
                          .shape = shape,
                          .forward = forward,
                          .flops = graph_elementwise_flops,
                          .stops_gradient = true,
                          .example = example};

hiss_value hiss_graph_less(hiss_graph *graph, hiss_value a, hiss_value b) {
    return graph_append(graph, (node){.op = &graph_op_less, .input = {a, b}, .inputs = 2});
}
