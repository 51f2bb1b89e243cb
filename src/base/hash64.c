/* A 64-bit hash at the speed of memory, for noticing that two copies of many numbers differ.
 *
 * Word j of 8 bytes goes to accumulator j mod 32 by a <- fold(a ^ word) * odd, fold(x) = x ^ x >> 32. Each such step,
 * and each step that folds the accumulators into the result, can be undone when the other operand is known, so two
 * texts of one length that differ in one word never have the same hash; others have with a chance of about 2^-64.
 * Multiplication carries a difference to higher bits only, and one of the highest bit nowhere: fold brings it down
 * again, or else two flips of that bit (the sign of a float) would cancel. The chains are independent and hide the
 * latency of multiplication, in vectors where there are any. Not for enemies: collisions can be made. */
#include <string.h>

#include "hiss/hash.h"

enum { CHAINS = 32, BLOCK = CHAINS * 8 };
static const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15); /* 2^64 / golden ratio */

static uint64_t mix(uint64_t state, uint64_t word) {
    const uint64_t x = state ^ word;
    return (x ^ x >> 32) * odd;
}

static void absorb(uint64_t chain[CHAINS], const unsigned char *block) {
    uint64_t word[CHAINS];
    memcpy(word, block, BLOCK);
    for (int k = 0; k < CHAINS; k++) {
        chain[k] = mix(chain[k], word[k]);
    }
}

uint64_t hiss_hash64(const void *bytes, size_t count, uint64_t seed) {
    const unsigned char *at = bytes;
    uint64_t chain[CHAINS];
    for (int k = 0; k < CHAINS; k++) {
        chain[k] = seed + (uint64_t)k;
    }
    size_t left = count;
    for (; left >= BLOCK; left -= BLOCK, at += BLOCK) {
        absorb(chain, at);
    }
    if (left > 0) {
        unsigned char rest[BLOCK] = {0};
        memcpy(rest, at, left);
        absorb(chain, rest);
    }
    uint64_t hash = count;
    for (int k = 0; k < CHAINS; k++) {
        hash = mix(hash, chain[k]);
    }
    hash ^= hash >> 32;
    hash *= odd;
    return hash ^ hash >> 29;
}
