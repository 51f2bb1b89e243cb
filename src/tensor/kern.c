/* The kernel tables, and how to find one by name. */
#include <string.h>

#include "tensor/kern_impl.h"

const hiss_kernels *hiss_kernels_ref(void) {
    static const hiss_kernels table = {
        .name = "ref",
        .gemm = hiss_ref_gemm,
        .conv2d_scratch = hiss_ref_conv2d_scratch,
        .conv2d_forward = hiss_ref_conv2d_forward,
        .conv2d_backward_data = hiss_ref_conv2d_backward_data,
        .conv2d_backward_weight = hiss_ref_conv2d_backward_weight,
        .linear_scratch = hiss_ref_linear_scratch,
        .linear_forward = hiss_ref_linear_forward,
        .linear_backward_data = hiss_ref_linear_backward_data,
        .linear_backward_weight = hiss_ref_linear_backward_weight,
        .column_sum = hiss_ref_column_sum,
        .add_bias = hiss_ref_add_bias,
        .max_pool_forward = hiss_ref_max_pool_forward,
        .max_pool_backward = hiss_ref_max_pool_backward,
        .average_pool_forward = hiss_ref_average_pool_forward,
        .average_pool_backward = hiss_ref_average_pool_backward,
        .batch_norm_train = hiss_ref_batch_norm_train,
        .batch_norm_eval = hiss_ref_batch_norm_eval,
        .batch_norm_backward = hiss_ref_batch_norm_backward,
        .activation_forward = hiss_ref_activation_forward,
        .activation_backward = hiss_ref_activation_backward,
        .l2_normalize_forward = hiss_ref_l2_normalize_forward,
        .l2_normalize_backward = hiss_ref_l2_normalize_backward,
        .softmax_cross_entropy_forward = hiss_ref_softmax_cross_entropy_forward,
        .softmax_cross_entropy_backward = hiss_ref_softmax_cross_entropy_backward,
        .squared_loss_forward = hiss_ref_squared_loss_forward,
        .squared_loss_backward = hiss_ref_squared_loss_backward,
        .axpby = hiss_ref_axpby,
        .multiply = hiss_ref_multiply,
    };
    return &table;
}

const hiss_kernels *hiss_kernels_blas(void) {
    static const hiss_kernels table = {
        .name = "blas",
        .gemm = hiss_blas_gemm,
        .conv2d_scratch = hiss_fast_conv2d_scratch,
        .conv2d_forward = hiss_fast_conv2d_forward,
        .conv2d_backward_data = hiss_fast_conv2d_backward_data,
        .conv2d_backward_weight = hiss_fast_conv2d_backward_weight,
        .linear_scratch = hiss_fast_linear_scratch,
        .linear_forward = hiss_fast_linear_forward,
        .linear_backward_data = hiss_fast_linear_backward_data,
        .linear_backward_weight = hiss_fast_linear_backward_weight,
        .column_sum = hiss_fast_column_sum,
        .add_bias = hiss_fast_add_bias,
        .max_pool_forward = hiss_fast_max_pool_forward,
        .max_pool_backward = hiss_fast_max_pool_backward,
        .average_pool_forward = hiss_fast_average_pool_forward,
        .average_pool_backward = hiss_fast_average_pool_backward,
        .batch_norm_train = hiss_fast_batch_norm_train,
        .batch_norm_eval = hiss_fast_batch_norm_eval,
        .batch_norm_backward = hiss_fast_batch_norm_backward,
        .activation_forward = hiss_fast_activation_forward,
        .activation_backward = hiss_fast_activation_backward,
        .l2_normalize_forward = hiss_fast_l2_normalize_forward,
        .l2_normalize_backward = hiss_fast_l2_normalize_backward,
        .softmax_cross_entropy_forward = hiss_fast_softmax_cross_entropy_forward,
        .softmax_cross_entropy_backward = hiss_fast_softmax_cross_entropy_backward,
        .squared_loss_forward = hiss_fast_squared_loss_forward,
        .squared_loss_backward = hiss_fast_squared_loss_backward,
        .axpby = hiss_fast_axpby,
        .multiply = hiss_fast_multiply,
    };
    return &table;
}

const hiss_kernels *hiss_kernels_named(const char *name) {
    const hiss_kernels *const tables[] = {hiss_kernels_ref(), hiss_kernels_blas()};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(tables[i]->name, name) == 0) {
            return tables[i];
        }
    }
    return NULL;
}
