/* The best linear filter of corrupted images (Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time
 * Series", 1949, for vectors): of all affine maps of x~ the one whose mean squared distance from x is least,
 *
 *     x^ = mu + cov(x, x~) cov(x~)^-1 (x~ - E x~).
 *
 * The corruption makes keep x + add of each number by draws that know nothing of x, so that all of these follow from mean
 * mu and covariance C of clean images, without a draw:
 *
 *     E x~ = k mu + a,   cov(x, x~) = k C,   cov(x~) = k^2 C off the diagonal,
 *     var(x~_i) = E keep^2 (C_ii + mu_i^2) + E add^2 - (k mu_i + a)^2,     k = E keep, a = E add.
 *
 * It is the best of these images and of all corruptions of them; one fitted to single draws would be worse on others.
 * cov(x~) is scaled to a diagonal of ones before it is factored (factor.c); pixels that never change are left out.
 * Cost: n D^2 / P flops for C, 3 D^3 for the filter on every rank alike. Memory: 12 D^2 bytes beside the features. */
#include <math.h>

#include "eval/eval_impl.h"
#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"

struct wiener {
    const hiss_kernels *kernels;
    int64_t D;
    float *mean, *corrupted_mean; /* [D] */
    float *filter;                /* [D, D]: row i makes pixel i */
};

/* s [D, D] = cov(x~), scaled by scale [D] on both sides to a diagonal of ones. */
static void scaled_covariance(int64_t D, const float *C, const double *mean, const hiss_corruption_moments *m,
                              double *scale, float *s) {
    for (int64_t i = 0; i < D; i++) {
        const double shifted = m->keep * mean[i] + m->add;
        const double variance = m->keep2 * ((double)C[i * D + i] + mean[i] * mean[i]) + m->add2 - shifted * shifted;
        scale[i] = variance > 0.0 ? 1.0 / sqrt(variance) : 0.0;
    }
    for (int64_t i = 0; i < D; i++) {
        for (int64_t j = 0; j < D; j++) {
            s[i * D + j] = (float)(m->keep * m->keep * scale[i] * scale[j] * (double)C[i * D + j]);
        }
        s[i * D + i] = scale[i] > 0.0 ? 1.0f : 0.0f;
    }
}

/* C becomes k C scale (X^T X) scale: a product with a symmetric matrix, by way of s. */
static void make_filter(const hiss_eval_env *env, wiener *w, double keep, const double *scale, float *C, float *s) {
    const int64_t D = w->D;
    float *inverse = w->filter;
    eval_inverse_factor(env, D, s, inverse);
    for (int64_t i = 0; i < D * D; i++) {
        C[i] *= (float)(keep * scale[i % D]);
    }
    env->kernels->gemm(false, true, D, D, D, 1.0f, C, D, inverse, D, 0.0f, s, D);
    env->kernels->gemm(false, false, D, D, D, 1.0f, s, D, inverse, D, 0.0f, C, D);
    for (int64_t i = 0; i < D * D; i++) {
        w->filter[i] = (float)(scale[i % D] * (double)C[i]);
    }
}

wiener *eval_wiener_fit(const hiss_eval_env *env, hiss_features *f, const hiss_corruption_moments *corruption) {
    const int64_t D = f->D;
    wiener *w = hiss_new(wiener, 1);
    double *mean = hiss_new(double, D), *scale = hiss_new(double, D);
    float *C = hiss_new(float, D *D), *s = hiss_new(float, D *D);
    *w = (wiener){env->kernels, D, hiss_new(float, D), hiss_new(float, D), hiss_new(float, D *D)};
    eval_features_moments(env, f, mean, scale);
    for (int64_t d = 0; d < D; d++) {
        w->mean[d] = (float)mean[d];
        w->corrupted_mean[d] = (float)(corruption->keep * mean[d] + corruption->add);
    }
    eval_features_centre(f, w->mean);
    eval_features_covariance(env, f, NULL, f->rows, D, C);
    scaled_covariance(D, C, mean, corruption, scale, s);
    make_filter(env, w, corruption->keep, scale, C, s);
    hiss_free(mean);
    hiss_free(scale);
    hiss_free(C);
    hiss_free(s);
    return w;
}

void eval_wiener_destroy(wiener *w) {
    if (w) {
        hiss_free(w->mean);
        hiss_free(w->corrupted_mean);
        hiss_free(w->filter);
        hiss_free(w);
    }
}

void eval_wiener_clean(const wiener *w, int64_t count, float *rows, float *cleaned) {
    const int64_t D = w->D;
    for (int64_t i = 0; i < count * D; i++) {
        rows[i] -= w->corrupted_mean[i % D];
    }
    w->kernels->gemm(false, true, count, D, D, 1.0f, rows, D, w->filter, D, 0.0f, cleaned, D);
    for (int64_t i = 0; i < count * D; i++) {
        cleaned[i] += w->mean[i % D];
    }
}
