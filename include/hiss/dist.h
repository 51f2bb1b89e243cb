/* Ranks, lanes over ranks, the canonical tree reduction, and the block/coordinator protocol.
 *
 * MPI is used in src/dist only. An MPI failure aborts the job there, naming rank, file and line. MPI is called by the
 * main thread only (MPI_THREAD_FUNNELED). All collective calls of hiss are in this header. */
#ifndef HISS_DIST_H
#define HISS_DIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hiss/status.h"

/* ---- communicator ---- */

typedef struct hiss_comm hiss_comm;

/* Start MPI and wrap the world. Collective. argc, argv as main got them. */
hiss_status hiss_comm_open(int *argc, char ***argv, hiss_comm **out, hiss_error *err);
void hiss_comm_close(hiss_comm *comm);                          /* Collective. Finalises MPI. NULL is allowed. */
_Noreturn void hiss_comm_abort(hiss_comm *comm, int exit_code); /* Not collective: ends every rank at once. */
int hiss_comm_rank(const hiss_comm *comm);                      /* Not collective */
int hiss_comm_size(const hiss_comm *comm);                      /* Not collective */
double hiss_comm_bytes_sent(const hiss_comm *comm); /* payload bytes this rank has sent so far. Not collective. */

/* Make a status common. Collective. When every rank passes HISS_OK, returns HISS_OK; else every rank returns the code
 * of the lowest failing rank, and err holds that rank's text on every rank. */
hiss_status hiss_comm_agree(hiss_comm *comm, hiss_status mine, hiss_error *err);
/* Collective; blocks. true when bytes are equal on all ranks (a check of logically collective arguments). */
bool hiss_comm_equal(hiss_comm *comm, const void *bytes, int64_t count);
void hiss_comm_barrier(hiss_comm *comm);                                         /* Collective */
void hiss_comm_broadcast(hiss_comm *comm, void *bytes, int64_t count, int root); /* Collective */
int64_t hiss_comm_max_i64(hiss_comm *comm, int64_t value);                       /* Collective */
/* out[0..2] = min, median, max over ranks of value. Collective. */
void hiss_comm_spread(hiss_comm *comm, double value, double out[3]);
/* Concatenate in rank order: rank r contributes offsets[r+1] - offsets[r] bytes (offsets [P+1], equal on all ranks).
 * gather: all[] is written on root only, may be NULL elsewhere. Collective. Handles > 2^31 bytes in pieces. */
void hiss_comm_gather(hiss_comm *comm, const void *mine, const int64_t *offsets, void *all, int root);
void hiss_comm_allgather(hiss_comm *comm, const void *mine, const int64_t *offsets, void *all);

/* Send bytes [send_offsets[r], send_offsets[r+1]) to rank r, for all r, and receive likewise; offsets [P+1], and what r
 * sends to q is what q expects of r. Allocates. Collective; blocks. */
void hiss_comm_exchange(hiss_comm *comm, const void *send, const int64_t *send_offsets, void *receive,
                        const int64_t *receive_offsets);

/* ---- partition ---- */

/* offsets[parts+1]: n items over parts, the first n % parts one longer. Not collective. */
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

/* ---- the gradient reducer: buckets, overlap, ZeRO-1 slices ---- */

typedef struct hiss_reducer hiss_reducer;

typedef enum hiss_reduce { HISS_REDUCE_TREE, HISS_REDUCE_MPI } hiss_reduce;

typedef struct hiss_reducer_options {
    hiss_comm *comm;
    int64_t lanes;               /* L */
    const int64_t *lane_offsets; /* [P+1], copied */
    int64_t count;               /* floats per lane vector */
    int buckets;
    const int64_t *bucket_offsets; /* [buckets+1] ascending, 0 .. count, copied */
    int threads;                   /* how many lanes are in flight on this rank at most */
    hiss_reduce reduce;            /* TREE: bit-stable over P. MPI: MPI_Iallreduce, not bit-stable over P */
    bool overlap;                  /* start a bucket when its last local lane is done; else all at finish */
    int group_size; /* TREE: neighbouring ranks that exchange among themselves first; 0: chosen by P, 1: no groups.
                       Equal on all ranks; the sums do not depend on it */
} hiss_reducer_options;

/* Called on the main thread when the sum of floats [begin, end) of the lane vectors is complete and this rank owns
 * them: writes the new values into model[begin..end). sum points at element begin. */
typedef void (*hiss_reducer_update)(void *user, int64_t begin, int64_t end, const float *sum);

/* Collective. Allocates everything; nothing is allocated later. */
hiss_status hiss_reducer_create(const hiss_reducer_options *options, hiss_reducer **out, hiss_error *err);
void hiss_reducer_destroy(hiss_reducer *r); /* Collective */

/* The ranges of the vector this rank owns, ascending, disjoint; over ranks they cover [0, count) once (TREE), or every
 * rank owns everything (MPI). Not collective. Returns their number. */
