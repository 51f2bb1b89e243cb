/* bfloat16 in plain C, to the bit what processors compute (kern_bf16.h): the oracle of the tests, and the products of
 * the ref backend. Here are the arithmetic and the layers; see kern_bf16.h for what a pair is.
 *
 * Cost: many times that of float32. */
#include <math.h>
#include <string.h>

#include "tensor/kern_bf16.h"
#include "tensor/kern_impl.h"
#include "tensor/kern_sizes.h"

/* ---- numbers ---- */

static float flushed(float x) {
    return fpclassify(x) == FP_SUBNORMAL ? copysignf(0.0f, x) : x;
}

static uint16_t rounded(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7f800000) == 0) { /* zero or subnormal */
        return (uint16_t)((bits & 0x80000000) >> 16);
    }
    if ((bits & 0x7f800000) == 0x7f800000) {
        return (uint16_t)(bits >> 16 | ((bits & 0x7fffff) ? 0x40 : 0)); /* a NaN stays one */
    }
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float widened(uint32_t half) {
    const uint32_t bits = half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return flushed(x);
}

static float multiply_add(uint32_t a, uint32_t b, float sum) {
    return flushed(fmaf(widened(a), widened(b), flushed(sum)));
}

static float add_pair(uint32_t a, uint32_t b, float sum) {
    sum = multiply_add(a >> 16, b >> 16, sum);
    return multiply_add(a & 0xffff, b & 0xffff, sum);
}

/* ---- products ---- */

void tensor_ref_bf16_multiply(int64_t M, int64_t N, int64_t K, tensor_left_pairs A, tensor_right_pairs B, float *c,
                              int64_t ldc, bool accumulate) {
    for (int64_t i = 0; i < M; i++) {
        for (int64_t j = 0; j < N; j++) {
            const uint32_t *b = B.b + j / HISS_PANEL * B.panel + j % HISS_PANEL;
            float sum = accumulate ? c[i * ldc + j] : 0;
            for (int64_t k = 0; k < K; k++) {
                sum = add_pair(A.a[i * A.row + k * A.step], b[k * B.ld], sum);
            }
            c[i * ldc + j] = sum;
        }
    }
}

void tensor_ref_bf16_round(int64_t count, const float *from, uint16_t *to) {
    for (int64_t i = 0; i < count; i++) {
        to[i] = rounded(from[i]);
    }
}

void tensor_ref_bf16_pair(int64_t count, const float *even, const float *odd, uint32_t *to, int64_t panel) {
    for (int64_t i = 0; i < count; i++) {
        to[i / HISS_PANEL * panel + i % HISS_PANEL] =
            (uint32_t)rounded(even[i]) | (odd ? (uint32_t)rounded(odd[i]) << 16 : 0);
    }
}

/* ---- layers ---- */

/* sum_k a[k*a_step] b[k*b_step], k < K, added to `sum` pair by pair. */
static float dot(int64_t K, const float *a, int64_t a_step, const float *b, int64_t b_step, float sum) {
    for (int64_t k = 0; k < K; k += 2) {
        uint32_t left, right;
        const bool whole = k + 1 < K;
        tensor_ref_bf16_pair(1, a + k * a_step, whole ? a + (k + 1) * a_step : NULL, &left, 1);
        tensor_ref_bf16_pair(1, b + k * b_step, whole ? b + (k + 1) * b_step : NULL, &right, 1);
        sum = add_pair(left, right, sum);
    }
    return sum;
}

void tensor_ref_bf16_linear_forward(int64_t M, int64_t D, int64_t F, const float *x, const float *w, const float *bias,
                                    float *y, float *scratch) {
    (void)scratch;
    for (int64_t i = 0; i < M * F; i++) {
        y[i] = dot(D, x + i / F * D, 1, w + i % F * D, 1, 0) + (bias ? bias[i % F] : 0);
    }
}

