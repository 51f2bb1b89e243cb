/* Clips, animated and as strips: every pixel of every frame, of grey and of colours, with borders and without. */
#include <stdlib.h>

#include "../apng.h"
#include "data/image_impl.h"
#include "hiss/eval.h"
#include "hiss/judge.h"

enum {
    ROWS = 2,
    COLUMNS = 3,
    T = 4,
    H = 5,
    W = 30,
    FACTOR = 2,
    BORDER = 3,
    GAP = 4
}; /* 30 pixels become 60, 56 at least */

typedef struct scene {
    hiss_clips clips;
    float pixels[ROWS * COLUMNS * T * H * W * 3];
    uint8_t border[ROWS * COLUMNS * T];
} scene;

/* Bytes that differ from place to place; the first are beyond black and white. */
static uint8_t byte_of(int64_t k) {
    return (uint8_t)(k == 0 ? 0 : k == 1 ? 255 : k * 7 % 251);
}

static scene *make_scene(int64_t C, bool borders) {
    scene *s = hiss_new(scene, 1);
    s->clips = (hiss_clips){ROWS, COLUMNS, T, H, W, C, s->pixels, borders ? s->border : NULL, 40};
    for (int64_t k = 0; k < ROWS * COLUMNS * T * H * W * C; k++) {
        s->pixels[k] = (float)byte_of(k) / 255.0f;
    }
    s->pixels[0] = -0.3f;
    s->pixels[1] = 1.4f;
    for (int64_t k = 0; k < ROWS * COLUMNS * T; k++) {
        s->border[k] = (uint8_t)(k % T < 2 ? HISS_BORDER_GIVEN : k / T == 1 ? HISS_BORDER_NONE : HISS_BORDER_MADE);
    }
    return s;
}

/* Of pixel y, x of a tile with its border, without the gap; frame t of a clip. */
static void expect_tile(const scene *s, int64_t clip, int64_t t, int64_t y, int64_t x, const uint8_t *found) {
    static const uint8_t color[][3] = {{255, 255, 255}, {26, 152, 80}, {215, 48, 39}};
    const int64_t border = s->clips.border ? BORDER : 0, C = s->clips.C;
    const int64_t i = y - border, j = x - border;
    if (i < 0 || j < 0 || i >= H * FACTOR || j >= W * FACTOR) {
        assert_memory_equal(found, color[s->border[clip * T + t]], 3);
        return;
    }
    for (int64_t c = 0; c < 3; c++) {
        const int64_t at = ((clip * T + t) * H + i / FACTOR) * W + j / FACTOR;
        assert_int_equal(found[c], byte_of(at * C + (C == 1 ? 0 : c)));
    }
}

/* Position in cells that repeat, or -1 in the gap before the first and after each. */
static int64_t within(int64_t at, int64_t cell) {
    const int64_t k = at - GAP;
    return k < 0 || k % cell >= cell - GAP ? -1 : k % cell;
}

static void expect(const scene *s, const uint8_t *found, int64_t clip, int64_t t, int64_t y, int64_t x) {
    static const uint8_t ground[] = {255, 255, 255};
    if (y < 0 || x < 0) {
        assert_memory_equal(found, ground, 3);
    } else {
        expect_tile(s, clip, t, y, x, found);
    }
}

static void animated(void **state) {
    (void)state;
    for (int k = 0; k < 4; k++) {
        scene *s = make_scene(k % 2 ? 3 : 1, k < 2);
        hiss_error err = {0};
        const int64_t border = k < 2 ? BORDER : 0;
        const int64_t height = H * FACTOR + 2 * border + GAP, width = W * FACTOR + 2 * border + GAP;
        assert_int_equal(hiss_write_clips(path, &s->clips, &err), HISS_OK);
        apng a = apng_read(path);
        assert_true(a.frames == T && a.H == GAP + ROWS * height && a.W == GAP + COLUMNS * width);
        assert_true(a.delay * 1000 == s->clips.milliseconds * a.of && a.plays == 0);
        for (int64_t at = 0; at < T * a.H * a.W; at++) {
            const int64_t y = at / a.W % a.H, x = at % a.W;
            expect(s, a.pixels + at * 3, (y - GAP) / height * COLUMNS + (x - GAP) / width, at / (a.W * a.H),
                   within(y, height), within(x, width));
        }
        hiss_free(a.pixels);
        hiss_free(s);
    }
}

static void still(void **state) {
    (void)state;
    for (int k = 0; k < 4; k++) {
        scene *s = make_scene(k % 2 ? 3 : 1, k < 2);
        hiss_error err = {0};
        data_image image;
        const int64_t border = k < 2 ? BORDER : 0;
        const int64_t height = H * FACTOR + 2 * border + GAP, width = W * FACTOR + 2 * border + GAP;
        assert_int_equal(hiss_write_strips(path, &s->clips, &err), HISS_OK);
        assert_int_equal(data_image_read_stored(path, &image, &err), HISS_OK);
        assert_true(image.H == GAP + ROWS * (COLUMNS * height + GAP) - GAP && image.W == GAP + T * width);
        for (int64_t at = 0; at < image.H * image.W; at++) {
            const int64_t row = at / image.W / (COLUMNS * height + GAP), y = at / image.W % (COLUMNS * height + GAP);
            const bool between = y >= COLUMNS * height + GAP - GAP && row < ROWS - 1;
            expect(s, image.pixels + at * 3, row * COLUMNS + (y - GAP) / height, (at % image.W - GAP) / width,
                   between ? -1 : within(y, height), within(at % image.W, width));
        }
        data_image_free(&image);
        hiss_free(s);
    }
}

/* On a page it is a picture like any other. */
static void on_a_page(void **state) {
    (void)state;
    scene *s = make_scene(1, true);
    hiss_error err = {0};
    const hiss_picture picture = {"a.png", "Clips", "What <moves>."};
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(hiss_write_clips(path, &s->clips, &err), HISS_OK);
    FILE *page = hiss_text_open(&text, &size);
    hiss_picture_html(page, folder, "Clips", &picture);
    fclose(page);
    assert_non_null(strstr(text, "<img alt=\"Clips\" src=\"data:image/png;base64,iVBORw0KGgo"));
    assert_non_null(strstr(text, "<figcaption>What &lt;moves&gt;.</figcaption>"));
    free(text);
    hiss_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(animated), cmocka_unit_test(still),
                                       cmocka_unit_test(on_a_page)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
