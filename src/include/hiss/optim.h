/* Optimisers and learning rate schedules, as pure loops over flat ranges.
 *
 * An update reads and writes element k of its arrays for element k alone, given a few numbers that all elements share,
 * so a range may be cut anywhere (slices of ranks, borders of parameters) without a change in the bits. Some of those
 * numbers come from norms over whole parameters: hiss_optim_wanted says which, and the caller has them ready. No state
 * is kept here: the caller owns parameters, gradients, optimiser state and the counters. Not collective, thread-safe,
 * no allocation. */
#ifndef HISS_OPTIM_H
#define HISS_OPTIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "hiss/config.h"
#include "hiss/status.h"

/* The optimisers: X(CONSTANT, name). NAME has the file src/nn/optim/NAME.c; a new one is a line here. */
#define HISS_OPTIMISERS(X)                                                                                             \
    X(SGD, sgd)                                                                                                        \
    X(ADAM, adam)                                                                                                      \
    X(ADAMW, adamw)                                                                                                    \
    X(LARS, lars)                                                                                                      \
    X(LAMB, lamb)                                                                                                      \
    X(ADAGRAD, adagrad)

#define HISS_OPTIM_CONSTANT(constant, name) HISS_##constant,
typedef enum hiss_optim_method { HISS_OPTIMISERS(HISS_OPTIM_CONSTANT) } hiss_optim_method;
#undef HISS_OPTIM_CONSTANT

typedef enum hiss_schedule {
    HISS_SCHEDULE_CONSTANT,
    HISS_SCHEDULE_STEP,
    HISS_SCHEDULE_COSINE,
    HISS_SCHEDULE_LINEAR,
    HISS_SCHEDULE_INVERSE,
} hiss_schedule;

/* One optimiser's settings: the fields of hiss_optim_rows. */
typedef struct hiss_optim_options {
    int method;            /* hiss_optim_method */
    double lr;             /* for gradients as the caller scales them, in hiss of the mean over the global batch */
    double momentum;       /* SGD, LARS; 0 is none */
    bool nesterov;         /* SGD with momentum */
    double weight_decay;   /* SGD, Adam, LARS: added to the gradient as weight_decay * parameter (L2); AdamW, LAMB: to
                              the direction (decoupled) */
    double trust;          /* LARS: norm of an update by that of its parameters, at rate 1 */
    double clip_norm;      /* largest norm of the gradient over all parameters of this optimiser; 0: any */
    bool include_biases;   /* weight decay and trust ratios also for biases and gains, the slots without `decay` */
    double beta1, beta2;   /* Adam, AdamW, LAMB */
    double epsilon;        /* the same, added to the root */
    int schedule;          /* hiss_schedule */
    double warmup;         /* epochs of linear warm-up */
    double lr_end;         /* COSINE, LINEAR */
    int64_t step_every;    /* STEP: epochs */
    double step_factor;    /* STEP */
    int64_t inverse_after; /* INVERSE: epochs */
    double inverse_gamma;  /* INVERSE: per epoch */
} hiss_optim_options;

extern const hiss_row hiss_optim_rows[];
extern const int hiss_optim_nrows;

enum { HISS_OPTIM_MAX_STATES = 2 };

/* What single rows cannot say: errors (HISS_EUSER) name section and key.
 *   section  as given to hiss_config_section, e.g. "optim" */
hiss_status hiss_optim_check(const hiss_optim_options *options, const char *section, hiss_error *err);

/* What the methods are and which keys only some of them read, for --help. */
void hiss_optim_help(FILE *stream);

/* Whether a key of hiss_optim_rows can change an update, as method and schedule are. Not collective. */
bool hiss_optim_reads(const hiss_optim_options *options, const char *key);

/* State floats per parameter: 0 plain SGD, 1 with momentum (the velocity), 1 AdaGrad (sums of squares), 2 Adam and its kin (first and second
 * moment). All start at zero. */
int hiss_optim_states(const hiss_optim_options *options);
/* Name of state k, 0 <= k < hiss_optim_states, for checkpoints. Static storage. */
const char *hiss_optim_state_name(const hiss_optim_options *options, int k);

