/* Private to src/objective: clusters of what all training samples have. */
#ifndef HISS_OBJECTIVE_PARTS_KMEANS_H
#define HISS_OBJECTIVE_PARTS_KMEANS_H

#include "hiss/objective.h"

typedef struct objective_clusters {
    int64_t rounds;    /* that were made */
    int64_t empty;     /* clusters without samples */
    double distortion; /* mean squared distance from the centre, of the last round */
    double *count;     /* [k] samples of each; owned by the caller, may be NULL */
} objective_clusters;

/* k-means of one row of every training sample: the same bits on any number of ranks and threads. Collective.
 *   rows     in   [local samples, D] float32, finite
 *   centre   out  [k, D]
 *   cluster  out  [local samples] */
void objective_kmeans(const hiss_placement *placement, const hiss_epoch *e, uint64_t seed, int64_t D, const float *rows,
                      int64_t k, double *centre, int64_t *cluster, objective_clusters *report);

#endif
