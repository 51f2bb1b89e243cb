/* y = x where x is positive, slope x elsewhere. */
#include "graph/ops/ops.h"

static void example(hiss_graph *g, int variant) {
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(3, 7));
    graph_example_weigh(
        g, hiss_graph_leaky_relu(g, variant % 2 ? hiss_graph_scale(g, x, 0.5 * variant) : x, 0.1 * (1 + variant)));
}

static hiss_value build(hiss_graph *graph, int count, const hiss_value *x, const double *a) {
    (void)count;
    return hiss_graph_leaky_relu(graph, x[0], a[0]);
}

const op graph_op_leaky_relu = {
    .name = "leaky_relu",
    .attributes = sizeof(activation_attributes),
    .shape = graph_same_shape,
    .equal = graph_equal_attributes,
    .forward = graph_activation_forward,
    .form = graph_activation_form,
    .backward = graph_activation_backward,
    .flops = graph_elementwise_flops,
    .needs_output = true,
    .in_place = 1u << 0,
    .activation = HISS_LEAKY_RELU,
    .word = {"leaky_relu", "slope", .argument = {{"slope", -1, 0, 1, false}}, .build = build},
    .example = example};

hiss_value hiss_graph_leaky_relu(hiss_graph *graph, hiss_value x, double slope) {
    return graph_append(graph, (node){.op = &graph_op_leaky_relu,
                                      .attributes = &(activation_attributes){(float)slope},
                                      .input = {x},
                                      .inputs = 1});
}
