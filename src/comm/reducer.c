/* The gradient reducer: life and queries. What happens in a step is in reducer_step.c, adding up lanes in lane_sums.c,
 * who sends what to whom in schedule.c.
 *
 * Memory per rank, in vectors: comm_tree_slots for the lanes, of which some may lie in lent memory, and for what arrives
 * (roots of the group's other members) / g and (roots of other groups) / P; together about one when P and L are powers
 * of two. Of the latter only as much as `room` says where no norms are wanted: a slice that finds no place waits, and
 * its messages with their senders, until another is complete. That ends, since what senders have to do for a slice
 * depends on no place: roots are sent when lanes are done with a bucket, and when members' roots have arrived, which
 * have places of their own. Everything is allocated here. */
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "comm/reducer_impl.h"
#include "comm/shared_impl.h"
#include "hiss/alloc.h"
#include "hiss/log.h"

enum { MPI_SLICE_FLOATS = 1 << 28 }; /* what an int can count */
enum { FEWEST_PLACES = 4 };          /* one is being added up while others fill */

static hiss_status check_collective(const hiss_reducer_options *o, hiss_error *err) {
    int64_t shape[7] = {o->lanes, o->count, o->buckets, o->reduce, o->group_size, o->wire != NULL, o->node};
    int64_t lane_bytes = (o->comm->size + 1) * (int64_t)sizeof(int64_t);
    int64_t bucket_bytes = (o->buckets + 1) * (int64_t)sizeof(int64_t);
    const int64_t wire_bytes = o->wire ? o->buckets * (int64_t)sizeof *o->wire : 0;
    if (!hiss_comm_equal(o->comm, shape, sizeof shape) || !hiss_comm_equal(o->comm, o->lane_offsets, lane_bytes) ||
        !hiss_comm_equal(o->comm, o->bucket_offsets, bucket_bytes) ||
        !hiss_comm_equal(o->comm, o->wire ? o->wire : &(hiss_wire){0}, wire_bytes)) {
        return hiss_fail(
            err, HISS_EINTERNAL,
            "reducer: lanes, vector length, group size, lane offsets, bucket offsets or what travels differ between "
            "ranks; please report this with the config");
    }
    return HISS_OK;
}

static hiss_status check_tags(const hiss_reducer *r, hiss_error *err) {
    int *limit, found, most = 0;
    HISS_MPI(MPI_Comm_get_attr(r->comm->mpi, MPI_TAG_UB, &limit, &found));
    for (int64_t i = 0; i < r->schedule.slice_offsets[r->buckets]; i++) {
        most = r->schedule.slices[i].number > most ? r->schedule.slices[i].number : most;
    }
    for (int64_t i = 0; r->group.chunks && i < r->group.chunk_offsets[r->buckets]; i++) {
        most = r->group.chunks[i].number > most ? r->group.chunks[i].number : most;
    }
    if (found && (*limit - HISS_TAG_SLICE) / HISS_TAG_KINDS - 1 < most) {
        return hiss_fail(
            err, HISS_ESYSTEM,
            "reducer: %d slices or chunks of one rank need more message tags than this MPI has (%d); use more "
            "ranks or fewer buckets",
            most + 1, *limit);
    }
    return HISS_OK;
}

static int64_t count_owned(const hiss_reducer *r) {
    int64_t n = 0;
    for (int64_t i = 0; i < r->schedule.slice_offsets[r->buckets]; i++) {
        n += comm_reducer_owns(r, &r->schedule.slices[i]);
    }
    return n;
}

/* Owned ranges: neighbouring owned slices joined. */
static void find_owned(hiss_reducer *r) {
    const int64_t slices = r->schedule.slice_offsets[r->buckets];
    r->owned = hiss_new(hiss_range, count_owned(r));
    for (int64_t i = 0; i < slices; i++) {
        const comm_slice *s = &r->schedule.slices[i];
        if (!comm_reducer_owns(r, s)) {
            continue;
        }
        if (r->owned_count && r->owned[r->owned_count - 1].end == s->begin) {
            r->owned[r->owned_count - 1].end = s->end;
        } else {
            r->owned[r->owned_count++] = (hiss_range){s->begin, s->end};
        }
    }
}

static void allocate_kept(comm_kept *kept, int64_t count) {
    kept->received_at = hiss_new(int64_t, count);
    kept->missing = hiss_new(int64_t, count);
    kept->missing_values = hiss_new(int64_t, count);
}

/* Roots of all parts but one. */
static int64_t roots_of_others(const comm_roots *roots, int parts, int part) {
    return roots->offsets[parts] - (roots->offsets[part + 1] - roots->offsets[part]);
}

