/* The reducer's schedule as data.
 *
 * Direct: a bucket is cut into one piece per rank; the owner of a piece receives it from every subtree root of every
 * other rank, finishes the tree and sends the result to every other rank. With one root per rank each rank sends
 * 2 (P-1)/P of the bucket, as a ring does, but in two steps instead of 2 (P-1), and no rank adds anything that is not
 * its own. It takes 2 (P-1) messages per bucket and rank, which is too many for hundreds of ranks.
 *
 * In groups: neighbouring ranks, g of them, do the direct exchange among themselves first. Each member is the keeper of
 * a part of the bucket and adds it up for the group, along the canonical tree as far as the group's lanes go. Then the
 * keepers send the group's subtree roots to the owners, who finish the tree, update, and send the result back to the
 * keepers, and those to their groups. That is four steps, the same volume (when groups hold aligned subtrees, one root
 * each), and 2 (g-1) + 2 (P/g-1) messages: 124 instead of 2046 for P = 1024 in groups of 32. The sum is the same to the
 * last bit, for both are the canonical tree. Halving in log2 P steps would take 20 messages, but also 20 steps, each of
 * which waits for a rank between two operations of backward to notice. The direct schedule is that of groups of one.
 *
 * Who keeps what: member i of a group of g stands at i/g. Pieces are in the order of their owners' places, ties by
 * rank. The keeper of a piece in a group of g' is the member floor(g' i/g), the last that does not stand right of the
 * owner: in the owner's group it is the owner, keepers ascend, and each has a part of equal length up to rounding, also
 * when groups differ in size.
 *
 * By nodes: ranks that share memory need no messages among themselves (reducer_node.c). Groups are then these ranks, as
 * many as they happen to be, and only keepers talk to other nodes: 2 (N-1) messages per bucket and rank for N nodes.
 *
 * Pieces are cut into slices, and what is kept into chunks, so that one can be added and sent on while the next is on
 * its way. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "comm/tree_impl.h"
#include "hiss/alloc.h"

enum { DIRECT_RANKS = 32 }; /* up to so many ranks exchange directly */

static int smaller(int a, int b) {
    return a < b ? a : b;
}

/* The power of two nearest to the square root from below, where the number of messages is least. */
static int choose_group_size(int size) {
    int group = 1;
    while (size > DIRECT_RANKS && 4 * group * group <= size) {
        group *= 2;
    }
    return group;
}

/* ---- subtrees ---- */

/* Part p has the lanes of ranks [part_offsets[p], part_offsets[p+1]). */
static void make_roots(comm_roots *r, int64_t lanes, int parts, const int *part_offsets, const int64_t *lane_offsets) {
    const int64_t first = lane_offsets[part_offsets[0]], end = lane_offsets[part_offsets[parts]];
    r->offsets = hiss_new(int64_t, parts + 1);
    for (int pass = 0; pass < 2; pass++) {
        for (int p = 0; p < parts; p++) {
            r->offsets[p + 1] =
                r->offsets[p] + comm_tree_roots(lanes, lane_offsets[part_offsets[p]], lane_offsets[part_offsets[p + 1]],
                                                pass ? r->lane + r->offsets[p] : NULL);
        }
        r->lane = pass ? r->lane : hiss_new(int64_t, r->offsets[parts]);
    }
    const int64_t n = r->offsets[parts];
    r->into = hiss_new(int64_t, n);
    r->from = hiss_new(int64_t, n);
    r->additions = comm_tree_additions(lanes, first, end, n, r->lane, r->into, r->from);
}

static void free_roots(comm_roots *r) {
    hiss_free(r->from);
    hiss_free(r->into);
    hiss_free(r->lane);
    hiss_free(r->offsets);
}

/* ---- places ---- */

static int members(const comm_plan *s, int group) {
    return s->group_offsets[group + 1] - s->group_offsets[group];
}

typedef struct place { /* member / size */
    int member, size, rank;
} place;

