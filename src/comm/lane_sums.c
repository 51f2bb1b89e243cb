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
 * another slot; at zero it is free for the next lane. With lanes started in ascending order comm_tree_slots bounds the
 * number of slots: about threads * (1 + log2 lanes) + 2 log2 lanes, and never more than the lanes of the rank. A lane
 * that is started ahead of an earlier one holds at most one slot more. */
#include "comm/lane_sums_impl.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "comm/payload_impl.h"
#include "comm/tree_impl.h"
#include "hiss/alloc.h"

struct comm_lane_sums {
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
void comm_add_floats(float *restrict into, const float *restrict from, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        into[i] += from[i];
    }
}
#endif

comm_lane_sums *comm_lane_sums_create(int64_t lanes, int64_t first, int64_t end, int buckets,
                                      const int64_t *bucket_offsets, int threads, int64_t ahead) {
    comm_lane_sums *sums = hiss_new(comm_lane_sums, 1);
    int64_t local = end - first, count = bucket_offsets[buckets];
    sums->lanes = lanes;
    sums->first = first;
    sums->end = end;
    sums->buckets = buckets;
    sums->bucket_offsets = bucket_offsets;
    sums->roots = comm_tree_roots(lanes, first, end, NULL);
    sums->slots = comm_tree_slots(lanes, first, end, threads) + ahead;
    sums->slots = sums->slots < local ? sums->slots : local;
    sums->stride = (count + HISS_ALIGN_FLOATS - 1) / HISS_ALIGN_FLOATS * HISS_ALIGN_FLOATS;
    sums->floats = hiss_new_floats(sums->slots * sums->stride);
    sums->held = hiss_new(_Atomic int, sums->slots);
    sums->slot_of = hiss_new(int64_t, local);
    sums->free_slots = hiss_new(int64_t, sums->slots);
    sums->arrived = hiss_new(atomic_uchar, buckets * local);
    sums->unfinished = hiss_new(_Atomic int64_t, buckets);
    pthread_mutex_init(&sums->lock, NULL);
    return sums;
}

void comm_lane_sums_destroy(comm_lane_sums *sums) {
    if (!sums) {
        return;
    }
    pthread_mutex_destroy(&sums->lock);
    hiss_free(sums->unfinished);
    hiss_free(sums->arrived);
    hiss_free(sums->free_slots);
    hiss_free(sums->slot_of);
    hiss_free(sums->held);
    hiss_free_floats(sums->floats);
    hiss_free(sums);
}

void comm_lane_sums_start(comm_lane_sums *sums, const bool *used) {
    sums->used_count = 0;
    for (int b = 0; b < sums->buckets; b++) {
        sums->used_count += used[b];
        assert(comm_lane_sums_complete(sums, b) && "the step before has not ended");
        atomic_store(&sums->unfinished[b], used[b] ? sums->roots : 0);
    }
    assert(sums->used_count > 0 && "a step without buckets would never give slots back");
    for (int64_t i = 0; i < sums->end - sums->first; i++) {
        sums->slot_of[i] = -1;
    }
    sums->free_count = sums->slots;
    for (int64_t i = 0; i < sums->slots; i++) {
        sums->free_slots[i] = sums->slots - 1 - i;
    }
}

float *comm_lane_sums_lane(comm_lane_sums *sums, int64_t lane) {
    assert(lane >= sums->first && lane < sums->end && sums->slot_of[lane - sums->first] < 0);
    pthread_mutex_lock(&sums->lock);
    assert(sums->free_count > 0 && "more lanes in flight than threads, or lanes not started in ascending order");
    int64_t slot = sums->free_slots[--sums->free_count];
    pthread_mutex_unlock(&sums->lock);
    atomic_store(&sums->held[slot], sums->used_count);
    sums->slot_of[lane - sums->first] = slot;
    return sums->floats + slot * sums->stride;
}

float *comm_lane_sums_root(const comm_lane_sums *sums, int64_t root) {
    return sums->floats + sums->slot_of[root - sums->first] * sums->stride;
}

static void add_right_into_left(comm_lane_sums *sums, int64_t right, int bucket) {
    int64_t begin = sums->bucket_offsets[bucket], count = sums->bucket_offsets[bucket + 1] - begin;
    comm_add_floats(comm_lane_sums_root(sums, comm_tree_parent(right)) + begin,
                    comm_lane_sums_root(sums, right) + begin, count);
    int64_t slot = sums->slot_of[right - sums->first];
    if (atomic_fetch_sub(&sums->held[slot], 1) == 1) {
        pthread_mutex_lock(&sums->lock);
        sums->free_slots[sums->free_count++] = slot;
        pthread_mutex_unlock(&sums->lock);
    }
}

void comm_lane_sums_done(comm_lane_sums *sums, int64_t lane, int bucket) {
    assert(lane >= sums->first && lane < sums->end && sums->slot_of[lane - sums->first] >= 0);
    atomic_uchar *arrived = sums->arrived + bucket * (sums->end - sums->first);
    int64_t node = lane; /* first lane of the finished subtree of 2^level lanes */
    for (int level = 0; node || ((int64_t)1 << level) < sums->lanes; level++) {
        bool is_right = node && comm_tree_level(node) == level;
        int64_t right = is_right ? node : node + ((int64_t)1 << level);
        if (right >= sums->lanes) {
            continue;
        }
        if (!comm_tree_within(sums->lanes, right, sums->first, sums->end)) {
            break;
        }
        if (atomic_fetch_xor(&arrived[right - sums->first], 1) == 0) {
            return;
        }
        add_right_into_left(sums, right, bucket);
        node = comm_tree_parent(right);
    }
    atomic_fetch_sub(&sums->unfinished[bucket], 1);
}

bool comm_lane_sums_complete(const comm_lane_sums *sums, int bucket) {
    return atomic_load(&sums->unfinished[bucket]) == 0;
}
