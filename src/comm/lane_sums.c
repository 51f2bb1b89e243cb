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
 * another slot; at zero it is free for the next lane. With lanes started in ascending order comm_tree_slots is how many
 * slots that takes: 1 + log2 lanes for one thread and a power of two, and never more than the lanes of the rank. A lane
 * that is started ahead of an earlier one holds at most one slot more (tree.c).
 *
 * Slots may lie in lent memory, all in a row: a slot that reaches into piece i waits until the first i + 1 lanes are
 * done. A lane then takes a slot only while each earlier lane that has none yet finds another. So no lane waits for
 * ever: let k be the first that has no slot. Lanes in flight need nothing more and end. When none is in flight, and a
 * later lane took a slot before k did, it left one for k. If none did, all lanes before k are done, so the pieces up to
 * k's are free, and alive are only the maximal subtrees of these lanes: comm_tree_alive for one thread, which is at
 * most the slots that do not reach further; asserted at creation. */
#include "comm/lane_sums_impl.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "comm/payload_impl.h"
#include "comm/tree_impl.h"
#include "comm/wire_impl.h"
#include "hiss/alloc.h"

struct comm_lane_sums {
    int64_t lanes, first, end;
    int buckets;
    const int64_t *bucket_offsets;
    const bool *narrow;
    int64_t roots; /* maximal subtrees of this rank */

    int64_t slots, stride;
    float *floats;        /* [slots, stride] */
    bool lent, owns;      /* whether to leave slots to earlier lanes, and to free the floats */
    int64_t own;          /* floats of them that are not */
    int64_t *after;       /* [slots] usable when so many lanes are done */
    _Atomic int *held;    /* [slots] used buckets that still live in this slot */
    int64_t *slot_of;     /* [local lanes], -1: not started */
    _Atomic int *undone;  /* [local lanes] buckets */
    pthread_mutex_t lock; /* guards what follows, and slot_of of lanes that have not started */
    pthread_cond_t freed; /* some slot has become usable */
    bool *taken;          /* [slots] */
    int64_t done;         /* so many lanes, from the first, are done with all their buckets */

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

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t rounded(int64_t floats) {
    return (floats + HISS_ALIGN_FLOATS - 1) / HISS_ALIGN_FLOATS * HISS_ALIGN_FLOATS;
}

/* When lanes end as they start, all lanes before `newest` are done but for threads - 1. */
int64_t comm_lane_sums_own(int64_t lanes, int64_t first, int64_t end, int64_t count, int threads,
                           const hiss_reducer_lent *lent) {
    int64_t own = 0;
    for (int64_t newest = first; newest < end; newest++) {
        const int64_t done = newest - first >= threads ? newest - first - threads + 1 : 0;
        const int64_t need =
            comm_tree_alive(lanes, first, newest, threads) * rounded(count) - smaller(done, lent->pieces) * lent->piece;
        own = need > own ? need : own;
    }
    return own;
}

static int64_t most_slots(int64_t lanes, int64_t first, int64_t end, int threads, int64_t ahead) {
    return smaller(comm_tree_slots(lanes, first, end, threads) + ahead, end - first);
}

int64_t comm_lane_sums_need(int64_t lanes, int64_t first, int64_t end, int64_t count, int threads, int64_t ahead) {
    return most_slots(lanes, first, end, threads, ahead) * rounded(count);
}

/* Those that lent memory holds, and when they may be used. */
static void place_slots(comm_lane_sums *sums, int64_t most, const hiss_reducer_lent *lent) {
    sums->slots = smaller(most, (lent->own + lent->pieces * lent->piece) / sums->stride);
    sums->floats = lent->memory;
    sums->after = hiss_new(int64_t, sums->slots);
    for (int64_t i = 0; i < sums->slots; i++) {
        const int64_t beyond = (i + 1) * sums->stride - lent->own;
        sums->after[i] = beyond > 0 ? (beyond + lent->piece - 1) / lent->piece : 0;
    }
    int64_t usable = 0;
    for (int64_t lane = sums->first; lane < sums->end; lane++) {
        while (usable < sums->slots && sums->after[usable] <= lane - sums->first) {
            usable++;
        }
        assert(usable >= comm_tree_alive(sums->lanes, sums->first, lane, 1) && "a lane would wait for ever");
    }
}

comm_lane_sums *comm_lane_sums_create(int64_t lanes, int64_t first, int64_t end, int buckets,
                                      const int64_t *bucket_offsets, const bool *narrow, int threads, int64_t ahead,
                                      float *memory, const hiss_reducer_lent *lent) {
    comm_lane_sums *sums = hiss_new(comm_lane_sums, 1);
    const int64_t local = end - first, most = most_slots(lanes, first, end, threads, ahead);
    sums->lanes = lanes;
    sums->first = first;
    sums->end = end;
    sums->buckets = buckets;
    sums->bucket_offsets = bucket_offsets;
    sums->narrow = narrow;
    sums->roots = comm_tree_roots(lanes, first, end, NULL);
    sums->stride = rounded(bucket_offsets[buckets]);
    sums->lent = lent != NULL;
    if (lent) {
        assert(ahead == 0 && !memory);
        place_slots(sums, most, lent);
        sums->own = lent->own;
    } else {
        sums->slots = most;
        sums->after = hiss_new(int64_t, most);
        sums->own = most * sums->stride;
        sums->owns = !memory;
        sums->floats = memory ? memory : hiss_new_floats(sums->own);
    }
    sums->held = hiss_new(_Atomic int, sums->slots);
    sums->slot_of = hiss_new(int64_t, local);
    sums->undone = hiss_new(_Atomic int, local);
    sums->taken = hiss_new(bool, sums->slots);
    sums->arrived = hiss_new(atomic_uchar, buckets * local);
    sums->unfinished = hiss_new(_Atomic int64_t, buckets);
    pthread_mutex_init(&sums->lock, NULL);
    pthread_cond_init(&sums->freed, NULL);
    return sums;
}

int64_t comm_lane_sums_floats(const comm_lane_sums *sums) {
    return sums->own;
}

void comm_lane_sums_destroy(comm_lane_sums *sums) {
    if (!sums) {
        return;
    }
    pthread_cond_destroy(&sums->freed);
    pthread_mutex_destroy(&sums->lock);
    hiss_free(sums->unfinished);
    hiss_free(sums->arrived);
    hiss_free(sums->taken);
    hiss_free(sums->undone);
    hiss_free(sums->slot_of);
    hiss_free(sums->held);
    hiss_free(sums->after);
    if (sums->owns) {
        hiss_free_floats(sums->floats);
    }
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
        atomic_store(&sums->undone[i], sums->used_count);
    }
    sums->done = 0;
    memset(sums->taken, 0, (size_t)sums->slots * sizeof *sums->taken);
}

