/* bfloat16: the plain C by numbers known by hand, what the processor computes by plain C to the bit, and layers by
 * their error and as adjoints. Where the processor has no such instructions, hiss says so, and plain C is judged alone. */
#include <float.h>
#include <math.h>

#include "kernel_support.h"
#include "tensor/kern_bf16.h"

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint16_t rounded(float x) {
    uint16_t half;
    tensor_ref_bf16_round(1, &x, &half);
    return half;
}

static void test_rounding(void **unused) {
    (void)unused;
    assert_int_equal(rounded(1.0f), 0x3f80);
    assert_int_equal(rounded(-2.0f), 0xc000);
    assert_int_equal(rounded(float_of(0x3f808000)), 0x3f80); /* ties to even */
    assert_int_equal(rounded(float_of(0x3f818000)), 0x3f82);
    assert_int_equal(rounded(float_of(0x3f808001)), 0x3f81);
    assert_int_equal(rounded(float_of(0x7f7fffff)), 0x7f80); /* beyond the largest: infinity */
    assert_int_equal(rounded(-INFINITY), 0xff80);
    assert_int_equal(rounded(float_of(0x80000001)), 0x8000); /* subnormal: a zero of its sign */
    assert_int_equal(rounded(float_of(0x7f800001)), 0x7fc0); /* a NaN stays one */
}

/* One sum of one pair, operands by their bits. */
static float sum_of(uint16_t a_even, uint16_t a_odd, uint16_t b_even, uint16_t b_odd, float sum) {
    const uint32_t a = a_even | (uint32_t)a_odd << 16, b = b_even | (uint32_t)b_odd << 16;
    tensor_ref_bf16_multiply(1, 1, 1, (tensor_left_pairs){&a, 1, 1}, (tensor_right_pairs){&b, 1, 1}, &sum, 1, true);
    return sum;
}

static void test_order(void **unused) {
    (void)unused;
    const uint16_t one = 0x3f80, minus = 0xbf80, large = 0x4b80 /* 2^24 */, tiny = 0x0080 /* 2^-126 */, half = 0x3f00;
    assert_true(sum_of(one, one, one, large, 0) == 16777216.0f);      /* 2^24, then 1 is lost */
    assert_true(sum_of(large, one, minus, one, 16777216.0f) == 0.0f); /* 1 is lost first */
    assert_true(sum_of(one, large, one, minus, 16777216.0f) == 1.0f); /* and here last */
    assert_true(sum_of(tiny, 0, half, 0, 0) == 0.0f);                 /* a subnormal result is zero */
    assert_true(sum_of(0, 0, 0, 0, float_of(1)) == 0.0f);             /* and so is a subnormal sum */
}

/* Bits of all kinds, among them infinities, NaN and subnormals; or of magnitudes that meet. */
static uint32_t any_bits(uint64_t *state, int kind) {
    const uint32_t bits = (uint32_t)(next_word(state) >> 32);
    const uint32_t exponent = (uint32_t)(kind == 1 ? 120 + next_below(state, 8) : 60 + next_below(state, 8));
    return kind == 0 ? bits : (bits & 0x807fffff) | exponent << 23;
}

static void assert_same(const char *what, int64_t count, const float *a, const float *b) {
    for (int64_t i = 0; i < count; i++) {
        if (!(isnan(a[i]) && isnan(b[i])) && memcmp(a + i, b + i, sizeof *a) != 0) {
            fail_msg("%s: bits differ at %lld: %a and %a", what, (long long)i, (double)a[i], (double)b[i]);
        }
    }
}

static void test_product(void **unused) {
    (void)unused;
    enum { M = 33, N = 53, K = 17, LD = 64, PANELS = 2, ROUNDS = 60 };
    static uint32_t a[M * K], b[PANELS * K * HISS_PANEL];
    static float values[LD], c[M * LD], expected[M * LD];
    static uint16_t halves[2][LD];
    uint64_t state = 3;
    if (!hiss_kernels_can_bf16()) {
        skip();
    }
    for (int round = 0; round < ROUNDS; round++) {
        const int kind = round % 3;
        const int64_t rows = 1 + next_below(&state, M), columns = 1 + next_below(&state, N);
        const bool accumulate = round % 2;
        for (int64_t i = 0; i < M * K; i++) {
            a[i] = (any_bits(&state, kind) & 0xffff0000) | any_bits(&state, kind) >> 16;
        }
        for (int64_t i = 0; i < PANELS * K * HISS_PANEL; i++) {
            b[i] = (any_bits(&state, kind) & 0xffff0000) | any_bits(&state, kind) >> 16;
        }
        for (int64_t i = 0; i < M * LD; i++) {
            c[i] = expected[i] = float_of(any_bits(&state, kind == 2 ? 0 : kind));
        }
        const tensor_left_pairs left = {a, round % 5 ? K : 1, round % 5 ? 1 : M};
        const tensor_right_pairs right = {b, HISS_PANEL, K * HISS_PANEL};
        tensor_bf16_multiply(rows, columns, K, left, right, c, LD, accumulate);
        tensor_ref_bf16_multiply(rows, columns, K, left, right, expected, LD, accumulate);
        assert_same("product", M * LD, c, expected); /* what lies beside it, too */
        for (int64_t i = 0; i < LD; i++) {
            values[i] = float_of(any_bits(&state, kind));
        }
        tensor_bf16_round(columns, values, halves[0]);
        tensor_ref_bf16_round(columns, values, halves[1]);
        assert_memory_equal(halves[0], halves[1], sizeof halves[0][0] * (size_t)columns);
    }
}

