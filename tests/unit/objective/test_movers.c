/* Objects that move: masks of motion by hand; what stands still is not in them, however light; what is counted and left out;
 * cells of a local head lie below its places. */
#include "../act.h"

#include "objective/video/movers.h"

enum { SIDE = 8, FRAMES = 5, CELL = 2, CELLS = SIDE / CELL * SIDE / CELL };

typedef struct film {
    uint8_t clip[FRAMES][SIDE][SIDE];
    hiss_field field;
    hiss_task task;
    movers_options options;
    movers v;
    const uint8_t *row;
    hiss_batch batch;
    hiss_lane lane;
} film;

/* A square of 2 x 2 goes right, 2 pixels a frame, over black; one that is lighter stands still in the corner. */
static void film_open(film *f) {
    *f = (film){
        .field = {.name = "clip", .dtype = HISS_U8, .ndim = 4, .dim = {FRAMES, SIDE, SIDE, 1}, .bytes = sizeof f->clip},
        .options = {.cell = CELL, .low = 0.1, .high = 0.2, .still = 0.1, .moves = 0.3, .most = 1.0}};
    f->task = (hiss_task){.field = &f->field, .fields = 1, .H = SIDE, .W = SIDE, .C = 1};
    f->v = (movers){.task = &f->task,
                    .options = &f->options,
                    .frames = FRAMES,
                    .middle = FRAMES / 2,
                    .rows = SIDE / CELL,
                    .columns = SIDE / CELL};
    for (int t = 0; t < FRAMES; t++) {
        for (int k = 0; k < 4; k++) {
            f->clip[t][6 + k / 2][6 + k % 2] = 255;
            if (2 * t < SIDE) {
                f->clip[t][2 + k / 2][2 * t + k % 2] = 200;
            }
        }
    }
    f->row = &f->clip[0][0][0];
    f->batch = (hiss_batch){.m = 1, .row = &f->row};
    f->lane = (hiss_lane){.task = &f->task, .batch = &f->batch};
}

static void test_motion_by_hand(void **state) {
    (void)state;
    film f;
    float motion[CELLS];
    film_open(&f);
    video_movers_motion(&f.v, &f.lane, 0, motion);
    for (int k = 0; k < CELLS; k++) { /* the square is cell (1, 2): each of its pixels sees 4 of its 9 */
        const int y = abs(k / 4 - 1), x = abs(k % 4 - 2);
        double wanted = y == 0 && x == 0   ? 4.0 / 9.0
                        : y + x == 1       ? 2.0 / 9.0 / 2.0
                        : y == 1 && x == 1 ? 1.0 / 9.0 / 4.0
                                           : 0.0;
        if (y == 0 && x == 1 && k % 4 == 3) { /* one column of it is at the edge, and sees none */
            wanted = 2.0 / 9.0 / 2.0;
        }
        assert_true(fabs((double)motion[k] - wanted) < 1e-6);
    }
    /* The same in negative: the ground is the median, not what is darkest. */
    float negative[CELLS];
    uint8_t *pixel = &f.clip[0][0][0];
    for (size_t k = 0; k < sizeof f.clip; k++) {
        pixel[k] = (uint8_t)(255 - pixel[k]);
    }
    video_movers_motion(&f.v, &f.lane, 0, negative);
    assert_memory_equal(negative, motion, sizeof motion);
    /* Half of the way from low to high counts half. */
    f.options.low = 0.0;
    f.options.high = 2.0 * 200.0 / 255.0;
    video_movers_motion(&f.v, &f.lane, 0, motion);
    assert_true(fabs((double)motion[1 * 4 + 2] - 2.0 / 9.0) < 1e-6);
    /* One that does not leave its place is its own median. */
    for (int t = 0; t < FRAMES; t++) {
        memcpy(f.clip[t], f.clip[0], sizeof f.clip[0]);
    }
    video_movers_motion(&f.v, &f.lane, 0, motion);
    for (int k = 0; k < CELLS; k++) {
        assert_true(motion[k] == 0.0f);
    }
}

static void test_what_counts(void **state) {
    (void)state;
    film f;
    float weight[CELLS], left_out = 2.0f;
    film_open(&f);
    video_movers_weights(&f.v, &f.lane, 0, weight, &left_out);
    assert_true(left_out == 0.0f);
    for (int k = 0; k < CELLS; k++) {
        const int away = abs(k / 4 - 1) + abs(k % 4 - 2);
        assert_true(weight[k] == (away == 0 ? 1.0f : away == 1 ? 0.0f : -1.0f));
    }
    for (int bound = 0; bound < 2; bound++) { /* one of 16 cells moves */
        f.options.least = bound ? 0.0 : 0.07;
        f.options.most = bound ? 0.05 : 1.0;
        video_movers_weights(&f.v, &f.lane, 0, weight, &left_out);
        assert_true(left_out == 1.0f);
        for (int k = 0; k < CELLS; k++) {
            assert_true(weight[k] == 0.0f);
        }
    }
}

static void test_cells_below_places(void **state) {
    (void)state;
    movers_options options = {.head = MOVERS_LOCAL};
    const movers v = {.options = &options, .rows = 6, .columns = 4, .h = 3, .w = 2};
    bool seen[24] = {false};
    for (int64_t k = 0; k < 24; k++) {
        const int64_t y = k / 4, x = k % 4, at = video_movers_cell(&v, y, x);
        assert_true(0 <= at && at < 24 && !seen[at]);
        seen[at] = true;
        assert_int_equal(at / 4, y / 2 * 2 + x / 2); /* 2 x 2 cells for each place */
    }
    options.head = MOVERS_LINEAR;
    assert_int_equal(video_movers_cell(&v, 5, 3), 23);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_motion_by_hand), cmocka_unit_test(test_what_counts),
                                       cmocka_unit_test(test_cells_below_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
