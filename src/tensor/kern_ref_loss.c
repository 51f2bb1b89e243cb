/* Reference losses. */
#include <assert.h>
#include <math.h>

#include "tensor/kern_impl.h"

void tensor_ref_softmax_cross_entropy_forward(int64_t M, int64_t D, const float *x, const int32_t *label,
                                              float *probability, float *loss) {
    double total = 0;
    for (int64_t i = 0; i < M; i++) {
        assert(label[i] >= 0 && label[i] < D);
        double top = x[i * D], sum = 0;
        for (int64_t j = 1; j < D; j++) {
            top = fmax(top, x[i * D + j]);
        }
        for (int64_t j = 0; j < D; j++) {
            sum += exp(x[i * D + j] - top);
        }
        for (int64_t j = 0; j < D; j++) {
            probability[i * D + j] = (float)(exp(x[i * D + j] - top) / sum);
        }
        total += log(sum) - (x[i * D + label[i]] - top); /* not -log(probability), which may be 0 */
    }
    *loss = (float)(total / (double)M);
}

void tensor_ref_softmax_cross_entropy_backward(int64_t M, int64_t D, const float *probability, const int32_t *label,
                                               float dloss, float *dx, bool accumulate) {
    float scale = dloss / (float)M;
    for (int64_t i = 0; i < M; i++) {
        assert(label[i] >= 0 && label[i] < D);
        for (int64_t j = 0; j < D; j++) {
            float hit = j == label[i] ? 1 : 0;
            dx[i * D + j] = (accumulate ? dx[i * D + j] : 0) + scale * (probability[i * D + j] - hit);
        }
    }
}

void tensor_ref_soft_cross_entropy_forward(int64_t M, int64_t D, const float *x, const float *target,
                                           float *probability, float *loss) {
    for (int64_t i = 0; i < M; i++, x += D, target += D, probability += D) {
        double top = x[0], sum = 0, row = 0;
        for (int64_t j = 1; j < D; j++) {
            top = fmax(top, x[j]);
        }
        for (int64_t j = 0; j < D; j++) {
            sum += exp(x[j] - top);
        }
        for (int64_t j = 0; j < D; j++) {
            probability[j] = (float)(exp(x[j] - top) / sum);
            row += target[j] > 0 ? (double)target[j] * (log(sum) - (x[j] - top)) : 0;
        }
        loss[i] = (float)row;
    }
}

void tensor_ref_soft_cross_entropy_backward(int64_t M, int64_t D, const float *probability, const float *target,
                                            const float *dloss, float *dx, bool accumulate) {
    for (int64_t i = 0; i < M; i++, probability += D, target += D, dx += D) {
        double mass = 0;
        for (int64_t j = 0; j < D; j++) {
            mass += (double)target[j];
        }
        for (int64_t j = 0; j < D; j++) {
            dx[j] = (accumulate ? dx[j] : 0) + dloss[i] * (probability[j] * (float)mass - target[j]);
        }
    }
}

void tensor_ref_squared_loss_forward(int64_t count, float scale, const float *a, const float *b, float *loss) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double difference = (double)a[i] - b[i];
        sum += difference * difference;
    }
    *loss = (float)(scale * sum);
}

void tensor_ref_squared_loss_backward(int64_t count, float scale, const float *a, const float *b, float dloss,
                                      float *da, bool accumulate_da, float *db, bool accumulate_db) {
    float factor = 2 * dloss * scale;
    for (int64_t i = 0; i < count; i++) {
        float value = factor * (a[i] - b[i]);
        if (da) {
            da[i] = (accumulate_da ? da[i] : 0) + value;
        }
        if (db) {
            db[i] = (accumulate_db ? db[i] : 0) - value;
        }
    }
}

/* Add value where a gradient is wanted. */
static void give(float *gradient, int64_t i, bool accumulate, float value) {
    if (gradient) {
        gradient[i] = (accumulate ? gradient[i] : 0) + value;
    }
}

void tensor_ref_sigmoid_cross_entropy_forward(int64_t count, float scale, const float *x, const float *target,
                                              float *loss) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const double z = x[i];
        sum += fmax(z, 0) + log1p(exp(-fabs(z))) - (double)target[i] * z; /* no overflow, whatever z */
    }
    *loss = (float)(scale * sum);
}

void tensor_ref_sigmoid_cross_entropy_backward(int64_t count, float scale, const float *x, const float *target,
                                               float dloss, float *dx, bool accumulate_dx, float *dtarget,
                                               bool accumulate_dtarget) {
    const float factor = dloss * scale;
    for (int64_t i = 0; i < count; i++) {
        give(dx, i, accumulate_dx, factor * (float)(1 / (1 + exp(-(double)x[i])) - (double)target[i]));
        give(dtarget, i, accumulate_dtarget, -factor * x[i]);
    }
}

void tensor_ref_logistic_loss_forward(int64_t count, float scale, const float *x, const float *weight, float *loss) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const double w = weight[i], z = w < 0 ? (double)x[i] : -(double)x[i];
        sum += fabs(w) * (fmax(z, 0) + log1p(exp(-fabs(z))));
    }
    *loss = (float)(scale * sum);
}

void tensor_ref_logistic_loss_backward(int64_t count, float scale, const float *x, const float *weight, float dloss,
                                       float *dx, bool accumulate) {
    const float factor = dloss * scale;
    for (int64_t i = 0; i < count; i++) {
        const double w = weight[i], z = w < 0 ? (double)x[i] : -(double)x[i];
        give(dx, i, accumulate, factor * (float)(-w / (1 + exp(-z))));
    }
}

void tensor_ref_gaussian_kl_forward(int64_t count, float scale, const float *mean, const float *log_variance,
                                    float *loss) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const double m = mean[i], v = log_variance[i];
        sum += 0.5 * (expm1(v) - v + m * m);
    }
    *loss = (float)(scale * sum);
}

void tensor_ref_gaussian_kl_backward(int64_t count, float scale, const float *mean, const float *log_variance,
                                     float dloss, float *dmean, bool accumulate_dmean, float *dlog_variance,
                                     bool accumulate_dlog_variance) {
    const float factor = dloss * scale;
    for (int64_t i = 0; i < count; i++) {
        give(dmean, i, accumulate_dmean, factor * mean[i]);
        give(dlog_variance, i, accumulate_dlog_variance, 0.5f * factor * (float)expm1((double)log_variance[i]));
    }
}
