/* Means, spreads and rank correlations, against values worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hiss/compare.h"

#define assert_near(value, expected) assert_true(fabs((value) - (expected)) <= 1e-12)

static void test_mean_and_spread(void **state) {
    (void)state;
    const double values[] = {89, 90, 94};
    assert_near(hiss_mean_of(values, 3), 91);
    assert_near(hiss_spread_of(values, 3), sqrt(7)); /* (4 + 1 + 9) / 2 */
    assert_true(isnan(hiss_spread_of(values, 1)));
    assert_true(isnan(hiss_mean_of(values, 0)));
}

static void test_mid_ranks(void **state) {
    (void)state;
    const double values[] = {7, 3, 7, 1, 7};
    double ranks[5];
    hiss_mid_ranks(values, 5, ranks);
    assert_near(ranks[0], 4); /* places 3, 4, 5 */
    assert_near(ranks[1], 2);
    assert_near(ranks[2], 4);
    assert_near(ranks[3], 1);
    assert_near(ranks[4], 4);
}

static void test_correlation(void **state) {
    (void)state;
    int64_t pairs;
    /* Ranks 1 2 3 4 5 and 2 1 4 3 5: the sum of squared differences is 4, rho = 1 - 6 * 4 / (5 * 24). */
    const double up[] = {1, 20, 21, 400, 500}, near[] = {-2, -3, 0.4, 0.3, 9};
    assert_near(hiss_rank_correlation(up, near, 5, &pairs), 0.8);
    assert_int_equal(pairs, 5);
    const double down[] = {5, 4, 3, 2, 1};
    assert_near(hiss_rank_correlation(up, down, 5, &pairs), -1);
}

/* Mid-ranks 4 2.5 2.5 1 5 and 4 1 2.5 2.5 5. Less their mean 3: squares add up to 9.5 on each side, products to 7.25.
 * The formula without ties would say 1 - 6 * 4.5 / 120 = 0.775. */
static void test_ties(void **state) {
    (void)state;
    int64_t pairs;
    const double a[] = {36, 20, 20, 10.5, 50}, b[] = {3, 1, 2, 2, 5};
    assert_near(hiss_rank_correlation(a, b, 5, &pairs), 7.25 / 9.5);
}

/* Rows without a number on one side do not count; what is left may be too little. */
static void test_missing(void **state) {
    (void)state;
    int64_t pairs;
    const double none = (double)NAN;
    const double a[] = {1, none, 3, 2, 9}, b[] = {10, 5, 30, 20, none};
    assert_near(hiss_rank_correlation(a, b, 5, &pairs), 1);
    assert_int_equal(pairs, 3);
    const double c[] = {1, none, none, 2, 9};
    assert_true(isnan(hiss_rank_correlation(c, b, 5, &pairs)));
    assert_int_equal(pairs, 2);
    const double equal[] = {4, 4, 4, 4, 4};
    assert_true(isnan(hiss_rank_correlation(equal, a, 5, &pairs)));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mean_and_spread), cmocka_unit_test(test_mid_ranks),
                                       cmocka_unit_test(test_correlation), cmocka_unit_test(test_ties),
                                       cmocka_unit_test(test_missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
