/* The leading eigenvectors of a symmetric matrix without negative eigenvalues, by subspace iteration (Halko, Martinsson
 * & Tropp 2011, "Finding structure with randomness", algorithm 4.4): a random subspace of MORE dimensions more than are
 * wanted is multiplied by the matrix ROUNDS times, and made orthonormal each time. In what it spans then, the
 * eigenvectors are found by Jacobi's method in float64 (hiss_diagonalize); where it spans everything, there is nothing to
 * iterate. Eigenvalue i is off by about (l[k + MORE] / l[i])^(2 ROUNDS) of itself, and by the rounding of float32
 * products.
 *
 * Rows are made orthonormal by Gram and Schmidt's method in blocks, over and over until a pass leaves most of each row
 * ("twice is enough": Parlett, "The Symmetric Eigenvalue Problem", section 6.9). A row of which rounding noise alone is
 * left is drawn anew. So the rows are orthonormal whatever the rank.
 *
 * Cost: ROUNDS (2 D^2 + 8 D m) m flops of float32, m = k + MORE, and some 6 m^3 of float64 per sweep of Jacobi's. The
 * same on every rank. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/kernels.h"
#include "hiss/rng.h"
#include "hiss/tensor.h"

enum { MORE = 32, ROUNDS = 16, BLOCK = 32, PASSES = 10 };
static const double noise = 1e-12, most = 0.5; /* of the square of a row's length */

/* ---- orthonormal rows ---- */

static double dot(int64_t D, const float *x, const float *y) {
    double sum = 0.0;
    for (int64_t d = 0; d < D; d++) {
        sum += (double)x[d] * (double)y[d];
    }
    return sum;
}

static void normalise(int64_t D, float *row, hiss_rng *rng) {
    if (dot(D, row, row) == 0.0) {
        hiss_rng_normals(rng, D, row);
    }
    const double length = sqrt(dot(D, row, row));
    for (int64_t d = 0; d < D; d++) {
        row[d] = (float)((double)row[d] / length);
    }
}

/* Row i of y, of length 1, made orthogonal to those from `first` on before it; whether most of it is left. */
static bool orthonormalise_row(int64_t first, int64_t i, int64_t D, float *y, hiss_rng *rng) {
    float *row = y + i * D;
    for (int64_t j = first; j < i; j++) {
        const float along = (float)dot(D, row, y + j * D);
        for (int64_t d = 0; d < D; d++) {
            row[d] -= along * y[j * D + d];
        }
    }
    const double left = dot(D, row, row);
    if (left < noise) {
        hiss_rng_normals(rng, D, row);
    }
    normalise(D, row, rng);
    return left > most;
}

/* y [r, D], r < D; product [BLOCK, r] is spare. */
static void orthonormalise(const hiss_kernels *kernels, int64_t r, int64_t D, float *y, float *product, hiss_rng *rng) {
    for (int64_t first = 0; first < r; first += BLOCK) {
        const int64_t rows = r - first < BLOCK ? r - first : BLOCK;
        float *block = y + first * D;
        bool done = false;
        for (int64_t i = first; i < first + rows; i++) {
            normalise(D, y + i * D, rng);
        }
        for (int pass = 0; pass < PASSES && !done; pass++) {
            if (first > 0) {
                kernels->gemm(false, true, rows, first, D, 1.0f, block, D, y, D, 0.0f, product, first);
                kernels->gemm(false, false, rows, D, first, -1.0f, product, first, y, D, 1.0f, block, D);
            }
            done = true;
            for (int64_t i = first; i < first + rows; i++) {
                done = orthonormalise_row(first, i, D, y, rng) && done;
            }
        }
    }
}

/* ---- the leading ones ---- */

typedef struct ranked {
    double value;
    int64_t row;
} ranked;

static int by_value(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value) - (x->value > y->value) : (x->row > y->row) - (x->row < y->row);
}

/* The k leading eigenvectors within the span of the rows of basis [r, D]; product [r, D] is spare. */
static void take_leading(const hiss_kernels *kernels, int64_t D, const float *a, int64_t r, const float *basis,
                         float *product, int64_t k, double *value, float *vector) {
    float *small = hiss_new(float, r *r), *chosen = hiss_new(float, k *r);
    double *wide = hiss_new(double, r *r), *turn = hiss_new(double, r *r);
    ranked *order = hiss_new(ranked, r);
    kernels->gemm(false, false, r, D, D, 1.0f, basis, D, a, D, 0.0f, product, D);
    kernels->gemm(false, true, r, r, D, 1.0f, product, D, basis, D, 0.0f, small, r);
    for (int64_t i = 0; i < r * r; i++) {
        wide[i] = 0.5 * ((double)small[i] + (double)small[i % r * r + i / r]);
    }
    hiss_diagonalize(r, wide, turn);
    for (int64_t i = 0; i < r; i++) {
        order[i] = (ranked){wide[i * r + i], i};
    }
    qsort(order, (size_t)r, sizeof *order, by_value);
    for (int64_t i = 0; i < k; i++) {
        value[i] = order[i].value;
        for (int64_t j = 0; j < r; j++) {
            chosen[i * r + j] = (float)turn[order[i].row * r + j];
        }
    }
    kernels->gemm(false, false, k, D, r, 1.0f, chosen, r, basis, D, 0.0f, vector, D);
    void *const all[] = {small, chosen, wide, turn, order};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        hiss_free(all[i]);
    }
}

void hiss_leading_eigenvectors(const hiss_kernels *kernels, hiss_rng rng, int64_t D, const float *a, int64_t k,
                               double *value, float *vector) {
    assert(k >= 1 && k <= D);
    const int64_t r = k + MORE < D ? k + MORE : D;
    float *basis = hiss_new(float, r *D), *product = hiss_new(float, r *D), *spare = hiss_new(float, BLOCK *r);
    if (r == D) {
        for (int64_t i = 0; i < D; i++) {
            basis[i * D + i] = 1.0f;
        }
    } else {
        hiss_rng_normals(&rng, r * D, basis);
        orthonormalise(kernels, r, D, basis, spare, &rng);
        for (int round = 0; round < ROUNDS; round++) {
            kernels->gemm(false, false, r, D, D, 1.0f, basis, D, a, D, 0.0f, product, D);
            memcpy(basis, product, sizeof(float) * (size_t)(r * D));
            orthonormalise(kernels, r, D, basis, spare, &rng);
        }
    }
    take_leading(kernels, D, a, r, basis, product, k, value, vector);
    hiss_free(basis);
    hiss_free(product);
    hiss_free(spare);
}