/* A slot for a lane that, where they are lent, leaves one for each earlier lane without; -1: there is none now. */
static int64_t find_slot(const comm_lane_sums *sums, int64_t local) {
    int64_t earlier = 0, found = -1;
    for (int64_t i = sums->done; sums->lent && i < local; i++) {
        earlier += sums->slot_of[i] < 0;
    }
    for (int64_t s = sums->slots - 1; s >= 0; s--) {
        if (!sums->taken[s] && sums->after[s] <= sums->done) {
            found = s;
            earlier--;
        }
    }
    return earlier < 0 ? found : -1;
}

float *comm_lane_sums_lane(comm_lane_sums *sums, int64_t lane) {
    const int64_t local = lane - sums->first;
    assert(lane >= sums->first && lane < sums->end);
    pthread_mutex_lock(&sums->lock);
    assert(sums->slot_of[local] < 0);
    int64_t slot = find_slot(sums, local);
    for (; slot < 0; slot = find_slot(sums, local)) {
        assert(sums->lent && "more lanes in flight than threads, or lanes not started in ascending order");
        pthread_cond_wait(&sums->freed, &sums->lock);
    }
    sums->taken[slot] = true;
    sums->slot_of[local] = slot;
    pthread_cond_broadcast(&sums->freed); /* later lanes need not leave it a slot any more */
    pthread_mutex_unlock(&sums->lock);
    atomic_store(&sums->held[slot], sums->used_count);
    return sums->floats + slot * sums->stride;
}

float *comm_lane_sums_root(const comm_lane_sums *sums, int64_t root) {
    return sums->floats + sums->slot_of[root - sums->first] * sums->stride;
}

static void add_right_into_left(comm_lane_sums *sums, int64_t right, int bucket) {
    int64_t begin = sums->bucket_offsets[bucket], count = sums->bucket_offsets[bucket + 1] - begin;
    float *into = comm_lane_sums_root(sums, comm_tree_parent(right)) + begin;
    const float *from = comm_lane_sums_root(sums, right) + begin;
    (sums->narrow[bucket] ? comm_wire_add : comm_add_floats)(into, from, count);
    int64_t slot = sums->slot_of[right - sums->first];
    if (atomic_fetch_sub(&sums->held[slot], 1) == 1) {
        pthread_mutex_lock(&sums->lock);
        sums->taken[slot] = false;
        pthread_cond_broadcast(&sums->freed);
        pthread_mutex_unlock(&sums->lock);
    }
}

static void climb(comm_lane_sums *sums, int64_t lane, int bucket) {
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

void comm_lane_sums_done(comm_lane_sums *sums, int64_t lane, int bucket) {
    const int64_t local = lane - sums->first;
    assert(lane >= sums->first && lane < sums->end && sums->slot_of[local] >= 0);
    if (atomic_fetch_sub(&sums->undone[local], 1) == 1) {
        pthread_mutex_lock(&sums->lock);
        while (sums->done < sums->end - sums->first && atomic_load(&sums->undone[sums->done]) == 0) {
            sums->done++;
        }
        pthread_cond_broadcast(&sums->freed);
        pthread_mutex_unlock(&sums->lock);
    }
    climb(sums, lane, bucket); /* last: when all buckets are complete, the next step may begin */
}

bool comm_lane_sums_complete(const comm_lane_sums *sums, int bucket) {
    return atomic_load(&sums->unfinished[bucket]) == 0;
}
