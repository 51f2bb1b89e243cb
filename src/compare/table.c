/* The table for people: as text, Markdown and HTML. No time of day is in it, so the same runs give the same bytes. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/compare_impl.h"
#include "hiss/eval.h"
#include "hiss/file.h"
#include "hiss/report.h"
#include "hiss/table.h"

enum { WIDTH = 12, TABLES = 3 /* beside those of curves */, NOTES = 7 };

typedef struct page {
    const hiss_compare_results *results;
    hiss_arena *arena;
    hiss_report_table *table;
    int *curve; /* of which a table is; -1: none */
    int tables;
    const char *note[NOTES];
    int notes;
} page;

/* ---- cells ---- */

/* A number as its judgement writes it, without blanks around it. */
static const char *show(page *p, hiss_form form, double value) {
    char cell[HISS_CELL];
    if (form == HISS_FORM_GENERAL && isfinite(value)) {
        return hiss_arena_format(p->arena, "%.4g", value);
    }
    if (form == HISS_FORM_POWER) {
        hiss_power_cell(cell, WIDTH, 1, value);
    } else {
        hiss_number_cell(cell, WIDTH, form == HISS_FORM_COUNT ? 0 : 2, value);
    }
    return hiss_arena_text(p->arena, cell + strspn(cell, " "));
}

static void put_number(page *p, hiss_report_table *t, int decimals, double value) {
    const char *cell = HISS_NUMBER(WIDTH, decimals, value);
    hiss_report_put(t, hiss_arena_text(p->arena, cell + strspn(cell, " ")));
}

static const char *show_cell(page *p, hiss_form form, const hiss_compare_cell *c) {
    const char *mark = c->fails ? " \u2020" : "";
    return isnan(c->spread)
               ? hiss_arena_format(p->arena, "%s%s", show(p, form, c->mean), mark)
               : hiss_arena_format(p->arena, "%s \u00b1 %s%s", show(p, form, c->mean), show(p, form, c->spread), mark);
}

/* ---- the tables ---- */

static hiss_report_table *next_table(page *p) {
    p->curve[p->tables] = -1;
    return &p->table[p->tables];
}

static const char *heading(page *p, int column) {
    const char *unit = p->results->unit[column], *name = p->results->study->columns[column].name;
    return unit && *unit ? hiss_arena_format(p->arena, "%s, %s", name, unit) : name;
}

static void put_correlations(page *p, hiss_report_table *t) {
    const hiss_compare_results *results = p->results;
    const hiss_comparison *study = results->study;
    hiss_report_put(t, hiss_arena_format(p->arena, "rank correlation with %s", study->published_name));
    for (int c = 0; c < study->ncolumns; c++) {
        hiss_report_put(t, isnan(results->correlation[c])
                               ? "-"
                               : hiss_arena_format(p->arena, "%.3f (%" PRId64 " rows)", results->correlation[c],
                                                   results->pairs[c]));
    }
    for (int k = 0; k < 4; k++) {
        hiss_report_put(t, "-");
    }
}

static void make_readings(page *p) {
    const hiss_compare_results *results = p->results;
    const hiss_comparison *study = results->study;
    const bool published = study->published_name;
    const int columns = 1 + study->ncolumns + published + 3;
    const char **head = hiss_arena_alloc(p->arena, sizeof(char *) * (size_t)columns);
    hiss_report_table *t = next_table(p);
    int n = 0;
    head[n++] = "row";
    for (int c = 0; c < study->ncolumns; c++) {
        head[n++] = heading(p, c);
    }
    if (published) {
        head[n++] = study->published_name;
    }
    head[n++] = "runs";
    head[n++] = "images seen";
    head[n++] = "training s";
    hiss_report_begin(t, p->arena, "Readings", NULL, 1, columns, head, study->nrows + 1);
    for (int row = 0; row < study->nrows; row++) {
        hiss_report_put(t, study->rows[row].name);
        for (int c = 0; c < study->ncolumns; c++) {
            const hiss_compare_cell *cell = compare_cell(results, row, c);
            (cell->best ? hiss_report_put_strong : hiss_report_put)(t, show_cell(p, results->form[c], cell));
        }
        if (published) {
            put_number(p, t, 2, study->published[row]);
        }
        hiss_report_put(t, hiss_arena_format(p->arena, "%" PRId64 " of %d", compare_done(results, row), study->nseeds));
        put_number(p, t, 0, results->images[row]);
        put_number(p, t, 1, results->seconds[row]);
    }
    if (published) {
        put_correlations(p, t);
    }
    p->tables++;
}

