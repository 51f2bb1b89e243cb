/* Linear layers for the few rows of a lane, where the weights w[F,D] are read once and BLAS would spend its time
 * packing them. With the own product (kern_block.c):
 *
 *   forward: y' = w x', w as it lies, some rows at a time, which stay in cache for all of x; x is transposed before, y
 *   after
 *
 *   backward_data: dx = dy w, w copied piece by piece to panels that fit the cache
 *
 *   backward_weight: dw = dy' x. With 32 registers everything as it lies, in pieces whose rows are streams. With 16 the
 *   blocks are lower and narrower, and dy and x are read more often: dy is transposed and x copied to panels, for
 *   elements a power of two apart would drive each other out of the cache
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
    LOW = 48,          /* rows of w, per piece of forward: a multiple of 16 */
    PIECE_ROWS = 512,  /* of w, per piece of backward_data: half the second-level cache */
    PIECE_WIDE = 256,
    STREAMS = 56, /* rows of dw written side by side, and for how long */
    STREAM = 1024,
    PACKED_STREAMS = 6, /* the same from packed operands: as high as a block */
    PACKED_STREAM = 256
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

static bool packs(void) {
    return LANES < 16;
}

size_t tensor_linear_own_scratch(int64_t M, int64_t D, int64_t F) {
    const int64_t forward = round_up(M, 16) * (D + LOW);
    const int64_t data = is_small(D, F) ? 0 : least(PIECE_ROWS, F) * round_up(least(PIECE_WIDE, D), HISS_PANEL);
    const int64_t weight = packs() ? round_up(M, 4) * F + M * PACKED_STREAM : 0;
    return (size_t)most(forward, most(data, weight));
}

/* from[rows,columns] -> to[columns,rows], rows of `to` being ldt apart; those past `rows` are zero. */
static void turn(int64_t rows, int64_t columns, const float *from, float *to, int64_t ldt) {
    for (int64_t i = 0; i < ldt; i += 4) {
        transpose(i < rows ? least(4, rows - i) : 0, columns, from + i * columns, columns, to + i, ldt);
    }
}

/* rows[F,M] -> y[M,F], F a multiple of 4; few rows of y at a time, which share places of the cache. */
static void turn_back(int64_t M, int64_t rows, const float *from, int64_t ldf, float *y, int64_t F) {
    for (int64_t m = 0; m < M; m += 8) {
        for (int64_t f = 0; f < rows; f += 4) {
            transpose(4, least(8, M - m), from + f * ldf + m, ldf, y + m * F + f, F);
        }
    }
}

void tensor_linear_forward_own(int64_t M, int64_t D, int64_t F, const float *x, const float *w, const float *bias,
                               float *y, float *scratch) {
    const int64_t wide = round_up(M, 16);
    float *turned = scratch, *result = turned + wide * D;
    turn(M, D, x, turned, wide);
    for (int64_t f = 0; f < F; f += LOW) {
        const int64_t rows = least(LOW, F - f);
        for (int64_t d = 0; d < D; d += DEEP) {
            tensor_block_multiply(rows, wide, least(DEEP, D - d), (tensor_left){w + f * D + d, D, 1},
                                  (tensor_right){turned + d * wide, wide, HISS_PANEL}, result, wide, d > 0);
        }
        for (int64_t k = 0; k < rows && bias; k++) {
            for (int64_t m = 0; m < M; m++) {
                result[k * wide + m] += bias[f + k];
            }
        }
        turn_back(M, rows, result, wide, y + f, F);
    }
}

/* from[rows,columns] -> panels of HISS_PANEL columns, one behind the other. */
static void pack(int64_t rows, int64_t columns, const float *from, int64_t ldf, float *to) {
    for (int64_t k = 0; k < rows; k++) {
        for (int64_t j = 0; j < columns; j += LANES) {
            store(to + (j / HISS_PANEL * rows + k) * HISS_PANEL + j % HISS_PANEL, load(from + k * ldf + j));
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
            pack(rows, columns, w + f * D + d, D, scratch);
            tensor_block_multiply(M, columns, rows, (tensor_left){dy + f, F, 1},
                                  (tensor_right){scratch, HISS_PANEL, rows * HISS_PANEL}, dx + d, D,
                                  accumulate || f > 0);
        }
    }
}

static void backward_weight_packed(int64_t M, int64_t D, int64_t F, const float *x, const float *dy, float *dw,
                                   bool accumulate, float *scratch) {
    const int64_t tall = round_up(M, 4);
    float *turned = scratch, *packed = turned + tall * F;
    turn(M, F, dy, turned, tall);
    for (int64_t d = 0; d < D; d += PACKED_STREAM) {
        const int64_t columns = least(PACKED_STREAM, D - d);
        pack(M, columns, x + d, D, packed);
        for (int64_t f = 0; f < F; f += PACKED_STREAMS) {
            tensor_block_multiply(least(PACKED_STREAMS, F - f), columns, M, (tensor_left){turned + f * tall, tall, 1},
                                  (tensor_right){packed, HISS_PANEL, M * HISS_PANEL}, dw + f * D + d, D, accumulate);
        }
    }
}

void tensor_linear_backward_weight_own(int64_t M, int64_t D, int64_t F, const float *x, const float *dy, float *dw,
                                       bool accumulate, float *scratch) {
    if (packs()) {
        backward_weight_packed(M, D, F, x, dy, dw, accumulate, scratch);
        return;
    }
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
