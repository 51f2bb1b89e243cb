/* Symmetric matrices made tridiagonal: of full rank, of little, diagonal, of nothing but zeros; one row, two, some more
 * than a block of columns. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

/* U of length 1 and at right angles, U T U^T the matrix; what is below its diagonal has no say. */
static void assert_tridiagonal(int64_t n, const double *matrix) {
    double *a = hiss_new(double, n *n), *u = hiss_new(double, n *n);
    double *diagonal = hiss_new(double, n), *beside = hiss_new(double, n), largest = 1e-300;
    for (int64_t i = 0; i < n * n; i++) {
        a[i] = i % n < i / n ? NAN : matrix[i];
        largest = fmax(largest, fabs(matrix[i]));
    }
    eval_tridiagonalize(n, a, diagonal, beside, u);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            double product = 0.0, along = 0.0;
            for (int64_t k = 0; k < n; k++) {
                const double before = k > 0 ? beside[k - 1] * u[j * n + k - 1] : 0.0;
                const double after = k < n - 1 ? beside[k] * u[j * n + k + 1] : 0.0;
                product += u[i * n + k] * (before + diagonal[k] * u[j * n + k] + after);
                along += u[i * n + k] * u[j * n + k];
            }
            assert_true(fabs(along - (i == j)) < 1e-12);
            assert_true(fabs(product - matrix[i * n + j]) < 1e-12 * (double)n * largest);
        }
    }
    void *const all[] = {a, u, diagonal, beside};
    for (int i = 0; i < HISS_COUNT(all); i++) {
        hiss_free(all[i]);
    }
}

/* Sum of `rank` products of a random vector by itself, each by its weight. */
static void made_matrix(int64_t n, int64_t rank, double falls, double *a) {
    hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_TESTS, n, rank);
    float *v = hiss_new(float, n);
    double weight = 1.0;
    memset(a, 0, sizeof(double) * (size_t)(n * n));
    for (int64_t r = 0; r < rank; r++, weight *= falls) {
        hiss_rng_normals(&rng, n, v);
        for (int64_t i = 0; i < n * n; i++) {
            a[i] += weight * (double)v[i / n] * (double)v[i % n];
        }
    }
    hiss_free(v);
}

static void test_of_many_kinds(void **state) {
    (void)state;
    const int64_t sizes[] = {1, 2, 3, 32, 33, 101};
    for (int s = 0; s < HISS_COUNT(sizes); s++) {
        const int64_t n = sizes[s], ranks[] = {0, 1, n / 2, n};
        double *a = hiss_new(double, n *n);
        for (int r = 0; r < HISS_COUNT(ranks); r++) {
            made_matrix(n, ranks[r], 1.0, a);
            assert_tridiagonal(n, a);
            made_matrix(n, ranks[r], -0.5, a); /* large and small, of both signs */
            assert_tridiagonal(n, a);
        }
        for (int64_t i = 0; i < n * n; i++) {
            a[i] = i / n == i % n ? (double)(i % 5) - 2.0 : 0.0;
        }
        assert_tridiagonal(n, a);
        hiss_free(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_of_many_kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
