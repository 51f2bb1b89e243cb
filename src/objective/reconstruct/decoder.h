/* Private to src/objective/reconstruct: from a code back to an image, and how
 * near it is. Not collective. */
#ifndef HISS_OBJECTIVE_RECONSTRUCT_DECODER_H
#define HISS_OBJECTIVE_RECONSTRUCT_DECODER_H

#include "hiss/objective.h"

/* code -> hidden -> a map of an eighth of the image's size -> three doublings by transposed convolution. Each doubling
 * has a kernel of 4 (2P rows) or 5 (2P + 1 rows), so that the sizes H/8 -> H/4 -> H/2 -> H are hit exactly. The code
 * may have any shift and scale: BatchNorm comes next. [N, D] -> [N, H, W, C]. */
hiss_value reconstruct_decode_by_convolution(const hiss_task *task, hiss_builder *b, hiss_value code, int64_t hidden);
/* code -> hidden, ReLU -> image, both linear with biases. [N, D] -> [N, H, W, C]. */
hiss_value reconstruct_decode_by_layers(const hiss_task *task, hiss_builder *b, hiss_value code, int64_t hidden);

/* Losses of rebuilt images, a choice of a method's options. */
enum { RECONSTRUCT_SQUARED, RECONSTRUCT_BERNOULLI };
#define RECONSTRUCT_LOSSES "squared|bernoulli"
#define RECONSTRUCT_LOSSES_HELP                                                                                        \
    "squared: mean over pixels; bernoulli: cross-entropy in nats, summed over the pixels of an image, of pixels in "   \
    "0..1"
/* [1]: mean over images of what that says; output [N, H, W, C], for bernoulli logits. */
hiss_value reconstruct_loss(int loss, hiss_builder *b, hiss_value output, hiss_value image);
/* The rebuilt image out of the decoder's output. */
hiss_value reconstruct_pixels(int loss, hiss_builder *b, hiss_value output);

/* Images that the convolutions above can rebuild are square and at least 8 x 8. Errors (HISS_EUSER) of the key
 * `objective` name the method and what else there is. */
hiss_status reconstruct_expect_size(const char *method, const hiss_task *task, const char *otherwise, hiss_error *err);

#endif
