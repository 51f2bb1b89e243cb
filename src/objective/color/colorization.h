/* Private to src/objective/color: the colouriser's options and state, which training and measures share. */
#ifndef HISS_OBJECTIVE_COLOR_COLORIZATION_H
#define HISS_OBJECTIVE_COLOR_COLORIZATION_H

#include "objective/color/ab.h"

enum { COLORIZE_CLASSES, COLORIZE_L2 };

typedef struct colorization_options {
    int loss;
    double temperature;
    color_options ab;
} colorization_options;

typedef struct colorization {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const colorization_options *options;
    color_ab ab;
    hiss_value image, output; /* of the graph of measures */
} colorization;

/* Scores of bins at each place, [N h w, Q]; with the loss l2 a and b, [N h w, 2], in units of 50. Not collective. */
hiss_status color_output(const colorization *c, hiss_builder *b, hiss_value image, hiss_value *output, hiss_error *err);

extern const hiss_measure_ops color_measure;

#endif
