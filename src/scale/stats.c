/* Medians and their uncertainty.
 *
 * The steps of one run share its machine, its neighbours and its placement, so runs, not steps, are the independent
 * observations. Each replicate of the bootstrap therefore draws runs with replacement first, and then values within
 * each drawn run (the two-level bootstrap of Davison and Hinkley, "Bootstrap Methods and their Application", 1997,
 * section 3.8), and takes the same figure of them: the median over runs of each run's median. With one run, the
 * interval covers the noise within it and nothing else. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/rng.h"
#include "scale/scale_impl.h"

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double hiss_middle(double *values, int64_t count) {
    if (count == 0) {
        return (double)NAN;
    }
    qsort(values, (size_t)count, sizeof *values, ascending);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static int64_t longest(const hiss_sample *s) {
    int64_t most = 0;
    for (int64_t r = 0; r < s->repeats; r++) {
        most = s->count[r] > most ? s->count[r] : most;
    }
    return most;
}

double hiss_sample_median(const hiss_sample *s) {
    double *medians = hiss_new(double, s->repeats), *copy = hiss_new(double, longest(s));
    int64_t used = 0;
    for (int64_t r = 0; r < s->repeats; r++) {
        if (s->count[r] > 0) {
            memcpy(copy, s->values[r], sizeof *copy * (size_t)s->count[r]);
            medians[used++] = hiss_middle(copy, s->count[r]);
        }
    }
    const double median = hiss_middle(medians, used);
    hiss_free(copy);
    hiss_free(medians);
    return median;
}

void hiss_sample_bootstrap(const hiss_sample *s, uint64_t seed, int64_t stream, int64_t draws, double *out) {
    int64_t *filled = hiss_new(int64_t, s->repeats), runs = 0;
    double *medians = hiss_new(double, s->repeats), *drawn = hiss_new(double, longest(s));
    for (int64_t r = 0; r < s->repeats; r++) {
        if (s->count[r] > 0) {
            filled[runs++] = r;
        }
    }
    hiss_rng rng = hiss_rng_keyed(seed, HISS_FOR_STUDIES, 0xffffffff, stream); /* no repeat has this number */
    for (int64_t d = 0; d < draws; d++) {
        for (int64_t k = 0; k < runs; k++) {
            const int64_t r = filled[hiss_rng_below(&rng, runs)];
            for (int64_t i = 0; i < s->count[r]; i++) {
                drawn[i] = s->values[r][hiss_rng_below(&rng, s->count[r])];
            }
            medians[k] = hiss_middle(drawn, s->count[r]);
        }
        out[d] = hiss_middle(medians, runs);
    }
    hiss_free(drawn);
    hiss_free(medians);
    hiss_free(filled);
}

void hiss_percentile_interval(double *replicates, int64_t draws, double *low, double *high) {
    *low = *high = (double)NAN;
    for (int64_t d = 0; d < draws; d++) {
        if (!isfinite(replicates[d])) {
            return;
        }
    }
    if (draws > 0) {
        qsort(replicates, (size_t)draws, sizeof *replicates, ascending);
        *low = replicates[(int64_t)(0.025 * (double)(draws - 1) + 0.5)];
        *high = replicates[(int64_t)(0.975 * (double)(draws - 1) + 0.5)];
    }
}
