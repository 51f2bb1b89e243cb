/* The Frechet distance: closed forms of diagonal, of two-dimensional and of flat Gaussians, 0 from itself, the same both
 * ways. */
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

static double distance(const gaussian *from, const gaussian *to) {
    frechet *f = eval_frechet_create(from);
    const double d = eval_frechet_distance(f, to);
    assert_true(d == eval_frechet_distance(f, to));
    eval_frechet_destroy(f);
    return d;
}

static void assert_distance(const gaussian *a, const gaussian *b, double expected, double tolerance) {
    assert_true(fabs(distance(a, b) - expected) <= tolerance);
    assert_true(fabs(distance(b, a) - expected) <= tolerance);
    assert_true(distance(a, a) <= tolerance && distance(b, b) <= tolerance);
}

/* Sum of (m - n)^2 + (sqrt s - sqrt t)^2, some of the variances 0. */
static void diagonal(void **state) {
    (void)state;
    for (int64_t D = 1; D <= 40; D = 3 * D + 1) {
        gaussian *a = eval_gaussian_create(D), *b = eval_gaussian_create(D);
        hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_PARAMETERS, D, 0);
        double expected = 0.0;
        for (int64_t d = 0; d < D; d++) {
            const double s = hiss_rng_uniform(&rng), t = d % 4 == 3 ? 0.0 : 4.0 * hiss_rng_uniform(&rng);
            a->mean[d] = hiss_rng_uniform(&rng);
            b->mean[d] = -hiss_rng_uniform(&rng);
            a->covariance[d * D + d] = s * s;
            b->covariance[d * D + d] = t * t;
            expected += pow(a->mean[d] - b->mean[d], 2.0) + pow(s - t, 2.0);
        }
        assert_distance(a, b, expected, 1e-10 * expected);
        eval_gaussian_destroy(a);
        eval_gaussian_destroy(b);
    }
}

/* Of two dimensions: the trace of the root of M is sqrt(trace M + 2 sqrt(det M)). */
static void two_dimensions(void **state) {
    (void)state;
    const double s[4] = {2.0, 0.6, 0.6, 1.0}, t[4] = {1.5, -1.1, -1.1, 3.0};
    gaussian *a = eval_gaussian_create(2), *b = eval_gaussian_create(2);
    memcpy(a->covariance, s, sizeof s);
    memcpy(b->covariance, t, sizeof t);
    b->mean[1] = 3.0;
    const double trace = s[0] * t[0] + 2.0 * s[1] * t[1] + s[3] * t[3];
    const double det = (s[0] * s[3] - s[1] * s[1]) * (t[0] * t[3] - t[1] * t[1]);
    const double expected = 9.0 + s[0] + s[3] + t[0] + t[3] - 2.0 * sqrt(trace + 2.0 * sqrt(det));
    assert_distance(a, b, expected, 1e-12);
    eval_gaussian_destroy(a);
    eval_gaussian_destroy(b);
}

/* u u^T and v v^T: |u|^2 + |v|^2 - 2 |u.v|. And no variance at all: the means alone. */
static void flat(void **state) {
    (void)state;
    enum { D = 30 };
    gaussian *a = eval_gaussian_create(D), *b = eval_gaussian_create(D), *none = eval_gaussian_create(D);
    float u[D], v[D];
    double uu = 0.0, vv = 0.0, uv = 0.0;
    hiss_rng rng = hiss_rng_keyed(7, HISS_FOR_PARAMETERS, 0, 0);
    hiss_rng_normals(&rng, D, u);
    hiss_rng_normals(&rng, D, v);
    for (int64_t i = 0; i < D * D; i++) {
        a->covariance[i] = (double)u[i / D] * (double)u[i % D];
        b->covariance[i] = (double)v[i / D] * (double)v[i % D];
        uu += i % (D + 1) ? 0.0 : a->covariance[i];
        vv += i % (D + 1) ? 0.0 : b->covariance[i];
    }
    for (int64_t d = 0; d < D; d++) {
        uv += (double)u[d] * (double)v[d];
    }
    assert_distance(a, b, uu + vv - 2.0 * fabs(uv), 1e-5 * (uu + vv));
    assert_distance(a, none, uu, 1e-5 * uu);
    none->mean[3] = 2.0;
    assert_distance(none, none, 0.0, 0.0);
    assert_distance(a, none, uu + 4.0, 1e-5 * uu);
    eval_gaussian_destroy(a);
    eval_gaussian_destroy(b);
    eval_gaussian_destroy(none);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(diagonal), cmocka_unit_test(two_dimensions),
                                       cmocka_unit_test(flat)};
    hiss_kernels_enter_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
