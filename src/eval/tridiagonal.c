/* A symmetric matrix made tridiagonal by reflections, A = U T U^T (Householder; Golub & Van Loan, "Matrix Computations",
 * section 8.3), in float64 and in a fixed order: the same on every rank.
 *
 * Half of the work is products of the matrix by a vector, which wait for memory. So a row is read once per reflection: it
 * takes the change of the last one and its part in the product of the next. U is made by columns, as many as stay in
 * the cache.
 * Cost: 8/3 n^3 flops. */
#include <math.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "hiss/alloc.h"

enum { COLUMNS = 32 };

/* x [count] to the v of I - 2 v v^T, of length 1, that makes x a multiple of its first element's axis: which is
 * returned. x of zeros, or of one element, stays: v is zero. */
static double reflect(int64_t count, double *x) {
    const double size = sqrt(eval_dot(count, x, x)), first = x[0];
    if (count < 2 || size == 0.0) {
        memset(x, 0, sizeof(double) * (size_t)count);
        return first;
    }
    x[0] += first < 0.0 ? -size : size;
    const double by = 1.0 / sqrt(eval_dot(count, x, x));
    for (int64_t i = 0; i < count; i++) {
        x[i] *= by;
    }
    return first < 0.0 ? size : -size;
}

/* row [count] -= at w + by v, and its part in the product of the symmetric matrix, of which it is the part from the
 * diagonal on, by next: product[0] += row . next, product[i] += row[i] next[0]. */
static void update_row(int64_t count, double *restrict row, double at, const double *restrict w, double by,
                       const double *restrict v, const double *restrict next, double *restrict product) {
    const double head = next[0];
    for (int64_t i = 0; i < count; i++) {
        row[i] -= at * w[i] + by * v[i];
    }
    product[0] += eval_dot(count, row, next);
    for (int64_t i = 1; i < count; i++) {
        product[i] += head * row[i];
    }
}

/* u [n, n] of the vectors of all reflections, v_j [n - j - 1] at a + j n + j + 1. */
static void multiply_reflections(int64_t n, const double *a, double *u) {
    memset(u, 0, sizeof(double) * (size_t)(n * n));
    for (int64_t i = 0; i < n; i++) {
        u[i * n + i] = 1.0;
    }
    for (int64_t first = 0; first < n; first += COLUMNS) {
        const int64_t columns = n - first < COLUMNS ? n - first : COLUMNS, last = first + columns - 2;
        for (int64_t j = last < n - 2 ? last : n - 2; j >= 0; j--) {
            const double *v = a + j * n;
            double along[COLUMNS] = {0};
            for (int64_t i = j + 1; i < n; i++) {
                const double *row = u + i * n + first;
                for (int64_t c = 0; c < columns; c++) {
                    along[c] += v[i] * row[c];
                }
            }
            for (int64_t i = j + 1; i < n; i++) {
                double *row = u + i * n + first;
                for (int64_t c = 0; c < columns; c++) {
                    row[c] -= 2.0 * v[i] * along[c];
                }
            }
        }
    }
}

void eval_tridiagonalize(int64_t n, double *a, double *diagonal, double *beside, double *u) {
    double *w = hiss_new(double, n), *product = hiss_new(double, n), *zero = hiss_new(double, n);
    const double *v = zero;
    for (int64_t j = 0; j < n; j++) { /* v, w: of the last reflection, not yet in rows j and on */
        double *row = a + j * n;
        for (int64_t i = j; i < n; i++) {
            row[i] -= v[j] * w[i] + w[j] * v[i];
        }
        diagonal[j] = row[j];
        if (j == n - 1) {
            break;
        }
        beside[j] = reflect(n - j - 1, row + j + 1);
        memset(product, 0, sizeof(double) * (size_t)n);
        for (int64_t i = j + 1; i < n; i++) {
            update_row(n - i, a + i * n + i, v[i], w + i, w[i], v + i, row + i, product + i);
        }
        const double half = eval_dot(n - j - 1, product + j + 1, row + j + 1);
        for (int64_t i = j + 1; i < n; i++) {
            w[i] = 2.0 * (product[i] - half * row[i]);
        }
        v = row;
    }
    multiply_reflections(n, a, u);
    void *const all[] = {w, product, zero};
    for (int i = 0; i < HISS_COUNT(all); i++) {
        hiss_free(all[i]);
    }
}