/* Places for chunks kept here; adds to the floats and requests that a whole step needs. */
static void place_chunks(hiss_reducer *r, int64_t *floats, int64_t *requests) {
    const comm_group *g = &r->group;
    const int size = g->end - g->first, self = r->comm->rank - g->first;
    const int64_t others = roots_of_others(&g->roots, size, self), own = g->roots.offsets[size] - others;
    const int64_t group = r->schedule.roots.offsets[g->index + 1] - r->schedule.roots.offsets[g->index];
    allocate_kept(&r->chunks, g->chunk_offsets[r->buckets]);
    for (int64_t i = 0; i < g->chunk_offsets[r->buckets]; i++) {
        const comm_chunk *chunk = &g->chunks[i];
        if (chunk->keeper != r->comm->rank) {
            *requests += r->node ? 0 : own + 1;
            continue;
        }
        r->chunks.received_at[r->chunks.count++] = *floats;
        if (r->node) {
            *requests += (chunk->end_slice - chunk->first_slice) * (group + 1);
            continue;
        }
        *floats += others * comm_row_floats(comm_chunk_floats(r, chunk));
        *requests += others + (size - 1) + (chunk->end_slice - chunk->first_slice) * (group + 1);
    }
}

/* As many places as there is room for, each long enough for any slice. */
static void share_places(hiss_reducer *r, int64_t first, int64_t longest, int64_t room, int64_t *floats) {
    comm_places *p = &r->places;
    const int64_t count = room / longest > FEWEST_PLACES ? room / longest : FEWEST_PLACES;
    if (count * longest >= *floats - first) {
        return;
    }
    p->count = count;
    p->free = hiss_new(int64_t, count);
    for (; p->nfree < count; p->nfree++) {
        p->free[p->nfree] = first + p->nfree * longest;
    }
    *floats = first + count * longest;
}

static void place_slices(hiss_reducer *r, int64_t room, int64_t *floats, int64_t *requests) {
    const comm_plan *s = &r->schedule;
    const int64_t others = roots_of_others(&s->roots, s->groups, r->group.index), first = *floats;
    int64_t longest = 1;
    allocate_kept(&r->slices, count_owned(r));
    r->places.waiting = hiss_new(int64_t, count_owned(r));
    for (int64_t i = 0; i < s->slice_offsets[r->buckets]; i++) {
        if (s->slices[i].owner == r->comm->rank) {
            const int64_t needed = others * comm_row_floats(s->slices[i].end - s->slices[i].begin);
            longest = needed > longest ? needed : longest;
            r->slices.received_at[r->slices.count++] = *floats;
            *floats += needed;
            *requests += others + (s->groups - 1);
        }
    }
    if (!r->norms) { /* else sums stay until the step's end */
        share_places(r, first, longest, room, floats);
    }
}

/* Requests and receive buffers of a whole step in which all buckets are used. */
static void allocate_step(hiss_reducer *r, int64_t room) {
    const comm_plan *s = &r->schedule;
    int64_t floats = 0, requests = 0, sources = s->roots.offsets[s->groups];
    if (r->reduce == HISS_REDUCE_TREE) {
        const int64_t members = r->group.roots.offsets[r->group.end - r->group.first];
        sources = sources > members ? sources : members;
        place_chunks(r, &floats, &requests);
        place_slices(r, room, &floats, &requests);
    } else {
        requests = s->slice_offsets[r->buckets];
        floats = s->roots.offsets[r->comm->rank + 1] > s->roots.offsets[r->comm->rank] ? 0 : r->count;
    }
    requests += comm_norms_requests(r);
    r->received = hiss_new_floats(floats);
    r->received_floats = floats;
    r->sources = hiss_new(float *, sources);
    r->packed = hiss_new(bool, sources);
    r->capacity = comm_int(requests);
    r->requests = hiss_new(MPI_Request, requests);
    r->pending = hiss_new(comm_pending, requests);
    r->finished = hiss_new(int, requests);
    r->used = hiss_new(bool, r->buckets);
    r->opened = hiss_new(bool, r->buckets);
    r->flight = hiss_new(hiss_reducer_flight, r->buckets);
}

/* For buckets whose changes travel. */
static void allocate_changes(hiss_reducer *r) {
    bool any = false;
    for (int b = 0; b < r->buckets; b++) {
        any |= r->narrow[b];
    }
    if (any) {
        const int64_t halves = (r->count + 1) / 2;
        r->changes = (uint16_t *)(void *)hiss_new_floats(halves);
        r->before = hiss_new_floats(r->schedule.longest);
        r->change_floats = halves + r->schedule.longest;
    }
}

int64_t hiss_reducer_own(const hiss_reducer_options *o) {
    const int rank = o->comm->rank;
    return comm_lane_sums_own(o->lanes, o->lane_offsets[rank], o->lane_offsets[rank + 1], o->count, o->threads,
                              o->lent);
}

/* ---- who exchanges with whom ---- */

