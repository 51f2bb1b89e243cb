/* Lloyd's iterations from centres that are spread out: the first is a sample drawn at random, each further one a sample drawn
 * with a probability that is proportional to its squared distance from the nearest centre so far (Arthur & Vassilvitskii,
 * "k-means++: the advantages of careful seeding", 2007). They end when no sample changes its cluster, or after ROUNDS.
 * A cluster that loses all its samples keeps its centre.
 *
 * Sums are over a lane's samples in their order, in float64, then over lanes along the canonical tree. So the bits do not depend
 * on ranks or threads. Cost: 3 n k D / P flops a round. Memory: 8 k D bytes for each lane of the rank. */
#include "objective/parts/kmeans.h"

#include <math.h>
#include <string.h>

#include "hiss/alloc.h"

enum { ROUNDS = 50, DRAW_OF_CENTRES = 3 };

typedef struct kmeans {
    const hiss_placement *placement;
    const hiss_epoch *e;
    int64_t D, k, vector; /* values of sum[local] */
    int64_t centres;      /* so far */
    const float *rows;
    double *centre, *distance; /* [k, D], [local samples] to the nearest centre, squared */
    int64_t *cluster;
    double **sum; /* [local lanes][vector] */
} kmeans;

static int64_t begin_of(const kmeans *m, int64_t local) {
    const hiss_placement *p = m->placement;
    return p->shards[p->first_lane + local] - p->shards[p->first_lane];
}

/* All lanes' sums, after `task` has made those of this rank, from zeros. */
static void sum_lanes(kmeans *m, int64_t length, void (*task)(void *user, int thread, int64_t local), double *total) {
    const hiss_placement *p = m->placement;
    const int64_t lanes = p->end_lane - p->first_lane;
    for (int64_t l = 0; l < lanes; l++) {
        memset(m->sum[l], 0, sizeof(double) * (size_t)length);
    }
    m->e->parallel(m->e->trainer, lanes, task, m);
    hiss_tree_sum(p->comm, p->lanes, p->lane_offsets, length, (const double *const *)m->sum, total);
}

/* ---- the first centres ---- */

static double squared(const kmeans *m, int64_t i, int64_t c) {
    double sum = 0.0;
    for (int64_t d = 0; d < m->D; d++) {
        const double x = (double)m->rows[i * m->D + d] - m->centre[c * m->D + d];
        sum += x * x;
    }
    return sum;
}

/* Distances from the newest centre on; the lane's total goes to its own place. */
static void approach_lane(void *user, int thread, int64_t local) {
    (void)thread;
    kmeans *m = user;
    double *total = m->sum[local] + m->placement->first_lane + local;
    for (int64_t i = begin_of(m, local); i < begin_of(m, local + 1); i++) {
        const double d = m->centres ? squared(m, i, m->centres - 1) : 1.0;
        m->distance[i] = m->centres > 1 ? fmin(m->distance[i], d) : d;
        *total += m->distance[i];
    }
}

/* Adds the row at which the sum of the lane's distances passes `share`; the last one at the latest. */
static void take(const kmeans *m, int64_t local, double share, double *row) {
    const int64_t end = begin_of(m, local + 1);
    int64_t i = begin_of(m, local);
    for (double sum = m->distance[i]; i + 1 < end && sum <= share; sum += m->distance[i]) {
        i++;
    }
    for (int64_t d = 0; d < m->D; d++) {
        row[d] = (double)m->rows[i * m->D + d];
    }
}

static void choose_centres(kmeans *m, uint64_t seed, double *total) {
    const hiss_placement *p = m->placement;
    hiss_rng rng = hiss_rng_keyed(seed, HISS_FOR_ASSIGNMENT, 0, DRAW_OF_CENTRES);
    const int64_t lanes = p->end_lane - p->first_lane;
    for (m->centres = 0; m->centres < m->k; m->centres++) {
        sum_lanes(m, p->lanes, approach_lane, total);
        double all = 0.0;
        int64_t lane = 0, last = 0;
        for (int64_t l = 0; l < p->lanes; l++) {
            all += total[l];
            last = total[l] > 0.0 ? l : last;
        }
        double share = (double)hiss_rng_uniform(&rng) * all;
        while (lane < last && share >= total[lane]) {
            share -= total[lane++];
        }
        for (int64_t l = 0; l < lanes; l++) {
            memset(m->sum[l], 0, sizeof(double) * (size_t)m->D);
            if (p->first_lane + l == lane && begin_of(m, l) < begin_of(m, l + 1)) {
                take(m, l, share, m->sum[l]);
            }
        }
        hiss_tree_sum(p->comm, p->lanes, p->lane_offsets, m->D, (const double *const *)m->sum,
                      m->centre + m->centres * m->D);
    }
}

/* ---- rounds ---- */

/* [k, D] sums of rows, [k] counts, changes, squared distances */
static void assign_lane(void *user, int thread, int64_t local) {
    (void)thread;
    kmeans *m = user;
    double *sum = m->sum[local], *count = sum + m->k * m->D;
    for (int64_t i = begin_of(m, local); i < begin_of(m, local + 1); i++) {
        int64_t best = 0;
        double least = squared(m, i, 0);
        for (int64_t c = 1; c < m->k; c++) {
            const double d = squared(m, i, c);
            best = d < least ? c : best;
            least = fmin(least, d);
        }
        for (int64_t d = 0; d < m->D; d++) {
            sum[best * m->D + d] += (double)m->rows[i * m->D + d];
        }
        count[best] += 1.0;
        count[m->k] += best != m->cluster[i] ? 1.0 : 0.0;
        count[m->k + 1] += least;
        m->cluster[i] = best;
    }
}

void objective_kmeans(const hiss_placement *placement, const hiss_epoch *e, uint64_t seed, int64_t D, const float *rows,
                      int64_t k, double *centre, int64_t *cluster, objective_clusters *report) {
    const hiss_placement *p = placement;
    const int64_t lanes = p->end_lane - p->first_lane, samples = p->shards[p->end_lane] - p->shards[p->first_lane];
    const int64_t length = k * D + k + 2;
    kmeans m = {.placement = p,
                .e = e,
                .D = D,
                .k = k,
                .vector = length > p->lanes ? length : p->lanes,
                .rows = rows,
                .centre = centre,
                .distance = hiss_new(double, samples + 1),
                .cluster = cluster,
                .sum = hiss_new(double *, lanes + 1)};
    double *total = hiss_new(double, m.vector), *count = total + k * D;
    for (int64_t l = 0; l < lanes; l++) {
        m.sum[l] = hiss_new(double, m.vector);
    }
    for (int64_t i = 0; i < samples; i++) {
        cluster[i] = -1;
    }
    choose_centres(&m, seed, total);
    report->rounds = 0;
    do {
        sum_lanes(&m, length, assign_lane, total);
        report->empty = 0;
        for (int64_t c = 0; c < k; c++) {
            report->empty += count[c] == 0.0;
            for (int64_t d = 0; d < D && count[c] > 0.0; d++) {
                centre[c * D + d] = total[c * D + d] / count[c];
            }
        }
    } while (++report->rounds < ROUNDS && count[k] > 0.0);
    report->distortion = count[k + 1] / (double)p->samples;
    if (report->count) {
        memcpy(report->count, count, sizeof *count * (size_t)k);
    }
    for (int64_t l = 0; l < lanes; l++) {
        hiss_free(m.sum[l]);
    }
    hiss_free(m.sum);
    hiss_free(m.distance);
    hiss_free(total);
}
