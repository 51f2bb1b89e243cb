/* Training graphs as a whole: gradients of composed losses against differences, both kernel backends, the cut and what
 * is computed twice, shared weights, recurrence, stopped gradients, BatchNorm used twice, groups of a GAN. */
#include <stdlib.h>

#include "../graph_support.h"

static void fill_units(rig *r) {
    fill_inputs(r->graph, r->exec, r->key, r->classes);
    hiss_value v = hiss_graph_input_named(r->graph, "target");
    const hiss_shape s = hiss_graph_shape(r->graph, v);
    float *target = hiss_exec_data(r->exec, v);
    for (int64_t i = 0; i < s.dim[0]; i++) {
        double squares = 0.0;
        for (int64_t j = 0; j < s.dim[1]; j++) {
            squares += (double)target[i * s.dim[1] + j] * (double)target[i * s.dim[1] + j];
        }
        for (int64_t j = 0; j < s.dim[1]; j++) {
            target[i * s.dim[1] + j] /= (float)sqrt(squares);
        }
    }
}

/* NAT's loss on a small lenet-bn: 12 x 12 images, width 4, dropout on, 8 dimensions. */
static rig nat_rig(const hiss_kernels *kernels) {
    const hiss_network network = {.preset = "lenet-bn", .width = 4};
    rig r = rig_open();
    hiss_value x;
    hiss_taps taps;
    const int64_t m = 6, d = 8;
    hiss_value image = hiss_graph_input(r.graph, "image", HISS_SHAPE(m, 12, 12, 1));
    assert_int_equal(hiss_network_build(&network, &r.b, image, &x, &taps, NULL), HISS_OK);
    x = hiss_layer_dropout(&r.b, x, 0.5);
    x = hiss_graph_l2_normalize(r.graph, hiss_layer_linear(&r.b, "out", x, d, true));
    hiss_graph_keep(r.graph, x);
    hiss_graph_cut(r.graph);
    r.loss =
        hiss_graph_squared_loss(r.graph, x, hiss_graph_input(r.graph, "target", HISS_SHAPE(m, d)), 1.0 / (double)m);
    hiss_graph_loss(r.graph, r.loss);
    hiss_layer_metric(&r.b, "loss", r.loss);
    r.fill = fill_units;
    rig_ready(&r, kernels);
    return r;
}

static void test_nat_loss(void **state) {
    (void)state;
    for (int k = 0; k < 2; k++) {
        rig r = nat_rig(k ? hiss_kernels_blas() : hiss_kernels_ref());
        for (r.run.step = 0; r.run.step < 3; r.run.step++) {
            r.key = 10 + r.run.step;
            const double loss = rig_step(&r);
            assert_true(0.0 < loss && loss < 4.0);
            assert_true(*rig_of(&r, r.lane, "loss") == (float)loss);
            int trained = 0;
            for (int s = 0; s < hiss_model_count(r.model); s++) {
                const bool parameter = hiss_model_at(r.model, s)->kind == HISS_SLOT_PARAMETER;
                assert_true(hiss_graph_trains(r.graph, s) == parameter);
                trained += parameter;
            }
            assert_int_equal(trained, 3 + 6 + 1 + 2 + 2);
            rig_check_gradients(&r, "nat", 4e-3, 0.03, 1e-3);
        }
        rig_close(&r);
    }
}

/* A gradient that is off by 5 % in one slot, or has one wrong sign among many, must be seen. */
static void test_check_can_fail(void **state) {
    (void)state;
    rig r = rig_open();
    hiss_value x = hiss_graph_input(r.graph, "x", HISS_SHAPE(6, 5)), good = hiss_layer_linear(&r.b, "fc", x, 4, true);
    hiss_value target = hiss_graph_input(r.graph, "target", HISS_SHAPE(6, 4));
    /* a second reader of the weights that takes no part in the gradient, though the loss depends on it */
    const int weight = hiss_model_find(r.model, "fc/weight"), bias = hiss_model_find(r.model, "fc/bias");
    hiss_value again = hiss_graph_linear(r.graph, x, hiss_graph_parameter(r.graph, weight, HISS_SHAPE(4, 5), false),
                                         hiss_graph_parameter(r.graph, bias, HISS_SHAPE(4), false));
    hiss_value stopped = hiss_graph_scale(r.graph, again, 0.05);
    r.loss = hiss_graph_squared_loss(r.graph, hiss_graph_add(r.graph, hiss_graph_scale(r.graph, good, 0.95), stopped),
                                     target, 0.1);
    hiss_graph_loss(r.graph, r.loss);
    rig_ready(&r, hiss_kernels_ref());
    const rig_worst w = rig_gradients(&r, 2e-3, 0.02, 4e-4);
    assert_true(w.ratio > 2.0 && fabs(w.expected / w.found - 0.95) < 0.01);
    rig_close(&r);
}

