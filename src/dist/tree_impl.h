/* The canonical tree and the reduction schedule as plain arithmetic: no MPI, no floats. Nothing here is collective. */
#ifndef HISS_DIST_TREE_IMPL_H
#define HISS_DIST_TREE_IMPL_H

#include <stdbool.h>
#include <stdint.h>

/* ---- the canonical tree over lanes 0..L-1: see tree.c ---- */

int hiss_tree_level(int64_t lane);      /* lane > 0: the level on which lane's node is a right child */
int64_t hiss_tree_parent(int64_t lane); /* lane > 0: the lane whose vector it is added to */
int hiss_tree_height(int64_t lanes);    /* level of the root: the smallest j with 2^j >= lanes */
/* Whether both children of the addition of `lane` into its parent lie within lanes [first, end). lane > 0. */
bool hiss_tree_within(int64_t lanes, int64_t lane, int64_t first, int64_t end);
/* First lanes of the maximal aligned subtrees of [first, end), ascending. Returns their number, at most 2 * height + 1.
 *   roots  out  NULL: only the number is returned */
int64_t hiss_tree_roots(int64_t lanes, int64_t first, int64_t end, int64_t *roots);
/* The n - 1 additions roots[into[i]] += roots[from[i]], in order, that complete the tree into roots[0].
 *   roots  in  [n] first lanes of subtrees that together cover 0..L-1, ascending */
void hiss_tree_additions(int64_t lanes, int64_t n, const int64_t *roots, int64_t *into, int64_t *from);
/* How many lane vectors are alive at most on a rank that owns [first, end), starts its lanes in ascending order and has
 * at most `threads` of them in flight. */
int64_t hiss_tree_slots(int64_t lanes, int64_t first, int64_t end, int64_t threads);

/* ---- the schedule: who sends what to whom ---- */

enum { HISS_EVERYONE = -1, HISS_ALIGN_FLOATS = 16 };

/* A slice is what travels in one message and is summed at once: floats [begin, end) of one bucket. */
typedef struct hiss_slice {
    int bucket;
    int owner;          /* rank, or HISS_EVERYONE */
    int number;         /* running index among the slices of this owner */
    int64_t begin, end; /* never empty */
} hiss_slice;

typedef struct hiss_schedule {
    int size;               /* P */
    int64_t *root_offsets;  /* [P+1] rank r holds roots [root_offsets[r], root_offsets[r+1]) */
    int64_t *roots;         /* [root_offsets[P]] first lanes of all ranks' maximal aligned subtrees, ascending */
    int64_t *into, *from;   /* [roots - 1] additions that complete the tree, indices into roots */
    int64_t *slice_offsets; /* [buckets+1] */
    hiss_slice *slices;     /* [slice_offsets[buckets]] by bucket, then by position: owners ascend within a bucket */
} hiss_schedule;

/* owners: every bucket is cut into P pieces, piece q for rank q, on multiples of HISS_ALIGN_FLOATS, and pieces into
 * slices of at most `longest` floats. Not owners: every slice belongs to everyone. Release with _free. */
void hiss_schedule_make(hiss_schedule *s, int size, int64_t lanes, const int64_t *lane_offsets, int buckets,
                        const int64_t *bucket_offsets, bool owners, int64_t longest);
void hiss_schedule_free(hiss_schedule *s);

#endif
