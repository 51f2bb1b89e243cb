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

/* ---- windows of 2 x 2 side by side, the common case: everything stays in registers ---- */

bool tensor_pool_can(int64_t C) {
    return C % LANES == 0;
}

static bool is_quarter(const hiss_pooling *c) {
    return c->size == 2 && c->stride == 2 && c->pad == 0 && tensor_pool_can(c->C);
}

static ALWAYS_INLINE ivec everywhere(int32_t value) {
    return value - (ivec){0};
}

static ALWAYS_INLINE ivec choose(ivec mask, ivec a, ivec b) {
    return (mask & a) | (~mask & b);
}

static ALWAYS_INLINE void take(vec value, int32_t at, vec *best, ivec *index) {
    const ivec larger = (value > *best) | (value != value); /* NaN wins, so that it is seen */
    *best = (vec)choose(larger, (ivec)value, (ivec)*best);
    *index = choose(larger, everywhere(at), *index);
}

void tensor_pool_rows(const tensor_row_pair *r, const float *from, float *y, uint8_t *argmax) {
    const int64_t C = r->C, row = r->row;
    for (int64_t q = 0; q < r->windows; q++, from += 2 * C, y += C, argmax += C) {
        for (int64_t k = 0; k < C; k += LANES) {
            vec best = load(from + k);
            ivec index = {0};
            take(load(from + C + k), 1, &best, &index);
            take(load(from + row + k), 2, &best, &index);
            take(load(from + row + C + k), 3, &best, &index);
            store(y + k, best);
            store_bytes(argmax + k, index);
        }
    }
}

static void quarter_forward(const hiss_pooling *c, const float *x, float *y, uint8_t *argmax) {
    const tensor_row_pair r = {c->Q, c->C, c->W * c->C};
    for (int64_t n = 0; n < c->N; n++, x += c->H * r.row) {
        for (int64_t p = 0; p < c->P; p++, y += c->Q * c->C, argmax += c->Q * c->C) {
            tensor_pool_rows(&r, x + 2 * p * r.row, y, argmax);
        }
    }
}

static ALWAYS_INLINE void give(float *to, ivec index, int32_t at, vec gradient, bool accumulate) {
    const vec mine = (vec)((index == everywhere(at)) & (ivec)gradient);
    store(to, accumulate ? load(to) + mine : mine);
}

static ALWAYS_INLINE void give_rows(const tensor_row_pair *r, const float *dy, const uint8_t *argmax, float *to,
                                    bool accumulate) {
    const int64_t C = r->C, row = r->row;
    for (int64_t q = 0; q < r->windows; q++, to += 2 * C, dy += C, argmax += C) {
        for (int64_t k = 0; k < C; k += LANES) {
            const vec gradient = load(dy + k);
            const ivec index = load_bytes(argmax + k);
            give(to + k, index, 0, gradient, accumulate);
            give(to + C + k, index, 1, gradient, accumulate);
            give(to + row + k, index, 2, gradient, accumulate);
            give(to + row + C + k, index, 3, gradient, accumulate);
        }
    }
}

void tensor_unpool_rows(const tensor_row_pair *r, const float *dy, const uint8_t *argmax, float *to) {
    give_rows(r, dy, argmax, to, false);
}

static void quarter_backward(const hiss_pooling *c, const float *dy, const uint8_t *argmax, float *dx,
                             bool accumulate) {
    const tensor_row_pair r = {c->Q, c->C, c->W * c->C};
    if (!accumulate && (c->H % 2 || c->W % 2)) {
        memset(dx, 0, sizeof(float) * (size_t)(c->N * c->H * r.row));
    }
    for (int64_t n = 0; n < c->N; n++, dx += c->H * r.row) {
        for (int64_t p = 0; p < c->P; p++, dy += c->Q * c->C, argmax += c->Q * c->C) {
            if (accumulate) {
                give_rows(&r, dy, argmax, dx + 2 * p * r.row, true);
            } else {
                give_rows(&r, dy, argmax, dx + 2 * p * r.row, false);
            }
        }
    }
}

/* ---- any windows whose places are bytes: vectors of channels, and one by one those that are left ---- */

/* Of the first element that lies in the image as well as in the window; others count from it. */
static int32_t first_place(const hiss_pooling *c, int64_t o, window v) {
    const int64_t top = o / c->Q * c->stride - c->pad, left = o % c->Q * c->stride - c->pad;
    return (int32_t)((v.h0 - top) * c->size + (v.w0 - left));
}

