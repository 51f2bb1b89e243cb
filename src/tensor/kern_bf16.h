/* Private to src/tensor: bfloat16, the upper half of a float32, and matrix products of pairs of it.
 *
 * A sum of products over k is taken two k at a time, for that is what processors do: a pair holds the numbers of an
 * even k in its lower half and of the next k in its upper half. The odd k is added first, each product exact and each
 * sum rounded once; subnormal operands and results are zeros of their sign, and numbers are rounded to the nearest
 * bfloat16, ties to even (Intel, "Architectures Software Developer's Manual", VDPBF16PS and VCVTNEPS2BF16; AMD does the
 * same). tensor_ref_bf16_* say so in plain C, for any processor. */
#ifndef HISS_TENSOR_KERN_BF16_H
#define HISS_TENSOR_KERN_BF16_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/kern_block.h"

/* A[i,k] and A[i,k+1] for even k are a[i*row + k/2*step]. */
typedef struct tensor_left_pairs {
    const uint32_t *a;
    int64_t row, step;
} tensor_left_pairs;

/* B[k, p*HISS_PANEL + j] and B[k+1, ...] are b[p*panel + k/2*ld + j]. Rows are readable up to a multiple of 16. */
typedef struct tensor_right_pairs {
    const uint32_t *b;
    int64_t ld, panel;
} tensor_right_pairs;

/* C[M,N] (+)= A[M,2K] B[2K,N] over K pairs, C row-major with rows ldc apart. Every element is one sum in order of
 * pairs. */
typedef void tensor_bf16_product(int64_t M, int64_t N, int64_t K, tensor_left_pairs A, tensor_right_pairs B, float *c,
                                 int64_t ldc, bool accumulate);
/* to[count] rounded. */
typedef void tensor_bf16_rounding(int64_t count, const float *from, uint16_t *to);
/* to[j / HISS_PANEL * panel + j % HISS_PANEL] = the pair of even[j] and odd[j]; odd NULL: zeros. */
typedef void tensor_bf16_pairing(int64_t count, const float *even, const float *odd, uint32_t *to, int64_t panel);

/* By the processor's instructions; tensor_bf16_runs says whether it has them, and whether they are compiled in. */
bool tensor_bf16_runs(void);
tensor_bf16_product tensor_bf16_multiply;
tensor_bf16_rounding tensor_bf16_round;
tensor_bf16_pairing tensor_bf16_pair;

/* The same bits in plain C. */
tensor_bf16_product tensor_ref_bf16_multiply;
tensor_bf16_rounding tensor_ref_bf16_round;
tensor_bf16_pairing tensor_ref_bf16_pair;

#endif
