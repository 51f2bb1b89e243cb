/* Convolutions of 3 x 3 by the minimal filtering of kern_winograd.c, with products of bfloat16: transforms are in
 * float32, and what they give is rounded as it is stored. Forward and backward_data pair channels, backward_weight
 * pairs tiles; an odd last tile pairs with zero.
 *
 * Transforms make rounding errors larger: 1 % of the size of a sum (root mean square), where products of x and w
 * rounded as they are make 0.25 %. Kernels of 5 x 5 would make 4 %, so they are not computed here.
 *
 * Cost: as in kern_winograd.c, at half the time per product and half the memory of what is multiplied. */
#include <assert.h>

#include "tensor/kern_bf16.h"
#include "tensor/kern_winograd_group.h"

bool tensor_bf16_winograd_applies(const hiss_conv *c) {
    return c->R == 3 && c->S == 3 && c->stride == 1 && c->pad < 3 && c->C % LINE == 0 && c->F % LINE == 0;
}

size_t tensor_bf16_winograd_conv2d_scratch(const hiss_conv *c) {
    return larger_scratch(c);
}

#if defined __AVX512BF16__ && defined __AVX512F__
enum { SIDE = 6, PLANES = SIDE * SIDE };

/* Planes of halves or pairs take half the place, and lie closer. */
static work closer(const hiss_conv *c, float *scratch, bool in, bool kernel, bool out) {
    work w = work_of(c, scratch);
    const int64_t T = (w.t.group + 1) / 2 * 2;
    w.in_apart = in ? plane(T / 2, c->C) : w.in_apart;
    w.out_apart = out ? plane(T / 2, c->F) : w.out_apart;
    w.kernel_apart = kernel ? plane(c->C / 2, panels(c->F)) : w.kernel_apart;
    return w;
}

/* y (+)= convolution of x with the transformed kernel in w; argmax, or NULL: pooled. */
static void convolve(const hiss_conv *c, const work *w, const images *x, const float *bias, bool accumulate, float *y,
                     uint8_t *argmax) {
    const int64_t pairs_deep = c->C / 2;
    for (int64_t first = 0; first < w->t.tiles; first += w->t.group) {
        const int64_t T = group_at(&w->t, first);
        inputs(SIDE, HALVES, c, w, first, T, x);
        for (int64_t k = 0; k < PLANES; k++) {
            const tensor_left_pairs in = {(const uint32_t *)(w->in + k * w->in_apart), pairs_deep, 1};
            const tensor_right_pairs kernel = {(const uint32_t *)(w->kernel + k * w->kernel_apart), HISS_PANEL,
                                               pairs_deep * HISS_PANEL};
            tensor_bf16_multiply(T, c->F, pairs_deep, in, kernel, w->out + k * w->out_apart, c->F, false);
        }
        outputs(SIDE, c, w, first, T, bias, accumulate, y, argmax);
    }
}

void tensor_bf16_winograd_conv2d_pooled_forward(const hiss_conv *c, const float *x, const float *w, const float *bias,
                                                float *y, uint8_t *argmax, float *scratch) {
    const work own = closer(c, scratch, true, true, false);
    kernels(SIDE, PAIRS, c, &own, w);
    convolve(c, &own, &(images){x, NULL}, bias, false, y, argmax);
}

void tensor_bf16_winograd_conv2d_pooled_backward_data(const hiss_conv *c, const float *dy, const uint8_t *argmax,
                                                      const float *w, float *dx, bool accumulate, float *scratch) {
    const hiss_conv m = turned(c);
    const work own = closer(&m, scratch, true, true, false);
    turned_kernels(SIDE, PAIRS, c, &own, w);
    convolve(&m, &own, &(images){dy, argmax}, NULL, accumulate, dx, NULL);
}

void tensor_bf16_winograd_conv2d_pooled_backward_weight(const hiss_conv *c, const float *x, const float *dy,
                                                        const uint8_t *argmax, float *dw, bool accumulate,
                                                        float *scratch) {
    const work w = closer(c, scratch, true, false, true);
    for (int64_t first = 0; first < w.t.tiles; first += w.t.group) {
        const int64_t T = group_at(&w.t, first);
        inputs(SIDE, PAIRS, c, &w, first, T, &(images){x, NULL});
        gradients(SIDE, PAIRS, c, &w, first, T, &(images){dy, argmax});
        for (int64_t k = 0; k < PLANES; k++) {
            const tensor_left_pairs out = {(const uint32_t *)(w.out + k * w.out_apart), 1, c->F};
            const tensor_right_pairs in = {(const uint32_t *)(w.in + k * w.in_apart), c->C, HISS_PANEL};
            tensor_bf16_multiply(c->F, c->C, (T + 1) / 2, out, in, w.kernel + k * w.kernel_apart, c->C, first > 0);
        }
    }
    weight_gradients(SIDE, c, &w, accumulate, dw);
}
#else
void tensor_bf16_winograd_conv2d_pooled_forward(const hiss_conv *c, const float *x, const float *w, const float *bias,
                                                float *y, uint8_t *argmax, float *scratch) {
    (void)c, (void)x, (void)w, (void)bias, (void)y, (void)argmax, (void)scratch;
    assert(!"not compiled in");
}

void tensor_bf16_winograd_conv2d_pooled_backward_data(const hiss_conv *c, const float *dy, const uint8_t *argmax,
                                                      const float *w, float *dx, bool accumulate, float *scratch) {
    (void)c, (void)dy, (void)argmax, (void)w, (void)dx, (void)accumulate, (void)scratch;
    assert(!"not compiled in");
}

void tensor_bf16_winograd_conv2d_pooled_backward_weight(const hiss_conv *c, const float *x, const float *dy,
                                                        const uint8_t *argmax, float *dw, bool accumulate,
                                                        float *scratch) {
    (void)c, (void)x, (void)dy, (void)argmax, (void)dw, (void)accumulate, (void)scratch;
    assert(!"not compiled in");
}
#endif

void tensor_bf16_winograd_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias,
                                         float *y, float *scratch) {
    tensor_bf16_winograd_conv2d_pooled_forward(c, x, w, bias, y, NULL, scratch);
}

void tensor_bf16_winograd_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx,
                                               bool accumulate, float *scratch) {
    tensor_bf16_winograd_conv2d_pooled_backward_data(c, dy, NULL, w, dx, accumulate, scratch);
}

void tensor_bf16_winograd_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                                 bool accumulate, float *scratch) {
    tensor_bf16_winograd_conv2d_pooled_backward_weight(c, x, dy, NULL, dw, accumulate, scratch);
}
