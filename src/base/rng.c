/* Philox-4x32-10 streams, normals, and permutations that are computed instead of stored.
 *
 * Generator.  Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, section 3.3. The key
 * is the seed; the counter names the stream and the block within it, so two streams never share a counter. Block
 * 2^32 - 1 of every stream is set aside for the key of the permutation of that name.
 *
 * Normals.  Box and Muller, Annals of Mathematical Statistics 29 (1958): a radius sqrt(-2 log u) and an angle.
 * Logarithm, sine and cosine are evaluated here, in double, from additions, multiplications, divisions and square roots
 * only: IEEE 754 fixes the result of these to the last bit, whereas libm picks other code on other processors. Their
 * relative error is below 1e-12, the rounding to float dominates. The largest possible |normal| is sqrt(64 log 2)
 * = 6.66. Long draws are made in vectors (rng_wide.c).
 *
 * Permutation.  A balanced Feistel network (Luby and Rackoff, SIAM J. Computing 17, 1988) of ROUNDS rounds on 2h bits,
 * 4^h >= n, restricted to 0..n-1 by walking along the cycle until the walk is back inside (Black and Rogaway, "Ciphers
 * with Arbitrary Finite Domains", CT-RSA 2002): since 4^h < 4n, fewer than 4 evaluations on average. Two flaws show in
 * statistics and are mended. (1) A network on 4 and more bits is an even permutation of 0..4^h-1, and the walk lets a
 * share n(n-1) / (4^h (4^h - 1)) of that bias through to 0..n-1; so one key bit decides whether images 0 and 1 change
 * places. (2) On 2 and 4 bits the mixing itself is slow; so for n <= SMALL_SET the permutation is dealt outright
 * (Fisher and Yates) at each look-up, which is uniform. */
#include <assert.h>
#include <math.h>

#include "base/rng_impl.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* gcc -std=c11 never contracts */
#endif

enum { ROUNDS = 8, SMALL_SET = 16 };

void hiss_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

hiss_rng hiss_rng_keyed(uint64_t seed, hiss_purpose purpose, int64_t when, int64_t id) {
    assert(0 <= id && id < (int64_t)1 << 48);
    assert(0 <= when && when < (int64_t)1 << 32);
    return (hiss_rng){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                      .counter = {0, (uint32_t)when, (uint32_t)id, (uint32_t)purpose << 16 | (uint32_t)(id >> 32)}};
}

uint32_t hiss_rng_word(hiss_rng *rng) {
    if (rng->left == 0) {
        assert(rng->counter[0] < UINT32_MAX && "stream used up");
        hiss_philox4x32(rng->counter, rng->key, rng->word);
        rng->counter[0]++;
        rng->left = 4;
    }
    return rng->word[4 - rng->left--];
}

float hiss_rng_uniform(hiss_rng *rng) {
    return (float)(hiss_rng_word(rng) >> 8) * 0x1p-24f;
}

void hiss_rng_uniforms(hiss_rng *rng, int64_t n, float *out) {
    int64_t i = 0;
    while (i < n && rng->left > 0) {
        out[i++] = hiss_rng_uniform(rng);
    }
    for (i += base_rng_uniforms_wide(rng, n - i, out + i); i < n; i++) {
        out[i] = hiss_rng_uniform(rng);
    }
}

float hiss_rng_between(hiss_rng *rng, float low, float high) {
    return low + (high - low) * hiss_rng_uniform(rng);
}

int64_t hiss_rng_below(hiss_rng *rng, int64_t n) {
    assert(n >= 1);
    uint64_t mask = (uint64_t)n - 1;
    for (int shift = 1; shift < 64; shift *= 2) {
        mask |= mask >> shift;
    }
    for (;;) {
        uint64_t value = hiss_rng_word(rng);
        if (mask > UINT32_MAX) {
            value |= (uint64_t)hiss_rng_word(rng) << 32;
        }
        value &= mask;
        if (value < (uint64_t)n) {
            return (int64_t)value;
        }
    }
}

/* -2 log(u) of u = (word + 1) / 2^32, by log(m) = 2 artanh((m - 1) / (m + 1)) for m in [sqrt(1/2), sqrt(2)). */
static double minus_two_log(uint32_t word) {
    int exponent;
    double m = frexp(((double)word + 1.0) * 0x1p-32, &exponent); /* exact */
    if (m < 0.70710678118654752) {
        m *= 2.0;
        exponent--;
    }
    double s = (m - 1.0) / (m + 1.0), t = s * s, series = 1.0 / 17;
    for (int k = 15; k >= 1; k -= 2) {
        series = series * t + 1.0 / k;
    }
    return -4.0 * s * series - 2.0 * 0.69314718055994531 * exponent;
}

