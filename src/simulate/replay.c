/* The training loop's order of things without its arithmetic: phase.c of train with sleeps for graphs, the real
 * reducer, the real exchange (hiss/match.h) and collectives. What takes the processor's time in a real rank is slept:
 * operations after which the reducer and the exchange get their turn, the optimiser, targets, scores, lists and solves.
 * Additions are done by the reducer itself.
 *
 * Lanes are computed `threads` at once, in waves; between operations messages are moved and one piece of the exchange's
 * work is done. A rank with nothing else to do waits for a message of the exchange. A block is solved in the time that
 * one thread takes; lists are cut by as many as have lanes.
 * Sleeps are as exact as the clock allows: what one oversleeps the next ones sleep less, which matters on a real
 * machine only. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hiss/clock.h"
#include "hiss/config.h"
#include "hiss/match.h"
#include "hiss/rng.h"
#include "hiss/simulate.h"
#include "simulate/permutation_impl.h"

static const double shortest_sleep = 1e-4; /* shorter ones are collected */

typedef struct replay {
    hiss_comm *comm;
    const hiss_costs *costs;
    const hiss_replay *options;
    int64_t first, end; /* own lanes */
    int64_t *lane_offsets;
    hiss_reducer *reducer;
    hiss_wire *wire; /* [buckets] */
    float *model;
    bool *used;    /* [buckets] scratch */
    double credit; /* seconds to sleep, less what was overslept */
    double slower; /* factor on computing in this step */
    int64_t step;
    double sent, wait;      /* sums over steps */
    hiss_replay_times part; /* sums over steps of what concerns the exchange */
    /* of the exchange */
    int64_t block, block_lanes, ahead;
    hiss_match *match;
    int64_t *numbers, *order, *wave; /* [own * m]; [own]; [threads] lanes computed at once */
    bool *started;                   /* [own] */
    int64_t made;                    /* the block whose targets were made last */
    double at_once;                  /* threads that compute what is slept next */
    float *words;                    /* what every lane sends */
} replay;

/* ---- time ---- */

static void spend(replay *r, double seconds) {
    r->credit += r->options->communication ? 0.0 : seconds * r->slower;
    if (r->credit >= shortest_sleep) {
        const double before = hiss_seconds();
        const time_t whole = (time_t)r->credit;
        const struct timespec pause = {.tv_sec = whole, .tv_nsec = (long)(1e9 * (r->credit - (double)whole))};
        nanosleep(&pause, NULL);
        r->credit -= hiss_seconds() - before;
    }
}

static void update(void *user, int64_t begin, int64_t end, const float *sum) {
    replay *r = user;
    (void)sum;
    spend(r, r->costs->update * (double)(end - begin));
}

static double slowest(replay *r, double seconds) {
    return 1e-9 * (double)hiss_comm_max_i64(r->comm, (int64_t)(1e9 * seconds));
}

/* ---- lanes ---- */

static void further_exchange(replay *r) {
    hiss_match_progress(r->match);
    hiss_match_assist(r->match, 0);
}

static void compute(replay *r, double seconds, bool exchanging) {
    spend(r, seconds);
    hiss_reducer_progress(r->reducer);
    if (exchanging) {
        further_exchange(r);
    }
}

static void hand_over(replay *r, const hiss_phase_cost *phase, int node, int64_t count) {
    for (int b = 0; b < r->costs->buckets; b++) {
        for (int64_t k = 0; k < count && phase->final[b] == node; k++) {
            hiss_reducer_done(r->reducer, r->first + r->wave[k], b);
        }
    }
}

static void to_cut(replay *r, const hiss_phase_cost *phase, bool exchanging) {
    spend(r, r->costs->augment);
    for (int k = 0; k < phase->cut; k++) {
        compute(r, phase->nodes[k].forward, exchanging);
    }
}

