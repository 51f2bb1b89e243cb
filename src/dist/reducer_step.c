/* One step of the reducer: a small state machine per bucket and slice, all of it on the main thread.
 *
 *   start       post receives for other ranks' roots of the slices owned here
 *   open        (bucket, when its last local lane is done) send the roots' slices to their owners; post receives of the
 *               slices' new values straight into model
 *   complete    (slice owned here, when open and all roots are in) finish the tree, update, send new values to all
 *   finish      when every used bucket is open and no request is left
 *
 * Why model may be written while other lanes still compute: new values of a slice exist only after its owner had every
 * rank's roots, that is after every lane of every rank was done with the bucket; and a rank posts its receive only when
 * its own lanes are done with it, so a message that is early waits inside MPI.
 *
 * Matching: a message is known by its sender, its receiver and a tag of (running number of the slice at its owner,
 * roots or model). The roots of one rank travel in ascending order under one tag, which MPI keeps. Every message sent
 * in a step is received in it, so steps cannot mix, and ranks may open their buckets in different orders.
 *
 * Additions go through the tree in strips that stay in the first-level cache: each root is read once and the sum
 * written once, whatever the number of roots.
 *
 * HISS_REDUCE_MPI: open folds the rank's roots from left to right and leaves the rest to MPI_Iallreduce, on one
 * communicator per bucket because the order of opening differs between ranks. */
#include <assert.h>
#include <sched.h>
#include <string.h>

#include "dist/reducer_impl.h"
#include "hiss/clock.h"

enum { STRIP_FLOATS = 2048 };

static MPI_Request *new_request(hiss_reducer *r, int64_t slice, hiss_event event, int peer) {
    assert(r->active < r->capacity);
    r->pending[r->active] = (hiss_pending){slice, event, peer};
    return &r->requests[r->active++];
}

static int tag_of_root(const hiss_slice *s) {
    return HISS_TAG_SLICE + 2 * s->number;
}

static int tag_of_model(const hiss_slice *s) {
    return HISS_TAG_SLICE + 2 * s->number + 1;
}

static int length(const hiss_slice *s) {
    return (int)(s->end - s->begin);
}

static void send(hiss_reducer *r, const float *from, int64_t slice, int to, int tag) {
    int count = length(&r->schedule.slices[slice]);
    HISS_MPI(MPI_Isend(from, count, MPI_FLOAT, to, tag, r->comm->mpi, new_request(r, slice, HISS_SENT, to)));
    r->comm->bytes_sent += (double)count * sizeof(float);
}

static void receive(hiss_reducer *r, float *into, int64_t slice, int from, int tag, hiss_event event) {
    int count = length(&r->schedule.slices[slice]);
    HISS_MPI(MPI_Irecv(into, count, MPI_FLOAT, from, tag, r->comm->mpi, new_request(r, slice, event, from)));
}

/* Where the roots of an owned slice stand: own ones in the pool, others as received. Fills r->sources. */
static void find_sources(hiss_reducer *r, int64_t slice) {
    const hiss_schedule *s = &r->schedule;
    float *next = r->received + r->received_at[slice];
    for (int rank = 0; rank < s->size; rank++) {
        for (int64_t i = s->root_offsets[rank]; i < s->root_offsets[rank + 1]; i++) {
            if (rank == r->comm->rank) {
                r->sources[i] = hiss_pool_root(r->pool, s->roots[i]) + s->slices[slice].begin;
            } else {
                r->sources[i] = next;
                next += hiss_received_row(&s->slices[slice]);
            }
        }
    }
}

