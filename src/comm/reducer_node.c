/* A group whose members share memory: ranks of one node.
 *
 * What members send each other elsewhere, they read here where it is: a keeper adds up its chunks in the other members'
 * lane vectors, and members copy new values from where the keeper has put them. The additions, and who does them, are those
 * of messages between members (reducer_step.c), so the bits are the same; to other nodes only keepers talk.
 *
 * A rank's segment (shared.c) holds, in numbers of 64 bits,
 *
 *   opened  [buckets]  the last step in which it opened the bucket: its roots are final
 *   root    [roots]    where its roots stand in this step, in floats from the segment's start
 *   valued  [chunks]   of chunks that it keeps: the last step whose new values are there
 *
 * and then floats: the values of its chunks, and its lane vectors. Where these lie in lent memory, which others do not
 * see, there are copies of its roots instead, made as a bucket opens, of what others keep.
 *
 * Steps are numbered alike on all ranks, and a number is written after what it tells of (release) and read before it
 * (acquire); atomics that need no lock are the same in all processes. Nothing is ever taken back:
 * - A member's vectors are free for the next step when it has all new values. Then every keeper has added up its chunk,
 *   and what it sent of these sums has arrived.
 * - A keeper's values are free when every member has opened the bucket in the next step, for by then it has ended this one.
 * - A member ends a step after every keeper has seen it open the bucket.
 * All three need a keeper that waits for its members before it passes values on. Where the group has lanes it does, since
 * the values are made of their roots. Where it has none, nobody needs its sums, and new values come from other nodes
 * before any member has opened: the keeper then holds them back until all have.
 *
 * Who waits looks, as for messages, between operations and in finish, and lets the watchdog know for whom. */
#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "comm/reducer_impl.h"
#include "comm/shared_impl.h"
#include "comm/wire_impl.h"
#include "hiss/alloc.h"

enum { LINE_NUMBERS = 8 }; /* of 64 bits in a line of the cache: those of different kinds stand in different lines */

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "segments hold atomics of several processes");

struct comm_node {
    comm_shared *shared;
    int64_t step;
    int64_t root_at, valued_at; /* numbers from a segment's start */
    int64_t lanes_at;           /* floats from this rank's */
    int64_t floats;             /* of this rank's segment, without lane vectors */
    bool lent;                  /* copies of roots stand where else lane vectors do */
    int *member_of;             /* [roots of the group] */
    int64_t *value_at;          /* [chunks] floats from the keeper's segment's start */
    comm_pending *waits;        /* [chunks] what peers have yet to do */
    comm_pending *ready;        /* [chunks] scratch */
    int nwaits;
};

static int64_t in_lines(int64_t numbers) {
    return (numbers + LINE_NUMBERS - 1) / LINE_NUMBERS * LINE_NUMBERS;
}

static float *floats_of(const hiss_reducer *r, int rank) {
    return r->node->shared->segment[rank - r->group.first];
}

static _Atomic int64_t *numbers_of(const hiss_reducer *r, int rank) {
    return r->node->shared->segment[rank - r->group.first];
}

static int64_t begin_of(const hiss_reducer *r, const comm_chunk *chunk) {
    return r->schedule.slices[chunk->first_slice].begin;
}

/* ---- life ---- */

/* Where values stand, by the length of those before them. Returns the floats of this rank's. */
static int64_t place_values(const hiss_reducer *r, comm_node *n, int64_t begin) {
    const comm_group *g = &r->group;
    int64_t *next = hiss_new(int64_t, g->end - g->first);
    for (int64_t at = 0; at < g->chunk_offsets[r->buckets]; at++) {
        int64_t *place = &next[g->chunks[at].keeper - g->first];
        n->value_at[at] = begin + *place;
        *place += comm_row_floats(comm_chunk_floats(r, &g->chunks[at]));
    }
    const int64_t own = next[r->comm->rank - g->first];
    hiss_free(next);
    return own;
}

hiss_status comm_node_create(hiss_reducer *r, int64_t lane_floats, hiss_error *err) {
    const comm_group *g = &r->group;
    const int size = g->end - g->first, self = r->comm->rank - g->first;
    const int64_t chunks = g->chunk_offsets[r->buckets], roots = g->roots.offsets[size];
    comm_node *n = hiss_new(comm_node, 1);
    n->member_of = hiss_new(int, roots);
    for (int member = 0; member < size; member++) {
        for (int64_t i = g->roots.offsets[member]; i < g->roots.offsets[member + 1]; i++) {
            n->member_of[i] = member;
        }
    }
    n->value_at = hiss_new(int64_t, chunks);
    n->waits = hiss_new(comm_pending, chunks);
    n->ready = hiss_new(comm_pending, chunks);
    n->root_at = in_lines(r->buckets);
    n->valued_at = n->root_at + in_lines(roots);
    const int64_t begin = 2 * (n->valued_at + in_lines(chunks));
    n->lanes_at = begin + place_values(r, n, begin);
    n->lent = lane_floats == 0;
    n->floats = n->lanes_at;
    if (n->lent) {
        n->floats += (g->roots.offsets[self + 1] - g->roots.offsets[self]) * comm_row_floats(r->count);
    }
    r->node = n;
    const hiss_status status = comm_shared_create(r->comm, g->first, g->end,
                                                  (int64_t)sizeof(float) * (n->floats + lane_floats), &n->shared, err);
    if (status != HISS_OK || size == 1) {
        comm_node_destroy(r);
    }
    return status;
}

