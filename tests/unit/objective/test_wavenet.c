/* WaveNet: mu-law by hand; a value's logits know nothing of it and what follows, and all that is within reach, for every pair
 * of values and to the last bit; sound is drawn by the logits that its whole row gives; the loss by hand. */
#include "../graph_support.h"

#include "../serial_comm.h"
#include "../stage.h"
#include "objective/autoregressive/pixels.h"
#include "objective/autoregressive/wavenet.h"

enum { T = 48, SOUNDS = 3, CLASSES = 3 };

typedef struct net { /* the method and its training graph on SOUNDS rows */
    hiss_comm comm;
    stage s;
    rig r;
    hiss_value logits, sound;
    int64_t margin, count; /* values in front that are not predicted; those that are */
} net;

static const char *const texts[] = {
    "wavenet: {first: 3, residual: 16, gates: 16, skip: 16, output: 16, blocks: 2, layers: 3}\n",
    "wavenet: {first: 1, residual: 5, gates: 3, skip: 7, output: 6, blocks: 1, layers: 4, conditional: true}\n",
    "wavenet: {first: 9, residual: 32, gates: 16, skip: 64, output: 48, blocks: 3, layers: 2}\n",
};

static void open_net(net *n, const char *text, const hiss_kernels *kernels) {
    static const hiss_sound sound = {.rate = 8000};
    hiss_error err = {0};
    memset(n, 0, sizeof *n);
    const stage_given given = {.seed = 9,
                               .samples = 2 * SOUNDS,
                               .stored_H = 1,
                               .stored_W = T,
                               .C = 1,
                               .classes = CLASSES,
                               .lanes = 1,
                               .m = SOUNDS,
                               .comm = &n->comm,
                               .kernels = kernels,
                               .sound = &sound};
    n->r = rig_open();
    if (stage_open(&n->s, "wavenet", text, given, NULL, &err) != HISS_OK ||
        n->s.ops->build(n->s.method, 0, &n->r.b, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    const wavenet *w = n->s.method;
    n->margin = autoregressive_wavenet_margin(w);
    n->count = T - n->margin;
    for (int i = 0; i < hiss_graph_nodes(n->r.graph); i++) { /* the last of its shape */
        const hiss_shape shape = hiss_graph_node(n->r.graph, i).shape;
        n->logits = shape.ndim == 4 && shape.dim[3] == MU_LAW_LEVELS ? i : n->logits;
    }
    n->sound = hiss_graph_input_named(n->r.graph, "sound");
    assert_true(n->logits > 0 && n->sound >= 0);
    hiss_graph_keep(n->r.graph, n->logits);
    hiss_graph_keep(n->r.graph, n->sound);
    rig_ready(&n->r, kernels);
}

static void close_net(net *n) {
    rig_close(&n->r);
    stage_close(&n->s);
}

static const float *run_net(net *n) {
    hiss_exec_forward(n->r.exec, &n->r.run, 0, hiss_graph_nodes(n->r.graph), NULL, NULL);
    return hiss_exec_data(n->r.exec, n->logits);
}

static hiss_lane enter(net *n) {
    stage_batches(&n->s, 0, 1);
    const hiss_lane lane = stage_lane(&n->s, 0, n->r.graph, n->r.exec);
    stage_sample(&n->s, &lane);
    return lane;
}

static void test_mu_law_by_hand(void **state) {
    (void)state;
    assert_int_equal(objective_mu_law_level(0), 128);
    assert_int_equal(objective_mu_law_level(-32768), 0);
    assert_int_equal(objective_mu_law_level(32767), 255);
    assert_int_equal(objective_mu_law_level(328), 157); /* 0.01: log(3.5525) / log(256) = 0.2286, of 127.5 */
    assert_int_equal(objective_mu_law_level(-328), 98);
    int before = 0;
    for (int x = -32768; x <= 32767; x++) {
        const int level = objective_mu_law_level((int16_t)x);
        assert_true(level == before || level == before + 1);
        before = level;
    }
    assert_int_equal(before, MU_LAW_LEVELS - 1);
    for (int32_t level = 0; level < MU_LAW_LEVELS; level++) {
        const double sound = (double)objective_mu_law_sound(level) * 32768.0, edge = fmin(fmax(sound, -32768), 32767);
        assert_int_equal(objective_mu_law_level((int16_t)lround(edge)), level);
        assert_true(fabs((double)objective_mu_law_value(level) * 127.5 + 127.5 - (double)level) < 1e-4);
    }
}

static void expect_moves(const net *n, const char *text, const float *before, const float *after, int64_t j,
                         int64_t reach) {
    for (int64_t i = 0; i < SOUNDS * n->count; i++) {
        const int64_t t = n->margin + i % n->count;
        const bool within = i / n->count == 1 && t > j && t <= j + reach;
        const size_t bytes = sizeof(float) * MU_LAW_LEVELS;
        if (within != (memcmp(after + i * MU_LAW_LEVELS, before + i * MU_LAW_LEVELS, bytes) != 0)) {
            fail_msg("%s: value %d of sound 1 %s the logits of value %d of sound %d", text, (int)j,
                     within ? "leaves" : "moves", (int)t, (int)(i / n->count));
        }
    }
}

static void test_no_value_knows_itself(void **state) {
    (void)state;
    const hiss_kernels *const kernels[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (int k = 0; k < 2 * HISS_COUNT(texts); k++) {
        net n;
        open_net(&n, texts[k / 2], kernels[k % 2]);
        enter(&n);
        const int64_t floats = SOUNDS * n.count * MU_LAW_LEVELS;
        const int64_t reach = autoregressive_wavenet_reach(((const wavenet *)n.s.method)->options);
        float *before = hiss_new(float, floats), *x = hiss_exec_data(n.r.exec, n.sound);
        memcpy(before, run_net(&n), sizeof(float) * (size_t)floats);
        assert_true(reach == n.margin);
        for (int64_t j = 0; j < T; j++) {
            const float old = x[T + j];
            x[T + j] = old + 0.7f;
            expect_moves(&n, texts[k / 2], before, run_net(&n), j, reach);
            x[T + j] = old;
        }
        hiss_free(before);
        close_net(&n);
    }
}

static void test_sound_is_drawn_as_said(void **state) {
    (void)state;
    static const int64_t wanted[SOUNDS] = {2, 0, 1};
    const hiss_kernels *const kernels[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (int k = 0; k < 2 * HISS_COUNT(texts); k++) {
        net n;
        hiss_error err = {0};
        open_net(&n, texts[k / 2], kernels[k % 2]);
        const wavenet *w = n.s.method;
        const hiss_lane lane = enter(&n);
        float *drawn = hiss_new(float, SOUNDS *T), *again = hiss_new(float, SOUNDS *T);
        float *said = hiss_new(float, SOUNDS *T *MU_LAW_LEVELS), *x = hiss_exec_data(n.r.exec, n.sound);
        assert_int_equal(
            autoregressive_wavenet_make(w, n.r.model, n.r.vector, 5, 7, SOUNDS, T, wanted, drawn, said, &err), HISS_OK);
        for (int64_t i = 0; i < SOUNDS; i++) {
            autoregressive_wavenet_set_class(w, &lane, i, wanted[i]);
            for (int64_t t = 0; t < T; t++) {
                const double sound = (double)drawn[i * T + t] * 32768.0;
                const int16_t value = (int16_t)lround(fmin(fmax(sound, -32768), 32767));
                x[i * T + t] = objective_mu_law_value(objective_mu_law_level(value));
            }
        }
        const float *logits = run_net(&n);
        for (int64_t i = 0; i < SOUNDS * n.count; i++) {
            const int64_t at = i / n.count * T + n.margin + i % n.count;
            if (memcmp(logits + i * MU_LAW_LEVELS, said + at * MU_LAW_LEVELS, sizeof(float) * MU_LAW_LEVELS) != 0) {
                fail_msg("%s, %s: value %d of sound %d is not drawn as said", texts[k / 2], kernels[k % 2]->name,
                         (int)(at % T), (int)(at / T));
            }
        }
        /* what is drawn is that of its number and seed, whatever else is drawn beside it; what is drawn first is left out */
        const int64_t one = n.count;
        assert_int_equal(n.s.ops->sound->make(n.s.method, n.r.model, n.r.vector, 5, 8, 1, one, wanted + 1, again, &err),
                         HISS_OK);
        assert_memory_equal(again, drawn + T + n.margin, sizeof(float) * (size_t)one);
        assert_true(memcmp(drawn, drawn + T, sizeof(float) * T) != 0);
        hiss_free(drawn);
        hiss_free(again);
        hiss_free(said);
        close_net(&n);
    }
}

static void test_loss_is_the_probability(void **state) {
    (void)state;
    for (int k = 0; k < HISS_COUNT(texts); k++) {
        net n;
        open_net(&n, texts[k], hiss_kernels_blas());
        const hiss_lane lane = enter(&n);
        const float *logits = run_net(&n);
        const double loss = (double)*hiss_exec_data(n.r.exec, hiss_graph_nodes(n.r.graph) - 1);
        double nats = 0.0;
        for (int64_t i = 0; i < SOUNDS * n.count; i++) {
            int16_t x;
            const uint8_t *row = lane.batch->row[i / n.count];
            memcpy(&x, row + (n.margin + i % n.count) * (int64_t)sizeof x, sizeof x);
            nats += autoregressive_nats(MU_LAW_LEVELS, logits + i * MU_LAW_LEVELS,
                                        (float)objective_mu_law_level(x) / (float)(MU_LAW_LEVELS - 1));
        }
        assert_true(fabs(nats / (double)(SOUNDS * n.count) - loss) < 1e-4 * loss && loss > 1.0);
        close_net(&n);
    }
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mu_law_by_hand), cmocka_unit_test(test_no_value_knows_itself),
        cmocka_unit_test(test_sound_is_drawn_as_said), cmocka_unit_test(test_loss_is_the_probability)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
