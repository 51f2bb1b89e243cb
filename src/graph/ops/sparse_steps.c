/* Sparse codes: z that makes 1/2 |x - D z|^2 + lambda |z|_1 small, by proximal gradient steps from z = 0,
 *     z = shrink(y - (D^T D y - D^T x) / L, lambda / L),
 * where shrink moves values towards 0 and L is no less than the largest eigenvalue of D^T D. Without momentum y is the
 * last z (ISTA; Daubechies, Defrise & De Mol 2004); with momentum it is beyond it (FISTA: Beck & Teboulle, "A fast
 * iterative shrinkage-thresholding algorithm for linear inverse problems", SIAM J. Imaging Sciences 2009, section 4):
 * y = z + (t - 1) / t' (z - last z), t' = (1 + sqrt(1 + 4 t^2)) / 2. */
#include <math.h>
#include <string.h>

#include "graph/ops/ops.h"

/* One step: product is D^T D y, signal D^T x. */
static void step(int64_t count, float rate, float threshold, float beyond, const float *restrict product,
                 const float *restrict signal, float *restrict y, float *restrict z) {
    for (int64_t i = 0; i < count; i++) {
        const float v = y[i] - rate * (product[i] - signal[i]);
        const float low = v < -threshold ? -threshold : v, within = low > threshold ? threshold : low;
        const float next = v - within;
        y[i] = next + beyond * (next - z[i]);
        z[i] = next;
    }
}

void graph_sparse_steps(const hiss_sparse_inference *how, double bound, int64_t count, const float *signal,
                        graph_gram *gram, const void *user, float *y, float *product, float *z) {
    const float rate = (float)(1.0 / bound), threshold = (float)(how->lambda / bound);
    double t = 1.0;
    memset(y, 0, sizeof(float) * (size_t)count);
    memset(z, 0, sizeof(float) * (size_t)count);
    memset(product, 0, sizeof(float) * (size_t)count);
    for (int64_t k = 0; k < how->steps; k++) {
        const double next = (1.0 + sqrt(1.0 + 4.0 * t * t)) / 2.0;
        if (k > 0) {
            gram(user, y, product);
        }
        step(count, rate, threshold, how->momentum ? (float)((t - 1.0) / next) : 0.0f, product, signal, y, z);
        t = next;
    }
}

double graph_largest_row_sum(int64_t rows, int64_t columns, const float *a) {
    double largest = 0.0;
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < columns; j++) {
            sum += fabs((double)a[i * columns + j]);
        }
        largest = sum > largest ? sum : largest;
    }
    return largest;
}