/* The lanes wave[0 .. count-1]. */
static void from_cut(replay *r, const hiss_phase_cost *phase, int64_t count, bool exchanging) {
    spend(r, r->costs->supply);
    for (int k = phase->cut; k < phase->nnodes; k++) {
        compute(r, phase->nodes[k].forward, exchanging);
    }
    for (int64_t k = 0; k < count; k++) {
        hiss_reducer_lane(r->reducer, r->first + r->wave[k]);
    }
    hand_over(r, phase, phase->nnodes, count);
    for (int k = phase->nnodes - 1; k >= 0; k--) {
        spend(r, phase->nodes[k].backward);
        hand_over(r, phase, k, count);
        compute(r, 0.0, exchanging);
    }
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void run_lanes(replay *r, const hiss_phase_cost *phase) {
    const int64_t own = r->end - r->first;
    for (int64_t l = 0; l < own; l += r->costs->threads) {
        const int64_t count = smaller(r->costs->threads, own - l);
        for (int64_t k = 0; k < count; k++) {
            r->wave[k] = l + k;
        }
        to_cut(r, phase, false);
        from_cut(r, phase, count, false);
    }
}

/* ---- the exchange ---- */

/* What hiss/match.h asks of a lane. A block's targets are made once on each rank that has a lane in it, by all threads
 * that bring lanes. */
static void *score(void *user, int thread, const hiss_match_lane *lane) {
    replay *r = user;
    const hiss_costs *c = r->costs;
    const double targets = lane->features && lane->block != r->made ? (double)r->block * c->target : 0.0;
    const double each = (lane->features ? c->score : 0.0) + (lane->sends == HISS_MATCH_MAXIMA ? c->maxima : 0.0) +
                        (lane->sends == HISS_MATCH_LISTS ? c->list : 0.0);
    (void)thread;
    r->made = lane->features ? lane->block : r->made;
    spend(r, (targets + (double)(c->samples * r->block) * each) / r->at_once);
    return r->words;
}

/* How often lists are sent is as the costs say. */
static hiss_status solve(void *user, int thread, const hiss_match_block *block, hiss_match_reply *reply, double *gap,
                         hiss_error *err) {
    replay *r = user;
    (void)thread;
    (void)gap;
    (void)err;
    *reply = HISS_MATCH_COLUMNS;
    if (block->sent == HISS_MATCH_MAXIMA) {
        *reply = HISS_MATCH_PRICES;
    } else if (block->sent == HISS_MATCH_SCORES) {
        spend(r, hiss_costs_solve(r->costs, r->block));
    } else {
        spend(r, hiss_costs_solve_lists(r->costs, r->block));
        *reply = block->lists >= hiss_costs_list_times(r->costs, r->block) ? HISS_MATCH_COLUMNS
                 : block->lists < HISS_MATCH_TRIES                         ? HISS_MATCH_PRICES
                                                                           : HISS_MATCH_MORE;
    }
    return HISS_OK;
}

/* Lanes that may go on become the wave; returns how many. As in training, the lowest first, and so few before earlier
 * ones that the reducer has vectors for them. */
static int64_t pick(replay *r) {
    const int64_t own = r->end - r->first;
    int64_t lowest = 0, count = 0;
    while (lowest < own && r->started[lowest]) {
        lowest++;
    }
    for (int64_t l = lowest; l < own && l <= lowest + r->ahead && count < r->costs->threads; l++) {
        if (!r->started[l] && hiss_match_ready(r->match, l)) {
            r->wave[count++] = l;
        }
    }
    for (int64_t k = 0; k < count; k++) {
        r->started[r->wave[k]] = true;
    }
    return count;
}

static bool all_started(const replay *r) {
    bool all = true;
    for (int64_t l = 0; l < r->end - r->first; l++) {
        all = all && r->started[l];
    }
    return all;
}

/* Returns whether something of this rank is under way. */
static bool wait_for_exchange(replay *r) {
    bool more = hiss_match_progress(r->match);
    if (more && !hiss_match_assist(r->match, 0)) {
        const double idle = hiss_seconds();
        more = hiss_match_wait(r->match);
        r->part.blocked += hiss_seconds() - idle;
    }
    hiss_reducer_progress(r->reducer);
    return more;
}

/* All lanes to the cut, in the order that suits the exchange; then those that may go on. */
static void run_exchanging_lanes(replay *r, const hiss_phase_cost *phase) {
    const int64_t own = r->end - r->first;
    const bool again = r->costs->repeat > 0.0;
    for (int64_t at = 0; at < own; at += r->costs->threads) {
        const int64_t count = smaller(r->costs->threads, own - at);
        to_cut(r, phase, true);
        r->at_once = (double)count;
        for (int64_t k = 0; k < count; k++) {
            hiss_match_arrive(r->match, 0, r->order[at + k], r->words);
        }
        r->at_once = (double)smaller(r->costs->threads, own);
        further_exchange(r);
        const int64_t ready = r->block_lanes == 1 ? pick(r) : 0; /* of one lane: no need to wait for others */
        if (ready > 0) {
            from_cut(r, phase, ready, true);
        }
    }
    while (!all_started(r)) {
        const int64_t count = pick(r);
        if (count > 0 && again) {
            to_cut(r, phase, true);
        }
        if (count > 0) {
            from_cut(r, phase, count, true);
        } else {
            wait_for_exchange(r);
        }
    }
    while (wait_for_exchange(r)) {
    }
}

static void start_exchange(replay *r) {
    const double start = hiss_seconds();
    for (int64_t l = 0; l < r->end - r->first; l++) {
        r->order[l] = l;
        r->started[l] = false;
    }
    r->made = -1;
    hiss_match_start(r->match, r->step, (int)r->costs->threads, r->numbers, r->order);
    r->part.numbers += hiss_seconds() - start;
}

static hiss_status finish_exchange(replay *r, hiss_error *err) {
    const double start = hiss_seconds();
    const hiss_status s = hiss_match_finish(r->match, err);
    r->part.agree += hiss_seconds() - start;
    return s;
}

/* ---- steps ---- */

static hiss_status run_phase(replay *r, const hiss_phase_cost *phase, bool exchanging, hiss_error *err) {
    if (exchanging) {
        start_exchange(r);
    }
    for (int b = 0; b < r->costs->buckets; b++) {
        r->used[b] = phase->final[b] >= 0;
    }
    hiss_reducer_start(r->reducer, r->used, r->model, update, r);
    if (exchanging) {
        run_exchanging_lanes(r, phase);
    } else {
        run_lanes(r, phase);
    }
    hiss_reducer_finish(r->reducer);
    r->wait += hiss_reducer_last(r->reducer).wait;
    return exchanging ? finish_exchange(r, err) : HISS_OK;
}

static hiss_status run_step(replay *r, bool exchanging, hiss_error *err) {
    hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_EVALUATION, r->step, hiss_comm_rank(r->comm));
    r->slower = 1.0 + r->options->jitter * hiss_rng_uniform(&rng);
    hiss_status s = HISS_OK;
    spend(r, r->costs->load);
    for (int p = 0; p < r->costs->nphases && s == HISS_OK; p++) {
        s = run_phase(r, &r->costs->phases[p], exchanging && p == 0, err);
    }
    r->step++;
    return s;
}

