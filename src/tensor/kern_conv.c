/* Convolution as matrix products over tiles of output positions.
 *
 * The patches of T output positions are copied into a matrix col[T, R*S*C] (im2col; Chellapilla, Puri, Simard, "High
 * Performance Convolutional Neural Networks for Document Processing", 2006). T is such that col stays in the
 * second-level cache, but at least 256, for BLAS packs the weights anew in every product. Then
 *
 *   forward: y[T,F] = col w'
 *
 *   backward_data: col = dy[T,F] w, added back to the positions it came from
 *
 *   backward_weight: dw[F,RSC] += dy[T,F]' col
 *
 * each one product per tile, tiles in order; the own product (kern_block.c), with w' and dw' in scratch, where filters
 * come in sixteens, or BLAS. T depends on the shape alone, and so do the bits. A 1x1 convolution of stride 1 without
 * padding has col = x, and is one product without copies. Other ways to convolve are in kern_conv_direct.c,
 * kern_winograd.c and kern_conv_planar.c; kern_choice.c chooses.
 *
 * Cost per pass: 2 N P Q F R S C flops and, but for 1x1, one write and one read of N P Q R S C floats in cache. */
#include "tensor/kern_block.h"
#include "tensor/kern_impl.h"
#include "tensor/kern_vec.h"

enum { TILE_FLOATS = 64 * 1024, TILE_LEAST = 256 };

static int64_t positions(const hiss_conv *c) {
    return c->N * c->P * c->Q;
}

static int64_t patch(const hiss_conv *c) {
    return c->R * c->S * c->C;
}

static int64_t tile_positions(const hiss_conv *c) {
    int64_t T = TILE_FLOATS / patch(c) / 16 * 16;
    T = T < TILE_LEAST ? TILE_LEAST : T;
    return T < positions(c) ? T : positions(c);
}

/* Patches are the rows of x as they lie there. */
static bool is_plain(const hiss_conv *c) {
    return c->R == 1 && c->S == 1 && c->stride == 1 && c->pad == 0;
}

bool tensor_tiled_can_own(const hiss_conv *c) {
    return FUSES && c->F % 16 == 0;
}

static int64_t panels(int64_t columns) {
    return (columns + HISS_PANEL - 1) / HISS_PANEL * HISS_PANEL;
}

/* What col takes of scratch, a multiple of a cache line. */
static int64_t col_floats(const hiss_conv *c) {
    return (tile_positions(c) * patch(c) + 15) / 16 * 16;
}

size_t tensor_tiled_conv2d_scratch(const hiss_conv *c) {
    return (size_t)(is_plain(c) ? 0 : col_floats(c)) + (size_t)(tensor_tiled_can_own(c) ? patch(c) * panels(c->F) : 0);
}

/* Part of the kernel row s0 <= s < s1 that lies inside the image at column w of tap 0. */
static void clip(int64_t w, int64_t S, int64_t W, int64_t *s0, int64_t *s1) {
    *s0 = w < 0 ? -w : 0;
    *s1 = W - w < S ? W - w : S;
    *s0 = *s0 < S ? *s0 : S;
    *s1 = *s1 > *s0 ? *s1 : *s0;
}

static void zero(float *x, int64_t count) {
    memset(x, 0, sizeof(float) * (size_t)count);
}

static void copy(float *to, const float *from, int64_t count) {
    memcpy(to, from, sizeof(float) * (size_t)count);
}

/* col[T,RSC] = patches of output positions first .. first+T-1. */
static void gather(const hiss_conv *c, const float *x, int64_t first, int64_t T, float *col) {
    int64_t SC = c->S * c->C, C = c->C;
    for (int64_t t = first; t < first + T; t++) {
        int64_t n = t / (c->P * c->Q), p = t / c->Q % c->P, q = t % c->Q;
        int64_t w = q * c->stride - c->pad, s0, s1;
        clip(w, c->S, c->W, &s0, &s1);
        for (int64_t r = 0; r < c->R; r++, col += SC) {
            int64_t h = p * c->stride - c->pad + r;
            if (h < 0 || h >= c->H || s0 == s1) {
                zero(col, SC);
                continue;
            }
            zero(col, s0 * C);
            copy(col + s0 * C, x + ((n * c->H + h) * c->W + w + s0) * C, (s1 - s0) * C);
            zero(col + s1 * C, (c->S - s1) * C);
        }
    }
}

