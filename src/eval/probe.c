/* The linear probe: multinomial logistic regression on standardised features. Here its statistics, and its answers; the
 * fit is in fits.c. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { MOST_COLUMNS = 512 };

static const double floor_deviation = 1e-5;

int64_t eval_count_marked(const hiss_features *f, const bool *use) {
    int64_t samples = 0;
    for (int64_t i = 0; i < f->n; i++) {
        samples += !use || use[i];
    }
    return samples;
}

int32_t *eval_marked_labels(const hiss_features *f, const bool *use, const int32_t *other) {
    const int32_t *from = other ? other : f->label;
    const int64_t rows = (f->end - f->first) * HISS_TILE;
    int32_t *label = hiss_new(int32_t, rows);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t sample = f->first * HISS_TILE + i;
        label[i] = sample < f->n && (!use || use[sample]) ? from[i] : -1;
    }
    return label;
}

/* Mean, then the deviation about it: two passes, for the digits. */
hiss_probe *eval_probe_statistics(const hiss_eval_env *env, const hiss_features *f) {
    hiss_probe *probe = eval_probe_create(f->D, f->classes);
    int64_t D = f->D, samples = f->n;
    double *total = hiss_new(double, D);
    for (int pass = 0; pass < 2; pass++) {
        tile_sum *sum = eval_tile_sum_create(env, f, NULL, D);
        for (int64_t i = 0; i < sum->local; i++) {
            const float *rows = tile_rows(f, sum->tile[i]);
            double *vector = eval_tile_sum_vector(sum, i);
            for (int64_t row = 0; row < tile_count(f, sum->tile[i]); row++) {
                for (int64_t d = 0; d < D; d++) {
                    double x = (double)rows[row * D + d] - (double)probe->mean[d];
                    vector[d] += pass ? x * x : x;
                }
            }
        }
        eval_tile_sum_run(sum, total);
        eval_tile_sum_destroy(sum);
        for (int64_t d = 0; d < D; d++) {
            if (pass) {
                double variance = total[d] / (double)(samples > 1 ? samples - 1 : 1);
                probe->inverse[d] = (float)(1.0 / fmax(sqrt(variance), floor_deviation));
            } else {
                probe->mean[d] = (float)(total[d] / (double)samples);
            }
        }
    }
    hiss_free(total);
    return probe;
}

void eval_standardise(const hiss_probe *probe, const float *rows, int64_t count, int64_t stride, float *restrict x) {
    const float *mean = probe->mean, *inverse = probe->inverse;
    const int64_t D = probe->D;
    memset(x, 0, sizeof(float) * (size_t)(HISS_TILE * stride));
    for (int64_t row = 0; row < count; row++) {
        for (int64_t d = 0; d < D; d++) {
            x[row * stride + d] = (rows[row * D + d] - mean[d]) * inverse[d];
        }
    }
}

hiss_probe *eval_probe_create(int64_t D, int64_t classes) {
    hiss_probe *probe = hiss_new(hiss_probe, 1);
    probe->D = D;
    probe->classes = classes;
    probe->mean = hiss_new(float, D);
    probe->inverse = hiss_new(float, D);
    probe->w = hiss_new(double, (D + 1) * classes);
    return probe;
}

/* Fewer coordinates in place of the features. */
static void enter_space(const hiss_eval_env *env, const hiss_features *f, probe_base *base) {
    base->space = eval_row_space_create(env, f, base->x, base->stride);
    base->standardised = base->x;
    base->inner->D = eval_row_space_rank(base->space);
    base->stride = (base->inner->D + 15) / 16 * 16;
    base->x = hiss_new(float, (f->end - f->first) * HISS_TILE * base->stride);
    eval_row_space_rows(base->space, base->stride, base->x);
}

probe_base eval_probe_base_create(const hiss_eval_env *env, const hiss_features *f) {
    probe_base base = {.zero = eval_probe_statistics(env, f), .inner = hiss_new(hiss_features, 1)};
    *base.inner = *f;
    base.inner->rows = NULL;
    base.stride = (f->D + 15) / 16 * 16;
    base.x = hiss_new(float, (f->end - f->first) * HISS_TILE * base.stride);
    for (int64_t t = f->first; t < f->end; t++) {
        eval_standardise(base.zero, tile_rows(f, t), tile_count(f, t), base.stride,
                         base.x + (t - f->first) * HISS_TILE * base.stride);
    }
    if (eval_row_space_pays(f)) {
        enter_space(env, f, &base);
    } else if (eval_curvature_pays(f)) {
        base.curvature = eval_curvature_create(env, f, base.x, base.stride);
    }
    return base;
}

void eval_probe_base_destroy(probe_base *base) {
    hiss_probe_destroy(base->zero);
    eval_curvature_destroy(base->curvature);
    eval_row_space_destroy(base->space);
    hiss_free(base->inner);
    hiss_free(base->x);
    hiss_free(base->standardised);
}

hiss_probe *hiss_probe_fit(const hiss_eval_env *env, const hiss_features *f, const bool *use, double lambda,
                           int64_t iterations, const hiss_probe *start) {
    probe_base base = eval_probe_base_create(env, f);
    probe_fit fit = {
        .use = use, .lambda = lambda, .tolerance = HISS_PROBE_TOLERANCE, .iterations = iterations, .start = start};
    eval_probe_fit(env, &base, 1, &fit);
    eval_probe_base_destroy(&base);
    return fit.probe;
}

