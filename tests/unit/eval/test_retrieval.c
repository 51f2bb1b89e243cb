/* Contact sheets and filter pictures, read back as PNG. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <png.h>

#include "hiss/alloc.h"
#include "hiss/eval.h"

static char folder[] = "/tmp/hiss-retrieval-XXXXXX";
static char path[96], picture[96];

enum { N = 5, H = 8, W = 10 };

/* Image i is grey 40 i all over but for its first pixel, white; labels 0 1 0 1 0. */
static int make_file(void **state) {
    (void)state;
    hiss_error err = {0};
    hiss_h5 *file;
    uint8_t pixels[N][H][W];
    int32_t label[N];
    for (int i = 0; i < N; i++) {
        memset(pixels[i], 40 * i, sizeof pixels[i]);
        pixels[i][0][0] = 255;
        label[i] = i % 2;
    }
    if (!mkdtemp(folder)) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/images.h5", folder);
    snprintf(picture, sizeof picture, "%s/picture.png", folder);
    hiss_h5_info images = {HISS_U8, 3, {N, H, W}}, labels = {HISS_I32, 1, {N}};
    return hiss_h5_create(path, &file, &err) || hiss_h5_define(file, "/images", &images, 0, 0, &err) ||
           hiss_h5_define(file, "/labels", &labels, 0, 0, &err) ||
           hiss_h5_write(file, "/images", HISS_U8, 0, N, pixels, &err) ||
           hiss_h5_write(file, "/labels", HISS_I32, 0, N, label, &err) || hiss_h5_close(file, &err);
}

static int remove_file(void **state) {
    (void)state;
    remove(path);
    remove(picture);
    return rmdir(folder);
}

typedef struct image {
    int64_t width, height;
    uint8_t *rgb;
} image;

static image read_picture(void) {
    png_image png;
    memset(&png, 0, sizeof png);
    png.version = PNG_IMAGE_VERSION;
    assert_true(png_image_begin_read_from_file(&png, picture));
    png.format = PNG_FORMAT_RGB;
    image out = {png.width, png.height, hiss_alloc(PNG_IMAGE_SIZE(png))};
    assert_true(png_image_finish_read(&png, NULL, out.rgb, 0, NULL));
    return out;
}

static void assert_colour(const image *p, int64_t y, int64_t x, int r, int g, int b) {
    const uint8_t *at = p->rgb + (y * p->width + x) * 3;
    assert_int_equal(at[0], r);
    assert_int_equal(at[1], g);
    assert_int_equal(at[2], b);
}

static void test_sheet(void **state) {
    (void)state;
    hiss_data_options data = {.file = path, .images = "/images", .labels = "/labels"};
    hiss_sample_range all = {.count = N}, tail = {.begin = 1, .count = N - 1};
    hiss_error err = {0};
    assert_int_equal(hiss_dataset_open(&data, 1, &all.set, &err), HISS_OK);
    tail.set = all.set;
    /* queries 1 and 2 of `all`; neighbours count from sample 1 on */
    const int64_t index[] = {1, 2};
    const hiss_neighbor neighbor[] = {{2, 0.9f}, {3, 0.8f}, {3, 0.9f}, {-1, 0.0f}};
    assert_int_equal(hiss_sheet_write(picture, &all, &tail, 2, index, 2, neighbor, &err), HISS_OK);
    image p = read_picture();
    /* factor 6: cells of 48 x 60 in frames of 3, gaps of 4, a line of 1 after the query */
    assert_int_equal(p.width, 4 + 3 * 70 + 4 + 1);
    assert_int_equal(p.height, 4 + 2 * 58);
    int64_t middle[2] = {4 + 27, 4 + 58 + 27}, column[3] = {4, 4 + 70 + 5, 4 + 140 + 5};
    assert_colour(&p, middle[0], column[0] + 33, 40, 40, 40);
    assert_colour(&p, middle[0], column[1] + 33, 120, 120, 120);
    assert_colour(&p, middle[0], column[2] + 33, 160, 160, 160);
    assert_colour(&p, 4 + 3, column[1] + 3, 255, 255, 255); /* first pixel, enlarged */
    assert_colour(&p, 4 + 3 + 5, column[1] + 3 + 5, 255, 255, 255);
    assert_colour(&p, 4 + 3 + 6, column[1] + 3 + 6, 120, 120, 120);
    assert_colour(&p, 4 + 1, column[0] + 1, 255, 255, 255); /* the query has no frame */
    assert_colour(&p, 4 + 1, column[1] + 1, 26, 152, 80);   /* samples 1 and 3: same label */
    assert_colour(&p, 4 + 1, column[2] + 1, 215, 48, 39);   /* samples 1 and 4 */
    assert_colour(&p, middle[1], column[1] + 33, 160, 160, 160);
    assert_colour(&p, middle[1], column[2] + 33, 255, 255, 255); /* no neighbour */
    hiss_free(p.rgb);
    assert_int_not_equal(hiss_sheet_write("/nowhere/sheet.png", &all, &tail, 2, index, 2, neighbor, &err), HISS_OK);
    hiss_dataset_close(all.set);
}

static void test_filters(void **state) {
    (void)state;
    hiss_error err = {0};
    /* [F=3, R=2, S=2, C=1]: rising, falling, constant */
    const float w[] = {-1, 0, 0, 1, 6, 4, 4, 2, 5, 5, 5, 5};
    assert_int_equal(hiss_filters_write(picture, 3, 2, 2, 1, w, &err), HISS_OK);
    image p = read_picture();
    /* factor 20: cells of 40, gaps of 3, two columns */
    assert_int_equal(p.width, 3 + 2 * 43);
    assert_int_equal(p.height, 3 + 2 * 43);
    assert_colour(&p, 3, 3, 0, 0, 0);
    assert_colour(&p, 42, 42, 255, 255, 255);
    assert_colour(&p, 3, 42, 128, 128, 128);
    assert_colour(&p, 3, 46, 255, 255, 255);
    assert_colour(&p, 42, 85, 0, 0, 0);
    assert_colour(&p, 60, 20, 128, 128, 128);
    assert_colour(&p, 60, 60, 86, 108, 140); /* no fourth filter */
    hiss_free(p.rgb);
    /* colour: [1, 1, 2, 3] */
    const float colour[] = {0, 1, 2, 4, 3, 2};
    assert_int_equal(hiss_filters_write(picture, 1, 1, 2, 3, colour, &err), HISS_OK);
    p = read_picture();
    assert_colour(&p, 5, 5, 0, 64, 128);
    assert_colour(&p, 5, p.width - 5, 255, 191, 128);
    hiss_free(p.rgb);
    /* two planes side by side: [1, 1, 1, 2] */
    assert_int_equal(hiss_filters_write(picture, 1, 1, 1, 2, colour, &err), HISS_OK);
    p = read_picture();
    assert_colour(&p, 5, 5, 0, 0, 0);
    assert_colour(&p, 5, p.width - 5, 255, 255, 255);
    hiss_free(p.rgb);
}

static void test_no_leaks(void **state) {
    (void)state;
    assert_int_equal(hiss_alloc_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sheet),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_no_leaks),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
