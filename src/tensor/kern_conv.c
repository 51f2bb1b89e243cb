/* Convolution as matrix products over tiles of output positions.
 *
 * The patches of T output positions are copied into a matrix col[T, R*S*C] (im2col; Chellapilla, Puri, Simard, "High
 * Performance Convolutional Neural Networks for Document Processing", 2006). Then
 *
 *   forward: y[T,F] = col w'
 *
 *   backward_data: col = dy[T,F] w, added back to the positions it came from
 *
 *   backward_weight: dw[F,RSC] += dy[T,F]' col
 *
 * each one product per tile, tiles in order, by the own product (kern_block.c) or by BLAS. T is such that col stays in
 * the second-level cache; for BLAS at least 256, for it packs the weights anew in every product. The own product finds
 * the weights laid out in panels, once, and runs over at most DEEP terms at a time, so that what it reads again and
 * again stays in the first-level cache; rows of col lie an odd number of cache lines apart, or they would fall on each
 * other there. Every sum of the own product is in order of its index, whatever T and DEEP; for BLAS, T depends on the
 * shape alone, and so do the bits.
 *
 * A 1x1 convolution of stride 1 without padding has col = x, and is without copies, but for the own product's backward
 * passes where C is no multiple of a vector, or dx is added to. Other ways to convolve are in kern_conv_direct.c,
 * kern_winograd.c and kern_conv_planar.c; kern_choice.c chooses.
 *
 * Cost per pass: 2 N P Q F R S C flops and, but for 1x1, one write and one read of N P Q R S C floats in cache. */
#include "tensor/kern_block.h"
#include "tensor/kern_impl.h"
#include "tensor/kern_sizes.h"
#include "tensor/kern_vec.h"

enum {
    TILE_FLOATS = 64 * 1024,
    BLAS_LEAST = 256, /* positions of a tile */
    OWN_LEAST = 48,   /* of which others are multiples; of 6 and of nearly 14, the rows that a block has */
    OWN_MOST = 480,
    FEW_FILTERS = 8,
    DEEP = LANES == 16 ? 256 : 128
};

static int64_t positions(const hiss_conv *c) {
    return c->N * c->P * c->Q;
}

static int64_t patch(const hiss_conv *c) {
    return c->R * c->S * c->C;
}

/* Patches are the rows of x as they lie there. */
static bool is_plain(const hiss_conv *c) {
    return c->R == 1 && c->S == 1 && c->stride == 1 && c->pad == 0;
}

bool tensor_tiled_can_own(const hiss_conv *c) {
    return FUSES && c->F % 16 == 0;
}

bool tensor_tiled_can_own_backward(const hiss_conv *c) {
    (void)c;
    return FUSES;
}

bool tensor_tiled_own_backward_applies(const hiss_conv *c) {
    return FUSES && c->F >= FEW_FILTERS;
}

static int64_t blas_tile(const hiss_conv *c) {
    return least(positions(c), most(BLAS_LEAST, TILE_FLOATS / patch(c) / 16 * 16));
}

/* Columns of the own product: whole vectors. */
static int64_t columns(const hiss_conv *c) {
    return round_up(patch(c), 16);
}

/* Patches are the rows of x, in whole vectors. */
static bool lies_as_columns(const hiss_conv *c) {
    return is_plain(c) && columns(c) == patch(c);
}

/* Floats between rows of col for the own product. */
static int64_t own_row(const hiss_conv *c) {
    return (columns(c) / 16 | 1) * 16;
}

static int64_t own_tile(const hiss_conv *c) {
    const int64_t fit = TILE_FLOATS / own_row(c) / OWN_LEAST * OWN_LEAST;
    return least(positions(c), least(OWN_MOST, most(OWN_LEAST, fit)));
}

static int64_t own_col(const hiss_conv *c) {
    return own_tile(c) * own_row(c);
}

