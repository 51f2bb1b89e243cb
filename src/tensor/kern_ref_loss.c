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
