/* Private to src/nn/optim: an optimiser as a row of the table, one per file, listed in hiss/optim.h. */
#ifndef HISS_OPTIM_IMPL_H
#define HISS_OPTIM_IMPL_H

#include "hiss/optim.h"

typedef struct nn_optim_ops {
    const char *name, *summary;
    const char *const *keys;                          /* of hiss_optim_rows that only some methods read; ends in NULL */
    const char *state_name[HISS_OPTIM_MAX_STATES];    /* for checkpoints */
    int (*states)(const hiss_optim_options *options); /* floats per parameter */
    bool shrinks_by_rate;                             /* an update multiplies parameters by 1 - rate * weight_decay */
    hiss_status (*check)(const hiss_optim_options *options, const char *section, hiss_error *err);
    /* What its trust ratio is made of, beside the parameters; NULL: it has none. */
    double (*trust)(const hiss_optim_options *options, double weight_decay, double term_norm, double parameter_norm);
    hiss_optim_term trust_term;
    /* As hiss_optim_direction, where that is the trust_term. */
    void (*direction)(const hiss_optim_options *options, const hiss_optim_step *step, float weight_decay, int64_t count,
                      const float *restrict gradient_sum, const float *restrict parameter, float *const state[],
                      float *restrict direction);
    /* As hiss_optim_update; weight_decay: 0 where it does not apply. */
    void (*update)(const hiss_optim_options *options, const hiss_optim_step *step, float weight_decay, int64_t count,
                   const float *restrict gradient_sum, float *restrict parameter, float *const state[]);
} nn_optim_ops;

#define HISS_OPTIM_DECLARE(constant, name) extern const nn_optim_ops nn_optim_##name;
HISS_OPTIMISERS(HISS_OPTIM_DECLARE)
#undef HISS_OPTIM_DECLARE

/* Numbers that all elements of an update by moments share, rounded once. */
typedef struct nn_optim_moments {
    float scale, beta1, rest1, beta2, rest2, correction1, root2, epsilon;
} nn_optim_moments;
nn_optim_moments nn_optim_moments_of(const hiss_optim_options *options, const hiss_optim_step *step);
int nn_optim_two_states(const hiss_optim_options *options);

/* An error (HISS_EUSER) about a key of section. */
hiss_status nn_optim_fail(hiss_error *err, const char *section, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* For methods that have moments instead: an error when momentum or nesterov is set. */
hiss_status nn_optim_no_momentum(const hiss_optim_options *options, const char *section, hiss_error *err);

#endif
