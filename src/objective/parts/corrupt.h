/* Private to src/objective: noise that a method must see through. Not collective. */
#ifndef HISS_OBJECTIVE_PARTS_CORRUPT_H
#define HISS_OBJECTIVE_PARTS_CORRUPT_H

#include "hiss/objective.h"
#include "hiss/rng.h"

/* Section "corruption" of a method: numbers x of 0..1 (pixels, or what sigmoids give) become keep x + add, each number by
 * draws of its own. */
typedef struct objective_corruption {
    int kind;
    double level;
} objective_corruption;
extern const hiss_row objective_corruption_rows[];
extern const int objective_corruption_nrows;

/* out [count] of x [count]; out may be x. What rng draws does not depend on x. */
void objective_corrupt(const objective_corruption *corruption, hiss_rng *rng, int64_t count, const float *x,
                       float *out);
/* keep [count] and add [count] of the same draws, for numbers that a graph computes. */
void objective_corruption_draw(const objective_corruption *corruption, hiss_rng *rng, int64_t count, float *keep,
                               float *add);
/* Means over the draws. */
hiss_corruption_moments objective_corruption_moments(const objective_corruption *corruption);
/* As in "0.25 masking". */
void objective_corruption_describe(const objective_corruption *corruption, char *text, size_t size);

#endif
