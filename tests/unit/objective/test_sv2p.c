/* Stochastic variational video prediction: a kernel that is 1 in one place moves the frame, and masks choose what is merged, by hand;
 * futures know the given frames and no others, and are an endless row; phases, the divergence's weight and what is seen; and what is
 * measured. */
#include "film.h"

#include "objective/video/sv2p.h"

enum { KERNELS = 2, WINDOW = 3, LATENT = 3, MASKS = KERNELS + 2 };

static const char settings[] =
    "sv2p: {past: 2, future: 3, features: 2, kernels: 2, window: 3, latent: 3, beta: 0.1, random_epochs: 1, "
    "free_epochs: 2, rise_epochs: 0.5, sampling: 20}\n";

/* ---- windows, and frames that are moved ---- */

static void test_windows_by_hand(void **state) {
    (void)state;
    enum { N = 2, H = 3, W = 4, C = 2, S = 5 };
    rig r = rig_open();
    const hiss_value x = hiss_graph_input(r.graph, "x", HISS_SHAPE(N, H, W, C)), y = hiss_graph_unfold(r.graph, x, S);
    hiss_graph_keep(r.graph, x);
    hiss_graph_keep(r.graph, y);
    hiss_graph_loss(r.graph, hiss_graph_dot(r.graph, y, y, 1.0));
    rig_ready(&r, hiss_kernels_blas());
    fill_inputs(r.graph, r.exec, 4, 3);
    hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
    const float *in = hiss_exec_data(r.exec, x), *out = hiss_exec_data(r.exec, y);
    for (int64_t k = 0; k < N * H * W * C * S * S; k++) {
        const int64_t at = k / (S * S), c = at % C, j = at / C % W + k % S - S / 2,
                      i = at / C / W % H + k / S % S - S / 2, n = at / C / W / H;
        const bool inside = i >= 0 && i < H && j >= 0 && j < W;
        assert_true(out[k] == (inside ? in[((n * H + i) * W + j) * C + c] : 0.0f));
    }
    rig_close(&r);
}

static void fix(rig *r, const char *name, float value) {
    const hiss_slot *slot = hiss_model_at(r->model, hiss_model_find(r->model, name));
    for (int64_t k = 0; k < slot->count; k++) {
        r->vector[slot->offset + k] = value;
    }
}

/* Kernels that are 1 at an element each, and a mask that is 1: the frame that is seen, moved so; the frame as it was; new pixels. */
static void expect_merged(int64_t C) {
    static const int64_t element[KERNELS] = {1, 5}; /* from above, from the right */
    static const float much = 200.0f;
    film f;
    film_open(&f, "sv2p", settings, 1);
    hiss_task task = *((sv2p *)f.s.method)->task;
    task.C = C;
    sv2p v = *(sv2p *)f.s.method;
    v.task = &task;
    rig r = rig_open();
    const hiss_value seen = hiss_graph_input(r.graph, "seen", HISS_SHAPE(1, SIDE, SIDE, C)),
                     latent = hiss_graph_input(r.graph, "latent", HISS_SHAPE(1, LATENT));
    sv2p_state memory = video_sv2p_start(&v, &r.b, 1);
    const hiss_value made = video_sv2p_step(&v, &r.b, seen, latent, &memory);
    hiss_graph_keep(r.graph, seen);
    hiss_graph_keep(r.graph, made);
    hiss_graph_loss(r.graph, hiss_graph_dot(r.graph, made, made, 1.0));
    rig_ready(&r, hiss_kernels_blas());
    fix(&r, "kernels/weight", 0.0f);
    fix(&r, "kernels/bias", 0.0f);
    fix(&r, "masks/weight", 0.0f);
    fix(&r, "made/weight", 0.0f);
    fix(&r, "made/bias", much);
    float *kernels = r.vector + hiss_model_offset(r.model, "kernels/bias"),
          *masks = r.vector + hiss_model_offset(r.model, "masks/bias");
    for (int64_t k = 0; k < KERNELS; k++) {
        kernels[k * WINDOW * WINDOW + element[k]] = much;
    }
    for (int64_t mask = 0; mask < MASKS; mask++) {
        fix(&r, "masks/bias", 0.0f);
        masks[mask] = much;
        fill_inputs(r.graph, r.exec, 4, 3);
        hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
        const float *in = hiss_exec_data(r.exec, seen), *out = hiss_exec_data(r.exec, made);
        for (int64_t p = 0; p < SIZE * C; p++) {
            const int64_t k = mask < KERNELS ? element[mask] : WINDOW * WINDOW / 2,
                          i = p / C / SIDE + k / WINDOW - WINDOW / 2, j = p / C % SIDE + k % WINDOW - WINDOW / 2;
            const bool inside = i >= 0 && i < SIDE && j >= 0 && j < SIDE;
            const double wanted = mask == KERNELS + 1 ? 1.0 : inside ? (double)in[(i * SIDE + j) * C + p % C] : 0.0;
            expect_near("a pixel", (double)out[p], wanted, 1e-6);
        }
    }
    rig_close(&r);
    film_close(&f);
}