static void test_backends_agree(void **state) {
    (void)state;
    rig ref = nat_rig(hiss_kernels_ref()), blas = nat_rig(hiss_kernels_blas());
    for (int key = 1; key <= 5; key++) {
        ref.key = blas.key = key;
        const double a = rig_step(&ref), b = rig_step(&blas);
        assert_true(fabs(a - b) < 1e-5);
        for (int s = 0; s < hiss_model_count(ref.model); s++) {
            const hiss_slot *slot = hiss_model_at(ref.model, s);
            const float *x = ref.lane + slot->offset, *y = blas.lane + slot->offset;
            double largest = 1e-6;
            for (int64_t i = 0; i < slot->count; i++) {
                largest = fmax(largest, fabs((double)x[i]));
            }
            const hiss_difference d = hiss_floats_compare(slot->count, x, y, largest);
            if (d.has_nan || d.max_relative > 1e-4) {
                fail_msg("%s: ref %g and blas %g", slot->name, (double)x[d.worst], (double)y[d.worst]);
            }
        }
    }
    rig_close(&blas);
    hiss_exec_destroy(ref.exec);
    ref.exec = NULL;
    rig_close(&ref);
}

/* ---- the cut ---- */

static void finish(rig *r) {
    const int cut = hiss_graph_cut_at(r->graph);
    hiss_exec_forward(r->exec, &r->run, cut, hiss_graph_nodes(r->graph), NULL, NULL);
    hiss_exec_record(r->exec, &r->run);
    hiss_exec_backward(r->exec, &r->run, NULL, NULL);
}

static void test_cut_and_recomputation(void **state) {
    (void)state;
    rig r = nat_rig(hiss_kernels_blas());
    const size_t bytes = sizeof(float) * (size_t)hiss_model_floats(r.model);
    const int cut = hiss_graph_cut_at(r.graph);
    assert_true(0 < cut && cut < hiss_graph_nodes(r.graph));
    float *whole = hiss_new(float, hiss_model_floats(r.model));
    rig_step(&r);
    memcpy(whole, r.lane, bytes);

    memset(r.lane, 0, bytes); /* in two parts */
    rig_fill(&r);
    hiss_exec_forward(r.exec, &r.run, 0, cut, NULL, NULL);
    finish(&r);
    assert_memory_equal(whole, r.lane, bytes);

    memset(r.lane, 0, bytes); /* to the cut; another lane at another step evicts it; again from the start */
    rig_fill(&r);
    hiss_exec_forward(r.exec, &r.run, 0, cut, NULL, NULL);
    const hiss_exec_context mine = r.run;
    r.run.lane = 0;
    r.run.step = 8;
    r.key = 2;
    rig_step(&r);
    assert_true(memcmp(whole, r.lane, bytes) != 0);
    r.run = mine;
    r.key = 1;
    rig_fill(&r);
    hiss_exec_forward(r.exec, &r.run, 0, cut, NULL, NULL);
    finish(&r);
    assert_memory_equal(whole, r.lane, bytes);
    hiss_free(whole);
    rig_close(&r);
}

