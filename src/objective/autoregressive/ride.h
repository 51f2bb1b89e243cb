/* Private to the ride method: its state, its network, and densities of pixels by parameters of a mixture. */
#ifndef AUTOREGRESSIVE_RIDE_H
#define AUTOREGRESSIVE_RIDE_H

#include "hiss/objective.h"

enum { RIDE_MOST_REACH = 7, RIDE_PARTS = 3 }; /* of a window; parameters of a component: weight, mean, scale */

typedef struct ride_options {
    int64_t hidden, window, components;
} ride_options;

typedef struct ride {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const ride_options *options;
    hiss_value parameters; /* of the graph built last outside of training; alike in all */
} ride;

int64_t autoregressive_ride_pixels(const ride *a);
/* The input "image" [m,H,W,1]. Not collective, as are the others. */
hiss_value autoregressive_ride_image(const ride *a, hiss_graph *g, int64_t m);
/* Hidden units [m,H,W,U] of an image, and the windows [m,H,W,C] that they have read. */
hiss_value autoregressive_ride_hidden(const ride *a, hiss_builder *b, hiss_value image, hiss_value *window);
/* Parameters [m H W, 3K] of the mixtures of all pixels of image [m,H,W,1]. */
hiss_value autoregressive_ride_mixtures(const ride *a, hiss_builder *b, hiss_value image, int64_t m);
/* A graph of m images up to the parameters of all pixels' mixtures, [m H W, 3K], both kept. Returns *image. */
hiss_status autoregressive_ride_make(void *self, hiss_builder *b, int64_t m, hiss_value *image, hiss_error *err);

/* Grey values 0..1 of D pixels become those of 8-bit pixels with uniform noise: (level + u) / 256 with u in [0, 1). */
void autoregressive_ride_dequantize(hiss_rng rng, int64_t D, float *pixel);
/* Sample i of the lane's graph: its image in the input "image", with noise as training or evaluation draws it. */
void autoregressive_ride_sample(void *self, const hiss_lane *lane, int64_t i);
/* -log of the density of pixel, in nats, by the parameters [3K] of its mixture (hiss_graph_mixture_of_logistics). */
double autoregressive_ride_nats(int64_t K, const float *parameters, float pixel);
/* A pixel drawn from that mixture, cut to 0..1: for place k of D of image `number` of the row of seed. */
float autoregressive_ride_draw(int64_t K, const float *parameters, uint64_t seed, int64_t number, int64_t k, int64_t D);
/* Bits of a pixel of 8 bits, by nats of an image of D pixels of density: an upper bound of what the images take. */
double autoregressive_ride_bits(double nats, int64_t D);

/* The next pass of making images, of which the rows above `first` are given: see hiss_generation_ops.advance. */
bool autoregressive_ride_advance(void *self, const hiss_lane *lane, int64_t pass, uint64_t seed, int64_t first,
                                 int *begin, int *end);

extern const hiss_measure_ops autoregressive_ride_measure;
extern const hiss_generation_ops autoregressive_ride_generation;

#endif
