/* Private to train: the directory of a run, and who may use it. */
#ifndef HISS_TRAIN_RUN_DIRECTORY_H
#define HISS_TRAIN_RUN_DIRECTORY_H

#include "hiss/train.h"

typedef struct run_directory {
    const char *run;
    int lock;  /* descriptor, -1: not locked by this process */
    bool made; /* created by this process; holds only the lock until the run begins */
} run_directory;

bool run_directory_has(const char *run, const char *name); /* Not collective */
/* Lock it for this run, and remove what dead processes left unfinished. Collective. */
hiss_status run_directory_open(run_directory *d, const hiss_train_request *request, hiss_error *err);
/* Whether all ranks see what rank 0 has locked. Collective. */
hiss_status run_directory_shared(const run_directory *d, hiss_comm *comm, hiss_error *err);
/* Whether there is room for `most` checkpoints of so many bytes at once, those that are there included; advice: what to
 * do when not. On rank 0 only. Not collective. */
hiss_status run_directory_room(const run_directory *d, int64_t bytes, int64_t most, const char *advice,
                               hiss_error *err);
/* The run can begin: its config replaces an earlier one; a summary of fewer steps is no longer true. Collective. */
hiss_status run_directory_begin(run_directory *d, const hiss_train_request *request, hiss_error *err);
/* Remove what this process has made, unless the run has begun. Any thread. Not collective. */
void run_directory_undo(void *directory);
void run_directory_close(run_directory *d); /* Not collective */

#endif
