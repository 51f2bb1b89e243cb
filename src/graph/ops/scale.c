/* y = factor x. */
#include "graph/ops/ops.h"

typedef struct attributes {
    float factor;
} attributes;

static void forward(const op_call *call) {
    const attributes *a = call->node->attributes;
    call->kernels->axpby(hiss_shape_count(&call->node->shape), a->factor, call->x[0], 0.0f, call->y);
}

static void backward(const op_call *call) {
    const attributes *a = call->node->attributes;
    call->kernels->axpby(hiss_shape_count(&call->node->shape), a->factor, call->dy, call->accumulate[0] ? 1.0f : 0.0f,
                         call->dx[0]);
}

static void form(const node *n, hiss_node_form *out) {
    out->number = (double)((const attributes *)n->attributes)->factor;
}

static void example(hiss_graph *g, int variant) {
    graph_example_weigh(g, hiss_graph_scale(g, graph_example_slot(g, 0, HISS_SHAPE(3, 5)), variant - 1.5));
}

const op graph_op_scale = {.name = "scale",
                           .attributes = sizeof(attributes),
                           .shape = graph_same_shape,
                           .equal = graph_equal_attributes,
                           .forward = forward,
                           .form = form,
                           .backward = backward,
                           .flops = graph_elementwise_flops,
                           .example = example};

hiss_value hiss_graph_scale(hiss_graph *graph, hiss_value x, double factor) {
    return graph_append(
        graph,
        (node){.op = &graph_op_scale, .attributes = &(attributes){.factor = (float)factor}, .input = {x}, .inputs = 1});
}
