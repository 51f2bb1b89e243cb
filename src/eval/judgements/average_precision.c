/* Samples that may have several classes: linear probes, one for each class, and the average precision of each. */
#include <math.h>
#include <stddef.h>

#include "eval/judgements/judgements.h"

static const hiss_row rows[] = {
    JUDGEMENT_ROW("average_precision", HISS_BOOL, average_precision, "true", 0, 0, NULL,
                  "where samples have targets: a linear probe for each class, by average precision"),
};

/* The fit, for readers of eval.json. */
static void record_fit(hiss_record *record, const char *name, const hiss_multilabel_result *r) {
    eval_record_detail(record, "lambda", NULL, "", HISS_FORM_POWER, r->lambda);
    eval_record_detail(record, "lambda_at_edge", NULL, "", HISS_FORM_TRUTH, r->at_edge);
    eval_record_detail(record, "unconverged", NULL, "", HISS_FORM_COUNT, (double)r->unconverged);
    if (r->unconverged > 0) {
        hiss_record_remark(record, "probes of %s: %lld fits not converged; a larger eval.iterations lets them go on",
                           name, (long long)r->unconverged);
    }
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)err;
    hiss_multilabel_result r = hiss_multilabel_probe(env, subject->train, subject->test, options->iterations);
    eval_record_precisions(record, &r.test, "linear probes, mean average precision", subject->test->n);
    if (r.unknown > 0) {
        hiss_record_remark(record,
                           "%lld of %lld classes (%lld is one) have no training sample that has them, or none that has "
                           "not: they have no probe, and their share of the mean is that of scores that know nothing",
                           (long long)r.unknown, (long long)r.test.classes, (long long)r.unknown_first);
    }
    record_fit(record, subject->name, &r);
    hiss_precisions_destroy(&r.test);
    return HISS_OK;
}

const hiss_judgement eval_judgement_average_precision = {
    .name = "average_precision",
    .title = "Average precision of linear probes",
    .baseline = "scores that know nothing",
    .needs = HISS_NEEDS_LAYER | HISS_NEEDS_TARGETS,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
