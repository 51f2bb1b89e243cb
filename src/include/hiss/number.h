/* Numbers and paths as people write them: in configs, options and lists. Not collective. */
#ifndef HISS_NUMBER_H
#define HISS_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "hiss/alloc.h"
#include "hiss/status.h"

/* Decimal digits with an optional sign, and optionally KiB, MiB or GiB right behind them. False, *out untouched, when
 * text is anything else or beyond int64_t. */
bool hiss_integer_parse(const char *text, int64_t *out);
/* A finite decimal number: digits, a decimal point, an exponent. False, *out untouched, when text is anything else, too
 * large for a double, or so small that it would become 0. */
bool hiss_real_parse(const char *text, double *out);

enum { HISS_HINT = 160 };
/* What is wrong with text that was refused as a number and how to write it, to follow a message: "; write a decimal
 * point: 0.05". Empty when there is nothing to say.
 *   whole  an integer was wanted */
const char *hiss_number_hint(const char *text, bool whole, char out[HISS_HINT]);

/* Paths: a leading ~ or ~/ becomes HOME. An error, "WHERE: ..." in one line, for ~USER, for ~ without HOME, and for a
 * $, since no shell looks into configs and quoted words.
 *   where  names the option or the place in a file
 *   out    path itself, or a text in arena
 * check: only whether it could be done. */
hiss_status hiss_path_check(const char *where, const char *path, hiss_error *err);
hiss_status hiss_path_expand(hiss_arena *arena, const char *where, const char *path, const char **out, hiss_error *err);

#endif
