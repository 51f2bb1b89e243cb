/* Private to kern_winograd_group.h: the transforms of one tile, LANES channels at a time. n, the side of a tile, is a constant
 * of the caller: 6 for kernels of 3 x 3, 8 for 5 x 5. */
#ifndef HISS_TENSOR_KERN_WINOGRAD_TILE_H
#define HISS_TENSOR_KERN_WINOGRAD_TILE_H

#include "tensor/kern_vec.h"

enum { N_MAX = 8, R_MAX = 5, OUT = 4 };

/* ---- how transformed numbers lie in a plane ---- */

typedef enum form {
    FLOATS,
    HALVES, /* bfloat16 side by side */
    PAIRS,  /* bfloat16 of an even row; the odd row beside it is 0 */
    ODD     /* bfloat16 of the odd row, beside the even one, which is there */
} form;

/* LANES numbers at `to`; f is a constant of the caller. */
static ALWAYS_INLINE void put(form f, float *to, vec v) {
#if defined __AVX512BF16__ && defined __AVX512F__
    const __m256i half = (__m256i)_mm512_cvtneps_pbh((__m512)v);
    const __m512i pair = _mm512_cvtepu16_epi32(half);
    if (f == HALVES) {
        _mm256_storeu_si256((__m256i *)(void *)to, half);
    } else if (f == PAIRS) {
        _mm512_storeu_si512(to, pair);
    } else if (f == ODD) {
        _mm512_storeu_si512(to, _mm512_or_si512(_mm512_loadu_si512(to), _mm512_slli_epi32(pair, 16)));
    } else {
        store(to, v);
    }
#else
    (void)f; /* FLOATS: no other is asked for */
    store(to, v);
#endif
}

/* ---- points: 0, infinity, and pairs of plus and minus. Of short binary fractions these have the smallest errors ---- */

static ALWAYS_INLINE int64_t pairs(int64_t n) {
    return n / 2 - 1;
}

static ALWAYS_INLINE float point(int64_t n, int64_t i) {
    return n == 6 ? (i == 0 ? 0.75f : 1.5f) : i == 0 ? 0.5f : i == 1 ? 1.0f : 1.75f;
}

static ALWAYS_INLINE float square(int64_t n, int64_t i) {
    return point(n, i) * point(n, i);
}

static ALWAYS_INLINE float cube(int64_t n, int64_t i) {
    return square(n, i) * point(n, i);
}

/* Sum and product of the squares of the other pairs; n 6 has one, n 8 two. */
static ALWAYS_INLINE float other_sum(int64_t n, int64_t i) {
    return n == 6 ? square(n, 1 - i) : square(n, (i + 1) % 3) + square(n, (i + 2) % 3);
}

static ALWAYS_INLINE float other_product(int64_t n, int64_t i) {
    return n == 6 ? square(n, 1 - i) : square(n, (i + 1) % 3) * square(n, (i + 2) % 3);
}

/* One over the product of a point's distances from the others: of 0, and of either of pair i. */
static ALWAYS_INLINE float zero_weight(int64_t n) {
    return (n == 6 ? 1.0f : -1.0f) / (square(n, 0) * other_product(n, 0));
}

static ALWAYS_INLINE float pair_weight(int64_t n, int64_t i) {
    float product = 2 * square(n, i);
    for (int64_t j = 0; j < pairs(n); j++) {
        product *= j == i ? 1 : square(n, i) - square(n, j);
    }
    return 1 / product;
}

/* ---- transforms of one line, by those matrices; n is a constant of the caller ---- */

/* The polynomial with roots at all pairs, of d[0], d[2], ..., d[n-2], lines `step` apart; and at all but pair i. */
static ALWAYS_INLINE vec all_roots(int64_t n, const vec *d, int64_t step) {
    const float sum = square(n, 0) + other_sum(n, 0), product = square(n, 0) * other_product(n, 0);
    if (n == 6) {
        return multiply_add(product, d[0], multiply_add(-sum, d[2 * step], d[4 * step]));
    }
    const float mixed = square(n, 0) * other_sum(n, 0) + other_product(n, 0);
    return multiply_add(-product, d[0], multiply_add(mixed, d[2 * step], multiply_add(-sum, d[4 * step], d[6 * step])));
}

