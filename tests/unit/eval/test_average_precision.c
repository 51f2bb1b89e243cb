/* Average precision against its definition, threshold by threshold; ties, what is not judged, and what is not listed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hiss/eval.h"
#include "hiss/rng.h"

enum { MOST = 60 };

/* Precision and recall at a threshold. */
static void at(int n, const float *score, const uint8_t *target, float threshold, double relevant, double *precision,
               double *recall) {
    double listed = 0.0, right = 0.0;
    for (int i = 0; i < n; i++) {
        if (target[i] <= 1 && score[i] >= threshold) {
            listed += 1.0;
            right += target[i];
        }
    }
    *precision = right / listed;
    *recall = right / relevant;
}

/* The definition, by every score as a threshold. */
static hiss_average_precision defined(int n, const float *score, const uint8_t *target, double relevant) {
    hiss_average_precision ap = {0.0, 0.0};
    for (int i = 0; i < n; i++) { /* each relevant one brings its share at the precision of its threshold */
        double precision, recall;
        if (target[i] == 1) {
            at(n, score, target, score[i], relevant, &precision, &recall);
            ap.area += precision / relevant;
        }
    }
    for (int level = 0; level <= 10; level++) {
        double best = 0.0;
        for (int i = 0; i < n; i++) {
            double precision, recall;
            if (target[i] <= 1) {
                at(n, score, target, score[i], relevant, &precision, &recall);
                best = recall * 10.0 >= level - 1e-9 ? fmax(best, precision) : best;
            }
        }
        ap.eleven += best / 11.0;
    }
    return ap;
}

static void is_as_defined(void **state) {
    (void)state;
    hiss_rng rng = hiss_rng_keyed(1, 2, 3, 4);
    for (int round = 0; round < 500; round++) {
        const int n = 1 + (int)(hiss_rng_uniform(&rng) * (float)MOST), levels = 1 + round % 20;
        float score[MOST];
        uint8_t target[MOST];
        double relevant = 0.0;
        for (int i = 0; i < n; i++) {
            const double u = (double)hiss_rng_uniform(&rng);
            score[i] = floorf(hiss_rng_uniform(&rng) * (float)levels) - 3.0f; /* with ties */
            target[i] = u < 0.3 ? 1 : u < 0.9 ? 0 : HISS_NOT_JUDGED;
            relevant += target[i] == 1;
        }
        const hiss_average_precision found = hiss_average_precision_of(n, score, target, 1, -1);
        if (relevant == 0.0) {
            assert_true(isnan(found.area) && isnan(found.eleven));
            continue;
        }
        const hiss_average_precision expected = defined(n, score, target, relevant);
        assert_true(fabs(found.area - expected.area) < 1e-12);
        assert_true(fabs(found.eleven - expected.eleven) < 1e-12);
        const hiss_average_precision more = hiss_average_precision_of(n, score, target, 1, (int64_t)relevant + 3);
        const hiss_average_precision expected_more = defined(n, score, target, relevant + 3.0);
        assert_true(fabs(more.area - expected_more.area) < 1e-12 && more.area < found.area);
        assert_true(fabs(more.eleven - expected_more.eleven) < 1e-12);
    }
}

static void knows_simple_cases(void **state) {
    (void)state;
    const float score[] = {0.9f, 0.8f, 0.7f, 0.6f}, equal[] = {1.0f, 1.0f, 1.0f, 1.0f};
    const uint8_t best[] = {1, 1, 0, 0}, worst[] = {0, 0, 0, 1};
    assert_true(hiss_average_precision_of(4, score, best, 1, -1).area == 1.0);
    assert_true(hiss_average_precision_of(4, score, best, 1, -1).eleven == 1.0);
    assert_true(hiss_average_precision_of(4, score, worst, 1, -1).area == 0.25);
    assert_true(hiss_average_precision_of(4, equal, best, 1, -1).area == 0.5); /* the prior */
    assert_true(hiss_average_precision_of(0, score, best, 1, 2).area == 0.0);  /* nothing was found */
}

static void takes_columns(void **state) {
    (void)state;
    const float score[] = {0.1f, 9.0f, 0.5f, 1.0f, 0.4f, 5.0f};
    const uint8_t target[] = {0, 0, 1, 1, 0, 1};
    assert_true(hiss_average_precision_of(3, score, target, 2, -1).area == 1.0);
    assert_true(fabs(hiss_average_precision_of(3, score + 1, target + 1, 2, -1).area - (0.5 * 0.5 + 0.5 * 2.0 / 3.0)) <
                1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_as_defined),
        cmocka_unit_test(knows_simple_cases),
        cmocka_unit_test(takes_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
