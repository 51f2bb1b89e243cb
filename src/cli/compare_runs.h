/* Private to the compare command. */
#ifndef HISS_CLI_COMPARE_RUNS_H
#define HISS_CLI_COMPARE_RUNS_H

#include "hiss/status.h"

/* Print a table of runs that have ended, beside each other. Those that have not, and those that are damaged, are a line each.
 *   path  [count] directories of runs, count > 0
 *   out   NULL, or a folder for table.md, table.csv and table.html
 * Errors (HISS_EUSER): none of them has ended; out holds a study. Not collective. */
hiss_status compare_runs(const char *const *path, int count, const char *out, hiss_error *err);

#endif
