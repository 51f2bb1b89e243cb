/* Ranks, lanes over ranks, the canonical tree reduction, and the block/coordinator protocol.
 *
 * MPI is used in src/dist only. An MPI failure aborts the job there, naming rank, file and line. MPI is called by the
 * main thread only (MPI_THREAD_FUNNELED), which takes subnormal numbers for zero afterwards (hiss/subnormal.h). All
 * collective calls of hiss are in this header. */
#ifndef HISS_DIST_H
#define HISS_DIST_H

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
double hiss_comm_sum(hiss_comm *comm, double value); /* over ranks, in their order. Collective */
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

/* ---- what MPI and the network are ---- */

/* "Open MPI v4.1.4", of the library that runs, and of the headers hiss was built with; empty when unknown. Not
 * collective. */
enum { HISS_LIBRARY_TEXT = 64 };
void hiss_comm_library(char running[HISS_LIBRARY_TEXT], char built[HISS_LIBRARY_TEXT]);
/* Seconds for `count` bytes from rank a to rank b or back, the median of `rounds` there-and-backs, on every rank. The
 * others wait. a != b. Collective. Allocates. */
double hiss_comm_ping(hiss_comm *comm, int a, int b, int64_t count, int rounds);

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

/* ---- the gradient reducer: buckets, overlap, ZeRO-1 slices ---- */

typedef struct hiss_reducer hiss_reducer;

typedef enum hiss_reduce { HISS_REDUCE_TREE, HISS_REDUCE_MPI } hiss_reduce;

typedef struct hiss_range {
    int64_t begin, end;
} hiss_range;

/* Norms that updates need: sums of squares over segments of the vector, or over all of them, which are known before
 * anything that depends on them is updated.
 *
 * Segments have terms, each a vector of the segment's length that `measure` makes from the sum and the model, such as
 * the gradient. A bucket goes through the rounds of its set. When a rank has the sum of a slice, it holds and measures
 * it; when the squares of all ranks are in, the round is over. The next round's terms may depend on them. After the
 * last round the slices are updated. A round that is `whole` ends in all used buckets of the set together, others end
 * bucket by bucket, while backward goes on.
 *
 * Squares are added in double: within blocks of HISS_NORM_BLOCK floats, then along the canonical tree (hiss_tree_sum)
 * over the blocks of a segment, then over the segments of a set in ascending order. They are bitwise equal on all
 * ranks, for every P, partition, number of threads and bucket size. */
enum { HISS_NORM_BLOCK = 16, HISS_NORM_STRIP = 1024, HISS_NORM_ROUNDS = 2, HISS_NORM_TERMS = 2 };

typedef struct hiss_norm_rounds {
    int count; /* 0: updates do not wait */
    struct {
        int terms; /* at most HISS_NORM_TERMS */
        bool whole;
    } round[HISS_NORM_ROUNDS];
} hiss_norm_rounds;

/* Called on the main thread for floats [begin, end), at most HISS_NORM_STRIP, of a segment: writes the terms of the
 * round, end - begin floats each. sum points at element begin, as in hiss_reducer_update; user as given there. */
typedef void (*hiss_reducer_measure)(void *user, int segment, int round, int64_t begin, int64_t end, const float *sum,
                                     float *const term[HISS_NORM_TERMS]);

typedef struct hiss_reducer_norms {
    int segments;
    const hiss_range *segment; /* [segments] ascending, none across buckets, from multiples of HISS_NORM_BLOCK */
    int sets;
    const hiss_norm_rounds *rounds; /* [sets] */
    const int *set;                 /* [buckets] the set of a bucket and all its segments; -1: none */
    hiss_reducer_measure measure;
} hiss_reducer_norms;

typedef struct hiss_reducer_options {
    hiss_comm *comm;
    int64_t lanes;               /* L */
    const int64_t *lane_offsets; /* [P+1], copied */
    int64_t count;               /* floats per lane vector */
    int buckets;
    const int64_t *bucket_offsets; /* [buckets+1] ascending, 0 .. count, copied */
    int threads;                   /* how many lanes are in flight on this rank at most */
    int64_t ahead;                 /* lanes may be started before up to so many earlier ones; 0: in ascending order */
    hiss_reduce reduce;            /* TREE: bit-stable over P. MPI: MPI_Iallreduce, not bit-stable over P */
    bool overlap;                  /* start a bucket when its last local lane is done; else all at finish */
    int group_size; /* TREE: neighbouring ranks that exchange among themselves first; 0: chosen by P, 1: no groups.
                       Equal on all ranks; the sums do not depend on it */
    const hiss_reducer_norms *norms; /* NULL: updates need none; copied. Equal on all ranks */
} hiss_reducer_options;

/* Called on the main thread when the sum of floats [begin, end) of the lane vectors is complete and this rank owns
 * them: writes the new values into model[begin..end). sum points at element begin. */
typedef void (*hiss_reducer_update)(void *user, int64_t begin, int64_t end, const float *sum);

/* Collective. Allocates everything; nothing is allocated later. */
hiss_status hiss_reducer_create(const hiss_reducer_options *options, hiss_reducer **out, hiss_error *err);
void hiss_reducer_destroy(hiss_reducer *r); /* Collective */

