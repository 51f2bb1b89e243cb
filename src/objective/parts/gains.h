/* Private to src/objective: windows, of which nothing is masked and all weights start by what they read. */
#ifndef HISS_OBJECTIVE_PARTS_GAINS_H
#define HISS_OBJECTIVE_PARTS_GAINS_H

#include "hiss/nn.h"

/* Gains, by what a layer reads, with which what stands before a gate starts with a variance of about 1: gates, whose mean
 * square is then 0.11; what stands before gates; rectified values, or their sums. */
static const double of_gates = 8.0, of_sums = 1.0, of_relu = 2.0;

/* hiss_layer_conv_window, whose weights start with deviation sqrt(gain / fan_in). Not collective. */
hiss_value objective_window(hiss_builder *b, double gain, const char *name, hiss_value x, int64_t F, int64_t R,
                            int64_t S);

#endif
