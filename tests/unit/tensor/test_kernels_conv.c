/* Convolution: the fast table against the reference, adjointness, repeatability. */
#include "kernel_support.h"

#include <math.h>
#include <pthread.h>

static hiss_conv conv(int64_t N, int64_t H, int64_t W, int64_t C, int64_t F, int64_t R, int64_t S, int64_t stride,
                      int64_t pad) {
    hiss_conv c = {.N = N, .H = H, .W = W, .C = C, .F = F, .R = R, .S = S, .stride = stride, .pad = pad};
    c.P = (H + 2 * pad - R) / stride + 1;
    c.Q = (W + 2 * pad - S) / stride + 1;
    return c;
}

static int64_t x_count(const hiss_conv *c) {
    return c->N * c->H * c->W * c->C;
}

static int64_t w_count(const hiss_conv *c) {
    return c->F * c->R * c->S * c->C;
}

static int64_t y_count(const hiss_conv *c) {
    return c->N * c->P * c->Q * c->F;
}

static hiss_conv random_conv(uint64_t *state) {
    hiss_conv c;
    do {
        c = conv(1 + next_below(state, 3), 1 + next_below(state, 14), 1 + next_below(state, 14),
                 next_among(state, 8, (int64_t[]){1, 2, 3, 5, 8, 16, 17, 32}),
                 next_among(state, 6, (int64_t[]){1, 7, 16, 24, 32, 33}),
                 next_among(state, 5, (int64_t[]){1, 2, 3, 5, 11}), next_among(state, 5, (int64_t[]){1, 2, 3, 5, 11}),
                 1 + next_below(state, 4), next_below(state, 4));
    } while (c.H + 2 * c.pad < c.R || c.W + 2 * c.pad < c.S);
    return c;
}

/* Shapes of the presets, and ones that need several tiles. */
static const int64_t named[][9] = {
    {2, 28, 28, 1, 16, 3, 3, 1, 1},   {2, 28, 28, 2, 32, 3, 3, 1, 1},   {3, 14, 14, 16, 32, 3, 3, 1, 1},
    {4, 7, 7, 32, 64, 3, 3, 1, 1},    {1, 63, 51, 2, 24, 11, 11, 4, 2}, {1, 13, 13, 96, 40, 5, 5, 1, 2},
    {2, 20, 20, 17, 9, 1, 1, 1, 0},   {2, 20, 20, 8, 16, 1, 1, 2, 0},   {9, 28, 28, 1, 16, 3, 3, 1, 1},
    {3, 30, 17, 16, 16, 3, 3, 2, 1},  {2, 28, 28, 16, 1, 3, 3, 1, 1},   {2, 9, 14, 16, 3, 5, 5, 1, 1},
    {3, 10, 9, 24, 2, 3, 3, 1, 0},    {1, 12, 12, 16, 32, 3, 3, 1, 1},  {1, 6, 7, 8, 7, 2, 2, 1, 1},
    {1, 40, 300, 3, 20, 5, 5, 1, 2},  {5, 15, 13, 32, 48, 3, 3, 1, 0},  {3, 21, 17, 16, 32, 5, 5, 1, 4},
    {3, 9, 8, 48, 16, 3, 3, 1, 2},    {40, 7, 7, 16, 16, 3, 3, 1, 1},   {1, 13, 13, 96, 48, 5, 5, 1, 2},
    {2, 40, 37, 3, 2, 3, 3, 1, 1},    {1, 9, 20, 4, 4, 5, 2, 1, 0},     {1, 30, 50, 2, 96, 11, 11, 4, 2},
    {2, 3, 70, 1, 3, 3, 3, 1, 2},     {1, 18, 19, 24, 48, 3, 3, 2, 1},  {3, 8, 8, 20, 32, 1, 1, 1, 0},
    {2, 6, 5, 16, 80, 5, 5, 1, 0},    {1, 3, 3, 16, 16, 3, 3, 1, 0},    {3, 28, 28, 1, 32, 4, 4, 2, 1},
    {2, 12, 12, 8, 160, 4, 4, 2, 1},  {4, 15, 15, 5, 11, 2, 3, 1, 1},   {3, 20, 20, 32, 48, 1, 1, 1, 0},
    {3, 21, 20, 64, 300, 1, 1, 1, 0}, {9, 9, 10, 16, 320, 1, 1, 1, 0},  {3, 17, 18, 16, 32, 1, 2, 1, 0},
};
enum { NAMED = sizeof named / sizeof named[0], RANDOM = 120, GUARD = 64 };

