/* Linear layers whose products are of bfloat16, as kern_linear.c does those of float32: what is multiplied is rounded
 * and paired on the way, piece by piece in cache, and the weights are read from memory once.
 *
 *   forward: y' = w x', pairs along D
 *
 *   backward_data: dx = dy w, pairs along F
 *
 *   backward_weight: dw = dy' x, pairs along M
 *
 * Every sum is in order of its pairs, and an odd last number pairs with zero.
 *
 * Cost per pass: 2 M D F flops and, from memory, the weights once (twice where they are written). */
#include "tensor/kern_bf16.h"
#include "tensor/kern_impl.h"
#include "tensor/kern_sizes.h"
#include "tensor/kern_vec.h"

enum {
    TURNED = 144 * 1024, /* pairs of x' in a piece of forward; w is best read in long runs */
    LEAST_DEEP = 512,
    FORWARD_ROWS = 14, /* of w */
    PIECE_PAIRS = 32,  /* rows of w, per piece of backward_data */
    PIECE_WIDE = 4608,
    STREAMS = 56, /* rows of dw written side by side, and for how long */
    STREAM = 1024
};

static int64_t pairs(int64_t count) {
    return (count + 1) / 2;
}

/* Pairs of D in a piece of forward. */
static int64_t deep_of(int64_t M, int64_t D) {
    const int64_t deep = TURNED / round_up(M, 16);
    return least(pairs(D), deep > LEAST_DEEP ? deep : LEAST_DEEP);
}

/* Floats between rows of bfloat16 that are read as pairs, with room for a zero beside an odd last one. */
static int64_t row_pairs(int64_t columns) {
    return round_up(pairs(columns), 16);
}

size_t tensor_bf16_linear_scratch(int64_t M, int64_t D, int64_t F) {
    const int64_t wide = round_up(M, 16), depth = row_pairs(D);
    const int64_t rows = FORWARD_ROWS * deep_of(M, D), piece = rows > 4 * depth ? rows : 4 * depth;
    const int64_t forward = wide * (depth + F) + piece;
    const int64_t data = M * row_pairs(F) + PIECE_PAIRS * round_up(least(PIECE_WIDE, D), HISS_PANEL);
    const int64_t weight = pairs(M) * (round_up(F, 16) + round_up(D, 16));
    const int64_t most = forward > data ? forward : data;
    return (size_t)(most > weight ? most : weight);
}

/* Rows of `columns` numbers rounded; to is row_pairs(columns) apart. */
static void round_rows(int64_t rows, int64_t columns, const float *from, uint32_t *to) {
    for (int64_t i = 0; i < rows; i++) {
        uint32_t *row = to + i * row_pairs(columns);
        row[columns / 2] = 0;
        tensor_bf16_round(columns, from + i * columns, (uint16_t *)row);
    }
}

/* Pairs of neighbouring rows, `apart` from one another. */
static void pair_rows(int64_t rows, int64_t columns, const float *from, uint32_t *to, int64_t apart) {
    for (int64_t i = 0; i < rows; i += 2) {
        const float *even = from + i * columns;
        tensor_bf16_pair(columns, even, i + 1 < rows ? even + columns : NULL, to + i / 2 * apart, HISS_PANEL);
    }
}

void tensor_bf16_linear_forward(int64_t M, int64_t D, int64_t F, const float *x, const float *w, const float *bias,
                                float *y, float *scratch) {
    const int64_t wide = round_up(M, 16), depth = row_pairs(D), most = deep_of(M, D); /* rows past M are zero */
    float *turned = scratch, *result = turned + wide * depth, *piece = result + wide * F;
    for (int64_t m = 0; m < wide; m += 4) {
        const int64_t rows = m < M ? least(4, M - m) : 0;
        round_rows(rows, D, x + m * D, (uint32_t *)piece);
        transpose(rows, pairs(D), piece, depth, turned + m, wide);
    }
    for (int64_t d = 0; d < pairs(D); d += most) {
        const int64_t deep = least(most, pairs(D) - d), from = 2 * d, columns = least(2 * deep, D - from);
        for (int64_t f = 0; f < F; f += FORWARD_ROWS) {
            const int64_t rows = least(FORWARD_ROWS, F - f);
            for (int64_t i = 0; i < rows; i++) {
                uint32_t *row = (uint32_t *)piece + i * deep;
                row[deep - 1] = 0;
                tensor_bf16_round(columns, w + (f + i) * D + from, (uint16_t *)row);
            }
            tensor_bf16_multiply(rows, wide, deep, (tensor_left_pairs){(uint32_t *)piece, deep, 1},
                                 (tensor_right_pairs){(uint32_t *)turned + d * wide, wide, HISS_PANEL},
                                 result + f * wide, wide, d > 0);
        }
    }
    for (int64_t f = 0; f < F; f++) {
        for (int64_t m = 0; m < M; m++) {
            y[m * F + f] = result[f * wide + m] + (bias ? bias[f] : 0);
        }
    }
}

void tensor_bf16_linear_backward_data(int64_t M, int64_t D, int64_t F, const float *dy, const float *w, float *dx,
                                      bool accumulate, float *scratch) {
    uint32_t *left = (uint32_t *)scratch, *piece = left + M * row_pairs(F);
    round_rows(M, F, dy, left);
    for (int64_t d = 0; d < D; d += PIECE_WIDE) {
        const int64_t columns = least(PIECE_WIDE, D - d);
        for (int64_t f = 0; f < pairs(F); f += PIECE_PAIRS) {
            const int64_t rows = least(PIECE_PAIRS, pairs(F) - f);
            for (int64_t k = 0; k < rows; k++) {
                const float *even = w + 2 * (f + k) * D + d, *odd = 2 * (f + k) + 1 < F ? even + D : NULL;
                tensor_bf16_pair(columns, even, odd, piece + k * HISS_PANEL, rows * HISS_PANEL);
            }
            tensor_bf16_multiply(M, columns, rows, (tensor_left_pairs){left + f, row_pairs(F), 1},
                                 (tensor_right_pairs){piece, HISS_PANEL, rows * HISS_PANEL}, dx + d, D,
                                 accumulate || f > 0);
        }
    }
}

void tensor_bf16_linear_backward_weight(int64_t M, int64_t D, int64_t F, const float *x, const float *dy, float *dw,
                                        bool accumulate, float *scratch) {
    const int64_t left_apart = round_up(F, 16), right_apart = round_up(D, 16);
    uint32_t *left = (uint32_t *)scratch, *right = left + pairs(M) * left_apart;
    pair_rows(M, F, dy, left, left_apart);
    pair_rows(M, D, x, right, right_apart);
    for (int64_t d = 0; d < D; d += STREAM) {
        for (int64_t f = 0; f < F; f += STREAMS) {
            tensor_bf16_multiply(
                least(STREAMS, F - f), least(STREAM, D - d), pairs(M), (tensor_left_pairs){left + f, 1, left_apart},
                (tensor_right_pairs){right + d, right_apart, HISS_PANEL}, dw + f * D + d, D, accumulate);
        }
    }
}
