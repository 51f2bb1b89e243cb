/* RIDE: the scan of its spatial LSTM and the densities of its mixtures by hand; parameters of a pixel's mixture know what
 * is before it as far as the scan reaches, no more, and to the last bit; pixels are drawn by the mixtures of the whole
 * image; noise within levels; the linear predictor against least squares over the images themselves. */
#include "pixel_net.h"

#include "objective/autoregressive/ride.h"

enum { PARTS = RIDE_PARTS };

/* ---- the scan ---- */

static double sigmoid(double x) {
    return 1.0 / (1.0 + exp(-x));
}

/* h and c of one place, of an image [H,W,C], from those of its neighbours: as the definition has it. */
static void place_by_hand(const float *x, const float *w, const float *bias, int64_t C, int64_t U, const double *left,
                          const double *up, double *out) {
    const int64_t K = C + 2 * U;
    for (int64_t j = 0; j < U; j++) {
        double gate[5];
        for (int64_t q = 0; q < 5; q++) {
            const float *row = w + (q * U + j) * K;
            double sum = (double)bias[q * U + j];
            for (int64_t k = 0; k < K; k++) {
                sum += (double)row[k] * (k < C ? (double)x[k] : k < C + U ? left[k - C] : up[k - C - U]);
            }
            gate[q] = q == 0 ? tanh(sum) : sigmoid(sum);
        }
        out[U + j] = gate[0] * gate[1] + left[U + j] * gate[3] + up[U + j] * gate[4];
        out[j] = gate[2] * tanh(out[U + j]);
    }
}

static void expect_scan(int64_t N, int64_t H, int64_t W, int64_t C, int64_t U, const hiss_kernels *kernels) {
    rig r = rig_open();
    const hiss_value x = hiss_graph_input(r.graph, "image", HISS_SHAPE(N, H, W, C));
    const hiss_value h = hiss_layer_spatial_lstm(&r.b, "lstm", x, U);
    hiss_graph_loss(r.graph, hiss_graph_dot(r.graph, h, h, 1.0));
    hiss_graph_keep(r.graph, x);
    hiss_graph_keep(r.graph, h);
    rig_ready(&r, kernels);
    fill_inputs(r.graph, r.exec, 4, 3);
    hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
    const float *w = r.vector + hiss_model_offset(r.model, "lstm/weight");
    const float *bias = r.vector + hiss_model_offset(r.model, "lstm/bias");
    double *state = hiss_new(double, H *W * 2 * U), *nothing = hiss_new(double, 2 * U);
    for (int64_t i = 0; i < N; i++) {
        for (int64_t k = 0; k < H * W; k++) {
            const double *left = k % W > 0 ? state + (k - 1) * 2 * U : nothing;
            const double *up = k >= W ? state + (k - W) * 2 * U : nothing;
            place_by_hand(hiss_exec_data(r.exec, x) + (i * H * W + k) * C, w, bias, C, U, left, up, state + k * 2 * U);
            for (int64_t j = 0; j < U; j++) {
                const double found = (double)hiss_exec_data(r.exec, h)[(i * H * W + k) * U + j];
                if (fabs(found - state[k * 2 * U + j]) > 1e-5) {
                    fail_msg("%s: unit %d at place %d of image %d is %g, by hand %g", kernels->name, (int)j, (int)k,
                             (int)i, found, state[k * 2 * U + j]);
                }
            }
        }
    }
    hiss_free(state);
    hiss_free(nothing);
    rig_close(&r);
}

