/* Time. */
#ifndef HISS_CLOCK_H
#define HISS_CLOCK_H

#include <stdint.h>

double hiss_seconds(void); /* monotonic wall clock, seconds from an arbitrary start. Not collective. */

/* The median of measured values, the lower one of two; values [count] are sorted in place. count >= 1. */
double hiss_median(double *values, int64_t count);

#endif
