/* Whitening: whatever the covariance of the patches, their means and the floor, W (C + floor v) W takes off a patch's mean
 * and does nothing else; the mean patch becomes 0; what cannot be whitened is refused, and nothing is measured where
 * nothing is to be. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../serial_comm.h"
#include "hiss/log.h"
#include "hiss/rng.h"
#include "objective/sparse/whiten.h"

enum { SAMPLES = 301, LANES = 3, D = 9, PATCHES = 2 };

typedef struct scene {
    hiss_comm comm;
    hiss_task task;
    hiss_placement placement;
    int64_t shards[LANES + 1], lane_offsets[2];
    hiss_graph *graph;
    hiss_model *model;
    float *vector, *patches; /* [SAMPLES, PATCHES, D] */
    int passes;
    hiss_epoch epoch;
} scene;

static hiss_status features(void *user, int phase, hiss_value value, int64_t view, float *out, hiss_error *err) {
    (void)phase;
    (void)value;
    (void)view;
    (void)err;
    scene *s = user;
    s->passes++;
    memcpy(out, s->patches, sizeof(float) * SAMPLES * PATCHES * D);
    return HISS_OK;
}

static void parallel(void *user, int64_t count, void (*task)(void *user, int thread, int64_t item), void *arg) {
    (void)user;
    for (int64_t k = count - 1; k >= 0; k--) {
        task(arg, 0, k);
    }
}

/* Neighbours are alike; each patch has a mean of its own, and all have a slope in common. */
static void draw_patches(scene *s, float contrast) {
    hiss_rng rng = hiss_rng_keyed(3, HISS_FOR_TESTS, 0, 0);
    for (int64_t i = 0; i < SAMPLES * PATCHES; i++) {
        float before = 0.0f, level;
        hiss_rng_normals(&rng, 1, &level);
        for (int64_t d = 0; d < D; d++) {
            float noise;
            hiss_rng_normals(&rng, 1, &noise);
            before = 0.9f * before + noise;
            s->patches[i * D + d] = 40.0f * level + contrast * (before + 0.2f * (float)d);
        }
    }
}

static void open_scene(scene *s, const sparse_whiten_options *o, float contrast) {
    memset(s, 0, sizeof *s);
    s->task.kernels = hiss_kernels_blas();
    hiss_partition(SAMPLES, LANES, s->shards);
    s->lane_offsets[1] = LANES;
    s->placement = (hiss_placement){.samples = SAMPLES,
                                    .lanes = LANES,
                                    .shards = s->shards,
                                    .lane_offsets = s->lane_offsets,
                                    .end_lane = LANES,
                                    .threads = 1,
                                    .comm = &s->comm};
    s->graph = hiss_graph_create();
    s->model = hiss_model_create();
    hiss_builder b = {.graph = s->graph, .model = s->model};
    sparse_whiten(o, &b, hiss_graph_input(b.graph, "x", HISS_SHAPE(4, D)));
    hiss_model_layout(s->model);
    s->vector = hiss_new(float, hiss_model_floats(s->model) + 1);
    s->patches = hiss_new(float, SAMPLES *PATCHES *D);
    draw_patches(s, contrast);
    s->epoch = (hiss_epoch){
        .trainer = s, .threads = 1, .model = s->model, .vector = s->vector, .features = features, .parallel = parallel};
}

static void close_scene(scene *s) {
    hiss_graph_destroy(s->graph);
    hiss_model_destroy(s->model);
    hiss_free(s->vector);
    hiss_free(s->patches);
}

static hiss_status measure(scene *s, const sparse_whiten_options *o, hiss_error *err) {
    return sparse_whiten_measure(o, &s->task, &s->placement, &s->epoch, 0, 0, PATCHES * D, D, err);
}

/* c [D,D]: of patches without their means; mean [D]: the mean patch then. */
static void covariance(const scene *s, double *c, double *mean) {
    const int64_t n = SAMPLES * PATCHES;
    memset(c, 0, sizeof(double) * D * D);
    memset(mean, 0, sizeof(double) * D);
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < n; i++) {
            const float *x = s->patches + i * D;
            double level = 0.0;
            for (int64_t d = 0; d < D; d++) {
                level += (double)x[d] / D;
            }
            for (int64_t d = 0; d < D; d++) {
                mean[d] += pass ? 0.0 : ((double)x[d] - level) / (double)n;
                for (int64_t e = 0; e < D && pass; e++) {
                    c[d * D + e] += ((double)x[d] - level - mean[d]) * ((double)x[e] - level - mean[e]) / (double)n;
                }
            }
        }
    }
}

static void multiply(const double *a, const double *b, double *out) {
    for (int64_t i = 0; i < D * D; i++) {
        out[i] = 0.0;
        for (int64_t k = 0; k < D; k++) {
            out[i] += a[i / D * D + k] * b[k * D + i % D];
        }
    }
}

static void test_whitens(void **state) {
    (void)state;
    static const double floors[] = {1e-6, 0.01, 3.0};
    for (size_t f = 0; f < sizeof floors / sizeof *floors; f++) {
        const sparse_whiten_options o = {true, floors[f]};
        scene s;
        hiss_error err;
        open_scene(&s, &o, 2.0f);
        assert_int_equal(measure(&s, &o, &err), HISS_OK);
        const float *matrix = s.vector + hiss_model_at(s.model, hiss_model_find(s.model, "whiten/matrix"))->offset;
        const float *shift = s.vector + hiss_model_at(s.model, hiss_model_find(s.model, "whiten/shift"))->offset;
        double c[D * D], mean[D], w[D * D], half[D * D], all[D * D], trace = 0.0;
        covariance(&s, c, mean);
        for (int64_t d = 0; d < D; d++) {
            trace += c[d * D + d];
        }
        for (int64_t i = 0; i < D * D; i++) {
            c[i] += i / D == i % D ? floors[f] * trace / D : 0.0;
            w[i] = (double)matrix[i] + (i / D == i % D);
        }
        multiply(w, c, half);
        multiply(half, w, all);
        for (int64_t i = 0; i < D * D; i++) {
            assert_true(fabs(all[i] - ((i / D == i % D) - 1.0 / D)) < 2e-4);
        }
        for (int64_t d = 0; d < D; d++) {
            double sum = (double)shift[d];
            for (int64_t e = 0; e < D; e++) {
                sum += mean[e] * w[e * D + d];
            }
            assert_true(fabs(sum) < 1e-4);
        }
        close_scene(&s);
    }
}

static void test_when(void **state) {
    (void)state;
    sparse_whiten_options o = {true, 0.01};
    scene s;
    hiss_error err = {0};
    open_scene(&s, &o, 0.0f); /* every patch flat */
    memset(s.patches, 0, sizeof(float) * SAMPLES * PATCHES * D);
    assert_int_equal(measure(&s, &o, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "every training patch is of one grey"));
    s.epoch.step = 5; /* a later epoch */
    s.passes = 0;
    assert_int_equal(measure(&s, &o, &err), HISS_OK);
    o.on = false;
    s.epoch.step = 0;
    assert_int_equal(measure(&s, &o, &err), HISS_OK);
    assert_int_equal(s.passes, 0);
    close_scene(&s);
    open_scene(&s, &o, 1.0f);
    assert_int_equal(hiss_model_count(s.model), 0); /* off: no layer */
    close_scene(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whitens), cmocka_unit_test(test_when)};
    hiss_log_setup(HISS_LOG_ERROR, 0);
    hiss_kernels_enter_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
