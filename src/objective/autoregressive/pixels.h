/* Pixels as levels, and models that say how probable each is, given those before it in the order of lines. */
#ifndef AUTOREGRESSIVE_PIXELS_H
#define AUTOREGRESSIVE_PIXELS_H

#include "hiss/objective.h"

/* Draws of evaluation, when: those of pixels are the VAE's and the RBM's, so that their images are the same. */
enum { AUTOREGRESSIVE_DRAW_OF_PIXELS = 2020, AUTOREGRESSIVE_DRAW_OF_SAMPLES = 2050 };

/* Grey values 0..1 of D pixels become those of their levels 0 .. levels - 1, over levels - 1. With 2 levels a pixel is 1
 * with its grey value as probability, drawn by rng; with more it is that of the level in whose part of 0..255 it lies.
 *   level  out  [D] or NULL
 * Not collective, as are the others. */
void autoregressive_quantize(int64_t levels, hiss_rng rng, int64_t D, float *pixel, int32_t *level);
/* Sample i of the lane's graph: its image in the input "image", drawn as training or evaluation draws, and its levels in
 * the input "level" where there is one. */
void autoregressive_sample(const hiss_task *task, int64_t levels, const hiss_lane *lane, int64_t i);
/* -log p of the level that pixel has, by its logits: one for 2 levels, else one for each. In nats. */
double autoregressive_nats(int64_t levels, const float *logits, float pixel);
/* A pixel drawn by its logits, as levels over levels - 1: for place k of D of image `number` of the row of seed. */
float autoregressive_draw(int64_t levels, const float *logits, uint64_t seed, int64_t number, int64_t k, int64_t D);
/* Mean loss in nats of m images of D pixels by logits [m, ...]; image is the input of that name, and "level" one that is
 * added where there are more than 2 levels. */
hiss_value autoregressive_loss(hiss_graph *graph, int64_t levels, int64_t m, int64_t D, hiss_value logits,
                               hiss_value image);
/* For hiss_report_ops.derive: bits of a pixel. */
int autoregressive_derive(int64_t D, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]);

/* Features of maps [m,H,W,C]: means over squares of 4 x 4, or smaller ones in smaller maps; of all places they would be too
 * many. */
hiss_value autoregressive_square_means(hiss_graph *graph, hiss_value maps);

/* ---- what a model says of itself: numbers of an image are its nats, then D grey values ---- */

int64_t autoregressive_width(int64_t levels, int64_t D);
/* out [width] of an image [D] whose logits are these. */
void autoregressive_measure(int64_t levels, int64_t D, const float *logits, const float *pixel, float *out);
void autoregressive_say(const hiss_measured *m, int64_t levels, int64_t D);

#endif