typedef struct hiss_range {
    int64_t begin, end;
} hiss_range;
int hiss_reducer_owned(const hiss_reducer *r, const hiss_range **ranges);

/* One step:
 *   hiss_reducer_start(r, buckets used, model, update, user)    main thread, Collective, does not block
 *   per lane, any thread, each local lane once and in any order:
 *     float *g = hiss_reducer_lane(r, lane)                     count floats, contents undefined, owned by r
 *     hiss_reducer_done(r, lane, bucket)                        g's bucket is final; each used bucket once per lane;
 *                                                               g must not be touched in that bucket afterwards
 *   hiss_reducer_progress(r)                                    main thread, at will, Not collective, does not block
 *   hiss_reducer_finish(r)                                      main thread, Collective, blocks until model is complete
 * used[buckets]: which buckets take part this step (NULL: all; at least one), equal on all ranks; others leave model
 * alone. update is called once for each piece of an owned range, in the order in which pieces become complete.
 * progress outside a step does nothing.
 * model [count] must stay alive from start to finish; a bucket of it changes between the time its gradient is done on
 * every lane and finish. Threads call _lane and _done concurrently; at most `threads` lanes may be between _lane and
 * their last _done. Lanes should be started in ascending order (bounds memory). */
void hiss_reducer_start(hiss_reducer *r, const bool *used, float *model, hiss_reducer_update update, void *user);
float *hiss_reducer_lane(hiss_reducer *r, int64_t lane);
void hiss_reducer_done(hiss_reducer *r, int64_t lane, int bucket);
void hiss_reducer_progress(hiss_reducer *r);
void hiss_reducer_finish(hiss_reducer *r);

/* Gather a vector cut like the owned ranges: packed holds this rank's ranges one after another; full[count] is written
 * on rank 0 only (NULL elsewhere). Collective. */
void hiss_reducer_gather(hiss_reducer *r, const float *packed, float *full);

typedef struct hiss_reducer_times {
    double wait;     /* seconds the main thread spent blocked in finish */
    double transfer; /* seconds from the first bucket's start to the last one's end */
    double sum;      /* seconds in additions on the main thread */
} hiss_reducer_times;
hiss_reducer_times hiss_reducer_last(const hiss_reducer *r); /* of the last step. Not collective. */
/* The schedule of all ranks, one line per message: bucket, from, to, floats; lines with # are remarks. Not collective.
 * stream is a FILE *. */
void hiss_reducer_print(const hiss_reducer *r, void *stream);

#ifdef HISS_SIMULATED                          /* only in the library for the simulator (docs/simulation.md) */
void hiss_simulated_additions(double seconds); /* what adding a float takes. Not collective. */
#endif

/* ---- blocks and coordinators ---- */

/* Blocks of lanes, each solved by one coordinator. With g lanes per block (g divides L), block b holds lanes
 * lane_order[b*g .. b*g+g-1]; its matrix is [g*m, g*m], rows in that order of lanes. The coordinator of block b is the
 * owner of lane_order[b*g]. */
typedef struct hiss_coordinator hiss_coordinator;

/* Solve one block on its coordinator: matrix [n, n] row-major (may be changed), answer [n] in: identity, out: the
 * column of each row. Called on the thread that calls hiss_coordinator_solve. */
typedef hiss_status (*hiss_block_solve)(void *user, int64_t block, int64_t n, float *matrix, int32_t *answer,
                                        hiss_error *err);

/* Collective. Allocates everything. */
hiss_status hiss_coordinator_create(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets, int64_t lane_samples,
                                    int64_t lanes_per_block, hiss_coordinator **out, hiss_error *err);
void hiss_coordinator_destroy(hiss_coordinator *c);

/* One use of a coordinator is gather, solve, scatter, in this order; between them the ranks may do other things.
 *   lane_order [L]  in  a permutation of the lanes, equal on all ranks; must stay until scatter
 *   rows    [local lanes] in   pointers to [m, g*m] scores of that lane's samples
 *   answer  [local lanes] out  pointers to [m] columns (0 .. g*m-1) */

/* Send rows to their coordinators and wait for those of this rank's blocks. Collective. */
void hiss_coordinator_gather(hiss_coordinator *c, const int64_t *lane_order, const float *const *rows);
/* Solve this rank's blocks, in ascending order. Not collective, calls no MPI: may run on a thread of its own. */
void hiss_coordinator_solve(hiss_coordinator *c, hiss_block_solve solve, void *user);
/* Return answers to the lanes' owners. Collective; no rank hangs when a solve failed: every rank returns the status of
 * the lowest failing block. */
hiss_status hiss_coordinator_scatter(hiss_coordinator *c, int32_t *const *answer, hiss_error *err);

/* All three. Collective; blocks.
 *   seconds [3] out  gather, solve, scatter on this rank */
hiss_status hiss_coordinator_run(hiss_coordinator *c, const int64_t *lane_order, const float *const *rows,
                                 hiss_block_solve solve, void *user, int32_t *const *answer, double seconds[3],
                                 hiss_error *err);

#endif
