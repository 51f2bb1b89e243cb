/* The linear probe: multinomial logistic regression on standardised features, fitted by L-BFGS.
 *
 * Small things are doubles (W, b, the sums over tiles, the L-BFGS vectors, equal on all ranks); the two products per
 * tile are float gemms. A tile is standardised into scratch each time, which keeps one copy of the features and loses
 * no digits where a feature's mean is large beside its deviation; the tile stays in cache for both products:
 *   logits[HISS_TILE, classes] = X W^T,    dW[classes, D] = R^T X,   R = softmax(logits) - onehot(label)
 * Tile gradients are added by the canonical tree, so every rank count takes the same path.
 *
 * Cost per evaluation: 4 n D classes / P flops, one tree sum of (D + 1) classes doubles. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

static const double floor_deviation = 1e-5, tolerance = 1e-5;

typedef struct fit {
    const hiss_eval_env *env;
    const hiss_features *f;
    hiss_probe *probe;
    double lambda;
    int64_t samples; /* in the tiles marked */
    tile_sum *sum;   /* per tile: dW [classes, D], db [classes], loss */
    double *total;
    float *weight, *x, *logit, *gradient; /* [classes, D]; [HISS_TILE, D]; [HISS_TILE, classes]; [classes, D] */
} fit;

static int64_t marked_samples(const hiss_features *f, const bool *use) {
    int64_t samples = 0;
    for (int64_t t = 0; t < f->tiles; t++) {
        samples += !use || use[t] ? tile_count(f, t) : 0;
    }
    return samples;
}

