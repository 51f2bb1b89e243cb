/* y = x moved towards 0 by a threshold, and 0 where it would pass it: the step of ISTA that makes codes sparse. */
#include "graph/ops/ops.h"

static void example(hiss_graph *g, int variant) {
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(3, 7));
    graph_example_weigh(
        g, hiss_graph_soft_threshold(g, variant % 2 ? hiss_graph_scale(g, x, 0.5 * variant) : x, 0.1 * variant));
}

static hiss_value build(hiss_graph *graph, int count, const hiss_value *x, const double *a) {
    (void)count;
    return hiss_graph_soft_threshold(graph, x[0], a[0]);
}

const op graph_op_soft_threshold = {
    .name = "soft_threshold",
    .attributes = sizeof(activation_attributes),
    .shape = graph_same_shape,
    .forward = graph_activation_forward,
    .form = graph_activation_form,
    .backward = graph_activation_backward,
    .flops = graph_elementwise_flops,
    .needs_output = true,
    .in_place = 1u << 0,
    .activation = HISS_SOFT_THRESHOLD,
    .word = {"soft_threshold", "threshold", .argument = {{"threshold", -1, 0, 1e6, false}}, .build = build},
    .example = example};

hiss_value hiss_graph_soft_threshold(hiss_graph *graph, hiss_value x, double threshold) {
    return graph_append(graph, (node){.op = &graph_op_soft_threshold,
                                      .attributes = &(activation_attributes){(float)threshold},
                                      .input = {x},
                                      .inputs = 1});
}
