/* The global permutation step of NAT, and the check of its invariant; the steps are listed in nat.c. */
#include <math.h>
#include <stdlib.h>

#include "hiss/clock.h"
#include "objective/nat/nat.h"

void nat_unit(int64_t d, float *v) {
    double sum = 0.0;
    for (int64_t j = 0; j < d; j++) {
        sum += (double)v[j] * (double)v[j];
    }
    const float scale = (float)(1.0 / sqrt(sum > 0.0 ? sum : 1.0));
    for (int64_t j = 0; j < d; j++) {
        v[j] *= scale;
    }
}

void nat_target(const nat *n, int64_t k, float *out) {
    hiss_rng rng = hiss_rng_keyed(n->world->seed, HISS_FOR_TARGETS, 0, k);
    hiss_rng_normals(&rng, n->options->dim, out);
    nat_unit(n->options->dim, out);
}

static hiss_status solve_block(void *user, int64_t block, int64_t size, float *matrix, int32_t *answer,
                               hiss_error *err) {
    (void)block;
    nat *n = user;
    return n->solver->solve(&(hiss_lap){size, matrix, size}, answer, NULL, NULL, n->work, NULL, err);
}

/* Step 1: the target numbers of the step's samples, on every rank, lane by lane. */
static void share_numbers(nat *n, const hiss_exchange *x) {
    const int64_t m = n->world->m;
    for (int64_t l = 0; l < n->local_lanes; l++) {
        for (int64_t i = 0; i < m; i++) {
            n->samples[l * m + i] = x->batches[l].sample[i];
            n->mine[l * m + i] = n->assign[x->batches[l].sample[i] - n->first_sample];
        }
    }
    hiss_comm_allgather(n->world->comm, n->mine, n->byte_offsets, n->numbers);
}

/* Which lanes stand together this step: lane_order of hiss_coordinator_run. */
static void draw_blocks(nat *n, int64_t step) {
    hiss_permutation p = hiss_permutation_keyed(n->world->seed, HISS_FOR_BLOCKS, step, 0, n->world->lanes);
    for (int64_t l = 0; l < n->world->lanes; l++) {
        n->order[l] = hiss_permutation_at(&p, l);
    }
}

/* Step 2: the rows of scores of this rank's lanes, block by block, so that a block's targets are made once. */
static void score(nat *n, const hiss_exchange *x) {
    const hiss_world *w = n->world;
    const int64_t m = w->m, N = n->block, d = n->options->dim;
    for (int64_t first = 0; first < w->lanes; first += n->block_lanes) {
        bool made = false;
        for (int64_t j = 0; j < n->block_lanes; j++) {
            const int64_t lane = n->order[first + j], local = lane - w->first_lane;
            if (lane < w->first_lane || lane >= w->end_lane) {
                continue;
            }
            for (int64_t t = 0; !made && t < N; t++) {
                nat_target(n, n->numbers[n->order[first + t / m] * m + t % m], n->vectors + t * d);
            }
            made = true;
            w->kernels->gemm(false, true, m, N, d, 1.0f, x->exports[0][local], d, n->vectors, d, 0.0f, n->rows[local],
                             N);
        }
    }
}

/* The mean cosine of each lane's samples with the targets they come with. */
static void note_before(nat *n) {
    const hiss_world *w = n->world;
    for (int64_t at = 0; at < w->lanes; at++) {
        const int64_t local = n->order[at] - w->first_lane, row = at % n->block_lanes * w->m;
        double before = 0.0;
        for (int64_t i = 0; i < w->m && local >= 0 && local < n->local_lanes; i++) {
            before += (double)n->rows[local][i * n->block + row + i];
        }
        if (local >= 0 && local < n->local_lanes) {
            n->before[local] = (float)(before / (double)w->m);
        }
    }
}

/* Step 4: columns become target numbers. */
static void apply(nat *n) {
    const hiss_world *w = n->world;
    const int64_t m = w->m;
    for (int64_t at = 0; at < w->lanes; at++) {
        const int64_t lane = n->order[at], local = lane - w->first_lane;
        if (lane < w->first_lane || lane >= w->end_lane) {
            continue;
        }
        const int64_t first = at / n->block_lanes * n->block_lanes, row = (at - first) * m;
        int64_t changed = 0;
        for (int64_t i = 0; i < m; i++) {
            const int64_t column = n->answers[local][i];
            changed += column != row + i;
            n->assign[n->samples[local * m + i] - n->first_sample] =
                n->numbers[n->order[first + column / m] * m + column % m];
        }
        n->changed[local] = (float)changed / (float)m;
    }
}

void nat_solve(nat *n) {
    const double start = hiss_seconds();
    hiss_coordinator_solve(n->coordinator, solve_block, n);
    n->solved = hiss_seconds() - start;
}

hiss_status nat_settle(void *self, hiss_error *err) {
    nat *n = self;
    if (!n->pending) {
        return HISS_OK;
    }
    n->pending = false;
    if (n->thread) {
        nat_thread_wait(n->thread);
    }
    n->seconds[2] += n->solved;
    const double start = hiss_seconds();
    hiss_status s = hiss_coordinator_scatter(n->coordinator, n->answers, err);
    n->seconds[3] += hiss_seconds() - start;
    if (s == HISS_OK) {
        apply(n);
    }
    return s;
}

hiss_status nat_exchange(void *self, int phase, const hiss_exchange *x, hiss_error *err) {
    (void)phase;
    nat *n = self;
    hiss_status s = nat_settle(n, err); /* async: of the step before */
    if (s != HISS_OK) {
        return s;
    }
    const double start = hiss_seconds();
    share_numbers(n, x);
    draw_blocks(n, x->step);
    score(n, x);
    note_before(n);
    const double scored = hiss_seconds();
    hiss_coordinator_gather(n->coordinator, n->order, (const float *const *)n->rows);
    n->seconds[0] += scored - start;
    n->seconds[1] += hiss_seconds() - scored;
    n->pending = true;
    if (n->thread) {
        nat_thread_start(n->thread);
        return HISS_OK;
    }
    nat_solve(n);
    return nat_settle(n, err);
}

static int ascending(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* By sorting: K may be far larger than memory. */
hiss_status nat_verify(void *self, hiss_error *err) {
    nat *n = self;
    const hiss_world *w = n->world;
    const int P = hiss_comm_size(w->comm);
    int64_t *offsets = hiss_new(int64_t, P + 1);
    for (int r = 0; r <= P; r++) {
        offsets[r] = w->shards[w->lane_offsets[r]] * (int64_t)sizeof(int64_t);
    }
    const int64_t count = hiss_comm_rank(w->comm) == 0 ? w->samples : 0;
    int64_t *all = hiss_new(int64_t, count);
    hiss_comm_gather(w->comm, n->assign, offsets, all, 0);
    qsort(all, (size_t)count, sizeof *all, ascending);
    hiss_status s = HISS_OK;
    for (int64_t i = 0; i < count && s == HISS_OK; i++) {
        if (all[i] < 0 || all[i] >= n->targets || (i > 0 && all[i] == all[i - 1])) {
            s = hiss_fail(err, HISS_EINTERNAL, "nat: the assignment is broken: target %lld of %lld %s",
                          (long long)all[i], (long long)n->targets,
                          i > 0 && all[i] == all[i - 1] ? "belongs to two samples" : "does not exist");
        }
    }
    hiss_free(all);
    hiss_free(offsets);
    return hiss_comm_agree(w->comm, s, err);
}
