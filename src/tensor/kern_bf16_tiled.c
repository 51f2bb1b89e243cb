/* Convolutions of any shape whose products are of bfloat16, over tiles of output positions as in kern_conv.c: the
 * patches of T output positions are copied into col[T, R*S*C], rounded. Then
 *
 *   forward: y[T,F] = col w', pairs along a patch
 *
 *   backward_data: col = dy[T,F] w, pairs along F; added in float32 to the positions it came from
 *
 *   backward_weight: dw'[RSC,F] += col' dy[T,F], pairs of neighbouring positions
 *
 * tiles in order. T is even and depends on the shape alone.
 *
 * Cost per pass: 2 N P Q F R S C flops and one write and one read of N P Q R S C numbers in cache. */
#include "tensor/kern_bf16.h"
#include "tensor/kern_impl.h"
#include "tensor/kern_sizes.h"
#include "tensor/kern_vec.h"

enum { TILE_PAIRS = 64 * 1024, TILE_LEAST = 64, LEAST_FILTERS = 8, LEAST_PATCH = 32 };

/* Minimal filtering of 5 x 5 takes 6.25 times fewer products in float32, and has no precision to lose. */
bool tensor_bf16_applies(const hiss_conv *c) {
    return c->F >= LEAST_FILTERS && c->R * c->S * c->C >= LEAST_PATCH && !(c->R == 5 && tensor_winograd_applies(c));
}

static int64_t pairs(int64_t count) {
    return (count + 1) / 2;
}

static int64_t positions(const hiss_conv *c) {
    return c->N * c->P * c->Q;
}

static int64_t patch(const hiss_conv *c) {
    return c->R * c->S * c->C;
}

/* Pairs between rows of col, of w and of dy. */
static int64_t patch_pairs(const hiss_conv *c) {
    return round_up(pairs(patch(c)), 16);
}

static int64_t filter_pairs(const hiss_conv *c) {
    return round_up(pairs(c->F), 16);
}

static int64_t tile_positions(const hiss_conv *c) {
    return most(TILE_LEAST, TILE_PAIRS / patch_pairs(c) / 16 * 16);
}

/* x rounded, before anything else in scratch. */
static int64_t image_floats(const hiss_conv *c) {
    return round_up(pairs(c->N * c->H * c->W * c->C), 16);
}

size_t tensor_bf16_tiled_conv2d_scratch(const hiss_conv *c) {
    const int64_t T = tile_positions(c), K = patch(c), wide = round_up(c->F, HISS_PANEL),
                  deep = round_up(K, HISS_PANEL);
    const int64_t forward = image_floats(c) + wide * patch_pairs(c) + most(T, 4) * patch_pairs(c);
    const int64_t data = deep * pairs(c->F) + T * filter_pairs(c) + T * deep;
    const int64_t weight =
        image_floats(c) + K * wide + 2 * patch_pairs(c) + pairs(T) * 2 * patch_pairs(c) + pairs(T) * wide;
    return (size_t)most(forward, most(data, weight));
}

/* Part of the kernel row s0 <= s < s1 that lies inside the image at column w of tap 0. */
static void clip(int64_t w, int64_t S, int64_t W, int64_t *s0, int64_t *s1) {
    *s0 = w < 0 ? least(-w, S) : 0;
    *s1 = most(*s0, least(W - w, S));
}

/* The patch of output position t, of x rounded; an odd last number pairs with zero. */
static void gather(const hiss_conv *c, const uint16_t *x, int64_t t, uint16_t *to) {
    const int64_t n = t / (c->P * c->Q), p = t / c->Q % c->P, w = t % c->Q * c->stride - c->pad, C = c->C;
    int64_t s0, s1;
    clip(w, c->S, c->W, &s0, &s1);
    to[2 * pairs(patch(c)) - 1] = 0;
    for (int64_t r = 0; r < c->R; r++, to += c->S * C) {
        const int64_t h = p * c->stride - c->pad + r;
        if (h < 0 || h >= c->H || s1 - s0 < c->S) {
            memset(to, 0, sizeof *to * (size_t)(c->S * C));
        }
        if (h >= 0 && h < c->H) {
            memcpy(to + s0 * C, x + ((n * c->H + h) * c->W + w + s0) * C, sizeof *to * (size_t)((s1 - s0) * C));
        }
    }
}

/* The transpose of gather, in float32. */
static void scatter(const hiss_conv *c, const float *col, int64_t t, float *dx) {
    const int64_t n = t / (c->P * c->Q), p = t / c->Q % c->P, w = t % c->Q * c->stride - c->pad, C = c->C;
    int64_t s0, s1;
    clip(w, c->S, c->W, &s0, &s1);
    for (int64_t r = 0; r < c->R; r++, col += c->S * C) {
        const int64_t h = p * c->stride - c->pad + r;
        if (h < 0 || h >= c->H) {
            continue;
        }
        const float *restrict from = col + s0 * C;
        float *restrict to = dx + ((n * c->H + h) * c->W + w + s0) * C;
        for (int64_t i = 0; i < (s1 - s0) * C; i++) {
            to[i] += from[i];
        }
    }
}

