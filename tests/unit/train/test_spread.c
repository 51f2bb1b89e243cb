/* The scale of a layer's outputs: what may be undone is undone, with the same outputs to rounding; what may not is left
 * alone, to the last bit. */
#include "../graph_support.h"

#include "train/spread.h"

enum { M = 3, SIDE = 6, C = 2, F = 4 };

typedef enum shape_of { PLAIN, NORMALIZED, BRANCHES, ROWS, BENT, KEPT, SHARED, BY_ITSELF, HALF, SHAPES } shape_of;

/* A convolution "a", and what reads it. */
static hiss_value build(hiss_builder *b, shape_of shape, hiss_value x) {
    hiss_graph *g = b->graph;
    hiss_value y = hiss_layer_conv(b, "a", x, F, 3, 1, 1, true);
    if (shape == NORMALIZED) {
        y = hiss_layer_batch_norm(b, "a/norm", y);
    }
    if (shape == BENT) {
        y = hiss_graph_tanh(g, y);
    }
    if (shape == KEPT) {
        hiss_graph_keep(g, y);
    }
    y = hiss_graph_max_pool(g, hiss_graph_leaky_relu(g, y, 0.1), 2, 2, 0);
    if (shape == BRANCHES) {
        const hiss_value both[] = {y, hiss_layer_conv(b, "c", y, F, 3, 1, 1, true), hiss_graph_add(g, y, y)};
        y = hiss_graph_concat(g, 3, both);
    }
    if (shape == HALF) {
        y = hiss_graph_add(g, y, hiss_layer_conv(b, "c", y, F, 3, 1, 1, true));
    }
    y = hiss_graph_flatten(g, y);
    if (shape == ROWS) {
        y = hiss_graph_l2_normalize(g, y);
    }
    y = hiss_layer_linear(b, "d", y, 5, true);
    if (shape == SHARED) {
        y = hiss_layer_linear_tied(b, "e", "d", y, true);
    }
    if (shape == BY_ITSELF) { /* weights that undo the scale for one input have another one, too */
        y = hiss_graph_add(g, y, hiss_layer_linear(b, "d", hiss_graph_filled(g, HISS_SHAPE(M, 36), 1.0f), 5, true));
    }
    hiss_graph_keep(g, y);
    return y;
}

static void fill_model(const hiss_model *model, float *vector) {
    for (int s = 0; s < hiss_model_count(model); s++) {
        const hiss_slot *slot = hiss_model_at(model, s);
        fill_normals(9, s, slot->count, vector + slot->offset);
        for (int64_t i = 0; i < slot->count && strstr(slot->name, "variance"); i++) {
            vector[slot->offset + i] = 0.1f + fabsf(vector[slot->offset + i]);
        }
    }
}

static void expect_scaled(const hiss_slot *weight, const double *by, const float *before, const float *after) {
    for (int64_t i = 0; i < weight->count; i++) {
        const double wanted = (double)before[weight->offset + i] * by[i / (weight->count / F)];
        assert_true(fabs((double)after[weight->offset + i] - wanted) <= 1e-6 * fabs(wanted));
    }
}

