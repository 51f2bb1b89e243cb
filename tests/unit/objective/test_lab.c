/* CIE Lab against values of another program, and back; bins of colour against all of sRGB; targets by hand; and the colours
 * of the generator palette, of which the lightness must not tell the hue. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <stdio.h>

#include "hiss/alloc.h"
#include "hiss/generate.h"
#include "objective/parts/lab.h"

/* Computed in double precision by a Python script from the chromaticities of sRGB and D65 alone. */
static const struct {
    uint8_t rgb[3];
    double lab[3];
} table[] = {
    {{0, 0, 0}, {0.00000, 0.00000, 0.00000}},          {{255, 255, 255}, {100.00000, 0.00000, 0.00000}},
    {{128, 128, 128}, {53.58501, 0.00000, 0.00000}},   {{1, 1, 1}, {0.27417, 0.00000, 0.00000}},
    {{255, 0, 0}, {53.23712, 80.09011, 67.20326}},     {{0, 255, 0}, {87.73552, -86.18160, 83.18662}},
    {{0, 0, 255}, {32.30087, 79.19527, -107.85547}},   {{255, 255, 0}, {97.13856, -21.55997, 94.48384}},
    {{0, 255, 255}, {91.11475, -48.07889, -14.12899}}, {{255, 0, 255}, {60.32273, 98.23744, -60.82891}},
    {{200, 120, 60}, {58.07517, 26.17856, 45.19317}},  {{12, 34, 56}, {12.65677, 0.12552, -16.83274}},
    {{3, 2, 9}, {0.74520, 1.23511, -2.55710}},         {{250, 128, 114}, {67.26215, 45.22245, 29.09216}},
    {{0, 10, 0}, {1.96081, -4.00561, 2.86334}},        {{70, 130, 180}, {52.46657, -4.07148, -32.19091}},
};
enum { COLORS = sizeof table / sizeof *table };

static void lab_of_bytes(const uint8_t *byte, float *lab) {
    const float unit = (float)(1.0 / 255.0);
    float rgb[3];
    for (int k = 0; k < 3; k++) {
        rgb[k] = (float)byte[k] * unit;
    }
    objective_lab_of_srgb(1, rgb, lab);
}

static void test_table(void **state) {
    (void)state;
    for (int i = 0; i < COLORS; i++) {
        float lab[3], rgb[3];
        lab_of_bytes(table[i].rgb, lab);
        objective_srgb_of_lab(1, lab, rgb);
        for (int k = 0; k < 3; k++) {
            assert_true(fabs((double)lab[k] - table[i].lab[k]) < 1e-4);
            assert_true(fabs((double)rgb[k] * 255.0 - table[i].rgb[k]) < 1e-3);
        }
    }
}

/* What stands between bytes is not looked up, and joins what is. */
static void test_between_bytes(void **state) {
    (void)state;
    for (int i = 0; i <= 4000; i++) {
        const float u = (float)i / 4000.0f, low[3] = {u - 2e-6f, u - 2e-6f, u - 2e-6f}, rgb[3] = {u, u, u};
        float lab[3], below[3], back[3];
        objective_lab_of_srgb(1, rgb, lab);
        objective_lab_of_srgb(1, low, below);
        objective_srgb_of_lab(1, lab, back);
        assert_true(fabsf(lab[1]) < 1e-4f && fabsf(lab[2]) < 1e-4f);
        assert_true(fabsf(lab[0] - below[0]) < 1e-3f && fabsf(back[1] - u) < 1e-5f);
    }
}

