/* Pooling: the fast table against the reference to the bit, ties, padding, NaN, adjointness. */
#include "kernel_support.h"

#include <math.h>

typedef struct pool_case {
    hiss_pooling p;
    float *x, *y, *dx;
    uint8_t *argmax;
} pool_case;

static int64_t x_count(const hiss_pooling *p) {
    return p->N * p->H * p->W * p->C;
}

static int64_t y_count(const hiss_pooling *p) {
    return p->N * p->P * p->Q * p->C;
}

static hiss_pooling pool(int64_t N, int64_t H, int64_t W, int64_t C, int64_t size, int64_t stride, int64_t pad) {
    hiss_pooling p = {
        N, H, W, C, size, stride, pad, (H + 2 * pad - size) / stride + 1, (W + 2 * pad - size) / stride + 1};
    return p;
}

static hiss_pooling random_pool(uint64_t *state) {
    hiss_pooling p;
    do {
        int64_t size = next_below(state, 8) ? 1 + next_below(state, 4) : HISS_BYTE_WINDOW - 1 + next_below(state, 4);
        int64_t most = size > 4 ? 24 : 12;
        p = pool(1 + next_below(state, 3), 1 + next_below(state, most), 1 + next_below(state, most),
                 next_among(state, 8, (int64_t[]){1, 2, 3, 5, 8, 16, 24, 33}), size, 1 + next_below(state, 4),
                 next_below(state, size));
    } while (p.H + 2 * p.pad < p.size || p.W + 2 * p.pad < p.size);
    return p;
}

static pool_case new_case(hiss_pooling p, uint64_t *state) {
    pool_case c = {p, new_filled(state, x_count(&p)), new_filled(state, y_count(&p)), new_filled(state, x_count(&p)),
                   hiss_new(uint8_t, hiss_pool_argmax_bytes(&p))};
    for (int64_t i = 0; i < x_count(&p); i++) { /* many ties */
        c.x[i] = floorf(4 * c.x[i]);
    }
    return c;
}

static void free_case(pool_case *c) {
    hiss_free(c->x);
    hiss_free(c->y);
    hiss_free(c->dx);
    hiss_free(c->argmax);
}

enum { CASES = 150 };
static const int64_t common[][7] = {{2, 28, 28, 32, 2, 2, 0}, {1, 27, 27, 16, 3, 2, 0}, {1, 13, 14, 8, 3, 2, 1},
                                    {3, 7, 9, 32, 2, 2, 0},   {2, 15, 8, 16, 2, 2, 0},  {2, 4, 11, 48, 2, 2, 0}};
enum { COMMON = sizeof common / sizeof common[0] };

static hiss_pooling shape_at(int i, uint64_t *state) {
    if (i >= COMMON) {
        return random_pool(state);
    }
    const int64_t *s = common[i];
    return pool(s[0], s[1], s[2], s[3], s[4], s[5], s[6]);
}

static void test_max_against_reference(void **unused) {
    (void)unused;
    const hiss_kernels *fast = hiss_kernels_blas(), *ref = hiss_kernels_ref();
    uint64_t state = 1;
    for (int i = 0; i < CASES; i++) {
        pool_case c = new_case(shape_at(i, &state), &state);
        float *y = new_copy(y_count(&c.p), c.y), *dx = new_copy(x_count(&c.p), c.dx);
        uint8_t *argmax = hiss_new(uint8_t, hiss_pool_argmax_bytes(&c.p));
        ref->max_pool_forward(&c.p, c.x, y, argmax);
        fast->max_pool_forward(&c.p, c.x, c.y, c.argmax);
        assert_same_bits("y", y_count(&c.p), c.y, y);
        assert_memory_equal(c.argmax, argmax, (size_t)hiss_pool_argmax_bytes(&c.p));
        fill(&state, y_count(&c.p), y);
        ref->max_pool_backward(&c.p, y, argmax, dx, i % 2);
        fast->max_pool_backward(&c.p, y, argmax, c.dx, i % 2);
        assert_near("dx", x_count(&c.p), c.dx, dx, 1, 0);
        hiss_free(y);
        hiss_free(dx);
        hiss_free(argmax);
        free_case(&c);
    }
}

/* In the image, of window i. */
static int64_t place_in_image(const pool_case *c, int64_t i) {
    const hiss_pooling *p = &c->p;
    if (p->size > HISS_BYTE_WINDOW) {
        return ((const int32_t *)(const void *)c->argmax)[i];
    }
    const int64_t top = i / p->C / p->Q % p->P * p->stride - p->pad, left = i / p->C % p->Q * p->stride - p->pad;
    return (top + c->argmax[i] / p->size) * p->W + left + c->argmax[i] % p->size;
}

