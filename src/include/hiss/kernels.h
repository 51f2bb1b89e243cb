/* Kernels: the arithmetic of one layer on one lane, single-threaded, behind one dispatch table.
 *
 * `hiss_kernels_ref` is plain C, written to be obviously right: the oracle of the tests and the fallback.
 * `hiss_kernels_blas` starts as a copy of it and overlays what it does faster.
 *
 * Common contract: all arrays float32 (unless said), contiguous, NHWC, not owned, no aliasing unless said. Results
 * depend on shapes and values only. A backward kernel with `accumulate` adds to its outputs when it is true and
 * overwrites them when false. No kernel allocates: what it needs it takes from `scratch`, whose length in floats
 * the matching _scratch function gives (64-byte aligned, contents undefined before and after). Not collective. */
#ifndef HISS_KERNELS_H
#define HISS_KERNELS_H

#include "hiss/rng.h"
#include "hiss/status.h"
#include "hiss/tensor.h"

/* A 2-d convolution x[N,H,W,C] * w[F,R,S,C] -> y[N,P,Q,F], P = (H + 2 pad - R) / stride + 1, Q alike. */
typedef struct hiss_conv {
    int64_t N, H, W, C, F, R, S, stride, pad, P, Q;
} hiss_conv;

/* A 2-d pooling x[N,H,W,C] -> y[N,P,Q,C] over windows of size x size. Max pooling pads with minus infinity; average
 * pooling divides by size*size (padding counts as zeros). pad < size. P = (H + 2 pad - size) / stride + 1 (floor). */
typedef struct hiss_pooling {
    int64_t N, H, W, C, size, stride, pad, P, Q;
} hiss_pooling;

typedef enum hiss_activation {
    HISS_RELU,
    HISS_LEAKY_RELU,
    HISS_SIGMOID,
    HISS_TANH,
    HISS_EXP,
    HISS_SOFT_THRESHOLD
} hiss_activation;

typedef struct hiss_kernel_table hiss_kernel_table;

/* ---- the kernels ---- */

/* C[M,N] = alpha op(A)[M,K] op(B)[K,N] + beta C, row-major with leading dimensions; beta = 0 ignores old C. */
typedef void hiss_kernel_gemm(bool transpose_a, bool transpose_b, int64_t M, int64_t N, int64_t K, float alpha,
                              const float *A, int64_t lda, const float *B, int64_t ldb, float beta, float *C,
                              int64_t ldc);

/* C[M,N] = op(A)[M,K] B[K,N] where M or N is small, row-major; N a multiple of 16. A[M,K], transposed A[K,M], with
 * leading dimension lda. An element is one sum in order of k, whatever is beside it. */
typedef void hiss_kernel_narrow_product(bool transpose, int64_t M, int64_t N, int64_t K, const float *A, int64_t lda,
                                        const float *B, float *C);

/* C[M,N] = A[M,K] B[N,K]^T of bytes, exact. N a multiple of HISS_BYTE_PANEL, K one of 4, at most HISS_BYTE_MOST.
 *   B  byte k of row n stands at hiss_byte_place(K, n, k) */
enum { HISS_BYTE_PANEL = 32, HISS_BYTE_MOST = 65536 };
typedef void hiss_kernel_byte_product(int64_t M, int64_t N, int64_t K, const uint8_t *A, const int8_t *B, int32_t *C);
int64_t hiss_byte_place(int64_t K, int64_t row, int64_t k);

typedef size_t hiss_kernel_conv2d_scratch(const hiss_conv *c); /* floats, enough for all three */
/* bias[F] or NULL. */
typedef void hiss_kernel_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                        float *scratch);
typedef void hiss_kernel_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx,
                                              bool accumulate, float *scratch);
typedef void hiss_kernel_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                                bool accumulate, float *scratch);

/* The same of a convolution whose outputs are pooled: y, dy, argmax [N,P/2,Q/2,F] are those of max pooling over 2 x 2
 * with stride 2, and the outputs of the convolution are nowhere. The bits are those of the two operations in turn. */
typedef void hiss_kernel_conv2d_pooled_forward(const hiss_conv *c, const float *x, const float *w, const float *bias,
                                               float *y, uint8_t *argmax, float *scratch);
typedef void hiss_kernel_conv2d_pooled_backward_data(const hiss_conv *c, const float *dy, const uint8_t *argmax,
                                                     const float *w, float *dx, bool accumulate, float *scratch);