static void put_run(page *p, hiss_report_table *t, int run) {
    const hiss_comparison *study = p->results->study;
    const hiss_compare_run *r = &p->results->runs[run];
    if (r->state != HISS_COMPARE_DONE) {
        return;
    }
    hiss_report_put(t, hiss_comparison_run_name(study, run, p->arena));
    for (int c = 0; c < study->ncolumns; c++) {
        hiss_report_put(t, show(p, p->results->form[c], r->value[c]));
    }
    put_number(p, t, 0, (double)r->images);
    put_number(p, t, 1, r->seconds);
    hiss_report_put(t, *r->parameters ? hiss_arena_format(p->arena, "%.8s", r->parameters) : "-");
}

static void make_runs(page *p) {
    const hiss_compare_results *results = p->results;
    const hiss_comparison *study = results->study;
    const int columns = study->ncolumns + 4;
    const char **head = hiss_arena_alloc(p->arena, sizeof(char *) * (size_t)columns);
    hiss_report_table *t = next_table(p);
    int n = 0;
    head[n++] = "run";
    for (int c = 0; c < study->ncolumns; c++) {
        head[n++] = heading(p, c);
    }
    head[n++] = "images seen";
    head[n++] = "training s";
    head[n++] = "parameters_sha256";
    hiss_report_begin(t, p->arena, "Runs", NULL, 1, columns, head, hiss_comparison_runs(study));
    for (int k = 0; k < hiss_comparison_runs(study); k++) { /* all seeds of a row together */
        const int variants = study->ntransfers + 1, row = k / (variants * study->nseeds);
        put_run(p, t, hiss_comparison_run(study, row, k % study->nseeds, k / study->nseeds % variants));
    }
    p->tables += t->rows > 0;
}

static void make_curve(page *p, int curve) {
    const hiss_comparison *study = p->results->study;
    const hiss_compare_line *line = &p->results->lines[curve];
    const char **head = hiss_arena_alloc(p->arena, sizeof(char *) * (size_t)(line->count + 1));
    hiss_report_table *t = next_table(p);
    head[0] = "row";
    for (int k = 0; k < line->count; k++) {
        head[k + 1] = hiss_arena_format(p->arena, "%g", line->x[k]);
    }
    const char *title = line->count > 0 ? hiss_arena_format(p->arena, "%s: %s over %s", study->curves[curve].name,
                                                            line->y_label, compare_x_label(p->results, curve))
                                        : study->curves[curve].name;
    hiss_report_begin(t, p->arena, title, NULL, 1, line->count + 1, head, study->nrows);
    for (int k = 0; k < study->nrows * line->count; k++) {
        if (k % line->count == 0) {
            hiss_report_put(t, study->rows[k / line->count].name);
        }
        hiss_report_put(t, show_cell(p, line->form, &line->cells[k]));
    }
    p->curve[p->tables] = curve;
    p->tables += line->count > 0;
}

/* The run of a transfer that cannot be begun since this one has failed; -1: none. */
static int failed_source(const page *p, int run) {
    const int source = hiss_comparison_source(p->results->study, run);
    return source >= 0 && p->results->runs[source].state == HISS_COMPARE_FAILED ? source : -1;
}

static bool waits(const page *p, int run) {
    return hiss_comparison_has_run(p->results->study, run) && p->results->runs[run].state == HISS_COMPARE_MISSING &&
           failed_source(p, run) < 0;
}

/* A line for all runs of a row that wait, at the first of them, and one for those that wait to be judged again: a study
 * may have hundreds. */
static void put_waiting(page *p, hiss_report_table *t, int run) {
    const hiss_comparison *study = p->results->study;
    const int row = hiss_comparison_row(study, run);
    const char *why = p->results->runs[run].why, *what = *why ? why : "not done yet";
    int count = 0, first = -1;
    for (int k = 0; k < hiss_comparison_runs(study); k++) {
        if (hiss_comparison_row(study, k) == row && waits(p, k) && strcmp(p->results->runs[k].why, why) == 0) {
            first = count++ ? first : k;
        }
    }
    if (run == first && count == 1) {
        hiss_report_put(t, hiss_comparison_run_name(study, run, p->arena));
        hiss_report_put(t, hiss_arena_format(p->arena, "%s: hiss compare goes on with it", what));
    } else if (run == first) {
        hiss_report_put(t, hiss_arena_format(p->arena, "%d of %s", count, study->rows[row].name));
        hiss_report_put(t,
                        hiss_arena_format(p->arena, "%s: hiss compare goes on with them; table.json names each", what));
    }
}

