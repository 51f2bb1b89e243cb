/* Views against a plain evaluation of the sampling formula, and the properties that hold for any draw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "hiss/data.h"

enum { WINDOW, RANDOM };
enum { FIXED, IMAGE };
enum { BIG = 40 * 40 * 3 };

static const hiss_augment_options plain = {.scale_min = 1, .scale_max = 1, .scaling = {.count = 1, .std = {1}}};

static void noise(uint8_t *pixels, int64_t count, int64_t id) {
    hiss_rng rng = hiss_rng_keyed(1, HISS_FOR_TESTS, 0, id);
    for (int64_t i = 0; i < count; i++) {
        pixels[i] = (uint8_t)hiss_rng_word(&rng);
    }
}

static void check(hiss_augment_options *options, int64_t H, int64_t W) {
    hiss_error err = {0};
    if (hiss_augment_check(options, H, W, 1, &err)) {
        fail_msg("%s", err.text);
    }
}

/* Bilinear value of channel ch at continuous (x, y), zero outside, in double. */
static double bilinear(const uint8_t *pixels, int64_t H, int64_t W, int64_t C, int64_t ch, double x, double y) {
    double sum = 0;
    for (int64_t i = (int64_t)floor(y - 0.5); i <= (int64_t)floor(y - 0.5) + 1; i++) {
        for (int64_t j = (int64_t)floor(x - 0.5); j <= (int64_t)floor(x - 0.5) + 1; j++) {
            if (0 <= i && i < H && 0 <= j && j < W) {
                sum += (1 - fabs(x - 0.5 - (double)j)) * (1 - fabs(y - 0.5 - (double)i)) * pixels[(i * W + j) * C + ch];
            }
        }
    }
    return sum;
}

/* The view by the formula of affine_grid and grid_sample, from the same eight draws; returns the largest difference. */
static double difference(const hiss_augment_options *o, int64_t S, int64_t C, const uint8_t *pixels, int64_t id,
                         const float *view) {
    hiss_rng rng = hiss_rng_keyed(2, HISS_FOR_AUGMENTATION, 0, id);
    double u[8], worst = 0;
    for (int i = 0; i < 8; i++) {
        u[i] = hiss_rng_uniform(&rng);
    }
    double s = o->scale_min + (o->scale_max - o->scale_min) * u[2], t = o->rotate * (2 * u[3] - 1) * acos(-1) / 180;
    double f = o->flip && u[4] < 0.5 ? -1 : 1, c = 1 + o->contrast * (2 * u[7] - 1);
    double ty = o->shift * (2 * u[5] - 1) * 2 / (double)S, tx = o->shift * (2 * u[6] - 1) * 2 / (double)S;
    for (int64_t k = 0; k < S * S * C; k++) {
        double x = (double)(2 * (k / C % S) + 1) / (double)S - 1, y = (double)(2 * (k / C / S) + 1) / (double)S - 1;
        double gx = s * cos(t) * f * x - s * sin(t) * y + tx, gy = s * sin(t) * f * x + s * cos(t) * y + ty;
        double value = bilinear(pixels, S, S, C, k % C, (gx + 1) * (double)S / 2, (gy + 1) * (double)S / 2);
        double d = fabs((c * value / 255 - o->scaling.mean[0]) / o->scaling.std[0] - view[k]);
        worst = d > worst ? d : worst;
    }
    return worst;
}

static void agrees_with_formula(void **state) {
    (void)state;
    uint8_t pixels[BIG];
    float view[BIG];
    for (int64_t id = 0; id < 300; id++) {
        int64_t S = 1 + id % 40, C = id % 3 + 1;
        hiss_augment_options o = {.shift = (double)(id % 5),
                                  .scale_min = 0.75,
                                  .scale_max = 1.15,
                                  .flip = id % 2,
                                  .rotate = id % 7 ? 10 : 180,
                                  .contrast = 0.3,
                                  .scaling = {.count = 1, .mean = {0.29}, .std = {0.35}}};
        check(&o, S, S);
        noise(pixels, S * S * C, id);
        hiss_rng rng = hiss_rng_keyed(2, HISS_FOR_AUGMENTATION, 0, id);
        hiss_augment_sample(&o, &(hiss_stored_image){S, S, C, pixels, NULL, 255}, &rng, view);
        double d = difference(&o, S, C, pixels, id, view);
        if (d > 2e-4) {
            fail_msg("view %lld: off by %g", (long long)id, d);
        }
    }
}

