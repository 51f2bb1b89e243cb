/* Shared inside src/compare only. */
#ifndef COMPARE_IMPL_H
#define COMPARE_IMPL_H

#include "hiss/compare.h"
#include "hiss/number.h"

enum { COMPARE_PATH = 4096 };

/* The cell of a row and a column. */
const hiss_compare_cell *compare_cell(const hiss_compare_results *results, int row, int column);
/* How many runs of a row are done. */
int64_t compare_done(const hiss_compare_results *results, int row);

#endif
