/* The solver for those who do not want to choose: lapjv, and sparse from the size on at which it was measured to be
 * clearly faster. Both are exact.
 *
 * The table holds milliseconds of one core (2.6 GHz, AVX-512, 1 MB second-level cache; `make` with its default flags):
 * medians over blocks of Fashion-MNIST features, d = 32, mean of a network before and after training. docs/solvers.md
 * says more. Only ratios matter here, and they move little between machines: lapjv reads whole rows 10 to 35 times,
 * sparse four times and short lists in between. Nothing is measured at run time: the choice, and with it the answer
 * where there are ties, depends on n alone. */
#include <stddef.h>

#include "lap_impl.h"

static const struct {
    int64_t n;
    double lapjv, sparse;
} cost[] = {
    {1, 0, 0},           {32, 0.017, 0.018}, {64, 0.048, 0.046}, {128, 0.128, 0.122},
    {256, 0.356, 0.378}, {384, 0.72, 0.68},  {512, 1.26, 1.01},  {768, 3.3, 1.9},
    {1024, 5.2, 2.9},    {2048, 24.5, 7.6},  {4096, 191, 35},
};

static const double CLEARLY = 0.9;

/* By the largest size of the table that is not above n. */
static const hiss_lap_solver *pick(int64_t n) {
    size_t row = 0;
    while (row + 1 < sizeof cost / sizeof *cost && cost[row + 1].n <= n) {
        row++;
    }
    return cost[row].sparse < CLEARLY * cost[row].lapjv ? &assign_sparse : &assign_lapjv;
}

static int64_t work_bytes(int64_t n) {
    return pick(n)->work_bytes(n);
}

static hiss_status solve(const hiss_lap *lap, int32_t *column_of_row, double *row_dual, double *column_dual, void *work,
                         hiss_lap_report *report, hiss_error *err) {
    return pick(lap->n)->solve(lap, column_of_row, row_dual, column_dual, work, report, err);
}

const hiss_lap_solver assign_auto = {"auto", "lapjv or sparse, whichever is faster for the number of rows; exact",
                                     work_bytes, solve};
