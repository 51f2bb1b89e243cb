/* The same values, through which no gradient passes: a view. */
#include "graph/ops/ops.h"

static void example(hiss_graph *g, int variant) {
    /* The stopped branch must be a constant to the check: stop what does not depend on a slot. */
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(3, 4));
    hiss_value still = hiss_graph_stop_gradient(g, hiss_graph_input(g, "still", HISS_SHAPE(3, 4)));
    graph_example_weigh(g, variant ? hiss_graph_multiply(g, x, still) : hiss_graph_add(g, still, x));
}

const op graph_op_stop_gradient = {
    .name = "stop_gradient", .shape = graph_same_shape, .view = true, .stops_gradient = true, .example = example};

hiss_value hiss_graph_stop_gradient(hiss_graph *graph, hiss_value x) {
    return graph_append(graph, (node){.op = &graph_op_stop_gradient, .input = {x}, .inputs = 1});
}