static void plan_groups(hiss_reducer *r, const hiss_reducer_options *o, int groups, const int *group_offsets) {
    const bool tree = o->reduce == HISS_REDUCE_TREE;
    comm_plan_make(&r->schedule, o->comm->size, groups, group_offsets, o->lanes, o->lane_offsets, o->buckets,
                   o->bucket_offsets, tree, tree ? HISS_SLICE_FLOATS : MPI_SLICE_FLOATS);
    if (tree) {
        comm_group_make(&r->group, &r->schedule, r->schedule.group_of[o->comm->rank]);
    }
}

/* By nodes, if that is wanted and there is more than one rank on any. */
static hiss_status plan_nodes(hiss_reducer *r, const hiss_reducer_options *o, int *group_offsets, hiss_error *err) {
    const int rank = o->comm->rank, size = o->comm->size;
    int *node = hiss_new(int, size);
    comm_shared_nodes(o->comm, node);
    const int groups = comm_plan_nodes(size, node, group_offsets);
    hiss_free(node);
    if (groups == size || (o->node == HISS_NODE_AUTO && !comm_plan_nodes_pay(size, groups))) {
        return HISS_OK;
    }
    plan_groups(r, o, groups, group_offsets);
    hiss_error why = {0};
    const int64_t first = o->lane_offsets[rank], end = o->lane_offsets[rank + 1],
                  lanes = comm_lane_sums_need(o->lanes, first, end, o->count, o->threads, o->ahead);
    const hiss_status status = comm_node_create(r, o->lent ? 0 : lanes, &why);
    r->by_nodes = status == HISS_OK;
    if (r->by_nodes) {
        return HISS_OK;
    }
    comm_group_free(&r->group);
    comm_plan_free(&r->schedule);
    r->schedule = (comm_plan){0};
    r->group = (comm_group){0};
    if (o->node == HISS_NODE_AUTO) {
        if (rank == 0) {
            hiss_warn("%s", why.text);
        }
        return HISS_OK;
    }
    if (err) {
        *err = why;
    }
    return status;
}

static hiss_status plan(hiss_reducer *r, const hiss_reducer_options *o, hiss_error *err) {
    const int size = o->comm->size;
    const bool tree = o->reduce == HISS_REDUCE_TREE, free = tree && o->group_size == 0 && size > 1;
    int *group_offsets = hiss_new(int, size + 1);
    hiss_status status = HISS_OK;
    if (free && o->node != HISS_NODE_OFF) {
        status = plan_nodes(r, o, group_offsets, err);
    }
    if (status == HISS_OK && !r->by_nodes) {
        plan_groups(r, o, comm_plan_groups(size, tree ? o->group_size : 1, group_offsets), group_offsets);
    }
    hiss_free(group_offsets);
    return status;
}

hiss_status hiss_reducer_create(const hiss_reducer_options *o, hiss_reducer **out, hiss_error *err) {
    const int rank = o->comm->rank, size = o->comm->size;
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
    r->narrow = hiss_new(bool, o->buckets);
    for (int b = 0; b < o->buckets; b++) {
        r->narrow[b] = o->wire && o->wire[b] == HISS_WIRE_BF16;
        assert(!r->narrow[b] || tree);
    }
    status = plan(r, o, err);
    status = status == HISS_OK ? check_tags(r, err) : status;
    if (status != HISS_OK) {
        hiss_reducer_destroy(r);
        return status;
    }
    find_owned(r);
    r->norms = o->norms ? comm_norms_create(r, o->norms) : NULL;
    allocate_step(r, o->room ? o->room : HISS_ROOM_FLOATS);
    allocate_changes(r);
    r->sums =
        comm_lane_sums_create(o->lanes, o->lane_offsets[rank], o->lane_offsets[rank + 1], o->buckets, r->bucket_offsets,
                              r->narrow, o->threads, o->ahead, r->node ? comm_node_lanes(r) : NULL, o->lent);
    if (!tree) {
        r->bucket_comms = hiss_new(MPI_Comm, o->buckets);
        for (int b = 0; b < o->buckets; b++) {
            HISS_MPI_WAIT(o->comm, "set up reduction", MPI_Comm_dup(o->comm->mpi, &r->bucket_comms[b]));
        }
    }
    *out = r;
    return HISS_OK;
}

static void free_kept(comm_kept *kept) {
    hiss_free(kept->missing_values);
    hiss_free(kept->missing);
    hiss_free(kept->received_at);
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
    comm_norms_destroy(r);
    comm_lane_sums_destroy(r->sums);
    comm_node_destroy(r);
    comm_group_free(&r->group);
    comm_plan_free(&r->schedule);
    hiss_free(r->flight);
    hiss_free(r->opened);
    hiss_free(r->used);
    hiss_free(r->finished);
    hiss_free(r->pending);
    hiss_free(r->requests);
    hiss_free(r->packed);
    hiss_free(r->sources);
    hiss_free_floats(r->before);
    hiss_free_floats((float *)(void *)r->changes);
    hiss_free(r->narrow);
    hiss_free_floats(r->received);
    hiss_free(r->places.waiting);
    hiss_free(r->places.free);
    free_kept(&r->slices);
    free_kept(&r->chunks);
    hiss_free(r->owned);
    hiss_free(r->bucket_offsets);
    hiss_free(r);
}

