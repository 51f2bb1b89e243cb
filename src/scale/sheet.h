/* Tables of the report, made once and rendered twice: as text and as HTML. Inside src/scale only. */
#ifndef SCALE_SHEET_H
#define SCALE_SHEET_H

#include "hiss/report.h"
#include "hiss/scale.h"

enum { SHEETS = 9 };
/* Fill sheets[SHEETS], all of it in arena. Returns how many have rows. */
int scale_sheets_make(const hiss_results *results, hiss_arena *arena, hiss_report_table *sheets);

#endif
