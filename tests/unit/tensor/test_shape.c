/* Shapes, differences and limits. */
#include "kernel_support.h"

#include <float.h>
#include <math.h>

#include "hiss/tensor.h"

static void test_count(void **unused) {
    (void)unused;
    hiss_shape scalar = {0}, image = HISS_SHAPE(32, 28, 28, 1), empty = HISS_SHAPE(4, 0, 7);
    hiss_shape large = HISS_SHAPE(1 << 20, 1 << 20, 3);
    assert_int_equal(hiss_shape_count(&scalar), 1);
    assert_int_equal(image.ndim, 4);
    assert_int_equal(hiss_shape_count(&image), 32 * 28 * 28);
    assert_int_equal(hiss_shape_count(&empty), 0);
    assert_true(hiss_shape_count(&large) == 3 * ((int64_t)1 << 40));
}

static void test_equal(void **unused) {
    (void)unused;
    hiss_shape a = HISS_SHAPE(2, 3), b = HISS_SHAPE(2, 3), c = HISS_SHAPE(2, 3, 1), d = HISS_SHAPE(3, 2), e = {0};
    b.dim[2] = 99; /* behind ndim: no part of the shape */
    assert_true(hiss_shape_equal(&a, &b));
    assert_false(hiss_shape_equal(&a, &c));
    assert_false(hiss_shape_equal(&c, &a));
    assert_false(hiss_shape_equal(&a, &d));
    assert_false(hiss_shape_equal(&a, &e));
    assert_true(hiss_shape_equal(&e, &e));
}

static void test_text(void **unused) {
    (void)unused;
    char out[HISS_SHAPE_TEXT];
    hiss_shape image = HISS_SHAPE(32, 28, 28, 1), scalar = {0};
    assert_string_equal(hiss_shape_text(&image, out), "[32, 28, 28, 1]");
    assert_ptr_equal(hiss_shape_text(&scalar, out), out);
    assert_string_equal(out, "[]");
    hiss_shape widest = HISS_SHAPE(INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX);
    memset(out, 'x', sizeof out);
    hiss_shape_text(&widest, out);
    size_t length = strlen(out);
    assert_in_range(length, 80, HISS_SHAPE_TEXT - 1);
    assert_int_equal(out[length - 1], ']');
}

static void test_difference(void **unused) {
    (void)unused;
    const float a[] = {1, 2, 100, 0}, b[] = {1, 2.5f, 101, 1e-9f};
    hiss_difference d = hiss_floats_compare(4, a, b, 1e-3);
    assert_true(fabs(d.max_absolute - 1) < 1e-12);
    assert_int_equal(d.worst, 2);
    assert_true(fabs(d.max_relative - 0.2) < 1e-12);
    assert_true(fabs(d.rms - sqrt(1.25 / 4)) < 1e-9);
    assert_false(d.has_nan);
    d = hiss_floats_compare(4, a, a, 0);
    assert_true(d.max_absolute == 0 && d.max_relative == 0 && d.rms == 0 && !d.has_nan);
    d = hiss_floats_compare(0, a, b, 0);
    assert_true(d.max_absolute == 0 && d.rms == 0);
}

static void test_difference_of_special_values(void **unused) {
    (void)unused;
    const float a[] = {5, NAN, INFINITY}, b[] = {1, NAN, INFINITY}, c[] = {5, 1, -INFINITY};
    hiss_difference d = hiss_floats_compare(3, a, b, 0);
    assert_true(d.has_nan);
    assert_int_equal(d.worst, 1); /* two NaN are no agreement */
    assert_true(d.max_absolute == 4);
    d = hiss_floats_compare(1, a + 2, b + 2, 0);
    assert_true(!d.has_nan && d.max_absolute == 0 && d.max_relative == 0);
    d = hiss_floats_compare(1, a + 2, c + 2, 0);
    assert_true(!d.has_nan && isinf(d.max_absolute) && isinf(d.max_relative));
}

static void test_within(void **unused) {
    (void)unused;
    enum { N = 77 };
    float x[N];
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY, nextafterf(2.5f, 3.0f), -3.0f, FLT_MAX};
    for (int i = 0; i < N; i++) {
        x[i] = i % 3 == 0 ? -2.5f : i % 3 == 1 ? 2.5f : -0.0f;
    }
    for (int count = 0; count <= N; count++) {
        assert_true(hiss_floats_within(count, x, 2.5f));
        assert_true(hiss_floats_first_beyond(count, x, 2.5f) == count);
    }
    for (int i = 0; i < N; i++) {
        for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
            const float kept = x[i];
            x[i] = bad[k];
            assert_false(hiss_floats_within(N, x, 2.5f));
            assert_true(hiss_floats_within(i, x, 2.5f));
            assert_true(hiss_floats_first_beyond(N, x, 2.5f) == i);
            assert_int_equal(hiss_floats_within(N, x, FLT_MAX), k >= 4);
            x[i] = kept;
        }
    }
    const float tiny = FLT_MIN / 4;
    assert_true(hiss_floats_within(1, &tiny, FLT_MIN) && !hiss_floats_within(1, &tiny, 0.0f));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_difference),
        cmocka_unit_test(test_difference_of_special_values),
        cmocka_unit_test(test_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