/* A point on the unit circle, its angle uniform: the quarter by two bits, the place in it by the other thirty. */
static void circle_point(uint32_t word, double *x, double *y) {
    double angle = ((double)(word & 0x3FFFFFFFu) * 0x1p-30 - 0.5) * 1.57079632679489662, t = angle * angle;
    double sine = 1.0, cosine = 1.0;
    for (int k = 14; k >= 2; k -= 2) {
        cosine = 1.0 - cosine * t * (1.0 / (k * (k - 1)));
        sine = 1.0 - sine * t * (1.0 / (k * (k + 1)));
    }
    sine *= angle;
    switch (word >> 30) {
    case 0:
        *x = cosine, *y = sine;
        break;
    case 1:
        *x = -sine, *y = cosine;
        break;
    case 2:
        *x = -cosine, *y = -sine;
        break;
    default:
        *x = sine, *y = -cosine;
        break;
    }
}

void hiss_rng_normals(hiss_rng *rng, int64_t n, float *out) {
    for (int64_t i = base_rng_normals_wide(rng, n, out); i < n; i += 2) {
        double x, y, radius = sqrt(minus_two_log(hiss_rng_word(rng)));
        circle_point(hiss_rng_word(rng), &x, &y);
        out[i] = (float)(radius * x);
        if (i + 1 < n) {
            out[i + 1] = (float)(radius * y);
        }
    }
}

hiss_permutation hiss_permutation_keyed(uint64_t seed, hiss_purpose purpose, int64_t when, int64_t id, int64_t n) {
    assert(1 <= n && n <= (int64_t)1 << 62);
    hiss_rng stream = hiss_rng_keyed(seed, purpose, when, id);
    uint32_t name[4];
    stream.counter[0] = UINT32_MAX;
    hiss_philox4x32(stream.counter, stream.key, name);
    hiss_permutation p = {.n = n, .key = {name[0], name[1]}, .tweak = {name[2], name[3]}};
    while ((int64_t)1 << (2 * p.half_bits) < n) {
        p.half_bits++;
    }
    return p;
}

static void deal(const hiss_permutation *p, int image[SMALL_SET]) {
    hiss_rng rng = {.key = {p->key[0], p->key[1]}, .counter = {0, 0, p->tweak[0], p->tweak[1]}};
    for (int i = 0; i < p->n; i++) {
        int j = (int)hiss_rng_below(&rng, i + 1);
        image[i] = image[j];
        image[j] = i;
    }
}

static uint64_t round_bits(const hiss_permutation *p, int round, uint64_t half) {
    uint32_t out[4], counter[4] = {(uint32_t)half, (uint32_t)round, p->tweak[0], p->tweak[1]};
    hiss_philox4x32(counter, p->key, out);
    return out[0] & (((uint64_t)1 << p->half_bits) - 1);
}

/* Exchange 0 and 1, for half of all keys. */
static uint64_t even_out(const hiss_permutation *p, uint64_t value) {
    return value < 2 ? value ^ (p->tweak[0] & 1) : value;
}

int64_t hiss_permutation_at(const hiss_permutation *p, int64_t index) {
    assert(0 <= index && index < p->n);
    if (p->n <= SMALL_SET) {
        int image[SMALL_SET] = {0};
        deal(p, image);
        return image[index];
    }
    uint64_t value = (uint64_t)index, mask = ((uint64_t)1 << p->half_bits) - 1;
    do {
        uint64_t left = value >> p->half_bits, right = value & mask;
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t next = left ^ round_bits(p, round, right);
            left = right;
            right = next;
        }
        value = left << p->half_bits | right;
    } while (value >= (uint64_t)p->n);
    return (int64_t)even_out(p, value);
}

int64_t hiss_permutation_find(const hiss_permutation *p, int64_t image) {
    assert(0 <= image && image < p->n);
    if (p->n <= SMALL_SET) {
        int images[SMALL_SET] = {0}, index = 0;
        deal(p, images);
        while (images[index] != image) {
            index++;
        }
        return index;
    }
    uint64_t value = even_out(p, (uint64_t)image), mask = ((uint64_t)1 << p->half_bits) - 1;
    do {
        uint64_t left = value >> p->half_bits, right = value & mask;
        for (int round = ROUNDS - 1; round >= 0; round--) {
            uint64_t previous = right ^ round_bits(p, round, left);
            right = left;
            left = previous;
        }
        value = left << p->half_bits | right;
    } while (value >= (uint64_t)p->n);
    return (int64_t)value;
}
