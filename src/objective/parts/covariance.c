/* Sums over a lane's samples in their order, in chunks whose products are float32 and whose sums are float64, then over
 * lanes along the canonical tree. So the bits do not depend on ranks or threads. Cost: 2 n D^2 / P flops. Memory: 8 D^2
 * bytes for each lane of the rank. */
#include "objective/parts/covariance.h"

#include "hiss/alloc.h"

enum { CHUNK = 256 }; /* rows of a product */

typedef struct moments {
    const hiss_task *task;
    const hiss_placement *placement;
    int64_t each, D;
    const float *rows;
    double **sum;    /* [local lanes][D + D D]: of rows, of their products */
    float **product; /* [threads] -> [D, D] */
} moments;

static void sum_lane(void *user, int thread, int64_t local) {
    const moments *m = user;
    const hiss_placement *p = m->placement;
    const int64_t D = m->D, lane = p->first_lane + local;
    const int64_t begin = (p->shards[lane] - p->shards[p->first_lane]) * m->each;
    const int64_t count = (p->shards[lane + 1] - p->shards[lane]) * m->each;
    double *sum = m->sum[local], *products = sum + D;
    float *product = m->product[thread];
    for (int64_t first = 0; first < count; first += CHUNK) {
        const int64_t n = count - first < CHUNK ? count - first : CHUNK;
        const float *rows = m->rows + (begin + first) * D;
        for (int64_t i = 0; i < n * D; i++) {
            sum[i % D] += (double)rows[i];
        }
        m->task->kernels->gemm(true, false, D, D, n, 1.0f, rows, D, rows, D, 0.0f, product, D);
        for (int64_t k = 0; k < D * D; k++) {
            products[k] += (double)product[k];
        }
    }
}

void objective_covariance(const hiss_task *task, const hiss_placement *placement, const hiss_epoch *e, int64_t each,
                          int64_t D, const float *rows, double *mean, double *covariance) {
    const hiss_placement *p = placement;
    const int64_t lanes = p->end_lane - p->first_lane, length = D + D * D;
    moments m = {.task = task,
                 .placement = p,
                 .each = each,
                 .D = D,
                 .rows = rows,
                 .sum = hiss_new(double *, lanes),
                 .product = hiss_new(float *, e->threads)};
    double *total = hiss_new(double, length);
    for (int64_t l = 0; l < lanes; l++) {
        m.sum[l] = hiss_new(double, length);
    }
    for (int t = 0; t < e->threads; t++) {
        m.product[t] = hiss_new(float, D *D);
    }
    e->parallel(e->trainer, lanes, sum_lane, &m);
    hiss_tree_sum(p->comm, p->lanes, p->lane_offsets, length, (const double *const *)m.sum, total);
    const double n = (double)(p->samples * each);
    for (int64_t d = 0; d < D; d++) {
        mean[d] = total[d] / n;
    }
    for (int64_t k = 0; k < D * D; k++) {
        covariance[k] = total[D + k] / n - mean[k / D] * mean[k % D];
    }
    for (int64_t l = 0; l < lanes; l++) {
        hiss_free(m.sum[l]);
    }
    for (int t = 0; t < e->threads; t++) {
        hiss_free(m.product[t]);
    }
    hiss_free(m.sum);
    hiss_free(m.product);
    hiss_free(total);
}
