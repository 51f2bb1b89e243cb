/* SGD with momentum, and Adam.
 *
 *   g = scale * sum + weight_decay * p
 *   SGD   v = momentum v + g;  p -= rate * v, or with Nesterov's look-ahead p -= rate * (g + momentum v)
 *         Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013
 *   Adam  m = beta1 m + (1 - beta1) g;  s = beta2 s + (1 - beta2) g^2
 *         p -= rate / (1 - beta1^t) * m / (sqrt(s) / sqrt(1 - beta2^t) + epsilon)
 *         Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015
 *
 * Scalars are made in double and rounded once, as PyTorch does; elements are computed in float. Each loop is one pass
 * bound by memory: 12 bytes per parameter for plain SGD, 20 with momentum, 28 for Adam. */
#include "hiss/optim.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

#define FIELD(name) offsetof(hiss_optim_options, name)

#define BELOW_ONE 0.9999999

const hiss_row hiss_optim_rows[] = {
    {"method", HISS_CHOICE, FIELD(method), "sgd", 0, 0, "sgd|adam", "optimiser"},
    {"lr", HISS_FLOAT, FIELD(lr), NULL, 0, 1e6, NULL, "learning rate, for the gradient of the mean over the batch"},
    {"momentum", HISS_FLOAT, FIELD(momentum), "0", 0, BELOW_ONE, NULL, "sgd: momentum; 0 is plain SGD"},
    {"nesterov", HISS_BOOL, FIELD(nesterov), "false", 0, 0, NULL, "sgd: Nesterov's look-ahead"},
    {"weight_decay", HISS_FLOAT, FIELD(weight_decay), "0", 0, 1e3, NULL, "L2 decay, added to the gradient"},
    {"beta1", HISS_FLOAT, FIELD(beta1), "0.9", 0, BELOW_ONE, NULL, "adam: decay of the first moment"},
    {"beta2", HISS_FLOAT, FIELD(beta2), "0.999", 0, BELOW_ONE, NULL, "adam: decay of the second moment"},
    {"epsilon", HISS_FLOAT, FIELD(epsilon), "1e-8", 1e-30, 1, NULL, "adam: added to the root of the second moment"},
    {"schedule", HISS_CHOICE, FIELD(schedule), "constant", 0, 0, "constant|step|cosine|linear|inverse",
     "how the learning rate changes"},
    {"warmup", HISS_FLOAT, FIELD(warmup), "0", 0, 1e6, NULL, "epochs of linear warm-up from 0"},
    {"lr_end", HISS_FLOAT, FIELD(lr_end), "0", 0, 1e6, NULL, "cosine, linear: learning rate at the end"},
    {"step_every", HISS_INT, FIELD(step_every), "30", 1, 1e9, NULL, "step: epochs between two reductions"},
    {"step_factor", HISS_FLOAT, FIELD(step_factor), "0.1", 0, 1, NULL, "step: factor of a reduction"},
    {"inverse_after", HISS_INT, FIELD(inverse_after), "0", 0, 1e9, NULL,
     "inverse: rate is lr / (1 + inverse_gamma (epoch - inverse_after)) after this epoch"},
    {"inverse_gamma", HISS_FLOAT, FIELD(inverse_gamma), "0", 0, 1e6, NULL, "inverse: decay per epoch"},
};
const int hiss_optim_nrows = HISS_COUNT(hiss_optim_rows);

hiss_status hiss_optim_check(const hiss_optim_options *options, const char *section, hiss_error *err) {
    if (options->nesterov && (options->method != HISS_SGD || options->momentum == 0)) {
        return hiss_fail(err, HISS_EUSER,
                         "%s.nesterov: true needs %s.method sgd and a %s.momentum above 0, found momentum %g%s; "
                         "set it false or give a momentum such as 0.9",
                         section, section, section, options->momentum,
                         options->method == HISS_SGD ? "" : " and method adam");
    }
    if (options->method == HISS_ADAM && options->momentum != 0) {
        return hiss_fail(err, HISS_EUSER, "%s.momentum: expected 0 with method adam, found %g; use %s.beta1 instead",
                         section, options->momentum, section);
    }
    bool has_end = options->schedule == HISS_SCHEDULE_COSINE || options->schedule == HISS_SCHEDULE_LINEAR;
    if (has_end && options->lr_end > options->lr) {
        return hiss_fail(err, HISS_EUSER, "%s.lr_end: expected at most %s.lr = %g, found %g", section, section,
                         options->lr, options->lr_end);
    }
    if (options->schedule == HISS_SCHEDULE_INVERSE && options->inverse_gamma == 0) {
        return hiss_fail(err, HISS_EUSER,
                         "%s.inverse_gamma: schedule inverse needs a value above 0, found 0; set it or use "
                         "schedule: constant",
                         section);
    }
    return HISS_OK;
}

int hiss_optim_states(const hiss_optim_options *options) {
    return options->method == HISS_ADAM ? 2 : options->momentum != 0;
}

const char *hiss_optim_state_name(const hiss_optim_options *options, int k) {
    static const char *const adam[] = {"first_moment", "second_moment"};
    assert(0 <= k && k < hiss_optim_states(options));
    return options->method == HISS_ADAM ? adam[k] : "velocity";
}

static void plain_sgd(float rate, float decay, int64_t count, const float *restrict sum, float scale,
                      float *restrict p) {
    for (int64_t k = 0; k < count; k++) {
        p[k] -= rate * (scale * sum[k] + decay * p[k]);
    }
}

static void momentum_sgd(float rate, float decay, float momentum, bool nesterov, int64_t count,
                         const float *restrict sum, float scale, float *restrict p, float *restrict velocity) {
    for (int64_t k = 0; k < count; k++) {
        float g = scale * sum[k] + decay * p[k];
        float v = momentum * velocity[k] + g;
        velocity[k] = v;
        p[k] -= rate * (nesterov ? g + momentum * v : v);
    }
}

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

void hiss_optim_update(const hiss_optim_options *options, double rate, int64_t update, bool decay, int64_t count,
                       const float *gradient_sum, float gradient_scale, float *parameter, float *const state[]) {
    assert(update >= 1);
    const float weight_decay = decay ? (float)options->weight_decay : 0;
    if (options->method == HISS_ADAM) {
        adam(options, rate, update, weight_decay, count, gradient_sum, gradient_scale, parameter, state[0], state[1]);
    } else if (options->momentum != 0) {
        momentum_sgd((float)rate, weight_decay, (float)options->momentum, options->nesterov, count, gradient_sum,
                     gradient_scale, parameter, state[0]);
    } else {
        plain_sgd((float)rate, weight_decay, count, gradient_sum, gradient_scale, parameter);
    }
}
