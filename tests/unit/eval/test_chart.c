/* Charts: well-formed text, points where they belong, and odd data that must not break them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/alloc.h"
#include "hiss/eval.h"

enum { ROOM = 1 << 20 };

static char *render(int count, const hiss_chart *charts) {
    char *text = hiss_alloc(ROOM);
    FILE *stream = fmemopen(text, ROOM, "w");
    hiss_charts_render(stream, count, charts);
    fclose(stream);
    return text;
}

/* Elements nest, attributes are quoted, no number is nan or inf: enough XML for what the renderer writes. */
static void assert_well_formed(const char *text) {
    char stack[64][16];
    int depth = 0;
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    for (const char *s = strchr(text, '<'); s; s = strchr(s, '<')) {
        const char *end = strchr(s, '>');
        assert_non_null(end);
        char name[16];
        if (s[1] == '/') {
            assert_int_equal(sscanf(s + 2, "%15[a-z]", name), 1);
            assert_true(depth > 0);
            assert_string_equal(name, stack[--depth]);
        } else {
            assert_int_equal(sscanf(s + 1, "%15[a-z]", name), 1);
            int quotes = 0;
            for (const char *c = s; c < end; c++) {
                quotes += *c == '"';
            }
            assert_int_equal(quotes % 2, 0);
            if (end[-1] != '/') {
                strcpy(stack[depth++], name);
            }
        }
        s = end;
    }
    assert_int_equal(depth, 0);
}

static int occurrences(const char *text, const char *what) {
    int count = 0;
    for (const char *s = strstr(text, what); s; s = strstr(s + 1, what)) {
        count++;
    }
    return count;
}

static void test_plain(void **state) {
    (void)state;
    const double x[] = {0, 1, 2, 3}, y[] = {0, 10, 5, 20}, z[] = {1, 2, 3, 4};
    hiss_series series[] = {{.name = "a < b & \"c\"", .count = 4, .x = x, .y = y},
                            {.name = "second", .count = 4, .x = x, .y = z, .stroke = HISS_DASHED, .dots = true}};
    hiss_chart chart = {
        .title = "T<1>", .x_label = "epoch", .y_label = "loss", .series = 2, .serie = series, .zero_y = true};
    char *text = render(1, &chart);
    assert_well_formed(text);
    assert_non_null(strstr(text, "T&lt;1&gt;"));
    assert_non_null(strstr(text, "a &lt; b &amp; &quot;c&quot;"));
    assert_int_equal(occurrences(text, "<circle"), 4);
    assert_non_null(strstr(text, ">20</text>"));
    assert_non_null(strstr(text, "d=\"M68.0 310.0L")); /* the origin is the corner of the frame */
    assert_non_null(strstr(text, "stroke-dasharray"));
    hiss_free(text);
}

static void test_gaps_and_nothing(void **state) {
    (void)state;
    const double x[] = {0, 1, 2, 3, 4, 5}, y[] = {1, 2, NAN, 3, INFINITY, 4};
    hiss_series series = {.name = NULL, .count = 6, .x = x, .y = y};
    hiss_chart chart = {.series = 1, .serie = &series};
    char *text = render(1, &chart);
    assert_well_formed(text);
    assert_int_equal(occurrences(text, "stroke-linejoin"), 3);
    hiss_free(text);
    const double same[] = {7, 7, 7, 7, 7, 7};
    series.y = same;
    text = render(1, &chart);
    assert_well_formed(text);
    hiss_free(text);
    series.count = 1;
    text = render(1, &chart);
    assert_well_formed(text);
    assert_int_equal(occurrences(text, "<circle"), 1);
    hiss_free(text);
    series.count = 0;
    hiss_chart two[2] = {chart, {.series = 0, .log_x = true, .log_y = true}};
    text = render(2, two);
    assert_well_formed(text);
    hiss_free(text);
}

static void test_ranges(void **state) {
    (void)state;
    const double spans[] = {1e-7, 3e-3, 0.9, 1.0, 7.0, 123.0, 45678.0, 3.2e6, 8.1e9, 1e15};
    const double starts[] = {0.0, -1e-3, 1.0, 1e3, -5e5};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        for (size_t j = 0; j < sizeof starts / sizeof *starts; j++) {
            for (int logs = 0; logs < 4; logs++) {
                double x[] = {starts[j], starts[j] + spans[i]}, y[] = {starts[j] + spans[i], starts[j]};
                hiss_series series = {.name = "s", .count = 2, .x = x, .y = y};
                hiss_chart chart = {.series = 1, .serie = &series, .log_x = logs & 1, .log_y = logs & 2};
                char *text = render(1, &chart);
                assert_well_formed(text);
                int ticks = occurrences(text, "text-anchor=\"middle\"") + occurrences(text, "text-anchor=\"end\"");
                assert_in_range(ticks, 4, 26);
                hiss_free(text);
            }
        }
    }
}

