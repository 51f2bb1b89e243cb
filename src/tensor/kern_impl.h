/* Members of the kernel tables. Contracts: hiss/kernels.h. */
#ifndef HISS_TENSOR_KERN_IMPL_H
#define HISS_TENSOR_KERN_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hiss/kernels.h"

void hiss_ref_gemm(bool transpose_a, bool transpose_b, int64_t M, int64_t N, int64_t K, float alpha, const float *A,
                   int64_t lda, const float *B, int64_t ldb, float beta, float *C, int64_t ldc);
size_t hiss_ref_conv2d_scratch(const hiss_conv *c);
void hiss_ref_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                             float *scratch);
void hiss_ref_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx, bool accumulate,
                                   float *scratch);
void hiss_ref_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw, bool accumulate,
                                     float *scratch);
size_t hiss_ref_linear_scratch(int64_t M, int64_t D, int64_t F);
void hiss_ref_linear_forward(int64_t M, int64_t D, int64_t F, const float *x, const float *w, const float *bias,
                             float *y, float *scratch);
void hiss_ref_linear_backward_data(int64_t M, int64_t D, int64_t F, const float *dy, const float *w, float *dx,
                                   bool accumulate, float *scratch);
void hiss_ref_linear_backward_weight(int64_t M, int64_t D, int64_t F, const float *x, const float *dy, float *dw,
                                     bool accumulate, float *scratch);
void hiss_ref_column_sum(int64_t M, int64_t N, const float *x, float *out, bool accumulate);
void hiss_ref_add_bias(int64_t M, int64_t N, const float *x, const float *bias, float *y);
void hiss_ref_max_pool_forward(const hiss_pool *p, const float *x, float *y, int32_t *argmax);
void hiss_ref_max_pool_backward(const hiss_pool *p, const float *dy, const int32_t *argmax, float *dx, bool accumulate);
void hiss_ref_average_pool_forward(const hiss_pool *p, const float *x, float *y);
void hiss_ref_average_pool_backward(const hiss_pool *p, const float *dy, float *dx, bool accumulate);
void hiss_ref_batch_norm_train(int64_t M, int64_t C, const float *x, const float *gamma, const float *beta, float eps,
                               float *y, float *mean, float *inverse, float *variance);
void hiss_ref_batch_norm_eval(int64_t M, int64_t C, const float *x, const float *gamma, const float *beta, float eps,
                              const float *mean, const float *variance, float *y);
void hiss_ref_batch_norm_backward(int64_t M, int64_t C, const float *x, const float *dy, const float *gamma,
                                  const float *mean, const float *inverse, float *dx, bool accumulate_dx, float *dgamma,
                                  float *dbeta, bool accumulate_parameters, float *scratch);
void hiss_ref_activation_forward(hiss_activation kind, int64_t count, float slope, const float *x, float *y);
void hiss_ref_activation_backward(hiss_activation kind, int64_t count, float slope, const float *y, const float *dy,
                                  float *dx, bool accumulate);
void hiss_ref_l2_normalize_forward(int64_t M, int64_t D, float eps, const float *x, float *z, float *norm);
void hiss_ref_l2_normalize_backward(int64_t M, int64_t D, float eps, const float *z, const float *norm, const float *dz,
                                    float *dx, bool accumulate);
void hiss_ref_softmax_cross_entropy_forward(int64_t M, int64_t D, const float *x, const int32_t *label,
                                            float *probability, float *loss);
void hiss_ref_softmax_cross_entropy_backward(int64_t M, int64_t D, const float *probability, const int32_t *label,
                                             float dloss, float *dx, bool accumulate);
void hiss_ref_squared_loss_forward(int64_t count, float scale, const float *a, const float *b, float *loss);
void hiss_ref_squared_loss_backward(int64_t count, float scale, const float *a, const float *b, float dloss, float *da,
                                    bool accumulate_da, float *db, bool accumulate_db);
void hiss_ref_axpby(int64_t count, float a, const float *x, float b, float *y);
void hiss_ref_multiply(int64_t count, const float *a, const float *b, float *y, bool accumulate);

void hiss_blas_gemm(bool transpose_a, bool transpose_b, int64_t M, int64_t N, int64_t K, float alpha, const float *A,
                    int64_t lda, const float *B, int64_t ldb, float beta, float *C, int64_t ldc);
size_t hiss_fast_conv2d_scratch(const hiss_conv *c);
void hiss_fast_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                              float *scratch);
void hiss_fast_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx, bool accumulate,
                                    float *scratch);
void hiss_fast_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw, bool accumulate,
                                      float *scratch);
size_t hiss_fast_linear_scratch(int64_t M, int64_t D, int64_t F);
void hiss_fast_linear_forward(int64_t M, int64_t D, int64_t F, const float *x, const float *w, const float *bias,
                              float *y, float *scratch);
void hiss_fast_linear_backward_data(int64_t M, int64_t D, int64_t F, const float *dy, const float *w, float *dx,
                                    bool accumulate, float *scratch);
void hiss_fast_linear_backward_weight(int64_t M, int64_t D, int64_t F, const float *x, const float *dy, float *dw,
                                      bool accumulate, float *scratch);
void hiss_fast_column_sum(int64_t M, int64_t N, const float *x, float *out, bool accumulate);
void hiss_fast_add_bias(int64_t M, int64_t N, const float *x, const float *bias, float *y);
void hiss_fast_max_pool_forward(const hiss_pool *p, const float *x, float *y, int32_t *argmax);
void hiss_fast_max_pool_backward(const hiss_pool *p, const float *dy, const int32_t *argmax, float *dx,
                                 bool accumulate);
