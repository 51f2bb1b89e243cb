/* Linear assignment problems: n rows (samples), n columns (targets), maximise the sum of scores.
 *
 * Pure and serial: no MPI, no tensors, no allocation; equal inputs give equal outputs, ties included.
 * Not collective.
 *
 * All solvers but greedy think in prices: column j has a price, row i the profit score[i,j] - price[j], and wants the
 * column of its highest profit. Highest profits u and prices v are the duals: sum u + sum v is never below any total.
 *
 * Whoever has all scores in one matrix calls a registered solver. Whoever has rows in several places uses the parts
 * below: prices to start from, the k best columns of each row, a solver for such lists, a check of its answer against
 * all scores, and rounds of an auction. docs/solvers.md shows how they fit together. */
#ifndef HISS_ASSIGN_H
#define HISS_ASSIGN_H

#include <stdint.h>

#include "hiss/status.h"

typedef struct hiss_lap {
    int64_t n;          /* 1 <= n <= 32768 */
    const float *score; /* [n, ld] row-major, finite; not owned */
    int64_t ld;         /* >= n */
} hiss_lap;

typedef struct hiss_lap_report {
    double total;       /* sum of the chosen scores, accumulated in double */
    double before;      /* the same for the assignment that was passed in */
    double dual;        /* sum of the dual variables: an upper bound of any total; NaN when the solver has no duals */
    int64_t iterations; /* solver's own unit: rows read, lists read and made, bids */
    double size;        /* sum of the absolute chosen scores */
} hiss_lap_report;

/* What a difference of totals is measured against: the larger of |total| and an eighth of size, the sum of the absolute
 * chosen scores. A total whose parts cancel is no measure of them. */
double hiss_lap_scale(double total, double size);
/* A gap, or what a total is below another, as a share of that scale: 0 when it is not above 0, and 1 at most, since a
 * gap as large as that proves nothing. NaN when an argument is. */
double hiss_lap_share(double gap, double total, double size);

typedef struct hiss_lap_solver {
    const char *name;    /* as in the config */
    const char *summary; /* one line for --help */
    /* Bytes of workspace for n rows. */
    int64_t (*work_bytes)(int64_t n);
    /* Solve.
     *   column_of_row [n]  in   a feasible assignment (a permutation of 0..n-1): the fallback, and what ties keep
     *                      out  the solution, a permutation; its total is never below that of the one passed in
     *   row_dual, column_dual [n]  out  duals u, v with score[i,j] <= u[i] + v[j] (up to rounding); NaN when the
     *                              solver has none; each may be NULL
     *   work  work_bytes(n) bytes, aligned to 64; contents undefined before and after
     *   report  out  or NULL
     * Errors (HISS_EUSER): n out of range; a score that is not finite (row and column named). HISS_EINTERNAL when a
     * solver with duals ends without its proof of optimality. After an error column_of_row is unchanged. */
    hiss_status (*solve)(const hiss_lap *lap, int32_t *column_of_row, double *row_dual, double *column_dual, void *work,
                         hiss_lap_report *report, hiss_error *err);
} hiss_lap_solver;

/* The registered solvers, ended by NULL. */
const hiss_lap_solver *const *hiss_lap_solvers(void);
const hiss_lap_solver *hiss_lap_solver_named(const char *name); /* NULL when unknown */
/* Their names in that order, a bar before each: "|lapjv|sparse|..." */
extern const char hiss_lap_solver_choices[];

/* A certificate: what the duals prove about a solution. */
typedef struct hiss_lap_certificate {
    double total, dual;
    double size;            /* sum of the absolute chosen scores */
    double gap;             /* dual - total, >= -rounding; 0 proves optimality */
    double worst_violation; /* max over i,j of score[i,j] - u[i] - v[j]: 0 up to rounding when the duals are feasible */
    int32_t is_permutation; /* 1 when column_of_row is a permutation of 0..n-1 */
} hiss_lap_certificate;
hiss_lap_certificate hiss_lap_certify(const hiss_lap *lap, const int32_t *column_of_row, const double *row_dual,
                                      const double *column_dual);

/* ---- rows in several places ---- */

/* Rows first .. first + m - 1 of a problem of n columns. Dense: column is NULL, width is n. Sparse: entry e of local
 * row i is column[i*ld + e] with score[i*ld + e]; every column at most once in a row. Nothing is owned. */
typedef struct hiss_lap_rows {
    int64_t first, m, n;
    int64_t width, ld; /* entries of a row, distance of rows in entries */
    const float *score;
    const int32_t *column;
} hiss_lap_rows;

