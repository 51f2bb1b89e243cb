/* Costs of the permutation over the whole data set: a view of a sample by the forward operations before the cut, which
 * the steps have timed; projections, copies of rows, sorting and the bound on their own, as the method does them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cli/simulate.h"
#include "hiss/assign.h"
#include "hiss/clock.h"
#include "hiss/rng.h"

enum { REPEATS = 5, SAMPLES = 1 << 14 };

typedef struct keyed {
    float key;
    int64_t sample;
} keyed;

static int by_key(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return (x->sample > y->sample) - (x->sample < y->sample);
}

/* Random numbers; of order, a random permutation. */
static void fill(float *values, int64_t count, keyed *order) {
    hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_EVALUATION, 0, 1);
    hiss_rng_normals(&rng, count, values);
    const hiss_permutation p = hiss_permutation_keyed(1, HISS_FOR_BLOCKS, 0, 1, SAMPLES);
    for (int64_t i = 0; i < SAMPLES; i++) {
        order[i] = (keyed){values[i], hiss_permutation_at(&p, i)};
    }
}

/* Seconds per comparison that n log2 n counts. */
static double time_sort(const keyed *order, keyed *work) {
    double seconds[REPEATS];
    for (int k = 0; k < REPEATS; k++) {
        memcpy(work, order, sizeof *work * SAMPLES);
        const double start = hiss_seconds();
        qsort(work, SAMPLES, sizeof *work, by_key);
        seconds[k] = hiss_seconds() - start;
    }
    return hiss_median(seconds, REPEATS) / (SAMPLES * 14.0);
}

/* Seconds per float of rows that lie in random order. */
static double time_projection(const keyed *order, const float *rows, int64_t d, float *out) {
    double seconds[REPEATS];
    for (int k = 0; k < REPEATS; k++) {
        const double start = hiss_seconds();
        for (int64_t i = 0; i < SAMPLES; i++) {
            const float *row = rows + order[i].sample * d;
            double sum = 0.0;
            for (int64_t j = 0; j < d; j++) {
                sum += (double)row[j] * (double)rows[j];
            }
            out[order[i].sample * d] = (float)sum;
        }
        seconds[k] = hiss_seconds() - start;
    }
    return hiss_median(seconds, REPEATS) / (double)(SAMPLES * d);
}

static double time_copy(const keyed *order, const float *rows, int64_t d, float *out) {
    double seconds[REPEATS];
    for (int k = 0; k < REPEATS; k++) {
        const double start = hiss_seconds();
        for (int64_t i = 0; i < SAMPLES; i++) {
            memcpy(out + i * d, rows + order[i].sample * d, sizeof *out * (size_t)d);
        }
        seconds[k] = hiss_seconds() - start;
    }
    return hiss_median(seconds, REPEATS) / (double)(SAMPLES * d);
}

/* Seconds for a sample and a target: the score, and the highest profit under five scales of the prices. */
static double time_bound(const hiss_kernels *kernels, const float *rows, int64_t d) {
    enum { ROWS = 32, COLUMNS = 512, SCALES = 5 };
    float *score = hiss_new(float, ROWS *COLUMNS);
    double *price = hiss_new(double, COLUMNS), profit[ROWS], seconds[REPEATS];
    for (int k = 0; k < REPEATS; k++) {
        const double start = hiss_seconds();
        kernels->gemm(false, true, ROWS, COLUMNS, d, 1.0f, rows, d, rows + ROWS * d, d, 0.0f, score, COLUMNS);
        for (int scale = 0; scale < SCALES; scale++) {
            hiss_lap_price_out(
                &(hiss_lap_rows){.m = ROWS, .n = COLUMNS, .width = COLUMNS, .ld = COLUMNS, .score = score}, price,
                profit);
        }
        seconds[k] = hiss_seconds() - start;
    }
    hiss_free(price);
    hiss_free(score);
    return hiss_median(seconds, REPEATS) / (ROWS * COLUMNS);
}

/* Seconds for a view of a sample: its augmentation, and its part of a lane's operations before the cut. */
static double feature_seconds(const hiss_costs *costs) {
    double lane = costs->augment;
    for (int k = 0; k < costs->phases[0].cut; k++) {
        lane += costs->phases[0].nodes[k].forward;
    }
    return lane / (double)costs->samples;
}

static const char *text_of(const hiss_yaml *config, const char *key) {
    return hiss_yaml_text(hiss_yaml_get(config, "assign"), key);
}

static int64_t number_of(const hiss_yaml *config, const char *key) {
    return strtoll(text_of(config, key), NULL, 10);
}

static void measure_parts(const hiss_kernels *kernels, int64_t d, hiss_permutation_cost *c) {
    float *rows = hiss_new(float, SAMPLES *d), *out = hiss_new(float, SAMPLES *d);
    keyed *order = hiss_new(keyed, SAMPLES), *work = hiss_new(keyed, SAMPLES);
    fill(rows, SAMPLES * d, order);
    c->sort = time_sort(order, work);
    c->project = time_projection(order, rows, d, out);
    c->copy = time_copy(order, rows, d, out);
    c->bound = time_bound(kernels, rows, d);
    hiss_free(rows);
    hiss_free(out);
    hiss_free(order);
    hiss_free(work);
}

void simulate_measure_permutation(const bench_source *source, const hiss_yaml *config, const hiss_measurement *m,
                                  hiss_costs *out) {
    const int64_t every = number_of(config, "every"), epochs = source->experiment.train.epochs;
    const char *block = text_of(config, "block");
    hiss_permutation_cost *c = &out->permutation;
    if (every == 0) {
        return;
    }
    assert(out->phases[0].cut > 0); /* the features are what is there at the cut */
    const int64_t number = number_of(config, "block");
    *c = (hiss_permutation_cost){.share = (double)((epochs + every - 1) / every) / (double)epochs,
                                 .samples = source->set ? 0 : m->samples,
                                 .wide = number_of(config, "wide"),
                                 .views = number_of(config, "views"),
                                 .rounds = number_of(config, "rounds"),
                                 .bound_rows = number_of(config, "bound_rows"),
                                 .grouped = strcmp(text_of(config, "grouping"), "random") != 0};
    c->block = strcmp(block, "all") == 0 ? 0 : number > 0 ? number : 1024;
    c->feature = feature_seconds(out);
    const hiss_yaml *dim = hiss_yaml_get(hiss_yaml_get(config, "nat"), "dim");
    measure_parts(&source->experiment.kernels, strtoll(dim->text, NULL, 10), c);
}
