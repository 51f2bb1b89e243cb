/* Private to src/objective: the mean and the covariance of what all training samples have. */
#ifndef HISS_OBJECTIVE_PARTS_COVARIANCE_H
#define HISS_OBJECTIVE_PARTS_COVARIANCE_H

#include "hiss/objective.h"

/* Over `each` rows of every training sample: the same bits on any number of ranks and threads. Collective.
 *   rows        in   [local samples, each, D] float32, finite
 *   mean        out  [D]
 *   covariance  out  [D, D], divided by the number of rows */
void objective_covariance(const hiss_task *task, const hiss_placement *placement, const hiss_epoch *e, int64_t each,
                          int64_t D, const float *rows, double *mean, double *covariance);

#endif
