/* Reading what runs left: point.yaml (how it ended), summary.yaml, config.yaml, metrics.jsonl, and the end of
 * log.txt. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hiss/file.h"
#include "hiss/metrics.h"
#include "scale/scale_impl.h"

const char *const hiss_part_names[HISS_PARTS] = {"compute", "exchange", "data", "wait", "transfer", "other"};

typedef struct reader { /* of one run */
    const hiss_study *study;
    hiss_arena *arena;   /* of the results */
    hiss_arena *scratch; /* trees */
    char path[SCALE_PATH - 32];
    hiss_scale_run *run;
} reader;

static double number(const hiss_yaml *map, const char *key) {
    const hiss_yaml *node = hiss_yaml_get(map, key);
    char *end = NULL;
    const double value = node && node->text ? strtod(node->text, &end) : (double)NAN;
    return end && end != node->text && *end == '\0' ? value : (double)NAN;
}

static int64_t whole(const hiss_yaml *map, const char *key) {
    const double value = number(map, key);
    return value >= 0 && value < 1e15 ? (int64_t)value : -1;
}

static bool fail_run(reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail_run(reader *r, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->run->why, sizeof r->run->why, format, arguments);
    va_end(arguments);
    r->run->state = HISS_RUN_FAILED;
    return false;
}

static bool read_tree(reader *r, const char *name, hiss_yaml **out) {
    char path[SCALE_PATH];
    hiss_error err = {0};
    snprintf(path, sizeof path, "%s/%s", r->path, name);
    return hiss_yaml_read(r->scratch, path, out, &err) == HISS_OK || fail_run(r, "%.380s", err.text);
}

const char *const hiss_fact_names[HISS_FACTS] = {"ended",    "processor", "memory", "mpi",
                                                 "compiler", "commit",    "job",    "nodes"};

static bool read_end(reader *r) {
    char path[SCALE_PATH], reason[HISS_REASON];
    hiss_yaml *root;
    snprintf(path, sizeof path, "%s/point.yaml", r->path);
    if (!hiss_file_exists(path)) {
        return false; /* missing: never begun, or not ended */
    }
    if (!read_tree(r, "point.yaml", &root)) {
        return false;
    }
    for (int k = 0; k < HISS_FACTS; k++) {
        r->run->fact[k] = hiss_arena_text(r->arena, hiss_yaml_text(root, hiss_fact_names[k]));
    }
    snprintf(path, sizeof path, "%s/log.txt", r->path);
    const char *warning[MOST_WARNINGS];
    r->run->nwarnings = scale_find_warnings(path, r->arena, warning);
    r->run->warning = hiss_arena_alloc(r->arena, sizeof warning);
    memcpy(r->run->warning, warning, sizeof *warning * (size_t)r->run->nwarnings);
    if (strcmp(hiss_yaml_text(root, "end"), "exit 0") != 0) {
        hiss_log_reason(path, reason);
        return fail_run(r, "%.60s%s: %.299s", hiss_yaml_text(root, "end"),
                        hiss_end_explain(hiss_yaml_text(root, "end")),
                        *reason ? hiss_study_blame(r->study, r->run->point, r->scratch, reason) : "its log is empty");
    }
    return true;
}

/* The most workers that one host has. */
static void count_crowd(hiss_scale_run *run, int64_t threads) {
    for (int64_t a = 0; a < run->nranks; a++) {
        int64_t ranks = 0;
        for (int64_t b = 0; b < run->nranks; b++) {
            ranks += strcmp(run->rank[a].host, run->rank[b].host) == 0;
        }
        run->crowd = ranks * threads > run->crowd ? ranks * threads : run->crowd;
    }
}

