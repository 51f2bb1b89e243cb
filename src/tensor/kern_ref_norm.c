/* Reference normalisations: batch norm (Ioffe & Szegedy 2015, algorithm 1) and rows of unit length. */
#include <math.h>

#include "tensor/kern_impl.h"

void tensor_ref_batch_norm_train(int64_t M, int64_t C, const float *x, const float *gamma, const float *beta, float eps,
                                 float *y, float *mean, float *inverse, float *variance) {
    for (int64_t k = 0; k < C; k++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < M; i++) {
            sum += x[i * C + k];
        }
        double mu = sum / (double)M;
        for (int64_t i = 0; i < M; i++) {
            squares += (x[i * C + k] - mu) * (x[i * C + k] - mu);
        }
        double scale = 1 / sqrt(squares / (double)M + eps);
        mean[k] = (float)mu;
        inverse[k] = (float)scale;
        variance[k] = (float)(squares / (double)(M > 1 ? M - 1 : 1));
        for (int64_t i = 0; i < M; i++) {
            double normal = (x[i * C + k] - mu) * scale;
            y[i * C + k] = (float)((gamma ? gamma[k] : 1) * normal + (beta ? beta[k] : 0));
        }
    }
}

void tensor_ref_batch_norm_eval(int64_t M, int64_t C, const float *x, const float *gamma, const float *beta, float eps,
                                const float *mean, const float *variance, float *y) {
    for (int64_t k = 0; k < C; k++) {
        double scale = (gamma ? gamma[k] : 1) / sqrt((double)variance[k] + eps);
        for (int64_t i = 0; i < M; i++) {
            y[i * C + k] = (float)(((double)x[i * C + k] - mean[k]) * scale + (beta ? beta[k] : 0));
        }
    }
}

/* With u = (x - mean) * inverse:  dgamma = sum dy u,  dbeta = sum dy,
 * dx = gamma * inverse * (dy - dbeta / M - u * dgamma / M). */
void tensor_ref_batch_norm_backward(int64_t M, int64_t C, const float *x, const float *dy, const float *gamma,
                                    const float *mean, const float *inverse, float *dx, bool accumulate_dx,
                                    float *dgamma, float *dbeta, bool accumulate_parameters, float *scratch) {
    (void)scratch;
    for (int64_t k = 0; k < C; k++) {
        double by_gamma = 0, by_beta = 0;
        for (int64_t i = 0; i < M; i++) {
            double u = ((double)x[i * C + k] - mean[k]) * inverse[k];
            by_gamma += dy[i * C + k] * u;
            by_beta += dy[i * C + k];
        }
        for (int64_t i = 0; i < M && dx; i++) {
            double u = ((double)x[i * C + k] - mean[k]) * inverse[k];
            double inner = dy[i * C + k] - by_beta / (double)M - u * by_gamma / (double)M;
            double value = (gamma ? gamma[k] : 1) * (double)inverse[k] * inner;
            dx[i * C + k] = (float)((accumulate_dx ? dx[i * C + k] : 0) + value);
        }
        if (dgamma) {
            dgamma[k] = (float)((accumulate_parameters ? dgamma[k] : 0) + by_gamma);
        }
        if (dbeta) {
            dbeta[k] = (float)((accumulate_parameters ? dbeta[k] : 0) + by_beta);
        }
    }
}

void tensor_ref_l2_normalize_forward(int64_t M, int64_t D, float eps, const float *x, float *z, float *norm) {
    for (int64_t i = 0; i < M; i++) {
        double squares = 0;
        for (int64_t j = 0; j < D; j++) {
            squares += (double)x[i * D + j] * x[i * D + j];
        }
        double length = sqrt(squares);
        for (int64_t j = 0; j < D; j++) {
            z[i * D + j] = (float)(x[i * D + j] / fmax(length, eps));
        }
        norm[i] = (float)fmax(length, eps);
    }
}

void tensor_ref_l2_normalize_backward(int64_t M, int64_t D, float eps, const float *z, const float *norm,
                                      const float *dz, float *dx, bool accumulate) {
    for (int64_t i = 0; i < M; i++) {
        double dot = 0;
        for (int64_t j = 0; j < D; j++) {
            dot += (double)z[i * D + j] * dz[i * D + j];
        }
        for (int64_t j = 0; j < D; j++) {
            double value = norm[i] > eps ? (dz[i * D + j] - z[i * D + j] * dot) / norm[i] : 0;
            dx[i * D + j] = (float)((accumulate ? dx[i * D + j] : 0) + value);
        }
    }
}