/* The ranges of the vector this rank owns, ascending, disjoint; over ranks they cover [0, count) once (TREE), or every
 * rank owns everything (MPI). Not collective. Returns their number. */
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
 * their last _done. Lanes must be started in ascending order but for `ahead` (bounds memory). */
void hiss_reducer_start(hiss_reducer *r, const bool *used, float *model, hiss_reducer_update update, void *user);
float *hiss_reducer_lane(hiss_reducer *r, int64_t lane);
void hiss_reducer_done(hiss_reducer *r, int64_t lane, int bucket);
void hiss_reducer_progress(hiss_reducer *r);
void hiss_reducer_finish(hiss_reducer *r);

/* Sums of squares of this step, for `measure` and `update`: of a segment, or of a set in a round that is whole. Valid
 * once that round is over; 0 where buckets are not used. Not collective. */
double hiss_reducer_squares(const hiss_reducer *r, int segment, int round, int term);
double hiss_reducer_set_squares(const hiss_reducer *r, int set, int round, int term);

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

/* Messages between lanes and the coordinators of their blocks. With g lanes per block (g divides L), block b holds
 * lanes lane_order[b*g .. b*g+g-1]; its coordinator is the owner of lane_order[b*g].
 *
 * A use begins with start. Then each block goes through rounds of its own: every one of its lanes sends a message up;
 * when all have arrived the coordinator is told (HISS_BLOCK_COMPLETE) and sends a message down to each of them
 * before it asks for the next event; the lane is told in turn (HISS_LANE_ANSWERED); `more` says that the lane will send
 * again. No block and no rank waits for another one that it has no lanes in common with. finish ends the use.
 *
 * All calls are for the main thread, none but create, destroy and finish is collective, none but these blocks. Buffers
 * may be read and written by any thread. Lanes are named by their number on this rank, messages are made of words of
 * four bytes. */
typedef struct hiss_coordinator hiss_coordinator;

typedef struct hiss_block_event {
    enum { HISS_BLOCK_NOTHING, HISS_BLOCK_COMPLETE, HISS_LANE_ANSWERED } kind;
    int64_t index; /* COMPLETE: slot; ANSWERED: local lane */
} hiss_block_event;

/* Collective. Allocates everything.
 *   up, down  words of the longest message to a coordinator and from one */
hiss_status hiss_coordinator_create(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets,
                                    int64_t lanes_per_block, int64_t up, int64_t down, hiss_coordinator **out,
                                    hiss_error *err);
void hiss_coordinator_destroy(hiss_coordinator *c); /* Collective; NULL is allowed */

/* Begin a use.  lane_order [L]: a permutation of the lanes, equal on all ranks; must stay until finish */
void hiss_coordinator_start(hiss_coordinator *c, const int64_t *lane_order);
/* The blocks this rank coordinates, in ascending order: how many there are, and which. */
int64_t hiss_coordinator_slots(const hiss_coordinator *c);
int64_t hiss_coordinator_block(const hiss_coordinator *c, int64_t slot);
/* Send words[count], which must stay until the lane is answered. */
void hiss_coordinator_send_up(hiss_coordinator *c, int64_t lane, const void *words, int64_t count);
/* Where the message of the block's j-th lane stands, `up` words before that of the next lane. */
void *hiss_coordinator_up(const hiss_coordinator *c, int64_t slot, int64_t j);
/* Write words[count] into the message to the block's j-th lane, from its word `at` on, by copy or where it stands; and
 * send the first `count` words of it. */
void hiss_coordinator_write(hiss_coordinator *c, int64_t slot, int64_t j, int64_t at, const void *words, int64_t count);
void *hiss_coordinator_down(const hiss_coordinator *c, int64_t slot, int64_t j);
void hiss_coordinator_send_down(hiss_coordinator *c, int64_t slot, int64_t j, int64_t count, bool more);
/* What a lane was answered, and how many words of it; stays until the lane sends again or the next start. */
const void *hiss_coordinator_answer(const hiss_coordinator *c, int64_t lane);
int64_t hiss_coordinator_answer_words(const hiss_coordinator *c, int64_t lane);
/* The next thing that has happened. */
hiss_block_event hiss_coordinator_next(hiss_coordinator *c);
/* The same, waiting until something has happened or nothing is under way. */
hiss_block_event hiss_coordinator_wait(hiss_coordinator *c);
/* Wait until what was sent is on its way. All events must have been taken. */
void hiss_coordinator_finish(hiss_coordinator *c);

/* Messages that this rank has sent to others so far, in all uses, and the bytes in them. */
int64_t hiss_coordinator_messages(const hiss_coordinator *c);
double hiss_coordinator_bytes(const hiss_coordinator *c);

/* As hiss_comm_agree, but the lowest `place` decides whose code and text hold, whatever its rank. Collective.
 *   place  where this rank failed (< 2^31); ignored when mine is HISS_OK */
hiss_status hiss_comm_agree_at(hiss_comm *comm, hiss_status mine, int64_t place, hiss_error *err);

#endif
