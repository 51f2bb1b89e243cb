/* Norms before updates.
 *
 * The sum of a slice stands where its first root stood, and stays there until the step ends, so to hold it costs a
 * pointer. What travels are partial sums of squares. The blocks of a segment are the leaves of a tree like the one over
 * lanes (tree.c), and a slice of it is a range of leaves: its owner adds up the maximal nodes inside. Slices begin on
 * multiples of HISS_ALIGN_FLOATS, which is a block, so no block is cut. All ranks know all nodes, since the schedule is
 * known; each gets the squares of all nodes of a bucket by one MPI_Iallgatherv, and finishes the tree by itself. A rank
 * has few nodes, at most 2 log2 of its blocks, of 16 bytes each: for a bucket of 1 MiB 16 kB in all on 64 ranks.
 *
 * Why a collective operation and not messages: a bucket has P squares and everyone wants all of them, which is what
 * all-gather has good algorithms for. Non-blocking ones must begin in one order on all ranks. That is by rounds, and
 * within a round from the last bucket to the first, as backward finishes them; a bucket that is measured too early
 * waits for its turn. No rank waits for itself: a bucket's first round needs sums only, and those need no norms; a
 * later round needs exchanges of the rounds before, which have had their turn.
 *
 * With one rank, and in MPI mode, where all ranks own everything and have the same sums, nothing travels. */
#include <assert.h>
#include <string.h>

#include "comm/reducer_impl.h"
#include "hiss/alloc.h"
#include "hiss/clock.h"

_Static_assert((int)HISS_NORM_BLOCK == (int)HISS_ALIGN_FLOATS, "slices begin on blocks");

enum { STRIP_BLOCKS = HISS_NORM_STRIP / HISS_NORM_BLOCK, TERMS = HISS_NORM_TERMS };

struct comm_norms {
    int segments, sets;
    hiss_range *segment;      /* [segments] */
    hiss_norm_rounds *rounds; /* [sets] */
    int *set;                 /* [buckets] */
    hiss_reducer_measure measure;
    bool travels;            /* whether squares of other ranks are needed */
    MPI_Comm comm;           /* of the exchanges, if so */
    int *first_segment;      /* [buckets+1] */
    int64_t *segment_node;   /* [segments+1] nodes by position: those of each segment */
    int64_t *slice_node;     /* [slices+1] and of each slice */
    int64_t *node_block;     /* [nodes] where a node begins in its segment; it ends where the next one begins */
    int *counts, *places;    /* [buckets, P] doubles of each rank, and where they stand in `squares` of the bucket */
    int64_t *owned;          /* [buckets] slices of this rank */
    double *squares;         /* [nodes, TERMS] of the round under way */
    double *segment_squares; /* [HISS_NORM_ROUNDS, segments, TERMS] */
    double *set_squares;     /* [HISS_NORM_ROUNDS, sets, TERMS] */
    const float **sum;       /* [owned slices] held, by their numbers */
    int *round;              /* [buckets] the one under way */
    int64_t *missing;        /* [buckets] owned slices to be measured in it */
    int *open;               /* [HISS_NORM_ROUNDS, sets] used buckets whose squares are not in */
    int turn_round, turn_bucket;
};

/* ---- life ---- */

static int64_t blocks_of(const hiss_range *segment) {
    return (segment->end - segment->begin + HISS_NORM_BLOCK - 1) / HISS_NORM_BLOCK;
}

/* The nodes of a slice in a segment; blocks NULL: only their number. */
static int64_t nodes_of(const comm_slice *slice, const hiss_range *segment, int64_t *blocks) {
    const int64_t begin = slice->begin > segment->begin ? slice->begin : segment->begin;
    const int64_t end = slice->end < segment->end ? slice->end : segment->end;
    if (begin >= end) {
        return 0;
    }
    assert((begin - segment->begin) % HISS_NORM_BLOCK == 0);
    const int64_t first = (begin - segment->begin) / HISS_NORM_BLOCK;
    const int64_t last = (end - segment->begin + HISS_NORM_BLOCK - 1) / HISS_NORM_BLOCK;
    return comm_tree_roots(blocks_of(segment), first, last, blocks);
}

