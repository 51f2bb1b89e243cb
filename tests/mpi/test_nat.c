/* NAT's permutation step over ranks: the assignment equals, to the last integer, that of a serial rendering of the same
 * steps which every rank computes for itself; hence it is the same for every number of ranks and every cut of the lanes
 * among them. Failures are common to all ranks, and a failed block keeps its targets. */
#include "mpi_test.h"

#include "../unit/stage.h"
#include "objective/nat/nat.h"

enum { LANES = 12, SAMPLES = 153, M = 4, D = 5 };

/* In every fifth step all are equal. */
static void features_of(int64_t step, int64_t lane, float *z) {
    hiss_rng rng = hiss_rng_keyed(31, HISS_FOR_TESTS, step, lane);
    hiss_rng_normals(&rng, M * D, z);
    for (int64_t i = 0; step % 5 == 4 && i < M * D; i++) {
        z[i] = 1.0f;
    }
    for (int64_t i = 0; i < M; i++) {
        nat_unit(D, z + i * D);
    }
}

/* ---- the serial rendering: one process, all lanes, blocks one after another ---- */

typedef struct serial {
    int64_t assign[SAMPLES];
    float before[LANES], changed[LANES];
    int lists, tries[5]; /* blocks solved by lists; by how many rounds they took, 0: that did not do */
} serial;

/* The optimum by lists as ranks find it, in one place; false: lists did not do. */
static bool serial_lists(serial *r, const hiss_lists *l, const float *score, int32_t *column) {
    const int64_t words = hiss_lists_words(l), parts = l->n / l->m;
    float price[LANES * M], *packed = hiss_new(float, words *parts);
    double dual[LANES * M] = {0.0};
    void *work = hiss_alloc((size_t)(hiss_lists_pack_bytes(l) + hiss_lists_solve_bytes(l)));
    hiss_lap_report report = {0};
    for (int64_t p = 0; p < parts; p++) {
        const hiss_lap_rows rows = {.m = l->m, .n = l->n, .width = l->n, .ld = l->n, .score = score + p * l->m * l->n};
        hiss_lap_add_maxima(&rows, dual, NULL);
    }
    for (int64_t j = 0; j < l->n; j++) {
        price[j] = (float)(dual[j] / (double)parts);
    }
    bool good = false;
    int tries = 0;
    for (; tries < 4 && !good; tries++) {
        for (int64_t p = 0; p < parts; p++) {
            hiss_lists_pack(l, score + p * l->m * l->n, price, column + p * l->m, packed + p * words, work);
        }
        hiss_lists_solve(l, packed, words, price, column, dual, work, &report, NULL);
        good = report.dual - report.total <= 1e-4 * fabs(report.total);
        for (int64_t j = 0; j < l->n; j++) {
            price[j] = (float)dual[j];
        }
    }
    r->lists++;
    r->tries[good ? tries : 0]++;
    hiss_free(packed);
    hiss_free(work);
    return good;
}

static void serial_block(serial *r, const stage *s, int64_t epoch, int64_t step, const int64_t *lane, int64_t group) {
    const nat *n = s->method;
    const int64_t N = group * M;
    int64_t number[LANES * M], sample[LANES * M];
    int32_t column[LANES * M];
    float *target = hiss_new(float, N *D), *score = hiss_new(float, N *N), z[M * D];
    for (int64_t i = 0; i < N; i++) {
        sample[i] = stage_sample_at(s, epoch, step, lane[i / M], i % M);
        number[i] = r->assign[sample[i]];
        column[i] = (int32_t)i;
        nat_target(n, number[i], target + i * D);
    }
    for (int64_t j = 0; j < group; j++) {
        features_of(epoch * s->placement.steps_per_epoch + step, lane[j], z);
        s->task.kernels->gemm(false, true, M, N, D, 1.0f, z, D, target, D, 0.0f, score + j * M * N, N);
    }
    void *work = hiss_alloc((size_t)n->solver->work_bytes(N));
    if (n->lists.k == 0 || !serial_lists(r, &n->lists, score, column)) {
        n->solver->solve(&(hiss_lap){N, score, N}, column, NULL, NULL, work, NULL, NULL);
    }
    for (int64_t j = 0; j < group; j++) {
        double before = 0.0;
        int changed = 0;
        for (int64_t i = j * M; i < (j + 1) * M; i++) {
            before += (double)score[i * N + i];
            changed += column[i] != i;
            r->assign[sample[i]] = number[column[i]];
        }
        r->before[lane[j]] = (float)(before / M);
        r->changed[lane[j]] = (float)changed / M;
    }
    hiss_free(work);
    hiss_free(target);
    hiss_free(score);
}

