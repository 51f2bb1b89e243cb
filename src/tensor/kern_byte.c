/* Products of bytes.
 *
 * A processor that multiplies bytes adds four products to a 32-bit sum in each lane of a vector: four times the
 * multiplications of float32 per instruction, and no rounding. NEAR rows of A times two vectors of columns of B stay in
 * registers while K goes by, as in kern_block.c. AMD Zen 5, one core, K = 784: 930 billion operations a second. */
#include <assert.h>

#include "tensor/kern_impl.h"
#include "tensor/kern_vec.h"

int64_t hiss_byte_place(int64_t K, int64_t row, int64_t k) {
    return (row / HISS_BYTE_PANEL * K + k / 4 * 4) * HISS_BYTE_PANEL + row % HISS_BYTE_PANEL * 4 + k % 4;
}

void tensor_ref_byte_product(int64_t M, int64_t N, int64_t K, const uint8_t *A, const int8_t *B, int32_t *C) {
    for (int64_t i = 0; i < M; i++) {
        for (int64_t j = 0; j < N; j++) {
            int32_t sum = 0;
            for (int64_t k = 0; k < K; k++) {
                sum += A[i * K + k] * B[hiss_byte_place(K, j, k)];
            }
            C[i * N + j] = sum;
        }
    }
}

#ifdef BYTE_LANES

enum { VECS = HISS_BYTE_PANEL / BYTE_LANES, NEAR = BYTE_LANES == 16 ? 14 : 3 };

static ALWAYS_INLINE void block(int near, int64_t N, int64_t K, const uint8_t *a, const int8_t *b, int32_t *c) {
    sums sum[NEAR][VECS];
    for (int i = 0; i < near; i++) {
        for (int v = 0; v < VECS; v++) {
            sum[i][v] = (sums){0};
        }
    }
    for (int64_t k = 0; k < K; k += 4, a += 4) {
        sums right[VECS];
        for (int v = 0; v < VECS; v++, b += 4 * BYTE_LANES) {
            memcpy(&right[v], b, sizeof right[v]);
        }
        for (int i = 0; i < near; i++) {
            for (int v = 0; v < VECS; v++) {
                sum[i][v] = add_byte_products(sum[i][v], a + i * K, right[v]);
            }
        }
    }
    for (int i = 0; i < near; i++) {
        memcpy(c + i * N, sum[i], sizeof sum[i]);
    }
}

void tensor_fast_byte_product(int64_t M, int64_t N, int64_t K, const uint8_t *A, const int8_t *B, int32_t *C) {
    assert(N % HISS_BYTE_PANEL == 0 && K % 4 == 0);
    for (int64_t n = 0; n < N; n += HISS_BYTE_PANEL) {
        int64_t m = 0;
        for (; m + NEAR <= M; m += NEAR) {
            block(NEAR, N, K, A + m * K, B + n * K, C + m * N + n);
        }
        for (; m < M; m++) {
            block(1, N, K, A + m * K, B + n * K, C + m * N + n);
        }
    }
}

#endif
