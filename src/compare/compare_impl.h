/* Shared inside src/compare only. */
#ifndef COMPARE_IMPL_H
#define COMPARE_IMPL_H

#include "hiss/compare.h"
#include "hiss/eval.h"
#include "hiss/number.h"

enum { COMPARE_PATH = 4096 };

/* The cell of a row and a column. */
const hiss_compare_cell *compare_cell(const hiss_compare_results *results, int row, int column);
/* How many seeds a row is done with: its own run and those of its transfers. */
int64_t compare_done(const hiss_compare_results *results, int row);
/* Whether there is something to say of a run: it exists, or is a control's, and so that of another row. */
bool compare_has_line(const hiss_comparison *study, int run);

/* Whether name is pattern with a number at *, and which. */
bool compare_number_at(const char *pattern, const char *name, double *out);
/* Fill in the lines: the numbers at *, and means over seeds. */
void compare_draw_lines(hiss_compare_results *results);
/* The chart of a curve, with its arrays in arena. */
hiss_chart compare_chart(const hiss_compare_results *results, int curve, hiss_arena *arena);
/* What the number at * is; of a curve that has points. */
const char *compare_x_label(const hiss_compare_results *results, int curve);
/* Mean and spread of values. */
hiss_compare_cell compare_summary(const double *values, int64_t count);

/* ---- sections whose names the user chooses ---- */

enum { COMPARE_NAME = 40 /* the longest */, COMPARE_SECTION = COMPARE_NAME + 16 };

/* The entries of a section; NULL and an error when there are none, or more than most.
 *   shape  of an entry, for the error */
const hiss_yaml *compare_entries(const hiss_comparison *study, const char *section, const char *shape, int most,
                                 hiss_error *err);
/* Whether a section that may be left out is there; from then on it is a known one. */
bool compare_has_section(const hiss_comparison *study, const char *section);
/* An entry of a section by its rows.
 *   more      what its name may hold beside letters and digits
 *   expected  these, for the error
 *   section   out  "KIND.NAME" */
hiss_status compare_read_entry(const hiss_comparison *study, const hiss_yaml *node, const char *kind, const char *more,
                               const char *expected, const hiss_row *rows, int nrows, char section[COMPARE_SECTION],
                               void *entry, hiss_error *err);
/* An error for a column whose name another one of table.csv or runs.csv has. */
hiss_status compare_check_column(const hiss_comparison *study, const hiss_yaml *node, hiss_error *err);

#endif