/* Seconds of a step. A real machine has to warm up; in the simulator all steps are alike. */
static hiss_status time_steps(replay *r, bool exchanging, double *seconds, hiss_error *err) {
#ifdef HISS_SIMULATED
    hiss_status s = HISS_OK;
#else
    hiss_status s = run_step(r, exchanging, err);
#endif
    r->wait = 0.0;
    r->part = (hiss_replay_times){0};
    if (exchanging) {
        hiss_match_take_costs(r->match);
    }
    hiss_comm_barrier(r->comm);
    r->sent = -hiss_comm_bytes_sent(r->comm);
    const double start = hiss_seconds();
    for (int64_t k = 0; k < r->options->steps && s == HISS_OK; k++) {
        s = run_step(r, exchanging, err);
    }
    const double end = hiss_seconds();
    r->sent += hiss_comm_bytes_sent(r->comm);
    *seconds = slowest(r, end - start) / (double)r->options->steps;
    return s;
}

/* ---- life ---- */

static hiss_status create_reducer(replay *r, hiss_error *err) {
    const hiss_costs *c = r->costs;
    const int64_t own = r->end - r->first;
    r->ahead = c->exchange_share > 0.0 ? smaller(c->ahead, own - 1) : 0;
    const int64_t count = c->bucket_offsets[c->buckets];
    r->wire = hiss_new(hiss_wire, c->buckets);
    for (int b = 0; b < c->buckets - 1 && r->options->reduce == HISS_REDUCE_TREE; b++) { /* the last has statistics */
        r->wire[b] = (hiss_wire)r->options->wire;
    }
    const hiss_reducer_options options = {.comm = r->comm,
                                          .lanes = r->options->lanes,
                                          .lane_offsets = r->lane_offsets,
                                          .count = count,
                                          .buckets = c->buckets,
                                          .bucket_offsets = c->bucket_offsets,
                                          .threads = (int)c->threads,
                                          .ahead = r->ahead,
                                          .reduce = (hiss_reduce)r->options->reduce,
                                          .wire = r->wire,
                                          .overlap = r->options->overlap,
                                          .group_size = (int)r->options->group};
    r->used = hiss_new(bool, c->buckets);
    r->wave = hiss_new(int64_t, c->threads);
    r->model = calloc((size_t)count, sizeof(float)); /* not hiss_alloc: in the simulator no rank may touch it */
    return r->model ? hiss_reducer_create(&options, &r->reducer, err)
                    : hiss_fail(err, HISS_ESYSTEM, "no memory for %lld floats", (long long)count);
}

