/* NAT's permutation step on one rank: targets, the invariants of the assignment, what matching alone achieves,
 * blocks. */
#include "../graph_support.h"

#include "../serial_comm.h"
#include "../stage.h"
#include "graph/graph_impl.h"
#include "objective/nat/nat.h"

static void open_stage(stage *s, hiss_comm *comm, const char *text, int64_t samples, int64_t lanes, int64_t m) {
    hiss_error err = {0};
    const stage_given given = {.seed = 21,
                               .samples = samples,
                               .stored_H = 2,
                               .stored_W = 2,
                               .C = 1,
                               .lanes = lanes,
                               .m = m,
                               .comm = comm,
                               .kernels = hiss_kernels_blas()};
    if (stage_open(s, "nat", text, given, NULL, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    stage_batches(s, 0, 0);
}

static void expect_error(const char *text, int64_t samples, const char *message) {
    hiss_comm comm = {0};
    hiss_error err = {0};
    stage s;
    const stage_given given = {
        .samples = samples, .stored_H = 2, .stored_W = 2, .C = 1, .lanes = 6, .m = 4, .comm = &comm};
    assert_int_equal(stage_open(&s, "nat", text, given, NULL, &err), HISS_EUSER);
    assert_string_equal(err.text, message);
    stage_close(&s);
}

/* Features for every local lane: unit rows, independent of everything. */
static float **random_features(const stage *s, int64_t d, int64_t key) {
    const int64_t lanes = s->placement.end_lane - s->placement.first_lane, m = s->placement.m;
    float **z = hiss_new(float *, lanes);
    for (int64_t l = 0; l < lanes; l++) {
        z[l] = hiss_new(float, m *d);
        fill_normals(3000 + key, s->placement.first_lane + l, m * d, z[l]);
        for (int64_t i = 0; i < m; i++) {
            nat_unit(d, z[l] + i * d);
        }
    }
    return z;
}

static void free_features(const stage *s, float **z) {
    for (int64_t l = 0; l < s->placement.end_lane - s->placement.first_lane; l++) {
        hiss_free(z[l]);
    }
    hiss_free(z);
}

static void exchange(stage *s, float **z) {
    hiss_error err = {0};
    hiss_alloc_seal(s->step > 0); /* no allocation in the training loop but for the first step */
    const hiss_status status = stage_exchange(s, 0, (const float *const *)z, &err);
    hiss_alloc_seal(false);
    if (status != HISS_OK) {
        fail_msg("%s", err.text);
    }
}

/* Mean cosine of a lane's features with their samples' targets. */
static double lane_cosine(const stage *s, int64_t l, const float *z) {
    const nat *n = s->method;
    const int64_t d = n->options->dim, m = s->placement.m;
    float *c = hiss_new(float, d);
    double sum = 0.0;
    for (int64_t i = 0; i < m; i++) {
        nat_target(n, n->assign[s->batches[l].sample[i] - n->first_sample], c);
        for (int64_t j = 0; j < d; j++) {
            sum += (double)c[j] * (double)z[i * d + j];
        }
    }
    hiss_free(c);
    return sum / (double)m;
}

static int by_value(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t *sorted_targets(const nat *n) {
    int64_t *all = hiss_new(int64_t, n->local_samples);
    memcpy(all, n->assign, sizeof(int64_t) * (size_t)n->local_samples);
    qsort(all, (size_t)n->local_samples, sizeof *all, by_value);
    return all;
}

/* ---- targets ---- */

static void test_targets(void **state) {
    (void)state;
    enum { K = 4000, D = 24 };
    hiss_comm comm = {0};
    stage s;
    open_stage(&s, &comm, "nat: {dim: 24}\n", K, 2, 4);
    const nat *n = s.method;
    float *c = hiss_new(float, K *D), again[D];
    double mean[D] = {0.0}, second[D] = {0.0}, products = 0.0;
    for (int64_t k = K - 1; k >= 0; k--) {
        nat_target(n, k, c + k * D);
        double squares = 0.0;
        for (int j = 0; j < D; j++) {
            const double v = (double)c[k * D + j];
            squares += v * v;
            mean[j] += v / K;
            second[j] += v * v / K;
        }
        assert_true(fabs(squares - 1.0) < 1e-6);
    }
    for (int j = 0; j < D; j++) { /* uniform on the sphere: mean 0, second moment 1/D in each direction */
        assert_true(fabs(mean[j]) < 5.0 / sqrt((double)D * K));
        assert_true(fabs(second[j] * D - 1.0) < 5.0 * sqrt(2.0 / K));
    }
    for (int64_t k = 0; k < K; k++) { /* made again in another order: the same bits */
        nat_target(n, k, again);
        assert_memory_equal(again, c + k * D, sizeof again);
        if (k > 0) {
            const double dot =
                1.0 - 0.5 * pow((double)hiss_floats_compare(D, c + k * D, c + (k - 1) * D, 1.0).rms, 2) * D;
            products += dot * dot * D / (K - 1);
        }
    }
    assert_true(fabs(products - 1.0) < 5.0 * sqrt(2.0 / K)); /* neighbours: squared cosine 1/D on average */
    s.task.seed++;
    nat_target(n, 0, again);
    assert_memory_not_equal(again, c, sizeof again);
    hiss_free(c);
    stage_close(&s);
}

/* ---- the loss before the first match ---- */

static void test_loss_and_first_assignment(void **state) {
    (void)state;
    const int64_t samples = 400, m = 200, d = 8;
    hiss_comm comm = {0};
    stage s;
    open_stage(&s, &comm, "nat: {dim: 8}\nnetwork: {layers: [flatten]}\n", samples, 2, m);
    const nat *n = s.method;
    int64_t *all = sorted_targets(n), moved = 0;
    for (int64_t i = 0; i < samples; i++) { /* a permutation, and not the identity */
        assert_int_equal(all[i], i);
        moved += n->assign[i] != i;
    }
    assert_true(moved > samples - 10);
    hiss_free(all);

    rig r = rig_open();
    hiss_error err = {0};
    assert_int_equal(s.ops->build(s.method, 0, &r.b, &err), HISS_OK);
    hiss_value z;
    assert_int_equal(s.ops->exchange->exports(s.method, 0, &z), 1);
    r.loss = r.graph->loss;
    rig_ready(&r, hiss_kernels_blas());
    double cosine = 0.0, loss = 0.0;
    for (int64_t l = 0; l < 2; l++) {
        const hiss_lane lane = stage_lane(&s, l, r.graph, r.exec);
        stage_sample(&s, &lane);
        hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_cut_at(r.graph), NULL, NULL);
        float *features = hiss_exec_data(r.exec, z);
        fill_normals(1, l, m * d, features); /* independent features in place of the network's */
        for (int64_t i = 0; i < m; i++) {
            nat_unit(d, features + i * d);
        }
        cosine += lane_cosine(&s, l, features) / 2;
        stage_supply(&s, &lane);
        for (int64_t i = 0; i < m; i++) {
            float target[8];
            nat_target(n, n->assign[s.batches[l].sample[i]], target);
            assert_memory_equal(target, hiss_exec_data(r.exec, n->target) + i * d, sizeof target);
        }
        hiss_exec_forward(r.exec, &r.run, hiss_graph_cut_at(r.graph), hiss_graph_nodes(r.graph), NULL, NULL);
        loss += (double)*hiss_exec_data(r.exec, r.loss) / 2;
    }
    assert_true(fabs(loss - (2.0 - 2.0 * cosine)) < 1e-5);
    assert_true(fabs(loss - 2.0) < 5.0 * 2.0 / sqrt((double)(samples * d)));
    hiss_named out[HISS_MAX_DERIVED];
    const hiss_named known = {"loss", loss};
    const int count = s.ops->report->derive(s.method, &known, 1, out);
    assert_true(fabs(hiss_named_value(out, count, "cosine") - cosine) < 1e-5);
    rig_close(&r);
    stage_close(&s);
}

/* Features that are zero, some or all: the reported cosine is that of the features, and that of all is below chance. */
static void test_zero_features(void **state) {
    (void)state;
    enum { M = 4, D = 8 };
    for (int64_t zeros = 0; zeros <= M; zeros++) {
        hiss_comm comm = {0};
        stage s;
        open_stage(&s, &comm, "nat: {dim: 8}\nnetwork: {layers: [flatten]}\n", 40, 1, M);
        const nat *n = s.method;
        rig r = rig_open();
        hiss_error err = {0};
        assert_int_equal(s.ops->build(s.method, 0, &r.b, &err), HISS_OK);
        r.loss = r.graph->loss;
        rig_ready(&r, hiss_kernels_blas());
        const hiss_lane lane = stage_lane(&s, 0, r.graph, r.exec);
        stage_sample(&s, &lane);
        hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_cut_at(r.graph), NULL, NULL);
        float *z = hiss_exec_data(r.exec, n->z);
        fill_normals(1, zeros, M * D, z);
        for (int64_t i = 0; i < M; i++) {
            nat_unit(D, z + i * D);
        }
        memset(z, 0, sizeof *z * (size_t)(zeros * D));
        stage_supply(&s, &lane);
        hiss_exec_forward(r.exec, &r.run, hiss_graph_cut_at(r.graph), hiss_graph_nodes(r.graph), NULL, NULL);
        const hiss_named known[] = {{"loss", (double)*hiss_exec_data(r.exec, r.loss)},
                                    {"zero_features", (double)*hiss_exec_data(r.exec, n->zero_value)}};
        hiss_named out[HISS_MAX_DERIVED];
        char line[512];
        const int count = s.ops->report->derive(s.method, known, HISS_COUNT(known), out);
        assert_true(fabs(hiss_named_value(out, count, "cosine") - lane_cosine(&s, 0, z)) < 1e-6);
        const int below = s.ops->report->below_chance(s.method, out, count, line, sizeof line);
        assert_int_equal(below, zeros == M ? 1 : -1);
        rig_close(&r);
        stage_close(&s);
    }
}

/* ---- many exchanges ---- */

typedef struct observer {
    double before, after, after_diagonal;
    int64_t blocks, n;
} observer;

static void observe(void *user, int64_t block, int64_t n, const float *matrix, const int32_t *answer) {
    (void)block;
    observer *o = user;
    double before = 0.0, after = 0.0;
    for (int64_t i = 0; i < n; i++) {
        before += (double)matrix[i * n + i];
        after += (double)matrix[i * n + answer[i]];
    }
    assert_true(after >= before - 1e-6); /* a block's total never falls */
    o->before += before;
    o->after += after;
    o->blocks++;
    o->n = n;
}

static void check_exchanges(const char *text, int64_t samples, int64_t targets, int64_t block) {
    const int64_t lanes = 6, m = 8, d = 5;
    observer seen = {0};
    hiss_comm comm = {observe, &seen};
    hiss_error err = {0};
    stage s;
    open_stage(&s, &comm, text, samples, lanes, m);
    nat *n = s.method;
    int64_t *start = sorted_targets(n);
    float *first = hiss_new(float, samples);
    for (int64_t epoch = 0; epoch < 6; epoch++) {
        for (int64_t step = 0; step < s.placement.steps_per_epoch; step++) {
            stage_batches(&s, epoch, step);
            float **z = random_features(&s, d, s.step);
            double before[6], mean = 0.0;
            for (int64_t l = 0; l < lanes; l++) {
                before[l] = lane_cosine(&s, l, z[l]);
            }
            int64_t *old = hiss_new(int64_t, samples);
            memcpy(old, n->assign, sizeof(int64_t) * (size_t)samples);
            seen = (observer){0};
            exchange(&s, z);
            for (int64_t l = 0; l < lanes; l++) { /* what is reported per lane */
                double changed = 0.0;
                for (int64_t i = 0; i < m; i++) {
                    const int64_t at = s.batches[l].sample[i];
                    changed += n->assign[at] != old[at];
                    old[at] = n->assign[at];
                }
                assert_true(fabs((double)n->before[l] - before[l]) < 1e-5);
                assert_true(fabs((double)n->changed[l] - changed / (double)m) < 1e-6);
                mean += lane_cosine(&s, l, z[l]);
            }
            assert_memory_equal(old, n->assign, sizeof(int64_t) * (size_t)samples); /* nobody else's moved */
            if (block > m) { /* blocks of one lane have no coordinator */
                assert_true(seen.n == block && seen.blocks * block == lanes * m);
                assert_true(fabs(mean * (double)m - seen.after) < 1e-3); /* what was solved is what is owned now */
                assert_true(seen.after > seen.before);
            }
            hiss_free(old);
            free_features(&s, z);
        }
    }
    int64_t *end = sorted_targets(n); /* targets change hands; none is lost, none appears */
    assert_memory_equal(start, end, sizeof(int64_t) * (size_t)samples);
    for (int64_t i = 0; i < samples; i++) {
        assert_true(end[i] >= 0 && end[i] < targets && (i == 0 || end[i] > end[i - 1]));
    }
    assert_int_equal(s.ops->state->verify(s.method, &err), HISS_OK);
    hiss_state own[HISS_MAX_STATES];
    assert_int_equal(s.ops->state->list(s.method, own), 1);
    assert_string_equal(own[0].name, "assignment");
    assert_ptr_equal(own[0].local, n->assign);
    hiss_free(first);
    hiss_free(start);
    hiss_free(end);
    stage_close(&s);
}

static void test_exchanges(void **state) {
    (void)state;
    check_exchanges("nat: {dim: 5}\nassign: {block: lane}\n", 150, 150, 8);
    check_exchanges("nat: {dim: 5}\nassign: {block: 16}\n", 150, 150, 16);
    check_exchanges("nat: {dim: 5}\nassign: {block: 24}\n", 150, 150, 24);
    check_exchanges("nat: {dim: 5}\nassign: {block: batch}\n", 150, 150, 48);
    check_exchanges("nat: {dim: 5}\nassign: {block: 24, solver: greedy}\n", 150, 150, 24);
    check_exchanges("nat: {dim: 5, targets: 281474976710656}\nassign: {block: 24}\n", 150, (int64_t)1 << 48, 24);
    check_exchanges("nat: {dim: 5, targets: 151}\n", 150, 151, 48);
}

/* With blocks of several lanes, redrawn each step, targets leave the lane they started in; blocks of one keep them. */
static void test_targets_travel(void **state) {
    (void)state;
    for (int group = 1; group <= 2; group++) {
        const int64_t lanes = 6, m = 8, samples = 48, d = 5;
        hiss_comm comm = {0};
        stage s;
        open_stage(&s, &comm,
                   group == 1 ? "nat: {dim: 5}\nassign: {block: 8}\n" : "nat: {dim: 5}\nassign: {block: 16}\n", samples,
                   lanes, m);
        nat *n = s.method;
        int64_t home[48], met[6][6] = {{0}};
        for (int64_t i = 0; i < samples; i++) {
            home[n->assign[i]] = i / m;
        }
        for (int64_t step = 0; step < 20; step++) {
            stage_batches(&s, step, 0);
            float **z = random_features(&s, d, step);
            exchange(&s, z);
            free_features(&s, z);
            for (int64_t i = 0; i < samples; i++) {
                met[i / m][home[n->assign[i]]] = 1;
            }
        }
        for (int64_t a = 0; a < lanes; a++) {
            for (int64_t b = 0; b < lanes; b++) {
                assert_true(met[a][b] == (group > 1 || a == b));
            }
        }
        stage_close(&s);
    }
}

/* Blocks of one sample keep their targets. */
static void test_blocks_of_one(void **state) {
    (void)state;
    hiss_comm comm = {0};
    stage s;
    open_stage(&s, &comm, "nat: {dim: 5}\nassign: {block: lane}\n", 40, 6, 1);
    nat *n = s.method;
    assert_int_equal(n->block, 1);
    float **z = random_features(&s, 5, 0);
    int64_t old[40];
    memcpy(old, n->assign, sizeof old);
    exchange(&s, z);
    assert_memory_equal(old, n->assign, sizeof old);
    assert_true(n->changed[5] == 0.0f && fabsf(n->before[5]) <= 1.0f);
    free_features(&s, z);
    stage_close(&s);
}

static void test_verify_sees_damage(void **state) {
    (void)state;
    hiss_comm comm = {0};
    stage s;
    open_stage(&s, &comm, "nat: {dim: 5, targets: 200}\n", 150, 6, 8);
    nat *n = s.method;
    hiss_error err = {0};
    assert_int_equal(s.ops->state->verify(n, &err), HISS_OK);
    const int64_t old = n->assign[149];
    n->assign[149] = n->assign[3];
    assert_int_equal(s.ops->state->verify(n, &err), HISS_EINTERNAL);
    assert_non_null(strstr(err.text, "belongs to two samples"));
    n->assign[149] = 200;
    assert_int_equal(s.ops->state->verify(n, &err), HISS_EINTERNAL);
    assert_string_equal(err.text, "nat: the assignment is broken: target 200 of 200 does not exist");
    n->assign[149] = -1;
    assert_int_equal(s.ops->state->verify(n, &err), HISS_EINTERNAL);
    n->assign[149] = old;
    assert_int_equal(s.ops->state->verify(n, &err), HISS_OK);
    stage_close(&s);
}

/* ---- what matching alone achieves ---- */

/* Mean cosine after one match of independent random features, over `lanes` blocks of n. */
static double matched(int64_t n, int64_t d, int64_t lanes, double *chance) {
    hiss_comm comm = {0};
    char text[128];
    snprintf(text, sizeof text, "nat: {dim: %d}\nassign: {block: lane}\n", (int)d);
    stage s;
    open_stage(&s, &comm, text, n * lanes, lanes, n);
    float **z = random_features(&s, d, 7);
    exchange(&s, z);
    double mean = 0.0;
    for (int64_t l = 0; l < lanes; l++) {
        mean += lane_cosine(&s, l, z[l]) / (double)lanes;
    }
    hiss_named out[HISS_MAX_DERIVED];
    *chance = hiss_named_value(out, s.ops->report->derive(s.method, NULL, 0, out), "chance");
    free_features(&s, z);
    stage_close(&s);
    return mean;
}

/* The figures were measured with another solver and another generator. */
static void test_chance_level(void **state) {
    (void)state;
    static const struct {
        int64_t n, d, lanes;
        double cosine, tolerance;
    } known[] = {{64, 2048, 12, 0.0475, 0.001},
                 {256, 2048, 2, 0.0583, 0.001},
                 {256, 32, 6, 0.450, 0.006},
                 {1024, 32, 1, 0.522, 0.006}};
    for (int k = 0; k < HISS_COUNT(known); k++) {
        double chance;
        const double found = matched(known[k].n, known[k].d, known[k].lanes, &chance);
        if (!(fabs(found - known[k].cosine) < known[k].tolerance)) {
            fail_msg("n %d, d %d: mean cosine %g, expected %g", (int)known[k].n, (int)known[k].d, found,
                     known[k].cosine);
        }
        if (!(fabs(chance - known[k].cosine) < 2.0 * known[k].tolerance)) {
            fail_msg("n %d, d %d: reported chance level %g", (int)known[k].n, (int)known[k].d, chance);
        }
    }
}

/* ---- options ---- */

static void test_when_it_exchanges(void **state) {
    (void)state;
    static const char *const texts[] = {"assign: {every: 3}\n", "assign: {every: 1}\n", "assign: {every: 0}\n"};
    for (int k = 0; k < 3; k++) {
        hiss_comm comm = {0};
        stage s;
        open_stage(&s, &comm, texts[k], 150, 6, 8);
        for (int64_t epoch = 0; epoch < 10; epoch++) {
            const bool expected = k == 0 ? epoch % 3 == 0 : k == 1;
            assert_true(s.ops->exchange->exchanges(s.method, 0, epoch, epoch * 3 + 1) == expected);
        }
        stage_close(&s);
    }
}

static void test_wrong_options(void **state) {
    (void)state;
    expect_error("assign: {block: 7}\n", 150,
                 "assign.block: 7 samples, but a block is whole lanes of 4 samples that divide the 6 lanes; choose "
                 "one of 4, 8, 12, 24");
    expect_error("assign: {block: 16}\n", 150,
                 "assign.block: 16 samples, but a block is whole lanes of 4 samples that divide the 6 lanes; choose "
                 "one of 4, 8, 12, 24");
    expect_error("assign: {block: 2}\n", 150,
                 "assign.block: 2 samples, but a block is whole lanes of 4 samples that divide the 6 lanes; choose "
                 "one of 4, 8, 12, 24");
    expect_error("assign: {block: rank}\n", 150,
                 "assign.block: must be lane, batch or a number of samples, found 'rank'");
    expect_error("assign: {block: -4}\n", 150, "assign.block: must be lane, batch or a number of samples, found '-4'");
    expect_error("assign: {block: ''}\n", 150,
                 "stage.yaml:1:17: assign.block must be a text, found ''; give one, or the default: auto");
    expect_error("assign: {solver: magic}\n", 150,
                 "stage.yaml:1:18: assign.solver must be one of lapjv, sparse, auction, greedy, auto, found 'magic'");
    expect_error("assign: {rows: topk, solver: greedy}\n", 150,
                 "assign.rows: topk, which is solved by sparse, but assign.solver is 'greedy'; use auto or sparse");
    expect_error("nat: {targets: 149}\n", 150,
                 "nat.targets: 149, fewer than the 150 samples, but every sample needs its own target; use 0 for as "
                 "many as samples");
    expect_error("nat: {targets: 281474976710657}\n", 150,
                 "stage.yaml:1:16: nat.targets must be an integer in 0..281474976710656, found '281474976710657'");
}

/* For evaluation there are no samples: the encoder alone, no assignment. */
static void test_encoder_alone(void **state) {
    (void)state;
    hiss_error err = {0};
    stage s;
    const stage_given given = {.stored_H = 28, .stored_W = 28, .C = 1};
    assert_int_equal(stage_open(&s, "nat", "nat: {dim: 6}\n", given, NULL, &err), HISS_OK);
    rig r = rig_open();
    r.b.training = false;
    hiss_taps taps = {0};
    hiss_value image = hiss_graph_input(r.graph, "image", HISS_SHAPE(5, 28, 28, 1));
    assert_int_equal(s.ops->encode(s.method, &r.b, image, &taps, &err), HISS_OK);
    const hiss_value z = hiss_taps_last(&taps);
    assert_string_equal(taps.tap[taps.count - 1].name, "z");
    hiss_graph_keep(r.graph, z);
    rig_ready(&r, hiss_kernels_ref());
    rig_fill(&r);
    hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
    for (int i = 0; i < 5; i++) {
        double squares = 0.0;
        for (int j = 0; j < 6; j++) {
            squares += pow((double)hiss_exec_data(r.exec, z)[6 * i + j], 2);
        }
        assert_true(fabs(squares - 1.0) < 1e-5);
    }
    rig_close(&r);
    stage_close(&s);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_targets),
                                       cmocka_unit_test(test_zero_features),
                                       cmocka_unit_test(test_loss_and_first_assignment),
                                       cmocka_unit_test(test_exchanges),
                                       cmocka_unit_test(test_targets_travel),
                                       cmocka_unit_test(test_verify_sees_damage),
                                       cmocka_unit_test(test_chance_level),
                                       cmocka_unit_test(test_blocks_of_one),
                                       cmocka_unit_test(test_when_it_exchanges),
                                       cmocka_unit_test(test_wrong_options),
                                       cmocka_unit_test(test_encoder_alone)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
