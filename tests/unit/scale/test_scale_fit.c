/* Laws of scaling: known parameters come back from made-up points, with and without noise; what points cannot tell is
 * refused; errors are those of predictions. And the statistics under them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/rng.h"
#include "hiss/scale.h"

enum { MOST = 16, TRIALS = 300 };

typedef struct points {
    int n;
    double p[MOST], seconds[MOST], images[MOST];
} points;

static double law(hiss_law l, bool weak, const double v[3], double p, double images) {
    switch (l) {
    case HISS_LAW_AMDAHL:
        return v[0] * (v[1] + (1 - v[1]) / p);
    case HISS_LAW_GUSTAFSON:
        return images / (v[0] * (v[1] + (1 - v[1]) * p));
    case HISS_LAW_USL:
        return images / (v[0] * p / (1 + v[1] * (p - 1) + v[2] * p * (p - 1)));
    case HISS_LAW_MESSAGES:
    case HISS_LAWS:
        break;
    }
    return v[0] / (weak ? 1 : p) + v[1] * (p - 1) + v[2] * (p - 1) / p;
}

/* n points at p0, 2 p0, 4 p0 ... of a law, with relative noise of at most so much. */
static points make(hiss_law l, bool weak, const double v[3], int n, double p0, double noise, hiss_rng *rng) {
    points out = {.n = n};
    for (int i = 0; i < n; i++) {
        out.p[i] = p0 * (double)(1 << i);
        out.images[i] = 256 * (weak ? out.p[i] : 1);
        out.seconds[i] = law(l, weak, v, out.p[i], out.images[i]);
        out.seconds[i] *= 1 + noise * (2 * (double)hiss_rng_uniform(rng) - 1);
    }
    return out;
}

static hiss_fit fit(hiss_law l, bool weak, const points *x) {
    return hiss_fit_law(l, weak, x->n, x->p, x->seconds, x->images);
}

static void draw(hiss_law l, hiss_rng *rng, double v[3]) {
    const double a = (double)hiss_rng_uniform(rng), b = (double)hiss_rng_uniform(rng),
                 c = (double)hiss_rng_uniform(rng);
    v[0] = l == HISS_LAW_USL || l == HISS_LAW_GUSTAFSON ? 1000 + 50000 * a : 0.001 + a;
    v[1] = l == HISS_LAW_MESSAGES ? v[0] * 0.02 * (0.1 + b) : 0.005 + 0.3 * b;
    v[2] = l == HISS_LAW_MESSAGES ? v[0] * (0.05 + 0.5 * c) : 1e-4 + 0.003 * c;
}

static bool speaks(hiss_law l, bool weak) {
    return l == HISS_LAW_AMDAHL ? !weak : l == HISS_LAW_GUSTAFSON ? weak : true;
}

/* Without noise: parameters, predictions far beyond the points, and no error. */
static void test_exact(void **state) {
    (void)state;
    hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_TESTS, 0, 0);
    for (int t = 0; t < TRIALS; t++) {
        for (int l = 0; l < HISS_LAWS; l++) {
            const bool weak = t % 2;
            if (!speaks((hiss_law)l, weak)) {
                continue;
            }
            double v[3];
            draw((hiss_law)l, &rng, v);
            const points x = make((hiss_law)l, weak, v, 5 + t % 4, 1 + t % 3, 0, &rng);
            const hiss_fit f = fit((hiss_law)l, weak, &x);
            assert_true(f.fitted);
            for (int k = 0; k < f.parameters; k++) {
                assert_true(fabs(f.value[k] / v[k] - 1) < 1e-6);
            }
            assert_true(f.error_largest < 1e-7 && f.error_mean <= f.error_largest);
            const double far = 1024, images = 256 * (weak ? far : 1);
            assert_true(fabs(hiss_fit_seconds(&f, far) / law((hiss_law)l, weak, v, far, images) - 1) < 1e-6);
        }
    }
}

