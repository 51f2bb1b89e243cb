/* Scenes: a row depends on its number alone; boxes are around what is seen; what hides too much is drawn elsewhere; classes
 * of a kind occur together; an object that is hard to see is not judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "data/scene_impl.h"
#include "hiss/alloc.h"

enum { SIDE = 64, STAMP = 100, EDGE = 10, CLASSES = 4, KINDS = 2, SCENES = 600, BYTES = SIDE * SIDE * 3 };

/* Squares of 100 x 100 in a colour of their own, of classes 0 and 1 of one kind, 2 and 3 of the other; grey grounds. */
typedef struct fixture {
    data_scenes scenes;
    data_scene_stamp stamp[CLASSES];
    data_image ground[2];
    data_scene_members of_class[CLASSES], of_kind[KINDS];
    int32_t member[CLASSES];
} fixture;

static const uint8_t colour[CLASSES][3] = {{200, 0, 0}, {0, 200, 0}, {0, 0, 200}, {200, 200, 0}};

static data_image square(const uint8_t rgb[3]) {
    const int64_t side = STAMP + 2 * EDGE;
    data_image image = {side, side, 4, hiss_alloc((size_t)(side * side * 4))};
    for (int64_t i = 0; i < side * side; i++) {
        const int64_t y = i / side, x = i % side;
        const bool inside = y >= EDGE && y < side - EDGE && x >= EDGE && x < side - EDGE;
        memcpy(image.pixels + i * 4, rgb, 3);
        image.pixels[i * 4 + 3] = inside ? 255 : 0;
    }
    return image;
}

static data_image grey(int64_t H, int64_t W) {
    data_image image = {H, W, 1, hiss_alloc((size_t)(H * W))};
    memset(image.pixels, 100, (size_t)(H * W));
    return image;
}

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    for (int32_t c = 0; c < CLASSES; c++) {
        f->stamp[c] = (data_scene_stamp){square(colour[c]), c};
        if (!data_scene_keep_stamp(&f->stamp[c].image, SIDE, SIDE)) {
            return -1;
        }
        f->member[c] = c;
        f->of_class[c] = (data_scene_members){&f->member[c], 1};
    }
    for (int k = 0; k < KINDS; k++) {
        f->of_kind[k] = (data_scene_members){&f->member[2 * k], 2};
        f->ground[k] = grey(SIDE + 40 * k, SIDE + 1000 * k);
        data_scene_keep_ground(&f->ground[k], SIDE, SIDE);
    }
    f->scenes = (data_scenes){.H = SIDE,
                              .W = SIDE,
                              .seed = 5,
                              .stamp = f->stamp,
                              .stamps = CLASSES,
                              .ground = f->ground,
                              .grounds = 2,
                              .of_class = f->of_class,
                              .classes = CLASSES,
                              .of_kind = f->of_kind,
                              .kinds = KINDS};
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    for (int c = 0; c < CLASSES; c++) {
        data_image_free(&f->stamp[c].image);
    }
    data_image_free(&f->ground[0]);
    data_image_free(&f->ground[1]);
    free(f);
    return hiss_alloc_live() != 0;
}

/* The class whose colour a pixel has by more than half; -1: the ground's. Light changes neither. */
static int class_of(const uint8_t *p) {
    const int most = p[0] > p[1] ? (p[0] > p[2] ? p[0] : p[2]) : p[1] > p[2] ? p[1] : p[2];
    const bool on[3] = {4 * p[0] > 3 * most, 4 * p[1] > 3 * most, 4 * p[2] > 3 * most};
    return on[0] && on[1] && on[2] ? -1 : on[0] && on[1] ? 3 : on[0] ? 0 : on[1] ? 1 : 2;
}

