/* How far a permutation of all samples can be from the best one.
 *
 * Any prices v of the targets bound every total: sum_i s[i, a(i)] = sum_i (s[i, a(i)] - v[a(i)]) + sum_j v[j], and no
 * sample has more than its highest score - price. So no total exceeds the present one by more than the sum of slacks,
 * what each sample misses to its highest score - price. Blocks leave such prices behind, each up to a constant; with
 * the mean of each block taken off they fit together. The slack of one sample costs 2 n d flops, of all of them
 * 2 n^2 d: hence a few samples, whose mean has a standard error. The columns are spread over ranks, each looks at its
 * own, and maxima do not depend on who looked at what.
 *
 * Prices of small blocks are noisy: a sample finds among n targets some that are priced too low by chance, so the bound
 * is the wider the smaller the blocks. Prices that are scaled down are prices, too; of a few scales, from none of them
 * to all, the one with the lowest bound counts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "objective/nat/nat.h"

enum { SCALES = 5, ROWS = 32 };

typedef struct search {
    const nat *n;
    const nat_prices *prices;
    int64_t rows;
    const float *row, *panels;
    double *price;    /* [SCALES, count] */
    float **score;    /* [threads] -> [ROWS, NAT_CHUNK] */
    double **highest; /* [threads] -> [SCALES, rows] */
} search;

/* All rows with one chunk of columns. */
static void search_chunk(void *user, int thread, int64_t item) {
    const search *h = user;
    const int64_t d = h->n->options->dim, first = item * NAT_CHUNK, left = h->prices->count - first;
    const int64_t count = left < NAT_CHUNK ? left : NAT_CHUNK;
    for (int64_t i = 0; i < h->rows; i += ROWS) {
        const int64_t rows = h->rows - i < ROWS ? h->rows - i : ROWS;
        const float *row[ROWS] = {NULL};
        for (int64_t r = 0; r < rows; r++) {
            row[r] = h->row + (i + r) * d;
        }
        nat_score(rows, d, row, nat_padded(count), h->panels + first * d, h->score[thread], NAT_CHUNK);
        const hiss_lap_rows part = {.m = rows, .n = count, .width = count, .ld = NAT_CHUNK, .score = h->score[thread]};
        for (int k = 0; k < SCALES; k++) {
            double profit[ROWS], *highest = h->highest[thread] + k * h->rows + i;
            hiss_lap_price_out(&part, h->price + k * h->prices->count + first, profit);
            for (int64_t r = 0; r < rows; r++) {
                highest[r] = fmax(highest[r], profit[r]);
            }
        }
    }
}

/* all [SCALES, rows] out: over this rank's columns. */
static void search_columns(search *h, const hiss_epoch *e, double *all) {
    const int64_t count = h->prices->count, d = h->n->options->dim, values = SCALES * h->rows;
    float *panels = hiss_new(float, nat_padded(count) * d), *vector = hiss_new(float, d);
    h->panels = panels;
    h->price = hiss_new(double, SCALES *count);
    h->score = hiss_new(float *, e->threads);
    h->highest = hiss_new(double *, e->threads);
    for (int64_t j = 0; j < count; j++) {
        nat_target(h->n, h->prices->number[j], vector);
        nat_pack(d, j, vector, panels);
        for (int k = 0; k < SCALES; k++) {
            h->price[k * count + j] = h->prices->price[j] * k / (SCALES - 1);
        }
    }
    for (int t = 0; t < e->threads; t++) {
        h->score[t] = hiss_new(float, ROWS *NAT_CHUNK);
        h->highest[t] = hiss_new(double, values);
        for (int64_t v = 0; v < values; v++) {
            h->highest[t][v] = -INFINITY;
        }
    }
    e->parallel(e->trainer, (count + NAT_CHUNK - 1) / NAT_CHUNK, search_chunk, h);
    for (int64_t v = 0; v < values; v++) {
        all[v] = -INFINITY;
        for (int t = 0; t < e->threads; t++) {
            all[v] = fmax(all[v], h->highest[t][v]);
        }
    }
    for (int t = 0; t < e->threads; t++) {
        hiss_free(h->score[t]);
        hiss_free(h->highest[t]);
    }
    hiss_free(h->score);
    hiss_free(h->highest);
    hiss_free(h->price);
    hiss_free(panels);
    hiss_free(vector);
}

typedef struct held { /* by a sample that is looked at */
    int64_t number, row;
} held;

static int by_number(const void *a, const void *b) {
    const int64_t x = ((const held *)a)->number, y = ((const held *)b)->number;
    return (x > y) - (x < y);
}

