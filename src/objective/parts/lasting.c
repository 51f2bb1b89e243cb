#include "objective/parts/lasting.h"

hiss_value objective_lasting_input(hiss_graph *graph, const char *name, hiss_shape shape) {
    const hiss_value x = hiss_graph_input(graph, name, shape);
    if (x >= 0) {
        hiss_graph_keep(graph, x);
    }
    return x;
}
