/* Ladder networks: the decoder's operations by hand; noise and labelled samples as they are said to be; statistics of
 * the clean path of unlabelled samples alone; costs by hand where the decoder guesses 0; parts that models lack.
 * Gradients are checked with those of all methods. */
#include "../graph_support.h"

#include "../serial_comm.h"
#include "../stage.h"

enum { M = 8, PIXELS = 144, HIDDEN = 7, CLASSES = 10 };

static void open_stage(stage *s, hiss_comm *comm, const char *text) {
    hiss_error err = {0};
    const stage_given given = {.seed = 4,
                               .samples = 60,
                               .stored_H = 12,
                               .stored_W = 12,
                               .C = 1,
                               .classes = CLASSES,
                               .labelled = 2,
                               .lanes = 2,
                               .m = M,
                               .comm = comm,
                               .kernels = hiss_kernels_ref()};
    if (stage_open(s, "ladder", text, given, NULL, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    stage_batches(s, 0, 1);
}

static rig build(stage *s) {
    hiss_error err = {0};
    rig r = rig_open();
    assert_int_equal(s->ops->build(s->method, 0, &r.b, &err), HISS_OK);
    r.loss = hiss_graph_nodes(r.graph) - 1;
    rig_ready(&r, hiss_kernels_ref());
    return r;
}

static void put_lane(stage *s, const rig *r) {
    const hiss_lane lane = stage_lane(s, 1, r->graph, r->exec);
    stage_sample(s, &lane);
}

static float *input(const rig *r, const char *name) {
    const hiss_value v = hiss_graph_input_named(r->graph, name);
    assert_true(v >= 0);
    return hiss_exec_data(r->exec, v);
}

/* ---- operations ---- */

static void run(hiss_graph *g, hiss_exec *exec) {
    hiss_exec_forward(exec, &(hiss_exec_context){0}, 0, hiss_graph_nodes(g), NULL, NULL);
}

static void expect(const float *found, int count, const double *expected) {
    for (int i = 0; i < count; i++) {
        if (fabs((double)found[i] - expected[i]) > 1e-5) {
            fail_msg("value %d is %g, by hand %g", i, (double)found[i], expected[i]);
        }
    }
}

static void test_operations_by_hand(void **state) {
    (void)state;
    static const int64_t none[1] = {0};
    static const float x[4] = {0.0f, 1000.0f, 2.0f, 2.0f}, reference[4] = {1.0f, 4.0f, 3.0f, 4.0f};
    static const double probable[4] = {0.0, 1.0, 0.5, 0.5};
    /* columns of mean 2 and 4, variance 1 and 0 */
    const double by[4] = {-2.0 / sqrt(1.25), 996.0 / sqrt(0.25), 0.0, -2.0 / sqrt(0.25)};
    /* column 0: m = 1 / 2 + 2 + 1, v = 1; column 1: v = 3 sigmoid(0) + u */
    static const float a[16] = {1, 0, 0, 0, 1, 0, 1, 0, 0, 3, 0, 0, 0, 1, 1, 0}, slope[4] = {0, 0, 0, 0};
    static const float u[4] = {2.0f, 5.0f, -1.0f, 0.5f};
    const double combined[4] = {0.0, 1000.0 * 6.5, 2.0, 2.0 * 2.0};
    hiss_graph *g = hiss_graph_create();
    const hiss_value vx = hiss_graph_input(g, "x", HISS_SHAPE(2, 2)), vu = hiss_graph_input(g, "u", HISS_SHAPE(2, 2));
    const hiss_value vr = hiss_graph_input(g, "r", HISS_SHAPE(2, 2));
    const hiss_value y[3] = {hiss_graph_softmax(g, vx), hiss_graph_normalize_by(g, vx, vr, 0.25),
                             hiss_graph_combinator(g, vx, vu, hiss_graph_constant(g, HISS_SHAPE(8, 2), a),
                                                   hiss_graph_constant(g, HISS_SHAPE(2, 2), slope))};
    for (int k = 0; k < 3; k++) {
        hiss_graph_keep(g, y[k]);
    }
    hiss_exec *exec = hiss_exec_create(g, hiss_kernels_ref(), none);
    memcpy(hiss_exec_data(exec, vx), x, sizeof x);
    memcpy(hiss_exec_data(exec, vr), reference, sizeof reference);
    memcpy(hiss_exec_data(exec, vu), u, sizeof u);
    run(g, exec);
    expect(hiss_exec_data(exec, y[0]), 4, probable);
    expect(hiss_exec_data(exec, y[1]), 4, by);
    expect(hiss_exec_data(exec, y[2]), 4, combined);
    hiss_exec_destroy(exec);
    hiss_graph_destroy(g);
}

/* ---- what goes in ---- */

/* Deviation of what is in an input [M, count]; and whether no two samples have the same. */
static double deviation_of(const float *noise, int64_t count) {
    double square = 0.0;
    for (int64_t i = 0; i < M * count; i++) {
        square += (double)noise[i] * (double)noise[i] / (double)(M * count);
    }
    for (int64_t i = 1; i < M; i++) {
        assert_memory_not_equal(noise, noise + i * count, sizeof(float) * (size_t)count);
    }
    return sqrt(square);
}

static void test_noise(void **state) {
    (void)state;
    static const char *const names[2][3] = {{"noise0", "noise1", "noise2"},
                                            {"labelled_noise0", "labelled_noise1", "labelled_noise2"}};
    static const int64_t width[3] = {PIXELS, HIDDEN, CLASSES};
    hiss_comm comm = {0};
    stage s;
    open_stage(&s, &comm, "ladder: {layers: '7', noise: 0.5, layer_noise: 2}\n");
    rig r = build(&s);
    for (int half = 0; half < 2; half++) {
        for (int k = 0; k < 3; k++) {
            float first[M * PIXELS];
            const size_t bytes = sizeof(float) * (size_t)(M * width[k]);
            const float *now = input(&r, names[half][k]);
            put_lane(&s, &r);
            const double found = deviation_of(now, width[k]), expected = k ? 2.0 : 0.5;
            assert_true(fabs(found / expected - 1.0) < 4.0 / sqrt(2.0 * (double)(M * width[k])));
            memcpy(first, now, bytes);
            put_lane(&s, &r);
            assert_memory_equal(first, now, bytes);
            assert_memory_not_equal(first, input(&r, names[1 - half][k]), bytes);
            s.step++;
            put_lane(&s, &r);
            s.step--;
            assert_memory_not_equal(first, now, bytes);
        }
    }
    rig_close(&r);
    stage_close(&s);
}

static void test_labelled_samples_are_those_whose_turn_it_is(void **state) {
    (void)state;
    hiss_comm comm = {0};
    stage s;
    open_stage(&s, &comm, "ladder: {layers: '7'}\n");
    rig r = build(&s);
    for (int step = 0; step < 4; step++) {
        s.step = step;
        put_lane(&s, &r);
        for (int64_t i = 0; i < M; i++) {
            const int64_t at = hiss_labelled_turn(&s.task, &s.placement, step, 1, i);
            const float *labelled = input(&r, "labelled") + i * PIXELS, *image = input(&r, "image") + i * PIXELS;
            assert_int_equal(((const int32_t *)input(&r, "class"))[i], at % CLASSES);
            for (int64_t k = 0; k < PIXELS; k++) {
                assert_true(fabs((double)labelled[k] - s.few_pixel[at][k] / 255.0) < 1e-6);
                assert_true(fabs((double)image[k] - s.batches[1].row[i][k] / 255.0) < 1e-6);
            }
        }
    }
    rig_close(&r);
    stage_close(&s);
}

/* ---- what comes out ---- */

/* Mean and variance, of M values, of W x of the images as they come, at unit j of the first layer. */
static void moments(rig *r, int64_t j, double *mean, double *variance) {
    const float *w = rig_of(r, r->vector, "layer1/weight") + j * PIXELS, *image = input(r, "image");
    double sum = 0.0, square = 0.0;
    for (int64_t i = 0; i < M; i++) {
        double value = 0.0;
        for (int64_t k = 0; k < PIXELS; k++) {
            value += (double)w[k] * (double)image[i * PIXELS + k];
        }
        sum += value;
        square += value * value;
    }
    *mean = sum / M;
    *variance = square / M - *mean * *mean;
}

/* With a combinator of zeros every guess is 0: its error at the image is x, and at a layer (z_pre / deviation). */
static void test_statistics_and_costs_by_hand(void **state) {
    (void)state;
    hiss_comm comm = {0};
    stage s;
    open_stage(&s, &comm, "ladder: {layers: '7', lambda: '3, 2, 0'}\n");
    rig r = build(&s);
    float *const mix[] = {rig_of(&r, r.vector, "combinator0/mix"), rig_of(&r, r.vector, "combinator1/mix")};
    memset(mix[0], 0, sizeof(float) * 8 * PIXELS);
    memset(mix[1], 0, sizeof(float) * 8 * HIDDEN);
    r.run.lane = 1;
    put_lane(&s, &r);
    const double loss = rig_step(&r);
    double at_image = 0.0, at_layer = 0.0;
    for (int64_t k = 0; k < M * PIXELS; k++) {
        at_image += pow((double)input(&r, "image")[k], 2.0) / (M * PIXELS);
    }
    for (int64_t j = 0; j < HIDDEN; j++) {
        double mean, variance;
        moments(&r, j, &mean, &variance);
        assert_true(fabs((double)rig_of(&r, r.lane, "layer1/mean")[j] - mean) < 1e-5);
        assert_true(fabs((double)rig_of(&r, r.lane, "layer1/variance")[j] - variance * M / (M - 1)) < 1e-5);
        at_layer += (variance + mean * mean) / (variance + HISS_NORM_EPSILON) / HIDDEN;
    }
    const double class_cost = (double)*rig_of(&r, r.lane, "class_cost");
    assert_true(fabs((double)*rig_of(&r, r.lane, "denoising0") - at_image) < 1e-5);
    assert_true(fabs((double)*rig_of(&r, r.lane, "denoising1") / at_layer - 1.0) < 1e-4);
    assert_true(hiss_model_find(r.model, "denoising2") < 0); /* its weight is 0 */
    assert_true(fabs(loss - class_cost - 3.0 * at_image - 2.0 * at_layer) < 1e-3);
    rig_close(&r);
    stage_close(&s);
}

static void test_models_have_what_they_need(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool noise, top, decoder;
    } models[] = {{"ladder: {layers: '7'}\n", true, true, true},
                  {"ladder: {layers: '7', lambda: '0, 0, 1'}\n", true, true, false},
                  {"ladder: {layers: '7', model: gamma}\n", true, true, false},
                  {"ladder: {layers: '7', model: noise}\n", false, false, false}};
    for (int k = 0; k < HISS_COUNT(models); k++) {
        hiss_comm comm = {0};
        stage s;
        open_stage(&s, &comm, models[k].text);
        rig r = build(&s);
        assert_int_equal(hiss_graph_input_named(r.graph, "noise0") >= 0, models[k].noise);
        assert_int_equal(hiss_model_find(r.model, "combinator2/mix") >= 0, models[k].top);
        assert_int_equal(hiss_model_find(r.model, "decoder1/weight") >= 0, models[k].decoder);
        assert_int_equal(hiss_model_find(r.model, "combinator0/mix") >= 0, models[k].decoder);
        put_lane(&s, &r);
        assert_true(isfinite(rig_step(&r)));
        rig_close(&r);
        stage_close(&s);
    }
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_operations_by_hand), cmocka_unit_test(test_noise),
                                       cmocka_unit_test(test_labelled_samples_are_those_whose_turn_it_is),
                                       cmocka_unit_test(test_statistics_and_costs_by_hand),
                                       cmocka_unit_test(test_models_have_what_they_need)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
