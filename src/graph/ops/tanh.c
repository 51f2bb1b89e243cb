/* y = tanh(x). */
#include "graph/ops/ops.h"

static void example(hiss_graph *g, int variant) {
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(3, 7));
    graph_example_weigh(g, hiss_graph_tanh(g, variant % 2 ? hiss_graph_scale(g, x, 0.5 * variant) : x));
}

static hiss_value build(hiss_graph *graph, int count, const hiss_value *x, const double *a) {
    (void)count;
    (void)a;
    return hiss_graph_tanh(graph, x[0]);
}

const op graph_op_tanh = {.name = "tanh",
                          .shape = graph_same_shape,
                          .equal = graph_equal_attributes,
                          .forward = graph_activation_forward,
                          .backward = graph_activation_backward,
                          .flops = graph_elementwise_flops,
                          .needs_output = true,
                          .in_place = 1u << 0,
                          .activation = HISS_TANH,
                          .word = {"tanh", "", .build = build},
                          .example = example};

hiss_value hiss_graph_tanh(hiss_graph *graph, hiss_value x) {
    return graph_append(graph, (node){.op = &graph_op_tanh, .input = {x}, .inputs = 1});
}
