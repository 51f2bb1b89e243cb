/* The linear probe: multinomial logistic regression on standardised features, fitted by L-BFGS, in coordinates in which
 * the loss curves alike in all directions (curvature.c) where there are samples enough to know them.
 *
 * Small things are doubles (W, b, the sums over tiles, the L-BFGS vectors, equal on all ranks); the two products per
 * tile are float gemms. A tile is standardised into scratch each time, which keeps one copy of the features and loses
 * no digits where a feature's mean is large beside its deviation; the tile stays in cache for both products:
 *   logits[HISS_TILE, classes] = X W^T,    dW[classes, D] = R^T X,   R = softmax(logits) - onehot(label)
 * Tile gradients are added by the canonical tree, so every rank count takes the same path. Samples that are not to be
 * fitted stay in their tiles, with a label of -1, like the padding of the last one.
 *
 * Cost per evaluation: 4 n D classes / P flops, one tree sum of (D + 1) classes doubles. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

static const double floor_deviation = 1e-5, least_curvature = 1e-4;

typedef struct fit {
    const hiss_eval_env *env;
    const hiss_features *f;
    hiss_probe *probe;
    double lambda;
    int64_t samples; /* marked */
    int32_t *label;  /* of this rank's rows; -1 where not marked */
    curvature *curvature;
    tile_sum *sum;                        /* per tile: dW [classes, D], db [classes], loss, sum of p (1 - p) */
    double *total, *w, *slope;            /* [that many]; weights and their gradient when the fit takes other steps */
    double largest;                       /* |gradient of w| of the last evaluation */
    float *weight, *x, *logit, *gradient; /* [classes, D]; [HISS_TILE, D]; [HISS_TILE, classes]; [classes, D] */
} fit;

static int64_t count_marked(const hiss_features *f, const bool *use) {
    int64_t samples = 0;
    for (int64_t i = 0; i < f->n; i++) {
        samples += !use || use[i];
    }
    return samples;
}

/* Labels of this rank's rows, -1 where use does not mark them. */
static int32_t *marked_labels(const hiss_features *f, const bool *use) {
    const int64_t rows = (f->end - f->first) * HISS_TILE;
    int32_t *label = hiss_new(int32_t, rows);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t sample = f->first * HISS_TILE + i;
        label[i] = sample < f->n && (!use || use[sample]) ? f->label[i] : -1;
    }
    return label;
}

/* Mean, then the deviation about it: two passes, for the digits. */
static void measure(const hiss_eval_env *env, const hiss_features *f, hiss_probe *probe) {
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
}

void eval_probe_standardise(const hiss_probe *probe, const float *rows, int64_t count, float *restrict x) {
    const float *mean = probe->mean, *inverse = probe->inverse;
    for (int64_t row = 0; row < count; row++) {
        for (int64_t d = 0; d < probe->D; d++) {
            x[row * probe->D + d] = (rows[row * probe->D + d] - mean[d]) * inverse[d];
        }
    }
    memset(x + count * probe->D, 0, sizeof(float) * (size_t)((HISS_TILE - count) * probe->D));
}

static void narrow(int64_t count, const double *from, float *to) {
    for (int64_t i = 0; i < count; i++) {
        to[i] = (float)from[i];
    }
}

/* logit = X W^T, without b. x: scratch [HISS_TILE, D], left standardised. */
static void multiply(const hiss_eval_env *env, const hiss_probe *probe, const float *weight, const float *rows,
                     float *x, float *logit) {
    eval_probe_standardise(probe, rows, HISS_TILE, x);
    env->kernels->gemm(false, true, HISS_TILE, probe->classes, probe->D, 1.0f, x, probe->D, weight, probe->D, 0.0f,
                       logit, probe->classes);
}

/* logit to softmax minus one-hot, in place, zero in rows that are not marked. sums: db [classes], loss, sum of p (1 -
 * p), which are added to. */
static void residuals(int64_t classes, const double *bias, const int32_t *label, float *logit, double *sums) {
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
        sums[classes] += log((double)sum) - (double)own;
        for (int64_t c = 0; c < classes; c++) {
            const float p = r[c] / sum;
            r[c] = p - (c == label[row] ? 1.0f : 0.0f);
            sums[c] += (double)r[c];
            sums[classes + 1] += (double)(p * (1.0f - p));
        }
    }
}

/* Loss at the weights w, and its gradient. */
static double evaluate(fit *z, const double *w, double *gradient) {
    int64_t D = z->f->D, classes = z->f->classes, count = D * classes;
    narrow(count, w, z->weight);
    for (int64_t i = 0; i < z->sum->local; i++) {
        int64_t t = z->sum->tile[i];
        double *vector = eval_tile_sum_vector(z->sum, i);
        memset(vector + count, 0, sizeof(double) * (size_t)(classes + 2));
        multiply(z->env, z->probe, z->weight, tile_rows(z->f, t), z->x, z->logit);
        residuals(classes, w + count, z->label + (t - z->f->first) * HISS_TILE, z->logit, vector + count);
        z->env->kernels->gemm(true, false, classes, D, HISS_TILE, 1.0f, z->logit, classes, z->x, D, 0.0f, z->gradient,
                              D);
        for (int64_t j = 0; j < count; j++) {
            vector[j] = (double)z->gradient[j];
        }
    }
    eval_tile_sum_run(z->sum, z->total);
    double samples = (double)z->samples, square = 0.0;
    z->largest = 0.0;
    for (int64_t j = 0; j < count + classes; j++) {
        gradient[j] = z->total[j] / samples + (j < count ? z->lambda * w[j] : 0.0);
        square += j < count ? w[j] * w[j] : 0.0;
        z->largest = fmax(z->largest, fabs(gradient[j]));
    }
    return z->total[count + classes] / samples + 0.5 * z->lambda * square;
}

