/* Curves: readings over the number that stands in their name, as accuracies over labels per class. */
#include <math.h>
#include <string.h>

#include "compare/compare_impl.h"

enum { COLOURS = 7 }; /* of a chart; rows beyond them are dashed, then dotted */

/* The number into x[*count], ascending, once. */
static void insert(double *x, int *count, double value) {
    int at = 0;
    while (at < *count && x[at] < value) {
        at++;
    }
    if (at == *count || x[at] > value) {
        memmove(x + at + 1, x + at, sizeof *x * (size_t)(*count - at));
        x[at] = value;
        (*count)++;
    }
}

/* How many points a run gives to a curve. */
static int points_of(const hiss_compare_results *results, int curve, int run) {
    const hiss_comparison *study = results->study;
    const bool its =
        hiss_comparison_is_of(study, &study->curves[curve].reading, hiss_comparison_transfer(study, run), NULL);
    return its && results->runs[run].state == HISS_COMPARE_DONE ? results->runs[run].npoints[curve] : 0;
}

static void find_places(const hiss_compare_results *results, int curve, hiss_compare_line *line) {
    const hiss_comparison *study = results->study;
    const int runs = hiss_comparison_runs(study);
    int most = 1;
    for (int k = 0; k < runs; k++) {
        most += points_of(results, curve, k);
    }
    line->x = hiss_arena_alloc(results->arena, sizeof *line->x * (size_t)most);
    line->count = 0;
    for (int k = 0; k < runs; k++) {
        for (int i = 0; i < points_of(results, curve, k); i++) {
            insert(line->x, &line->count, results->runs[k].point[curve][i].x);
        }
    }
}

static hiss_compare_cell average_point(const hiss_compare_results *results, int curve, int row, double x) {
    const hiss_comparison *study = results->study;
    double *values = hiss_new(double, hiss_comparison_runs(study));
    int64_t n = 0;
    for (int k = 0; k < hiss_comparison_runs(study); k++) {
        for (int i = 0; hiss_comparison_row(study, k) == row && i < points_of(results, curve, k); i++) {
            if (results->runs[k].point[curve][i].x == x) {
                values[n++] = results->runs[k].point[curve][i].y;
            }
        }
    }
    const hiss_compare_cell cell = compare_summary(values, n);
    hiss_free(values);
    return cell;
}

void compare_draw_lines(hiss_compare_results *results) {
    const hiss_comparison *study = results->study;
    for (int c = 0; c < study->ncurves; c++) {
        hiss_compare_line *line = &results->lines[c];
        find_places(results, c, line);
        line->cells = hiss_arena_alloc(results->arena, sizeof *line->cells * (size_t)(study->nrows * line->count + 1));
        for (int k = 0; k < study->nrows * line->count; k++) {
            line->cells[k] = average_point(results, c, k / line->count, line->x[k % line->count]);
        }
    }
}

/* Rows stand a little beside each other, or their whiskers would lie one over the other: all of them within a twentieth
 * of the axis. part: -1 .. 1, the row's place among them. */
static double shift(const hiss_compare_line *line, double x, double part) {
    const double first = line->x[0], last = line->x[line->count - 1];
    if (first > 0) { /* one place alone is no axis to be moved on */
        return x * pow(last / first, part / 40);
    }
    return x + (last - first) * part / 40;
}

/* One row's line; its places where it has no number interrupt it. */
static hiss_series make_series(const hiss_compare_results *results, const hiss_compare_line *line, int row,
                               hiss_arena *arena) {
    const int rows = results->study->nrows;
    double *x = hiss_arena_alloc(arena, sizeof(double) * (size_t)(4 * line->count + 1));
    double *y = x + line->count, *low = y + line->count, *high = low + line->count;
    for (int k = 0; k < line->count; k++) {
        const hiss_compare_cell *cell = &line->cells[row * line->count + k];
        x[k] = shift(line, line->x[k], rows > 1 ? 2.0 * row / (rows - 1) - 1 : 0);
        y[k] = cell->mean;
        low[k] = cell->mean - cell->spread;
        high[k] = cell->mean + cell->spread;
    }
    return (hiss_series){.name = results->study->rows[row].name,
                         .count = line->count,
                         .x = x,
                         .y = y,
                         .low = low,
                         .high = high,
                         .stroke = (hiss_stroke)(row / COLOURS % HISS_STROKES),
                         .dots = true,
                         .colour = 1 + row % COLOURS};
}

const char *compare_x_label(const hiss_compare_results *results, int curve) {
    const hiss_compare_line *line = &results->lines[curve];
    const hiss_reading *reading = &results->study->curves[curve].reading;
    return line->x_label ? line->x_label
                         : hiss_arena_format(results->arena, "* of %s",
                                             reading->transfers ? reading->transfers : reading->number);
}

hiss_chart compare_chart(const hiss_compare_results *results, int curve, hiss_arena *arena) {
    const hiss_comparison *study = results->study;
    const hiss_compare_line *line = &results->lines[curve];
    hiss_series *serie = hiss_arena_alloc(arena, sizeof *serie * (size_t)study->nrows);
    int n = 0;
    for (int row = 0; row < study->nrows; row++) {
        int64_t numbers = 0;
        for (int k = 0; k < line->count; k++) {
            numbers += line->cells[row * line->count + k].count;
        }
        if (numbers > 0) { /* pixels have no transfer */
            serie[n++] = make_series(results, line, row, arena);
        }
    }
    return (hiss_chart){.title = study->curves[curve].name,
                        .x_label = compare_x_label(results, curve),
                        .y_label = line->y_label,
                        .series = n,
                        .serie = serie,
                        .log_x = line->count > 0 && line->x[0] > 0,
                        .ticks = line->count,
                        .tick = line->x};
}
