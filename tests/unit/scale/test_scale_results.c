/* Figures, verdict and exports of runs that are filled in by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/scale.h"

enum { WINDOWS = 5, RANKS = 4, POINTS = 3, REPEATS = 2, ROOM = 1 << 18 };

typedef struct made {
    hiss_study study;
    hiss_results results;
    hiss_scale_run run[POINTS * REPEATS];
    double window[POINTS * REPEATS][WINDOWS];
    hiss_rank_time rank[POINTS * REPEATS][RANKS];
} made;

/* A strong study on 1, 2 and 4 ranks whose steps take 0.08 / p + 0.02 s, repeat 1 a tenth more than repeat 0. */
static made *make(const char *kind) {
    static char text[256];
    made *m = hiss_new(made, 1);
    hiss_error err = {0};
    snprintf(text, sizeof text,
             "name: 'a \"b\"'\nkind: %s\nconfigs: {x: {file: a.yaml}}\nranks: [1, 2, 4]\nrepeats: 2\nsteps: 100\n",
             kind);
    assert_int_equal(hiss_study_parse("s.yaml", text, &m->study, &err), HISS_OK);
    m->results = (hiss_results){.study = &m->study, .dir = ".", .arena = hiss_arena_create(), .runs = m->run};
    for (int k = 0; k < POINTS * REPEATS; k++) {
        hiss_scale_run *r = &m->run[k];
        const int ranks = 1 << k % POINTS;
        const double step = (0.08 / ranks + 0.02) * (1 + 0.1 * (k / POINTS));
        *r = (hiss_scale_run){.point = k % POINTS,
                              .repeat = k / POINTS,
                              .state = HISS_RUN_DONE,
                              .identity = "version 1",
                              .lanes = 4,
                              .images = 128,
                              .steps = 100,
                              .windows = WINDOWS,
                              .window = m->window[k],
                              .seconds = 90 * step,
                              .throughput = 128 / step,
                              .quality_seconds = 1 + 50 * step,
                              .quality_steps = 50,
                              .nranks = ranks,
                              .rank = m->rank[k]};
        snprintf(r->parameters, sizeof r->parameters, "%064d", 7);
        for (int w = 0; w < WINDOWS; w++) {
            m->window[k][w] = step * (1 + 0.01 * (w - 2));
        }
        for (int i = 0; i < ranks; i++) {
            snprintf(m->rank[k][i].host, sizeof m->rank[k][i].host, "node%d", i / 2);
            m->rank[k][i].part[HISS_PART_COMPUTE] = 0.08 / ranks * (i == 2 ? 1.5 : 1);
            m->rank[k][i].part[HISS_PART_TRANSFER] = 0.01;
        }
    }
    return m;
}

static void destroy(made *m) {
    hiss_arena_destroy(m->results.arena);
    hiss_study_destroy(&m->study);
    hiss_free(m);
}

static void assert_near(double value, double expected) {
    if (!(fabs(value - expected) <= 1e-9 * fabs(expected))) {
        fail_msg("%.12g instead of %.12g", value, expected);
    }
}

static void test_figures(void **state) {
    (void)state;
    made *m = make("strong");
    hiss_results_analyse(&m->results);
    const hiss_scale_figures *f = m->results.figures;
    assert_near(f[0].step.value, 0.105); /* middle of 0.1 and 0.11 */
    assert_near(f[2].step.value, 0.042);
    assert_near(f[2].speedup.value, 2.5);
    assert_near(f[2].efficiency.value, 0.625);
    assert_true(f[2].efficiency.low <= 0.625 && f[2].efficiency.high >= 0.625);
    assert_true(f[2].step.low >= 0.04 * 0.98 && f[2].step.high <= 0.044 * 1.02 && f[2].step.low < f[2].step.high);
    assert_true(f[0].speedup.low == 1 && f[0].speedup.high == 1);
    assert_near(f[1].overall, f[1].throughput / f[0].throughput / 2);
    assert_near(f[2].quality_efficiency, 6.25 / 3.1 / 4);
    assert_int_equal(f[2].slowest, 2);
    assert_string_equal(f[2].slowest_host, "node1");
    assert_near(f[2].slowest_over_median, 1.5);
    assert_near(f[2].part[HISS_PART_COMPUTE], 0.0225);
    const hiss_fit *amdahl = &m->results.fits[HISS_LAW_AMDAHL];
    assert_true(amdahl->fitted);
    assert_near(amdahl->value[1], 0.2);
    assert_false(m->results.fits[HISS_LAW_USL].fitted); /* three points for three parameters */
    assert_true(m->results.valid);
    assert_int_equal(m->results.done, 6);
    destroy(m);
}