static void test_frames_are_moved_and_merged(void **state) {
    (void)state;
    expect_merged(1);
    expect_merged(3);
}

/* ---- futures ---- */

static void test_futures(void **state) {
    (void)state;
    film many, one, two;
    film_open(&many, "sv2p", settings, FILM_MADE);
    film_open(&one, "sv2p", settings, 1);
    film_open(&two, "sv2p", settings, 2);
    film_expect_row(&many, &one, true);
    film_expect_given_alone(&two);
    film_close(&many);
    film_close(&one);
    film_close(&two);
}

/* ---- phases ---- */

static void test_phases_follow_each_other(void **state) {
    (void)state;
    film f;
    film_open(&f, "sv2p", settings, 1);
    const hiss_phase_ops *ops = f.s.ops->phase;
    const int64_t first[] = {0, 1, 3, INT64_MAX};
    for (int p = 0; p < SV2P_PHASES; p++) {
        const hiss_span span = ops->span(f.s.method, p);
        assert_true(span.first == first[p] && span.end == first[p + 1]);
    }
    film_close(&f);
}

/* What the training loop puts in at a step: the weight rises over half an epoch of the third phase, and true frames become rare. */
static void test_inputs_of_a_step(void **state) {
    (void)state;
    enum { M = 4, STEPS = 10, BEGINS = 3 * STEPS };
    film f;
    hiss_error err = {0};
    film_open(&f, "sv2p", settings, 1);
    f.s.placement.steps_per_epoch = STEPS;
    rig r = rig_open();
    assert_int_equal(f.s.ops->build(f.s.method, SV2P_PAID, &r.b, &err), HISS_OK);
    rig_ready(&r, hiss_kernels_blas());
    hiss_lane lane = f.lane;
    lane.graph = r.graph;
    lane.exec = r.exec;
    lane.phase = SV2P_PAID;
    const double rises[] = {0.02, 0.04, 0.06, 0.08, 0.1, 0.1};
    for (int s = 0; s < HISS_COUNT(rises); s++) {
        lane.step = BEGINS + s;
        f.s.ops->input->fill(f.s.method, &lane);
        expect_near("the weight", (double)*hiss_exec_data(r.exec, hiss_graph_input_named(r.graph, "weight")), rises[s],
                    1e-6);
    }
    int seen[2] = {0, 0}; /* true frames of 800, at step 0: 20 / 21, and at step 80: 20 / (20 + e^4) */
    for (int k = 0; k < 2; k++) {
        for (int64_t draw = 0; draw < 100; draw++) {
            lane.step = 80 * k;
            f.s.placement.steps_per_epoch = STEPS;
            for (int64_t i = 0; i < M; i++) {
                f.s.sample[i] = draw * M + i;
                f.lane.batch = &f.s.batches[0];
                f.s.ops->input->sample(f.s.method, &lane, i);
            }
            for (int64_t t = PAST; t < FRAMES - 1; t++) {
                char name[32];
                snprintf(name, sizeof name, "truth%d", (int)t);
                const float *of = hiss_exec_data(r.exec, hiss_graph_input_named(r.graph, name));
                for (int64_t i = 0; i < M; i++) {
                    assert_true(of[i * SIZE] == of[(i + 1) * SIZE - 1] &&
                                (of[i * SIZE] == 0.0f || of[i * SIZE] == 1.0f));
                    seen[k] += of[i * SIZE] == 1.0f;
                }
            }
        }
    }
    assert_int_equal(hiss_graph_input_named(r.graph, "truth1"), -1);
    assert_int_equal(hiss_graph_input_named(r.graph, "truth4"), -1);
    expect_near("true frames at first", seen[0] / 800.0, 20.0 / 21.0, 0.03);
    expect_near("true frames later", seen[1] / 800.0, 20.0 / (20.0 + exp(4.0)), 0.05);
    rig_close(&r);
    film_close(&f);
}

