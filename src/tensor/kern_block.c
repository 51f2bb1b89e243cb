/* The matrix product of small blocks: NEAR rows times WIDTH columns of C stay in registers while k goes by; each step
 * broadcasts NEAR elements of A and loads WIDTH of B (Goto & van de Geijn, "Anatomy of High-Performance Matrix
 * Multiplication", 2008, the innermost kernel). The caller lays B out and keeps operands in cache.
 *
 * Cost: 2 M N K flops, at 85 to 95 % of what the multiply-add units can do when K is 32 or more. */
#include "tensor/kern_block.h"

#include "tensor/kern_vec.h"

/* Sums, the vectors of B and one of A have to fit 32 registers, or 16. */
#if defined __AVX512F__
enum { NEAR = 14 };
#else
enum { NEAR = 6 };
#endif
enum { VECS = 2, WIDTH = VECS * LANES };

/* One panel of B, and `count` blocks of rows below each other: what a function of constant size does in one call. */
typedef struct stack {
    int64_t count, K, row, step; /* of A as in tensor_left */
    int64_t ldb, ldc;
    bool accumulate;
} stack;

static ALWAYS_INLINE void block(int near, int vecs, const stack *s, const float *a, const float *b, float *c) {
    const int64_t row = s->row, step = s->step, ldb = s->ldb, ldc = s->ldc;
    vec sum[NEAR][VECS];
    for (int j = 0; j < near; j++) {
        for (int v = 0; v < vecs; v++) {
            sum[j][v] = s->accumulate ? load(c + j * ldc + v * LANES) : (vec){0};
        }
    }
    for (int64_t k = s->K; k > 0; k--, a += step, b += ldb) {
        vec right[VECS];
        for (int v = 0; v < vecs; v++) {
            right[v] = load(b + v * LANES);
        }
        for (int j = 0; j < near; j++) {
            for (int v = 0; v < vecs; v++) {
                sum[j][v] = multiply_add(a[j * row], right[v], sum[j][v]);
            }
        }
    }
    for (int j = 0; j < near; j++) {
        for (int v = 0; v < vecs; v++) {
            store(c + j * ldc + v * LANES, sum[j][v]);
        }
    }
}

typedef void (*block_function)(const stack *s, const float *a, const float *b, float *c);

#define BLOCK(near, vecs)                                                                                              \
    static void block_##near##_##vecs(const stack *s, const float *a, const float *b, float *c) {                      \
        for (int64_t i = 0; i < s->count; i++) {                                                                       \
            block(near, vecs, s, a + i * near * s->row, b, c + i * near * s->ldc);                                     \
        }                                                                                                              \
    }
#define BLOCKS(near) BLOCK(near, 1) BLOCK(near, 2)
#define NAMES(near)                                                                                                    \
    { block_##near##_1, block_##near##_2 }

BLOCKS(1)
BLOCKS(2)
BLOCKS(3)
BLOCKS(4)
BLOCKS(5)
BLOCKS(6)
#if defined __AVX512F__
BLOCKS(7)
BLOCKS(8)
BLOCKS(9)
BLOCKS(10)
BLOCKS(11)
BLOCKS(12)
BLOCKS(13)
BLOCKS(14)
#endif

static const block_function blocks[NEAR][VECS] = {
    NAMES(1), NAMES(2), NAMES(3), NAMES(4),  NAMES(5),  NAMES(6),
#if defined __AVX512F__
    NAMES(7), NAMES(8), NAMES(9), NAMES(10), NAMES(11), NAMES(12), NAMES(13), NAMES(14),
#endif
};

void tensor_block_multiply(int64_t M, int64_t N, int64_t K, tensor_left A, tensor_right B, float *c, int64_t ldc,
                           bool accumulate) {
    if (M == 0) {
        return;
    }
    /* Rows in blocks of nearly equal height: a short last block would wait for its own sums. */
    const int64_t nblocks = (M + NEAR - 1) / NEAR, height = M / nblocks, higher = M % nblocks;
    stack tall = {higher, K, A.row, A.step, B.ld, ldc, accumulate}, rest = tall;
    const float *below = A.a + higher * (height + 1) * A.row;
    rest.count = nblocks - higher;
    for (int64_t n = 0; n < N; n += WIDTH) {
        const int64_t vecs = N - n < WIDTH ? (N - n) / LANES : VECS;
        const float *b = B.b + n / HISS_PANEL * B.panel + n % HISS_PANEL;
        if (higher > 0) {
            blocks[height][vecs - 1](&tall, A.a, b, c + n);
        }
        blocks[height - 1][vecs - 1](&rest, below, b, c + n + higher * (height + 1) * ldc);
    }
}

bool tensor_block_fuses(void) {
    return FUSES;
}
