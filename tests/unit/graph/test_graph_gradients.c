/* Every operation: gradients against central differences, the blas kernels against the ref kernels, and the same bits
 * from two runs. The loop is over the operation table, so an operation without example or exemption fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/graph.h"
#include "hiss/rng.h"

enum { SLOTS = 10, SLOT_FLOATS = 4096, VARIANTS = 6 };

static const int64_t offsets[SLOTS] = {0 * SLOT_FLOATS, 1 * SLOT_FLOATS, 2 * SLOT_FLOATS, 3 * SLOT_FLOATS,
                                       4 * SLOT_FLOATS, 5 * SLOT_FLOATS, 6 * SLOT_FLOATS, 7 * SLOT_FLOATS,
                                       8 * SLOT_FLOATS, 9 * SLOT_FLOATS};

static void fill_inputs(const hiss_graph *g, hiss_exec *exec, int variant) {
    static const char *const names[] = {"weights", "still"};
    for (int k = 0; k < 2; k++) {
        hiss_value v = hiss_graph_input_named(g, names[k]);
        if (v >= 0) {
            hiss_shape s = hiss_graph_shape(g, v);
            hiss_rng rng = hiss_rng_keyed(7, HISS_FOR_TESTS, variant, 100 + k);
            hiss_rng_normals(&rng, hiss_shape_count(&s), hiss_exec_data(exec, v));
        }
    }
    hiss_value v = hiss_graph_input_named(g, "label");
    if (v >= 0) {
        int32_t *label = (int32_t *)hiss_exec_data(exec, v);
        const hiss_shape s = hiss_graph_shape(g, v);
        for (int64_t i = 0; i < hiss_shape_count(&s); i++) {
            label[i] = (int32_t)((3 * i + variant) % 10);
        }
    }
}

static double loss_of(const hiss_graph *g, hiss_exec *exec, hiss_value loss, const float *model, int variant) {
    hiss_exec_context run = {.model = model, .seed = 5, .step = 3, .lane = 1, .lanes = 2};
    fill_inputs(g, exec, variant);
    hiss_exec_forward(exec, &run, 0, hiss_graph_nodes(g), NULL, NULL);
    return *hiss_exec_data(exec, loss);
}

static void gradients(const hiss_graph *g, hiss_exec *exec, const float *model, float *lane, int variant) {
    hiss_exec_context run = {.model = model, .lane_vector = lane, .seed = 5, .step = 3, .lane = 1, .lanes = 2};
    fill_inputs(g, exec, variant);
    hiss_exec_forward(exec, &run, 0, hiss_graph_nodes(g), NULL, NULL);
    hiss_exec_record(exec, &run);
    hiss_exec_backward(exec, &run, NULL, NULL);
}

/* Central differences along a random direction restricted to one slot, at several directions: cheap for any size. */
static void check_against_differences(const hiss_graph *g, hiss_exec *exec, const float *model, const float *lane,
                                      int variant, const char *name) {
    hiss_value loss = hiss_graph_nodes(g) - 1;
    float *moved = hiss_new(float, SLOTS *SLOT_FLOATS), *direction = hiss_new(float, SLOT_FLOATS);
    for (int slot = 0; slot < SLOTS; slot++) {
        if (!hiss_graph_trains(g, slot)) {
            continue;
        }
        for (int trial = 0; trial < 3; trial++) {
            hiss_rng rng = hiss_rng_keyed(9, HISS_FOR_TESTS, trial, slot);
            hiss_rng_normals(&rng, SLOT_FLOATS, direction);
            double expected = 0.0, up, down;
            for (int i = 0; i < SLOT_FLOATS; i++) {
                expected += (double)direction[i] * (double)lane[slot * SLOT_FLOATS + i];
            }
            const double h = 1e-3;
            memcpy(moved, model, sizeof(float) * SLOTS * SLOT_FLOATS);
            for (int i = 0; i < SLOT_FLOATS; i++) {
                moved[slot * SLOT_FLOATS + i] =
                    (float)((double)model[slot * SLOT_FLOATS + i] + h * (double)direction[i]);
            }
            up = loss_of(g, exec, loss, moved, variant);
            for (int i = 0; i < SLOT_FLOATS; i++) {
                moved[slot * SLOT_FLOATS + i] =
                    (float)((double)model[slot * SLOT_FLOATS + i] - h * (double)direction[i]);
            }
            down = loss_of(g, exec, loss, moved, variant);
            const double found = (up - down) / (2 * h);
            const double tolerance = 2e-2 * fmax(fabs(expected), 1.0) + 2e-6 * fabs(up) / h; /* truncation, rounding */
            if (fabs(found - expected) > tolerance) {
                fail_msg("%s variant %d slot %d: differences give %g, backward %g", name, variant, slot, found,
                         expected);
            }
        }
    }
    hiss_free(direction);
    hiss_free(moved);
}

