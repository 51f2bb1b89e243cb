/* The directory of a run, and who may use it. */
#ifndef HISS_RUN_DIRECTORY_H
#define HISS_RUN_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "hiss/comm.h"

typedef struct hiss_run_directory {
    const char *run;
    int lock;  /* descriptor, -1: not locked by this process */
    bool made; /* created by this process; holds only the lock until the run begins */
} hiss_run_directory;

bool hiss_run_directory_has(const char *run, const char *name); /* Not collective */
/* Whether a process trains there now, as far as the file system has locks. Not collective. */
bool hiss_run_directory_busy(const char *run);
/* Lock it for this run, and remove what dead processes left unfinished. Collective.
 *   wait   seconds to wait for a process that still holds it
 *   fresh  an error when it already holds a run */
hiss_status hiss_run_directory_open(hiss_run_directory *d, hiss_comm *comm, double wait, bool fresh, hiss_error *err);
/* Whether all ranks see what rank 0 has locked. Collective. */
hiss_status hiss_run_directory_shared(const hiss_run_directory *d, hiss_comm *comm, hiss_error *err);
/* Whether there is room for `most` checkpoints of so many bytes at once, those that are there included; advice: what to
 * do when not. On rank 0 only. Not collective. */
hiss_status hiss_run_directory_room(const hiss_run_directory *d, int64_t bytes, int64_t most, const char *advice,
                                    hiss_error *err);
/* The run can begin: its resolved config replaces an earlier one; a summary of fewer steps is no longer true.
 * Collective. */
hiss_status hiss_run_directory_begin(hiss_run_directory *d, hiss_comm *comm, const char *config, hiss_error *err);
/* The run has ended before: write its resolved config where config.yaml is lost, or not the one whose hash summary.yaml
 * has. Collective. */
hiss_status hiss_run_directory_mend(const hiss_run_directory *d, hiss_comm *comm, const char *config, hiss_error *err);
/* Remove what this process has made, unless the run has begun. Any thread. Not collective. */
void hiss_run_directory_undo(void *directory);
void hiss_run_directory_close(hiss_run_directory *d); /* Not collective */

#endif