static place place_of(const comm_plan *s, int rank) {
    const int group = s->group_of[rank];
    return (place){rank - s->group_offsets[group], members(s, group), rank};
}

static int by_place(const void *a, const void *b) {
    const place *x = a, *y = b;
    const int64_t left = (int64_t)x->member * y->size, right = (int64_t)y->member * x->size;
    return left != right ? (left > right) - (left < right) : (x->rank > y->rank) - (x->rank < y->rank);
}

int comm_plan_keeper(const comm_plan *s, int index, int owner) {
    const place p = place_of(s, owner);
    return s->group_offsets[index] + (int)((int64_t)p.member * members(s, index) / p.size);
}

/* ---- slices ---- */

/* Where piece q of P begins. On a multiple of the alignment counted from the start of the lane vector, or at the
 * ends. */
static int64_t cut(int64_t begin, int64_t end, int64_t q, int64_t size) {
    int64_t at = begin + (end - begin) / size * q + (end - begin) % size * q / size;
    at = (at + HISS_ALIGN_FLOATS - 1) / HISS_ALIGN_FLOATS * HISS_ALIGN_FLOATS;
    return q == 0 ? begin : q == size || at > end ? end : at;
}

/* Append the slices of piece [begin, end) to slices (NULL: only count). Returns their number. */
static int64_t append(comm_slice *slices, int bucket, int owner, int *number, int64_t begin, int64_t end,
                      int64_t longest) {
    int64_t n = 0;
    for (int64_t at = begin; at < end; at += longest, n++) {
        if (slices) {
            int64_t stop = end - at > longest ? at + longest : end;
            slices[n] = (comm_slice){bucket, owner, (*number)++, at, stop};
        }
    }
    return n;
}

/* All slices (NULL: only count), and where each bucket's begin. owner [pieces]; numbers [P], zero. Returns their
 * number. */
static int64_t cut_buckets(comm_plan *s, const int64_t *bucket_offsets, int pieces, const place *owner,
                           comm_slice *slices, int *numbers) {
    int64_t n = 0;
    for (int b = 0; b < s->buckets; b++) {
        s->slice_offsets[b] = n;
        for (int q = 0; q < pieces; q++) {
            int64_t begin = cut(bucket_offsets[b], bucket_offsets[b + 1], q, pieces);
            int64_t end = cut(bucket_offsets[b], bucket_offsets[b + 1], q + 1, pieces);
            const int rank = owner[q].rank;
            n += append(slices ? slices + n : NULL, b, rank, numbers + (rank == HISS_EVERYONE ? 0 : rank), begin, end,
                        s->longest);
        }
    }
    s->slice_offsets[s->buckets] = n;
    return n;
}

int comm_plan_groups(int size, int group_size, int *group_offsets) {
    const int group = group_size ? smaller(group_size, size) : choose_group_size(size);
    const int groups = (size + group - 1) / group;
    for (int g = 0; g <= groups; g++) {
        group_offsets[g] = smaller(size, g * group);
    }
    return groups;
}

int comm_plan_nodes(int size, const int *node, int *group_offsets) {
    int groups = 0;
    for (int rank = 0; rank < size; rank++) {
        if (rank == 0 || node[rank] != node[rank - 1]) {
            group_offsets[groups++] = rank;
        }
    }
    group_offsets[groups] = size;
    return groups;
}

bool comm_plan_nodes_pay(int size, int groups) {
    const int group = choose_group_size(size);
    return groups < size && groups - 1 <= (group - 1) + ((size + group - 1) / group - 1);
}

static void place_groups(comm_plan *s, const int *group_offsets) {
    s->group_offsets = hiss_new(int, s->groups + 1);
    s->group_of = hiss_new(int, s->size);
    memcpy(s->group_offsets, group_offsets, (size_t)(s->groups + 1) * sizeof(int));
    assert(group_offsets[0] == 0 && group_offsets[s->groups] == s->size);
    for (int g = 0; g < s->groups; g++) {
        for (int rank = group_offsets[g]; rank < group_offsets[g + 1]; rank++) {
            s->group_of[rank] = g;
        }
    }
}

