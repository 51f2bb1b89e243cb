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

#endif
