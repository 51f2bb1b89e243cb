/* Assignment by auction with epsilon scaling.
 *
 * Source: D. Bertsekas, "The auction algorithm: a distributed relaxation method for the assignment problem", Annals of
 * Operations Research 14 (1988). A free row bids for the column of its highest profit so much that its profit falls to
 * epsilon below that of its second best; whoever held the column becomes free. Everyone then always holds a column
 * within epsilon of the best, so when no row is free the total is within n epsilon of the optimum. The number of bids
 * grows as epsilon falls; phases with falling epsilon, each from the prices of the one before, keep it small. A new
 * phase leaves rows alone that are within the new epsilon of their best.
 *
 * What to wait for is not known before: after each phase the duals bound what is missing, and phases go on until that
 * is small enough, beside the total or, where the total's parts cancel, beside an eighth of their absolute sum. The
 * first epsilon is a share of what is missing at the start, per row, so that good prices, from an earlier solve or from
 * hiss_lap_add_maxima, save phases. Epsilon never falls below what prices can represent.
 *
 * Gauss-Seidel: free rows bid one after the other, in a queue. Jacobi: in rounds, all under the same prices; it takes
 * more bids, but rows can be anywhere. A bid depends on its row and the prices alone, and of two equal bids the lower
 * row's wins, so the outcome does not depend on who makes and who awards the bids.
 *
 * 15 to 30 bids per row, each O(n) with dense rows: no faster than lapjv where rows want different columns, 20 times
 * where they rank them alike; and easily distributed. Most bids are made in the first rounds of a phase, most rounds
 * have a handful of bidders (docs/solvers.md). Memory O(n). */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "lap_impl.h"

enum { FREE = -1 };

static const double GAP = 5e-4;
static const double FIRST = 1.0 / 8;  /* first epsilon, relative to what is missing per row */
static const double FALL = 1.0 / 5;   /* from one phase to the next */
static const double ROUNDING = 1e-13; /* least epsilon, relative to the largest score or price */
static const int64_t BIDS_PER_ROW = 2000;

static hiss_bid make_bid(const hiss_lap_rows *rows, int64_t i, const double *price, double epsilon) {
    const float *score = rows->score + i * rows->ld;
    const int32_t *column = rows->column ? rows->column + i * rows->ld : NULL;
    assign_choice c = {-INFINITY, -INFINITY};
    int32_t at = 0;
    if (column) {
        for (int64_t e = 0; e < rows->width; e++) {
            const double profit = (double)score[e] - price[column[e]];
            if (profit > c.best || (profit == c.best && column[e] < at)) {
                at = column[e];
            }
            const double loser = profit > c.best ? c.best : profit;
            c.best = profit > c.best ? profit : c.best;
            c.second = loser > c.second ? loser : c.second;
        }
    } else {
        c = assign_best_two(rows->n, score, price);
        while ((double)score[at] - price[at] != c.best) {
            at++;
        }
    }
    const double raised = price[at] + (rows->width > 1 ? c.best - c.second : 0) + epsilon;
    const double least = nextafter(price[at], INFINITY);
    return (hiss_bid){raised > least ? raised : least, (int32_t)(rows->first + i), at};
}

int64_t hiss_auction_bids(const hiss_lap_rows *rows, const double *price, double epsilon, const int32_t *column_of,
                          hiss_bid *bids) {
    int64_t count = 0;
    for (int64_t i = 0; i < rows->m; i++) {
        if (column_of[rows->first + i] == FREE) {
            bids[count++] = make_bid(rows, i, price, epsilon);
        }
    }
    return count;
}

/* Every bid is above the price under which it was made, so a price equal to the bid has been set in this round. */
void hiss_auction_award(int64_t count, const hiss_bid *bids, double *price, int32_t *row_of, int32_t *column_of) {
    for (const hiss_bid *b = bids; b < bids + count; b++) {
        const int32_t holder = row_of[b->column];
        if (b->price > price[b->column] || (b->price == price[b->column] && b->row < holder)) {
            if (holder != FREE) {
                column_of[holder] = FREE;
            }
            price[b->column] = b->price;
            row_of[b->column] = b->row;
            column_of[b->row] = b->column;
        }
    }
}

void hiss_auction_fill(int64_t n, int32_t *row_of, int32_t *column_of) {
    int32_t column = 0;
    for (int32_t i = 0; i < n; i++) {
        if (column_of[i] == FREE) {
            while (row_of[column] != FREE) {
                column++;
            }
            column_of[i] = column;
            row_of[column] = i;
        }
    }
}

