/* Private to train: what happens when numbers go wrong, because they are not finite or because a machine changed them.
 * The user's view is docs/numeric-faults.md. Lanes are watched while they run; all ranks come to the same verdict at
 * the end of a step, and again before a checkpoint. */
#ifndef HISS_TRAIN_GUARD_H
#define HISS_TRAIN_GUARD_H

#include "hiss/train.h"

struct trainer;
struct phase;
typedef struct guard guard;

typedef enum verdict { VERDICT_GO_ON, VERDICT_SKIPPED, VERDICT_BACK } verdict; /* BACK: call train_guard_go_back */

typedef struct guard_counts { /* since this process began */
    int64_t rollbacks, checks;
} guard_counts;

/* After buckets, phases and reducer are there. Not collective. */
guard *train_guard_create(struct trainer *t);
void train_guard_destroy(guard *g); /* NULL is allowed */
guard_counts train_guard_counted(const guard *g);

/* ---- during a step. Not collective, any thread, one thread per lane ---- */

/* The lanes of a phase are about to run. */
void train_guard_before_lanes(struct trainer *t, const struct phase *ph);
/* A forward node of the lane has run (a place for faults on demand). */
void train_guard_node(struct trainer *t, const struct phase *ph, hiss_exec *exec, int node);
/* The lane ran forward to the cut (run->lane_vector NULL: its exports are looked at), or to its end (statistics and
 * metrics are). When something is not finite, forward runs again to find out where; the lane's values stay valid. */
void train_guard_forward(struct trainer *t, const struct phase *ph, const hiss_lane *lane,
                         const hiss_exec_context *run);
/* The lane's bucket is final: look at its gradients; the last bucket of a phase carries what was found to all ranks. */
void train_guard_bucket(struct trainer *t, const struct phase *ph, const hiss_lane *lane, int bucket,
                        float *lane_vector);

/* ---- on the main thread ---- */

void train_guard_begin(struct trainer *t); /* of a step. Not collective */
/* Before an update of [begin, end) of the model vector, which this rank owns. Not collective. */
void train_guard_keep(struct trainer *t, int64_t begin, int64_t end);
/* After a phase: whether any lane of any rank was not finite. The same on all ranks. Not collective. */
bool train_guard_tripped(const struct trainer *t);
/* The exchange of a method failed with `why` on all ranks: HISS_OK when lanes that are not finite explain it, and then
 * the step has to end as if tripped. Collective. */
hiss_status train_guard_exchange_failed(struct trainer *t, const char *why, hiss_error *err);
/* Judge the step: sets t->verdict, or fails. Before t->step counts it. Collective. */
hiss_status train_guard_end(struct trainer *t, hiss_error *err);
/* Judge the state between steps, which is about to be saved: sets t->verdict to GO_ON or BACK, or fails. Collective. */
hiss_status train_guard_vouch(struct trainer *t, hiss_error *err);
/* The run goes on from the checkpoint at path. Not collective. */
void train_guard_resumed(struct trainer *t, const char *path);
void train_guard_start(struct trainer *t); /* after that, if any, and before the first step. Not collective */
/* Load the last checkpoint of the run, or the one it was resumed from, or make the initial state again; the step after
 * it is the next one. Collective. */
hiss_status train_guard_go_back(struct trainer *t, hiss_error *err);

#endif
