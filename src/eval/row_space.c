/* Features by fewer coordinates, where there are at most as many samples as dimensions: the same problem for a probe.
 *
 * The gradient of a probe's loss by the weights is a combination of the n samples X [n, D], and so are the weights at
 * the optimum: W = U V for orthonormal rows V [r, D] that span the samples, r <= n. In coordinates Z = X V^T [n, r] the
 * logits are Z U^T and the penalty |W|^2 is |U|^2. So loss, gradient and its norm are those of the features, and a pass
 * costs n r in place of n D.
 *
 * Of all such V one makes the covariance tridiagonal, so that (kappa S + lambda I)^-1, which bounds the inverse of the
 * Hessian (curvature.c), costs a few operations per coordinate for any kappa and lambda: no fit factors a matrix. As for
 * ridge regression (Elden, "Algorithms for the regularization of ill-conditioned least squares problems", BIT 17
 * (1977)):
 *   X X^T = L L^T, L [n, r]         by Cholesky with pivots: r samples that span all, the rows P
 *   L^T L = Q T Q^T                 tridiagonal.c
 *   Z = L Q,  Z^T Z = T,  V = Q^T L_P^-1 X_P
 * V is never made: W = X_P^T (L_P^-T (Q U^T)), and back. What a sample has beside those before it and is nothing beside
 * the largest is left out; as samples are centred, there is one such at least.
 *
 * X X^T squares the scale of what is small in X. So it and L are float64, and what is lost of X is less than its float32
 * digits. L^T L and Z are float32: the former decides about speed alone.
 *
 * X X^T comes by blocks of tiles: a tile is sent to all ranks, each multiplies its own tiles by it. The rest is done on
 * every rank alike. Cost: n^2 D / P flops, 4 n^3; memory 32 n^2 bytes, and 8 n (n + D) / P. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { MOST_SAMPLES = 3000, DEPTH = 128, WIDTH = 256, DOWN = 4, ACROSS = 8, SLICE = 256 };
_Static_assert((int)WIDTH >= (int)HISS_TILE && WIDTH % DOWN == 0 && WIDTH % ACROSS == 0, "a tile fits");

static const double nothing = 1e-13; /* of the largest sample, squared */

struct row_space {
    const hiss_eval_env *env;
    const hiss_features *f;
    const float *x; /* [local tiles, HISS_TILE, stride] standardised features, zero past D */
    int64_t stride;
    int64_t rank;              /* r, at least 1: all samples alike have one coordinate, which is zero */
    int64_t *pivot;            /* [rank] the rows P */
    double *l;                 /* [n, n], of which columns to rank count */
    double *q;                 /* [rank, rank] */
    double *diagonal, *beside; /* [rank] of Z^T Z / n */
};

struct row_factor {
    const row_space *r;
    int64_t classes;
    double kappa;
    double *pivot, *ratio; /* [rank] kappa S + lambda I = L P L^T: P, and L below its diagonal */
};

bool eval_row_space_pays(const hiss_features *f) {
    return f->n >= 2 && f->n <= f->D && f->n <= MOST_SAMPLES;
}

/* ---- products of samples ---- */

/* to [DEPTH, WIDTH]: columns from .. end of rows x [HISS_TILE, stride], across; zero in the rest. */
static void transpose(const float *x, int64_t stride, int64_t from, int64_t end, double *to) {
    memset(to, 0, sizeof(double) * DEPTH * WIDTH);
    for (int64_t i = 0; i < HISS_TILE; i++) {
        for (int64_t d = from; d < end; d++) {
            to[(d - from) * WIDTH + i] = (double)x[i * stride + d];
        }
    }
}

/* product [WIDTH, WIDTH] += left^T right, both [DEPTH, WIDTH]. */
static void multiply_add(const double *left, const double *right, double *product) {
    for (int64_t i = 0; i < WIDTH; i += DOWN) {
        for (int64_t j = 0; j < WIDTH; j += ACROSS) {
            double sum[DOWN][ACROSS] = {{0}};
            for (int64_t k = 0; k < DEPTH; k++) {
                const double *a = left + k * WIDTH + i, *b = right + k * WIDTH + j;
                for (int m = 0; m < DOWN; m++) {
                    for (int n = 0; n < ACROSS; n++) {
                        sum[m][n] += a[m] * b[n];
                    }
                }
            }
            for (int m = 0; m < DOWN; m++) {
                for (int n = 0; n < ACROSS; n++) {
                    product[(i + m) * WIDTH + j + n] += sum[m][n];
                }
            }
        }
    }
}

