/* The watch's inside: the ring and the wait of a rank (watch.c), datagrams between ranks (heartbeat.c), and the thread
 * that judges (watchdog.c). */
#ifndef HISS_COMM_WATCH_IMPL_H
#define HISS_COMM_WATCH_IMPL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hiss/watch.h"

enum { HISS_WATCH_RING = 64, HISS_WATCH_SHOWN = 16, HISS_WATCH_PEERS = 4, HISS_WATCH_TEXT = 40 };

/* ---- what this rank does ---- */

typedef struct comm_watch_entry {
    _Atomic(const char *) what;
    _Atomic int64_t number, step;
    _Atomic double since; /* hiss_seconds */
} comm_watch_entry;

typedef struct comm_watchdog comm_watchdog;

typedef struct comm_watch {
    comm_watch_entry ring[HISS_WATCH_RING];
    _Atomic uint64_t written; /* entries so far: the next goes to written % HISS_WATCH_RING */
    _Atomic int64_t step;
    /* The main thread's wait, one at a time. Odd version: being changed. */
    _Atomic uint64_t version, waits; /* waits: how many have begun */
    _Atomic bool waiting;
    _Atomic(const char *) what;
    _Atomic int64_t number;
    _Atomic int peers; /* ranks waited for, those in peer[] and more; 0: all others */
    _Atomic int peer[HISS_WATCH_PEERS];
    int *seen;                  /* [P] scratch of the main thread */
    comm_watchdog *dog;         /* NULL: not started */
    void (*at_end)(void *user); /* called when another rank ends the job; NULL: nothing */
    void *user;
} comm_watch;

/* A copy of the wait, for other threads. */
typedef struct comm_wait {
    bool waiting;
    uint64_t number_of_wait;
    const char *what;
    int64_t number;
    int peers, peer[HISS_WATCH_PEERS];
} comm_wait;
comm_wait comm_watch_wait(const comm_watch *w);

/* The newest entry as text: what it is and its number. */
void comm_watch_last(const comm_watch *w, char out[HISS_WATCH_TEXT]);
/* The ring's end on stderr, oldest first; `own`: the rank's name. */
void comm_watch_show(const comm_watch *w, const char *own);

/* The main thread begins to wait for others, and ends it. Waits do not nest. */
void comm_wait_begin(hiss_comm *comm, const char *what, int64_t number);
void comm_wait_end(hiss_comm *comm);
/* Say more of the wait that has begun: for whom. Forget earlier ones, add, publish. */
void comm_wait_forget(hiss_comm *comm);
void comm_wait_add(hiss_comm *comm, int rank);
void comm_wait_publish(hiss_comm *comm, const char *what, int64_t number);

/* ---- the thread ---- */

/* Let the watchdogs of all ranks be quiet: this rank ends the job with that code and has said why. */
void comm_watch_ends(hiss_comm *comm, int exit_code);
void comm_watch_act(const hiss_comm *comm); /* what hiss_watch_at_end asks for */

#endif
