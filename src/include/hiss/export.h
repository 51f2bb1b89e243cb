/* Texts and numbers as CSV and JSON write them. Not collective. */
#ifndef HISS_EXPORT_H
#define HISS_EXPORT_H

#include <stdio.h>

/* In double quotes; those within are doubled. */
void hiss_csv_text(FILE *stream, const char *text);
/* With nine digits; nothing for what is not finite. */
void hiss_csv_number(FILE *stream, double value);

/* In double quotes, control characters escaped; null for NULL. */
void hiss_json_text(FILE *stream, const char *text);
/* With nine digits; null for what is not finite. */
void hiss_json_number(FILE *stream, double value);

#endif
