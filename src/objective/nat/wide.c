/* One assignment problem over all ranks: for blocks that are too large for one.
 *
 * Method: the rounds of a Jacobi auction (hiss/assign.h). Prices and who holds what are replicated; a rank makes the
 * bids of its range of rows; each round all bids travel to all ranks and every rank awards them all. The free rows are
 * known everywhere, so the number of everyone's bids is, too, and a round is one all-gather of 16 bytes per bid.
 *
 * The n x n scores never exist. A row keeps a list of its `width` best columns and a bar, the highest profit outside of
 * the list when the list was made. Prices only rise, so nothing outside of it can ever rise above the bar: as long as
 * the list's two best reach the bar, the bid by the list is the bid by the whole row, bit for bit. Else the row is
 * computed anew from its feature and all targets, and with it its list. The lists affect speed, not the result.
 * (Ties between the best and the bar go to the whole row, which knows which column is lower.)
 *
 * Cost: 2 n^2 d flops for the start prices and again for the first lists, over all cores; afterwards 2 n d flops per
 * row computed anew (docs/assignment.md counts them); per round a message to everyone. Memory of a rank: features and
 * targets of the block, 8 n d bytes; lists, 8 width n / P bytes; about 70 n bytes for prices, holders and bids.
 *
 * The last rows of a phase are few and their rounds are bound by latency. They are not handed to one rank: whoever is
 * outbid next may be any row, so that rank would need everyone's lists; and such rounds cost microseconds each. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "hiss/clock.h"
#include "hiss/log.h"
#include "objective/nat/nat.h"

enum { FREE = -1, TILE = 8 };

static const int64_t BIDS_PER_ROW = 2000;

typedef struct scratch { /* of one thread */
    float *score;        /* [TILE, padded], or a group of rows by a chunk of columns */
    void *select;
    float *list_score; /* [TILE, width] */
    int32_t *list_column;
} scratch;

typedef struct wide {
    const nat_wide *p;
    int P;
    int64_t n, d, padded, width;
    int64_t first, m; /* this rank's rows */
    int64_t *offsets; /* [P + 1]: rows by rank */
    int64_t *bytes;   /* [P + 1]: of an all-gather */
    scratch *threads;
    double *price, *profit, *held; /* [n] */
    double *mine;                  /* [max(m, own columns)] */
    int32_t *row_of, *column_of;   /* [n] */
    int32_t *list_column;          /* [m, width] */
    float *list_score;
    double *bar;   /* [m] */
    int32_t *free; /* [n] free rows, in an order that is the same on all ranks */
    int64_t nfree;
    int32_t *prior;       /* [n]: who held the column of a bid */
    hiss_bid *bids, *own; /* [n], [m] */
    int32_t *stale;       /* [m] local rows to compute anew */
    int64_t nstale;
    double epsilon;    /* 0: highest profits are wanted, no bids */
    hiss_bid *fresh;   /* bids of the stale rows */
    int64_t own_chunk; /* first chunk of columns for start prices */
    double *sum;       /* [own columns] */
    nat_wide_report *report;
} wide;

static const float *row_at(const wide *w, int64_t i) {
    return w->p->row + i * w->d;
}

static void parallel(const wide *w, int64_t count, void (*task)(void *user, int thread, int64_t item)) {
    w->p->e->parallel(w->p->e->trainer, count, task, (void *)w);
}

static void gather(wide *w, const void *mine, const int64_t *counts_from, int64_t size, void *all) {
    for (int r = 0; r <= w->P; r++) {
        w->bytes[r] = counts_from[r] * size;
    }
    const double start = hiss_seconds();
    hiss_comm_allgather(w->p->comm, mine, w->bytes, all);
    w->report->wait += hiss_seconds() - start;
}

/* ---- start prices: columns over ranks, so that sums run over rows in order ---- */

static void add_maxima(void *user, int thread, int64_t item) {
    const wide *w = user;
    const int64_t column = (w->own_chunk + item) * NAT_CHUNK;
    const int64_t count = w->n - column < NAT_CHUNK ? w->n - column : NAT_CHUNK;
    float *score = w->threads[thread].score;
    for (int64_t i = 0; i < w->n; i += HISS_LAP_GROUP) {
        const int64_t rows = w->n - i < HISS_LAP_GROUP ? w->n - i : HISS_LAP_GROUP;
        const float *row[HISS_LAP_GROUP];
        for (int64_t r = 0; r < rows; r++) {
            row[r] = row_at(w, i + r);
        }
        nat_score(rows, w->d, row, nat_padded(count), w->p->panels + column * w->d, score, NAT_CHUNK);
        const hiss_status s = hiss_lap_add_maxima(
            &(hiss_lap_rows){.m = rows, .n = count, .width = count, .ld = NAT_CHUNK, .score = score},
            w->sum + item * NAT_CHUNK, NULL);
        assert(s == HISS_OK && "features were checked");
        (void)s;
    }
}

