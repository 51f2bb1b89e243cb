/* Blocks solved over all ranks, and the bound of what a permutation can reach: the answer is, bit for bit, that of the
 * serial auction on the whole matrix, for every number of ranks, of threads, every width of lists and every cut of the
 * lanes; it is within the proven gap of the optimum; the bound is never below the optimum. */
#include "mpi_test.h"

#include "../unit/stage.h"
#include "objective/nat/nat.h"

enum { LANES = 8, SAMPLES = 211, M = 4, D = 6 };

typedef struct loop { /* what the training loop offers, played */
    const stage *s;
    int64_t stop_after, asked;
    int threads;
} loop;

static void parallel(void *trainer, int64_t count, void (*task)(void *user, int thread, int64_t item), void *user) {
    const int threads = ((const loop *)trainer)->threads;
    for (int64_t k = 0; k < count; k++) {
        task(user, (int)(k * 7 % threads), count - 1 - k);
    }
}

static bool stop(void *trainer) {
    loop *l = trainer;
    return l->asked++ == l->stop_after;
}

static void progress(void *trainer, const char *what, double done) {
    (void)trainer;
    (void)what;
    (void)done;
}

static hiss_epoch epoch_of(loop *l) {
    return (hiss_epoch){.trainer = l, .threads = l->threads, .parallel = parallel, .stop = stop, .progress = progress};
}

/* ---- the serial rendering ---- */

/* score[n,n] by the definition of nat_score. */
static void score_all(int64_t n, int64_t d, const float *row, const float *target, float *score) {
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            float sum = 0.0f;
            for (int64_t k = 0; k < d; k++) {
                sum += target[j * d + k] * row[i * d + k];
            }
            score[i * n + j] = sum;
        }
    }
}

static void solve_serially(int64_t n, const float *score, int32_t *column, double *price, hiss_lap_report *report) {
    const hiss_lap_rows rows = {.m = n, .n = n, .width = n, .ld = n, .score = score};
    const hiss_auction_options options = {.jacobi = 1};
    void *work = hiss_alloc((size_t)hiss_auction_work_bytes(n));
    memset(price, 0, sizeof(double) * (size_t)n);
    hiss_lap_add_maxima(&rows, price, NULL);
    for (int64_t j = 0; j < n; j++) {
        price[j] /= (double)hiss_lap_groups(n);
        column[j] = (int32_t)j;
    }
    hiss_auction_solve(&rows, &options, column, price, NULL, work, report, NULL);
    hiss_free(work);
}

static double optimum(int64_t n, const float *score) {
    const hiss_lap_solver *solver = hiss_lap_solver_named("lapjv");
    void *work = hiss_alloc((size_t)solver->work_bytes(n));
    int32_t *column = hiss_new(int32_t, n);
    for (int32_t j = 0; j < n; j++) {
        column[j] = j;
    }
    hiss_lap_report report = {0};
    solver->solve(&(hiss_lap){n, score, n}, column, NULL, NULL, work, &report, NULL);
    hiss_free(work);
    hiss_free(column);
    return report.total;
}

/* ---- one block ---- */

enum { RANDOM, CLUSTERED, NEARLY_EQUAL, EQUAL, LATTICE, KINDS };

static void make_vectors(int kind, int64_t n, float *row, float *target) {
    hiss_rng rng = hiss_rng_keyed(17, HISS_FOR_TESTS, kind, n);
    hiss_rng_normals(&rng, n * D, row);
    hiss_rng_normals(&rng, n * D, target);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < D; k++) {
            float *x = &row[i * D + k];
            const float centre = (float)value_of(18, (uint64_t)i % 7, (uint64_t)k), first = row[k];
            *x = kind == CLUSTERED      ? centre + 0.2f * *x
                 : kind == NEARLY_EQUAL ? 1.0f + 0.01f * *x
                 : kind == EQUAL        ? first
                 : kind == LATTICE      ? rintf(*x)
                                        : *x;
            target[i * D + k] = kind == LATTICE ? rintf(target[i * D + k]) : target[i * D + k];
        }
    }
}

