/* Reference convolution and pooling: one loop nest per definition, no scratch. */
#include <assert.h>
#include <stdint.h>

#include "tensor/kern_impl.h"

size_t tensor_ref_conv2d_scratch(const hiss_conv *c) {
    (void)c;
    return 0;
}

/* Input position under tap (r, s) of output (p, q) of image n, as an index of rows of C values; -1 in the padding. */
static int64_t input_at(const hiss_conv *c, int64_t n, int64_t p, int64_t q, int64_t r, int64_t s) {
    int64_t h = p * c->stride - c->pad + r;
    int64_t w = q * c->stride - c->pad + s;
    bool inside = h >= 0 && h < c->H && w >= 0 && w < c->W;
    return inside ? (n * c->H + h) * c->W + w : -1;
}

static double conv_at(const hiss_conv *c, const float *x, const float *w, int64_t n, int64_t p, int64_t q, int64_t f) {
    double sum = 0;
    for (int64_t r = 0; r < c->R; r++) {
        for (int64_t s = 0; s < c->S; s++) {
            int64_t at = input_at(c, n, p, q, r, s);
            for (int64_t k = 0; at >= 0 && k < c->C; k++) {
                sum += (double)x[at * c->C + k] * w[((f * c->R + r) * c->S + s) * c->C + k];
            }
        }
    }
    return sum;
}

void tensor_ref_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                               float *scratch) {
    (void)scratch;
    for (int64_t n = 0; n < c->N; n++) {
        for (int64_t p = 0; p < c->P; p++) {
            for (int64_t q = 0; q < c->Q; q++) {
                for (int64_t f = 0; f < c->F; f++) {
                    double sum = conv_at(c, x, w, n, p, q, f) + (bias ? bias[f] : 0);
                    y[((n * c->P + p) * c->Q + q) * c->F + f] = (float)sum;
                }
            }
        }
    }
}

void tensor_ref_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx, bool accumulate,
                                     float *scratch) {
    (void)scratch;
    for (int64_t i = 0; i < c->N * c->H * c->W * c->C && !accumulate; i++) {
        dx[i] = 0;
    }
    for (int64_t n = 0; n < c->N; n++) {
        for (int64_t p = 0; p < c->P; p++) {
            for (int64_t q = 0; q < c->Q; q++) {
                const float *g = dy + ((n * c->P + p) * c->Q + q) * c->F;
                for (int64_t r = 0; r < c->R; r++) {
                    for (int64_t s = 0; s < c->S; s++) {
                        int64_t at = input_at(c, n, p, q, r, s);
                        for (int64_t k = 0; at >= 0 && k < c->C; k++) {
                            double sum = 0;
                            for (int64_t f = 0; f < c->F; f++) {
                                sum += (double)g[f] * w[((f * c->R + r) * c->S + s) * c->C + k];
                            }
                            dx[at * c->C + k] += (float)sum;
                        }
                    }
                }
            }
        }
    }
}

void tensor_ref_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw, bool accumulate,
                                       float *scratch) {
    (void)scratch;
    int64_t RSC = c->R * c->S * c->C;
    for (int64_t i = 0; i < c->F * RSC; i++) {
        int64_t f = i / RSC, r = i % RSC / (c->S * c->C), s = i % (c->S * c->C) / c->C, k = i % c->C;
        double sum = accumulate ? dw[i] : 0;
        for (int64_t n = 0; n < c->N; n++) {
            for (int64_t p = 0; p < c->P; p++) {
                for (int64_t q = 0; q < c->Q; q++) {
                    int64_t at = input_at(c, n, p, q, r, s);
                    if (at >= 0) {
                        sum += (double)x[at * c->C + k] * dy[((n * c->P + p) * c->Q + q) * c->F + f];
                    }
                }
            }
        }
        dw[i] = (float)sum;
    }
}

int64_t hiss_pool_argmax_bytes(const hiss_pooling *p) {
    return p->N * p->P * p->Q * p->C * (p->size <= HISS_BYTE_WINDOW ? 1 : (int64_t)sizeof(int32_t));
}

