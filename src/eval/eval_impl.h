/* Shared inside src/eval only. */
#ifndef EVAL_IMPL_H
#define EVAL_IMPL_H

#include <stdint.h>

#include "hiss/eval.h"

/* Rows of tile t of f, which this rank owns. */
static inline const float *tile_rows(const hiss_features *f, int64_t t) {
    return f->rows + (t - f->first) * HISS_TILE * f->D;
}

static inline const int32_t *tile_labels(const hiss_features *f, int64_t t) {
    return f->label + (t - f->first) * HISS_TILE;
}

/* Samples in tile t: HISS_TILE but for the last one. */
static inline int64_t tile_count(const hiss_features *f, int64_t t) {
    return t < f->tiles - 1 ? HISS_TILE : f->n - t * HISS_TILE;
}

/* The rank that owns tile t. */
int eval_tile_owner(const hiss_features *f, int64_t t);

/* Sum over tiles of vectors of doubles, in the order of hiss_tree_sum, over the tiles marked by use (NULL: all). */
typedef struct tile_sum {
    hiss_comm *comm;
    int64_t count;         /* doubles per vector */
    int64_t tiles;         /* marked, of all ranks */
    int64_t *offsets;      /* [P+1] marked tiles before each rank's */
    int64_t local;         /* marked tiles of this rank */
    int64_t *tile;         /* [local] their numbers */
    const double **values; /* [local] -> vector of that tile */
    double *storage;
} tile_sum;

tile_sum *eval_tile_sum_create(const hiss_eval_env *env, const hiss_features *f, const bool *use, int64_t count);
double *eval_tile_sum_vector(tile_sum *sum, int64_t local); /* zero at first; [count] */
void eval_tile_sum_run(tile_sum *sum, double *out);         /* Collective */
void eval_tile_sum_destroy(tile_sum *sum);

/* Rows [count, D] standardised by the statistics of probe into x[HISS_TILE, D]; the rest is zero. */
void eval_probe_standardise(const hiss_probe *probe, const float *rows, int64_t count, float *x);

/* Coordinates v of the weights w, both [classes, D] and [classes], in which the loss curves about alike in all
 * directions; see curvature.c. Not collective where it does not say so. */
typedef struct curvature curvature;
bool eval_curvature_pays(const hiss_features *f, int64_t samples);
curvature *eval_curvature_create(const hiss_eval_env *env, const hiss_features *f,
                                 const hiss_probe *probe); /* Collective */
void eval_curvature_destroy(curvature *c);
/* kappa, lambda > 0. To be called before any of those below. */
void eval_curvature_factor(curvature *c, double kappa, double lambda);
void eval_curvature_to_steps(const curvature *c, int64_t classes, const double *w, double *v);
void eval_curvature_from_steps(const curvature *c, int64_t classes, const double *v, double *w);
void eval_curvature_gradient(const curvature *c, int64_t classes, const double *of_w, double *of_v);

/* What fits on one feature set share: the statistics of its samples, and its curvature where that pays. */
typedef struct probe_base {
    hiss_probe *zero;     /* statistics, weights zero */
    curvature *curvature; /* or NULL */
} probe_base;
probe_base eval_probe_base_create(const hiss_eval_env *env, const hiss_features *f); /* Collective */
void eval_probe_base_destroy(probe_base *base);
/* hiss_probe_fit with the statistics of base, to max |gradient| <= tolerance. Collective. */
hiss_probe *eval_probe_fit(const hiss_eval_env *env, const hiss_features *f, const probe_base *base, const bool *use,
                           double lambda, int64_t iterations, double tolerance, const hiss_probe *start);

/* Mark `wanted` of n samples, drawn by key within each class in proportion to its size: of class c the first ones in
 * the keyed order (seed, HISS_FOR_EVALUATION, when, c). A label that is not in 0 .. classes - 1 counts as a class of
 * its own. keep_both: what is marked and what is not both get a sample of each class that has two, and classes of one
 * sample are not marked. Returns how many are marked: wanted, but for what keep_both asks. Not collective. label [n]
 * NULL: all of one class */
enum { DRAW_FOR_TEST = 2000, DRAW_FOR_LAMBDA, DRAW_OF_TRAIN, DRAW_OF_TEST }; /* when; few-label draws are below */
int64_t eval_draw_by_class(uint64_t seed, int64_t when, int64_t n, const int32_t *label, int64_t classes,
                           int64_t wanted, bool keep_both, bool *marked);

#endif