typedef void hiss_kernel_conv2d_pooled_backward_weight(const hiss_conv *c, const float *x, const float *dy,
                                                       const uint8_t *argmax, float *dw, bool accumulate,
                                                       float *scratch);

/* y[M,F] = x[M,D] w[F,D]^T + bias[F]; bias may be NULL. */
typedef size_t hiss_kernel_linear_scratch(int64_t M, int64_t D, int64_t F); /* floats, enough for all three */
typedef void hiss_kernel_linear_forward(int64_t M, int64_t D, int64_t F, const float *x, const float *w,
                                        const float *bias, float *y, float *scratch);
typedef void hiss_kernel_linear_backward_data(int64_t M, int64_t D, int64_t F, const float *dy, const float *w,
                                              float *dx, bool accumulate, float *scratch);
typedef void hiss_kernel_linear_backward_weight(int64_t M, int64_t D, int64_t F, const float *x, const float *dy,
                                                float *dw, bool accumulate, float *scratch);

/* out[N] (+)= sum over rows of x[M,N]: bias gradients. */
typedef void hiss_kernel_column_sum(int64_t M, int64_t N, const float *x, float *out, bool accumulate);
/* y[M,N] = x[M,N] + bias[N]; y may be x. */
typedef void hiss_kernel_add_bias(int64_t M, int64_t N, const float *x, const float *bias, float *y);

/* argmax[N,P,Q,C]: where the maximum is, the first one on ties. In windows of up to HISS_BYTE_WINDOW a byte, row * size +
 * column in the window; in larger ones an int32_t, h*W + w in x's image. */
enum { HISS_BYTE_WINDOW = 16 };
int64_t hiss_pool_argmax_bytes(const hiss_pooling *p); /* of all */
typedef void hiss_kernel_max_pool_forward(const hiss_pooling *p, const float *x, float *y, uint8_t *argmax);
typedef void hiss_kernel_max_pool_backward(const hiss_pooling *p, const float *dy, const uint8_t *argmax, float *dx,
                                           bool accumulate);
typedef void hiss_kernel_average_pool_forward(const hiss_pooling *p, const float *x, float *y);
typedef void hiss_kernel_average_pool_backward(const hiss_pooling *p, const float *dy, float *dx, bool accumulate);

/* BatchNorm over rows of x[M,C] (Ioffe & Szegedy 2015, algorithm 1): y = gamma (x - mean) / sqrt(var + eps) + beta,
 * mean and (biased) var of this lane. gamma, beta [C] or NULL (then 1, 0).
 *   mean, inverse[C]  out  mean and 1/sqrt(var + eps), kept for backward
 *   variance[C]       out  unbiased variance (divided by M-1; by 1 when M is 1), for the running statistics
 * y may be x only in _eval. */
typedef void hiss_kernel_batch_norm_train(int64_t M, int64_t C, const float *x, const float *gamma, const float *beta,
                                          float eps, float *y, float *mean, float *inverse, float *variance);
typedef void hiss_kernel_batch_norm_eval(int64_t M, int64_t C, const float *x, const float *gamma, const float *beta,
                                         float eps, const float *mean, const float *variance, float *y);
/* dgamma, dbeta [C], dx [M,C]: each may be NULL when not wanted. scratch: 4*C floats. */
typedef void hiss_kernel_batch_norm_backward(int64_t M, int64_t C, const float *x, const float *dy, const float *gamma,
                                             const float *mean, const float *inverse, float *dx, bool accumulate_dx,
                                             float *dgamma, float *dbeta, bool accumulate_parameters, float *scratch);

/* y may be x. HISS_EXP stays at e^87.3 from there on. slope is used by HISS_LEAKY_RELU, and as threshold by HISS_SOFT_THRESHOLD. Backward uses the output y; dx may be dy when not
 * accumulating. At a kink the gradient is that of the negative side. */
typedef void hiss_kernel_activation_forward(hiss_activation kind, int64_t count, float slope, const float *x, float *y);
typedef void hiss_kernel_activation_backward(hiss_activation kind, int64_t count, float slope, const float *y,
                                             const float *dy, float *dx, bool accumulate);

/* y[M,F] = tanh(a) sigmoid(b) of the rows [a, b] of x[M,2F] (van den Oord et al. 2016, eq. 2).
 *   gates[M,2F]  out  rows [tanh(a), sigmoid(b)], kept for backward */
