/* The global permutation step of NAT, by hiss/match.h, and the check of its invariant. */
#include <stdlib.h>
#include <string.h>

#include "objective/nat/nat.h"

/* ---- what hiss/match.h asks for ---- */

/* A lane's rows of scores, and its mean cosine with the targets it comes with. */
static void make_rows(nat *n, const hiss_match_lane *lane) {
    const hiss_placement *p = n->placement;
    const int64_t m = p->m, N = n->block, d = n->options->dim;
    const int64_t own = hiss_match_place(n->match, lane->local) % n->block_lanes * m;
    float *rows = n->rows[lane->local];
    const float *targets = nat_targets_take(n->vectors, lane->block);
    n->task->kernels->gemm(false, true, m, N, d, 1.0f, lane->features, d, targets, d, 0.0f, rows, N);
    nat_targets_release(n->vectors, lane->block);
    double before = 0.0;
    for (int64_t i = 0; i < m; i++) {
        before += (double)rows[i * N + own + i];
    }
    n->before[lane->local] = (float)(before / (double)m);
}

static void *score(void *user, int thread, const hiss_match_lane *lane) {
    nat *n = user;
    if (lane->features) {
        make_rows(n, lane);
    }
    return hiss_match_pack(n->matcher, thread, lane, n->rows[lane->local]);
}

static hiss_status solve(void *user, int thread, const hiss_match_block *block, hiss_match_reply *reply, double *gap,
                         hiss_error *err) {
    return hiss_match_solve(((nat *)user)->matcher, thread, block, reply, gap, err);
}

/* Columns become target numbers. */
static void apply(void *user, int64_t local, const int32_t *columns) {
    nat *n = user;
    const int64_t m = n->placement->m, at = hiss_match_place(n->match, local);
    const int64_t block = at / n->block_lanes, row = at % n->block_lanes * m;
    int64_t changed = 0;
    for (int64_t i = 0; i < m; i++) {
        changed += columns[i] != row + i;
        n->assign[n->samples[local * m + i] - n->first_sample] = hiss_match_number(n->match, block, columns[i]);
    }
    n->changed[local] = (float)changed / (float)m;
}

hiss_status nat_match_create(nat *n, hiss_error *err) {
    const hiss_placement *p = n->placement;
    n->vectors = nat_targets_create(n);
    n->matcher = hiss_match_solver_create(n->solver, &n->lists, n->block, p->m, n->local_lanes);
    const hiss_match_options options = {.comm = p->comm,
                                        .seed = n->task->seed,
                                        .lanes = p->lanes,
                                        .m = p->m,
                                        .block_lanes = n->block_lanes,
                                        .lane_offsets = p->lane_offsets,
                                        .lists = n->lists,
                                        .beside = n->options->async,
                                        .trace = p->trace,
                                        .work = {.user = n, .score = score, .solve = solve, .answered = apply}};
    const hiss_status s = hiss_match_create(&options, &n->match, err);
    if (s == HISS_EUSER) {
        hiss_error_under_key(err, s, "assign.block");
    }
    hiss_match_solver_reserve(n->matcher, p->threads, n->options->async);
    return s;
}

/* ---- what the training loop asks for ---- */

hiss_status nat_begin(void *self, int phase, const hiss_exchange *x, hiss_error *err) {
    (void)phase;
    nat *n = self;
    const int64_t m = n->placement->m;
    const hiss_status s = nat_settle(n, err); /* async: of the step before */
    if (s != HISS_OK) {
        return s;
    }
    for (int64_t i = 0; i < n->local_lanes * m; i++) {
        n->samples[i] = x->batches[i / m].sample[i % m];
        n->numbers[i] = n->assign[n->samples[i] - n->first_sample];
    }
    nat_targets_start(n->vectors);
    hiss_match_start(n->match, x->step, n->placement->threads, n->numbers, x->order);
    n->pending = true;
    return HISS_OK;
}

void nat_arrive(void *self, int thread, int64_t local, const float *const *exports) {
    hiss_match_arrive(((nat *)self)->match, thread, local, exports[0]);
}

bool nat_ready(void *self, int64_t local) {
    return hiss_match_ready(((nat *)self)->match, local);
}

bool nat_together(void *self) {
    const nat *n = self;
    return n->block_lanes == n->placement->lanes && !n->options->async;
}

/* With async the step need not wait for anything. */
bool nat_progress(void *self) {
    nat *n = self;
    return hiss_match_progress(n->match) && !n->options->async;
}

bool nat_assist(void *self, int thread) {
    return hiss_match_assist(((nat *)self)->match, thread);
}

static hiss_status end(nat *n, hiss_error *err) {
    n->pending = false;
    return hiss_match_finish(n->match, err);
}

hiss_status nat_finish(void *self, hiss_error *err) {
    nat *n = self;
    return n->options->async ? HISS_OK : end(n, err);
}

/* assign.async: answers take effect at the next step, or before a checkpoint or an epoch's end, whichever comes first:
 * never "when they are ready". No sample is seen twice in between, so the assignment stays injective and a checkpoint
 * needs no memory of what was pending. */
hiss_status nat_settle(void *self, hiss_error *err) {
    nat *n = self;
    if (!n->pending) {
        return HISS_OK;
    }
    const hiss_status s = end(n, err);
    for (int64_t l = 0; s == HISS_OK && l < n->local_lanes; l++) {
        apply(n, l, hiss_match_columns(n->match, l));
    }
    return s;
}

static int ascending(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* By sorting: K may be far larger than memory. */
hiss_status nat_verify(void *self, hiss_error *err) {
    nat *n = self;
    const hiss_placement *p = n->placement;
    const int P = hiss_comm_size(p->comm);
    int64_t *offsets = hiss_new(int64_t, P + 1);
    for (int r = 0; r <= P; r++) {
        offsets[r] = p->shards[p->lane_offsets[r]] * (int64_t)sizeof(int64_t);
    }
    const int64_t count = hiss_comm_rank(p->comm) == 0 ? p->samples : 0;
    int64_t *all = hiss_new(int64_t, count);
    hiss_comm_gather(p->comm, n->assign, offsets, all, 0);
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
    return hiss_comm_agree(p->comm, s, err);
}
