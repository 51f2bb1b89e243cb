/* The value of a slot: it lies in the model vector, and its gradient in the lane vector. */
#include "graph/ops/ops.h"

static bool equal(const node *a, const node *b) {
    return a->slot == b->slot && hiss_shape_equal(&a->shape, &b->shape);
}

const op graph_op_parameter = {
    .name = "parameter", .leaf = true, .equal = equal, .home = HOME_MODEL, .exempt = GRAPH_LEAF_EXEMPT};

hiss_value hiss_graph_parameter(hiss_graph *graph, int slot, hiss_shape shape, bool trainable) {
    return graph_append(graph,
                        (node){.op = &graph_op_parameter, .slot = slot, .shape = shape, .wants_gradient = trainable});
}