typedef void hiss_kernel_gated_forward(int64_t M, int64_t F, const float *x, float *gates, float *y);
typedef void hiss_kernel_gated_backward(int64_t M, int64_t F, const float *gates, const float *dy, float *dx,
                                        bool accumulate);

/* Rows z = x / max(|x|, eps); norm[M] = max(|x|, eps) out, kept for backward: dx = (dz - z (z . dz)) / norm, and 0
 * for rows with norm <= eps: there the derivative is about 1/eps, a step no optimiser survives. */
typedef void hiss_kernel_l2_normalize_forward(int64_t M, int64_t D, float eps, const float *x, float *z, float *norm);
typedef void hiss_kernel_l2_normalize_backward(int64_t M, int64_t D, float eps, const float *z, const float *norm,
                                               const float *dz, float *dx, bool accumulate);

/* loss = mean over M rows of -log softmax(x)[label]; probability[M,D] out, kept for backward.
 * Backward: dx (+)= dloss/M * (probability - onehot(label)). Labels in 0..D-1 (asserted). */
typedef void hiss_kernel_softmax_cross_entropy_forward(int64_t M, int64_t D, const float *x, const int32_t *label,
                                                       float *probability, float *loss);
typedef void hiss_kernel_softmax_cross_entropy_backward(int64_t M, int64_t D, const float *probability,
                                                        const int32_t *label, float dloss, float *dx, bool accumulate);

/* loss[M]: of each row the cross-entropy of target[M,D] and softmax(x), -sum of target log softmax(x); targets are 0 or
 * more, of any sum, and a target of 0 counts as 0 whatever x is; probability[M,D] out, kept for backward.
 * Backward: dx (+)= dloss[i] * (probability * (sum of the row's targets) - target). */
typedef void hiss_kernel_soft_cross_entropy_forward(int64_t M, int64_t D, const float *x, const float *target,
                                                    float *probability, float *loss);
typedef void hiss_kernel_soft_cross_entropy_backward(int64_t M, int64_t D, const float *probability,
                                                     const float *target, const float *dloss, float *dx,
                                                     bool accumulate);

/* loss = scale * sum (a - b)^2.  Backward: da (+)= dloss * 2 scale (a - b); db its negative; each may be NULL. */
typedef void hiss_kernel_squared_loss_forward(int64_t count, float scale, const float *a, const float *b, float *loss);
typedef void hiss_kernel_squared_loss_backward(int64_t count, float scale, const float *a, const float *b, float dloss,
                                               float *da, bool accumulate_da, float *db, bool accumulate_db);

/* loss = scale * sum over count of log(1 + e^x) - target x: the cross-entropy of Bernoulli variables of logits x, in
 * nats.  Backward: dx (+)= dloss * scale (sigmoid(x) - target); dtarget (+)= -dloss * scale x; each may be NULL. */
typedef void hiss_kernel_sigmoid_cross_entropy_forward(int64_t count, float scale, const float *x, const float *target,
                                                       float *loss);
typedef void hiss_kernel_sigmoid_cross_entropy_backward(int64_t count, float scale, const float *x, const float *target,
                                                        float dloss, float *dx, bool accumulate_dx, float *dtarget,
                                                        bool accumulate_dtarget);

/* loss = scale * sum over count of |w| log(1 + e^(-sign(w) x)), in nats; 0 for w = 0.
 * Backward: dx (+)= -dloss * scale w / (1 + e^(sign(w) x)). */
typedef void hiss_kernel_logistic_loss_forward(int64_t count, float scale, const float *x, const float *weight,
                                               float *loss);
typedef void hiss_kernel_logistic_loss_backward(int64_t count, float scale, const float *x, const float *weight,
                                                float dloss, float *dx, bool accumulate);

/* loss = scale * sum over count of KL(N(mean, e^log_variance) || N(0, 1)) (Kingma & Welling 2014, appendix B), in nats.
 * Backward: dmean (+)= dloss * scale mean; dlog_variance (+)= dloss * scale (e^log_variance - 1) / 2; each may be
 * NULL. */
typedef void hiss_kernel_gaussian_kl_forward(int64_t count, float scale, const float *mean, const float *log_variance,
                                             float *loss);
typedef void hiss_kernel_gaussian_kl_backward(int64_t count, float scale, const float *mean, const float *log_variance,
                                              float dloss, float *dmean, bool accumulate_dmean, float *dlog_variance,
                                              bool accumulate_dlog_variance);

