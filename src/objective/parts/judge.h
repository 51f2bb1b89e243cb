/* Private to src/objective: what density models say of themselves in evaluation (hiss_measure_ops). */
#ifndef OBJECTIVE_PARTS_JUDGE_H
#define OBJECTIVE_PARTS_JUDGE_H

#include "hiss/objective.h"

/* Pixels are among the numbers of an image, from number `first` on. The mean of pixel i over training images, as if one
 * more image were grey: none is certain. Not collective, as are the next two. */
double objective_pixel_mean(const hiss_measured *m, int64_t first, int64_t i);
/* -log p of test images of D pixels where these are independent, in nats. */
double objective_independent_pixels(const hiss_measured *m, int64_t first, int64_t D);
void objective_say(const hiss_measured *m, const char *group, const char *name, const char *heading, const char *unit,
                   double value, double spread, double baseline, int64_t samples);

#endif
