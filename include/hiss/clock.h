/* Time. */
#ifndef HISS_CLOCK_H
#define HISS_CLOCK_H

double hiss_seconds(void); /* monotonic wall clock, seconds from an arbitrary start. Not collective. */

#endif