static void stamps_are_cut_and_scaled(void **state) {
    const fixture *f = *state;
    const data_image *image = &f->stamp[0].image;
    assert_int_equal(image->H, STAMP); /* what is transparent around it is gone */
    assert_int_equal(image->W, STAMP);
    assert_int_equal(f->ground[1].H, SIDE + 40);
    data_image large = grey(4000, 3000);
    data_scene_keep_ground(&large, SIDE, SIDE);
    assert_int_equal(large.W, 8 * SIDE);
    data_image_free(&large);
    large = square(colour[0]);
    assert_true(data_scene_keep_stamp(&large, 20, 30));
    assert_int_equal(large.H, 40);
    assert_int_equal(large.pixels[4 * (40 * 20 + 20)], 200);
    memset(large.pixels, 0, 40 * 40 * 4);
    assert_false(data_scene_keep_stamp(&large, 20, 30));
    data_image_free(&large);
}

static void rows_stand_alone(void **state) {
    const fixture *f = *state;
    static uint8_t a[BYTES], b[BYTES], c[BYTES];
    data_object objects[DATA_SCENE_MOST], again[DATA_SCENE_MOST], others[DATA_SCENE_MOST];
    const int64_t count = data_scene_make(&f->scenes, 7, a, objects);
    data_scene_make(&f->scenes, 8, b, others);
    assert_int_equal(data_scene_make(&f->scenes, 7, c, again), count);
    assert_memory_equal(a, c, sizeof a);
    for (int64_t k = 0; k < count; k++) {
        assert_int_equal(objects[k].class, again[k].class);
        assert_true(objects[k].x0 == again[k].x0 && objects[k].y1 == again[k].y1);
    }
    assert_true(memcmp(a, b, sizeof a) != 0);
    data_scenes other = f->scenes;
    other.seed++;
    data_scene_make(&other, 7, b, others);
    assert_true(memcmp(a, b, sizeof a) != 0);
}

/* Of one object alone, within a pixel: its edge is blended. */
static void expect_box(const uint8_t *pixels, const data_object *o) {
    int64_t top = SIDE, left = SIDE, bottom = 0, right = 0;
    for (int64_t i = 0; i < SIDE * SIDE; i++) {
        if (class_of(pixels + 3 * i) == o->class) {
            top = i / SIDE < top ? i / SIDE : top;
            left = i % SIDE < left ? i % SIDE : left;
            bottom = i / SIDE + 1;
            right = i % SIDE >= right ? i % SIDE + 1 : right;
        }
    }
    assert_true(llabs((int64_t)o->x0 - left) <= 1 && llabs((int64_t)o->x1 - right) <= 1);
    assert_true(llabs((int64_t)o->y0 - top) <= 1 && llabs((int64_t)o->y1 - bottom) <= 1);
}

static void objects_are_where_they_are_seen(void **state) {
    const fixture *f = *state;
    static uint8_t pixels[BYTES];
    int64_t of[DATA_SCENE_MOST + 1] = {0}, shortest = SIDE, longest = 0, outside = 0;
    for (int64_t row = 0; row < SCENES; row++) {
        data_object o[DATA_SCENE_MOST];
        const int64_t count = data_scene_make(&f->scenes, row, pixels, o);
        assert_in_range(count, 1, DATA_SCENE_MOST);
        of[count]++;
        for (int64_t k = 0; k < count; k++) {
            assert_true(o[k].x0 >= 0 && o[k].y0 >= 0 && o[k].x1 <= SIDE && o[k].y1 <= SIDE);
            const int64_t H = (int64_t)(o[k].y1 - o[k].y0), W = (int64_t)(o[k].x1 - o[k].x0);
            assert_true(W > 0 && H > 0 && W <= 46 && H <= 46);
            if (count == 1) {
                expect_box(pixels, o);
                assert_true(o->judged); /* nothing hides it, and at least 9/16 are inside */
                const bool cut = o->x0 == 0 || o->y0 == 0 || o->x1 == SIDE || o->y1 == SIDE;
                outside += cut;
                shortest = !cut && W < shortest ? W : shortest;
                longest = W > longest ? W : longest;
                assert_true(cut || llabs(W - H) <= 1);
            }
        }
    }
    for (int k = 1; k <= DATA_SCENE_MOST; k++) {
        assert_in_range(of[k], SCENES / 8, SCENES / 2);
    }
    assert_in_range(shortest, 15, 18);
    assert_in_range(longest, 43, 46);
    assert_in_range(outside, 1, of[1] - 1);
}

