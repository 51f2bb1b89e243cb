/* An approximate second derivative of the probe's loss, by whose inverse the fit's steps are preconditioned.
 *
 * The Hessian of the mean loss has a block per pair of classes a, b: the mean of p_a (delta_ab - p_b) x x^T. At W = 0
 * its diagonal blocks are kappa S, S the covariance of the standardised features and kappa the mean of p (1 - p); with
 * kappa = 1/2 they bound it everywhere (Boehning, "Multinomial logistic regression algorithm", Annals of the Institute
 * of Statistical Mathematics 44 (1992)). kappa S weighs all samples alike, and the loss those in doubt; and it knows
 * nothing of classes that are taken for one another. Both matter most where features vary most. So the inverse is made
 * of two:
 *   on the leading directions Q of S, as many as LARGEST / classes: the Hessian itself at the weights given, of
 *     Q-coordinates and biases of all classes together;
 *   on what is left: (kappa S + lambda I)^-1 for each class.
 * At W = 0 the latter does for all.
 *
 * Neither need be exact. All is taken from at most SAMPLE tiles, evenly spread and half of all when there are many, in the canonical order of tile sums; Q
 * by subspace iteration on S. S and Q are made once per feature set, a factor a few times per fit, on every rank alike.
 * Cost: SAMPLE HISS_TILE (D^2 + LARGEST^2) / P flops and 2/3 (D^3 + LARGEST^3) in float32; 4 D^2 classes per step.
 * Memory 8 D^2 bytes, 8 (D^2 + LARGEST^2) per factor. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

enum {
    SAMPLE = 64,
    SAMPLE_OF_FEW = 24,
    FEW = 512,
    MOST_FEATURES = 2048,
    LARGEST = 1300,
    LEAST_DIRECTIONS = 8,
    ROUNDS = 4
};
enum { DRAW_OF_DIRECTIONS = 2040, COLUMNS = 16 };

static const double alike = 0.5; /* logarithms of kappa: rest does for both */

struct curvature {
    const hiss_eval_env *env;
    const hiss_features *f;
    bool *use;          /* [tiles] */
    float *covariance;  /* [D, D] S */
    int64_t directions; /* 0: too many classes */
    float *direction;   /* [directions, D] Q^T */
    float *place;       /* [local tiles of use, HISS_TILE, directions + 1]: rows in Q-coordinates, and 1 */
};

struct curvature_factor {
    const curvature *c;
    int64_t classes, wide;    /* classes rounded up to COLUMNS */
    bool leads;               /* leading has been made */
    double kappa, rest_kappa; /* the latter of rest; 0: not made */
    float *rest;              /* [D, D] X of kappa S + lambda I; see factor.c */
    float *leading;           /* [N, N] the same of the Hessian; N = classes (directions + 1) */
    float *x, *y;             /* [D, wide] */
    float *along;             /* [directions, wide] */
    float *part, *part2;      /* [N, COLUMNS] */
};

/* As many that all classes have room in LARGEST, and two samples for each number of the Hessian's side; 0: too many
 * classes, or too few samples. */
static int64_t count_directions(const hiss_features *f) {
    const int64_t D = f->D, side = f->n / 2 < LARGEST ? f->n / 2 : LARGEST;
    const int64_t most = side / f->classes - 1, r = most < D ? most : D;
    return r < (D < LEAST_DIRECTIONS ? D : LEAST_DIRECTIONS) ? 0 : r;
}

bool eval_curvature_pays(const hiss_features *f) {
    return f->D <= MOST_FEATURES && 2 * f->n >= f->D && f->n >= 2 * f->classes;
}