/* ---- what is measured ---- */

static double squared(const float *a, const uint8_t *b) {
    double sum = 0.0;
    for (int64_t k = 0; k < SIZE; k++) {
        sum += ((double)a[k] - b[k] / 255.0) * ((double)a[k] - b[k] / 255.0) / SIZE;
    }
    return sum;
}

static void test_measures_by_hand(void **state) {
    (void)state;
    enum {
        FIRST = 1,
        SUMS = 4,
        TIMES = 3
    }; /* numbers before the sums; of all frames, of those after a hit, of the rest */
    film f;
    film_measured m;
    film_open(&f, "sv2p", settings, 1);
    film_measure(&f, &m);
    const sv2p *v = f.s.method;
    assert_int_equal(m.width, FIRST + TIMES * SUMS);
    for (int64_t i = 0; i < 4; i++) {
        double nats = 0.0, sums[TIMES][SUMS] = {{0.0}};
        for (int64_t k = i * LATENT; k < (i + 1) * LATENT; k++) {
            const double mean = (double)hiss_exec_data(m.r.exec, v->measured.mean)[k],
                         variance = exp((double)hiss_exec_data(m.r.exec, v->measured.log_variance)[k]);
            nats += 0.5 * (mean * mean + variance - 1.0 - log(variance));
        }
        for (int64_t t = 1; t < FRAMES; t++) {
            const uint8_t *truth = film_bytes(&f, i, t);
            float before[SIZE];
            for (int64_t k = 0; k < SIZE; k++) {
                before[k] = (float)film_bytes(&f, i, t - 1)[k] / 255.0f;
            }
            const double of[SUMS] = {1.0, squared(hiss_exec_data(m.r.exec, v->measured.expected[t]) + i * SIZE, truth),
                                     squared(hiss_exec_data(m.r.exec, v->measured.told[t]) + i * SIZE, truth),
                                     squared(before, truth)};
            for (int k = 0; k < SUMS; k++) {
                sums[0][k] += of[k];
                sums[stage_hit(f.lane.batch->sample[i], t - 1) ? 1 : 2][k] += t > 1 ? of[k] : 0.0;
            }
        }
        expect_near("the divergence", (double)m.out[i * m.width], nats, 1e-5);
        for (int k = 0; k < TIMES * SUMS; k++) {
            expect_near("a sum", (double)m.out[i * m.width + FIRST + k], sums[k / SUMS][k % SUMS], 1e-4);
        }
    }
    film_measured_close(&m);
    film_close(&f);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_by_hand),  cmocka_unit_test(test_frames_are_moved_and_merged),
        cmocka_unit_test(test_futures),          cmocka_unit_test(test_phases_follow_each_other),
        cmocka_unit_test(test_inputs_of_a_step), cmocka_unit_test(test_measures_by_hand)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
