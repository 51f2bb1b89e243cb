/* Pixels as levels, their probabilities, and draws.
 *
 * A binary image has pixels that are 1 with their grey value as probability (Salakhutdinov & Murray, ICML 2008), drawn anew
 * at each step, and in evaluation once and for all. Other images have the levels that their grey values fall in. Both are
 * probabilities of discrete pixels, which the sum over all images makes 1; they are not those of each other. */
#include "objective/autoregressive/pixels.h"

#include <math.h>
#include <stdio.h>

#include "hiss/rng.h"
#include "objective/parts/judge.h"

enum {
    MOST_PIXELS = 3072, /* whose means are kept, as those of PCA */
    SQUARE = 4          /* side */
};

static const double bit = 0.69314718055994530942; /* nats */

void autoregressive_quantize(int64_t levels, hiss_rng rng, int64_t D, float *pixel, int32_t *level) {
    for (int64_t k = 0; k < D; k++) {
        const double grey = (double)pixel[k], place = floor((grey * 255.0 + 0.5) * (double)levels / 256.0);
        double l = fmin(fmax(place, 0.0), (double)(levels - 1));
        if (levels == 2) {
            l = hiss_rng_uniform(&rng) < pixel[k] ? 1.0 : 0.0;
        }
        pixel[k] = (float)(l / (double)(levels - 1));
        if (level) {
            level[k] = (int32_t)l;
        }
    }
}

static int32_t level_of(int64_t levels, float pixel) {
    return (int32_t)lround((double)pixel * (double)(levels - 1));
}

void autoregressive_sample(const hiss_task *task, int64_t levels, const hiss_lane *lane, int64_t i) {
    const int64_t D = task->H * task->W * task->C, id = lane->batch->sample[i];
    const bool training = lane->view == HISS_VIEW_TRAINING;
    const hiss_value level = hiss_graph_input_named(lane->graph, "level");
    hiss_lane_default_sample(lane, i);
    autoregressive_quantize(levels,
                            hiss_rng_keyed(task->seed, training ? HISS_FOR_NOISE : HISS_FOR_EVALUATION,
                                           training ? lane->step : AUTOREGRESSIVE_DRAW_OF_PIXELS, id),
                            D, hiss_lane_values(lane, lane->inputs->image, i),
                            level < 0 ? NULL : (int32_t *)(void *)hiss_exec_data(lane->exec, level) + i * D);
}

/* ---- probabilities ---- */

static double softplus(double x) {
    return fmax(x, 0.0) + log1p(exp(-fabs(x)));
}

/* log sum_k e^x_k, and the largest x_k. */
static double log_sum_exp(int64_t count, const float *x, double *most) {
    double sum = 0.0;
    *most = (double)x[0];
    for (int64_t k = 1; k < count; k++) {
        *most = fmax(*most, (double)x[k]);
    }
    for (int64_t k = 0; k < count; k++) {
        sum += exp((double)x[k] - *most);
    }
    return *most + log(sum);
}

double autoregressive_nats(int64_t levels, const float *logits, float pixel) {
    double most;
    const int32_t l = level_of(levels, pixel);
    return levels == 2 ? softplus(l ? -(double)logits[0] : (double)logits[0])
                       : log_sum_exp(levels, logits, &most) - (double)logits[l];
}

float autoregressive_draw(int64_t levels, const float *logits, uint64_t seed, int64_t number, int64_t k, int64_t D) {
    hiss_rng rng = hiss_rng_keyed(seed, HISS_FOR_EVALUATION, AUTOREGRESSIVE_DRAW_OF_SAMPLES, number * D + k);
    const double u = (double)hiss_rng_uniform(&rng);
    if (levels == 2) {
        return u < 1.0 / (1.0 + exp(-(double)logits[0])) ? 1.0f : 0.0f;
    }
    double most, below = 0.0;
    const double all = log_sum_exp(levels, logits, &most);
    int64_t l = 0;
    while (l < levels - 1 && (below += exp((double)logits[l] - all)) <= u) {
        l++;
    }
    return (float)((double)l / (double)(levels - 1));
}

hiss_value autoregressive_loss(hiss_graph *graph, int64_t levels, int64_t m, int64_t D, hiss_value logits,
                               hiss_value image) {
    if (levels == 2) {
        return hiss_graph_sigmoid_cross_entropy(graph, hiss_graph_flatten(graph, logits),
                                                hiss_graph_flatten(graph, image), 1.0 / (double)m);
    }
    const hiss_value rows = hiss_graph_reshape(graph, logits, HISS_SHAPE(m * D, levels));
    const hiss_value level = hiss_graph_input_labels(graph, "level", m * D);
    return hiss_graph_scale(graph, hiss_graph_softmax_cross_entropy(graph, rows, level), (double)D);
}

int autoregressive_derive(int64_t D, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    out[0] = (hiss_named){"bits_per_dim", hiss_named_value(metrics, nmetrics, "loss") / bit / (double)D};
    return 1;
}

hiss_value autoregressive_square_means(hiss_graph *graph, hiss_value maps) {
    if (maps < 0) {
        return -1;
    }
    const hiss_shape shape = hiss_graph_shape(graph, maps);
    const int64_t least = shape.dim[1] < shape.dim[2] ? shape.dim[1] : shape.dim[2];
    const int64_t side = least < SQUARE ? least : SQUARE;
    return hiss_graph_average_pool(graph, maps, side, side, 0);
}

/* ---- what a model says of itself ---- */

/* Means of pixels say what independent pixels reach where these are 0 or 1. */
static bool keeps_pixels(int64_t levels, int64_t D) {
    return levels == 2 && D <= MOST_PIXELS;
}

int64_t autoregressive_width(int64_t levels, int64_t D) {
    return keeps_pixels(levels, D) ? 1 + D : 1;
}

void autoregressive_measure(int64_t levels, int64_t D, const float *logits, const float *pixel, float *out) {
    const int64_t of_pixel = levels == 2 ? 1 : levels;
    double nats = 0.0;
    for (int64_t k = 0; k < D; k++) {
        nats += autoregressive_nats(levels, logits + k * of_pixel, pixel[k]);
        if (keeps_pixels(levels, D)) {
            out[1 + k] = pixel[k];
        }
    }
    out[0] = (float)nats;
}

void autoregressive_say(const hiss_measured *m, int64_t levels, int64_t D) {
    static const char group[] = "probability of test images";
    const double nan = (double)NAN, bits = bit * (double)D;
    const double base = keeps_pixels(levels, D) ? objective_independent_pixels(m, 1, D) : nan;
    char line[200];
    objective_say(m, group, "nats", "-log p", "nats", m->test_mean[0], m->test_deviation[0], base, m->test);
    m->number(m->say, &(hiss_measure){.name = "bits_per_dim",
                                      .group = group,
                                      .heading = "of a pixel",
                                      .unit = "bits",
                                      .value = m->test_mean[0] / bits,
                                      .spread = m->test_deviation[0] / bits,
                                      .baseline = base / bits,
                                      .samples = m->test,
                                      .digits = true});
    objective_say(m, group, "nats_training", "training images", "nats", m->train_mean[0], nan, nan, m->train);
    if (levels == 2) {
        snprintf(line, sizeof line, "of binary pixels, each drawn once with its grey value as probability");
    } else {
        snprintf(line, sizeof line, "of pixels of %lld levels: numbers of other levels are of other data",
                 (long long)levels);
    }
    m->remark(m->say, line);
}
