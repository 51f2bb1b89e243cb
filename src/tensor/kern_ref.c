/* Reference kernels: matrix product, sums and elementwise operations, as their definitions read.
 * Every sum runs in double, so that these are also the accuracy oracle of the fast kernels. */
#include <math.h>

#include "tensor/kern_impl.h"

void tensor_ref_gemm(bool transpose_a, bool transpose_b, int64_t M, int64_t N, int64_t K, float alpha, const float *A,
                     int64_t lda, const float *B, int64_t ldb, float beta, float *C, int64_t ldc) {
    for (int64_t i = 0; i < M; i++) {
        for (int64_t j = 0; j < N; j++) {
            double sum = 0;
            for (int64_t k = 0; k < K; k++) {
                double a = transpose_a ? A[k * lda + i] : A[i * lda + k];
                double b = transpose_b ? B[j * ldb + k] : B[k * ldb + j];
                sum += a * b;
            }
            double old = beta == 0 ? 0 : (double)beta * C[i * ldc + j];
            C[i * ldc + j] = (float)(alpha * sum + old);
        }
    }
}

void tensor_ref_narrow_product(bool transpose, int64_t M, int64_t N, int64_t K, const float *A, int64_t lda,
                               const float *B, float *C) {
    tensor_ref_gemm(transpose, false, M, N, K, 1, A, lda, B, N, 0, C, N);
}

void tensor_ref_column_sum(int64_t M, int64_t N, const float *x, float *out, bool accumulate) {
    for (int64_t j = 0; j < N; j++) {
        double sum = accumulate ? out[j] : 0;
        for (int64_t i = 0; i < M; i++) {
            sum += x[i * N + j];
        }
        out[j] = (float)sum;
    }
}

void tensor_ref_add_bias(int64_t M, int64_t N, const float *x, const float *bias, float *y) {
    for (int64_t i = 0; i < M; i++) {
        for (int64_t j = 0; j < N; j++) {
            y[i * N + j] = x[i * N + j] + bias[j];
        }
    }
}

static float activate(hiss_activation kind, float slope, float x) {
    switch (kind) {
    case HISS_RELU:
        return x <= 0 ? 0 : x; /* NaN passes through */
    case HISS_LEAKY_RELU:
        return x <= 0 ? slope * x : x;
    case HISS_SIGMOID:
        return (float)(1 / (1 + exp(-(double)x)));
    case HISS_TANH:
        return (float)tanh(x);
    case HISS_EXP:
        return (float)exp(x > 87.3f ? (double)87.3f : (double)x);
    case HISS_SOFT_THRESHOLD:
        return fabsf(x) <= slope ? 0 : x > 0 ? x - slope : x + slope;
    }
    return x;
}

static float activation_slope(hiss_activation kind, float slope, float y) {
    switch (kind) {
    case HISS_RELU:
        return y <= 0 ? 0.0f : 1.0f;
    case HISS_LEAKY_RELU:
        return y <= 0 ? slope : 1;
    case HISS_SIGMOID:
        return y * (1 - y);
    case HISS_TANH:
        return 1 - y * y;
    case HISS_EXP:
        return y;
    case HISS_SOFT_THRESHOLD:
        return y == 0 ? 0.0f : 1.0f;
    }
    return 1;
}

void tensor_ref_activation_forward(hiss_activation kind, int64_t count, float slope, const float *x, float *y) {
    for (int64_t i = 0; i < count; i++) {
        y[i] = activate(kind, slope, x[i]);
    }
}

void tensor_ref_activation_backward(hiss_activation kind, int64_t count, float slope, const float *y, const float *dy,
                                    float *dx, bool accumulate) {
    for (int64_t i = 0; i < count; i++) {
        dx[i] = (accumulate ? dx[i] : 0) + activation_slope(kind, slope, y[i]) * dy[i];
    }
}

void tensor_ref_gated_forward(int64_t M, int64_t F, const float *x, float *gates, float *y) {
    for (int64_t i = 0; i < M; i++) {
        for (int64_t k = 0; k < F; k++) {
            const int64_t a = 2 * i * F + k, b = a + F;
            gates[a] = activate(HISS_TANH, 0, x[a]);
            gates[b] = activate(HISS_SIGMOID, 0, x[b]);
            y[i * F + k] = gates[a] * gates[b];
        }
    }
}

void tensor_ref_gated_backward(int64_t M, int64_t F, const float *gates, const float *dy, float *dx, bool accumulate) {
    for (int64_t i = 0; i < M; i++) {
        for (int64_t k = 0; k < F; k++) {
            const int64_t a = 2 * i * F + k, b = a + F;
            const float slope_a = activation_slope(HISS_TANH, 0, gates[a]) * gates[b];
            const float slope_b = activation_slope(HISS_SIGMOID, 0, gates[b]) * gates[a];
            dx[a] = (accumulate ? dx[a] : 0) + dy[i * F + k] * slope_a;
            dx[b] = (accumulate ? dx[b] : 0) + dy[i * F + k] * slope_b;
        }
    }
}

void tensor_ref_axpby(int64_t count, float a, const float *x, float b, float *y) {
    for (int64_t i = 0; i < count; i++) {
        y[i] = a * x[i] + (b == 0 ? 0 : b * y[i]);
    }
}

void tensor_ref_multiply(int64_t count, const float *a, const float *b, float *y, bool accumulate) {
    for (int64_t i = 0; i < count; i++) {
        y[i] = (accumulate ? y[i] : 0) + a[i] * b[i];
    }
}

size_t tensor_ref_linear_scratch(int64_t M, int64_t D, int64_t F) {
    (void)M, (void)D, (void)F;
    return 0;
}

void tensor_ref_linear_forward(int64_t M, int64_t D, int64_t F, const float *x, const float *w, const float *bias,
                               float *y, float *scratch) {
    (void)scratch;
    tensor_ref_gemm(false, true, M, F, D, 1, x, D, w, D, 0, y, F);
    if (bias) {
        tensor_ref_add_bias(M, F, y, bias, y);
    }
}

void tensor_ref_linear_backward_data(int64_t M, int64_t D, int64_t F, const float *dy, const float *w, float *dx,
                                     bool accumulate, float *scratch) {
    (void)scratch;
    tensor_ref_gemm(false, false, M, D, F, 1, dy, F, w, D, accumulate ? 1 : 0, dx, D);
}

void tensor_ref_linear_backward_weight(int64_t M, int64_t D, int64_t F, const float *x, const float *dy, float *dw,
                                       bool accumulate, float *scratch) {
    (void)scratch;
    tensor_ref_gemm(true, false, F, D, M, 1, dy, F, x, D, accumulate ? 1 : 0, dw, D);
}