static ALWAYS_INLINE vec other_roots(int64_t n, int64_t i, const vec *d, int64_t step) {
    if (n == 6) {
        return multiply_add(-other_sum(n, i), d[0], d[2 * step]);
    }
    return multiply_add(other_product(n, i), d[0], multiply_add(-other_sum(n, i), d[2 * step], d[4 * step]));
}

/* plus, minus = even +- p odd */
static ALWAYS_INLINE void apart(float p, vec even, vec odd, vec *plus, vec *minus) {
    *plus = multiply_add(p, odd, even);
    *minus = multiply_add(-p, odd, even);
}

static ALWAYS_INLINE void input_line(int64_t n, const vec *d, int64_t step, vec *out, int64_t out_step) {
    out[0] = all_roots(n, d, step);
    for (int64_t i = 0; i < pairs(n); i++) {
        apart(point(n, i), other_roots(n, i, d + 2 * step, step), other_roots(n, i, d + step, step),
              &out[(1 + 2 * i) * out_step], &out[(2 + 2 * i) * out_step]);
    }
    out[(n - 1) * out_step] = all_roots(n, d + step, step);
}

static ALWAYS_INLINE void output_line(int64_t n, const vec *m, int64_t step, vec *out, int64_t out_step) {
    vec even = m[0], odd = {0}, far_even = {0}, far_odd = m[(n - 1) * step];
    for (int64_t i = 0; i < pairs(n); i++) {
        const vec a = m[(1 + 2 * i) * step], b = m[(2 + 2 * i) * step], sum = a + b, difference = a - b;
        even += sum;
        odd = multiply_add(point(n, i), difference, odd);
        far_even = multiply_add(square(n, i), sum, far_even);
        far_odd = multiply_add(cube(n, i), difference, far_odd);
    }
    out[0] = even;
    out[out_step] = odd;
    out[2 * out_step] = far_even;
    out[3 * out_step] = far_odd;
}

/* The transpose of output_line. */
static ALWAYS_INLINE void gradient_line(int64_t n, const vec *y, int64_t step, vec *out, int64_t out_step) {
    out[0] = y[0];
    for (int64_t i = 0; i < pairs(n); i++) {
        apart(point(n, i), multiply_add(square(n, i), y[2 * step], y[0]),
              multiply_add(square(n, i), y[3 * step], y[step]), &out[(1 + 2 * i) * out_step],
              &out[(2 + 2 * i) * out_step]);
    }
    out[(n - 1) * out_step] = y[3 * step];
}

/* R values of the kernel to n. */
static ALWAYS_INLINE void kernel_line(int64_t n, const vec *g, int64_t step, vec *out, int64_t out_step) {
    const int64_t r = n - OUT + 1;
    out[0] = zero_weight(n) * g[0];
    for (int64_t i = 0; i < pairs(n); i++) {
        vec even = multiply_add(square(n, i), g[2 * step], g[0]), odd = g[step];
        if (r == 5) {
            even = multiply_add(square(n, i) * square(n, i), g[4 * step], even);
            odd = multiply_add(square(n, i), g[3 * step], odd);
        }
        apart(pair_weight(n, i) * point(n, i), pair_weight(n, i) * even, odd, &out[(1 + 2 * i) * out_step],
              &out[(2 + 2 * i) * out_step]);
    }
    out[(n - 1) * out_step] = g[(r - 1) * step];
}

/* The transpose of kernel_line. */
static ALWAYS_INLINE void kernel_line_adjoint(int64_t n, const vec *u, int64_t step, vec *out, int64_t out_step) {
    const int64_t r = n - OUT + 1;
    vec g[R_MAX] = {zero_weight(n) * u[0]};
    for (int64_t i = 0; i < pairs(n); i++) {
        const vec even = pair_weight(n, i) * (u[(1 + 2 * i) * step] + u[(2 + 2 * i) * step]);
        const vec odd = pair_weight(n, i) * (u[(1 + 2 * i) * step] - u[(2 + 2 * i) * step]);
        g[0] += even;
        g[1] = multiply_add(point(n, i), odd, g[1]);
        g[2] = multiply_add(square(n, i), even, g[2]);
        if (r == 5) {
            g[3] = multiply_add(cube(n, i), odd, g[3]);
            g[4] = multiply_add(square(n, i) * square(n, i), even, g[4]);
        }
    }
    g[r - 1] += u[(n - 1) * step];
    for (int64_t k = 0; k < r; k++) {
        out[k * out_step] = g[k];
    }
}

