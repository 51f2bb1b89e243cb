/* Private to src/objective/pretext: a set of permutations that are far from one another. Not collective. */
#ifndef HISS_OBJECTIVE_PRETEXT_PERMUTATIONS_H
#define HISS_OBJECTIVE_PRETEXT_PERMUTATIONS_H

#include <stdint.h>

enum { PERMUTED = 9, PERMUTATIONS_MOST = 1000 };

/* out [count, PERMUTED]: `count` different permutations of 0 .. PERMUTED - 1, at most PERMUTATIONS_MOST: a function of
 * seed alone, of which a smaller count gives the beginning. */
void pretext_permutations(uint64_t seed, int64_t count, uint8_t *out);
/* The least number of places in which two of them differ; PERMUTED for one alone. */
int64_t pretext_least_distance(int64_t count, const uint8_t *permutations);

#endif