/* Products of all samples of a tile x by those of this rank's tiles up to t, into local [local rows, n], and mirrored. */
static void multiply_tile(const row_space *r, int64_t t, const float *x, double *left, double *right, double *product,
                          double *local) {
    const int64_t D = r->f->D, n = r->f->n, end = r->f->end;
    for (int64_t own = r->f->first > t ? r->f->first : t; own < end; own++) {
        const float *mine = r->x + (own - r->f->first) * HISS_TILE * r->stride;
        memset(product, 0, sizeof(double) * WIDTH * WIDTH);
        for (int64_t d = 0; d < D; d += DEPTH) {
            const int64_t past = d + DEPTH < D ? d + DEPTH : D;
            transpose(mine, r->stride, d, past, left);
            transpose(x, r->stride, d, past, right);
            multiply_add(left, right, product);
        }
        for (int64_t i = 0; i < tile_count(r->f, own); i++) {
            memcpy(local + ((own - r->f->first) * HISS_TILE + i) * n + t * HISS_TILE, product + i * WIDTH,
                   sizeof(double) * (size_t)tile_count(r->f, t));
        }
    }
}

/* gram [n, n] = X X^T on every rank: the lower triangle by tiles, and its mirror. Collective. */
static void multiply_samples(const row_space *r, double *gram) {
    const int64_t n = r->f->n, rows = (r->f->end - r->f->first) * HISS_TILE, size = HISS_TILE * r->stride;
    const int rank = hiss_comm_rank(r->env->comm);
    float *x = hiss_new(float, size);
    double *panel = hiss_new(double, 2 * DEPTH * WIDTH), *product = hiss_new(double, WIDTH *WIDTH);
    double *local = hiss_new(double, rows *n);
    for (int64_t t = 0; t < r->f->tiles; t++) {
        const int owner = eval_tile_owner(r->f, t);
        if (rank == owner) {
            memcpy(x, r->x + (t - r->f->first) * size, sizeof(float) * (size_t)size);
        }
        hiss_comm_broadcast(r->env->comm, x, (int64_t)sizeof(float) * size, owner);
        multiply_tile(r, t, x, panel, panel + DEPTH * WIDTH, product, local);
    }
    eval_features_allgather(r->env, r->f, local, (int64_t)sizeof(double) * n, gram);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = i + 1; j < n; j++) {
            gram[i * n + j] = gram[j * n + i];
        }
    }
    void *const all[] = {x, panel, product, local};
    for (int i = 0; i < HISS_COUNT(all); i++) {
        hiss_free(all[i]);
    }
}

/* ---- the coordinates ---- */

/* The sample of which most is left; -1: of none is more than least. */
static int64_t most_left(int64_t n, const double *left, double least) {
    int64_t most = -1;
    for (int64_t i = 0; i < n; i++) {
        if (left[i] > (most < 0 ? least : left[most])) {
            most = i;
        }
    }
    return most;
}

/* L of gram = L L^T, its rank and pivots. */
static void factor_samples(row_space *r, const double *gram) {
    const int64_t n = r->f->n;
    double *left = hiss_new(double, n), largest = 0.0;
    for (int64_t i = 0; i < n; i++) {
        left[i] = gram[i * n + i];
        largest = fmax(largest, left[i]);
    }
    for (int64_t p; r->rank < n && (p = most_left(n, left, nothing * largest)) >= 0; r->rank++) {
        const int64_t j = r->rank;
        const double *own = r->l + p * n, size = sqrt(left[p]);
        r->pivot[j] = p;
        r->l[p * n + j] = size;
        left[p] = -1.0;
        for (int64_t i = 0; i < n; i++) {
            if (left[i] >= 0.0) {
                const double part = (gram[p * n + i] - eval_dot(j, r->l + i * n, own)) / size;
                r->l[i * n + j] = part;
                left[i] = fmax(left[i] - part * part, 0.0);
            }
        }
    }
    r->rank = r->rank > 0 ? r->rank : 1;
    hiss_free(left);
}