static void check_block(hiss_comm *comm, int kind, int64_t n, int64_t width, int threads) {
    float *row = hiss_new(float, n *D), *target = hiss_new(float, n *D), *score = hiss_new(float, n *n);
    float *panels = hiss_new(float, nat_padded(n) * D);
    double *price = hiss_new(double, n), *serial_price = hiss_new(double, n);
    int32_t *column = hiss_new(int32_t, n), *serial = hiss_new(int32_t, n);
    hiss_lap_report expected;
    hiss_error err = {0};
    make_vectors(kind, n, row, target);
    for (int64_t j = 0; j < n; j++) {
        nat_pack(D, j, target + j * D, panels);
        column[j] = (int32_t)j;
    }
    score_all(n, D, row, target, score);
    solve_serially(n, score, serial, serial_price, &expected);
    loop l = {.threads = threads, .stop_after = -1};
    const hiss_epoch e = epoch_of(&l);
    const nat_wide problem = {comm, &e, n, D, row, panels, width};
    nat_wide_report report;
    bool stopped;
    CHECK(nat_wide_solve(&problem, NULL, column, price, &report, &stopped, &err) == HISS_OK && !stopped);
    CHECK(memcmp(column, serial, sizeof *column * (size_t)n) == 0);
    CHECK(memcmp(price, serial_price, sizeof *price * (size_t)n) == 0);
    CHECK(report.lap.total == expected.total && report.lap.dual == expected.dual);
    CHECK(report.lap.before == expected.before && report.lap.iterations == expected.iterations);
    CHECK(report.lap.total >= report.lap.before);
    const double best = optimum(n, score), rounding = 1e-6 * (double)n * (1 + fabs(best));
    CHECK(best >= report.lap.total - rounding && best <= report.lap.dual + rounding);
    int8_t *seen = hiss_new(int8_t, n);
    for (int64_t i = 0; i < n; i++) {
        CHECK(column[i] >= 0 && column[i] < n && !seen[column[i]]++);
    }
    void *const arrays[] = {row, target, score, panels, price, serial_price, column, serial, seen};
    for (int k = 0; k < HISS_COUNT(arrays); k++) {
        hiss_free(arrays[k]);
    }
}

/* What cannot be solved says so on every rank and leaves the assignment as it was. */
static void check_refusals(hiss_comm *comm) {
    enum { N = 40 };
    float row[N * D], target[N * D], *panels = hiss_new(float, nat_padded(N) * D);
    int32_t column[N];
    hiss_error err = {0};
    loop l = {.threads = 2, .stop_after = 1};
    const hiss_epoch e = epoch_of(&l);
    const nat_wide problem = {comm, &e, N, D, row, panels, 8};
    nat_wide_report report;
    bool stopped;
    make_vectors(RANDOM, N, row, target);
    for (int32_t j = 0; j < N; j++) {
        nat_pack(D, j, target + j * D, panels);
        column[j] = (j + 3) % N;
    }
    CHECK(nat_wide_solve(&problem, NULL, column, NULL, &report, &stopped, &err) == HISS_OK && stopped);
    CHECK(column[0] == 3 && column[N - 1] == 2);
    const hiss_auction_options few = {.max_bids = 3};
    CHECK(nat_wide_solve(&problem, &few, column, NULL, &report, &stopped, &err) == HISS_EUSER && column[0] == 3);
    CHECK(strstr(err.text, "still free"));
    row[5 * D + 2] = NAN;
    CHECK(nat_wide_solve(&problem, NULL, column, NULL, &report, &stopped, &err) == HISS_EUSER && column[0] == 3);
    CHECK(strstr(err.text, "feature 2 of row 5"));
    row[5 * D + 2] = 0;
    column[4] = 3;
    CHECK(nat_wide_solve(&problem, NULL, column, NULL, &report, &stopped, &err) == HISS_EUSER && column[4] == 3);
    hiss_free(panels);
}