static void off_means_identity(void **state) {
    (void)state;
    uint8_t pixels[BIG];
    float view[BIG], centre[BIG];
    hiss_augment_options o = plain;
    check(&o, 9, 11);
    assert_true(o.height == 9 && o.width == 11);
    noise(pixels, 9 * 11 * 3, 0);
    hiss_rng rng = hiss_rng_keyed(0, HISS_FOR_AUGMENTATION, 0, 0);
    hiss_augment_sample(&o, &(hiss_stored_image){9, 11, 3, pixels, NULL, 255}, &rng, view);
    hiss_augment_center(&o, &(hiss_stored_image){9, 11, 3, pixels, NULL, 255}, centre);
    for (int i = 0; i < 9 * 11 * 3; i++) {
        assert_true(fabs(view[i] - pixels[i] / 255.0) < 1e-6);
        assert_true(view[i] == centre[i]);
    }
}

/* Every knob takes its draws, so switching one on does not move the others; and all views leave rng at one place. */
static void draws_do_not_depend_on_values(void **state) {
    (void)state;
    uint8_t pixels[32 * 32];
    float view[32 * 32];
    noise(pixels, sizeof pixels, 0);
    uint32_t next = 0;
    for (int bits = 0; bits < 64; bits++) {
        hiss_augment_options o = plain;
        o.shift = bits & 1 ? 4 : 0;
        o.scale_min = bits & 2 ? 0.5 : 1;
        o.rotate = bits & 4 ? 30 : 0;
        o.flip = bits & 8;
        o.contrast = bits & 16 ? 0.5 : 0;
        o.crop = bits & 32 ? RANDOM : WINDOW;
        o.height = o.width = bits & 32 ? 17 : 0;
        check(&o, 32, 32);
        hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_AUGMENTATION, 3, 7);
        hiss_augment_sample(&o, &(hiss_stored_image){32, 32, 1, pixels, NULL, 255}, &rng, view);
        uint32_t word = hiss_rng_word(&rng);
        assert_true(bits == 0 || word == next);
        next = word;
    }
}

/* A cut is some window of the image, mirrored or not, to the bit; every offset and both hands occur about equally. */
static void random_crop_cuts(void **state) {
    (void)state;
    enum { H = 6, W = 5, VIEWS = 4000 };
    uint8_t pixels[H * W * 3];
    float view[4 * 4 * 3];
    int seen[3][2][2] = {0};
    noise(pixels, sizeof pixels, 0);
    hiss_augment_options o = plain;
    o.height = o.width = 4;
    o.crop = RANDOM;
    o.flip = true;
    check(&o, H, W);
    for (int64_t id = 0; id < VIEWS; id++) {
        hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_AUGMENTATION, 0, id);
        hiss_augment_sample(&o, &(hiss_stored_image){H, W, 3, pixels, NULL, 255}, &rng, view);
        int matches = 0;
        for (int place = 0; place < 12; place++) {
            int top = place / 4, left = place / 2 % 2, mirror = place % 2, equal = 1;
            for (int k = 0; k < 4 * 4 * 3 && equal; k++) {
                int j = k / 3 % 4, column = left + (mirror ? 3 - j : j);
                equal = view[k] == (float)pixels[((top + k / 12) * W + column) * 3 + k % 3] * (1 / 255.f);
            }
            seen[top][left][mirror] += equal;
            matches += equal;
        }
        assert_int_equal(matches, 1);
    }
    for (int place = 0; place < 12; place++) {
        int count = seen[place / 4][place / 2 % 2][place % 2];
        assert_in_range(count, VIEWS / 12 - 100, VIEWS / 12 + 100);
    }
}

/* A crop that also resamples sees the image around its window: shifting by whole pixels is cutting elsewhere. */
static void random_crop_with_knobs(void **state) {
    (void)state;
    uint8_t pixels[16 * 16];
    float view[8 * 8];
    memset(pixels, 255, sizeof pixels);
    hiss_augment_options o = plain;
    o.height = o.width = 8;
    o.crop = RANDOM;
    o.scale_min = o.scale_max = 0.5; /* a window of 4 x 4 around the cut's centre: always inside */
    check(&o, 16, 16);
    for (int64_t id = 0; id < 50; id++) {
        hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_AUGMENTATION, 0, id);
        hiss_augment_sample(&o, &(hiss_stored_image){16, 16, 1, pixels, NULL, 255}, &rng, view);
        for (int k = 0; k < 64; k++) {
            assert_true(fabsf(view[k] - 1) < 1e-6f);
        }
    }
}

