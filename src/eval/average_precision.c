/* Average precision: how well scores put what is relevant before what is not.
 *
 * Down the scores, each different one is a threshold: recall R is the share of what is relevant that lies at or above it,
 * precision P the share of what lies there that is relevant. Equal scores are one threshold, so that the order of samples
 * has no say.
 *   area    sum over thresholds of (R - R of the one before) P, without interpolation
 *   eleven  mean over r = 0, 0.1, ..., 1 of the largest P at any R >= r: PASCAL VOC up to 2009 (Everingham et al., "The
 *           Pascal Visual Object Classes (VOC) Challenge", IJCV 2010, equations 1 and 2) */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "hiss/alloc.h"
#include "hiss/eval.h"

enum { LEVELS = 11 };

typedef struct ranked {
    float score;
    bool relevant;
} ranked;

static int higher_first(const void *a, const void *b) {
    const float x = ((const ranked *)a)->score, y = ((const ranked *)b)->score;
    return (x < y) - (x > y);
}

/* The list of those that are judged; returns how many. */
static int64_t list(int64_t n, const float *score, const uint8_t *target, int64_t stride, ranked *out) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        if (target[i * stride] <= 1) {
            out[count++] = (ranked){score[i * stride], target[i * stride] == 1};
        }
    }
    qsort(out, (size_t)count, sizeof *out, higher_first);
    return count;
}

hiss_average_precision hiss_average_precision_of(int64_t n, const float *score, const uint8_t *target, int64_t stride,
                                                 int64_t relevant) {
    ranked *item = hiss_new(ranked, n);
    const int64_t count = list(n, score, target, stride, item);
    double best[LEVELS] = {0.0}, area = 0.0, sum = 0.0;
    int64_t found = 0;
    for (int64_t i = 0; i < count && relevant < 0; i++) {
        found += item[i].relevant;
    }
    relevant = relevant < 0 ? found : relevant;
    found = 0;
    for (int64_t i = 0, end; i < count; i = end) {
        const int64_t before = found;
        for (end = i; end < count && item[end].score == item[i].score; end++) {
            found += item[end].relevant;
        }
        const double precision = (double)found / (double)end;
        area += (double)(found - before) / (double)relevant * precision;
        for (int64_t level = 0; level < LEVELS; level++) {
            if (found * (LEVELS - 1) >= level * relevant && precision > best[level]) {
                best[level] = precision;
            }
        }
    }
    assert(found <= relevant);
    hiss_free(item);
    for (int level = 0; level < LEVELS; level++) {
        sum += best[level];
    }
    if (relevant == 0) {
        return (hiss_average_precision){(double)NAN, (double)NAN};
    }
    return (hiss_average_precision){area, sum / LEVELS};
}
