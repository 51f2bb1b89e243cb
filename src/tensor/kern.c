/* The kernel tables, and how to find one by name. */
#include <string.h>

#include "tensor/kern_bf16.h"
#include "tensor/kern_impl.h"
#include "tensor/kern_vec.h"

#ifdef BYTE_LANES
#define BYTE_PRODUCT tensor_fast_byte_product
#else
#define BYTE_PRODUCT NULL
#endif

const hiss_kernels *hiss_kernels_ref(void) {
#define MEMBER(kernel) .kernel = tensor_ref_##kernel,
    static const hiss_kernels table = {.name = "ref", HISS_KERNEL_LIST(MEMBER).byte_product = tensor_ref_byte_product};
#undef MEMBER
    return &table;
}

const hiss_kernels *hiss_kernels_blas(void) {
#define MEMBER(kernel) .kernel = tensor_fast_##kernel,
    static const hiss_kernels table = {.name = "blas", HISS_KERNEL_LIST(MEMBER).byte_product = BYTE_PRODUCT};
#undef MEMBER
    return &table;
}

#define BACKENDS(X) X(blas) X(ref)
#define NAME(name)  "|" #name
const char hiss_kernels_choices[] = BACKENDS(NAME);

const hiss_kernels *hiss_kernels_named(const char *name) {
#define TABLE(name) hiss_kernels_##name(),
    const hiss_kernels *const tables[] = {BACKENDS(TABLE)};
#undef TABLE
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(tables[i]->name, name) == 0) {
            return tables[i];
        }
    }
    return NULL;
}

/* ---- in bfloat16 ---- */

bool hiss_kernels_can_bf16(void) {
    return tensor_bf16_runs();
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t conv2d_scratch(const hiss_conv *c) {
    if (!tensor_bf16_applies(c)) {
        return tensor_fast_conv2d_scratch(c);
    }
    return larger(tensor_bf16_tiled_conv2d_scratch(c),
                  tensor_bf16_winograd_applies(c) ? tensor_bf16_winograd_conv2d_scratch(c) : 0);
}

static size_t linear_scratch(int64_t M, int64_t D, int64_t F) {
    return larger(tensor_fast_linear_scratch(M, D, F), tensor_bf16_linear_scratch(M, D, F));
}

hiss_kernels hiss_kernels_in_bf16(const hiss_kernels *kernels) {
    hiss_kernels k = *kernels;
    const bool ref = kernels->gemm == tensor_ref_gemm;
    k.name = ref ? "ref in bf16" : "blas in bf16";
    k.precision = HISS_BF16;
#define MEMBER(kernel, fast) k.kernel = ref ? tensor_ref_bf16_##kernel : tensor_bf16_##fast
    MEMBER(conv2d_forward, tiled_conv2d_forward);
    MEMBER(conv2d_backward_data, tiled_conv2d_backward_data);
    MEMBER(conv2d_backward_weight, tiled_conv2d_backward_weight);
    MEMBER(linear_forward, linear_forward);
    MEMBER(linear_backward_data, linear_backward_data);
    MEMBER(linear_backward_weight, linear_backward_weight);
#undef MEMBER
    if (!ref) {
        k.conv2d_scratch = conv2d_scratch;
        k.linear_scratch = linear_scratch;
    }
    return k;
}
