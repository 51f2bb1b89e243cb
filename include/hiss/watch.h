/* What a rank does and whom it waits for, kept for the moment something stops.
 *
 * Every communicator has a ring of the last operations of this process and the wait of its main thread. Both are
 * written all the time by plain stores, and read by a thread beside the main one, the watchdog, on ranks that have
 * started it. src/comm notes its own waits; others note what they compute.
 *
 * When the watchdog ends a job it says why in one line on one rank, and shows that rank's ring:
 *
 *   hiss: error: rank 0 (n1) has waited 61 s in step 120 for rank 2 (n3): reduce bucket 4; rank 2 gives no sign of life
 *
 * What counts as silence is at the top of src/comm/watchdog.c and in docs/failures.md. */
#ifndef HISS_WATCH_H
#define HISS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "hiss/comm.h"

/* The step that operations noted from now on belong to. Main thread. Not collective. */
void hiss_watch_step(hiss_comm *comm, int64_t step);

/* An operation begins on this rank, such as "forward of lane", 3. Any thread; some ten nanoseconds. Not collective.
 *   what    in  a string literal: the pointer is kept
 *   number  in  -1: none */
void hiss_watch_note(hiss_comm *comm, const char *what, int64_t number);

/* Start the watchdog of every rank. Collective. Nothing happens with one rank, or when seconds is 0.
 *   seconds        in  silence that ends the job with exit code 70; equal on all ranks
 *   asked_to_stop  in  whether this process got a signal: then a rank that waits for a dead one says so at once. NULL:
 *                      nobody asks */
void hiss_watch_start(hiss_comm *comm, int64_t seconds, bool (*asked_to_stop)(void));
/* End it; the rest of the program is not watched. Collective. Does nothing when none was started. */
void hiss_watch_stop(hiss_comm *comm);
/* Call act(user) when another rank ends the job, in the watchdog's thread. NULL: nothing. Not collective. */
void hiss_watch_at_end(hiss_comm *comm, void (*act)(void *user), void *user);

#endif