/* The transpose of gather: add col to the positions it was taken from. */
static void scatter(const hiss_conv *c, const float *col, int64_t first, int64_t T, float *dx) {
    int64_t SC = c->S * c->C, C = c->C;
    for (int64_t t = first; t < first + T; t++) {
        int64_t n = t / (c->P * c->Q), p = t / c->Q % c->P, q = t % c->Q;
        int64_t w = q * c->stride - c->pad, s0, s1;
        clip(w, c->S, c->W, &s0, &s1);
        for (int64_t r = 0; r < c->R; r++, col += SC) {
            int64_t h = p * c->stride - c->pad + r;
            if (h < 0 || h >= c->H || s0 == s1) {
                continue;
            }
            const float *restrict from = col + s0 * C;
            float *restrict to = dx + ((n * c->H + h) * c->W + w + s0) * C;
            for (int64_t i = 0; i < (s1 - s0) * C; i++) {
                to[i] += from[i];
            }
        }
    }
}

static void forward(const hiss_conv *c, bool own, const float *x, const float *w, const float *bias, float *y,
                    float *scratch) {
    int64_t K = patch(c), M = positions(c), step = is_plain(c) ? M : tile_positions(c);
    float *turned = scratch + (is_plain(c) ? 0 : col_floats(c)); /* w' in panels */
    for (int64_t f = 0; f < c->F && own; f += 4) {
        transpose(4, K, w + f * K, K, turned + f / HISS_PANEL * HISS_PANEL * K + f % HISS_PANEL, HISS_PANEL);
    }
    for (int64_t first = 0; first < M; first += step) {
        int64_t T = M - first < step ? M - first : step;
        const float *col = x;
        if (!is_plain(c)) {
            gather(c, x, first, T, scratch);
            col = scratch;
        }
        float *out = y + first * c->F;
        for (int64_t t = 0; t < T && bias; t++) {
            copy(out + t * c->F, bias, c->F);
        }
        if (own) {
            tensor_block_multiply(T, c->F, K, (tensor_left){col, K, 1},
                                  (tensor_right){turned, HISS_PANEL, K * HISS_PANEL}, out, c->F, bias != NULL);
        } else {
            tensor_fast_gemm(false, true, T, c->F, K, 1, col, K, w, K, bias ? 1 : 0, out, c->F);
        }
    }
}

void tensor_tiled_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                 float *scratch) {
    forward(c, true, x, w, bias, y, scratch);
}

void tensor_tiled_conv2d_forward_blas(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                      float *scratch) {
    forward(c, false, x, w, bias, y, scratch);
}

void tensor_tiled_conv2d_backward_data_blas(const hiss_conv *c, const float *dy, const float *w, float *dx,
                                            bool accumulate, float *scratch) {
    int64_t K = patch(c), M = positions(c), step = tile_positions(c);
    if (is_plain(c)) {
        tensor_fast_gemm(false, false, M, K, c->F, 1, dy, c->F, w, K, accumulate ? 1 : 0, dx, K);
        return;
    }
    if (!accumulate) {
        zero(dx, c->N * c->H * c->W * c->C);
    }
    for (int64_t first = 0; first < M; first += step) {
        int64_t T = M - first < step ? M - first : step;
        tensor_fast_gemm(false, false, T, K, c->F, 1, dy + first * c->F, c->F, w, K, 0, scratch, K);
        scatter(c, scratch, first, T, dx);
    }
}

static void backward_weight(const hiss_conv *c, bool own, const float *x, const float *dy, float *dw, bool accumulate,
                            float *scratch) {
    int64_t K = patch(c), M = positions(c), step = is_plain(c) ? M : tile_positions(c);
    float *turned = scratch + (is_plain(c) ? 0 : col_floats(c)); /* dw'[K,F] */
    for (int64_t first = 0; first < M; first += step) {
        int64_t T = M - first < step ? M - first : step;
        const float *col = x, *gradient = dy + first * c->F;
        if (!is_plain(c)) {
            gather(c, x, first, T, scratch);
            col = scratch;
        }
        if (own) {
            tensor_block_multiply(K, c->F, T, (tensor_left){col, 1, K}, (tensor_right){gradient, c->F, HISS_PANEL},
                                  turned, c->F, first > 0);
        } else {
            float beta = accumulate || first > 0 ? 1 : 0;
            tensor_fast_gemm(true, false, c->F, K, T, 1, gradient, c->F, col, K, beta, dw, K);
        }
    }
    for (int64_t f = 0; f < c->F && own; f++) {
        for (int64_t k = 0; k < K; k++) {
            dw[f * K + k] = (accumulate ? dw[f * K + k] : 0) + turned[k * c->F + f];
        }
    }
}

void tensor_tiled_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                         bool accumulate, float *scratch) {
    backward_weight(c, true, x, dy, dw, accumulate, scratch);
}

void tensor_tiled_conv2d_backward_weight_blas(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                              bool accumulate, float *scratch) {
    backward_weight(c, false, x, dy, dw, accumulate, scratch);
}
