/* What config.c and options.c share about rows. */
#ifndef HISS_ROWS_IMPL_H
#define HISS_ROWS_IMPL_H

#include <stddef.h>

#include "hiss/config.h"
#include "hiss/number.h"

/* Set the row's field from text; false, field untouched, when text is not of the row's type or out of its bounds.
 * Not for HISS_NODE. STRING stores text itself. */
bool base_row_accept(const hiss_row *row, const char *text, void *fields);
/* Whether an empty text is none: of a path, and of a STRING with min 1. */
bool base_row_wants_text(const hiss_row *row);
/* Set the row's field to its default; false when there is none and the user must give one. */
bool base_row_default(const hiss_row *row, void *fields);
/* The row's choices, without a bar in front. */
const char *base_row_choices(const hiss_row *row);
/* Write what the row accepts, to follow "must be ": "an integer in 1..8". */
void base_row_expected(const hiss_row *row, char *out, size_t size);
/* What to say about a text the row does not accept, behind the message; may be empty. */
const char *base_row_hint(const hiss_row *row, const char *text, char out[HISS_HINT]);
/* Read the path that a node is, or the list of paths; key: its place and name. */
hiss_status base_row_read_path(hiss_arena *arena, const char *key, const hiss_row *row, const hiss_yaml *node,
                               const char **out, hiss_error *err);
hiss_status base_row_read_paths(hiss_arena *arena, const char *key, const hiss_yaml *list, const char **out,
                                hiss_error *err);
/* Write the row's field as YAML. Not for HISS_NODE. */
void base_row_write(FILE *stream, const hiss_row *row, const void *fields);

#endif