/* Weak scaling: more images per step in the same time is the speed-up. */
static void test_weak(void **state) {
    (void)state;
    made *m = make("weak-batch");
    for (int k = 0; k < POINTS * REPEATS; k++) {
        m->run[k].lanes = 4 << k % POINTS;
        m->run[k].images = 128 << k % POINTS;
        snprintf(m->run[k].parameters, HISS_HASH_TEXT, "%064d", k % POINTS);
        for (int w = 0; w < WINDOWS; w++) {
            m->window[k][w] = 0.1 * (1 + 0.25 * (k % POINTS));
        }
    }
    hiss_results_analyse(&m->results);
    assert_true(m->results.valid); /* other lanes, other parameters */
    assert_near(m->results.figures[2].speedup.value, 4 / 1.5);
    assert_near(m->results.figures[2].efficiency.value, 1 / 1.5);
    destroy(m);
    m = make("weak-batch");
    m->run[4].parameters[0] = '1';
    hiss_results_analyse(&m->results);
    assert_false(m->results.valid);
    destroy(m);
}

static void test_verdict(void **state) {
    (void)state;
    made *m = make("strong");
    m->run[4].parameters[0] = '1';
    hiss_results_analyse(&m->results);
    assert_false(m->results.valid);
    assert_true(strncmp(m->results.verdict, "INVALID: x-2x1-r2 ends with parameters 100000000000", 51) == 0);
    destroy(m);

    m = make("strong"); /* the one that differs is named, also when it is the first */
    m->run[0].parameters[0] = '1';
    hiss_results_analyse(&m->results);
    assert_true(strncmp(m->results.verdict, "INVALID: x-1x1-r1 ends", 22) == 0);
    assert_null(strstr(m->results.verdict, "; "));
    destroy(m);

    m = make("strong");
    snprintf(m->run[5].identity, sizeof m->run[5].identity, "version 2");
    hiss_results_analyse(&m->results);
    assert_false(m->results.valid);
    assert_non_null(strstr(m->results.verdict, "x-4x1-r2 was made by another program (version 2)"));
    destroy(m);

    m = make("strong");
    for (int k = 0; k < POINTS * REPEATS; k++) {
        m->run[k].state = k % 2 ? HISS_RUN_FAILED : HISS_RUN_MISSING;
    }
    hiss_results_analyse(&m->results);
    assert_false(m->results.valid);
    assert_true(strncmp(m->results.verdict, "INVALID: x-2x1-r1 failed: ", 26) == 0);
    destroy(m);

    m = make("strong"); /* VALID needs all its runs */
    m->run[4].state = HISS_RUN_MISSING;
    hiss_results_analyse(&m->results);
    assert_false(m->results.valid);
    assert_true(strncmp(m->results.verdict, "INCOMPLETE: 1 of 6 runs are still to do", 39) == 0);
    m->run[4].state = HISS_RUN_FAILED;
    snprintf(m->run[4].why, sizeof m->run[4].why, "exit 3");
    m->results.done = m->results.failed = m->results.missing = 0;
    m->results.verdict[0] = 0;
    hiss_results_analyse(&m->results);
    assert_false(m->results.valid);
    assert_string_equal(m->results.verdict, "INVALID: x-2x1-r2 failed: exit 3");
    destroy(m);
}

/* ---- exports ---- */

static char *render(void (*write)(FILE *, const hiss_results *), const hiss_results *results) {
    char *text = hiss_alloc(ROOM);
    FILE *out = fmemopen(text, ROOM, "w");
    write(out, results);
    fclose(out);
    assert_true(strlen(text) > 100 && strlen(text) < ROOM - 1);
    return text;
}

