/* PSNR, SSIM and sharpness difference against the formulas written out pixel by pixel, closed forms of constant frames and
 * of an edge, values of scikit-image, and what holds of any frames. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eval/judgements/judgements.h"
#include "eval/similarity.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

static const eval_ssim_window windows[] = {EVAL_SSIM_UNIFORM, EVAL_SSIM_GAUSSIAN};
static const struct {
    int64_t H, W, C;
} sizes[] = {{11, 11, 1}, {11, 30, 3}, {32, 32, 1}, {29, 13, 2}, {7, 7, 1}, {7, 40, 3}};
enum { SIZES = 6, MOST = 32 * 32 * 3 };

static bool fits(int k, eval_ssim_window window) {
    return sizes[k].H >= (int64_t)window && sizes[k].W >= (int64_t)window;
}

/* b is a with noise on it; both have parts of one grey. */
static void draw(int64_t which, int64_t count, float *a, float *b) {
    hiss_rng rng = hiss_rng_keyed(11, HISS_FOR_TESTS, which, 0);
    hiss_rng_uniforms(&rng, count, a);
    for (int64_t k = 0; k < count; k++) {
        a[k] = k < count / 5 ? 1.0f : a[k];
        b[k] = k < count / 6 ? 1.0f : 0.7f * a[k] + 0.3f * hiss_rng_uniform(&rng);
    }
}

/* ---- the formulas ---- */

/* Weight of place i, j of the window. */
static double weight(eval_ssim_window window, int64_t i, int64_t j) {
    const double n = (double)window * (double)window, di = (double)(i - 5), dj = (double)(j - 5);
    double sum = 0.0;
    for (int64_t k = 0; k < 121; k++) {
        const double y = (double)(k / 11 - 5), x = (double)(k % 11 - 5);
        sum += exp(-(y * y + x * x) / 4.5);
    }
    return window == EVAL_SSIM_UNIFORM ? 1.0 / n : exp(-(di * di + dj * dj) / 4.5) / sum;
}

static double window_ssim(eval_ssim_window window, double range, int64_t W, int64_t C, const float *a, const float *b) {
    const double n = (double)window * (double)window, C1 = pow(0.01 * range, 2.0), C2 = pow(0.03 * range, 2.0);
    double ma = 0.0, mb = 0.0, aa = 0.0, bb = 0.0, ab = 0.0;
    for (int64_t k = 0; k < window * window; k++) {
        const int64_t at = (k / window * W + k % window) * C;
        ma += weight(window, k / window, k % window) * (double)a[at];
        mb += weight(window, k / window, k % window) * (double)b[at];
    }
    for (int64_t k = 0; k < window * window; k++) {
        const int64_t at = (k / window * W + k % window) * C;
        const double w = weight(window, k / window, k % window), da = (double)a[at] - ma, db = (double)b[at] - mb;
        aa += w * da * da;
        bb += w * db * db;
        ab += w * da * db;
    }
    const double f = window == EVAL_SSIM_UNIFORM ? n / (n - 1.0) : 1.0;
    return (2.0 * ma * mb + C1) * (2.0 * f * ab + C2) / ((ma * ma + mb * mb + C1) * (f * aa + f * bb + C2));
}

static double slow_ssim(eval_ssim_window window, double range, int64_t H, int64_t W, int64_t C, const float *a,
                        const float *b) {
    double mean = 0.0;
    for (int64_t c = 0; c < C; c++) {
        double sum = 0.0;
        for (int64_t y = 0; y <= H - window; y++) {
            for (int64_t x = 0; x <= W - window; x++) {
                const int64_t at = (y * W + x) * C + c;
                sum += window_ssim(window, range, W, C, a + at, b + at);
            }
        }
        mean += sum / (double)((H - window + 1) * (W - window + 1)) / (double)C;
    }
    return mean;
}

static double pixel(const float *x, int k, int64_t i, int64_t j, int64_t c) {
    return (double)x[(i * sizes[k].W + j) * sizes[k].C + c];
}

