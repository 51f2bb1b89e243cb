/* Private to the random numbers. */
#ifndef HISS_RNG_IMPL_H
#define HISS_RNG_IMPL_H

#include "hiss/rng.h"

/* The first normals of hiss_rng_normals, many at a time, to the same bits: as many of n as fill whole vectors, none
 * when a block of the stream is partly used. Returns how many. */
int64_t base_rng_normals_wide(hiss_rng *rng, int64_t n, float *out);
int64_t base_rng_uniforms_wide(hiss_rng *rng, int64_t n, float *out); /* the same of hiss_rng_uniforms */

#endif
