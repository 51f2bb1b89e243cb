/* Reading what runs left: compare.yaml (how training and evaluation ended), eval.json, summary.yaml, config.yaml,
 * metrics.jsonl, log.txt where one of them failed, and source.yaml of transfers. */
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
    const char *dir;
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

/* Whether the run has ended well, and was judged as the study has it. */
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
        const char *stage = hiss_yaml_text(root, "stage");
        if (strncmp(end, "time limit", 10) == 0) { /* its log has other lines, and no reason */
            return fail_run(r, "hiss %.10s: %.60s", stage, end);
        }
        snprintf(path, sizeof path, "%s/log.txt", r->path);
        hiss_log_reason(path, reason);
        return fail_run(r, "hiss %.10s: %.60s%s: %.280s", stage, end, hiss_end_explain(end),
                        *reason ? hiss_comparison_blame(r->study, r->number, r->scratch, reason) : "its log is empty");
    }
    if (r->study->eval && strcmp(hiss_yaml_text(root, "eval"), r->study->eval[r->number]) != 0) {
        snprintf(r->run->why, sizeof r->run->why, "judged by another section eval");
        return false;
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
    run->kernels = hiss_arena_text(r->arena, hiss_yaml_text(identity, "kernels"));
    run->data = hiss_arena_text(r->arena, hiss_yaml_text(identity, "data"));
    run->identity = hiss_arena_format(r->arena, "version %s; kernels %s; data %s", hiss_yaml_text(identity, "version"),
                                      run->kernels, run->data);
    return read_seconds(r, batch);
}

void hiss_compare_source_read(const hiss_comparison *study, const char *dir, int run, char now[HISS_HASH_TEXT],
                              char then[HISS_HASH_TEXT]) {
    const int source = hiss_comparison_source(study, run);
    const struct {
        int run;
        const char *file;
        char *out;
    } sides[] = {{source, "summary.yaml", now}, {run, "source.yaml", then}};
    *now = *then = 0;
    for (int k = 0; k < HISS_COUNT(sides) && source >= 0; k++) {
        char place[COMPARE_PATH - 32], path[COMPARE_PATH];
        hiss_arena *arena = hiss_arena_create();
        hiss_yaml *root = NULL;
        hiss_comparison_place(study, dir, sides[k].run, place, sizeof place);
        snprintf(path, sizeof path, "%s/%s", place, sides[k].file);
        if (hiss_file_exists(path) && hiss_yaml_read(arena, path, &root, &(hiss_error){0}) == HISS_OK) {
            snprintf(sides[k].out, HISS_HASH_TEXT, "%s", hiss_yaml_text(root, "parameters_sha256"));
        }
        hiss_arena_destroy(arena);
    }
}

/* A transfer is of the run that its row has now. Where that one is not there, nothing speaks against it; where the transfer
 * does not say what it began from, something does. */
static bool read_source(reader *r) {
    char now[HISS_HASH_TEXT], then[HISS_HASH_TEXT], end[COMPARE_PATH];
    hiss_compare_source_read(r->study, r->dir, r->number, now, then);
    snprintf(end, sizeof end, "%s/compare.yaml", r->path);
    if (!*then && hiss_comparison_source(r->study, r->number) >= 0 && hiss_file_exists(end)) {
        return fail_run(r, "it has no source.yaml, which says what it began from: remove %.300s", r->path);
    }
    return !*now || !*then || strcmp(now, then) == 0 ||
           fail_run(r, "it began from other parameters than %s has now (%.8s..., now %.8s...): remove %.200s",
                    hiss_comparison_run_name(r->study, hiss_comparison_source(r->study, r->number), r->scratch), then,
                    now, r->path);
}

/* The points of a curve, ascending. */
static void take_points(const hiss_evaluation *e, const hiss_reading *reading, hiss_arena *arena,
                        hiss_compare_point **out, int *count) {
    char list[HISS_MAX_NUMBERS * 64];
    hiss_compare_point *point = hiss_arena_alloc(arena, sizeof *point * HISS_MAX_NUMBERS);
    int n = 0;
    hiss_evaluation_list(e, reading->subject, reading->judgement, list, sizeof list);
    for (char *rest, *name = strtok_r(list, ", ", &rest); name && n < HISS_MAX_NUMBERS;
         name = strtok_r(NULL, ", ", &rest)) {
        hiss_compare_point p = {.y = hiss_evaluation_value(e, reading->subject, reading->judgement, name)};
        if (compare_number_at(reading->number, name, &p.x) && isfinite(p.y)) {
            int at = n++;
            for (; at > 0 && point[at - 1].x > p.x; at--) {
                point[at] = point[at - 1];
            }
            point[at] = p;
        }
    }
    *out = point;
    *count = n;
}