/* Prices to start from: the mean, over groups of HISS_LAP_GROUP consecutive rows, of the highest score that a column
 * has in the group. Like column means they make shifts of columns irrelevant, and they are far nearer to the optimal
 * prices (docs/solvers.md).
 *
 * Add each column's highest scores to sum[n], one summand per group; the last group may be short. Dense rows.
 * Divide by the number of groups of all rows. For sums that do not depend on who holds which rows, call it for pieces
 * whose bounds do not, and add the pieces' sums in a fixed order.
 * Errors (HISS_EUSER): a score that is not finite (row and column named). */
enum { HISS_LAP_GROUP = 32 };
hiss_status hiss_lap_add_maxima(const hiss_lap_rows *rows, double *sum, hiss_error *err);
int64_t hiss_lap_groups(int64_t m); /* ceil(m / HISS_LAP_GROUP) */

/* The k columns of highest score - price of each dense row, best first, ties to the lower column; differences are
 * taken in float. When current[i] is not among them it takes the last place.
 *   current [m]  may be NULL
 *   k            1 .. n
 *   column, score [m, k]  out  the row's entries for hiss_sparse_solve and sparse hiss_lap_rows
 *   work  hiss_lap_select_work_bytes(n, k) bytes, aligned to 64 */
int64_t hiss_lap_select_work_bytes(int64_t n, int64_t k);
void hiss_lap_select(const hiss_lap_rows *rows, const double *price, const int32_t *current, int64_t k, int32_t *column,
                     float *score, void *work);

/* profit[m] out: each row's highest score - price. Dense or sparse rows.
 * With dense rows these are feasible row duals for all scores, so sum profit + sum price bounds every total. Where none
 * exceeds the row dual of hiss_sparse_solve, its answer is optimal among all columns; rows that do need new lists under
 * the new prices. Scores must then be the very bits the lists were made from: recompute them in the same shapes. */
void hiss_lap_price_out(const hiss_lap_rows *rows, const double *price, double *profit);

/* ---- sparse problems ---- */

typedef struct hiss_sparse_lap {
    int64_t n, k;          /* 1 <= k <= n <= 2^24 */
    const int32_t *column; /* [n, k] every column at most once in a row; in any order, fastest when best first */
    const float *score;    /* [n, k] finite */
} hiss_sparse_lap;

/* Exact optimum of a sparse problem by shortest augmenting paths.
 *   column_of_row [n]  in   a permutation that uses only entries of the lists, so that there is a solution
 *                      out  the solution; its total is never below that of the one passed in
 *   price [n]  in   prices to start from: hiss_lap_add_maxima, or those of an earlier solve. Rows whose current column
 *                   has the row's highest profit under them stay where they are, so that solving again after some
 *                   lists have changed costs little
 *              out  column duals
 *   row_dual [n]  out  or NULL
 *   work  hiss_sparse_work_bytes(n, k) bytes, aligned to 64
 *   report  out  or NULL; dual bounds the totals of the sparse problem
 * Errors (HISS_EUSER): n or k out of range; a column out of range; a score that is not finite; column_of_row not a
 * permutation or not within the lists. HISS_EINTERNAL when it ends without proof. After an error column_of_row is
 * unchanged, price undefined. */
int64_t hiss_sparse_work_bytes(int64_t n, int64_t k);
hiss_status hiss_sparse_solve(const hiss_sparse_lap *lap, int32_t *column_of_row, double *price, double *row_dual,
                              void *work, hiss_lap_report *report, hiss_error *err);

/* ---- lists that travel ---- */

/* Rows of one block in pieces ("parts") of m rows each, cut to lists where they are and solved elsewhere, with a proof:
 *   1. prices for all from hiss_lap_add_maxima of the parts;
 *   2. each part packs, for each row, the k best columns under these prices and how good the best of all others is;
 *   3. hiss_lists_solve finds the optimum of the lists and bounds what columns outside of them could add;
 *   4. when that is too much: again from 2, with the prices and the answer of 3. */
typedef struct hiss_lists {
    int64_t n, m, k; /* 2 <= k < n <= 65536; m divides n */
} hiss_lists;

int64_t hiss_lists_words(const hiss_lists *l); /* of four bytes, of one packed part: about m (6 k + 4) bytes */
/* Pack a part.
 *   rows       [m, n] scores
 *   price [n]  equal for all parts
 *   current[m] columns that the rows must keep: the answer so far
 *   words      out  hiss_lists_words
 *   work       hiss_lists_pack_bytes, aligned to 64 */
