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

hiss_value hiss_graph_filled(hiss_graph *graph, hiss_shape shape, float value) {
    const int64_t count = hiss_shape_count(&shape);
    float *values = hiss_arena_alloc(graph->arena, (size_t)count * sizeof(float));
    for (int64_t i = 0; i < count; i++) {
        values[i] = value;
    }
    return graph_append(graph, (node){.op = &graph_op_constant, .shape = shape, .constant = values});
}
