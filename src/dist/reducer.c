/* The gradient reducer: life and queries. What happens in a step is in reducer_step.c, adding up lanes in pool.c, who
 * sends what to whom in schedule.c.
 *
 * Memory per rank, in vectors: hiss_tree_slots for the lanes, and (roots of other ranks) / P for what arrives, about
 * one when P and L are powers of two. Everything is allocated here. */
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "dist/reducer_impl.h"
#include "hiss/alloc.h"

/* Longest slices. TREE: long enough to reach full bandwidth, short enough to overlap adding with sending. MPI: what an
 * int can count. */
enum { TREE_SLICE_FLOATS = 1 << 18, MPI_SLICE_FLOATS = 1 << 28 };

int64_t hiss_received_row(const hiss_slice *slice) {
    return (slice->end - slice->begin + HISS_ALIGN_FLOATS - 1) / HISS_ALIGN_FLOATS * HISS_ALIGN_FLOATS;
}

static hiss_status check_collective(const hiss_reducer_options *o, hiss_error *err) {
    int64_t shape[4] = {o->lanes, o->count, o->buckets, o->reduce};
    int64_t lane_bytes = (o->comm->size + 1) * (int64_t)sizeof(int64_t);
    int64_t bucket_bytes = (o->buckets + 1) * (int64_t)sizeof(int64_t);
    if (!hiss_comm_equal(o->comm, shape, sizeof shape) || !hiss_comm_equal(o->comm, o->lane_offsets, lane_bytes) ||
        !hiss_comm_equal(o->comm, o->bucket_offsets, bucket_bytes)) {
        return hiss_fail(err, HISS_EINTERNAL,
                         "reducer: lanes, vector length, lane offsets or bucket offsets differ between ranks; "
                         "please report this with the config");
    }
    return HISS_OK;
}

static hiss_status check_tags(const hiss_reducer *r, hiss_error *err) {
    int *limit, found, most = 0;
    HISS_MPI(MPI_Comm_get_attr(r->comm->mpi, MPI_TAG_UB, &limit, &found));
    for (int64_t i = 0; i < r->schedule.slice_offsets[r->buckets]; i++) {
        most = r->schedule.slices[i].number > most ? r->schedule.slices[i].number : most;
    }
    if (found && (*limit - HISS_TAG_SLICE - 1) / 2 < most) {
        return hiss_fail(err, HISS_ESYSTEM,
                         "reducer: %d slices of one rank need more message tags than this MPI has (%d); use more "
                         "ranks or fewer buckets",
                         most + 1, *limit);
    }
    return HISS_OK;
}

/* Owned ranges: neighbouring owned slices joined. */
static void find_owned(hiss_reducer *r) {
    int64_t slices = r->schedule.slice_offsets[r->buckets];
    r->owned = hiss_new(hiss_range, slices);
    for (int64_t i = 0; i < slices; i++) {
        const hiss_slice *s = &r->schedule.slices[i];
        if (s->owner != r->comm->rank && s->owner != HISS_EVERYONE) {
            continue;
        }
        if (r->owned_count && r->owned[r->owned_count - 1].end == s->begin) {
            r->owned[r->owned_count - 1].end = s->end;
        } else {
            r->owned[r->owned_count++] = (hiss_range){s->begin, s->end};
        }
    }
}

/* Requests and receive buffers of a whole step in which all buckets are used. */
static void allocate_step(hiss_reducer *r) {
    const hiss_schedule *s = &r->schedule;
    int64_t slices = s->slice_offsets[r->buckets], all = s->root_offsets[s->size];
    int64_t own = s->root_offsets[r->comm->rank + 1] - s->root_offsets[r->comm->rank];
    int64_t floats = 0, requests = 0;
    r->received_at = hiss_new(int64_t, slices);
    r->missing = hiss_new(int64_t, slices);
    for (int64_t i = 0; i < slices; i++) {
        r->received_at[i] = floats;
        if (s->slices[i].owner == r->comm->rank) {
            floats += (all - own) * hiss_received_row(&s->slices[i]);
            requests += (all - own) + (s->size - 1);
        } else {
            requests += own + 1;
        }
    }
    r->received = hiss_new(float, floats);
    r->sources = hiss_new(float *, all);
    r->capacity = hiss_int(requests);
    r->requests = hiss_new(MPI_Request, requests);
    r->pending = hiss_new(hiss_pending, requests);
    r->finished = hiss_new(int, requests);
    r->used = hiss_new(bool, r->buckets);
    r->opened = hiss_new(bool, r->buckets);
}