double hiss_auction_phase(int64_t n, const hiss_auction_options *options, double epsilon, const double *profit,
                          const double *held, const double *price, int32_t *row_of, int32_t *column_of,
                          hiss_lap_report *report) {
    const hiss_auction_options o = options ? *options : (hiss_auction_options){0};
    double largest = 0;
    report->total = report->dual = report->size = 0;
    for (int64_t i = 0; i < n; i++) {
        report->total += held[i];
        report->dual += profit[i] + price[i];
        report->size += fabs(held[i]);
        largest = fmax(largest, fmax(fabs(held[i]), fabs(price[i])));
    }
    const double gap = report->dual - report->total, least = fmax(ROUNDING * largest, DBL_MIN);
    const double last = fmax(o.epsilon, least);
    const double next = epsilon > 0 ? epsilon * FALL : FIRST * gap / (double)n;
    const bool done = o.epsilon > 0 ? epsilon > 0 && epsilon <= last
                                    : gap <= (o.gap > 0 ? o.gap : GAP) * hiss_lap_scale(report->total, report->size);
    if (done || gap <= least || (epsilon > 0 && epsilon <= least)) {
        return 0;
    }
    epsilon = fmax(next, last);
    for (int64_t i = 0; i < n; i++) {
        if (held[i] - price[column_of[i]] < profit[i] - epsilon) {
            row_of[column_of[i]] = FREE;
            column_of[i] = FREE;
        }
    }
    return epsilon;
}

typedef struct auction {
    const hiss_lap_rows *rows;
    double *price;         /* [n] not owned */
    double *profit, *held; /* [n] */
    int32_t *row_of, *column_of;
    int32_t *queue; /* [n] free rows, a ring */
    hiss_bid *bids; /* [n] of a round */
    int64_t nbids, max_bids;
} auction;

static int64_t lay_out(auction *a, int64_t n, void *work) {
    assign_slicer slicer = {work, 0};
    a->profit = assign_slice(&slicer, n, sizeof *a->profit);
    a->held = assign_slice(&slicer, n, sizeof *a->held);
    a->row_of = assign_slice(&slicer, n, sizeof *a->row_of);
    a->column_of = assign_slice(&slicer, n, sizeof *a->column_of);
    a->queue = assign_slice(&slicer, n, sizeof *a->queue);
    a->bids = assign_slice(&slicer, n, sizeof *a->bids);
    return slicer.used;
}

int64_t hiss_auction_work_bytes(int64_t n) {
    return lay_out(&(auction){0}, n, NULL);
}

/* All free rows bid, and those that are outbid, until none is free or bids run out; returns how many are free. */
static int64_t gauss_seidel(auction *a, double epsilon) {
    const int64_t n = a->rows->n;
    int64_t head = 0, waiting = 0;
    for (int32_t i = 0; i < n; i++) {
        if (a->column_of[i] == FREE) {
            a->queue[waiting++] = i;
        }
    }
    for (; waiting && a->nbids < a->max_bids; a->nbids++) {
        const hiss_bid b = make_bid(a->rows, a->queue[head], a->price, epsilon);
        const int32_t loser = a->row_of[b.column];
        hiss_auction_award(1, &b, a->price, a->row_of, a->column_of);
        if (loser != FREE) {
            a->queue[(head + waiting) % n] = loser;
        } else {
            waiting--;
        }
        head = (head + 1) % n;
    }
    return waiting;
}

static int64_t jacobi(auction *a, double epsilon) {
    int64_t count;
    while ((count = hiss_auction_bids(a->rows, a->price, epsilon, a->column_of, a->bids)) > 0 &&
           a->nbids < a->max_bids) {
        hiss_auction_award(count, a->bids, a->price, a->row_of, a->column_of);
        a->nbids += count;
    }
    return count;
}

/* held of the columns that the rows hold; false when a row's list lacks its column. */
static bool look_up(auction *a) {
    const hiss_lap_rows *rows = a->rows;
    for (int64_t i = 0; i < rows->m; i++) {
        int64_t e = rows->column ? 0 : a->column_of[i];
        while (rows->column && e < rows->width && rows->column[i * rows->ld + e] != a->column_of[i]) {
            e++;
        }
        if (e == rows->width) {
            return false;
        }
        a->held[i] = (double)rows->score[i * rows->ld + e];
    }
    return true;
}