/* What train_spread says. away: how far outputs are from those before; same: no parameter has changed. */
static bool try_shape(shape_of shape, bool equal, double *away, bool *same) {
    hiss_error err = {0};
    const hiss_graph *graphs[1];
    const double by[F] = {0.5, equal ? 0.5 : 3.0, equal ? 0.5 : 1.7, equal ? 0.5 : 0.01};
    hiss_builder b = {.graph = hiss_graph_create(), .model = hiss_model_create()};
    const hiss_value x = hiss_graph_input(b.graph, "x", HISS_SHAPE(M, SIDE, SIDE, C)), y = build(&b, shape, x);
    if (hiss_graph_status(b.graph, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    hiss_model_layout(b.model);
    const int64_t floats = hiss_model_floats(b.model);
    const hiss_shape out = hiss_graph_shape(b.graph, y);
    const int64_t count = hiss_shape_count(&out);
    float *vector = hiss_new(float, floats), *before = hiss_new(float, floats), *expected = hiss_new(float, count);
    fill_model(b.model, vector);
    memcpy(before, vector, sizeof(float) * (size_t)floats);
    hiss_exec *exec = hiss_exec_create(b.graph, hiss_kernels_ref(), hiss_model_offsets(b.model));
    const hiss_exec_context run = {.model = vector, .lanes = 1};
    fill_inputs(b.graph, exec, 1, 10);
    hiss_exec_forward(exec, &run, 0, hiss_graph_nodes(b.graph), NULL, NULL);
    memcpy(expected, hiss_exec_data(exec, y), sizeof(float) * (size_t)count);
    graphs[0] = b.graph;
    const int slots = hiss_model_count(b.model), weight = hiss_model_find(b.model, "a/weight");
    spread s = {b.model, 1, graphs, hiss_new(double, slots), hiss_new(bool, slots)};
    const bool told = train_spread(&s, weight, hiss_model_find(b.model, "a/bias"), by, NULL);
    assert_memory_equal(vector, before, sizeof(float) * (size_t)floats); /* only asked */
    const bool can = train_spread(&s, weight, hiss_model_find(b.model, "a/bias"), by, vector);
    assert_true(told == can);
    *same = memcmp(vector, before, sizeof(float) * (size_t)floats) == 0;
    fill_inputs(b.graph, exec, 1, 10);
    hiss_exec_forward(exec, &run, 0, hiss_graph_nodes(b.graph), NULL, NULL);
    *away = 0.0;
    for (int64_t i = 0; i < count; i++) {
        *away = fmax(*away, fabs((double)hiss_exec_data(exec, y)[i] - (double)expected[i]));
    }
    if (can) {
        expect_scaled(hiss_model_at(b.model, weight), by, before, vector);
        const int d = hiss_model_find(b.model, "d/weight");
        assert_true(s.undoes[d] == (shape != NORMALIZED && shape != ROWS));
        const double share = !s.undoes[d] ? 0.0 : shape == BRANCHES ? 2.0 / 3.0 : 1.0; /* of its columns */
        assert_true(!equal || fabs(s.inherited[d] - share * log(0.5)) < 1e-12);
    }
    hiss_free(s.inherited);
    hiss_free(s.undoes);
    hiss_exec_destroy(exec);
    hiss_free(vector);
    hiss_free(before);
    hiss_free(expected);
    hiss_graph_destroy(b.graph);
    hiss_model_destroy(b.model);
    return can;
}

static void test_spread(void **state) {
    (void)state;
    static const struct {
        shape_of shape;
        bool equal, other; /* whether it can be undone, of factors that are equal, and that are not */
    } cases[] = {{PLAIN, true, true},    {NORMALIZED, true, true},  {BRANCHES, true, true},
                 {ROWS, true, false},    {BENT, false, false},      {KEPT, false, false},
                 {SHARED, false, false}, {BY_ITSELF, false, false}, {HALF, false, false}};
    assert_int_equal(HISS_COUNT(cases), SHAPES);
    for (int k = 0; k < 2 * SHAPES; k++) {
        double away;
        bool same;
        const bool equal = k % 2, can = try_shape(cases[k / 2].shape, equal, &away, &same);
        if (can != (equal ? cases[k / 2].equal : cases[k / 2].other) || same == can || away > (can ? 2e-5 : 0.0)) {
            fail_msg("case %d, factors %s: %s, %s, outputs %g away", k / 2, equal ? "equal" : "different",
                     can ? "undone" : "not undone", same ? "nothing changed" : "changed", away);
        }
    }
}

static int no_leaks(void **state) {
    (void)state;
    return hiss_alloc_live() != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_spread, no_leaks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
