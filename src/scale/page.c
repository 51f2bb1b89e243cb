/* The report: tables as text, and one HTML page with plots that needs neither network nor scripts. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/eval.h"
#include "hiss/file.h"
#include "scale/scale_impl.h"
#include "scale/sheet.h"

enum { CURVE = 64, MOST_SERIES = 32, CHART_HEIGHT = 380 };

static void introduce(FILE *out, const hiss_results *results) {
    fprintf(out, "%s scaling, %d points of %" PRId64 " runs: %" PRId64 " done, %" PRId64 " failed, %" PRId64 " to do",
            hiss_scale_kind_name((hiss_scale_kind)results->study->kind), results->study->npoints,
            results->study->repeats, results->done, results->failed, results->missing);
}

void hiss_results_print(FILE *out, const hiss_results *results) {
    hiss_arena *arena = hiss_arena_create();
    hiss_report_table sheets[SHEETS];
    const int n = scale_sheets_make(results, arena, sheets);
    fprintf(out, "%s: ", results->study->name);
    introduce(out, results);
    fputc('\n', out);
    for (int k = 0; k < n; k++) {
        hiss_report_text(out, &sheets[k]);
    }
    const char *crowded = scale_crowded_points(results, arena);
    fprintf(out, "\n%s%s%s\n", crowded ? crowded : "", crowded ? "\n" : "", results->verdict);
    hiss_arena_destroy(arena);
}

/* ---- plots ---- */

typedef struct plot {
    hiss_chart chart;
    hiss_series serie[MOST_SERIES];
    hiss_arena *arena;
} plot;

static double *numbers(plot *p, int64_t count) {
    return hiss_arena_alloc(p->arena, sizeof(double) * (size_t)(count + 1));
}

static hiss_series *add_series(plot *p, const char *name, int64_t count) {
    hiss_series *s = &p->serie[p->chart.series < MOST_SERIES ? p->chart.series++ : MOST_SERIES - 1];
    *s = (hiss_series){.name = name, .count = count};
    return s;
}

static void plot_begin(plot *p, hiss_arena *arena, const char *title, const char *x, const char *y) {
    *p = (plot){.arena = arena};
    p->chart = (hiss_chart){.title = title, .x_label = x, .y_label = y, .serie = p->serie, .height = CHART_HEIGHT};
}

/* The numbers of workers that were measured, ascending, each once: ticks of an axis. */
static void set_ticks(plot *p, const hiss_results *results) {
    const hiss_study *study = results->study;
    double *tick = numbers(p, study->npoints);
    int n = 0;
    for (int k = 0; k < study->npoints; k++) {
        const double value = scale_workers_of(study, &study->points[k]);
        int at = n;
        while (at > 0 && tick[at - 1] >= value) {
            at--;
        }
        if (at == n || tick[at] != value) {
            memmove(tick + at + 1, tick + at, sizeof *tick * (size_t)(n - at));
            tick[at] = value;
            n++;
        }
    }
    p->chart.tick = tick;
    p->chart.ticks = n;
}

