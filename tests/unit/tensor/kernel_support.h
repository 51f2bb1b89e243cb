/* What the kernel tests share: reproducible values and judging by tolerance. */
#ifndef HISS_TESTS_KERNEL_SUPPORT_H
#define HISS_TESTS_KERNEL_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "hiss/alloc.h"
#include "hiss/kernels.h"

/* xorshift64*: enough for test values, and independent of the library under test. */
static inline uint64_t next_word(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717ULL;
}

static inline float next_value(uint64_t *state) { /* [-1, 1) */
    return (float)((double)(next_word(state) >> 40) / (double)(1 << 23) - 1);
}

static inline int64_t next_below(uint64_t *state, int64_t n) {
    return (int64_t)(next_word(state) >> 33) % n;
}

static inline int64_t next_among(uint64_t *state, int64_t count, const int64_t *choices) {
    return choices[next_below(state, count)];
}

static inline void fill(uint64_t *state, int64_t count, float *x) {
    for (int64_t i = 0; i < count; i++) {
        x[i] = next_value(state);
    }
}

static inline float *new_filled(uint64_t *state, int64_t count) {
    float *x = hiss_new(float, count);
    fill(state, count, x);
    return x;
}

static inline float *new_copy(int64_t count, const float *from) {
    float *x = hiss_new(float, count);
    memcpy(x, from, sizeof(float) * (size_t)count);
    return x;
}

static inline double dot(int64_t count, const float *a, const float *b) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += (double)a[i] * b[i];
    }
    return sum;
}

/* a and b agree to tolerance times max(|a|, |b|, floor). */
static inline void assert_near(const char *what, int64_t count, const float *a, const float *b, double floor,
                               double tolerance) {
    hiss_difference d = hiss_floats_compare(count, a, b, floor);
    if (d.has_nan || d.max_relative > tolerance) {
        fail_msg("%s: relative difference %g (allowed %g), at %lld: %g and %g", what, d.max_relative, tolerance,
                 (long long)d.worst, (double)a[d.worst], (double)b[d.worst]);
    }
}

static inline void assert_same_bits(const char *what, int64_t count, const float *a, const float *b) {
    for (int64_t i = 0; i < count; i++) {
        if (memcmp(a + i, b + i, sizeof(float)) != 0) {
            fail_msg("%s: bits differ at %lld: %.9g and %.9g", what, (long long)i, (double)a[i], (double)b[i]);
        }
    }
}

#endif
