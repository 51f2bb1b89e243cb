/* Patches: what a canvas shows of its places is the same everywhere, over an image's draws; normalisation and colour
 * dropping do what they say. Sets of permutations: distances, the same for a seed, the beginning of larger ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hiss/alloc.h"
#include "objective/parts/patches.h"
#include "objective/pretext/permutations.h"

enum { SIDE = 6, PIXELS = SIDE * SIDE };

static void draw_patch(int64_t C, float *patch) {
    hiss_rng rng = hiss_rng_keyed(3, HISS_FOR_TESTS, 0, C);
    hiss_rng_uniforms(&rng, PIXELS * C, patch);
    for (int64_t k = 0; k < PIXELS * C; k++) {
        patch[k] = 40.0f + 7.0f * patch[k] * (float)(k % C + 1);
    }
}

static void moments(int64_t C, int64_t c, const float *patch, double *mean, double *square) {
    *mean = *square = 0.0;
    for (int64_t k = 0; k < PIXELS; k++) {
        *mean += (double)patch[k * C + c] / PIXELS;
        *square += (double)patch[k * C + c] * (double)patch[k * C + c] / PIXELS;
    }
}

static void test_normalized(void **state) {
    (void)state;
    float patch[PIXELS * 3];
    double mean[3], square[3];
    draw_patch(3, patch);
    objective_patch_normalize_channels(PIXELS, 3, patch);
    for (int c = 0; c < 3; c++) {
        moments(3, c, patch, &mean[c], &square[c]);
        assert_true(fabs(mean[c]) < 1e-6 && fabs(square[c] - 1.0) < 1e-6);
    }
    draw_patch(3, patch);
    objective_patch_normalize(PIXELS, 3, patch);
    for (int c = 0; c < 3; c++) {
        moments(3, c, patch, &mean[c], &square[c]);
    }
    assert_true(fabs(mean[0] + mean[1] + mean[2]) < 1e-6 && fabs(square[0] + square[1] + square[2] - 3.0) < 1e-5);
    assert_true(fabs(mean[0]) > 0.1); /* channels keep their differences */
    for (int k = 0; k < PIXELS; k++) {
        patch[k] = 0.3f; /* whose mean is off by rounding */
    }
    objective_patch_normalize(PIXELS, 1, patch);
    for (int k = 0; k < PIXELS; k++) {
        assert_true(patch[k] == 0.0f);
    }
}

static void test_colors_dropped(void **state) {
    (void)state;
    int kept[3] = {0};
    for (int draw = 0; draw < 300; draw++) {
        float patch[PIXELS * 3];
        double mean[3], square[3];
        int large = -1;
        hiss_rng rng = hiss_rng_keyed(3, HISS_FOR_TESTS, 1, draw);
        draw_patch(3, patch);
        objective_patch_drop_colors(PIXELS, 3, patch, &rng);
        for (int c = 0; c < 3; c++) {
            moments(3, c, patch, &mean[c], &square[c]);
            if (square[c] > 1.0) {
                assert_int_equal(large, -1);
                large = c;
            }
        }
        assert_true(large >= 0 && fabs(square[0] + square[1] + square[2] - 3.0) < 1e-5);
        assert_true(fabs(mean[large]) < 1e-5);
        for (int c = 0; c < 3; c++) { /* a hundredth of the deviation, give or take a draw */
            assert_true(c == large || (square[c] > 1.5e-4 && square[c] < 6e-4));
        }
        kept[large]++;
    }
    assert_true(kept[0] > 70 && kept[1] > 70 && kept[2] > 70);
}

/* A cut that reaches over the edges of a canvas goes on at the opposite ones. */
static void test_cut(void **state) {
    (void)state;
    enum { H = 5, W = 7 };
    float pixels[H * W], out[9];
    const objective_scene scene = {.H = H, .W = W, .C = 1, .canvas = true};
    for (int k = 0; k < H * W; k++) {
        pixels[k] = (float)k;
    }
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            objective_patch_cut(&scene, pixels, y, x, 3, out);
            for (int k = 0; k < 9; k++) {
                assert_true(out[k] == pixels[(y + k / 3) % H * W + (x + k % 3) % W]);
            }
        }
    }
}

static void test_permutations(void **state) {
    (void)state;
    static const struct { int64_t count, least; } sets[] = {{9, 9}, {30, 7}, {72, 7}, {100, 6}};
    uint8_t *set = hiss_new(uint8_t, 100 * PERMUTED), *part = hiss_new(uint8_t, 100 * PERMUTED);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        pretext_permutations(seed, 100, set);
        for (int64_t n = 0; n < 100; n++) {
            unsigned digits = 0;
            for (int k = 0; k < PERMUTED; k++) {
                digits |= 1u << set[n * PERMUTED + k];
            }
            assert_int_equal(digits, 0x1ff);
        }
        for (int s = 0; s < HISS_COUNT(sets); s++) {
            assert_int_equal(pretext_least_distance(sets[s].count, set), sets[s].least);
        }
        pretext_permutations(seed, 30, part);
        assert_memory_equal(part, set, 30 * PERMUTED);
    }
    pretext_permutations(1, 30, part);
    assert_memory_not_equal(part, set, 30 * PERMUTED);
    assert_int_equal(pretext_least_distance(2, (const uint8_t *)"\0\1\2\3\4\5\6\7\10\0\1\2\3\4\5\6\10\7"), 2);
    hiss_free(set);
    hiss_free(part);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_normalized), cmocka_unit_test(test_colors_dropped),
                                       cmocka_unit_test(test_cut), cmocka_unit_test(test_permutations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
