/* The leading eigenvectors: of matrices with known spectra of many kinds, among them those without a gap, with less rank
 * than is wanted, and none at all; of random covariances, where few directions must be the first of all. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/alloc.h"
#include "hiss/kernels.h"
#include "hiss/rng.h"

static void find(uint64_t seed, int64_t D, const float *a, int64_t k, double *value, float *vector) {
    hiss_leading_eigenvectors(hiss_kernels_blas(), hiss_rng_keyed(seed, HISS_FOR_TESTS, 0, 0), D, a, k, value, vector);
}

static double dot(int64_t n, const float *x, const float *y) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)y[i];
    }
    return sum;
}

/* Orthonormal rows, in order, that the matrix multiplies by their eigenvalue. */
static void assert_eigenvectors(int64_t D, const float *a, int64_t k, const double *value, const float *vector,
                                double largest, double residual) {
    for (int64_t i = 0; i < k; i++) {
        double miss = 0.0;
        for (int64_t j = 0; j <= i; j++) {
            assert_true(fabs(dot(D, vector + i * D, vector + j * D) - (i == j)) < 1e-5);
        }
        for (int64_t d = 0; d < D; d++) {
            miss += pow(dot(D, a + d * D, vector + i * D) - value[i] * (double)vector[i * D + d], 2.0);
        }
        assert_true(sqrt(miss) <= residual * largest);
        assert_true(i == 0 || value[i] <= value[i - 1]);
    }
}

/* a = U diag(l) U^T; U: of three random reflections. */
static void fill_by_spectrum(uint64_t seed, int64_t D, const double *l, float *a) {
    double *u = hiss_new(double, D *D);
    float *normals = hiss_new(float, D);
    hiss_rng rng = hiss_rng_keyed(seed, HISS_FOR_PARAMETERS, 0, 0);
    for (int64_t i = 0; i < D; i++) {
        u[i * D + i] = 1.0;
    }
    for (int round = 0; round < 3; round++) {
        double square = 0.0;
        hiss_rng_normals(&rng, D, normals);
        for (int64_t d = 0; d < D; d++) {
            square += (double)normals[d] * (double)normals[d];
        }
        for (int64_t i = 0; i < D; i++) {
            double along = 0.0;
            for (int64_t d = 0; d < D; d++) {
                along += u[i * D + d] * (double)normals[d];
            }
            for (int64_t d = 0; d < D; d++) {
                u[i * D + d] -= 2.0 * along * (double)normals[d] / square;
            }
        }
    }
    for (int64_t i = 0; i < D; i++) {
        for (int64_t j = 0; j < D; j++) {
            double sum = 0.0;
            for (int64_t r = 0; r < D; r++) {
                sum += l[r] * u[r * D + i] * u[r * D + j];
            }
            a[i * D + j] = (float)sum;
        }
    }
    hiss_free(u);
    hiss_free(normals);
}

enum { POWER, GEOMETRIC, FLAT, CLUSTERS, RANK_3, ZERO, SMALL, SLOW, SPECTRA };

static double eigenvalue(int kind, int64_t i) {
    switch (kind) {
    case POWER:
        return 1.0 / (double)((i + 1) * (i + 1));
    case GEOMETRIC:
        return pow(0.8, (double)i);
    case FLAT:
        return 1.0;
    case CLUSTERS:
        return pow(0.1, (double)(i / 10));
    case RANK_3:
        return i < 3 ? (double)(3 - i) : 0.0;
    case ZERO:
        return 0.0;
    case SMALL:
        return 1e-12 / (double)((i + 1) * (i + 1));
    default:
        return 1.0 / (double)(i + 1);
    }
}

