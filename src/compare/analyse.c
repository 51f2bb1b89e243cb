/* From runs to the cells of the table: means over seeds, the best of a column, who saw how many images. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "compare/compare_impl.h"

static hiss_compare_cell *cell(const hiss_compare_results *results, int row, int column) {
    return &results->cells[row * results->study->ncolumns + column];
}

const hiss_compare_cell *compare_cell(const hiss_compare_results *results, int row, int column) {
    return cell(results, row, column);
}

static const hiss_compare_run *run_of(const hiss_compare_results *results, int row, int seed) {
    return &results->runs[hiss_comparison_run(results->study, row, seed, 0)];
}

bool compare_has_line(const hiss_comparison *study, int run) {
    return hiss_comparison_transfer(study, run) == 0 || hiss_comparison_has_run(study, run);
}

int64_t compare_done(const hiss_compare_results *results, int row) {
    const hiss_comparison *study = results->study;
    int64_t n = 0;
    for (int seed = 0; seed < study->nseeds; seed++) {
        bool all = true;
        for (int t = 0; t <= study->ntransfers; t++) {
            const int run = hiss_comparison_run(study, row, seed, t);
            all = all && (!compare_has_line(study, run) || results->runs[run].state == HISS_COMPARE_DONE);
        }
        n += all;
    }
    return n;
}

hiss_compare_cell compare_summary(const double *values, int64_t count) {
    return (hiss_compare_cell){
        .count = count, .mean = hiss_mean_of(values, count), .spread = hiss_spread_of(values, count)};
}

static void fill_cell(hiss_compare_results *results, int row, int column) {
    const hiss_comparison *study = results->study;
    const int transfer = study->columns[column].reading.transfer;
    double *values = hiss_new(double, study->nseeds);
    int64_t n = 0;
    for (int k = 0; k < study->nseeds; k++) {
        const hiss_compare_run *run = &results->runs[hiss_comparison_run(study, row, k, transfer)];
        if (run->state == HISS_COMPARE_DONE && isfinite(run->value[column])) {
            values[n++] = run->value[column];
        }
    }
    *cell(results, row, column) = compare_summary(values, n);
    hiss_free(values);
}

/* Equal means share the mark. */
static void mark_best(hiss_compare_results *results, int column) {
    const hiss_comparison *study = results->study;
    const double sign = study->columns[column].best == HISS_BEST_LOWEST ? -1 : 1;
    double best = -INFINITY;
    for (int row = 0; row < study->nrows; row++) {
        best = fmax(best, sign * cell(results, row, column)->mean); /* fmax leaves NAN out */
    }
    for (int row = 0; row < study->nrows; row++) {
        hiss_compare_cell *c = cell(results, row, column);
        c->best = study->columns[column].best != HISS_BEST_NONE && c->count > 0 && sign * c->mean == best;
    }
}

/* Trained rows that are not better than the control. */
static void mark_failing(hiss_compare_results *results, int column) {
    const hiss_comparison *study = results->study;
    const hiss_compare_column *of = &study->columns[column];
    const double sign = of->best == HISS_BEST_LOWEST ? -1 : 1;
    for (int row = 0; row < study->nrows && study->control >= 0 && of->best != HISS_BEST_NONE; row++) {
        hiss_compare_cell *c = cell(results, row, column), *control = cell(results, study->control, column);
        c->fails = row != study->control && study->rows[row].of == row && c->count > 0 && control->count > 0 &&
                   sign * c->mean <= sign * control->mean;
    }
}

static void correlate(hiss_compare_results *results, int column) {
    const hiss_comparison *study = results->study;
    double *means = hiss_new(double, study->nrows);
    for (int row = 0; row < study->nrows; row++) {
        means[row] = cell(results, row, column)->mean;
    }
    results->correlation[column] =
        hiss_rank_correlation(means, study->published, study->nrows, &results->pairs[column]);
    hiss_free(means);
}

