/* What generators draw their rows from. */
#include "hiss/generate.h"

hiss_rng hiss_generate_rng(const hiss_generate_options *options, int64_t row) {
    return hiss_rng_keyed((uint64_t)options->seed, HISS_FOR_GENERATION, options->part, row);
}

int64_t hiss_generate_between(hiss_rng *rng, int64_t low, int64_t high) {
    return low + hiss_rng_below(rng, high - low + 1);
}
