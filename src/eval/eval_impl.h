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
int tile_owner(const hiss_features *f, int64_t t);

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

tile_sum *tile_sum_create(const hiss_eval_env *env, const hiss_features *f, const bool *use, int64_t count);
double *tile_sum_vector(tile_sum *sum, int64_t local); /* zero at first; [count] */
void tile_sum_run(tile_sum *sum, double *out);         /* Collective */
void tile_sum_destroy(tile_sum *sum);

#endif
