/* What the tests of eval share: made-up feature sets. Sample i of a set depends on (salt, i) alone. */
#ifndef HISS_TESTS_FEATURES_H
#define HISS_TESTS_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

#include "hiss/alloc.h"
#include "hiss/eval.h"
#include "hiss/rng.h"

enum { CLASSES = 10 };

static inline int32_t made_label(int64_t salt, int64_t i) {
    hiss_rng rng = hiss_rng_keyed(77, HISS_FOR_TESTS, salt, i);
    return (int32_t)hiss_rng_below(&rng, CLASSES);
}

/* Noise about a centre per class (the same for all salts), each feature with its own scale and offset; when coarse,
 * whole numbers from -1 to 1 instead: exact products, and many exact ties. */
static inline void made_row(int64_t salt, int64_t i, int64_t D, bool coarse, float *row) {
    hiss_rng rng = hiss_rng_keyed(78, HISS_FOR_TESTS, salt, i);
    hiss_rng centre = hiss_rng_keyed(79, HISS_FOR_TESTS, 0, made_label(salt, i));
    hiss_rng_normals(&rng, D, row);
    for (int64_t d = 0; d < D; d++) {
        float place = hiss_rng_between(&centre, -0.7f, 0.7f);
        row[d] =
            coarse ? (float)(hiss_rng_below(&rng, 3) - 1) : (row[d] + place) * (1.0f + (float)(d % 7)) + (float)(d % 3);
    }
}

/* owner: the rank that gets all tiles, as if it were alone; -1: hiss_partition. */
static inline hiss_features *made_features(const hiss_eval_env *env, int64_t salt, int64_t n, int64_t D, bool coarse,
                                           int owner) {
    hiss_features *f = hiss_features_create(env, n, D, CLASSES);
    if (owner >= 0) {
        int rank = hiss_comm_rank(env->comm);
        for (int r = 0; r <= hiss_comm_size(env->comm); r++) {
            f->tile_offsets[r] = r > owner ? f->tiles : 0;
        }
        f->first = f->tile_offsets[rank];
        f->end = f->tile_offsets[rank + 1];
        int64_t rows = (f->end - f->first) * HISS_TILE;
        hiss_free(f->rows);
        hiss_free(f->label);
        f->rows = hiss_new(float, rows *D);
        f->label = hiss_new(int32_t, rows);
    }
    for (int64_t i = 0; i < (f->end - f->first) * HISS_TILE; i++) {
        int64_t sample = f->first * HISS_TILE + i;
        f->label[i] = sample < n ? made_label(salt, sample) : -1;
        if (sample < n) {
            made_row(salt, sample, D, coarse, f->rows + i * D);
        }
    }
    return f;
}

#endif
