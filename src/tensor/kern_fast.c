/* Elementwise operations, unit rows and losses, written so that compilers vectorise them under strict IEEE rules.
 *
 * Where output may be input, a chunk goes through a local buffer, which no pointer can alias. Sums run in SIDES doubles
 * side by side, added up in a fixed order. exp and tanh are the single-precision approximations of Moshier's Cephes
 * library (errors of 1 to 2 units in the last place), free of branches, the same on every machine. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "tensor/kern_impl.h"
#include "tensor/kern_vec.h"

enum { CHUNK = 256, SIDES = 16 };

static int64_t chunk_at(int64_t i, int64_t count) {
    return count - i < CHUNK ? count - i : CHUNK;
}

static float *copy(float *to, const float *from, int64_t count) {
    return memcpy(to, from, sizeof(float) * (size_t)count);
}

/* e^x for |x| <= 87.3; 0 below, 3.4e38 / 2 or so above; NaN for NaN. */
static inline float exponential(float x) {
    const float magic = 12582912; /* 1.5 * 2^23: adding it rounds to an integer, kept in the low bits */
    float low = x < -87.3f ? -87.3f : x;
    float clamped = low > 87.3f ? 87.3f : low;
    float shifted = clamped * 1.44269504088896341f + magic;
    float n = shifted - magic;
    float r = clamped - n * 0.693359375f - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
    uint32_t bits;
    float power;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23; /* the magic number's own bits are shifted out */
    memcpy(&power, &bits, sizeof power);
    float value = p * power;
    return x < -87.3f ? 0 : value;
}

static inline float hyperbolic_tangent(float x) {
    float size = fabsf(x), square = x * x;
    float p = -5.70498872745e-3f;
    p = p * square + 2.06390887954e-2f;
    p = p * square - 5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square - 3.33332819422e-1f;
    float small = p * square * x + x;
    float large = copysignf(1 - 2 / (exponential(2 * size) + 1), x);
    return size < 0.625f ? small : large;
}

/* ---- ReLU and LeakyReLU, which are bound by memory: no buffers ---- */

/* v where sign is positive or NaN; elsewhere 0, or slope v if leaky. */
static ALWAYS_INLINE vec rectified(bool leaky, float slope, vec sign, vec v) {
    const ivec below = sign <= 0, kept = (ivec)v & ~below;
    return (vec)(leaky ? kept | ((ivec)(slope * v) & below) : kept);
}

static ALWAYS_INLINE float rectified_one(bool leaky, float slope, float sign, float v) {
    const float other = leaky ? slope * v : 0.0f;
    return sign <= 0 ? other : v;
}

static ALWAYS_INLINE void rectify(bool leaky, int64_t count, float slope, const float *x, float *y) {
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        const vec v = load(x + i);
        store(y + i, rectified(leaky, slope, v, v));
    }
    for (; i < count; i++) {
        y[i] = rectified_one(leaky, slope, x[i], x[i]);
    }
}

static ALWAYS_INLINE void rectify_backward(bool leaky, int64_t count, float slope, const float *y, const float *dy,
                                           float *dx, bool accumulate) {
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        const vec g = rectified(leaky, slope, load(y + i), load(dy + i));
        store(dx + i, accumulate ? load(dx + i) + g : g);
    }
    for (; i < count; i++) {
        const float g = rectified_one(leaky, slope, y[i], dy[i]);
        dx[i] = accumulate ? dx[i] + g : g;
    }
}

void tensor_fast_activation_forward(hiss_activation kind, int64_t count, float slope, const float *x, float *y) {
    float v[CHUNK];
    if (kind == HISS_RELU) {
        rectify(false, count, 0, x, y);
        return;
    }
    if (kind == HISS_LEAKY_RELU) {
        rectify(true, count, slope, x, y);
        return;
    }
    for (int64_t i = 0; i < count; i += CHUNK) {
        int64_t n = chunk_at(i, count);
        copy(v, x + i, n);
        switch (kind) {
        case HISS_RELU: /* above */
        case HISS_LEAKY_RELU:
            break;
        case HISS_SIGMOID:
            for (int64_t j = 0; j < n; j++) {
                v[j] = 1 / (1 + exponential(-v[j]));
            }
            break;
        case HISS_TANH:
            for (int64_t j = 0; j < n; j++) {
                v[j] = hyperbolic_tangent(v[j]);
            }
            break;
        case HISS_EXP:
            for (int64_t j = 0; j < n; j++) {
                v[j] = exponential(v[j]);
            }
            break;
        case HISS_SOFT_THRESHOLD:
            for (int64_t j = 0; j < n; j++) {
                float low = v[j] < -slope ? -slope : v[j];
                v[j] -= low > slope ? slope : low;
            }
            break;
        }
        copy(y + i, v, n);
    }
}

