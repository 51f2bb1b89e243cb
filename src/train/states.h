/* Private to train: the states of the method, whole and in parts. */
#ifndef HISS_TRAIN_STATES_H
#define HISS_TRAIN_STATES_H

#include "hiss/snapshot.h"
#include "train/trainer.h"

int train_states_of(const trainer *t, hiss_state out[HISS_MAX_STATES]); /* how many. Not collective */
typedef struct states_range {
    int64_t rows, begin, end; /* of the whole state, and those of this rank */
} states_range;
states_range train_states_own(const trainer *t, const hiss_state *state);      /* Not collective */
int64_t train_states_bytes(const trainer *t, const hiss_state *state);         /* of this rank's part. Not collective */
hiss_h5_info train_states_info(const trainer *t, const hiss_state *state);     /* in a checkpoint. Not collective */
void train_states_name(const hiss_state *state, char out[HISS_SNAPSHOT_NAME]); /* in a checkpoint. Not collective */
/* A whole state into all, on rank 0; NULL elsewhere. Collective. */
void train_states_gather(trainer *t, const hiss_state *state, void *all);
/* SHA-256 of a whole state, on rank 0. Collective. */
void train_states_hash(trainer *t, const hiss_state *state, char text[HISS_HASH_TEXT]);
bool train_states_are_finite(const trainer *t); /* of this rank. Not collective */
/* The name of a state of the run that is not equal on all ranks; NULL: there is none. Collective. */
const char *train_states_differ(trainer *t, char name[HISS_SNAPSHOT_NAME]);

#endif