void tensor_ref_max_pool_forward(const hiss_pooling *p, const float *x, float *y, uint8_t *argmax) {
    assert(p->pad < p->size && p->H * p->W <= INT32_MAX); /* so no window lies wholly in the padding */
    for (int64_t i = 0; i < p->N * p->P * p->Q * p->C; i++) {
        int64_t k = i % p->C, q = i / p->C % p->Q, row = i / p->C / p->Q % p->P, n = i / p->C / p->Q / p->P;
        const float *image = x + n * p->H * p->W * p->C + k;
        const int64_t top = row * p->stride - p->pad, left = q * p->stride - p->pad;
        int64_t best = -1;
        for (int64_t h = top; h < top + p->size; h++) {
            for (int64_t w = left; w < left + p->size; w++) {
                if (h >= 0 && h < p->H && w >= 0 && w < p->W) {
                    float value = image[(h * p->W + w) * p->C];
                    bool nan = value != value; /* NaN wins, so that it is seen */
                    if (best < 0 || nan || value > image[best * p->C]) {
                        best = h * p->W + w;
                    }
                }
            }
        }
        y[i] = image[best * p->C];
        if (p->size <= HISS_BYTE_WINDOW) {
            argmax[i] = (uint8_t)((best / p->W - top) * p->size + (best % p->W - left));
        } else {
            ((int32_t *)(void *)argmax)[i] = (int32_t)best;
        }
    }
}

void tensor_ref_max_pool_backward(const hiss_pooling *p, const float *dy, const uint8_t *argmax, float *dx,
                                  bool accumulate) {
    for (int64_t i = 0; i < p->N * p->H * p->W * p->C && !accumulate; i++) {
        dx[i] = 0;
    }
    for (int64_t i = 0; i < p->N * p->P * p->Q * p->C; i++) {
        const int64_t k = i % p->C, q = i / p->C % p->Q, row = i / p->C / p->Q % p->P, n = i / p->C / p->Q / p->P;
        const int64_t h = row * p->stride - p->pad + argmax[i] / p->size,
                      w = q * p->stride - p->pad + argmax[i] % p->size,
                      at = p->size <= HISS_BYTE_WINDOW ? h * p->W + w : ((const int32_t *)(const void *)argmax)[i];
        dx[(n * p->H * p->W + at) * p->C + k] += dy[i];
    }
}

void tensor_ref_average_pool_forward(const hiss_pooling *p, const float *x, float *y) {
    for (int64_t i = 0; i < p->N * p->P * p->Q * p->C; i++) {
        int64_t k = i % p->C, q = i / p->C % p->Q, row = i / p->C / p->Q % p->P, n = i / p->C / p->Q / p->P;
        double sum = 0;
        for (int64_t h = row * p->stride - p->pad; h < row * p->stride - p->pad + p->size; h++) {
            for (int64_t w = q * p->stride - p->pad; w < q * p->stride - p->pad + p->size; w++) {
                if (h >= 0 && h < p->H && w >= 0 && w < p->W) {
                    sum += x[((n * p->H + h) * p->W + w) * p->C + k];
                }
            }
        }
        y[i] = (float)(sum / (double)(p->size * p->size));
    }
}

void tensor_ref_average_pool_backward(const hiss_pooling *p, const float *dy, float *dx, bool accumulate) {
    for (int64_t i = 0; i < p->N * p->H * p->W * p->C && !accumulate; i++) {
        dx[i] = 0;
    }
    for (int64_t i = 0; i < p->N * p->P * p->Q * p->C; i++) {
        int64_t k = i % p->C, q = i / p->C % p->Q, row = i / p->C / p->Q % p->P, n = i / p->C / p->Q / p->P;
        float share = dy[i] / (float)(p->size * p->size);
        for (int64_t h = row * p->stride - p->pad; h < row * p->stride - p->pad + p->size; h++) {
            for (int64_t w = q * p->stride - p->pad; w < q * p->stride - p->pad + p->size; w++) {
                if (h >= 0 && h < p->H && w >= 0 && w < p->W) {
                    dx[((n * p->H + h) * p->W + w) * p->C + k] += share;
                }
            }
        }
    }
}