/* Walk slices and segments of all buckets by position. node_block NULL: only count. */
static int64_t list_nodes(hiss_reducer *r, comm_norms *n, int64_t *node_block) {
    const comm_plan *s = &r->schedule;
    int64_t nodes = 0;
    for (int b = 0; b < r->buckets; b++) {
        int segment = n->first_segment[b];
        for (int64_t i = s->slice_offsets[b]; i < s->slice_offsets[b + 1]; i++) {
            n->slice_node[i] = nodes;
            while (segment < n->first_segment[b + 1] && n->segment[segment].begin < s->slices[i].end) {
                if (n->segment[segment].begin >= s->slices[i].begin) {
                    n->segment_node[segment] = nodes;
                }
                nodes += nodes_of(&s->slices[i], &n->segment[segment], node_block ? node_block + nodes : NULL);
                if (n->segment[segment].end > s->slices[i].end) {
                    break;
                }
                segment++;
            }
        }
    }
    n->slice_node[s->slice_offsets[r->buckets]] = n->segment_node[n->segments] = nodes;
    return nodes;
}

/* Who contributes what. A rank has one piece of a bucket, so that its nodes are neighbours. */
static void place_ranks(const hiss_reducer *r, comm_norms *n) {
    const comm_plan *s = &r->schedule;
    n->owned = hiss_new(int64_t, r->buckets);
    n->counts = hiss_new(int, n->travels ? (int64_t)r->buckets * s->size : 0);
    n->places = hiss_new(int, n->travels ? (int64_t)r->buckets * s->size : 0);
    for (int b = 0; b < r->buckets; b++) {
        const int64_t bucket_node = n->slice_node[s->slice_offsets[b]];
        for (int64_t i = s->slice_offsets[b]; i < s->slice_offsets[b + 1]; i++) {
            n->owned[b] += comm_reducer_owns(r, &s->slices[i]);
            if (n->travels) {
                const int64_t at = (int64_t)b * s->size + s->slices[i].owner;
                const int begin = comm_int(TERMS * (n->slice_node[i] - bucket_node));
                n->places[at] = n->counts[at] ? n->places[at] : begin;
                n->counts[at] += comm_int(TERMS * (n->slice_node[i + 1] - n->slice_node[i]));
                assert(n->counts[at] == 0 ||
                       n->places[at] + n->counts[at] == comm_int(TERMS * (n->slice_node[i + 1] - bucket_node)));
            }
        }
    }
}

static void copy_options(const hiss_reducer *r, comm_norms *n, const hiss_reducer_norms *o) {
    n->segments = o->segments;
    n->sets = o->sets;
    n->measure = o->measure;
    n->segment = hiss_new(hiss_range, o->segments);
    n->rounds = hiss_new(hiss_norm_rounds, o->sets);
    n->set = hiss_new(int, r->buckets);
    n->first_segment = hiss_new(int, r->buckets + 1);
    memcpy(n->segment, o->segment, sizeof(hiss_range) * (size_t)o->segments);
    memcpy(n->rounds, o->rounds, sizeof(hiss_norm_rounds) * (size_t)o->sets);
    memcpy(n->set, o->set, sizeof(int) * (size_t)r->buckets);
    int segment = 0;
    for (int b = 0; b < r->buckets; b++) {
        n->first_segment[b] = segment;
        while (segment < o->segments && o->segment[segment].begin < r->bucket_offsets[b + 1]) {
            assert(o->set[b] >= 0 && o->segment[segment].begin >= r->bucket_offsets[b] &&
                   o->segment[segment].end <= r->bucket_offsets[b + 1]);
            segment++;
        }
    }
    n->first_segment[r->buckets] = segment;
    assert(segment == o->segments);
}

