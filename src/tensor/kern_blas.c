/* The one user of CBLAS: the matrix product, and what makes OpenBLAS repeatable.
 *
 * OpenBLAS splits a product over its threads by their number, and the split shows in the bits; so every lane computes
 * with one BLAS thread. The pthread build takes the number from openblas_set_num_threads, for the whole process. The
 * OpenMP build asks omp_get_max_threads in the calling thread at each product, a value of that thread alone; its
 * setter is looked up at run time because only that build brings an OpenMP library along. */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#include <assert.h>
#include <cblas.h>
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tensor/kern_block.h"
#include "tensor/kern_impl.h"

static blasint narrow(int64_t value) {
    assert(value >= 0 && value <= INT_MAX);
    return (blasint)value;
}

void hiss_blas_gemm(bool transpose_a, bool transpose_b, int64_t M, int64_t N, int64_t K, float alpha, const float *A,
                    int64_t lda, const float *B, int64_t ldb, float beta, float *C, int64_t ldc) {
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans,
                narrow(M), narrow(N), narrow(K), alpha, A, narrow(lda), B, narrow(ldb), beta, C, narrow(ldc));
}

static void one_thread_for_process(void) {
    openblas_set_num_threads(1);
}

void hiss_kernels_enter_thread(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, one_thread_for_process);
    void (*set_for_thread)(int) = (void (*)(int))dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    if (set_for_thread) {
        set_for_thread(1);
    }
}

static char identity[128];

/* openblas_get_config reads like "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH Zen MAX_THREADS=64". */
static void write_identity(void) {
    const char *config = openblas_get_config();
    const char *space = strchr(config, ' ');
    size_t length = space ? (size_t)(space - config) + 1 : 0;
    length += strcspn(config + length, " ");
    snprintf(identity, sizeof identity, "%.*s %s, own kernels %s", (int)length, config, openblas_get_corename(),
             hiss_block_fuses() ? "with FMA" : "without FMA");
}

const char *hiss_kernels_identity(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, write_identity);
    return identity;
}

/* OpenBLAS releases older than a processor run it with the kernels of an older one: half the speed on AVX-512. */
const char *hiss_kernels_wider_core(void) {
#if defined __x86_64__
    static const char *const wide[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
    if (!strstr(openblas_get_config(), "DYNAMIC_ARCH") || !__builtin_cpu_supports("avx512f") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl")) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        if (strcmp(openblas_get_corename(), wide[i]) == 0) {
            return NULL;
        }
    }
    return wide[0];
#else
    return NULL;
#endif
}
