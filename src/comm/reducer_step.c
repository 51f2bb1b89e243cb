/* One step of the reducer: a small state machine per bucket, chunk and slice, all of it on the main thread. In the
 * words of schedule.c, with a group of one rank only the middle remains:
 *
 *   open       (bucket, when its last local lane is done) post receives for members' roots of the chunks kept here, and
 *              for groups' roots of the slices owned here; send the roots' other chunks to their keepers; post receives
 *              of new values straight into model. Not earlier, since MPI looks at every request that is posted
 *   keep       (chunk kept here, when open and all members' roots are in) add up what the group can; send the group's
 *              roots, slice by slice, to the owners
 *   complete   (slice owned here, when kept and all groups' roots are in) finish the tree
 *   release    (slice owned here, when complete; with norms, when they are known: reducer_norms.c) update, send the new
 *              values to the keepers
 *   pass on    (chunk kept here, when all its slices have new values) send them to the other members
 *   finish     when every used bucket is open and no request is left
 *
 * Where members share memory, their roots and the values that are passed on are read there, and a chunk is passed on when
 * it has also been kept: reducer_node.c.
 *
 * Why model may be written while other lanes still compute: new values of a slice exist only after its owner had every
 * rank's roots, that is after every lane of every rank was done with the bucket; and a rank posts its receive only when
 * its own lanes are done with it, so a message that is early waits inside MPI.
 *
 * Matching: a message is known by its sender, its receiver and a tag of (running number of the chunk at its keeper, or
 * of the slice at its owner; roots or values). The roots of one sender travel in ascending order under one tag, which
 * MPI keeps. Every message sent in a step is received in it, so steps cannot mix, and ranks may open their buckets in
 * different orders.
 *
 * Sums stand where their first operand stood: in the lanes' slots, or in what was received. The final additions of a
 * slice change the group's roots in that slice only, which its keeper, the owner, sends to nobody.
 *
 * Additions go through the tree in strips that stay in the first-level cache: each root is read once and the sum
 * written once, whatever the number of roots.
 *
 * HISS_REDUCE_MPI has no such states: reducer_mpi.c. */
#include <assert.h>
#include <string.h>

#include "comm/reducer_impl.h"
#include "comm/wire_impl.h"
#include "hiss/clock.h"

enum { STRIP_FLOATS = 2048 };

static int64_t length(const comm_slice *s) {
    return s->end - s->begin;
}

static int64_t begin_of(const hiss_reducer *r, const comm_chunk *chunk) {
    return r->schedule.slices[chunk->first_slice].begin;
}

/* ---- receives ---- */

static void receive_member_roots(hiss_reducer *r, int64_t at) {
    const comm_group *g = &r->group;
    const comm_chunk *chunk = &g->chunks[at];
    const int64_t floats = comm_chunk_floats(r, chunk);
    float *next = r->received + r->chunks.received_at[chunk->number];
    r->chunks.missing[chunk->number] = 1;
    r->chunks.missing_values[chunk->number] = chunk->end_slice - chunk->first_slice;
    if (r->node) {
        comm_node_expect(r, at, HISS_GOT_MEMBER);
        r->chunks.missing[chunk->number]++;
        r->chunks.missing_values[chunk->number]++;
        return;
    }
    for (int member = g->first; member < g->end; member++) {
        const int64_t n = g->roots.offsets[member - g->first + 1] - g->roots.offsets[member - g->first];
        for (int64_t i = 0; i < n && member != r->comm->rank; i++) {
            comm_reducer_receive_root(r, chunk->bucket, next, floats, member,
                                      comm_reducer_tag(HISS_MEMBER_ROOTS, chunk->number), at, HISS_GOT_MEMBER);
            next += comm_row_floats(floats);
            r->chunks.missing[chunk->number]++;
        }
    }
}

