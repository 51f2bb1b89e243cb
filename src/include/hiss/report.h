/* Tables of texts for people, made once and rendered as text, Markdown and HTML; the page around them. Not
 * collective. */
#ifndef HISS_REPORT_H
#define HISS_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "hiss/alloc.h"

typedef struct hiss_report_table {
    const char *title, *note; /* note: NULL, or a paragraph under the title of a page */
    int columns, rows;
    const char **head; /* [columns] */
    const char **cell; /* [rows * columns] */
    bool *strong;      /* [rows * columns] those that pages and Markdown print bold */
    int left;          /* so many columns are texts, aligned left */
    int capacity, column;
} hiss_report_table;

/* An empty table with room for so many rows, its arrays in arena; texts are kept by reference. */
void hiss_report_begin(hiss_report_table *table, hiss_arena *arena, const char *title, const char *note, int left,
                       int columns, const char *const *head, int rows);
/* The next cell; rows fill up one after another. */
void hiss_report_put(hiss_report_table *table, const char *text);
void hiss_report_put_strong(hiss_report_table *table, const char *text);

void hiss_report_text(FILE *stream, const hiss_report_table *table);
void hiss_report_markdown(FILE *stream, const hiss_report_table *table); /* the table alone */
void hiss_report_html(FILE *stream, const hiss_report_table *table);
/* A page of such tables without network or scripts: its beginning, up to the heading; its end. */
void hiss_report_page_begin(FILE *stream, const char *kind, const char *title);
void hiss_report_page_end(FILE *stream);

#endif
