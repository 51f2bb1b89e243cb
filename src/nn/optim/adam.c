/* Adam.
 *
 *   g = scale * sum + weight_decay * p
 *   m = beta1 m + (1 - beta1) g;  s = beta2 s + (1 - beta2) g^2
 *   p -= rate / (1 - beta1^t) * m / (sqrt(s) / sqrt(1 - beta2^t) + epsilon)
 *
 * Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015. One pass bound by memory: 28 bytes per
 * parameter. */
#include <math.h>

#include "nn/optim/optim_impl.h"

static void adam(const hiss_optim_options *o, double rate, int64_t update, float decay, int64_t count,
                 const float *restrict sum, float scale, float *restrict p, float *restrict first,
                 float *restrict second) {
    const float beta1 = (float)o->beta1, rest1 = (float)(1 - o->beta1);
    const float beta2 = (float)o->beta2, rest2 = (float)(1 - o->beta2);
    const float rate1 = (float)(rate / (1 - pow(o->beta1, (double)update)));
    const float root2 = (float)sqrt(1 - pow(o->beta2, (double)update));
    const float epsilon = (float)o->epsilon;
    for (int64_t k = 0; k < count; k++) {
        float g = scale * sum[k] + decay * p[k];
        float m = beta1 * first[k] + rest1 * g;
        float s = beta2 * second[k] + rest2 * g * g;
        first[k] = m;
        second[k] = s;
        p[k] -= rate1 * (m / (sqrtf(s) / root2 + epsilon));
    }
}

static void update(const hiss_optim_options *o, const hiss_optim_step *step, float decay, int64_t count,
                   const float *restrict sum, float *restrict p, float *const state[]) {
    adam(o, step->rate, step->update, decay, count, sum, step->gradient_scale, p, state[0], state[1]);
}

static const char *const keys[] = {"beta1", "beta2", "epsilon", NULL};

const nn_optim_ops nn_optim_adam = {.name = "adam",
                                    .summary = "moments of the gradient; weight_decay is L2, a part of it",
                                    .keys = keys,
                                    .state_name = {"first_moment", "second_moment"},
                                    .states = nn_optim_two_states,
                                    .check = nn_optim_no_momentum,
                                    .update = update};