int64_t hiss_reducer_bytes(const hiss_reducer *r) {
    return (int64_t)sizeof(float) *
           (comm_lane_sums_floats(r->sums) + r->received_floats + r->change_floats + comm_node_floats(r));
}

int hiss_reducer_owned(const hiss_reducer *r, const hiss_range **ranges) {
    *ranges = r->owned;
    return r->owned_count;
}

int hiss_reducer_shares(const hiss_reducer *r) {
    return r->node ? r->group.end - r->group.first : 1;
}

hiss_reducer_times hiss_reducer_last(const hiss_reducer *r) {
    return r->times;
}

hiss_reducer_flight hiss_reducer_bucket(const hiss_reducer *r, int bucket) {
    return r->flight[bucket];
}

/* Slice by slice: both ends walk the same table, and messages between two ranks keep their order. */
void hiss_reducer_gather(hiss_reducer *r, const float *packed, float *full) {
    int rank = r->comm->rank;
    MPI_Request request;
    for (int64_t i = 0; i < r->schedule.slice_offsets[r->buckets]; i++) {
        const comm_slice *s = &r->schedule.slices[i];
        int64_t count = s->end - s->begin;
        bool mine = comm_reducer_owns(r, s);
        if (mine && rank == 0) {
            memcpy(full + s->begin, packed, (size_t)count * sizeof(float));
        } else if (s->owner == rank) {
            HISS_MPI(MPI_Isend(packed, comm_int(count), MPI_FLOAT, 0, HISS_TAG_GATHER, r->comm->mpi, &request));
            comm_wait_one(r->comm, request, 0, "gather of the optimizer's state");
            r->comm->bytes_sent += (double)count * sizeof(float);
        } else if (rank == 0) {
            HISS_MPI(MPI_Irecv(full + s->begin, comm_int(count), MPI_FLOAT, s->owner, HISS_TAG_GATHER, r->comm->mpi,
                               &request));
            comm_wait_one(r->comm, request, s->owner, "gather of the optimizer's state");
        }
        packed += mine ? count : 0;
    }
}

static int64_t roots_of(const comm_roots *roots, int part) {
    return roots->offsets[part + 1] - roots->offsets[part];
}

static void print_messages(FILE *file, int64_t count, int bucket, int from, int to, int64_t floats) {
    for (int64_t k = 0; k < count && from != to; k++) {
        fprintf(file, "%d %d %d %lld\n", bucket, from, to, (long long)floats);
    }
}

static void print_group(const hiss_reducer *r, int index, FILE *file) {
    comm_group g;
    comm_group_make(&g, &r->schedule, index);
    for (int64_t i = 0; i < g.chunk_offsets[r->buckets]; i++) {
        const comm_chunk *chunk = &g.chunks[i];
        const int64_t floats = comm_chunk_floats(r, chunk);
        for (int member = g.first; member < g.end; member++) {
            print_messages(file, roots_of(&g.roots, member - g.first), chunk->bucket, member, chunk->keeper, floats);
            print_messages(file, 1, chunk->bucket, chunk->keeper, member, floats);
        }
    }
    comm_group_free(&g);
}

void hiss_reducer_print(const hiss_reducer *r, void *stream) {
    const comm_plan *s = &r->schedule;
    FILE *file = stream;
    fprintf(file, "# bucket from to numbers; %d groups of ranks%s\n", s->groups,
            r->by_nodes ? " that share memory" : "");
    for (int64_t i = 0; i < s->slice_offsets[r->buckets]; i++) {
        const comm_slice *slice = &s->slices[i];
        const int64_t floats = slice->end - slice->begin;
        if (slice->owner == HISS_EVERYONE) {
            fprintf(file, "# bucket %d: MPI_Iallreduce of %lld floats\n", slice->bucket, (long long)floats);
            continue;
        }
        for (int group = 0; group < s->groups; group++) {
            const int keeper = comm_plan_keeper(s, group, slice->owner);
            print_messages(file, roots_of(&s->roots, group), slice->bucket, keeper, slice->owner, floats);
            print_messages(file, 1, slice->bucket, slice->owner, keeper, floats);
        }
    }
    for (int group = 0; group < s->groups && r->reduce == HISS_REDUCE_TREE && !r->by_nodes; group++) {
        print_group(r, group, file);
    }
}
