/* Vectors of doubles for scans over rows of scores, by the vector extension that gcc and clang share. Strict IEEE
 * forbids compilers to vectorise minima by themselves; written out they are exact, so that results do not depend on
 * the width. Private to src/assign. */
#ifndef HISS_LANES_IMPL_H
#define HISS_LANES_IMPL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
enum { LANES = 8 };
#elif defined(__AVX__)
enum { LANES = 4 };
#else
enum { LANES = 2 };
#endif

/* Rows are scanned in groups of WAYS independent vectors: the latency of one comparison hides behind the others. */
enum { WAYS = 4, GROUP = WAYS * LANES };

typedef double lanes __attribute__((vector_size(LANES * 8), may_alias));
typedef int64_t lane_mask __attribute__((vector_size(LANES * 8), may_alias));
typedef float lane_scores __attribute__((vector_size(LANES * 4), may_alias));

static inline int64_t padded_to_groups(int64_t n) {
    return (n + GROUP - 1) / GROUP * GROUP;
}

static inline lanes lanes_of(double x) {
    return (lanes){0} + x;
}

static inline lanes select_lanes(lane_mask mask, lanes yes, lanes no) {
    return (lanes)(((lane_mask)yes & mask) | ((lane_mask)no & ~mask));
}

static inline lanes load_scores(const float *score) {
    lane_scores s;
    memcpy(&s, score, sizeof s);
    return __builtin_convertvector(s, lanes);
}

/* GROUP scores from column j on: in place, or copied to tail and filled up with zeros where the row ends. */
static inline const float *group_of(const float *score, int64_t n, int64_t j, float tail[GROUP]) {
    if (n - j >= GROUP) {
        return score + j;
    }
    memset(tail, 0, GROUP * sizeof *tail);
    memcpy(tail, score + j, (size_t)(n - j) * sizeof *tail);
    return tail;
}

#endif