static void test_long_series_stay_small(void **state) {
    (void)state;
    enum { N = 200000 };
    double *x = hiss_new(double, N), *y = hiss_new(double, N);
    for (int i = 0; i < N; i++) {
        x[i] = i;
        y[i] = sin(i * 1e-4);
    }
    const hiss_curve curve[] = {{.name = "loss", .y = y}, {.name = "some_rate", .y = y}};
    hiss_curves curves = {.title = "run", .count = N, .x = x, .x_label = "step", .curves = 2, .curve = curve};
    char *text = hiss_alloc(ROOM);
    FILE *stream = fmemopen(text, ROOM, "w");
    hiss_curves_html(stream, &curves);
    fclose(stream);
    assert_int_equal(occurrences(text, "<svg"), 2); /* every curve there is */
    assert_non_null(strstr(text, ">some rate</text>"));
    assert_true(strlen(text) < 100000);
    assert_non_null(strstr(text, "150k"));
    hiss_free(text);
    hiss_free(x);
    hiss_free(y);
}

static void test_bars(void **state) {
    (void)state;
    const double first[] = {2, 0, 1}, second[] = {1, 3, NAN};
    const char *const names[] = {"a<b", "c", "d"};
    hiss_series series[] = {{.name = "first", .count = 3, .y = first}, {.name = "second", .count = 3, .y = second}};
    hiss_chart chart = {.series = 2, .serie = series, .stacked = true, .ticks = 3, .label = names};
    char *text = render(1, &chart);
    assert_well_formed(text);
    assert_int_equal(occurrences(text, "<rect"), 1 + 4); /* the ground, and what is not 0 and finite */
    assert_non_null(strstr(text, ">a&lt;b</text>"));
    assert_non_null(strstr(text, ">3</text>")); /* the tallest bars are 3 high */
    assert_null(strstr(text, ">4</text>"));
    hiss_free(text);
}

static void test_whiskers_and_ticks(void **state) {
    (void)state;
    const double x[] = {1, 4, 16}, y[] = {10, 20, 30}, low[] = {9, NAN, 29}, high[] = {11, 22, 90};
    hiss_series series = {.count = 3, .x = x, .y = y, .low = low, .high = high, .no_line = true, .colour = 3};
    hiss_chart chart = {.series = 1, .serie = &series, .log_x = true, .ticks = 3, .tick = x};
    char *text = render(1, &chart);
    assert_well_formed(text);
    assert_int_equal(occurrences(text, "h8m-4 0V"), 2);
    assert_int_equal(occurrences(text, "stroke-linejoin"), 0);
    assert_non_null(strstr(text, "#009e73"));
    assert_non_null(strstr(text, ">16</text>"));
    assert_null(strstr(text, ">2</text>"));
    assert_non_null(strstr(text, ">80</text>")); /* the axis has room for whiskers */
    hiss_free(text);
}

static void test_files(void **state) {
    (void)state;
    const double x[] = {0, 1}, y[] = {1, 2};
    char folder[] = "/tmp/hiss-chart-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/c.svg", folder);
    const hiss_curve curve = {.name = "anything", .y = y};
    hiss_curves curves = {.count = 2, .x = x, .curves = 1, .curve = &curve};
    hiss_error err = {0};
    assert_int_equal(hiss_curves_write(path, &curves, &err), HISS_OK);
    FILE *file = fopen(path, "r");
    char start[5] = "";
    assert_non_null(file);
    assert_int_equal(fread(start, 1, 4, file), 4);
    assert_string_equal(start, "<svg");
    fclose(file);
    remove(path);
    remove(folder);
    assert_int_equal(hiss_curves_write(path, &curves, &err), HISS_ESYSTEM);
    assert_non_null(strstr(err.text, path));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),  cmocka_unit_test(test_gaps_and_nothing),
        cmocka_unit_test(test_ranges), cmocka_unit_test(test_long_series_stay_small),
        cmocka_unit_test(test_bars),   cmocka_unit_test(test_whiskers_and_ticks),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
