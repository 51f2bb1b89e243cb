/* Private to src/objective/sparse: whitening of patches, a fixed linear layer that is measured when a run starts. */
#ifndef HISS_OBJECTIVE_SPARSE_WHITEN_H
#define HISS_OBJECTIVE_SPARSE_WHITEN_H

#include "hiss/objective.h"

typedef struct sparse_whiten_options { /* section "whiten", which methods of this folder share */
    bool on;
    double floor;
} sparse_whiten_options;
extern const hiss_row sparse_whiten_rows[];
extern const int sparse_whiten_nrows;

/* Patches x [M,D], whitened, [M,D]; x itself where it is off, and with parameters that are not measured yet. */
hiss_value sparse_whiten(const sparse_whiten_options *o, hiss_builder *b, hiss_value x);

/* At the begin of the run's first epoch: measure it over the training patches. Where it is off, or not the first epoch,
 * nothing.
 *   phase, value  patches in that phase's graph, which has them before the cut: [m, q, D], q patches of a sample, or [m,
 *                 ...] with one patch of all its D values
 *   D             values of a patch
 * Errors are those of reading, and patches that are all flat. Collective. */
hiss_status sparse_whiten_measure(const sparse_whiten_options *o, const hiss_task *task, const hiss_placement *p,
                                  const hiss_epoch *e, int phase, hiss_value value, int64_t floats_of_sample, int64_t D,
                                  hiss_error *err);

#endif
