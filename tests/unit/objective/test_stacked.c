/* Stacked denoising auto-encoders: noise is on the clean code below the layer that is trained, of another draw at each
 * step, and images are as they are; a stage trains its layer alone, the last one all. And the turns of labelled samples. */
#include "../graph_support.h"

#include "../serial_comm.h"
#include "../stage.h"

enum { M = 6, UNITS = 9, PIXELS = 144, LAYERS = 3 };

static const char text[] = "stacked: {layers: 3, units: 9}\ncorruption: {kind: masking, level: 0.25}\n";

static void open_stage(stage *s, hiss_comm *comm) {
    hiss_error err = {0};
    const stage_given given = {.seed = 4,
                               .samples = 60,
                               .stored_H = 12,
                               .stored_W = 12,
                               .C = 1,
                               .classes = 10,
                               .labelled = 2,
                               .lanes = 2,
                               .m = M,
                               .comm = comm,
                               .kernels = hiss_kernels_ref()};
    if (stage_open(s, "stacked", text, given, NULL, &err) != HISS_OK) {
        fail_msg("%s", err.text);
    }
    stage_batches(s, 0, 0);
}

static rig build_phase(stage *s, int phase) {
    hiss_error err = {0};
    rig r = rig_open();
    r.b.trained_groups = s->ops->phase->trains(s->method, phase);
    assert_int_equal(s->ops->build(s->method, phase, &r.b, &err), HISS_OK);
    rig_ready(&r, hiss_kernels_ref());
    return r;
}

static void put_lane(stage *s, const rig *r, int phase) {
    hiss_lane lane = stage_lane(s, 1, r->graph, r->exec);
    lane.phase = phase;
    stage_sample(s, &lane);
}

static void check_noise(stage *s, rig *r, int phase) {
    const int64_t D = phase ? UNITS : PIXELS;
    const hiss_value keep = hiss_graph_input_named(r->graph, "keep"), add = hiss_graph_input_named(r->graph, "add");
    const hiss_shape shape = hiss_graph_shape(r->graph, keep);
    float first[M * PIXELS];
    int64_t lost = 0, moved = 0;
    assert_true(shape.ndim == 2 && shape.dim[0] == M && shape.dim[1] == D);
    put_lane(s, r, phase);
    memcpy(first, hiss_exec_data(r->exec, keep), sizeof(float) * (size_t)(M * D));
    for (int64_t k = 0; k < M * D; k++) {
        assert_true((first[k] == 0.0f || first[k] == 1.0f) && hiss_exec_data(r->exec, add)[k] == 0.0f);
        lost += first[k] == 0.0f;
    }
    assert_true(lost > M * D / 8 && lost < M * D / 2);
    put_lane(s, r, phase);
    assert_memory_equal(first, hiss_exec_data(r->exec, keep), sizeof(float) * (size_t)(M * D));
    s->step++;
    put_lane(s, r, phase);
    s->step--;
    for (int64_t k = 0; k < M * D; k++) {
        moved += first[k] != hiss_exec_data(r->exec, keep)[k];
    }
    assert_true(moved > M * D / 8);
}

static void check_images(stage *s, rig *r, int phase) {
    const float *image = hiss_exec_data(r->exec, hiss_graph_input_named(r->graph, "image"));
    float view[PIXELS];
    put_lane(s, r, phase);
    for (int64_t i = 0; i < M; i++) {
        const int64_t sample = s->batches[1].sample[i];
        hiss_rng rng = hiss_rng_keyed(s->task.seed, HISS_FOR_AUGMENTATION, s->epoch, sample);
        hiss_augment_sample(&s->augment, &(hiss_stored_image){12, 12, 1, s->pixels + PIXELS * sample, NULL, 255}, &rng,
                            view);
        assert_memory_equal(view, image + i * PIXELS, sizeof view);
    }
}

static void test_stages(void **state) {
    (void)state;
    hiss_comm comm = {0};
    stage s;
    open_stage(&s, &comm);
    assert_int_equal(s.ops->phase->count(s.method), LAYERS + 1);
    for (int phase = 0; phase <= LAYERS; phase++) {
        rig r = build_phase(&s, phase);
        const hiss_span span = s.ops->phase->span(s.method, phase);
        assert_int_equal(span.first, 5 * phase);
        assert_int_equal(span.end, phase < LAYERS ? 5 * phase + 5 : 5 * phase + 10);
        assert_int_equal(s.ops->phase->labelled(s.method, phase), phase == LAYERS);
        for (int layer = 0; layer < LAYERS; layer++) {
            char name[32];
            snprintf(name, sizeof name, "layer%d/weight", layer + 1);
            const int slot = hiss_model_find(r.model, name);
            assert_int_equal(slot >= 0, layer <= phase);
            assert_int_equal(slot >= 0 && hiss_graph_trains(r.graph, slot), phase == LAYERS || layer == phase);
        }
        check_images(&s, &r, phase);
        if (phase < LAYERS) {
            check_noise(&s, &r, phase);
        } else {
            assert_int_equal(hiss_graph_input_named(r.graph, "keep"), -1);
        }
        rig_close(&r);
    }
    stage_close(&s);
}

/* Whatever lanes there are, each sample comes once before any comes again, in another order each time. */
static void test_labelled_samples_come_in_turn(void **state) {
    (void)state;
    enum { COUNT = 21, STEPS = 42, MOST = 8 };
    const hiss_task task = {.seed = 3};
    const hiss_batch all = {.m = COUNT};
    for (int64_t lanes = 1; lanes <= 3; lanes++) {
        for (int64_t m = 1; m <= MOST; m += 7) {
            const hiss_placement place = {.lanes = lanes, .m = m, .labelled = &all};
            int64_t times[COUNT] = {0}, order[2][COUNT] = {{0}}, taken = 0, same = 0;
            for (int64_t step = 0; step < STEPS; step++) {
                for (int64_t k = 0; k < lanes * m; k++, taken++) {
                    const int64_t at = hiss_labelled_turn(&task, &place, step, k / m, k % m);
                    assert_true(0 <= at && at < COUNT);
                    assert_int_equal(times[at]++, taken / COUNT);
                    if (taken < 2 * COUNT) {
                        order[taken / COUNT][taken % COUNT] = at;
                    }
                }
            }
            for (int k = 0; k < COUNT; k++) {
                same += order[0][k] == order[1][k];
            }
            assert_true(same < COUNT / 2);
        }
    }
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stages),
                                       cmocka_unit_test(test_labelled_samples_come_in_turn)};
    return cmocka_run_group_tests(tests, NULL, nothing_left);
}