static void receive_group_roots(hiss_reducer *r, int64_t at) {
    const comm_plan *s = &r->schedule;
    const comm_slice *slice = &s->slices[at];
    float *next = r->received + r->slices.received_at[slice->number];
    for (int group = 0; group < s->groups; group++) {
        const int64_t n = s->roots.offsets[group + 1] - s->roots.offsets[group];
        const int keeper = comm_plan_keeper(s, group, slice->owner);
        for (int64_t i = 0; i < n && group != r->group.index; i++) {
            comm_reducer_receive_root(r, slice->bucket, next, length(slice), keeper,
                                      comm_reducer_tag(HISS_GROUP_ROOTS, slice->number), at, HISS_GOT_GROUP);
            next += comm_row_floats(length(slice));
        }
    }
}

/* Groups' roots for open slices, as far as there are places. */
static void fill_places(hiss_reducer *r) {
    comm_places *p = &r->places;
    while (p->first < p->end && (p->count == 0 || p->nfree > 0)) {
        const int64_t at = p->waiting[p->first++];
        if (p->count > 0) {
            r->slices.received_at[r->schedule.slices[at].number] = p->free[--p->nfree];
        }
        receive_group_roots(r, at);
    }
}

static void expect_group_roots(hiss_reducer *r, int64_t at) {
    const comm_roots *roots = &r->schedule.roots;
    const int64_t own = roots->offsets[r->group.index + 1] - roots->offsets[r->group.index];
    r->slices.missing[r->schedule.slices[at].number] = roots->offsets[r->schedule.groups] - own + 1;
    r->places.waiting[r->places.end++] = at;
}

static void leave_place(hiss_reducer *r, int64_t number) {
    comm_places *p = &r->places;
    if (p->count > 0) {
        p->free[p->nfree++] = r->slices.received_at[number];
        fill_places(r);
    }
}

static void receive_roots(hiss_reducer *r, int bucket) {
    for (int64_t i = r->group.chunk_offsets[bucket]; i < r->group.chunk_offsets[bucket + 1]; i++) {
        if (r->group.chunks[i].keeper == r->comm->rank) {
            receive_member_roots(r, i);
        }
    }
    for (int64_t i = r->schedule.slice_offsets[bucket]; i < r->schedule.slice_offsets[bucket + 1]; i++) {
        if (r->schedule.slices[i].owner == r->comm->rank) {
            expect_group_roots(r, i);
        }
    }
    fill_places(r);
}

void hiss_reducer_start(hiss_reducer *r, const bool *used, float *model, hiss_reducer_update update, void *user) {
    assert(!r->running);
    r->running = true;
    r->finishing = false;
    r->model = model;
    r->update = update;
    r->user = user;
    r->times = (hiss_reducer_times){0};
    r->opened_first = r->closed_last = 0;
    r->unopened = 0;
    r->places.first = r->places.end = 0;
    assert(r->places.nfree == r->places.count);
    for (int b = 0; b < r->buckets; b++) {
        r->used[b] = !used || used[b];
        r->opened[b] = false;
        r->flight[b] = (hiss_reducer_flight){0};
        r->unopened += r->used[b];
    }
    if (r->norms) {
        comm_norms_start(r);
    }
    if (r->node) {
        comm_node_start(r);
    }
    comm_lane_sums_start(r->sums, r->used);
}

float *hiss_reducer_lane(hiss_reducer *r, int64_t lane) {
    return comm_lane_sums_lane(r->sums, lane);
}

void hiss_reducer_done(hiss_reducer *r, int64_t lane, int bucket) {
    assert(r->used[bucket]);
    comm_lane_sums_done(r->sums, lane, bucket);
}

/* ---- additions ---- */

/* Element `at` of root i of the group, in a chunk kept here: own ones in the sums, others where they are or as
 * received. */
static float *member_root(const hiss_reducer *r, const comm_chunk *chunk, int64_t i, int64_t at) {
    const comm_roots *roots = &r->group.roots;
    const int self = r->comm->rank - r->group.first;
    const int64_t first = roots->offsets[self], end = roots->offsets[self + 1];
    if (i >= first && i < end) {
        return comm_lane_sums_root(r->sums, roots->lane[i]) + at;
    }
    if (r->node) {
        return comm_node_root(r, i) + at;
    }
    const int64_t row = i < first ? i : i - (end - first);
    return r->received + r->chunks.received_at[chunk->number] + row * comm_row_floats(comm_chunk_floats(r, chunk)) +
           (at - begin_of(r, chunk));
}