/* The r rows of y made orthonormal, nearly: X y for y y^T = L L^T, twice. */
static void orthonormalise(const hiss_eval_env *env, int64_t r, int64_t D, float *y) {
    float *gram = hiss_new(float, r *r), *x = hiss_new(float, r *r), *z = hiss_new(float, r *D);
    for (int round = 0; round < 2; round++) {
        env->kernels->gemm(false, true, r, r, D, 1.0f, y, D, y, D, 0.0f, gram, r);
        eval_inverse_factor(env, r, gram, x);
        env->kernels->gemm(false, false, r, D, r, 1.0f, x, r, y, D, 0.0f, z, D);
        memcpy(y, z, sizeof(float) * (size_t)(r * D));
    }
    hiss_free(gram);
    hiss_free(x);
    hiss_free(z);
}

/* Q: the leading eigenvectors of S, nearly. */
static void find_directions(curvature *c) {
    const int64_t D = c->f->D, r = count_directions(c->f);
    if (r == 0) {
        return;
    }
    hiss_rng rng = hiss_rng_keyed(c->env->seed, HISS_FOR_EVALUATION, DRAW_OF_DIRECTIONS, 0);
    float *product = hiss_new(float, r *D);
    c->directions = r;
    c->direction = hiss_new(float, r *D);
    hiss_rng_normals(&rng, r * D, c->direction);
    orthonormalise(c->env, r, D, c->direction);
    for (int round = 0; round < ROUNDS; round++) {
        c->env->kernels->gemm(false, false, r, D, D, 1.0f, c->direction, D, c->covariance, D, 0.0f, product, D);
        memcpy(c->direction, product, sizeof(float) * (size_t)(r * D));
        orthonormalise(c->env, r, D, c->direction);
    }
    hiss_free(product);
}

curvature *eval_curvature_create(const hiss_eval_env *env, const hiss_features *f, const float *x, int64_t stride) {
    curvature *c = hiss_new(curvature, 1);
    const int64_t D = f->D, most = D < FEW ? SAMPLE_OF_FEW : SAMPLE;
    const int64_t apart = f->tiles > 2 * most ? (f->tiles + most - 1) / most : f->tiles > 8 ? 2 : 1;
    int64_t local = 0;
    c->env = env;
    c->f = f;
    c->use = hiss_new(bool, f->tiles);
    for (int64_t t = 0; t < f->tiles; t += apart) {
        c->use[t] = true;
        local += t >= f->first && t < f->end;
    }
    c->covariance = hiss_new(float, D *D);
    eval_features_covariance(env, f, c->use, x, stride, c->covariance);
    find_directions(c);
    const int64_t n = c->directions + 1;
    c->place = hiss_new(float, local *HISS_TILE *n);
    float *place = c->place;
    for (int64_t t = f->first; t < f->end && c->directions > 0; t++) {
        if (c->use[t]) {
            env->kernels->gemm(false, true, HISS_TILE, n - 1, D, 1.0f, x + (t - f->first) * HISS_TILE * stride, stride,
                               c->direction, D, 0.0f, place, n);
            for (int64_t row = 0; row < HISS_TILE; row++) {
                place[row * n + n - 1] = 1.0f;
            }
            place += HISS_TILE * n;
        }
    }
    return c;
}

void eval_curvature_destroy(curvature *c) {
    if (c) {
        void *const all[] = {c->use, c->covariance, c->direction, c->place, c};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            hiss_free(all[i]);
        }
    }
}

const bool *eval_curvature_tiles(const curvature *c) {
    return c->use;
}

/* ---- the factors ---- */

curvature_factor *eval_curvature_factor_create(const curvature *c) {
    curvature_factor *k = hiss_new(curvature_factor, 1);
    const int64_t D = c->f->D, classes = c->f->classes, N = classes * (c->directions + 1);
    k->c = c;
    k->classes = classes;
    k->wide = (classes + COLUMNS - 1) / COLUMNS * COLUMNS;
    const int64_t rows = c->directions > 0 ? N : 1;
    k->rest = hiss_new(float, D *D);
    k->leading = hiss_new(float, rows *rows);
    k->x = hiss_new(float, D * k->wide);
    k->y = hiss_new(float, D * k->wide);
    k->along = hiss_new(float, (c->directions + 1) * k->wide);
    k->part = hiss_new(float, rows *COLUMNS);
    k->part2 = hiss_new(float, rows *COLUMNS);
    return k;
}