static void byte_forward(const hiss_pooling *c, window v, int32_t first, const float *x, float *y, uint8_t *argmax) {
    const int64_t C = c->C, whole = C - C % LANES;
    for (int64_t k = 0; k < whole; k += LANES) {
        vec best = load(x + (v.h0 * c->W + v.w0) * C + k);
        ivec index = everywhere(first);
        for (int64_t h = v.h0; h < v.h1; h++) {
            const int32_t row = first + (int32_t)((h - v.h0) * c->size);
            for (int64_t w = v.w0; w < v.w1; w++) {
                take(load(x + (h * c->W + w) * C + k), row + (int32_t)(w - v.w0), &best, &index);
            }
        }
        store(y + k, best);
        store_bytes(argmax + k, index);
    }
    for (int64_t k = whole; k < C; k++) {
        y[k] = x[(v.h0 * c->W + v.w0) * C + k];
        argmax[k] = (uint8_t)first;
        for (int64_t h = v.h0; h < v.h1; h++) {
            for (int64_t w = v.w0; w < v.w1; w++) {
                const float value = x[(h * c->W + w) * C + k];
                const bool larger = (value > y[k]) | (value != value);
                y[k] = larger ? value : y[k];
                argmax[k] = larger ? (uint8_t)(first + (h - v.h0) * c->size + (w - v.w0)) : argmax[k];
            }
        }
    }
}

static void byte_backward(const hiss_pooling *c, window v, int32_t first, const float *dy, const uint8_t *argmax,
                          float *dx) {
    const int64_t C = c->C, whole = C - C % LANES;
    for (int64_t k = 0; k < whole; k += LANES) {
        const vec gradient = load(dy + k);
        const ivec index = load_bytes(argmax + k);
        for (int64_t h = v.h0; h < v.h1; h++) {
            const int32_t row = first + (int32_t)((h - v.h0) * c->size);
            for (int64_t w = v.w0; w < v.w1; w++) {
                float *to = dx + (h * c->W + w) * C + k;
                const vec old = load(to);
                const ivec mine = index == everywhere(row + (int32_t)(w - v.w0));
                store(to, (vec)choose(mine, (ivec)(old + gradient), (ivec)old));
            }
        }
    }
    for (int64_t k = whole; k < C; k++) {
        const int64_t place = argmax[k] - first;
        dx[((v.h0 + place / c->size) * c->W + v.w0 + place % c->size) * C + k] += dy[k];
    }
}

/* ---- windows beyond bytes ---- */

static void take_larger(int64_t C, const float *restrict x, int32_t at, float *restrict y, int32_t *restrict argmax) {
    for (int64_t k = 0; k < C; k++) {
        float value = x[k], best = y[k];
        bool larger = (value > best) | (value != value);
        y[k] = larger ? value : best;
        argmax[k] = larger ? at : argmax[k];
    }
}

static void wide_forward(const hiss_pooling *c, window v, const float *x, float *y, int32_t *argmax) {
    const int64_t first = v.h0 * c->W + v.w0;
    memcpy(y, x + first * c->C, sizeof(float) * (size_t)c->C);
    for (int64_t k = 0; k < c->C; k++) {
        argmax[k] = (int32_t)first;
    }
    for (int64_t h = v.h0; h < v.h1; h++) {
        for (int64_t at = h * c->W + v.w0; at < h * c->W + v.w1; at++) {
            take_larger(c->C, x + at * c->C, (int32_t)at, y, argmax);
        }
    }
}

static void wide_backward(const hiss_pooling *c, const float *dy, const int32_t *argmax, float *dx) {
    for (int64_t k = 0; k < c->C; k++) {
        dx[argmax[k] * c->C + k] += dy[k];
    }
}

/* ---- any windows ---- */

void tensor_fast_max_pool_forward(const hiss_pooling *c, const float *x, float *y, uint8_t *argmax) {
    assert(c->pad < c->size && c->H * c->W <= INT32_MAX);
    if (is_quarter(c)) {
        quarter_forward(c, x, y, argmax);
        return;
    }
    for (int64_t i = 0; i < c->N * c->P * c->Q; i++, y += c->C) {
        const int64_t n = i / (c->P * c->Q), o = i % (c->P * c->Q);
        const float *image = x + n * c->H * c->W * c->C;
        const window v = window_at(c, o / c->Q, o % c->Q);
        if (c->size <= HISS_BYTE_WINDOW) {
            byte_forward(c, v, first_place(c, o, v), image, y, argmax + i * c->C);
        } else {
            wide_forward(c, v, image, y, (int32_t *)(void *)argmax + i * c->C);
        }
    }
}

void tensor_fast_max_pool_backward(const hiss_pooling *c, const float *dy, const uint8_t *argmax, float *dx,
                                   bool accumulate) {
    int64_t image = c->H * c->W * c->C;
    if (is_quarter(c)) {
        quarter_backward(c, dy, argmax, dx, accumulate);
        return;
    }
    if (!accumulate) {
        memset(dx, 0, sizeof(float) * (size_t)(c->N * image));
    }
    for (int64_t i = 0; i < c->N * c->P * c->Q; i++, dy += c->C) {
        const int64_t n = i / (c->P * c->Q), o = i % (c->P * c->Q);
        const window v = window_at(c, o / c->Q, o % c->Q);
        if (c->size <= HISS_BYTE_WINDOW) {
            byte_backward(c, v, first_place(c, o, v), dy, argmax + i * c->C, dx + n * image);
        } else {
            wide_backward(c, dy, (const int32_t *)(const void *)argmax + i * c->C, dx + n * image);
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
