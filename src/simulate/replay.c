/* The training loop's order of things without its arithmetic: phase.c of train with sleeps for graphs, the real
 * reducer, coordinators and collectives. What takes the processor's time in a real rank is slept: operations after
 * which the reducer gets its turn, the optimiser, targets, scores and solves. Additions are done by the reducer itself.
 *
 * Lanes are computed `threads` at once, in waves; thread 0 progresses the reduction after each of its operations.
 * Sleeps are as exact as the clock allows: what one oversleeps the next ones sleep less, which matters on a real
 * machine only. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hiss/clock.h"
#include "hiss/config.h"
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
    float *model;
    bool *used;    /* [buckets] scratch */
    double credit; /* seconds to sleep, less what was overslept */
    double slower; /* factor on computing in this step */
    int64_t step;
    double sent, wait, part[5]; /* sums over steps; part: numbers, score, gather, solve, scatter */
    /* of the exchange */
    int64_t block, block_lanes;
    hiss_coordinator *coordinator;
    int64_t *order, *mine, *numbers, *byte_offsets;
    float *row; /* [m, block] scores, of every lane */
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

static int64_t wave_end(const replay *r, int64_t lane) {
    return lane + r->costs->threads < r->end ? lane + r->costs->threads : r->end;
}

static void compute(replay *r, double seconds) {
    spend(r, seconds);
    hiss_reducer_progress(r->reducer);
}

static void hand_over(replay *r, const hiss_phase_cost *phase, int node, int64_t lane, int64_t end) {
    for (int b = 0; b < r->costs->buckets; b++) {
        for (int64_t l = lane; l < end && phase->final[b] == node; l++) {
            hiss_reducer_done(r->reducer, l, b);
        }
    }
}

static void to_cut(replay *r, const hiss_phase_cost *phase) {
    spend(r, r->costs->augment);
    for (int k = 0; k < phase->cut; k++) {
        compute(r, phase->nodes[k].forward);
    }
}

static void from_cut(replay *r, const hiss_phase_cost *phase, int64_t lane, int64_t end) {
    spend(r, r->costs->supply);
    for (int k = phase->cut; k < phase->nnodes; k++) {
        compute(r, phase->nodes[k].forward);
    }
    for (int64_t l = lane; l < end; l++) {
        hiss_reducer_lane(r->reducer, l);
    }
    hand_over(r, phase, phase->nnodes, lane, end);
    for (int k = phase->nnodes - 1; k >= 0; k--) {
        spend(r, phase->nodes[k].backward);
        hand_over(r, phase, k, lane, end);
        hiss_reducer_progress(r->reducer);
    }
}

/* ---- the exchange ---- */

static void draw_blocks(replay *r) {
    const int64_t lanes = r->options->lanes;
    const hiss_permutation p = hiss_permutation_keyed(1, HISS_FOR_BLOCKS, r->step, 0, lanes);
    for (int64_t l = 0; l < lanes; l++) {
        r->order[l] = hiss_permutation_at(&p, l);
    }
}

/* A block's targets are made once on each rank that has a lane in it. */
static double score_seconds(const replay *r) {
    const hiss_costs *c = r->costs;
    double seconds = 0.0;
    for (int64_t first = 0; first < r->options->lanes; first += r->block_lanes) {
        bool made = false;
        for (int64_t at = first; at < first + r->block_lanes; at++) {
            if (r->order[at] >= r->first && r->order[at] < r->end) {
                seconds += (double)r->block * ((made ? 0.0 : c->target) + (double)c->samples * c->score);
                made = true;
            }
        }
    }
    return seconds;
}

/* Whole rows to the coordinators, and their answers. Returns the seconds this rank spent on solving. */
static double match(replay *r) {
    const int64_t m = r->costs->samples, own = r->end - r->first;
    hiss_coordinator *c = r->coordinator;
    double solving = 0.0;
    hiss_coordinator_start(c, r->order);
    const int64_t slots = hiss_coordinator_slots(c);
    for (int64_t l = 0; l < own; l++) {
        hiss_coordinator_send_up(c, l, r->row, m * r->block);
    }
    for (int64_t answered = 0, solved = 0; answered < own || solved < slots;) {
        const hiss_block_event e = hiss_coordinator_wait(c);
        answered += e.kind == HISS_LANE_ANSWERED;
        if (e.kind == HISS_BLOCK_COMPLETE) {
            const double start = hiss_seconds();
            spend(r, hiss_costs_solve(r->costs, r->block));
            solving += hiss_seconds() - start;
            solved++;
            for (int64_t j = 0; j < r->block_lanes; j++) {
                hiss_coordinator_send_down(c, e.index, j, m, false);
            }
        }
    }
    hiss_coordinator_finish(c);
    return solving;
}

