/* Completions: lower halves that a model of pixels in order draws for upper halves of test images, as a picture on the page
 * of an evaluation (hiss_measure_ops). */
#ifndef AUTOREGRESSIVE_COMPLETIONS_H
#define AUTOREGRESSIVE_COMPLETIONS_H

#include "hiss/objective.h"

typedef struct completions {
    const hiss_task *task;
    const hiss_generation_ops *generation;
    /* The next pass of making images, of which the rows above `first` are given: see hiss_generation_ops.advance. */
    bool (*advance)(void *self, const hiss_lane *lane, int64_t pass, uint64_t seed, int64_t first, int *begin,
                    int *end);
    const char *file; /* of the sheet: test images, their upper halves, completions */
} completions;

/* For hiss_measure_ops: what is kept of a test image, itself and its class. Not collective, as is the next. */
int64_t autoregressive_shown(const hiss_task *task);
void autoregressive_show(const hiss_task *task, const hiss_lane *lane, int64_t i, float *out);
/* Draw them on rank 0, by graphs of self, and say so; nothing where no images are shown. Collective. */
hiss_status autoregressive_complete(const completions *how, void *self, const hiss_measured *x, hiss_error *err);

#endif