hiss_status hiss_reducer_create(const hiss_reducer_options *o, hiss_reducer **out, hiss_error *err) {
    int rank = o->comm->rank, size = o->comm->size;
    bool tree = o->reduce == HISS_REDUCE_TREE;
    *out = NULL;
    hiss_status status = check_collective(o, err);
    if (status != HISS_OK) {
        return status;
    }
    assert(o->lane_offsets[0] == 0 && o->lane_offsets[size] == o->lanes && o->threads > 0);
    assert(o->bucket_offsets[0] == 0 && o->bucket_offsets[o->buckets] == o->count);

    hiss_reducer *r = hiss_new(hiss_reducer, 1);
    r->comm = o->comm;
    r->count = o->count;
    r->buckets = o->buckets;
    r->reduce = o->reduce;
    r->overlap = o->overlap;
    r->bucket_offsets = hiss_new(int64_t, o->buckets + 1);
    memcpy(r->bucket_offsets, o->bucket_offsets, (size_t)(o->buckets + 1) * sizeof(int64_t));
    hiss_schedule_make(&r->schedule, size, o->lanes, o->lane_offsets, o->buckets, o->bucket_offsets, tree,
                       tree ? TREE_SLICE_FLOATS : MPI_SLICE_FLOATS);
    status = check_tags(r, err);
    if (status != HISS_OK) {
        hiss_reducer_destroy(r);
        return status;
    }
    find_owned(r);
    allocate_step(r);
    r->pool = hiss_pool_create(o->lanes, o->lane_offsets[rank], o->lane_offsets[rank + 1], o->buckets,
                               r->bucket_offsets, o->threads, o->ahead);
    if (!tree) {
        r->bucket_comms = hiss_new(MPI_Comm, o->buckets);
        for (int b = 0; b < o->buckets; b++) {
            HISS_MPI_WAIT(o->comm, "set up reduction", MPI_Comm_dup(o->comm->mpi, &r->bucket_comms[b]));
        }
    }
    *out = r;
    return HISS_OK;
}

void hiss_reducer_destroy(hiss_reducer *r) {
    if (!r) {
        return;
    }
    assert(!r->running);
    for (int b = 0; r->bucket_comms && b < r->buckets; b++) {
        HISS_MPI_WAIT(r->comm, "end reduction", MPI_Comm_free(&r->bucket_comms[b]));
    }
    hiss_free(r->bucket_comms);
    hiss_pool_destroy(r->pool);
    hiss_schedule_free(&r->schedule);
    hiss_free(r->opened);
    hiss_free(r->used);
    hiss_free(r->finished);
    hiss_free(r->pending);
    hiss_free(r->requests);
    hiss_free(r->sources);
    hiss_free(r->received);
    hiss_free(r->missing);
    hiss_free(r->received_at);
    hiss_free(r->owned);
    hiss_free(r->bucket_offsets);
    hiss_free(r);
}

int hiss_reducer_owned(const hiss_reducer *r, const hiss_range **ranges) {
    *ranges = r->owned;
    return r->owned_count;
}

hiss_reducer_times hiss_reducer_last(const hiss_reducer *r) {
    return r->times;
}

/* Slice by slice: both ends walk the same table, and messages between two ranks keep their order. */
void hiss_reducer_gather(hiss_reducer *r, const float *packed, float *full) {
    int rank = r->comm->rank;
    MPI_Request request;
    for (int64_t i = 0; i < r->schedule.slice_offsets[r->buckets]; i++) {
        const hiss_slice *s = &r->schedule.slices[i];
        int64_t count = s->end - s->begin;
        bool mine = s->owner == rank || s->owner == HISS_EVERYONE;
        if (mine && rank == 0) {
            memcpy(full + s->begin, packed, (size_t)count * sizeof(float));
        } else if (s->owner == rank) {
            HISS_MPI(MPI_Isend(packed, hiss_int(count), MPI_FLOAT, 0, HISS_TAG_GATHER, r->comm->mpi, &request));
            hiss_wait_one(r->comm, request, 0, "gather of the optimizer's state");
            r->comm->bytes_sent += (double)count * sizeof(float);
        } else if (rank == 0) {
            HISS_MPI(MPI_Irecv(full + s->begin, hiss_int(count), MPI_FLOAT, s->owner, HISS_TAG_GATHER, r->comm->mpi,
                               &request));
            hiss_wait_one(r->comm, request, s->owner, "gather of the optimizer's state");
        }
        packed += mine ? count : 0;
    }
}

void hiss_reducer_print(const hiss_reducer *r, void *stream) {
    const hiss_schedule *s = &r->schedule;
    FILE *file = stream;
    fprintf(file, "# bucket from to floats\n");
    for (int64_t i = 0; i < s->slice_offsets[r->buckets]; i++) {
        const hiss_slice *slice = &s->slices[i];
        long long count = slice->end - slice->begin;
        if (slice->owner == HISS_EVERYONE) {
            fprintf(file, "# bucket %d: MPI_Iallreduce of %lld floats\n", slice->bucket, count);
            continue;
        }
        for (int64_t from = 0; from < s->size; from++) {
            int64_t roots = s->root_offsets[from + 1] - s->root_offsets[from];
            for (int64_t k = 0; k < roots && from != slice->owner; k++) {
                fprintf(file, "%d %d %d %lld\n", slice->bucket, (int)from, slice->owner, count);
            }
        }
        for (int to = 0; to < s->size; to++) {
            if (to != slice->owner) {
                fprintf(file, "%d %d %d %lld\n", slice->bucket, slice->owner, to, count);
            }
        }
    }
}
