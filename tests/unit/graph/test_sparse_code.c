/* Sparse codes: those of many steps satisfy the conditions of the minimum, whatever the dictionary; each step of ISTA
 * makes the objective smaller, whatever the dictionary; more rows than a tile. */
#include "../graph_support.h"

typedef struct coding { /* a dictionary, what it codes, and the codes */
    hiss_graph *graph;
    hiss_exec *exec;
    hiss_value x, w, z, rebuilt, correlation; /* of what is missed with the atoms */
    double lambda;
} coding;

enum { ROWS, WIDE_ROWS, MAPS, MAPS_OF_CHANNELS, FORMS }; /* wide: many more atoms than values */

static coding open_coding(int form, hiss_sparse_inference how, int64_t M, int64_t K, const hiss_kernels *kernels) {
    coding c = {.graph = hiss_graph_create(), .lambda = how.lambda};
    hiss_graph *g = c.graph;
    const bool rows = form == ROWS || form == WIDE_ROWS;
    if (rows) {
        const int64_t D = form == ROWS ? 7 : 3;
        c.x = hiss_graph_input(g, "x", HISS_SHAPE(M, D));
        c.w = hiss_graph_input(g, "w", HISS_SHAPE(K, D));
        c.z = hiss_graph_sparse_code(g, c.x, c.w, &how);
        c.rebuilt = hiss_graph_linear_transposed(g, c.z, c.w, -1);
    } else {
        const int64_t C = form == MAPS ? 1 : 5, pad = form == MAPS;
        c.x = hiss_graph_input(g, "x", HISS_SHAPE(M, 6, 5, C));
        c.w = hiss_graph_input(g, "w", HISS_SHAPE(K, 3, 3, C));
        c.z = hiss_graph_sparse_code_conv2d(g, c.x, c.w, pad, &how);
        c.rebuilt = hiss_graph_conv2d_transposed(g, c.z, c.w, -1, 1, pad, 0);
    }
    const hiss_value missed = hiss_graph_add(g, c.x, hiss_graph_scale(g, c.rebuilt, -1.0));
    c.correlation =
        rows ? hiss_graph_linear(g, missed, c.w, -1) : hiss_graph_conv2d(g, missed, c.w, -1, 1, form == MAPS);
    hiss_graph_keep(g, c.z);
    hiss_graph_keep(g, c.rebuilt);
    hiss_graph_keep(g, c.correlation);
    hiss_error err = {0};
    if (hiss_graph_status(g, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    c.exec = hiss_exec_create(g, kernels, NULL);
    return c;
}

static void close_coding(coding *c) {
    hiss_exec_destroy(c->exec);
    hiss_graph_destroy(c->graph);
}

static int64_t count_of(const coding *c, hiss_value v) {
    const hiss_shape shape = hiss_graph_shape(c->graph, v);
    return hiss_shape_count(&shape);
}

enum { DRAWN, TWINS, FLAT, LONG, SHORT, NONE, DICTIONARIES };
static const char *const dictionary_names[] = {"drawn", "all alike", "positive", "long", "short", "zero"};

/* Atoms: normal numbers; all the same; all positive; of great and small lengths; nothing. */
static void fill(coding *c, int dictionary) {
    float *w = hiss_exec_data(c->exec, c->w);
    const int64_t count = count_of(c, c->w), each = count / hiss_graph_shape(c->graph, c->w).dim[0];
    fill_normals(1, 1, count_of(c, c->x), hiss_exec_data(c->exec, c->x));
    fill_normals(1, 2, count, w);
    for (int64_t i = 0; i < count; i++) {
        const float drawn = 0.5f * w[i];
        w[i] = dictionary == TWINS   ? w[i % each]
               : dictionary == FLAT  ? fabsf(drawn)
               : dictionary == LONG  ? 300.0f * drawn
               : dictionary == SHORT ? 0.01f * drawn
               : dictionary == NONE  ? 0.0f
                                     : drawn;
    }
}

static void run(coding *c) {
    hiss_exec_forward(c->exec, &(hiss_exec_context){.lanes = 1}, 0, hiss_graph_nodes(c->graph), NULL, NULL);
}

static double objective(coding *c) {
    const float *x = hiss_exec_data(c->exec, c->x), *y = hiss_exec_data(c->exec, c->rebuilt),
                *z = hiss_exec_data(c->exec, c->z);
    double sum = 0.0;
    for (int64_t i = 0; i < count_of(c, c->x); i++) {
        sum += 0.5 * ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    }
    for (int64_t i = 0; i < count_of(c, c->z); i++) {
        sum += c->lambda * fabs((double)z[i]);
    }
    return sum;
}

/* At the minimum the correlation is lambda with the sign of the code, and within lambda where the code is 0. */
static void expect_minimum(coding *c, const char *name, bool alike) {
    const float *z = hiss_exec_data(c->exec, c->z), *correlation = hiss_exec_data(c->exec, c->correlation);
    int64_t active = 0;
    for (int64_t i = 0; i < count_of(c, c->z); i++) {
        const double r = (double)correlation[i];
        const double off = z[i] == 0.0f ? fmax(fabs(r) - c->lambda, 0.0) : fabs(r - copysign(c->lambda, (double)z[i]));
        if (off > 1e-2) {
            fail_msg("%s: code %d is %g, the correlation %g, lambda %g", name, (int)i, (double)z[i], r, c->lambda);
        }
        active += z[i] != 0.0f;
    }
    assert_true(active > 0);
    assert_true(alike || active < count_of(c, c->z));
}

static void test_many_steps_reach_the_minimum(void **state) {
    (void)state;
    for (int k = 0; k < 4 * FORMS; k++) {
        const bool momentum = k % 2;
        const hiss_kernels *kernels = k / 2 % 2 ? hiss_kernels_blas() : hiss_kernels_ref();
        coding c = open_coding(k / 4, (hiss_sparse_inference){0.3, 3000, momentum}, 3, 11, kernels);
        for (int dictionary = DRAWN; dictionary <= (momentum ? FLAT : TWINS); dictionary++) { /* ISTA is slow */
            fill(&c, dictionary);
            run(&c);
            expect_minimum(&c, dictionary_names[dictionary], dictionary == TWINS);
        }
        close_coding(&c);
    }
}

static void test_each_step_of_ista_helps_whatever_the_dictionary(void **state) {
    (void)state;
    for (int form = 0; form < FORMS; form++) {
        double last[DICTIONARIES] = {0.0};
        for (int64_t steps = 1; steps <= 12; steps++) {
            coding c = open_coding(form, (hiss_sparse_inference){0.1, steps, false}, 3, 11, hiss_kernels_ref());
            for (int dictionary = DRAWN; dictionary < DICTIONARIES; dictionary++) {
                fill(&c, dictionary);
                run(&c);
                const double now = objective(&c);
                assert_true(isfinite(now));
                if (steps > 1 && now > last[dictionary] * (1.0 + 1e-6)) {
                    fail_msg("form %d, %s: %g after %d steps, %g before", form, dictionary_names[dictionary], now,
                             (int)steps, last[dictionary]);
                }
                last[dictionary] = now;
            }
            close_coding(&c);
        }
    }
}

/* Rows by themselves and among many have the same codes, to rounding. */
static void test_rows_beyond_a_tile(void **state) {
    (void)state;
    enum { MANY = 301, K = 11 };
    const hiss_sparse_inference how = {0.1, 30, true};
    coding many = open_coding(ROWS, how, MANY, K, hiss_kernels_blas());
    coding one = open_coding(ROWS, how, 1, K, hiss_kernels_ref());
    fill(&many, DRAWN);
    fill(&one, DRAWN);
    run(&many);
    for (int64_t i = 0; i < MANY; i += 50) {
        memcpy(hiss_exec_data(one.exec, one.x), hiss_exec_data(many.exec, many.x) + 7 * i, 7 * sizeof(float));
        run(&one);
        for (int64_t k = 0; k < K; k++) {
            const double a = (double)hiss_exec_data(many.exec, many.z)[i * K + k],
                         b = (double)hiss_exec_data(one.exec, one.z)[k];
            assert_true(fabs(a - b) < 1e-4);
        }
    }
    close_coding(&many);
    close_coding(&one);
}

static void test_what_does_not_fit(void **state) {
    (void)state;
    const hiss_sparse_inference how = {0.1, 3, false};
    hiss_error err = {0};
    hiss_graph *g = hiss_graph_create();
    assert_int_equal(hiss_graph_sparse_code(g, hiss_graph_input(g, "x", HISS_SHAPE(2, 3)),
                                            hiss_graph_input(g, "w", HISS_SHAPE(4, 5)), &how),
                     -1);
    assert_int_equal(hiss_graph_status(g, &err), HISS_EUSER);
    hiss_graph_destroy(g);
    g = hiss_graph_create();
    assert_int_equal(hiss_graph_sparse_code_conv2d(g, hiss_graph_input(g, "x", HISS_SHAPE(2, 6, 6, 1)),
                                                   hiss_graph_input(g, "w", HISS_SHAPE(4, 3, 3, 1)), 2, &how),
                     -1);
    assert_int_equal(hiss_graph_status(g, &err), HISS_EUSER);
    hiss_graph_destroy(g);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many_steps_reach_the_minimum),
                                       cmocka_unit_test(test_each_step_of_ista_helps_whatever_the_dictionary),
                                       cmocka_unit_test(test_rows_beyond_a_tile),
                                       cmocka_unit_test(test_what_does_not_fit)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
