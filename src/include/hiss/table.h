/* Cells of text tables, which keep their width whatever they hold, and lines that keep to the page. */
#ifndef HISS_TABLE_H
#define HISS_TABLE_H

#include <stdio.h>

enum {
    HISS_CELL = 256,       /* bytes of a cell, its terminator included */
    HISS_NUMBER_WIDTH = 5, /* columns that hold every number, though from -1e100 on as -inf */
    HISS_PAGE = 120        /* columns of a page */
};

/* value with so many decimals, right-aligned in `width` columns, HISS_NUMBER_WIDTH to HISS_CELL - 1. Where it is too
 * long it loses decimals, then becomes a power of ten such as 1.2e9; NaN and infinities are -, inf and -inf. Writes to
 * and returns out. Not collective. */
const char *hiss_number_cell(char out[HISS_CELL], int width, int decimals, double value);
/* The same as a power of ten, such as 1.2e-5. */
const char *hiss_power_cell(char out[HISS_CELL], int width, int decimals, double value);
/* text (UTF-8), left-aligned in `width` columns, 1 to 63; what does not fit is cut and ends in ~. Writes to and returns
 * out. Not collective. */
const char *hiss_text_cell(char out[HISS_CELL], int width, const char *text);

/* The cell as an argument of printf; it lives until the end of the enclosing block. */
#define HISS_NUMBER(width, decimals, value) hiss_number_cell((char[HISS_CELL]){0}, width, decimals, value)
#define HISS_POWER(width, decimals, value)  hiss_power_cell((char[HISS_CELL]){0}, width, decimals, value)
#define HISS_TEXT(width, text)              hiss_text_cell((char[HISS_CELL]){0}, width, text)

/* Print text, one line without its end, and a line break. Where it is longer than `page` columns it is broken at
 * blanks, and goes on indented by 4; words that are longer than a line stay whole. Not collective. */
void hiss_text_print_wrapped(FILE *stream, int page, const char *text);

#endif
