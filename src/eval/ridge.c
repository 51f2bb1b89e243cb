/* Ridge regression of classes: least squares of +1 for a sample's class and -1 for the others on standardised features,
 * with a penalty (Hastie, Tibshirani & Friedman, "The Elements of Statistical Learning", sections 3.4.1 and 4.2). It has a
 * closed form, so that it is what a probe during training can afford:
 *
 *   W = (X^T X + mu I)^-1 X^T Y  =  X^T (X X^T + mu I)^-1 Y,   mu = HISS_RIDGE |X|^2 / min(n, D)
 *
 * by whichever matrix is smaller; X and Y centred. mu is that share of the mean of the min(n, D) eigenvalues, which
 * depends on the scale of features in no way. Products are float32, the factor (Cholesky) and its solutions float64.
 *
 * One rank computes; the share goes to the others. Cost: 2 n D m + m^3 / 3 flops, m = min(n, D). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

/* Columns of b [m, K] become those of (a + mu I)^-1 b; a [m, m] is lost. */
static void solve(int64_t m, double *a, int64_t K, double *b) {
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j <= i; j++) {
            const double sum = a[i * m + j] - eval_dot(j, a + i * m, a + j * m);
            a[i * m + j] = i == j ? sqrt(sum) : sum / a[j * m + j];
        }
    }
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < i; j++) {
            for (int64_t k = 0; k < K; k++) {
                b[i * K + k] -= a[i * m + j] * b[j * K + k];
            }
        }
        for (int64_t k = 0; k < K; k++) {
            b[i * K + k] /= a[i * m + i];
        }
    }
    for (int64_t i = m - 1; i >= 0; i--) {
        for (int64_t k = 0; k < K; k++) {
            b[i * K + k] /= a[i * m + i];
        }
        for (int64_t j = 0; j < i; j++) {
            for (int64_t k = 0; k < K; k++) {
                b[j * K + k] -= a[i * m + j] * b[i * K + k];
            }
        }
    }
}

typedef struct regression {
    int64_t n, D, K;
    float *x;      /* [n, D] standardised */
    double *y;     /* [n, K] less its mean */
    float *w;      /* [D, K] */
    double *prior; /* [K] that mean */
} regression;

static void fit(const hiss_kernels *kernels, regression *r) {
    const int64_t n = r->n, D = r->D, K = r->K, m = n < D ? n : D;
    float *product = hiss_new(float, m *m), *right = hiss_new(float, m *K), *y = hiss_new(float, n *K);
    double *a = hiss_new(double, m *m), *b = hiss_new(double, m *K), trace = 0.0;
    for (int64_t i = 0; i < n * K; i++) {
        y[i] = (float)r->y[i];
    }
    if (n < D) {
        kernels->gemm(false, true, n, n, D, 1.0f, r->x, D, r->x, D, 0.0f, product, n);
        memcpy(b, r->y, sizeof *b * (size_t)(n * K));
    } else {
        kernels->gemm(true, false, D, D, n, 1.0f, r->x, D, r->x, D, 0.0f, product, D);
        kernels->gemm(true, false, D, K, n, 1.0f, r->x, D, y, K, 0.0f, right, K);
        for (int64_t i = 0; i < m * K; i++) {
            b[i] = (double)right[i];
        }
    }
    for (int64_t i = 0; i < m * m; i++) {
        a[i] = (double)product[i];
        trace += i % (m + 1) == 0 ? a[i] : 0.0;
    }
    for (int64_t i = 0; i < m; i++) {
        a[i * m + i] += trace > 0.0 ? HISS_RIDGE * trace / (double)m : 1.0;
    }
    solve(m, a, K, b);
    for (int64_t i = 0; i < m * K; i++) {
        (n < D ? right : r->w)[i] = (float)b[i];
    }
    if (n < D) {
        kernels->gemm(true, false, D, K, n, 1.0f, r->x, D, right, K, 0.0f, r->w, K);
    }
    void *const all[] = {product, right, y, a, b};
    for (int i = 0; i < HISS_COUNT(all); i++) {
        hiss_free(all[i]);
    }
}

/* Share of right answers of the samples, per cent. Ties go to the lower class. */
static double judge(const hiss_kernels *kernels, const regression *r, int64_t n, const float *x, const int32_t *label) {
    const int64_t K = r->K;
    float *score = hiss_new(float, n *K);
    int64_t right = 0;
    kernels->gemm(false, false, n, K, r->D, 1.0f, x, r->D, r->w, K, 0.0f, score, K);
    for (int64_t i = 0; i < n; i++) {
        int64_t best = 0;
        for (int64_t k = 1; k < K; k++) {
            best = (double)score[i * K + k] + r->prior[k] > (double)score[i * K + best] + r->prior[best] ? k : best;
        }
        right += best == label[i];
    }
    hiss_free(score);
    return 100.0 * (double)right / (double)n;
}

/* All rows of f on every rank, standardised by those of training. Collective. */
static float *gather(const hiss_eval_env *env, const hiss_probe *statistics, const hiss_features *f) {
    float *x = hiss_new(float, f->n * f->D);
    eval_features_allgather(env, f, f->rows, (int64_t)sizeof(float) * f->D, x);
    for (int64_t i = 0; i < f->n * f->D; i++) {
        x[i] = (x[i] - statistics->mean[i % f->D]) * statistics->inverse[i % f->D];
    }
    return x;
}

double hiss_ridge_percent(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test) {
    hiss_probe *statistics = eval_probe_statistics(env, train);
    const int64_t n = train->n, K = train->classes;
    regression r = {.n = n, .D = train->D, .K = K, .x = gather(env, statistics, train)};
    float *x = gather(env, statistics, test);
    int32_t *label = hiss_new(int32_t, n), *asked = hiss_new(int32_t, test->n);
    double percent = 0.0;
    hiss_features_labels(env, train, label);
    hiss_features_labels(env, test, asked);
    if (hiss_comm_rank(env->comm) == 0) {
        r.w = hiss_new(float, r.D *K);
        r.y = hiss_new(double, n *K);
        r.prior = hiss_new(double, K);
        for (int64_t i = 0; i < n * K; i++) {
            r.y[i] = i % K == label[i / K] ? 1.0 : -1.0;
            r.prior[i % K] += r.y[i] / (double)n;
        }
        for (int64_t i = 0; i < n * K; i++) {
            r.y[i] -= r.prior[i % K];
        }
        fit(env->kernels, &r);
        percent = judge(env->kernels, &r, test->n, x, asked);
        hiss_free(r.w);
        hiss_free(r.y);
        hiss_free(r.prior);
    }
    hiss_comm_broadcast(env->comm, &percent, (int64_t)sizeof percent, 0);
    hiss_probe_destroy(statistics);
    hiss_free(r.x);
    hiss_free(x);
    hiss_free(label);
    hiss_free(asked);
    return percent;
}
