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

/* Trained rows that are not better than the control are marked, by the direction of each column. */
static void test_control(void **state) {
    (void)state;
    table *t = make();
    t->study.control = 1;
    t->value[2][0] = t->value[5][0] = t->value[8][0] = 0; /* pixels are not trained */
    hiss_compare_analyse(&t->results);
    for (int k = 0; k < ROWS * COLUMNS; k++) {
        assert_int_equal(t->results.cells[k].fails, k < COLUMNS);
    }
    char *text = written(hiss_compare_markdown, t);
    expect(text, "| one | 1.00 \u00b1 1.00 \u2020 | ");
    expect(text, "\u2020: not better than two.");
    free(text);
    text = written(hiss_compare_json, t);
    expect(text, "\"better_than_control\": false");
    free(text);
    for (int k = 1; k < ROWS * SEEDS; k += ROWS) {
        t->run[k].state = HISS_COMPARE_MISSING;
    }
    hiss_compare_analyse(&t->results);
    assert_false(t->results.cells[0].fails); /* nothing is known of the control */
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
    t->run[4].state = HISS_COMPARE_MISSING; /* a line for both */
    hiss_compare_analyse(&t->results);
    text = written(hiss_compare_markdown, t);
    expect(text, "| 2 of two | not done yet: hiss compare goes on with them; table.json names each |\n");
    assert_null(strstr(text, "| two-s1 | not done"));
    free(text);
    text = written(hiss_compare_runs_csv, t);
    expect(text, "one,1,,failed,,,0,1,,\"hiss train: exit 2: a \"\"reason\"\"\"\n");
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

/* A transfer's readings are in its own runs; a curve's points in any order of seeds, and not all of them in each. */
static const char moved[] = "seeds: [1, 2]\n"
                            "rows:\n"
                            "  one: {config: a.yaml}\n"
                            "  random: {of: one, features: random}\n"
                            "  pixels: {of: one, features: raw}\n"
                            "transfers: {fc: {config: b.yaml, set: [a=1]}}\n"
                            "columns:\n"
                            "  own: {reading: trained/z/linear.percent}\n"
                            "  fc: {reading: trained/z/linear.percent, transfer: fc}\n"
                            "curves:\n"
                            "  few: {reading: trained/z/few_labels.*.linear}\n"
                            "  more: {reading: trained/z/few_labels.*.linear, transfer: fc}\n";

enum { MOVED_RUNS = 12, MOVED_COLUMNS = 2, CURVES = 2 };

typedef struct moved_table {
    table t;
    hiss_compare_run run[MOVED_RUNS];
    double value[MOVED_RUNS][MOVED_COLUMNS];
    hiss_compare_point point[MOVED_RUNS][2], *points[MOVED_RUNS][CURVES];
    int npoints[MOVED_RUNS][CURVES];
    hiss_compare_line line[CURVES];
} moved_table;

/* Run k reads k in the column of its kind, and k at 10 and, with the second seed, 2 k at 100. */
static moved_table *make_moved(void) {
    moved_table *m = calloc(1, sizeof *m);
    hiss_error err = {0};
    if (hiss_comparison_parse("s.yaml", moved, &m->t.study, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    m->line[0] = (hiss_compare_line){.x_label = "labels per class", .y_label = "linear, %"};
    m->line[1] = m->line[0];
    m->t.results = (hiss_compare_results){.study = &m->t.study,
                                          .dir = "out",
                                          .arena = hiss_arena_create(),
                                          .runs = m->run,
                                          .form = m->t.form,
                                          .unit = m->t.unit,
                                          .lines = m->line};
    for (int k = 0; k < MOVED_RUNS; k++) {
        const int transfer = k % 2;
        if (k % 6 == 5) {
            continue; /* of pixels */
        }
        m->value[k][transfer] = k;
        m->value[k][1 - transfer] = (double)NAN;
        m->point[k][0] = (hiss_compare_point){10, k};
        m->point[k][1] = (hiss_compare_point){100, 2 * k};
        m->points[k][transfer] = m->point[k];
        m->npoints[k][transfer] = 1 + (k >= 6);
        m->run[k] = (hiss_compare_run){.state = HISS_COMPARE_DONE,
                                       .value = m->value[k],
                                       .point = m->points[k],
                                       .npoints = m->npoints[k],
                                       .images = 64,
                                       .identity = transfer ? "other" : "same"};
    }
    return m;
}

static void test_transfers(void **state) {
    (void)state;
    moved_table *m = make_moved();
    table *t = &m->t;
    hiss_compare_analyse(&t->results);
    const hiss_compare_cell *cell = t->results.cells;
    assert_near(cell[0].mean, 3); /* runs 0 and 6 */
    assert_near(cell[1].mean, 4); /* runs 1 and 7 */
    assert_near(cell[3].mean, 6); /* a control has its own, 3 and 9 */
    assert_int_equal(cell[5].count, 0);
    assert_true(cell[3].best);
    assert_int_equal(t->results.done, 6); /* of one four, of random two */
    assert_int_equal(t->results.missing, 0);
    assert_null(t->results.alike); /* transfers may have other data */
    m->run[1].state = HISS_COMPARE_MISSING;
    m->run[0].state = HISS_COMPARE_FAILED;
    m->run[9].identity = "third";
    hiss_compare_analyse(&t->results);
    expect((char *)(uintptr_t)t->results.alike, "random-s1-fc has other; random-s2-fc has third.");
    char *text = written(hiss_compare_markdown, t);
    expect(text, "| one-s1-fc | not begun: one-s1 has failed |\n");
    expect(text, "| one | 6.00 | **7.00** | 1 of 2 | 64 |");
    expect(text, "Transfers and their columns, trained from the end of each row: fc (fc): b.yaml with a=1.\n");
    free(text);
    text = written(hiss_compare_runs_csv, t);
    expect(text, "random,1,fc,done,64,0,,3,,\"\"\n");
    assert_null(strstr(text, "pixels,1,fc"));
    free(text);
    hiss_arena_destroy(t->results.arena);
    hiss_comparison_destroy(&t->study);
    free(m);
}

/* Each transfer is one point; a place has the mean over seeds. */
static void test_curves_over_transfers(void **state) {
    (void)state;
    static const char text[] =
        "seeds: [1, 2]\n"
        "rows: {one: {config: a.yaml}}\n"
        "transfers: {few-300: {config: b.yaml}, few-10: {config: b.yaml}, all: {config: b.yaml}}\n"
        "columns: {own: {reading: trained/z/linear.percent}}\n"
        "curves: {few: {reading: trained/z/linear.percent, transfer: few-*}}\n";
    hiss_comparison study;
    hiss_compare_run run[8];
    hiss_compare_point point[8] = {{0}}, *points[8];
    double value[8];
    int npoints[8];
    hiss_compare_line line = {.y_label = "linear, %"};
    hiss_compare_cell cells[1];
    const char *unit[1] = {"%"};
    hiss_form form[1] = {0};
    assert_int_equal(hiss_comparison_parse("s.yaml", text, &study, &(hiss_error){0}), HISS_OK);
    assert_int_equal(hiss_comparison_runs(&study), 8);
    for (int k = 0; k < 8; k++) { /* 0 own, 1 few-300, 2 few-10, 3 all; then the second seed */
        double x = -1;
        value[k] = k;
        npoints[k] = hiss_comparison_is_of(&study, &study.curves[0].reading, k % 4, &x);
        point[k] = (hiss_compare_point){x, k};
        points[k] = &point[k];
        run[k] = (hiss_compare_run){.state = HISS_COMPARE_DONE,
                                    .value = &value[k],
                                    .point = &points[k],
                                    .npoints = &npoints[k],
                                    .identity = "same"};
    }
    hiss_compare_results results = {.study = &study,
                                    .dir = "out",
                                    .arena = hiss_arena_create(),
                                    .runs = run,
                                    .cells = cells,
                                    .unit = unit,
                                    .form = form,
                                    .lines = &line};
    hiss_compare_analyse(&results);
    assert_int_equal(line.count, 2);
    assert_near(line.x[0], 10);
    assert_near(line.cells[0].mean, 4); /* runs 2 and 6 */
    assert_near(line.x[1], 300);
    assert_near(line.cells[1].mean, 3); /* runs 1 and 5 */
    assert_int_equal(line.cells[1].count, 2);
    hiss_arena_destroy(results.arena);
    hiss_comparison_destroy(&study);
}

static void test_curves(void **state) {
    (void)state;
    moved_table *m = make_moved();
    table *t = &m->t;
    hiss_compare_analyse(&t->results);
    assert_int_equal(m->line[0].count, 2);
    assert_near(m->line[0].x[1], 100);
    assert_near(m->line[0].cells[0].mean, 3);
    assert_near(m->line[0].cells[0].spread, sqrt(18));
    assert_near(m->line[0].cells[1].mean, 12);
    assert_int_equal(m->line[0].cells[1].count, 1);
    assert_near(m->line[1].cells[2].mean, 6); /* a control's transfer */
    assert_int_equal(m->line[1].cells[4].count, 0);
    char *text = written(hiss_compare_curves_csv, t);
    expect(text, "curve,row,x,runs,mean,spread\nfew,one,10,2,3,4.24264069\nfew,one,100,1,12,\n");
    expect(text, "more,pixels,100,0,,\n");
    free(text);
    text = written(hiss_compare_page, t);
    expect(text, "<h2>few: linear, % over labels per class</h2>");
    expect(text, ">labels per class</text>");
    expect(text, ">random</text>");
    free(text);
    text = written(hiss_compare_json, t);
    hiss_yaml *root = NULL;
    assert_int_equal(hiss_yaml_parse(t->results.arena, "table.json", text, &root, NULL), HISS_OK);
    const hiss_yaml *curve = hiss_yaml_get(root, "curves")->first;
    assert_string_equal(hiss_yaml_text(curve, "reading"), "trained/z/few_labels.*.linear");
    assert_string_equal(hiss_yaml_text(curve->next, "transfer"), "fc");
    assert_string_equal(hiss_yaml_text(hiss_yaml_get(hiss_yaml_get(curve, "rows")->first, "points")->first, "mean"),
                        "3");
    free(text);
    hiss_arena_destroy(t->results.arena);
    hiss_comparison_destroy(&t->study);
    free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells),
                                       cmocka_unit_test(test_control),
                                       cmocka_unit_test(test_gaps),
                                       cmocka_unit_test(test_files),
                                       cmocka_unit_test(test_transfers),
                                       cmocka_unit_test(test_curves),
                                       cmocka_unit_test(test_curves_over_transfers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
