/* Time. */
#ifndef HISS_CLOCK_H
#define HISS_CLOCK_H

#include <stdint.h>

double hiss_seconds(void); /* monotonic wall clock, seconds from an arbitrary start. Not collective. */

/* The median of measured values, the lower one of two; values [count] are sorted in place. count >= 1. */
double hiss_median(double *values, int64_t count);

/* When a process of this machine began, in clock ticks since boot, which no other process of that number shares; 0:
 * there is none, or the system does not tell. name: out, what ps calls it; NULL: not wanted. Not collective,
 * thread-safe. */
enum { HISS_PROCESS_NAME = 64 };
uint64_t hiss_process_began(long pid, char name[HISS_PROCESS_NAME]);
/* Bytes that this process has read from and written to disks so far, as the system counts them; 0: it does not tell.
 * Not collective. */
uint64_t hiss_process_file_bytes(void);

#endif
