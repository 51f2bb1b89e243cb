/* AdaGrad.
 *
 *   g = scale * sum + weight_decay * p
 *   s = s + g^2;  p -= rate * g / (sqrt(s) + epsilon)
 *
 * Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 12, 2011.
 * A parameter whose gradient is 0 stays, as rows of a table of rare words must. One pass bound by memory: 20 bytes per
 * parameter. */
#include <math.h>

#include "nn/optim/optim_impl.h"

static int states(const hiss_optim_options *options) {
    (void)options;
    return 1;
}

static hiss_status check(const hiss_optim_options *options, const char *section, hiss_error *err) {
    if (options->momentum != 0) {
        return nn_optim_fail(err, section, "momentum", "expected 0 with method adagrad, which has none, found %g",
                             options->momentum);
    }
    return nn_optim_no_momentum(options, section, err);
}

static void adagrad(float rate, float epsilon, float decay, int64_t count, const float *restrict sum, float scale,
                    float *restrict p, float *restrict squares) {
    for (int64_t k = 0; k < count; k++) {
        float g = scale * sum[k] + decay * p[k];
        float s = squares[k] + g * g;
        squares[k] = s;
        p[k] -= rate * g / (sqrtf(s) + epsilon);
    }
}

static void update(const hiss_optim_options *o, const hiss_optim_step *step, float decay, int64_t count,
                   const float *restrict sum, float *restrict p, float *const state[]) {
    adagrad((float)step->rate, (float)o->epsilon, decay, count, sum, step->gradient_scale, p, state[0]);
}

static const char *const keys[] = {"epsilon", NULL};

const nn_optim_ops nn_optim_adagrad = {.name = "adagrad",
                                       .summary = "steps by the root of all squares so far; weight_decay is L2",
                                       .keys = keys,
                                       .state_name = {"squares"},
                                       .states = states,
                                       .check = check,
                                       .update = update};
