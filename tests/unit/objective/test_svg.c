/* Stochastic video generation: a step of memory and the divergence by hand; futures know the given frames and no others; each
 * future is one of an endless row, however many are made at once; the first foretold frame of the deterministic one is that of
 * the graph over all frames; which frame the decoder sees; what is measured at hits; and an action changes the frames after it. */
#include "film.h"

#include "objective/video/svg.h"

/* ---- memory and divergence by hand ---- */

static double sigmoid(double x) {
    return 1.0 / (1.0 + exp(-x));
}

static void expect_remembered(const rig *r, const float *x, const float *h, const float *c, int64_t D, int64_t U,
                              const float *said, const float *kept) {
    const float *w = r->vector + hiss_model_offset(r->model, "lstm/weight");
    const float *bias = r->vector + hiss_model_offset(r->model, "lstm/bias");
    for (int64_t j = 0; j < U; j++) {
        double gate[4];
        for (int q = 0; q < 4; q++) {
            const float *row = w + (q * U + j) * (D + U);
            gate[q] = (double)bias[q * U + j];
            for (int64_t k = 0; k < D + U; k++) {
                gate[q] += (double)row[k] * (double)(k < D ? x[k] : h[k - D]);
            }
        }
        const double cell = sigmoid(gate[1]) * (double)c[j] + sigmoid(gate[0]) * tanh(gate[2]);
        expect_near("what the cell keeps", (double)kept[j], cell, 2e-5);
        expect_near("what it says", (double)said[j], sigmoid(gate[3]) * tanh(cell), 2e-5);
    }
}

