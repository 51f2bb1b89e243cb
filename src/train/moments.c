/* Moments of channels: each block of values by itself in two passes, joined to what was before. */
#include "train/moments.h"

void train_moments_join(moments *a, double count, double mean, double squares) {
    const double total = a->count + count, apart = mean - a->mean;
    if (count > 0) {
        a->squares += squares + apart * apart * (a->count * count / total);
        a->mean += apart * (count / total);
        a->count = total;
    }
}

void train_moments_add(int64_t rows, int64_t C, const float *values, moments *channel) {
    for (int64_t c = 0; c < C; c++) {
        double mean = 0, squares = 0;
        for (int64_t i = 0; i < rows; i++) {
            mean += (double)values[i * C + c];
        }
        mean /= (double)rows;
        for (int64_t i = 0; i < rows; i++) {
            const double d = (double)values[i * C + c] - mean;
            squares += d * d;
        }
        train_moments_join(&channel[c], (double)rows, mean, squares);
    }
}
