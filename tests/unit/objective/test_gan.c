/* The adversary's parts against sums by hand; what gan draws: another latent in each phase, step and sample, the same one
 * again, and the class of each sample; images outside of training by their number and the seed alone. */
#include "../graph_support.h"

#include "../serial_comm.h"
#include "../stage.h"
#include "objective/parts/adversary.h"

enum { M = 6, D = 5, LATENT = 4, CLASSES = 3 };

static double sigmoid(double x) {
    return 1.0 / (1.0 + exp(-x));
}

static void test_parts_are_their_sums(void **state) {
    (void)state;
    rig r = rig_open();
    hiss_graph *g = r.graph;
    const hiss_value logits = hiss_graph_input(g, "logits", HISS_SHAPE(M, 1)),
                     images = hiss_graph_input(g, "images", HISS_SHAPE(M, 1, D, 1)),
                     means = hiss_graph_filled(g, HISS_SHAPE(M, M), 1.0f / M);
    const hiss_value value[] = {objective_adversary_loss(g, logits, true), objective_adversary_loss(g, logits, false),
                                objective_adversary_score(g, logits), objective_adversary_spread(g, images, means)};
    for (int k = 0; k < HISS_COUNT(value); k++) {
        hiss_graph_keep(g, value[k]);
    }
    hiss_graph_keep(g, logits);
    hiss_graph_keep(g, images);
    r.loss = value[0];
    hiss_graph_loss(g, r.loss);
    rig_ready(&r, hiss_kernels_ref());
    rig_forward(&r);
    const float *x = hiss_exec_data(r.exec, logits), *image = hiss_exec_data(r.exec, images);
    double expected[HISS_COUNT(value)] = {0};
    for (int i = 0; i < M; i++) {
        expected[0] -= log(sigmoid((double)x[i])) / M;
        expected[1] -= log(1.0 - sigmoid((double)x[i])) / M;
        expected[2] += sigmoid((double)x[i]) / M;
        for (int j = 0; j < M; j++) { /* the mean square from the mean is half of that between two */
            for (int k = 0; k < D; k++) {
                const double apart = (double)image[i * D + k] - (double)image[j * D + k];
                expected[3] += 0.5 * apart * apart / (M * M);
            }
        }
    }
    for (int k = 0; k < HISS_COUNT(value); k++) {
        assert_true(fabs((double)*hiss_exec_data(r.exec, value[k]) - expected[k]) < 1e-5 * fmax(1.0, expected[k]));
    }
    rig_close(&r);
}

typedef struct show { /* gan and its graph of one phase */
    hiss_comm comm;
    stage s;
    rig r;
    hiss_lane lane;
} show;

