/* Scores of single rows against many targets, for solvers that look at a row when they need it.
 *
 * A score is the sum over k = 0..d-1, in this order, of rounded products: no fused multiply-add, no reordering. So it
 * has the same bits whoever computes it, alone or among others, which a library's matrix product does not promise.
 * Targets are packed in panels of a few vectors' width, one row of a panel per dimension, and the sums of several rows
 * with one panel stay in registers. */
#include <string.h>

#include "objective/nat/nat.h"

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum { WAYS = 4, PANEL = WAYS * LANES, ROWS = 4 };

typedef float lanes __attribute__((vector_size(LANES * 4), may_alias));

int64_t nat_padded(int64_t n) {
    return (n + PANEL - 1) / PANEL * PANEL;
}

static float *column_of_panel(int64_t d, int64_t j, const float *panels) {
    return (float *)panels + j / PANEL * PANEL * d + j % PANEL;
}

void nat_pack(int64_t d, int64_t j, const float *vector, float *panels) {
    float *column = column_of_panel(d, j, panels);
    for (int64_t k = 0; k < d; k++) {
        column[k * PANEL] = vector[k];
    }
}

float nat_score_at(int64_t d, const float *row, int64_t j, const float *panels) {
    const float *column = column_of_panel(d, j, panels);
    float sum = 0.0f;
    for (int64_t k = 0; k < d; k++) {
        sum += column[k * PANEL] * row[k];
    }
    return sum;
}

static void score_four(int64_t d, const float *const *row, const float *panel, float *out, int64_t ld) {
    lanes sum[ROWS][WAYS] = {{{0.0f}}};
    for (int64_t k = 0; k < d; k++) {
        lanes target[WAYS];
        memcpy(target, panel + k * PANEL, sizeof target);
        for (int r = 0; r < ROWS; r++) {
            for (int w = 0; w < WAYS; w++) {
                sum[r][w] += target[w] * row[r][k];
            }
        }
    }
    for (int r = 0; r < ROWS; r++) {
        memcpy(out + r * ld, sum[r], sizeof sum[r]);
    }
}

static void score_one(int64_t d, const float *row, const float *panel, float *out) {
    lanes sum[WAYS] = {{0.0f}};
    for (int64_t k = 0; k < d; k++) {
        lanes target[WAYS];
        memcpy(target, panel + k * PANEL, sizeof target);
        for (int w = 0; w < WAYS; w++) {
            sum[w] += target[w] * row[k];
        }
    }
    memcpy(out, sum, sizeof sum);
}

void nat_score(int64_t count, int64_t d, const float *const *row, int64_t padded, const float *panels, float *out,
               int64_t ld) {
    for (int64_t j = 0; j < padded; j += PANEL, panels += PANEL * d, out += PANEL) {
        int64_t r = 0;
        for (; r + ROWS <= count; r += ROWS) {
            score_four(d, row + r, panels, out + r * ld, ld);
        }
        for (; r < count; r++) {
            score_one(d, row[r], panels, out + r * ld);
        }
    }
}