/* The same of root i of this rank's group within the whole. */
static float *group_root(const hiss_reducer *r, const comm_chunk *chunk, int64_t i, int64_t at) {
    const comm_roots *members = &r->group.roots;
    int64_t low = 0, high = members->offsets[r->group.end - r->group.first];
    while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        if (members->lane[middle] <= r->schedule.roots.lane[i]) {
            low = middle;
        } else {
            high = middle;
        }
    }
    assert(members->lane[low] == r->schedule.roots.lane[i]);
    return member_root(r, chunk, low, at);
}

/* The n roots in r->sources, of a bucket. */
static void add_in_strips(hiss_reducer *r, int bucket, const comm_roots *roots, int64_t n, int64_t count) {
    double before = hiss_seconds();
    void (*const add)(float *restrict, const float *restrict, int64_t) =
        r->narrow[bucket] ? comm_wire_add : comm_add_floats;
    for (int64_t at = 0; at < count; at += STRIP_FLOATS) {
        int64_t strip = count - at < STRIP_FLOATS ? count - at : STRIP_FLOATS;
        for (int64_t i = 0; i < n && r->narrow[bucket]; i++) {
            if (r->packed[i]) {
                comm_wire_unpack(r->sources[i], count, at, strip);
            }
        }
        for (int64_t i = 0; i < roots->additions; i++) {
            add(r->sources[roots->into[i]] + at, r->sources[roots->from[i]] + at, strip);
        }
    }
    r->times.sum += hiss_seconds() - before;
}

/* ---- complete, pass on ---- */