/* broken: the lane whose block fails, or -1 */
static void serial_step(serial *r, const stage *s, int64_t epoch, int64_t step, int64_t group, int64_t broken) {
    int64_t order[LANES];
    const hiss_permutation p =
        hiss_permutation_keyed(s->task.seed, HISS_FOR_BLOCKS, epoch * s->placement.steps_per_epoch + step, 0, LANES);
    for (int64_t l = 0; l < LANES; l++) {
        order[l] = hiss_permutation_at(&p, l);
    }
    for (int64_t b = 0; b < LANES; b += group) {
        bool fails = false;
        for (int64_t j = b; j < b + group; j++) {
            fails |= order[j] == broken;
        }
        if (!fails) {
            serial_block(r, s, epoch, step, order + b, group);
        }
    }
}

/* ---- over ranks ---- */

static stage_given given_to(hiss_comm *comm) {
    return (stage_given){.seed = 4,
                         .samples = SAMPLES,
                         .stored_H = 2,
                         .stored_W = 2,
                         .C = 1,
                         .lanes = LANES,
                         .m = M,
                         .comm = comm,
                         .kernels = hiss_kernels_blas()};
}

static void check_equal(hiss_comm *comm, const stage *s, const serial *r) {
    const nat *n = s->method;
    for (int64_t i = 0; i < n->local_samples; i++) {
        CHECK(n->assign[i] == r->assign[n->first_sample + i]);
    }
}

/* Exchange and settle. When the solver works beside the step, nothing changes before it is asked for. */
static hiss_status exchange(stage *s, float **z, hiss_error *err) {
    hiss_comm *comm = s->placement.comm;
    const nat *n = s->method;
    int64_t old[SAMPLES];
    memcpy(old, n->assign, sizeof(int64_t) * (size_t)n->local_samples);
    const hiss_status status = stage_exchange(s, 0, (const float *const *)z, err);
    if (!n->options->async) {
        CHECK(s->ops->exchange->settle(s->method, err) == HISS_OK);
        return status;
    }
    CHECK(status == HISS_OK && memcmp(old, n->assign, sizeof(int64_t) * (size_t)n->local_samples) == 0);
    return s->ops->exchange->settle(s->method, err);
}

static void run(hiss_comm *comm, const char *text, int64_t group, bool lists, const int64_t *offsets) {
    stage s;
    hiss_error err = {0};
    CHECK(stage_open(&s, "nat", text, given_to(comm), offsets, &err) == HISS_OK);
    nat *n = s.method;
    CHECK(n->block == group * M);
    serial r = {0};
    const hiss_permutation first = hiss_permutation_keyed(s.task.seed, HISS_FOR_ASSIGNMENT, 0, 0, n->targets);
    for (int64_t i = 0; i < SAMPLES; i++) {
        r.assign[i] = hiss_permutation_at(&first, i);
    }
    check_equal(comm, &s, &r);
    const int64_t lanes = s.placement.end_lane - s.placement.first_lane;
    const bool has_last = lanes > 0 && s.placement.end_lane == LANES;
    float **z = hiss_new(float *, lanes);
    for (int64_t l = 0; l < lanes; l++) {
        z[l] = hiss_new(float, M *D);
    }
    for (int64_t epoch = 0; epoch < 4; epoch++) {
        for (int64_t step = 0; step < s.placement.steps_per_epoch; step++) {
            stage_batches(&s, epoch, step);
            for (int64_t l = 0; l < lanes; l++) {
                features_of(s.step, s.placement.first_lane + l, z[l]);
            }
            if (step == 1) { /* a feature of the last lane is broken: an error for all, and its block stays as it is */
                float *last = has_last ? &z[lanes - 1][0] : NULL;
                const float good = last ? *last : 0.0f;
                if (last) {
                    *last = NAN;
                }
                hiss_error common = {0};
                CHECK(exchange(&s, z, &common) == HISS_EUSER && *common.text);
                CHECK(hiss_comm_equal(comm, common.text, (int64_t)sizeof common.text));
                if (!n->options->async) { /* else nothing is taken over */
                    serial_step(&r, &s, epoch, step, group, LANES - 1);
                }
                check_equal(comm, &s, &r);
                if (last) {
                    *last = good;
                }
            }
            hiss_alloc_seal(s.step > 0);
            CHECK(exchange(&s, z, &err) == HISS_OK);
            hiss_alloc_seal(false);
            serial_step(&r, &s, epoch, step, group, -1);
            check_equal(comm, &s, &r);
            for (int64_t l = 0; l < lanes; l++) {
                CHECK(n->before[l] == r.before[s.placement.first_lane + l]);
                CHECK(n->changed[l] == r.changed[s.placement.first_lane + l]);
            }
        }
        CHECK(s.ops->state->verify(s.method, &err) == HISS_OK);
    }
    CHECK(lists == (r.lists > 0));
    /* one target owned twice, by the last sample of the last rank: every rank learns of it */
    int64_t *last_target = has_last ? &n->assign[n->local_samples - 1] : NULL;
    const int64_t old = last_target ? *last_target : 0;
    if (last_target) {
        *last_target = r.assign[0];
    }
    CHECK(s.ops->state->verify(s.method, &err) == HISS_EINTERNAL && strstr(err.text, "two samples"));
    if (last_target) {
        *last_target = old;
    }
    CHECK(s.ops->state->verify(s.method, &err) == HISS_OK);
    for (int64_t l = 0; l < lanes; l++) {
        hiss_free(z[l]);
    }
    hiss_free(z);
    stage_close(&s);
}

