/* The permutation over the whole data set (assign.scope: dataset).
 *
 * Before every `every`-th epoch: a feature pass (the mean of `views` augmented views of each sample; before epoch 0
 * perhaps another, first.c), then rounds. A round cuts an order of all n samples into blocks of about `block` samples:
 * every third round a keyed random permutation, the others an order in which near features stand together (grouping.c).
 * Each block's samples and the targets they own are re-matched so that the block's total score is largest. A sample
 * meets other targets in every round, so rounds approach the optimum over all n; the total never falls.
 *
 * Distribution: sample i lives on the rank of its shard; the blocks of a round are dealt to ranks in contiguous ranges.
 * Per round a rank sends each of its samples' features and target number to the rank of its block (one exchange of
 * n (4 d + 8) bytes in all), solves its blocks on its threads, and returns the new numbers (8 n bytes). Both sides know
 * the permutation, so no indices travel: rows arrive ordered by place in the round, per sender. Targets are made where
 * they are needed. Which rank or thread solves a block does not matter to the result.
 *
 * Cost per round: n block d flops of scores and n/block solves of O(block^3) at worst, over all cores; memory per rank
 * n/P (4 d + 8) bytes twice, and per thread one block of scores. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/clock.h"
#include "hiss/log.h"
#include "objective/nat/grouping.h"
#include "objective/nat/nat.h"

typedef struct worker { /* of one thread */
    float *vectors, *score;
    int32_t *column;
    void *work;
    int64_t *number;
    hiss_status status;
    hiss_error error;
} worker;

typedef struct rounds {
    nat *n;
    const hiss_epoch *e;
    int P;
    const nat_order *order;
    int64_t samples, blocks, first_block, end_block;
    int64_t *place_offsets; /* [blocks + 1]: places of the round by block */
    int64_t *block_offsets; /* [P + 1]: blocks by rank */
    float *features;        /* [local samples, d], owned by the caller */
    float *sent, *received; /* rows to and from others, by rank and place */
    int64_t *sent_number, *received_number;
    int64_t *sent_offsets, *received_offsets; /* [P + 1], rows */
    int64_t *byte_sent, *byte_received;       /* [P + 1], scaled for one exchange */
    int64_t *row_of_place;                    /* [local places]: row of received */
    int64_t *sample_of_row;                   /* [local samples]: local sample of each sent row */
    double *before, *after;                   /* [local blocks] totals */
    nat_prices prices;                        /* of the last round, by local place */
    worker *workers;
} rounds;

static int64_t local_places(const rounds *r) {
    return r->place_offsets[r->end_block] - r->place_offsets[r->first_block];
}

