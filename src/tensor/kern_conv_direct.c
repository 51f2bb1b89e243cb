/* Direct convolution for short patches (R*S*C small): the first layers of networks, where copying patches into a matrix
 * costs more than multiplying it.
 *
 * Each image is copied once into a frame of zeros, so that no tap needs a test, and a tap becomes a fixed offset:
 *   forward          16 filters of 4 neighbouring outputs stay in registers while the taps go by; weights lie
 *                    transposed, wt[K,Fp], K = R*S*C, Fp = F rounded up to 16
 *   backward_weight  5 taps times 16 filters stay in registers along one output row, then are added to dwt[Kp,Fp];
 *                    two levels of sums, so that rounding does not grow with the image
 *   backward_data    col[K,T] = w^T dy^T, T whole output rows; every row of col is added to the frame of dx as one run
 *                    (frame channels first, so that runs of stride-1 convolutions are contiguous)
 *
 * Vectors are GCC vector extensions, which every target lowers to what it has. */
#include <assert.h>
#include <string.h>

#include "tensor/kern_impl.h"

typedef float vec __attribute__((vector_size(64)));
enum { WIDE = 16, NEAR = 4, TAPS = 5, LONGEST = 60, LEAST_FILTERS = 8, TILE_FLOATS = 32 * 1024 };

bool hiss_direct_applies(const hiss_conv *c) {
    return c->R * c->S > 1 && c->R * c->S * c->C <= LONGEST && c->F >= LEAST_FILTERS;
}

static int64_t round_up(int64_t n, int64_t step) {
    return (n + step - 1) / step * step;
}

static int64_t frame_width(const hiss_conv *c) {
    return c->W + 2 * c->pad;
}

static int64_t frame_count(const hiss_conv *c) {
    return round_up((c->H + 2 * c->pad) * frame_width(c) * c->C, WIDE);
}

static int64_t patch(const hiss_conv *c) {
    return c->R * c->S * c->C;
}

/* Output rows per product of backward_data. */
static int64_t tile_rows(const hiss_conv *c) {
    int64_t rows = TILE_FLOATS / (patch(c) * c->Q);
    return rows < 1 ? 1 : rows < c->P ? rows : c->P;
}

size_t hiss_direct_conv2d_scratch(const hiss_conv *c) {
    int64_t weights = round_up(patch(c), TAPS) * round_up(c->F, WIDE);
    int64_t col = tile_rows(c) * c->Q * patch(c);
    return (size_t)(frame_count(c) + (weights > col ? weights : col));
}

/* offset[k] of tap k = (r*S + s)*C + channel from the frame position of an output; those from K to Kp repeat tap 0. */
static void offsets(const hiss_conv *c, int64_t offset[LONGEST]) {
    for (int64_t k = 0; k < LONGEST; k++) {
        int64_t r = k / (c->S * c->C);
        offset[k] = k < patch(c) ? r * frame_width(c) * c->C + k % (c->S * c->C) : 0;
    }
}

static void into_frame(const hiss_conv *c, const float *image, float *frame) {
    memset(frame, 0, sizeof(float) * (size_t)frame_count(c));
    for (int64_t h = 0; h < c->H; h++) {
        memcpy(frame + ((h + c->pad) * frame_width(c) + c->pad) * c->C, image + h * c->W * c->C,
               sizeof(float) * (size_t)(c->W * c->C));
    }
}

static vec load(const float *from) {
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

static void store(float *to, vec v, int64_t count) {
    if (count >= WIDE) {
        memcpy(to, &v, sizeof v);
    } else {
        memcpy(to, &v, sizeof(float) * (size_t)count);
    }
}

/* y[0..near-1][0..filters-1] of neighbouring outputs, near <= NEAR; the caller's near is a constant. */
static inline __attribute__((always_inline)) void forward_block(const hiss_conv *c, const int64_t *offset,
                                                                const float *at, const float *wt, vec bias, int near,
                                                                float *y, int64_t filters) {
    int64_t K = patch(c), Fp = round_up(c->F, WIDE), step = c->stride * c->C;
    vec sum[NEAR];
    for (int j = 0; j < near; j++) {
        sum[j] = bias;
    }
    for (int64_t k = 0; k < K; k++) {
        vec weight = load(wt + k * Fp);
        const float *tap = at + offset[k];
        for (int j = 0; j < near; j++) {
            sum[j] += tap[j * step] * weight;
        }
    }
    for (int j = 0; j < near; j++) {
        store(y + j * c->F, sum[j], filters);
    }
}

static void forward_row(const hiss_conv *c, const int64_t *offset, const float *at, const float *wt, const float *bias,
                        float *y) {
    int64_t step = c->stride * c->C;
    for (int64_t f = 0; f < c->F; f += WIDE) {
        int64_t filters = c->F - f, q = 0;
        vec start = {0};
        if (bias) {
            memcpy(&start, bias + f, sizeof(float) * (size_t)(filters < WIDE ? filters : WIDE));
        }
        for (; q + NEAR <= c->Q; q += NEAR) {
            forward_block(c, offset, at + q * step, wt + f, start, NEAR, y + q * c->F + f, filters);
        }
        for (; q < c->Q; q++) {
            forward_block(c, offset, at + q * step, wt + f, start, 1, y + q * c->F + f, filters);
        }
    }
}

void hiss_direct_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                float *scratch) {
    int64_t K = patch(c), Fp = round_up(c->F, WIDE), offset[LONGEST];
    float *frame = scratch, *wt = scratch + frame_count(c);
    offsets(c, offset);
    memset(wt, 0, sizeof(float) * (size_t)(K * Fp));
    for (int64_t f = 0; f < c->F; f++) {
        for (int64_t k = 0; k < K; k++) {
            wt[k * Fp + f] = w[f * K + k];
        }
    }
    for (int64_t n = 0; n < c->N; n++) {
        into_frame(c, x + n * c->H * c->W * c->C, frame);
        for (int64_t p = 0; p < c->P; p++) {
            forward_row(c, offset, frame + p * c->stride * frame_width(c) * c->C, wt, bias,
                        y + (n * c->P + p) * c->Q * c->F);
        }
    }
}