static hiss_conv shape_at(int i, uint64_t *state) {
    if (i >= NAMED) {
        return random_conv(state);
    }
    const int64_t *s = named[i];
    return conv(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8]);
}

typedef struct arrays {
    float *x, *w, *bias, *y, *dx, *dw, *scratch;
} arrays;

static arrays new_arrays(const hiss_kernels *kernels, const hiss_conv *c, uint64_t *state) {
    return (arrays){
        .x = new_filled(state, x_count(c)),
        .w = new_filled(state, w_count(c)),
        .bias = new_filled(state, c->F),
        .y = new_filled(state, y_count(c)),
        .dx = new_filled(state, x_count(c)),
        .dw = new_filled(state, w_count(c)),
        .scratch = new_filled(state, (int64_t)kernels->conv2d_scratch(c) + GUARD),
    };
}

/* Kernels take no more scratch than they ask for. */
static void mark_scratch_end(const hiss_kernels *kernels, const hiss_conv *c, arrays *a) {
    for (size_t i = 0; i < GUARD; i++) {
        a->scratch[kernels->conv2d_scratch(c) + i] = 2;
    }
}

static void check_scratch_end(const hiss_kernels *kernels, const hiss_conv *c, const arrays *a) {
    for (size_t i = 0; i < GUARD; i++) {
        assert_true(a->scratch[kernels->conv2d_scratch(c) + i] == 2);
    }
}

static void free_arrays(arrays *a) {
    float *all[] = {a->x, a->w, a->bias, a->y, a->dx, a->dw, a->scratch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        hiss_free(all[i]);
    }
}

static void test_against_reference(void **unused) {
    (void)unused;
    const hiss_kernels *fast = hiss_kernels_blas(), *ref = hiss_kernels_ref();
    uint64_t state = 1;
    for (int i = 0; i < NAMED + RANDOM; i++) {
        hiss_conv c = shape_at(i, &state);
        bool accumulate = i % 2;
        arrays a = new_arrays(fast, &c, &state);
        float *y = new_filled(&state, y_count(&c));
        float *dx = new_copy(x_count(&c), a.dx), *dw = new_copy(w_count(&c), a.dw);
        char text[96];
        mark_scratch_end(fast, &c, &a);
        snprintf(text, sizeof text, "N%d %dx%d C%d F%d %dx%d s%d p%d", (int)c.N, (int)c.H, (int)c.W, (int)c.C, (int)c.F,
                 (int)c.R, (int)c.S, (int)c.stride, (int)c.pad);

        ref->conv2d_backward_data(&c, a.y, a.w, dx, accumulate, NULL);
        fast->conv2d_backward_data(&c, a.y, a.w, a.dx, accumulate, a.scratch);
        assert_near(text, x_count(&c), a.dx, dx, sqrt((double)(c.R * c.S * c.F)), 2e-5);

        ref->conv2d_backward_weight(&c, a.x, a.y, dw, accumulate, NULL);
        fast->conv2d_backward_weight(&c, a.x, a.y, a.dw, accumulate, a.scratch);
        assert_near(text, w_count(&c), a.dw, dw, sqrt((double)(c.N * c.P * c.Q)), 2e-5);

        const float *bias = i % 3 ? a.bias : NULL;
        ref->conv2d_forward(&c, a.x, a.w, bias, y, NULL);
        fast->conv2d_forward(&c, a.x, a.w, bias, a.y, a.scratch);
        assert_near(text, y_count(&c), a.y, y, sqrt((double)(c.R * c.S * c.C)), 2e-5);
        check_scratch_end(fast, &c, &a);

        hiss_free(y);
        hiss_free(dx);
        hiss_free(dw);
        free_arrays(&a);
    }
}

static int implementation(hiss_product product, const char *name) {
    int k = 0;
    while (strcmp(hiss_implementation_name(product, k), name) != 0) {
        k++;
    }
    return k;
}

