/* The inverse of a symmetric positive matrix as X^T X, X = L^-1 lower triangular, A = L L^T (Cholesky), in float32 by
 * products of blocks (Higham, "Accuracy and Stability of Numerical Algorithms", chapters 10 and 14). X^T X is positive
 * whatever was rounded, which is what a preconditioner needs; how near it is to A^-1 affects speed alone. Directions in
 * which A is nothing beside its largest are left out: X is zero there. The same on every rank. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { BLOCK = 64 };

/* The diagonal block at a, rows lda apart, to L and, rows ldx apart, its inverse. */
static void factor_block(int64_t rows, float *a, int64_t lda, double least, float *x, int64_t ldx) {
    for (int64_t j = 0; j < rows; j++) {
        for (int64_t i = j; i < rows; i++) {
            double sum = (double)a[i * lda + j];
            for (int64_t k = 0; k < j; k++) {
                sum -= (double)a[i * lda + k] * (double)a[j * lda + k];
            }
            if (i == j) {
                a[j * lda + j] = sum > least ? (float)sqrt(sum) : INFINITY;
            } else {
                a[i * lda + j] = (float)(sum / (double)a[j * lda + j]);
            }
        }
    }
    for (int64_t i = 0; i < rows; i++) {
        const double own = 1.0 / (double)a[i * lda + i];
        for (int64_t j = 0; j < i; j++) {
            double sum = 0.0;
            for (int64_t k = j; k < i; k++) {
                sum += (double)a[i * lda + k] * (double)x[k * ldx + j];
            }
            x[i * ldx + j] = (float)(-sum * own);
        }
        x[i * ldx + i] = (float)own;
    }
}

void eval_inverse_factor(const hiss_eval_env *env, int64_t N, float *a, float *x) {
    float *part = hiss_new(float, BLOCK *N), largest = 0.0f;
    for (int64_t i = 0; i < N; i++) {
        largest = a[i * N + i] > largest ? a[i * N + i] : largest;
    }
    memset(x, 0, sizeof(float) * (size_t)(N * N));
    for (int64_t k = 0; k < N; k += BLOCK) {
        const int64_t rows = N - k < BLOCK ? N - k : BLOCK, below = N - k - rows;
        float *left = a + k * N, *corner = x + k * N + k;
        if (k > 0) {
            env->kernels->gemm(false, true, N - k, rows, k, -1.0f, left, N, left, N, 1.0f, left + k, N);
        }
        factor_block(rows, left + k, N, 1e-7 * (double)largest, corner, N);
        if (below > 0) {
            float *under = a + (k + rows) * N + k;
            env->kernels->gemm(false, true, below, rows, rows, 1.0f, under, N, corner, N, 0.0f, part, rows);
            for (int64_t i = 0; i < below; i++) {
                memcpy(under + i * N, part + i * rows, sizeof(float) * (size_t)rows);
            }
        }
        if (k > 0) {
            env->kernels->gemm(false, false, rows, k, k, 1.0f, left, N, x, N, 0.0f, part, k);
            env->kernels->gemm(false, false, rows, k, rows, -1.0f, corner, N, part, k, 0.0f, x + k * N, N);
        }
    }
    hiss_free(part);
}
