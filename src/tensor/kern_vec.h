/* Vectors as wide as the target's registers, with fused multiply-add where it has one. What is written with them is
 * the same on every width; whether products are rounded before they are added depends on the target. */
#ifndef HISS_TENSOR_KERN_VEC_H
#define HISS_TENSOR_KERN_VEC_H

#include <stdbool.h>
#include <stdint.h>
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

typedef int32_t ivec __attribute__((vector_size(4 * LANES)));
typedef uint8_t bvec __attribute__((vector_size(LANES)));

/* LANES bytes as integers. Compilers take the vectors apart where they are to convert them by themselves. */
static ALWAYS_INLINE ivec load_bytes(const uint8_t *from) {
    bvec bytes;
    memcpy(&bytes, from, sizeof bytes);
#if defined __AVX512F__
    return (ivec)_mm512_cvtepu8_epi32((__m128i)bytes);
#elif defined __AVX2__ && defined __FMA__
    return (ivec)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from));
#else
    return __builtin_convertvector(bytes, ivec);
#endif
}

/* values: 0 to 255 */
static ALWAYS_INLINE void store_bytes(uint8_t *to, ivec values) {
#if defined __AVX512F__
    const bvec bytes = (bvec)_mm512_cvtepi32_epi8((__m512i)values);
    memcpy(to, &bytes, sizeof bytes);
#elif defined __AVX2__ && defined __FMA__
    const __m128i low = _mm256_castsi256_si128((__m256i)values), high = _mm256_extracti128_si256((__m256i)values, 1);
    const __m128i words = _mm_packs_epi32(low, high);
    _mm_storel_epi64((__m128i *)(void *)to, _mm_packus_epi16(words, words));
#else
    const bvec bytes = __builtin_convertvector(values, bvec);
    memcpy(to, &bytes, sizeof bytes);
#endif
}

/* 32-bit sums, of products of four bytes each. */
#if defined __AVX512VNNI__
#define BYTE_LANES 16
#elif defined __AVXVNNI__
#define BYTE_LANES 8
#endif
#ifdef BYTE_LANES
typedef int32_t sums __attribute__((vector_size(4 * BYTE_LANES)));

/* sum[j] += a[0] b[4j] + .. + a[3] b[4j+3], b as it lies in memory */
static ALWAYS_INLINE sums add_byte_products(sums sum, const uint8_t a[4], sums b) {
    int32_t four;
    memcpy(&four, a, sizeof four);
#if defined __AVX512VNNI__
    return (sums)_mm512_dpbusd_epi32((__m512i)sum, _mm512_set1_epi32(four), (__m512i)b);
#else
    return (sums)_mm256_dpbusd_avx_epi32((__m256i)sum, _mm256_set1_epi32(four), (__m256i)b);
#endif
}
#endif

typedef int32_t quad_index __attribute__((vector_size(16)));

/* Elements i, j, k, l of a (from 0) and b (from 4). */
#if defined __clang__ || __GNUC__ >= 12
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (quad_index){i, j, k, l})
#endif

/* to[j*ldt + i] = from[i*ldf + j] for i < 4, j < columns; rows from `rows` on count as zeros. */
static inline void transpose(int64_t rows, int64_t columns, const float *from, int64_t ldf, float *to, int64_t ldt) {
    typedef float quad __attribute__((vector_size(16)));
    const int64_t whole = columns - columns % 4;
    for (int64_t j = 0; j < whole; j += 4) {
        quad r[4] = {{0}};
        for (int64_t i = 0; i < rows; i++) {
            memcpy(&r[i], from + i * ldf + j, sizeof(quad));
        }
        const quad a = SHUFFLE(r[0], r[1], 0, 4, 1, 5);
        const quad b = SHUFFLE(r[0], r[1], 2, 6, 3, 7);
        const quad c = SHUFFLE(r[2], r[3], 0, 4, 1, 5);
        const quad d = SHUFFLE(r[2], r[3], 2, 6, 3, 7);
        r[0] = SHUFFLE(a, c, 0, 1, 4, 5);
        r[1] = SHUFFLE(a, c, 2, 3, 6, 7);
        r[2] = SHUFFLE(b, d, 0, 1, 4, 5);
        r[3] = SHUFFLE(b, d, 2, 3, 6, 7);
        for (int64_t k = 0; k < 4; k++) {
            memcpy(to + (j + k) * ldt, &r[k], sizeof(quad));
        }
    }
    for (int64_t j = whole; j < columns; j++) {
        for (int64_t i = 0; i < 4; i++) {
            to[j * ldt + i] = i < rows ? from[i * ldf + j] : 0;
        }
    }
}

#endif