/* y = a x + b y; b = 0 ignores old y. */
typedef void hiss_kernel_axpby(int64_t count, float a, const float *x, float b, float *y);
/* y = a * b elementwise, or y += a * b. */
typedef void hiss_kernel_multiply(int64_t count, const float *a, const float *b, float *y, bool accumulate);

/* All of them: a new kernel is a type above, a name here, and hiss_ref_NAME and hiss_fast_NAME in src/tensor. */
/* clang-format off */
#define HISS_KERNEL_LIST(X)                                                                             \
    X(gemm) X(narrow_product)                                                                           \
    X(conv2d_scratch) X(conv2d_forward) X(conv2d_backward_data) X(conv2d_backward_weight)               \
    X(linear_scratch) X(linear_forward) X(linear_backward_data) X(linear_backward_weight) X(column_sum) \
    X(add_bias) X(max_pool_forward) X(max_pool_backward) X(average_pool_forward)                        \
    X(average_pool_backward) X(batch_norm_train) X(batch_norm_eval) X(batch_norm_backward)              \
    X(activation_forward) X(activation_backward) X(gated_forward) X(gated_backward)                     \
    X(l2_normalize_forward) X(l2_normalize_backward)                                                    \
    X(softmax_cross_entropy_forward) X(softmax_cross_entropy_backward) X(squared_loss_forward)          \
    X(soft_cross_entropy_forward) X(soft_cross_entropy_backward)                                        \
    X(squared_loss_backward) X(sigmoid_cross_entropy_forward) X(sigmoid_cross_entropy_backward)         \
    X(logistic_loss_forward) X(logistic_loss_backward)                                                  \
    X(gaussian_kl_forward) X(gaussian_kl_backward) X(axpby) X(multiply)
/* clang-format on */

/* What convolutions and linear layers multiply in; they add in float32, and all else is float32. */
typedef enum hiss_precision { HISS_FLOAT32, HISS_BF16 } hiss_precision;
#define HISS_PRECISION_CHOICES "float32|bf16"

typedef struct hiss_kernels {
    const char *name; /* "blas", "ref", "blas in bf16" */
    hiss_precision precision;
    const hiss_kernel_table *table; /* who computes which product; NULL: as built in. Used by hiss_kernels_for */
#define HISS_KERNEL_MEMBER(kernel) hiss_kernel_##kernel *kernel;
    HISS_KERNEL_LIST(HISS_KERNEL_MEMBER)
#undef HISS_KERNEL_MEMBER
    hiss_kernel_byte_product *byte_product; /* NULL where the target has no instruction for it */
    /* For one shape alone (hiss_kernels_for); NULL where the implementation that computes it cannot pool. */
    hiss_kernel_conv2d_pooled_forward *conv2d_pooled_forward;
    hiss_kernel_conv2d_pooled_backward_data *conv2d_pooled_backward_data;
    hiss_kernel_conv2d_pooled_backward_weight *conv2d_pooled_backward_weight;
} hiss_kernels;

const hiss_kernels *hiss_kernels_ref(void);
const hiss_kernels *hiss_kernels_blas(void);
const hiss_kernels *hiss_kernels_named(const char *name); /* NULL when unknown */
extern const char hiss_kernels_choices[];                 /* the names, "|blas|..." */

/* Whether this processor and this build multiply in bfloat16. */
bool hiss_kernels_can_bf16(void);
/* A copy of `ref` or `blas` that multiplies in bfloat16; for blas the processor must be able to. Operands are rounded to
 * the nearest bfloat16, products are exact, and sums of float32 are rounded after each (tensor/kern_bf16.h). Convolutions
 * that would gain nothing stay in float32: fewer than 8 filters, or sums of fewer than 32 products. */
hiss_kernels hiss_kernels_in_bf16(const hiss_kernels *kernels);

/* ---- who computes which product ----
 *
 * The blas backend has several implementations of a product, which differ in speed by shape, and in the last bits. A
 * table of measurements says which one computes which shape; the first row that matches and can compute it counts. A
 * rule on shapes decides where no row does. Shapes of linear layers: x[M,1,1,D], w[F,1,1,D], stride 1, no padding. */

