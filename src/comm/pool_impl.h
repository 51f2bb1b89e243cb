/* The lanes' vectors of one rank and their sums up to the rank's maximal subtrees. No MPI. Nothing here is
 * collective. */
#ifndef HISS_COMM_POOL_IMPL_H
#define HISS_COMM_POOL_IMPL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct hiss_pool hiss_pool;

/* A pool for lanes [first, end) of `lanes`, at most `threads` of them in flight, each started before at
 * most `ahead` earlier ones that are not. bucket_offsets must stay alive. */
hiss_pool *hiss_pool_create(int64_t lanes, int64_t first, int64_t end, int buckets, const int64_t *bucket_offsets,
                            int threads, int64_t ahead);
void hiss_pool_destroy(hiss_pool *pool); /* NULL is allowed */

/* One step: start, then lane and done from any thread; it ends when every used bucket is complete and read.
 *   used  in  [buckets] */
void hiss_pool_start(hiss_pool *pool, const bool *used);
float *hiss_pool_lane(hiss_pool *pool, int64_t lane);
void hiss_pool_done(hiss_pool *pool, int64_t lane, int bucket);

/* Whether all that can be added of a bucket has been; afterwards the caller may read and change it in the roots. */
bool hiss_pool_complete(const hiss_pool *pool, int bucket);
/* The vector that holds the sum of the subtree starting at lane `root`. */
float *hiss_pool_root(const hiss_pool *pool, int64_t root);

void hiss_add_floats(float *restrict into, const float *restrict from, int64_t count); /* into += from */

#endif
