/* Reading what runs left: compare.yaml (how training and evaluation ended), eval.json, summary.yaml, config.yaml,
 * metrics.jsonl, and log.txt where one of them failed. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare_impl.h"
#include "hiss/file.h"
#include "hiss/metrics.h"
#include "hiss/scale.h"

typedef struct reader { /* of one run */
    const hiss_comparison *study;
    int number;
    hiss_arena *arena;   /* of the results */
    hiss_arena *scratch; /* trees */
    char path[COMPARE_PATH - 32];
    hiss_compare_run *run;
} reader;

static bool fail_run(reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail_run(reader *r, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->run->why, sizeof r->run->why, format, arguments);
    va_end(arguments);
    r->run->state = HISS_COMPARE_FAILED;
    return false;
}

static int64_t whole(const hiss_yaml *map, const char *key) {
    int64_t value = -1;
    return hiss_integer_parse(hiss_yaml_text(map, key), &value) ? value : -1;
}

static bool read_tree(reader *r, const char *name, hiss_yaml **out) {
    char path[COMPARE_PATH];
    hiss_error err = {0};
    snprintf(path, sizeof path, "%s/%s", r->path, name);
    return hiss_yaml_read(r->scratch, path, out, &err) == HISS_OK || fail_run(r, "%.380s", err.text);
}

/* Whether the run has ended well. */
static bool read_end(reader *r) {
    char path[COMPARE_PATH], reason[HISS_REASON];
    hiss_yaml *root;
    snprintf(path, sizeof path, "%s/compare.yaml", r->path);
    if (!hiss_file_exists(path)) {
        return false; /* missing: never begun, or not ended */
    }
    if (!read_tree(r, "compare.yaml", &root)) {
        return false;
    }
    const char *end = hiss_yaml_text(root, "end");
    if (strcmp(end, "exit 0") != 0) {
        snprintf(path, sizeof path, "%s/log.txt", r->path);
        hiss_log_reason(path, reason);
        return fail_run(r, "hiss %.10s: %.60s%s: %.280s", hiss_yaml_text(root, "stage"), end, hiss_end_explain(end),
                        *reason ? hiss_comparison_blame(r->study, r->number, r->scratch, reason) : "its log is empty");
    }
    return true;
}

/* The time of training steps, by the rate of each line: it does not care how often the run was interrupted. */
static bool read_seconds(reader *r, int64_t batch) {
    char path[COMPARE_PATH];
    hiss_metrics m;
    hiss_error err = {0};
    snprintf(path, sizeof path, "%s/metrics.jsonl", r->path);
    if (hiss_metrics_read(r->scratch, path, &m, &err) != HISS_OK) {
        return fail_run(r, "%.380s", err.text);
    }
    const double *step = hiss_metrics_column(&m, "step"), *rate = hiss_metrics_column(&m, "images_per_second");
    double before = 0;
    for (int64_t i = 0; step && rate && i < m.lines; i++) {
        const double images = (step[i] - before) * (double)batch;
        r->run->seconds += rate[i] > 0 ? images / rate[i] : 0;
        before = step[i];
    }
    return true;
}

static bool read_training(reader *r) {
    hiss_yaml *summary, *config;
    hiss_compare_run *run = r->run;
    if (!read_tree(r, "summary.yaml", &summary) || !read_tree(r, "config.yaml", &config)) {
        return false;
    }
    const hiss_yaml *train = hiss_yaml_get(config, "train"), *identity = hiss_yaml_get(summary, "identity");
    const int64_t batch = whole(train, "lanes") * whole(train, "lane_samples"), steps = whole(summary, "steps");
    if (strcmp(hiss_yaml_text(summary, "result"), "VALID") != 0) {
        return fail_run(r, "its summary.yaml says result: %.100s", hiss_yaml_text(summary, "result"));
    }
    if (batch < 1 || steps < 0) {
        return fail_run(r, "its summary.yaml has no steps, or its config.yaml no lanes");
    }
    run->images = steps * batch;
    snprintf(run->parameters, sizeof run->parameters, "%s", hiss_yaml_text(summary, "parameters_sha256"));
    run->identity = hiss_arena_format(r->arena, "version %s; kernels %s; data %s", hiss_yaml_text(identity, "version"),
                                      hiss_yaml_text(identity, "kernels"), hiss_yaml_text(identity, "data"));
    return read_seconds(r, batch);
}

/* The readings of a row, which may be a control of the row that was trained. */
static void take_values(const hiss_comparison *study, const hiss_evaluation *e, int row, hiss_arena *scratch,
                        double *value) {
    for (int c = 0; c < study->ncolumns; c++) {
        hiss_reading reading;
        value[c] = hiss_comparison_reading(study, row, c, scratch, &reading)
                       ? hiss_evaluation_value(e, reading.subject, reading.judgement, reading.number)
                       : (double)NAN;
    }
}

