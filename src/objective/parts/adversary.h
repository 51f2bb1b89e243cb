/* Private to src/objective: two networks that work against each other, a generator of images and a discriminator that
 * tells them from those of the data. Not collective. */
#ifndef HISS_OBJECTIVE_PARTS_ADVERSARY_H
#define HISS_OBJECTIVE_PARTS_ADVERSARY_H

#include "hiss/objective.h"

/* DCGAN's generator for images of H x W x C, both sides multiples of 4: latent [m,K] -> pixels [m,H,W,C] in 0..1.
 * A linear layer to H/4 x W/4 x 2 width, two transposed convolutions that double the sides, BatchNorm and ReLU but
 * after the last, which ends with a sigmoid. Layers are named generator1, generator2, generator3. */
hiss_value objective_generator(const hiss_task *task, hiss_builder *b, hiss_value latent, int64_t width);
/* Its mirror: `layers` convolutions of stride 2 with width, 2 width, 4 width ... filters, each with BatchNorm, but the
 * first, and LeakyReLU of slope 0.2: x [m,H,W,C] -> [m,H/2^layers,W/2^layers,F]. They are named NAME1, NAME2 ...
 *   taps  the value after each is added under its layer's name; NULL: it is not */
hiss_status objective_discriminator(hiss_builder *b, const char *name, hiss_value x, int64_t width, int layers,
                                    hiss_taps *taps, hiss_value *out, hiss_error *err);
/* -log of the probability that the discriminator's logits [m,1] give to "real" (or to "made"), mean over rows. */
hiss_value objective_adversary_loss(hiss_graph *graph, hiss_value logits, bool real);
/* Mean over rows of the probability that logits [m,1] give to "real". */
hiss_value objective_adversary_score(hiss_graph *graph, hiss_value logits);
/* Mean square of the distances of images [m, ...], as rows of D numbers, from their means: means [m,m] has the weight
 * of image j in the mean for image i. No gradient passes. */
hiss_value objective_adversary_spread(hiss_graph *graph, hiss_value images, hiss_value means);
/* Whether the sides of images are multiples of 4, and at least 8. Errors (HISS_EUSER) name augment.height. */
hiss_status objective_expect_quarters(const char *method, const hiss_task *task, hiss_error *err);

#endif
