/* Losses that are sums over pairs of numbers: Bernoulli variables and logistic examples of a logit each, the divergence of
 * Gaussians. Written as kern_fast.c is. */
#include <math.h>

#include "tensor/kern_fast.h"
#include "tensor/kern_impl.h"

/* log(1 + u) for 0 <= u <= 1: 2 atanh(s), s = u / (2 + u) <= 1/3, by its series. */
static inline float logarithm_above_one(float u) {
    const float s = u / (2 + u), square = s * s;
    float p = 1.0f / 15;
    p = p * square + 1.0f / 13;
    p = p * square + 1.0f / 11;
    p = p * square + 1.0f / 9;
    p = p * square + 1.0f / 7;
    p = p * square + 1.0f / 5;
    p = p * square + 1.0f / 3;
    return 2 * (s + s * square * p);
}

/* Sum of v[n], n <= CHUNK, into sides that go on from chunk to chunk. */
static void add_chunk(int64_t n, const float *v, double side[SIDES]) {
    for (int64_t j = 0; j < n; j += SIDES) {
        for (int64_t k = 0; k < SIDES && j + k < n; k++) {
            side[k] += (double)v[j + k];
        }
    }
}

void tensor_fast_sigmoid_cross_entropy_forward(int64_t count, float scale, const float *x, const float *target,
                                               float *loss) {
    double side[SIDES] = {0};
    float v[CHUNK], t[CHUNK];
    for (int64_t i = 0; i < count; i += CHUNK) {
        const int64_t n = chunk_at(i, count);
        copy(v, x + i, n);
        copy(t, target + i, n);
        for (int64_t j = 0; j < n; j++) {
            const float above = v[j] > 0 ? v[j] : 0;
            t[j] = above - t[j] * v[j] + logarithm_above_one(exponential(-fabsf(v[j])));
        }
        add_chunk(n, t, side);
    }
    *loss = (float)((double)scale * sum_of(side));
}

/* gradient (+)= v [n] */
static void give(float *gradient, const float *v, int64_t n, bool accumulate) {
    for (int64_t j = 0; j < n; j++) {
        gradient[j] = (accumulate ? gradient[j] : 0) + v[j];
    }
}

void tensor_fast_sigmoid_cross_entropy_backward(int64_t count, float scale, const float *x, const float *target,
                                                float dloss, float *dx, bool accumulate_dx, float *dtarget,
                                                bool accumulate_dtarget) {
    const float factor = dloss * scale;
    float v[CHUNK], t[CHUNK], g[CHUNK];
    for (int64_t i = 0; i < count; i += CHUNK) {
        const int64_t n = chunk_at(i, count);
        copy(v, x + i, n);
        copy(t, target + i, n);
        for (int64_t j = 0; j < n && dx; j++) {
            g[j] = factor * (1 / (1 + exponential(-v[j])) - t[j]);
        }
        if (dx) {
            give(dx + i, g, n, accumulate_dx);
        }
        for (int64_t j = 0; j < n && dtarget; j++) {
            g[j] = -factor * v[j];
        }
        if (dtarget) {
            give(dtarget + i, g, n, accumulate_dtarget);
        }
    }
}

/* n <= SIDES examples, of weight 0 behind them; whether one counts: of most none does. */
static bool take(int64_t n, const float *x, const float *weight, float v[SIDES], float w[SIDES]) {
    float any = 0;
    copy(v, x, n);
    copy(w, weight, n);
    for (int64_t j = n; j < SIDES; j++) {
        v[j] = w[j] = 0;
    }
    for (int j = 0; j < SIDES; j++) {
        any += fabsf(w[j]);
    }
    return any > 0;
}