/* ---- the data set ---- */

static void feature_of(int64_t sample, float *z) {
    hiss_rng own = hiss_rng_keyed(41, HISS_FOR_TESTS, 0, sample);
    hiss_rng_normals(&own, D, z);
    for (int j = 0; j < D; j++) {
        z[j] += 0.5f;
    }
    nat_unit(D, z);
}

static hiss_status embed(void *trainer, int64_t view, float *out, hiss_error *err) {
    (void)view;
    (void)err;
    const nat *n = ((loop *)trainer)->s->method;
    for (int64_t i = 0; i < n->local_samples; i++) {
        feature_of(n->first_sample + i, out + i * D);
    }
    return HISS_OK;
}

/* The highest mean score of any permutation: of all samples with the targets assign[] names. */
static double best_mean(const nat *n, const int64_t *assign) {
    float *row = hiss_new(float, SAMPLES *D), *target = hiss_new(float, SAMPLES *D);
    float *score = hiss_new(float, SAMPLES *SAMPLES);
    for (int64_t i = 0; i < SAMPLES; i++) {
        feature_of(i, row + i * D);
        nat_target(n, assign[i], target + i * D);
    }
    score_all(SAMPLES, D, row, target, score);
    const double best = optimum(SAMPLES, score) / SAMPLES;
    hiss_free(row);
    hiss_free(target);
    hiss_free(score);
    return best;
}

static void serial_wide_round(const nat *n, int64_t epoch, int64_t number, int64_t *assign) {
    const int64_t blocks = (SAMPLES + n->dataset_block - 1) / n->dataset_block;
    const hiss_permutation p = hiss_permutation_keyed(n->task->seed, HISS_FOR_BLOCKS, epoch, 1 + number, SAMPLES);
    int64_t offsets[SAMPLES + 1], owned[SAMPLES];
    int32_t column[SAMPLES];
    float *row = hiss_new(float, SAMPLES *D), *target = hiss_new(float, SAMPLES *D);
    float *score = hiss_new(float, SAMPLES *SAMPLES);
    double price[SAMPLES];
    hiss_lap_report report;
    hiss_partition(SAMPLES, blocks, offsets);
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t size = offsets[b + 1] - offsets[b];
        for (int64_t t = 0; t < size; t++) {
            const int64_t sample = hiss_permutation_at(&p, offsets[b] + t);
            feature_of(sample, row + t * D);
            owned[t] = assign[sample];
            nat_target(n, owned[t], target + t * D);
        }
        score_all(size, D, row, target, score);
        solve_serially(size, score, column, price, &report);
        for (int64_t t = 0; t < size; t++) {
            assign[hiss_permutation_at(&p, offsets[b] + t)] = owned[column[t]];
        }
    }
    hiss_free(row);
    hiss_free(target);
    hiss_free(score);
}

