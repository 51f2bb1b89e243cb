/* Boxes found by windows that are all looked at, and how well: average precision of class and place.
 *
 * Windows. Their sides are those of the image by 2^(-k/2): w = W 2^(-(i+a)/2) and h = H 2^(-(i-a)/2), scales i = 0 .. 4, and
 * aspects a = 0, -1, 1, that is, 1, 2 and 1/2 in terms of the image's own. A side is at most that of the image. Windows of
 * one size are a grid from edge to edge, whose steps are the fewest that are at most half a side.
 *
 * Suppression. Of each class in each image the highest score is kept, all windows that overlap it by more than
 * HISS_SUPPRESSED are dropped, and so on with what is left.
 *
 * Matching, as PASCAL VOC has it (Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 2010, section
 * 4.2): by falling score, what is found is compared with the box of its class that it overlaps most. It is right where
 * that is HISS_MATCHED or more, and nothing before was right about that box: an object that is found twice counts once as
 * right and once as wrong. Boxes are areas of the plane here, without the one that VOC adds to sides in pixels. Boxes that
 * are found in no image are missed: they count in recall alone. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/eval.h"

enum { SCALES = 5, HALVINGS = SCALES + 1 };

/* ---- windows ---- */

void hiss_windows(int64_t H, int64_t W, hiss_box out[HISS_WINDOWS]) {
    static const double share[HALVINGS] = {1.0,  0.70710678118654752, 0.5, 0.35355339059327376,
                                           0.25, 0.17677669529663688};
    static const int places[HALVINGS] = {1, 2, 3, 5, 7, 11}, aspect[] = {0, -1, 1};
    int64_t count = 0;
    for (int i = 0; i < SCALES; i++) {
        for (int k = 0; k < HISS_COUNT(aspect); k++) {
            const int across = i + aspect[k] > 0 ? i + aspect[k] : 0, down = i - aspect[k] > 0 ? i - aspect[k] : 0;
            const double w = (double)W * share[across], h = (double)H * share[down];
            for (int p = 0; p < places[down] * places[across]; p++) {
                const int row = p / places[across], column = p % places[across];
                const double y = row ? ((double)H - h) * row / (places[down] - 1) : 0.0;
                const double x = column ? ((double)W - w) * column / (places[across] - 1) : 0.0;
                assert(count < HISS_WINDOWS);
                out[count++] = (hiss_box){(float)x, (float)y, (float)(x + w), (float)(y + h)};
            }
        }
    }
    assert(count == HISS_WINDOWS);
}

static double side(float a0, float a1, float b0, float b1) {
    const double low = a0 > b0 ? a0 : b0, high = a1 < b1 ? a1 : b1;
    return high > low ? high - low : 0.0;
}

static double area(const hiss_box *b) {
    return ((double)b->x1 - (double)b->x0) * ((double)b->y1 - (double)b->y0);
}

double hiss_box_overlap(const hiss_box *a, const hiss_box *b) {
    const double both = side(a->x0, a->x1, b->x0, b->x1) * side(a->y0, a->y1, b->y0, b->y1);
    return both > 0.0 ? both / (area(a) + area(b) - both) : 0.0;
}

static int higher_first(const void *a, const void *b) {
    const hiss_found *x = a, *y = b;
    if (x->score != y->score) {
        return x->score > y->score ? -1 : 1;
    }
    return (x->window > y->window) - (x->window < y->window);
}

void hiss_suppress(const hiss_box window[HISS_WINDOWS], const float *score, int64_t stride, int64_t most,
                   hiss_found *found) {
    hiss_found all[HISS_WINDOWS];
    int64_t kept = 0;
    for (int32_t w = 0; w < HISS_WINDOWS; w++) {
        all[w] = (hiss_found){score[w * stride], w};
    }
    qsort(all, HISS_WINDOWS, sizeof *all, higher_first);
    for (int w = 0; w < HISS_WINDOWS && kept < most; w++) {
        bool apart = true;
        for (int64_t k = 0; k < kept && apart; k++) {
            apart = hiss_box_overlap(&window[all[w].window], &window[found[k].window]) <= HISS_SUPPRESSED;
        }
        if (apart) {
            found[kept++] = all[w];
        }
    }
    for (; kept < most; kept++) {
        found[kept] = (hiss_found){0.0f, -1};
    }
}

/* ---- matching ---- */

static hiss_box box_of(const float *object) {
    return (hiss_box){object[1], object[2], object[3], object[4]};
}

