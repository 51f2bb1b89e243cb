/* Corruption of every kind and level: what is done to numbers is what is drawn for graphs; its means over draws are those
 * it says; level 0 changes nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/alloc.h"
#include "objective/parts/corrupt.h"

enum { KINDS = 3, COUNT = 200001 };
static const double levels[] = {0.0, 0.1, 0.5, 1.0};

static hiss_rng stream(int kind, int level) {
    return hiss_rng_keyed(7, HISS_FOR_TESTS, kind, level);
}

static void assert_mean(const float *a, const float *b, double expected) {
    double sum = 0.0, square = 0.0;
    for (int64_t i = 0; i < COUNT; i++) {
        const double x = (double)a[i] * (double)b[i];
        sum += x;
        square += x * x;
    }
    const double mean = sum / COUNT, deviation = sqrt(fmax(square / COUNT - mean * mean, 0.0));
    assert_true(fabs(mean - expected) <= 5.0 * deviation / sqrt((double)COUNT) + 1e-7);
}

static void draws_and_means(void **state) {
    (void)state;
    float *x = hiss_new(float, COUNT), *out = hiss_new(float, COUNT), *one = hiss_new(float, COUNT);
    float *keep = hiss_new(float, COUNT), *add = hiss_new(float, COUNT);
    for (int64_t i = 0; i < COUNT; i++) {
        x[i] = (float)(i % 97) / 96.0f;
        one[i] = 1.0f;
    }
    for (int kind = 0; kind < KINDS; kind++) {
        for (int l = 0; l < HISS_COUNT(levels); l++) {
            const objective_corruption c = {.kind = kind, .level = levels[l]};
            const hiss_corruption_moments m = objective_corruption_moments(&c);
            hiss_rng first = stream(kind, l), second = stream(kind, l);
            objective_corrupt(&c, &first, COUNT, x, out);
            objective_corruption_draw(&c, &second, COUNT, keep, add);
            for (int64_t i = 0; i < COUNT; i++) {
                assert_true(out[i] == keep[i] * x[i] + add[i]);
                assert_true(levels[l] > 0.0 || out[i] == x[i]);
            }
            assert_mean(keep, one, m.keep);
            assert_mean(keep, keep, m.keep2);
            assert_mean(add, one, m.add);
            assert_mean(add, add, m.add2);
            assert_mean(keep, add, 0.0);
        }
    }
    hiss_free(x);
    hiss_free(out);
    hiss_free(one);
    hiss_free(keep);
    hiss_free(add);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(draws_and_means)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