/* Every fifth colour of sRGB in each channel, and all on the surface, lies in a bin, and no bin is empty. */
static void test_bins(void **state) {
    (void)state;
    static bool seen[OBJECTIVE_AB_MOST];
    objective_ab_bins bins;
    objective_ab_bins_make(&bins);
    assert_int_equal(bins.count, 261);
    for (int r = 0; r < 256; r++) {
        for (int g = 0; g < 256; g++) {
            const bool face = r == 0 || r == 255 || g == 0 || g == 255;
            for (int b = 0; b < 256; b += face ? 1 : r % 5 + g % 5 == 0 ? 5 : 255) {
                const uint8_t byte[3] = {(uint8_t)r, (uint8_t)g, (uint8_t)b};
                float lab[3];
                lab_of_bytes(byte, lab);
                const int64_t q = objective_ab_nearest(&bins, lab[1], lab[2]);
                assert_true(fabsf(lab[1] - bins.center[q][0]) <= 5.001f && fabsf(lab[2] - bins.center[q][1]) <= 5.001f);
                seen[q] = true;
            }
        }
    }
    int inside = 0; /* centres that are colours themselves, at some lightness */
    for (int64_t q = 0; q < bins.count; q++) {
        bool shown = false;
        assert_true(seen[q]);
        for (int l = 1; l < 1000 && !shown; l++) {
            float rgb[3];
            objective_srgb_of_lab(1, (const float[]){(float)l / 10.0f, bins.center[q][0], bins.center[q][1]}, rgb);
            shown = true;
            for (int k = 0; k < 3; k++) {
                shown = shown && rgb[k] >= 0.0f && rgb[k] <= 1.0f;
            }
        }
        inside += shown;
    }
    assert_int_equal(inside, 229);
}

/* The nearest by looking at all of them. */
static void test_targets(void **state) {
    (void)state;
    objective_ab_bins bins;
    objective_ab_bins_make(&bins);
    float target[OBJECTIVE_AB_MOST];
    objective_ab_encode(&bins, 5, 5.0, 0.0f, 0.0f, target);
    const double side = exp(-2.0), sum = 1.0 + 4.0 * side;
    for (int64_t q = 0; q < bins.count; q++) {
        const double away = hypot((double)bins.center[q][0], (double)bins.center[q][1]);
        const double expected = away < 1.0 ? 1.0 / sum : away < 11.0 ? side / sum : 0.0;
        assert_true(fabs((double)target[q] - expected) < 1e-6);
    }
    for (int i = 0; i < 4000; i++) {
        hiss_rng rng = hiss_rng_keyed(3, HISS_FOR_TESTS, 0, i);
        const float a = hiss_rng_between(&rng, -150.0f, 150.0f), b = hiss_rng_between(&rng, -150.0f, 150.0f);
        const int64_t neighbors = 1 + hiss_rng_below(&rng, OBJECTIVE_AB_NEIGHBORS);
        double total = 0.0, furthest = 0.0, next = 1e9;
        int64_t count = 0;
        objective_ab_encode(&bins, neighbors, 8.0, a, b, target);
        for (int64_t q = 0; q < bins.count; q++) {
            const double away = hypot((double)(a - bins.center[q][0]), (double)(b - bins.center[q][1]));
            total += (double)target[q];
            if (target[q] > 0.0f) {
                count++;
                furthest = fmax(furthest, away);
            } else {
                next = fmin(next, away);
            }
        }
        assert_true(fabs(total - 1.0) < 1e-5);
        assert_true(count <= neighbors && (count == neighbors || next > 60.0)); /* shares may vanish far off */
        assert_true(furthest <= next + 1e-4);
        objective_ab_encode(&bins, 1, 8.0, a, b, target);
        assert_true(target[objective_ab_nearest(&bins, a, b)] == 1.0f);
    }
}

/* ---- the generator palette ---- */

enum { ITEMS = 64, SIDE = 16, ROWS = 300, PALETTES = 7 };
static char items[] = "/tmp/hiss-lab-XXXXXX";

static void must(hiss_status status, const hiss_error *err) {
    if (status) {
        fail_msg("%s", err->text);
    }
}

