/* Pixels of 8 bits as continuous values, and densities of these by mixtures of logistic distributions: what evaluation and
 * drawing need of one pixel, in doubles. Training has the same of all pixels in op mixture_of_logistics. */
#include <math.h>

#include "hiss/rng.h"
#include "objective/autoregressive/pixels.h"
#include "objective/autoregressive/ride.h"

enum { LEVELS = 256, BITS = 8 };

static const double bit = 0.69314718055994530942; /* nats */
static const double least_scale = -9.0;           /* as in op mixture_of_logistics */

int64_t autoregressive_ride_pixels(const ride *a) {
    return a->task->H * a->task->W;
}

void autoregressive_ride_dequantize(hiss_rng rng, int64_t D, float *pixel) {
    for (int64_t k = 0; k < D; k++) {
        const double level = fmin(fmax(floor((double)pixel[k] * (LEVELS - 1) + 0.5), 0.0), LEVELS - 1);
        pixel[k] = (float)((level + (double)hiss_rng_uniform(&rng)) / LEVELS);
    }
}

void autoregressive_ride_sample(void *self, const hiss_lane *lane, int64_t i) {
    const ride *a = self;
    const int64_t id = lane->batch->sample[i];
    const bool training = lane->view == HISS_VIEW_TRAINING;
    hiss_lane_default_sample(lane, i);
    autoregressive_ride_dequantize(hiss_rng_keyed(a->task->seed, training ? HISS_FOR_NOISE : HISS_FOR_EVALUATION,
                                                  training ? lane->step : AUTOREGRESSIVE_DRAW_OF_PIXELS, id),
                                   autoregressive_ride_pixels(a), hiss_lane_values(lane, lane->inputs->image, i));
}

static double largest(int64_t K, const float *x) {
    double most = (double)x[0];
    for (int64_t k = 1; k < K; k++) {
        most = fmax(most, (double)x[k]);
    }
    return most;
}

double autoregressive_ride_nats(int64_t K, const float *parameters, float pixel) {
    const float *weight = parameters, *mean = weight + K, *scale = mean + K;
    const double most = largest(K, weight);
    double weights = 0.0, terms = 0.0, largest_term = -HUGE_VAL;
    for (int64_t k = 0; k < K; k++) {
        const double l = fmax((double)scale[k], least_scale), t = fabs(((double)pixel - (double)mean[k]) * exp(-l));
        const double term = (double)weight[k] - most - t - l - 2.0 * log1p(exp(-t));
        const double above = fmax(term, largest_term);
        terms = terms * exp(largest_term - above) + exp(term - above);
        largest_term = above;
        weights += exp((double)weight[k] - most);
    }
    return log(weights) - log(terms) - largest_term;
}

float autoregressive_ride_draw(int64_t K, const float *parameters, uint64_t seed, int64_t number, int64_t k,
                               int64_t D) {
    static const double half_step = 0x1p-25; /* between the multiples of 2^-24 that are drawn */
    const float *weight = parameters, *mean = weight + K, *scale = mean + K;
    hiss_rng rng = hiss_rng_keyed(seed, HISS_FOR_EVALUATION, AUTOREGRESSIVE_DRAW_OF_SAMPLES, number * D + k);
    const double which = (double)hiss_rng_uniform(&rng), u = (double)hiss_rng_uniform(&rng) + half_step;
    const double most = largest(K, weight);
    double all = 0.0, below = 0.0;
    for (int64_t j = 0; j < K; j++) {
        all += exp((double)weight[j] - most);
    }
    int64_t j = 0;
    while (j < K - 1 && (below += exp((double)weight[j] - most)) <= which * all) {
        j++;
    }
    const double x = (double)mean[j] + exp(fmax((double)scale[j], least_scale)) * log(u / (1.0 - u));
    return (float)fmin(fmax(x, 0.0), 1.0);
}

double autoregressive_ride_bits(double nats, int64_t D) {
    return nats / bit / (double)D + BITS;
}