/* Dropout is keyed by seed, step and lane, and each of them matters. */
static void test_dropout_streams(void **state) {
    (void)state;
    rig r = nat_rig(hiss_kernels_blas());
    const double base = rig_step(&r);
    assert_true(rig_step(&r) == base);
    r.run.step++;
    const double step = rig_step(&r);
    r.run.step--;
    r.run.lane = 0;
    const double lane = rig_step(&r);
    r.run.lane = 1;
    r.run.seed++;
    const double seed = rig_step(&r);
    assert_true(step != base && lane != base && seed != base && step != lane);
    rig_close(&r);
}

/* Two places of a graph drop different elements. */
static void test_dropout_places(void **state) {
    (void)state;
    rig r = rig_open();
    hiss_value x = hiss_graph_input(r.graph, "x", HISS_SHAPE(10, 100));
    hiss_value a = hiss_layer_dropout(&r.b, x, 0.25), b = hiss_layer_dropout(&r.b, x, 0.25);
    hiss_graph_keep(r.graph, x);
    hiss_graph_keep(r.graph, a);
    hiss_graph_keep(r.graph, b);
    rig_ready(&r, hiss_kernels_ref());
    rig_fill(&r);
    hiss_exec_forward(r.exec, &r.run, 0, hiss_graph_nodes(r.graph), NULL, NULL);
    int dropped = 0, both = 0;
    for (int i = 0; i < 1000; i++) {
        const float given = hiss_exec_data(r.exec, x)[i], first = hiss_exec_data(r.exec, a)[i],
                    second = hiss_exec_data(r.exec, b)[i];
        assert_true(first == 0.0f || fabsf(first - given / 0.75f) < 1e-6f * fabsf(given));
        dropped += first == 0.0f;
        both += first == 0.0f && second == 0.0f;
    }
    assert_true(abs(dropped - 250) < 70 && abs(both - 62) < 40); /* five standard deviations */
    rig_close(&r);
}

/* ---- shared weights ---- */

/* Rows through "NAME": linear, BatchNorm, tanh, linear. */
static hiss_value tower(rig *r, const char *name, hiss_value x) {
    char part[64];
    snprintf(part, sizeof part, "%s1", name);
    x = hiss_layer_linear(&r->b, part, x, 7, true);
    snprintf(part, sizeof part, "%sn", name);
    x = hiss_graph_tanh(r->graph, hiss_layer_batch_norm(&r->b, part, x));
    snprintf(part, sizeof part, "%s2", name);
    return hiss_layer_linear(&r->b, part, x, 4, false);
}

static rig siamese(const char *left, const char *right) {
    rig r = rig_open();
    hiss_value a = tower(&r, left, hiss_graph_input(r.graph, "left", HISS_SHAPE(9, 5)));
    hiss_value b = tower(&r, right, hiss_graph_input(r.graph, "right", HISS_SHAPE(9, 5)));
    hiss_value product = hiss_graph_multiply(r.graph, a, b);
    r.loss = hiss_graph_squared_loss(r.graph, product, hiss_graph_input(r.graph, "to", HISS_SHAPE(9, 4)), 0.05);
    hiss_graph_loss(r.graph, r.loss);
    rig_ready(&r, hiss_kernels_ref());
    return r;
}

