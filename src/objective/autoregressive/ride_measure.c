/* What RIDE measures of itself: the density of test images, and that of the control: each pixel linear in those to its left,
 * above and above on the left, with Gaussian noise of one variance,
 *     x_ij = d + a x_i,j-1 + b x_i-1,j + c x_i-1,j-1 + e,   e ~ N(0, variance),
 * where pixels outside of the image are 0. Numbers of an image are its nats and the sums of products of these five values
 * (1 is the first) over its pixels. Means of the sums over training images are the normal equations of least squares, and
 * those over test images give the mean density of these, exactly, without the images. */
#include <math.h>

#include "objective/autoregressive/completions.h"
#include "objective/autoregressive/ride.h"
#include "objective/parts/judge.h"

enum { ONE, LEFT, UP, UP_LEFT, PIXEL, VALUES, PREDICTORS = PIXEL, PRODUCTS = VALUES * (VALUES + 1) / 2 };
static const char sheet_file[] = "ride-completed.png";

static int64_t width(void *self) {
    (void)self;
    return 1 + PRODUCTS;
}

static void add_products(const ride *a, const float *image, double sum[PRODUCTS]) {
    const int64_t H = a->task->H, W = a->task->W;
    for (int64_t k = 0; k < H * W; k++) {
        const int64_t r = k / W, c = k % W;
        const double value[VALUES] = {[ONE] = 1.0,
                                      [LEFT] = c > 0 ? (double)image[k - 1] : 0.0,
                                      [UP] = r > 0 ? (double)image[k - W] : 0.0,
                                      [UP_LEFT] = c > 0 && r > 0 ? (double)image[k - W - 1] : 0.0,
                                      [PIXEL] = (double)image[k]};
        for (int i = 0, p = 0; i < VALUES; i++) {
            for (int j = 0; j <= i; j++) {
                sum[p++] += value[i] * value[j];
            }
        }
    }
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const ride *a = self;
    const int64_t D = autoregressive_ride_pixels(a), K = a->options->components;
    const float *image = hiss_lane_values(lane, lane->inputs->image, i);
    const float *parameters = hiss_exec_data(lane->exec, a->parameters) + i * D * RIDE_PARTS * K;
    double nats = 0.0, sum[PRODUCTS] = {0};
    for (int64_t k = 0; k < D; k++) {
        nats += autoregressive_ride_nats(K, parameters + k * RIDE_PARTS * K, image[k]);
    }
    add_products(a, image, sum);
    out[0] = (float)nats;
    for (int p = 0; p < PRODUCTS; p++) {
        out[1 + p] = (float)sum[p];
    }
}

static hiss_status measure_build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    hiss_value image = -1;
    return autoregressive_ride_make(self, b, m, &image, err);
}

/* ---- the control ---- */

static double product(const double *mean, int i, int j) {
    return mean[1 + (i > j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i)];
}

/* Least squares by elimination; a value that follows from those before it gets the coefficient 0. */
static void fit(const double *mean, double coefficient[PREDICTORS]) {
    static const double certain = 1e-9; /* of a value's sum of squares that is left */
    double a[PREDICTORS][PREDICTORS + 1];
    bool free[PREDICTORS];
    for (int i = 0; i < PREDICTORS; i++) {
        for (int j = 0; j < PREDICTORS; j++) {
            a[i][j] = product(mean, i, j);
        }
        a[i][PREDICTORS] = product(mean, i, PIXEL);
    }
    for (int k = 0; k < PREDICTORS; k++) {
        free[k] = a[k][k] > certain * product(mean, k, k);
        for (int i = k + 1; i < PREDICTORS && free[k]; i++) {
            const double factor = a[i][k] / a[k][k];
            for (int j = k; j <= PREDICTORS; j++) {
                a[i][j] -= factor * a[k][j];
            }
        }
    }
    for (int k = PREDICTORS - 1; k >= 0; k--) {
        double rest = a[k][PREDICTORS];
        for (int j = k + 1; j < PREDICTORS; j++) {
            rest -= a[k][j] * coefficient[j];
        }
        coefficient[k] = free[k] ? rest / a[k][k] : 0.0;
    }
}

/* The mean over images of the sum of squares that the predictor leaves. */
static double squares_left(const double *mean, const double *coefficient) {
    double factor[VALUES] = {[PIXEL] = 1.0}, sum = 0.0;
    for (int i = 0; i < PREDICTORS; i++) {
        factor[i] = -coefficient[i];
    }
    for (int i = 0; i < VALUES; i++) {
        for (int j = 0; j < VALUES; j++) {
            sum += factor[i] * factor[j] * product(mean, i, j);
        }
    }
    return sum;
}

/* Nats of test images by the predictor of training images. The noise within a level is the least variance. */
static double linear_nats(const hiss_measured *m, int64_t D) {
    static const double least = 1.0 / 12.0 / 65536.0, two_pi = 6.283185307179586476925;
    double coefficient[PREDICTORS];
    fit(m->train_mean, coefficient);
    const double variance = fmax(squares_left(m->train_mean, coefficient) / (double)D, least);
    return 0.5 * (double)D * log(two_pi * variance) + 0.5 * squares_left(m->test_mean, coefficient) / variance;
}

/* ---- what is said ---- */

static int64_t shown(void *self) {
    return autoregressive_shown(((const ride *)self)->task);
}

static void show(void *self, const hiss_lane *lane, int64_t i, float *out) {
    autoregressive_show(((const ride *)self)->task, lane, i, out);
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    static const char group[] = "density of test images";
    const ride *a = self;
    const completions how = {a->task, &autoregressive_ride_generation, autoregressive_ride_advance, sheet_file};
    const int64_t D = autoregressive_ride_pixels(a);
    const double base = linear_nats(m, D), nan = (double)NAN;
    objective_say(m, group, "nats", "-log p", "nats", m->test_mean[0], m->test_deviation[0], base, m->test);
    m->number(m->say, &(hiss_measure){.name = "bits_per_dim",
                                      .group = group,
                                      .heading = "of a pixel, at most",
                                      .unit = "bits",
                                      .value = autoregressive_ride_bits(m->test_mean[0], D),
                                      .spread = autoregressive_ride_bits(m->test_deviation[0], D) -
                                                autoregressive_ride_bits(0.0, D),
                                      .baseline = autoregressive_ride_bits(base, D),
                                      .samples = m->test,
                                      .digits = true});
    objective_say(m, group, "nats_training", "training images", "nats", m->train_mean[0], nan, nan, m->train);
    m->remark(m->say,
              "of 8-bit pixels with uniform noise in their level, drawn once, as numbers of 0..1: a density, whose "
              "bits are an upper bound of those of the images");
    return autoregressive_complete(&how, self, m, err);
}

static const char *const pictures[] = {sheet_file, NULL};

const hiss_measure_ops autoregressive_ride_measure = {
    .baseline = "linear-Gaussian prediction from the pixels to the left, above and above on the left",
    .pictures = pictures,
    .width = width,
    .build = measure_build,
    .sample = autoregressive_ride_sample,
    .measure = measure,
    .shown = shown,
    .show = show,
    .conclude = conclude,
};
