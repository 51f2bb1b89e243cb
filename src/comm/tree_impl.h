/* The canonical tree and the reduction schedule as plain arithmetic: no MPI, no floats. Nothing here is collective. */
#ifndef HISS_COMM_TREE_IMPL_H
#define HISS_COMM_TREE_IMPL_H

#include <stdbool.h>
#include <stdint.h>

/* ---- the canonical tree over lanes 0..L-1: see tree.c ---- */

int comm_tree_level(int64_t lane);      /* lane > 0: the level on which lane's node is a right child */
int64_t comm_tree_parent(int64_t lane); /* lane > 0: the lane whose vector it is added to */
int comm_tree_height(int64_t lanes);    /* level of the root: the smallest j with 2^j >= lanes */
/* Whether both children of the addition of `lane` into its parent lie within lanes [first, end). lane > 0. */
bool comm_tree_within(int64_t lanes, int64_t lane, int64_t first, int64_t end);
/* First lanes of the maximal aligned subtrees of [first, end), ascending. Returns their number, at most 2 * height + 1.
 *   roots  out  NULL: only the number is returned */
int64_t comm_tree_roots(int64_t lanes, int64_t first, int64_t end, int64_t *roots);
/* The additions roots[into[i]] += roots[from[i]], in order, that can be done within lanes [first, end). Returns their
 * number: n - 1 when [first, end) is one subtree, all lanes for example.
 *   roots  in  [n] first lanes of subtrees that together cover [first, end), ascending */
int64_t comm_tree_additions(int64_t lanes, int64_t first, int64_t end, int64_t n, const int64_t *roots, int64_t *into,
                            int64_t *from);
/* How many lane vectors are alive at most on a rank that owns lanes from `first`, starts them in ascending order and has
 * at most `threads` of them in flight: when lane `newest` starts; and with lanes [first, end), over all of them. */
int64_t comm_tree_alive(int64_t lanes, int64_t first, int64_t newest, int64_t threads);
int64_t comm_tree_slots(int64_t lanes, int64_t first, int64_t end, int64_t threads);

/* ---- the schedule: who sends what to whom; see schedule.c ---- */

enum { HISS_EVERYONE = -1, HISS_ALIGN_FLOATS = 16 };

/* Subtrees held by neighbouring parts: lanes by rank, or by group of ranks. */
typedef struct comm_roots {
    int64_t *offsets;     /* [parts+1] part p holds roots [offsets[p], offsets[p+1]) */
    int64_t *lane;        /* [offsets[parts]] first lanes of the parts' maximal aligned subtrees, ascending */
    int64_t additions;    /* those that can be done within all parts together */
    int64_t *into, *from; /* [additions] indices into lane */
} comm_roots;

/* A slice is finished, updated and sent out by its owner at once: floats [begin, end) of one bucket. */
typedef struct comm_slice {
    int bucket;
    int owner;          /* rank, or HISS_EVERYONE */
    int number;         /* running index among the slices of this owner */
    int64_t begin, end; /* never empty */
} comm_slice;

/* A chunk is what a member of a group, its keeper there, adds up for the group at once: neighbouring slices. */
typedef struct comm_chunk {
    int bucket;
    int keeper;                     /* rank */
    int number;                     /* running index among the chunks of this keeper */
    int64_t first_slice, end_slice; /* never empty */
} comm_chunk;

typedef struct comm_group { /* ranks that reduce among themselves first */
    int index, first, end;  /* ranks [first, end) */
    comm_roots roots;       /* by member */
    int64_t *chunk_offsets; /* [buckets+1] */
    comm_chunk *chunks;     /* [chunk_offsets[buckets]] by position */
} comm_group;

typedef struct comm_plan {
    int size, groups;             /* P */
    int *group_offsets;           /* [groups+1] group g is ranks [group_offsets[g], group_offsets[g+1]) */
    int *group_of;                /* [P] */
    int64_t lanes, *lane_offsets; /* [P+1] */
    int buckets;
    int64_t longest;        /* floats of a slice, and of a chunk unless one slice is longer */
    comm_roots roots;       /* by group */
    int64_t *slice_offsets; /* [buckets+1] */
    comm_slice *slices;     /* [slice_offsets[buckets]] by position */
} comm_plan;

/* Groups of equal size, but for the last. Returns their number.
 *   group_size     in   0 lets the number of ranks decide
 *   group_offsets  out  [P+1] */
int comm_plan_groups(int size, int group_size, int *group_offsets);
/* Groups of neighbouring ranks of one node. Returns their number.
 *   node           in   [P] equal for ranks of one node
 *   group_offsets  out  [P+1] */
int comm_plan_nodes(int size, const int *node, int *group_offsets);
/* Whether so many groups by nodes make no more messages than groups that the number of ranks decides. */
bool comm_plan_nodes_pay(int size, int groups);
/* owners: every bucket is cut into P pieces on multiples of HISS_ALIGN_FLOATS, each for one rank, and pieces into slices
 * of at most `longest` floats. Not owners: every slice belongs to everyone, and groups are of one rank. Release with
 * _free.
 *   group_offsets  in  [groups+1] copied */
void comm_plan_make(comm_plan *s, int size, int groups, const int *group_offsets, int64_t lanes,
                    const int64_t *lane_offsets, int buckets, const int64_t *bucket_offsets, bool owners,
                    int64_t longest);
void comm_plan_free(comm_plan *s);
/* The group of that index as its members see it; only of a schedule with owners. Release with _free. */
void comm_group_make(comm_group *g, const comm_plan *s, int index);
void comm_group_free(comm_group *g);
/* The member of group `index` that keeps a slice of that owner. */
int comm_plan_keeper(const comm_plan *s, int index, int owner);

#endif
