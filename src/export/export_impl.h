/* Private to src/export: numbers as bytes, whatever the byte order of this machine. */
#ifndef HISS_EXPORT_IMPL_H
#define HISS_EXPORT_IMPL_H

#include <stdint.h>
#include <stdio.h>

#include "hiss/weights.h"

/* The low `bytes` bytes of a number, the least first. */
void export_number(FILE *stream, uint64_t number, int bytes);
/* float32 values, the least byte first. */
void export_floats(FILE *stream, int64_t count, const float *values);
/* The notes as an object of JSON. */
void export_notes(FILE *stream, const hiss_weights *w);
int64_t export_bytes_of(const hiss_weight *weight); /* of its values */

#endif