/* ---- transforms of tiles, LANES channels at a time ---- */

/* u = G g G' */
static ALWAYS_INLINE void kernel_tile(int64_t n, const vec *g, vec *u) {
    const int64_t r = n - OUT + 1;
    vec half[N_MAX * R_MAX];
    for (int64_t j = 0; j < r; j++) {
        kernel_line(n, g + j, r, half + j, r);
    }
    for (int64_t i = 0; i < n; i++) {
        kernel_line(n, half + i * r, 1, u + i * n, 1);
    }
}

/* g = G' u G */
static ALWAYS_INLINE void kernel_tile_adjoint(int64_t n, const vec *u, vec *g) {
    const int64_t r = n - OUT + 1;
    vec half[R_MAX * N_MAX];
    for (int64_t j = 0; j < n; j++) {
        kernel_line_adjoint(n, u + j, n, half + j, n);
    }
    for (int64_t i = 0; i < r; i++) {
        kernel_line_adjoint(n, half + i * n, 1, g + i * r, 1);
    }
}

/* V_k[C] of one tile at x, whose pixel rows lie `row` floats apart; planes lie `planes` floats apart. */
static ALWAYS_INLINE void input_tile(int64_t n, form f, int64_t C, const float *x, int64_t row, float *v,
                                     int64_t planes) {
    for (int64_t c = 0; c < C; c += LANES) {
        vec d[N_MAX], half[N_MAX * N_MAX], out[N_MAX];
        for (int64_t j = 0; j < n; j++) {
            for (int64_t i = 0; i < n; i++) {
                d[i] = load(x + i * row + j * C + c);
            }
            input_line(n, d, 1, half + j, n);
        }
        for (int64_t i = 0; i < n; i++) {
            input_line(n, half + i * n, 1, out, 1);
            for (int64_t j = 0; j < n; j++) {
                put(f, v + (i * n + j) * planes + (f == HALVES ? c / 2 : c), out[j]);
            }
        }
    }
}

/* The 4 x 4 outputs of one tile; to[16]: NULL outside the image. */
static ALWAYS_INLINE void output_tile(int64_t n, int64_t F, const float *m, int64_t planes, const float *bias,
                                      bool accumulate, float *const *to) {
    for (int64_t f = 0; f < F; f += LANES) {
        vec in[N_MAX], half[OUT * N_MAX], out[OUT];
        for (int64_t j = 0; j < n; j++) {
            for (int64_t i = 0; i < n; i++) {
                in[i] = load(m + (i * n + j) * planes + f);
            }
            output_line(n, in, 1, half + j, n);
        }
        for (int64_t i = 0; i < OUT; i++) {
            output_line(n, half + i * n, 1, out, 1);
            for (int64_t j = 0; j < OUT; j++) {
                float *at = to[i * OUT + j];
                if (at) {
                    out[j] = bias ? out[j] + load(bias + f) : out[j];
                    store(at + f, accumulate ? load(at + f) + out[j] : out[j]);
                }
            }
        }
    }
}

/* A dy A' of one tile; at[16]: its gradients, or zeros. */
static ALWAYS_INLINE void gradient_tile(int64_t n, form k, int64_t F, const float *const *at, float *d,
                                        int64_t planes) {
    for (int64_t f = 0; f < F; f += LANES) {
        vec y[OUT], half[N_MAX * OUT], out[N_MAX];
        for (int64_t j = 0; j < OUT; j++) {
            for (int64_t i = 0; i < OUT; i++) {
                y[i] = load(at[i * OUT + j] + f);
            }
            gradient_line(n, y, 1, half + j, OUT);
        }
        for (int64_t i = 0; i < n; i++) {
            gradient_line(n, half + i * OUT, 1, out, 1);
            for (int64_t j = 0; j < n; j++) {
                put(k, d + (i * n + j) * planes + (k == HALVES ? f / 2 : f), out[j]);
            }
        }
    }
}

#endif
