/* Private to src/tensor: our own matrix product, for products too small or too oddly laid out for BLAS. */
#ifndef HISS_TENSOR_KERN_BLOCK_H
#define HISS_TENSOR_KERN_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { HISS_PANEL = 32 }; /* columns of B side by side in memory */

/* A[i,k] = a[i*row + k*step] */
typedef struct tensor_left {
    const float *a;
    int64_t row, step;
} tensor_left;

/* B[k, p*HISS_PANEL + j] = b[p*panel + k*ld + j] */
typedef struct tensor_right {
    const float *b;
    int64_t ld, panel;
} tensor_right;

/* C[M,N] (+)= A[M,K] B[K,N], C row-major with rows ldc apart; N a multiple of 16. Every element is one sum in order of
 * k, so the blocking does not affect the bits. */
void tensor_block_multiply(int64_t M, int64_t N, int64_t K, tensor_left A, tensor_right B, float *c, int64_t ldc,
                           bool accumulate);
/* Whether this build fuses multiplication and addition, which affects the bits. */
bool tensor_block_fuses(void);

#endif