static void receive_roots(hiss_reducer *r, int64_t slice) {
    const hiss_schedule *s = &r->schedule;
    float *next = r->received + r->received_at[slice];
    r->missing[slice] = 1;
    for (int rank = 0; rank < s->size; rank++) {
        int64_t n = s->root_offsets[rank + 1] - s->root_offsets[rank];
        for (int64_t i = 0; i < n && rank != r->comm->rank; i++) {
            receive(r, next, slice, rank, tag_of_root(&s->slices[slice]), HISS_GOT_ROOT);
            next += hiss_received_row(&s->slices[slice]);
            r->missing[slice]++;
        }
    }
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
    for (int b = 0; b < r->buckets; b++) {
        r->used[b] = !used || used[b];
        r->opened[b] = false;
        r->unopened += r->used[b];
        for (int64_t i = r->schedule.slice_offsets[b]; r->used[b] && i < r->schedule.slice_offsets[b + 1]; i++) {
            if (r->schedule.slices[i].owner == r->comm->rank) {
                receive_roots(r, i);
            }
        }
    }
    hiss_pool_start(r->pool, r->used);
}

float *hiss_reducer_lane(hiss_reducer *r, int64_t lane) {
    return hiss_pool_lane(r->pool, lane);
}

void hiss_reducer_done(hiss_reducer *r, int64_t lane, int bucket) {
    assert(r->used[bucket]);
    hiss_pool_done(r->pool, lane, bucket);
}

/* sources[into[i]] += sources[from[i]] for all i in order, over count floats. */
static void add_in_strips(hiss_reducer *r, int64_t additions, const int64_t *into, const int64_t *from, int64_t count) {
    double before = hiss_seconds();
    for (int64_t at = 0; at < count; at += STRIP_FLOATS) {
        int64_t strip = count - at < STRIP_FLOATS ? count - at : STRIP_FLOATS;
        for (int64_t i = 0; i < additions; i++) {
            hiss_add_floats(r->sources[into[i]] + at, r->sources[from[i]] + at, strip);
        }
    }
    r->times.sum += hiss_seconds() - before;
}

static void complete(hiss_reducer *r, int64_t slice) {
    const hiss_schedule *s = &r->schedule;
    const hiss_slice *range = &s->slices[slice];
    int rank = r->comm->rank;
    find_sources(r, slice);
    add_in_strips(r, s->root_offsets[s->size] - 1, s->into, s->from, length(range));
    r->update(r->user, range->begin, range->end, r->sources[0]);
    for (int k = 1; k < s->size; k++) {
        send(r, r->model + range->begin, slice, (rank + k) % s->size, tag_of_model(range));
    }
}

static void take_away_one(hiss_reducer *r, int64_t slice) {
    if (--r->missing[slice] == 0) {
        complete(r, slice);
    }
}

static void open_tree_slice(hiss_reducer *r, int64_t slice) {
    const hiss_schedule *s = &r->schedule;
    const hiss_slice *range = &s->slices[slice];
    int rank = r->comm->rank;
    if (range->owner == rank) {
        take_away_one(r, slice);
        return;
    }
    for (int64_t i = s->root_offsets[rank]; i < s->root_offsets[rank + 1]; i++) {
        send(r, hiss_pool_root(r->pool, s->roots[i]) + range->begin, slice, range->owner, tag_of_root(range));
    }
    receive(r, r->model + range->begin, slice, range->owner, tag_of_model(range), HISS_GOT_MODEL);
}

static void open_mpi_slice(hiss_reducer *r, int64_t slice) {
    const hiss_schedule *s = &r->schedule;
    const hiss_slice *range = &s->slices[slice];
    int64_t first = s->root_offsets[r->comm->rank], n = s->root_offsets[r->comm->rank + 1] - first;
    assert(n > 0);
    float *sum = hiss_pool_root(r->pool, s->roots[first]) + range->begin;
    double before = hiss_seconds();
    for (int64_t i = 1; i < n; i++) {
        hiss_add_floats(sum, hiss_pool_root(r->pool, s->roots[first + i]) + range->begin, length(range));
    }
    r->times.sum += hiss_seconds() - before;
    HISS_MPI(MPI_Iallreduce(MPI_IN_PLACE, sum, length(range), MPI_FLOAT, MPI_SUM, r->bucket_comms[range->bucket],
                            new_request(r, slice, HISS_GOT_SUM, HISS_EVERYONE)));
    hiss_comm_count_ring(r->comm, 2.0 * length(range) * sizeof(float));
}

