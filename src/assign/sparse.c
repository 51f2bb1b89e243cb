/* Exact assignment by lists of columns (search.c): of a problem that is given as lists, and of a dense one.
 *
 * Dense: start prices (rows.c), each row's LIST best columns under them (select.c), the search, and at last a pass over
 * all scores for the row duals. These prove the answer independently of how it was found. Where rounding spoils the
 * proof, because prices are far larger than what scores differ by, lapjv takes over.
 *
 * Time is mostly that of three passes over the scores. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "sparse_impl.h"

enum { LIST = 40, MAX_SPARSE_N = 1 << 24 };

static const double ROUNDING = 1e-12; /* as in lapjv.c */

typedef assign_sparse_search search;

typedef struct proof {
    double total, dual;
    double gap;           /* sum over the matching of |row dual + column dual - score| */
    double size, largest; /* sum and maximum of the absolute scores of the matching */
} proof;

static proof prove(const search *s, const double *profit) {
    proof p = {0};
    for (int64_t i = 0; i < s->n; i++) {
        p.gap += fabs(profit[i] + s->price[s->column_of[i]] - s->held[i]);
        p.size += fabs(s->held[i]);
        p.largest = fmax(p.largest, fabs(s->held[i]));
        p.total += s->held[i];
        p.dual += profit[i] + s->price[i];
    }
    return p;
}

/* ---- problems given as lists ---- */

static int64_t lay_out_lists(search *s, double **profit, int64_t n, int64_t k, void *work) {
    assign_slicer slicer = {work, 0};
    *profit = assign_slice(&slicer, n, sizeof **profit);
    void *rest = assign_slice(&slicer, 0, 1);
    return slicer.used + assign_sparse_lay_out(s, n, k, false, rest);
}

int64_t hiss_sparse_work_bytes(int64_t n, int64_t k) {
    return lay_out_lists(&(search){0}, &(double *){NULL}, n, k, NULL);
}

static hiss_status check(const hiss_sparse_lap *lap, hiss_error *err) {
    const int64_t n = lap->n, k = lap->k;
    if (k < 1 || k > n || n > MAX_SPARSE_N) {
        return hiss_fail(err, HISS_EUSER,
                         "sparse assignment of %lld rows with %lld columns each: expected 1 <= columns <= rows <= %d",
                         (long long)n, (long long)k, MAX_SPARSE_N);
    }
    const hiss_lap_rows rows = {.m = n, .n = n, .width = k, .ld = k, .score = lap->score, .column = lap->column};
    return assign_check_lists(&rows, err);
}

/* Lists of all rows, and the matching column_of_row, which must be a permutation within them. */
static hiss_status set_up(search *s, const hiss_sparse_lap *lap, const int32_t *column_of_row, hiss_error *err) {
    for (int64_t i = 0; i < s->n; i++) {
        const int32_t *column = lap->column + i * s->k, current = column_of_row[i];
        const float *score = lap->score + i * s->k;
        int64_t e = 0;
        while (e < s->k && column[e] != current) {
            e++;
        }
        if (e == s->k || s->row_of[current] >= 0) {
            return hiss_fail(err, HISS_EUSER,
                             e == s->k ? "row %lld is assigned to column %d, which its list does not contain"
                                       : "row %lld is assigned to column %d like an earlier row",
                             (long long)i, (int)current);
        }
        assign_sparse_set_list(s, i, column, score);
        assign_sparse_match(s, i, current, (double)score[e]);
    }
    return HISS_OK;
}

