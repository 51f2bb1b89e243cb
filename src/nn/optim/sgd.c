/* Stochastic gradient descent, with momentum.
 *
 *   g = scale * sum + weight_decay * p
 *   v = momentum v + g;  p -= rate * v, or with Nesterov's look-ahead p -= rate * (g + momentum v)
 *
 * Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013. One pass bound by
 * memory: 12 bytes per parameter, 20 with momentum. */
#include "nn/optim/optim_impl.h"

static int states(const hiss_optim_options *options) {
    return options->momentum != 0;
}

static hiss_status check(const hiss_optim_options *options, const char *section, hiss_error *err) {
    if (options->nesterov && options->momentum == 0) {
        return nn_optim_fail(err, section, "nesterov",
                             "true needs %s.momentum above 0, found 0; set it false or give a momentum such as 0.9",
                             section);
    }
    return HISS_OK;
}

static void plain(float rate, float decay, int64_t count, const float *restrict sum, float scale, float *restrict p) {
    for (int64_t k = 0; k < count; k++) {
        p[k] -= rate * (scale * sum[k] + decay * p[k]);
    }
}

static void with_momentum(float rate, float decay, float momentum, bool nesterov, int64_t count,
                          const float *restrict sum, float scale, float *restrict p, float *restrict velocity) {
    for (int64_t k = 0; k < count; k++) {
        float g = scale * sum[k] + decay * p[k];
        float v = momentum * velocity[k] + g;
        velocity[k] = v;
        p[k] -= rate * (nesterov ? g + momentum * v : v);
    }
}

static void update(const hiss_optim_options *o, const hiss_optim_step *step, float decay, int64_t count,
                   const float *restrict sum, float *restrict p, float *const state[]) {
    if (o->momentum != 0) {
        with_momentum((float)step->rate, decay, (float)o->momentum, o->nesterov, count, sum, step->gradient_scale, p,
                      state[0]);
    } else {
        plain((float)step->rate, decay, count, sum, step->gradient_scale, p);
    }
}

static const char *const keys[] = {"momentum", "nesterov", NULL};

const nn_optim_ops nn_optim_sgd = {.name = "sgd",
                                   .summary = "stochastic gradient descent; weight_decay is L2",
                                   .keys = keys,
                                   .state_name = {"velocity"},
                                   .states = states,
                                   .shrinks_by_rate = true,
                                   .check = check,
                                   .update = update};
