/* An approximate second derivative of the probe's loss, in which the fit takes its steps.
 *
 * At W = 0 the Hessian of the mean loss is, but for what couples the classes, kappa S for each class, where S is the
 * covariance of the standardised features and kappa the mean of p (1 - p) over samples and classes; so it is for W
 * near 0, and roughly further out (Boehning, "Multinomial logistic regression algorithm", Annals of the Institute of
 * Statistical Mathematics 44 (1992), bounds it by the same S). With the Cholesky factor of
 *   kappa S + lambda I = L L^T
 * and W = V L^-1, rows of V being steps of one class, all directions of V curve more nearly alike. Features of
 * Fashion-MNIST, D = 256 to 1568, lambda 1e-2 to 1e-4: 40 to 70 steps of L-BFGS from one lambda to the next at a
 * gradient of 1e-4, 100 to 350 at 2e-6. What is left is that S weighs all samples alike and the loss those in doubt.
 *
 * S need not be exact: it is taken from at most SAMPLE tiles, evenly spread, in the canonical order of tile sums. It
 * is made once per feature set, the factor once per fit, on every rank alike. Cost: SAMPLE HISS_TILE D^2 / P flops in
 * float; D^3 / 3 in double per factor; 2 D^2 classes per change between V and W. Memory 16 D^2 bytes. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { SAMPLE = 128, ROWS = 32, PANEL = 32, MOST_FEATURES = 2048 };

struct curvature {
    int64_t D;
    double *covariance; /* [D, D] upper triangle */
    double *factor;     /* [D, D] L below the diagonal and on it, L^T above */
    double *panel;      /* [PANEL, D] */
    double bias;        /* square root of the curvature of a bias */
};

bool eval_curvature_pays(const hiss_features *f, int64_t samples) {
    return f->D <= MOST_FEATURES && samples >= f->D;
}

static void add_rows(const hiss_eval_env *env, int64_t D, int64_t row, int64_t rows, const float *x, float *product,
                     double *vector) {
    env->kernels->gemm(true, false, rows, D - row, HISS_TILE, 1.0f, x + row, D, x + row, D, 0.0f, product, D - row);
    for (int64_t i = 0; i < rows * (D - row); i++) {
        vector[i] = (double)product[i];
    }
}

curvature *eval_curvature_create(const hiss_eval_env *env, const hiss_features *f, const hiss_probe *probe) {
    const int64_t D = f->D, stride = (f->tiles + SAMPLE - 1) / SAMPLE;
    curvature *c = hiss_new(curvature, 1);
    bool *use = hiss_new(bool, f->tiles);
    double samples = 0.0;
    c->D = D;
    c->covariance = hiss_new(double, D *D);
    c->factor = hiss_new(double, D *D);
    c->panel = hiss_new(double, PANEL *D);
    for (int64_t t = 0; t < f->tiles; t += stride) {
        use[t] = true;
        samples += (double)tile_count(f, t);
    }
    tile_sum *sum = eval_tile_sum_create(env, f, use, ROWS * D);
    float *x = hiss_new(float, sum->local *HISS_TILE *D), *product = hiss_new(float, ROWS *D);
    double *total = hiss_new(double, ROWS *D);
    for (int64_t i = 0; i < sum->local; i++) {
        eval_probe_standardise(probe, tile_rows(f, sum->tile[i]), tile_count(f, sum->tile[i]), x + i * HISS_TILE * D);
    }
    for (int64_t row = 0; row < D; row += ROWS) {
        const int64_t rows = D - row < ROWS ? D - row : ROWS;
        for (int64_t i = 0; i < sum->local; i++) {
            add_rows(env, D, row, rows, x + i * HISS_TILE * D, product, eval_tile_sum_vector(sum, i));
        }
        eval_tile_sum_run(sum, total);
        for (int64_t r = 0; r < rows; r++) {
            for (int64_t d = row + r; d < D; d++) {
                c->covariance[(row + r) * D + d] = total[r * (D - row) + d - row] / samples;
            }
        }
    }
    eval_tile_sum_destroy(sum);
    hiss_free(x);
    hiss_free(product);
    hiss_free(total);
    hiss_free(use);
    return c;
}

void eval_curvature_destroy(curvature *c) {
    if (c) {
        hiss_free(c->covariance);
        hiss_free(c->factor);
        hiss_free(c->panel);
        hiss_free(c);
    }
}

