/* Exact assignment of a dense problem by solving sparse ones.
 *
 * Source of the idea: A. Volgenant's core (see sparse.c), with the lists chosen by prices instead of costs.
 *
 *   1. Start prices, one pass (rows.c).
 *   2. Each row's LIST best columns under them and its current column, one pass (select.c).
 *   3. The sparse problem, solved exactly (sparse.c).
 *   4. Pricing out, one pass: rows that would be better off with a column beyond their list. If there are none, the
 *      duals are feasible for all scores, and the answer is optimal. Else such rows get new lists under the new prices,
 *      with the column they hold in the last place, lose that column, and step 3 goes on where it was.
 *
 * Few rows need step 4 (2 in 100 with trained features at n = 4096, none at 1024) and it ends after one or two rounds.
 * Where it would not, because all rows want the same columns in the same order, or where prices are so large that
 * rounding spoils the proof, lapjv takes over: the result is exact always.
 *
 * Time is that of reading the scores: three passes and 15 to 40 % for the sparse solver. Memory O(n LIST). */
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "sparse_impl.h"

enum { LIST = 48, ROUNDS = 4 };

static const double ROUNDING = 1e-12; /* as in lapjv.c */

typedef struct parts {
    double *price, *profit; /* [n]; profit over all columns */
    int32_t *column;        /* [LIST] of one row */
    float *score;           /* [LIST] */
    void *selection;
    hiss_sparse_search search;
} parts;

static int64_t lay_out(parts *p, int64_t n, void *work) {
    const int64_t k = n < LIST ? n : LIST;
    hiss_lap_slicer slicer = {work, 0};
    p->price = hiss_lap_slice(&slicer, n, sizeof *p->price);
    p->profit = hiss_lap_slice(&slicer, n, sizeof *p->profit);
    p->column = hiss_lap_slice(&slicer, k, sizeof *p->column);
    p->score = hiss_lap_slice(&slicer, k, sizeof *p->score);
    p->selection = hiss_lap_slice(&slicer, hiss_lap_select_work_bytes(n, k), 1);
    void *rest = hiss_lap_slice(&slicer, 0, 1);
    return slicer.used + hiss_sparse_lay_out(&p->search, n, k, rest);
}

static int64_t work_bytes(int64_t n) {
    const int64_t own = lay_out(&(parts){0}, n, NULL), lapjv = hiss_lap_lapjv.work_bytes(n);
    return own > lapjv ? own : lapjv;
}

/* A new list for a free row. */
static void select_row(parts *p, const hiss_lap *lap, int32_t row, int32_t current) {
    const hiss_lap_rows one = {row, 1, lap->n, lap->n, lap->ld, hiss_lap_row(lap, row), NULL};
    hiss_lap_select(&one, p->price, &current, p->search.k, p->column, p->score, p->selection);
    hiss_sparse_set_row(&p->search, row, p->column, p->score);
}

/* Step 4; returns how many rows wait for step 3 again. */
static int64_t price_out(parts *p, const hiss_lap *lap) {
    hiss_sparse_search *s = &p->search;
    const hiss_lap_rows rows = hiss_lap_all_rows(lap);
    hiss_lap_price_out(&rows, p->price, p->profit);
    int64_t beaten = 0;
    for (int32_t i = 0; i < s->n; i++) {
        if (p->profit[i] > hiss_sparse_profit(s, i)) {
            const int32_t current = s->column_of[i];
            hiss_sparse_release(s, i);
            select_row(p, lap, i, current);
            beaten++;
        }
    }
    return beaten;
}

static bool solve_by_lists(parts *p, const hiss_lap *lap, const int32_t *column_of_row, hiss_lap_report *report) {
    hiss_sparse_search *s = &p->search;
    hiss_sparse_begin(s, p->price);
    for (int32_t i = 0; i < s->n; i++) {
        select_row(p, lap, i, column_of_row[i]);
        hiss_sparse_release(s, i);
    }
    int64_t beaten = 1;
    for (int round = 0; beaten && beaten <= s->n / 4 && round < ROUNDS; round++) {
        hiss_sparse_settle(s);
        beaten = price_out(p, lap);
    }
    if (beaten) {
        return false;
    }
    double gap = 0, size = 0;
    report->dual = 0;
    for (int64_t i = 0; i < s->n; i++) {
        gap += fabs(p->profit[i] + p->price[s->column_of[i]] - s->held[i]);
        size += fabs(s->held[i]);
        report->dual += p->profit[i] + p->price[i];
    }
    report->iterations = s->scans;
    return gap <= ROUNDING * size;
}

static hiss_status solve(const hiss_lap *lap, int32_t *column_of_row, double *row_dual, double *column_dual, void *work,
                         hiss_lap_report *report, hiss_error *err) {
    parts p = {0};
    hiss_lap_report result = {0};
    hiss_status status = hiss_lap_check_shape(lap, err);
    if (status) {
        return status;
    }
    assert((uintptr_t)work % 64 == 0);
    lay_out(&p, lap->n, work);
    status = hiss_lap_start_prices(lap, p.price, err);
    if (status) {
        return status;
    }
    if (!solve_by_lists(&p, lap, column_of_row, &result)) {
        return hiss_lap_lapjv.solve(lap, column_of_row, row_dual, column_dual, work, report, err);
    }
    hiss_lap_accept(lap, p.search.column_of, column_of_row, &result);
    if (row_dual) {
        memcpy(row_dual, p.profit, (size_t)lap->n * sizeof *row_dual);
    }
    if (column_dual) {
        memcpy(column_dual, p.price, (size_t)lap->n * sizeof *column_dual);
    }
    if (report) {
        *report = result;
    }
    return HISS_OK;
}

const hiss_lap_solver hiss_lap_sparse = {"sparse", "exact: shortest augmenting paths in lists of best columns, proved on "
                                                   "all scores; fastest from some 200 rows on",
                                         work_bytes, solve};
