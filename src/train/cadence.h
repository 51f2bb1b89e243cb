/* Private to train: when a checkpoint is due, which ones stay, and when to end before the time is over. Pure; not
 * collective: rank 0 decides, and the others hear of it with the sums of the step. */
#ifndef HISS_TRAIN_CADENCE_H
#define HISS_TRAIN_CADENCE_H

#include "hiss/experiment.h"

/* Seconds between checkpoints by Young and Daly: sqrt(2 * blocked * mtbf), where blocked is what one checkpoint costs
 * the computation; but at least 10 times what writing it takes in the background, and 10 s. */
double train_cadence_young(double blocked, double written, double mtbf);

/* Steps of an interval that counts epochs or steps; 0: it does not. */
int64_t train_cadence_steps(const hiss_interval *every, int64_t steps_per_epoch);

typedef struct cadence_state { /* what the decision looks at; steps count from the start of the run */
    int64_t step, steps_per_epoch;
    double since;            /* seconds since the last checkpoint, or the start */
    double blocked, written; /* seconds a checkpoint costs: measured, or guessed before the first */
} cadence_state;

typedef enum cadence_due {
    CADENCE_NOT,
    CADENCE_DUE,      /* may be left out while the one before is still being written */
    CADENCE_MILESTONE /* of keep_every: must be written */
} cadence_due;
cadence_due train_cadence_at(const hiss_checkpoint_options *options, const cadence_state *state);

/* Whether the checkpoint of `step` stays, now that there are those of steps[count], newest first; those beyond
 * `newest`, just written, were written before a rollback, and are kept. */
bool train_cadence_keeps(const hiss_checkpoint_options *options, int64_t steps_per_epoch, int64_t newest,
                         const int64_t *steps, int count, int64_t step);

/* The most checkpoints that lie there at once in a run of so many steps: those that stay, and the one being written.
 *   milestones  out  how many of them keep_every keeps */
int64_t train_cadence_most(const hiss_checkpoint_options *options, int64_t steps_per_epoch, int64_t steps,
                           int64_t *milestones);

/* Seconds that must be left when a step begins that is not the last: that step and one more, the longest seen; twice
 * the time of a checkpoint, for the one before may still be under way; and the margin. */
double train_cadence_reserve(double longest_step, double checkpoint, double margin);

#endif
