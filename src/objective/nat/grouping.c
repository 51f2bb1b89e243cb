/* Rounds whose blocks hold samples with near features (assign.grouping: tree).
 *
 * Two samples gain by swapping targets only in the part of their features in which they differ. Random blocks settle
 * the coarse part; once it is settled, most pairs in a random block have nothing to give each other. So two of three
 * rounds group samples by a random projection tree over their features (Dasgupta & Freund, "Random projection trees and
 * low dimensional manifolds", STOC 2008, in its simplest form: split at the median of a random projection), down to
 * leaves of one block. Fresh directions in every round make the leaves overlap differently each time.
 * docs/assignment.md has what that gains.
 *
 * The tree is the same on all ranks: per level each rank projects its own samples, the n projections are gathered, and
 * every rank sorts each node's samples by (projection, sample). Cost per round, with h = log2(n / block) levels:
 * h n d / P flops of projections, 4 h n bytes gathered, h n log n comparisons on every rank; memory 28 n bytes. */
#include <stdlib.h>

#include "objective/nat/grouping.h"

typedef struct keyed {
    float key;
    int64_t sample;
} keyed;

struct grouping {
    nat *n;
    int64_t samples;
    keyed *order;          /* [samples]: by place */
    float *projection;     /* [samples] */
    float *mine;           /* [local samples] */
    int64_t *place;        /* [samples]: by sample */
    int64_t *byte_offsets; /* [P+1]: of the gather */
    float *direction;      /* [d] */
};

grouping *objective_grouping_create(nat *n) {
    const hiss_placement *p = n->placement;
    const int P = hiss_comm_size(p->comm);
    grouping *g = hiss_new(grouping, 1);
    *g = (grouping){.n = n,
                    .samples = p->samples,
                    .order = hiss_new(keyed, p->samples),
                    .projection = hiss_new(float, p->samples),
                    .mine = hiss_new(float, n->local_samples),
                    .place = hiss_new(int64_t, p->samples),
                    .byte_offsets = hiss_new(int64_t, P + 1),
                    .direction = hiss_new(float, n->options->dim)};
    for (int r = 0; r <= P; r++) {
        g->byte_offsets[r] = p->shards[p->lane_offsets[r]] * (int64_t)sizeof(float);
    }
    return g;
}

void objective_grouping_destroy(grouping *g) {
    if (g) {
        hiss_free(g->order);
        hiss_free(g->projection);
        hiss_free(g->mine);
        hiss_free(g->place);
        hiss_free(g->byte_offsets);
        hiss_free(g->direction);
        hiss_free(g);
    }
}

static int by_key(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return (x->sample > y->sample) - (x->sample < y->sample);
}

/* Project this rank's samples among places [begin, end) on the node's own direction. */
static void project(grouping *g, const float *features, hiss_rng rng, int64_t begin, int64_t end) {
    const nat *n = g->n;
    const int64_t d = n->options->dim;
    hiss_rng_normals(&rng, d, g->direction);
    for (int64_t p = begin; p < end; p++) {
        const int64_t local = g->order[p].sample - n->first_sample;
        double sum = 0.0;
        for (int64_t j = 0; j < d && local >= 0 && local < n->local_samples; j++) {
            sum += (double)features[local * d + j] * (double)g->direction[j];
        }
        if (local >= 0 && local < n->local_samples) {
            g->mine[local] = (float)sum;
        }
    }
}

void objective_grouping_draw(grouping *g, const float *features, int64_t epoch, int64_t round, int64_t blocks,
                             const int64_t *place_offsets) {
    const nat *n = g->n;
    for (int64_t i = 0; i < g->samples; i++) {
        g->order[i].sample = i;
    }
    int64_t node = 0;
    for (int64_t nodes = 1; nodes < blocks; nodes *= 2) {
        const int64_t first = node;
        for (int64_t k = 0; k < nodes; k++, node++) { /* node k covers blocks [k B / nodes, (k+1) B / nodes) */
            project(g, features, hiss_rng_keyed(n->task->seed, HISS_FOR_BLOCKS, epoch, ((1 + round) << 24) + first + k),
                    place_offsets[k * blocks / nodes], place_offsets[(k + 1) * blocks / nodes]);
        }
        hiss_comm_allgather(n->placement->comm, g->mine, g->byte_offsets, g->projection);
        for (int64_t i = 0; i < g->samples; i++) {
            g->order[i].key = g->projection[g->order[i].sample];
        }
        for (int64_t k = 0; k < nodes; k++) {
            const int64_t begin = place_offsets[k * blocks / nodes], end = place_offsets[(k + 1) * blocks / nodes];
            qsort(g->order + begin, (size_t)(end - begin), sizeof *g->order, by_key);
        }
    }
    for (int64_t p = 0; p < g->samples; p++) {
        g->place[g->order[p].sample] = p;
    }
}

int64_t objective_grouping_sample(const grouping *g, int64_t place) {
    return g->order[place].sample;
}

int64_t objective_grouping_place(const grouping *g, int64_t sample) {
    return g->place[sample];
}
