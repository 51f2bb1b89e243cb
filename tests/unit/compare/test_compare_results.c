/* The table of runs that are filled in by hand: cells, marks, budgets, correlations, and the files made of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/compare.h"

#define assert_near(value, expected) assert_true(fabs((value) - (expected)) <= 1e-12)

static const char plain[] = "name: a <b> | c\n"
                            "seeds: [1, 2, 3]\n"
                            "rows:\n"
                            "  one: {config: a.yaml}\n"
                            "  two: {config: a.yaml}\n"
                            "  pixels: {of: one, features: raw}\n"
                            "columns:\n"
                            "  accuracy: {reading: trained/z/linear.percent}\n"
                            "  error: {reading: trained/z/x.mse, best: lowest}\n"
                            "published: {values: {one: 1, two: 3, pixels: 2}}\n";

enum { ROWS = 3, SEEDS = 3, COLUMNS = 2 };

typedef struct table {
    hiss_comparison study;
    hiss_compare_results results;
    hiss_compare_run run[ROWS * SEEDS];
    double value[ROWS * SEEDS][COLUMNS];
    hiss_form form[COLUMNS];
    const char *unit[COLUMNS];
} table;

/* All runs are done; row r with seed s reads 10 r + s and 1 / (r + 1), has seen 640 images, in r + s seconds. */
static table *make(void) {
    table *t = calloc(1, sizeof *t);
    hiss_error err = {0};
    if (hiss_comparison_parse("s.yaml", plain, &t->study, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    t->unit[0] = "%";
    t->unit[1] = "";
    t->form[1] = HISS_FORM_GENERAL;
    t->results = (hiss_compare_results){.study = &t->study,
                                        .dir = "out",
                                        .arena = hiss_arena_create(),
                                        .runs = t->run,
                                        .form = t->form,
                                        .unit = t->unit};
    for (int k = 0; k < ROWS * SEEDS; k++) {
        const int row = k % ROWS, seed = k / ROWS;
        t->value[k][0] = 10 * row + seed;
        t->value[k][1] = 1.0 / (row + 1);
        t->run[k] = (hiss_compare_run){.state = HISS_COMPARE_DONE,
                                       .value = t->value[k],
                                       .images = row < 2 ? 640 : 0,
                                       .seconds = row < 2 ? row + seed : 0,
                                       .identity = "same"};
        snprintf(t->run[k].parameters, sizeof t->run[k].parameters, "%0*d", row < 2 ? 64 : 1, k);
    }
    return t;
}

static void destroy(table *t) {
    hiss_arena_destroy(t->results.arena);
    hiss_comparison_destroy(&t->study);
    free(t);
}

/* What a writer writes. */
static char *written(void (*write)(FILE *, const hiss_compare_results *), const table *t) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = hiss_text_open(&text, &size);
    write(out, &t->results);
    fclose(out);
    return text;
}

static void expect(char *text, const char *part) {
    if (!strstr(text, part)) {
        fail_msg("no '%s' in\n%s", part, text);
    }
}

static void test_cells(void **state) {
    (void)state;
    table *t = make();
    hiss_compare_analyse(&t->results);
    const hiss_compare_cell *cell = t->results.cells;
    assert_near(cell[0].mean, 1);
    assert_near(cell[0].spread, 1);
    assert_int_equal(cell[0].count, 3);
    assert_false(cell[0].best || cell[2].best);
    assert_true(cell[4].best); /* pixels read most, */
    assert_true(cell[5].best); /* and err least */
    assert_false(cell[1].best);
    assert_near(t->results.seconds[1], 2);
    assert_near(t->results.correlation[0], 0.5); /* 1 2 3 and 1 3 2 */
    assert_near(t->results.correlation[1], -0.5);
    assert_int_equal(t->results.pairs[0], 3);
    assert_int_equal(t->results.done, 6); /* a control has no run */
    assert_string_equal(t->results.budget, "Equal budget: every trained row has seen 640 images.");
    assert_null(t->results.alike);
    destroy(t);
}

/* Runs that failed or are missing leave the mean to the others; a reading that a run lacks, too. */
static void test_gaps(void **state) {
    (void)state;
    table *t = make();
    t->run[0].state = HISS_COMPARE_FAILED;
    t->run[1].state = HISS_COMPARE_MISSING;
    t->value[3][0] = (double)NAN;
    t->run[4].images = 700;
    t->run[7].images = 700;
    t->run[7].identity = "other";
    snprintf(t->run[0].why, sizeof t->run[0].why, "hiss train: exit 2: a \"reason\"");
    hiss_compare_analyse(&t->results);
    assert_near(t->results.cells[0].mean, 2);
    assert_int_equal(t->results.cells[0].count, 1);
    assert_true(isnan(t->results.cells[0].spread));
    assert_near(t->results.cells[2].mean, 11.5);
    assert_int_equal(t->results.done, 4);
    assert_int_equal(t->results.failed, 1);
    assert_int_equal(t->results.missing, 1);
    assert_string_equal(t->results.budget,
                        "Budgets differ: rows have seen other numbers of images (one 640, two 700).");
    expect((char *)(uintptr_t)t->results.alike, "one-s2 has same; two-s3 has other.");
    char *text = written(hiss_compare_markdown, t);
    expect(text, "| one | 2.00 | 1 \u00b1 0 | 1.00 | 2 of 3 | 640 |");
    expect(text, "| one-s1 | hiss train: exit 2: a \"reason\" |\n");
    expect(text, "| two-s1 | not done yet: hiss compare goes on with it |\n");
    free(text);
    text = written(hiss_compare_runs_csv, t);
    expect(text, "one,1,failed,,,0,1,,\"hiss train: exit 2: a \"\"reason\"\"\"\n");
    free(text);
    destroy(t);
}

static void test_files(void **state) {
    (void)state;
    table *t = make();
    hiss_compare_analyse(&t->results);
    char *text = written(hiss_compare_markdown, t);
    expect(text, "# a <b> | c\n");
    expect(text, "| row | accuracy, % | error | published | runs | images seen | training s |\n| --- | ---: |");
    expect(text, "| pixels | **21.00 \u00b1 1.00** | **0.3333 \u00b1 0** | 2.00 | 3 of 3 | 0 | 0.0 |\n");
    expect(text, "| rank correlation with published | 0.500 (3 rows) | -0.500 (3 rows) |");
    free(text);
    text = written(hiss_compare_page, t);
    expect(text, "<h1>a &lt;b&gt; | c</h1>");
    expect(text, "<td><b>21.00 \u00b1 1.00</b></td>");
    free(text);
    text = written(hiss_compare_csv, t);
    expect(text, "row,runs,seeds,images_seen,training_seconds,accuracy,accuracy_spread,error,error_spread,published\n"
                 "one,3,3,640,1,1,1,1,0,1\n");
    free(text);
    text = written(hiss_compare_json, t);
    expect(text, "{\"name\": \"accuracy\", \"reading\": \"trained/z/linear.percent\", \"unit\": \"%\", \"best\": "
                 "\"highest\", \"rank_correlation\": 0.5, \"rank_correlation_rows\": 3}");
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *root = NULL;
    assert_int_equal(hiss_yaml_parse(arena, "table.json", text, &root, NULL), HISS_OK);
    assert_non_null(hiss_yaml_get(root, "runs"));
    hiss_arena_destroy(arena);
    free(text);
    destroy(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells), cmocka_unit_test(test_gaps),
                                       cmocka_unit_test(test_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