/* A block is answered although lanes of others have not come: nobody waits for them. */
static void check_independence(hiss_comm *comm, const char *text, int64_t group) {
    stage s;
    hiss_error err = {0};
    CHECK(stage_open(&s, "nat", text, given_to(comm), NULL, &err) == HISS_OK);
    const hiss_exchange_ops *ops = s.ops->exchange;
    nat *n = s.method;
    const int64_t lanes = s.placement.end_lane - s.placement.first_lane;
    int64_t order[LANES];
    float z[M * D];
    const float *exports[HISS_MAX_EXPORTS] = {z};
    stage_batches(&s, 0, 0);
    const hiss_exchange x = {.batches = s.batches, .order = order};
    CHECK(ops->begin(n, 0, &x, &err) == HISS_OK);
    for (int64_t block = LANES / group - 1; block >= 0; block--) {
        for (int64_t l = 0; l < lanes; l++) {
            CHECK(l == 0 ||
                  hiss_match_place(n->match, order[l]) / group >= hiss_match_place(n->match, order[l - 1]) / group);
            if (hiss_match_place(n->match, l) / group == block) {
                features_of(0, s.placement.first_lane + l, z);
                ops->arrive(n, 0, l, exports);
            }
        }
        for (int64_t l = 0; l < lanes; l++) {
            while (hiss_match_place(n->match, l) / group == block && !ops->ready(n, l)) {
                ops->progress(n);
                ops->assist(n, 0);
            }
            CHECK(ops->ready(n, l) == (hiss_match_place(n->match, l) / group >= block));
        }
    }
    while (ops->progress(n)) {
        ops->assist(n, 0);
    }
    CHECK(ops->finish(n, &err) == HISS_OK && s.ops->exchange->settle(n, &err) == HISS_OK &&
          s.ops->state->verify(n, &err) == HISS_OK);
    stage_close(&s);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err = {0};
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    static const struct {
        const char *text;
        int64_t group;
        bool lists;
    } cases[] = {{"nat: {dim: 5}\nassign: {block: lane}\n", 1, false},
                 {"nat: {dim: 5}\nassign: {block: 12}\n", 3, false},
                 {"nat: {dim: 5, targets: 1000000}\nassign: {block: 16}\n", 4, false},
                 {"nat: {dim: 5}\nassign: {block: batch}\n", 12, false},
                 {"nat: {dim: 5}\nassign: {block: 24, solver: greedy}\n", 6, false},
                 {"nat: {dim: 5}\nassign: {block: 12, async: true}\n", 3, false},
                 {"nat: {dim: 5}\nassign: {block: 12, rows: topk, k: 3}\n", 3, true},
                 {"nat: {dim: 5}\nassign: {block: 24, rows: topk, k: 6, solver: sparse}\n", 6, true},
                 {"nat: {dim: 5}\nassign: {block: 12, rows: topk, k: 8}\n", 3, true}, /* longer than rows */
                 {"nat: {dim: 5}\nassign: {block: batch, rows: topk}\n", 12, true},
                 {"nat: {dim: 5}\nassign: {block: 16, rows: topk, k: 4, async: true}\n", 4, true}};
    uint64_t key = 1;
    for (int k = 0; k < HISS_COUNT(cases); k++) {
        int64_t offsets[LANES + 1];
        run(comm, cases[k].text, cases[k].group, cases[k].lists, NULL); /* lanes spread evenly */
        draw_offsets(&key, LANES, hiss_comm_size(comm), offsets);
        run(comm, cases[k].text, cases[k].group, cases[k].lists, offsets);
        draw_any_offsets(&key, LANES, hiss_comm_size(comm), offsets); /* some ranks have none */
        run(comm, cases[k].text, cases[k].group, cases[k].lists, offsets);
    }
    check_independence(comm, "nat: {dim: 5}\nassign: {block: 12}\n", 3);
    check_independence(comm, "nat: {dim: 5}\nassign: {block: 16, rows: topk, k: 3}\n", 4);
    check_independence(comm, "nat: {dim: 5}\nassign: {block: 12, async: true}\n", 3);
    stage s; /* an error of options is an error on every rank, before anything collective */
    CHECK(stage_open(&s, "nat", "assign: {block: 20}\n", given_to(comm), NULL, &err) == HISS_EUSER);
    stage_close(&s);
    return finish_test(comm);
}
