#include "objective/parts/gaussian.h"

hiss_value objective_gaussian_draw(hiss_graph *graph, hiss_value mean, hiss_value log_variance, hiss_value noise) {
    const hiss_value deviation = hiss_graph_exp(graph, hiss_graph_scale(graph, log_variance, 0.5));
    return hiss_graph_add(graph, mean, hiss_graph_multiply(graph, deviation, noise));
}
