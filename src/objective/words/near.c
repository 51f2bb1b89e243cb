/* What vectors say of words: which are near, and how well that agrees with what is known of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/words/word2vec.h"

float *words_unit(int64_t V, int64_t D, const float *vector) {
    float *unit = hiss_new(float, V *D);
    for (int64_t k = 0; k < V; k++) {
        double square = 0;
        for (int64_t d = 0; d < D; d++) {
            square += (double)vector[k * D + d] * (double)vector[k * D + d];
        }
        const double factor = square > 0 ? 1 / sqrt(square) : 0;
        for (int64_t d = 0; d < D; d++) {
            unit[k * D + d] = (float)((double)vector[k * D + d] * factor);
        }
    }
    return unit;
}

double words_cosine(int64_t D, const float *a, const float *b) {
    double sum = 0;
    for (int64_t d = 0; d < D; d++) {
        sum += (double)a[d] * (double)b[d];
    }
    return sum;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double words_auc(int64_t count, double *p, double *n) {
    qsort(p, (size_t)count, sizeof *p, compare);
    qsort(n, (size_t)count, sizeof *n, compare);
    double above = 0;
    for (int64_t i = 0, less = 0, not_more = 0; i < count; i++) {
        while (less < count && n[less] < p[i]) {
            less++;
        }
        while (not_more < count && n[not_more] <= p[i]) {
            not_more++;
        }
        above += 0.5 * (double)(less + not_more);
    }
    return above / ((double)count * (double)count);
}

/* ---- rank correlation ---- */

typedef struct placed {
    double value;
    int64_t at;
} placed;

static int compare_placed(const void *a, const void *b) {
    const placed *x = a, *y = b;
    return x->value != y->value ? (x->value > y->value) - (x->value < y->value) : (x->at > y->at) - (x->at < y->at);
}

static double *ranks(int64_t count, const double *value) {
    placed *order = hiss_new(placed, count);
    double *rank = hiss_new(double, count);
    for (int64_t k = 0; k < count; k++) {
        order[k] = (placed){value[k], k};
    }
    qsort(order, (size_t)count, sizeof *order, compare_placed);
    for (int64_t k = 0, end; k < count; k = end) {
        for (end = k + 1; end < count && order[end].value <= order[k].value; end++) {
        }
        for (int64_t i = k; i < end; i++) {
            rank[order[i].at] = 0.5 * (double)(k + end - 1);
        }
    }
    hiss_free(order);
    return rank;
}

double words_spearman(int64_t count, const double *a, const double *b) {
    if (count < 3) {
        return (double)NAN;
    }
    double *x = ranks(count, a), *y = ranks(count, b), xx = 0, yy = 0, xy = 0;
    const double mean = 0.5 * (double)(count - 1);
    for (int64_t k = 0; k < count; k++) {
        xx += (x[k] - mean) * (x[k] - mean);
        yy += (y[k] - mean) * (y[k] - mean);
        xy += (x[k] - mean) * (y[k] - mean);
    }
    hiss_free(x);
    hiss_free(y);
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}

/* ---- neighbours ---- */

void words_nearest(int64_t V, int64_t D, const float *unit, const float *query, int left, const int32_t *left_out,
                   int64_t count, int32_t *out, float *similarity) {
    for (int64_t k = 0; k < V; k++) {
        float sum = 0;
        for (int64_t d = 0; d < D; d++) {
            sum += unit[k * D + d] * query[d];
        }
        similarity[k] = k > 0 ? sum : -HUGE_VALF;
    }
    for (int i = 0; i < left; i++) {
        similarity[left_out[i]] = -HUGE_VALF;
    }
    for (int64_t found = 0; found < count; found++) {
        int64_t best = 0;
        for (int64_t k = 1; k < V; k++) {
            best = similarity[k] > similarity[best] ? k : best;
        }
        out[found] = (int32_t)best;
        similarity[best] = -HUGE_VALF;
    }
}