static void test_scan_by_hand(void **state) {
    (void)state;
    const hiss_kernels *const kernels[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (int k = 0; k < HISS_COUNT(kernels); k++) {
        expect_scan(3, 5, 7, 2, 6, kernels[k]);
        expect_scan(2, 7, 4, 16, 16, kernels[k]);
        expect_scan(1, 1, 6, 1, 1, kernels[k]);
        expect_scan(4, 6, 1, 3, 2, kernels[k]);
    }
}

/* ---- mixtures ---- */

static const float parameters[2][9] = {{0.3f, -1.0f, 0.7f, 0.1f, 0.9f, 0.4f, -2.0f, -4.0f, -3.0f},
                                       {5.0f, 1.0f, 5.5f, 0.2f, 0.2f, 0.8f, -5.0f, -1.5f, -20.0f}};

static void test_densities_by_hand(void **state) {
    (void)state;
    const float one[3] = {4.0f, 0.25f, (float)log(0.5)}; /* t = 1, s = 1/2 */
    const double f = 2.0 * exp(-1.0) / (1.0 + exp(-1.0)) / (1.0 + exp(-1.0));
    assert_true(fabs(autoregressive_ride_nats(1, one, 0.75f) + log(f)) < 1e-6);
    assert_true(fabs(autoregressive_ride_nats(1, one, -0.25f) + log(f)) < 1e-6);
    const float two[6] = {0.0f, (float)log(3.0), 0.25f, 0.25f, (float)log(0.5), (float)log(0.25)};
    const double g = 4.0 * exp(-2.0) / (1.0 + exp(-2.0)) / (1.0 + exp(-2.0));
    assert_true(fabs(autoregressive_ride_nats(2, two, 0.75f) + log(0.25 * f + 0.75 * g)) < 1e-6);
    for (int p = 0; p < 2; p++) { /* the integral, by rectangles */
        const double step = 1e-5;
        double sum = 0.0;
        for (double x = -5.0; x < 6.0; x += step) {
            sum += step * exp(-autoregressive_ride_nats(3, parameters[p], (float)x));
        }
        if (fabs(sum - 1.0) > 2e-3) {
            fail_msg("mixture %d has the integral %g", p, sum);
        }
    }
    assert_true(fabs(autoregressive_ride_bits(-8.0 * 0.69314718056 * 30.0, 30)) < 1e-9); /* certain to the level */
}

/* The operation on rows of 3 K parameters with values between, and far from, their means. */
static void expect_loss(const float *row, int64_t K, int64_t M, float from, float step, const hiss_kernels *kernels) {
    rig r = rig_open();
    const hiss_value x = hiss_graph_input(r.graph, "x", HISS_SHAPE(M));
    const hiss_value p = hiss_layer_parameter(&r.b, "p", "weight", HISS_SHAPE(M, PARTS * K), 0.0);
    hiss_graph_loss(r.graph, hiss_graph_mixture_of_logistics(r.graph, p, x, 0.5));
    rig_ready(&r, kernels);
    double nats = 0.0;
    for (int64_t i = 0; i < M; i++) {
        const float at = from + step * (float)i;
        memcpy(r.vector + i * PARTS * K, row, sizeof(float) * (size_t)(PARTS * K));
        hiss_exec_data(r.exec, x)[i] = at;
        nats += 0.5 * autoregressive_ride_nats(K, row, at);
    }
    hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
    const double loss = (double)*hiss_exec_data(r.exec, hiss_graph_nodes(r.graph) - 1);
    if (!(fabs(loss - nats) <= 1e-5 * fabs(nats) + 1e-4)) {
        fail_msg("%s: loss %g, by hand %g", kernels->name, loss, nats);
    }
    hiss_exec_backward(r.exec, &r.run, NULL, NULL);
    for (int64_t k = 0; k < hiss_model_floats(r.model); k++) {
        assert_true(isfinite(r.lane[k]));
    }
    rig_close(&r);
}

static void test_loss_is_safe(void **state) {
    (void)state;
    static const float wild[9] = {800.0f, -900.0f, 0.0f, 30.0f, -0.5f, 0.5f, 60.0f, -60.0f, 0.0f};
    static const float far[6] = {0.0f, 0.0f, -70.0f, 90.0f, -8.9f, -8.9f};
    const hiss_kernels *const kernels[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (int k = 0; k < HISS_COUNT(kernels); k++) {
        expect_loss(parameters[0], 3, 4000, -1.0f, 0.001f, kernels[k]); /* several blocks */
        expect_loss(parameters[1], 3, 200, -1.0f, 0.01f, kernels[k]);
        expect_loss(wild, 3, 50, -1.0f, 0.05f, kernels[k]);
        expect_loss(far, 2, 50, 0.0f, 0.02f, kernels[k]);
    }
}

/* ---- who knows what ---- */

typedef struct form {
    const char *text;
    int64_t H, W, reach, components;
} form;

static const form forms[] = {{"ride: {hidden: 16, components: 3}\n", 7, 6, 2, 3},
                             {"ride: {hidden: 5, window: 1, components: 1}\n", 5, 8, 1, 1},
                             {"ride: {hidden: 3, window: 7, components: 2}\n", 5, 4, 7, 2}};

static void open_form(net *n, const form *f, int64_t m, const hiss_kernels *kernels) {
    open_net(n, "ride", f->text, f->H, f->W, m, PARTS * f->components, kernels);
    fill_inputs(n->r.graph, n->r.exec, 5, 3);
}

/* Each pixel in turn is changed, of one image of three. */
static void test_no_pixel_knows_itself(void **state) {
    (void)state;
    const hiss_kernels *const kernels[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (int q = 0; q < 2 * HISS_COUNT(forms); q++) {
        const form *f = &forms[q / 2];
        const int64_t D = f->H * f->W, floats = PARTS * f->components;
        net n;
        open_form(&n, f, 3, kernels[q % 2]);
        float *image = hiss_exec_data(n.r.exec, n.image), *before = hiss_new(float, 3 * D * floats);
        memcpy(before, run_net(&n), sizeof(float) * (size_t)(3 * D * floats));
        for (int64_t j = 0; j < D; j++) {
            const float old = image[D + j];
            image[D + j] = old + 1.0f;
            const float *after = run_net(&n);
            for (int64_t i = 0; i < 3 * D; i++) {
                const int64_t below = i % D / f->W - j / f->W, right = i % f->W - j % f->W;
                const bool sees = i / D == 1 && (below > 0 ? right >= -f->reach : below == 0 && right > 0);
                if (sees != (memcmp(after + i * floats, before + i * floats, sizeof(float) * (size_t)floats) != 0)) {
                    fail_msg("%s, %s: pixel %d of image 1 %s the mixture of pixel %d", f->text, kernels[q % 2]->name,
                             (int)j, sees ? "does not move" : "moves", (int)i);
                }
            }
            image[D + j] = old;
        }
        hiss_free(before);
        close_net(&n);
    }
}

enum { DRAWN = 4, SEED = 3 }; /* images */

/* Images below rows that are given, which stay. Returns how many passes they took. */
static int64_t draw_images(const net *n, const hiss_lane *lane, int64_t first) {
    int64_t passes = 0;
    int begin, end;
    for (int64_t i = 0; i < DRAWN; i++) {
        n->s.ops->generation->noise(n->s.method, lane, i, SEED, 0);
        for (int64_t k = 0; k < first * n->s.task.W; k++) {
            hiss_lane_values(lane, lane->inputs->image, i)[k] = 0.5f;
        }
    }
    while (autoregressive_ride_advance(n->s.method, lane, passes, SEED, first, &begin, &end)) {
        hiss_exec_forward(lane->exec, &n->r.run, begin, end, NULL, NULL);
        passes++;
    }
    return passes;
}

/* Drawn images are those that the mixtures of the whole images give, pixel by pixel and bit by bit. */
static void expect_drawn_as_said(const form *f, int64_t first) {
    const int64_t D = f->H * f->W, K = f->components, number[DRAWN] = {0, 1, 2, 7};
    const hiss_batch batch = {.m = DRAWN, .sample = number};
    net n;
    hiss_error err = {0};
    hiss_inputs inputs = {.label = -1};
    open_form(&n, f, DRAWN, hiss_kernels_blas());
    hiss_graph *g = hiss_graph_create();
    hiss_builder b = {.graph = g, .model = n.r.model, .trained_groups = ~0u};
    assert_int_equal(n.s.ops->generation->build(n.s.method, &b, DRAWN, &inputs.image, &err), HISS_OK);
    hiss_exec *exec = hiss_exec_create(g, hiss_kernels_blas(), hiss_model_offsets(n.r.model));
    const hiss_lane lane = {
        .task = &n.s.task, .phase = -1, .batch = &batch, .graph = g, .exec = exec, .inputs = &inputs};
    assert_int_equal(draw_images(&n, &lane, first), f->W + (f->reach + 1) * (f->H - 1 - first));
    const float *drawn = hiss_exec_data(exec, inputs.image);
    memcpy(hiss_exec_data(n.r.exec, n.image), drawn, sizeof(float) * (size_t)(DRAWN * D));
    const float *said = run_net(&n);
    for (int64_t k = 0; k < DRAWN * D; k++) {
        const float expected = k % D < first * f->W
                                   ? 0.5f
                                   : autoregressive_ride_draw(K, said + k * PARTS * K, SEED, number[k / D], k % D, D);
        if (drawn[k] != expected) {
            fail_msg("%s, %d rows given: pixel %d of image %d is %g, by the whole image %g", f->text, (int)first,
                     (int)(k % D), (int)(k / D), (double)drawn[k], (double)expected);
        }
    }
    assert_true(memcmp(drawn, drawn + D, sizeof(float) * (size_t)D) != 0);
    hiss_exec_destroy(exec);
    hiss_graph_destroy(g);
    close_net(&n);
}

static void test_images_are_drawn_as_said(void **state) {
    (void)state;
    for (int q = 0; q < HISS_COUNT(forms); q++) {
        expect_drawn_as_said(&forms[q], 0);
        expect_drawn_as_said(&forms[q], 3);
    }
}

static void test_draws_have_their_density(void **state) {
    (void)state;
    enum { DRAWS = 20000 };
    const float two[6] = {0.0f, (float)log(3.0), 0.2f, 0.7f, -4.0f, -3.0f};
    int low = 0, left = 0;
    for (int i = 0; i < DRAWS; i++) {
        const float x = autoregressive_ride_draw(2, two, 4, i, 7, 9);
        low += x < 0.45f;
        left += x < 0.7f - (float)(exp(-3.0) * log(3.0)); /* a quarter of the second, and the first */
    }
    assert_true(abs(low - DRAWS / 4) < 250 && abs(left - DRAWS * 7 / 16) < 300);
}

/* ---- pixels and the control ---- */

static void test_noise_stays_in_its_level(void **state) {
    (void)state;
    float pixel[256], again[256], other[256], sum = 0.0f;
    for (int b = 0; b < 256; b++) {
        pixel[b] = again[b] = other[b] = (float)b / 255.0f;
    }
    autoregressive_ride_dequantize(hiss_rng_keyed(1, HISS_FOR_TESTS, 0, 0), 256, pixel);
    autoregressive_ride_dequantize(hiss_rng_keyed(1, HISS_FOR_TESTS, 0, 0), 256, again);
    autoregressive_ride_dequantize(hiss_rng_keyed(1, HISS_FOR_TESTS, 1, 0), 256, other);
    for (int b = 0; b < 256; b++) {
        assert_int_equal((int)floorf(pixel[b] * 256.0f), b);
        sum += pixel[b] * 256.0f - (float)b;
    }
    assert_memory_equal(pixel, again, sizeof pixel);
    assert_memory_not_equal(pixel, other, sizeof pixel);
    assert_true(sum > 110.0f && sum < 146.0f);
    float beyond[2] = {-0.2f, 1.3f};
    autoregressive_ride_dequantize(hiss_rng_keyed(1, HISS_FOR_TESTS, 0, 0), 2, beyond);
    assert_true(beyond[0] >= 0.0f && beyond[0] < 1.0f / 256.0f && beyond[1] >= 255.0f / 256.0f && beyond[1] < 1.0f);
}

static void keep_baseline(void *say, const hiss_measure *m) {
    if (strcmp(m->name, "nats") == 0) {
        *(double *)say = m->baseline;
    }
}

static void ignore_remark(void *say, const char *text) {
    (void)say;
    (void)text;
}

/* Squares that coefficients (1, left, up, up and left) leave in images, summed pixel by pixel. */
static double squares_by_hand(const net *n, const float *image, const double *coefficient) {
    const int64_t W = n->s.task.W;
    double sum = 0.0;
    for (int64_t k = 0; k < n->m * n->D; k++) {
        const int64_t at = k % n->D;
        const bool left = at % W > 0, up = at >= W;
        const double e = (double)image[k] - coefficient[0] - (left ? coefficient[1] * (double)image[k - 1] : 0.0) -
                         (up ? coefficient[2] * (double)image[k - W] : 0.0) -
                         (left && up ? coefficient[3] * (double)image[k - W - 1] : 0.0);
        sum += e * e;
    }
    return sum;
}

/* Least squares by descent along one coefficient after the other: another way to the same minimum. */
static double least_squares(const net *n, const float *image, double *coefficient) {
    for (int round = 0; round < 4000; round++) {
        double *c = coefficient + round % 4, middle = squares_by_hand(n, image, coefficient);
        *c += 1.0;
        const double up = squares_by_hand(n, image, coefficient);
        *c -= 2.0;
        const double down = squares_by_hand(n, image, coefficient);
        *c += 1.0 + 0.5 * (down - up) / (down + up - 2.0 * middle);
    }
    return squares_by_hand(n, image, coefficient);
}

/* Test and training images are the same: their density is that of the residual, by its variance. */
static void test_control_is_least_squares(void **state) {
    (void)state;
    enum { M = 6, MOST = 32 };
    net n;
    hiss_error err = {0};
    hiss_value unused = -1;
    double mean[MOST] = {0}, deviation[MOST] = {0}, coefficient[4] = {0}, said = 0.0;
    float out[MOST];
    open_form(&n, &forms[0], M, hiss_kernels_blas());
    const hiss_measure_ops *ops = n.s.ops->measure;
    hiss_graph *g = hiss_graph_create();
    hiss_builder b = {.graph = g, .model = n.r.model, .trained_groups = ~0u};
    assert_int_equal(n.s.ops->generation->build(n.s.method, &b, M, &unused, &err), HISS_OK);
    hiss_exec *exec = hiss_exec_create(g, hiss_kernels_blas(), hiss_model_offsets(n.r.model));
    stage_batches(&n.s, 0, 1);
    hiss_lane lane = stage_lane(&n.s, 0, g, exec);
    lane.view = HISS_VIEW_CENTER;
    for (int64_t i = 0; i < M; i++) {
        ops->sample(n.s.method, &lane, i);
    }
    hiss_exec_forward(exec, &n.r.run, 0, hiss_graph_nodes(g), NULL, NULL);
    assert_true(ops->width(n.s.method) <= MOST);
    for (int64_t i = 0; i < M; i++) {
        ops->measure(n.s.method, &lane, i, out);
        for (int64_t k = 0; k < ops->width(n.s.method); k++) {
            mean[k] += (double)out[k] / M;
        }
    }
    const hiss_measured measured = {.task = &n.s.task,
                                    .test = M,
                                    .train = M,
                                    .test_mean = mean,
                                    .test_deviation = deviation,
                                    .train_mean = mean,
                                    .say = &said,
                                    .number = keep_baseline,
                                    .remark = ignore_remark};
    assert_int_equal(ops->conclude(n.s.method, &measured, &err), HISS_OK);
    const double D = (double)n.D, left = least_squares(&n, hiss_exec_data(exec, unused), coefficient) / M;
    const double expected = 0.5 * D * (log(6.283185307179586 * left / D) + 1.0);
    if (!(fabs(said - expected) < 1e-3 * D)) {
        fail_msg("the linear predictor has %g nats, by hand %g", said, expected);
    }
    hiss_exec_destroy(exec);
    hiss_graph_destroy(g);
    close_net(&n);
}

/* The loss of the graph is the mean of the nats of its images. */
static void test_loss_is_the_density(void **state) {
    (void)state;
    for (int q = 0; q < HISS_COUNT(forms); q++) {
        net n;
        const int64_t K = forms[q].components;
        open_form(&n, &forms[q], 4, hiss_kernels_blas());
        stage_batches(&n.s, 0, 1);
        const hiss_lane lane = stage_lane(&n.s, 0, n.r.graph, n.r.exec);
        stage_sample(&n.s, &lane);
        const float *said = run_net(&n), *image = hiss_exec_data(n.r.exec, n.image);
        const double loss = (double)*hiss_exec_data(n.r.exec, hiss_graph_nodes(n.r.graph) - 1);
        double nats = 0.0;
        for (int64_t k = 0; k < 4 * n.D; k++) {
            nats += 0.25 * autoregressive_ride_nats(K, said + k * PARTS * K, image[k]);
        }
        if (!(fabs(nats - loss) <= 1e-4 * fabs(nats) + 1e-3)) {
            fail_msg("%s: the loss is %g, by hand %g", forms[q].text, loss, nats);
        }
        close_net(&n);
    }
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scan_by_hand),
                                       cmocka_unit_test(test_densities_by_hand),
                                       cmocka_unit_test(test_loss_is_safe),
                                       cmocka_unit_test(test_no_pixel_knows_itself),
                                       cmocka_unit_test(test_images_are_drawn_as_said),
                                       cmocka_unit_test(test_draws_have_their_density),
                                       cmocka_unit_test(test_noise_stays_in_its_level),
                                       cmocka_unit_test(test_control_is_least_squares),
                                       cmocka_unit_test(test_loss_is_the_density)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