void hiss_fast_average_pool_forward(const hiss_pool *p, const float *x, float *y);
void hiss_fast_average_pool_backward(const hiss_pool *p, const float *dy, float *dx, bool accumulate);
void hiss_fast_batch_norm_train(int64_t M, int64_t C, const float *x, const float *gamma, const float *beta, float eps,
                                float *y, float *mean, float *inverse, float *variance);
void hiss_fast_batch_norm_eval(int64_t M, int64_t C, const float *x, const float *gamma, const float *beta, float eps,
                               const float *mean, const float *variance, float *y);
void hiss_fast_batch_norm_backward(int64_t M, int64_t C, const float *x, const float *dy, const float *gamma,
                                   const float *mean, const float *inverse, float *dx, bool accumulate_dx,
                                   float *dgamma, float *dbeta, bool accumulate_parameters, float *scratch);
void hiss_fast_activation_forward(hiss_activation kind, int64_t count, float slope, const float *x, float *y);
void hiss_fast_activation_backward(hiss_activation kind, int64_t count, float slope, const float *y, const float *dy,
                                   float *dx, bool accumulate);
void hiss_fast_l2_normalize_forward(int64_t M, int64_t D, float eps, const float *x, float *z, float *norm);
void hiss_fast_l2_normalize_backward(int64_t M, int64_t D, float eps, const float *z, const float *norm,
                                     const float *dz, float *dx, bool accumulate);
void hiss_fast_softmax_cross_entropy_forward(int64_t M, int64_t D, const float *x, const int32_t *label,
                                             float *probability, float *loss);
void hiss_fast_softmax_cross_entropy_backward(int64_t M, int64_t D, const float *probability, const int32_t *label,
                                              float dloss, float *dx, bool accumulate);
void hiss_fast_squared_loss_forward(int64_t count, float scale, const float *a, const float *b, float *loss);
void hiss_fast_squared_loss_backward(int64_t count, float scale, const float *a, const float *b, float dloss, float *da,
                                     bool accumulate_da, float *db, bool accumulate_db);
void hiss_fast_axpby(int64_t count, float a, const float *x, float b, float *y);
void hiss_fast_multiply(int64_t count, const float *a, const float *b, float *y, bool accumulate);

/* The implementations behind hiss_fast_conv2d_*. `can`: is able to compute a shape; `applies`: does, where no table
 * says otherwise. */

/* Products over tiles of patches, by the own product or by BLAS. */
bool hiss_tiled_can_own(const hiss_conv *c);
size_t hiss_tiled_conv2d_scratch(const hiss_conv *c);
void hiss_tiled_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                               float *scratch);
void hiss_tiled_conv2d_forward_blas(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                    float *scratch);
void hiss_tiled_conv2d_backward_data_blas(const hiss_conv *c, const float *dy, const float *w, float *dx,
                                          bool accumulate, float *scratch);
void hiss_tiled_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw, bool accumulate,
                                       float *scratch);
void hiss_tiled_conv2d_backward_weight_blas(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                            bool accumulate, float *scratch);

/* Direct convolution, and its mirror. */
bool hiss_direct_can(const hiss_conv *c);
bool hiss_direct_applies(const hiss_conv *c);         /* forward and backward_weight */
bool hiss_direct_applies_to_data(const hiss_conv *c); /* backward_data */
bool hiss_mirror_can(const hiss_conv *c);
bool hiss_mirror_applies(const hiss_conv *c); /* all three */
size_t hiss_direct_conv2d_scratch(const hiss_conv *c);
void hiss_direct_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                float *scratch);
void hiss_direct_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx, bool accumulate,
                                      float *scratch);
void hiss_direct_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw, bool accumulate,
                                        float *scratch);
size_t hiss_mirror_conv2d_scratch(const hiss_conv *c);
void hiss_mirror_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                float *scratch);
void hiss_mirror_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx, bool accumulate,
                                      float *scratch);
void hiss_mirror_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw, bool accumulate,
                                        float *scratch);

/* Few channels to few filters, forward only. */
bool hiss_planar_applies(const hiss_conv *c);
size_t hiss_planar_conv2d_scratch(const hiss_conv *c);
void hiss_planar_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                float *scratch);

/* Winograd's minimal filtering, for the shapes it applies to. */
bool hiss_winograd_applies(const hiss_conv *c);
size_t hiss_winograd_conv2d_scratch(const hiss_conv *c);
void hiss_winograd_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                  float *scratch);
void hiss_winograd_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx, bool accumulate,
                                        float *scratch);
void hiss_winograd_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                          bool accumulate, float *scratch);

/* Linear layers by the own product or by BLAS. */
bool hiss_linear_can_own(const hiss_conv *shape);
bool hiss_linear_own_applies(const hiss_conv *shape);
size_t hiss_linear_own_scratch(int64_t M, int64_t D, int64_t F);
void hiss_linear_forward_own(int64_t M, int64_t D, int64_t F, const float *x, const float *w, const float *bias,
                             float *y, float *scratch);
void hiss_linear_backward_data_own(int64_t M, int64_t D, int64_t F, const float *dy, const float *w, float *dx,
                                   bool accumulate, float *scratch);
void hiss_linear_backward_weight_own(int64_t M, int64_t D, int64_t F, const float *x, const float *dy, float *dw,
                                     bool accumulate, float *scratch);
void hiss_linear_forward_blas(int64_t M, int64_t D, int64_t F, const float *x, const float *w, const float *bias,
                              float *y, float *scratch);
void hiss_linear_backward_data_blas(int64_t M, int64_t D, int64_t F, const float *dy, const float *w, float *dx,
                                    bool accumulate, float *scratch);
void hiss_linear_backward_weight_blas(int64_t M, int64_t D, int64_t F, const float *x, const float *dy, float *dw,
                                      bool accumulate, float *scratch);

#endif