/* Q and S. */
static void choose_coordinates(row_space *r) {
    const int64_t n = r->f->n, rank = r->rank;
    float *l = hiss_new(float, n *rank), *product = hiss_new(float, rank *rank);
    double *a = hiss_new(double, rank *rank);
    for (int64_t i = 0; i < n * rank; i++) {
        l[i] = (float)r->l[i / rank * n + i % rank];
    }
    r->env->kernels->gemm(true, false, rank, rank, n, 1.0f / (float)n, l, rank, l, rank, 0.0f, product, rank);
    for (int64_t i = 0; i < rank * rank; i++) {
        a[i] = (double)product[i];
    }
    eval_tridiagonalize(rank, a, r->diagonal, r->beside, r->q);
    hiss_free(l);
    hiss_free(product);
    hiss_free(a);
}

row_space *eval_row_space_create(const hiss_eval_env *env, const hiss_features *f, const float *x, int64_t stride) {
    const int64_t n = f->n;
    row_space *r = hiss_new(row_space, 1);
    double *gram = hiss_new(double, n *n);
    r->env = env;
    r->f = f;
    r->x = x;
    r->stride = stride;
    r->pivot = hiss_new(int64_t, n);
    r->l = hiss_new(double, n *n);
    multiply_samples(r, gram);
    factor_samples(r, gram);
    hiss_free(gram);
    r->q = hiss_new(double, r->rank * r->rank);
    r->diagonal = hiss_new(double, r->rank);
    r->beside = hiss_new(double, r->rank);
    choose_coordinates(r);
    return r;
}

void eval_row_space_destroy(row_space *r) {
    if (r) {
        void *const all[] = {r->pivot, r->l, r->q, r->diagonal, r->beside, r};
        for (int i = 0; i < HISS_COUNT(all); i++) {
            hiss_free(all[i]);
        }
    }
}

int64_t eval_row_space_rank(const row_space *r) {
    return r->rank;
}

void eval_row_space_rows(const row_space *r, int64_t stride, float *z) {
    const int64_t n = r->f->n, rank = r->rank;
    float *l = hiss_new(float, HISS_TILE *rank), *q = hiss_new(float, rank *rank);
    for (int64_t i = 0; i < rank * rank; i++) {
        q[i] = (float)r->q[i];
    }
    for (int64_t t = r->f->first; t < r->f->end; t++) {
        memset(l, 0, sizeof(float) * (size_t)(HISS_TILE * rank));
        for (int64_t i = 0; i < tile_count(r->f, t) * rank; i++) {
            l[i] = (float)r->l[(t * HISS_TILE + i / rank) * n + i % rank];
        }
        r->env->kernels->gemm(false, false, HISS_TILE, rank, rank, 1.0f, l, rank, q, rank, 0.0f,
                              z + (t - r->f->first) * HISS_TILE * stride, stride);
    }
    hiss_free(l);
    hiss_free(q);
}

/* ---- weights ---- */

/* weight [n, classes] of samples for inner: L_P^-T (Q U^T) of the pivots, 0 of others. */
static void weigh_samples(const row_space *r, int64_t classes, const double *inner, double *weight) {
    const int64_t n = r->f->n, rank = r->rank;
    double *y = hiss_new(double, rank);
    for (int64_t c = 0; c < classes; c++) {
        for (int64_t j = 0; j < rank; j++) {
            y[j] = eval_dot(rank, r->q + j * rank, inner + c * rank);
        }
        for (int64_t k = rank - 1; k >= 0; k--) {
            const double *own = r->l + r->pivot[k] * n, a = own[k] > 0.0 ? y[k] / own[k] : 0.0;
            weight[r->pivot[k] * classes + c] = a;
            for (int64_t j = 0; j < k; j++) {
                y[j] -= a * own[j];
            }
        }
    }
    hiss_free(y);
}

/* out [classes, D] += weight [count, classes]^T x [count, D], by slices that stay in the cache. */
static void add_samples(int64_t count, int64_t D, int64_t classes, const float *x, int64_t stride, const double *weight,
                        double *out) {
    double slice[SLICE];
    for (int64_t d = 0; d < D; d += SLICE) {
        const int64_t width = D - d < SLICE ? D - d : SLICE;
        for (int64_t i = 0; i < count; i++) {
            for (int64_t e = 0; e < width; e++) {
                slice[e] = (double)x[i * stride + d + e];
            }
            for (int64_t c = 0; c < classes; c++) {
                for (int64_t e = 0; e < width; e++) {
                    out[c * D + d + e] += weight[i * classes + c] * slice[e];
                }
            }
        }
    }
}