/* price [rows] out: of the target that each row holds, where it is one of this rank's; else -infinity. */
static void find_held(const search *h, const int64_t *number, double *price) {
    held *sorted = hiss_new(held, h->rows);
    for (int64_t i = 0; i < h->rows; i++) {
        sorted[i] = (held){number[i], i};
        price[i] = -INFINITY;
    }
    qsort(sorted, (size_t)h->rows, sizeof *sorted, by_number);
    for (int64_t j = 0; j < h->prices->count; j++) {
        const held key = {h->prices->number[j], 0};
        const held *found = bsearch(&key, sorted, (size_t)h->rows, sizeof *sorted, by_number);
        if (found) {
            price[found->row] = h->prices->price[j];
        }
    }
    hiss_free(sorted);
}

/* score [rows] out: of each row with the target it holds. */
static void score_held(const search *h, const int64_t *number, double *score) {
    const int64_t d = h->n->options->dim;
    float *vector = hiss_new(float, d), *panel = hiss_new(float, nat_padded(1) * d);
    for (int64_t i = 0; i < h->rows; i++) {
        nat_target(h->n, number[i], vector);
        nat_pack(d, 0, vector, panel);
        score[i] = (double)nat_score_at(d, h->row + i * d, 0, panel);
    }
    hiss_free(vector);
    hiss_free(panel);
}

/* Mean and standard error of `rows` values drawn from `samples` without repetition. */
static void estimate(int64_t rows, const double *value, int64_t samples, double out[2]) {
    double mean = 0.0, square = 0.0;
    for (int64_t i = 0; i < rows; i++) {
        mean += value[i] / (double)rows;
    }
    for (int64_t i = 0; i < rows; i++) {
        square += (value[i] - mean) * (value[i] - mean);
    }
    const double variance = square / (double)(rows > 1 ? rows - 1 : 1) / (double)rows;
    out[0] = mean;
    out[1] = sqrt(variance * (1.0 - (double)rows / (double)samples));
}

/* values [count] in/out: the maxima over ranks. */
static void maxima_over_ranks(hiss_comm *comm, int64_t count, double *values) {
    const int P = hiss_comm_size(comm);
    int64_t *offsets = hiss_new(int64_t, P + 1);
    double *all = hiss_new(double, P *count);
    for (int r = 0; r <= P; r++) {
        offsets[r] = r * count * (int64_t)sizeof *values;
    }
    hiss_comm_allgather(comm, values, offsets, all);
    for (int64_t v = 0; v < count; v++) {
        for (int r = 0; r < P; r++) {
            values[v] = fmax(values[v], all[r * count + v]);
        }
    }
    hiss_free(all);
    hiss_free(offsets);
}

/* A solver without duals leaves no prices. */
static bool have_prices(hiss_comm *comm, const nat_prices *prices) {
    bool known = true;
    for (int64_t j = 0; j < prices->count; j++) {
        known = known && !isnan(prices->price[j]);
    }
    return hiss_comm_max_i64(comm, !known) == 0;
}

void nat_slack(const nat *n, const hiss_epoch *e, const float *features, const nat_prices *prices, double out[2]) {
    hiss_comm *comm = n->placement->comm;
    const int64_t d = n->options->dim, samples = n->placement->samples;
    const int64_t rows = n->options->bound_rows < samples ? n->options->bound_rows : samples;
    out[0] = out[1] = NAN;
    if (!have_prices(comm, prices)) {
        return;
    }
    const nat_order order = {.random = hiss_permutation_keyed(n->task->seed, HISS_FOR_BLOCKS, e->epoch, 0, samples)};
    float *row = hiss_new(float, rows *d);
    int64_t *number = hiss_new(int64_t, rows);
    double *highest = hiss_new(double, (SCALES + 1) * rows), *price = highest + SCALES * rows;
    double *score = hiss_new(double, rows), *slack = hiss_new(double, rows);
    nat_gather_places(n, &order, 0, rows, d * (int64_t)sizeof *row, features, row);
    nat_gather_places(n, &order, 0, rows, sizeof *number, n->assign, number);
    search h = {.n = n, .prices = prices, .rows = rows, .row = row};
    search_columns(&h, e, highest);
    find_held(&h, number, price);
    maxima_over_ranks(comm, (SCALES + 1) * rows, highest);
    score_held(&h, number, score);
    for (int k = 0; k < SCALES; k++) {
        double scaled[2];
        for (int64_t i = 0; i < rows; i++) {
            slack[i] = highest[k * rows + i] - (score[i] - price[i] * k / (SCALES - 1));
        }
        estimate(rows, slack, samples, scaled);
        if (k == 0 || scaled[0] < out[0]) {
            memcpy(out, scaled, sizeof scaled);
        }
    }
    hiss_free(row);
    hiss_free(number);
    hiss_free(highest);
    hiss_free(score);
    hiss_free(slack);
}
