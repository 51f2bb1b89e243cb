/* Blocking sum over the canonical tree.
 *
 * Every rank adds its lanes up to the maximal aligned subtrees of its range, all ranks exchange those few vectors, and
 * every rank finishes the same tree on the same values: equal bits everywhere without a broadcast. Each rank receives
 * (number of subtrees) * count doubles, so this form is meant for short vectors. */
#include <assert.h>
#include <string.h>

#include "comm/comm_impl.h"
#include "comm/tree_impl.h"
#include "hiss/alloc.h"

static void add(double *restrict into, const double *restrict from, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        into[i] += from[i];
    }
}

/* sums [local lanes, count] holds the lanes' vectors; afterwards the subtrees' sums stand in their first lanes'
 * rows. */
static void sum_own_lanes(int64_t lanes, int64_t first, int64_t end, int64_t count, double *sums) {
    for (int level = 0; level < comm_tree_height(lanes); level++) {
        int64_t width = (int64_t)1 << level;
        int64_t right = (first / (2 * width)) * 2 * width + width;
        for (; right < end; right += 2 * width) {
            if (comm_tree_within(lanes, right, first, end)) {
                add(sums + (right - width - first) * count, sums + (right - first) * count, count);
            }
        }
    }
}

void hiss_tree_sum(hiss_comm *comm, int64_t lanes, const int64_t *lane_offsets, int64_t count,
                   const double *const *values, double *out) {
    int64_t first = lane_offsets[comm->rank], end = lane_offsets[comm->rank + 1];
    assert(lane_offsets[0] == 0 && lane_offsets[comm->size] == lanes);
    int64_t *offsets = hiss_new(int64_t, comm->size + 1); /* bytes of subtree sums, by rank */
    int64_t *roots = hiss_new(int64_t, lanes);
    int64_t n = 0, own = 0;
    for (int r = 0; r < comm->size; r++) {
        own = r == comm->rank ? n : own;
        n += comm_tree_roots(lanes, lane_offsets[r], lane_offsets[r + 1], roots + n);
        offsets[r + 1] = n * count * (int64_t)sizeof(double);
    }
    size_t row = (size_t)count * sizeof(double);
    double *sums = hiss_new(double, (end - first) * count);
    for (int64_t lane = first; lane < end; lane++) {
        memcpy(sums + (lane - first) * count, values[lane - first], row);
    }
    sum_own_lanes(lanes, first, end, count, sums);
    for (int64_t i = 0; i < comm_tree_roots(lanes, first, end, NULL); i++) {
        memmove(sums + i * count, sums + (roots[own + i] - first) * count, row);
    }
    double *all = hiss_new(double, n *count);
    hiss_comm_allgather(comm, sums, offsets, all);
    int64_t *into = hiss_new(int64_t, n), *from = hiss_new(int64_t, n);
    const int64_t additions = comm_tree_additions(lanes, 0, lanes, n, roots, into, from);
    for (int64_t i = 0; i < additions; i++) {
        add(all + into[i] * count, all + from[i] * count, count);
    }
    memcpy(out, all, row);
    hiss_free(from);
    hiss_free(into);
    hiss_free(all);
    hiss_free(sums);
    hiss_free(roots);
    hiss_free(offsets);
}