/* dwt[k..k+TAPS-1][f..f+15] += sum over one output row. */
static void weight_row(const hiss_conv *c, const int64_t *offset, const float *at, const float *dy, int64_t filters,
                       float *dwt) {
    int64_t Fp = round_up(c->F, WIDE), step = c->stride * c->C;
    vec sum[TAPS] = {{0}};
    for (int64_t q = 0; q < c->Q; q++) {
        vec gradient = {0};
        if (filters >= WIDE) {
            gradient = load(dy + q * c->F);
        } else {
            memcpy(&gradient, dy + q * c->F, sizeof(float) * (size_t)filters);
        }
        for (int i = 0; i < TAPS; i++) {
            sum[i] += at[q * step + offset[i]] * gradient;
        }
    }
    for (int i = 0; i < TAPS; i++) {
        store(dwt + i * Fp, load(dwt + i * Fp) + sum[i], WIDE);
    }
}

void hiss_direct_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw, bool accumulate,
                                        float *scratch) {
    int64_t K = patch(c), Fp = round_up(c->F, WIDE), offset[LONGEST];
    float *frame = scratch, *dwt = scratch + frame_count(c);
    offsets(c, offset);
    memset(dwt, 0, sizeof(float) * (size_t)(round_up(K, TAPS) * Fp));
    for (int64_t n = 0; n < c->N; n++) {
        into_frame(c, x + n * c->H * c->W * c->C, frame);
        for (int64_t p = 0; p < c->P; p++) {
            const float *at = frame + p * c->stride * frame_width(c) * c->C;
            const float *gradient = dy + (n * c->P + p) * c->Q * c->F;
            for (int64_t f = 0; f < c->F; f += WIDE) {
                for (int64_t k = 0; k < K; k += TAPS) {
                    weight_row(c, offset + k, at, gradient + f, c->F - f, dwt + k * Fp + f);
                }
            }
        }
    }
    for (int64_t f = 0; f < c->F; f++) {
        for (int64_t k = 0; k < K; k++) {
            dw[f * K + k] = (accumulate ? dw[f * K + k] : 0) + dwt[k * Fp + f];
        }
    }
}

/* Add col[K,T] of output rows p0 .. p0+rows-1 to the frame [C, H + 2 pad, W + 2 pad]. */
static void scatter_rows(const hiss_conv *c, const float *col, int64_t p0, int64_t rows, float *frame) {
    int64_t plane = (c->H + 2 * c->pad) * frame_width(c);
    for (int64_t k = 0; k < patch(c); k++) {
        int64_t r = k / (c->S * c->C), s = k / c->C % c->S, channel = k % c->C;
        for (int64_t p = p0; p < p0 + rows; p++, col += c->Q) {
            float *to = frame + channel * plane + (p * c->stride + r) * frame_width(c) + s;
            if (c->stride == 1) {
                for (int64_t q = 0; q < c->Q; q++) {
                    to[q] += col[q];
                }
            } else {
                for (int64_t q = 0; q < c->Q; q++) {
                    to[q * c->stride] += col[q];
                }
            }
        }
    }
}

static void out_of_frame(const hiss_conv *c, const float *frame, float *image, bool accumulate) {
    int64_t plane = (c->H + 2 * c->pad) * frame_width(c);
    for (int64_t h = 0; h < c->H; h++) {
        for (int64_t channel = 0; channel < c->C; channel++) {
            const float *from = frame + channel * plane + (h + c->pad) * frame_width(c) + c->pad;
            float *to = image + h * c->W * c->C + channel;
            for (int64_t w = 0; w < c->W; w++) {
                to[w * c->C] = (accumulate ? to[w * c->C] : 0) + from[w];
            }
        }
    }
}

void hiss_direct_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx, bool accumulate,
                                      float *scratch) {
    int64_t K = patch(c), step = tile_rows(c);
    float *frame = scratch, *col = scratch + frame_count(c);
    for (int64_t n = 0; n < c->N; n++) {
        memset(frame, 0, sizeof(float) * (size_t)frame_count(c));
        for (int64_t p = 0; p < c->P; p += step) {
            int64_t rows = c->P - p < step ? c->P - p : step, T = rows * c->Q;
            hiss_blas_gemm(true, true, K, T, c->F, 1, w, K, dy + (n * c->P + p) * c->Q * c->F, c->F, 0, col, T);
            scatter_rows(c, col, p, rows, frame);
        }
        out_of_frame(c, frame, dx + n * c->H * c->W * c->C, accumulate);
    }
}