void tensor_fast_logistic_loss_forward(int64_t count, float scale, const float *x, const float *weight, float *loss) {
    double side[SIDES] = {0};
    float v[SIDES], w[SIDES];
    for (int64_t i = 0; i < count; i += SIDES) {
        if (take(count - i < SIDES ? count - i : SIDES, x + i, weight + i, v, w)) {
            for (int j = 0; j < SIDES; j++) {
                const float z = w[j] < 0 ? v[j] : -v[j], above = z > 0 ? z : 0;
                side[j] += (double)(fabsf(w[j]) * (above + logarithm_above_one(exponential(-fabsf(z)))));
            }
        }
    }
    *loss = (float)((double)scale * sum_of(side));
}

void tensor_fast_logistic_loss_backward(int64_t count, float scale, const float *x, const float *weight, float dloss,
                                        float *dx, bool accumulate) {
    float v[SIDES], w[SIDES], g[SIDES];
    for (int64_t i = 0; i < count; i += SIDES) {
        const int64_t n = count - i < SIDES ? count - i : SIDES;
        const bool some = take(n, x + i, weight + i, v, w);
        for (int j = 0; j < SIDES; j++) {
            g[j] = some ? -dloss * scale * w[j] / (1 + exponential(w[j] < 0 ? -v[j] : v[j])) : 0;
        }
        give(dx + i, g, n, accumulate);
    }
}

/* e^x - 1, close to 0 as well: by its series where that is exact enough. */
static inline float exponential_less_one(float x) {
    float p = 1.0f / 5040;
    p = p * x + 1.0f / 720;
    p = p * x + 1.0f / 120;
    p = p * x + 1.0f / 24;
    p = p * x + 1.0f / 6;
    p = p * x + 0.5f;
    const float near = p * x * x + x, far = exponential(x) - 1;
    return fabsf(x) < 0.5f ? near : far;
}

void tensor_fast_gaussian_kl_forward(int64_t count, float scale, const float *mean, const float *log_variance,
                                     float *loss) {
    double side[SIDES] = {0};
    float m[CHUNK], v[CHUNK];
    for (int64_t i = 0; i < count; i += CHUNK) {
        const int64_t n = chunk_at(i, count);
        copy(m, mean + i, n);
        copy(v, log_variance + i, n);
        for (int64_t j = 0; j < n; j++) {
            v[j] = 0.5f * (exponential_less_one(v[j]) - v[j] + m[j] * m[j]);
        }
        add_chunk(n, v, side);
    }
    *loss = (float)((double)scale * sum_of(side));
}

void tensor_fast_gaussian_kl_backward(int64_t count, float scale, const float *mean, const float *log_variance,
                                      float dloss, float *dmean, bool accumulate_dmean, float *dlog_variance,
                                      bool accumulate_dlog_variance) {
    const float factor = dloss * scale;
    float v[CHUNK];
    for (int64_t i = 0; i < count; i += CHUNK) {
        const int64_t n = chunk_at(i, count);
        if (dmean) {
            copy(v, mean + i, n);
            for (int64_t j = 0; j < n; j++) {
                v[j] *= factor;
            }
            give(dmean + i, v, n, accumulate_dmean);
        }
        if (dlog_variance) {
            copy(v, log_variance + i, n);
            for (int64_t j = 0; j < n; j++) {
                v[j] = 0.5f * factor * exponential_less_one(v[j]);
            }
            give(dlog_variance + i, v, n, accumulate_dlog_variance);
        }
    }
}

void tensor_fast_axpby(int64_t count, float a, const float *restrict x, float b, float *restrict y) {
    if (b == 0) {
        for (int64_t i = 0; i < count; i++) {
            y[i] = a * x[i];
        }
    } else {
        for (int64_t i = 0; i < count; i++) {
            y[i] = a * x[i] + b * y[i];
        }
    }
}

void tensor_fast_multiply(int64_t count, const float *restrict a, const float *restrict b, float *restrict y,
                          bool accumulate) {
    if (accumulate) {
        for (int64_t i = 0; i < count; i++) {
            y[i] += a[i] * b[i];
        }
    } else {
        for (int64_t i = 0; i < count; i++) {
            y[i] = a[i] * b[i];
        }
    }
}
