/* Numbers and paths as people write them: what is read, what is refused and how it is explained. */
#include "hiss/number.h"

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void test_integers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-7", -7},
                {"+7", 7},
                {"007", 7},
                {"4KiB", 4096},
                {"-1GiB", -(INT64_C(1) << 30)},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    static const char *const bad[] = {"",
                                      "-",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "1e3",
                                      "0x10",
                                      "1KB",
                                      "1 KiB",
                                      "1kib",
                                      "1KiBx",
                                      "1,000",
                                      "1_000",
                                      "9223372036854775808",
                                      "99999999999999999999",
                                      "-9223372036854775809",
                                      "9007199254740992KiB",
                                      "8589934592GiB",
                                      "inf",
                                      "true"};
    for (int k = 0; k < COUNT(good); k++) {
        int64_t value = 1;
        assert_true(hiss_integer_parse(good[k].text, &value));
        assert_int_equal(value, good[k].value);
    }
    for (int k = 0; k < COUNT(bad); k++) {
        int64_t value = 17;
        if (hiss_integer_parse(bad[k], &value) || value != 17) {
            fail_msg("'%s' is read as %lld", bad[k], (long long)value);
        }
    }
}

static void test_reals(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0.0},     {"0.000e5", 0.0},  {"-0.5", -0.5},     {".5", 0.5},
                {"5.", 5.0},    {"1e-3", 1e-3},    {"+2.5E+2", 250.0}, {"1.7976931348623157e308", DBL_MAX},
                {"0e999", 0.0}, {"1e-300", 1e-300}};
    static const char *const bad[] = {"",     ".",     "-",     " 1",     "1 ",     "0,05",        "1.000,5", "0.05f",
                                      "5%",   "1e-3x", "1e",    "1.2.3",  "0x1p3",  "inf",         "nan",     ".inf",
                                      "-inf", "true",  "1e999", "-1e999", "1e-999", "0.00001e-400"};
    for (int k = 0; k < COUNT(good); k++) {
        double value = 17.0;
        assert_true(hiss_real_parse(good[k].text, &value));
        assert_true(value == good[k].value);
    }
    for (int k = 0; k < COUNT(bad); k++) {
        double value = 17.0;
        if (hiss_real_parse(bad[k], &value) || value != 17.0) {
            fail_msg("'%s' is read as %g", bad[k], value);
        }
    }
}

static void test_hints(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool whole;
        const char *hint;
    } rows[] = {
        {"0,05", false, "; write a decimal point: 0.05"},
        {"-0,05", false, "; write a decimal point: -0.05"},
        {",5", false, "; write a decimal point: .5"},
        {"1,5e-3", false, "; write a decimal point: 1.5e-3"},
        {"1.000,5", false, "; write a decimal point: 1000.5"},
        {"1,000.5", false, "; write a decimal point: 1000.5"},
        {"1.000.000", false, "; write 1000000"},
        {"1,000,000", true, "; write 1000000"},
        {"1 000", true, "; write 1000"},
        {"1_000", true, "; write 1000"},
        {"1'000.5", false, "; write 1000.5"},
        {"1,000", false, "; a comma is no decimal point, and digits are not grouped"},
        {"5%", false, "; write 5 % as 0.05"},
        {"2,5 %", false, "; write 2.5 % as 0.025"},
        {"0.05f", false, "; 'f' after the number is too much"},
        {"1e-3x", false, "; 'x' after the number is too much"},
        {"10 steps", true, "; 'steps' after the number is too much"},
        {"64MB", true, "; units are KiB, MiB and GiB, right behind the digits"},
        {"8589934592GiB", true, "; it is too large"},
        {"1.5GiB", true, "; write a whole number of a smaller unit"},
        {"64 MiB", true, "; units are KiB, MiB and GiB, right behind the digits"},
        {"1e6", true, "; write 1000000"},
        {"10.0", true, "; write 10"},
        {"2.5", true, ""},
        {"inf", false, "; it must be finite"},
        {"-.INF", false, "; it must be finite"},
        {"NaN", false, "; it must be finite"},
        {"true", false, "; a number is needed, not yes or no"},
        {"Off", true, "; a number is needed, not yes or no"},
        {"0x10", true, "; write it in decimal digits"},
        {"99999999999999999999", true, "; it is too large"},
        {"1e999", false, "; it is too large or too small"},
        {"1e-999", false, "; it is too large or too small"},
        {"-4", true, ""},
        {"0.5", false, ""},
        {"fast", false, ""},
        {"1e", false, "; 'e' after the number is too much"},
        {"", false, ""},
        {"%", false, ""},
    };
    for (int k = 0; k < COUNT(rows); k++) {
        char hint[HISS_HINT] = "?";
        if (strcmp(hiss_number_hint(rows[k].text, rows[k].whole, hint), rows[k].hint) != 0) {
            fail_msg("'%s': '%s' instead of '%s'", rows[k].text, hint, rows[k].hint);
        }
    }
}

static const char *expanded(hiss_arena *arena, const char *path) {
    const char *out = NULL;
    hiss_error err = {0};
    const hiss_status s = hiss_path_expand(arena, "--run", path, &out, &err);
    assert_int_equal(s, err.code);
    return s == HISS_OK ? out : hiss_arena_text(arena, err.text);
}

static void test_paths(void **state) {
    (void)state;
    hiss_arena *arena = hiss_arena_create();
    setenv("HOME", "/home/me", 1);
    assert_string_equal(expanded(arena, "~"), "/home/me");
    assert_string_equal(expanded(arena, "~/runs/a"), "/home/me/runs/a");
    static const char *const same[] = {"runs/a", "/a~", "./~", "a/~/b", "./~you", "", "..", "C#%&"};
    for (int k = 0; k < COUNT(same); k++) {
        assert_ptr_equal(expanded(arena, same[k]), same[k]);
    }
    static const char *const dollars[] = {"$HOME/a", "/scratch/$USER", "~/$A", "${A}", "a$"};
    for (int k = 0; k < COUNT(dollars); k++) {
        const char *text = expanded(arena, dollars[k]);
        assert_true(strncmp(text, "--run: the path '", 17) == 0 && strstr(text, dollars[k]));
        assert_non_null(strstr(text, "no shell replaces variables in configs"));
    }
    assert_non_null(strstr(expanded(arena, "~you/a"), "the home directory of another user"));
    unsetenv("HOME");
    assert_non_null(strstr(expanded(arena, "~/a"), "HOME is not set"));
    setenv("HOME", "", 1);
    assert_non_null(strstr(expanded(arena, "~"), "HOME is not set"));
    hiss_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_integers), cmocka_unit_test(test_reals),
                                       cmocka_unit_test(test_hints), cmocka_unit_test(test_paths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