static void center_views(void **state) {
    (void)state;
    uint8_t pixels[8 * 8];
    float view[8 * 8];
    for (int k = 0; k < 64; k++) {
        pixels[k] = (uint8_t)k;
    }
    hiss_augment_options o = plain;
    o.height = o.width = 4;
    o.crop = RANDOM;
    check(&o, 8, 8);
    hiss_augment_center(&o, &(hiss_stored_image){8, 8, 1, pixels, NULL, 255}, view);
    for (int k = 0; k < 16; k++) {
        assert_true(fabs(view[k] * 255 - pixels[(2 + k / 4) * 8 + 2 + k % 4]) < 1e-4);
    }
    o.crop = WINDOW; /* the whole image at half size: means of 2 x 2 */
    hiss_augment_center(&o, &(hiss_stored_image){8, 8, 1, pixels, NULL, 255}, view);
    for (int k = 0; k < 16; k++) {
        assert_true(fabs(view[k] * 255 - (pixels[k / 4 * 16 + k % 4 * 2] + 4.5)) < 1e-4);
    }
}

/* Where each of ten crops begins, and that the last five are mirrored; those of whole images are moved by `shift`. */
static void ten_crops(void **state) {
    (void)state;
    static const int top[5] = {2, 0, 0, 5, 5}, left[5] = {1, 0, 3, 0, 3};
    uint8_t pixels[9 * 8];
    float view[9 * 8];
    noise(pixels, sizeof pixels, 3);
    hiss_augment_options o = plain;
    o.height = 4;
    o.width = 5;
    o.crop = RANDOM;
    check(&o, 9, 8);
    for (int crop = 0; crop < HISS_CROPS; crop++) {
        hiss_augment_crop(&o, &(hiss_stored_image){9, 8, 1, pixels, NULL, 255}, crop, view);
        for (int k = 0; k < 20; k++) {
            const int i = top[crop % 5] + k / 5, j = left[crop % 5] + (crop < 5 ? k % 5 : 4 - k % 5);
            assert_true(fabs(view[k] * 255 - pixels[i * 8 + j]) < 1e-4);
        }
    }
    o = plain;
    o.height = 9;
    o.width = 8;
    o.shift = 2;
    check(&o, 9, 8);
    for (int crop = 0; crop < HISS_CROPS; crop++) {
        const int down = (int[]){0, -2, -2, 2, 2}[crop % 5], right = (int[]){0, -2, 2, -2, 2}[crop % 5];
        hiss_augment_crop(&o, &(hiss_stored_image){9, 8, 1, pixels, NULL, 255}, crop, view);
        for (int k = 0; k < 72; k++) {
            const int i = k / 8 + down, j = (crop < 5 ? k % 8 : 7 - k % 8) + right;
            const int inside = i >= 0 && i < 9 && j >= 0 && j < 8;
            assert_true(fabs(view[k] * 255 - (inside ? pixels[i * 8 + j] : 0)) < 1e-3);
        }
    }
    assert_true(hiss_augment_has_corners(&o, 9, 8));
    o.shift = 0;
    assert_false(hiss_augment_has_corners(&o, 9, 8));
    o.crop = RANDOM;
    assert_false(hiss_augment_has_corners(&o, 9, 8));
    assert_true(hiss_augment_has_corners(&o, 9, 9));
}

/* A part is what bilinear sampling finds there; the whole image, as a part, is the centre view of crop window. */
static void parts_of_images(void **state) {
    (void)state;
    enum { H = 12, W = 17, C = 3, HEIGHT = 9, WIDTH = 14 };
    static uint8_t pixels[H * W * C];
    static float view[HEIGHT * WIDTH * C], centre[HEIGHT * WIDTH * C];
    const hiss_stored_image image = {H, W, C, pixels, NULL, 255};
    const hiss_box part = {2.5f, 1.25f, 9.5f, 11.0f}, whole = {0, 0, W, H};
    hiss_augment_options o = plain;
    o.height = HEIGHT;
    o.width = WIDTH;
    noise(pixels, sizeof pixels, 7);
    check(&o, H, W);
    hiss_augment_box(&o, &image, &part, view);
    for (int k = 0; k < HEIGHT * WIDTH * C; k++) {
        const double x = 2.5 + 7.0 * (k / C % WIDTH + 0.5) / WIDTH, y = 1.25 + 9.75 * (k / C / WIDTH + 0.5) / HEIGHT;
        assert_true(fabs((double)view[k] - bilinear(pixels, H, W, C, k % C, x, y) / 255) < 1e-5);
    }
    const hiss_pixel_scale a = hiss_augment_box(&o, &image, &whole, view);
    const hiss_pixel_scale b = hiss_augment_center(&o, &image, centre);
    assert_memory_equal(view, centre, sizeof view);
    assert_true(a.mean == b.mean && a.std == b.std && a.channels == b.channels);
}

