/* Means, spreads and Spearman's rank correlation. */
#include <math.h>
#include <stdlib.h>

#include "hiss/compare.h"

double hiss_mean_of(const double *values, int64_t count) {
    double sum = 0;
    for (int64_t k = 0; k < count; k++) {
        sum += values[k];
    }
    return count > 0 ? sum / (double)count : (double)NAN;
}

double hiss_spread_of(const double *values, int64_t count) {
    const double mean = hiss_mean_of(values, count);
    double sum = 0;
    for (int64_t k = 0; k < count; k++) {
        sum += (values[k] - mean) * (values[k] - mean);
    }
    return count > 1 ? sqrt(sum / (double)(count - 1)) : (double)NAN;
}

/* A table has some tens of rows: counting is enough. */
void hiss_mid_ranks(const double *values, int64_t count, double *ranks) {
    for (int64_t k = 0; k < count; k++) {
        int64_t below = 0, equal = 0;
        for (int64_t i = 0; i < count; i++) {
            below += values[i] < values[k];
            equal += values[i] == values[k];
        }
        ranks[k] = (double)below + (double)(equal + 1) / 2;
    }
}

static double pearson(const double *a, const double *b, int64_t count) {
    const double x = hiss_mean_of(a, count), y = hiss_mean_of(b, count);
    double xx = 0, yy = 0, xy = 0;
    for (int64_t k = 0; k < count; k++) {
        xx += (a[k] - x) * (a[k] - x);
        yy += (b[k] - y) * (b[k] - y);
        xy += (a[k] - x) * (b[k] - y);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}

double hiss_rank_correlation(const double *a, const double *b, int64_t count, int64_t *pairs) {
    double *both = hiss_new(double, 4 * count + 1), *left = both, *right = both + count;
    int64_t n = 0;
    for (int64_t k = 0; k < count; k++) {
        if (isfinite(a[k]) && isfinite(b[k])) {
            left[n] = a[k];
            right[n++] = b[k];
        }
    }
    hiss_mid_ranks(left, n, both + 2 * count);
    hiss_mid_ranks(right, n, both + 3 * count);
    const double rho = n >= 3 ? pearson(both + 2 * count, both + 3 * count, n) : (double)NAN;
    hiss_free(both);
    *pairs = n;
    return rho;
}