void tensor_bf16_tiled_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                      float *scratch) {
    const int64_t K = patch(c), apart = patch_pairs(c), M = positions(c), step = tile_positions(c);
    float *image = scratch, *turned = image + image_floats(c), *col = turned + round_up(c->F, HISS_PANEL) * apart;
    tensor_bf16_round(c->N * c->H * c->W * c->C, x, (uint16_t *)image);
    for (int64_t f = 0; f < c->F; f += 4) { /* w' in panels */
        const int64_t rows = least(4, c->F - f);
        for (int64_t i = 0; i < rows; i++) {
            uint32_t *row = (uint32_t *)col + i * apart;
            row[pairs(K) - 1] = 0;
            tensor_bf16_round(K, w + (f + i) * K, (uint16_t *)row);
        }
        transpose(rows, pairs(K), col, apart, turned + f / HISS_PANEL * HISS_PANEL * apart + f % HISS_PANEL,
                  HISS_PANEL);
    }
    for (int64_t first = 0; first < M; first += step) {
        const int64_t T = least(step, M - first);
        float *out = y + first * c->F;
        for (int64_t t = 0; t < T; t++) {
            gather(c, (uint16_t *)image, first + t, (uint16_t *)(col + t * apart));
            if (bias) {
                memcpy(out + t * c->F, bias, sizeof *bias * (size_t)c->F);
            }
        }
        tensor_bf16_multiply(T, c->F, pairs(K), (tensor_left_pairs){(uint32_t *)col, apart, 1},
                             (tensor_right_pairs){(uint32_t *)turned, HISS_PANEL, apart * HISS_PANEL}, out, c->F,
                             bias != NULL);
    }
}

void tensor_bf16_tiled_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx,
                                            bool accumulate, float *scratch) {
    const int64_t K = patch(c), deep = round_up(K, HISS_PANEL), M = positions(c), step = tile_positions(c);
    const int64_t rows = pairs(c->F), apart = filter_pairs(c);
    uint32_t *right = (uint32_t *)scratch, *left = right + deep * rows; /* w in panels; dy */
    float *col = (float *)(left + step * apart);
    for (int64_t i = 0; i < rows; i++) {
        const float *even = w + 2 * i * K;
        tensor_bf16_pair(K, even, 2 * i + 1 < c->F ? even + K : NULL, right + i * HISS_PANEL, rows * HISS_PANEL);
    }
    if (!accumulate) {
        memset(dx, 0, sizeof *dx * (size_t)(c->N * c->H * c->W * c->C));
    }
    for (int64_t first = 0; first < M; first += step) {
        const int64_t T = least(step, M - first);
        for (int64_t t = 0; t < T; t++) {
            left[t * apart + rows - 1] = 0;
            tensor_bf16_round(c->F, dy + (first + t) * c->F, (uint16_t *)(left + t * apart));
        }
        tensor_bf16_multiply(T, K, rows, (tensor_left_pairs){left, apart, 1},
                             (tensor_right_pairs){right, HISS_PANEL, rows * HISS_PANEL}, col, deep, false);
        for (int64_t t = 0; t < T; t++) {
            scatter(c, col + t * deep, first + t, dx);
        }
    }
}

/* to[i] = the pair of even[i] and odd[i]. */
static void interleave(int64_t count, const uint16_t *even, const uint16_t *odd, uint32_t *restrict to) {
    for (int64_t i = 0; i < count; i++) {
        to[i] = (uint32_t)even[i] | (uint32_t)odd[i] << 16;
    }
}

void tensor_bf16_tiled_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                              bool accumulate, float *scratch) {
    const int64_t K = patch(c), M = positions(c), step = tile_positions(c), wide = round_up(c->F, HISS_PANEL);
    const int64_t apart = 2 * patch_pairs(c);                  /* of numbers that are pairs of positions */
    float *image = scratch, *turned = image + image_floats(c); /* dw'[K,F] */
    uint16_t *even = (uint16_t *)(turned + K * wide), *odd = even + apart;
    uint32_t *col = (uint32_t *)(odd + apart), *gradient = col + pairs(step) * apart;
    tensor_bf16_round(c->N * c->H * c->W * c->C, x, (uint16_t *)image);
    for (int64_t first = 0; first < M; first += step) {
        const int64_t T = least(step, M - first);
        for (int64_t t = 0; t < T; t += 2) {
            const float *here = dy + (first + t) * c->F;
            gather(c, (uint16_t *)image, first + t, even);
            if (t + 1 < T) {
                gather(c, (uint16_t *)image, first + t + 1, odd);
            } else {
                memset(odd, 0, sizeof *odd * (size_t)K);
            }
            interleave(K, even, odd, col + t / 2 * apart);
            tensor_bf16_pair(c->F, here, t + 1 < T ? here + c->F : NULL, gradient + t / 2 * wide, HISS_PANEL);
        }
        tensor_bf16_multiply(K, c->F, pairs(T), (tensor_left_pairs){col, 1, apart},
                             (tensor_right_pairs){gradient, wide, HISS_PANEL}, turned, wide, first > 0);
    }
    for (int64_t f = 0; f < c->F; f++) {
        for (int64_t k = 0; k < K; k++) {
            dw[f * K + k] = (accumulate ? dw[f * K + k] : 0) + turned[k * wide + f];
        }
    }
}
