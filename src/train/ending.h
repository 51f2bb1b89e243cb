/* Private to train: why a run may have to end before it is done. Not collective. */
#ifndef HISS_TRAIN_ENDING_H
#define HISS_TRAIN_ENDING_H

#include <stdbool.h>

#include "hiss/status.h"

/* From now until release, SIGUSR1, SIGTERM and SIGINT are noted instead of ending the process; but a SIGINT that
 * follows one of them ends it at once, with 130. speak: say so when the first SIGINT comes. */
void train_ending_catch(bool speak);
void train_ending_release(void);
bool train_ending_asked(void); /* a signal came */

/* When to be gone, by hiss_seconds(): `limit` seconds from now, or at SLURM_JOB_END_TIME, whichever comes first;
 * INFINITY when neither is set. limit 0: not set.
 *   source  out  which of them, for messages */
double train_ending_deadline(double limit, const char **source);

#endif