static void test_memory_by_hand(void **state) {
    (void)state;
    enum { M = 3, D = 5, U = 4 };
    const hiss_kernels *const kernels[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (int k = 0; k < HISS_COUNT(kernels); k++) {
        rig r = rig_open();
        const hiss_value x = hiss_graph_input(r.graph, "x", HISS_SHAPE(M, D)),
                         h = hiss_graph_input(r.graph, "h", HISS_SHAPE(M, U)),
                         c = hiss_graph_input(r.graph, "c", HISS_SHAPE(M, U));
        hiss_value said = h, kept = c;
        hiss_layer_lstm(&r.b, "lstm", x, &said, &kept);
        hiss_graph_loss(r.graph, hiss_graph_dot(r.graph, said, said, 1.0));
        const hiss_value wanted[] = {x, h, c, said, kept};
        for (int v = 0; v < HISS_COUNT(wanted); v++) {
            hiss_graph_keep(r.graph, wanted[v]);
        }
        rig_ready(&r, kernels[k]);
        fill_inputs(r.graph, r.exec, 4, 3);
        hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
        for (int64_t i = 0; i < M; i++) {
            expect_remembered(&r, hiss_exec_data(r.exec, x) + i * D, hiss_exec_data(r.exec, h) + i * U,
                              hiss_exec_data(r.exec, c) + i * U, D, U, hiss_exec_data(r.exec, said) + i * U,
                              hiss_exec_data(r.exec, kept) + i * U);
        }
        rig_close(&r);
    }
}

/* Of Gaussians given as rows (mean, log variance): the operation, and the integral of q log(q / p) by rectangles. */
static void test_divergence_is_the_integral(void **state) {
    (void)state;
    static const float given[][4] = {{0.0f, 0.0f, 0.0f, 0.0f}, {0.7f, -1.0f, 0.0f, 0.0f}, {-0.3f, 0.5f, 1.2f, -0.4f}};
    for (int q = 0; q < HISS_COUNT(given); q++) {
        rig r = rig_open();
        hiss_value x[4];
        for (int k = 0; k < 4; k++) {
            char name[] = {'x', (char)('0' + k), 0};
            x[k] = hiss_graph_input(r.graph, name, HISS_SHAPE(1));
        }
        hiss_graph_loss(r.graph, hiss_graph_gaussians_kl(r.graph, x[0], x[1], x[2], x[3], 2.0));
        rig_ready(&r, hiss_kernels_blas());
        for (int k = 0; k < 4; k++) {
            *hiss_exec_data(r.exec, x[k]) = given[q][k];
        }
        hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
        const double m1 = (double)given[q][0], v1 = exp((double)given[q][1]), m2 = (double)given[q][2],
                     v2 = exp((double)given[q][3]), step = 1e-3;
        double sum = 0.0;
        for (double z = -12.0; z < 12.0; z += step) {
            const double of_q = -0.5 * (z - m1) * (z - m1) / v1 - 0.5 * log(6.283185307179586 * v1);
            const double of_p = -0.5 * (z - m2) * (z - m2) / v2 - 0.5 * log(6.283185307179586 * v2);
            sum += step * exp(of_q) * (of_q - of_p);
        }
        expect_near("the divergence", (double)*hiss_exec_data(r.exec, hiss_graph_nodes(r.graph) - 1), 2.0 * sum, 1e-5);
        rig_close(&r);
    }
}

/* ---- futures ---- */

static void open_film(film *f, const char *prior, const char *actions, int64_t futures) {
    char text[200];
    snprintf(text, sizeof text,
             "svg: {prior: %s, actions: %s, past: %d, future: %d, features: 3, code: 6, hidden: 5, latent: 2}\n", prior,
             actions, PAST, FUTURE);
    film_open(f, "svg", text, futures);
}

static const char *const priors[] = {"learned", "fixed", "none"};

static void test_futures_are_a_row(void **state) {
    (void)state;
    for (int p = 0; p < HISS_COUNT(priors); p++) {
        film many, one;
        open_film(&many, priors[p], "none", FILM_MADE);
        open_film(&one, priors[p], "none", 1);
        film_expect_row(&many, &one, p < 2);
        film_close(&many);
        film_close(&one);
    }
}

static void test_futures_know_given_frames_alone(void **state) {
    (void)state;
    for (int p = 0; p < HISS_COUNT(priors); p++) {
        film f;
        open_film(&f, priors[p], "none", 2);
        film_expect_given_alone(&f);
        film_close(&f);
    }
}

/* ---- actions ---- */

/* Of the second of two futures, one action is another one: the frames after it change, and no others; of the last one there are none. */
static void test_actions_change_what_follows(void **state) {
    (void)state;
    enum { A = STAGE_ACTIONS, ROW = FRAMES * A, MADE = FUTURE * SIZE };
    for (int p = 0; p < HISS_COUNT(priors); p++) {
        film f;
        float actions[2 * ROW], *before = hiss_new(float, 2 * MADE), *after = hiss_new(float, 2 * MADE);
        open_film(&f, priors[p], "given", 2);
        assert_int_equal(f.s.ops->forecast->actions(f.s.method), A);
        film_make(&f, 2, 0, before);
        const float *own = hiss_batch_values(f.lane.batch, 2, &f.s.field[2]);
        for (int t = 0; t < FRAMES; t++) {
            memcpy(actions, own, sizeof actions / 2);
            memcpy(actions + ROW, own, sizeof actions / 2);
            actions[ROW + t * A + 1] += 0.5f;
            f.s.ops->forecast->run(f.forecaster, f.vector, &f.lane, 2, 3, 0, actions, after);
            assert_memory_equal(before, after, sizeof(float) * MADE);
            for (int k = 0; k < FUTURE; k++) {
                const int64_t at = MADE + k * SIZE;
                if ((memcmp(before + at, after + at, sizeof(float) * SIZE) != 0) != (PAST + k > t)) {
                    fail_msg("%s: the action after frame %d, and frame %d", priors[p], t, PAST + k);
                }
            }
        }
        hiss_free(before);
        hiss_free(after);
        film_close(&f);
    }
}

/* Where none are given, the data's leave no trace. */
static void test_actions_that_are_not_given(void **state) {
    (void)state;
    film f;
    float *before = hiss_new(float, FUTURE *SIZE), *after = hiss_new(float, FUTURE *SIZE);
    open_film(&f, "none", "none", 1);
    assert_int_equal(f.s.ops->forecast->actions(f.s.method), 0);
    film_make(&f, 2, 0, before);
    float *own = (float *)(f.s.pixels + f.lane.batch->sample[2] * stage_bytes(&f.s.task) + f.s.field[2].offset);
    for (int k = 0; k < FRAMES * STAGE_ACTIONS; k++) {
        own[k] += 1.0f;
    }
    film_make(&f, 2, 0, after);
    assert_memory_equal(before, after, sizeof(float) * FUTURE * SIZE);
    hiss_free(before);
    hiss_free(after);
    film_close(&f);
}

/* In training, input actionT of a sample holds what its row says of the way from frame T to the next. */
static void test_actions_of_training(void **state) {
    (void)state;
    act a;
    open_act(&a, "svg", "svg: {past: 2, future: 3, actions: given, features: 2, code: 5, hidden: 4, latent: 3}\n", 1, 4,
             8);
    fill_lane(&a.r[0]);
    for (int t = 0; t < FRAMES - 1; t++) {
        char name[] = {'a', 'c', 't', 'i', 'o', 'n', (char)('0' + t), 0};
        const float *in = hiss_exec_data(a.r[0].exec, hiss_graph_input_named(a.r[0].graph, name));
        for (int i = 0; i < 4; i++) {
            const float *own = hiss_batch_values(&a.s.batches[0], i, &a.s.field[2]);
            assert_memory_equal(in + i * STAGE_ACTIONS, own + t * STAGE_ACTIONS, sizeof *in * STAGE_ACTIONS);
        }
    }
    assert_int_equal(hiss_graph_input_named(a.r[0].graph, "action4"), -1);
    close_act(&a);
}

static void expect_first_foretold_frame(const char *actions) {
    film f;
    film_measured m;
    float *future = hiss_new(float, FUTURE *SIZE);
    open_film(&f, "none", actions, 1);
    film_measure(&f, &m);
    const svg *v = f.s.method;
    for (int64_t i = 0; i < 4; i++) {
        film_make(&f, i, 0, future);
        const float *said = hiss_exec_data(m.r.exec, v->measured.made[PAST]) + i * SIZE;
        for (int64_t k = 0; k < SIZE; k++) {
            expect_near("a pixel of the first foretold frame", (double)future[k], (double)said[k], 1e-5);
        }
    }
    hiss_free(future);
    film_measured_close(&m);
    film_close(&f);
}

static void test_first_foretold_frame(void **state) {
    (void)state;
    expect_first_foretold_frame("none");
    expect_first_foretold_frame("given");
}

/* The decoder sees the frame before while frames are given, and then the last but one of them. */
static void test_which_frame_the_decoder_sees(void **state) {
    (void)state;
    const svg_options options = {.past = 4, .future = 3};
    const svg v = {.options = &options};
    const int64_t wanted[] = {0, 1, 2, 2, 2, 2};
    for (int64_t t = 1; t < 7; t++) {
        assert_int_equal(video_svg_skipped(&v, t), wanted[t - 1]);
    }
}

/* Errors of the next frame and of the frame before, summed pixel by pixel. */
static void test_errors_by_hand(void **state) {
    (void)state;
    for (int p = 0; p < HISS_COUNT(priors); p++) {
        film f;
        film_measured m;
        open_film(&f, priors[p], "none", 1);
        film_measure(&f, &m);
        const svg *v = f.s.method;
        for (int64_t i = 0; i < 4; i++) {
            double error = 0.0, copy = 0.0;
            for (int64_t t = 1; t < FRAMES; t++) {
                const float *made = hiss_exec_data(m.r.exec, v->measured.made[t]) + i * SIZE;
                for (int64_t k = 0; k < SIZE; k++) {
                    const double x = film_bytes(&f, i, t)[k] / 255.0, before = film_bytes(&f, i, t - 1)[k] / 255.0;
                    error += (x - (double)made[k]) * (x - (double)made[k]) / SIZE / (FRAMES - 1);
                    copy += (x - before) * (x - before) / SIZE / (FRAMES - 1);
                }
            }
            expect_near("the error of a clip", (double)m.out[i * m.width], error, 1e-4);
            expect_near("the error of the frame before", (double)m.out[i * m.width + 1], copy, 1e-4);
        }
        film_measured_close(&m);
        film_close(&f);
    }
}

/* What the latent of frame t tells, by the formula. */
static double told(const svg_values *x, rig *r, int64_t i, int64_t t, int64_t latent) {
    double nats = 0.0;
    for (int64_t k = i * latent; k < (i + 1) * latent; k++) {
        const double off = (double)hiss_exec_data(r->exec, x->mean[t])[k] -
                           (double)hiss_exec_data(r->exec, x->prior_mean[t])[k],
                     q = exp((double)hiss_exec_data(r->exec, x->log_variance[t])[k]),
                     p = exp((double)hiss_exec_data(r->exec, x->prior_log_variance[t])[k]);
        nats += 0.5 * (log(p / q) + (q + off * off) / p - 1.0);
    }
    return nats;
}

/* Frames after a hit, and the rest: but not the first that is foretold, before which nothing was seen to move. */
static void test_hits_by_hand(void **state) {
    (void)state;
    enum { OF_CLIP = 3, OF_TIME = 3 }; /* numbers before those of hits; of frames after one, and of the rest */
    film f;
    film_measured m;
    open_film(&f, "learned", "none", 1);
    film_measure(&f, &m);
    const svg *v = f.s.method;
    for (int64_t i = 0; i < 4; i++) {
        double nats[2] = {0.0, 0.0}, frames[2] = {0.0, 0.0};
        for (int64_t t = 2; t < FRAMES; t++) {
            const int rest = !stage_hit(f.lane.batch->sample[i], t - 1);
            nats[rest] += told(&v->measured, &m.r, i, t, v->options->latent);
            frames[rest] += 1.0;
        }
        for (int rest = 0; rest < 2; rest++) {
            const float *said = m.out + i * m.width + OF_CLIP + rest * OF_TIME;
            expect_near("frames", (double)said[2], frames[rest], 1e-6);
            expect_near("what their latents tell", (double)said[0], nats[rest], 1e-4);
        }
    }
    film_measured_close(&m);
    film_close(&f);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory_by_hand),
                                       cmocka_unit_test(test_divergence_is_the_integral),
                                       cmocka_unit_test(test_futures_are_a_row),
                                       cmocka_unit_test(test_futures_know_given_frames_alone),
                                       cmocka_unit_test(test_first_foretold_frame),
                                       cmocka_unit_test(test_which_frame_the_decoder_sees),
                                       cmocka_unit_test(test_errors_by_hand),
                                       cmocka_unit_test(test_hits_by_hand),
                                       cmocka_unit_test(test_actions_change_what_follows),
                                       cmocka_unit_test(test_actions_of_training),
                                       cmocka_unit_test(test_actions_that_are_not_given)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
