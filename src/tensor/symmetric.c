/* Eigenvalues and eigenvectors of a symmetric matrix by Jacobi's method: plane rotations make one pair of elements after
 * the other 0, in sweeps over all pairs, until none is left that counts (Golub & Van Loan, "Matrix Computations", section
 * 8.5). Plain float64, in a fixed order. Cost: 6 n^3 flops a sweep, of which there are 6 to 10. */
#include <math.h>

#include "hiss/tensor.h"

enum { SWEEPS = 30 };
static const double nothing = 1e-13; /* of the largest number of the matrix */

static void rotate(int64_t n, double c, double s, double *x, double *y) {
    for (int64_t k = 0; k < n; k++) {
        const double a = x[k], b = y[k];
        x[k] = c * a - s * b;
        y[k] = s * a + c * b;
    }
}

/* Element p, q of a becomes 0. */
static void annihilate(int64_t n, int64_t p, int64_t q, double *a, double *vector) {
    const double off = a[p * n + q], theta = (a[q * n + q] - a[p * n + p]) / (2.0 * off);
    const double t = (theta < 0.0 ? -1.0 : 1.0) / (fabs(theta) + sqrt(theta * theta + 1.0));
    const double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
    const double pp = a[p * n + p] - t * off, qq = a[q * n + q] + t * off;
    rotate(n, c, s, a + p * n, a + q * n);
    rotate(n, c, s, vector + p * n, vector + q * n);
    for (int64_t k = 0; k < n; k++) {
        a[k * n + p] = a[p * n + k];
        a[k * n + q] = a[q * n + k];
    }
    a[p * n + p] = pp;
    a[q * n + q] = qq;
    a[p * n + q] = a[q * n + p] = 0.0;
}

void hiss_diagonalize(int64_t n, double *a, double *vector) {
    double largest = 0.0;
    bool done = false;
    for (int64_t i = 0; i < n * n; i++) {
        largest = fmax(largest, fabs(a[i]));
        vector[i] = i / n == i % n;
    }
    for (int sweep = 0; sweep < SWEEPS && !done; sweep++) {
        done = true;
        for (int64_t p = 0; p < n; p++) {
            for (int64_t q = p + 1; q < n; q++) {
                if (fabs(a[p * n + q]) > nothing * largest) {
                    annihilate(n, p, q, a, vector);
                    done = false;
                }
            }
        }
    }
}
