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

/* The same as a further field of a row (CSV: with a comma before it), as a member of an object (JSON: with its key). */
void hiss_csv_next_number(FILE *stream, double value);
void hiss_json_member_text(FILE *stream, const char *key, const char *text);
void hiss_json_member_number(FILE *stream, const char *key, double value);

#endif
