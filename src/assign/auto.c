/* The solver for those who do not want to choose: the exact one that was measured to be faster at this n.
 *
 * The table holds milliseconds of one core (AMD EPYC, 2.6 GHz, 48 KB L1, AVX-512; medians over blocks of Fashion-MNIST
 * features of a trained network, d = 32, at the default flags). docs/solvers.md says how to measure it again. Only the
 * ratio of the two matters, which moves little between machines: lapjv reads whole rows some 20 times, sparse reads
 * them four times and short lists in between. Nothing is measured at run time, so the choice, and with it the answer
 * where there are ties, depends on n alone. */
#include <stddef.h>

#include "lap_impl.h"

static const struct {
    int64_t n;
    double lapjv, sparse;
} cost[] = {
    {32, 0.018, 0.019}, {64, 0.05, 0.05}, {128, 0.12, 0.12}, {256, 0.4, 0.4},
    {512, 1.5, 1.2},    {1024, 6, 3.3},   {2048, 30, 8},     {4096, 280, 38},
};

static const hiss_lap_solver *pick(int64_t n) {
    size_t row = 0;
    while (row + 1 < sizeof cost / sizeof *cost && cost[row + 1].n <= n) {
        row++;
    }
    return cost[row].sparse < cost[row].lapjv ? &hiss_lap_sparse : &hiss_lap_lapjv;
}

static int64_t work_bytes(int64_t n) {
    return pick(n)->work_bytes(n);
}

static hiss_status solve(const hiss_lap *lap, int32_t *column_of_row, double *row_dual, double *column_dual, void *work,
                         hiss_lap_report *report, hiss_error *err) {
    return pick(lap->n)->solve(lap, column_of_row, row_dual, column_dual, work, report, err);
}

const hiss_lap_solver hiss_lap_auto = {"auto", "the faster of lapjv and sparse for the number of rows; exact",
                                       work_bytes, solve};