static void test_siamese(void **state) {
    (void)state;
    static const char *const parts[] = {"1/weight", "1/bias", "n/gamma", "n/beta", "2/weight"};
    rig both = siamese("a", "a"), apart = siamese("a", "b");
    assert_int_equal(2 * hiss_model_count(both.model), hiss_model_count(apart.model));
    for (int k = 0; k < HISS_COUNT(parts); k++) { /* the same values everywhere */
        char a[32], b[32];
        snprintf(a, sizeof a, "a%s", parts[k]);
        snprintf(b, sizeof b, "b%s", parts[k]);
        const size_t bytes = sizeof(float) * (size_t)hiss_model_at(both.model, hiss_model_find(both.model, a))->count;
        memcpy(rig_of(&apart, apart.vector, a), rig_of(&both, both.vector, a), bytes);
        memcpy(rig_of(&apart, apart.vector, b), rig_of(&both, both.vector, a), bytes);
    }
    /* apart has more nodes: fill by name, not by place */
    const double loss = rig_step(&both);
    rig_fill(&apart);
    rig_fill(&both);
    static const char *const inputs[] = {"left", "right", "to"};
    for (int k = 0; k < 3; k++) {
        const hiss_value from = hiss_graph_input_named(both.graph, inputs[k]),
                         to = hiss_graph_input_named(apart.graph, inputs[k]);
        const hiss_shape s = hiss_graph_shape(both.graph, from);
        memcpy(hiss_exec_data(apart.exec, to), hiss_exec_data(both.exec, from),
               sizeof(float) * (size_t)hiss_shape_count(&s));
    }
    hiss_exec_forward(apart.exec, &apart.run, 0, hiss_graph_nodes(apart.graph), NULL, NULL);
    assert_true(*hiss_exec_data(apart.exec, apart.loss) == (float)loss);
    hiss_exec_record(apart.exec, &apart.run);
    hiss_exec_backward(apart.exec, &apart.run, NULL, NULL);
    for (int k = 0; k < HISS_COUNT(parts); k++) {
        char a[32], b[32];
        snprintf(a, sizeof a, "a%s", parts[k]);
        snprintf(b, sizeof b, "b%s", parts[k]);
        const int64_t count = hiss_model_at(both.model, hiss_model_find(both.model, a))->count;
        const float *sum = rig_of(&both, both.lane, a), *one = rig_of(&apart, apart.lane, a),
                    *two = rig_of(&apart, apart.lane, b);
        for (int64_t i = 0; i < count; i++) {
            assert_true(fabsf(sum[i] - (one[i] + two[i])) < 1e-5f * (fabsf(one[i]) + fabsf(two[i]) + 0.1f));
            assert_true(one[i] != two[i]);
        }
    }
    /* statistics: the mean of both uses */
    static const char *const statistics[] = {"n/mean", "n/variance"};
    for (int k = 0; k < 2; k++) {
        char a[32], b[32];
        snprintf(a, sizeof a, "a%s", statistics[k]);
        snprintf(b, sizeof b, "b%s", statistics[k]);
        for (int i = 0; i < 7; i++) {
            const float one = rig_of(&apart, apart.lane, a)[i], two = rig_of(&apart, apart.lane, b)[i];
            assert_true(fabsf(rig_of(&both, both.lane, a)[i] - 0.5f * (one + two)) < 1e-6f * (1.0f + fabsf(one)));
            assert_true(one != two);
        }
    }
    rig_check_gradients(&both, "siamese", 2e-3, 0.01, 4e-4);
    hiss_exec_destroy(apart.exec);
    hiss_graph_destroy(apart.graph);
    hiss_model_destroy(apart.model);
    hiss_free(apart.vector);
    hiss_free(apart.lane);
    rig_close(&both);
}

/* A cell h' = tanh(A h + B x + b), unrolled over T steps: the same two layers called T times. */
static void test_recurrent(void **state) {
    (void)state;
    enum { T = 6 };
    rig r = rig_open();
    hiss_value h = hiss_graph_input(r.graph, "start", HISS_SHAPE(4, 5));
    for (int t = 0; t < T; t++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", t);
        hiss_value x = hiss_layer_linear(&r.b, "in", hiss_graph_input(r.graph, name, HISS_SHAPE(4, 3)), 5, true);
        h = hiss_graph_tanh(r.graph, hiss_graph_add(r.graph, hiss_layer_linear(&r.b, "state", h, 5, false), x));
    }
    r.loss = hiss_graph_softmax_cross_entropy(r.graph, hiss_layer_linear(&r.b, "head", h, 10, true),
                                              hiss_graph_input_labels(r.graph, "label", 4));
    hiss_graph_loss(r.graph, r.loss);
    assert_int_equal(hiss_model_count(r.model), 5);
    rig_ready(&r, hiss_kernels_blas());
    rig_check_gradients(&r, "recurrent", 2e-3, 0.01, 2e-4);
    rig_close(&r);
}

/* ---- tied weights ---- */