/* Direct and tiled sum up in the same order, and so the rule between them does not show. */
static void test_same_order(void **unused) {
    (void)unused;
    const hiss_kernels *fast = hiss_kernels_blas();
    const int direct = implementation(HISS_CONV2D_FORWARD, "direct");
    const int tiled = implementation(HISS_CONV2D_FORWARD, "tiled");
    const hiss_kernels by[2] = {hiss_kernels_with(fast, HISS_CONV2D_FORWARD, direct),
                                hiss_kernels_with(fast, HISS_CONV2D_FORWARD, tiled)};
    uint64_t state = 8;
    for (int i = 0; i < NAMED + RANDOM; i++) {
        const hiss_conv c = shape_at(i, &state);
        if (!hiss_implementation_can(fast, HISS_CONV2D_FORWARD, direct, &c) ||
            !hiss_implementation_can(fast, HISS_CONV2D_FORWARD, tiled, &c)) {
            continue;
        }
        arrays a = new_arrays(fast, &c, &state);
        float *y = new_filled(&state, y_count(&c));
        by[0].conv2d_forward(&c, a.x, a.w, i % 3 ? a.bias : NULL, a.y, a.scratch);
        by[1].conv2d_forward(&c, a.x, a.w, i % 3 ? a.bias : NULL, y, a.scratch);
        assert_same_bits("forward", y_count(&c), a.y, y);
        hiss_free(y);
        free_arrays(&a);
    }
}

/* Every implementation computes every shape it says it can. */
static void test_implementations(void **unused) {
    (void)unused;
    const hiss_kernels *fast = hiss_kernels_blas(), *ref = hiss_kernels_ref();
    uint64_t state = 5;
    int64_t checked = 0;
    for (int i = 0; i < NAMED + RANDOM / 2; i++) {
        hiss_conv c = shape_at(i, &state);
        const bool accumulate = i % 2;
        const double depth[3] = {sqrt((double)(c.R * c.S * c.C)), sqrt((double)(c.R * c.S * c.F)),
                                 sqrt((double)(c.N * c.P * c.Q))};
        const int64_t count[3] = {y_count(&c), x_count(&c), w_count(&c)};
        for (int d = 0; d < 3; d++) {
            const hiss_product product = (hiss_product)(HISS_CONV2D_FORWARD + d);
            for (int k = 0; hiss_implementation_name(product, k); k++) {
                if (!hiss_implementation_can(fast, product, k, &c)) {
                    continue;
                }
                const hiss_kernels one = hiss_kernels_with(fast, product, k), *by[2] = {&one, ref};
                arrays a = new_arrays(fast, &c, &state);
                float *got[3] = {a.y, a.dx, a.dw}, *expected = new_copy(count[d], got[d]),
                      *bias = i % 3 ? a.bias : NULL;
                mark_scratch_end(fast, &c, &a);
                for (int r = 0; r < 2; r++) {
                    float *to = r ? expected : got[d];
                    if (d == 0) {
                        by[r]->conv2d_forward(&c, a.x, a.w, bias, to, a.scratch);
                    } else if (d == 1) {
                        by[r]->conv2d_backward_data(&c, a.y, a.w, to, accumulate, a.scratch);
                    } else {
                        by[r]->conv2d_backward_weight(&c, a.x, a.y, to, accumulate, a.scratch);
                    }
                }
                char text[160];
                snprintf(text, sizeof text, "%s %s N%d %dx%d C%d F%d %dx%d s%d p%d", hiss_product_name(product),
                         hiss_implementation_name(product, k), (int)c.N, (int)c.H, (int)c.W, (int)c.C, (int)c.F,
                         (int)c.R, (int)c.S, (int)c.stride, (int)c.pad);
                assert_near(text, count[d], got[d], expected, depth[d], 2e-5);
                check_scratch_end(fast, &c, &a);
                hiss_free(expected);
                free_arrays(&a);
                checked++;
            }
        }
    }
    assert_true(checked > 4 * (NAMED + RANDOM / 2));
}

/* <conv(x, w), dy> = <x, backward_data(dy)> = <w, backward_weight(dy)>, for both tables. */
static void test_adjoint(void **unused) {
    (void)unused;
    uint64_t state = 2;
    for (int i = 0; i < 2 * (NAMED + 30); i++) {
        const hiss_kernels *kernels = i % 2 ? hiss_kernels_ref() : hiss_kernels_blas();
        hiss_conv c = shape_at(i / 2, &state);
        arrays a = new_arrays(kernels, &c, &state);
        float *dy = new_filled(&state, y_count(&c));
        kernels->conv2d_forward(&c, a.x, a.w, NULL, a.y, a.scratch);
        kernels->conv2d_backward_data(&c, dy, a.w, a.dx, false, a.scratch);
        kernels->conv2d_backward_weight(&c, a.x, dy, a.dw, false, a.scratch);
        double forward = dot(y_count(&c), a.y, dy);
        double size = sqrt(dot(y_count(&c), a.y, a.y) * dot(y_count(&c), dy, dy)) + 1e-3;
        assert_true(fabs(dot(x_count(&c), a.x, a.dx) - forward) < 2e-6 * size);
        assert_true(fabs(dot(w_count(&c), a.w, a.dw) - forward) < 2e-6 * size);
        hiss_free(dy);
        free_arrays(&a);
    }
}