/* The point that a transfer is of a curve over transfers. */
static void take_one_point(const hiss_evaluation *e, const hiss_reading *reading, double x, hiss_arena *arena,
                           hiss_compare_run *run, int curve) {
    const double y = hiss_evaluation_value(e, reading->subject, reading->judgement, reading->number);
    run->point[curve] = hiss_arena_alloc(arena, sizeof **run->point);
    *run->point[curve] = (hiss_compare_point){.x = x, .y = y};
    run->npoints[curve] = isfinite(y);
}

/* The readings of a row, which may be a control of the row that was trained, from its own run or a transfer. */
static void take_values(const hiss_comparison *study, const hiss_evaluation *e, int number, hiss_arena *arena,
                        hiss_arena *scratch, hiss_compare_run *run) {
    const int row = hiss_comparison_row(study, number), transfer = hiss_comparison_transfer(study, number);
    for (int k = 0; k < hiss_comparison_readings(study); k++) {
        const hiss_reading *wanted = hiss_comparison_wanted(study, k);
        hiss_reading reading;
        double x;
        if (!hiss_comparison_is_of(study, wanted, transfer, &x) ||
            !hiss_comparison_reading(study, row, wanted, scratch, &reading)) {
            continue;
        }
        if (k < study->ncolumns) {
            run->value[k] = hiss_evaluation_value(e, reading.subject, reading.judgement, reading.number);
        } else if (reading.transfers) {
            take_one_point(e, &reading, x, arena, run, k - study->ncolumns);
        } else {
            const int c = k - study->ncolumns;
            take_points(e, &reading, arena, &run->point[c], &run->npoints[c]);
        }
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
    if (!read_source(r) || !read_end(r) || !read_training(r)) {
        return;
    }
    *e = read_evaluation(r->path, &err);
    if (!*e) {
        fail_run(r, "%.380s", err.text);
        return;
    }
    take_values(r->study, *e, r->number, r->arena, r->scratch, r->run);
    r->run->state = HISS_COMPARE_DONE;
}

static void clear_readings(const hiss_comparison *study, hiss_arena *arena, hiss_compare_run *run) {
    run->value = hiss_arena_alloc(arena, sizeof(double) * (size_t)(study->ncolumns + 1));
    run->point = hiss_arena_alloc(arena, sizeof *run->point * (size_t)(study->ncurves + 1));
    run->npoints = hiss_arena_alloc(arena, sizeof *run->npoints * (size_t)(study->ncurves + 1));
    for (int c = 0; c < study->ncolumns; c++) {
        run->value[c] = (double)NAN;
    }
}

static reader begin(const hiss_comparison *study, const char *dir, int number, hiss_arena *arena,
                    hiss_compare_run *run) {
    reader r = {
        .study = study, .number = number, .dir = dir, .arena = arena, .scratch = hiss_arena_create(), .run = run};
    *run = (hiss_compare_run){.identity = ""};
    clear_readings(study, arena, run);
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

/* "labels per class" of the group "10 labels per class", for 10; NULL: it does not begin with the number. */
static const char *after_number(const char *group, double x, hiss_arena *arena) {
    char *end = NULL;
    return group && strtod(group, &end) == x && *end == ' ' && end[1] ? hiss_arena_text(arena, end + 1) : NULL;
}

/* "k" of the heading "k = 5", for 5; NULL: it does not end with the number. */
static const char *before_number(const char *heading, double x, hiss_arena *arena) {
    static const char equals[] = " = ";
    const char *at = heading ? strstr(heading, equals) : NULL;
    char *end = NULL;
    return at && at > heading && strtod(at + sizeof equals - 1, &end) == x && !*end
               ? hiss_arena_format(arena, "%.*s", (int)(at - heading), heading)
               : NULL;
}

/* How a curve's axes are labelled and its numbers are written. Headings that name the number at * are left out. */
static void take_labels(hiss_compare_results *results, int curve, const hiss_evaluation *e, const hiss_reading *reading,
                        hiss_arena *scratch) {
    hiss_compare_line *line = &results->lines[curve];
    const char *given = results->study->curves[curve].x, *heading = NULL, *group = NULL, *unit = "";
    bool same = true, together = true; /* all headings, and all groups */
    char list[HISS_MAX_NUMBERS * 64];
    hiss_number number;
    double x;
    hiss_evaluation_list(e, reading->subject, reading->judgement, list, sizeof list);
    for (char *rest, *name = strtok_r(list, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest)) {
        if (compare_number_at(reading->number, name, &x) &&
            hiss_evaluation_number(e, reading->subject, reading->judgement, name, &number)) {
            const char *axis = after_number(number.group, x, results->arena);
            same = same && (!heading || strcmp(heading, number.heading) == 0);
            together = together && number.group && (!group || strcmp(group, number.group) == 0);
            heading = number.heading;
            group = number.group;
            unit = number.unit ? number.unit : "";
            line->form = number.form;
            line->x_label = given ? given : axis ? axis : before_number(heading, x, results->arena);
        }
    }
    if (heading && !same) {
        heading = together ? group : hiss_arena_format(scratch, "%s.%s", reading->judgement, reading->number);
    }
    line->y_label =
        heading ? hiss_arena_format(results->arena, "%s%s%s", heading, *unit ? ", " : "", unit) : line->y_label;
}

/* The same where each transfer is one point. */
static void take_labels_of_transfers(hiss_compare_results *results, int curve, const hiss_evaluation *e,
                                     const hiss_reading *reading) {
    hiss_compare_line *line = &results->lines[curve];
    hiss_number number;
    if (hiss_evaluation_number(e, reading->subject, reading->judgement, reading->number, &number)) {
        line->form = number.form;
        line->x_label = results->study->curves[curve].x;
        line->y_label = hiss_arena_format(results->arena, "%s%s%s", number.heading,
                                          number.unit && *number.unit ? ", " : "", number.unit ? number.unit : "");
    }
}

/* How numbers are written, by the first evaluation that has them. */
static void take_forms(hiss_compare_results *results, const hiss_evaluation *e, int run, hiss_arena *scratch) {
    const hiss_comparison *study = results->study;
    const int row = hiss_comparison_row(study, run), transfer = hiss_comparison_transfer(study, run);
    for (int k = 0; k < hiss_comparison_readings(study); k++) {
        const hiss_reading *wanted = hiss_comparison_wanted(study, k);
        hiss_reading reading;
        hiss_number number;
        if (!hiss_comparison_is_of(study, wanted, transfer, NULL) ||
            !hiss_comparison_reading(study, row, wanted, scratch, &reading)) {
            continue;
        }
        if (k >= study->ncolumns) {
            if (!results->lines[k - study->ncolumns].y_label && reading.transfers) {
                take_labels_of_transfers(results, k - study->ncolumns, e, &reading);
            } else if (!results->lines[k - study->ncolumns].y_label) {
                take_labels(results, k - study->ncolumns, e, &reading, scratch);
            }
        } else if (!results->unit[k] &&
                   hiss_evaluation_number(e, reading.subject, reading.judgement, reading.number, &number)) {
            results->form[k] = number.form;
            results->unit[k] = hiss_arena_text(results->arena, number.unit);
        }
    }
}

/* The same run with other readings, for a control of its row. */
static void gather_control(hiss_compare_results *results, int row, const hiss_compare_run *trained, int seed,
                           const hiss_evaluation *e) {
    const int number = hiss_comparison_run(results->study, row, seed, 0);
    hiss_compare_run *run = &results->runs[number];
    hiss_arena *scratch = hiss_arena_create();
    *run = *trained;
    clear_readings(results->study, results->arena, run);
    run->images = 0; /* it was not trained */
    run->seconds = 0;
    *run->parameters = 0;
    if (e) {
        take_values(results->study, e, number, results->arena, scratch, run);
        take_forms(results, e, number, scratch);
    }
    hiss_arena_destroy(scratch);
}

/* The pictures of a row are those of its first seed, whose queries are the same in all rows. */
static void take_pictures(hiss_compare_results *results, int row, const char *directory, const hiss_evaluation *e) {
    hiss_compare_pictures *p = &results->pictures[row];
    hiss_picture picture;
    int n = 0;
    while (hiss_evaluation_picture(e, n, &picture)) {
        n++;
    }
    if (p->count > 0 || n == 0) {
        return;
    }
    hiss_picture *list = hiss_arena_alloc(results->arena, sizeof *list * (size_t)n);
    for (int k = 0; k < n; k++) {
        hiss_evaluation_picture(e, k, &picture);
        list[k] = (hiss_picture){hiss_arena_text(results->arena, picture.file),
                                 hiss_arena_text(results->arena, picture.title),
                                 hiss_arena_text(results->arena, picture.caption)};
    }
    *p = (hiss_compare_pictures){hiss_arena_text(results->arena, directory), list, n};
}

static void gather_run(hiss_compare_results *results, int number) {
    const hiss_comparison *study = results->study;
    const int row = hiss_comparison_row(study, number), transfer = hiss_comparison_transfer(study, number);
    hiss_evaluation *e;
    reader r = begin(study, results->dir, number, results->arena, &results->runs[number]);
    read_run(&r, &e);
    for (int k = row + 1; k < study->nrows && transfer == 0; k++) {
        if (study->rows[k].of == row) {
            gather_control(results, k, r.run, hiss_comparison_seed(study, number), e);
        }
    }
    if (e) {
        take_forms(results, e, number, r.scratch);
    }
    if (e && transfer == 0) {
        take_pictures(results, row, r.path, e);
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
    results->pictures = hiss_arena_alloc(arena, sizeof *results->pictures * (size_t)study->nrows);
    results->lines = hiss_arena_alloc(arena, sizeof *results->lines * (size_t)(study->ncurves + 1));
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
