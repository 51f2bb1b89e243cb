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
    return &results->runs[row + results->study->nrows * seed];
}

int64_t compare_done(const hiss_compare_results *results, int row) {
    int64_t n = 0;
    for (int k = 0; k < results->study->nseeds; k++) {
        n += run_of(results, row, k)->state == HISS_COMPARE_DONE;
    }
    return n;
}

static void fill_cell(hiss_compare_results *results, int row, int column) {
    const hiss_comparison *study = results->study;
    double *values = hiss_new(double, study->nseeds);
    int64_t n = 0;
    for (int k = 0; k < study->nseeds; k++) {
        const hiss_compare_run *run = run_of(results, row, k);
        if (run->state == HISS_COMPARE_DONE && isfinite(run->value[column])) {
            values[n++] = run->value[column];
        }
    }
    *cell(results, row, column) =
        (hiss_compare_cell){.count = n, .mean = hiss_mean_of(values, n), .spread = hiss_spread_of(values, n)};
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

/* The first way in which runs are not of one make. */
static void state_alike(hiss_compare_results *results) {
    const hiss_comparison *study = results->study;
    const hiss_compare_run *first = NULL;
    results->alike = NULL;
    for (int k = 0; k < hiss_comparison_runs(study) && !results->alike; k++) {
        const hiss_compare_run *run = &results->runs[k];
        if (run->state != HISS_COMPARE_DONE || !hiss_comparison_has_run(study, k)) {
            continue;
        }
        first = first ? first : run;
        if (strcmp(first->identity, run->identity) != 0) {
            results->alike =
                hiss_arena_format(results->arena, "Runs are not of one make: %s has %s; %s has %s.",
                                  hiss_comparison_run_name(study, (int)(first - results->runs), results->arena),
                                  first->identity, hiss_comparison_run_name(study, k, results->arena), run->identity);
        }
    }
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
        correlate(results, column);
    }
    state_budget(results);
    state_alike(results);
}
