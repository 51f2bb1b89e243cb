/* The Frechet distance of two Gaussians, squared, as the Frechet inception distance has it (Dowson & Landau 1982, "The
 * Frechet distance between multivariate normal distributions"; Heusel et al. 2017, eq. 6):
 *     |m - n|^2 + trace(S + T - 2 (S T)^1/2).
 * With F the eigenvectors of S as rows, each times the root of its eigenvalue, S = F^T F, and S T has the eigenvalues of
 * the symmetric F T F^T, and zeros: the trace of its root is the sum of their roots. Directions in which S does not vary
 * are left out of F, so that rounding has no root there.
 *
 * Means and covariances are sums over tiles in canonical order, in double: the same on any number of ranks. Cost: n D^2 /
 * P flops for each Gaussian, and those of hiss_diagonalize, on every rank, for each distance. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"
#include "hiss/tensor.h"

static const double flat = 1e-12; /* an eigenvalue, by the largest, that counts as 0 */

gaussian *eval_gaussian_create(int64_t D) {
    gaussian *g = hiss_new(gaussian, 1);
    *g = (gaussian){D, hiss_new(double, D), hiss_new(double, D *D)};
    return g;
}

void eval_gaussian_destroy(gaussian *g) {
    if (g) {
        hiss_free(g->mean);
        hiss_free(g->covariance);
        hiss_free(g);
    }
}

static void add_mean(const hiss_eval_env *env, const hiss_features *f, double *mean) {
    tile_sum *sum = eval_tile_sum_create(env, f, NULL, f->D);
    for (int64_t i = 0; i < sum->local; i++) {
        const float *tile = tile_rows(f, sum->tile[i]);
        double *out = eval_tile_sum_vector(sum, i);
        for (int64_t k = 0; k < tile_count(f, sum->tile[i]) * f->D; k++) {
            out[k % f->D] += (double)tile[k];
        }
    }
    eval_tile_sum_run(sum, mean);
    eval_tile_sum_destroy(sum);
    for (int64_t d = 0; d < f->D; d++) {
        mean[d] /= (double)f->n;
    }
}

/* Products of the deviations x [D] from the mean, the upper triangle packed by rows. */
static void add_products(int64_t D, const double *restrict x, double *restrict out) {
    for (int64_t r = 0; r < D; r++) {
        for (int64_t d = r; d < D; d++) {
            out[d - r] += x[r] * x[d];
        }
        out += D - r;
    }
}

gaussian *eval_gaussian_fit(const hiss_eval_env *env, const hiss_features *f) {
    const int64_t D = f->D, packed = D * (D + 1) / 2;
    gaussian *g = eval_gaussian_create(D);
    double *x = hiss_new(double, D), *products = hiss_new(double, packed);
    add_mean(env, f, g->mean);
    tile_adder *sum = eval_tile_adder_create(env, f, NULL, packed);
    for (int64_t i = 0; i < sum->local; i++) {
        const float *tile = tile_rows(f, sum->tile[i]);
        memset(products, 0, sizeof(double) * (size_t)packed);
        for (int64_t row = 0; row < tile_count(f, sum->tile[i]); row++) {
            for (int64_t d = 0; d < D; d++) {
                x[d] = (double)tile[row * D + d] - g->mean[d];
            }
            add_products(D, x, products);
        }
        hiss_tree_adder_add(sum->adder, 0, NULL, products);
    }
    hiss_tree_adder_finish(sum->adder, products);
    eval_tile_adder_destroy(sum);
    const double *from = products;
    for (int64_t r = 0; r < D; r++) {
        for (int64_t d = r; d < D; d++) {
            g->covariance[r * D + d] = g->covariance[d * D + r] = f->n > 1 ? *from / (double)(f->n - 1) : 0.0;
            from++;
        }
    }
    hiss_free(x);
    hiss_free(products);
    return g;
}

struct frechet {
    const gaussian *from;
    int64_t rank;
    double *factor;          /* [rank, D] F */
    double *product, *small; /* [rank, D], [rank, rank] */
    double *turn;            /* [rank, rank] */
};

frechet *eval_frechet_create(const gaussian *from) {
    const int64_t D = from->D;
    frechet *f = hiss_new(frechet, 1);
    double *a = hiss_new(double, D *D), *vector = hiss_new(double, D *D), largest = 0.0;
    memcpy(a, from->covariance, sizeof(double) * (size_t)(D * D));
    hiss_diagonalize(D, a, vector);
    for (int64_t d = 0; d < D; d++) {
        largest = fmax(largest, a[d * D + d]);
    }
    *f = (frechet){.from = from, .factor = hiss_new(double, D *D)};
    for (int64_t d = 0; d < D; d++) {
        if (a[d * D + d] > flat * largest) {
            const double root = sqrt(a[d * D + d]);
            for (int64_t e = 0; e < D; e++) {
                f->factor[f->rank * D + e] = root * vector[d * D + e];
            }
            f->rank++;
        }
    }
    f->product = hiss_new(double, f->rank *D);
    f->small = hiss_new(double, f->rank * f->rank);
    f->turn = hiss_new(double, f->rank * f->rank);
    hiss_free(a);
    hiss_free(vector);
    return f;
}

void eval_frechet_destroy(frechet *f) {
    if (f) {
        hiss_free(f->factor);
        hiss_free(f->product);
        hiss_free(f->small);
        hiss_free(f->turn);
        hiss_free(f);
    }
}

/* small = F T F^T */
static void multiply(frechet *f, const double *t) {
    const int64_t D = f->from->D, rank = f->rank;
    memset(f->product, 0, sizeof(double) * (size_t)(rank * D));
    for (int64_t r = 0; r < rank; r++) {
        double *restrict out = f->product + r * D;
        for (int64_t e = 0; e < D; e++) {
            const double by = f->factor[r * D + e];
            for (int64_t d = 0; d < D; d++) {
                out[d] += by * t[e * D + d];
            }
        }
    }
    for (int64_t r = 0; r < rank; r++) {
        for (int64_t s = r; s < rank; s++) {
            double sum = 0.0;
            for (int64_t d = 0; d < D; d++) {
                sum += f->product[r * D + d] * f->factor[s * D + d];
            }
            f->small[r * rank + s] = f->small[s * rank + r] = sum;
        }
    }
}

double eval_frechet_distance(frechet *f, const gaussian *to) {
    const int64_t D = f->from->D;
    double distance = 0.0;
    for (int64_t d = 0; d < D; d++) {
        const double apart = f->from->mean[d] - to->mean[d];
        distance += apart * apart + f->from->covariance[d * D + d] + to->covariance[d * D + d];
    }
    multiply(f, to->covariance);
    hiss_diagonalize(f->rank, f->small, f->turn);
    for (int64_t r = 0; r < f->rank; r++) {
        distance -= 2.0 * sqrt(fmax(f->small[r * f->rank + r], 0.0));
    }
    return fmax(distance, 0.0);
}
