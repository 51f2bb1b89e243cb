/* Boxes by windows: the windows, overlap, suppression, matching with ties and doubles, average precision against its
 * definition, what is within reach. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/eval.h"
#include "hiss/rng.h"

static void windows_cover_the_image(void **state) {
    (void)state;
    hiss_box w[HISS_WINDOWS];
    hiss_windows(48, 80, w);
    assert_true(w[0].x0 == 0.0f && w[0].y0 == 0.0f && w[0].x1 == 80.0f && w[0].y1 == 48.0f);
    bool right = false, bottom = false;
    for (int i = 0; i < HISS_WINDOWS; i++) {
        assert_true(w[i].x0 >= 0.0f && w[i].y0 >= 0.0f && w[i].x1 <= 80.0f && w[i].y1 <= 48.0f);
        assert_true(w[i].x1 - w[i].x0 > 80.0f * 0.176f && w[i].y1 - w[i].y0 > 48.0f * 0.176f);
        right = right || (w[i].x0 > 60.0f && w[i].x1 == 80.0f);
        bottom = bottom || (w[i].y0 > 36.0f && w[i].y1 == 48.0f);
        int others = 0; /* that begin at most half a side away, and are of its size */
        for (int k = 0; k < HISS_WINDOWS; k++) {
            const float dx = fabsf(w[k].x0 - w[i].x0), width = w[i].x1 - w[i].x0;
            assert_true(k == i || memcmp(&w[k], &w[i], sizeof w[i]) != 0);
            others += k != i && dx > 0.0f && dx <= 0.5f * width + 1e-3f && fabsf(w[k].x1 - w[k].x0 - width) < 1e-3f;
        }
        assert_true(others > 0 || w[i].x1 - w[i].x0 == 80.0f);
    }
    assert_true(right && bottom);
}

static void overlap_is_that_of_areas(void **state) {
    (void)state;
    const hiss_box a = {0, 0, 4, 4}, half = {0, 0, 4, 2}, beside = {4, 0, 8, 4}, moved = {2, 2, 6, 6},
                   within = {1, 1, 2, 3};
    assert_true(hiss_box_overlap(&a, &a) == 1.0);
    assert_true(hiss_box_overlap(&a, &half) == 0.5 && hiss_box_overlap(&half, &a) == 0.5);
    assert_true(hiss_box_overlap(&a, &beside) == 0.0);
    assert_true(hiss_box_overlap(&a, &moved) == 4.0 / 28.0);
    assert_true(hiss_box_overlap(&a, &within) == 2.0 / 16.0);
}

/* Windows far from each other, but for those that a test moves. */
static void spread(hiss_box *w) {
    for (int i = 0; i < HISS_WINDOWS; i++) {
        w[i] = (hiss_box){(float)(20 * i), 0, (float)(20 * i + 10), 10};
    }
}

static void highest_suppress_others(void **state) {
    (void)state;
    hiss_box w[HISS_WINDOWS];
    float score[HISS_WINDOWS * 2];
    hiss_found found[5];
    spread(w);
    w[4] = (hiss_box){5, 0, 15, 10};  /* by a third over 0 */
    w[5] = (hiss_box){6, 0, 16, 10};  /* by a quarter over 0, by nine elevenths over 4 */
    w[6] = (hiss_box){60, 0, 70, 10}; /* 3 itself */
    for (int i = 0; i < HISS_WINDOWS; i++) {
        score[2 * i] = -9.0f; /* all equal */
        score[2 * i + 1] = 99.0f;
    }
    score[0] = 5.0f;
    score[2 * 4] = 4.0f;
    score[2 * 5] = 3.0f;
    score[2 * 3] = score[2 * 6] = 1.0f;
    hiss_suppress(w, score, 2, 5, found);
    const int32_t expected[] = {0, 5, 3, 1, 2}; /* 4 is dropped by 0, 6 by 3 with which it ties, and then drops none */
    const float scores[] = {5.0f, 3.0f, 1.0f, -9.0f, -9.0f};
    for (int k = 0; k < 5; k++) {
        assert_int_equal(found[k].window, expected[k]);
        assert_true(found[k].score == scores[k]);
    }
    for (int i = 0; i < HISS_WINDOWS; i++) {
        w[i] = w[0];
    }
    hiss_suppress(w, score, 2, 3, found);
    assert_true(found[0].window == 0 && found[1].window == -1 && found[2].window == -1);
}

enum { NONE = -1 };

static void each_box_is_found_once(void **state) {
    (void)state;
    hiss_box w[HISS_WINDOWS];
    spread(w);
    w[1] = (hiss_box){0, 0, 10, 5};       /* half of box 0: just enough */
    w[2] = (hiss_box){0, 0, 10, 4};       /* too little of it */
    w[3] = (hiss_box){0, 10, 10, 20};     /* box 1 */
    const float box[] = {0, 0, 0, 10, 10, /* image 0: two of class 0 and one of class 1 */
                         0, 0, 10, 10, 20, 1, 0, 0, 10, 10, NONE, 0, 0, 0, 0,
                         /* image 1: none of class 0 */
                         1, 0, 10, 10, 20, NONE, 0, 0, 0, 0, NONE, 0, 0, 0, 0, NONE, 0, 0, 0, 0};
    /* [image, class, most]: of ties the one that stands first takes the box */
    const hiss_found found[] = {{3.0f, 1},    {3.0f, 0},    {2.0f, 3},    {1.0f, 2},    {4.0f, 3},    {3.0f, 0},
                                {0.0f, NONE}, {0.0f, NONE}, {9.0f, 3},    {0.0f, NONE}, {0.0f, NONE}, {0.0f, NONE},
                                {0.5f, 3},    {0.4f, 3},    {0.0f, NONE}, {0.0f, NONE}};
    const bool expected[] = {true,  false, true,  false, false, true,  false, false,
                             false, false, false, false, true,  false, false, false};
    bool right[16];
    hiss_precisions p = hiss_box_precisions(2, 2, 4, found, w, 4, box, right);
    assert_memory_equal(right, expected, sizeof expected);
    /* class 0: 9 wrong, 3 and 3 one right, 2 right, 1 wrong; 2 boxes. Class 1: wrong, right, right, wrong; 2 boxes */
    assert_true(fabs(p.each[0].area - (0.5 * 1.0 / 3.0 + 0.5 * 2.0 / 4.0)) < 1e-12);
    assert_true(fabs(p.each[1].area - (0.5 * 1.0 / 2.0 + 0.5 * 2.0 / 3.0)) < 1e-12);
    assert_true(fabs(p.mean.area - 0.5 * (p.each[0].area + p.each[1].area)) < 1e-12);
    assert_true(fabs(p.each[1].eleven - 2.0 / 3.0) < 1e-12); /* the best precision is at recall 1 */
    assert_true(p.judged == 2 && p.classes == 2 && isnan(p.prior));
    hiss_precisions_destroy(&p);
}

