/* Principal components: images as a mean and so many numbers times directions, which of all linear codes of this size
 * loses least of the samples it is fitted on (Eckart & Young 1936). The covariance of centred rows is a sum over tiles
 * in canonical order; its leading eigenvectors are found on every rank alike (hiss_leading_eigenvectors).
 * Cost: n D^2 / P flops, and those of that. Memory: 4 D^2 bytes beside the features. */
#include <assert.h>

#include "eval/eval_impl.h"
#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

enum { DRAW_OF_SUBSPACE = 2041 };

struct pca {
    const hiss_kernels *kernels;
    int64_t D, components;
    float *mean, *direction; /* [D], [components, D] */
    float *code;             /* [batch, components] */
};

pca *eval_pca_fit(const hiss_eval_env *env, hiss_features *f, int64_t components, int64_t batch) {
    const int64_t D = f->D;
    assert(components >= 1 && components <= D);
    pca *p = hiss_new(pca, 1);
    double *mean = hiss_new(double, D), *deviation = hiss_new(double, D), *variance = hiss_new(double, components);
    float *covariance = hiss_new(float, D *D);
    *p = (pca){env->kernels,
               D,
               components,
               hiss_new(float, D),
               hiss_new(float, components *D),
               hiss_new(float, batch *components)};
    eval_features_moments(env, f, mean, deviation);
    for (int64_t d = 0; d < D; d++) {
        p->mean[d] = (float)mean[d];
    }
    eval_features_centre(f, p->mean);
    eval_features_covariance(env, f, NULL, f->rows, D, covariance);
    hiss_leading_eigenvectors(env->kernels, hiss_rng_keyed(env->seed, HISS_FOR_EVALUATION, DRAW_OF_SUBSPACE, 0), D,
                              covariance, components, variance, p->direction);
    hiss_free(mean);
    hiss_free(deviation);
    hiss_free(variance);
    hiss_free(covariance);
    return p;
}

void eval_pca_destroy(pca *p) {
    if (p) {
        hiss_free(p->mean);
        hiss_free(p->direction);
        hiss_free(p->code);
        hiss_free(p);
    }
}

void eval_pca_rebuild(const pca *p, int64_t count, const float *rows, float *rebuilt) {
    const int64_t D = p->D, k = p->components;
    for (int64_t i = 0; i < count * D; i++) {
        rebuilt[i] = rows[i] - p->mean[i % D];
    }
    p->kernels->gemm(false, true, count, k, D, 1.0f, rebuilt, D, p->direction, D, 0.0f, p->code, k);
    p->kernels->gemm(false, false, count, D, k, 1.0f, p->code, k, p->direction, D, 0.0f, rebuilt, D);
    for (int64_t i = 0; i < count * D; i++) {
        rebuilt[i] += p->mean[i % D];
    }
}
