/* The lanes' vectors of one rank and their sums up to the rank's maximal subtrees. No MPI. Nothing here is
 * collective. */
#ifndef HISS_COMM_POOL_IMPL_H
#define HISS_COMM_POOL_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "hiss/reducer.h"

typedef struct comm_lane_sums comm_lane_sums;

/* A sums for lanes [first, end) of `lanes`, at most `threads` of them in flight, each started before at
 * most `ahead` earlier ones that are not. bucket_offsets must stay alive.
 *   narrow  in  [buckets] whose sums are rounded to bfloat16 (wire_impl.h); must stay alive
 *   memory  in  comm_lane_sums_need floats, aligned to 64 bytes, that must stay alive; NULL: it allocates them
 *   lent    as in hiss_reducer_options, copied; then no memory */
comm_lane_sums *comm_lane_sums_create(int64_t lanes, int64_t first, int64_t end, int buckets,
                                      const int64_t *bucket_offsets, const bool *narrow, int threads, int64_t ahead,
                                      float *memory, const hiss_reducer_lent *lent);
/* The floats of all vectors, of `count` floats each, where none are lent; 0: a rank without lanes. */
int64_t comm_lane_sums_need(int64_t lanes, int64_t first, int64_t end, int64_t count, int threads, int64_t ahead);
/* As hiss_reducer_own, for vectors of `count` floats. */
int64_t comm_lane_sums_own(int64_t lanes, int64_t first, int64_t end, int64_t count, int threads,
                           const hiss_reducer_lent *lent);
int64_t comm_lane_sums_floats(const comm_lane_sums *sums); /* of vectors, without lent pieces */
void comm_lane_sums_destroy(comm_lane_sums *sums);         /* NULL is allowed */

/* One step: start, then lane and done from any thread; it ends when every used bucket is complete and read.
 *   used  in  [buckets] */
void comm_lane_sums_start(comm_lane_sums *sums, const bool *used);
float *comm_lane_sums_lane(comm_lane_sums *sums, int64_t lane);
void comm_lane_sums_done(comm_lane_sums *sums, int64_t lane, int bucket);

/* Whether all that can be added of a bucket has been; afterwards the caller may read and change it in the roots. */
bool comm_lane_sums_complete(const comm_lane_sums *sums, int bucket);
/* The vector that holds the sum of the subtree starting at lane `root`. */
float *comm_lane_sums_root(const comm_lane_sums *sums, int64_t root);

void comm_add_floats(float *restrict into, const float *restrict from, int64_t count); /* into += from */

#endif