static void make_failures(page *p) {
    static const char *const head[] = {"run", "why"};
    const hiss_compare_results *results = p->results;
    const hiss_comparison *study = results->study;
    hiss_report_table *t = next_table(p);
    hiss_report_begin(t, p->arena, "Runs that failed, or are still to be done", NULL, 2, HISS_COUNT(head), head,
                      hiss_comparison_runs(study));
    for (int run = 0; run < hiss_comparison_runs(study); run++) {
        const hiss_compare_run *r = &results->runs[run];
        if (waits(p, run)) {
            put_waiting(p, t, run);
        } else if (hiss_comparison_has_run(study, run) && r->state != HISS_COMPARE_DONE) {
            hiss_report_put(t, hiss_comparison_run_name(study, run, p->arena));
            hiss_report_put(t,
                            r->state == HISS_COMPARE_FAILED
                                ? hiss_arena_text(p->arena, r->why)
                                : hiss_arena_format(p->arena, "not begun: %s has failed",
                                                    hiss_comparison_run_name(study, failed_source(p, run), p->arena)));
        }
    }
    p->tables += t->rows > 0;
}

/* ---- notes ---- */

static const char *list_controls(page *p) {
    const hiss_comparison *study = p->results->study;
    const char *list = "";
    for (int row = 0; row < study->nrows; row++) {
        const hiss_compare_row *r = &study->rows[row];
        if (r->of != row) {
            list = hiss_arena_format(p->arena, "%s%s%s: %s %s", list,
                                     *list ? "; " : "Controls, which are not trained: ", r->name,
                                     r->features == HISS_COMPARE_RAW ? "the pixels that were judged with"
                                                                     : "before training, the network of",
                                     study->rows[r->of].name);
        }
    }
    return *list ? hiss_arena_format(p->arena, "%s.", list) : NULL;
}

static const char *describe(page *p) {
    const hiss_comparison *study = p->results->study;
    const char *seeds = "";
    for (int k = 0; k < study->nseeds; k++) {
        seeds = hiss_arena_format(p->arena, "%s%s%" PRId64, seeds, k ? ", " : "", study->seeds[k]);
    }
    return hiss_arena_format(p->arena,
                             "%s over seed%s %s. %" PRId64 " run%s done, %" PRId64 " failed, %" PRId64 " to do. "
                             "Training s is the mean time of training steps on the machine of each run.",
                             study->nseeds > 1 ? "Means and standard deviations" : "Readings",
                             study->nseeds > 1 ? "s" : "", seeds, p->results->done, p->results->done == 1 ? "" : "s",
                             p->results->failed, p->results->missing);
}

/* " (linear, 5-NN)": the columns that read a transfer. */
static const char *list_columns(page *p, int transfer) {
    const hiss_comparison *study = p->results->study;
    const char *list = "";
    for (int c = 0; c < study->ncolumns; c++) {
        if (study->columns[c].reading.transfer == transfer) {
            list = hiss_arena_format(p->arena, "%s%s%s", list, *list ? ", " : " (", study->columns[c].name);
        }
    }
    return *list ? hiss_arena_format(p->arena, "%s)", list) : "";
}

static const char *list_transfers(page *p) {
    const hiss_comparison *study = p->results->study;
    const char *list = "";
    for (int k = 0; k < study->ntransfers; k++) {
        const hiss_compare_transfer *t = &study->transfers[k];
        list = hiss_arena_format(p->arena, "%s%s%s%s: %s", list,
                                 k ? "; " : "Transfers and their columns, trained from the end of each row: ", t->name,
                                 list_columns(p, k + 1), t->config);
        for (int i = 0; i < t->nset; i++) {
            list = hiss_arena_format(p->arena, "%s%s%s", list, i ? ", " : " with ", t->set[i]);
        }
        for (int i = 0; i < study->nquick_transfers && study->quick; i++) {
            list = hiss_arena_format(p->arena, "%s%s%s", list, i ? ", " : " and then ", study->quick_transfers[i]);
        }
    }
    return *list ? hiss_arena_format(p->arena, "%s.", list) : NULL;
}

static void add_note(page *p, const char *note) {
    if (note) {
        p->note[p->notes++] = note;
    }
}

static void make_page(page *p, const hiss_compare_results *results) {
    const int tables = TABLES + results->study->ncurves;
    *p = (page){.results = results, .arena = hiss_arena_create()};
    p->table = hiss_arena_alloc(p->arena, sizeof *p->table * (size_t)tables);
    p->curve = hiss_arena_alloc(p->arena, sizeof *p->curve * (size_t)tables);
    add_note(p, describe(p));
    add_note(p, results->budget);
    add_note(p, list_controls(p));
    add_note(p, list_transfers(p));
    add_note(p, results->study->control < 0 ? NULL
                                            : hiss_arena_format(p->arena, "\u2020: not better than %s.",
                                                                results->study->rows[results->study->control].name));
    add_note(p, results->alike);
    make_readings(p);
    for (int c = 0; c < results->study->ncurves; c++) {
        make_curve(p, c);
    }
    make_runs(p);
    make_failures(p);
}