/* Columns [k, end) of L below row k, whose entries have been reduced by all columns before k. */
static void factor_panel(curvature *c, int64_t k, int64_t end) {
    const int64_t D = c->D;
    double *a = c->factor;
    for (int64_t j = k; j < end; j++) {
        const double root = sqrt(a[j * D + j]);
        a[j * D + j] = root;
        for (int64_t i = j + 1; i < D; i++) {
            a[i * D + j] /= root;
            c->panel[(j - k) * D + i] = a[i * D + j];
            a[j * D + i] = a[i * D + j];
        }
        for (int64_t i = j + 1; i < D; i++) {
            const double x = a[i * D + j];
            const int64_t last = i + 1 < end ? i + 1 : end;
            for (int64_t m = j + 1; m < last; m++) {
                a[i * D + m] -= x * c->panel[(j - k) * D + m];
            }
        }
    }
}

static void reduce_rest(curvature *c, int64_t k, int64_t end) {
    const int64_t D = c->D;
    for (int64_t i = end; i < D; i++) {
        double *restrict row = c->factor + i * D;
        const double *left = row + k;
        for (int64_t p = 0; p + 4 <= end - k; p += 4) {
            const double x0 = left[p], x1 = left[p + 1], x2 = left[p + 2], x3 = left[p + 3];
            const double *p0 = c->panel + p * D, *p1 = p0 + D, *p2 = p1 + D, *p3 = p2 + D;
            for (int64_t j = end; j <= i; j++) {
                row[j] -= x0 * p0[j] + x1 * p1[j] + x2 * p2[j] + x3 * p3[j];
            }
        }
    }
}

void eval_curvature_factor(curvature *c, double kappa, double lambda) {
    const int64_t D = c->D;
    for (int64_t i = 0; i < D; i++) {
        for (int64_t j = i; j < D; j++) {
            c->factor[j * D + i] = kappa * c->covariance[i * D + j];
        }
        c->factor[i * D + i] += lambda + 1e-12;
    }
    c->bias = sqrt(kappa);
    for (int64_t k = 0; k < D; k += PANEL) {
        const int64_t end = k + PANEL < D ? k + PANEL : D;
        factor_panel(c, k, end);
        if (end < D) {
            reduce_rest(c, k, end);
        }
    }
}

void eval_curvature_to_steps(const curvature *c, int64_t classes, const double *w, double *v) {
    const int64_t D = c->D;
    for (int64_t k = 0; k < classes; k++) {
        double *to = v + k * D;
        memset(to, 0, sizeof(double) * (size_t)D);
        for (int64_t i = 0; i < D; i++) {
            const double *row = c->factor + i * D, x = w[k * D + i];
            for (int64_t j = 0; j <= i; j++) {
                to[j] += row[j] * x;
            }
        }
        v[classes * D + k] = w[classes * D + k] * c->bias;
    }
}

void eval_curvature_from_steps(const curvature *c, int64_t classes, const double *v, double *w) {
    const int64_t D = c->D;
    memcpy(w, v, sizeof(double) * (size_t)(D * classes));
    for (int64_t i = D - 1; i >= 0; i--) {
        const double *row = c->factor + i * D;
        for (int64_t k = 0; k < classes; k++) {
            double *restrict to = w + k * D;
            const double x = to[i] / row[i];
            to[i] = x;
            for (int64_t j = 0; j < i; j++) {
                to[j] -= row[j] * x;
            }
        }
    }
    for (int64_t k = 0; k < classes; k++) {
        w[classes * D + k] = v[classes * D + k] / c->bias;
    }
}

void eval_curvature_gradient(const curvature *c, int64_t classes, const double *of_w, double *of_v) {
    const int64_t D = c->D;
    memcpy(of_v, of_w, sizeof(double) * (size_t)(D * classes));
    for (int64_t i = 0; i < D; i++) {
        const double *row = c->factor + i * D;
        for (int64_t k = 0; k < classes; k++) {
            double *restrict to = of_v + k * D;
            const double x = to[i] / row[i];
            to[i] = x;
            for (int64_t j = i + 1; j < D; j++) {
                to[j] -= row[j] * x;
            }
        }
    }
    for (int64_t k = 0; k < classes; k++) {
        of_v[classes * D + k] = of_w[classes * D + k] / c->bias;
    }
}