void eval_row_space_leave(const row_space *r, int64_t classes, const double *inner, double *outer) {
    const int64_t D = r->f->D;
    double *weight = hiss_new(double, r->f->n *classes);
    tile_sum *sum = eval_tile_sum_create(r->env, r->f, NULL, classes * D);
    weigh_samples(r, classes, inner, weight);
    for (int64_t k = 0; k < sum->local; k++) {
        const int64_t t = sum->tile[k];
        add_samples(tile_count(r->f, t), D, classes, r->x + (t - r->f->first) * HISS_TILE * r->stride, r->stride,
                    weight + t * HISS_TILE * classes, eval_tile_sum_vector(sum, k));
    }
    eval_tile_sum_run(sum, outer);
    eval_tile_sum_destroy(sum);
    memcpy(outer + classes * D, inner + classes * r->rank, sizeof(double) * (size_t)classes);
    hiss_free(weight);
}

/* all [n, classes] on every rank: X W^T. Collective. */
static void multiply_weights(const row_space *r, int64_t classes, const double *outer, double *all) {
    const int64_t D = r->f->D, rows = (r->f->end - r->f->first) * HISS_TILE;
    double *local = hiss_new(double, rows *classes), *row = hiss_new(double, D);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t d = 0; d < D; d++) {
            row[d] = (double)r->x[i * r->stride + d];
        }
        for (int64_t c = 0; c < classes; c++) {
            local[i * classes + c] = eval_dot(D, row, outer + c * D);
        }
    }
    eval_features_allgather(r->env, r->f, local, (int64_t)sizeof(double) * classes, all);
    hiss_free(local);
    hiss_free(row);
}

void eval_row_space_enter(const row_space *r, int64_t classes, const double *outer, double *inner) {
    const int64_t n = r->f->n, rank = r->rank;
    double *logit = hiss_new(double, n *classes), *y = hiss_new(double, rank);
    multiply_weights(r, classes, outer, logit);
    memset(inner, 0, sizeof(double) * (size_t)(rank * classes));
    for (int64_t c = 0; c < classes; c++) {
        for (int64_t k = 0; k < rank; k++) {
            const double *own = r->l + r->pivot[k] * n;
            const double rest = logit[r->pivot[k] * classes + c] - eval_dot(k, own, y);
            y[k] = own[k] > 0.0 ? rest / own[k] : 0.0;
            for (int64_t j = 0; j < rank; j++) {
                inner[c * rank + j] += r->q[k * rank + j] * y[k];
            }
        }
    }
    memcpy(inner + classes * rank, outer + classes * r->f->D, sizeof(double) * (size_t)classes);
    hiss_free(logit);
    hiss_free(y);
}

/* ---- the preconditioner ---- */

row_factor *eval_row_factor_create(const row_space *r, int64_t classes) {
    row_factor *k = hiss_new(row_factor, 1);
    *k = (row_factor){r, classes, 0.0, hiss_new(double, r->rank), hiss_new(double, r->rank)};
    return k;
}

void eval_row_factor_destroy(row_factor *k) {
    if (k) {
        hiss_free(k->pivot);
        hiss_free(k->ratio);
        hiss_free(k);
    }
}

void eval_row_factor(row_factor *k, double kappa, double lambda) {
    const row_space *r = k->r;
    double taken = 0.0;
    k->kappa = fmax(kappa, 1e-6);
    for (int64_t j = 0; j < r->rank; j++) {
        k->pivot[j] = k->kappa * r->diagonal[j] + lambda - taken;
        k->ratio[j] = k->kappa * r->beside[j] / k->pivot[j];
        taken = k->ratio[j] * k->kappa * r->beside[j];
    }
}

void eval_row_factor_apply(void *factor, const double *gradient, double *out) {
    const row_factor *k = factor;
    const int64_t n = k->r->rank;
    for (int64_t c = 0; c < k->classes; c++) {
        const double *g = gradient + c * n;
        double *x = out + c * n;
        for (int64_t j = 0; j < n; j++) {
            x[j] = g[j] - (j > 0 ? k->ratio[j - 1] * x[j - 1] : 0.0);
        }
        for (int64_t j = n - 1; j >= 0; j--) {
            x[j] = x[j] / k->pivot[j] - (j < n - 1 ? k->ratio[j] * x[j + 1] : 0.0);
        }
        out[k->classes * n + c] = gradient[k->classes * n + c] / k->kappa;
    }
}