/* Mean, then the deviation about it: two passes, for the digits. */
static void measure(const hiss_eval_env *env, const hiss_features *f, const bool *use, hiss_probe *probe) {
    int64_t D = f->D, samples = marked_samples(f, use);
    double *total = hiss_new(double, D);
    for (int pass = 0; pass < 2; pass++) {
        tile_sum *sum = tile_sum_create(env, f, use, D);
        for (int64_t i = 0; i < sum->local; i++) {
            const float *rows = tile_rows(f, sum->tile[i]);
            double *vector = tile_sum_vector(sum, i);
            for (int64_t row = 0; row < tile_count(f, sum->tile[i]); row++) {
                for (int64_t d = 0; d < D; d++) {
                    double x = (double)rows[row * D + d] - (double)probe->mean[d];
                    vector[d] += pass ? x * x : x;
                }
            }
        }
        tile_sum_run(sum, total);
        tile_sum_destroy(sum);
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
}

static void standardise(const hiss_probe *probe, const float *rows, float *restrict x) {
    const float *mean = probe->mean, *inverse = probe->inverse;
    for (int64_t row = 0; row < HISS_TILE; row++) {
        for (int64_t d = 0; d < probe->D; d++) {
            x[row * probe->D + d] = (rows[row * probe->D + d] - mean[d]) * inverse[d];
        }
    }
}

static void narrow(int64_t count, const double *from, float *to) {
    for (int64_t i = 0; i < count; i++) {
        to[i] = (float)from[i];
    }
}

/* logit = X W^T, without b. x: scratch [HISS_TILE, D], left standardised. */
static void multiply(const hiss_eval_env *env, const hiss_probe *probe, const float *weight, const float *rows,
                     float *x, float *logit) {
    standardise(probe, rows, x);
    env->kernels->gemm(false, true, HISS_TILE, probe->classes, probe->D, 1.0f, x, probe->D, weight, probe->D, 0.0f,
                       logit, probe->classes);
}

/* logit to softmax minus one-hot, in place, zero in padding rows. Adds to db; returns the loss of the tile. */
static double residuals(int64_t classes, const double *bias, const int32_t *label, float *logit, double *db) {
    double loss = 0.0;
    for (int64_t row = 0; row < HISS_TILE; row++) {
        float *r = logit + row * classes, most = -INFINITY, sum = 0.0f;
        if (label[row] < 0) {
            memset(r, 0, sizeof(float) * (size_t)classes);
            continue;
        }
        for (int64_t c = 0; c < classes; c++) {
            r[c] += (float)bias[c];
            most = r[c] > most ? r[c] : most;
        }
        float own = r[label[row]] - most;
        for (int64_t c = 0; c < classes; c++) {
            r[c] = expf(r[c] - most);
            sum += r[c];
        }
        loss += log((double)sum) - (double)own;
        for (int64_t c = 0; c < classes; c++) {
            r[c] = r[c] / sum - (c == label[row] ? 1.0f : 0.0f);
            db[c] += (double)r[c];
        }
    }
    return loss;
}

static double loss_and_gradient(void *user, const double *w, double *gradient) {
    fit *z = user;
    int64_t D = z->f->D, classes = z->f->classes, count = D * classes;
    narrow(count, w, z->weight);
    for (int64_t i = 0; i < z->sum->local; i++) {
        int64_t t = z->sum->tile[i];
        double *vector = tile_sum_vector(z->sum, i);
        memset(vector + count, 0, sizeof(double) * (size_t)classes);
        multiply(z->env, z->probe, z->weight, tile_rows(z->f, t), z->x, z->logit);
        vector[count + classes] = residuals(classes, w + count, tile_labels(z->f, t), z->logit, vector + count);
        z->env->kernels->gemm(true, false, classes, D, HISS_TILE, 1.0f, z->logit, classes, z->x, D, 0.0f, z->gradient,
                              D);
        for (int64_t j = 0; j < count; j++) {
            vector[j] = (double)z->gradient[j];
        }
    }
    tile_sum_run(z->sum, z->total);
    double samples = (double)z->samples, square = 0.0;
    for (int64_t j = 0; j < count; j++) {
        gradient[j] = z->total[j] / samples + z->lambda * w[j];
        square += w[j] * w[j];
    }
    for (int64_t j = count; j < count + classes; j++) {
        gradient[j] = z->total[j] / samples;
    }
    return z->total[count + classes] / samples + 0.5 * z->lambda * square;
}

hiss_probe *hiss_probe_fit(const hiss_eval_env *env, const hiss_features *f, const bool *use, double lambda,
                           int64_t iterations, const hiss_probe *start) {
    assert(f->classes >= 1 && (!start || (start->D == f->D && start->classes == f->classes)));
    int64_t D = f->D, classes = f->classes, count = (D + 1) * classes;
    hiss_probe *probe = hiss_new(hiss_probe, 1);
    probe->D = D;
    probe->classes = classes;
    probe->mean = hiss_new(float, D);
    probe->inverse = hiss_new(float, D);
    probe->w = hiss_new(double, count);
    if (start) {
        memcpy(probe->mean, start->mean, sizeof(float) * (size_t)D);
        memcpy(probe->inverse, start->inverse, sizeof(float) * (size_t)D);
        memcpy(probe->w, start->w, sizeof(double) * (size_t)count);
    } else {
        measure(env, f, use, probe);
    }
    fit z = {.env = env, .f = f, .probe = probe, .lambda = lambda, .samples = marked_samples(f, use)};
    z.sum = tile_sum_create(env, f, use, count + 1);
    z.total = hiss_new(double, count + 1);
    z.weight = hiss_new(float, classes *D);
    z.gradient = hiss_new(float, classes *D);
    z.x = hiss_new(float, HISS_TILE *D);
    z.logit = hiss_new(float, HISS_TILE *classes);
    hiss_minimize(loss_and_gradient, &z, count, probe->w, iterations, tolerance, &probe->minimum);
    tile_sum_destroy(z.sum);
    hiss_free(z.total);
    hiss_free(z.weight);
    hiss_free(z.gradient);
    hiss_free(z.x);
    hiss_free(z.logit);
    return probe;
}

void hiss_probe_destroy(hiss_probe *probe) {
    if (probe) {
        hiss_free(probe->mean);
        hiss_free(probe->inverse);
        hiss_free(probe->w);
        hiss_free(probe);
    }
}

static int64_t count_right(int64_t classes, const double *bias, const int32_t *label, const float *logit) {
    int64_t right = 0;
    for (int64_t row = 0; row < HISS_TILE; row++) {
        int64_t best = 0;
        for (int64_t c = 1; c < classes; c++) {
            if ((double)logit[row * classes + c] + bias[c] > (double)logit[row * classes + best] + bias[best]) {
                best = c;
            }
        }
        right += best == label[row];
    }
    return right;
}

double hiss_probe_percent(const hiss_eval_env *env, const hiss_probe *probe, const hiss_features *f, const bool *use) {
    assert(f->D == probe->D);
    int64_t classes = probe->classes, D = probe->D;
    float *weight = hiss_new(float, classes *D), *x = hiss_new(float, HISS_TILE *D);
    float *logit = hiss_new(float, HISS_TILE *classes);
    tile_sum *sum = tile_sum_create(env, f, use, 1);
    double right = 0.0;
    narrow(classes * D, probe->w, weight);
    for (int64_t i = 0; i < sum->local; i++) {
        multiply(env, probe, weight, tile_rows(f, sum->tile[i]), x, logit);
        *tile_sum_vector(sum, i) =
            (double)count_right(classes, probe->w + classes * D, tile_labels(f, sum->tile[i]), logit);
    }
    tile_sum_run(sum, &right);
    tile_sum_destroy(sum);
    hiss_free(weight);
    hiss_free(x);
    hiss_free(logit);
    return 100.0 * right / (double)marked_samples(f, use);
}