static void open_show(show *a, int phase, const char *text) {
    memset(a, 0, sizeof *a);
    hiss_error err = {0};
    const stage_given given = {.seed = 9,
                               .samples = 24,
                               .stored_H = 8,
                               .stored_W = 8,
                               .C = 1,
                               .classes = CLASSES,
                               .lanes = 1,
                               .m = M,
                               .comm = &a->comm,
                               .kernels = hiss_kernels_ref()};
    a->r = rig_open();
    if (stage_open(&a->s, "gan", text, given, NULL, &err) != HISS_OK ||
        a->s.ops->build(a->s.method, phase, &a->r.b, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    rig_ready(&a->r, given.kernels);
}

static float *input_of(const show *a, const char *name) {
    return hiss_exec_data(a->r.exec, hiss_graph_input_named(a->r.graph, name));
}

/* Inputs of the phase at a step. */
static void fill(show *a, int phase, int64_t step) {
    stage_batches(&a->s, 0, step);
    a->lane = stage_lane(&a->s, 0, a->r.graph, a->r.exec);
    a->lane.phase = phase;
    stage_sample(&a->s, &a->lane);
}

static void test_latents_are_fresh(void **state) {
    (void)state;
    float first[M * LATENT], again[M * LATENT], later[M * LATENT], other[M * LATENT];
    show a;
    open_show(&a, 0, "gan: {latent: 4, width: 2, deviation: 0.5}\n");
    fill(&a, 0, 1);
    memcpy(first, input_of(&a, "latent"), sizeof first);
    fill(&a, 0, 2);
    memcpy(later, input_of(&a, "latent"), sizeof later);
    fill(&a, 0, 1);
    memcpy(again, input_of(&a, "latent"), sizeof again);
    rig_close(&a.r);
    stage_close(&a.s);
    open_show(&a, 1, "gan: {latent: 4, width: 2}\n");
    assert_int_equal(hiss_graph_input_named(a.r.graph, "image"), -1);
    fill(&a, 1, 1);
    memcpy(other, input_of(&a, "latent"), sizeof other);
    assert_memory_equal(first, again, sizeof first);
    for (int i = 0; i < M * LATENT; i++) {
        assert_true(first[i] != later[i] && first[i] != other[i] && first[i] != 0.5f * other[i]);
        for (int j = 0; j < i; j++) {
            assert_true(first[i] != first[j]);
        }
    }
    fill(&a, 0, 1); /* that of the other phase, unscaled */
    for (int i = 0; i < M * LATENT; i++) {
        assert_true(input_of(&a, "latent")[i] * 0.5f == first[i]);
    }
    rig_close(&a.r);
    stage_close(&a.s);
}

static void test_classes_are_those_of_samples(void **state) {
    (void)state;
    show a;
    open_show(&a, 0, "gan: {latent: 4, width: 2, conditional: true}\n");
    fill(&a, 0, 1);
    for (int i = 0; i < M; i++) {
        const int32_t own = a.s.batches[0].label[i];
        double total = 0.0;
        for (int c = 0; c < CLASSES; c++) {
            assert_true(input_of(&a, "class")[i * CLASSES + c] == (c == own ? 1.0f : 0.0f));
        }
        for (int j = 0; j < M; j++) {
            const float weight = input_of(&a, "means")[i * M + j];
            assert_true((weight > 0.0f) == (a.s.batches[0].label[j] == own));
            total += (double)weight;
        }
        assert_true(fabs(total - 1.0) < 1e-6);
    }
    rig_close(&a.r);
    stage_close(&a.s);
}

/* Number 7 is the same image wherever it stands. */
static void test_images_have_numbers(void **state) {
    (void)state;
    static const int64_t number[] = {7, 3, 7};
    hiss_error err = {0};
    show a;
    open_show(&a, 0, "gan: {latent: 4, width: 2, conditional: true}\n");
    const hiss_generation_ops *ops = a.s.ops->generation;
    rig r = rig_open();
    r.b.training = false;
    assert_int_equal(ops->classes(a.s.method), CLASSES);
    assert_int_equal(ops->build(a.s.method, &r.b, 3, &r.loss, &err), HISS_OK);
    hiss_graph_keep(r.graph, r.loss);
    rig_ready(&r, hiss_kernels_ref());
    const hiss_batch batch = {.m = 3, .sample = number};
    const hiss_lane lane = {.task = &a.s.task, .phase = -1, .batch = &batch, .graph = r.graph, .exec = r.exec};
    const float *z = hiss_exec_data(r.exec, hiss_graph_input_named(r.graph, "latent"));
    float other[LATENT];
    for (int i = 0; i < 3; i++) {
        ops->noise(a.s.method, &lane, i, 5, 1);
    }
    assert_memory_equal(z, z + 2 * LATENT, LATENT * sizeof(float));
    assert_memory_not_equal(z, z + LATENT, LATENT * sizeof(float));
    hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
    const float *pixel = hiss_exec_data(r.exec, r.loss);
    assert_memory_equal(pixel, pixel + 2 * 64, 64 * sizeof(float));
    for (int i = 0; i < 3 * 64; i++) {
        assert_true(pixel[i] > 0.0f && pixel[i] < 1.0f);
    }
    memcpy(other, z, sizeof other);
    ops->noise(a.s.method, &lane, 0, 6, 1);
    assert_memory_not_equal(z, other, sizeof other);
    rig_close(&r);
    rig_close(&a.r);
    stage_close(&a.s);
}

static void test_collapse_is_told(void **state) {
    (void)state;
    char line[512];
    hiss_named out[HISS_MAX_DERIVED];
    show a;
    open_show(&a, 0, "gan: {latent: 4, width: 2}\n");
    const hiss_report_ops *ops = a.s.ops->report;
    hiss_named spread[] = {{"spread_of_data", 50.0}, {"spread_of_made", 45.0}};
    assert_int_equal(ops->derive(a.s.method, spread, 2, out), 1);
    assert_string_equal(out[0].name, "diversity");
    assert_true(fabs(out[0].value - 0.9) < 1e-9);
    assert_false(ops->concern(a.s.method, spread, 2, line, sizeof line));
    spread[1].value = 5.0;
    assert_true(ops->concern(a.s.method, spread, 2, line, sizeof line));
    assert_non_null(strstr(line, "collapsed") && strstr(line, "0.100") ? line : NULL);
    spread[0].value = 0.0; /* lanes of one sample */
    assert_int_equal(ops->derive(a.s.method, spread, 2, out), 0);
    assert_false(ops->concern(a.s.method, spread, 2, line, sizeof line));
    rig_close(&a.r);
    stage_close(&a.s);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_their_sums), cmocka_unit_test(test_latents_are_fresh),
        cmocka_unit_test(test_classes_are_those_of_samples), cmocka_unit_test(test_images_have_numbers),
        cmocka_unit_test(test_collapse_is_told)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