/* ---- rendering ---- */

void hiss_compare_print(FILE *out, const hiss_compare_results *results) {
    page p;
    make_page(&p, results);
    fprintf(out, "%s\n", results->study->name);
    for (int k = 0; k < p.notes; k++) {
        hiss_text_print_wrapped(out, HISS_PAGE, p.note[k]);
    }
    for (int k = 0; k < p.tables; k++) {
        hiss_report_text(out, &p.table[k]);
    }
    hiss_arena_destroy(p.arena);
}

void hiss_compare_markdown(FILE *out, const hiss_compare_results *results) {
    page p;
    make_page(&p, results);
    fprintf(out, "# %s\n\n", results->study->name);
    for (int k = 0; k < p.notes; k++) {
        fprintf(out, "%s\n\n", p.note[k]);
    }
    for (int k = 0; k < p.tables; k++) {
        if (k > 0) {
            fprintf(out, "\n## %s\n\n", p.table[k].title);
        }
        hiss_report_markdown(out, &p.table[k]);
    }
    hiss_arena_destroy(p.arena);
}

void hiss_compare_page(FILE *out, const hiss_compare_results *results) {
    page p;
    make_page(&p, results);
    hiss_report_page_begin(out, "hiss compare", results->study->name);
    for (int k = 0; k < p.notes; k++) {
        fputs("<p>", out);
        hiss_text_write_escaped(out, p.note[k]);
        fputs("</p>\n", out);
    }
    for (int k = 0; k < p.tables; k++) {
        hiss_report_html(out, &p.table[k]);
        if (p.curve[k] >= 0) {
            const hiss_chart chart = compare_chart(results, p.curve[k], p.arena);
            hiss_charts_render(out, 1, &chart);
        }
    }
    fputs("<p><a href=\"pictures.html\">Pictures of all rows, side by side</a></p>\n", out);
    fputs("<h2>Study</h2>\n<pre>", out);
    hiss_text_write_escaped(out, hiss_config_resolved(results->study->text));
    fputs("</pre>\n", out);
    hiss_report_page_end(out);
    hiss_arena_destroy(p.arena);
}

/* ---- files ---- */

typedef void (*writer)(FILE *stream, const hiss_compare_results *results);
typedef struct job {
    writer write;
    const hiss_compare_results *results;
} job;

static void write_job(FILE *stream, const void *user) {
    const job *j = user;
    j->write(stream, j->results);
}

/* The curves that have points, as files of their own. */
static hiss_status write_curves(const hiss_compare_results *results, hiss_error *err) {
    char path[COMPARE_PATH];
    hiss_arena *arena = hiss_arena_create();
    hiss_status s = HISS_OK;
    for (int c = 0; c < results->study->ncurves && s == HISS_OK; c++) {
        const hiss_chart chart = compare_chart(results, c, arena);
        snprintf(path, sizeof path, "%s/%s.svg", results->dir, results->study->curves[c].name);
        s = results->lines[c].count > 0 ? hiss_charts_write(path, 1, &chart, err) : s;
    }
    hiss_arena_destroy(arena);
    return s;
}

hiss_status hiss_compare_write(const hiss_compare_results *results, hiss_error *err) {
    static const struct {
        const char *name;
        writer write;
    } files[] = {{"table.txt", hiss_compare_print},       {"table.md", hiss_compare_markdown},
                 {"table.csv", hiss_compare_csv},         {"runs.csv", hiss_compare_runs_csv},
                 {"table.json", hiss_compare_json},       {"table.html", hiss_compare_page},
                 {"pictures.html", hiss_compare_gallery}, {"curves.csv", hiss_compare_curves_csv},
                 /* the last, which studies without curves have not */};
    const int count = HISS_COUNT(files) - (results->study->ncurves == 0);
    char path[COMPARE_PATH];
    hiss_status s = HISS_OK;
    for (int k = 0; k < count && s == HISS_OK; k++) {
        const job j = {files[k].write, results};
        snprintf(path, sizeof path, "%s/%s", results->dir, files[k].name);
        s = hiss_file_write_by(path, write_job, &j, err);
    }
    return s == HISS_OK ? write_curves(results, err) : s;
}
