/* Uniform numbers and normals in vectors: a vector's lanes hold blocks of the stream side by side, words in the low
 * halves of 64 bits.
 *
 * The arithmetic is that of rng.c operation by operation; IEEE 754 gives each the same result in a lane as alone, so
 * the bits are the same, for any length of vector. Branches become selections of bits. Two operations that compilers do
 * not find by themselves, the square root and the product of 32-bit words, are named by intrinsics. Without AVX2 there
 * is nothing to gain. */
#include "base/rng_impl.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#if defined(__AVX512F__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

typedef double reals __attribute__((vector_size(LANES * 8)));
typedef uint64_t words __attribute__((vector_size(LANES * 8)));

static inline reals all(double x) {
    return (reals){0} + x;
}

static inline words all_words(uint64_t x) {
    return (words){0} + x;
}

#if defined(__AVX512F__)
static inline reals square_root(reals x) {
    return (reals)_mm512_sqrt_pd((__m512d)x);
}
static inline words product(words a, words b) {
    return (words)_mm512_mul_epu32((__m512i)a, (__m512i)b);
}
#else
static inline reals square_root(reals x) {
    return (reals)_mm256_sqrt_pd((__m256d)x);
}
static inline words product(words a, words b) {
    return (words)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}
#endif

/* mask ? a : b, lanes of mask being all ones or zero. */
static inline reals choose(words mask, reals a, reals b) {
    return (reals)(((words)a & mask) | ((words)b & ~mask));
}

/* Exact below 2^52. */
static inline reals real_of(words x) {
    return (reals)(x | 0x4330000000000000u) - all(0x1p52);
}

/* Ten rounds of Philox on LANES counters that differ in the first word. */
static inline void philox(const hiss_rng *rng, words c[4]) {
    const words low = all_words(UINT32_MAX);
    uint32_t k0 = rng->key[0], k1 = rng->key[1];
    for (int w = 0; w < 4; w++) {
        c[w] = all_words(rng->counter[w]);
    }
    for (unsigned i = 0; i < LANES; i++) {
        c[0][i] += i;
    }
    for (int round = 0; round < 10; round++) {
        const words a = product(c[0], all_words(0xD2511F53u)), b = product(c[2], all_words(0xCD9E8D57u));
        c[0] = (b >> 32) ^ c[1] ^ all_words(k0);
        c[1] = b & low;
        c[2] = (a >> 32) ^ c[3] ^ all_words(k1);
        c[3] = a & low;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

int64_t base_rng_uniforms_wide(hiss_rng *rng, int64_t n, float *out) {
    int64_t made = 0;
    while (rng->left == 0 && n - made >= 4 * LANES && rng->counter[0] < UINT32_MAX - LANES) {
        words c[4];
        philox(rng, c);
        rng->counter[0] += LANES;
        for (int i = 0; i < LANES; i++) {
            for (int w = 0; w < 4; w++) {
                out[made + 4 * i + w] = (float)(uint32_t)(c[w][i] >> 8) * 0x1p-24f;
            }
        }
        made += 4 * LANES;
    }
    return made;
}

static inline reals minus_two_log(words word) {
    const reals u = (real_of(word) + 1.0) * 0x1p-32;
    reals m = (reals)(((words)u & 0xFFFFFFFFFFFFFu) | 0x3FE0000000000000u); /* u = m 2^exponent, 1/2 <= m < 1 */
    reals exponent = real_of((words)u >> 52) - 1022.0;
    const words small = (words)(m < 0.70710678118654752);
    m = choose(small, m * 2.0, m);
    exponent = choose(small, exponent - 1.0, exponent);
    const reals s = (m - 1.0) / (m + 1.0), t = s * s;
    reals series = all(1.0 / 17);
#pragma GCC unroll 8
    for (int k = 15; k >= 1; k -= 2) {
        series = series * t + 1.0 / k;
    }
    return -4.0 * s * series - 2.0 * 0.69314718055994531 * exponent;
}

static inline void circle_point(words word, reals *x, reals *y) {
    const reals angle = (real_of(word & 0x3FFFFFFFu) * 0x1p-30 - 0.5) * 1.57079632679489662, t = angle * angle;
    reals sine = all(1.0), cosine = all(1.0);
#pragma GCC unroll 7
    for (int k = 14; k >= 2; k -= 2) {
        cosine = 1.0 - cosine * t * (1.0 / (k * (k - 1)));
        sine = 1.0 - sine * t * (1.0 / (k * (k + 1)));
    }
    sine *= angle;
    /* a quarter turn takes (x, y) to (-y, x), half a turn to (-x, -y) */
    const words quarter = -(word >> 30 & 1), half = (word >> 31) << 63, sign = all_words((uint64_t)1 << 63);
    *x = (reals)((words)choose(quarter, (reals)((words)sine ^ sign), cosine) ^ half);
    *y = (reals)((words)choose(quarter, cosine, sine) ^ half);
}

int64_t base_rng_normals_wide(hiss_rng *rng, int64_t n, float *out) {
    int64_t made = 0;
    while (rng->left == 0 && n - made >= 4 * LANES && rng->counter[0] < UINT32_MAX - LANES) {
        words c[4];
        philox(rng, c);
        rng->counter[0] += LANES;
        for (int pair = 0; pair < 2; pair++) {
            reals x, y;
            const reals radius = square_root(minus_two_log(c[2 * pair]));
            circle_point(c[2 * pair + 1], &x, &y);
            x *= radius;
            y *= radius;
            for (int i = 0; i < LANES; i++) {
                out[made + 4 * i + 2 * pair] = (float)x[i];
                out[made + 4 * i + 2 * pair + 1] = (float)y[i];
            }
        }
        made += 4 * LANES;
    }
    return made;
}

#else

int64_t base_rng_uniforms_wide(hiss_rng *rng, int64_t n, float *out) {
    (void)rng;
    (void)n;
    (void)out;
    return 0;
}

int64_t base_rng_normals_wide(hiss_rng *rng, int64_t n, float *out) {
    (void)rng;
    (void)n;
    (void)out;
    return 0;
}

#endif