size_t tensor_tiled_conv2d_scratch(const hiss_conv *c) {
    const int64_t forward = patch(c) * round_up(c->F, HISS_PANEL), backward = c->F * round_up(own_row(c), HISS_PANEL);
    const int64_t own = FUSES ? own_col(c) + most(forward, backward) : 0;
    return (size_t)most(own, is_plain(c) ? 0 : blas_tile(c) * patch(c));
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

/* An output position. */
typedef struct place {
    int64_t n, p, q;
} place;

static place place_of(const hiss_conv *c, int64_t position) {
    return (place){position / (c->P * c->Q), position / c->Q % c->P, position % c->Q};
}

static void next(const hiss_conv *c, place *at) {
    if (++at->q == c->Q) {
        at->q = 0;
        at->p++;
    }
    if (at->p == c->P) {
        at->p = 0;
        at->n++;
    }
}

/* col[T,RSC] = patches of output positions first .. first+T-1; rows lie ld apart. */
static void gather(const hiss_conv *c, const float *x, int64_t first, int64_t T, float *col, int64_t ld) {
    const int64_t SC = c->S * c->C, C = c->C, gap = ld - patch(c);
    place at = place_of(c, first);
    for (int64_t t = 0; t < T; t++, next(c, &at), col += gap) {
        int64_t w = at.q * c->stride - c->pad, s0, s1;
        clip(w, c->S, c->W, &s0, &s1);
        for (int64_t r = 0; r < c->R; r++, col += SC) {
            int64_t h = at.p * c->stride - c->pad + r;
            if (h < 0 || h >= c->H || s0 == s1) {
                zero(col, SC);
                continue;
            }
            if (s1 - s0 < c->S) {
                zero(col, SC);
            }
            copy(col + s0 * C, x + ((at.n * c->H + h) * c->W + w + s0) * C, (s1 - s0) * C);
        }
    }
}

/* Zeros, unless dx is added to, for images whose first output position is one of first .. first+T-1: they are still near
 * when scatter adds to them. */
static void begin_images(const hiss_conv *c, int64_t first, int64_t T, bool accumulate, float *dx) {
    const int64_t each = c->P * c->Q, image = c->H * c->W * c->C;
    for (int64_t n = (first + each - 1) / each; !accumulate && n * each < first + T; n++) {
        zero(dx + n * image, image);
    }
}

/* The transpose of gather: add col to the positions it was taken from. */
static void scatter(const hiss_conv *c, const float *col, int64_t ld, int64_t first, int64_t T, float *dx) {
    const int64_t SC = c->S * c->C, C = c->C, gap = ld - patch(c);
    place at = place_of(c, first);
    for (int64_t t = 0; t < T; t++, next(c, &at), col += gap) {
        int64_t w = at.q * c->stride - c->pad, s0, s1;
        clip(w, c->S, c->W, &s0, &s1);
        for (int64_t r = 0; r < c->R; r++, col += SC) {
            int64_t h = at.p * c->stride - c->pad + r;
            if (h < 0 || h >= c->H || s0 == s1) {
                continue;
            }
            const float *restrict from = col + s0 * C;
            float *restrict to = dx + ((at.n * c->H + h) * c->W + w + s0) * C;
            for (int64_t i = 0; i < (s1 - s0) * C; i++) {
                to[i] += from[i];
            }
        }
    }
}

/* ---- by the own product ---- */

void tensor_tiled_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                 float *scratch) {
    const int64_t K = patch(c), M = positions(c), step = own_tile(c), ld = is_plain(c) ? K : own_row(c);
    float *turned = scratch + own_col(c); /* w' in panels */
    for (int64_t f = 0; f < c->F; f += 4) {
        transpose(4, K, w + f * K, K, turned + f / HISS_PANEL * HISS_PANEL * K + f % HISS_PANEL, HISS_PANEL);
    }
    for (int64_t first = 0; first < M; first += step) {
        const int64_t T = least(step, M - first);
        const float *col = is_plain(c) ? x + first * K : scratch;
        float *out = y + first * c->F;
        if (!is_plain(c)) {
            gather(c, x, first, T, scratch, ld);
        }
        for (int64_t t = 0; t < T && bias; t++) {
            copy(out + t * c->F, bias, c->F);
        }
        for (int64_t k = 0; k < K; k += DEEP) {
            tensor_block_multiply(T, c->F, least(DEEP, K - k), (tensor_left){col + k, ld, 1},
                                  (tensor_right){turned + k * HISS_PANEL, HISS_PANEL, K * HISS_PANEL}, out, c->F,
                                  bias || k > 0);
        }
    }
}