static hiss_status exchange(replay *r, double part[5], hiss_error *err) {
    double at[5] = {hiss_seconds()};
    hiss_comm_allgather(r->comm, r->mine, r->byte_offsets, r->numbers);
    at[1] = hiss_seconds();
    draw_blocks(r);
    spend(r, score_seconds(r));
    at[2] = hiss_seconds();
    const double solved = match(r);
    at[3] = hiss_seconds();
    const hiss_status s = hiss_comm_agree(r->comm, HISS_OK, err);
    at[4] = hiss_seconds();
    const double spent[5] = {at[1] - at[0], at[2] - at[1], at[3] - at[2] - solved, solved, at[4] - at[3]};
    for (int k = 0; k < 5; k++) {
        part[k] += spent[k];
    }
    return s;
}

/* ---- steps ---- */

static hiss_status run_phase(replay *r, const hiss_phase_cost *phase, bool exchanging, hiss_error *err) {
    for (int64_t lane = r->first; lane < r->end && exchanging; lane = wave_end(r, lane)) {
        to_cut(r, phase);
    }
    hiss_status s = exchanging ? exchange(r, r->part, err) : HISS_OK;
    if (s != HISS_OK) {
        return s;
    }
    for (int b = 0; b < r->costs->buckets; b++) {
        r->used[b] = phase->final[b] >= 0;
    }
    hiss_reducer_start(r->reducer, r->used, r->model, update, r);
    for (int64_t lane = r->first; lane < r->end; lane = wave_end(r, lane)) {
        if (!exchanging || r->costs->repeat > 0.0) {
            to_cut(r, phase);
        }
        from_cut(r, phase, lane, wave_end(r, lane));
    }
    hiss_reducer_finish(r->reducer);
    r->wait += hiss_reducer_last(r->reducer).wait;
    return HISS_OK;
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
    memset(r->part, 0, sizeof r->part);
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
    const int64_t count = c->bucket_offsets[c->buckets];
    const hiss_reducer_options options = {.comm = r->comm,
                                          .lanes = r->options->lanes,
                                          .lane_offsets = r->lane_offsets,
                                          .count = count,
                                          .buckets = c->buckets,
                                          .bucket_offsets = c->bucket_offsets,
                                          .threads = (int)c->threads,
                                          .reduce = (hiss_reduce)r->options->reduce,
                                          .overlap = r->options->overlap,
                                          .group_size = (int)r->options->group};
    r->used = hiss_new(bool, c->buckets);
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
    const int size = hiss_comm_size(r->comm);
    r->block = block;
    r->block_lanes = block / m;
    r->order = hiss_new(int64_t, lanes);
    r->mine = hiss_new(int64_t, own * m);
    r->numbers = hiss_new(int64_t, lanes * m);
    r->byte_offsets = hiss_new(int64_t, size + 1);
    for (int p = 0; p <= size; p++) {
        r->byte_offsets[p] = r->lane_offsets[p] * m * (int64_t)sizeof(int64_t);
    }
    r->row = calloc((size_t)(m * block), sizeof(float));
    return r->row ? hiss_coordinator_create(r->comm, lanes, r->lane_offsets, r->block_lanes, m * block, m,
                                            &r->coordinator, err)
                  : hiss_fail(err, HISS_ESYSTEM, "no memory for the scores of a lane");
}

static void destroy(replay *r) {
    hiss_reducer_destroy(r->reducer);
    hiss_coordinator_destroy(r->coordinator);
    free(r->row);
    free(r->model);
    hiss_free(r->byte_offsets);
    hiss_free(r->numbers);
    hiss_free(r->mine);
    hiss_free(r->order);
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
    const hiss_status s = replay_permute(&p, out, err);
    hiss_free(shards);
    hiss_free(offsets);
    return s;
}

static hiss_status measure(replay *r, hiss_replay_times *out, hiss_error *err) {
    const double steps = (double)r->options->steps;
    hiss_status s = time_steps(r, false, &out->step, err);
    out->wait = slowest(r, r->wait / steps);
    out->sent = r->sent / steps;
    out->exchanging = NAN;
    if (s == HISS_OK && r->coordinator) {
        s = time_steps(r, true, &out->exchanging, err);
        double *const parts[5] = {&out->numbers, &out->score, &out->gather, &out->solve, &out->scatter};
        for (int k = 0; k < 5; k++) {
            *parts[k] = slowest(r, r->part[k] / steps);
        }
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
        hiss_comm_exchange(comm, from, out, to, out);
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