/* The hosts of the ranks, each once, as "a, b" in arena; returns how many. */
static int64_t list_hosts(hiss_scale_run *run, hiss_arena *arena) {
    int64_t hosts = 0;
    run->hosts = "";
    for (int64_t a = 0; a < run->nranks; a++) {
        bool seen = false;
        for (int64_t b = 0; b < a && !seen; b++) {
            seen = strcmp(run->rank[a].host, run->rank[b].host) == 0;
        }
        if (!seen) {
            run->hosts = hiss_arena_format(arena, "%s%s%s", run->hosts, hosts ? ", " : "", run->rank[a].host);
            hosts++;
        }
    }
    return hosts;
}

static bool read_ranks(reader *r, const hiss_yaml *summary) {
    const hiss_yaml *list = hiss_yaml_get(summary, "ranks");
    const double steps = (double)r->run->steps - number(summary, "ranks_from_step");
    for (const hiss_yaml *item = list ? list->first : NULL; item; item = item->next) {
        r->run->nranks++;
    }
    r->run->rank = hiss_arena_alloc(r->arena, sizeof(hiss_rank_time) * (size_t)(r->run->nranks + 1));
    hiss_rank_time *out = r->run->rank;
    for (const hiss_yaml *item = list ? list->first : NULL; item; item = item->next, out++) {
        snprintf(out->host, sizeof out->host, "%s", hiss_yaml_text(item, "host"));
        out->span = number(item, "span") / steps;
        for (int k = 0; k < HISS_PARTS; k++) {
            out->part[k] = number(item, hiss_part_names[k]) / steps;
            if (!isfinite(out->part[k])) {
                return fail_run(r, "summary.yaml has no times of ranks");
            }
        }
    }
    const hiss_scale_point *p = &r->study->points[r->run->point];
    count_crowd(r->run, p->threads);
    const int64_t hosts = list_hosts(r->run, r->arena);
    if (r->run->nranks != p->ranks) {
        return fail_run(r, "ran on %" PRId64 " ranks instead of %" PRId64 ": see log.txt, and launch in the study",
                        r->run->nranks, p->ranks);
    }
    return p->nodes == 0 || hosts == p->nodes ||
           fail_run(r, "ran on %" PRId64 " node%s (%.200s) instead of %" PRId64 ": see launch in the study", hosts,
                    hosts == 1 ? "" : "s", r->run->hosts, p->nodes);
}

static bool read_summary(reader *r) {
    hiss_yaml *summary, *config;
    if (!read_tree(r, "summary.yaml", &summary) || !read_tree(r, "config.yaml", &config)) {
        return false;
    }
    hiss_scale_run *run = r->run;
    const hiss_yaml *train = hiss_yaml_get(config, "train"), *identity = hiss_yaml_get(summary, "identity");
    snprintf(run->parameters, sizeof run->parameters, "%s", hiss_yaml_text(summary, "parameters_sha256"));
    snprintf(run->identity, sizeof run->identity, "version %s%s%s; kernels %s; choices %s; reduce %s",
             hiss_yaml_text(identity, "version"), *run->fact[HISS_FACT_COMMIT] ? ", commit " : "",
             run->fact[HISS_FACT_COMMIT], hiss_yaml_text(identity, "kernels"),
             hiss_yaml_text(identity, "kernel_choices_sha256"), hiss_yaml_text(identity, "reduce"));
    run->processors = whole(hiss_yaml_get(summary, "machine"), "processors");
    run->steps = whole(summary, "steps");
    run->lanes = whole(train, "lanes");
    run->images = run->lanes * whole(train, "lane_samples");
    if (strcmp(hiss_yaml_text(summary, "result"), "VALID") != 0) {
        return fail_run(r, "its summary.yaml says result: %.100s", hiss_yaml_text(summary, "result"));
    }
    if (strlen(run->parameters) != HISS_HASH_TEXT - 1 || run->steps < 1 || run->images < 1) {
        return fail_run(r, "its summary.yaml has no parameters_sha256, or no steps");
    }
    if (r->study->steps > 0 && run->steps != r->study->steps) {
        return fail_run(r, "ended at step %" PRId64 " of %" PRId64 ": more epochs are needed", run->steps,
                        r->study->steps);
    }
    return read_ranks(r, summary);
}