void tensor_tiled_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx, bool accumulate,
                                       float *scratch) {
    const int64_t K = patch(c), F = c->F, M = positions(c), step = own_tile(c), ld = own_row(c);
    /* Added to what is there as sums of their own, not product by product. */
    const bool direct = lies_as_columns(c) && !accumulate;
    float *laid = scratch + own_col(c); /* w in panels, with zeros behind */
    zero(laid, F * round_up(columns(c), HISS_PANEL));
    for (int64_t k = 0; k < K; k += HISS_PANEL) {
        for (int64_t f = 0; f < F; f++) {
            copy(laid + (k / HISS_PANEL * F + f) * HISS_PANEL, w + f * K + k, least(HISS_PANEL, K - k));
        }
    }
    for (int64_t first = 0; first < M; first += step) {
        const int64_t T = least(step, M - first);
        float *col = direct ? dx + first * K : scratch;
        for (int64_t f = 0; f < F; f += DEEP) {
            tensor_block_multiply(T, columns(c), least(DEEP, F - f), (tensor_left){dy + first * F + f, F, 1},
                                  (tensor_right){laid + f * HISS_PANEL, HISS_PANEL, F * HISS_PANEL}, col,
                                  direct ? K : ld, f > 0);
        }
        if (!direct) {
            begin_images(c, first, T, accumulate, dx);
            scatter(c, scratch, ld, first, T, dx);
        }
    }
}

void tensor_tiled_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                         bool accumulate, float *scratch) {
    const int64_t K = patch(c), F = c->F, M = positions(c), step = own_tile(c), ld = own_row(c);
    const bool direct = lies_as_columns(c);
    const int64_t apart = direct ? K : ld;
    float *sum = scratch + own_col(c); /* [F,K], rows ld apart */
    if (!direct) {
        zero(scratch, own_col(c)); /* what lies behind patches */
    }
    for (int64_t first = 0; first < M; first += step) {
        const int64_t T = least(step, M - first);
        const float *col = direct ? x + first * K : scratch;
        if (!direct) {
            gather(c, x, first, T, scratch, ld);
        }
        for (int64_t t = 0; t < T; t += DEEP) {
            tensor_block_multiply(F, columns(c), least(DEEP, T - t), (tensor_left){dy + (first + t) * F, 1, F},
                                  (tensor_right){col + t * apart, apart, HISS_PANEL}, sum, ld, first + t > 0);
        }
    }
    for (int64_t f = 0; f < F; f++) {
        for (int64_t k = 0; k < K; k++) {
            dw[f * K + k] = (accumulate ? dw[f * K + k] : 0) + sum[f * ld + k];
        }
    }
}

/* ---- by BLAS ---- */

void tensor_tiled_conv2d_forward_blas(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                      float *scratch) {
    const int64_t K = patch(c), M = positions(c), step = is_plain(c) ? M : blas_tile(c);
    for (int64_t first = 0; first < M; first += step) {
        const int64_t T = least(step, M - first);
        float *out = y + first * c->F;
        if (!is_plain(c)) {
            gather(c, x, first, T, scratch, K);
        }
        for (int64_t t = 0; t < T && bias; t++) {
            copy(out + t * c->F, bias, c->F);
        }
        tensor_fast_gemm(false, true, T, c->F, K, 1, is_plain(c) ? x : scratch, K, w, K, bias ? 1 : 0, out, c->F);
    }
}

void tensor_tiled_conv2d_backward_data_blas(const hiss_conv *c, const float *dy, const float *w, float *dx,
                                            bool accumulate, float *scratch) {
    const int64_t K = patch(c), M = positions(c), step = blas_tile(c);
    if (is_plain(c)) {
        tensor_fast_gemm(false, false, M, K, c->F, 1, dy, c->F, w, K, accumulate ? 1 : 0, dx, K);
        return;
    }
    for (int64_t first = 0; first < M; first += step) {
        const int64_t T = least(step, M - first);
        tensor_fast_gemm(false, false, T, K, c->F, 1, dy + first * c->F, c->F, w, K, 0, scratch, K);
        begin_images(c, first, T, accumulate, dx);
        scatter(c, scratch, K, first, T, dx);
    }
}

void tensor_tiled_conv2d_backward_weight_blas(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                              bool accumulate, float *scratch) {
    const int64_t K = patch(c), M = positions(c), step = is_plain(c) ? M : blas_tile(c);
    for (int64_t first = 0; first < M; first += step) {
        const int64_t T = least(step, M - first);
        if (!is_plain(c)) {
            gather(c, x, first, T, scratch, K);
        }
        tensor_fast_gemm(true, false, c->F, K, T, 1, dy + first * c->F, c->F, is_plain(c) ? x : scratch, K,
                         accumulate || first > 0 ? 1 : 0, dw, K);
    }
}