/* What overlaps two boxes alike is right about the first. */
static void first_of_equal_boxes(void **state) {
    (void)state;
    hiss_box w[HISS_WINDOWS];
    spread(w);
    w[0] = (hiss_box){0, 0, 20, 10};
    w[1] = (hiss_box){0, 0, 10, 10};
    w[2] = (hiss_box){10, 0, 20, 10};
    const float box[] = {0, 0, 0, 10, 10, 0, 10, 0, 20, 10};
    const hiss_found found[] = {{3.0f, 0}, {2.0f, 1}, {1.0f, 2}};
    bool right[3];
    hiss_precisions p = hiss_box_precisions(1, 1, 3, found, w, 2, box, right);
    assert_true(right[0] && !right[1] && right[2]);
    hiss_precisions_destroy(&p);
}

static void missed_classes_count(void **state) {
    (void)state;
    hiss_box w[HISS_WINDOWS];
    spread(w);
    const float box[] = {0, 500, 500, 510, 510}; /* nowhere near */
    const hiss_found found[] = {{1.0f, 0}, {1.0f, 0}, {0.0f, NONE}},
                     none[3] = {{0.0f, NONE}, {0.0f, NONE}, {0.0f, NONE}};
    hiss_precisions p = hiss_box_precisions(1, 3, 1, found, w, 1, box, NULL);
    assert_true(p.judged == 1 && p.mean.area == 0.0 && p.mean.eleven == 0.0);
    assert_true(isnan(p.each[1].area) && isnan(p.each[2].area)); /* without a box in the data */
    hiss_precisions_destroy(&p);
    p = hiss_box_precisions(1, 3, 1, none, w, 1, box, NULL);
    assert_true(p.judged == 1 && p.mean.area == 0.0);
    hiss_precisions_destroy(&p);
}

static void reach_is_that_of_boxes(void **state) {
    (void)state;
    hiss_box w[HISS_WINDOWS];
    hiss_windows(64, 64, w);
    const float box[] = {0, 0, 0, 64, 64, 1, 0, 0, 32, 16, NONE, 0, 0, 0, 0, 1, 1, 1, 3, 3},
                none[] = {NONE, 0, 0, 0, 0};
    assert_true(fabs(hiss_box_reachable(w, 2, 2, box) - 100.0 * 2.0 / 3.0) < 1e-9); /* 2 x 2 pixels are too small */
    assert_true(isnan(hiss_box_reachable(w, 1, 1, none)));
}

/* Who overlaps a box by more than half of both overlaps no other such box of a set without overlaps: so a perfect ranking
 * of windows that are the boxes themselves has an average precision of 1. */
static void perfect_is_one(void **state) {
    (void)state;
    enum { IMAGES = 30, K = 3, BOXES = 4, MOST = 8 };
    static hiss_found found[IMAGES * K * MOST];
    static float box[IMAGES * BOXES * HISS_BOX_VALUES];
    hiss_box w[HISS_WINDOWS];
    hiss_rng rng = hiss_rng_keyed(3, 1, 4, 1);
    spread(w);
    memset(found, 0, sizeof found);
    for (int i = 0; i < IMAGES * K * MOST; i++) {
        found[i].window = NONE;
    }
    for (int i = 0; i < IMAGES; i++) {
        for (int b = 0; b < BOXES; b++) {
            const int k = (int)(hiss_rng_uniform(&rng) * K);
            const int at = b * 40 + (int)(hiss_rng_uniform(&rng) * 40.0f);
            const float values[] = {(float)k, w[at].x0, w[at].y0, w[at].x1, w[at].y1};
            memcpy(box + (i * BOXES + b) * HISS_BOX_VALUES, values, sizeof values);
            int free = 0;
            while (found[(i * K + k) * MOST + free].window >= 0) {
                free++;
            }
            found[(i * K + k) * MOST + free] = (hiss_found){10.0f - (float)free, at};
        }
    }
    hiss_precisions p = hiss_box_precisions(IMAGES, K, MOST, found, w, BOXES, box, NULL);
    assert_true(p.judged == K && fabs(p.mean.area - 1.0) < 1e-12 && fabs(p.mean.eleven - 1.0) < 1e-12);
    hiss_precisions_destroy(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_cover_the_image), cmocka_unit_test(overlap_is_that_of_areas),
        cmocka_unit_test(highest_suppress_others), cmocka_unit_test(each_box_is_found_once),
        cmocka_unit_test(first_of_equal_boxes),    cmocka_unit_test(missed_classes_count),
        cmocka_unit_test(reach_is_that_of_boxes),  cmocka_unit_test(perfect_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
