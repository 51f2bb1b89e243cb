/* Ranks: the launcher, the communicator, lanes over ranks, and the canonical tree reduction.
 *
 * MPI is used in src/comm only. An MPI failure aborts the job there, naming rank, file and line. MPI is called by the
 * main thread only (MPI_THREAD_FUNNELED), which takes subnormal numbers for zero afterwards (hiss/subnormal.h). The
 * other collective calls of src/comm are in hiss/reducer.h, hiss/coordinator.h and hiss/watch.h. */
#ifndef HISS_COMM_H
#define HISS_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hiss/status.h"

/* ---- the launcher ---- */

/* A process beside this one that kills a launcher of Open MPI that hangs after this process has failed. */
typedef struct hiss_launcher_watch {
    int process;    /* its id; -1: none, because no such launcher has started this process, or the system refused */
    int rank_lives; /* descriptor: open until this process ends */
} hiss_launcher_watch;

/* Call it first, so that nothing can fail before. Needs no MPI. Not collective. */
hiss_launcher_watch hiss_launcher_watch_start(void);
/* This process is about to return from main with exit_code: 0 and 85 end the watch, after any other it goes on for ten
 * seconds. Not collective. */
void hiss_launcher_watch_stop(hiss_launcher_watch watch, int exit_code);

/* ---- communicator ---- */

typedef struct hiss_comm hiss_comm;

/* Start MPI and wrap the world. Collective. argc, argv as main got them. */
hiss_status hiss_comm_open(int *argc, char ***argv, hiss_comm **out, hiss_error *err);
void hiss_comm_close(hiss_comm *comm); /* Collective. Finalises MPI. NULL is allowed. */
/* This rank by itself, for work that it does while others do theirs. Not collective. NULL is allowed. */
hiss_comm *hiss_comm_alone_create(void);
void hiss_comm_alone_destroy(hiss_comm *comm);
_Noreturn void hiss_comm_abort(hiss_comm *comm, int exit_code); /* Not collective: ends every rank at once. */
int hiss_comm_rank(const hiss_comm *comm);                      /* Not collective */
int hiss_comm_size(const hiss_comm *comm);                      /* Not collective */
double hiss_comm_bytes_sent(const hiss_comm *comm); /* payload bytes this rank has sent so far. Not collective. */

/* Make a status common. Collective. When every rank passes HISS_OK, returns HISS_OK; else every rank returns the code
 * of the lowest failing rank, and err holds that rank's text on every rank. */
hiss_status hiss_comm_agree(hiss_comm *comm, hiss_status mine, hiss_error *err);
/* As hiss_comm_agree, but the lowest `place` decides whose code and text hold, whatever its rank. Collective.
 *   place  where this rank failed (< 2^31); ignored when mine is HISS_OK */
hiss_status hiss_comm_agree_at(hiss_comm *comm, hiss_status mine, int64_t place, hiss_error *err);
/* Collective; blocks. true when bytes are equal on all ranks (a check of logically collective arguments). */
bool hiss_comm_equal(hiss_comm *comm, const void *bytes, int64_t count);
void hiss_comm_barrier(hiss_comm *comm);                                         /* Collective */
void hiss_comm_broadcast(hiss_comm *comm, void *bytes, int64_t count, int root); /* Collective */
int64_t hiss_comm_max_i64(hiss_comm *comm, int64_t value);                       /* Collective */
double hiss_comm_sum(hiss_comm *comm, double value); /* over ranks, in their order. Collective */
/* out[0..2] = min, median, max over ranks of value. Collective. */
void hiss_comm_min_median_max(hiss_comm *comm, double value, double out[3]);
/* Concatenate in rank order: rank r contributes offsets[r+1] - offsets[r] bytes (offsets [P+1], equal on all ranks).
 * gather: all[] is written on root only, may be NULL elsewhere. Collective. Handles > 2^31 bytes in pieces. */
void hiss_comm_gather(hiss_comm *comm, const void *mine, const int64_t *offsets, void *all, int root);
void hiss_comm_allgather(hiss_comm *comm, const void *mine, const int64_t *offsets, void *all); /* Collective */

/* Send bytes [send_offsets[r], send_offsets[r+1]) to rank r, for all r, and receive likewise; offsets [P+1], and what r
 * sends to q is what q expects of r. Allocates. Collective; blocks. */
void hiss_comm_alltoallv(hiss_comm *comm, const void *send, const int64_t *send_offsets, void *receive,
                         const int64_t *receive_offsets);

/* ---- what MPI and the network are ---- */

/* "Open MPI 4.1.4", "MPICH 4.0.2", "Intel MPI 2021.18", of the library that runs, and of the headers hiss was built
 * with; empty when unknown. Any time. Not collective. */
enum { HISS_LIBRARY_TEXT = 64 };
void hiss_comm_library(char running[HISS_LIBRARY_TEXT], char built[HISS_LIBRARY_TEXT]);
/* Seconds for `count` bytes from rank a to rank b or back, the median of `rounds` there-and-backs, on every rank. The
 * others wait. a != b. Collective. Allocates. */
double hiss_comm_ping(hiss_comm *comm, int a, int b, int64_t count, int rounds);
/* How far this rank's clock is ahead of rank 0's, by so many messages there and back, of which the quickest counts:
 * wrong by `error` at most, half of what that one took. Rank 0 has 0, 0. Collective.
 *   rounds  at least 1
 *   now     the clock, in seconds; user is handed to it */
typedef struct hiss_clock_offset {
    double seconds, error;
} hiss_clock_offset;
hiss_clock_offset hiss_comm_clock(hiss_comm *comm, int rounds, double (*now)(void *user), void *user);

/* ---- partition ---- */

/* offsets[parts+1]: n items over parts, the first n % parts one longer; fewer items than parts lie apart, the first in
 * part 0. Not collective. */
void hiss_partition(int64_t n, int64_t parts, int64_t *offsets);

/* ---- canonical tree over lanes ---- */

/* Sum of per-lane vectors, associated as a fixed binary tree over lanes 0..L-1: the node (level j, index k) covers
 * lanes [k 2^j, min(L, (k+1) 2^j)); its value is left child + right child, or the left child alone when the right one
 * is empty. A rank owns lanes [lane_offsets[rank], lane_offsets[rank+1]). The result is bitwise equal on all ranks and
 * for every P and lane_offsets.
 * Blocking form, for set-up and evaluation. Collective.
 *   values  in  [local lanes] pointers to count doubles each; not changed
 *   out     [count] the sum, on every rank */
void hiss_tree_sum(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets, int64_t count,
                   const double *const *values, double *out);

/* The same sum of lanes that come one after the other; it keeps about two vectors per level of the tree. Use over and
 * over: an own lane's vector by _add, in ascending order, then _finish; _start forgets what has been added.
 *   floats, values, tail  in  a vector is values[floats], then tail[count - floats]
 *   out                   [count] the sum, on every rank
 * _finish is collective, the others are not. */
typedef struct hiss_tree_adder hiss_tree_adder;
hiss_tree_adder *hiss_tree_adder_create(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets, int64_t count);
void hiss_tree_adder_destroy(hiss_tree_adder *adder); /* NULL is allowed */
void hiss_tree_adder_start(hiss_tree_adder *adder);
void hiss_tree_adder_add(hiss_tree_adder *adder, int64_t floats, const float *values, const double *tail);
void hiss_tree_adder_finish(hiss_tree_adder *adder, double *out); /* Collective */

#endif
