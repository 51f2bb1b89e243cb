/* Buffers that a method measures over the training set when a run starts. */
#ifndef OBJECTIVE_PARTS_MEASURED_H
#define OBJECTIVE_PARTS_MEASURED_H

#include "hiss/objective.h"

/* Whether the run measures the buffer `name`; not where train.freeze keeps it, which then must hold something: what was
 * measured is never all zeros. what: "the shares of colours". */
hiss_status objective_measures(const hiss_epoch *e, const char *name, const char *what, bool *measures,
                               hiss_error *err);

#endif