static int rank_of_place(const rounds *r, int64_t place) {
    int low = 0, high = r->P - 1;
    while (low < high) { /* the last rank whose places begin at or before place */
        const int middle = (low + high + 1) / 2;
        if (r->place_offsets[r->block_offsets[middle]] <= place) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

typedef struct placed {
    int64_t place, sample;
} placed;

static int by_place(const void *a, const void *b) {
    const int64_t x = ((const placed *)a)->place, y = ((const placed *)b)->place;
    return (x > y) - (x < y);
}

/* Where this round's rows go to and come from: fills offsets, sample_of_row and row_of_place. */
static void route(rounds *r) {
    nat *n = r->n;
    placed *mine = hiss_new(placed, n->local_samples);
    memset(r->sent_offsets, 0, sizeof(int64_t) * (size_t)(r->P + 1));
    memset(r->received_offsets, 0, sizeof(int64_t) * (size_t)(r->P + 1));
    for (int64_t i = 0; i < n->local_samples; i++) {
        mine[i] = (placed){nat_place_of(r->order, n->first_sample + i), i};
        r->sent_offsets[rank_of_place(r, mine[i].place) + 1]++;
    }
    qsort(mine, (size_t)n->local_samples, sizeof *mine, by_place);
    for (int64_t i = 0; i < n->local_samples; i++) {
        r->sample_of_row[i] = mine[i].sample;
    }
    hiss_free(mine);
    const int64_t begin = r->place_offsets[r->first_block], count = local_places(r);
    int64_t *cursor = hiss_new(int64_t, r->P + 1);
    for (int64_t k = 0; k < count; k++) {
        r->row_of_place[k] = nat_rank_of_sample(n, nat_sample_at(r->order, begin + k));
        r->received_offsets[r->row_of_place[k] + 1]++;
    }
    for (int q = 0; q < r->P; q++) {
        r->sent_offsets[q + 1] += r->sent_offsets[q];
        r->received_offsets[q + 1] += r->received_offsets[q];
        cursor[q] = r->received_offsets[q];
    }
    for (int64_t k = 0; k < count; k++) {
        r->row_of_place[k] = cursor[r->row_of_place[k]]++;
    }
    hiss_free(cursor);
}

/* Exchange rows of `size` bytes along the route, there or back. */
static void exchange_rows(rounds *r, bool back, int64_t size, const void *send, void *receive) {
    const int64_t *from = back ? r->received_offsets : r->sent_offsets,
                  *to = back ? r->sent_offsets : r->received_offsets;
    for (int q = 0; q <= r->P; q++) {
        r->byte_sent[q] = from[q] * size;
        r->byte_received[q] = to[q] * size;
    }
    hiss_comm_alltoallv(r->n->placement->comm, send, r->byte_sent, receive, r->byte_received);
}

static void solve_block(void *user, int thread, int64_t item) {
    rounds *r = user;
    nat *n = r->n;
    worker *k = &r->workers[thread];
    const int64_t block = r->first_block + item, d = n->options->dim;
    const int64_t base = r->place_offsets[r->first_block], begin = r->place_offsets[block] - base;
    const int64_t size = r->place_offsets[block + 1] - base - begin;
    if (k->status != HISS_OK) {
        return;
    }
    const double start = hiss_seconds();
    for (int64_t t = 0; t < size; t++) {
        k->number[t] = r->received_number[r->row_of_place[begin + t]];
        nat_target(n, k->number[t], k->vectors + t * d);
        k->column[t] = (int32_t)t;
    }
    /* Rows lie scattered in `received`: each row of scores is one product, whatever the rank count. */
    for (int64_t t = 0; t < size; t++) {
        memcpy(k->score + n->dataset_block * n->dataset_block + t * d, r->received + r->row_of_place[begin + t] * d,
               sizeof(float) * (size_t)d);
    }
    const float *rows = k->score + n->dataset_block * n->dataset_block;
    n->task->kernels->gemm(false, true, size, size, d, 1.0f, rows, d, k->vectors, d, 0.0f, k->score, size);
    hiss_lap_report report = {0};
    double *price = r->prices.price + begin;
    k->status =
        n->solver->solve(&(hiss_lap){size, k->score, size}, k->column, NULL, price, k->work, &report, &k->error);
    hiss_trace_add(n->placement->trace, thread, n->trace_solve, start, hiss_seconds(), block, -1);
    nat_align(size, price);
    memcpy(r->prices.number + begin, k->number, sizeof(int64_t) * (size_t)size);
    r->before[item] = report.before;
    r->after[item] = report.total;
    for (int64_t t = 0; t < size && k->status == HISS_OK; t++) {
        r->received_number[r->row_of_place[begin + t]] = k->number[k->column[t]];
    }
}

/* The mean score over all samples before and after the round: summed over blocks in canonical order. */
static void total(const rounds *r, double out[2]) {
    const int64_t count = r->end_block - r->first_block;
    double *pair = hiss_new(double, 2 * count);
    const double **pointer = hiss_new(const double *, count);
    for (int64_t b = 0; b < count; b++) {
        pair[2 * b] = r->before[b];
        pair[2 * b + 1] = r->after[b];
        pointer[b] = pair + 2 * b;
    }
    hiss_tree_sum(r->n->placement->comm, r->blocks, r->block_offsets, 2, pointer, out);
    out[0] /= (double)r->samples;
    out[1] /= (double)r->samples;
    hiss_free(pair);
    hiss_free(pointer);
}

static hiss_status one_round(rounds *r, double out[2], hiss_error *err) {
    nat *n = r->n;
    const int64_t d = n->options->dim;
    route(r);
    for (int64_t i = 0; i < n->local_samples; i++) {
        memcpy(r->sent + i * d, r->features + r->sample_of_row[i] * d, sizeof(float) * (size_t)d);
        r->sent_number[i] = n->assign[r->sample_of_row[i]];
    }
    exchange_rows(r, false, d * (int64_t)sizeof(float), r->sent, r->received);
    exchange_rows(r, false, sizeof(int64_t), r->sent_number, r->received_number);
    r->e->parallel(r->e->trainer, r->end_block - r->first_block, solve_block, r);
    hiss_status s = HISS_OK;
    for (int t = 0; t < r->e->threads && s == HISS_OK; t++) {
        s = r->workers[t].status;
        if (s != HISS_OK) {
            *err = r->workers[t].error;
        }
    }
    s = hiss_comm_agree(n->placement->comm, s, err);
    if (s != HISS_OK) {
        return s;
    }
    exchange_rows(r, true, sizeof(int64_t), r->received_number, r->sent_number);
    for (int64_t i = 0; i < n->local_samples; i++) {
        n->assign[r->sample_of_row[i]] = r->sent_number[i];
    }
    total(r, out);
    return HISS_OK;
}

/* ---- set-up ---- */

static rounds *create_rounds(nat *n, const hiss_epoch *e, float *features) {
    const hiss_placement *p = n->placement;
    const int64_t d = n->options->dim, N = n->dataset_block;
    rounds *r = hiss_new(rounds, 1);
    *r = (rounds){.n = n, .e = e, .P = hiss_comm_size(p->comm), .samples = p->samples, .features = features};
    r->blocks = (r->samples + N - 1) / N;
    r->place_offsets = hiss_new(int64_t, r->blocks + 1);
    r->block_offsets = hiss_new(int64_t, r->P + 1);
    hiss_partition(r->samples, r->blocks, r->place_offsets);
    hiss_partition(r->blocks, r->P, r->block_offsets);
    r->first_block = r->block_offsets[hiss_comm_rank(p->comm)];
    r->end_block = r->block_offsets[hiss_comm_rank(p->comm) + 1];
    const int64_t places = local_places(r);
    r->sent = hiss_new(float, n->local_samples *d);
    r->received = hiss_new(float, places *d);
    r->sent_number = hiss_new(int64_t, n->local_samples);
    r->received_number = hiss_new(int64_t, places);
    r->sent_offsets = hiss_new(int64_t, r->P + 1);
    r->received_offsets = hiss_new(int64_t, r->P + 1);
    r->byte_sent = hiss_new(int64_t, r->P + 1);
    r->byte_received = hiss_new(int64_t, r->P + 1);
    r->row_of_place = hiss_new(int64_t, places);
    r->sample_of_row = hiss_new(int64_t, n->local_samples);
    r->before = hiss_new(double, r->end_block - r->first_block);
    r->after = hiss_new(double, r->end_block - r->first_block);
    r->prices = (nat_prices){places, hiss_new(int64_t, places), hiss_new(double, places)};
    r->workers = hiss_new(worker, e->threads);
    for (int t = 0; t < e->threads; t++) {
        r->workers[t] = (worker){.vectors = hiss_new(float, N *d),
                                 .score = hiss_new(float, N *N + N * d),
                                 .column = hiss_new(int32_t, N),
                                 .work = hiss_alloc((size_t)n->solver->work_bytes(N)),
                                 .number = hiss_new(int64_t, N)};
    }
    return r;
}

static void destroy_rounds(rounds *r) {
    for (int t = 0; t < r->e->threads; t++) {
        hiss_free(r->workers[t].vectors);
        hiss_free(r->workers[t].score);
        hiss_free(r->workers[t].column);
        hiss_free(r->workers[t].work);
        hiss_free(r->workers[t].number);
    }
    void *const arrays[] = {r->place_offsets, r->block_offsets,   r->sent,         r->received,
                            r->sent_number,   r->received_number, r->sent_offsets, r->received_offsets,
                            r->byte_sent,     r->byte_received,   r->row_of_place, r->sample_of_row,
                            r->before,        r->after,           r->workers,      r->prices.number,
                            r->prices.price};
    for (int k = 0; k < HISS_COUNT(arrays); k++) {
        hiss_free(arrays[k]);
    }
    hiss_free(r);
}

hiss_status nat_mean_views(const nat *n, const hiss_epoch *e, hiss_value value, int64_t floats, float *out,
                           hiss_error *err) {
    const int64_t count = n->local_samples * floats, views = n->options->views;
    float *view = views > 1 ? hiss_new(float, count) : NULL;
    hiss_status s = HISS_OK;
    for (int64_t v = 0; v < views && s == HISS_OK; v++) {
        e->progress(e->trainer, "features", (double)v / (double)views);
        float *rows = v ? view : out;
        s = value == NAT_EMBEDDED ? e->embed(e->trainer, v, rows, err)
                                  : e->features(e->trainer, 0, value, v, rows, err);
        if (v && s == HISS_OK) {
            n->task->kernels->axpby(count, 1.0f, view, 1.0f, out);
        }
    }
    n->task->kernels->axpby(count, 1.0f / (float)views, out, 0.0f, out);
    hiss_free(view);
    return s;
}

static void draw_order(nat *n, const hiss_epoch *e, int64_t number, const float *features, int64_t blocks,
                       nat_order *order) {
    const int64_t samples = n->placement->samples;
    order->grouped = order->near && number % 3 != 0;
    if (order->grouped) {
        int64_t *offsets = hiss_new(int64_t, blocks + 1);
        hiss_partition(samples, blocks, offsets);
        objective_grouping_draw(order->near, features, e->epoch, number, blocks, offsets);
        hiss_free(offsets);
    } else {
        order->random = hiss_permutation_keyed(n->task->seed, HISS_FOR_BLOCKS, e->epoch, 1 + number, samples);
    }
}

/* One round, whoever solves its blocks. */
static hiss_status run_round(nat *n, rounds *r, const hiss_epoch *e, const nat_order *order, const float *features,
                             double mean[3], nat_prices *prices, bool *stopped, hiss_error *err) {
    if (!r) {
        return nat_wide_round(n, e, order, features, mean, prices, stopped, err);
    }
    r->order = order;
    mean[2] = NAN;
    const hiss_status s = one_round(r, mean, err);
    *prices = r->prices;
    return s;
}

static void note_bound(nat *n, const hiss_epoch *e, const float *features, const nat_prices *prices, double proven) {
    n->bound[0] = proven;
    n->bound[1] = 0.0;
    if (isnan(proven) && n->options->bound_rows > 0) {
        nat_slack(n, e, features, prices, n->bound);
        n->bound[0] += n->permuted[1];
    }
    hiss_debug("nat: epoch %lld: mean score %.5f, no permutation exceeds %.5f +- %.5f", (long long)e->epoch,
               n->permuted[1], n->bound[0], n->bound[1]);
}

static hiss_status run_rounds(nat *n, const hiss_epoch *e, float *features, bool *stopped, hiss_error *err) {
    const int64_t blocks = (n->placement->samples + n->dataset_block - 1) / n->dataset_block;
    rounds *r = nat_is_wide(n) ? NULL : create_rounds(n, e, features);
    nat_prices prices = {0}, own = {0};
    nat_order order = {.near = n->options->grouping == NAT_TREE && blocks > 1 ? objective_grouping_create(n) : NULL};
    if (!r) {
        const int64_t room = n->placement->samples / hiss_comm_size(n->placement->comm) + blocks;
        own = prices = (nat_prices){0, hiss_new(int64_t, room), hiss_new(double, room)};
    }
    double mean[3] = {0.0};
    hiss_status s = HISS_OK;
    for (int64_t k = 0; k < n->options->rounds && s == HISS_OK && !*stopped; k++) {
        e->progress(e->trainer, "permuting", (double)k / (double)n->options->rounds);
        const double start = hiss_seconds();
        draw_order(n, e, k, features, blocks, &order);
        s = run_round(n, r, e, &order, features, mean, &prices, stopped, err);
        hiss_trace_add(n->placement->trace, 0, n->trace_round, start, hiss_seconds(), k, -1);
        if (s == HISS_OK && !*stopped) {
            n->permuted[0] = k ? n->permuted[0] : mean[0];
            n->permuted[1] = mean[1];
            hiss_debug("nat: epoch %lld round %lld: mean score %.5f to %.5f", (long long)e->epoch, (long long)k,
                       mean[0], mean[1]);
            if (blocks == 1 || mean[1] - mean[0] < n->options->tolerance) {
                break;
            }
        }
        *stopped = *stopped || e->stop(e->trainer);
    }
    if (s == HISS_OK && !*stopped) {
        note_bound(n, e, features, &prices, mean[2]);
    }
    objective_grouping_destroy(order.near);
    hiss_free(own.number);
    hiss_free(own.price);
    if (r) {
        destroy_rounds(r);
    }
    return s;
}

hiss_status nat_epoch(void *self, const hiss_epoch *e, hiss_error *err) {
    nat *n = self;
    if (n->options->scope != NAT_DATASET || !nat_reassigns(n, e->epoch)) {
        return HISS_OK;
    }
    const double start = hiss_seconds();
    float *features = hiss_new(float, n->local_samples * n->options->dim);
    int64_t *old = hiss_new(int64_t, n->local_samples);
    memcpy(old, n->assign, sizeof(int64_t) * (size_t)n->local_samples);
    bool stopped = false;
    const bool first = e->epoch == 0 && !nat_starts_from_z(n);
    const hiss_value z = n->options->statistics == NAT_RUNNING ? NAT_EMBEDDED : n->z;
    hiss_status s =
        first ? nat_first_features(n, e, features, err) : nat_mean_views(n, e, z, n->options->dim, features, err);
    s = hiss_comm_agree(n->placement->comm, s, err);
    n->permuted[2] = hiss_seconds() - start;
    hiss_trace_add(n->placement->trace, 0, n->trace_features, start, start + n->permuted[2], e->epoch, -1);
    s = s == HISS_OK ? run_rounds(n, e, features, &stopped, err) : s;
    n->permuted[3] = hiss_seconds() - start - n->permuted[2];
    if (stopped || s != HISS_OK) {
        memcpy(n->assign, old, sizeof(int64_t) * (size_t)n->local_samples);
    } else if (e->epoch > 0) { /* the first one matches features of a network that has learnt nothing yet */
        n->matched = n->permuted[1];
    }
    hiss_free(old);
    hiss_free(features);
    return s;
}