static int64_t chunk_of(const hiss_reducer *r, int64_t slice) {
    const comm_chunk *chunks = r->group.chunks;
    int64_t low = 0, high = r->group.chunk_offsets[r->buckets] - 1;
    while (low < high) {
        const int64_t middle = (low + high + 1) / 2;
        if (chunks[middle].first_slice <= slice) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

static void take_value(hiss_reducer *r, int64_t at) {
    const comm_group *g = &r->group;
    const comm_chunk *chunk = &g->chunks[at];
    const int size = g->end - g->first;
    if (--r->chunks.missing_values[chunk->number] > 0) {
        return;
    }
    for (int k = 1; k < size && !r->node; k++) {
        const int member = g->first + (r->comm->rank - g->first + k) % size;
        comm_reducer_send(r, chunk->bucket, comm_reducer_values(r, chunk->bucket, begin_of(r, chunk)),
                          comm_chunk_floats(r, chunk), member, comm_reducer_tag(HISS_CHUNK_VALUES, chunk->number));
    }
    for (int64_t i = chunk->first_slice; i < chunk->end_slice; i++) {
        const comm_slice *slice = &r->schedule.slices[i];
        if (slice->owner != r->comm->rank) {
            comm_reducer_take(r, slice->bucket, slice->begin, slice->end);
        }
    }
    if (r->node) { /* from the model, which is complete now */
        comm_node_pass_on(r, at);
    }
}

static void update(hiss_reducer *r, const comm_slice *slice, const float *sum) {
    const bool narrow = r->narrow[slice->bucket];
    if (narrow) {
        HISS_COPY(r->before, r->model + slice->begin, sizeof(float) * (size_t)length(slice));
    }
    r->update(r->user, slice->begin, slice->end, sum);
    if (narrow) {
        comm_wire_change(r->before, r->model + slice->begin, r->changes + slice->begin, length(slice));
    }
}

void comm_reducer_release(hiss_reducer *r, int64_t at, const float *sum) {
    const comm_plan *s = &r->schedule;
    const comm_slice *slice = &s->slices[at];
    update(r, slice, sum);
    r->flight[slice->bucket].end = hiss_seconds();
    if (r->reduce != HISS_REDUCE_TREE) {
        return;
    }
    for (int k = 1; k < s->groups; k++) {
        const int keeper = comm_plan_keeper(s, (r->group.index + k) % s->groups, slice->owner);
        comm_reducer_send(r, slice->bucket, comm_reducer_values(r, slice->bucket, slice->begin), length(slice), keeper,
                          comm_reducer_tag(HISS_SLICE_VALUES, slice->number));
    }
    take_value(r, chunk_of(r, at));
}

static void have_sum(hiss_reducer *r, int64_t slice, const float *sum) {
    if (r->norms) {
        comm_norms_slice(r, slice, sum);
    } else {
        comm_reducer_release(r, slice, sum);
    }
}

static void complete(hiss_reducer *r, int64_t at) {
    const comm_plan *s = &r->schedule;
    const comm_slice *slice = &s->slices[at];
    const int64_t chunk = chunk_of(r, at), first = s->roots.offsets[r->group.index],
                  end = s->roots.offsets[r->group.index + 1];
    float *next = r->received + r->slices.received_at[slice->number];
    for (int64_t i = 0; i < s->roots.offsets[s->groups]; i++) {
        if (i >= first && i < end) {
            r->sources[i] = group_root(r, &r->group.chunks[chunk], i, slice->begin);
            r->packed[i] = false;
        } else {
            r->sources[i] = next;
            r->packed[i] = true;
            next += comm_row_floats(length(slice));
        }
    }
    add_in_strips(r, slice->bucket, &s->roots, s->roots.offsets[s->groups], length(slice));
    if (r->narrow[slice->bucket] && s->lanes == 1) { /* a single lane is in no addition */
        comm_wire_round(r->sources[0], length(slice));
    }
    have_sum(r, at, r->sources[0]);
    leave_place(r, slice->number);
}

static void take_group_root(hiss_reducer *r, int64_t slice) {
    if (--r->slices.missing[r->schedule.slices[slice].number] == 0) {
        complete(r, slice);
    }
}

/* ---- keep ---- */

static void send_group_roots(hiss_reducer *r, const comm_chunk *chunk, int64_t at) {
    const comm_plan *s = &r->schedule;
    const comm_slice *slice = &s->slices[at];
    if (slice->owner == r->comm->rank) {
        take_group_root(r, at);
        return;
    }
    for (int64_t i = s->roots.offsets[r->group.index]; i < s->roots.offsets[r->group.index + 1]; i++) {
        comm_reducer_send_root(r, slice->bucket, group_root(r, chunk, i, slice->begin), length(slice), slice->owner,
                               comm_reducer_tag(HISS_GROUP_ROOTS, slice->number));
    }
}

/* Slices of others first, beginning after this rank so that not all send to the same owner first; own slices last. */
static void keep(hiss_reducer *r, int64_t at) {
    const comm_chunk *chunk = &r->group.chunks[at];
    const int64_t *offsets = r->group.roots.offsets;
    const int self = r->comm->rank - r->group.first;
    const int64_t n = offsets[r->group.end - r->group.first], own = offsets[self], past = offsets[self + 1];
    for (int64_t i = 0; i < n; i++) {
        r->sources[i] = member_root(r, chunk, i, begin_of(r, chunk));
        r->packed[i] = !r->node && (i < own || i >= past);
    }
    add_in_strips(r, chunk->bucket, &r->group.roots, n, comm_chunk_floats(r, chunk));
    const int64_t first = chunk->first_slice, count = chunk->end_slice - first;
    int64_t start = 0;
    while (start < count && r->schedule.slices[first + start].owner <= r->comm->rank) {
        start++;
    }
    for (int64_t i = 0; i < count; i++) {
        send_group_roots(r, chunk, first + (start + i) % count);
    }
    if (r->node) { /* now other members may have new values: they have taken those of the step before */
        take_value(r, at);
    }
}

static void take_member_root(hiss_reducer *r, int64_t chunk) {
    if (--r->chunks.missing[r->group.chunks[chunk].number] == 0) {
        keep(r, chunk);
    }
}

/* ---- open ---- */

static void open_kept_chunk(hiss_reducer *r, int64_t at) {
    const comm_chunk *chunk = &r->group.chunks[at];
    for (int64_t i = chunk->first_slice; i < chunk->end_slice; i++) {
        const comm_slice *slice = &r->schedule.slices[i];
        if (slice->owner != r->comm->rank) {
            comm_reducer_receive(r, slice->bucket, comm_reducer_values(r, slice->bucket, slice->begin), length(slice),
                                 slice->owner, comm_reducer_tag(HISS_SLICE_VALUES, slice->number), at, HISS_GOT_VALUE);
        }
    }
    take_member_root(r, at);
}

static void open_other_chunk(hiss_reducer *r, int64_t at) {
    if (r->node) {
        comm_node_expect(r, at, HISS_GOT_VALUES);
        return;
    }
    const comm_group *g = &r->group;
    const comm_chunk *chunk = &g->chunks[at];
    const int self = r->comm->rank - g->first;
    const int64_t floats = comm_chunk_floats(r, chunk), begin = begin_of(r, chunk);
    for (int64_t i = g->roots.offsets[self]; i < g->roots.offsets[self + 1]; i++) {
        comm_reducer_send_root(r, chunk->bucket, comm_lane_sums_root(r->sums, g->roots.lane[i]) + begin, floats,
                               chunk->keeper, comm_reducer_tag(HISS_MEMBER_ROOTS, chunk->number));
    }
    comm_reducer_receive(r, chunk->bucket, comm_reducer_values(r, chunk->bucket, begin), floats, chunk->keeper,
                         comm_reducer_tag(HISS_CHUNK_VALUES, chunk->number), at, HISS_GOT_VALUES);
}

/* In the order of keep(): where every rank is a group, chunks are what decides it. */
static void open_chunks(hiss_reducer *r, int bucket) {
    const comm_group *g = &r->group;
    const int64_t begin = g->chunk_offsets[bucket], count = g->chunk_offsets[bucket + 1] - begin;
    const bool alone = g->end - g->first == 1;
    int64_t start = 0;
    while (start < count) {
        const comm_chunk *chunk = &g->chunks[begin + start];
        if ((alone ? r->schedule.slices[chunk->end_slice - 1].owner : chunk->keeper) > r->comm->rank) {
            break;
        }
        start++;
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = begin + (start + i) % count;
        if (g->chunks[at].keeper == r->comm->rank) {
            open_kept_chunk(r, at);
        } else {
            open_other_chunk(r, at);
        }
    }
}

static void open_bucket(hiss_reducer *r, int bucket) {
    const double now = hiss_seconds();
    r->opened[bucket] = true;
    r->unopened--;
    r->flight[bucket] = (hiss_reducer_flight){now, now};
    if (r->opened_first == 0) {
        r->opened_first = now;
    }
    if (r->reduce == HISS_REDUCE_TREE) {
        if (r->node) {
            comm_node_open(r, bucket);
        }
        receive_roots(r, bucket);
        open_chunks(r, bucket);
        return;
    }
    for (int64_t i = r->schedule.slice_offsets[bucket]; i < r->schedule.slice_offsets[bucket + 1]; i++) {
        comm_mpi_open(r, i);
    }
}

/* ---- progress ---- */

static void take_values(hiss_reducer *r, int64_t at) {
    const comm_chunk *chunk = &r->group.chunks[at];
    const int64_t begin = begin_of(r, chunk);
    if (r->node) {
        comm_node_take(r, at);
    } else {
        comm_reducer_take(r, chunk->bucket, begin, begin + comm_chunk_floats(r, chunk));
    }
}

static void handle(hiss_reducer *r, comm_pending done) {
    switch (done.event) {
    case HISS_GOT_MEMBER:
        take_member_root(r, done.at);
        break;
    case HISS_GOT_GROUP:
        take_group_root(r, done.at);
        break;
    case HISS_GOT_VALUE:
        take_value(r, done.at);
        break;
    case HISS_GOT_SUM:
        have_sum(r, done.at, comm_mpi_root(r) + r->schedule.slices[done.at].begin);
        break;
    case HISS_GOT_NORMS:
        comm_norms_arrived(r, (int)done.at);
        break;
    case HISS_GOT_VALUES:
        take_values(r, done.at);
        break;
    case HISS_SENT:
        break;
    }
}

static void end_wait(hiss_reducer *r, comm_pending done) {
    handle(r, done);
    r->flight[comm_reducer_bucket(r, done)].end = hiss_seconds();
}

/* What members that share memory have done. Where all that is left is to wait for them, MPI may still have to move what was
 * sent; not between operations, for there a look gives the core away that lanes want. */
static bool advance_node(hiss_reducer *r) {
    int n = 0, waits = 0;
    if (r->node) {
        const comm_pending *ready = comm_node_ready(r, &n);
        for (int i = 0; i < n; i++) {
            end_wait(r, ready[i]);
        }
        comm_node_waits(r, &waits);
    }
    if (r->finishing && n == 0 && waits > 0 && r->active == 0) {
        int some;
        HISS_MPI(MPI_Iprobe(MPI_ANY_SOURCE, HISS_TAG_SLICE, r->comm->mpi, &some, MPI_STATUS_IGNORE));
    }
    return n > 0;
}

/* Forget the requests whose places are listed in r->finished[n], ascending or not. */
static void drop_finished(hiss_reducer *r, int n) {
    for (int i = 0; i < n; i++) {
        r->pending[r->finished[i]].at = -1;
    }
    int kept = 0;
    for (int i = 0; i < r->active; i++) {
        if (r->pending[i].at >= 0) {
            r->pending[kept] = r->pending[i];
            r->requests[kept++] = r->requests[i];
        }
    }
    r->active = kept;
}

/* Whatever can be done now. Returns false when there was nothing. */
static bool advance(hiss_reducer *r) {
    bool moved = false;
    for (int b = 0; b < r->buckets && (r->overlap || r->finishing); b++) {
        if (r->used[b] && !r->opened[b] && comm_lane_sums_complete(r->sums, b)) {
            open_bucket(r, b);
            moved = true;
        }
    }
    moved |= advance_node(r);
    int n = 0;
    if (r->active > 0) {
        HISS_MPI(HISS_SOME(r->finishing)(r->active, r->requests, &n, r->finished, MPI_STATUSES_IGNORE));
    }
    for (int i = 0; i < n; i++) {
        end_wait(r, r->pending[r->finished[i]]);
    }
    if (n > 0) {
        drop_finished(r, n);
    }
    if (r->norms && (r->overlap || r->finishing)) {
        moved |= comm_norms_advance(r);
    }
    if (moved || n > 0) {
        r->closed_last = hiss_seconds();
    }
    return moved || n > 0;
}

void hiss_reducer_progress(hiss_reducer *r) {
    if (r->running) {
        advance(r);
    }
}

static bool waits_for_others(const hiss_reducer *r) {
    int n;
    comm_node_waits(r, &n);
    return r->unopened > 0 || r->active > 0 || n > 0;
}

void hiss_reducer_finish(hiss_reducer *r) {
    assert(r->running);
    double before = hiss_seconds();
    r->finishing = true;
    comm_wait_begin(r->comm, "reduce", -1);
    for (int64_t idle = 0; waits_for_others(r);) {
        if (advance(r)) {
            idle = 0;
            continue;
        }
        comm_reducer_rest(r, ++idle);
        if (idle % HISS_IDLE_LOOKS == 0) {
            comm_reducer_tell(r);
        }
    }
    comm_wait_end(r->comm);
    r->running = false;
    r->times.wait = hiss_seconds() - before;
    r->times.transfer = r->closed_last - r->opened_first;
}