/* Slices of others first, beginning after this rank so that not all ranks send to rank 0 first; own slices last. */
static void open_bucket(hiss_reducer *r, int bucket) {
    const hiss_slice *slices = r->schedule.slices;
    int64_t begin = r->schedule.slice_offsets[bucket], end = r->schedule.slice_offsets[bucket + 1];
    int64_t start = begin;
    while (start < end && slices[start].owner <= r->comm->rank) {
        start++;
    }
    r->opened[bucket] = true;
    r->unopened--;
    if (r->opened_first == 0) {
        r->opened_first = hiss_seconds();
    }
    for (int64_t i = 0; i < end - begin; i++) {
        int64_t slice = begin + (start - begin + i) % (end - begin);
        if (r->reduce == HISS_REDUCE_TREE) {
            open_tree_slice(r, slice);
        } else {
            open_mpi_slice(r, slice);
        }
    }
}

static void handle(hiss_reducer *r, hiss_pending done) {
    const hiss_slice *range = &r->schedule.slices[done.slice];
    switch (done.event) {
    case HISS_GOT_ROOT:
        take_away_one(r, done.slice);
        break;
    case HISS_GOT_SUM: {
        int64_t first = r->schedule.roots[r->schedule.root_offsets[r->comm->rank]];
        r->update(r->user, range->begin, range->end, hiss_pool_root(r->pool, first) + range->begin);
        break;
    }
    case HISS_GOT_MODEL:
    case HISS_SENT:
        break;
    }
}

/* Forget the requests whose places are listed in r->finished[n], ascending or not. */
static void drop_finished(hiss_reducer *r, int n) {
    for (int i = 0; i < n; i++) {
        r->pending[r->finished[i]].slice = -1;
    }
    int kept = 0;
    for (int i = 0; i < r->active; i++) {
        if (r->pending[i].slice >= 0) {
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
        if (r->used[b] && !r->opened[b] && hiss_pool_complete(r->pool, b)) {
            open_bucket(r, b);
            moved = true;
        }
    }
    int n = 0;
    if (r->active > 0) {
        HISS_MPI(MPI_Testsome(r->active, r->requests, &n, r->finished, MPI_STATUSES_IGNORE));
    }
    for (int i = 0; i < n; i++) {
        handle(r, r->pending[r->finished[i]]);
    }
    if (n > 0) {
        drop_finished(r, n);
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

/* Whom finish waits for: roots come from a rank's own lanes and tell who is late; new values come late from every owner
 * that lacks a root itself. */
static void tell_wait(hiss_reducer *r) {
    static const hiss_event order[] = {HISS_GOT_ROOT, HISS_GOT_SUM, HISS_GOT_MODEL, HISS_SENT};
    int bucket = -1;
    hiss_wait_forget(r->comm);
    for (size_t k = 0; k < sizeof order / sizeof *order && bucket < 0; k++) {
        for (int i = r->active - 1; i >= 0; i--) {
            if (r->pending[i].event == order[k]) {
                bucket = r->schedule.slices[r->pending[i].slice].bucket;
                if (r->pending[i].peer != HISS_EVERYONE) {
                    hiss_wait_add(r->comm, r->pending[i].peer);
                }
            }
        }
    }
    hiss_wait_publish(r->comm, "reduce bucket", bucket);
}

void hiss_reducer_finish(hiss_reducer *r) {
    assert(r->running);
    double before = hiss_seconds();
    r->finishing = true;
    hiss_wait_begin(r->comm, "reduce", -1);
    for (int64_t idle = 0; r->unopened > 0 || r->active > 0;) {
        if (advance(r)) {
            idle = 0;
            continue;
        }
        sched_yield();
        if (++idle % HISS_IDLE_LOOKS == 0) {
            tell_wait(r);
        }
    }
    hiss_wait_end(r->comm);
    r->running = false;
    r->times.wait = hiss_seconds() - before;
    r->times.transfer = r->closed_last - r->opened_first;
}
