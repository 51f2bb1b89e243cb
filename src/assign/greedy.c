/* Greedy assignment: the best remaining score first. The template for new solvers: check, search, accept, report.
 *
 * Every row remembers its best column among those that were still free when it was last scanned. That score is an
 * upper bound of what the row can still get, so when the row with the highest bound has a column that is free, it is
 * the best remaining pair; when its column has gone meanwhile, the row is scanned again. Ties go to the lower row,
 * then to the lower column. No duals, so no bound on the loss; half of the optimum when scores are not negative.
 *
 * O(n^2) while rows prefer different columns, O(n^3) when all rows agree about the order of the columns. */
#include <math.h>
#include <stdbool.h>

#include "lap_impl.h"

typedef struct search {
    double *price;      /* [n] scratch of the check */
    float *bound;       /* [n] score of best[row]; -inf once the row is assigned */
    int32_t *best;      /* [n] */
    int32_t *column_of; /* [n] the solution */
    bool *taken;        /* [n] by column */
    int64_t scans;
} search;

static int64_t lay_out(search *s, int64_t n, void *work) {
    hiss_lap_slicer slicer = {work, 0};
    s->price = hiss_lap_slice(&slicer, n, sizeof *s->price);
    s->bound = hiss_lap_slice(&slicer, n, sizeof *s->bound);
    s->best = hiss_lap_slice(&slicer, n, sizeof *s->best);
    s->column_of = hiss_lap_slice(&slicer, n, sizeof *s->column_of);
    s->taken = hiss_lap_slice(&slicer, n, sizeof *s->taken);
    return slicer.used;
}

static int64_t work_bytes(int64_t n) {
    return lay_out(&(search){0}, n, NULL);
}

static void scan(search *s, const hiss_lap *lap, int64_t row) {
    const float *score = hiss_lap_row(lap, row);
    s->bound[row] = -INFINITY;
    for (int32_t j = 0; j < lap->n; j++) {
        if (!s->taken[j] && score[j] > s->bound[row]) {
            s->bound[row] = score[j];
            s->best[row] = j;
        }
    }
    s->scans++;
}

static int64_t highest_bound(const search *s, int64_t n) {
    int64_t row = 0;
    for (int64_t i = 1; i < n; i++) {
        if (s->bound[i] > s->bound[row]) {
            row = i;
        }
    }
    return row;
}

static hiss_status solve(const hiss_lap *lap, int32_t *column_of_row, double *row_dual, double *column_dual, void *work,
                         hiss_lap_report *report, hiss_error *err) {
    search s = {0};
    hiss_status status = hiss_lap_check_shape(lap, err);
    if (status) {
        return status;
    }
    lay_out(&s, lap->n, work);
    status = hiss_lap_start_prices(lap, s.price, err);
    if (status) {
        return status;
    }

    for (int64_t i = 0; i < lap->n; i++) {
        s.taken[i] = false;
    }
    for (int64_t i = 0; i < lap->n; i++) {
        scan(&s, lap, i);
    }
    for (int64_t assigned = 0; assigned < lap->n;) {
        int64_t row = highest_bound(&s, lap->n);
        if (s.taken[s.best[row]]) {
            scan(&s, lap, row);
        } else {
            s.column_of[row] = s.best[row];
            s.taken[s.best[row]] = true;
            s.bound[row] = -INFINITY;
            assigned++;
        }
    }

    hiss_lap_report result = {.dual = NAN, .iterations = s.scans};
    hiss_lap_accept(lap, s.column_of, column_of_row, &result);
    for (int64_t i = 0; i < lap->n; i++) {
        if (row_dual) {
            row_dual[i] = NAN;
        }
        if (column_dual) {
            column_dual[i] = NAN;
        }
    }
    if (report) {
        *report = result;
    }
    return HISS_OK;
}

const hiss_lap_solver hiss_lap_greedy = {"greedy", "best remaining score first; fast, not optimal", work_bytes, solve};
