/* Private to src/objective: draws of latents in graphs. Not collective. */
#ifndef HISS_OBJECTIVE_PARTS_GAUSSIAN_H
#define HISS_OBJECTIVE_PARTS_GAUSSIAN_H

#include "hiss/graph.h"

/* mean + e^(log_variance / 2) noise, of any equal shapes: a draw whose gradient reaches both (Kingma & Welling 2014, section 2.4). -1 once
 * the graph has failed. */
hiss_value objective_gaussian_draw(hiss_graph *graph, hiss_value mean, hiss_value log_variance, hiss_value noise);

#endif