void tensor_fast_activation_backward(hiss_activation kind, int64_t count, float slope, const float *y, const float *dy,
                                     float *dx, bool accumulate) {
    float v[CHUNK], g[CHUNK], old[CHUNK];
    if (kind == HISS_RELU) {
        rectify_backward(false, count, 0, y, dy, dx, accumulate);
        return;
    }
    if (kind == HISS_LEAKY_RELU) {
        rectify_backward(true, count, slope, y, dy, dx, accumulate);
        return;
    }
    for (int64_t i = 0; i < count; i += CHUNK) {
        int64_t n = chunk_at(i, count);
        copy(v, y + i, n);
        copy(g, dy + i, n);
        switch (kind) {
        case HISS_RELU: /* above */
        case HISS_LEAKY_RELU:
            break;
        case HISS_SIGMOID:
            for (int64_t j = 0; j < n; j++) {
                g[j] = v[j] * (1 - v[j]) * g[j];
            }
            break;
        case HISS_TANH:
            for (int64_t j = 0; j < n; j++) {
                g[j] = (1 - v[j] * v[j]) * g[j];
            }
            break;
        case HISS_EXP:
            for (int64_t j = 0; j < n; j++) {
                g[j] = v[j] * g[j];
            }
            break;
        case HISS_SOFT_THRESHOLD:
            for (int64_t j = 0; j < n; j++) {
                g[j] = v[j] == 0 ? 0 : g[j];
            }
            break;
        }
        if (accumulate) {
            copy(old, dx + i, n);
            for (int64_t j = 0; j < n; j++) {
                g[j] += old[j];
            }
        }
        copy(dx + i, g, n);
    }
}

void tensor_fast_add_bias(int64_t M, int64_t N, const float *x, const float *bias, float *y) {
    const int64_t all = M * N, row = N < CHUNK ? CHUNK / N * N : N; /* several rows are as good as a long one */
    float v[CHUNK], b[CHUNK];
    for (int64_t i = 0; i < row && i < all && row > N; i += N) {
        copy(b + i, bias, N);
    }
    const float *repeated = row > N ? b : bias;
    for (int64_t i = 0; i < all; i += row) {
        for (int64_t j = 0; j < row && i + j < all; j += CHUNK) {
            int64_t n = chunk_at(j, row < all - i ? row : all - i);
            copy(v, x + i + j, n);
            for (int64_t k = 0; k < n; k++) {
                v[k] += repeated[j + k];
            }
            copy(y + i + j, v, n);
        }
    }
}

static double sum_of(const double lane[SIDES]) {
    double sum = 0;
    for (int i = 0; i < SIDES; i++) {
        sum += lane[i];
    }
    return sum;
}

static double dot(int64_t count, const float *restrict a, const float *restrict b) {
    double lane[SIDES] = {0};
    int64_t i = 0;
    for (; i + SIDES <= count; i += SIDES) {
        for (int j = 0; j < SIDES; j++) {
            lane[j] += (double)a[i + j] * (double)b[i + j];
        }
    }
    for (; i < count; i++) {
        lane[i % SIDES] += (double)a[i] * (double)b[i];
    }
    return sum_of(lane);
}

void tensor_fast_l2_normalize_forward(int64_t M, int64_t D, float eps, const float *x, float *z, float *norm) {
    for (int64_t i = 0; i < M; i++, x += D, z += D) {
        norm[i] = (float)fmax(sqrt(dot(D, x, x)), eps);
        float length = norm[i];
        for (int64_t j = 0; j < D; j++) {
            z[j] = x[j] / length;
        }
    }
}

void tensor_fast_l2_normalize_backward(int64_t M, int64_t D, float eps, const float *z, const float *norm,
                                       const float *dz, float *dx, bool accumulate) {
    for (int64_t i = 0; i < M; i++, z += D, dz += D, dx += D) {
        float along = (float)dot(D, z, dz), scale = norm[i] > eps ? 1 / norm[i] : 0;
        if (accumulate) {
            for (int64_t j = 0; j < D; j++) {
                dx[j] += (dz[j] - z[j] * along) * scale;
            }
        } else {
            for (int64_t j = 0; j < D; j++) {
                dx[j] = (dz[j] - z[j] * along) * scale;
            }
        }
    }
}

static float largest(int64_t count, const float *x) {
    float lane[SIDES];
    int64_t i = 0;
    for (int j = 0; j < SIDES; j++) {
        lane[j] = x[0];
    }
    for (; i + SIDES <= count; i += SIDES) {
        for (int j = 0; j < SIDES; j++) {
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
        }
    }
    for (; i < count; i++) {
        lane[0] = x[i] > lane[0] ? x[i] : lane[0];
    }
    for (int j = 1; j < SIDES; j++) {
        lane[0] = lane[j] > lane[0] ? lane[j] : lane[0];
    }
    return lane[0];
}

static double sum_lanes(int64_t count, const float *x) {
    double lane[SIDES] = {0};
    int64_t i = 0;
    for (; i + SIDES <= count; i += SIDES) {
        for (int j = 0; j < SIDES; j++) {
            lane[j] += (double)x[i + j];
        }
    }
    for (; i < count; i++) {
        lane[i % SIDES] += (double)x[i];
    }
    return sum_of(lane);
}

