/* Partition: covers, is even, longer parts come first; few items lie apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hiss/comm.h"

static void covers_evenly(void **state) {
    (void)state;
    for (int64_t n = 0; n < 40; n++) {
        for (int64_t parts = 1; parts < 12; parts++) {
            int64_t offsets[13];
            hiss_partition(n, parts, offsets);
            assert_int_equal(offsets[0], 0);
            assert_int_equal(offsets[parts], n);
            for (int64_t i = 0; i < parts && n >= parts; i++) {
                assert_int_equal(offsets[i + 1] - offsets[i], n / parts + (i < n % parts));
            }
        }
    }
}

/* Of any k neighbouring parts, as those of one node, k n / parts have an item, rounded up or down. */
static void few_items_lie_apart(void **state) {
    (void)state;
    for (int64_t parts = 2; parts < 12; parts++) {
        for (int64_t n = 1; n < parts; n++) {
            int64_t offsets[13];
            hiss_partition(n, parts, offsets);
            assert_int_equal(offsets[1], 1);
            for (int64_t begin = 0; begin < parts; begin++) {
                for (int64_t end = begin + 1; end <= parts; end++) {
                    const int64_t items = offsets[end] - offsets[begin], share = (end - begin) * n / parts;
                    assert_true(items == share || items == share + 1);
                }
            }
        }
    }
}

static void holds_beyond_32_bits(void **state) {
    (void)state;
    int64_t offsets[4];
    hiss_partition(10000000000, 3, offsets);
    assert_int_equal(offsets[1], 3333333334);
    assert_int_equal(offsets[2], 6666666667);
    assert_int_equal(offsets[3], 10000000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(covers_evenly),
        cmocka_unit_test(few_items_lie_apart),
        cmocka_unit_test(holds_beyond_32_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