static double slow_sharpness(int k, const float *a, const float *b) {
    double sum = 0.0;
    for (int64_t i = 1; i < sizes[k].H; i++) {
        for (int64_t j = 1; j < sizes[k].W; j++) {
            for (int64_t c = 0; c < sizes[k].C; c++) {
                sum += fabs(fabs(pixel(a, k, i, j, c) - pixel(a, k, i - 1, j, c)) +
                            fabs(pixel(a, k, i, j, c) - pixel(a, k, i, j - 1, c)) -
                            fabs(pixel(b, k, i, j, c) - pixel(b, k, i - 1, j, c)) -
                            fabs(pixel(b, k, i, j, c) - pixel(b, k, i, j - 1, c)));
            }
        }
    }
    return 10.0 * log10((double)((sizes[k].H - 1) * (sizes[k].W - 1) * sizes[k].C) / sum);
}

static void test_formulas(void **state) {
    (void)state;
    float a[MOST], b[MOST];
    for (int k = 0; k < SIZES; k++) {
        const int64_t H = sizes[k].H, W = sizes[k].W, C = sizes[k].C;
        double square = 0.0;
        draw(k, H * W * C, a, b);
        for (int64_t i = 0; i < H * W * C; i++) {
            square += pow((double)a[i] - (double)b[i], 2.0);
        }
        assert_true(fabs(eval_frame_psnr(H, W, C, a, b) - 10.0 * log10((double)(H * W * C) / square)) < 1e-9);
        assert_true(fabs(eval_sharpness_difference(H, W, C, a, b) - slow_sharpness(k, a, b)) < 1e-9);
        for (int w = 0; w < 2; w++) {
            for (double range = 1.0; range < 3.0 && fits(k, windows[w]); range++) {
                const double fast = eval_ssim(windows[w], range, H, W, C, a, b);
                assert_true(fabs(fast - slow_ssim(windows[w], range, H, W, C, a, b)) < 1e-9);
                assert_true(fast > 0.1 && fast < 0.99);
            }
        }
    }
}

/* ---- what is known ---- */

static void fill(float *x, int64_t count, float value) {
    for (int64_t k = 0; k < count; k++) {
        x[k] = value;
    }
}

static void test_constant(void **state) {
    (void)state;
    float a[MOST], b[MOST];
    const double p = 0.25, q = 0.75;
    fill(a, MOST, (float)p);
    fill(b, MOST, (float)q);
    assert_true(fabs(eval_frame_psnr(32, 32, 3, a, b) - 10.0 * log10(4.0)) < 1e-12);
    assert_true(eval_sharpness_difference(32, 32, 3, a, b) == (double)EVAL_PSNR_MOST);
    for (int w = 0; w < 2; w++) {
        for (double range = 1.0; range < 3.0; range++) {
            const double C1 = 1e-4 * range * range;
            assert_true(fabs(eval_ssim(windows[w], range, 32, 32, 3, a, b) -
                             (2.0 * p * q + C1) / (p * p + q * q + C1)) < 1e-11);
        }
    }
}

/* A step of 1 between two columns of W, and nothing made of it: 1 of W - 1 differences. */
static void test_edge(void **state) {
    (void)state;
    float a[32 * 32] = {0}, b[32 * 32] = {0};
    for (int64_t k = 0; k < 32 * 32; k++) {
        a[k] = k % 32 < 9 ? 1.0f : 0.0f;
    }
    assert_true(fabs(eval_sharpness_difference(32, 32, 1, a, b) - 10.0 * log10(31.0)) < 1e-12);
    assert_true(eval_sharpness_difference(2, 2, 1, b, b) == (double)EVAL_PSNR_MOST);
}

