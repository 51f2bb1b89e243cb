/* The judgements, for their register. One word more per judgement: declared here, listed in src/eval/judgements.c. */
#ifndef EVAL_JUDGEMENTS_H
#define EVAL_JUDGEMENTS_H

#include "hiss/judge.h"

extern const hiss_judgement eval_judgement_knn, eval_judgement_linear, eval_judgement_few_labels,
    eval_judgement_statistics, eval_judgement_neighbors, eval_judgement_filters, eval_judgement_reconstruction;

/* A row of a judgement's keys. */
#define JUDGEMENT_ROW(key_, type_, field_, ...)                                                                        \
    { key_, type_, offsetof(hiss_eval_options, field_), __VA_ARGS__ }

/* Per cent of right answers on test of who always says the most frequent class of train. Collective. */
double eval_majority_percent(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test);

#endif
