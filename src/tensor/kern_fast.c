/* Elementwise operations, unit rows and losses, written so that compilers vectorise them under strict IEEE rules.
 *
 * Where output may be input, a chunk goes through a local buffer, which no pointer can alias. Sums run in SIDES doubles
 * side by side, added up in a fixed order. exp and tanh are the single-precision approximations of Moshier's Cephes
 * library (errors of 1 to 2 units in the last place), free of branches, the same on every machine. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "tensor/kern_fast.h"
#include "tensor/kern_impl.h"
#include "tensor/kern_vec.h"

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

/* ---- gates: one pass over memory, which goes on while it computes ---- */

static ALWAYS_INLINE void gate(int64_t F, const float *restrict a, const float *restrict b, float *restrict tanh_a,
                               float *restrict sigmoid_b, float *restrict y) {
    for (int64_t k = 0; k < F; k++) {
        const float left = hyperbolic_tangent(a[k]), right = 1 / (1 + exponential(-b[k]));
        tanh_a[k] = left;
        sigmoid_b[k] = right;
        y[k] = left * right;
    }
}

void tensor_fast_gated_forward(int64_t M, int64_t F, const float *x, float *gates, float *y) {
    for (int64_t i = 0; i < M; i++, x += 2 * F, gates += 2 * F, y += F) {
        gate(F, x, x + F, gates, gates + F, y);
    }
}

static ALWAYS_INLINE void gate_backward(bool accumulate, int64_t F, const float *restrict tanh_a,
                                        const float *restrict sigmoid_b, const float *restrict dy, float *restrict da,
                                        float *restrict db) {
    for (int64_t k = 0; k < F; k++) {
        const float left = tanh_a[k], right = sigmoid_b[k];
        const float a = dy[k] * right * (1 - left * left), b = dy[k] * left * right * (1 - right);
        da[k] = accumulate ? da[k] + a : a;
        db[k] = accumulate ? db[k] + b : b;
    }
}

void tensor_fast_gated_backward(int64_t M, int64_t F, const float *gates, const float *dy, float *dx, bool accumulate) {
    for (int64_t i = 0; i < M; i++, gates += 2 * F, dy += F, dx += 2 * F) {
        if (accumulate) {
            gate_backward(true, F, gates, gates + F, dy, dx, dx + F);
        } else {
            gate_backward(false, F, gates, gates + F, dy, dx, dx + F);
        }
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
