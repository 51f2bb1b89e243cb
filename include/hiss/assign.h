/* Linear assignment problems: n rows (samples), n columns (targets), maximise the sum of scores.
 *
 * Pure and serial: no MPI, no tensors, no allocation; equal inputs give equal outputs, ties included.
 * Not collective. */
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
    int64_t iterations; /* solver's own unit: augmenting-path steps, bids, sweeps */
} hiss_lap_report;

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

/* The registered solvers, ended by NULL: "lapjv" (exact shortest augmenting paths; Jonker & Volgenant 1987, with
 * column centring), "greedy" (the annotated template: best remaining score first, ties by row then column, then the
 * better of it and the assignment passed in). */
const hiss_lap_solver *const *hiss_lap_solvers(void);
const hiss_lap_solver *hiss_lap_solver_named(const char *name); /* NULL when unknown */

/* A certificate: what the duals prove about a solution. */
typedef struct hiss_lap_certificate {
    double total, dual;
    double gap;             /* dual - total, >= -rounding; 0 proves optimality */
    double worst_violation; /* max over i,j of score[i,j] - u[i] - v[j]: 0 up to rounding when the duals are feasible */
    int32_t is_permutation; /* 1 when column_of_row is a permutation of 0..n-1 */
} hiss_lap_certificate;
hiss_lap_certificate hiss_lap_certify(const hiss_lap *lap, const int32_t *column_of_row, const double *row_dual,
                                      const double *column_dual);

#endif