static void normalizes(void **state) {
    (void)state;
    uint8_t pixels[20 * 20 * 3];
    float view[20 * 20 * 3];
    noise(pixels, sizeof pixels, 0);
    hiss_augment_options o = plain;
    o.normalize = IMAGE;
    o.contrast = 0.5;
    o.rotate = 20;
    check(&o, 20, 20);
    for (int64_t id = 0; id < 20; id++) {
        hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_AUGMENTATION, 0, id);
        hiss_augment_sample(&o, &(hiss_stored_image){20, 20, 3, pixels, NULL, 255}, &rng, view);
        double sum = 0, squares = 0;
        for (int k = 0; k < 1200; k++) {
            sum += view[k];
            squares += view[k] * view[k];
        }
        assert_true(fabs(sum / 1200) < 1e-5 && fabs(squares / 1200 - 1) < 1e-5);
    }
    memset(pixels, 77, sizeof pixels);
    hiss_augment_center(&o, &(hiss_stored_image){20, 20, 3, pixels, NULL, 255}, view);
    for (int k = 0; k < 1200; k++) {
        assert_true(fabsf(view[k]) < 1e-4f);
    }
    noise(pixels, sizeof pixels, 1);
    for (int kind = 0; kind < 2; kind++) { /* and can be undone */
        o.normalize = kind ? IMAGE : plain.normalize;
        const hiss_pixel_scale scale =
            hiss_augment_center(&o, &(hiss_stored_image){20, 20, 3, pixels, NULL, 255}, view);
        for (int k = 0; k < 1200; k++) {
            assert_true(fabs(scale.mean + scale.std * (double)view[k] - pixels[k] / 255.0) < 1e-5);
        }
    }
    o = plain; /* what lies outside is zero before normalisation */
    o.scale_min = o.scale_max = 3;
    check(&o, 20, 20);
    o.scaling.mean[0] = 0.5;
    o.scaling.std[0] = 0.25;
    hiss_rng rng = hiss_rng_keyed(5, HISS_FOR_AUGMENTATION, 0, 0);
    hiss_augment_sample(&o, &(hiss_stored_image){20, 20, 3, pixels, NULL, 255}, &rng, view);
    assert_true(view[0] == -2);
}

static void bad_options_are_explained(void **state) {
    (void)state;
    hiss_error err;
    hiss_augment_options o = plain;
    o.scale_min = 2;
    assert_int_equal(hiss_augment_check(&o, 8, 8, 1, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "augment.scale_min: 2 is above augment.scale_max 1"));
    o = plain;
    o.crop = RANDOM;
    o.height = 9;
    assert_int_equal(hiss_augment_check(&o, 8, 8, 1, &err), HISS_EUSER);
    assert_non_null(strstr(err.text, "cuts 9 x 8 (augment.height x width) from images of 8 x 8"));
}

/* What the rows give when nothing is written is no augmentation. */
static void standard_options(void **state) {
    (void)state;
    hiss_config *config;
    hiss_augment_options o;
    hiss_error err = {0};
    assert_int_equal(hiss_config_parse("test", "", &config, &err), HISS_OK);
    assert_int_equal(hiss_config_section(config, "augment", hiss_augment_rows, hiss_augment_nrows, &o, &err), HISS_OK);
    hiss_config_destroy(config);
    assert_true(o.height == 0 && o.width == 0 && o.shift == 0 && o.scale_min == 1 && o.scale_max == 1);
    assert_true(o.rotate == 0 && !o.flip && o.contrast == 0 && o.crop == WINDOW && o.normalize == FIXED);
    assert_true(!o.mean && !o.std);
    assert_int_equal(hiss_augment_check(&o, 8, 8, 1, &err), HISS_OK);
    assert_true(o.scaling.count == 1 && o.scaling.mean[0] == 0 && o.scaling.std[0] == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_formula),
        cmocka_unit_test(off_means_identity),
        cmocka_unit_test(draws_do_not_depend_on_values),
        cmocka_unit_test(random_crop_cuts),
        cmocka_unit_test(random_crop_with_knobs),
        cmocka_unit_test(center_views),
        cmocka_unit_test(ten_crops),
        cmocka_unit_test(parts_of_images),
        cmocka_unit_test(normalizes),
        cmocka_unit_test(bad_options_are_explained),
        cmocka_unit_test(standard_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