/* Against the words of the contract: the largest value, and no equal one before it. */
static void test_max_is_the_first_maximum(void **unused) {
    (void)unused;
    const hiss_kernels *tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    uint64_t state = 2;
    for (int t = 0; t < 60; t++) {
        pool_case c = new_case(random_pool(&state), &state);
        const hiss_pooling *p = &c.p;
        tables[t % 2]->max_pool_forward(p, c.x, c.y, c.argmax);
        for (int64_t i = 0; i < y_count(p); i++) {
            int64_t k = i % p->C, q = i / p->C % p->Q, row = i / p->C / p->Q % p->P, n = i / p->C / p->Q / p->P;
            const float *image = c.x + n * p->H * p->W * p->C + k;
            const int64_t maximum = place_in_image(&c, i);
            assert_true(c.y[i] == image[maximum * p->C]);
            for (int64_t at = 0; at < p->H * p->W; at++) {
                int64_t h = at / p->W - (row * p->stride - p->pad), w = at % p->W - (q * p->stride - p->pad);
                if (h >= 0 && h < p->size && w >= 0 && w < p->size) {
                    assert_true(at < maximum ? image[at * p->C] < c.y[i] : image[at * p->C] <= c.y[i]);
                }
            }
        }
        free_case(&c);
    }
}

static void test_max_special_values(void **unused) {
    (void)unused;
    const hiss_kernels *tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    hiss_pooling p = pool(1, 2, 2, 2, 2, 2, 0);
    const float x[8] = {-INFINITY, 1, -INFINITY, NAN, -INFINITY, 2, -INFINITY, 3};
    for (int i = 0; i < 2; i++) {
        float y[2];
        uint8_t argmax[2];
        tables[i]->max_pool_forward(&p, x, y, argmax);
        assert_true(y[0] == -INFINITY);
        assert_int_equal(argmax[0], 0);
        assert_true(isnan(y[1])); /* a NaN is not swept under a maximum */
        assert_int_equal(argmax[1], 1);
    }
}

static void test_average_against_reference(void **unused) {
    (void)unused;
    const hiss_kernels *fast = hiss_kernels_blas(), *ref = hiss_kernels_ref();
    uint64_t state = 3;
    for (int i = 0; i < CASES; i++) {
        pool_case c = new_case(shape_at(i, &state), &state);
        float *y = new_copy(y_count(&c.p), c.y), *dx = new_copy(x_count(&c.p), c.dx);
        fill(&state, x_count(&c.p), c.x);
        ref->average_pool_forward(&c.p, c.x, y);
        fast->average_pool_forward(&c.p, c.x, c.y);
        assert_near("y", y_count(&c.p), c.y, y, 1, 1e-6);
        ref->average_pool_backward(&c.p, y, dx, i % 2);
        fast->average_pool_backward(&c.p, y, c.dx, i % 2);
        assert_near("dx", x_count(&c.p), c.dx, dx, 1, 1e-6);
        hiss_free(y);
        hiss_free(dx);
        free_case(&c);
    }
}

/* <pool(x), dy> = <x, backward(dy)>: average pooling is linear, and max pooling is for a fixed argmax. */
static void test_adjoint(void **unused) {
    (void)unused;
    const hiss_kernels *tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    uint64_t state = 4;
    for (int i = 0; i < CASES; i++) {
        const hiss_kernels *kernels = tables[i % 2];
        pool_case c = new_case(random_pool(&state), &state);
        float *dy = new_filled(&state, y_count(&c.p));
        kernels->max_pool_forward(&c.p, c.x, c.y, c.argmax);
        kernels->max_pool_backward(&c.p, dy, c.argmax, c.dx, false);
        double scale = 1 + sqrt((double)y_count(&c.p));
        assert_true(fabs(dot(y_count(&c.p), c.y, dy) - dot(x_count(&c.p), c.x, c.dx)) < 1e-5 * scale);
        kernels->average_pool_forward(&c.p, c.x, c.y);
        kernels->average_pool_backward(&c.p, dy, c.dx, false);
        assert_true(fabs(dot(y_count(&c.p), c.y, dy) - dot(x_count(&c.p), c.x, c.dx)) < 1e-5 * scale);
        hiss_free(dy);
        free_case(&c);
    }
}

static void test_average_counts_padding_as_zeros(void **unused) {
    (void)unused;
    const hiss_kernels *tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    hiss_pooling p = pool(1, 2, 2, 1, 2, 2, 1);
    for (int i = 0; i < 2; i++) {
        float y[4];
        tables[i]->average_pool_forward(&p, (const float[]){1, 2, 3, 4}, y);
        assert_near("y", 4, y, (const float[]){0.25f, 0.5f, 0.75f, 1}, 1, 1e-7);
    }
}

static int check_leaks(void **unused) {
    (void)unused;
    return hiss_alloc_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_against_reference),
        cmocka_unit_test(test_max_is_the_first_maximum),
        cmocka_unit_test(test_max_special_values),
        cmocka_unit_test(test_average_against_reference),
        cmocka_unit_test(test_adjoint),
        cmocka_unit_test(test_average_counts_padding_as_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, check_leaks);
}
