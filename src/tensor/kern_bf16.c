/* Products of pairs of bfloat16 by AVX512-BF16, blocked like those of float32 (kern_block.c): NEAR rows times WIDTH
 * columns of C stay in registers while pairs go by; each step broadcasts NEAR pairs of A and loads WIDTH of B.
 *
 * This file is compiled for those instructions whatever the rest is compiled for, and runs where the processor has
 * them; elsewhere hiss refuses to compute in bfloat16, for to emulate it would be slower than float32.
 *
 * Cost: 2 flops per product, at twice the rate of float32's multiply-adds. */
#include "tensor/kern_bf16.h"

#include <assert.h>

#if defined __AVX512BF16__ && defined __AVX512F__ && defined __AVX512BW__ && defined __AVX512VL__
#include <immintrin.h>
#if __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#endif

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum { NEAR = 14, LANES = 16, VECS = 2, WIDTH = VECS * LANES };

#if __has_include(<sys/platform/x86.h>)
/* What glibc lets programs use: GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F hides it. Not asked for AVX512VL, whose bit 31
 * glibc's header takes with a shift that C does not define. */
static bool is_active(void) {
    return CPU_FEATURE_ACTIVE(AVX512F) && CPU_FEATURE_ACTIVE(AVX512BW);
}
#else
static bool is_active(void) {
    return true;
}
#endif

bool tensor_bf16_runs(void) {
    __builtin_cpu_init();
    return is_active() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
}

/* One panel of B, and `count` blocks of rows below each other. */
typedef struct stack {
    int64_t count, K, row, step; /* of A as in tensor_left_pairs */
    int64_t ldb, ldc;
    __mmask16 last; /* the columns that count in the last vector */
    bool accumulate;
} stack;

static ALWAYS_INLINE __mmask16 columns_of(const stack *s, int v, int vecs) {
    return v == vecs - 1 ? s->last : (__mmask16)0xffff;
}

static ALWAYS_INLINE void block(int near, int vecs, const stack *s, const uint32_t *a, const uint32_t *b, float *c) {
    const int64_t row = s->row, step = s->step, ldb = s->ldb, ldc = s->ldc;
    __m512 sum[NEAR][VECS];
    for (int j = 0; j < near; j++) {
        for (int v = 0; v < vecs; v++) {
            sum[j][v] = s->accumulate ? _mm512_maskz_loadu_ps(columns_of(s, v, vecs), c + j * ldc + v * LANES)
                                      : _mm512_setzero_ps();
        }
    }
    for (int64_t k = s->K; k > 0; k--, a += step, b += ldb) {
        __m512bh right[VECS];
        for (int v = 0; v < vecs; v++) {
            right[v] = (__m512bh)_mm512_loadu_si512(b + v * LANES);
        }
        for (int j = 0; j < near; j++) {
            const __m512bh left = (__m512bh)_mm512_set1_epi32((int)a[j * row]);
            for (int v = 0; v < vecs; v++) {
                sum[j][v] = _mm512_dpbf16_ps(sum[j][v], left, right[v]);
            }
        }
    }
    for (int j = 0; j < near; j++) {
        for (int v = 0; v < vecs; v++) {
            _mm512_mask_storeu_ps(c + j * ldc + v * LANES, columns_of(s, v, vecs), sum[j][v]);
        }
    }
}

typedef void (*block_function)(const stack *s, const uint32_t *a, const uint32_t *b, float *c);

#define BLOCK(near, vecs)                                                                                              \
    static void block_##near##_##vecs(const stack *s, const uint32_t *a, const uint32_t *b, float *c) {                \
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
BLOCKS(7)
BLOCKS(8)
BLOCKS(9)
BLOCKS(10)
BLOCKS(11)
BLOCKS(12)
BLOCKS(13)
BLOCKS(14)

static const block_function blocks[NEAR][VECS] = {
    NAMES(1), NAMES(2), NAMES(3),  NAMES(4),  NAMES(5),  NAMES(6),  NAMES(7),
    NAMES(8), NAMES(9), NAMES(10), NAMES(11), NAMES(12), NAMES(13), NAMES(14),
};

void tensor_bf16_multiply(int64_t M, int64_t N, int64_t K, tensor_left_pairs A, tensor_right_pairs B, float *c,
                          int64_t ldc, bool accumulate) {
    if (M == 0) {
        return;
    }
    const int64_t nblocks = (M + NEAR - 1) / NEAR, height = M / nblocks, higher = M % nblocks;
    stack tall = {higher, K, A.row, A.step, B.ld, ldc, 0, accumulate};
    const uint32_t *below = A.a + higher * (height + 1) * A.row;
    for (int64_t n = 0; n < N; n += WIDTH) {
        const int64_t columns = N - n < WIDTH ? N - n : WIDTH, vecs = (columns + LANES - 1) / LANES;
        const uint32_t *b = B.b + n / HISS_PANEL * B.panel + n % HISS_PANEL;
        tall.last = (__mmask16)(0xffff >> (vecs * LANES - columns));
        stack rest = tall;
        rest.count = nblocks - higher;
        if (higher > 0) {
            blocks[height][vecs - 1](&tall, A.a, b, c + n);
        }
        blocks[height - 1][vecs - 1](&rest, below, b, c + n + higher * (height + 1) * ldc);
    }
}

void tensor_bf16_round(int64_t count, const float *from, uint16_t *to) {
    for (int64_t i = 0; i < count; i += LANES) {
        const __mmask16 here = (__mmask16)(count - i < LANES ? (1 << (count - i)) - 1 : 0xffff);
        const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(here, from + i));
        _mm256_mask_storeu_epi16(to + i, here, (__m256i)rounded);
    }
}

void tensor_bf16_pair(int64_t count, const float *even, const float *odd, uint32_t *to, int64_t panel) {
    for (int64_t i = 0; i < count; i += LANES) {
        const __mmask16 here = (__mmask16)(count - i < LANES ? (1 << (count - i)) - 1 : 0xffff);
        const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(here, even + i)));
        __m512i high = _mm512_setzero_si512();
        if (odd) {
            high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(here, odd + i)));
        }
        _mm512_mask_storeu_epi32(to + i / HISS_PANEL * panel + i % HISS_PANEL, here,
                                 _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
}

#else

bool tensor_bf16_runs(void) {
    return false;
}

void tensor_bf16_multiply(int64_t M, int64_t N, int64_t K, tensor_left_pairs A, tensor_right_pairs B, float *c,
                          int64_t ldc, bool accumulate) {
    (void)M, (void)N, (void)K, (void)A, (void)B, (void)c, (void)ldc, (void)accumulate;
    assert(!"not compiled in");
}

void tensor_bf16_round(int64_t count, const float *from, uint16_t *to) {
    (void)count, (void)from, (void)to;
    assert(!"not compiled in");
}

void tensor_bf16_pair(int64_t count, const float *even, const float *odd, uint32_t *to, int64_t panel) {
    (void)count, (void)even, (void)odd, (void)to, (void)panel;
    assert(!"not compiled in");
}

#endif