int64_t hiss_lists_pack_bytes(const hiss_lists *l);
void hiss_lists_pack(const hiss_lists *l, const float *rows, const float *price, const int32_t *current, void *words,
                     void *work);
/* Solve.
 *   parts, stride  packed parts, in the order of rows, `stride` words apart
 *   packed [n]     the prices they were packed under
 *   column_of_row  [n] in/out as in hiss_sparse_solve; in: the columns they were packed with
 *   price [n]      out  column duals of the lists
 *   report         out  total, before; dual: bounds all totals, also those with columns outside of the lists
 *   work           hiss_lists_solve_bytes, aligned to 64
 * Errors: as those of hiss_sparse_solve. */
int64_t hiss_lists_solve_bytes(const hiss_lists *l);
hiss_status hiss_lists_solve(const hiss_lists *l, const void *parts, int64_t stride, const float *packed,
                             int32_t *column_of_row, double *price, void *work, hiss_lap_report *report,
                             hiss_error *err);

/* ---- auction ---- */

typedef struct hiss_auction_options {
    double epsilon;   /* last epsilon: the total is within n epsilon of the optimum. 0: until gap is reached */
    double gap;       /* stop when dual - total <= gap * hiss_lap_scale. 0: 5e-4. Ignored when epsilon is given */
    int64_t max_bids; /* 0: 2000 n */
    int jacobi;       /* 1: rounds in which all free rows bid at once; 0: one bid after the other, fewer bids */
} hiss_auction_options;

/* Solve by an auction with epsilon scaling; rows must be complete (first 0, m = n), dense or sparse.
 *
 * Both rules also stop at the least epsilon that prices can represent, 1e-13 of the largest absolute price or chosen
 * score; then the gap may be larger, and is reported like any other.
 *
 *   column_of_row, row_dual, report  as above. price [n] in/out as above
 *   options  NULL: all zero
 *   work  hiss_auction_work_bytes(n) bytes, aligned to 64
 * report->dual - report->total is the proven gap, report->iterations the number of bids.
 * Errors: as above; HISS_EUSER after max_bids. */
int64_t hiss_auction_work_bytes(int64_t n);
hiss_status hiss_auction_solve(const hiss_lap_rows *rows, const hiss_auction_options *options, int32_t *column_of_row,
                               double *price, double *row_dual, void *work, hiss_lap_report *report, hiss_error *err);

/* The parts of a Jacobi auction, for rows on several ranks with prices, row_of and column_of replicated. column_of [n]
 * and row_of [n] say who holds what, -1 where free; at first a permutation. A phase:
 *   1. every rank makes the highest profits of its rows (hiss_lap_price_out) and the scores of the columns they hold;
 *      with those of all rows every rank calls hiss_auction_phase, which frees some rows, or says that all is done;
 *   2. until no row is free: every rank makes the bids of its rows, all bids travel to all ranks, every rank awards
 *   all.
 * The outcome depends neither on the partition of rows nor on the order of bids: it is hiss_auction_solve with
 * jacobi. */
/* options  NULL: all zero.   epsilon  0 at first, then what the last call returned
 * profit, held [n]  of all rows; held[i]: score of column_of[i]
 * report  out  total, dual
 * Returns the epsilon of the next phase; 0: done. */
double hiss_auction_phase(int64_t n, const hiss_auction_options *options, double epsilon, const double *profit,
                          const double *held, const double *price, int32_t *row_of, int32_t *column_of,
                          hiss_lap_report *report);
typedef struct hiss_bid {
    double price;        /* what the row offers: above the column's price */
    int32_t row, column; /* row in the whole problem */
} hiss_bid;

/* Bids of those local rows whose column_of[first + i] is -1, in row order; returns how many. bids [<= m] out.
 *   column_of [n]  -1: free */
int64_t hiss_auction_bids(const hiss_lap_rows *rows, const double *price, double epsilon, const int32_t *column_of,
                          hiss_bid *bids);
/* Give each column to its highest bid, ties to the lower row; who held it is free again. All bids of a round must have
 * been made under the same prices; they may be awarded in any number of calls.
 *   price, row_of, column_of [n]  in/out  row_of[j], column_of[i]: -1 where free */
void hiss_auction_award(int64_t count, const hiss_bid *bids, double *price, int32_t *row_of, int32_t *column_of);

/* Give the free rows the free columns, both in ascending order: ends a phase whose last rounds, of few bids each, are
 * not worth their messages. hiss_auction_phase will free these rows again, hiss_sparse_solve will match them. */
void hiss_auction_fill(int64_t n, int32_t *row_of, int32_t *column_of);

#endif