/* The decoder of a tied auto-encoder against sums by hand; a draw is 1 where the number is below its probability. */
static void test_tied_weights(void **state) {
    (void)state;
    enum { M = 5, D = 7, F = 3 };
    rig r = rig_open();
    hiss_value x = hiss_graph_input(r.graph, "x", HISS_SHAPE(M, D));
    hiss_value code = hiss_layer_linear(&r.b, "code", x, F, true);
    hiss_value back = hiss_layer_linear_tied(&r.b, "back", "code", code, true);
    hiss_value draw = hiss_graph_less(r.graph, x, back);
    r.loss = hiss_graph_squared_loss(r.graph, back, x, 0.1);
    hiss_graph_loss(r.graph, r.loss);
    assert_int_equal(hiss_model_count(r.model), 3); /* one weight, two biases */
    const hiss_value read[] = {x, code, back, draw};
    for (int k = 0; k < HISS_COUNT(read); k++) {
        hiss_graph_keep(r.graph, read[k]);
    }
    rig_ready(&r, hiss_kernels_blas());
    rig_forward(&r);
    const float *in = hiss_exec_data(r.exec, x), *h = hiss_exec_data(r.exec, code), *y = hiss_exec_data(r.exec, back);
    const float *w = rig_of(&r, r.vector, "code/weight"), *bias = rig_of(&r, r.vector, "back/bias");
    int ones = 0;
    for (int i = 0; i < M * D; i++) {
        double sum = (double)bias[i % D];
        for (int k = 0; k < F; k++) {
            sum += (double)h[i / D * F + k] * (double)w[k * D + i % D];
        }
        assert_true(fabs((double)y[i] - sum) < 1e-5 * (1.0 + fabs(sum)));
        const float drawn = hiss_exec_data(r.exec, draw)[i];
        assert_true(drawn == (in[i] < y[i] ? 1.0f : 0.0f));
        ones += drawn == 1.0f;
    }
    assert_true(ones > 0 && ones < M * D);
    rig_check_gradients(&r, "tied", 1e-3, 0.01, 2e-4);
    rig_close(&r);

    r = rig_open();
    hiss_error err = {0};
    hiss_layer_linear_tied(&r.b, "back", "code", hiss_graph_input(r.graph, "x", HISS_SHAPE(M, F)), true);
    assert_int_equal(hiss_graph_status(r.graph, &err), HISS_EUSER);
    assert_string_equal(err.text, "back: there is no linear layer 'code' to be tied to");
    hiss_graph_destroy(r.graph);
    hiss_model_destroy(r.model);
}

/* ---- blocked gradients ---- */

static void test_stop_gradient(void **state) {
    (void)state;
    rig r = rig_open();
    hiss_value x = hiss_graph_input(r.graph, "x", HISS_SHAPE(6, 5));
    hiss_value behind = hiss_layer_linear(&r.b, "behind", x, 4, true);
    hiss_value both = hiss_layer_linear(&r.b, "both", x, 4, true);
    hiss_value stopped = hiss_graph_stop_gradient(r.graph, hiss_graph_add(r.graph, behind, both));
    r.loss = hiss_graph_squared_loss(r.graph, stopped, hiss_graph_scale(r.graph, both, 2.0), 0.1);
    hiss_graph_loss(r.graph, r.loss);
    rig_ready(&r, hiss_kernels_ref());
    memset(r.lane, 0x5a, sizeof(float) * (size_t)hiss_model_floats(r.model));
    float canary;
    memset(&canary, 0x5a, sizeof canary);
    rig_forward(&r);
    hiss_exec_record(r.exec, &r.run);
    hiss_exec_backward(r.exec, &r.run, NULL, NULL);
    for (int s = 0; s < hiss_model_count(r.model); s++) {
        const hiss_slot *slot = hiss_model_at(r.model, s);
        const bool trains = strncmp(slot->name, "both", 4) == 0;
        assert_true(hiss_graph_trains(r.graph, s) == trains);
        assert_int_equal(hiss_graph_final_node(r.graph, s) >= 0, trains);
        for (int64_t i = 0; i < slot->count; i++) { /* untouched when nothing reaches it */
            assert_true((memcmp(&r.lane[slot->offset + i], &canary, sizeof canary) == 0) == !trains);
        }
    }
    /* d/db of 0.1 (s - 2 b)^2 with s held: -0.4 (s - 2 b), summed over rows */
    float *gradient = rig_of(&r, r.lane, "both/bias");
    const float *input = hiss_exec_data(r.exec, x), *w = rig_of(&r, r.vector, "behind/weight"),
                *v = rig_of(&r, r.vector, "both/weight");
    rig_fill(&r);
    for (int j = 0; j < 4; j++) {
        double expected = 0.0;
        for (int i = 0; i < 6; i++) {
            double a = (double)rig_of(&r, r.vector, "behind/bias")[j], b = (double)rig_of(&r, r.vector, "both/bias")[j];
            for (int k = 0; k < 5; k++) {
                a += (double)input[i * 5 + k] * (double)w[j * 5 + k];
                b += (double)input[i * 5 + k] * (double)v[j * 5 + k];
            }
            expected -= 0.4 * (a - b);
        }
        assert_true(fabs((double)gradient[j] - expected) < 1e-4 * (1.0 + fabs(expected)));
    }
    rig_close(&r);
}