void comm_plan_make(comm_plan *s, int size, int groups, const int *group_offsets, int64_t lanes,
                    const int64_t *lane_offsets, int buckets, const int64_t *bucket_offsets, bool owners,
                    int64_t longest) {
    assert(longest > 0 && longest % HISS_ALIGN_FLOATS == 0 && (owners || groups == size));
    *s = (comm_plan){.size = size, .groups = groups, .lanes = lanes, .buckets = buckets, .longest = longest};
    place_groups(s, group_offsets);
    s->lane_offsets = hiss_new(int64_t, size + 1);
    memcpy(s->lane_offsets, lane_offsets, (size_t)(size + 1) * sizeof(int64_t));
    make_roots(&s->roots, lanes, groups, group_offsets, lane_offsets);

    place *owner = hiss_new(place, size);
    for (int r = 0; r < size; r++) {
        owner[r] = place_of(s, r);
    }
    qsort(owner, (size_t)size, sizeof *owner, by_place);
    owner[0].rank = owners ? owner[0].rank : HISS_EVERYONE;
    int *numbers = hiss_new(int, size);
    const int pieces = owners ? size : 1;
    s->slice_offsets = hiss_new(int64_t, buckets + 1);
    s->slices = hiss_new(comm_slice, cut_buckets(s, bucket_offsets, pieces, owner, NULL, numbers));
    cut_buckets(s, bucket_offsets, pieces, owner, s->slices, numbers);
    hiss_free(numbers);
    hiss_free(owner);
}

void comm_plan_free(comm_plan *s) {
    hiss_free(s->slices);
    hiss_free(s->slice_offsets);
    free_roots(&s->roots);
    hiss_free(s->lane_offsets);
    hiss_free(s->group_of);
    hiss_free(s->group_offsets);
}

/* ---- chunks ---- */

/* All chunks of a group (NULL: only count), and where each bucket's begin. numbers [members], zero. */
static int64_t join_slices(const comm_plan *s, comm_group *g, comm_chunk *chunks, int *numbers) {
    int64_t n = 0;
    for (int b = 0; b < s->buckets; b++) {
        g->chunk_offsets[b] = n;
        for (int64_t first = s->slice_offsets[b], end; first < s->slice_offsets[b + 1]; first = end, n++) {
            const int keeper = comm_plan_keeper(s, g->index, s->slices[first].owner);
            end = first + 1;
            while (end < s->slice_offsets[b + 1] && s->slices[end].end - s->slices[first].begin <= s->longest &&
                   comm_plan_keeper(s, g->index, s->slices[end].owner) == keeper) {
                end++;
            }
            if (chunks) {
                chunks[n] = (comm_chunk){b, keeper, numbers[keeper - g->first]++, first, end};
            }
        }
    }
    g->chunk_offsets[s->buckets] = n;
    return n;
}

void comm_group_make(comm_group *g, const comm_plan *s, int index) {
    const int first = s->group_offsets[index], size = members(s, index);
    *g = (comm_group){.index = index, .first = first, .end = first + size};
    int *numbers = hiss_new(int, size), *each = hiss_new(int, size + 1);
    for (int member = 0; member <= size; member++) {
        each[member] = first + member;
    }
    make_roots(&g->roots, s->lanes, size, each, s->lane_offsets);
    hiss_free(each);
    g->chunk_offsets = hiss_new(int64_t, s->buckets + 1);
    g->chunks = hiss_new(comm_chunk, join_slices(s, g, NULL, numbers));
    join_slices(s, g, g->chunks, numbers);
    hiss_free(numbers);
}

void comm_group_free(comm_group *g) {
    hiss_free(g->chunks);
    hiss_free(g->chunk_offsets);
    free_roots(&g->roots);
}
