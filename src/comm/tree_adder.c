/* A sum over the canonical tree whose lanes come one after the other: as soon as a lane completes a node of this rank's,
 * its children are added, so that about two vectors per level are alive instead of one per lane. The bits are those of
 * hiss_tree_sum. */
#include <assert.h>
#include <string.h>

#include "comm/comm_impl.h"
#include "comm/tree_impl.h"
#include "hiss/alloc.h"

struct hiss_tree_adder {
    hiss_comm *comm;
    int64_t lanes, first, end, count;
    int64_t next;      /* lane to come */
    int64_t depth;     /* nodes alive */
    int64_t most;      /* of them */
    int64_t *node;     /* [most] their first lanes, ascending */
    double *vector;    /* [most, count] */
    int64_t n;         /* subtrees of all ranks */
    int64_t *root;     /* [n] their first lanes */
    int64_t *offsets;  /* [P+1] bytes of subtree sums, by rank */
    int64_t additions; /* of subtrees */
    int64_t *into, *from;
    double *all; /* [n, count] */
};

hiss_tree_adder *hiss_tree_adder_create(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets, int64_t count) {
    hiss_tree_adder *a = hiss_new(hiss_tree_adder, 1);
    a->comm = comm;
    a->lanes = lanes;
    a->first = lane_offsets[comm->rank];
    a->end = lane_offsets[comm->rank + 1];
    a->count = count;
    a->most = 2 * (int64_t)comm_tree_height(lanes) + 2;
    a->node = hiss_new(int64_t, a->most);
    a->vector = hiss_new(double, a->most *count);
    a->root = hiss_new(int64_t, lanes);
    a->offsets = hiss_new(int64_t, comm->size + 1);
    for (int r = 0; r < comm->size; r++) {
        a->n += comm_tree_roots(lanes, lane_offsets[r], lane_offsets[r + 1], a->root + a->n);
        a->offsets[r + 1] = a->n * count * (int64_t)sizeof(double);
    }
    a->into = hiss_new(int64_t, a->n);
    a->from = hiss_new(int64_t, a->n);
    a->additions = comm_tree_additions(lanes, 0, lanes, a->n, a->root, a->into, a->from);
    a->all = hiss_new(double, a->n *count);
    hiss_tree_adder_start(a);
    return a;
}

void hiss_tree_adder_destroy(hiss_tree_adder *a) {
    if (a) {
        void *const all[] = {a->node, a->vector, a->root, a->offsets, a->into, a->from, a->all};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            hiss_free(all[i]);
        }
        hiss_free(a);
    }
}

void hiss_tree_adder_start(hiss_tree_adder *a) {
    a->next = a->first;
    a->depth = 0;
}

static void add(double *restrict into, const double *restrict from, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        into[i] += from[i];
    }
}

/* Whether the last node, which ends before lane a->next, is a right child whose addition is this rank's. */
static bool completes(const hiss_tree_adder *a) {
    const int64_t lane = a->node[a->depth - 1];
    if (lane == 0 || !comm_tree_within(a->lanes, lane, a->first, a->end)) {
        return false;
    }
    const int64_t end = lane + ((int64_t)1 << comm_tree_level(lane));
    return a->next == (end < a->lanes ? end : a->lanes);
}

static void add_complete(hiss_tree_adder *a) {
    while (a->depth > 1 && completes(a)) {
        assert(a->node[a->depth - 2] == comm_tree_parent(a->node[a->depth - 1]));
        a->depth--;
        add(a->vector + (a->depth - 1) * a->count, a->vector + a->depth * a->count, a->count);
    }
}

void hiss_tree_adder_add(hiss_tree_adder *a, int64_t floats, const float *restrict values, const double *tail) {
    assert(a->next < a->end && a->depth < a->most && floats <= a->count);
    double *restrict vector = a->vector + a->depth * a->count;
    for (int64_t i = 0; i < floats; i++) {
        vector[i] = (double)values[i];
    }
    for (int64_t i = floats; i < a->count; i++) {
        vector[i] = tail[i - floats];
    }
    a->node[a->depth++] = a->next++;
    add_complete(a);
}

void hiss_tree_adder_finish(hiss_tree_adder *a, double *out) {
    assert(a->next == a->end && a->depth == comm_tree_roots(a->lanes, a->first, a->end, NULL));
    hiss_comm_allgather(a->comm, a->vector, a->offsets, a->all);
    for (int64_t i = 0; i < a->additions; i++) {
        add(a->all + a->into[i] * a->count, a->all + a->from[i] * a->count, a->count);
    }
    memcpy(out, a->all, (size_t)a->count * sizeof(double));
    hiss_tree_adder_start(a);
}