static void start_prices(wide *w) {
    const int64_t chunks = (w->n + NAT_CHUNK - 1) / NAT_CHUNK;
    const int rank = hiss_comm_rank(w->p->comm);
    int64_t *columns = hiss_new(int64_t, w->P + 1);
    hiss_partition(chunks, w->P, columns);
    w->own_chunk = columns[rank];
    const int64_t count = columns[rank + 1] - columns[rank];
    w->sum = hiss_new(double, count *NAT_CHUNK);
    parallel(w, count, add_maxima);
    for (int r = 0; r <= w->P; r++) {
        columns[r] = columns[r] * NAT_CHUNK < w->n ? columns[r] * NAT_CHUNK : w->n;
    }
    gather(w, w->sum, columns, sizeof(double), w->price);
    for (int64_t j = 0; j < w->n; j++) {
        w->price[j] /= (double)hiss_lap_groups(w->n);
    }
    hiss_free(columns);
    hiss_free(w->sum);
}

/* ---- rows ---- */

static hiss_lap_rows list_of(const wide *w, int64_t i) {
    return (hiss_lap_rows){.first = w->first + i,
                           .m = 1,
                           .n = w->n,
                           .width = w->width,
                           .ld = w->width,
                           .score = w->list_score + i * w->width,
                           .column = w->list_column + i * w->width};
}

/* The two highest profits of a row by its list. */
static void best_two(const wide *w, int64_t i, double *best, double *second) {
    const hiss_lap_rows list = list_of(w, i);
    *best = *second = -INFINITY;
    for (int64_t e = 0; e < list.width; e++) {
        const double profit = (double)list.score[e] - w->price[list.column[e]];
        const double loser = profit > *best ? *best : profit;
        *best = profit > *best ? profit : *best;
        *second = loser > *second ? loser : *second;
    }
}

/* Compute a tile of stale rows: their bids or highest profits, and their lists. */
static void refresh(void *user, int thread, int64_t item) {
    static const int32_t all_free[TILE] = {FREE, FREE, FREE, FREE, FREE, FREE, FREE, FREE};
    const wide *w = user;
    const scratch *s = &w->threads[thread];
    const int32_t *stale = w->stale + item * TILE;
    const int64_t left = w->nstale - item * TILE, count = left < TILE ? left : TILE;
    const hiss_lap_rows rows = {.m = count, .n = w->n, .width = w->n, .ld = w->padded, .score = s->score};
    const float *row[TILE] = {NULL};
    for (int64_t r = 0; r < count; r++) {
        row[r] = row_at(w, w->first + stale[r]);
    }
    nat_score(count, w->d, row, w->padded, w->p->panels, s->score, w->padded);
    if (w->epsilon > 0) {
        hiss_bid *bids = w->fresh + item * TILE;
        hiss_auction_bids(&rows, w->price, w->epsilon, all_free, bids);
        for (int64_t r = 0; r < count; r++) {
            bids[r].row = (int32_t)(w->first + stale[r]);
        }
    } else {
        double best[TILE];
        hiss_lap_price_out(&rows, w->price, best);
        for (int64_t r = 0; r < count; r++) {
            w->mine[stale[r]] = best[r];
        }
    }
    hiss_lap_select(&rows, w->price, NULL, w->width, s->list_column, s->list_score, s->select);
    for (int64_t r = 0; r < count; r++) {
        for (int64_t e = 0; e < w->width; e++) {
            s->score[r * w->padded + s->list_column[r * w->width + e]] = -INFINITY;
        }
        memcpy(w->list_column + stale[r] * w->width, s->list_column + r * w->width, sizeof(int32_t) * (size_t)w->width);
        memcpy(w->list_score + stale[r] * w->width, s->list_score + r * w->width, sizeof(float) * (size_t)w->width);
    }
    double bar[TILE];
    hiss_lap_price_out(&rows, w->price, bar);
    for (int64_t r = 0; r < count; r++) {
        w->bar[stale[r]] = bar[r];
    }
}

static void refresh_stale(wide *w) {
    const double start = hiss_seconds();
    if (w->nstale) {
        parallel(w, (w->nstale + TILE - 1) / TILE, refresh);
    }
    w->report->refreshed += w->nstale;
    w->report->sweep += hiss_seconds() - start;
}

