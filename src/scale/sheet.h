/* Tables of the report, made once and rendered twice: as text and as HTML. Inside src/scale only. */
#ifndef SCALE_SHEET_H
#define SCALE_SHEET_H

#include "hiss/scale.h"

typedef struct sheet {
    const char *title, *note; /* note: NULL, or a paragraph under the title */
    int columns, rows;
    const char **head; /* [columns] */
    const char **cell; /* [rows * columns] */
    int left;          /* so many columns are texts, aligned left */
} sheet;

enum { SHEETS = 9 };
/* Fill sheets[SHEETS], all of it in arena. Returns how many have rows. */
int scale_sheets_make(const hiss_results *results, hiss_arena *arena, sheet *sheets);
void scale_sheet_print(FILE *out, const sheet *s);
void scale_sheet_html(FILE *out, const sheet *s);

#endif
