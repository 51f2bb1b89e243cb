/* The gradient of an MLP probe is that of its loss, by finite differences: of one class a sample and of several; samples
 * that are not fitted, and classes that are not judged, have no part in it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

enum { D = 7, H = 5, K = 3 };

typedef struct made {
    hiss_eval_env env;
    mlp net;
    mlp_work work;
    float *x, *gradient;
    int32_t label[HISS_TILE];
    uint8_t target[HISS_TILE * K];
} made;

static made make(const hiss_kernels *kernels, bool several) {
    const int64_t count = eval_mlp_parameters(D, H, K);
    made m = {.env = {.kernels = kernels}, .net = {.D = D, .H = H, .K = K, .several = several}};
    hiss_rng rng = hiss_rng_keyed(9, HISS_FOR_TESTS, several, 0);
    m.net.w = hiss_new(float, count);
    m.x = hiss_new(float, HISS_TILE *D);
    m.gradient = hiss_new(float, count);
    m.work = eval_mlp_work_create(&m.net);
    hiss_rng_normals(&rng, count, m.net.w);
    hiss_rng_normals(&rng, HISS_TILE * D, m.x);
    for (int64_t i = 0; i < HISS_TILE; i++) {
        m.label[i] = (int32_t)hiss_rng_below(&rng, K + 1) - 1;
    }
    for (int64_t i = 0; i < HISS_TILE * K; i++) {
        const int64_t drawn = hiss_rng_below(&rng, 4);
        m.target[i] = drawn > 1 ? (drawn == 2 ? HISS_NOT_JUDGED : 1) : (uint8_t)drawn;
    }
    return m;
}

static void unmake(made *m) {
    eval_mlp_work_destroy(&m->work);
    hiss_free(m->net.w);
    hiss_free(m->x);
    hiss_free(m->gradient);
}

static double loss(made *m, float *gradient) {
    return eval_mlp_gradient(&m->env, &m->net, m->x, m->label, m->net.several ? m->target : NULL, &m->work, gradient);
}

static void check_differences(const hiss_kernels *kernels, bool several) {
    made m = make(kernels, several);
    const int64_t count = eval_mlp_parameters(D, H, K);
    float *spare = hiss_new(float, count), most = 0.0f;
    loss(&m, m.gradient);
    for (int64_t i = 0; i < count; i++) {
        most = fmaxf(most, fabsf(m.gradient[i]));
    }
    assert_true(most > 1.0f);
    for (int64_t i = 0; i < count; i++) {
        const float w = m.net.w[i], high = w + 1e-4f, low = w - 1e-4f;
        m.net.w[i] = high;
        const double above = loss(&m, spare);
        m.net.w[i] = low;
        const double below = loss(&m, spare), slope = (above - below) / ((double)high - (double)low);
        m.net.w[i] = w;
        if (fabs(slope - (double)m.gradient[i]) > 2e-3 * (double)most) {
            fail_msg("parameter %d: %g by differences, %g; the largest is %g", (int)i, slope, (double)m.gradient[i],
                     (double)most);
        }
    }
    hiss_free(spare);
    unmake(&m);
}

static void differences(void **state) {
    (void)state;
    for (int several = 0; several < 2; several++) {
        check_differences(hiss_kernels_ref(), several);
        check_differences(hiss_kernels_blas(), several);
    }
}

/* What is not fitted may be anything. */
static void left_out(void **state) {
    (void)state;
    for (int several = 0; several < 2; several++) {
        made m = make(hiss_kernels_ref(), several);
        const int64_t count = eval_mlp_parameters(D, H, K);
        float *before = hiss_new(float, count);
        int64_t changed = 0;
        memset(m.target, HISS_NOT_JUDGED, 20 * K);
        const double first = loss(&m, before);
        for (int64_t i = 0; i < HISS_TILE; i++) {
            if (several ? i < 20 : m.label[i] < 0) {
                m.x[i * D] += 5.0f;
                changed++;
            }
        }
        assert_true(changed > 10 && loss(&m, m.gradient) == first);
        assert_memory_equal(before, m.gradient, sizeof(float) * (size_t)count);
        m.x[30 * D] += m.label[30] < 0 && !several ? 0.0f : 5.0f;
        m.x[31 * D] += m.label[31] < 0 && !several ? 0.0f : 5.0f;
        assert_true(loss(&m, m.gradient) != first);
        hiss_free(before);
        unmake(&m);
    }
}

/* Logits far from zero: the losses stay finite, and are the logits themselves. */
static void far(void **state) {
    (void)state;
    for (int several = 0; several < 2; several++) {
        made m = make(hiss_kernels_ref(), several);
        const int64_t count = eval_mlp_parameters(D, H, K);
        memset(m.net.w, 0, sizeof(float) * (size_t)count);
        m.net.w[count - 1] = 1000.0f; /* the bias of the last class */
        double expected = 0.0;
        for (int64_t i = 0; i < HISS_TILE; i++) {
            for (int64_t k = 0; k < K && several; k++) {
                const uint8_t target = m.target[i * K + k];
                expected += target > 1 ? 0.0 : k < K - 1 ? log(2.0) : target ? 0.0 : 1000.0;
            }
            expected += !several && m.label[i] >= 0 && m.label[i] < K - 1 ? 1000.0 : 0.0;
        }
        assert_true(expected > 1000.0 && fabs(loss(&m, m.gradient) - expected) < 1e-6 * expected);
        for (int64_t i = 0; i < count; i++) {
            assert_true(isfinite(m.gradient[i]));
        }
        unmake(&m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(differences), cmocka_unit_test(left_out),
                                       cmocka_unit_test(far)};
    hiss_kernels_enter_thread();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
