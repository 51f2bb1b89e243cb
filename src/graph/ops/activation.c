/* One of the activations of the kernels, with a slope. */
#include "graph/ops/ops.h"

typedef struct attributes {
    hiss_activation kind;
    float slope;
} attributes;

static void forward(const op_call *call) {
    const attributes *a = call->node->attributes;
    graph_activation_forward(call, a->kind, a->slope);
}

static void backward(const op_call *call) {
    const attributes *a = call->node->attributes;
    graph_activation_backward(call, a->kind, a->slope);
}

static void example(hiss_graph *g, int variant) {
    static const hiss_activation kinds[] = {HISS_RELU, HISS_LEAKY_RELU, HISS_SIGMOID, HISS_TANH};
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(3, 7));
    graph_example_weigh(g, hiss_activate(g, variant > 3 ? hiss_scale(g, x, 1.5) : x, kinds[variant % 4], 0.2));
}

static hiss_value build(hiss_graph *graph, int count, const hiss_value *x, const double *a) {
    (void)count;
    return hiss_activate(graph, x[0], HISS_LEAKY_RELU, a[0]);
}

const op graph_op_activation = {
    .name = "activation",
    .attributes = sizeof(attributes),
    .shape = graph_same_shape,
    .forward = forward,
    .backward = backward,
    .flops = graph_elementwise_flops,
    .needs_output = true,
    .in_place = true,
    .word = {"leaky_relu", "slope", .argument = {{"slope", -1, 0, 1, false}}, .build = build},
    .example = example};

hiss_value hiss_activate(hiss_graph *graph, hiss_value x, hiss_activation kind, double slope) {
    return graph_append(
        graph,
        (node){.op = &graph_op_activation, .attributes = &(attributes){kind, (float)slope}, .input = {x}, .inputs = 1});
}