/* Learning rate of the update that follows `step` finished ones: a function of its arguments alone.
 *   step             0 <= step; beyond total_steps the rate stays at its end
 *   steps_per_epoch  >= 1
 *   total_steps      >= 1
 * With W = warmup in steps (rounded), e = floor(step / steps_per_epoch), x = (step - W) / (total_steps - W) in 0..1:
 *   constant  lr                                          step      lr * step_factor^floor(e / step_every)
 *   cosine    lr_end + (lr - lr_end) (1 + cos(pi x)) / 2  linear    lr_end + (lr - lr_end) (1 - x)
 *   inverse   lr / (1 + inverse_gamma max(0, e - inverse_after))
 * all times min(1, (step + 1) / W). */
double hiss_optim_rate(const hiss_optim_options *options, int64_t step, int64_t steps_per_epoch, int64_t total_steps);

/* Whether the rate before the end depends on total_steps: a run can then not be made longer. */
bool hiss_optim_needs_total(const hiss_optim_options *options);

/* rate * weight_decay at the highest rate where the method multiplies parameters by 1 minus that in each update: beyond
 * 1 they grow. Else 0. */
double hiss_optim_shrinkage(const hiss_optim_options *options);

/* ---- norms ---- */

/* What an update depends on besides element k: norms of terms over a parameter slot, or over all slots of this
 * optimiser (whole). A later round's terms depend on the norms of the earlier ones. */
typedef enum hiss_optim_term { HISS_TERM_GRADIENT, HISS_TERM_DIRECTION, HISS_TERM_PARAMETER } hiss_optim_term;
typedef struct hiss_optim_round {
    int terms;
    hiss_optim_term term[2];
    bool whole; /* term 0 is the gradient, and its norm over all slots clips it */
    bool trust; /* the norms of a slot, of both terms, give its trust ratio */
} hiss_optim_round;
typedef struct hiss_optim_norms {
    int rounds; /* 0: updates are element by element */
    hiss_optim_round round[2];
} hiss_optim_norms;
hiss_optim_norms hiss_optim_wanted(const hiss_optim_options *options);

/* Factor for a gradient of this norm over all slots: clip_norm / (norm + 1e-6), at most 1 (Pascanu, Mikolov & Bengio,
 * "On the difficulty of training recurrent neural networks", ICML 2013; the small number is PyTorch's). */
double hiss_optim_clip(const hiss_optim_options *options, double norm);

/* ---- updates ---- */

/* What all elements of an updated range share. */
typedef struct hiss_optim_step {
    double rate;          /* from hiss_optim_rate */
    int64_t update;       /* number of this update, from 1 on (bias correction of moments) */
    bool decay;           /* false: a bias or a gain, see include_biases */
    float gradient_scale; /* the gradient is gradient_scale * gradient_sum; clipping is a part of it */
    double trust;         /* from hiss_optim_trust, for methods that want it */
} hiss_optim_step;

/* The trust ratio of a slot: the factor of its rate.
 *   term_norm       of the term beside the parameters in hiss_optim_wanted: the gradient, clipped, or the direction
 *   parameter_norm
 * 1 where a norm is 0 or the slot is a bias or a gain. */
double hiss_optim_trust(const hiss_optim_options *options, const hiss_optim_step *step, double term_norm,
                        double parameter_norm);

/* HISS_TERM_DIRECTION of a range: what the update will take from the parameters, but for rate and trust. Arguments as
 * below; nothing but direction [count] is written. */
void hiss_optim_direction(const hiss_optim_options *options, const hiss_optim_step *step, int64_t count,
                          const float *gradient_sum, const float *parameter, float *const state[], float *direction);

/* One update of a range, in one pass.
 *   gradient_sum  [count]  in
 *   parameter     [count]  in/out
 *   state         hiss_optim_states arrays [count]  in/out; NULL when there are none
 * No aliasing between arrays. The arithmetic is that of PyTorch's SGD (without dampening) and Adam, in float; that of
 * the others is in src/nn/optim/NAME.c. */
void hiss_optim_update(const hiss_optim_options *options, const hiss_optim_step *step, int64_t count,
                       const float *gradient_sum, float *parameter, float *const state[]);

#endif