static void test_every_operation(void **state) {
    (void)state;
    float *model = hiss_new(float, SLOTS *SLOT_FLOATS), *lane = hiss_new(float, SLOTS *SLOT_FLOATS);
    float *other = hiss_new(float, SLOTS *SLOT_FLOATS);
    hiss_rng rng = hiss_rng_keyed(11, HISS_FOR_TESTS, 0, 0);
    hiss_rng_normals(&rng, SLOTS * SLOT_FLOATS, model);
    for (int i = (SLOTS - 1) * SLOT_FLOATS; i < SLOTS * SLOT_FLOATS; i++) {
        model[i] = 0.5f + fabsf(model[i]); /* the slot of running variances */
    }
    int checked = 0;
    for (int op = 0; op < hiss_op_count(); op++) {
        for (int variant = 0; variant < VARIANTS; variant++) {
            hiss_graph *g = hiss_graph_create();
            const char *exempt = NULL;
            if (!hiss_op_example(op, variant, g, &exempt)) {
                assert_non_null(exempt);
                hiss_graph_destroy(g);
                continue;
            }
            hiss_error err = {0};
            if (hiss_graph_status(g, &err) != HISS_OK) {
                fail_msg("%s variant %d: %s", hiss_op_name(op), variant, err.text);
            }
            hiss_exec *ref = hiss_exec_create(g, hiss_kernels_ref(), offsets);
            hiss_exec *fast = hiss_exec_create(g, hiss_kernels_blas(), offsets);
            memset(lane, 0, sizeof(float) * SLOTS * SLOT_FLOATS);
            memset(other, 0, sizeof(float) * SLOTS * SLOT_FLOATS);
            gradients(g, ref, model, lane, variant);
            check_against_differences(g, ref, model, lane, variant, hiss_op_name(op));
            gradients(g, fast, model, other, variant);
            hiss_difference d = hiss_floats_compare(SLOTS * SLOT_FLOATS, lane, other, 1.0);
            if (d.max_relative > 1e-4 || d.has_nan) {
                fail_msg("%s variant %d: ref and blas differ by %g", hiss_op_name(op), variant, d.max_relative);
            }
            gradients(g, fast, model, lane, variant);
            assert_memory_equal(lane, other, sizeof(float) * SLOTS * SLOT_FLOATS);
            hiss_exec_destroy(ref);
            hiss_exec_destroy(fast);
            hiss_graph_destroy(g);
            checked++;
        }
    }
    assert_true(checked >= 16 * VARIANTS);
    hiss_free(model);
    hiss_free(lane);
    hiss_free(other);
    assert_int_equal(hiss_alloc_live(), 0);
}

typedef struct by_hand { /* a word on the image below, with one argument, and a second input of so many channels */
    const char *word;
    double argument;
    int64_t channels;
    float second[8];
    int count;
    float expected[16];
} by_hand;

static const by_hand rows[] = {
    {"relu", 0, 0, {0}, 8, {1, 0, 3, 0, 5, 0, 7, 0}},
    {"leaky_relu", 0.5, 0, {0}, 8, {1, -1, 3, -2, 5, -3, 7, -4}},
    {"add", 0, 2, {1, 2, 3, 4, 5, 6, 7, 8}, 8, {2, 0, 6, 0, 10, 0, 14, 0}},
    {"concat", 0, 1, {10, 20, 30, 40}, 12, {1, -2, 10, 3, -4, 20, 5, -6, 30, 7, -8, 40}},
    {"global_average_pool", 0, 0, {0}, 2, {4, -5}},
};

static void test_values_by_hand(void **state) {
    (void)state;
    static const float image[8] = {1, -2, 3, -4, 5, -6, 7, -8}; /* [1,2,2,2] */
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const by_hand *row = &rows[r];
        hiss_graph *g = hiss_graph_create();
        const hiss_value x[2] = {hiss_graph_input(g, "image", HISS_SHAPE(1, 2, 2, 2)),
                                 row->channels ? hiss_graph_input(g, "second", HISS_SHAPE(1, 2, 2, row->channels))
                                               : -1};
        hiss_value y = -1;
        for (int op = 0; op < hiss_op_count(); op++) {
            const hiss_word *word = hiss_op_word(op);
            if (word && strcmp(word->word, row->word) == 0) {
                y = word->build(g, row->channels ? 2 : 1, x, &row->argument);
            }
        }
        assert_true(y >= 0);
        hiss_graph_keep(g, y);
        const hiss_shape shape = hiss_graph_shape(g, y);
        assert_int_equal(hiss_shape_count(&shape), row->count);
        hiss_exec *exec = hiss_exec_create(g, hiss_kernels_ref(), offsets);
        memcpy(hiss_exec_data(exec, x[0]), image, sizeof image);
        if (row->channels) {
            memcpy(hiss_exec_data(exec, x[1]), row->second, sizeof(float) * (size_t)(4 * row->channels));
        }
        hiss_exec_forward(exec, &(hiss_exec_context){0}, 0, hiss_graph_nodes(g), NULL, NULL);
        for (int i = 0; i < row->count; i++) {
            if (hiss_exec_data(exec, y)[i] != row->expected[i]) {
                fail_msg("%s: value %d is %g, by hand %g", row->word, i, (double)hiss_exec_data(exec, y)[i],
                         (double)row->expected[i]);
            }
        }
        hiss_exec_destroy(exec);
        hiss_graph_destroy(g);
    }
}