/* One value twice into one operation, directly and through a view; a gamma that two norms share with two betas. */
static void test_a_value_used_twice(void **state) {
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        rig r = rig_open();
        hiss_value z = hiss_layer_linear(&r.b, "fc", hiss_graph_input(r.graph, "x", HISS_SHAPE(4, 5)), 4, true);
        hiss_value again = variant % 2 ? hiss_graph_reshape(r.graph, z, HISS_SHAPE(4, 4)) : z;
        hiss_value y = -1;
        if (variant < 2) { /* similarities of rows: z z^T */
            y = hiss_graph_linear(r.graph, z, again, -1);
        } else {
            y = hiss_graph_reshape(r.graph, hiss_graph_multiply(r.graph, z, again), HISS_SHAPE(4, 4));
        }
        r.loss = hiss_graph_squared_loss(r.graph, y, hiss_graph_input(r.graph, "to", HISS_SHAPE(4, 4)), 0.05);
        hiss_graph_loss(r.graph, r.loss);
        rig_ready(&r, variant % 2 ? hiss_kernels_ref() : hiss_kernels_blas());
        rig_check_gradients(&r, "twice", 1e-3, 0.01, 4e-4);
        rig_close(&r);
    }
    rig r = rig_open();
    hiss_value x = hiss_layer_linear(&r.b, "fc", hiss_graph_input(r.graph, "x", HISS_SHAPE(6, 5)), 3, true);
    hiss_value gamma = -1, beta[2];
    static const char *const names[] = {"gamma", "beta0", "beta1"};
    for (int k = 0; k < 3; k++) {
        const hiss_slot slot = {.name = names[k], .kind = HISS_SLOT_PARAMETER, .shape = HISS_SHAPE(3), .constant = 1.0};
        const hiss_value v = hiss_graph_parameter(r.graph, hiss_model_slot(r.model, &slot), slot.shape, true);
        *(k == 0 ? &gamma : &beta[k - 1]) = v;
    }
    x = hiss_graph_batch_norm(r.graph, x, gamma, beta[0], HISS_NO_SLOT, HISS_NO_SLOT, 1e-5, true);
    x = hiss_graph_batch_norm(r.graph, hiss_graph_sigmoid(r.graph, x), gamma, beta[1], HISS_NO_SLOT, HISS_NO_SLOT, 1e-5,
                              true);
    r.loss = hiss_graph_squared_loss(r.graph, x, hiss_graph_input(r.graph, "to", HISS_SHAPE(6, 3)), 0.1);
    hiss_graph_loss(r.graph, r.loss);
    rig_ready(&r, hiss_kernels_ref());
    rig_check_gradients(&r, "shared gamma", 1e-3, 0.01, 4e-4);
    rig_close(&r);
}

/* A frozen layer in the middle: gradients pass through its running statistics to what is before it; itself, it takes
 * neither gradients nor statistics. Frozen layers at the bottom cost no backward. */
