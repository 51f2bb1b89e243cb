/* What the examples of operations share. */
#include "graph/ops/ops.h"

hiss_value graph_example_slot(hiss_graph *g, int number, hiss_shape shape) {
    return hiss_graph_parameter(g, number, shape, true);
}

void graph_example_weigh(hiss_graph *g, hiss_value y) {
    if (y >= 0) {
        hiss_graph_loss(g, hiss_graph_squared_loss(g, y, hiss_graph_input(g, "weights", hiss_graph_shape(g, y)), 0.5));
    }
}