static hiss_status create_exchange(replay *r, hiss_error *err) {
    const hiss_costs *c = r->costs;
    const int64_t lanes = r->options->lanes, m = c->samples, own = r->end - r->first;
    const int64_t block = r->options->block && r->options->block < lanes * m ? r->options->block : lanes * m;
    if (block % m != 0 || lanes % (block / m) != 0) {
        return hiss_fail(err, HISS_EUSER, "blocks of %lld samples: expected lanes of %lld that divide the %lld lanes",
                         (long long)block, (long long)m, (long long)lanes);
    }
    r->block = block;
    r->block_lanes = block / m;
    r->order = hiss_new(int64_t, own);
    r->started = hiss_new(bool, own);
    r->numbers = hiss_new(int64_t, own * m);
    const hiss_match_options options = {.comm = r->comm,
                                        .seed = 1,
                                        .lanes = lanes,
                                        .m = m,
                                        .block_lanes = r->block_lanes,
                                        .lane_offsets = r->lane_offsets,
                                        .lists = hiss_match_lists((hiss_match_rows)c->rows, block, m, c->k),
                                        .work = {.user = r, .score = score, .solve = solve}};
    const int64_t lists = options.lists.k > 0 ? hiss_lists_words(&options.lists) : 0;
    r->words = calloc((size_t)(lists > m * block ? lists : m * block), sizeof(float)); /* as the model */
    return r->words ? hiss_match_create(&options, &r->match, err)
                    : hiss_fail(err, HISS_ESYSTEM, "no memory for the scores of a lane");
}

static void destroy(replay *r) {
    hiss_reducer_destroy(r->reducer);
    hiss_free(r->wire);
    hiss_match_destroy(r->match);
    free(r->words);
    free(r->model);
    hiss_free(r->numbers);
    hiss_free(r->started);
    hiss_free(r->order);
    hiss_free(r->wave);
    hiss_free(r->used);
    hiss_free(r->lane_offsets);
}

static void spend_for(void *user, double seconds) {
    spend(user, seconds);
}

static hiss_status permute(replay *r, hiss_replay_times *out, hiss_error *err) {
    const hiss_permutation_cost *c = &r->costs->permutation;
    const int64_t samples = r->options->samples ? r->options->samples : c->samples, lanes = r->options->lanes;
    const int64_t block = r->options->block ? r->options->block : c->block;
    const int size = hiss_comm_size(r->comm);
    if (samples / lanes < r->costs->samples) {
        return hiss_fail(err, HISS_EUSER, "%lld samples are too few for %lld lanes of %lld", (long long)samples,
                         (long long)lanes, (long long)r->costs->samples);
    }
    int64_t *shards = hiss_new(int64_t, lanes + 1), *offsets = hiss_new(int64_t, size + 1);
    hiss_partition(samples, lanes, shards);
    for (int q = 0; q <= size; q++) {
        offsets[q] = shards[r->lane_offsets[q]];
    }
    r->slower = 1.0;
    const replay_permutation p = {.comm = r->comm,
                                  .costs = r->costs,
                                  .samples = samples,
                                  .block = block > 0 && block < samples ? block : samples,
                                  .sample_offsets = offsets,
                                  .spend = spend_for,
                                  .user = r};
    const hiss_status s = simulate_permute(&p, out, err);
    hiss_free(shards);
    hiss_free(offsets);
    return s;
}

