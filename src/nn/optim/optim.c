/* The table of optimisers: what is asked of all of them is answered by the row of options->method. */
#include <assert.h>

#include "nn/optim/optim_impl.h"

#define OPTIMISER(constant, name) [HISS_##constant] = &hiss_optim_##name,
static const hiss_optim_ops *const table[] = {HISS_OPTIMISERS(OPTIMISER)};
#undef OPTIMISER

static const hiss_optim_ops *ops_of(const hiss_optim_options *options) {
    assert(0 <= options->method && options->method < HISS_COUNT(table));
    return table[options->method];
}

hiss_status hiss_optim_no_momentum(const hiss_optim_options *options, const char *section, hiss_error *err) {
    const char *name = ops_of(options)->name;
    if (options->nesterov) {
        return hiss_fail(err, HISS_EUSER, "%s.nesterov: expected false with method %s, which has none, found true",
                         section, name);
    }
    if (options->momentum != 0) {
        return hiss_fail(err, HISS_EUSER, "%s.momentum: expected 0 with method %s, found %g; use %s.beta1 instead",
                         section, name, options->momentum, section);
    }
    return HISS_OK;
}

hiss_status hiss_optim_check(const hiss_optim_options *options, const char *section, hiss_error *err) {
    hiss_status s = ops_of(options)->check(options, section, err);
    if (s != HISS_OK) {
        return s;
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
    return ops_of(options)->states(options);
}

const char *hiss_optim_state_name(const hiss_optim_options *options, int k) {
    assert(0 <= k && k < hiss_optim_states(options));
    return ops_of(options)->state_name[k];
}

double hiss_optim_shrinkage(const hiss_optim_options *options) {
    return ops_of(options)->shrinks_by_rate ? options->lr * options->weight_decay : 0;
}

hiss_optim_norms hiss_optim_wanted(const hiss_optim_options *options) {
    hiss_optim_norms wanted = {0};
    if (options->clip_norm > 0) {
        wanted.round[wanted.rounds++] = (hiss_optim_round){.terms = 1, .term = {HISS_TERM_GRADIENT}, .whole = true};
    }
    return wanted;
}

double hiss_optim_clip(const hiss_optim_options *options, double norm) {
    const double factor = options->clip_norm / (norm + 1e-6);
    return options->clip_norm > 0 && factor < 1 ? factor : 1;
}

void hiss_optim_update(const hiss_optim_options *options, const hiss_optim_step *step, int64_t count,
                       const float *gradient_sum, float *parameter, float *const state[]) {
    assert(step->update >= 1);
    const float weight_decay = step->decay || options->include_biases ? (float)options->weight_decay : 0;
    ops_of(options)->update(options, step, weight_decay, count, gradient_sum, parameter, state);
}
