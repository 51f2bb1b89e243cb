/* What the report says in tables. */
#include "scale/sheet.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/eval.h"
#include "hiss/table.h"
#include "scale/scale_impl.h"

enum { SLOWEST = 8, NUMBER_WIDTH = 10 };

typedef struct maker {
    const hiss_results *results;
    hiss_arena *arena;
    hiss_report_table *sheet;
} maker;

static void begin(maker *m, hiss_report_table *s, const char *title, const char *note, int left, int columns,
                  const char *const *head, int rows) {
    hiss_report_begin(s, m->arena, title, note, left, columns, head, rows);
    m->sheet = s;
}

static void put(maker *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(maker *m, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    hiss_report_put(m->sheet, hiss_arena_vformat(m->arena, format, arguments));
    va_end(arguments);
}

static void put_number(maker *m, int decimals, double value) {
    const char *cell = HISS_NUMBER(NUMBER_WIDTH, decimals, value);
    put(m, "%s", cell + strspn(cell, " "));
}

/* value [low, high], times a factor. */
static void put_figure(maker *m, int decimals, double factor, hiss_figure f) {
    if (isfinite(f.low) && isfinite(f.value)) {
        const char *value = HISS_NUMBER(NUMBER_WIDTH, decimals, factor * f.value);
        const char *low = HISS_NUMBER(NUMBER_WIDTH, decimals, factor * f.low);
        const char *high = HISS_NUMBER(NUMBER_WIDTH, decimals, factor * f.high);
        put(m, "%s [%s, %s]", value + strspn(value, " "), low + strspn(low, " "), high + strspn(high, " "));
    } else {
        put_number(m, decimals, factor * f.value);
    }
}

/* Decimals that show four digits of a number of milliseconds. */
static int decimals_of(double value) {
    return value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : value >= 1 ? 3 : 4;
}

static int least_decimals(const hiss_results *results) {
    int most = 0;
    for (int k = 0; k < results->study->npoints; k++) {
        const int d = decimals_of(1e3 * results->figures[k].step.value);
        most = results->figures[k].done > 0 && d > most ? d : most;
    }
    return most;
}

/* ---- the tables ---- */

static void make_points(maker *m, hiss_report_table *s) {
    static const char *const head[] = {
        "point", "runs", "images/s", "step ms [95 %]", "speed-up [95 %]", "efficiency % [95 %]", "overall %"};
    const hiss_results *results = m->results;
    const int decimals = least_decimals(results);
    begin(m, s, "Points",
          "A step is the median over runs of each run's median after the warm-up; speed-up and efficiency compare "
          "images per "
          "second at that step with the config's smallest point. images/s and the overall efficiency count all that "
          "follows the warm-up: also work between epochs, and logging. With one run per point the intervals cover the "
          "noise within it only.",
          1, HISS_COUNT(head), head, results->study->npoints);
    for (int k = 0; k < results->study->npoints; k++) {
        const hiss_scale_figures *f = &results->figures[k];
        put(m, "%s", results->study->points[k].name);
        put(m, "%" PRId64, f->done);
        put_number(m, 0, f->throughput);
        put_figure(m, decimals, 1e3, f->step);
        put_figure(m, 2, 1, f->speedup);
        put_figure(m, 1, 100, f->efficiency);
        put_number(m, 1, 100 * f->overall);
    }
}

static void make_quality(maker *m, hiss_report_table *s) {
    static const char *const head[] = {"point", "seconds to it", "steps to it", "efficiency %", "of the steps alone %"};
    const hiss_results *results = m->results;
    const hiss_study *study = results->study;
    const hiss_scale_quality *q = &study->quality;
    const char *title = hiss_arena_format(m->arena, "Time to quality: %s %s %g", q->metric ? q->metric : "",
                                          q->above ? ">=" : "<=", q->value);
    begin(
        m, s, title,
        "From the start of the run, reading the data included, to the first window of metrics.jsonl that reaches the "
        "target; medians, - where a run did not reach it. This efficiency and that of the steps differ: it counts the "
        "start, and where the batch grows with the workers it counts that more samples may be needed.",
        1, HISS_COUNT(head), head, q->metric ? study->npoints : 0);
    for (int k = 0; k < study->npoints && q->metric; k++) {
        const hiss_scale_figures *f = &results->figures[k];
        put(m, "%s", study->points[k].name);
        put_number(m, 2, f->quality_seconds);
        put_number(m, 0, f->quality_steps);
        put_number(m, 1, 100 * f->quality_efficiency);
        put_number(m, 1, 100 * f->efficiency.value);
    }
}

static void make_parts(maker *m, hiss_report_table *s) {
    static const char *const head[] = {"point", "slowest rank", "its work / median", "compute", "exchange",
                                       "data",  "wait",         "transfer",          "other",   "overlapped %"};
    const hiss_results *results = m->results;
    const int decimals = least_decimals(results);
    begin(
        m, s, "Where a step's time goes (ms, mean over ranks, median over runs)",
        "exchange: the method's own work between forward and backward, and before epochs, its messages included. wait: "
        "blocked for slower ranks. transfer: blocked for messages. other: idle threads, logging, checkpoints. "
        "overlapped: share of the reduction, first message to last, that blocked nobody. The slowest rank has the most "
        "compute and data.",
        2, HISS_COUNT(head), head, results->study->npoints);
    for (int k = 0; k < results->study->npoints; k++) {
        const hiss_scale_figures *f = &results->figures[k];
        if (f->done == 0) {
            continue;
        }
        put(m, "%s", results->study->points[k].name);
        put(m, "%" PRId64 " on %s", f->slowest, f->slowest_host);
        put_number(m, 3, f->slowest_over_median);
        for (int part = 0; part < HISS_PARTS; part++) {
            put_number(m, decimals, 1e3 * f->part[part]);
        }
        const double blocked = f->part[HISS_PART_WAIT] + f->part[HISS_PART_TRANSFER];
        put_number(m, 0,
                   f->span > 0 && results->study->points[k].ranks > 1 ? 100 * fmax(0, 1 - blocked / f->span)
                                                                      : (double)NAN);
    }
}

/* The rank's part in the middle of the finished runs. */
static double middle_part(const hiss_results *results, int point, int64_t rank, int part) {
    double *values = hiss_new(double, results->study->repeats);
    int64_t n = 0;
    for (int64_t r = 0; r < results->study->repeats; r++) {
        const hiss_scale_run *run = scale_run_of(results, point, r);
        if (run->state == HISS_RUN_DONE) {
            values[n++] = run->rank[rank].part[part];
        }
    }
    const double middle = hiss_middle(values, n);
    hiss_free(values);
    return middle;
}

typedef struct ranked {
    double work;
    int64_t rank;
} ranked;

static int most_work_first(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    return x->work != y->work ? (x->work < y->work) - (x->work > y->work) : (x->rank > y->rank) - (x->rank < y->rank);
}

static const hiss_scale_run *first_done(const hiss_results *results, int point) {
    int64_t r = 0;
    while (scale_run_of(results, point, r)->state != HISS_RUN_DONE) {
        r++;
    }
    return scale_run_of(results, point, r);
}

static void put_ranks(maker *m, int point, int decimals) {
    const hiss_results *results = m->results;
    const int64_t ranks = results->study->points[point].ranks;
    ranked *order = hiss_new(ranked, ranks);
    for (int64_t r = 0; r < ranks; r++) {
        order[r] = (ranked){
            middle_part(results, point, r, HISS_PART_COMPUTE) + middle_part(results, point, r, HISS_PART_DATA), r};
    }
    qsort(order, (size_t)ranks, sizeof *order, most_work_first);
    for (int64_t k = 0; k < ranks && k < SLOWEST; k++) {
        put(m, "%s", results->study->points[point].name);
        put(m, "%s", first_done(results, point)->rank[order[k].rank].host);
        put(m, "%" PRId64, order[k].rank);
        for (int part = 0; part < HISS_PARTS; part++) {
            put_number(m, decimals, 1e3 * middle_part(results, point, order[k].rank, part));
        }
    }
    hiss_free(order);
}

static void make_ranks(maker *m, hiss_report_table *s) {
    static const char *const head[] = {"point", "host", "rank",     "compute", "exchange",
                                       "data",  "wait", "transfer", "other"};
    const hiss_results *results = m->results;
    begin(m, s, "Ranks (ms per step, medians over runs; of each point the eight with the most compute and data)",
          "Hosts are those of the first finished run. scaling.json has all ranks of all runs.", 2, HISS_COUNT(head),
          head, SLOWEST * results->study->npoints);
    for (int k = 0; k < results->study->npoints; k++) {
        if (results->figures[k].done > 0) {
            put_ranks(m, k, least_decimals(results));
        }
    }
}

static double largest(const hiss_results *results, int config) {
    double most = 0;
    for (int k = 0; k < results->study->npoints; k++) {
        if (results->study->points[k].config == config && results->figures[k].done > 0) {
            most = fmax(most, scale_workers_of(results->study, &results->study->points[k]));
        }
    }
    return most;
}

/* Speed-up over the smallest point that a law predicts for p workers. */
static double predict(const hiss_results *results, int config, const hiss_fit *fit, double p) {
    const hiss_scale_figures *base = &results->figures[scale_smallest_point(results->study, config)];
    const double p0 =
        scale_workers_of(results->study, &results->study->points[scale_smallest_point(results->study, config)]);
    const double work = results->study->kind == HISS_SCALE_STRONG ? 1 : p / p0;
    return work * base->step.value / hiss_fit_seconds(fit, p);
}

static void make_laws(maker *m, hiss_report_table *s) {
    static const char *const head[] = {"config",         "law", "parameters", "error %", "largest %",
                                       "speed-up at 2x", "4x",  "16x"};
    const hiss_results *results = m->results;
    begin(
        m, s, "Laws fitted to the median steps",
        hiss_arena_format(m->arena,
                          "p: %s. error: of each step time predicted from all other points, mean and largest. The last "
                          "columns extrapolate to 2, 4 and 16 times the largest p: only as good as the law.",
                          scale_workers_name(results->study)),
        3, HISS_COUNT(head), head, results->study->nconfigs * HISS_LAWS);
    for (int k = 0; k < results->study->nconfigs * HISS_LAWS; k++) {
        const hiss_fit *fit = &results->fits[k];
        const int config = k / HISS_LAWS;
        const double p = largest(results, config);
        char text[256] = "";
        for (int v = 0; v < fit->parameters; v++) {
            const size_t used = strlen(text);
            snprintf(text + used, sizeof text - used, "%s%s = %.4g", v ? ", " : "", hiss_law_parameter(fit->law, v),
                     fit->value[v]);
        }
        put(m, "%s", results->study->configs[config].name);
        put(m, "%s", hiss_law_name(fit->law));
        put(m, "%s%s", fit->fitted ? text : "not fitted: ", fit->fitted ? "" : fit->why);
        put_number(m, 1, fit->fitted ? 100 * fit->error_mean : (double)NAN);
        put_number(m, 1, fit->fitted ? 100 * fit->error_largest : (double)NAN);
        put_number(m, 2, predict(results, config, fit, 2 * p));
        put_number(m, 2, predict(results, config, fit, 4 * p));
        put_number(m, 2, predict(results, config, fit, 16 * p));
    }
}

static void make_runs(maker *m, hiss_report_table *s) {
    static const char *const head[] = {"run", "parameters_sha256", "images/s", "steps", "lanes"};
    const hiss_results *results = m->results;
    const int64_t n = results->study->npoints * results->study->repeats;
    begin(m, s, "Runs that finished", NULL, 2, HISS_COUNT(head), head, (int)n);
    for (int64_t k = 0; k < n; k++) {
        const hiss_scale_run *run = &results->runs[k];
        char name[128];
        if (run->state == HISS_RUN_DONE) {
            scale_name_run(results, run, name);
            put(m, "%s", name);
            put(m, "%s", run->parameters);
            put_number(m, 0, run->throughput);
            put(m, "%" PRId64, run->steps);
            put(m, "%" PRId64, run->lanes);
        }
    }
}

static void make_failures(maker *m, hiss_report_table *s) {
    static const char *const head[] = {"run", "why"};
    const hiss_results *results = m->results;
    const int64_t n = results->study->npoints * results->study->repeats;
    begin(m, s, "Runs that failed, or are still to be done", NULL, 2, HISS_COUNT(head), head, (int)n);
    for (int64_t k = 0; k < n; k++) {
        const hiss_scale_run *run = &results->runs[k];
        char name[128];
        if (run->state != HISS_RUN_DONE) {
            scale_name_run(results, run, name);
            put(m, "%s", name);
            put(m, "%s", run->state == HISS_RUN_MISSING ? "not done yet: hiss scale run goes on with it" : run->why);
        }
    }
}

/* The different values of a fact over the runs that have ended, "a, b"; the first few. */
static const char *values_of(const maker *m, const char *(*get)(const hiss_scale_run *run, int which), int which) {
    enum { SHOWN = 6 };
    const hiss_results *results = m->results;
    const char *list = "";
    int64_t different = 0;
    for (int64_t k = 0; k < results->study->npoints * results->study->repeats; k++) {
        const char *value = get(&results->runs[k], which);
        bool seen = !*value;
        for (int64_t j = 0; j < k && !seen; j++) {
            seen = strcmp(get(&results->runs[j], which), value) == 0;
        }
        different += !seen;
        if (!seen && different <= SHOWN) {
            list = hiss_arena_format(m->arena, "%s%s%s", list, *list ? "; " : "", value);
        }
    }
    return different > SHOWN ? hiss_arena_format(m->arena, "%s; and %" PRId64 " more", list, different - SHOWN) : list;
}

static const char *get_fact(const hiss_scale_run *run, int which) {
    return run->fact[which] ? run->fact[which] : "";
}

static const char *get_hosts(const hiss_scale_run *run, int which) {
    (void)which;
    return run->hosts ? run->hosts : "";
}

/* "first to last" of the times at which runs have ended; they are written so that they sort as texts. */
static const char *span_of(const maker *m) {
    const hiss_results *results = m->results;
    const char *first = "", *last = "";
    for (int64_t k = 0; k < results->study->npoints * results->study->repeats; k++) {
        const char *ended = get_fact(&results->runs[k], HISS_FACT_ENDED);
        first = *ended && (!*first || strcmp(ended, first) < 0) ? ended : first;
        last = strcmp(ended, last) > 0 ? ended : last;
    }
    return *first ? hiss_arena_format(m->arena, "%s to %s", first, last) : "";
}

static void put_fact(maker *m, const char *key, const char *value) {
    if (*value) {
        put(m, "%s", key);
        put(m, "%s", value);
    }
}

static void make_provenance(maker *m, hiss_report_table *s) {
    static const char *const head[] = {"what", "value"};
    static const char *const names[HISS_FACTS] = {NULL,       "processor", "memory", "MPI",
                                                  "compiler", "commit",    "job",    "nodes of the job"};
    begin(m, s, "Where and with what",
          "Processor, memory, MPI and compiler are those of the host that started the runs; ranks ran on the hosts.", 2,
          HISS_COUNT(head), head, HISS_FACTS + 2);
    put_fact(m, "report", m->results->when);
    put_fact(m, "runs ended", span_of(m));
    put_fact(m, "hosts", values_of(m, get_hosts, 0));
    for (int k = HISS_FACT_ENDED + 1; k < HISS_FACTS; k++) {
        put_fact(m, names[k], values_of(m, get_fact, k));
    }
}

static bool warned(const hiss_scale_run *run, const char *text) {
    for (int k = 0; k < run->nwarnings; k++) {
        if (strcmp(run->warning[k], text) == 0) {
            return true;
        }
    }
    return false;
}

/* The runs of a point that were warned so; *first: no run before this one of the same point was. */
static int64_t count_warned(const hiss_results *results, const hiss_scale_run *run, const char *text, bool *first) {
    int64_t n = 0;
    *first = true;
    for (int64_t r = 0; r < results->study->repeats; r++) {
        const hiss_scale_run *other = scale_run_of(results, run->point, r);
        n += warned(other, text);
        *first = *first && !(r < run->repeat && warned(other, text));
    }
    return n;
}

static void make_warnings(maker *m, hiss_report_table *s) {
    static const char *const head[] = {"point", "runs", "warning"};
    const hiss_results *results = m->results;
    const int64_t n = results->study->npoints * results->study->repeats;
    int64_t rows = 0;
    for (int64_t k = 0; k < n; k++) {
        rows += results->runs[k].nwarnings;
    }
    begin(m, s, "What runs were warned of", NULL, 3, HISS_COUNT(head), head, (int)rows);
    for (int64_t k = 0; k < n; k++) {
        const hiss_scale_run *run = &results->runs[k];
        for (int w = 0; w < run->nwarnings; w++) {
            bool first;
            const int64_t runs = count_warned(results, run, run->warning[w], &first);
            if (first) {
                put(m, "%s", results->study->points[run->point].name);
                put(m, "%" PRId64, runs);
                put(m, "%s", run->warning[w]);
            }
        }
    }
}

int scale_sheets_make(const hiss_results *results, hiss_arena *arena, hiss_report_table *sheets) {
    static void (*const make[SHEETS])(maker *, hiss_report_table *) = {make_points,   make_quality,  make_parts,
                                                                       make_ranks,    make_laws,     make_runs,
                                                                       make_failures, make_warnings, make_provenance};
    int used = 0;
    for (int k = 0; k < SHEETS; k++) {
        maker m = {.results = results, .arena = arena};
        make[k](&m, &sheets[used]);
        used += sheets[used].rows > 0;
    }
    return used;
}
