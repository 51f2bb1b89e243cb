/* The table of optimisers: what is asked of all of them is answered by the row of options->method. */
#include <assert.h>
#include <string.h>

#include "nn/optim/optim_impl.h"

#define OPTIMISER(constant, name) [HISS_##constant] = &nn_optim_##name,
static const nn_optim_ops *const table[] = {HISS_OPTIMISERS(OPTIMISER)};
#undef OPTIMISER

static const nn_optim_ops *ops_of(const hiss_optim_options *options) {
    assert(0 <= options->method && options->method < HISS_COUNT(table));
    return table[options->method];
}

hiss_status hiss_optim_check(const hiss_optim_options *options, const char *section, hiss_error *err) {
    hiss_status s = ops_of(options)->check(options, section, err);
    if (s != HISS_OK) {
        return s;
    }
    bool has_end = options->schedule == HISS_SCHEDULE_COSINE || options->schedule == HISS_SCHEDULE_LINEAR;
    if (has_end && options->lr_end > options->lr) {
        return nn_optim_fail(err, section, "lr_end", "expected at most %s.lr = %g, found %g", section, options->lr,
                             options->lr_end);
    }
    if (options->schedule == HISS_SCHEDULE_INVERSE && options->inverse_gamma == 0) {
        return nn_optim_fail(err, section, "schedule",
                             "inverse needs %s.inverse_gamma above 0, found 0; set it or use constant", section);
    }
    return HISS_OK;
}

void hiss_optim_help(FILE *stream) {
    for (int m = 0; m < HISS_COUNT(table); m++) {
        fprintf(stream, "  method %-5s %s; reads", table[m]->name, table[m]->summary);
        for (const char *const *key = table[m]->keys; *key; key++) {
            fprintf(stream, "%s %s", key == table[m]->keys ? "" : ",", *key);
        }
        fprintf(stream, "\n");
    }
}

static bool has_key(const char *const *keys, const char *key) {
    while (*keys && strcmp(*keys, key) != 0) {
        keys++;
    }
    return *keys;
}

bool hiss_optim_reads(const hiss_optim_options *options, const char *key) {
    static const struct {
        const char *key;
        hiss_schedule by[2];
    } scheduled[] = {{"lr_end", {HISS_SCHEDULE_COSINE, HISS_SCHEDULE_LINEAR}},
                     {"step_every", {HISS_SCHEDULE_STEP, HISS_SCHEDULE_STEP}},
                     {"step_factor", {HISS_SCHEDULE_STEP, HISS_SCHEDULE_STEP}},
                     {"inverse_after", {HISS_SCHEDULE_INVERSE, HISS_SCHEDULE_INVERSE}},
                     {"inverse_gamma", {HISS_SCHEDULE_INVERSE, HISS_SCHEDULE_INVERSE}}};
    for (int k = 0; k < HISS_COUNT(scheduled); k++) {
        if (strcmp(key, scheduled[k].key) == 0) {
            return options->schedule == (int)scheduled[k].by[0] || options->schedule == (int)scheduled[k].by[1];
        }
    }
    bool of_some = false;
    for (int m = 0; m < HISS_COUNT(table); m++) {
        of_some = of_some || has_key(table[m]->keys, key);
    }
    return !of_some || has_key(ops_of(options)->keys, key);
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
    const nn_optim_ops *ops = ops_of(options);
    const bool clips = options->clip_norm > 0;
    if (clips && !(ops->trust && ops->trust_term == HISS_TERM_GRADIENT)) {
        wanted.round[wanted.rounds++] = (hiss_optim_round){.terms = 1, .term = {HISS_TERM_GRADIENT}, .whole = true};
    }
    if (ops->trust) {
        wanted.round[wanted.rounds] = (hiss_optim_round){.terms = 2,
                                                         .term = {ops->trust_term, HISS_TERM_PARAMETER},
                                                         .whole = clips && wanted.rounds == 0,
                                                         .trust = true};
        wanted.rounds++;
    }
    return wanted;
}

double hiss_optim_clip(const hiss_optim_options *options, double norm) {
    const double factor = options->clip_norm / (norm + 1e-6);
    return options->clip_norm > 0 && factor < 1 ? factor : 1;
}

static double decay_of(const hiss_optim_options *options, const hiss_optim_step *step) {
    return step->decay || options->include_biases ? options->weight_decay : 0;
}

double hiss_optim_trust(const hiss_optim_options *options, const hiss_optim_step *step, double term_norm,
                        double parameter_norm) {
    const bool has = step->decay || options->include_biases;
    return has && term_norm > 0 && parameter_norm > 0
               ? ops_of(options)->trust(options, decay_of(options, step), term_norm, parameter_norm)
               : 1;
}

void hiss_optim_direction(const hiss_optim_options *options, const hiss_optim_step *step, int64_t count,
                          const float *gradient_sum, const float *parameter, float *const state[], float *direction) {
    ops_of(options)->direction(options, step, (float)decay_of(options, step), count, gradient_sum, parameter, state,
                               direction);
}

void hiss_optim_update(const hiss_optim_options *options, const hiss_optim_step *step, int64_t count,
                       const float *gradient_sum, float *parameter, float *const state[]) {
    assert(step->update >= 1);
    ops_of(options)->update(options, step, (float)decay_of(options, step), count, gradient_sum, parameter, state);
}