/* The box of a class that `at` overlaps most, -1: none; and by how much. */
static int64_t nearest(const hiss_box *at, int64_t class, int64_t boxes, const float *box, double *overlap) {
    int64_t best = -1;
    *overlap = 0.0;
    for (int64_t b = 0; b < boxes; b++) {
        const hiss_box truth = box_of(box + b * HISS_BOX_VALUES);
        const double by = hiss_box_overlap(at, &truth);
        if (box[b * HISS_BOX_VALUES] == (float)class && by > *overlap) {
            best = b;
            *overlap = by;
        }
    }
    return best;
}

/* What of found [most], of one class in one image, is right. taken [boxes]: room. */
static void match(int64_t most, const hiss_found *found, const hiss_box *window, int64_t class, int64_t boxes,
                  const float *box, bool *taken, bool *right) {
    memset(taken, 0, sizeof *taken * (size_t)boxes);
    for (int64_t k = 0; k < most; k++) {
        double overlap = 0.0;
        const int64_t b = found[k].window < 0 ? -1 : nearest(&window[found[k].window], class, boxes, box, &overlap);
        right[k] = b >= 0 && overlap >= HISS_MATCHED && !taken[b];
        if (right[k]) {
            taken[b] = true;
        }
    }
}

/* Of one class: right [n, most] stands stride apart, as found does. score and target [n * most]: room. */
static hiss_average_precision precision_of(int64_t n, int64_t most, int64_t stride, const hiss_found *found,
                                           const bool *right, int64_t relevant, float *score, uint8_t *target) {
    int64_t count = 0;
    for (int64_t i = 0; i < n * most; i++) {
        const int64_t at = i / most * stride + i % most;
        if (found[at].window >= 0) {
            score[count] = found[at].score;
            target[count++] = right[at];
        }
    }
    return hiss_average_precision_of(count, score, target, 1, relevant);
}

hiss_precisions hiss_box_precisions(int64_t n, int64_t K, int64_t most, const hiss_found *found,
                                    const hiss_box window[HISS_WINDOWS], int64_t boxes, const float *box, bool *right) {
    hiss_precisions p = {.classes = K, .each = hiss_new(hiss_average_precision, K), .prior = (double)NAN};
    bool *own = right ? NULL : hiss_new(bool, n *K *most), *taken = hiss_new(bool, boxes);
    float *score = hiss_new(float, n *most);
    uint8_t *target = hiss_new(uint8_t, n * most);
    int64_t *relevant = hiss_new(int64_t, K);
    right = right ? right : own;
    for (int64_t i = 0; i < n; i++) {
        const float *truth = box + i * boxes * HISS_BOX_VALUES;
        for (int64_t b = 0; b < boxes; b++) {
            if (truth[b * HISS_BOX_VALUES] >= 0.0f) {
                relevant[(int64_t)truth[b * HISS_BOX_VALUES]]++;
            }
        }
        for (int64_t k = 0; k < K; k++) {
            const int64_t at = (i * K + k) * most;
            match(most, found + at, window, k, boxes, truth, taken, right + at);
        }
    }
    for (int64_t k = 0; k < K; k++) {
        p.each[k] = precision_of(n, most, K * most, found + k * most, right + k * most, relevant[k], score, target);
        if (relevant[k] > 0) {
            p.judged++;
            p.mean.area += p.each[k].area;
            p.mean.eleven += p.each[k].eleven;
        }
    }
    const double by = p.judged > 0 ? 1.0 / (double)p.judged : (double)NAN;
    p.mean.area *= by;
    p.mean.eleven *= by;
    void *const all[] = {own, taken, score, target, relevant};
    for (int i = 0; i < HISS_COUNT(all); i++) {
        hiss_free(all[i]);
    }
    return p;
}

double hiss_box_reachable(const hiss_box window[HISS_WINDOWS], int64_t n, int64_t boxes, const float *box) {
    int64_t count = 0, reached = 0;
    for (int64_t b = 0; b < n * boxes; b++) {
        const float *object = box + b * HISS_BOX_VALUES;
        const hiss_box truth = box_of(object);
        bool any = false;
        for (int w = 0; w < HISS_WINDOWS && object[0] >= 0.0f && !any; w++) {
            any = hiss_box_overlap(&window[w], &truth) >= HISS_MATCHED;
        }
        count += object[0] >= 0.0f;
        reached += any;
    }
    return count > 0 ? 100.0 * (double)reached / (double)count : (double)NAN;
}
