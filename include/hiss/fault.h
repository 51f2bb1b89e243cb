/* Faults on demand, for tests of what hiss does when something fails.
 *
 * Compiled in by `make FAULTS=1` only; in any other build hiss_fault() is the constant false and costs nothing.
 *
 *   HISS_FAULT=POINT[:COUNT[+]][@RANK]   the COUNTth call (1: the first; default) of that point on that rank fails;
 *                                        with + every later one too; without @RANK on every rank
 *
 * Points are named PART.OPERATION, e.g. file.fsync. HISS_FAULT_TRACE=PATH appends a line "POINT CALLS" for every point
 * that was reached, when the process exits: what a campaign counts down. */
#ifndef HISS_FAULT_H
#define HISS_FAULT_H

#include <stdbool.h>

#ifdef HISS_FAULTS
/* Whether this call of the point has to fail. Any thread. Not collective. */
bool hiss_fault(const char *point);
#else
static inline bool hiss_fault(const char *point) {
    (void)point;
    return false;
}
#endif

#endif