/* report  out  total, dual and iterations of what the auction found, which is in a->column_of. */
static hiss_status run(auction *a, const hiss_auction_options *options, hiss_lap_report *report, hiss_error *err) {
    const int64_t n = a->rows->n;
    double epsilon = 0;
    for (;;) {
        hiss_lap_price_out(a->rows, a->price, a->profit);
        look_up(a);
        epsilon =
            hiss_auction_phase(n, options, epsilon, a->profit, a->held, a->price, a->row_of, a->column_of, report);
        report->iterations = a->nbids;
        if (epsilon == 0) {
            return HISS_OK;
        }
        const int64_t left = options && options->jacobi ? jacobi(a, epsilon) : gauss_seidel(a, epsilon);
        if (left) {
            return hiss_fail(err, HISS_EUSER,
                             "auction: %lld of %lld rows are still free after %lld bids at epsilon %g; allow more bids "
                             "or a larger gap, or use the solver sparse or lapjv",
                             (long long)left, (long long)n, (long long)a->nbids, epsilon);
        }
    }
}

/* The permutation passed in is what rows hold at first. */
static hiss_status take_over(auction *a, const int32_t *column_of_row, hiss_error *err) {
    const int64_t n = a->rows->n;
    for (int64_t j = 0; j < n; j++) {
        a->row_of[j] = FREE;
    }
    for (int32_t i = 0; i < n; i++) {
        const int32_t column = column_of_row[i];
        if (column < 0 || column >= n || a->row_of[column] != FREE) {
            return hiss_fail(err, HISS_EUSER, "row %d is assigned to column %d: expected a permutation of 0 to %lld",
                             (int)i, (int)column, (long long)(n - 1));
        }
        a->row_of[column] = i;
        a->column_of[i] = column;
    }
    return look_up(a) ? HISS_OK
                      : hiss_fail(err, HISS_EUSER, "a row is assigned to a column that its list does not contain");
}

/* Scores have been checked. */
static hiss_status solve_checked(const hiss_lap_rows *rows, const hiss_auction_options *options, int32_t *column_of_row,
                                 double *price, double *row_dual, void *work, hiss_lap_report *report,
                                 hiss_error *err) {
    auction a = {.rows = rows, .price = price};
    hiss_lap_report result = {0};
    double size = 0;
    lay_out(&a, rows->n, work);
    a.max_bids = options && options->max_bids > 0 ? options->max_bids : BIDS_PER_ROW * rows->n;
    hiss_status status = take_over(&a, column_of_row, err);
    if (status == HISS_OK) {
        for (int64_t i = 0; i < rows->n; i++) {
            result.before += a.held[i];
            size += fabs(a.held[i]);
        }
        status = run(&a, options, &result, err);
    }
    if (status) {
        return status;
    }
    if (result.total > result.before) {
        memcpy(column_of_row, a.column_of, (size_t)rows->n * sizeof *column_of_row);
    } else {
        result.total = result.before;
        result.size = size;
    }
    if (row_dual) {
        memcpy(row_dual, a.profit, (size_t)rows->n * sizeof *row_dual);
    }
    if (report) {
        *report = result;
    }
    return HISS_OK;
}

hiss_status hiss_auction_solve(const hiss_lap_rows *rows, const hiss_auction_options *options, int32_t *column_of_row,
                               double *price, double *row_dual, void *work, hiss_lap_report *report, hiss_error *err) {
    assert(rows->first == 0 && rows->m == rows->n && (uintptr_t)work % 64 == 0);
    auction a;
    lay_out(&a, rows->n, work);
    hiss_status status = HISS_OK;
    if (rows->column) {
        status = assign_check_lists(rows, err);
    } else {
        memset(a.profit, 0, (size_t)rows->n * sizeof *a.profit);
        status = hiss_lap_add_maxima(rows, a.profit, err); /* for its check */
    }
    return status ? status : solve_checked(rows, options, column_of_row, price, row_dual, work, report, err);
}

static int64_t work_bytes(int64_t n) {
    assign_slicer slicer = {NULL, 0};
    assign_slice(&slicer, n, sizeof(double));
    return slicer.used + hiss_auction_work_bytes(n);
}

static hiss_status solve(const hiss_lap *lap, int32_t *column_of_row, double *row_dual, double *column_dual, void *work,
                         hiss_lap_report *report, hiss_error *err) {
    hiss_status status = assign_check_shape(lap, err);
    if (status) {
        return status;
    }
    assign_slicer slicer = {work, 0};
    const hiss_lap_rows rows = hiss_lap_all_rows(lap);
    double *price = assign_slice(&slicer, lap->n, sizeof *price);
    void *rest = assign_slice(&slicer, 0, 1);
    status = assign_start_prices(lap, price, err);
    if (status == HISS_OK) {
        status = solve_checked(&rows, NULL, column_of_row, price, row_dual, rest, report, err);
    }
    if (status == HISS_OK && column_dual) {
        memcpy(column_dual, price, (size_t)lap->n * sizeof *price);
    }
    return status;
}

const hiss_lap_solver assign_auction = {"auction", "epsilon scaling until the gap is proved to be at most 0.05 %",
                                        work_bytes, solve};
