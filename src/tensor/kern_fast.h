/* What kern_fast*.c share: chunks, sums in a fixed order, and e^x. */
#ifndef HISS_KERN_FAST_H
#define HISS_KERN_FAST_H

#include <stdint.h>
#include <string.h>

enum { CHUNK = 256, SIDES = 16 };

static inline int64_t chunk_at(int64_t i, int64_t count) {
    return count - i < CHUNK ? count - i : CHUNK;
}

static inline float *copy(float *to, const float *from, int64_t count) {
    return memcpy(to, from, sizeof(float) * (size_t)count);
}

/* e^x for |x| <= 87.3; 0 below, 3.4e38 / 2 or so above; NaN for NaN. */
static inline float exponential(float x) {
    const float magic = 12582912; /* 1.5 * 2^23: adding it rounds to an integer, kept in the low bits */
    float low = x < -87.3f ? -87.3f : x;
    float clamped = low > 87.3f ? 87.3f : low;
    float shifted = clamped * 1.44269504088896341f + magic;
    float n = shifted - magic;
    float r = clamped - n * 0.693359375f - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
    uint32_t bits;
    float power;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23; /* the magic number's own bits are shifted out */
    memcpy(&power, &bits, sizeof power);
    float value = p * power;
    return x < -87.3f ? 0 : value;
}

static inline double sum_of(const double lane[SIDES]) {
    double sum = 0;
    for (int i = 0; i < SIDES; i++) {
        sum += lane[i];
    }
    return sum;
}

#endif
