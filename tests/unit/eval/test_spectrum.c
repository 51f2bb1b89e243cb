/* Eigenvalues, effective rank and collapse of features whose singular values are known; ridge regression by either matrix,
 * and where classes can be told and cannot. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../serial_comm.h"
#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

static hiss_comm serial;

static hiss_eval_env env_of(void) {
    return (hiss_eval_env){.comm = &serial, .kernels = hiss_kernels_blas(), .seed = 1};
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The second difference has the eigenvalues 2 - 2 cos(pi k / (n + 1)). */
static void test_eigenvalues(void **state) {
    (void)state;
    const double pi = acos(-1.0);
    for (int64_t n = 1; n <= 130; n = 2 * n + 1) {
        double *a = hiss_new(double, n *n), *value = hiss_new(double, n);
        for (int64_t i = 0; i < n * n; i++) {
            const int64_t apart = i / n - i % n;
            a[i] = apart == 0 ? 2.0 : apart * apart == 1 ? -1.0 : 0.0;
        }
        eval_eigenvalues(n, a, value);
        qsort(value, (size_t)n, sizeof *value, ascending);
        for (int64_t k = 0; k < n; k++) {
            assert_true(fabs(value[k] - (2.0 - 2.0 * cos(pi * (double)(k + 1) / (double)(n + 1)))) < 1e-12);
        }
        memset(a, 0, sizeof *a * (size_t)(n * n));
        eval_eigenvalues(n, a, value);
        for (int64_t k = 0; k < n; k++) {
            assert_true(value[k] == 0.0);
        }
        hiss_free(a);
        hiss_free(value);
    }
}

/* Rows c + s_d e_d and c - s_d e_d: singular values sqrt(2) s_d, whatever c is. */
static void assert_rank(int64_t directions, int64_t D, double falls) {
    const int64_t n = 2 * directions;
    float *rows = hiss_new(float, n *D);
    double scale = 1.0, sum = 0.0, entropy = 0.0;
    for (int64_t d = 0; d < directions; d++, scale *= falls) {
        for (int64_t k = 0; k < D; k++) {
            rows[2 * d * D + k] = 3.0f + (k == d ? (float)scale : 0.0f);
            rows[(2 * d + 1) * D + k] = 3.0f - (k == d ? (float)scale : 0.0f);
        }
        sum += scale;
    }
    scale = 1.0;
    for (int64_t d = 0; d < directions; d++, scale *= falls) {
        entropy -= scale / sum * log(scale / sum);
    }
    assert_true(fabs(eval_effective_rank(n, D, rows) / exp(entropy) - 1.0) < 1e-5);
    hiss_free(rows);
}

static void test_effective_rank(void **state) {
    (void)state;
    assert_rank(5, 5, 1.0);    /* 5 */
    assert_rank(1, 40, 1.0);   /* 1 */
    assert_rank(20, 300, 0.7); /* fewer samples than dimensions */
    assert_rank(200, 256, 0.97);
    assert_rank(30, 600, 0.9); /* more dimensions than are multiplied */
    const float same[12] = {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3};
    assert_true(eval_effective_rank(4, 3, same) == 0.0);
}

static hiss_features *features(int64_t n, int64_t D, int64_t classes) {
    const hiss_eval_env env = env_of();
    return hiss_features_create(&env, n, D, classes);
}

static void test_collapse(void **state) {
    (void)state;
    enum { N = 300, D = 16 };
    const hiss_eval_env env = env_of();
    hiss_features *f = features(N, D, 0);
    hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_TESTS, 0, 0);
    hiss_rng_normals(&rng, N * D, f->rows);
    hiss_spectrum s = hiss_spectrum_of(&env, f);
    assert_int_equal(s.collapse, HISS_SPREAD);
    assert_true(s.rank > 15.0 && s.rank <= 16.0);
    assert_true(fabs(s.deviation - 0.25) < 0.01 && s.least < s.deviation && s.least > 0.2);
    for (int64_t i = 0; i < N * D; i++) {
        f->rows[i] = 100.0f + f->rows[i];
    }
    s = hiss_spectrum_of(&env, f);
    assert_int_equal(s.collapse, HISS_ALL_ALIKE);
    assert_true(s.rank > 15.0); /* which does not see it */
    for (int64_t i = 0; i < N; i++) {
        for (int64_t d = 0; d < D; d++) {
            f->rows[i * D + d] = i % 2 ? (float)d + 1.0f : -(float)d;
        }
    }
    s = hiss_spectrum_of(&env, f);
    assert_int_equal(s.collapse, HISS_ONE_DIRECTION);
    memset(f->rows, 0, sizeof(float) * N * D);
    s = hiss_spectrum_of(&env, f);
    assert_int_equal(s.collapse, HISS_ALL_ALIKE);
    assert_true(s.rank == 0.0 && s.deviation == 0.0 && s.least == 0.0);
    hiss_features_destroy(f);
}

/* Of so many samples whose classes are `apart` from each other; dimensions past D are constant. */
static double ridge(int64_t n, int64_t D, int64_t padded, float apart) {
    enum { CLASSES = 4 };
    const hiss_eval_env env = env_of();
    hiss_features *f[2];
    for (int set = 0; set < 2; set++) {
        hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_TESTS, 1, set);
        f[set] = features(n, padded, CLASSES);
        for (int64_t i = 0; i < n; i++) {
            float *row = f[set]->rows + i * padded;
            f[set]->label[i] = (int32_t)(i % CLASSES);
            hiss_rng_normals(&rng, D, row);
            row[i % CLASSES] += apart;
            for (int64_t d = D; d < padded; d++) {
                row[d] = 2.0f;
            }
        }
    }
    const double percent = hiss_ridge_percent(&env, f[0], f[1]);
    hiss_features_destroy(f[0]);
    hiss_features_destroy(f[1]);
    return percent;
}

static void test_ridge(void **state) {
    (void)state;
    assert_true(ridge(500, 12, 12, 12.0f) > 99.0);
    assert_true(fabs(ridge(1000, 12, 12, 0.0f) - 25.0) < 5.0);
    for (int64_t n = 40; n <= 200; n *= 2) { /* by X^T X, by X X^T */
        const double by_dimensions = ridge(n, n, n, 2.0f), by_samples = ridge(n, n, n + 30, 2.0f);
        assert_true(by_dimensions > 30.0 && fabs(by_dimensions - by_samples) < 1e-9);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eigenvalues),
        cmocka_unit_test(test_effective_rank),
        cmocka_unit_test(test_collapse),
        cmocka_unit_test(test_ridge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
