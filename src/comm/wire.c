/* Half the bytes: sums of gradients, and changes of parameters, in bfloat16 (the upper half of a float32).
 *
 * The bits must not depend on which sums travel. So every sum of the canonical tree is rounded, whether it leaves its
 * rank or not: a node is R(R(left) + R(right)), with R to the nearest, ties to even. R(R(x)) = R(x), so that a vector that
 * travelled and one that did not count alike, and lanes need no pass of their own.
 *
 * New values of parameters would lose all changes below a 256th of their size. What travels is the change, rounded: the
 * owner, too, goes on with before + change, so that all ranks have the same values. The error of a step is then a 512th
 * of the step at most, whatever the size of the parameter, and nothing has to be remembered from step to step, as error
 * feedback would need: a vector for each lane, and in each checkpoint.
 *
 * Memory is reinterpreted by memcpy, in pieces that compilers turn into a few instructions. */
#include "comm/wire_impl.h"

#include <string.h>

#ifndef HISS_SIMULATED

enum { PIECE = 16 };

/* A NaN stays one: rounding must not carry its last bits into the exponent. */
static inline uint32_t round_bits(uint32_t bits) {
    const uint32_t up = bits + 0x7fffu + ((bits >> 16) & 1u), quiet = bits | 0x400000u;
    return ((bits & 0x7fffffffu) > 0x7f800000u ? quiet : up) & 0xffff0000u;
}

static inline float rounded(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = round_bits(bits);
    memcpy(&value, &bits, sizeof bits);
    return value;
}

static inline uint16_t narrow(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)(round_bits(bits) >> 16);
}

static inline float widen(uint16_t half) {
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void comm_wire_add(float *restrict into, const float *restrict from, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        into[i] = rounded(rounded(into[i]) + rounded(from[i]));
    }
}

void comm_wire_round(float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        values[i] = rounded(values[i]);
    }
}

/* What is written never reaches what is still to be read: bytes 2 i of the first half are behind bytes 4 i. */
void comm_wire_pack(float *values, int64_t count) {
    char *out = (char *)values;
    uint16_t half[PIECE];
    for (int64_t i = 0; i < count; i += PIECE) {
        const int64_t n = count - i < PIECE ? count - i : PIECE;
        for (int64_t k = 0; k < n; k++) {
            half[k] = narrow(values[i + k]);
        }
        memcpy(out + 2 * i, half, sizeof *half * (size_t)n);
    }
}

/* Writing ends at byte 4 (i + n), and what is still to be read begins at 2 count + 2 (i + n), which is not before it. */
void comm_wire_unpack(float *row, int64_t count, int64_t at, int64_t n) {
    const char *in = (const char *)row + 2 * count;
    uint16_t half[PIECE];
    for (int64_t i = at; i < at + n; i += PIECE) {
        const int64_t m = at + n - i < PIECE ? at + n - i : PIECE;
        memcpy(half, in + 2 * i, sizeof *half * (size_t)m);
        for (int64_t k = 0; k < m; k++) {
            row[i + k] = widen(half[k]);
        }
    }
}

void comm_wire_change(const float *restrict before, float *restrict values, uint16_t *restrict change, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        change[i] = narrow(values[i] - before[i]);
        values[i] = before[i] + widen(change[i]);
    }
}

void comm_wire_apply(const uint16_t *restrict change, float *restrict values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        values[i] += widen(change[i]);
    }
}

#endif
