/* LARS: SGD whose updates are in proportion to the parameters they change.
 *
 *   ratio = trust * |p| / (|g| + weight_decay |p|)      norms over a slot: the weights of a layer
 *   v = momentum v + rate * ratio * (g + weight_decay * p);  p -= v
 *
 * You, Gitman & Ginsburg, "Large batch training of convolutional networks", 2017, algorithm 1: the rate is a part of
 * the velocity, unlike in sgd. Biases and gains have ratio 1 and no decay, as in the authors' program. */
#include "nn/optim/optim_impl.h"

static int states(const hiss_optim_options *options) {
    return options->momentum != 0;
}

static hiss_status check(const hiss_optim_options *options, const char *section, hiss_error *err) {
    return !options->nesterov ? HISS_OK
                              : nn_optim_fail(err, section, "nesterov", "expected false with method lars, found true");
}

static double trust(const hiss_optim_options *o, double weight_decay, double gradient, double parameter) {
    return o->trust * parameter / (gradient + weight_decay * parameter);
}

static void plain(float rate, float decay, int64_t count, const float *restrict sum, float scale, float *restrict p) {
    for (int64_t k = 0; k < count; k++) {
        p[k] -= rate * (scale * sum[k] + decay * p[k]);
    }
}

static void with_momentum(float rate, float decay, float momentum, int64_t count, const float *restrict sum,
                          float scale, float *restrict p, float *restrict velocity) {
    for (int64_t k = 0; k < count; k++) {
        float v = momentum * velocity[k] + rate * (scale * sum[k] + decay * p[k]);
        velocity[k] = v;
        p[k] -= v;
    }
}

static void update(const hiss_optim_options *o, const hiss_optim_step *step, float decay, int64_t count,
                   const float *restrict sum, float *restrict p, float *const state[]) {
    const float rate = (float)(step->rate * step->trust);
    if (o->momentum != 0) {
        with_momentum(rate, decay, (float)o->momentum, count, sum, step->gradient_scale, p, state[0]);
    } else {
        plain(rate, decay, count, sum, step->gradient_scale, p);
    }
}

static const char *const keys[] = {"momentum", "trust", NULL};

const nn_optim_ops nn_optim_lars = {.name = "lars",
                                    .summary = "sgd with a rate for each layer, for large batches",
                                    .keys = keys,
                                    .state_name = {"velocity"},
                                    .states = states,
                                    .check = check,
                                    .trust = trust,
                                    .trust_term = HISS_TERM_GRADIENT,
                                    .update = update};
