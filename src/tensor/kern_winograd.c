/* Convolutions of stride 1 by Winograd's minimal filtering (Lavin & Gray, "Fast Algorithms for Convolutional Neural
 * Networks", 2016): 4 x 4 outputs from tiles of n x n inputs, n = R + 3, with n*n products per channel pair instead of
 * 16 R*R: 4 times fewer for 3 x 3 kernels (points 0, 3/4, -3/4, 3/2, -3/2 and infinity), 6.25 times for 5 x 5 (0, 1/2,
 * -1/2, 1, -1, 7/4, -7/4 and infinity).
 *
 * With V = B' d B of an input tile d, U = G g G' of the kernel g, the output tile is A' (U V) A. In the n*n positions
 * of a tile the products over channels are matrix products, M_k[T,F] = V_k[T,C] U_k[C,F], over T tiles at a time. The
 * passes:
 *   forward          as above
 *   backward_data    the same with dy for x and the kernel turned by 180 degrees
 *   backward_weight  the adjoint with respect to g: dg = G' (sum over tiles of V_k' (A dy A')_k) G
 * Largest errors, relative to the size of a sum of so many products: 6e-6 for 3 x 3, 2e-5 for 5 x 5. The sizes of
 * groups depend on the shape alone.
 *
 * Cost: 2 n n T F C flops in products, about (n n)(C + F) T multiply-adds and as many loads and stores in transforms. */
#include "tensor/kern_winograd_group.h"

/* Without fused multiply-add, BLAS is the faster: it chooses its kernels at run time. */
bool tensor_winograd_applies(const hiss_conv *c) {
    return FUSES && (c->R == 3 || c->R == 5) && c->S == c->R && c->stride == 1 && c->pad < c->R && c->C % LINE == 0 &&
           c->F % LINE == 0;
}

size_t tensor_winograd_conv2d_scratch(const hiss_conv *c) {
    return larger_scratch(c);
}

/* y (+)= convolution of x with the transformed kernel in w; argmax, or NULL: pooled. */
static ALWAYS_INLINE void convolve(int64_t n, const hiss_conv *c, const work *w, const images *x, const float *bias,
                                   bool accumulate, float *y, uint8_t *argmax) {
    for (int64_t first = 0; first < w->t.tiles; first += w->t.group) {
        const int64_t T = group_at(&w->t, first);
        inputs(n, FLOATS, c, w, first, T, x);
        for (int64_t k = 0; k < n * n; k++) {
            tensor_block_multiply(T, c->F, c->C, (tensor_left){w->in + k * w->in_apart, c->C, 1},
                                  (tensor_right){w->kernel + k * w->kernel_apart, HISS_PANEL, c->C * HISS_PANEL},
                                  w->out + k * w->out_apart, c->F, false);
        }
        outputs(n, c, w, first, T, bias, accumulate, y, argmax);
    }
}

static ALWAYS_INLINE void gather_weights(int64_t n, const hiss_conv *c, const work *w, const float *x, const images *dy,
                                         bool accumulate, float *dw) {
    for (int64_t first = 0; first < w->t.tiles; first += w->t.group) {
        const int64_t T = group_at(&w->t, first);
        inputs(n, FLOATS, c, w, first, T, &(images){x, NULL});
        gradients(n, FLOATS, c, w, first, T, dy);
        for (int64_t k = 0; k < n * n; k++) {
            tensor_block_multiply(c->F, c->C, T, (tensor_left){w->out + k * w->out_apart, 1, c->F},
                                  (tensor_right){w->in + k * w->in_apart, c->C, HISS_PANEL},
                                  w->kernel + k * w->kernel_apart, c->C, first > 0);
        }
    }
    weight_gradients(n, c, w, accumulate, dw);
}

void tensor_winograd_conv2d_pooled_forward(const hiss_conv *c, const float *x, const float *w, const float *bias,
                                           float *y, uint8_t *argmax, float *scratch) {
    const work own = work_of(c, scratch);
    const images in = {x, NULL};
    if (own.t.n == 6) {
        kernels(6, FLOATS, c, &own, w);
        convolve(6, c, &own, &in, bias, false, y, argmax);
    } else {
        kernels(8, FLOATS, c, &own, w);
        convolve(8, c, &own, &in, bias, false, y, argmax);
    }
}

void tensor_winograd_conv2d_pooled_backward_data(const hiss_conv *c, const float *dy, const uint8_t *argmax,
                                                 const float *w, float *dx, bool accumulate, float *scratch) {
    const hiss_conv m = turned(c);
    const work own = work_of(&m, scratch);
    const images in = {dy, argmax};
    if (own.t.n == 6) {
        turned_kernels(6, FLOATS, c, &own, w);
        convolve(6, &m, &own, &in, NULL, accumulate, dx, NULL);
    } else {
        turned_kernels(8, FLOATS, c, &own, w);
        convolve(8, &m, &own, &in, NULL, accumulate, dx, NULL);
    }
}

void tensor_winograd_conv2d_pooled_backward_weight(const hiss_conv *c, const float *x, const float *dy,
                                                   const uint8_t *argmax, float *dw, bool accumulate, float *scratch) {
    const work own = work_of(c, scratch);
    const images gradient = {dy, argmax};
    if (own.t.n == 6) {
        gather_weights(6, c, &own, x, &gradient, accumulate, dw);
    } else {
        gather_weights(8, c, &own, x, &gradient, accumulate, dw);
    }
}

void tensor_winograd_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                    float *scratch) {
    tensor_winograd_conv2d_pooled_forward(c, x, w, bias, y, NULL, scratch);
}

void tensor_winograd_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx,
                                          bool accumulate, float *scratch) {
    tensor_winograd_conv2d_pooled_backward_data(c, dy, NULL, w, dx, accumulate, scratch);
}

void tensor_winograd_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                            bool accumulate, float *scratch) {
    tensor_winograd_conv2d_pooled_backward_weight(c, x, dy, NULL, dw, accumulate, scratch);
}
