/* NAT's permutation over the whole data set over ranks: the assignment equals that of a serial rendering which every
 * rank computes for itself, for every number of ranks, of threads, and every cut of the lanes; the mean score never
 * falls; asking to stop leaves everything as it was. */
#include "mpi_test.h"

#include "../unit/stage.h"
#include "objective/nat/nat.h"

enum { LANES = 8, SAMPLES = 211, M = 4, D = 6, BLOCK = 24 };

/* Feature of a sample: a common direction, its own part, and what the view adds. */
static void feature_of(int64_t sample, int64_t view, float *z) {
    float part[D];
    hiss_rng own = hiss_rng_keyed(41, HISS_FOR_TESTS, 0, sample),
             seen = hiss_rng_keyed(41, HISS_FOR_TESTS, 1, 64 * sample + view);
    hiss_rng_normals(&own, D, z);
    hiss_rng_normals(&seen, D, part);
    for (int j = 0; j < D; j++) {
        z[j] += 0.3f * part[j] + 0.5f;
    }
    nat_unit(D, z);
}

typedef struct loop { /* what the training loop offers, played */
    const stage *s;
    int64_t passes, stop_after, asked;
    int threads;
    bool lane_statistics;
    hiss_status failure; /* of the second feature pass, on the last rank */
} loop;

static hiss_status features(void *trainer, int64_t view, float *out, hiss_error *err) {
    loop *l = trainer;
    const nat *n = l->s->method;
    if (l->passes++ == 1 && l->failure != HISS_OK && l->s->placement.end_lane == LANES) {
        return hiss_fail(err, l->failure, "cannot read");
    }
    for (int64_t i = 0; i < n->local_samples; i++) {
        feature_of(n->first_sample + i, view, out + i * D);
    }
    return HISS_OK;
}

static hiss_status embed(void *trainer, int64_t view, float *out, hiss_error *err) {
    hiss_comm *comm = ((loop *)trainer)->s->placement.comm;
    CHECK(!((loop *)trainer)->lane_statistics);
    return features(trainer, view, out, err);
}

static hiss_status export(void *trainer, int phase, int k, int64_t view, float *out, hiss_error *err) {
    hiss_comm *comm = ((loop *)trainer)->s->placement.comm;
    CHECK(((loop *)trainer)->lane_statistics && phase == 0 && k == 0);
    return features(trainer, view, out, err);
}

static void parallel(void *trainer, int64_t count, void (*task)(void *user, int thread, int64_t item), void *user) {
    const int threads = ((const loop *)trainer)->threads;
    for (int64_t k = 0; k < count; k++) {
        task(user, (int)(k * 7 % threads), k);
    }
}

static bool stop(void *trainer) {
    loop *l = trainer;
    return l->asked++ == l->stop_after;
}

static void progress(void *trainer, const char *what, double done) {
    hiss_comm *comm = ((const loop *)trainer)->s->placement.comm;
    CHECK(*what && 0.0 <= done && done <= 1.0);
}

static hiss_status permute(loop *l, int64_t epoch, hiss_error *err) {
    const stage *s = l->s;
    const hiss_epoch e = {.epoch = epoch,
                          .step = epoch * s->placement.steps_per_epoch,
                          .trainer = l,
                          .threads = l->threads,
                          .features = export,
                          .embed = embed,
                          .parallel = parallel,
                          .stop = stop,
                          .progress = progress};
    l->passes = l->asked = 0;
    return s->ops->epoch->begin(s->method, &e, err);
}

/* ---- the serial rendering ---- */

/* The order of a round by its definition: each level sorts every node's samples by their projection. */
static void serial_order(const nat *n, int64_t epoch, int64_t round, const float *z, int64_t blocks,
                         const int64_t *offsets, int64_t *order) {
    const hiss_permutation p = hiss_permutation_keyed(n->task->seed, HISS_FOR_BLOCKS, epoch, 1 + round, SAMPLES);
    const bool grouped = n->options->grouping == NAT_TREE && round % 3 != 0;
    for (int64_t i = 0; i < SAMPLES; i++) {
        order[i] = grouped ? i : hiss_permutation_at(&p, i);
    }
    for (int64_t nodes = 1; grouped && nodes < blocks; nodes *= 2) {
        for (int64_t k = 0; k < nodes; k++) {
            const int64_t begin = offsets[k * blocks / nodes], end = offsets[(k + 1) * blocks / nodes];
            hiss_rng rng = hiss_rng_keyed(n->task->seed, HISS_FOR_BLOCKS, epoch, ((1 + round) << 24) + nodes - 1 + k);
            float direction[D], key[SAMPLES];
            hiss_rng_normals(&rng, D, direction);
            for (int64_t i = 0; i < SAMPLES; i++) {
                double sum = 0.0;
                for (int j = 0; j < D; j++) {
                    sum += (double)z[i * D + j] * (double)direction[j];
                }
                key[i] = (float)sum;
            }
            for (int64_t a = begin; a < end; a++) { /* insertion */
                const int64_t sample = order[a];
                int64_t at = a;
                for (; at > begin && (key[order[at - 1]] > key[sample] ||
                                      (key[order[at - 1]] == key[sample] && order[at - 1] > sample));
                     at--) {
                    order[at] = order[at - 1];
                }
                order[at] = sample;
            }
        }
    }
}