/* ---- layers ---- */

typedef struct layer {
    hiss_conv c;
    bool linear;
    float *x, *w, *bias, *y, *dx, *dw, *scratch;
} layer;

enum { LAYERS = 40 };

static int64_t count_x(const hiss_conv *c) {
    return c->N * c->H * c->W * c->C;
}

static int64_t count_w(const hiss_conv *c) {
    return c->F * c->R * c->S * c->C;
}

static int64_t count_y(const hiss_conv *c) {
    return c->N * c->P * c->Q * c->F;
}

/* Every fourth is linear; half of the rest have channels and filters in sixteens. */
static layer layer_at(int i, const hiss_kernels *kernels, uint64_t *state) {
    layer l = {.linear = i % 4 == 0};
    hiss_conv *c = &l.c;
    const int64_t step = i % 2 ? 16 : 1;
    *c = (hiss_conv){.N = 1 + next_below(state, 3), .H = 5 + next_below(state, 9), .W = 5 + next_below(state, 9)};
    c->C = step * (1 + next_below(state, 4));
    c->F = step * (1 + next_below(state, step == 1 ? 40 : 4));
    c->R = c->S = 1 + next_below(state, 5);
    c->stride = i % 8 < 6 ? 1 : 2;
    c->pad = next_below(state, c->R);
    if (l.linear) {
        *c = (hiss_conv){
            1 + next_below(state, 40), 1, 1, 1 + next_below(state, 1200), 1 + next_below(state, 80), 1, 1, 1, 0, 1, 1};
    }
    c->P = (c->H + 2 * c->pad - c->R) / c->stride + 1;
    c->Q = (c->W + 2 * c->pad - c->S) / c->stride + 1;
    l.x = new_filled(state, count_x(c));
    l.w = new_filled(state, count_w(c));
    l.bias = new_filled(state, c->F);
    l.y = new_filled(state, count_y(c));
    l.dx = new_filled(state, count_x(c));
    l.dw = new_filled(state, count_w(c));
    l.scratch = hiss_new(float, l.linear ? kernels->linear_scratch(c->N, c->C, c->F) : kernels->conv2d_scratch(c));
    return l;
}

static void free_layer(layer *l) {
    float *all[] = {l->x, l->w, l->bias, l->y, l->dx, l->dw, l->scratch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        hiss_free(all[i]);
    }
}

static void compute(const hiss_kernels *k, const layer *l, const float *dy, float *y, float *dx, float *dw,
                    bool accumulate) {
    const hiss_conv *c = &l->c;
    if (l->linear) {
        k->linear_backward_data(c->N, c->C, c->F, dy, l->w, dx, accumulate, l->scratch);
        k->linear_backward_weight(c->N, c->C, c->F, l->x, dy, dw, accumulate, l->scratch);
        k->linear_forward(c->N, c->C, c->F, l->x, l->w, accumulate ? l->bias : NULL, y, l->scratch);
    } else {
        k->conv2d_backward_data(c, dy, l->w, dx, accumulate, l->scratch);
        k->conv2d_backward_weight(c, l->x, dy, dw, accumulate, l->scratch);
        k->conv2d_forward(c, l->x, l->w, accumulate ? l->bias : NULL, y, l->scratch);
    }
}

/* The kernels of one layer; name: of the implementation of its convolutions. False where that cannot compute it. */
static bool kernels_of(const hiss_kernels *fast, const layer *l, const char *name, hiss_kernels *out) {
    const int first = l->linear ? HISS_LINEAR_FORWARD : HISS_CONV2D_FORWARD;
    *out = *fast;
    for (int p = first; p < first + 3; p++) {
        const hiss_product product = (hiss_product)p;
        int i = 0;
        while (strcmp(hiss_implementation_name(product, i), l->linear ? "bf16" : name) != 0) {
            i++;
        }
        if (!hiss_implementation_can(fast, product, i, &l->c)) {
            return false;
        }
        *out = hiss_kernels_with(out, product, i);
    }
    return true;
}