/* One per cent of noise: the predicted curve stays within a few per cent where there are points, and the error of
 * prediction says about what the noise is. */
static void test_noise(void **state) {
    (void)state;
    hiss_rng rng = hiss_rng_keyed(2, HISS_FOR_TESTS, 0, 0);
    for (int t = 0; t < TRIALS; t++) {
        for (int l = 0; l < HISS_LAWS; l++) {
            const bool weak = t % 2;
            if (!speaks((hiss_law)l, weak)) {
                continue;
            }
            double v[3];
            draw((hiss_law)l, &rng, v);
            const points x = make((hiss_law)l, weak, v, 7, 1, 0.01, &rng);
            const hiss_fit f = fit((hiss_law)l, weak, &x);
            assert_true(f.fitted);
            for (int i = 0; i < x.n; i++) {
                const double truth = law((hiss_law)l, weak, v, x.p[i], x.images[i]);
                assert_true(fabs(hiss_fit_seconds(&f, x.p[i]) / truth - 1) < 0.03);
            }
            assert_true(f.error_mean > 1e-5 && f.error_largest < 0.2);
            for (int k = 0; k < f.parameters; k++) {
                assert_true(f.value[k] >= 0);
            }
            if (l == HISS_LAW_AMDAHL) {
                assert_true(fabs(f.value[1] - v[1]) < 0.02);
            }
        }
    }
}

/* A law that does not hold predicts badly, and says so. */
static void test_wrong_law(void **state) {
    (void)state;
    hiss_rng rng = hiss_rng_keyed(3, HISS_FOR_TESTS, 0, 0);
    const double v[3] = {1000, 0.05, 0.01};
    const points x = make(HISS_LAW_USL, false, v, 7, 1, 0, &rng);
    const hiss_fit usl = fit(HISS_LAW_USL, false, &x), amdahl = fit(HISS_LAW_AMDAHL, false, &x);
    assert_true(usl.fitted && amdahl.fitted);
    assert_true(usl.error_mean < 1e-7);
    assert_true(amdahl.error_mean > 0.1);
}

static void test_refused(void **state) {
    (void)state;
    hiss_rng rng = hiss_rng_keyed(4, HISS_FOR_TESTS, 0, 0);
    const double v[3] = {0.1, 0.05, 0.01};
    for (int l = 0; l < HISS_LAWS; l++) {
        const bool weak = l == HISS_LAW_GUSTAFSON;
        const int k = hiss_law_parameters((hiss_law)l);
        points x = make(HISS_LAW_MESSAGES, weak, v, k + 1, 1, 0, &rng);
        assert_true(fit((hiss_law)l, weak, &x).fitted);
        x.n = k;
        hiss_fit f = fit((hiss_law)l, weak, &x);
        assert_false(f.fitted);
        assert_non_null(strstr(f.why, "points of different p"));
        assert_true(isnan(hiss_fit_seconds(&f, 2)));
        /* Repeats of the same p are no new points. */
        x = make(HISS_LAW_MESSAGES, weak, v, k, 1, 0, &rng);
        x.p[k] = x.p[0];
        x.seconds[k] = x.seconds[0];
        x.images[k] = x.images[0];
        x.n = k + 1;
        assert_false(fit((hiss_law)l, weak, &x).fitted);
        x.n = 0;
        assert_false(fit((hiss_law)l, weak, &x).fitted);
    }
    const points x = make(HISS_LAW_MESSAGES, true, v, 6, 1, 0, &rng);
    assert_non_null(strstr(fit(HISS_LAW_AMDAHL, true, &x).why, "strong scaling only"));
    assert_non_null(strstr(fit(HISS_LAW_GUSTAFSON, false, &x).why, "weak scaling only"));
}