/* Of two objects of different classes, each is seen to 60 % of what lies inside, and 9/16 of at least 16 x 16 lie there. */
static void nothing_is_hidden(void **state) {
    const fixture *f = *state;
    static uint8_t pixels[BYTES];
    int64_t overlaps = 0, pairs = 0;
    for (int64_t row = 0; row < SCENES; row++) {
        data_object o[DATA_SCENE_MOST];
        int64_t seen[CLASSES] = {0};
        const int64_t count = data_scene_make(&f->scenes, row, pixels, o);
        for (int64_t i = 0; i < SIDE * SIDE; i++) {
            const int class = class_of(pixels + 3 * i);
            seen[class < 0 ? 0 : class] += class >= 0;
        }
        if (count == 2 && o[0].class != o[1].class) {
            pairs++;
            for (int k = 0; k < 2; k++) {
                const double box = (o[k].x1 - o[k].x0) * (o[k].y1 - o[k].y0);
                assert_true(seen[o[k].class] > 60);
                overlaps += (double)seen[o[k].class] < 0.9 * box;
            }
        }
    }
    assert_true(pairs > 50);
    assert_true(overlaps > 5); /* some are partly hidden */
}

static void classes_of_a_kind_meet(void **state) {
    const fixture *f = *state;
    static uint8_t pixels[BYTES];
    int64_t together[CLASSES][CLASSES] = {{0}};
    for (int64_t row = 0; row < SCENES; row++) {
        data_object o[DATA_SCENE_MOST];
        const int64_t count = data_scene_make(&f->scenes, row, pixels, o);
        for (int64_t a = 0; a < count; a++) {
            for (int64_t b = 0; b < a; b++) {
                together[o[a].class][o[b].class]++;
                together[o[b].class][o[a].class]++;
            }
        }
    }
    for (int c = 0; c < CLASSES; c += 2) {
        for (int d = 0; d < CLASSES; d++) {
            if (d / 2 != c / 2) {
                assert_true(together[c][c + 1] > 2 * together[c][d]);
                assert_true(together[c][d] > 0);
            }
        }
    }
}

static void rows_of_objects(void **state) {
    (void)state;
    data_objects o;
    data_objects_create(2, 3, 2, &o);
    const data_object all[] = {{2, false, 0, 0, 1, 1},
                               {1, true, 1.5, 2, 3, 4},
                               {1, false, 0, 0, 9, 9},
                               {0, false, 5, 5, 6, 6},
                               {0, true, 1, 1, 2, 2}};
    data_objects_set(&o, 1, all, 5);
    data_objects_set(&o, 0, NULL, 0);
    static const uint8_t targets[] = {0, 0, 0, 1, 1, 255};
    static const float boxes[] = {-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 1.5f, 2, 3, 4, 0, 1, 1, 2, 2};
    assert_memory_equal(o.target, targets, sizeof targets);
    for (size_t k = 0; k < sizeof boxes / sizeof *boxes; k++) {
        assert_float_equal(o.box[k], boxes[k], 0);
    }
    data_objects_free(&o);
    data_objects_create(1, 1, 0, &o);
    assert_int_equal(o.most, 1);
    data_objects_set(&o, 0, NULL, 0);
    assert_float_equal(o.box[0], -1, 0);
    data_objects_free(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stamps_are_cut_and_scaled, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_stand_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(objects_are_where_they_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_hidden, setup, teardown),
        cmocka_unit_test_setup_teardown(classes_of_a_kind_meet, setup, teardown),
        cmocka_unit_test(rows_of_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