/* A deliberately wrong gradient must be seen, or the check above proves nothing. */
static void test_check_can_fail(void **state) {
    (void)state;
    float *model = hiss_new(float, SLOTS *SLOT_FLOATS), *lane = hiss_new(float, SLOTS *SLOT_FLOATS);
    hiss_rng rng = hiss_rng_keyed(11, HISS_FOR_TESTS, 0, 0);
    hiss_rng_normals(&rng, SLOTS * SLOT_FLOATS, model);
    hiss_graph *g = hiss_graph_create();
    hiss_value x = hiss_graph_parameter(g, 0, HISS_SHAPE(4, 4), true);
    hiss_graph_loss(g, hiss_graph_squared_loss(g, x, hiss_graph_input(g, "weights", HISS_SHAPE(4, 4)), 0.5));
    hiss_exec *exec = hiss_exec_create(g, hiss_kernels_ref(), offsets);
    gradients(g, exec, model, lane, 0);
    double expected = 0.0, loss = loss_of(g, exec, hiss_graph_nodes(g) - 1, model, 0);
    for (int i = 0; i < 16; i++) {
        expected += (double)lane[i] * (double)lane[i];
        model[i] += 1e-3f * lane[i];
    }
    const double slope = (loss_of(g, exec, hiss_graph_nodes(g) - 1, model, 0) - loss) / 1e-3;
    assert_true(fabs(slope - expected) < 0.02 * expected);
    assert_true(fabs(slope - 1.1 * expected) > 0.02 * expected);
    hiss_exec_destroy(exec);
    hiss_graph_destroy(g);
    hiss_free(model);
    hiss_free(lane);
}

static void test_shape_errors_stick(void **state) {
    (void)state;
    hiss_graph *g = hiss_graph_create();
    hiss_graph_scope(g, "fc1");
    hiss_value x = hiss_graph_input(g, "image", HISS_SHAPE(2, 8));
    hiss_value y = hiss_graph_linear(g, x, hiss_graph_parameter(g, 0, HISS_SHAPE(4, 7), true), -1);
    assert_int_equal(y, -1);
    assert_int_equal(hiss_graph_relu(g, y), -1);
    hiss_error err = {0};
    assert_int_equal(hiss_graph_status(g, &err), HISS_EUSER);
    assert_string_equal(err.text, "fc1: linear: needs x [M,D] and w [F,D] of equal D, got [2, 8] and [4, 7]");
    hiss_graph_destroy(g);
}

/* A layered net needs far less memory than the sum of its arrays, and sharing must not change the result. */
static void test_memory_is_shared(void **state) {
    (void)state;
    hiss_graph *g = hiss_graph_create();
    hiss_value x = hiss_graph_input(g, "image", HISS_SHAPE(8, 64));
    double arrays = 8 * 64;
    for (int layer = 0; layer < 10; layer++) {
        x = hiss_graph_relu(g,
                            hiss_graph_linear(g, x, hiss_graph_parameter(g, layer % 8, HISS_SHAPE(64, 64), true), -1));
        arrays += 4 * 8 * 64; /* two outputs, two gradients */
    }
    hiss_graph_loss(g, hiss_graph_squared_loss(g, x, hiss_graph_input(g, "weights", HISS_SHAPE(8, 64)), 1.0));
    hiss_exec *exec = hiss_exec_create(g, hiss_kernels_blas(), offsets);
    assert_true((double)hiss_exec_bytes(exec) < 4.0 * arrays * 0.5);
    hiss_exec_destroy(exec);
    hiss_graph_destroy(g);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_operation), cmocka_unit_test(test_values_by_hand),
                                       cmocka_unit_test(test_check_can_fail), cmocka_unit_test(test_shape_errors_stick),
                                       cmocka_unit_test(test_memory_is_shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