hiss_status hiss_sparse_solve(const hiss_sparse_lap *lap, int32_t *column_of_row, double *price, double *row_dual,
                              void *work, hiss_lap_report *report, hiss_error *err) {
    search s = {0};
    double *profit, before = 0, size = 0;
    hiss_status status = check(lap, err);
    if (status) {
        return status;
    }
    assert((uintptr_t)work % 64 == 0);
    lay_out_lists(&s, &profit, lap->n, lap->k, work);
    assign_sparse_begin(&s, price, NULL);
    status = set_up(&s, lap, column_of_row, err);
    if (status) {
        return status;
    }
    for (int64_t i = 0; i < s.n; i++) {
        before += s.held[i];
        size += fabs(s.held[i]);
    }

    assign_sparse_optimize(&s);
    for (int64_t i = 0; i < s.n; i++) {
        profit[i] = assign_sparse_profit(&s, i);
    }
    proof p = prove(&s, profit);
    for (int64_t e = 0; p.gap > ROUNDING * (double)s.n * p.largest && e < s.n * s.k; e++) {
        p.largest = fmax(p.largest, fabs((double)lap->score[e]));
    }
    if (p.gap > ROUNDING * (double)s.n * p.largest) {
        return hiss_fail(err, HISS_EINTERNAL, "sparse: a gap of %g remains in an assignment of %lld rows", p.gap,
                         (long long)s.n);
    }
    if (p.total > before) {
        memcpy(column_of_row, s.column_of, (size_t)s.n * sizeof *column_of_row);
        size = p.size;
    }
    if (row_dual) {
        memcpy(row_dual, profit, (size_t)s.n * sizeof *row_dual);
    }
    if (report) {
        *report = (hiss_lap_report){fmax(p.total, before), before, p.dual, s.scans, size};
    }
    return HISS_OK;
}

/* ---- dense problems ---- */

typedef struct parts {
    double *price, *profit; /* [n] */
    search search;
} parts;

static int64_t lay_out(parts *p, int64_t n, void *work) {
    assign_slicer slicer = {work, 0};
    p->price = assign_slice(&slicer, n, sizeof *p->price);
    p->profit = assign_slice(&slicer, n, sizeof *p->profit);
    void *rest = assign_slice(&slicer, 0, 1);
    return slicer.used + assign_sparse_lay_out(&p->search, n, n < LIST ? n : LIST, true, rest);
}

static int64_t work_bytes(int64_t n) {
    const int64_t own = lay_out(&(parts){0}, n, NULL), lapjv = assign_lapjv.work_bytes(n);
    return own > lapjv ? own : lapjv;
}

/* Returns false when lists do not help; p->price is what was reached. */
static bool solve_by_lists(parts *p, const hiss_lap *lap, const int32_t *column_of_row) {
    search *s = &p->search;
    const hiss_lap_rows rows = hiss_lap_all_rows(lap);
    assign_sparse_begin(s, p->price, lap);
    for (int64_t i = 0; i < s->n; i++) {
        assign_sparse_renew_list(s, i);
        assign_sparse_match(s, i, column_of_row[i], (double)hiss_lap_row(lap, i)[column_of_row[i]]);
    }
    if (!assign_sparse_optimize(s)) {
        return false;
    }
    hiss_lap_price_out(&rows, p->price, p->profit);
    return true;
}

static hiss_status solve(const hiss_lap *lap, int32_t *column_of_row, double *row_dual, double *column_dual, void *work,
                         hiss_lap_report *report, hiss_error *err) {
    parts p = {0};
    hiss_status status = assign_check_shape(lap, err);
    if (status) {
        return status;
    }
    assert((uintptr_t)work % 64 == 0);
    lay_out(&p, lap->n, work);
    status = assign_start_prices(lap, p.price, err);
    if (status) {
        return status;
    }
    if (!solve_by_lists(&p, lap, column_of_row)) {
        status = assign_lapjv_from_prices(lap, p.price, column_of_row, row_dual, column_dual, work, report, err);
        if (report) {
            report->iterations += p.search.scans;
        }
        return status;
    }
    const proof proved = prove(&p.search, p.profit);
    if (proved.gap > ROUNDING * proved.size) {
        return assign_lapjv.solve(lap, column_of_row, row_dual, column_dual, work, report, err);
    }
    hiss_lap_report result = {.dual = proved.dual, .iterations = p.search.scans};
    assign_accept(lap, p.search.column_of, column_of_row, &result);
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

const hiss_lap_solver assign_sparse = {
    "sparse", "exact: shortest augmenting paths in lists of each row's best columns, proved on all scores", work_bytes,
    solve};