static int by_workers(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The measured points of a config, efficiencies or speed-ups, with whiskers, in the order of workers. */
static void add_measured(plot *p, const hiss_results *results, int config, bool efficiency) {
    const hiss_study *study = results->study;
    double(*row)[4] = hiss_arena_alloc(p->arena, sizeof *row * (size_t)(study->npoints + 1));
    int n = 0;
    for (int k = 0; k < study->npoints; k++) {
        const hiss_scale_figures *f = &results->figures[k];
        if (study->points[k].config == config && isfinite(f->speedup.value)) {
            const hiss_figure *g = efficiency ? &f->efficiency : &f->speedup;
            const double factor = efficiency ? 100 : 1;
            row[n][0] = scale_workers_of(study, &study->points[k]);
            row[n][1] = factor * g->value;
            row[n][2] = factor * g->low;
            row[n++][3] = factor * g->high;
        }
    }
    qsort(row, (size_t)n, sizeof *row, by_workers);
    double *column[4];
    for (int c = 0; c < 4; c++) {
        column[c] = numbers(p, n);
        for (int k = 0; k < n; k++) {
            column[c][k] = row[k][c];
        }
    }
    hiss_series *s = add_series(p, study->configs[config].name, n);
    s->x = column[0];
    s->y = column[1];
    s->low = column[2];
    s->high = column[3];
    s->dots = true;
    s->colour = config + 1;
}

static void range_of(const hiss_results *results, double *low, double *high) {
    *low = INFINITY;
    *high = 0;
    for (int k = 0; k < results->study->npoints; k++) {
        const double p = scale_workers_of(results->study, &results->study->points[k]);
        *low = fmin(*low, p);
        *high = fmax(*high, p);
    }
}

/* Efficiency or speed-up along x: ideal where fit is NULL. */
static void add_law(plot *p, const hiss_results *results, int config, const hiss_fit *fit, bool efficiency,
                    int colour) {
    const hiss_study *study = results->study;
    const int base = scale_smallest_point(study, config);
    const double p0 = scale_workers_of(study, &study->points[base]), step = results->figures[base].step.value;
    double low, high, *x = numbers(p, CURVE), *y = numbers(p, CURVE);
    range_of(results, &low, &high);
    for (int k = 0; k < CURVE; k++) {
        x[k] = low * pow(high / low, (double)k / (CURVE - 1));
        const double ideal = x[k] / p0;
        const double work = study->kind == HISS_SCALE_STRONG ? 1 : ideal;
        const double speedup = fit ? work * step / hiss_fit_seconds(fit, x[k]) : ideal;
        y[k] = efficiency ? 100 * speedup / ideal : speedup;
    }
    const char *name =
        fit ? hiss_arena_format(p->arena, "%s%s%s", study->nconfigs > 1 ? study->configs[config].name : "",
                                study->nconfigs > 1 ? ", " : "", hiss_law_name(fit->law))
            : "ideal";
    hiss_series *s = add_series(p, name, CURVE);
    s->x = x;
    s->y = y;
    s->stroke = HISS_DASHED;
    s->colour = colour;
}

/* The fitted law that predicts best. */
static const hiss_fit *best_fit(const hiss_results *results, int config) {
    const hiss_fit *best = NULL;
    for (int l = 0; l < HISS_LAWS; l++) {
        const hiss_fit *fit = &results->fits[config * HISS_LAWS + l];
        if (fit->fitted && (!best || fit->error_mean < best->error_mean)) {
            best = fit;
        }
    }
    return best;
}

static void make_curves(plot *p, hiss_arena *arena, const hiss_results *results, bool efficiency) {
    plot_begin(p, arena, efficiency ? "Parallel efficiency" : "Speed-up", scale_workers_name(results->study),
               efficiency ? "efficiency, %" : "speed-up over the smallest point");
    set_ticks(p, results);
    p->chart.log_x = true;
    p->chart.log_y = !efficiency;
    p->chart.zero_y = efficiency;
    for (int c = 0; c < results->study->nconfigs; c++) {
        add_measured(p, results, c, efficiency);
    }
    add_law(p, results, 0, NULL, efficiency, 7);
    for (int c = 0; c < results->study->nconfigs; c++) {
        const hiss_fit *fit = best_fit(results, c);
        if (fit) {
            add_law(p, results, c, fit, efficiency, results->study->nconfigs > 1 ? c + 1 : 2);
        }
    }
}

/* Per cent of a step; clocks that disagree may leave a part a little below zero. */
static double share_of(const hiss_scale_figures *f, int part) {
    double sum = 0;
    for (int k = 0; k < HISS_PARTS; k++) {
        sum += fmax(0, f->part[k]);
    }
    return sum > 0 ? 100 * fmax(0, f->part[part]) / sum : 0;
}

static void make_breakdown(plot *p, hiss_arena *arena, const hiss_results *results) {
    const hiss_study *study = results->study;
    const char **label = hiss_arena_alloc(arena, sizeof(char *) * (size_t)(study->npoints + 1));
    int n = 0;
    plot_begin(p, arena, "Where a step's time goes", NULL, "share of a step, %");
    for (int part = 0; part < HISS_PARTS; part++) {
        hiss_series *s = add_series(p, hiss_part_names[part], 0);
        double *y = numbers(p, study->npoints);
        n = 0;
        for (int k = 0; k < study->npoints; k++) {
            if (results->figures[k].done > 0) {
                label[n] = study->points[k].name;
                y[n++] = share_of(&results->figures[k], part);
            }
        }
        s->y = y;
        s->count = n;
    }
    p->chart.stacked = true;
    p->chart.ticks = n;
    p->chart.label = label;
    p->chart.width = n > 6 ? 120 * n : 0;
}

enum { PLOTS = 3 };
static const char *const plot_files[PLOTS] = {"speedup.svg", "efficiency.svg", "breakdown.svg"};

static void make_plots(plot plots[PLOTS], hiss_arena *arena, const hiss_results *results) {
    make_curves(&plots[0], arena, results, false);
    make_curves(&plots[1], arena, results, true);
    make_breakdown(&plots[2], arena, results);
}

/* ---- files ---- */

void hiss_results_page(FILE *out, const hiss_results *results) {
    hiss_arena *arena = hiss_arena_create();
    hiss_report_table sheets[SHEETS];
    plot *plots = hiss_arena_alloc(arena, sizeof *plots * PLOTS);
    const int n = scale_sheets_make(results, arena, sheets);
    make_plots(plots, arena, results);
    hiss_report_page_begin(out, "hiss scale", results->study->name);
    fputs("<p>", out);
    introduce(out, results);
    fprintf(out, "</p>\n<p class=\"verdict %s\">", results->valid ? "valid" : "invalid");
    hiss_text_write_escaped(out, results->verdict);
    fputs("</p>\n", out);
    const char *crowded = scale_crowded_points(results, arena);
    if (crowded) {
        fputs("<p class=\"verdict invalid\">", out);
        hiss_text_write_escaped(out, crowded);
        fputs("</p>\n", out);
    }
    if (results->study->kind != HISS_SCALE_STRONG) {
        fputs("<p>Weak scaling: more workers train more lanes, which is another computation. Parameters are compared "
              "between repeats of a point only.</p>\n",
              out);
    }
    for (int k = 0; k < PLOTS && results->done > 0; k++) {
        hiss_charts_render(out, 1, &plots[k].chart);
    }
    for (int k = 0; k < n; k++) {
        hiss_report_html(out, &sheets[k]);
    }
    fputs("<h2>Study</h2>\n<pre>", out);
    hiss_text_write_escaped(out, hiss_config_resolved(results->study->text));
    fputs("</pre>\n", out);
    hiss_report_page_end(out);
    hiss_arena_destroy(arena);
}

typedef void (*writer)(FILE *stream, const hiss_results *results);
typedef struct job {
    writer write;
    const hiss_results *results;
    int config;
} job;

static void write_job(FILE *stream, const void *user) {
    const job *j = user;
    if (j->write) {
        j->write(stream, j->results);
    } else {
        hiss_results_extrap(stream, j->results, j->config);
    }
}

static hiss_status write_plots(const hiss_results *results, hiss_error *err) {
    char path[SCALE_PATH];
    hiss_arena *arena = hiss_arena_create();
    plot *plots = hiss_arena_alloc(arena, sizeof *plots * PLOTS);
    hiss_status s = HISS_OK;
    make_plots(plots, arena, results);
    for (int k = 0; k < PLOTS && s == HISS_OK; k++) {
        snprintf(path, sizeof path, "%s/%s", results->dir, plot_files[k]);
        s = hiss_charts_write(path, 1, &plots[k].chart, err);
    }
    hiss_arena_destroy(arena);
    return s;
}

static bool any_done(const hiss_results *results, int config) {
    bool any = false;
    for (int k = 0; k < results->study->npoints; k++) {
        any = any || (results->study->points[k].config == config && results->figures[k].done > 0);
    }
    return any;
}

hiss_status hiss_results_write(const hiss_results *results, hiss_error *err) {
    static const struct {
        const char *name;
        writer write;
    } files[] = {{"report.txt", hiss_results_print},
                 {"scaling.csv", hiss_results_csv},
                 {"runs.csv", hiss_results_runs_csv},
                 {"scaling.json", hiss_results_json},
                 {"report.html", hiss_results_page}};
    char path[SCALE_PATH];
    hiss_status s = HISS_OK;
    for (int k = 0; k < HISS_COUNT(files) && s == HISS_OK; k++) {
        const job j = {files[k].write, results, 0};
        snprintf(path, sizeof path, "%s/%s", results->dir, files[k].name);
        s = hiss_file_write_by(path, write_job, &j, err);
    }
    for (int c = 0; c < results->study->nconfigs && s == HISS_OK; c++) {
        const job j = {NULL, results, c};
        if (!any_done(results, c)) {
            continue;
        }
        snprintf(path, sizeof path, "%s/extrap-%s.txt", results->dir, results->study->configs[c].name);
        s = hiss_file_write_by(path, write_job, &j, err);
    }
    return s == HISS_OK ? write_plots(results, err) : s;
}
