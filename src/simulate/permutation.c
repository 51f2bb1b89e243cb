/* Replay of the permutation over the whole data set (assign.scope: dataset): what objective/nat/dataset.c does, with
 * sleeps for arithmetic, the real exchanges, and the messages of a random round.
 *
 * Rounds are alike, and so are the levels of the tree that groups samples: one of each is replayed and counts as many
 * times as there are. Every round sends rows as the rounds with a random order do; in the others, whose order depends
 * on features that are not here, as many rows go to each rank but for chance. The sort of a level is that of the middle
 * one. Each part ends with a barrier, so that it takes what the slowest rank takes. */
#include <math.h>
#include <stdlib.h>

#include "hiss/clock.h"
#include "hiss/rng.h"
#include "simulate/permutation_impl.h"

enum { SCALES = 6 }; /* values that the bound compares for each sample */

typedef struct exchange { /* one round, of this rank */
    int64_t blocks, first_block, end_block;
    int64_t *place_offsets, *block_offsets; /* [blocks + 1], [P + 1] */
    int64_t *sent, *received;               /* [P + 1] rows */
    int64_t *scaled_sent, *scaled_received; /* [P + 1] bytes */
    char *out, *in;                         /* rows */
    double *sums;                           /* [2 * local blocks] */
    const double **sum;
} exchange;

static int64_t own_samples(const replay_permutation *p) {
    const int rank = hiss_comm_rank(p->comm);
    return p->sample_offsets[rank + 1] - p->sample_offsets[rank];
}