/* A hand-made case: a 2x2 image, a 2x2 kernel, padding 1, stride 2, known sums. */
static void test_by_hand(void **unused) {
    (void)unused;
    const hiss_kernels *tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    hiss_conv c = conv(1, 2, 2, 1, 1, 2, 2, 2, 1);
    assert_int_equal(c.P, 2);
    const float x[] = {1, 2, 3, 4}, w[] = {10, 20, 30, 40}, bias[] = {0.5f}, dy[] = {1, 2, 3, 4};
    const float y[] = {40.5f, 60.5f, 60.5f, 40.5f};
    for (int i = 0; i < 2; i++) {
        float got[4], dw[4] = {1, 1, 1, 1}, dx[4];
        float *scratch = hiss_new(float, tables[i]->conv2d_scratch(&c));
        tables[i]->conv2d_forward(&c, x, w, bias, got, scratch);
        assert_near("y", 4, got, y, 1, 1e-6);
        tables[i]->conv2d_backward_data(&c, dy, w, dx, false, scratch);
        assert_near("dx", 4, dx, (const float[]){40, 60, 60, 40}, 1, 1e-6);
        tables[i]->conv2d_backward_weight(&c, x, dy, dw, true, scratch);
        assert_near("dw", 4, dw, (const float[]){17, 10, 5, 2}, 1, 1e-6);
        hiss_free(scratch);
    }
}

static float *shifted(int64_t count, const float *from, float **block, int shift) {
    *block = hiss_new(float, count + 16);
    memcpy(*block + shift, from, sizeof(float) * (size_t)count);
    return *block + shift;
}

typedef struct job {
    const hiss_conv *c;
    const arrays *from;
    int shift;
    float *y, *dx, *dw; /* out */
} job;

/* All three passes with every array moved off its alignment by shift floats. */
static void *run(void *argument) {
    job *j = argument;
    const hiss_kernels *kernels = hiss_kernels_blas();
    const hiss_conv *c = j->c;
    hiss_kernels_enter_thread();
    float *block[7];
    float *x = shifted(x_count(c), j->from->x, &block[0], j->shift);
    float *w = shifted(w_count(c), j->from->w, &block[1], j->shift);
    float *bias = shifted(c->F, j->from->bias, &block[2], j->shift);
    float *y = shifted(y_count(c), j->from->y, &block[3], j->shift);
    float *dx = shifted(x_count(c), j->from->dx, &block[4], j->shift);
    float *dw = shifted(w_count(c), j->from->dw, &block[5], j->shift);
    block[6] = hiss_new(float, kernels->conv2d_scratch(c));
    for (int again = 0; again < 2; again++) { /* the second time on what the first one left */
        kernels->conv2d_forward(c, x, w, bias, y, block[6]);
        kernels->conv2d_backward_data(c, y, w, dx, false, block[6]);
        kernels->conv2d_backward_weight(c, x, y, dw, false, block[6]);
    }
    j->y = new_copy(y_count(c), y);
    j->dx = new_copy(x_count(c), dx);
    j->dw = new_copy(w_count(c), dw);
    for (int i = 0; i < 7; i++) {
        hiss_free(block[i]);
    }
    return NULL;
}