comm_norms *comm_norms_create(hiss_reducer *r, const hiss_reducer_norms *o) {
    comm_norms *n = hiss_new(comm_norms, 1);
    const int64_t slices = r->schedule.slice_offsets[r->buckets];
    int64_t owned = 0;
    copy_options(r, n, o);
    n->travels = r->reduce == HISS_REDUCE_TREE && r->comm->size > 1;
    n->comm = MPI_COMM_NULL;
    n->slice_node = hiss_new(int64_t, slices + 1);
    n->segment_node = hiss_new(int64_t, n->segments + 1);
    n->node_block = hiss_new(int64_t, list_nodes(r, n, NULL));
    const int64_t nodes = list_nodes(r, n, n->node_block);
    place_ranks(r, n);
    for (int b = 0; b < r->buckets; b++) {
        owned += n->owned[b];
    }
    n->squares = hiss_new(double, nodes *TERMS);
    n->segment_squares = hiss_new(double, (int64_t)HISS_NORM_ROUNDS * n->segments * TERMS);
    n->set_squares = hiss_new(double, (int64_t)HISS_NORM_ROUNDS * n->sets * TERMS);
    n->sum = hiss_new(const float *, owned);
    n->round = hiss_new(int, r->buckets);
    n->missing = hiss_new(int64_t, r->buckets);
    n->open = hiss_new(int, (int64_t)HISS_NORM_ROUNDS * n->sets);
    if (n->travels) {
        HISS_MPI_WAIT(r->comm, "set up norms", MPI_Comm_dup(r->comm->mpi, &n->comm));
    }
    return n;
}

void comm_norms_destroy(hiss_reducer *r) {
    comm_norms *n = r->norms;
    if (!n) {
        return;
    }
    if (n->travels) {
        HISS_MPI_WAIT(r->comm, "end norms", MPI_Comm_free(&n->comm));
    }
    hiss_free(n->open);
    hiss_free(n->missing);
    hiss_free(n->round);
    hiss_free(n->sum);
    hiss_free(n->set_squares);
    hiss_free(n->segment_squares);
    hiss_free(n->squares);
    hiss_free(n->places);
    hiss_free(n->counts);
    hiss_free(n->owned);
    hiss_free(n->node_block);
    hiss_free(n->segment_node);
    hiss_free(n->slice_node);
    hiss_free(n->first_segment);
    hiss_free(n->set);
    hiss_free(n->rounds);
    hiss_free(n->segment);
    hiss_free(n);
}

int64_t comm_norms_requests(const hiss_reducer *r) {
    return r->norms && r->norms->travels ? (int64_t)r->buckets * HISS_NORM_ROUNDS : 0;
}

static int rounds_of(const comm_norms *n, int bucket) {
    return n->set[bucket] < 0 ? 0 : n->rounds[n->set[bucket]].count;
}

void comm_norms_start(hiss_reducer *r) {
    comm_norms *n = r->norms;
    memset(n->segment_squares, 0, sizeof(double) * HISS_NORM_ROUNDS * (size_t)n->segments * TERMS);
    memset(n->set_squares, 0, sizeof(double) * HISS_NORM_ROUNDS * (size_t)n->sets * TERMS);
    memset(n->open, 0, sizeof(int) * HISS_NORM_ROUNDS * (size_t)n->sets);
    for (int b = 0; b < r->buckets; b++) {
        n->round[b] = 0;
        n->missing[b] = n->owned[b];
        for (int round = 0; r->used[b] && round < rounds_of(n, b); round++) {
            n->open[round * n->sets + n->set[b]]++;
        }
    }
    n->turn_round = 0;
    n->turn_bucket = r->buckets - 1;
}

/* ---- squares ---- */

