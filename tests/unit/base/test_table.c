/* Cells keep their width with every kind of number and text, and still say as much as fits. */
#include "hiss/table.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void numbers_that_fit_are_as_printf_writes_them(void **state) {
    (void)state;
    assert_string_equal(HISS_NUMBER(8, 3, 12.3456), "  12.346");
    assert_string_equal(HISS_NUMBER(8, 0, 1e6), " 1000000");
    assert_string_equal(HISS_NUMBER(6, 2, 0.0), "  0.00");
    assert_string_equal(HISS_NUMBER(6, 1, -3.25), "  -3.2");
}

static void longer_numbers_lose_decimals_then_become_powers(void **state) {
    (void)state;
    assert_string_equal(HISS_NUMBER(6, 2, 1234.567), "1234.6");
    assert_string_equal(HISS_NUMBER(6, 2, 99999.6), "100000");
    assert_string_equal(HISS_NUMBER(6, 2, 999999.6), "1.00e6");
    assert_string_equal(HISS_NUMBER(6, 2, 1.5e12), "1.5e12");
    assert_string_equal(HISS_NUMBER(8, 2, 123456789.0), "1.2346e8");
    assert_string_equal(HISS_NUMBER(6, 0, -DBL_MAX), "-2e308");
    assert_string_equal(HISS_NUMBER(5, 0, DBL_MAX), "2e308");
    assert_string_equal(HISS_NUMBER(5, 0, -DBL_MAX), " -inf");
}

static void what_is_no_number_is_a_word(void **state) {
    (void)state;
    assert_string_equal(HISS_NUMBER(6, 2, (double)NAN), "     -");
    assert_string_equal(HISS_NUMBER(6, 2, (double)INFINITY), "   inf");
    assert_string_equal(HISS_POWER(8, 2, -(double)INFINITY), "    -inf");
}

static void powers(void **state) {
    (void)state;
    assert_string_equal(HISS_POWER(8, 1, 1.27e-5), "  1.3e-5");
    assert_string_equal(HISS_POWER(6, 0, 0.001), "  1e-3");
    assert_string_equal(HISS_POWER(6, 3, 1.0), "1.00e0");
    assert_string_equal(HISS_POWER(6, 1, -1e-300), "     0");
}

static void every_number_in_every_width(void **state) {
    (void)state;
    static const double digits[] = {1.0, 9.4999, 9.96, 9.9999999};
    for (int width = HISS_NUMBER_WIDTH; width <= 20; width += 1 + width / 10) {
        for (int decimals = 0; decimals <= 9; decimals += 3) {
            for (int power = -320; power <= 307; power += power > -9 && power < 20 ? 1 : 9) {
                for (int k = 0; k < 8; k++) {
                    const double value = (k & 1 ? -1.0 : 1.0) * digits[k / 2] * pow(10.0, power);
                    const char *cell[2] = {HISS_NUMBER(width, decimals, value), HISS_POWER(width, decimals, value)};
                    for (int c = 0; c < 2; c++) {
                        char *end = NULL;
                        const double read = strtod(cell[c], &end);
                        assert_int_equal(strlen(cell[c]), width);
                        assert_true(*end == '\0');
                        assert_true(fabs(read - value) <= 0.51 * fabs(value) || fabs(value) < 1.0 ||
                                    (width == 5 && value <= -9e99));
                    }
                }
            }
        }
    }
}

static void texts_are_cut_and_say_so(void **state) {
    (void)state;
    assert_string_equal(HISS_TEXT(6, "conv1"), "conv1 ");
    assert_string_equal(HISS_TEXT(6, "conv12"), "conv12");
    assert_string_equal(HISS_TEXT(6, "conv123"), "conv1~");
    assert_string_equal(HISS_TEXT(4, "größe"), "grö~");
    assert_string_equal(HISS_TEXT(6, "größe"), "größe ");
    assert_string_equal(HISS_TEXT(3, ""), "   ");
    assert_string_equal(HISS_TEXT(1, "ab"), "~");
}

static const char *wrapped(int page, const char *text) {
    static char out[512];
    memset(out, 0, sizeof out);
    FILE *stream = fmemopen(out, sizeof out, "w");
    assert_non_null(stream);
    hiss_text_print_wrapped(stream, page, text);
    fclose(stream);
    return out;
}

static void lines_are_broken_at_blanks(void **state) {
    (void)state;
    assert_string_equal(wrapped(12, "one two"), "one two\n");
    assert_string_equal(wrapped(12, ""), "\n");
    assert_string_equal(wrapped(12, "one two four"), "one two four\n");
    assert_string_equal(wrapped(12, "one two three"), "one two\n    three\n");
    assert_string_equal(wrapped(12, "one two three four five"), "one two\n    three\n    four\n    five\n");
    assert_string_equal(wrapped(8, "a/path/that/is/longer end"), "a/path/that/is/longer\n    end\n");
    assert_string_equal(wrapped(8, "  a/path/that/is/longer"), "  a/path/that/is/longer\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_that_fit_are_as_printf_writes_them),
                                       cmocka_unit_test(longer_numbers_lose_decimals_then_become_powers),
                                       cmocka_unit_test(what_is_no_number_is_a_word),
                                       cmocka_unit_test(powers),
                                       cmocka_unit_test(every_number_in_every_width),
                                       cmocka_unit_test(texts_are_cut_and_say_so),
                                       cmocka_unit_test(lines_are_broken_at_blanks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