static double value_of_weights(void *user, const double *w, double *gradient) {
    return evaluate(user, w, gradient);
}

static double value_of_steps(void *user, const double *v, double *gradient) {
    fit *z = user;
    eval_curvature_from_steps(z->curvature, z->f->classes, v, z->w);
    const double loss = evaluate(z, z->w, z->slope);
    eval_curvature_gradient(z->curvature, z->f->classes, z->slope, gradient);
    return loss;
}

static double largest_gradient(void *user) {
    return ((fit *)user)->largest;
}

/* Minimise in the coordinates of z->curvature, made for the weights to start from. */
static void minimize_by_curvature(fit *z, const hiss_smooth *function, int64_t iterations, double tolerance) {
    const int64_t classes = z->f->classes;
    hiss_probe *probe = z->probe;
    double *v = hiss_new(double, function->count);
    eval_curvature_factor(z->curvature, fmax(probe->spread, least_curvature), z->lambda);
    eval_curvature_to_steps(z->curvature, classes, probe->w, v);
    hiss_minimize(function, v, iterations, tolerance, &probe->minimum);
    eval_curvature_from_steps(z->curvature, classes, v, probe->w);
    hiss_free(v);
}

static hiss_probe *new_probe(int64_t D, int64_t classes) {
    hiss_probe *probe = hiss_new(hiss_probe, 1);
    probe->D = D;
    probe->classes = classes;
    probe->mean = hiss_new(float, D);
    probe->inverse = hiss_new(float, D);
    probe->w = hiss_new(double, (D + 1) * classes);
    probe->spread = (1.0 - 1.0 / (double)classes) / (double)classes;
    return probe;
}

probe_base eval_probe_base_create(const hiss_eval_env *env, const hiss_features *f) {
    probe_base base = {.zero = new_probe(f->D, f->classes)};
    measure(env, f, base.zero);
    if (eval_curvature_pays(f, f->n)) {
        base.curvature = eval_curvature_create(env, f, base.zero);
    }
    return base;
}

void eval_probe_base_destroy(probe_base *base) {
    hiss_probe_destroy(base->zero);
    eval_curvature_destroy(base->curvature);
}

hiss_probe *eval_probe_fit(const hiss_eval_env *env, const hiss_features *f, const probe_base *base, const bool *use,
                           double lambda, int64_t iterations, double tolerance, const hiss_probe *start) {
    assert(f->classes >= 1 && (!start || (start->D == f->D && start->classes == f->classes)));
    int64_t D = f->D, classes = f->classes, count = (D + 1) * classes;
    hiss_probe *probe = new_probe(D, classes);
    memcpy(probe->mean, base->zero->mean, sizeof(float) * (size_t)D);
    memcpy(probe->inverse, base->zero->inverse, sizeof(float) * (size_t)D);
    memcpy(probe->w, start ? start->w : base->zero->w, sizeof(double) * (size_t)count);
    probe->spread = start ? start->spread : base->zero->spread;
    fit z = {.env = env, .f = f, .probe = probe, .lambda = lambda, .samples = count_marked(f, use)};
    z.label = marked_labels(f, use);
    z.curvature = base->curvature;
    z.sum = eval_tile_sum_create(env, f, NULL, count + 2);
    z.total = hiss_new(double, count + 2);
    z.w = hiss_new(double, count);
    z.slope = hiss_new(double, count);
    z.weight = hiss_new(float, classes *D);
    z.gradient = hiss_new(float, classes *D);
    z.x = hiss_new(float, HISS_TILE *D);
    z.logit = hiss_new(float, HISS_TILE *classes);
    const hiss_smooth function = {z.curvature ? value_of_steps : value_of_weights, largest_gradient, &z, count};
    if (z.curvature) {
        minimize_by_curvature(&z, &function, iterations, tolerance);
    } else {
        hiss_minimize(&function, probe->w, iterations, tolerance, &probe->minimum);
    }
    probe->spread = z.total[count + 1] / ((double)z.samples * (double)classes);
    eval_tile_sum_destroy(z.sum);
    hiss_free(z.label);
    hiss_free(z.total);
    hiss_free(z.w);
    hiss_free(z.slope);
    hiss_free(z.weight);
    hiss_free(z.gradient);
    hiss_free(z.x);
    hiss_free(z.logit);
    return probe;
}

hiss_probe *hiss_probe_fit(const hiss_eval_env *env, const hiss_features *f, const bool *use, double lambda,
                           int64_t iterations, const hiss_probe *start) {
    probe_base base = eval_probe_base_create(env, f);
    hiss_probe *probe = eval_probe_fit(env, f, &base, use, lambda, iterations, HISS_PROBE_TOLERANCE, start);
    eval_probe_base_destroy(&base);
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
    int32_t *label = marked_labels(f, use);
    tile_sum *sum = eval_tile_sum_create(env, f, NULL, 1);
    double right = 0.0;
    narrow(classes * D, probe->w, weight);
    for (int64_t i = 0; i < sum->local; i++) {
        multiply(env, probe, weight, tile_rows(f, sum->tile[i]), x, logit);
        *eval_tile_sum_vector(sum, i) =
            (double)count_right(classes, probe->w + classes * D, label + (sum->tile[i] - f->first) * HISS_TILE, logit);
    }
    eval_tile_sum_run(sum, &right);
    eval_tile_sum_destroy(sum);
    hiss_free(label);
    hiss_free(weight);
    hiss_free(x);
    hiss_free(logit);
    return 100.0 * right / (double)count_marked(f, use);
}
