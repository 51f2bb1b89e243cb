/* Structural similarity compares two frames window by window: of the means m, the variances s^2 and the covariance c,
 *     (2 m_a m_b + C1) (2 c + C2) / ((m_a^2 + m_b^2 + C1) (s_a^2 + s_b^2 + C2)),   C1 = (K1 L)^2, C2 = (K2 L)^2.
 * All come from the weighted means of a, b, a^2, b^2 and a b. The window is a product of one over rows and one over
 * columns. So as it goes down, there is a sum over its rows for each column of the frame, and going across it takes those
 * of its columns. Of the uniform window both are running sums, to which a row or a column is added and from which one is
 * taken away: the cost is that of the frame, whatever the window's side. Terms are of 0..1, so what rounding leaves in a
 * running sum stays far below C2. Of equal frames numerator and denominator are equal to the bit. */
#include "eval/similarity.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"

static const double K1 = 0.01, K2 = 0.03, deviation = 1.5;

enum { MEAN_A, MEAN_B, SQUARE_A, SQUARE_B, PRODUCT, MOMENTS };

typedef struct windows {
    int64_t side, W, C;
    const double *weight; /* [side]; NULL: uniform */
    const float *a, *b;   /* of the channel: C apart */
    double *column;       /* [MOMENTS, W] sums over the window's rows */
    double *mean;         /* [MOMENTS, W] of the window that begins in a column */
} windows;

double eval_frame_psnr(int64_t H, int64_t W, int64_t C, const float *a, const float *b) {
    double sum = 0.0;
    for (int64_t k = 0; k < H * W * C; k++) {
        const double difference = (double)a[k] - (double)b[k];
        sum += difference * difference;
    }
    return eval_psnr(sum / (double)(H * W * C));
}

/* ---- structural similarity ---- */

static void gaussian(int64_t side, double *weight) {
    double sum = 0.0;
    for (int64_t k = 0; k < side; k++) {
        const double x = (double)(k - side / 2) / deviation;
        weight[k] = exp(-0.5 * x * x);
        sum += weight[k];
    }
    for (int64_t k = 0; k < side; k++) {
        weight[k] /= sum;
    }
}

static void add_row(const windows *w, int64_t y, double weight) {
    for (int64_t x = 0; x < w->W; x++) {
        const double a = (double)w->a[(y * w->W + x) * w->C], b = (double)w->b[(y * w->W + x) * w->C];
        w->column[MEAN_A * w->W + x] += weight * a;
        w->column[MEAN_B * w->W + x] += weight * b;
        w->column[SQUARE_A * w->W + x] += weight * (a * a);
        w->column[SQUARE_B * w->W + x] += weight * (b * b);
        w->column[PRODUCT * w->W + x] += weight * (a * b);
    }
}

/* Called with y = 0, 1, ... in turn. */
static void sum_rows(const windows *w, int64_t y) {
    if (w->weight || y == 0) {
        memset(w->column, 0, sizeof(double) * (size_t)(MOMENTS * w->W));
        for (int64_t k = 0; k < w->side; k++) {
            add_row(w, y + k, w->weight ? w->weight[k] : 1.0);
        }
    } else {
        add_row(w, y - 1, -1.0);
        add_row(w, y + w->side - 1, 1.0);
    }
}

static void running_means(const windows *w, const double *column, double *mean) {
    const double share = 1.0 / (double)(w->side * w->side);
    double sum = 0.0;
    for (int64_t x = 0; x < w->side - 1; x++) {
        sum += column[x];
    }
    for (int64_t x = 0; x + w->side <= w->W; x++) {
        sum += column[x + w->side - 1];
        mean[x] = sum * share;
        sum -= column[x];
    }
}

static void weighted_means(const windows *w, const double *column, double *mean) {
    for (int64_t x = 0; x + w->side <= w->W; x++) {
        mean[x] = 0.0;
        for (int64_t k = 0; k < w->side; k++) {
            mean[x] += w->weight[k] * column[x + k];
        }
    }
}

static double sum_similarities(const windows *w, double range) {
    const double C1 = K1 * range * K1 * range, C2 = K2 * range * K2 * range, n = (double)(w->side * w->side);
    const double unbiased = w->weight ? 1.0 : n / (n - 1.0);
    double sum = 0.0;
    for (int64_t x = 0; x + w->side <= w->W; x++) {
        const double *mean = w->mean + x, a = mean[MEAN_A * w->W], b = mean[MEAN_B * w->W];
        const double variance_a = unbiased * (mean[SQUARE_A * w->W] - a * a);
        const double variance_b = unbiased * (mean[SQUARE_B * w->W] - b * b);
        const double covariance = unbiased * (mean[PRODUCT * w->W] - a * b);
        sum += (2.0 * (a * b) + C1) * (2.0 * covariance + C2) / ((a * a + b * b + C1) * (variance_a + variance_b + C2));
    }
    return sum;
}

double eval_ssim(eval_ssim_window window, double range, int64_t H, int64_t W, int64_t C, const float *a,
                 const float *b) {
    double weight[EVAL_SSIM_GAUSSIAN], sum = 0.0;
    windows w = {.side = (int64_t)window, .W = W, .C = C, .column = hiss_new(double, 2 * MOMENTS * W)};
    assert(H >= w.side && W >= w.side && C > 0 && range > 0.0);
    w.mean = w.column + MOMENTS * W;
    if (window == EVAL_SSIM_GAUSSIAN) {
        gaussian(w.side, weight);
        w.weight = weight;
    }
    for (int64_t c = 0; c < C; c++) {
        w.a = a + c;
        w.b = b + c;
        for (int64_t y = 0; y + w.side <= H; y++) {
            sum_rows(&w, y);
            for (int64_t m = 0; m < MOMENTS; m++) {
                (w.weight ? weighted_means : running_means)(&w, w.column + m * W, w.mean + m * W);
            }
            sum += sum_similarities(&w, range);
        }
    }
    hiss_free(w.column);
    return sum / (double)((H - w.side + 1) * (W - w.side + 1) * C);
}

/* ---- sharpness ---- */

static double gradient(int64_t W, int64_t C, const float *pixel) {
    const double here = (double)pixel[0];
    return fabs(here - (double)pixel[-W * C]) + fabs(here - (double)pixel[-C]);
}

double eval_sharpness_difference(int64_t H, int64_t W, int64_t C, const float *truth, const float *made) {
    double sum = 0.0;
    assert(H > 1 && W > 1);
    for (int64_t y = 1; y < H; y++) {
        for (int64_t k = (y * W + 1) * C; k < (y + 1) * W * C; k++) {
            sum += fabs(gradient(W, C, truth + k) - gradient(W, C, made + k));
        }
    }
    return eval_psnr(sum / (double)((H - 1) * (W - 1) * C));
}