static double squares_of_block(const float x[HISS_NORM_BLOCK]) {
    double s[8];
    for (int k = 0; k < 8; k++) {
        s[k] = (double)x[k] * (double)x[k] + (double)x[k + 8] * (double)x[k + 8];
    }
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* The node of `blocks` leaves whose values stand in s. */
static double add_leaves(int64_t blocks, double *s) {
    for (int64_t width = 1; width < blocks; width *= 2) {
        for (int64_t k = 0; k + width < blocks; k += 2 * width) {
            s[k] += s[k + width];
        }
    }
    return s[0];
}

typedef struct part { /* of a held sum: a segment as far as it is in a slice */
    hiss_reducer *r;
    int segment, round, terms;
    int64_t begin;    /* of the slice */
    const float *sum; /* from there on */
} part;

/* Where a node of more than one block splits: its left child is full. */
static int64_t middle_of(int64_t first, int64_t end) {
    return first + ((int64_t)1 << (comm_tree_height(end - first) - 1));
}

/* Squares of the node of blocks [first, end). */
static void measure(const part *p, int64_t first, int64_t end, double squares[TERMS]) {
    const comm_norms *n = p->r->norms;
    if (end - first > STRIP_BLOCKS) {
        double right[TERMS] = {0};
        measure(p, first, middle_of(first, end), squares);
        measure(p, middle_of(first, end), end, right);
        for (int k = 0; k < p->terms; k++) {
            squares[k] += right[k];
        }
        return;
    }
    const hiss_range *segment = &n->segment[p->segment];
    const int64_t begin = first * HISS_NORM_BLOCK, length = segment->end - segment->begin;
    const int64_t floats = (end * HISS_NORM_BLOCK < length ? end * HISS_NORM_BLOCK : length) - begin;
    float term[TERMS][HISS_NORM_STRIP];
    n->measure(p->r->user, p->segment, p->round, segment->begin + begin, segment->begin + begin + floats,
               p->sum + (segment->begin + begin - p->begin), (float *const[]){term[0], term[1]});
    for (int k = 0; k < p->terms; k++) {
        double leaf[STRIP_BLOCKS];
        memset(term[k] + floats, 0, sizeof(float) * (size_t)((end - first) * HISS_NORM_BLOCK - floats));
        for (int64_t i = 0; i < end - first; i++) {
            leaf[i] = squares_of_block(term[k] + i * HISS_NORM_BLOCK);
        }
        squares[k] = add_leaves(end - first, leaf);
    }
}

static int64_t end_of_node(const comm_norms *n, int segment, int64_t node) {
    return node + 1 < n->segment_node[segment + 1] ? n->node_block[node + 1] : blocks_of(&n->segment[segment]);
}

/* Squares of blocks [first, end) of a segment from those of its nodes from *node on. */
static double fold(const comm_norms *n, int segment, int term, int64_t first, int64_t end, int64_t *node) {
    if (end_of_node(n, segment, *node) >= end) {
        return n->squares[(*node)++ * TERMS + term];
    }
    const double left = fold(n, segment, term, first, middle_of(first, end), node);
    return left + fold(n, segment, term, middle_of(first, end), end, node);
}

/* ---- rounds ---- */

static void measure_slice(hiss_reducer *r, int64_t at) {
    comm_norms *n = r->norms;
    const comm_slice *slice = &r->schedule.slices[at];
    const int b = slice->bucket, round = n->round[b];
    const double before = hiss_seconds();
    int segment = n->first_segment[b];
    for (int64_t node = n->slice_node[at]; node < n->slice_node[at + 1]; node++) {
        while (node >= n->segment_node[segment + 1]) {
            segment++;
        }
        const part p = {.r = r,
                        .segment = segment,
                        .round = round,
                        .terms = n->rounds[n->set[b]].round[round].terms,
                        .begin = slice->begin,
                        .sum = n->sum[slice->number]};
        measure(&p, n->node_block[node], end_of_node(n, segment, node), n->squares + node * TERMS);
    }
    r->times.sum += hiss_seconds() - before;
    if (--n->missing[b] == 0 && !n->travels) {
        comm_norms_arrived(r, b);
    }
}

static void next_round(hiss_reducer *r, int bucket) {
    comm_norms *n = r->norms;
    const comm_plan *s = &r->schedule;
    const bool last = ++n->round[bucket] == rounds_of(n, bucket);
    n->missing[bucket] = n->owned[bucket];
    for (int64_t i = s->slice_offsets[bucket]; i < s->slice_offsets[bucket + 1]; i++) {
        if (comm_reducer_owns(r, &s->slices[i])) {
            if (last) {
                comm_reducer_release(r, i, n->sum[s->slices[i].number]);
            } else {
                measure_slice(r, i);
            }
        }
    }
}

static void add_set(hiss_reducer *r, int set, int round) {
    comm_norms *n = r->norms;
    for (int b = 0; b < r->buckets; b++) {
        for (int k = n->first_segment[b]; n->set[b] == set && k < n->first_segment[b + 1]; k++) {
            for (int term = 0; term < TERMS; term++) {
                n->set_squares[(round * n->sets + set) * TERMS + term] +=
                    n->segment_squares[(round * n->segments + k) * TERMS + term];
            }
        }
    }
}

void comm_norms_arrived(hiss_reducer *r, int bucket) {
    comm_norms *n = r->norms;
    const int round = n->round[bucket], set = n->set[bucket];
    for (int k = n->first_segment[bucket]; k < n->first_segment[bucket + 1]; k++) {
        for (int term = 0; term < n->rounds[set].round[round].terms; term++) {
            int64_t node = n->segment_node[k];
            n->segment_squares[(round * n->segments + k) * TERMS + term] =
                fold(n, k, term, 0, blocks_of(&n->segment[k]), &node);
        }
    }
    if (!n->rounds[set].round[round].whole) {
        next_round(r, bucket);
    } else if (--n->open[round * n->sets + set] == 0) {
        add_set(r, set, round);
        for (int b = r->buckets - 1; b >= 0; b--) {
            if (r->used[b] && n->set[b] == set) {
                next_round(r, b);
            }
        }
    }
}

void comm_norms_slice(hiss_reducer *r, int64_t slice, const float *sum) {
    comm_norms *n = r->norms;
    if (rounds_of(n, r->schedule.slices[slice].bucket) == 0) {
        comm_reducer_release(r, slice, sum);
        return;
    }
    n->sum[r->schedule.slices[slice].number] = sum;
    measure_slice(r, slice);
}

static void exchange(hiss_reducer *r, int bucket) {
    comm_norms *n = r->norms;
    const int64_t first = n->slice_node[r->schedule.slice_offsets[bucket]];
    const int64_t end = n->slice_node[r->schedule.slice_offsets[bucket + 1]];
    const int64_t at = (int64_t)bucket * r->comm->size;
    HISS_MPI(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, n->squares + first * TERMS, n->counts + at,
                             n->places + at, MPI_DOUBLE, n->comm,
                             comm_reducer_request(r, bucket, HISS_GOT_NORMS, HISS_EVERYONE)));
    comm_count_ring(r->comm, (double)(end - first) * TERMS * sizeof(double));
}

bool comm_norms_advance(hiss_reducer *r) {
    comm_norms *n = r->norms;
    bool moved = false;
    while (n->travels && n->turn_round < HISS_NORM_ROUNDS) {
        const int b = n->turn_bucket;
        if (b < 0) {
            n->turn_round++;
            n->turn_bucket = r->buckets - 1;
            continue;
        }
        if (r->used[b] && rounds_of(n, b) > n->turn_round) {
            if (n->round[b] < n->turn_round || n->missing[b] > 0) {
                break;
            }
            exchange(r, b);
            moved = true;
        }
        n->turn_bucket--;
    }
    return moved;
}

double hiss_reducer_squares(const hiss_reducer *r, int segment, int round, int term) {
    return r->norms->segment_squares[(round * r->norms->segments + segment) * TERMS + term];
}

double hiss_reducer_set_squares(const hiss_reducer *r, int set, int round, int term) {
    return r->norms->set_squares[(round * r->norms->sets + set) * TERMS + term];
}
