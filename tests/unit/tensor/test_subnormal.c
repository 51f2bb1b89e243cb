/* Subnormal numbers are zero in every thread that computes, whatever libraries did to it; both backends and the
 * optimisers then leave none behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/kernels.h"
#include "hiss/optim.h"
#include "hiss/subnormal.h"
#include "train/pool.h"

enum { THREADS = 4, ITEMS = 64, COUNT = 257 };

static bool can; /* whether this processor has the setting */

static void allow(void) { /* as a careless library might */
#if defined __SSE2__
    __builtin_ia32_ldmxcsr(0x1f80); /* the value of a fresh process */
#elif defined __aarch64__
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
#endif
}

static int subnormals(const float *x, int count) { /* by their bits: comparisons would take them for zero */
    int found = 0;
    for (int i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        found += (bits & 0x7f800000) == 0 && (bits & 0x007fffff) != 0;
    }
    return found;
}

static int begin(void **unused) {
    (void)unused;
    hiss_kernels_enter_thread();
    can = hiss_subnormals_to_zero();
    return 0;
}

static void the_setting_works_both_ways(void **unused) {
    (void)unused;
    if (!can) {
        skip();
    }
    volatile float small = 1e-30f, tiny = 1e-10f, subnormal = 0.0f, one = 1.0f;
    const uint32_t bits = 12345;
    float product, sum;
    assert_true(hiss_subnormals_are_zero());
    memcpy((void *)&subnormal, &bits, sizeof bits);
    product = small * tiny;
    assert_int_equal(subnormals(&product, 1), 0); /* a result */
    sum = subnormal * one * 1e20f;
    assert_true(sum == 0.0f); /* an operand */
    allow();
    assert_false(hiss_subnormals_are_zero());
    product = small * tiny;
    sum = subnormal * one * 1e20f;
    assert_int_equal(subnormals(&product, 1), 1); /* the test can tell */
    assert_false(sum == 0.0f);
    hiss_subnormals_to_zero();
    assert_true(hiss_subnormals_are_zero());
}

static _Atomic int kept, ran;

static void look(void *user, int thread, int64_t item) {
    (void)user, (void)thread, (void)item;
    kept += hiss_subnormals_are_zero();
    ran++;
    allow();
}

static void every_item_of_a_pool_begins_with_it(void **unused) {
    (void)unused;
    pool *p = NULL;
    hiss_error err = {0};
    assert_int_equal(train_pool_create(THREADS, &p, &err), HISS_OK);
    for (int round = 0; round < 3; round++) {
        kept = ran = 0;
        train_pool_run(p, ITEMS, look, NULL, NULL);
        assert_int_equal(ran, ITEMS);
        assert_int_equal(kept, can ? ITEMS : 0);
    }
    train_pool_destroy(p);
    hiss_subnormals_to_zero();
}

static void *enter(void *out) {
    allow();
    hiss_kernels_enter_thread();
    *(bool *)out = hiss_subnormals_are_zero();
    return NULL;
}

static void a_thread_that_enters_the_kernels_has_it(void **unused) {
    (void)unused;
    pthread_t thread;
    bool has = false;
    assert_int_equal(pthread_create(&thread, NULL, enter, &has), 0);
    pthread_join(thread, NULL);
    assert_int_equal(has, can);
}

/* Values from 1e-22 to 1e-16: their products, and decays of them, would be subnormal. */
static void fill(float *x, int count) {
    for (int i = 0; i < count; i++) {
        x[i] = (i % 2 ? -1e-22f : 1e-22f) * (float)(1 + i % 13) * (i % 7 ? 1.0f : 1e6f);
    }
}

static void backends_leave_none_and_agree(void **unused) {
    (void)unused;
    enum { N = 24 };
    static float a[N * N], b[N * N], c[2][N * N], d[2][N * N];
    const hiss_kernels *backends[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    fill(a, N * N);
    fill(b, N * N);
    for (int k = 0; k < 2; k++) {
        backends[k]->gemm(false, true, N, N, N, 1.0f, a, N, b, N, 0.0f, c[k], N);
        assert_int_equal(hiss_subnormals_are_zero(), can);
        backends[k]->multiply(N * N, a, b, d[k], false);
        if (can) {
            assert_int_equal(subnormals(c[k], N * N), 0);
            assert_int_equal(subnormals(d[k], N * N), 0);
        }
    }
    for (int i = 0; i < N * N; i++) {
        assert_true(fabsf(c[0][i] - c[1][i]) < 1e-36f);
        assert_true(d[0][i] == d[1][i]);
    }
}

static void decay_leaves_none(void **unused) {
    (void)unused;
    static const hiss_optim_options kinds[] = {
        {.method = HISS_SGD, .weight_decay = 0.5},
        {.method = HISS_SGD, .weight_decay = 0.5, .momentum = 0.9, .nesterov = true},
        {.method = HISS_ADAM, .weight_decay = 0.0, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8}};
    for (int k = 0; k < HISS_COUNT(kinds); k++) {
        static float w[COUNT], gradient[COUNT], state[HISS_OPTIM_MAX_STATES][COUNT];
        memset(state, 0, sizeof state);
        for (int i = 0; i < COUNT; i++) {
            w[i] = 1e-30f * (float)(1 + i);
            gradient[i] = k == HISS_COUNT(kinds) - 1 ? w[i] : 0.0f; /* its square would be subnormal */
        }
        for (int64_t update = 1; update <= 3000; update++) {
            const hiss_optim_step step = {.rate = 0.1, .update = update, .decay = true, .gradient_scale = 1.0f};
            hiss_optim_update(&kinds[k], &step, COUNT, gradient, w, (float *const[]){state[0], state[1]});
        }
        if (can) {
            assert_int_equal(subnormals(w, COUNT), 0);
            assert_int_equal(subnormals(state[0], 2 * COUNT), 0);
        }
    }
}

static int check_leaks(void **unused) {
    (void)unused;
    return hiss_alloc_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_setting_works_both_ways),
        cmocka_unit_test(every_item_of_a_pool_begins_with_it),
        cmocka_unit_test(a_thread_that_enters_the_kernels_has_it),
        cmocka_unit_test(backends_leave_none_and_agree),
        cmocka_unit_test(decay_leaves_none),
    };
    return cmocka_run_group_tests(tests, begin, check_leaks);
}
