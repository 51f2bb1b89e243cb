/* What measurements stand on: the median, synthetic images, and what a graph says of its nodes' work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/data.h"
#include "hiss/graph.h"

static int no_leaks(void **state) {
    (void)state;
    return hiss_alloc_live() != 0;
}

static void test_median(void **state) {
    (void)state;
    double one[] = {5.0}, two[] = {4.0, 3.0}, many[] = {9.0, -1.0, 3.0, 3.0, 7.0};
    assert_true(hiss_median(one, 1) == 5.0);
    assert_true(hiss_median(two, 2) == 3.0);
    assert_true(hiss_median(many, 5) == 3.0);
    assert_true(many[0] == -1.0 && many[4] == 9.0);
}

/* Rows depend on their position alone, whatever is read with them and in whichever order. */
static void test_synthetic(void **state) {
    (void)state;
    enum { N = 7, ROW = 3 * 5 * 3 };
    hiss_dataset *a = hiss_dataset_synthetic(N, 3, 5, 3, 4, 1), *b = hiss_dataset_synthetic(N, 3, 5, 3, 0, 2);
    uint8_t all[N][ROW], other[N][ROW], part[2][ROW];
    int32_t label[N];
    int64_t H, W, C;
    hiss_error err = {0};
    hiss_dataset_shape(a, &H, &W, &C);
    assert_true(H == 3 && W == 5 && C == 3 && hiss_dataset_count(a) == N && hiss_dataset_classes(a) == 4);
    assert_false(hiss_dataset_labelled(b));
    assert_int_equal(hiss_dataset_read(a, 0, N, all[0], label, &err), HISS_OK);
    assert_int_equal(hiss_dataset_read(b, 0, N, other[0], NULL, &err), HISS_OK);
    assert_int_equal(hiss_dataset_read(a, 4, 2, part[0], NULL, &err), HISS_OK);
    assert_memory_equal(part, all[4], sizeof part);
    for (int i = 0; i < N; i++) {
        assert_int_equal(label[i], i % 4);
        assert_memory_not_equal(all[i], other[i], ROW);
        assert_memory_not_equal(all[i], all[(i + 1) % N], ROW);
    }
    hiss_dataset_close(a);
    hiss_dataset_close(b);
}

static hiss_node_info find(const hiss_graph *graph, const char *op, int skip) {
    for (int i = 0; i < hiss_graph_nodes(graph); i++) {
        const hiss_node_info info = hiss_graph_node(graph, i);
        if (strcmp(info.op, op) == 0 && skip-- == 0) {
            return info;
        }
    }
    fail_msg("no %s", op);
    return (hiss_node_info){0};
}

/* conv (input needs no gradient) - relu - flatten - linear - loss; every number by hand. */
static void test_node_work(void **state) {
    (void)state;
    hiss_graph *g = hiss_graph_create();
    const hiss_value x = hiss_graph_input(g, "x", HISS_SHAPE(2, 4, 4, 3));
    const hiss_value w = hiss_graph_parameter(g, 0, HISS_SHAPE(5, 3, 3, 3), true);
    hiss_value y = hiss_graph_conv2d(g, x, w, -1, 1, 1); /* [2,4,4,5] */
    y = hiss_graph_flatten(g, hiss_graph_relu(g, y));
    y = hiss_graph_linear(g, y, hiss_graph_parameter(g, 1, HISS_SHAPE(7, 80), true), -1);
    hiss_graph_loss(g, hiss_graph_squared_loss(g, y, hiss_graph_input(g, "target", HISS_SHAPE(2, 7)), 1.0));

    const hiss_node_info conv = find(g, "conv2d", 0), relu = find(g, "relu", 0), view = find(g, "reshape", 0);
    const hiss_node_info linear = find(g, "linear", 0), leaf = find(g, "input", 0);
    const double in = 2 * 4 * 4 * 3, weight = 5 * 27, out = 2 * 4 * 4 * 5;
    assert_true(conv.forward_flops == 2 * out * 27 && conv.backward_flops == conv.forward_flops);
    assert_true(conv.forward_bytes == 4 * (in + weight + out));
    assert_true(conv.backward_bytes == 4 * (out + in + weight + weight)); /* dy, x, w; dw */
    assert_true(conv.product.N == 2 && conv.product.F == 5 && conv.product.P == 4);
    assert_true(relu.forward_bytes == 4 * 2 * out && relu.backward_bytes == 4 * 3 * out); /* dy, y; dx */
    assert_true(relu.product.N == 0);
    assert_true(linear.forward_flops == 2 * 2 * 80 * 7 && linear.backward_flops == 2 * linear.forward_flops);
    assert_true(linear.backward_bytes == 4 * (2 * 7 + 2 * (2 * 80 + 7 * 80))); /* dy, x, w; dx, dw */
    assert_true(linear.product.N == 2 && linear.product.C == 80 && linear.product.F == 7 && linear.product.R == 1);
    assert_true(view.forward_bytes == 0 && view.backward_bytes == 0);
    assert_true(leaf.forward_bytes == 0 && leaf.backward_bytes == 0);
    hiss_graph_destroy(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median),
        cmocka_unit_test(test_synthetic),
        cmocka_unit_test(test_node_work),
    };
    return cmocka_run_group_tests(tests, NULL, no_leaks);
}