static void average(hiss_compare_results *results, int row) {
    const hiss_comparison *study = results->study;
    double *values = hiss_new(double, 2 * study->nseeds), *seconds = values + study->nseeds;
    int64_t n = 0;
    for (int k = 0; k < study->nseeds; k++) {
        const hiss_compare_run *run = run_of(results, row, k);
        if (run->state == HISS_COMPARE_DONE) {
            values[n] = (double)run->images;
            seconds[n++] = run->seconds;
        }
    }
    results->images[row] = hiss_mean_of(values, n);
    results->seconds[row] = hiss_mean_of(seconds, n);
    hiss_free(values);
}

/* Whether the budgets were equal, of the rows that were trained. */
static void state_budget(hiss_compare_results *results) {
    const hiss_comparison *study = results->study;
    double first = (double)NAN;
    bool equal = true;
    const char *list = "";
    for (int row = 0; row < study->nrows; row++) {
        const double images = results->images[row];
        if (study->rows[row].of != row || isnan(images)) {
            continue;
        }
        first = isnan(first) ? images : first;
        equal = equal && images == first;
        list = hiss_arena_format(results->arena, "%s%s%s %.0f", list, *list ? ", " : "", study->rows[row].name, images);
    }
    results->budget =
        isnan(first) ? "No run is done yet."
        : equal
            ? hiss_arena_format(results->arena, "Equal budget: every trained row has seen %.0f images.", first)
            : hiss_arena_format(results->arena, "Budgets differ: rows have seen other numbers of images (%s).", list);
}

/* The first way in which runs are not of one make. Transfers may have other data than their rows. */
static void state_alike(hiss_compare_results *results) {
    const hiss_comparison *study = results->study;
    const hiss_compare_run **first = hiss_new(const hiss_compare_run *, study->ntransfers + 1);
    results->alike = NULL;
    for (int k = 0; k < hiss_comparison_runs(study) && !results->alike; k++) {
        const hiss_compare_run *run = &results->runs[k], **other = &first[hiss_comparison_transfer(study, k)];
        if (run->state != HISS_COMPARE_DONE || !hiss_comparison_has_run(study, k)) {
            continue;
        }
        *other = *other ? *other : run;
        if (strcmp((*other)->identity, run->identity) != 0) {
            results->alike = hiss_arena_format(
                results->arena, "Runs are not of one make: %s has %s; %s has %s.",
                hiss_comparison_run_name(study, (int)(*other - results->runs), results->arena), (*other)->identity,
                hiss_comparison_run_name(study, k, results->arena), run->identity);
        }
    }
    hiss_free(first);
}

void hiss_compare_analyse(hiss_compare_results *results) {
    const hiss_comparison *study = results->study;
    const size_t rows = (size_t)study->nrows, columns = (size_t)study->ncolumns;
    results->cells = hiss_arena_alloc(results->arena, sizeof *results->cells * rows * columns);
    results->images = hiss_arena_alloc(results->arena, sizeof(double) * rows);
    results->seconds = hiss_arena_alloc(results->arena, sizeof(double) * rows);
    results->correlation = hiss_arena_alloc(results->arena, sizeof(double) * columns);
    results->pairs = hiss_arena_alloc(results->arena, sizeof(int64_t) * columns);
    results->done = results->failed = results->missing = 0;
    for (int k = 0; k < hiss_comparison_runs(study); k++) {
        if (hiss_comparison_has_run(study, k)) {
            results->done += results->runs[k].state == HISS_COMPARE_DONE;
            results->failed += results->runs[k].state == HISS_COMPARE_FAILED;
            results->missing += results->runs[k].state == HISS_COMPARE_MISSING;
        }
    }
    for (int row = 0; row < study->nrows; row++) {
        average(results, row);
        for (int column = 0; column < study->ncolumns; column++) {
            fill_cell(results, row, column);
        }
    }
    for (int column = 0; column < study->ncolumns; column++) {
        mark_best(results, column);
        mark_failing(results, column);
        correlate(results, column);
    }
    compare_draw_lines(results);
    state_budget(results);
    state_alike(results);
}
