/* What the solvers share: checks, sums, and slices of the workspace. Private to src/assign. */
#ifndef HISS_LAP_IMPL_H
#define HISS_LAP_IMPL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hiss/assign.h"

/* The solvers, in the order of lists: NAME is the table assign_NAME. */
#define ASSIGN_SOLVERS(X)   X(lapjv) X(sparse) X(auction) X(greedy) X(auto)
#define ASSIGN_SOLVER(name) extern const hiss_lap_solver assign_##name;
ASSIGN_SOLVERS(ASSIGN_SOLVER)
#undef ASSIGN_SOLVER

static inline const float *hiss_lap_row(const hiss_lap *lap, int64_t row) {
    return lap->score + row * lap->ld;
}

/* Cut a workspace into slices aligned to 64 bytes. With base NULL slices are NULL and only `used` counts, so that one
 * function lays a workspace out for work_bytes and for solve. */
typedef struct assign_slicer {
    char *base;
    int64_t used; /* bytes */
} assign_slicer;
void *assign_slice(assign_slicer *slicer, int64_t count, size_t size);

/* Fails unless 1 <= n <= 32768; asserts ld >= n. */
hiss_status assign_check_shape(const hiss_lap *lap, hiss_error *err);
/* Lists of columns: fails, naming row and entry, at a column out of range or a score that is not finite. */
hiss_status assign_check_lists(const hiss_lap_rows *rows, hiss_error *err);
/* price[n] out: where to start from, see hiss_lap_add_maxima. Fails, naming row and column, at a score that is not
 * finite. */
hiss_status assign_start_prices(const hiss_lap *lap, double *price, hiss_error *err);
static inline hiss_lap_rows hiss_lap_all_rows(const hiss_lap *lap) {
    return (hiss_lap_rows){.m = lap->n, .n = lap->n, .width = lap->n, .ld = lap->ld, .score = lap->score};
}

/* The two highest profits of a row; second = -inf when it has one column. */
typedef struct assign_choice {
    double best, second;
} assign_choice;
assign_choice assign_best_two(int64_t n, const float *score, const double *price);

/* hiss_lap_select of one row with differences taken in double, relative to best, the row's highest score - price.
 * A column that is left out exceeds the last one chosen by at most 2^-23 of what that one is below best. */
void assign_select_fine(int64_t n, const float *score, const double *price, double best, int64_t k, int32_t *column,
                        float *chosen, void *work);

/* lapjv from prices [n] on, which may lie in work: all but the check of the problem. */
hiss_status assign_lapjv_from_prices(const hiss_lap *lap, const double *price, int32_t *column_of_row, double *row_dual,
                                     double *column_dual, void *work, hiss_lap_report *report, hiss_error *err);

/* Integers in the order of the floats; both zeros alike. */
static inline int32_t hiss_lap_order_key(float x) {
    int32_t bits;
    x += 0.0f;
    memcpy(&bits, &x, sizeof bits);
    return bits ^ (bits >> 31 & INT32_MAX);
}

/* Sum of the chosen scores, rows in order. */
double assign_total(const hiss_lap *lap, const int32_t *column_of_row);
/* Take candidate over into column_of_row if it totals more, else keep what is there; fills all of *report but dual
 * and iterations. */
void assign_accept(const hiss_lap *lap, const int32_t *candidate, int32_t *column_of_row, hiss_lap_report *report);

#endif
