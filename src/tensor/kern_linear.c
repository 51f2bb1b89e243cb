/* Linear layers for the few rows of a lane, where the weights w[F,D] are read once and BLAS would spend its time
 * packing them. With the own product (kern_block.c):
 *
 *   forward: y' = w x', w as it lies; x is transposed before, y after
 *
 *   backward_data: dx = dy w, w copied piece by piece to panels that fit the cache
 *
 *   backward_weight: dw = dy' x, everything as it lies, in pieces whose rows are streams
 *
 * Pieces run along long rows of memory, so that the hardware prefetches them. Every sum is in order of its index.
 *
 * Cost per pass: 2 M D F flops and, from memory, the weights once (twice where they are written). */
#include "tensor/kern_block.h"
#include "tensor/kern_impl.h"
#include "tensor/kern_sizes.h"
#include "tensor/kern_vec.h"

enum {
    MOST_ROWS = 128,   /* above, BLAS does well */
    SMALL = 16 * 1024, /* floats of w that stay in cache as they lie */
    DEEP = 1024,       /* of D, per piece of forward: x' stays in cache */
    PIECE_ROWS = 512,  /* of w, per piece of backward_data: half the second-level cache */
    PIECE_WIDE = 256,
    STREAMS = 56, /* rows of dw written side by side, and for how long */
    STREAM = 1024
};

bool tensor_linear_can_own(const hiss_conv *shape) {
    return FUSES && shape->C % 16 == 0 && shape->F % 16 == 0;
}

bool tensor_linear_own_applies(const hiss_conv *shape) {
    return tensor_linear_can_own(shape) && shape->N <= MOST_ROWS;
}

static bool is_small(int64_t D, int64_t F) {
    return D * F <= SMALL;
}

size_t tensor_linear_own_scratch(int64_t M, int64_t D, int64_t F) {
    const int64_t forward = round_up(M, 16) * (D + F);
    const int64_t data = is_small(D, F) ? 0 : least(PIECE_ROWS, F) * round_up(least(PIECE_WIDE, D), HISS_PANEL);
    return (size_t)(forward > data ? forward : data);
}

void tensor_linear_forward_own(int64_t M, int64_t D, int64_t F, const float *x, const float *w, const float *bias,
                               float *y, float *scratch) {
    const int64_t wide = round_up(M, 16); /* rows past M are zero */
    float *turned = scratch, *result = turned + wide * D;
    for (int64_t m = 0; m < wide; m += 4) {
        transpose(m < M ? least(4, M - m) : 0, D, x + m * D, D, turned + m, wide);
    }
    for (int64_t d = 0; d < D; d += DEEP) {
        tensor_block_multiply(F, wide, least(DEEP, D - d), (tensor_left){w + d, D, 1},
                              (tensor_right){turned + d * wide, wide, HISS_PANEL}, result, wide, d > 0);
    }
    for (int64_t f = 0; f < F; f++) {
        for (int64_t m = 0; m < M; m++) {
            y[m * F + f] = result[f * wide + m] + (bias ? bias[f] : 0);
        }
    }
}

void tensor_linear_backward_data_own(int64_t M, int64_t D, int64_t F, const float *dy, const float *w, float *dx,
                                     bool accumulate, float *scratch) {
    if (is_small(D, F)) {
        tensor_block_multiply(M, D, F, (tensor_left){dy, F, 1}, (tensor_right){w, D, HISS_PANEL}, dx, D, accumulate);
        return;
    }
    for (int64_t d = 0; d < D; d += PIECE_WIDE) {
        const int64_t columns = least(PIECE_WIDE, D - d);
        for (int64_t f = 0; f < F; f += PIECE_ROWS) {
            const int64_t rows = least(PIECE_ROWS, F - f);
            for (int64_t k = 0; k < rows; k++) {
                for (int64_t j = 0; j < columns; j += LANES) {
                    store(scratch + (j / HISS_PANEL * rows + k) * HISS_PANEL + j % HISS_PANEL,
                          load(w + (f + k) * D + d + j));
                }
            }
            tensor_block_multiply(M, columns, rows, (tensor_left){dy + f, F, 1},
                                  (tensor_right){scratch, HISS_PANEL, rows * HISS_PANEL}, dx + d, D,
                                  accumulate || f > 0);
        }
    }
}

void tensor_linear_backward_weight_own(int64_t M, int64_t D, int64_t F, const float *x, const float *dy, float *dw,
                                       bool accumulate, float *scratch) {
    (void)scratch;
    for (int64_t d = 0; d < D; d += STREAM) {
        for (int64_t f = 0; f < F; f += STREAMS) {
            tensor_block_multiply(least(STREAMS, F - f), least(STREAM, D - d), M, (tensor_left){dy + f, 1, F},
                                  (tensor_right){x + d, D, HISS_PANEL}, dw + f * D + d, D, accumulate);
        }
    }
}

void tensor_linear_forward_blas(int64_t M, int64_t D, int64_t F, const float *x, const float *w, const float *bias,
                                float *y, float *scratch) {
    (void)scratch;
    tensor_fast_gemm(false, true, M, F, D, 1, x, D, w, D, 0, y, F);
    if (bias) {
        tensor_fast_add_bias(M, F, y, bias, y);
    }
}

void tensor_linear_backward_data_blas(int64_t M, int64_t D, int64_t F, const float *dy, const float *w, float *dx,
                                      bool accumulate, float *scratch) {
    (void)scratch;
    tensor_fast_gemm(false, false, M, D, F, 1, dy, F, w, D, accumulate ? 1 : 0, dx, D);
}

void tensor_linear_backward_weight_blas(int64_t M, int64_t D, int64_t F, const float *x, const float *dy, float *dw,
                                        bool accumulate, float *scratch) {
    (void)scratch;
    tensor_fast_gemm(true, false, F, D, M, 1, dy, F, x, D, accumulate ? 1 : 0, dw, D);
}

void tensor_fast_narrow_product(bool transpose, int64_t M, int64_t N, int64_t K, const float *A, int64_t lda,
                                const float *B, float *C) {
    const tensor_left left = {A, transpose ? 1 : lda, transpose ? lda : 1};
    tensor_block_multiply(M, N, K, left, (tensor_right){B, N, HISS_PANEL}, C, N, false);
}
