/* Fixed values, copied into the graph. */
#include "graph/ops/ops.h"

#include <string.h>

const op graph_op_constant = {.name = "constant", .leaf = true, .home = HOME_GRAPH, .exempt = GRAPH_LEAF_EXEMPT};

hiss_value hiss_graph_constant(hiss_graph *graph, hiss_shape shape, const float *values) {
    const size_t bytes = (size_t)hiss_shape_count(&shape) * sizeof(float);
    float *copy = hiss_arena_alloc(graph->arena, bytes);
    memcpy(copy, values, bytes);
    return graph_append(graph, (node){.op = &graph_op_constant, .shape = shape, .constant = copy});
}
