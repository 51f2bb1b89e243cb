/* Adam with decoupled weight decay.
 *
 *   m = beta1 m + (1 - beta1) g;  s = beta2 s + (1 - beta2) g^2
 *   p = (1 - rate * weight_decay) p - rate * m^ / (sqrt(s^) + epsilon),  m^ = m / (1 - beta1^t), s^ likewise
 *
 * Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019. The decay follows the schedule, as in
 * PyTorch: the paper's lambda is rate * weight_decay at the highest rate. */
#include <math.h>

#include "nn/optim/optim_impl.h"

static void adamw(const nn_optim_moments k, float rate, float keep, int64_t count, const float *restrict sum,
                  float *restrict p, float *restrict first, float *restrict second) {
    for (int64_t i = 0; i < count; i++) {
        float g = k.scale * sum[i];
        float m = k.beta1 * first[i] + k.rest1 * g;
        float s = k.beta2 * second[i] + k.rest2 * g * g;
        first[i] = m;
        second[i] = s;
        p[i] = keep * p[i] - rate * (m / (sqrtf(s) / k.root2 + k.epsilon));
    }
}

static void update(const hiss_optim_options *o, const hiss_optim_step *step, float decay, int64_t count,
                   const float *restrict sum, float *restrict p, float *const state[]) {
    const nn_optim_moments c = nn_optim_moments_of(o, step);
    adamw(c, (float)step->rate * c.correction1, (float)(1 - step->rate * (double)decay), count, sum, p, state[0],
          state[1]);
}

static const char *const keys[] = {"beta1", "beta2", "epsilon", NULL};

const nn_optim_ops nn_optim_adamw = {.name = "adamw",
                                     .summary = "adam with decoupled weight decay",
                                     .keys = keys,
                                     .state_name = {"first_moment", "second_moment"},
                                     .states = nn_optim_two_states,
                                     .shrinks_by_rate = true,
                                     .check = nn_optim_no_momentum,
                                     .update = update};
