/* Private to train: mean and variance of channels, in float64. */
#ifndef HISS_TRAIN_MOMENTS_H
#define HISS_TRAIN_MOMENTS_H

#include <stdint.h>

typedef struct moments { /* of some values: how many, their mean, and the sum of squares about it */
    double count, mean, squares;
} moments;

/* Add some more values (Chan, Golub & LeVeque 1983). Not collective. */
void train_moments_join(moments *a, double count, double mean, double squares);
/* Add values[rows, C] to channel[C]. Not collective. */
void train_moments_add(int64_t rows, int64_t C, const float *values, moments *channel);

#endif