/* The steps to quality and their time: the first window that reaches it. */
static void find_quality(reader *r, const hiss_metrics *m, const double *step, const double *seconds) {
    const hiss_scale_quality *q = &r->study->quality;
    const double *value = q->metric ? hiss_metrics_column(m, q->metric) : NULL;
    for (int64_t i = 0; value && i < m->lines; i++) {
        if (q->above ? value[i] >= q->value : value[i] <= q->value) {
            r->run->quality_steps = step[i];
            r->run->quality_seconds = seconds[i];
            return;
        }
    }
}

/* A line of metrics.jsonl is a window of steps (the last line's, its own]; those after the warm-up count. */
static bool read_metrics(reader *r) {
    char path[SCALE_PATH];
    hiss_metrics m;
    hiss_error err = {0};
    hiss_scale_run *run = r->run;
    snprintf(path, sizeof path, "%s/metrics.jsonl", r->path);
    if (hiss_metrics_read(r->scratch, path, &m, &err) != HISS_OK) {
        return fail_run(r, "%.380s", err.text);
    }
    const double *step = hiss_metrics_column(&m, "step"), *seconds = hiss_metrics_column(&m, "seconds");
    const double *median = hiss_metrics_column(&m, "step_seconds.1");
    run->window = hiss_arena_alloc(r->arena, sizeof(double) * (size_t)(m.lines + 1));
    double begun = 0, first = -1;
    for (int64_t i = 0; step && seconds && i < m.lines; i++) {
        const double after = i > 0 ? step[i - 1] : 0;
        if (after >= (double)r->study->warmup && median && isfinite(median[i])) {
            run->window[run->windows++] = median[i];
            run->seconds = seconds[i] - begun;
            first = first < 0 ? after : first;
        } else {
            begun = seconds[i];
        }
    }
    if (run->windows == 0) {
        return fail_run(r, "no line of metrics.jsonl after the warm-up: more steps, or a smaller window");
    }
    find_quality(r, &m, step, seconds);
    run->throughput = (step[m.lines - 1] - first) * (double)run->images / run->seconds;
    return true;
}

void hiss_results_read(const hiss_study *study, const char *dir, int64_t index, hiss_arena *arena,
                       hiss_scale_run *run) {
    reader r = {.study = study, .arena = arena, .scratch = hiss_arena_create(), .run = run};
    *run = (hiss_scale_run){.point = (int)(index % study->npoints),
                            .repeat = index / study->npoints,
                            .quality_seconds = (double)NAN,
                            .quality_steps = (double)NAN,
                            .hosts = ""};
    for (int k = 0; k < HISS_FACTS; k++) {
        run->fact[k] = "";
    }
    hiss_study_place(study, dir, index, r.path, sizeof r.path);
    if (read_end(&r) && read_summary(&r) && read_metrics(&r)) {
        run->state = HISS_RUN_DONE;
    }
    hiss_arena_destroy(r.scratch);
}

hiss_results *hiss_results_gather(const hiss_study *study, const char *dir) {
    hiss_arena *arena = hiss_arena_create();
    hiss_results *results = hiss_arena_alloc(arena, sizeof *results);
    const int64_t n = study->npoints * study->repeats;
    *results = (hiss_results){.study = study, .dir = hiss_arena_text(arena, dir), .arena = arena};
    results->runs = hiss_arena_alloc(arena, sizeof *results->runs * (size_t)n);
    for (int64_t k = 0; k < n; k++) {
        hiss_results_read(study, dir, k, arena, &results->runs[k]);
    }
    const time_t now = time(NULL);
    struct tm utc;
    strftime(results->when, sizeof results->when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    hiss_results_analyse(results);
    return results;
}

void hiss_results_destroy(hiss_results *results) {
    if (results) {
        hiss_arena_destroy(results->arena);
    }
}
