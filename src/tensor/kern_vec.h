/* Vectors as wide as the target's registers, with fused multiply-add where it has one. What is written with them is
 * the same on every width; whether products are rounded before they are added depends on the target. */
#ifndef HISS_TENSOR_KERN_VEC_H
#define HISS_TENSOR_KERN_VEC_H

#include <stdbool.h>
#include <string.h>

#if defined __AVX512F__ || (defined __AVX2__ && defined __FMA__)
#include <immintrin.h>
#define FUSES true
#else
#define FUSES false
#endif

#if defined __AVX512F__
enum { LANES = 16 };
#elif defined __AVX__
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
typedef float vec __attribute__((vector_size(4 * LANES)));

#define ALWAYS_INLINE inline __attribute__((always_inline))

static ALWAYS_INLINE vec load(const float *from) {
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

static ALWAYS_INLINE void store(float *to, vec v) {
    memcpy(to, &v, sizeof v);
}

/* a x + y, a in every lane */
static ALWAYS_INLINE vec multiply_add(float a, vec x, vec y) {
#if defined __AVX512F__
    return (vec)_mm512_fmadd_ps(_mm512_set1_ps(a), (__m512)x, (__m512)y);
#elif defined __AVX2__ && defined __FMA__
    return (vec)_mm256_fmadd_ps(_mm256_set1_ps(a), (__m256)x, (__m256)y);
#else
    return a * x + y;
#endif
}

#endif
