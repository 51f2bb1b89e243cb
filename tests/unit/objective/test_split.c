/* The halves of the split brain: the loss of one has exactly no derivative to parameters of the other, and what one says
 * does not move by a bit when the channels of the other change. */
#include "../graph_support.h"

#include "../serial_comm.h"
#include "../stage.h"
#include "graph/graph_impl.h"

static const char text[] = "network: {layers: [{conv: 5, kernel: 3, pad: 1, stride: 2, name: a}, relu, batch_norm,\n"
                           "  {conv: 20, kernel: 3, pad: 1, name: b}, relu, batch_norm]}\n"
                           "split_brain: {light_bins: 9}\n";
enum { SIDE = 16, M = 6 };

typedef struct act {
    hiss_comm comm;
    stage s;
    rig r;
} act;

static void fill(rig *r) {
    stage *s = r->user;
    const hiss_lane lane = stage_lane(s, 0, r->graph, r->exec);
    stage_sample(s, &lane);
}

static void open_act(act *a) {
    memset(a, 0, sizeof *a);
    hiss_error err = {0};
    const stage_given given = {.seed = 4,
                               .samples = 12,
                               .stored_H = SIDE,
                               .stored_W = SIDE,
                               .C = 3,
                               .classes = 10,
                               .lanes = 1,
                               .m = M,
                               .comm = &a->comm,
                               .kernels = hiss_kernels_blas()};
    if (stage_open(&a->s, "split_brain", text, given, NULL, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    stage_batches(&a->s, 0, 0);
    a->r = rig_open();
    assert_int_equal(a->s.ops->build(a->s.method, 0, &a->r.b, &err), HISS_OK);
    a->r.fill = fill;
    a->r.user = &a->s;
    a->r.run = (hiss_exec_context){.seed = 4, .lanes = 1};
}

/* The value that is logged under a name. */
static hiss_value metric_named(const rig *r, const char *name) {
    const int slot = hiss_model_find(r->model, name);
    for (int k = 0; k < r->graph->metric_count; k++) {
        if (r->graph->metrics[k].slot == slot) {
            return r->graph->metrics[k].value;
        }
    }
    fail_msg("no metric %s", name);
    return -1;
}

/* Squares of a half's gradients, and how many of its values there are. */
static double squares_of(const rig *r, const char *prefix, int64_t *count) {
    double sum = 0.0;
    *count = 0;
    for (int s = 0; s < hiss_model_count(r->model); s++) {
        const hiss_slot *slot = hiss_model_at(r->model, s);
        if (slot->kind == HISS_SLOT_PARAMETER && strncmp(slot->name, prefix, strlen(prefix)) == 0) {
            for (int64_t k = 0; k < slot->count; k++) {
                const double d = (double)r->lane[slot->offset + k];
                sum += d * d;
                ++*count;
            }
        }
    }
    return sum;
}

static void test_no_derivative_crosses(void **state) {
    (void)state;
    static const char *const half[] = {"light/", "color/"}, *const loss[] = {"colors", "lights"};
    for (int h = 0; h < 2; h++) { /* the loss of half h alone */
        act a;
        int64_t own, other;
        open_act(&a);
        a.r.graph->loss = a.r.loss = metric_named(&a.r, loss[h]);
        rig_ready(&a.r, hiss_kernels_blas());
        assert_true(rig_step(&a.r) > 0.1);
        assert_true(squares_of(&a.r, half[h], &own) > 1e-6);
        assert_true(squares_of(&a.r, half[1 - h], &other) == 0.0);
        assert_true(own > 500 && other > 500);
        rig_close(&a.r);
        stage_close(&a.s);
    }
}

static float *copy_of(int64_t count, const float *values) {
    float *copy = hiss_new(float, count);
    memcpy(copy, values, sizeof(float) * (size_t)count);
    return copy;
}

/* Maps of both halves, and their concatenation, for an image of the view lab. */
static void maps_of(act *a, const float *image, int64_t *floats, float *out[3]) {
    static const char *const name[] = {"light/b", "color/b", "both"};
    hiss_error err = {0};
    hiss_builder b = {.graph = hiss_graph_create(), .model = a->r.model};
    hiss_taps *taps = hiss_new(hiss_taps, 1);
    const hiss_value input = hiss_graph_input(b.graph, "image", HISS_SHAPE(2, SIDE, SIDE, 3));
    assert_int_equal(a->s.ops->encode(a->s.method, &b, input, taps, &err), HISS_OK);
    assert_string_equal(taps->tap[taps->count - 1].name, "both");
    for (int k = 0; k < 3; k++) {
        hiss_graph_keep(b.graph, taps->tap[hiss_taps_find(taps, name[k])].value);
    }
    hiss_exec *exec = hiss_exec_create(b.graph, hiss_kernels_blas(), hiss_model_offsets(a->r.model));
    memcpy(hiss_exec_data(exec, input), image, sizeof(float) * 2 * SIDE * SIDE * 3);
    hiss_exec_forward(exec, &(hiss_exec_context){.model = a->r.vector, .lanes = 1}, 0, hiss_graph_nodes(b.graph), NULL,
                      NULL);
    for (int k = 0; k < 3; k++) {
        const hiss_value v = taps->tap[hiss_taps_find(taps, name[k])].value;
        const hiss_shape shape = hiss_graph_shape(b.graph, v);
        floats[k] = hiss_shape_count(&shape);
        out[k] = copy_of(floats[k], hiss_exec_data(exec, v));
    }
    hiss_exec_destroy(exec);
    hiss_graph_destroy(b.graph);
    hiss_free(taps);
}

static void test_no_value_crosses(void **state) {
    (void)state;
    act a;
    static float image[2][2 * SIDE * SIDE * 3];
    open_act(&a);
    rig_ready(&a.r, hiss_kernels_blas());
    for (int channel = 0; channel < 2; channel++) { /* L changes; then a and b do */
        float *before[3], *after[3];
        int64_t floats[3];
        for (int k = 0; k < 2 * SIDE * SIDE * 3; k++) {
            image[0][k] = (float)(k * 37 % 101) / 60.0f - 0.8f;
            image[1][k] = (k % 3 == 0) == (channel == 0) ? image[0][k] * -0.9f : image[0][k];
        }
        maps_of(&a, image[0], floats, before);
        maps_of(&a, image[1], floats, after);
        assert_int_equal(floats[0] + floats[1], floats[2]);
        for (int k = 0; k < 3; k++) {
            const bool same = memcmp(before[k], after[k], sizeof(float) * (size_t)floats[k]) == 0;
            assert_int_equal(same, k == 1 - channel);
            hiss_free(before[k]);
            hiss_free(after[k]);
        }
    }
    rig_close(&a.r);
    stage_close(&a.s);
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_derivative_crosses),
                                       cmocka_unit_test(test_no_value_crosses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
