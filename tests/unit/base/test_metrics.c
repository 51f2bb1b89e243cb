/* metrics.jsonl as columns of numbers; what it is not is refused, with its place. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hiss/config.h"
#include "hiss/metrics.h"

static char path[64];

static void write_file(const char *content) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void metrics_are_columns(void **state) {
    (void)state;
    hiss_arena *arena = hiss_arena_create();
    hiss_metrics m;
    hiss_error err = {0};
    write_file("{\"step\": 10, \"loss\": 1.5, \"times\": [1, 2.5, 3e-3], \"gap\": null}\n"
               "{\"step\": 20, \"loss\": -2e-7, \"late\": 4}\n"
               "{\"step\": 30, \"lo");
    assert_int_equal(hiss_metrics_read(arena, path, &m, &err), HISS_OK);
    assert_int_equal(m.lines, 2); /* the last one is still being written */
    assert_int_equal(m.columns, 7);
    assert_string_equal(m.column[0].name, "step");
    assert_true(hiss_metrics_column(&m, "loss")[0] == 1.5 && hiss_metrics_column(&m, "loss")[1] == -2e-7);
    assert_true(hiss_metrics_column(&m, "times.1")[0] == 2.5 && isnan(hiss_metrics_column(&m, "times.1")[1]));
    assert_true(isnan(hiss_metrics_column(&m, "gap")[0]));
    assert_true(isnan(hiss_metrics_column(&m, "late")[0]) && hiss_metrics_column(&m, "late")[1] == 4.0);
    assert_null(hiss_metrics_column(&m, "times"));
    write_file("");
    assert_int_equal(hiss_metrics_read(arena, path, &m, &err), HISS_OK);
    assert_int_equal(m.lines + m.columns, 0);
    assert_int_equal(hiss_metrics_step("{\"step\": 71, \"loss\": 2}\n"), 71);
    assert_int_equal(hiss_metrics_step("{\"loss\": 2}\n"), -1);
    hiss_arena_destroy(arena);
}

static void what_are_no_metrics_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"\n",   "3\n",        "[1, 2]\n",        "{\"step\": \n",
                                        "{}\n", "\"text\"\n", "{\"a\": [1, 2}\n"};
    for (int k = 0; k < HISS_COUNT(wrong); k++) {
        hiss_arena *arena = hiss_arena_create();
        hiss_metrics m;
        hiss_error err = {0};
        char content[128], where[128];
        snprintf(content, sizeof content, "{\"step\": 1}\n%s{\"step\": 3}\n", wrong[k]);
        write_file(content);
        assert_int_equal(hiss_metrics_read(arena, path, &m, &err), HISS_EUSER);
        snprintf(where, sizeof where, "%s:2: expected an object of numbers", path);
        assert_memory_equal(err.text, where, strlen(where));
        hiss_arena_destroy(arena);
    }
    hiss_arena *arena = hiss_arena_create();
    hiss_metrics m;
    hiss_error err = {0};
    assert_int_equal(hiss_metrics_read(arena, "/nowhere/metrics.jsonl", &m, &err), HISS_ESYSTEM);
    hiss_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(metrics_are_columns),
                                       cmocka_unit_test(what_are_no_metrics_is_refused)};
    snprintf(path, sizeof path, "/tmp/hiss-metrics-%ld", (long)getpid());
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(path);
    return failed;
}