/* Without winograd, whose sums are others: to the bit what plain C computes. */
static void test_layers_to_the_bit(void **unused) {
    (void)unused;
    if (!hiss_kernels_can_bf16()) {
        skip();
    }
    const hiss_kernels fast = hiss_kernels_in_bf16(hiss_kernels_blas());
    const hiss_kernels ref = hiss_kernels_in_bf16(hiss_kernels_ref());
    uint64_t state = 7;
    int checked = 0;
    for (int i = 0; i < LAYERS; i++) {
        hiss_kernels own;
        layer l = layer_at(i, &fast, &state);
        const hiss_conv *c = &l.c;
        if (kernels_of(&fast, &l, "bf16-tiled", &own)) {
            float *dy = new_filled(&state, count_y(c)), *y = new_copy(count_y(c), l.y),
                  *dx = new_copy(count_x(c), l.dx), *dw = new_copy(count_w(c), l.dw);
            compute(&own, &l, dy, l.y, l.dx, l.dw, i % 3 == 0);
            compute(&ref, &l, dy, y, dx, dw, i % 3 == 0);
            assert_same_bits("forward", count_y(c), l.y, y);
            assert_same_bits("backward_data", count_x(c), l.dx, dx);
            assert_same_bits("backward_weight", count_w(c), l.dw, dw);
            hiss_free(dy);
            hiss_free(y);
            hiss_free(dx);
            hiss_free(dw);
            checked++;
        }
        free_layer(&l);
    }
    assert_true(checked > LAYERS / 2);
}

/* Root mean square of a - b, in that of b. */
static double error_of(int64_t count, const float *a, const float *b) {
    double error = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(error / size);
}

/* Against float64: about what rounding both operands costs, and not nothing. */
static void test_errors(void **unused) {
    (void)unused;
    static const struct {
        const char *name;
        double least, most; /* of the error */
    } by[] = {{"bf16-tiled", 1e-3, 4e-3}, {"bf16-winograd", 1e-3, 2e-2}};
    if (!hiss_kernels_can_bf16()) {
        skip();
    }
    const hiss_kernels fast = hiss_kernels_in_bf16(hiss_kernels_blas());
    uint64_t state = 9;
    int checked[2] = {0};
    for (int i = 0; i < 4 * LAYERS; i++) {
        layer l = layer_at(i, &fast, &state);
        const hiss_conv *c = &l.c;
        for (int k = 0; k < 2; k++) {
            hiss_kernels own;
            if (!kernels_of(&fast, &l, by[k].name, &own) || (l.linear && k) || c->N * c->P * c->Q < 16) {
                continue;
            }
            float *dy = new_filled(&state, count_y(c)), *y = new_copy(count_y(c), l.y),
                  *dx = new_copy(count_x(c), l.dx), *dw = new_copy(count_w(c), l.dw);
            compute(&own, &l, dy, l.y, l.dx, l.dw, false);
            compute(hiss_kernels_ref(), &l, dy, y, dx, dw, false);
            const double error[] = {error_of(count_y(c), l.y, y), error_of(count_x(c), l.dx, dx),
                                    error_of(count_w(c), l.dw, dw)};
            for (int d = 0; d < 3; d++) {
                if (!(error[d] > by[k].least && error[d] < by[k].most)) {
                    fail_msg("%s, direction %d, C%d F%d %dx%d: error %g", by[k].name, d, (int)c->C, (int)c->F,
                             (int)c->R, (int)c->S, error[d]);
                }
            }
            checked[k]++;
            hiss_free(dy);
            hiss_free(y);
            hiss_free(dx);
            hiss_free(dw);
        }
        free_layer(&l);
    }
    assert_true(checked[0] > LAYERS && checked[1] > 2);
}

/* Whole numbers up to 8 are bfloat16 and their sums float32: <y, dy> = <x, dx> = <w, dw> to the last bit. */
static void test_gradients(void **unused) {
    (void)unused;
    const bool can = hiss_kernels_can_bf16();
    const hiss_kernels by[] = {hiss_kernels_in_bf16(hiss_kernels_ref()), hiss_kernels_in_bf16(hiss_kernels_blas())};
    uint64_t state = 11;
    for (int i = 0; i < LAYERS; i++) {
        hiss_kernels own;
        layer l = layer_at(i, &by[can], &state);
        const hiss_conv *c = &l.c;
        float *dy = new_filled(&state, count_y(c)), *values[] = {l.x, l.w, dy};
        const int64_t counts[] = {count_x(c), count_w(c), count_y(c)};
        for (int v = 0; v < 3; v++) {
            for (int64_t j = 0; j < counts[v]; j++) {
                values[v][j] = roundf(8 * values[v][j]);
            }
        }
        if (!can || kernels_of(&by[1], &l, "bf16-tiled", &own)) {
            compute(can ? &own : &by[0], &l, dy, l.y, l.dx, l.dw, false);
            const double sum = dot(count_y(c), l.y, dy);
            assert_true(dot(count_x(c), l.x, l.dx) == sum && dot(count_w(c), l.w, l.dw) == sum);
        }
        hiss_free(dy);
        free_layer(&l);
    }
}

static int check_leaks(void **unused) {
    (void)unused;
    return hiss_alloc_live() == 0 ? 0 : -1;
}

int main(void) {
    hiss_kernels_enter_thread();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding),          cmocka_unit_test(test_order),  cmocka_unit_test(test_product),
        cmocka_unit_test(test_layers_to_the_bit), cmocka_unit_test(test_errors), cmocka_unit_test(test_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, check_leaks);
}
