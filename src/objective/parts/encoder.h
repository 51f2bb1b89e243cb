/* Private to src/objective: the encoder that most methods have, a network with one linear layer on top. */
#ifndef HISS_OBJECTIVE_PARTS_ENCODER_H
#define HISS_OBJECTIVE_PARTS_ENCODER_H

#include "hiss/objective.h"

/* Append the configured network to image [N,H,W,C]; out is what it gives, as rows [N,D]. hiss_network_end comes after
 * what the method adds.
 *   taps  out  those of the network
 * Not collective, as are the others. */
hiss_status objective_encoder_rows(const hiss_task *task, hiss_builder *b, hiss_value image, hiss_taps *taps,
                                   hiss_value *out, hiss_error *err);
/* The same, and linear layer `name` of D outputs on it: out [N,D]. */
hiss_status objective_encoder_head(const hiss_task *task, hiss_builder *b, hiss_value image, const char *name,
                                   int64_t D, bool bias, hiss_taps *taps, hiss_value *out, hiss_error *err);
/* Of methods whose layers are always their own: true. */
bool objective_own_layers(const void *options);
/* An error (HISS_EUSER) of such a method when the config has network.layers; key: the one that sizes its own. */
hiss_status objective_expect_no_layers(const hiss_task *task, const char *method, const char *key, hiss_error *err);
typedef hiss_status encoder_hook(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err);
/* For build(): the input "image" of m samples, and encode() on it; out is its last place. */
hiss_status objective_encoder_on_samples(encoder_hook *encode, void *self, const hiss_task *task, int64_t m,
                                         hiss_builder *b, hiss_value *image, hiss_value *out, hiss_error *err);

#endif
