/* Pooling, vectorised over channels: an output row of C values is filled from the C values under each window position
 * in turn, a copy of the reference's arithmetic per element, so that results agree to the bit. */
#include "tensor/kern_impl.h"
#include "tensor/kern_vec.h"
#include <assert.h>

/* The part of the window of output (p, q) inside the image: h0 <= h < h1, w0 <= w < w1. */
typedef struct window {
    int64_t h0, h1, w0, w1;
} window;

static window window_at(const hiss_pooling *c, int64_t p, int64_t q) {
    int64_t h = p * c->stride - c->pad, w = q * c->stride - c->pad;
    return (window){h < 0 ? 0 : h, h + c->size < c->H ? h + c->size : c->H, w < 0 ? 0 : w,
                    w + c->size < c->W ? w + c->size : c->W};
}

static void take_first(int64_t C, const float *restrict x, int32_t at, float *restrict y, int32_t *restrict argmax) {
    for (int64_t k = 0; k < C; k++) {
        y[k] = x[k];
        argmax[k] = at;
    }
}

static void take_larger(int64_t C, const float *restrict x, int32_t at, float *restrict y, int32_t *restrict argmax) {
    for (int64_t k = 0; k < C; k++) {
        float value = x[k], best = y[k];
        bool take = (value > best) | (value != value); /* NaN wins, so that it is seen */
        y[k] = take ? value : best;
        argmax[k] = take ? at : argmax[k];
    }
}

/* ---- windows of 2 x 2 side by side, the common case: everything stays in registers ---- */

typedef int32_t ivec __attribute__((vector_size(4 * LANES)));

bool tensor_pool_can(int64_t C) {
    return C % LANES == 0;
}

static bool is_quarter(const hiss_pooling *c) {
    return c->size == 2 && c->stride == 2 && c->pad == 0 && tensor_pool_can(c->C);
}

static ALWAYS_INLINE ivec choose(ivec mask, ivec a, ivec b) {
    return (mask & a) | (~mask & b);
}

static ALWAYS_INLINE void take(vec value, int32_t at, vec *best, ivec *index) {
    const ivec larger = (value > *best) | (value != value); /* NaN wins, so that it is seen */
    *best = (vec)choose(larger, (ivec)value, (ivec)*best);
    *index = choose(larger, at - (ivec){0}, *index);
}

void tensor_pool_rows(const tensor_row_pair *r, const float *from, float *y, int32_t *argmax) {
    const int64_t C = r->C, row = r->row;
    int32_t at = r->first;
    for (int64_t q = 0; q < r->windows; q++, from += 2 * C, at += 2, y += C, argmax += C) {
        for (int64_t k = 0; k < C; k += LANES) {
            vec best = load(from + k);
            ivec index = at - (ivec){0};
            take(load(from + C + k), at + 1, &best, &index);
            take(load(from + row + k), at + r->below, &best, &index);
            take(load(from + row + C + k), at + r->below + 1, &best, &index);
            store(y + k, best);
            memcpy(argmax + k, &index, sizeof index);
        }
    }
}

tensor_row_pair tensor_output_rows(const hiss_conv *c, int64_t p, int64_t row) {
    return (tensor_row_pair){c->Q / 2, c->F, row, (int32_t)(2 * p * c->Q), (int32_t)c->Q};
}

static tensor_row_pair pair_at(const hiss_pooling *c, int64_t p) {
    return (tensor_row_pair){c->Q, c->C, c->W * c->C, (int32_t)(2 * p * c->W), (int32_t)c->W};
}

static void quarter_forward(const hiss_pooling *c, const float *x, float *y, int32_t *argmax) {
    const int64_t row = c->W * c->C;
    for (int64_t n = 0; n < c->N; n++, x += c->H * row) {
        for (int64_t p = 0; p < c->P; p++, y += c->Q * c->C, argmax += c->Q * c->C) {
            const tensor_row_pair r = pair_at(c, p);
            tensor_pool_rows(&r, x + 2 * p * row, y, argmax);
        }
    }
}

static ALWAYS_INLINE void give(float *to, ivec index, int32_t at, vec gradient, bool accumulate) {
    const vec mine = (vec)((index == at - (ivec){0}) & (ivec)gradient);
    store(to, accumulate ? load(to) + mine : mine);
}

static ALWAYS_INLINE void give_rows(const tensor_row_pair *r, const float *dy, const int32_t *argmax, float *to,
                                    bool accumulate) {
    const int64_t C = r->C, row = r->row;
    int32_t at = r->first;
    for (int64_t q = 0; q < r->windows; q++, to += 2 * C, at += 2, dy += C, argmax += C) {
        for (int64_t k = 0; k < C; k += LANES) {
            const vec gradient = load(dy + k);
            ivec index;
            memcpy(&index, argmax + k, sizeof index);
            give(to + k, index, at, gradient, accumulate);
            give(to + C + k, index, at + 1, gradient, accumulate);
            give(to + row + k, index, at + r->below, gradient, accumulate);
            give(to + row + C + k, index, at + r->below + 1, gradient, accumulate);
        }
    }
}