/* One run failed, with a reason that needs quoting, and another is missing. */
static made *make_odd(void) {
    made *m = make("strong");
    m->run[1].state = HISS_RUN_FAILED;
    snprintf(m->run[1].why, sizeof m->run[1].why, "exit 2; \"quoted\", a\\b <tag>");
    m->run[5].state = HISS_RUN_MISSING;
    hiss_results_analyse(&m->results);
    return m;
}

/* JSON is YAML of one style, so our own reader verifies its form. */
static void test_json(void **state) {
    (void)state;
    made *m = make_odd();
    char *text = render(hiss_results_json, &m->results);
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *root;
    hiss_error err = {0};
    if (hiss_yaml_parse(arena, "json", text, &root, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(hiss_yaml_get(root, "study")->text, "a \"b\"");
    assert_string_equal(hiss_yaml_get(root, "valid")->text, "false");
    assert_string_equal(hiss_yaml_get(root, "failed")->text, "1");
    const hiss_yaml *point = hiss_yaml_get(root, "points")->first->next->next;
    assert_string_equal(hiss_yaml_get(point, "point")->text, "x-4x1");
    assert_string_equal(hiss_yaml_get(point, "runs")->text, "1");
    assert_near(strtod(hiss_yaml_get(point, "step_seconds")->first->text, NULL), 0.04);
    const hiss_yaml *run = hiss_yaml_get(root, "runs")->first->next;
    assert_string_equal(hiss_yaml_get(run, "why")->text, "exit 2; \"quoted\", a\\b <tag>");
    run = run->next;
    assert_string_equal(hiss_yaml_get(run, "hosts")->first->next->next->text, "node1");
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    hiss_arena_destroy(arena);
    hiss_free(text);
    destroy(m);
}

/* Every row has as many fields as the head; quotes are doubled. */
static void test_csv(void **state) {
    (void)state;
    made *m = make_odd();
    void (*const writers[])(FILE *, const hiss_results *) = {hiss_results_csv, hiss_results_runs_csv};
    for (int w = 0; w < 2; w++) {
        char *text = render(writers[w], &m->results);
        int fields = 0, rows = 0;
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), rows++) {
            int n = 1;
            bool quoted = false;
            for (const char *c = line; *c; c++) {
                quoted = quoted != (*c == '"');
                n += *c == ',' && !quoted;
            }
            fields = rows == 0 ? n : fields;
            assert_int_equal(n, fields);
            assert_false(quoted);
        }
        assert_int_equal(rows, w ? POINTS * REPEATS + 1 : POINTS + 1);
        hiss_free(text);
    }
    char *text = render(hiss_results_runs_csv, &m->results);
    assert_non_null(strstr(text, "x-2x1-r1,failed,,,,,,,,,,\"exit 2; \"\"quoted\"\", a\\b <tag>\""));
    hiss_free(text);
    destroy(m);
}

/* Its grammar: PARAMETER, POINTS, METRIC, then REGIONs with a DATA line per point and a number per finished run. */
static void test_extrap(void **state) {
    (void)state;
    made *m = make_odd();
    char *text = hiss_alloc(ROOM);
    FILE *out = fmemopen(text, ROOM, "w");
    assert_true(hiss_results_extrap(out, &m->results, 0));
    fclose(out);
    assert_non_null(strstr(text,
                           "\nPARAMETER p\nPOINTS (1) (2) (4)\nMETRIC time\nREGION step\nDATA 0.100000000 0.110000000\n"
                           "DATA 0.066000000\nDATA 0.040000000\nREGION step->compute\n"));
    int regions = 0, data = 0;
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        regions += strncmp(line, "REGION ", 7) == 0;
        data += strncmp(line, "DATA ", 5) == 0;
    }
    assert_int_equal(regions, 2 * (2 + HISS_PARTS)); /* of time and cost */
    assert_int_equal(data, regions * POINTS);
    assert_non_null(strstr(text, "\nMETRIC cost\nREGION step\nDATA 0.100000000 0.110000000\nDATA 0.132000000\n"
                                 "DATA 0.160000000\nREGION step->compute\n"));
    m->study.kind = HISS_SCALE_WEAK_BATCH;
    out = fmemopen(text, ROOM, "w");
    assert_true(hiss_results_extrap(out, &m->results, 0));
    fclose(out);
    assert_null(strstr(text, "cost"));
    m->study.kind = HISS_SCALE_STRONG;
    for (int k = 0; k < POINTS * REPEATS; k++) {
        m->run[k].state = HISS_RUN_MISSING;
    }
    hiss_results_analyse(&m->results);
    out = fmemopen(text, ROOM, "w");
    assert_false(hiss_results_extrap(out, &m->results, 0));
    fclose(out);
    hiss_free(text);
    destroy(m);
}