static void check_spectrum(int kind, int64_t D, int64_t k) {
    double *l = hiss_new(double, D), *value = hiss_new(double, k), *again = hiss_new(double, k);
    float *a = hiss_new(float, D *D), *vector = hiss_new(float, k *D), *twice = hiss_new(float, k *D);
    for (int64_t i = 0; i < D; i++) {
        l[i] = eigenvalue(kind, i);
    }
    fill_by_spectrum((uint64_t)(100 * kind + D), D, l, a);
    find(7, D, a, k, value, vector);
    assert_eigenvectors(D, a, k, value, vector, l[0], kind == SLOW ? 1e-4 : 1e-5);
    for (int64_t i = 0; i < k; i++) {
        assert_true(fabs(value[i] - l[i]) <= 2e-6 * l[0]);
    }
    find(7, D, a, k, again, twice);
    assert_memory_equal(value, again, sizeof(double) * (size_t)k);
    assert_memory_equal(vector, twice, sizeof(float) * (size_t)(k * D));
    void *const all[] = {l, value, again, a, vector, twice};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        hiss_free(all[i]);
    }
}

static void known_spectra(void **state) {
    (void)state;
    const int64_t sizes[][2] = {{1, 1}, {2, 1}, {5, 5}, {33, 1}, {40, 7}, {70, 32}, {150, 40}, {150, 117}, {90, 90}};
    for (int kind = 0; kind < SPECTRA; kind++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            check_spectrum(kind, sizes[s][0], sizes[s][1]);
        }
    }
}

/* Matrices whose products have the same few values all over, so that what rounding leaves of a row is no new direction:
 * all ones, two constant blocks, a diagonal of ones and zeros, stripes. */
static void patterns(void **state) {
    (void)state;
    enum { D = 144, K = 40, KINDS = 4 };
    const int64_t rank[KINDS] = {1, 2, D / 3, 4};
    for (int kind = 0; kind < KINDS; kind++) {
        double value[K];
        float *a = hiss_new(float, D *D), *vector = hiss_new(float, K *D);
        for (int64_t i = 0; i < D * D; i++) {
            const int64_t x = i / D, y = i % D;
            a[i] = kind == 0   ? 1.0f
                   : kind == 1 ? (x < D / 2) == (y < D / 2) ? 0.7f : 0.3f
                   : kind == 2 ? (float)(x == y && x % 3 == 0)
                               : (float)(x % 4 == y % 4) * (0.1f + 0.2f * (float)(x % 4));
        }
        find(5, D, a, K, value, vector);
        assert_eigenvectors(D, a, K, value, vector, value[0], 1e-5);
        for (int64_t i = 0; i < K; i++) {
            assert_true(i < rank[kind] ? value[i] > 1e-2 * value[0] : fabs(value[i]) < 2e-6 * value[0]);
        }
        hiss_free(a);
        hiss_free(vector);
    }
}

/* Covariances of fewer and of more samples than dimensions: few of the eigenvectors are the first of all of them, and all
 * eigenvalues sum to the trace. */
static void random_matrices(void **state) {
    (void)state;
    enum { D = 120, FEW = 20 };
    for (int64_t n = 30; n <= 480; n *= 2) {
        double all[D], few[FEW], trace = 0.0, sum = 0.0;
        float *x = hiss_new(float, n *D), *a = hiss_new(float, D *D), *vector = hiss_new(float, D *D);
        hiss_rng rng = hiss_rng_keyed((uint64_t)n, HISS_FOR_PARAMETERS, 0, 0);
        hiss_rng_normals(&rng, n * D, x);
        for (int64_t i = 0; i < n * D; i++) { /* directions that vary differently: a gap somewhere */
            x[i] /= (float)(1 + i % D);
        }
        hiss_kernels_blas()->gemm(true, false, D, D, n, 1.0f / (float)n, x, D, x, D, 0.0f, a, D);
        find((uint64_t)n, D, a, D, all, vector);
        assert_eigenvectors(D, a, D, all, vector, all[0], 1e-5);
        for (int64_t d = 0; d < D; d++) {
            trace += (double)a[d * D + d];
            sum += all[d];
        }
        assert_true(fabs(sum - trace) < 1e-5 * trace);
        find((uint64_t)n + 1, D, a, FEW, few, vector);
        assert_eigenvectors(D, a, FEW, few, vector, all[0], 1e-5);
        for (int64_t i = 0; i < FEW; i++) {
            assert_true(fabs(few[i] - all[i]) < 2e-6 * all[0]);
        }
        hiss_free(x);
        hiss_free(a);
        hiss_free(vector);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_spectra), cmocka_unit_test(patterns),
                                       cmocka_unit_test(random_matrices)};
    hiss_kernels_enter_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
