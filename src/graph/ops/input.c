/* Arrays that the caller fills before forward, found again by name: float32, or numbers, int32, labels among them. */
#include "graph/ops/ops.h"

#include <string.h>

const op graph_op_input = {.name = "input", .leaf = true, .exempt = GRAPH_LEAF_EXEMPT};
const op graph_op_labels = {.name = "labels", .leaf = true, .exempt = GRAPH_LEAF_EXEMPT};

hiss_value hiss_graph_input(hiss_graph *graph, const char *name, hiss_shape shape) {
    return graph_append(graph,
                        (node){.op = &graph_op_input, .name = hiss_arena_text(graph->arena, name), .shape = shape});
}

hiss_value hiss_graph_input_numbers(hiss_graph *graph, const char *name, hiss_shape shape) {
    return graph_append(graph,
                        (node){.op = &graph_op_labels, .name = hiss_arena_text(graph->arena, name), .shape = shape});
}

hiss_value hiss_graph_input_labels(hiss_graph *graph, const char *name, int64_t M) {
    return hiss_graph_input_numbers(graph, name, HISS_SHAPE(M));
}

hiss_value hiss_graph_input_named(const hiss_graph *graph, const char *name) {
    for (int i = 0; i < graph->count; i++) {
        const char *found = graph->nodes[i].name;
        if (found && strcmp(found, name) == 0) {
            return i;
        }
    }
    return -1;
}