static void test_frozen_layers(void **state) {
    (void)state;
    static const char *const names[] = {"fc1", "fc2"};
    for (int count = 0; count <= 2; count++) {
        rig r = rig_open();
        hiss_model_freeze(r.model, count, count == 2 ? names : names + 1);
        hiss_value x = hiss_graph_input(r.graph, "x", HISS_SHAPE(6, 5));
        x = hiss_graph_tanh(r.graph,
                            hiss_layer_batch_norm(&r.b, "fc1/norm", hiss_layer_linear(&r.b, "fc1", x, 4, false)));
        x = hiss_graph_tanh(r.graph,
                            hiss_layer_batch_norm(&r.b, "fc2/norm", hiss_layer_linear(&r.b, "fc2", x, 3, true)));
        x = hiss_layer_linear(&r.b, "fc3", x, 2, true);
        r.loss = hiss_graph_squared_loss(r.graph, x, hiss_graph_input(r.graph, "to", HISS_SHAPE(6, 2)), 0.1);
        hiss_graph_loss(r.graph, r.loss);
        rig_ready(&r, count % 2 ? hiss_kernels_ref() : hiss_kernels_blas());
        for (int s = 0; s < hiss_model_count(r.model); s++) {
            const hiss_slot *slot = hiss_model_at(r.model, s);
            const bool frozen = (count > 0 && strncmp(slot->name, "fc2/", 4) == 0) ||
                                (count > 1 && strncmp(slot->name, "fc1/", 4) == 0);
            assert_int_equal(slot->frozen, frozen);
            assert_int_equal(slot->kind == HISS_SLOT_PARAMETER ? hiss_graph_trains(r.graph, s)
                                                               : hiss_graph_records(r.graph, s),
                             !frozen);
        }
        int evaluated = 0;
        for (int i = 0; i < hiss_graph_nodes(r.graph); i++) {
            evaluated += strcmp(hiss_graph_node(r.graph, i).op, "batch_norm_eval") == 0;
        }
        assert_int_equal(evaluated, count);
        rig_check_gradients(&r, "frozen", 1e-3, 0.01, 4e-4);
        rig_close(&r);
    }
}

/* A gradient that the method makes: the slot is trained although backward does not reach it, unless it is frozen or the
 * graph is not in training. */
static void test_own_gradient(void **state) {
    (void)state;
    static const char *const names[] = {"own"};
    for (int variant = 0; variant < 3; variant++) {
        rig r = rig_open();
        hiss_model_freeze(r.model, variant == 1, names);
        r.b.training = variant != 2;
        hiss_value x = hiss_layer_linear(&r.b, "own", hiss_graph_input(r.graph, "x", HISS_SHAPE(4, 5)), 3, true);
        hiss_layer_own_gradient(&r.b, "own/weight");
        x = hiss_layer_linear(&r.b, "fc", hiss_graph_stop_gradient(r.graph, x), 2, true);
        hiss_graph_loss(r.graph,
                        hiss_graph_squared_loss(r.graph, x, hiss_graph_input(r.graph, "to", HISS_SHAPE(4, 2)), 1.0));
        const int weight = hiss_model_find(r.model, "own/weight"), bias = hiss_model_find(r.model, "own/bias");
        assert_int_equal(hiss_graph_trains(r.graph, weight), variant == 0);
        assert_int_equal(hiss_graph_owns(r.graph, weight), variant == 0);
        assert_int_equal(hiss_graph_final_node(r.graph, weight), -1);
        assert_false(hiss_graph_trains(r.graph, bias) || hiss_graph_owns(r.graph, bias));
        rig_close(&r);
    }
}

/* ---- two groups, as in a GAN ---- */

static hiss_value generator(hiss_builder *b, hiss_value noise) {
    b->group = 0;
    hiss_value x = hiss_layer_batch_norm(b, "g1/norm", hiss_layer_linear(b, "g1", noise, 6, false));
    return hiss_layer_linear(b, "g2", hiss_graph_tanh(b->graph, x), 5, true);
}

static hiss_value critic(hiss_builder *b, hiss_value x) {
    x = hiss_layer_batch_norm(b, "d1/norm", hiss_layer_linear(b, "d1", x, 6, false));
    return hiss_layer_linear(b, "d2", hiss_graph_leaky_relu(b->graph, x, 0.2), 2, true);
}