static void test_itself(void **state) {
    (void)state;
    float a[MOST], b[MOST];
    for (int k = 0; k < SIZES; k++) {
        const int64_t H = sizes[k].H, W = sizes[k].W, C = sizes[k].C;
        draw(k, H * W * C, a, b);
        assert_true(eval_frame_psnr(H, W, C, a, a) == (double)EVAL_PSNR_MOST);
        assert_true(eval_frame_psnr(H, W, C, a, b) == eval_frame_psnr(H, W, C, b, a));
        assert_true(eval_sharpness_difference(H, W, C, a, a) == (double)EVAL_PSNR_MOST);
        for (int w = 0; w < 2; w++) {
            if (fits(k, windows[w])) {
                assert_true(eval_ssim(windows[w], 1.0, H, W, C, a, a) == 1.0);
                assert_true(eval_ssim(windows[w], 1.0, H, W, C, a, b) == eval_ssim(windows[w], 1.0, H, W, C, b, a));
            }
        }
    }
}

/* Nearly equal frames have the most decibels that there are, and frames a little further apart fewer. */
static void test_most(void **state) {
    (void)state;
    float a[MOST] = {0}, b[MOST];
    fill(b, MOST, 0.9e-5f);
    assert_true(eval_frame_psnr(32, 32, 3, a, b) == (double)EVAL_PSNR_MOST);
    fill(b, MOST, 2e-5f);
    assert_true(fabs(eval_frame_psnr(32, 32, 3, a, b) - 20.0 * log10(5e4)) < 1e-5);
}

/* In a large frame rounding does not add up in the running sums. */
static void test_large(void **state) {
    (void)state;
    enum { SIDE = 700 };
    float *a = hiss_new(float, SIDE *SIDE), *b = hiss_new(float, SIDE *SIDE);
    fill(a, SIDE * SIDE, 0.1f);
    fill(b, SIDE * SIDE, 0.1f);
    for (int64_t k = 0; k < SIDE / 2 * SIDE; k++) {
        a[k] = (float)(k % 97) / 97.0f;
        b[k] = (float)(k % 89) / 89.0f;
    }
    const float *below = a + (SIDE / 2) * SIDE, *below_b = b + (SIDE / 2) * SIDE;
    const double whole = eval_ssim(EVAL_SSIM_UNIFORM, 1.0, SIDE, SIDE, 1, a, b);
    const double upper = eval_ssim(EVAL_SSIM_UNIFORM, 1.0, SIDE / 2 + 6, SIDE, 1, a, b);
    const double lower = eval_ssim(EVAL_SSIM_UNIFORM, 1.0, SIDE / 2, SIDE, 1, below, below_b);
    const double rows = SIDE - 6, above = SIDE / 2;
    assert_true(fabs(whole * rows - upper * above - lower * (rows - above)) < 1e-9 * rows);
    hiss_free(a);
    hiss_free(b);
}

/* Of scikit-image 0.26, in double, of frames that these few lines make. */
static void test_values(void **state) {
    (void)state;
    static const double psnr = 13.7019562116237, uniform[2] = {0.693355321931121, 0.699325256691035},
                        gaussian[2] = {0.688706788333607, 0.69512310600636};
    float a[20 * 24 * 3], b[20 * 24 * 3];
    for (int64_t k = 0; k < 20 * 24 * 3; k++) {
        a[k] = (float)(k * k % 257) / 256.0f;
        b[k] = (float)(k * k % 257 + 2 * (k % 128)) / 512.0f;
    }
    assert_true(fabs(eval_frame_psnr(20, 24, 3, a, b) - psnr) < 1e-9);
    for (int k = 0; k < 2; k++) {
        assert_true(fabs(eval_ssim(EVAL_SSIM_UNIFORM, k + 1, 20, 24, 3, a, b) - uniform[k]) < 1e-9);
        assert_true(fabs(eval_ssim(EVAL_SSIM_GAUSSIAN, k + 1, 20, 24, 3, a, b) - gaussian[k]) < 1e-9);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas), cmocka_unit_test(test_constant), cmocka_unit_test(test_edge),
        cmocka_unit_test(test_itself),   cmocka_unit_test(test_most),     cmocka_unit_test(test_large),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
