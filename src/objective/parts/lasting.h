/* Private to src/objective: inputs of graphs that are run again and again. */
#ifndef HISS_OBJECTIVE_PARTS_LASTING_H
#define HISS_OBJECTIVE_PARTS_LASTING_H

#include "hiss/graph.h"

/* An input that holds from pass to pass: nothing else gets its memory. -1 once the graph has failed. Not collective. */
hiss_value objective_lasting_input(hiss_graph *graph, const char *name, hiss_shape shape);

#endif