/* The error is that of leaving out: two points on a line and one off it, worked out by hand for Amdahl's law. */
static void test_error_by_hand(void **state) {
    (void)state;
    const points x = {.n = 3, .p = {1, 2, 4}, .seconds = {1, 0.5, 0.3}, .images = {1, 1, 1}};
    /* Without p = 1: T = 0.1 + 0.8 / p predicts 0.9. Without 2: 1/15 + 14/15/p predicts 8/15. Without 4: 1/p, 0.25. */
    const double errors[] = {0.1, 1.0 / 15, 1.0 / 6};
    const hiss_fit f = fit(HISS_LAW_AMDAHL, false, &x);
    assert_true(f.fitted);
    assert_true(fabs(f.error_mean - (errors[0] + errors[1] + errors[2]) / 3) < 1e-12);
    assert_true(fabs(f.error_largest - errors[2]) < 1e-12);
}

static void test_superlinear(void **state) {
    (void)state;
    const points x = {.n = 4, .p = {1, 2, 4, 8}, .seconds = {1, 0.45, 0.2, 0.09}, .images = {1, 1, 1, 1}};
    const hiss_fit f = fit(HISS_LAW_AMDAHL, false, &x);
    assert_true(f.fitted);
    assert_true(f.value[1] == 0 && f.value[0] > 0); /* no negative serial part */
}

/* ---- statistics ---- */

static void test_median(void **state) {
    (void)state;
    double even[] = {4, 1, 3, 2}, odd[] = {5, 1, 9};
    assert_true(hiss_middle(even, 4) == 2.5);
    assert_true(hiss_middle(odd, 3) == 5);
    assert_true(isnan(hiss_middle(odd, 0)));
    const double a[] = {1, 2, 3}, b[] = {10, 30, 20, 40}, c[] = {5};
    const double *values[] = {a, b, c, NULL};
    const int64_t count[] = {3, 4, 1, 0};
    assert_true(hiss_sample_median(&(hiss_sample){4, count, values}) == 5); /* of 2, 25, 5 */
}

/* The interval covers the truth about as often as it says; runs that differ widen it; it does not move by itself. */
static void test_interval(void **state) {
    (void)state;
    enum { STUDIES = 200, RUNS = 9, VALUES = 15, DRAWS = 300 };
    static double store[RUNS][VALUES], draws[DRAWS], again[DRAWS];
    const double *values[RUNS];
    int64_t count[RUNS];
    int covered = 0;
    for (int s = 0; s < STUDIES; s++) {
        hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_TESTS, 0, s);
        for (int r = 0; r < RUNS; r++) {
            float z[VALUES + 1];
            hiss_rng_normals(&rng, VALUES + 1, z);
            values[r] = store[r];
            count[r] = VALUES;
            for (int k = 0; k < VALUES; k++) {
                store[r][k] = 10 + 0.5 * (double)z[VALUES] + 0.5 * (double)z[k]; /* a run's own shift, and its noise */
            }
        }
        const hiss_sample sample = {RUNS, count, values};
        double low, high;
        hiss_sample_bootstrap(&sample, 1, s, DRAWS, draws);
        hiss_sample_bootstrap(&sample, 1, s, DRAWS, again);
        assert_memory_equal(draws, again, sizeof draws);
        hiss_percentile_interval(draws, DRAWS, &low, &high);
        assert_true(low <= high);
        const double median = hiss_sample_median(&sample);
        assert_true(low <= median && median <= high);
        covered += low <= 10 && 10 <= high;
    }
    assert_in_range(covered, STUDIES * 88 / 100, STUDIES);
    double low, high, broken[] = {1, (double)NAN};
    hiss_percentile_interval(broken, 2, &low, &high);
    assert_true(isnan(low) && isnan(high));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),   cmocka_unit_test(test_noise),         cmocka_unit_test(test_wrong_law),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_error_by_hand), cmocka_unit_test(test_superlinear),
        cmocka_unit_test(test_median),  cmocka_unit_test(test_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