void eval_curvature_factor_destroy(curvature_factor *k) {
    if (k) {
        void *const all[] = {k->rest, k->leading, k->x, k->y, k->along, k->part, k->part2, k};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            hiss_free(all[i]);
        }
    }
}

/* The blocks of class a with the classes up to it, of one tile: product [n, (a + 1) n]. p [HISS_TILE, classes], 0 in
 * rows that are not marked. */
static void multiply_blocks(const curvature *c, int64_t a, const float *place, const float *p, float *weighted,
                            float *product) {
    const int64_t n = c->directions + 1, classes = c->f->classes, columns = (a + 1) * n;
    for (int64_t row = 0; row < HISS_TILE; row++) {
        const float pa = p[row * classes + a], *from = place + row * n;
        for (int64_t b = 0; b <= a; b++) {
            const float pb = p[row * classes + b], weight = a == b ? pa * (1.0f - pa) : -pa * pb;
            float *to = weighted + row * columns + b * n;
            for (int64_t d = 0; d < n; d++) {
                to[d] = weight * from[d];
            }
        }
    }
    c->env->kernels->gemm(true, false, n, columns, HISS_TILE, 1.0f, place, n, weighted, columns, 0.0f, product,
                          columns);
}

/* Lower triangle of the Hessian in Q-coordinates and biases. */
static void fill_leading(const curvature *c, const float *probability, double samples, float *a) {
    const int64_t n = c->directions + 1, classes = c->f->classes, N = classes * n;
    float *weighted = hiss_new(float, HISS_TILE *N), *product = hiss_new(float, n *N);
    double *total = hiss_new(double, n *N);
    for (int64_t k = 0; k < classes; k++) {
        const int64_t columns = (k + 1) * n;
        tile_adder *sum = eval_tile_adder_create(c->env, c->f, c->use, n * columns);
        for (int64_t i = 0; i < sum->local; i++) {
            multiply_blocks(c, k, c->place + i * HISS_TILE * n, probability + i * HISS_TILE * classes, weighted,
                            product);
            hiss_tree_adder_add(sum->adder, n * columns, product, NULL);
        }
        hiss_tree_adder_finish(sum->adder, total);
        for (int64_t i = 0; i < n * columns; i++) {
            a[(k * n + i / columns) * N + i % columns] = (float)(total[i] / samples);
        }
        eval_tile_adder_destroy(sum);
    }
    hiss_free(weighted);
    hiss_free(product);
    hiss_free(total);
}

static void factor_leading(curvature_factor *k, const float *probability, double samples, double lambda) {
    const int64_t n = k->c->directions + 1, N = k->classes * n;
    float *a = hiss_new(float, N *N), largest = 0.0f;
    fill_leading(k->c, probability, samples, a);
    for (int64_t i = 0; i < N; i++) {
        largest = a[i * N + i] > largest ? a[i * N + i] : largest;
    }
    for (int64_t i = 0; i < N; i++) { /* biases that all rise alike change nothing: singular without this */
        a[i * N + i] += (float)((i % n < n - 1 ? lambda : 1e-3 * k->kappa) + 1e-6 * (double)largest);
    }
    eval_inverse_factor(k->c->env, N, a, k->leading);
    hiss_free(a);
}

/* X of kappa S + lambda I. */
static void factor_rest(curvature_factor *k, double kappa, double lambda) {
    const int64_t D = k->c->f->D;
    float *a = hiss_new(float, D *D);
    k->rest_kappa = kappa;
    for (int64_t i = 0; i < D * D; i++) {
        a[i] = (float)kappa * k->c->covariance[i];
    }
    for (int64_t i = 0; i < D; i++) {
        a[i * D + i] += (float)(lambda + 1e-6 * kappa);
    }
    eval_inverse_factor(k->c->env, D, a, k->rest);
    hiss_free(a);
}