static void test_same_bits(void **unused) {
    (void)unused;
    uint64_t state = 3;
    for (int i = 0; i < NAMED + 20; i++) {
        hiss_conv c = shape_at(i, &state);
        arrays a = new_arrays(hiss_kernels_blas(), &c, &state);
        job jobs[4];
        for (int j = 0; j < 4; j++) {
            jobs[j] = (job){&c, &a, j == 0 ? 0 : 1 + (int)next_below(&state, 15), NULL, NULL, NULL};
        }
        run(&jobs[0]);
        run(&jobs[1]);
        pthread_t threads[2];
        for (int j = 0; j < 2; j++) {
            assert_int_equal(pthread_create(&threads[j], NULL, run, &jobs[2 + j]), 0);
        }
        for (int j = 0; j < 2; j++) {
            pthread_join(threads[j], NULL);
        }
        for (int j = 0; j < 4; j++) {
            assert_same_bits("y", y_count(&c), jobs[j].y, jobs[0].y);
            assert_same_bits("dx", x_count(&c), jobs[j].dx, jobs[0].dx);
            assert_same_bits("dw", w_count(&c), jobs[j].dw, jobs[0].dw);
        }
        for (int j = 0; j < 4; j++) {
            hiss_free(jobs[j].y);
            hiss_free(jobs[j].dx);
            hiss_free(jobs[j].dw);
        }
        free_arrays(&a);
    }
}

static void check_pooled(const hiss_kernels *kernels) {
    uint64_t state = 4;
    int pooled = 0;
    for (int i = 0; i < NAMED + RANDOM; i++) {
        const hiss_conv c = shape_at(i, &state);
        const hiss_kernels k = hiss_kernels_for(kernels, false, &c);
        const hiss_pooling p = {c.N, c.P, c.Q, c.F, 2, 2, 0, c.P / 2, c.Q / 2};
        const int64_t windows = p.N * p.P * p.Q * p.C;
        const bool accumulate = i % 2;
        if (windows == 0 || !k.conv2d_pooled_forward) {
            continue;
        }
        arrays a = new_arrays(&k, &c, &state);
        float *y[2] = {new_filled(&state, windows), new_filled(&state, windows)},
              *map = new_filled(&state, y_count(&c));
        float *dx = new_copy(x_count(&c), a.dx), *dw = new_copy(w_count(&c), a.dw), *dy = new_filled(&state, windows);
        uint8_t *argmax[2] = {hiss_new(uint8_t, windows), hiss_new(uint8_t, windows)};
        mark_scratch_end(&k, &c, &a);
        k.conv2d_forward(&c, a.x, a.w, i % 3 ? a.bias : NULL, map, a.scratch);
        k.max_pool_forward(&p, map, y[0], argmax[0]);
        k.conv2d_pooled_forward(&c, a.x, a.w, i % 3 ? a.bias : NULL, y[1], argmax[1], a.scratch);
        assert_same_bits("y", windows, y[1], y[0]);
        assert_memory_equal(argmax[1], argmax[0], (size_t)windows);
        k.max_pool_backward(&p, dy, argmax[0], map, false);
        k.conv2d_backward_data(&c, map, a.w, dx, accumulate, a.scratch);
        k.conv2d_backward_weight(&c, a.x, map, dw, accumulate, a.scratch);
        if (k.conv2d_pooled_backward_data) {
            k.conv2d_pooled_backward_data(&c, dy, argmax[0], a.w, a.dx, accumulate, a.scratch);
            assert_same_bits("dx", x_count(&c), a.dx, dx);
        }
        if (k.conv2d_pooled_backward_weight) {
            k.conv2d_pooled_backward_weight(&c, a.x, dy, argmax[0], a.dw, accumulate, a.scratch);
            assert_same_bits("dw", w_count(&c), a.dw, dw);
        }
        check_scratch_end(&k, &c, &a);
        pooled++;
        void *all[] = {y[0], y[1], map, dx, dw, dy, argmax[0], argmax[1]};
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++) {
            hiss_free(all[j]);
        }
        free_arrays(&a);
    }
    assert_true(pooled > 10);
}

/* Where the kernels of a shape pool what they compute, the bits are those of convolution and pooling in turn. */
static void test_pooled_same_bits(void **unused) {
    (void)unused;
    check_pooled(hiss_kernels_blas());
    if (hiss_kernels_can_bf16()) {
        const hiss_kernels halves = hiss_kernels_in_bf16(hiss_kernels_blas());
        check_pooled(&halves);
    }
}

static int check_leaks(void **unused) {
    (void)unused;
    return hiss_alloc_live() == 0 ? 0 : -1;
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_reference), cmocka_unit_test(test_same_order),
        cmocka_unit_test(test_implementations),   cmocka_unit_test(test_adjoint),
        cmocka_unit_test(test_by_hand),           cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_pooled_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, check_leaks);
}
