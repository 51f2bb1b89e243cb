/* The judgements, for their register. One word more per judgement: declared here, listed in src/eval/judgements.c. */
#ifndef EVAL_JUDGEMENTS_H
#define EVAL_JUDGEMENTS_H

#include "hiss/judge.h"

extern const hiss_judgement eval_judgement_knn, eval_judgement_linear, eval_judgement_mlp, eval_judgement_few_labels,
    eval_judgement_average_precision, eval_judgement_classification, eval_judgement_statistics,
    eval_judgement_neighbors, eval_judgement_units, eval_judgement_filters, eval_judgement_reconstruction,
    eval_judgement_denoising, eval_judgement_likelihood, eval_judgement_measures, eval_judgement_generation,
    eval_judgement_detection, eval_judgement_futures, eval_judgement_actions, eval_judgement_planning,
    eval_judgement_spread;

/* A row of a judgement's keys. */
#define JUDGEMENT_ROW(key_, type_, field_, ...)                                                                        \
    { key_, type_, offsetof(hiss_eval_options, field_), __VA_ARGS__ }

/* Mean and standard deviation (n - 1) of each feature over all samples: [f->D] each. Collective. */
void eval_features_moments(const hiss_eval_env *env, const hiss_features *f, double *mean, double *deviation);

/* At most `most` samples of range, those of hiss_draw_shown; index is the caller's to free. Not collective, as is the
 * next. */
hiss_sample_range eval_draw_samples(uint64_t seed, const hiss_sample_range *range, int64_t most);
enum { EVAL_BASELINE_IMAGES = 10000 }; /* that a baseline is fitted on, at most */
/* What embed makes of `count` samples so drawn, no more than there are, in batches: out[k] [count, D[k]]. */
hiss_status eval_embed_drawn(uint64_t seed, const hiss_sample_range *range, int64_t count, int layers, const int64_t *D,
                             int64_t batch, hiss_embed embed, void *user, float *const *out, hiss_error *err);

/* Per cent of right answers on test of who always says the most frequent class of train. Collective. */
double eval_majority_percent(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test);

/* A number for readers of eval.json and of the page's end, in no table. heading NULL: the name. */
void eval_record_detail(hiss_record *record, const char *name, const char *heading, const char *unit, hiss_form form,
                        double value);
/* What each lambda reached on held-out samples, in per cent; negative: not tried. */
void eval_record_heldout(hiss_record *record, const double heldout[HISS_LAMBDAS]);
/* Record the mean average precisions, map and map_11, and that of each class. */
void eval_record_precisions(hiss_record *record, const hiss_precisions *p, const char *group, int64_t samples);

/* error[0], error[1]: mean squared error of size values and PSNR in dB, of an image in 0..1 and what was made of it, which
 * is cut to that range. A perfect one has EVAL_PSNR_MOST dB. Not collective. */
enum { EVAL_PSNR_MOST = 100 };
void eval_compare_images(int64_t size, const float *image, const float *made, float *error);
double eval_psnr(double square);

/* A pixel of 0..1 as a byte; what lies outside is cut. */
uint8_t eval_byte_of(float pixel);

#endif
