/* Where a rank's time went: the parts add up to what passed, and blocked time is split at the least blocked rank's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/trainer.h"

static double total(const rank_account *a) {
    return a->compute + a->exchange + a->data + a->wait + a->transfer + a->other;
}

static void test_account(void **state) {
    (void)state;
    const trainer_times slow = {.data = 0.5,
                                .augment = 1,
                                .forward = 2,
                                .exchange = 0.25,
                                .supply = 0.125,
                                .backward = 4,
                                .reduce = 1.5,
                                .update = 0.5,
                                .epoch = 0.75,
                                .transfer = 3,
                                .wait = 1,
                                .sum = 0.25};
    trainer_times fast = slow;
    fast.backward = 2;
    fast.reduce = 3.5; /* it waits as much longer as it is faster */
    fast.wait = 3;
    rank_account a = {0}, b = {0};
    for (int window = 0; window < 2; window++) {
        train_rank_account_add(&a, &slow, 1, 12);
        train_rank_account_add(&b, &fast, 1, 12);
    }
    assert_true(fabs(total(&a) - 24) < 1e-12 && fabs(total(&b) - 24) < 1e-12);
    assert_true(a.wait == 0 && b.wait == 4);
    assert_true(a.transfer == 2 && b.transfer == 2);
    assert_true(a.compute - b.compute == 4);
    assert_true(a.exchange == 2 && a.data == 1 && a.span == 6 && a.sum == 0.5);
    assert_true(fabs(a.other - b.other) < 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_account)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
