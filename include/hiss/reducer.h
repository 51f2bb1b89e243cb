/* The gradient reducer: buckets, overlap with backward, ZeRO-1 slices, norms before the update. */
#ifndef HISS_REDUCER_H
#define HISS_REDUCER_H

#include <stdbool.h>
#include <stdint.h>

#include "hiss/comm.h"

typedef struct hiss_reducer hiss_reducer;

typedef enum hiss_reduce { HISS_REDUCE_TREE, HISS_REDUCE_MPI } hiss_reduce;
#define HISS_REDUCE_CHOICES "tree|mpi" /* their names, in order */

/* What sums and new values travel as. BF16: sums of every node of the tree, and the changes that updates make, are
 * rounded to bfloat16, on all ranks alike, whether they travel or not. */
typedef enum hiss_wire { HISS_WIRE_FLOAT32, HISS_WIRE_BF16 } hiss_wire;
#define HISS_WIRE_CHOICES "float32|bf16" /* their names, in order */

/* How ranks of one node exchange: ON by memory that they share, OFF by messages, AUTO as it costs less. The sums do not
 * depend on it. */
typedef enum hiss_node { HISS_NODE_OFF, HISS_NODE_ON, HISS_NODE_AUTO } hiss_node;
#define HISS_NODE_CHOICES "off|on|auto" /* their names, in order */

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

/* Memory for lane vectors: first `own` floats, always free for them, and right behind these `pieces` of `piece` floats
 * each. Piece i is free for them when the local lanes 0 .. i have done all their buckets, until the end of the step. */
typedef struct hiss_reducer_lent {
    float *memory; /* [own + pieces * piece], aligned to 64 bytes; not owned, as long as the reducer */
    int64_t own, piece, pieces;
} hiss_reducer_lent;

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
    const hiss_wire *wire;         /* [buckets] NULL: all FLOAT32. BF16 with TREE only. Copied; equal on all ranks */
    bool overlap;                  /* start a bucket when its last local lane is done; else all at finish */
    int group_size; /* TREE: neighbouring ranks that exchange among themselves first; 0: chosen by P, 1: no groups.
                       Equal on all ranks; the sums do not depend on it */
    hiss_node node; /* TREE, group_size 0: neighbouring ranks of a node exchange among themselves first, in memory. ON
                       fails where there is none to share, AUTO warns. Equal on all ranks */
    int64_t room;   /* TREE: floats of other ranks' sums that it takes at a time, if that is room for a few messages;
                       0: 2097152. Less memory; what finds no room waits at the sender. Without norms only */
    const hiss_reducer_norms *norms; /* NULL: updates need none; copied. Equal on all ranks */
    const hiss_reducer_lent *lent;   /* NULL: it allocates what lane vectors need; copied. With ahead 0 only */
} hiss_reducer_options;

/* Called on the main thread when the sum of floats [begin, end) of the lane vectors is complete and this rank owns
 * them: writes the new values into model[begin..end). sum points at element begin. */
typedef void (*hiss_reducer_update)(void *user, int64_t begin, int64_t end, const float *sum);

/* The least `own` of options->lent with which no lane waits for memory while lanes end in the order in which they start;
 * options->lent->memory and own do not matter. A multiple of 16. Not collective. */
int64_t hiss_reducer_own(const hiss_reducer_options *options);
/* Collective. Allocates everything; nothing is allocated later. */
hiss_status hiss_reducer_create(const hiss_reducer_options *options, hiss_reducer **out, hiss_error *err);
void hiss_reducer_destroy(hiss_reducer *r); /* Collective */

/* Memory of vectors and of what arrives, without pieces that are lent; shared memory is that of the rank that made it.
 * Not collective. */
int64_t hiss_reducer_bytes(const hiss_reducer *r);
/* How many ranks exchange with this one in memory, itself included; 1: none else. Not collective. */
int hiss_reducer_shares(const hiss_reducer *r);

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
 * their last _done. Lanes must be started in ascending order but for `ahead` (bounds memory). With lent memory _lane
 * may block until earlier lanes are done; a lane between its _lane and its last _done must not wait for others. */
void hiss_reducer_start(hiss_reducer *r, const bool *used, float *model, hiss_reducer_update update, void *user);
float *hiss_reducer_lane(hiss_reducer *r, int64_t lane);
void hiss_reducer_done(hiss_reducer *r, int64_t lane, int bucket);
void hiss_reducer_progress(hiss_reducer *r);
void hiss_reducer_finish(hiss_reducer *r); /* Collective */

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
/* When a bucket was in flight on this rank in the last step, by hiss_seconds(): from when its first message could go to
 * its last message or update. begin 0: it was not used. Not collective. */
typedef struct hiss_reducer_flight {
    double begin, end;
} hiss_reducer_flight;
hiss_reducer_flight hiss_reducer_bucket(const hiss_reducer *r, int bucket);
/* The schedule of all ranks, one line per message: bucket, from, to, numbers; lines with # are remarks. Not collective.
 * stream is a FILE *. */
void hiss_reducer_print(const hiss_reducer *r, void *stream);

#ifdef HISS_SIMULATED                          /* only in the library for the simulator (docs/simulation.md) */
void hiss_simulated_additions(double seconds); /* what adding a float takes. Not collective. */
#endif

#endif