/* Items with all grey values; of PALETTES classes. */
static void write_items(void) {
    static uint8_t pixels[ITEMS][SIDE][SIDE];
    int32_t label[ITEMS];
    hiss_h5 *file;
    hiss_error err;
    const hiss_h5_info images = {HISS_U8, 3, {ITEMS, SIDE, SIDE}}, labels = {HISS_I32, 1, {ITEMS}};
    for (int i = 0; i < ITEMS; i++) {
        label[i] = i % PALETTES;
        for (int k = 0; k < SIDE * SIDE; k++) {
            pixels[i][k / SIDE][k % SIDE] = (uint8_t)k;
        }
    }
    must(hiss_h5_create(items, &file, &err), &err);
    must(hiss_h5_define(file, "/images", &images, 0, 0, &err), &err);
    must(hiss_h5_define(file, "/labels", &labels, 0, 0, &err), &err);
    must(hiss_h5_write(file, "/images", HISS_U8, 0, ITEMS, pixels, &err), &err);
    must(hiss_h5_write(file, "/labels", HISS_I32, 0, ITEMS, label, &err), &err);
    must(hiss_h5_close(file, &err), &err);
}

/* All pixels of an image are in the bin of its hue; the two hues of a pair have the same lightness, pixel by pixel, as far
 * as a network could tell; the mean of both is near grey; and the odds are what they should be. */
static void test_palette(void **state) {
    (void)state;
    static float first[2 * PALETTES][SIDE * SIDE][3];
    bool seen[2 * PALETTES] = {false};
    const hiss_generator *g = hiss_generator_named("palette");
    void *options = hiss_alloc(g->options_bytes);
    hiss_config *config = NULL;
    hiss_dataset *set = NULL;
    hiss_error err;
    char text[256];
    int ones = 0;
    objective_ab_bins bins;
    objective_ab_bins_make(&bins);
    write_items();
    snprintf(text, sizeof text, "generate: {items: %s, rows: %d, size: %d, palettes: %d, odds: 0.75}", items, ROWS,
             SIDE, PALETTES);
    must(hiss_config_parse("test", text, &config, &err), &err);
    must(hiss_config_section(config, "generate", g->rows, g->nrows, options, &err), &err);
    must(hiss_dataset_generate(g, options, true, &set, &err), &err);
    uint8_t *row = hiss_alloc((size_t)hiss_dataset_row(set));
    for (int i = 0; i < ROWS; i++) {
        int32_t label;
        must(hiss_dataset_read(set, i, 1, row, &label, &err), &err);
        const uint8_t *image = row + hiss_dataset_field(set, "image")->offset;
        const int hue = row[hiss_dataset_field(set, "hue")->offset];
        float lab[SIDE * SIDE][3];
        assert_int_equal(hue / 2, label % PALETTES);
        ones += hue % 2 == 0;
        for (int k = 0; k < SIDE * SIDE; k++) {
            lab_of_bytes(image + 3 * k, lab[k]);
            assert_int_equal(objective_ab_nearest(&bins, lab[k][1], lab[k][2]),
                             objective_ab_nearest(&bins, lab[0][1], lab[0][2]));
            assert_true(hypotf(lab[k][1], lab[k][2]) > 25.0f);
        }
        memcpy(first[hue], lab, sizeof lab);
        seen[hue] = true;
    }
    assert_true(ones > ROWS * 0.68 && ones < ROWS * 0.82);
    for (int p = 0; p < PALETTES; p++) {
        assert_true(seen[2 * p] && seen[2 * p + 1]);
        for (int k = 0; k < SIDE * SIDE; k++) {
            const float *x = first[2 * p][k], *y = first[2 * p + 1][k];
            assert_true(fabsf(x[0] - y[0]) < 1e-4f);
            assert_true(fabsf(x[1] + y[1]) < 5.0f && fabsf(x[2] + y[2]) < 5.0f);
        }
    }
    hiss_free(row);
    hiss_dataset_close(set);
    hiss_free(options);
    hiss_config_destroy(config);
}

static int begin(void **state) {
    (void)state;
    const int file = mkstemp(items);
    return file < 0 ? -1 : close(file);
}

static int end(void **state) {
    (void)state;
    (void)unlink(items);
    return hiss_alloc_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_between_bytes),
                                       cmocka_unit_test(test_bins), cmocka_unit_test(test_targets),
                                       cmocka_unit_test(test_palette)};
    return cmocka_run_group_tests(tests, begin, end);
}
