/* The global permutation step of NAT, and the check of its invariant; the steps are listed in nat.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* Step 1: the target numbers of the step's samples, on every rank, lane by lane; those of others are for blocks of
 * several lanes. */
static void share_numbers(nat *n, const hiss_exchange *x) {
    const hiss_world *w = n->world;
    for (int64_t l = 0; l < n->local_lanes; l++) {
        for (int64_t i = 0; i < w->m; i++) {
            n->samples[l * w->m + i] = x->batches[l].sample[i];
            n->mine[l * w->m + i] = n->assign[x->batches[l].sample[i] - n->first_sample];
        }
    }
    if (n->block_lanes > 1) {
        hiss_comm_allgather(w->comm, n->mine, n->byte_offsets, n->numbers);
    } else {
        memcpy(n->numbers + w->first_lane * w->m, n->mine, sizeof(int64_t) * (size_t)(n->local_lanes * w->m));
    }
}

/* Which lanes stand together this step. Lanes of a block run one after another, the same block first on all ranks. */
static void draw_blocks(nat *n, const hiss_exchange *x) {
    const hiss_world *w = n->world;
    const hiss_permutation p = hiss_permutation_keyed(w->seed, HISS_FOR_BLOCKS, x->step, 0, w->lanes);
    const bool several = n->block_lanes > 1 && n->block_lanes < w->lanes;
    for (int64_t at = 0, count = 0; at < w->lanes; at++) {
        n->order[at] = hiss_permutation_at(&p, at);
        const int64_t local = n->order[at] - w->first_lane;
        if (local >= 0 && local < n->local_lanes) {
            n->place[local] = at;
            if (several) {
                x->order[count++] = local;
            }
        }
    }
}

static hiss_status begin(void *self, int phase, const hiss_exchange *x, hiss_error *err) {
    (void)phase;
    nat *n = self;
    hiss_status s = nat_settle(n, err); /* async: of the step before */
    if (s != HISS_OK) {
        return s;
    }
    const double sent = hiss_comm_bytes_sent(n->world->comm);
    share_numbers(n, x);
    draw_blocks(n, x);
    nat_targets_start(n->vectors, x->threads);
    nat_blocks_start(n->blocks, x->threads);
    n->costs.bytes += hiss_comm_bytes_sent(n->world->comm) - sent;
    n->costs.steps++;
    n->pending = true;
    return HISS_OK;
}

/* Step 2: a lane's rows of scores, and its mean cosine with the targets it comes with. */
static void arrive(void *self, int thread, int64_t local, const float *const *exports) {
    nat *n = self;
    const hiss_world *w = n->world;
    const int64_t m = w->m, N = n->block, d = n->options->dim;
    const int64_t block = n->place[local] / n->block_lanes, own = n->place[local] % n->block_lanes * m;
    const double start = hiss_seconds();
    float *rows = n->rows[local];
    w->kernels->gemm(false, true, m, N, d, 1.0f, exports[0], d, nat_targets_take(n->vectors, block), d, 0.0f, rows, N);
    nat_targets_release(n->vectors, block);
    double before = 0.0;
    for (int64_t i = 0; i < m; i++) {
        before += (double)rows[i * N + own + i];
    }
    n->before[local] = (float)(before / (double)m);
    pthread_mutex_lock(&n->lock);
    n->costs.score += hiss_seconds() - start;
    pthread_mutex_unlock(&n->lock);
    nat_blocks_arrive(n->blocks, thread, local);
}

static bool ready(void *self, int64_t local) {
    return nat_blocks_ready(((nat *)self)->blocks, local);
}

/* With async the step need not wait for anything. */
static bool progress(void *self) {
    nat *n = self;
    return nat_blocks_progress(n->blocks) && !n->options->async;
}

static bool assist(void *self, int thread) {
    return nat_blocks_assist(((nat *)self)->blocks, thread);
}

/* Step 4: columns become target numbers. */
void nat_apply(nat *n, int64_t local) {
    const int64_t m = n->world->m, at = n->place[local];
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

static hiss_status end(nat *n, hiss_error *err) {
    const double sent = nat_blocks_bytes(n->blocks);
    const hiss_status s = nat_blocks_finish(n->blocks, err);
    n->pending = false;
    n->costs.bytes += nat_blocks_bytes(n->blocks) - sent;
    return s;
}

static hiss_status finish(void *self, hiss_error *err) {
    nat *n = self;
    return n->options->async ? HISS_OK : end(n, err);
}

hiss_status nat_settle(void *self, hiss_error *err) {
    nat *n = self;
    if (!n->pending) {
        return HISS_OK;
    }
    const hiss_status s = end(n, err);
    for (int64_t l = 0; s == HISS_OK && l < n->local_lanes; l++) {
        nat_apply(n, l);
    }
    return s;
}

const hiss_exchange_ops nat_exchange = {
    .begin = begin, .arrive = arrive, .ready = ready, .progress = progress, .assist = assist, .finish = finish};

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