void tensor_unpool_rows(const tensor_row_pair *r, const float *dy, const int32_t *argmax, float *to) {
    give_rows(r, dy, argmax, to, false);
}

static void quarter_backward(const hiss_pooling *c, const float *dy, const int32_t *argmax, float *dx,
                             bool accumulate) {
    const int64_t row = c->W * c->C;
    if (!accumulate && (c->H % 2 || c->W % 2)) {
        memset(dx, 0, sizeof(float) * (size_t)(c->N * c->H * row));
    }
    for (int64_t n = 0; n < c->N; n++, dx += c->H * row) {
        for (int64_t p = 0; p < c->P; p++, dy += c->Q * c->C, argmax += c->Q * c->C) {
            const tensor_row_pair r = pair_at(c, p);
            if (accumulate) {
                give_rows(&r, dy, argmax, dx + 2 * p * row, true);
            } else {
                give_rows(&r, dy, argmax, dx + 2 * p * row, false);
            }
        }
    }
}

/* ---- any windows ---- */

void tensor_fast_max_pool_forward(const hiss_pooling *c, const float *x, float *y, int32_t *argmax) {
    assert(c->pad < c->size && c->H * c->W <= INT32_MAX);
    if (is_quarter(c)) {
        quarter_forward(c, x, y, argmax);
        return;
    }
    for (int64_t n = 0; n < c->N; n++, x += c->H * c->W * c->C) {
        for (int64_t o = 0; o < c->P * c->Q; o++, y += c->C, argmax += c->C) {
            window v = window_at(c, o / c->Q, o % c->Q);
            take_first(c->C, x + (v.h0 * c->W + v.w0) * c->C, (int32_t)(v.h0 * c->W + v.w0), y, argmax);
            for (int64_t h = v.h0; h < v.h1; h++) {
                for (int64_t at = h * c->W + v.w0; at < h * c->W + v.w1; at++) {
                    take_larger(c->C, x + at * c->C, (int32_t)at, y, argmax);
                }
            }
        }
    }
}

static void give_back(int64_t C, const float *restrict dy, const int32_t *restrict argmax, int32_t at,
                      float *restrict dx) {
    for (int64_t k = 0; k < C; k++) {
        float sum = dx[k] + dy[k];
        dx[k] = argmax[k] == at ? sum : dx[k];
    }
}

void tensor_fast_max_pool_backward(const hiss_pooling *c, const float *dy, const int32_t *argmax, float *dx,
                                   bool accumulate) {
    int64_t image = c->H * c->W * c->C;
    if (is_quarter(c)) {
        quarter_backward(c, dy, argmax, dx, accumulate);
        return;
    }
    if (!accumulate) {
        memset(dx, 0, sizeof(float) * (size_t)(c->N * image));
    }
    for (int64_t n = 0; n < c->N; n++, dx += image) {
        for (int64_t o = 0; o < c->P * c->Q; o++, dy += c->C, argmax += c->C) {
            window v = window_at(c, o / c->Q, o % c->Q);
            for (int64_t h = v.h0; h < v.h1; h++) {
                for (int64_t at = h * c->W + v.w0; at < h * c->W + v.w1; at++) {
                    give_back(c->C, dy, argmax, (int32_t)at, dx + at * c->C);
                }
            }
        }
    }
}

static void add(int64_t C, const float *restrict x, float *restrict y) {
    for (int64_t k = 0; k < C; k++) {
        y[k] += x[k];
    }
}

void tensor_fast_average_pool_forward(const hiss_pooling *c, const float *x, float *y) {
    float area = (float)(c->size * c->size);
    for (int64_t n = 0; n < c->N; n++, x += c->H * c->W * c->C) {
        for (int64_t o = 0; o < c->P * c->Q; o++, y += c->C) {
            window v = window_at(c, o / c->Q, o % c->Q);
            memset(y, 0, sizeof(float) * (size_t)c->C);
            for (int64_t h = v.h0; h < v.h1; h++) {
                for (int64_t at = h * c->W + v.w0; at < h * c->W + v.w1; at++) {
                    add(c->C, x + at * c->C, y);
                }
            }
            for (int64_t k = 0; k < c->C; k++) {
                y[k] /= area;
            }
        }
    }
}

static void add_share(int64_t C, const float *restrict dy, float area, float *restrict dx) {
    for (int64_t k = 0; k < C; k++) {
        dx[k] += dy[k] / area;
    }
}

void tensor_fast_average_pool_backward(const hiss_pooling *c, const float *dy, float *dx, bool accumulate) {
    int64_t image = c->H * c->W * c->C;
    float area = (float)(c->size * c->size);
    if (!accumulate) {
        memset(dx, 0, sizeof(float) * (size_t)(c->N * image));
    }
    for (int64_t n = 0; n < c->N; n++, dx += image) {
        for (int64_t o = 0; o < c->P * c->Q; o++, dy += c->C) {
            window v = window_at(c, o / c->Q, o % c->Q);
            for (int64_t h = v.h0; h < v.h1; h++) {
                for (int64_t at = h * c->W + v.w0; at < h * c->W + v.w1; at++) {
                    add_share(c->C, dy, area, dx + at * c->C);
                }
            }
        }
    }
}
