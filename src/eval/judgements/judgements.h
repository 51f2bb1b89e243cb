/* The judgements, for their register. One word more per judgement: declared here, listed in src/eval/judgements.c. */
#ifndef EVAL_JUDGEMENTS_H
#define EVAL_JUDGEMENTS_H

#include "hiss/judge.h"

extern const hiss_judgement judgement_knn, judgement_linear, judgement_few_labels, judgement_statistics,
    judgement_neighbors, judgement_filters, judgement_reconstruction;

/* A row of a judgement's keys. */
#define JUDGEMENT_ROW(key_, type_, field_, ...)                                                                        \
    { key_, type_, offsetof(hiss_eval_options, field_), __VA_ARGS__ }

/* Per cent of right answers on test of who always says the most frequent class of train. Collective. */
double majority_percent(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test);

#endif
