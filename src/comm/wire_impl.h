/* Numbers as they travel in bfloat16, half as long as float32; see wire.c. No MPI. Nothing here is collective. */
#ifndef HISS_COMM_WIRE_IMPL_H
#define HISS_COMM_WIRE_IMPL_H

#include <stdint.h>

/* into[i] = R(R(into[i]) + R(from[i])), where R rounds to bfloat16: the addition of the canonical tree. */
void comm_wire_add(float *restrict into, const float *restrict from, int64_t count);
void comm_wire_round(float *values, int64_t count); /* to bfloat16, as float32 */
/* In place: afterwards the first half of the memory holds the numbers in bfloat16. */
void comm_wire_pack(float *values, int64_t count);
/* Numbers [at, at + n) of a row of count, whose second half holds them all in bfloat16, as float32 in their places. Rows
 * are unpacked from the left to the right. */
void comm_wire_unpack(float *row, int64_t count, int64_t at, int64_t n);
/* change = values - before in bfloat16, and values = before + change. */
void comm_wire_change(const float *restrict before, float *restrict values, uint16_t *restrict change, int64_t count);
void comm_wire_apply(const uint16_t *restrict change, float *restrict values, int64_t count); /* values += change */

#endif
