/* Faults on demand, for tests of what hiss does when something fails.
 *
 * Compiled in by `make FAULTS=1` only; in any other build these are the constant false and nothing, and cost nothing.
 *
 *   HISS_FAULT=POINT[:COUNT[+|!]][@RANK]   the COUNTth call (1: the first; default) of that point on that rank fails;
 *                                          with + every later one too; with ! the process is killed (SIGKILL) there
 *                                          instead; without @RANK on every rank
 *   HISS_FAULT_TRACE=PATH                  append "RANK POINT CALLS" for every point that was reached when the process
 *                                          exits, and "RANK POINT fired CALL" when it fails, for campaigns
 *   HISS_FAULT_MARK=1                      threads bear the names of their phases: /proc/PID/task/TID/comm, top -H
 *
 * Points are named PART.OPERATION, e.g. file.fsync; those of MPI as its functions; phases are words without a dot. */
#ifndef HISS_FAULT_H
#define HISS_FAULT_H

#include <stdbool.h>

#ifdef HISS_FAULTS
/* Whether this call of the point has to fail; then errno is EIO. The name ends at a parenthesis, so that the text of a
 * call can serve. point must live as long as the process. Any thread. Not collective. */
bool hiss_fault(const char *point);
/* This thread enters a phase. Any thread. Not collective. */
void hiss_mark(const char *phase);
#else
#define hiss_fault(point) ((void)(point), false)
#define hiss_mark(phase)  ((void)(phase))
#endif

#endif