void tensor_ref_bf16_linear_backward_data(int64_t M, int64_t D, int64_t F, const float *dy, const float *w, float *dx,
                                          bool accumulate, float *scratch) {
    (void)scratch;
    for (int64_t i = 0; i < M * D; i++) {
        dx[i] = dot(F, dy + i / D * F, 1, w + i % D, D, accumulate ? dx[i] : 0);
    }
}

void tensor_ref_bf16_linear_backward_weight(int64_t M, int64_t D, int64_t F, const float *x, const float *dy, float *dw,
                                            bool accumulate, float *scratch) {
    (void)scratch;
    for (int64_t i = 0; i < F * D; i++) {
        dw[i] = dot(M, dy + i / D, F, x + i % D, D, accumulate ? dw[i] : 0);
    }
}

/* Number k of the patch of output position t; zero in the padding. */
static float patch_at(const hiss_conv *c, const float *x, int64_t t, int64_t k) {
    const int64_t n = t / (c->P * c->Q), p = t / c->Q % c->P, q = t % c->Q;
    const int64_t h = p * c->stride - c->pad + k / (c->S * c->C), w = q * c->stride - c->pad + k / c->C % c->S;
    const bool inside = h >= 0 && h < c->H && w >= 0 && w < c->W;
    return inside ? x[((n * c->H + h) * c->W + w) * c->C + k % c->C] : 0;
}

void tensor_ref_bf16_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                    float *scratch) {
    if (!tensor_bf16_applies(c)) {
        tensor_ref_conv2d_forward(c, x, w, bias, y, scratch);
        return;
    }
    const int64_t K = c->R * c->S * c->C;
    for (int64_t i = 0; i < c->N * c->P * c->Q * c->F; i++) {
        y[i] = bias ? bias[i % c->F] : 0;
        for (int64_t k = 0; k < K; k += 2) {
            const float pair[2] = {patch_at(c, x, i / c->F, k), k + 1 < K ? patch_at(c, x, i / c->F, k + 1) : 0};
            y[i] = dot(least(2, K - k), pair, 1, w + i % c->F * K + k, 1, y[i]);
        }
    }
}

void tensor_ref_bf16_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx,
                                          bool accumulate, float *scratch) {
    if (!tensor_bf16_applies(c)) {
        tensor_ref_conv2d_backward_data(c, dy, w, dx, accumulate, scratch);
        return;
    }
    const int64_t K = c->R * c->S * c->C;
    for (int64_t i = 0; i < c->N * c->H * c->W * c->C && !accumulate; i++) {
        dx[i] = 0;
    }
    for (int64_t i = 0; i < c->N * c->P * c->Q * K; i++) {
        const int64_t t = i / K, k = i % K, n = t / (c->P * c->Q), p = t / c->Q % c->P, q = t % c->Q;
        const int64_t row = p * c->stride - c->pad + k / (c->S * c->C),
                      column = q * c->stride - c->pad + k / c->C % c->S;
        if (row >= 0 && row < c->H && column >= 0 && column < c->W) {
            dx[((n * c->H + row) * c->W + column) * c->C + k % c->C] += dot(c->F, dy + t * c->F, 1, w + k, K, 0);
        }
    }
}

void tensor_ref_bf16_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                            bool accumulate, float *scratch) {
    if (!tensor_bf16_applies(c)) {
        tensor_ref_conv2d_backward_weight(c, x, dy, dw, accumulate, scratch);
        return;
    }
    const int64_t K = c->R * c->S * c->C, M = c->N * c->P * c->Q;
    for (int64_t i = 0; i < c->F * K; i++) {
        float sum = 0;
        for (int64_t t = 0; t < M; t += 2) {
            const float pair[2] = {patch_at(c, x, t, i % K), t + 1 < M ? patch_at(c, x, t + 1, i % K) : 0};
            sum = dot(least(2, M - t), pair, 1, dy + t * c->F + i / K, c->F, sum);
        }
        dw[i] = (accumulate ? dw[i] : 0) + sum;
    }
}
