#include "hiss/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

double hiss_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double hiss_median(double *values, int64_t count) {
    assert(count >= 1);
    qsort(values, (size_t)count, sizeof *values, ascending);
    return values[(count - 1) / 2];
}