static int owner(const int64_t *offsets, int P, int64_t item) {
    int low = 0, high = P - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (offsets[middle] <= item) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

static void spend(const replay_permutation *p, double seconds) {
    p->spend(p->user, seconds);
}

static double compares(double n) {
    return n > 1.0 ? n * log2(n) : 0.0;
}

/* ---- one round ---- */

/* How many rows go to whom: sample to place by a keyed permutation, place to block, block to rank. */
static void route(const replay_permutation *p, exchange *r) {
    const int P = hiss_comm_size(p->comm), rank = hiss_comm_rank(p->comm);
    const hiss_permutation order = hiss_permutation_keyed(1, HISS_FOR_BLOCKS, 0, 1, p->samples);
    int64_t *begin = hiss_new(int64_t, P + 1); /* places by rank */
    for (int q = 0; q <= P; q++) {
        begin[q] = r->place_offsets[r->block_offsets[q]];
    }
    for (int64_t i = p->sample_offsets[rank]; i < p->sample_offsets[rank + 1]; i++) {
        r->sent[owner(begin, P, hiss_permutation_find(&order, i)) + 1]++;
    }
    for (int64_t place = begin[rank]; place < begin[rank + 1]; place++) {
        r->received[owner(p->sample_offsets, P, hiss_permutation_at(&order, place)) + 1]++;
    }
    for (int q = 0; q < P; q++) {
        r->sent[q + 1] += r->sent[q];
        r->received[q + 1] += r->received[q];
    }
    hiss_free(begin);
}

static hiss_status create_round(const replay_permutation *p, exchange *r, hiss_error *err) {
    const int P = hiss_comm_size(p->comm), rank = hiss_comm_rank(p->comm);
    *r = (exchange){.blocks = (p->samples + p->block - 1) / p->block};
    r->place_offsets = hiss_new(int64_t, r->blocks + 1);
    r->block_offsets = hiss_new(int64_t, P + 1);
    hiss_partition(p->samples, r->blocks, r->place_offsets);
    hiss_partition(r->blocks, P, r->block_offsets);
    r->first_block = r->block_offsets[rank];
    r->end_block = r->block_offsets[rank + 1];
    r->sent = hiss_new(int64_t, P + 1);
    r->received = hiss_new(int64_t, P + 1);
    r->scaled_sent = hiss_new(int64_t, P + 1);
    r->scaled_received = hiss_new(int64_t, P + 1);
    route(p, r);
    const int64_t own = r->end_block - r->first_block;
    r->sums = hiss_new(double, 2 * own);
    r->sum = hiss_new(const double *, own);
    for (int64_t b = 0; b < own; b++) {
        r->sum[b] = r->sums + 2 * b;
    }
    /* Not hiss_alloc: in the simulator no rank may touch them. A row is at least as long as a number. */
    const size_t row = sizeof(float) * (size_t)(p->costs->dim > 2 ? p->costs->dim : 2);
    r->out = calloc((size_t)(r->sent[P] + 1), row);
    r->in = calloc((size_t)(r->received[P] + 1), row);
    return r->out && r->in
               ? HISS_OK
               : hiss_fail(err, HISS_ESYSTEM, "no memory for the rows of %lld samples", (long long)r->sent[P]);
}

static void destroy_round(exchange *r) {
    free(r->out);
    free(r->in);
    int64_t *const arrays[] = {r->place_offsets, r->block_offsets, r->sent,
                               r->received,      r->scaled_sent,   r->scaled_received};
    for (int k = 0; k < HISS_COUNT(arrays); k++) {
        hiss_free(arrays[k]);
    }
    hiss_free(r->sums);
    hiss_free(r->sum);
}

static void exchange_rows(const replay_permutation *p, exchange *r, bool back, int64_t bytes) {
    for (int q = 0; q <= hiss_comm_size(p->comm); q++) {
        r->scaled_sent[q] = r->sent[q] * bytes;
        r->scaled_received[q] = r->received[q] * bytes;
    }
    if (back) {
        hiss_comm_alltoallv(p->comm, r->in, r->scaled_received, r->out, r->scaled_sent);
    } else {
        hiss_comm_alltoallv(p->comm, r->out, r->scaled_sent, r->in, r->scaled_received);
    }
}

/* Seconds of this rank's blocks, which its threads share. */
static double match_seconds(const replay_permutation *p, const exchange *r) {
    const hiss_costs *c = p->costs;
    const int64_t own = r->end_block - r->first_block, waves = (own + c->threads - 1) / c->threads;
    const double n = (double)(own ? r->place_offsets[r->first_block + 1] - r->place_offsets[r->first_block] : 0);
    const double d = (double)c->dim;
    return (double)waves *
           (n * c->target + n * n * c->score + n * d * c->permutation.copy + hiss_costs_solve(c, (int64_t)n));
}

/* Returns the seconds that this rank matched. */
static double run_round(const replay_permutation *p, exchange *r, hiss_error *err) {
    const hiss_permutation_cost *c = &p->costs->permutation;
    const double own = (double)own_samples(p), d = (double)p->costs->dim;
    double sum[2];
    spend(p, c->sort * compares(own) + own * d * c->copy);
    exchange_rows(p, r, false, p->costs->dim * (int64_t)sizeof(float));
    exchange_rows(p, r, false, sizeof(int64_t));
    const double start = hiss_seconds();
    spend(p, match_seconds(p, r));
    const double matching = hiss_seconds() - start;
    hiss_comm_agree(p->comm, HISS_OK, err);
    exchange_rows(p, r, true, sizeof(int64_t));
    hiss_tree_sum(p->comm, r->blocks, r->block_offsets, 2, r->sum, sum);
    return matching;
}

/* ---- grouping and bound ---- */

/* One level of the tree; returns how many there are. */
static int run_level(const replay_permutation *p, const exchange *r) {
    const hiss_permutation_cost *c = &p->costs->permutation;
    const int P = hiss_comm_size(p->comm);
    const double n = (double)p->samples;
    int levels = 0;
    for (int64_t nodes = 1; nodes < r->blocks; nodes *= 2) {
        levels++;
    }
    if (levels == 0 || !c->grouped) {
        return 0;
    }
    int64_t *bytes = hiss_new(int64_t, P + 1);
    for (int q = 0; q <= P; q++) {
        bytes[q] = p->sample_offsets[q] * (int64_t)sizeof(float);
    }
    float *mine = hiss_new(float, own_samples(p)), *all = hiss_new(float, p->samples);
    spend(p, (double)own_samples(p) * (double)p->costs->dim * c->project);
    hiss_comm_allgather(p->comm, mine, bytes, all);
    spend(p, c->sort * n * (log2(n) - 0.5 * (levels - 1)));
    hiss_free(mine);
    hiss_free(all);
    hiss_free(bytes);
    return levels;
}

/* A few samples against all targets, which the ranks share; the samples' features go to all, and their maxima. */
static void run_bound(const replay_permutation *p, const exchange *r) {
    const hiss_costs *c = p->costs;
    const int P = hiss_comm_size(p->comm), rank = hiss_comm_rank(p->comm);
    const int64_t rows = c->permutation.bound_rows < p->samples ? c->permutation.bound_rows : p->samples;
    if (rows == 0) {
        return;
    }
    int64_t *bytes = hiss_new(int64_t, P + 1);
    hiss_partition(rows, P, bytes);
    for (int q = 0; q <= P; q++) {
        bytes[q] *= c->dim * (int64_t)sizeof(float);
    }
    char *mine = hiss_new(char, bytes[rank + 1] - bytes[rank] + rows * SCALES * (int64_t)sizeof(double));
    char *all = hiss_new(char, bytes[P] + P * rows * SCALES * (int64_t)sizeof(double));
    hiss_comm_allgather(p->comm, mine, bytes, all);
    const double places = (double)(r->place_offsets[r->end_block] - r->place_offsets[r->first_block]);
    spend(p, places * (c->target + (double)rows * c->permutation.bound) / (double)c->threads);
    for (int q = 0; q <= P; q++) {
        bytes[q] = q * rows * SCALES * (int64_t)sizeof(double);
    }
    hiss_comm_allgather(p->comm, mine, bytes, all);
    hiss_free(mine);
    hiss_free(all);
    hiss_free(bytes);
}

/* ---- all of it ---- */

static double largest(const replay_permutation *p, double seconds) {
    return 1e-9 * (double)hiss_comm_max_i64(p->comm, (int64_t)(1e9 * seconds));
}

/* Seconds since the last call, until the slowest rank is there. */
static double lap(const replay_permutation *p, double *last) {
    hiss_comm_barrier(p->comm);
    const double now = hiss_seconds(), seconds = largest(p, now - *last);
    *last = hiss_seconds();
    return seconds;
}

hiss_status simulate_permute(const replay_permutation *p, hiss_replay_times *out, hiss_error *err) {
    const hiss_permutation_cost *c = &p->costs->permutation;
    exchange r;
    hiss_status s = hiss_comm_agree(p->comm, create_round(p, &r, err), err);
    if (s != HISS_OK) {
        destroy_round(&r);
        return s;
    }
    double last = 0.0;
    lap(p, &last);
    spend(p, (double)c->views * (double)own_samples(p) * c->feature / (double)p->costs->threads);
    out->features = lap(p, &last);
    const int64_t rounds = r.blocks > 1 ? c->rounds : 1, grouped = rounds - (rounds + 2) / 3;
    out->grouping = (double)(grouped * run_level(p, &r));
    out->grouping *= lap(p, &last);
    const double matching = run_round(p, &r, err), one = lap(p, &last);
    out->match = (double)rounds * largest(p, matching);
    out->move = (double)rounds * one - out->match;
    lap(p, &last);
    run_bound(p, &r);
    out->bound = lap(p, &last);
    out->permutation = out->features + out->grouping + out->move + out->match + out->bound;
    destroy_round(&r);
    return HISS_OK;
}