static void serial_round(const nat *n, int64_t epoch, int64_t number, const float *z, int64_t *assign, double mean[2]) {
    enum { BLOCKS = (SAMPLES + BLOCK - 1) / BLOCK };
    int64_t offsets[BLOCKS + 1], order[SAMPLES];
    hiss_partition(SAMPLES, BLOCKS, offsets);
    serial_order(n, epoch, number, z, BLOCKS, offsets, order);
    mean[0] = mean[1] = 0.0;
    for (int b = 0; b < BLOCKS; b++) {
        const int64_t size = offsets[b + 1] - offsets[b];
        float rows[BLOCK * D], target[BLOCK * D], score[BLOCK * BLOCK];
        int64_t owned[BLOCK];
        int32_t column[BLOCK];
        for (int64_t t = 0; t < size; t++) {
            const int64_t sample = order[offsets[b] + t];
            memcpy(rows + t * D, z + sample * D, sizeof(float) * D);
            owned[t] = assign[sample];
            nat_target(n, owned[t], target + t * D);
            column[t] = (int32_t)t;
        }
        n->task->kernels->gemm(false, true, size, size, D, 1.0f, rows, D, target, D, 0.0f, score, size);
        void *work = hiss_alloc((size_t)n->solver->work_bytes(size));
        hiss_lap_report report;
        n->solver->solve(&(hiss_lap){size, score, size}, column, NULL, NULL, work, &report, NULL);
        hiss_free(work);
        mean[0] += report.before / SAMPLES;
        mean[1] += report.total / SAMPLES;
        for (int64_t t = 0; t < size; t++) {
            assign[order[offsets[b] + t]] = owned[column[t]];
        }
    }
}

static void serial_epoch(const nat *n, int64_t epoch, int64_t *assign, double mean[2]) {
    float *z = hiss_new(float, SAMPLES *D), view[D];
    for (int64_t i = 0; i < SAMPLES; i++) {
        for (int64_t v = 0; v < n->options->views; v++) {
            feature_of(i, v, view);
            for (int j = 0; j < D; j++) {
                z[i * D + j] += view[j];
            }
        }
        for (int j = 0; j < D; j++) {
            z[i * D + j] *= 1.0f / (float)n->options->views;
        }
    }
    for (int64_t k = 0; k < n->options->rounds; k++) {
        double round[2];
        serial_round(n, epoch, k, z, assign, round);
        mean[0] = k ? mean[0] : round[0];
        mean[1] = round[1];
    }
    hiss_free(z);
}

/* ---- over ranks ---- */

static void check_equal(hiss_comm *comm, const nat *n, const int64_t *assign) {
    for (int64_t i = 0; i < n->local_samples; i++) {
        CHECK(n->assign[i] == assign[n->first_sample + i]);
    }
}

static void run(hiss_comm *comm, const char *text, int threads, const int64_t *offsets) {
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
    CHECK(stage_open(&s, "nat", text, given, offsets, &err) == HISS_OK);
    nat *n = s.method;
    loop l = {.s = &s, .threads = threads, .stop_after = -1, .lane_statistics = n->options->statistics == NAT_LANE};
    int64_t assign[SAMPLES];
    const hiss_permutation first = hiss_permutation_keyed(s.task.seed, HISS_FOR_ASSIGNMENT, 0, 0, n->targets);
    for (int64_t i = 0; i < SAMPLES; i++) {
        assign[i] = hiss_permutation_at(&first, i);
    }
    CHECK(!s.ops->exchange->exchanges(n, 0, 0, 0)); /* matching is for the start of epochs */
    for (int64_t epoch = 0; epoch < 5; epoch++) {
        l.stop_after = 1; /* stopped after the second round: as it was */
        CHECK(permute(&l, epoch, &err) == HISS_OK);
        check_equal(comm, n, assign);
        l.stop_after = -1;
        l.failure = HISS_ESYSTEM; /* a feature pass fails on one rank: on all, as it was */
        CHECK(permute(&l, epoch, &err) == (epoch % 2 || n->options->views < 2 ? HISS_OK : HISS_ESYSTEM));
        l.failure = HISS_OK;
        double mean[2] = {0.0};
        if (epoch % 2 == 0) {
            if (n->options->views > 1) {
                check_equal(comm, n, assign);
                CHECK(permute(&l, epoch, &err) == HISS_OK && l.passes == n->options->views);
            }
            serial_epoch(n, epoch, assign, mean);
            CHECK(fabs(n->permuted[0] - mean[0]) < 1e-9 && fabs(n->permuted[1] - mean[1]) < 1e-9);
            CHECK(mean[1] >= mean[0]);
        }
        check_equal(comm, n, assign);
        CHECK(s.ops->state->verify(n, &err) == HISS_OK);
    }
    stage_close(&s);
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err = {0};
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    static const char *const texts[] = {
        "nat: {dim: 6}\nassign: {scope: dataset, every: 2, block: 24, rounds: 4}\n",
        "nat: {dim: 6}\nassign: {scope: dataset, every: 2, block: 24, rounds: 3, grouping: random}\n",
        "nat: {dim: 6, targets: 5000}\nassign: {scope: dataset, every: 2, block: 24, views: 1, statistics: lane}\n",
        "nat: {dim: 6}\nassign: {scope: dataset, every: 2, block: 24, views: 3, rounds: 2, solver: greedy}\n"};
    uint64_t key = 1;
    for (int k = 0; k < HISS_COUNT(texts); k++) {
        int64_t offsets[LANES + 1];
        run(comm, texts[k], 1, NULL);
        draw_offsets(&key, LANES, hiss_comm_size(comm), offsets);
        run(comm, texts[k], 1 + k % 3, offsets);
    }
    return finish_test(comm);
}