static void test_groups(void **state) {
    (void)state;
    rig r[2] = {rig_open(), rig_open()};
    hiss_model_destroy(r[1].model); /* both phases share the model */
    r[1].model = r[1].b.model = r[0].model;
    for (int phase = 0; phase < 2; phase++) {
        hiss_builder *b = &r[phase].b;
        b->trained_groups = phase == 0 ? 2u : 1u;
        hiss_value fake = generator(b, hiss_graph_input(b->graph, "noise", HISS_SHAPE(8, 3)));
        b->group = 1 - phase; /* counts for new parameters only: the critic stays in group 1 */
        hiss_value loss =
            hiss_graph_softmax_cross_entropy(b->graph, critic(b, fake), hiss_graph_input_labels(b->graph, "fake", 8));
        if (phase == 0) {
            hiss_value real = critic(b, hiss_graph_input(b->graph, "real", HISS_SHAPE(8, 5)));
            loss = hiss_graph_add(
                b->graph, loss,
                hiss_graph_softmax_cross_entropy(b->graph, real, hiss_graph_input_labels(b->graph, "real_label", 8)));
        }
        hiss_layer_metric(b, phase == 0 ? "critic" : "generator", loss);
        hiss_graph_loss(b->graph, loss);
        r[phase].loss = loss;
        r[phase].classes = 2;
    }
    rig_ready(&r[0], hiss_kernels_ref());
    const size_t bytes = sizeof(float) * (size_t)hiss_model_floats(r[0].model);
    r[1].vector = r[0].vector;
    r[1].lane = r[0].lane;
    r[1].run = r[0].run;
    r[1].exec = hiss_exec_create(r[1].graph, hiss_kernels_ref(), hiss_model_offsets(r[0].model));
    float canary;
    memset(&canary, 0x5a, sizeof canary);
    for (int phase = 0; phase < 2; phase++) {
        rig_check_gradients(&r[phase], phase == 0 ? "critic" : "generator", 2e-3, 0.02, 4e-4);
        memset(r[phase].lane, 0x5a, bytes);
        rig_forward(&r[phase]);
        hiss_exec_record(r[phase].exec, &r[phase].run);
        hiss_exec_backward(r[phase].exec, &r[phase].run, NULL, NULL);
        for (int s = 0; s < hiss_model_count(r[0].model); s++) {
            const hiss_slot *slot = hiss_model_at(r[0].model, s);
            const bool metric = slot->kind == HISS_SLOT_METRIC;
            const bool mine = metric ? (slot->name[0] == 'c') == (phase == 0) : slot->group == 1 - phase;
            assert_int_equal(slot->group, !metric && slot->name[0] == 'd');
            assert_true(hiss_graph_trains(r[phase].graph, s) == (mine && slot->kind == HISS_SLOT_PARAMETER));
            assert_true(hiss_graph_records(r[phase].graph, s) == (mine && slot->kind != HISS_SLOT_PARAMETER));
            for (int64_t i = 0; i < slot->count; i++) {
                assert_true((memcmp(&r[phase].lane[slot->offset + i], &canary, sizeof canary) == 0) == !mine);
            }
        }
    }
    hiss_exec_destroy(r[1].exec);
    hiss_graph_destroy(r[1].graph);
    rig_close(&r[0]);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nat_loss),
                                       cmocka_unit_test(test_check_can_fail),
                                       cmocka_unit_test(test_backends_agree),
                                       cmocka_unit_test(test_cut_and_recomputation),
                                       cmocka_unit_test(test_dropout_streams),
                                       cmocka_unit_test(test_dropout_places),
                                       cmocka_unit_test(test_siamese),
                                       cmocka_unit_test(test_recurrent),
                                       cmocka_unit_test(test_tied_weights),
                                       cmocka_unit_test(test_stop_gradient),
                                       cmocka_unit_test(test_a_value_used_twice),
                                       cmocka_unit_test(test_frozen_layers),
                                       cmocka_unit_test(test_own_gradient),
                                       cmocka_unit_test(test_groups)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