void tensor_fast_softmax_cross_entropy_forward(int64_t M, int64_t D, const float *restrict x,
                                               const int32_t *restrict label, float *restrict probability,
                                               float *loss) {
    double total = 0;
    for (int64_t i = 0; i < M; i++, x += D, probability += D) {
        assert(label[i] >= 0 && label[i] < D);
        float top = largest(D, x);
        for (int64_t j = 0; j < D; j++) {
            probability[j] = exponential(x[j] - top);
        }
        double sum = sum_lanes(D, probability);
        float scale = (float)(1 / sum);
        for (int64_t j = 0; j < D; j++) {
            probability[j] *= scale;
        }
        total += log(sum) - ((double)x[label[i]] - (double)top); /* not -log(probability), which may be 0 */
    }
    *loss = (float)(total / (double)M);
}

void tensor_fast_softmax_cross_entropy_backward(int64_t M, int64_t D, const float *restrict probability,
                                                const int32_t *restrict label, float dloss, float *restrict dx,
                                                bool accumulate) {
    float scale = dloss / (float)M;
    for (int64_t i = 0; i < M; i++, probability += D, dx += D) {
        assert(label[i] >= 0 && label[i] < D);
        float old = accumulate ? dx[label[i]] : 0;
        if (accumulate) {
            for (int64_t j = 0; j < D; j++) {
                dx[j] += scale * probability[j];
            }
        } else {
            for (int64_t j = 0; j < D; j++) {
                dx[j] = scale * probability[j];
            }
        }
        dx[label[i]] = old + scale * (probability[label[i]] - 1);
    }
}

/* Sum of target (top - x) over the targets that are not 0. */
static double sum_below(int64_t count, float top, const float *restrict x, const float *restrict target) {
    double lane[SIDES] = {0};
    int64_t i = 0;
    for (; i + SIDES <= count; i += SIDES) {
        for (int j = 0; j < SIDES; j++) {
            const double below = (double)top - (double)x[i + j];
            lane[j] += target[i + j] > 0 ? (double)target[i + j] * below : 0;
        }
    }
    for (; i < count; i++) {
        lane[i % SIDES] += target[i] > 0 ? (double)target[i] * ((double)top - (double)x[i]) : 0;
    }
    return sum_of(lane);
}

void tensor_fast_soft_cross_entropy_forward(int64_t M, int64_t D, const float *restrict x, const float *restrict target,
                                            float *restrict probability, float *restrict loss) {
    for (int64_t i = 0; i < M; i++, x += D, target += D, probability += D) {
        const float top = largest(D, x);
        for (int64_t j = 0; j < D; j++) {
            probability[j] = exponential(x[j] - top);
        }
        const double sum = sum_lanes(D, probability);
        const float part = (float)(1 / sum);
        for (int64_t j = 0; j < D; j++) {
            probability[j] *= part;
        }
        loss[i] = (float)(log(sum) * sum_lanes(D, target) + sum_below(D, top, x, target));
    }
}

void tensor_fast_soft_cross_entropy_backward(int64_t M, int64_t D, const float *restrict probability,
                                             const float *restrict target, const float *restrict dloss,
                                             float *restrict dx, bool accumulate) {
    for (int64_t i = 0; i < M; i++, probability += D, target += D, dx += D) {
        const float factor = dloss[i], mass = (float)sum_lanes(D, target);
        if (accumulate) {
            for (int64_t j = 0; j < D; j++) {
                dx[j] += factor * (probability[j] * mass - target[j]);
            }
        } else {
            for (int64_t j = 0; j < D; j++) {
                dx[j] = factor * (probability[j] * mass - target[j]);
            }
        }
    }
}

void tensor_fast_squared_loss_forward(int64_t count, float scale, const float *restrict a, const float *restrict b,
                                      float *loss) {
    double lane[SIDES] = {0};
    int64_t i = 0;
    for (; i + SIDES <= count; i += SIDES) {
        for (int j = 0; j < SIDES; j++) {
            double apart = (double)a[i + j] - (double)b[i + j];
            lane[j] += apart * apart;
        }
    }
    for (; i < count; i++) {
        double apart = (double)a[i] - (double)b[i];
        lane[i % SIDES] += apart * apart;
    }
    *loss = (float)((double)scale * sum_of(lane));
}

/* y (+)= factor * (a - b) */
static void scaled_difference(int64_t count, float factor, const float *restrict a, const float *restrict b,
                              float *restrict y, bool accumulate) {
    if (accumulate) {
        for (int64_t i = 0; i < count; i++) {
            y[i] += factor * (a[i] - b[i]);
        }
    } else {
        for (int64_t i = 0; i < count; i++) {
            y[i] = factor * (a[i] - b[i]);
        }
    }
}

void tensor_fast_squared_loss_backward(int64_t count, float scale, const float *a, const float *b, float dloss,
                                       float *da, bool accumulate_da, float *db, bool accumulate_db) {
    float factor = 2 * dloss * scale;
    if (da) {
        scaled_difference(count, factor, a, b, da, accumulate_da);
    }
    if (db) {
        scaled_difference(count, -factor, a, b, db, accumulate_db);
    }
}

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