/* The page: escaped, no scripts, nothing from elsewhere, as many plots as there are. */
static void test_page(void **state) {
    (void)state;
    made *m = make_odd();
    char *text = render(hiss_results_page, &m->results);
    assert_non_null(strstr(text, "a\\b &lt;tag&gt;"));
    assert_null(strstr(text, "<tag>"));
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "src="));
    assert_null(strstr(text, "href="));
    assert_null(strstr(text, "nan"));
    int plots = 0;
    for (const char *c = strstr(text, "<svg"); c; c = strstr(c + 1, "<svg")) {
        plots++;
    }
    assert_int_equal(plots, 3);
    hiss_free(text);
    text = render(hiss_results_print, &m->results);
    assert_non_null(strstr(text, "x-2x1-r1  exit 2; \"quoted\", a\\b <tag>"));
    assert_non_null(strstr(text, "not done yet"));
    assert_non_null(strstr(text, "\nINVALID: x-2x1-r1 failed: exit 2"));
    assert_null(strstr(text, "Oversubscribed"));
    assert_null(strstr(text, "What runs were warned of"));
    hiss_free(text);
    m->run[2].crowd = 4;
    m->run[2].processors = 2;
    text = render(hiss_results_print, &m->results);
    assert_non_null(strstr(text, "scaling: x-4x1 (4 workers on a host of 2 processors).\nINVALID"));
    hiss_free(text);
    destroy(m);
}

/* Where and with what: each value once; and each warning with the runs of the point that had it. */
static void test_provenance(void **state) {
    (void)state;
    static const char *warnings[] = {"too few cores", "huge pages are off"};
    made *m = make("strong");
    for (int k = 0; k < POINTS * REPEATS; k++) {
        m->run[k].fact[HISS_FACT_JOB] = k < 3 ? "17" : "18_2";
        m->run[k].fact[HISS_FACT_ENDED] = k ? "2026-01-02T00:00:00Z" : "2026-01-03T00:00:00Z";
        m->run[k].fact[HISS_FACT_COMPILER] = "gcc 12";
        m->run[k].hosts = "node0, node1";
        m->run[k].warning = warnings;
        m->run[k].nwarnings = k == 2 ? 2 : k == 5;
    }
    snprintf(m->results.when, sizeof m->results.when, "2026-01-04");
    hiss_results_analyse(&m->results);
    char *text = render(hiss_results_print, &m->results);
    assert_non_null(strstr(text, "\nreport      2026-01-04\n"));
    assert_non_null(strstr(text, "\nruns ended  2026-01-02T00:00:00Z to 2026-01-03T00:00:00Z\n"));
    assert_non_null(strstr(text, "\nhosts       node0, node1\n"));
    assert_non_null(strstr(text, "\ncompiler    gcc 12\n"));
    assert_non_null(strstr(text, "\njob         17; 18_2\n"));
    assert_null(strstr(text, "commit")); /* unknown */
    assert_non_null(strstr(text, "\nx-4x1  2     too few cores\nx-4x1  1     huge pages are off\n"));
    hiss_free(text);
    text = render(hiss_results_page, &m->results);
    assert_non_null(strstr(text, "17; 18_2"));
    assert_non_null(strstr(text, "huge pages are off"));
    hiss_free(text);
    text = render(hiss_results_json, &m->results);
    assert_non_null(strstr(text, "\"job\": \"18_2\""));
    assert_non_null(strstr(text, "\"report\": \"2026-01-04\""));
    assert_non_null(strstr(text, "\"warnings\": [\"too few cores\", \"huge pages are off\"]"));
    hiss_free(text);
    destroy(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures), cmocka_unit_test(test_weak),       cmocka_unit_test(test_verdict),
        cmocka_unit_test(test_json),    cmocka_unit_test(test_csv),        cmocka_unit_test(test_extrap),
        cmocka_unit_test(test_page),    cmocka_unit_test(test_provenance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
