/* Subnormal numbers (magnitudes below 1.2e-38 in float32) count as zero in every thread that computes.
 *
 * Processors take up to a hundred times as long for a product with one, and strong weight decay fills a network with
 * them. Whether they count affects the bits, so it is part of a run's identity. The setting belongs to a thread, and
 * libraries may change it: what calls them sets it again afterwards. Not collective, thread-safe. */
#ifndef HISS_SUBNORMAL_H
#define HISS_SUBNORMAL_H

#include <stdbool.h>

/* Let the calling thread take subnormal numbers for zero, operands and results, from now on; false where the processor
 * has no such setting. Costs a few cycles when it does already. */
bool hiss_subnormals_to_zero(void);
/* Whether it does. */
bool hiss_subnormals_are_zero(void);

#endif