typedef enum hiss_product {
    HISS_CONV2D_FORWARD,
    HISS_CONV2D_BACKWARD_DATA,
    HISS_CONV2D_BACKWARD_WEIGHT,
    HISS_LINEAR_FORWARD,
    HISS_LINEAR_BACKWARD_DATA,
    HISS_LINEAR_BACKWARD_WEIGHT,
    HISS_PRODUCTS
} hiss_product;
enum { HISS_MAX_IMPLEMENTATIONS = 8 };

const char *hiss_product_name(hiss_product product); /* "conv2d_forward" */
/* Name of implementation i, NULL beyond the last; and whether it can compute a shape in the kernels' precision. */
const char *hiss_implementation_name(hiss_product product, int i);
bool hiss_implementation_can(const hiss_kernels *kernels, hiss_product product, int i, const hiss_conv *shape);

/* A text file of rows `product N H W C F R S stride pad implementation`, for linear layers `product M D F
 * implementation`; * stands for any number, # begins a remark. Errors name file and line. */
hiss_status hiss_kernel_table_read(const char *path, hiss_kernel_table **out, hiss_error *err);
void hiss_kernel_table_destroy(hiss_kernel_table *table); /* NULL is allowed */
enum { HISS_KERNEL_ROW = 256 };
/* The row that gives this shape to implementation i, with a newline. */
void hiss_kernel_table_row(hiss_product product, const hiss_conv *shape, int i, char text[HISS_KERNEL_ROW]);

/* Index of the implementation that kernels use for a shape; -1: they have one alone. */
int hiss_kernels_choice(const hiss_kernels *kernels, hiss_product product, const hiss_conv *shape);
/* A copy whose convolutions (linear layers) are for this shape alone, without looking it up. */
hiss_kernels hiss_kernels_for(const hiss_kernels *kernels, bool linear, const hiss_conv *shape);
/* The same with implementation i for one product, whatever the table says; i must be able to compute the shape. */
hiss_kernels hiss_kernels_with(const hiss_kernels *kernels, hiss_product product, int i);

/* Make BLAS single-threaded and subnormal numbers zero (hiss/subnormal.h) for the calling thread, whatever library and
 * environment; every thread that runs kernels calls it once first. Thread-safe. */
void hiss_kernels_enter_thread(void);

/* ---- made of kernels ---- */

/* The k leading eigenvectors of a [D, D], symmetric and without negative eigenvalues, as orthonormal rows vector [k, D],
 * and their eigenvalues value [k], the largest first; 1 <= k <= D. It begins with a subspace drawn from rng; see
 * leading.c. Allocates, unlike kernels. Not collective. Source: Halko, Martinsson & Tropp 2011, algorithm 4.4. */
void hiss_leading_eigenvectors(const hiss_kernels *kernels, hiss_rng rng, int64_t D, const float *a, int64_t k,
                               double *value, float *vector);

/* ---- who computes: the core of OpenBLAS ---- */

/* Let OpenBLAS run this processor with the whole of its width, unless OPENBLAS_CORETYPE says otherwise; empty, it says
 * nothing. Call it first in main: it changes the environment for a moment, and no product may be under way. */
void hiss_kernels_choose_core(void);
/* The core that runs, e.g. "SkylakeX". Static storage. */
const char *hiss_kernels_core(void);
/* Whether this processor has the instructions of a core; true for names that are not known. */
bool hiss_kernels_can_run(const char *core);
/* The core that would use the whole width of this processor; NULL when the one that runs does, or none can. */
const char *hiss_kernels_wider_core(void);

typedef enum hiss_core_verdict {
    HISS_CORE_GOOD,
    HISS_CORE_NARROW,    /* a wider one could run */
    HISS_CORE_UNASKED,   /* another one than OPENBLAS_CORETYPE names */
    HISS_CORE_IMPOSSIBLE /* the processor cannot run it: the first product would end the process */
} hiss_core_verdict;
enum { HISS_CORE_TEXT = 256 };
/* What to say of the core that runs, and what to do about it: one line without a newline; empty when it is good. */
hiss_core_verdict hiss_kernels_judge_core(char text[HISS_CORE_TEXT]);

/* Library, core, and what else affects the bits of results, for the run's identity, e.g. "OpenBLAS 0.3.21 Zen, own
 * kernels 2 with FMA, subnormals as zero". The core is to be chosen before. Static storage. */
const char *hiss_kernels_identity(void);
enum { HISS_KERNELS_IDENTITY = 160 }; /* at most so many characters, with the 0 */

#endif