void hiss_probe_destroy(hiss_probe *probe) {
    if (probe) {
        hiss_free(probe->mean);
        hiss_free(probe->inverse);
        hiss_free(probe->w);
        hiss_free(probe);
    }
}

/* Logits of one probe in rows ldl apart, without bias. */
static int64_t count_right(int64_t classes, const double *bias, const int32_t *label, const float *logit, int64_t ldl) {
    int64_t right = 0;
    for (int64_t row = 0; row < HISS_TILE; row++, logit += ldl) {
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++) {
            if ((double)logit[c] + bias[c] > (double)logit[best] + bias[best]) {
                best = c;
            }
        }
        right += best == label[row];
    }
    return right;
}

/* Weights [classes, D] and biases [classes] of probe for rows that are standardised by another. */
static void translate(const hiss_probe *probe, const hiss_probe *other, float *weight, double *bias) {
    const int64_t D = probe->D, classes = probe->classes;
    for (int64_t c = 0; c < classes; c++) {
        bias[c] = probe->w[classes * D + c];
        for (int64_t d = 0; d < D; d++) {
            const double w = probe->w[c * D + d], inverse = (double)probe->inverse[d];
            weight[c * D + d] = (float)(w * (inverse / (double)other->inverse[d]));
            bias[c] += w * inverse * ((double)other->mean[d] - (double)probe->mean[d]);
        }
    }
}

/* At most MOST_COLUMNS, or one probe, by one product. */
static void judge_some(const hiss_eval_env *env, int64_t count, hiss_probe *const *probes, const hiss_probe *other,
                       const hiss_features *f, const int32_t *label, double *right) {
    const int64_t classes = other->classes, D = other->D, N = count * classes;
    float *weight = hiss_new(float, N *D), *x = hiss_new(float, HISS_TILE *D), *logit = hiss_new(float, HISS_TILE *N);
    double *bias = hiss_new(double, N);
    tile_sum *sum = eval_tile_sum_create(env, f, NULL, count);
    for (int64_t k = 0; k < count; k++) {
        translate(probes[k], other, weight + k * classes * D, bias + k * classes);
    }
    for (int64_t i = 0; i < sum->local; i++) {
        eval_standardise(other, tile_rows(f, sum->tile[i]), HISS_TILE, D, x);
        env->kernels->gemm(false, true, HISS_TILE, N, D, 1.0f, x, D, weight, D, 0.0f, logit, N);
        for (int64_t k = 0; k < count; k++) {
            eval_tile_sum_vector(sum, i)[k] = (double)count_right(
                classes, bias + k * classes, label + (sum->tile[i] - f->first) * HISS_TILE, logit + k * classes, N);
        }
    }
    eval_tile_sum_run(sum, right);
    eval_tile_sum_destroy(sum);
    hiss_free(weight);
    hiss_free(bias);
    hiss_free(x);
    hiss_free(logit);
}

void eval_probe_percents(const hiss_eval_env *env, int64_t count, hiss_probe *const *probes, const hiss_features *f,
                         const bool *use, double *percent) {
    assert(f->D == probes[0]->D);
    const int64_t fit = MOST_COLUMNS / probes[0]->classes, most = fit > 1 ? fit : 1;
    const double samples = (double)eval_count_marked(f, use);
    int32_t *label = eval_marked_labels(f, use, NULL);
    for (int64_t k = 0; k < count; k += most) {
        const int64_t some = count - k < most ? count - k : most;
        judge_some(env, some, probes + k, probes[0], f, label, percent + k);
    }
    for (int64_t k = 0; k < count; k++) {
        percent[k] = 100.0 * percent[k] / samples;
    }
    hiss_free(label);
}

double hiss_probe_percent(const hiss_eval_env *env, const hiss_probe *probe, const hiss_features *f, const bool *use) {
    hiss_probe one = *probe, *const probes[] = {&one};
    double percent;
    eval_probe_percents(env, 1, probes, f, use, &percent);
    return percent;
}

void eval_probe_margins(const hiss_eval_env *env, int64_t count, hiss_probe *const *probes, const hiss_features *f,
                        float *all) {
    const int64_t D = f->D;
    float *weight = hiss_new(float, count *D), *x = hiss_new(float, HISS_TILE *D);
    float *margin = hiss_new(float, (f->end - f->first) * HISS_TILE * count);
    for (int64_t k = 0; k < count; k++) {
        for (int64_t d = 0; d < D; d++) {
            weight[k * D + d] = (float)(probes[k]->w[D + d] - probes[k]->w[d]);
        }
    }
    for (int64_t t = f->first; t < f->end; t++) {
        float *to = margin + (t - f->first) * HISS_TILE * count;
        eval_standardise(probes[0], tile_rows(f, t), tile_count(f, t), D, x);
        env->kernels->gemm(false, true, HISS_TILE, count, D, 1.0f, x, D, weight, D, 0.0f, to, count);
        for (int64_t i = 0; i < HISS_TILE * count; i++) {
            const double *bias = probes[i % count]->w + 2 * D;
            to[i] = (float)((double)to[i] + (bias[1] - bias[0]));
        }
    }
    eval_features_allgather(env, f, margin, (int64_t)sizeof(float) * count, all);
    hiss_free(weight);
    hiss_free(x);
    hiss_free(margin);
}