static hiss_status measure_exchange(replay *r, hiss_replay_times *out, hiss_error *err) {
    const double steps = (double)r->options->steps;
    const hiss_status s = time_steps(r, true, &out->exchanging, err);
    const hiss_match_costs c = hiss_match_take_costs(r->match);
    out->numbers = slowest(r, r->part.numbers / steps);
    out->score = slowest(r, c.score / steps);
    out->list = slowest(r, c.list / steps);
    out->solve = slowest(r, c.solve / steps);
    out->blocked = slowest(r, r->part.blocked / steps);
    out->agree = slowest(r, r->part.agree / steps);
    out->messages = hiss_comm_sum(r->comm, (double)c.messages / steps);
    out->bytes = hiss_comm_sum(r->comm, (c.bytes + c.shared) / steps);
    return s;
}

static hiss_status measure(replay *r, hiss_replay_times *out, hiss_error *err) {
    const double steps = (double)r->options->steps;
    hiss_status s = time_steps(r, false, &out->step, err);
    out->wait = slowest(r, r->wait / steps);
    out->sent = r->sent / steps;
    out->exchanging = NAN;
    if (s == HISS_OK && r->match) {
        s = measure_exchange(r, out, err);
    }
    out->permutation = NAN;
    return s == HISS_OK && r->costs->permutation.share > 0.0 ? permute(r, out, err) : s;
}

hiss_status hiss_replay_run(hiss_comm *comm, const hiss_costs *costs, const hiss_replay *options,
                            hiss_replay_times *out, hiss_error *err) {
    const int size = hiss_comm_size(comm), rank = hiss_comm_rank(comm);
    replay r = {.comm = comm, .costs = costs, .options = options};
    *out = (hiss_replay_times){0};
    if (options->lanes < size) {
        return hiss_fail(err, HISS_EUSER, "%lld lanes are too few for %d ranks", (long long)options->lanes, size);
    }
    r.lane_offsets = hiss_new(int64_t, size + 1);
    hiss_partition(options->lanes, size, r.lane_offsets);
    r.first = r.lane_offsets[rank];
    r.end = r.lane_offsets[rank + 1];
    hiss_status s = create_reducer(&r, err);
    s = s == HISS_OK && costs->exchange_share > 0.0 ? create_exchange(&r, err) : s;
    s = hiss_comm_agree(comm, s, err);
    s = s == HISS_OK ? measure(&r, out, err) : s;
    destroy(&r);
    return s;
}

/* ---- the link ---- */

enum { LINK_REPEATS = 21 };

static double time_exchange(hiss_comm *comm, int64_t bytes, int repeats) {
    double seconds[LINK_REPEATS];
    const int rank = hiss_comm_rank(comm);
    const int64_t out[3] = {0, rank ? bytes : 0, bytes}; /* all to the other one, and from it */
    char *from = hiss_alloc((size_t)bytes), *to = hiss_alloc((size_t)bytes);
    for (int k = -2; k < repeats; k++) {
        hiss_comm_barrier(comm);
        const double start = hiss_seconds();
        hiss_comm_alltoallv(comm, from, out, to, out);
        seconds[k < 0 ? 0 : k] = hiss_seconds() - start;
    }
    hiss_free(from);
    hiss_free(to);
    return hiss_median(seconds, repeats);
}

void hiss_replay_link(hiss_comm *comm, double *latency, double *bandwidth) {
    enum { SHORT = 8, LONG = 1 << 28 }; /* longer than caches */
    assert(hiss_comm_size(comm) == 2);
    *latency = time_exchange(comm, SHORT, LINK_REPEATS);
    *bandwidth = 2.0 * LONG / time_exchange(comm, LONG, 5);
}