void eval_curvature_factor(curvature_factor *k, const float *probability, double samples, double kappa, double lambda) {
    k->kappa = fmax(kappa, 1e-6);
    if (fabs(log(k->kappa / k->rest_kappa)) > alike) {
        factor_rest(k, k->kappa, lambda);
    }
    k->leads = probability && k->c->directions > 0;
    if (k->leads) {
        factor_leading(k, probability, samples, lambda);
    }
}

/* ---- their inverse ---- */

/* x less Q along, and along = Q^T x of each class. */
static void take_apart(const curvature_factor *k, float *x, float *along, float *spare) {
    const int64_t D = k->c->f->D, r = k->c->directions;
    k->c->env->kernels->narrow_product(false, r, k->wide, D, k->c->direction, D, x, along);
    k->c->env->kernels->narrow_product(true, D, k->wide, r, k->c->direction, D, along, spare);
    for (int64_t i = 0; i < D * k->wide; i++) {
        x[i] -= spare[i];
    }
}

/* along [r, wide] and biases to the solution along the leading directions, and biases. */
static void solve_leading(curvature_factor *k, float *along, double *bias) {
    const int64_t n = k->c->directions + 1, N = k->classes * n;
    memset(k->part, 0, sizeof(float) * (size_t)(N * COLUMNS));
    for (int64_t i = 0; i < N; i++) {
        const int64_t a = i / n, d = i % n;
        k->part[i * COLUMNS] = d < n - 1 ? along[d * k->wide + a] : (float)bias[a];
    }
    const hiss_kernels *kernels = k->c->env->kernels;
    kernels->narrow_product(false, N, COLUMNS, N, k->leading, N, k->part, k->part2);
    kernels->narrow_product(true, N, COLUMNS, N, k->leading, N, k->part2, k->part);
    for (int64_t i = 0; i < N; i++) {
        const int64_t a = i / n, d = i % n;
        if (d < n - 1) {
            along[d * k->wide + a] = k->part[i * COLUMNS];
        } else {
            bias[a] = (double)k->part[i * COLUMNS];
        }
    }
}

static double largest(int64_t count, const double *x) {
    double most = 0.0;
    for (int64_t i = 0; i < count; i++) {
        most = fmax(most, fabs(x[i]));
    }
    return most;
}

void eval_curvature_apply(void *factor, const double *gradient, double *out) {
    curvature_factor *k = factor;
    const hiss_kernels *kernels = k->c->env->kernels;
    const int64_t D = k->c->f->D, classes = k->classes, wide = k->wide;
    const double most = largest(classes * (D + 1), gradient), scale = most > 0.0 ? most : 1.0;
    double *bias = out + classes * D;
    memset(k->x, 0, sizeof(float) * (size_t)(D * wide));
    for (int64_t a = 0; a < classes; a++) {
        for (int64_t d = 0; d < D; d++) {
            k->x[d * wide + a] = (float)(gradient[a * D + d] / scale);
        }
        bias[a] = gradient[classes * D + a] / scale;
    }
    const bool leading = k->leads;
    if (leading) {
        take_apart(k, k->x, k->along, k->y);
        solve_leading(k, k->along, bias);
    }
    kernels->narrow_product(false, D, wide, D, k->rest, D, k->x, k->y);
    kernels->narrow_product(true, D, wide, D, k->rest, D, k->y, k->x);
    if (leading) {
        float *again = hiss_new(float, k->c->directions *wide);
        take_apart(k, k->x, again, k->y);
        hiss_free(again);
        kernels->narrow_product(true, D, wide, k->c->directions, k->c->direction, D, k->along, k->y);
    } else {
        memset(k->y, 0, sizeof(float) * (size_t)(D * wide));
    }
    for (int64_t a = 0; a < classes; a++) {
        for (int64_t d = 0; d < D; d++) {
            out[a * D + d] = scale * ((double)k->x[d * wide + a] + (double)k->y[d * wide + a]);
        }
        bias[a] *= leading ? scale : scale / k->kappa;
    }
}
