/* Members of the kernel tables. Contracts: hiss/kernels.h. */
#ifndef HISS_TENSOR_KERN_IMPL_H
#define HISS_TENSOR_KERN_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hiss/kernels.h"

#define HISS_DECLARE_KERNEL(kernel) hiss_kernel_##kernel tensor_ref_##kernel, tensor_fast_##kernel;
HISS_KERNEL_LIST(HISS_DECLARE_KERNEL)
#undef HISS_DECLARE_KERNEL
hiss_kernel_byte_product tensor_ref_byte_product, tensor_fast_byte_product; /* the latter where kern_vec.h has it */

/* The implementations behind hiss_fast_conv2d_*. `can`: is able to compute a shape; `applies`: does, where no table
 * says otherwise. */

/* Products over tiles of patches, by the own product or by BLAS. */
bool tensor_tiled_can_own(const hiss_conv *c);              /* forward */
bool tensor_tiled_can_own_backward(const hiss_conv *c);     /* backward_data and backward_weight */
bool tensor_tiled_own_backward_applies(const hiss_conv *c); /* both */
hiss_kernel_conv2d_scratch tensor_tiled_conv2d_scratch;
hiss_kernel_conv2d_forward tensor_tiled_conv2d_forward;
hiss_kernel_conv2d_forward tensor_tiled_conv2d_forward_blas;
hiss_kernel_conv2d_backward_data tensor_tiled_conv2d_backward_data;
hiss_kernel_conv2d_backward_data tensor_tiled_conv2d_backward_data_blas;
hiss_kernel_conv2d_backward_weight tensor_tiled_conv2d_backward_weight;
hiss_kernel_conv2d_backward_weight tensor_tiled_conv2d_backward_weight_blas;

/* Direct convolution, and its mirror. */
bool tensor_direct_can(const hiss_conv *c);
bool tensor_direct_applies_to_forward(const hiss_conv *c);
bool tensor_direct_applies_to_data(const hiss_conv *c);
bool tensor_direct_applies_to_weight(const hiss_conv *c);
bool tensor_mirror_can(const hiss_conv *c);
bool tensor_mirror_applies(const hiss_conv *c); /* all three */
hiss_kernel_conv2d_scratch tensor_direct_conv2d_scratch;
hiss_kernel_conv2d_forward tensor_direct_conv2d_forward;
hiss_kernel_conv2d_backward_data tensor_direct_conv2d_backward_data;
hiss_kernel_conv2d_backward_weight tensor_direct_conv2d_backward_weight;
hiss_kernel_conv2d_pooled_forward tensor_direct_conv2d_pooled_forward;
hiss_kernel_conv2d_pooled_backward_weight tensor_direct_conv2d_pooled_backward_weight;
hiss_kernel_conv2d_scratch tensor_mirror_conv2d_scratch;
hiss_kernel_conv2d_forward tensor_mirror_conv2d_forward;
hiss_kernel_conv2d_backward_data tensor_mirror_conv2d_backward_data;
hiss_kernel_conv2d_backward_weight tensor_mirror_conv2d_backward_weight;

/* Few channels to few filters, forward only. */
bool tensor_planar_applies(const hiss_conv *c);
hiss_kernel_conv2d_scratch tensor_planar_conv2d_scratch;
hiss_kernel_conv2d_forward tensor_planar_conv2d_forward;

/* Winograd's minimal filtering, for the shapes it applies to. */
bool tensor_winograd_applies(const hiss_conv *c);
hiss_kernel_conv2d_scratch tensor_winograd_conv2d_scratch;
hiss_kernel_conv2d_forward tensor_winograd_conv2d_forward;
hiss_kernel_conv2d_backward_data tensor_winograd_conv2d_backward_data;
hiss_kernel_conv2d_backward_weight tensor_winograd_conv2d_backward_weight;
hiss_kernel_conv2d_pooled_forward tensor_winograd_conv2d_pooled_forward;
hiss_kernel_conv2d_pooled_backward_data tensor_winograd_conv2d_pooled_backward_data;
hiss_kernel_conv2d_pooled_backward_weight tensor_winograd_conv2d_pooled_backward_weight;

/* Max pooling over 2 x 2 with stride 2 of two neighbouring rows of C channels, C a multiple of the vectors' width. */
typedef struct tensor_row_pair {
    int64_t windows, C, row; /* floats between the two rows */
} tensor_row_pair;
bool tensor_pool_can(int64_t C);
void tensor_pool_rows(const tensor_row_pair *r, const float *from, float *y, uint8_t *argmax);
/* All 4 places of each window are written; what lies beside the windows is not. */
void tensor_unpool_rows(const tensor_row_pair *r, const float *dy, const uint8_t *argmax, float *to);

/* Linear layers by the own product or by BLAS. */
bool tensor_linear_can_own(const hiss_conv *shape);
bool tensor_linear_own_applies(const hiss_conv *shape);
hiss_kernel_linear_scratch tensor_linear_own_scratch;
hiss_kernel_linear_forward tensor_linear_forward_own;
hiss_kernel_linear_backward_data tensor_linear_backward_data_own;
hiss_kernel_linear_backward_weight tensor_linear_backward_weight_own;
hiss_kernel_linear_forward tensor_linear_forward_blas;
hiss_kernel_linear_backward_data tensor_linear_backward_data_blas;
hiss_kernel_linear_backward_weight tensor_linear_backward_weight_blas;

/* Layers that multiply in bfloat16: whether a convolution is one, and who computes them. */
bool tensor_bf16_applies(const hiss_conv *shape);
hiss_kernel_conv2d_scratch tensor_bf16_tiled_conv2d_scratch;
hiss_kernel_conv2d_forward tensor_bf16_tiled_conv2d_forward;
hiss_kernel_conv2d_backward_data tensor_bf16_tiled_conv2d_backward_data;
hiss_kernel_conv2d_backward_weight tensor_bf16_tiled_conv2d_backward_weight;
bool tensor_bf16_winograd_applies(const hiss_conv *c);
hiss_kernel_conv2d_scratch tensor_bf16_winograd_conv2d_scratch;
hiss_kernel_conv2d_forward tensor_bf16_winograd_conv2d_forward;
hiss_kernel_conv2d_backward_data tensor_bf16_winograd_conv2d_backward_data;
hiss_kernel_conv2d_backward_weight tensor_bf16_winograd_conv2d_backward_weight;
hiss_kernel_conv2d_pooled_forward tensor_bf16_winograd_conv2d_pooled_forward;
hiss_kernel_conv2d_pooled_backward_data tensor_bf16_winograd_conv2d_pooled_backward_data;
hiss_kernel_conv2d_pooled_backward_weight tensor_bf16_winograd_conv2d_pooled_backward_weight;
hiss_kernel_linear_scratch tensor_bf16_linear_scratch;
hiss_kernel_linear_forward tensor_bf16_linear_forward;
hiss_kernel_linear_backward_data tensor_bf16_linear_backward_data;
hiss_kernel_linear_backward_weight tensor_bf16_linear_backward_weight;
/* The same in plain C. */
hiss_kernel_conv2d_forward tensor_ref_bf16_conv2d_forward;
hiss_kernel_conv2d_backward_data tensor_ref_bf16_conv2d_backward_data;
hiss_kernel_conv2d_backward_weight tensor_ref_bf16_conv2d_backward_weight;
hiss_kernel_linear_forward tensor_ref_bf16_linear_forward;
hiss_kernel_linear_backward_data tensor_ref_bf16_linear_backward_data;
hiss_kernel_linear_backward_weight tensor_ref_bf16_linear_backward_weight;

#endif