void comm_node_destroy(hiss_reducer *r) {
    comm_node *n = r->node;
    if (n) {
        comm_shared_destroy(n->shared);
        hiss_free(n->ready);
        hiss_free(n->waits);
        hiss_free(n->value_at);
        hiss_free(n->member_of);
        hiss_free(n);
        r->node = NULL;
    }
}

float *comm_node_lanes(const hiss_reducer *r) {
    return r->node->lent ? NULL : floats_of(r, r->comm->rank) + r->node->lanes_at;
}

int64_t comm_node_floats(const hiss_reducer *r) {
    return r->node ? r->node->floats : 0;
}

/* ---- a step ---- */

void comm_node_start(hiss_reducer *r) {
    assert(r->node->nwaits == 0);
    r->node->step++;
}

/* Own root i, as far as others keep it. */
static void copy_root(const hiss_reducer *r, int bucket, int64_t i, float *copy) {
    const comm_group *g = &r->group;
    const float *root = comm_lane_sums_root(r->sums, g->roots.lane[i]);
    for (int64_t at = g->chunk_offsets[bucket]; at < g->chunk_offsets[bucket + 1]; at++) {
        const comm_chunk *chunk = &g->chunks[at];
        if (chunk->keeper != r->comm->rank) {
            const int64_t begin = begin_of(r, chunk);
            memcpy(copy + begin, root + begin, sizeof(float) * (size_t)comm_chunk_floats(r, chunk));
        }
    }
}

void comm_node_open(hiss_reducer *r, int bucket) {
    const comm_node *n = r->node;
    const comm_group *g = &r->group;
    const int self = r->comm->rank - g->first;
    float *floats = floats_of(r, r->comm->rank), *copy = floats + n->lanes_at;
    _Atomic int64_t *numbers = numbers_of(r, r->comm->rank);
    for (int64_t i = g->roots.offsets[self]; i < g->roots.offsets[self + 1]; i++) {
        const float *root = n->lent ? copy : comm_lane_sums_root(r->sums, g->roots.lane[i]);
        if (n->lent) {
            copy_root(r, bucket, i, copy);
            copy += comm_row_floats(r->count);
        }
        atomic_store_explicit(&numbers[n->root_at + i], root - floats, memory_order_relaxed);
    }
    atomic_store_explicit(&numbers[bucket], n->step, memory_order_release);
}

float *comm_node_root(const hiss_reducer *r, int64_t i) {
    const comm_node *n = r->node;
    const int rank = r->group.first + n->member_of[i];
    return floats_of(r, rank) + atomic_load_explicit(&numbers_of(r, rank)[n->root_at + i], memory_order_relaxed);
}

void comm_node_pass_on(hiss_reducer *r, int64_t at) {
    const comm_node *n = r->node;
    const comm_chunk *chunk = &r->group.chunks[at];
    const size_t number = r->narrow[chunk->bucket] ? sizeof(uint16_t) : sizeof(float);
    memcpy(floats_of(r, r->comm->rank) + n->value_at[at], comm_reducer_values(r, chunk->bucket, begin_of(r, chunk)),
           number * (size_t)comm_chunk_floats(r, chunk));
    atomic_store_explicit(&numbers_of(r, r->comm->rank)[n->valued_at + at], n->step, memory_order_release);
}

void comm_node_take(hiss_reducer *r, int64_t at) {
    const comm_chunk *chunk = &r->group.chunks[at];
    const int64_t begin = begin_of(r, chunk), floats = comm_chunk_floats(r, chunk);
    const float *values = floats_of(r, chunk->keeper) + r->node->value_at[at];
    if (r->narrow[chunk->bucket]) {
        comm_wire_apply((const uint16_t *)(const void *)values, r->model + begin, floats);
    } else {
        memcpy(r->model + begin, values, sizeof(float) * (size_t)floats);
    }
}

/* ---- waiting ---- */

void comm_node_expect(hiss_reducer *r, int64_t at, comm_event event) {
    const int peer = event == HISS_GOT_MEMBER ? r->group.first : r->group.chunks[at].keeper;
    r->node->waits[r->node->nwaits++] = (comm_pending){at, event, peer};
}

static bool has_come(const hiss_reducer *r, int rank, int64_t number) {
    const int64_t step = atomic_load_explicit(&numbers_of(r, rank)[number], memory_order_acquire);
    assert(step <= r->node->step && "a member has gone on to the next step without this one");
    return step == r->node->step;
}

/* For members one after another: peer is the first that has not opened the bucket. */
static bool is_over(const hiss_reducer *r, comm_pending *wait) {
    if (wait->event == HISS_GOT_VALUES) {
        return has_come(r, wait->peer, r->node->valued_at + wait->at);
    }
    const int bucket = r->group.chunks[wait->at].bucket;
    while (wait->peer < r->group.end && has_come(r, wait->peer, bucket)) {
        wait->peer++;
    }
    return wait->peer == r->group.end;
}

const comm_pending *comm_node_ready(hiss_reducer *r, int *count) {
    comm_node *n = r->node;
    int kept = 0;
    *count = 0;
    for (int i = 0; i < n->nwaits; i++) {
        if (is_over(r, &n->waits[i])) {
            n->ready[(*count)++] = n->waits[i];
        } else {
            n->waits[kept++] = n->waits[i];
        }
    }
    n->nwaits = kept;
    return n->ready;
}

const comm_pending *comm_node_waits(const hiss_reducer *r, int *count) {
    *count = r->node ? r->node->nwaits : 0;
    return r->node ? r->node->waits : NULL;
}