static hiss_evaluation *read_evaluation(const char *run, hiss_error *err) {
    char path[COMPARE_PATH];
    hiss_evaluation *e = NULL;
    snprintf(path, sizeof path, "%s/eval.json", run);
    hiss_evaluation_read(path, &e, err);
    return e;
}

/* e: NULL, or where its evaluation goes; the caller destroys it. */
static void read_run(reader *r, hiss_evaluation **e) {
    hiss_error err = {0};
    *e = NULL;
    if (!read_end(r) || !read_training(r)) {
        return;
    }
    *e = read_evaluation(r->path, &err);
    if (!*e) {
        fail_run(r, "%.380s", err.text);
        return;
    }
    take_values(r->study, *e, r->number % r->study->nrows, r->scratch, r->run->value);
    r->run->state = HISS_COMPARE_DONE;
}

static reader begin(const hiss_comparison *study, const char *dir, int number, hiss_arena *arena,
                    hiss_compare_run *run) {
    reader r = {.study = study, .number = number, .arena = arena, .scratch = hiss_arena_create(), .run = run};
    *run = (hiss_compare_run){.identity = ""};
    run->value = hiss_arena_alloc(arena, sizeof(double) * (size_t)study->ncolumns);
    for (int c = 0; c < study->ncolumns; c++) {
        run->value[c] = (double)NAN;
    }
    hiss_comparison_place(study, dir, number, r.path, sizeof r.path);
    return r;
}

void hiss_compare_run_read(const hiss_comparison *study, const char *dir, int number, hiss_arena *arena,
                           hiss_compare_run *run) {
    hiss_evaluation *e;
    reader r = begin(study, dir, number, arena, run);
    read_run(&r, &e);
    hiss_evaluation_destroy(e);
    hiss_arena_destroy(r.scratch);
}

/* How the numbers of each column are written, by the first evaluation that has one. */
static void take_forms(hiss_compare_results *results, const hiss_evaluation *e, int row, hiss_arena *scratch) {
    for (int c = 0; c < results->study->ncolumns; c++) {
        hiss_reading reading;
        hiss_number number;
        if (!results->unit[c] && hiss_comparison_reading(results->study, row, c, scratch, &reading) &&
            hiss_evaluation_number(e, reading.subject, reading.judgement, reading.number, &number)) {
            results->form[c] = number.form;
            results->unit[c] = hiss_arena_text(results->arena, number.unit);
        }
    }
}

/* A run, and the same with other readings for the controls of its row. */
static void gather_run(hiss_compare_results *results, int number) {
    const hiss_comparison *study = results->study;
    const int row = number % study->nrows, seed = number / study->nrows;
    hiss_evaluation *e;
    reader r = begin(study, results->dir, number, results->arena, &results->runs[number]);
    read_run(&r, &e);
    for (int k = row + 1; k < study->nrows; k++) {
        if (study->rows[k].of == row) {
            hiss_compare_run *control = &results->runs[k + study->nrows * seed];
            reader c = begin(study, results->dir, k + study->nrows * seed, results->arena, control);
            double *value = control->value;
            *control = *r.run;
            control->value = value;
            control->images = 0; /* it was not trained */
            control->seconds = 0;
            *control->parameters = 0;
            if (e) {
                take_values(study, e, k, c.scratch, value);
                take_forms(results, e, k, c.scratch);
            }
            hiss_arena_destroy(c.scratch);
        }
    }
    if (e) {
        take_forms(results, e, row, r.scratch);
    }
    hiss_evaluation_destroy(e);
    hiss_arena_destroy(r.scratch);
}

hiss_compare_results *hiss_compare_gather(const hiss_comparison *study, const char *dir) {
    hiss_arena *arena = hiss_arena_create();
    hiss_compare_results *results = hiss_arena_alloc(arena, sizeof *results);
    const size_t columns = (size_t)study->ncolumns;
    *results = (hiss_compare_results){.study = study, .dir = hiss_arena_text(arena, dir), .arena = arena};
    results->runs = hiss_arena_alloc(arena, sizeof *results->runs * (size_t)hiss_comparison_runs(study));
    results->form = hiss_arena_alloc(arena, sizeof *results->form * columns);
    results->unit = hiss_arena_alloc(arena, sizeof *results->unit * columns);
    for (int k = 0; k < hiss_comparison_runs(study); k++) {
        if (hiss_comparison_has_run(study, k)) {
            gather_run(results, k);
        }
    }
    hiss_compare_analyse(results);
    return results;
}

void hiss_compare_results_destroy(hiss_compare_results *results) {
    if (results) {
        hiss_arena_destroy(results->arena);
    }
}
