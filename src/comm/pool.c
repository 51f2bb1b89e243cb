/* Adding lanes up while other lanes are still computing.
 *
 * A lane works in a slot, a vector of the whole length. When it is done with a bucket, that bucket of the slot is a
 * finished leaf of the canonical tree, and its thread climbs: each addition of the tree has one flag per bucket, named
 * like the addition by the lane that starts its right child (tree.c). The first child to arrive sets the flag and
 * leaves; the second turns it back, adds right into left and goes on with the sum. So each addition is done once, by
 * the thread for which the operands are warm, without any lock around it, and the flags need no reset between steps.
 * The flag's acquire-release order makes the first child's floats, and its slot number, visible to the second.
 *
 * The sum of a node stands in the slot of its first lane. A slot counts the buckets that have not been added into
 * another slot; at zero it is free for the next lane. With lanes started in ascending order hiss_tree_slots bounds the
 * number of slots: about threads * (1 + log2 lanes) + 2 log2 lanes, and never more than the lanes of the rank. A lane
 * that is started ahead of an earlier one holds at most one slot more. */
#include "comm/pool_impl.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "comm/payload_impl.h"
#include "comm/tree_impl.h"
#include "hiss/alloc.h"

struct hiss_pool {
    int64_t lanes, first, end;
    int buckets;
    const int64_t *bucket_offsets;
    int64_t roots; /* maximal subtrees of this rank */

    int64_t slots, stride;
    float *floats;        /* [slots, stride] */
    _Atomic int *held;    /* [slots] used buckets that still live in this slot */
    int64_t *slot_of;     /* [local lanes], -1: not started */
    pthread_mutex_t lock; /* guards the list of free slots */
    int64_t *free_slots;  /* [slots] */
    int64_t free_count;

    atomic_uchar *arrived;       /* [buckets, local lanes] whether the first child of the lane's addition is there */
    _Atomic int64_t *unfinished; /* [buckets] subtrees of this rank */
    int used_count;
};

#ifndef HISS_SIMULATED
void hiss_add_floats(float *restrict into, const float *restrict from, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        into[i] += from[i];
    }
}
#endif

hiss_pool *hiss_pool_create(int64_t lanes, int64_t first, int64_t end, int buckets, const int64_t *bucket_offsets,
                            int threads, int64_t ahead) {
    hiss_pool *pool = hiss_new(hiss_pool, 1);
    int64_t local = end - first, count = bucket_offsets[buckets];
    pool->lanes = lanes;
    pool->first = first;
    pool->end = end;
    pool->buckets = buckets;
    pool->bucket_offsets = bucket_offsets;
    pool->roots = hiss_tree_roots(lanes, first, end, NULL);
    pool->slots = hiss_tree_slots(lanes, first, end, threads) + ahead;
    pool->slots = pool->slots < local ? pool->slots : local;
    pool->stride = (count + HISS_ALIGN_FLOATS - 1) / HISS_ALIGN_FLOATS * HISS_ALIGN_FLOATS;
    pool->floats = hiss_new_floats(pool->slots * pool->stride);
    pool->held = hiss_new(_Atomic int, pool->slots);
    pool->slot_of = hiss_new(int64_t, local);
    pool->free_slots = hiss_new(int64_t, pool->slots);
    pool->arrived = hiss_new(atomic_uchar, buckets * local);
    pool->unfinished = hiss_new(_Atomic int64_t, buckets);
    pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

void hiss_pool_destroy(hiss_pool *pool) {
    if (!pool) {
        return;
    }
    pthread_mutex_destroy(&pool->lock);
    hiss_free(pool->unfinished);
    hiss_free(pool->arrived);
    hiss_free(pool->free_slots);
    hiss_free(pool->slot_of);
    hiss_free(pool->held);
    hiss_free_floats(pool->floats);
    hiss_free(pool);
}

void hiss_pool_start(hiss_pool *pool, const bool *used) {
    pool->used_count = 0;
    for (int b = 0; b < pool->buckets; b++) {
        pool->used_count += used[b];
        assert(hiss_pool_complete(pool, b) && "the step before has not ended");
        atomic_store(&pool->unfinished[b], used[b] ? pool->roots : 0);
    }
    assert(pool->used_count > 0 && "a step without buckets would never give slots back");
    for (int64_t i = 0; i < pool->end - pool->first; i++) {
        pool->slot_of[i] = -1;
    }
    pool->free_count = pool->slots;
    for (int64_t i = 0; i < pool->slots; i++) {
        pool->free_slots[i] = pool->slots - 1 - i;
    }
}

float *hiss_pool_lane(hiss_pool *pool, int64_t lane) {
    assert(lane >= pool->first && lane < pool->end && pool->slot_of[lane - pool->first] < 0);
    pthread_mutex_lock(&pool->lock);
    assert(pool->free_count > 0 && "more lanes in flight than threads, or lanes not started in ascending order");
    int64_t slot = pool->free_slots[--pool->free_count];
    pthread_mutex_unlock(&pool->lock);
    atomic_store(&pool->held[slot], pool->used_count);
    pool->slot_of[lane - pool->first] = slot;
    return pool->floats + slot * pool->stride;
}

float *hiss_pool_root(const hiss_pool *pool, int64_t root) {
    return pool->floats + pool->slot_of[root - pool->first] * pool->stride;
}

static void add_right_into_left(hiss_pool *pool, int64_t right, int bucket) {
    int64_t begin = pool->bucket_offsets[bucket], count = pool->bucket_offsets[bucket + 1] - begin;
    hiss_add_floats(hiss_pool_root(pool, hiss_tree_parent(right)) + begin, hiss_pool_root(pool, right) + begin, count);
    int64_t slot = pool->slot_of[right - pool->first];
    if (atomic_fetch_sub(&pool->held[slot], 1) == 1) {
        pthread_mutex_lock(&pool->lock);
        pool->free_slots[pool->free_count++] = slot;
        pthread_mutex_unlock(&pool->lock);
    }
}

void hiss_pool_done(hiss_pool *pool, int64_t lane, int bucket) {
    assert(lane >= pool->first && lane < pool->end && pool->slot_of[lane - pool->first] >= 0);
    atomic_uchar *arrived = pool->arrived + bucket * (pool->end - pool->first);
    int64_t node = lane; /* first lane of the finished subtree of 2^level lanes */
    for (int level = 0; node || ((int64_t)1 << level) < pool->lanes; level++) {
        bool is_right = node && hiss_tree_level(node) == level;
        int64_t right = is_right ? node : node + ((int64_t)1 << level);
        if (right >= pool->lanes) {
            continue;
        }
        if (!hiss_tree_within(pool->lanes, right, pool->first, pool->end)) {
            break;
        }
        if (atomic_fetch_xor(&arrived[right - pool->first], 1) == 0) {
            return;
        }
        add_right_into_left(pool, right, bucket);
        node = hiss_tree_parent(right);
    }
    atomic_fetch_sub(&pool->unfinished[bucket], 1);
}

bool hiss_pool_complete(const hiss_pool *pool, int bucket) {
    return atomic_load(&pool->unfinished[bucket]) == 0;
}
