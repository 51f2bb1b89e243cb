/* LAMB: Adam whose updates are in proportion to the parameters they change.
 *
 *   m = beta1 m + (1 - beta1) g;  s = beta2 s + (1 - beta2) g^2
 *   d = m^ / (sqrt(s^) + epsilon) + weight_decay * p,  m^ = m / (1 - beta1^t), s^ likewise
 *   p -= rate * |p| / |d| * d                            norms over a slot: the weights of a layer
 *
 * You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR 2020, algorithm 2, with
 * phi the identity. Biases and gains have ratio 1 and no decay. The direction is made twice, once for its norm. */
#include <math.h>

#include "nn/optim/optim_impl.h"

static double trust(const hiss_optim_options *o, double weight_decay, double direction, double parameter) {
    (void)o;
    (void)weight_decay;
    return parameter / direction;
}

static void directions(const nn_optim_moments k, float decay, int64_t count, const float *restrict sum,
                       const float *restrict p, const float *restrict first, const float *restrict second,
                       float *restrict direction) {
    for (int64_t i = 0; i < count; i++) {
        float g = k.scale * sum[i];
        float m = k.beta1 * first[i] + k.rest1 * g;
        float s = k.beta2 * second[i] + k.rest2 * g * g;
        direction[i] = k.correction1 * m / (sqrtf(s) / k.root2 + k.epsilon) + decay * p[i];
    }
}

static void lamb(const nn_optim_moments k, float rate, float decay, int64_t count, const float *restrict sum,
                 float *restrict p, float *restrict first, float *restrict second) {
    for (int64_t i = 0; i < count; i++) {
        float g = k.scale * sum[i];
        float m = k.beta1 * first[i] + k.rest1 * g;
        float s = k.beta2 * second[i] + k.rest2 * g * g;
        first[i] = m;
        second[i] = s;
        p[i] -= rate * (k.correction1 * m / (sqrtf(s) / k.root2 + k.epsilon) + decay * p[i]);
    }
}

static void direction(const hiss_optim_options *o, const hiss_optim_step *step, float decay, int64_t count,
                      const float *restrict sum, const float *restrict p, float *const state[], float *restrict out) {
    const nn_optim_moments c = nn_optim_moments_of(o, step);
    directions(c, decay, count, sum, p, state[0], state[1], out);
}

static void update(const hiss_optim_options *o, const hiss_optim_step *step, float decay, int64_t count,
                   const float *restrict sum, float *restrict p, float *const state[]) {
    const nn_optim_moments c = nn_optim_moments_of(o, step);
    lamb(c, (float)(step->rate * step->trust), decay, count, sum, p, state[0], state[1]);
}

static const char *const keys[] = {"beta1", "beta2", "epsilon", NULL};

const nn_optim_ops nn_optim_lamb = {.name = "lamb",
                                    .summary = "adam with a rate for each layer, for large batches",
                                    .keys = keys,
                                    .state_name = {"first_moment", "second_moment"},
                                    .states = nn_optim_two_states,
                                    .check = nn_optim_no_momentum,
                                    .trust = trust,
                                    .trust_term = HISS_TERM_DIRECTION,
                                    .direction = direction,
                                    .update = update};
