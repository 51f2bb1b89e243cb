/* How far features are spread: effective rank, and the deviation of each dimension on the sphere. No labels.
 *
 * Effective rank (Roy & Vetterli, "The effective rank", EUSIPCO 2007): exp of the entropy of the singular values of the
 * centred features, each by their sum. D when all directions vary alike, 1 when there is one. Garrido et al., "RankMe"
 * (ICML 2023), show that of a representation it foretells accuracy. The squares of the singular values are the eigenvalues
 * of X^T X or of X X^T, whichever is smaller, so of at most MOST dimensions or of at most MOST samples: both are made in
 * float64, for a float32 product would hide all below 3e-4 of the largest. The matrix is made tridiagonal
 * (tridiagonal.c), and its eigenvalues are found by QL with implicit shifts (Golub & Van Loan, "Matrix Computations",
 * section 8.3).
 *
 * Deviation (Chen & He, "Exploring simple Siamese representation learning", CVPR 2021, section 4.1): the standard
 * deviation of each dimension of x / |x|. About 1 / sqrt(D) when directions are spread evenly, 0 when all are alike.
 *
 * One rank computes; its numbers go to the others. Cost: n m^2 and 8/3 m^3 flops of float64, m <= MOST. */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { MOST = 512 };
static const double alike = 0.03, one_direction = 1.5; /* collapsed: see hiss_spectrum */
enum { FEW_DIMENSIONS = 8 };

/* Chases one shift through rows first .. last of the tridiagonal matrix. */
static void sweep(int64_t first, int64_t last, double *d, double *e) {
    double g = (d[first + 1] - d[first]) / (2.0 * e[first]), r = hypot(g, 1.0), s = 1.0, c = 1.0, p = 0.0;
    g = d[last] - d[first] + e[first] / (g + copysign(r, g));
    for (int64_t i = last - 1; i >= first; i--) {
        const double f = s * e[i], b = c * e[i];
        e[i + 1] = r = hypot(f, g);
        if (r == 0.0) {
            d[i + 1] -= p;
            e[last] = 0.0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2.0 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
    }
    d[first] -= p;
    e[first] = g;
    e[last] = 0.0;
}

void eval_eigenvalues(int64_t n, double *a, double *value) {
    enum { SWEEPS = 60 };
    double *beside = hiss_new(double, n), *u = hiss_new(double, n *n);
    eval_tridiagonalize(n, a, value, beside, u);
    beside[n - 1] = 0.0;
    for (int64_t first = 0; first < n; first++) {
        for (int k = 0; k < SWEEPS; k++) {
            int64_t last = first;
            while (last < n - 1 && fabs(beside[last]) > DBL_EPSILON * (fabs(value[last]) + fabs(value[last + 1]))) {
                last++;
            }
            if (last == first) {
                break;
            }
            sweep(first, last, value, beside);
        }
    }
    hiss_free(beside);
    hiss_free(u);
}

/* [m, m] of centred rows x [n, D] in columns of doubles: X^T X where across, else X X^T. */
static double *products(int64_t n, int64_t D, const double *x, bool across) {
    const int64_t m = across ? D : n, length = across ? n : D;
    double *lines = hiss_new(double, m *length), *a = hiss_new(double, m *m);
    for (int64_t i = 0; i < n * D; i++) {
        lines[across ? i % D * n + i / D : i] = x[i];
    }
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j <= i; j++) {
            a[i * m + j] = a[j * m + i] = eval_dot(length, lines + i * length, lines + j * length);
        }
    }
    hiss_free(lines);
    return a;
}

double eval_effective_rank(int64_t n, int64_t D, const float *rows) {
    const bool across = D <= MOST && D <= n;
    n = across || n < MOST ? n : MOST;
    const int64_t m = across ? D : n;
    double *x = hiss_new(double, n *D), *value = hiss_new(double, m), sum = 0.0, entropy = 0.0, largest = 0.0;
    for (int64_t d = 0; d < D; d++) {
        double mean = 0.0;
        for (int64_t i = 0; i < n; i++) {
            mean += (double)rows[i * D + d] / (double)n;
        }
        for (int64_t i = 0; i < n; i++) {
            x[i * D + d] = (double)rows[i * D + d] - mean;
        }
    }
    double *a = products(n, D, x, across);
    eval_eigenvalues(m, a, value);
    for (int64_t k = 0; k < m; k++) {
        largest = fmax(largest, value[k]);
    }
    for (int64_t k = 0; k < m; k++) {
        value[k] = value[k] > (double)m * DBL_EPSILON * largest ? sqrt(value[k]) : 0.0; /* else it is rounding */
        sum += value[k];
    }
    for (int64_t k = 0; k < m && sum > 0.0; k++) {
        const double p = value[k] / sum;
        entropy -= p > 0.0 ? p * log(p) : 0.0;
    }
    hiss_free(x);
    hiss_free(a);
    hiss_free(value);
    return sum > 0.0 ? exp(entropy) : 0.0;
}

/* Mean and least of the dimensions' deviations. A row of zeros stays one. */
static void deviations(int64_t n, int64_t D, const float *rows, hiss_spectrum *out) {
    double *sum = hiss_new(double, D), *square = hiss_new(double, D), *by = hiss_new(double, n);
    for (int64_t i = 0; i < n; i++) {
        double length = 0.0;
        for (int64_t d = 0; d < D; d++) {
            length += (double)rows[i * D + d] * (double)rows[i * D + d];
        }
        by[i] = length > 0.0 ? 1.0 / sqrt(length) : 0.0;
        for (int64_t d = 0; d < D; d++) {
            sum[d] += (double)rows[i * D + d] * by[i];
        }
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t d = 0; d < D; d++) {
            const double x = (double)rows[i * D + d] * by[i] - sum[d] / (double)n;
            square[d] += x * x;
        }
    }
    out->deviation = 0.0;
    out->least = INFINITY;
    for (int64_t d = 0; d < D; d++) {
        const double deviation = sqrt(square[d] / (double)n);
        out->deviation += deviation / (double)D;
        out->least = fmin(out->least, deviation);
    }
    hiss_free(sum);
    hiss_free(square);
    hiss_free(by);
}

hiss_spectrum hiss_spectrum_of(const hiss_eval_env *env, const hiss_features *f) {
    hiss_spectrum s = {0};
    float *rows = hiss_new(float, f->n * f->D);
    eval_features_allgather(env, f, f->rows, (int64_t)sizeof(float) * f->D, rows);
    if (hiss_comm_rank(env->comm) == 0) {
        s.rank = eval_effective_rank(f->n, f->D, rows);
        deviations(f->n, f->D, rows, &s);
        s.collapse = f->n < 2 || f->D < 2                               ? HISS_SPREAD
                     : s.deviation * sqrt((double)f->D) < alike         ? HISS_ALL_ALIKE
                     : f->D >= FEW_DIMENSIONS && s.rank < one_direction ? HISS_ONE_DIRECTION
                                                                        : HISS_SPREAD;
    }
    hiss_comm_broadcast(env->comm, &s, (int64_t)sizeof s, 0);
    hiss_free(rows);
    return s;
}