/* bound [2] out: what the method reports. */
static void run(hiss_comm *comm, const char *text, int threads, const int64_t *lane_offsets, double bound[2]) {
    stage s;
    hiss_error err = {0};
    const stage_given given = {.seed = 6,
                               .samples = SAMPLES,
                               .stored_H = 2,
                               .stored_W = 2,
                               .C = 1,
                               .lanes = LANES,
                               .m = M,
                               .comm = comm,
                               .kernels = hiss_kernels_blas()};
    CHECK(stage_open(&s, "nat", text, given, lane_offsets, &err) == HISS_OK);
    nat *n = s.method;
    loop l = {.s = &s, .threads = threads, .stop_after = 1};
    hiss_epoch e = epoch_of(&l);
    e.embed = embed;
    int64_t assign[SAMPLES];
    const hiss_permutation first = hiss_permutation_keyed(s.task.seed, HISS_FOR_ASSIGNMENT, 0, 0, n->targets);
    for (int64_t i = 0; i < SAMPLES; i++) {
        assign[i] = hiss_permutation_at(&first, i);
    }
    if (nat_is_wide(n)) {
        CHECK(s.ops->epoch->begin(n, &e, &err) == HISS_OK); /* stopped: as it was, nothing said */
        CHECK(n->assign[0] == assign[n->first_sample] && isnan(n->bound[0]));
    }
    l.stop_after = -1;
    CHECK(s.ops->epoch->begin(n, &e, &err) == HISS_OK);
    CHECK(s.ops->state->verify(n, &err) == HISS_OK);
    memcpy(bound, n->bound, sizeof n->bound);
    const double best = best_mean(n, assign);
    CHECK(n->permuted[1] >= n->permuted[0] && n->permuted[1] <= best + 1e-6);
    CHECK(isnan(bound[0]) || (bound[0] + 4 * bound[1] >= best - 1e-6 && bound[0] <= best + 0.5));
    if (n->options->bound_rows >= SAMPLES && !isnan(bound[0])) {
        CHECK(bound[1] == 0.0);
    }
    if (n->dataset_block == SAMPLES) {
        CHECK(n->permuted[1] >= best * (1 - 6e-4) && bound[0] <= best * (1 + 6e-4));
    }
    const bool rendered = nat_is_wide(n) && (n->dataset_block == SAMPLES || n->options->grouping == NAT_RANDOM);
    for (int64_t k = 0; rendered && k < (n->dataset_block == SAMPLES ? 1 : n->options->rounds); k++) {
        serial_wide_round(n, 0, k, assign);
    }
    for (int64_t i = 0; rendered && i < n->local_samples; i++) {
        CHECK(n->assign[i] == assign[n->first_sample + i]);
    }
    hiss_named named[HISS_MAX_DERIVED];
    const int count = s.ops->report->derive(n, NULL, 0, named);
    CHECK(isnan(bound[0]) || hiss_named_value(named, count, "bound") == bound[0]);
    CHECK(isnan(n->bound[0]));
    stage_close(&s);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err = {0};
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    static const int64_t sizes[] = {1, 2, 31, 300, 515}, widths[] = {2, 5, 64, 1000};
    for (int k = 0; k < KINDS * HISS_COUNT(sizes); k++) {
        check_block(comm, k % KINDS, sizes[k / KINDS], widths[k % HISS_COUNT(widths)], 1 + k % 3);
    }
    check_refusals(comm);
    static const char *const texts[] = {
        "nat: {dim: 6}\nassign: {scope: dataset, block: all, wide: 2, views: 1}\n",
        "nat: {dim: 6, targets: 999}\nassign: {scope: dataset, block: 99, wide: 90, rounds: 2, grouping: random}\n",
        "nat: {dim: 6}\nassign: {scope: dataset, block: 100, wide: 90, views: 1, bound_rows: 70}\n",
        "nat: {dim: 6}\nassign: {scope: dataset, block: 24, views: 1, rounds: 3}\n",
        "nat: {dim: 6}\nassign: {scope: dataset, block: 24, views: 1, bound_rows: 40, solver: sparse}\n",
        "nat: {dim: 6}\nassign: {scope: dataset, block: 24, views: 1, solver: greedy}\n",
        "nat: {dim: 6}\nassign: {scope: dataset, block: 24, views: 1, bound_rows: 0}\n"};
    uint64_t key = 1;
    for (int k = 0; k < HISS_COUNT(texts); k++) {
        int64_t offsets[LANES + 1];
        double bound[2], again[2];
        run(comm, texts[k], 1, NULL, bound);
        draw_offsets(&key, LANES, hiss_comm_size(comm), offsets);
        run(comm, texts[k], 1 + k % 3, offsets, again);
        CHECK(memcmp(bound, again, sizeof bound) == 0);
        CHECK(isnan(bound[0]) == (k >= 5));
    }
    return finish_test(comm);
}