/* Highest profits and held scores of all rows, on every rank. */
static void price_out(wide *w) {
    w->nstale = 0;
    w->epsilon = 0;
    for (int64_t i = 0; i < w->m; i++) {
        double second;
        best_two(w, i, &w->mine[i], &second);
        if (w->mine[i] < w->bar[i]) {
            w->stale[w->nstale++] = (int32_t)i;
        }
    }
    refresh_stale(w);
    gather(w, w->mine, w->offsets, sizeof(double), w->profit);
    for (int64_t i = 0; i < w->m; i++) {
        const int64_t row = w->first + i;
        w->mine[i] = (double)nat_score_at(w->d, row_at(w, row), w->column_of[row], w->p->panels);
    }
    gather(w, w->mine, w->offsets, sizeof(double), w->held);
}

/* ---- rounds ---- */

static void count_by_rank(const wide *w, int64_t *counts) {
    memset(counts, 0, sizeof(int64_t) * (size_t)(w->P + 1));
    for (int64_t f = 0; f < w->nfree; f++) {
        int low = 0, high = w->P - 1;
        while (low < high) {
            const int middle = (low + high + 1) / 2;
            if (w->offsets[middle] <= w->free[f]) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        counts[low + 1]++;
    }
    for (int r = 0; r < w->P; r++) {
        counts[r + 1] += counts[r];
    }
}

/* Bids of this rank's free rows into own. */
static void bid(wide *w) {
    int64_t count = 0;
    w->nstale = 0;
    for (int64_t f = 0; f < w->nfree; f++) {
        const int64_t i = w->free[f] - w->first;
        if (i < 0 || i >= w->m) {
            continue;
        }
        double best, second;
        best_two(w, i, &best, &second);
        if (best > w->bar[i] && second >= w->bar[i]) {
            const hiss_lap_rows list = list_of(w, i);
            count += hiss_auction_bids(&list, w->price, w->epsilon, w->column_of, w->own + count);
        } else {
            w->stale[w->nstale++] = (int32_t)i;
        }
    }
    w->fresh = w->own + count;
    refresh_stale(w);
}

/* Award all bids; who has none now is free: losers, and holders that were outbid. */
static void award(wide *w) {
    const int64_t count = w->nfree;
    for (int64_t b = 0; b < count; b++) {
        w->prior[b] = w->row_of[w->bids[b].column];
    }
    hiss_auction_award(count, w->bids, w->price, w->row_of, w->column_of);
    w->nfree = 0;
    for (int64_t b = 0; b < count; b++) {
        if (w->column_of[w->bids[b].row] == FREE) {
            w->free[w->nfree++] = w->bids[b].row;
        } else if (w->prior[b] != FREE) {
            w->free[w->nfree++] = w->prior[b];
        }
    }
    w->report->lap.iterations += count;
    w->report->rounds++;
}

/* Until no row is free. Returns false when bids run out. */
static bool run_phase(wide *w, double epsilon, int64_t max_bids, int64_t *counts) {
    w->epsilon = epsilon;
    w->nfree = 0;
    for (int32_t i = 0; i < w->n; i++) {
        if (w->column_of[i] == FREE) {
            w->free[w->nfree++] = i;
        }
    }
    while (w->nfree > 0 && w->report->lap.iterations < max_bids) {
        bid(w);
        count_by_rank(w, counts);
        gather(w, w->own, counts, sizeof(hiss_bid), w->bids);
        award(w);
    }
    return w->nfree == 0;
}

static hiss_status run(wide *w, const hiss_auction_options *options, int64_t *counts, bool *stopped, hiss_error *err) {
    const int64_t max_bids = options && options->max_bids > 0 ? options->max_bids : BIDS_PER_ROW * w->n;
    nat_wide_report *report = w->report;
    double epsilon = 0;
    for (;;) {
        const int64_t bids = report->lap.iterations;
        hiss_lap_report now = {0};
        price_out(w);
        epsilon =
            hiss_auction_phase(w->n, options, epsilon, w->profit, w->held, w->price, w->row_of, w->column_of, &now);
        report->lap.total = now.total;
        report->lap.size = now.size;
        report->lap.dual = now.dual;
        report->lap.before = report->phases ? report->lap.before : now.total;
        hiss_debug("nat: wide block of %lld: phase %lld, next epsilon %.3g: mean score %.6f, bound %.6f, %lld bids in "
                   "%lld rounds, %lld rows computed here",
                   (long long)w->n, (long long)report->phases, epsilon, now.total / (double)w->n,
                   now.dual / (double)w->n, (long long)bids, (long long)report->rounds, (long long)report->refreshed);
        *stopped = epsilon > 0 && w->p->e->stop(w->p->e->trainer);
        if (epsilon == 0 || *stopped) {
            return HISS_OK;
        }
        report->phases++;
        if (!run_phase(w, epsilon, max_bids, counts)) {
            return hiss_fail(err, HISS_EUSER,
                             "wide auction: %lld of %lld rows are still free after %lld bids at epsilon %g; are many "
                             "features equal? Use smaller blocks (assign.block) or a larger assign.wide",
                             (long long)w->nfree, (long long)w->n, (long long)report->lap.iterations, epsilon);
        }
    }
}

/* ---- set-up ---- */

/* Features of sane size have finite scores with unit targets. */
static hiss_status check_rows(const nat_wide *p, hiss_error *err) {
    for (int64_t i = 0; i < p->n * p->d; i++) {
        if (!(fabsf(p->row[i]) <= 1e30f)) {
            return hiss_fail(err, HISS_EUSER,
                             "feature %lld of row %lld is %g: expected finite numbers; have the features diverged?",
                             (long long)(i % p->d), (long long)(i / p->d), (double)p->row[i]);
        }
    }
    return HISS_OK;
}

static hiss_status take_over(wide *w, const int32_t *column_of_row, hiss_error *err) {
    for (int64_t j = 0; j < w->n; j++) {
        w->row_of[j] = FREE;
    }
    for (int32_t i = 0; i < w->n; i++) {
        const int32_t column = column_of_row[i];
        if (column < 0 || column >= w->n || w->row_of[column] != FREE) {
            return hiss_fail(err, HISS_EUSER, "row %d is assigned to column %d: expected a permutation of 0 to %lld",
                             (int)i, (int)column, (long long)(w->n - 1));
        }
        w->row_of[column] = i;
        w->column_of[i] = column;
    }
    return HISS_OK;
}

static void allocate(wide *w) {
    const int64_t n = w->n, m = w->m;
    w->bytes = hiss_new(int64_t, w->P + 1);
    w->price = hiss_new(double, n);
    w->profit = hiss_new(double, n);
    w->held = hiss_new(double, n);
    w->mine = hiss_new(double, m);
    w->row_of = hiss_new(int32_t, n);
    w->column_of = hiss_new(int32_t, n);
    w->list_column = hiss_new(int32_t, m * w->width);
    w->list_score = hiss_new(float, m * w->width);
    w->bar = hiss_new(double, m);
    w->free = hiss_new(int32_t, n);
    w->prior = hiss_new(int32_t, n);
    w->bids = hiss_new(hiss_bid, n);
    w->own = hiss_new(hiss_bid, m);
    w->stale = hiss_new(int32_t, m);
    w->threads = hiss_new(scratch, w->p->e->threads);
    for (int t = 0; t < w->p->e->threads; t++) {
        const int64_t group = HISS_LAP_GROUP * NAT_CHUNK, tile = TILE * w->padded;
        w->threads[t] = (scratch){.score = hiss_new(float, group > tile ? group : tile),
                                  .select = hiss_alloc((size_t)hiss_lap_select_work_bytes(n, w->width)),
                                  .list_score = hiss_new(float, TILE * w->width),
                                  .list_column = hiss_new(int32_t, TILE * w->width)};
    }
    for (int64_t i = 0; i < m; i++) {
        w->bar[i] = INFINITY;
    }
}

static void release(wide *w) {
    for (int t = 0; t < w->p->e->threads; t++) {
        hiss_free(w->threads[t].score);
        hiss_free(w->threads[t].select);
        hiss_free(w->threads[t].list_score);
        hiss_free(w->threads[t].list_column);
    }
    void *const arrays[] = {w->bytes,     w->price,       w->profit,     w->held,   w->mine, w->row_of,
                            w->column_of, w->list_column, w->list_score, w->bar,    w->free, w->prior,
                            w->bids,      w->own,         w->stale,      w->threads};
    for (int k = 0; k < HISS_COUNT(arrays); k++) {
        hiss_free(arrays[k]);
    }
    hiss_free(w->offsets);
}

hiss_status nat_wide_solve(const nat_wide *problem, const hiss_auction_options *options, int32_t *column_of_row,
                           double *price, nat_wide_report *report, bool *stopped, hiss_error *err) {
    const int rank = hiss_comm_rank(problem->comm);
    assert(problem->n >= 1 && problem->n <= 1 << 24);
    wide w = {.p = problem, .P = hiss_comm_size(problem->comm), .n = problem->n, .d = problem->d, .report = report};
    *report = (nat_wide_report){0};
    *stopped = false;
    w.padded = nat_padded(w.n);
    w.width = problem->width < 2 ? 2 : problem->width;
    w.width = w.width < w.n ? w.width : w.n;
    w.offsets = hiss_new(int64_t, w.P + 1);
    hiss_partition(w.n, w.P, w.offsets);
    w.first = w.offsets[rank];
    w.m = w.offsets[rank + 1] - w.first;
    allocate(&w);
    int64_t *counts = hiss_new(int64_t, w.P + 1);
    hiss_status s = check_rows(problem, err);
    s = s == HISS_OK ? take_over(&w, column_of_row, err) : s;
    if (s == HISS_OK) {
        const double start = hiss_seconds();
        start_prices(&w);
        report->start = hiss_seconds() - start;
        s = run(&w, options, counts, stopped, err);
    }
    if (s == HISS_OK && !*stopped) {
        if (report->lap.total > report->lap.before) {
            memcpy(column_of_row, w.column_of, sizeof(int32_t) * (size_t)w.n);
        } else {
            report->lap.total = report->lap.before;
        }
        if (price) {
            memcpy(price, w.price, sizeof(double) * (size_t)w.n);
        }
    }
    hiss_free(counts);
    release(&w);
    return s;
}

/* This rank's part of a block's prices. */
static void keep_prices(const nat *n, int64_t size, const int64_t *number, double *price, nat_prices *out) {
    const int rank = hiss_comm_rank(n->placement->comm), P = hiss_comm_size(n->placement->comm);
    int64_t *part = hiss_new(int64_t, P + 1);
    hiss_partition(size, P, part);
    nat_align(size, price);
    for (int64_t t = part[rank]; t < part[rank + 1]; t++) {
        out->number[out->count] = number[t];
        out->price[out->count++] = price[t];
    }
    hiss_free(part);
}

static hiss_status wide_block(nat *n, const hiss_epoch *e, const nat_order *order, int64_t begin, int64_t size,
                              const float *features, nat_wide_report *report, nat_prices *prices, bool *stopped,
                              hiss_error *err) {
    const int64_t d = n->options->dim;
    float *row = hiss_new(float, size *d), *panels = hiss_new(float, nat_padded(size) * d),
          *vector = hiss_new(float, d);
    int64_t *number = hiss_new(int64_t, size);
    int32_t *column = hiss_new(int32_t, size);
    double *price = hiss_new(double, size);
    nat_gather_places(n, order, begin, size, d * (int64_t)sizeof *row, features, row);
    nat_gather_places(n, order, begin, size, sizeof *number, n->assign, number);
    for (int64_t t = 0; t < size; t++) {
        nat_target(n, number[t], vector);
        nat_pack(d, t, vector, panels);
        column[t] = (int32_t)t;
    }
    const nat_wide problem = {n->placement->comm, e, size, d, row, panels, 128};
    const hiss_status s =
        nat_wide_solve(&problem, &(hiss_auction_options){.gap = n->options->gap}, column, price, report, stopped, err);
    for (int64_t t = 0; t < size && s == HISS_OK && !*stopped; t++) {
        const int64_t i = nat_sample_at(order, begin + t) - n->first_sample;
        if (i >= 0 && i < n->local_samples) {
            n->assign[i] = number[column[t]];
        }
    }
    if (s == HISS_OK && !*stopped) {
        keep_prices(n, size, number, price, prices);
    }
    hiss_free(row);
    hiss_free(panels);
    hiss_free(vector);
    hiss_free(number);
    hiss_free(column);
    hiss_free(price);
    return s;
}

hiss_status nat_wide_round(nat *n, const hiss_epoch *e, const nat_order *order, const float *features, double mean[3],
                           nat_prices *prices, bool *stopped, hiss_error *err) {
    const int64_t samples = n->placement->samples, blocks = (samples + n->dataset_block - 1) / n->dataset_block;
    int64_t *offsets = hiss_new(int64_t, blocks + 1);
    hiss_partition(samples, blocks, offsets);
    hiss_status s = HISS_OK;
    mean[0] = mean[1] = 0.0;
    prices->count = 0;
    for (int64_t b = 0; b < blocks && s == HISS_OK && !*stopped; b++) {
        nat_wide_report report;
        s = wide_block(n, e, order, offsets[b], offsets[b + 1] - offsets[b], features, &report, prices, stopped, err);
        mean[0] += report.lap.before / (double)samples;
        mean[1] += report.lap.total / (double)samples;
        mean[2] = blocks == 1 ? report.lap.dual / (double)samples : NAN;
    }
    hiss_free(offsets);
    return s;
}
