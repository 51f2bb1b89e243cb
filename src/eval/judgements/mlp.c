/* The MLP probe, for samples with one class each and for those that may have several. */
#include <math.h>
#include <stddef.h>

#include "eval/judgements/judgements.h"

static const hiss_row rows[] = {
    JUDGEMENT_ROW("mlp", HISS_BOOL, mlp, "false", 0, 0, NULL,
                  "a probe with a hidden layer, lambda chosen on held-out training samples"),
    JUDGEMENT_ROW("mlp_hidden", HISS_INT, mlp_hidden, "256", 1, 65536, NULL, "units of its hidden layer"),
};

static void record_accuracy(hiss_record *record, const hiss_mlp_result *r, const hiss_subject *subject,
                            double baseline) {
    const hiss_number common = {.group = "MLP probe", .unit = "%", .spread = (double)NAN, .baseline = (double)NAN};
    hiss_number test = common, training = common, lambda = common;
    test.name = "percent";
    test.heading = "test";
    test.main = true;
    test.value = r->percent;
    test.baseline = baseline;
    test.samples = subject->test->n;
    training.name = "train_percent";
    training.heading = "training";
    training.value = r->train_percent;
    training.samples = subject->train->n;
    lambda.name = lambda.heading = "lambda";
    lambda.unit = "";
    lambda.form = HISS_FORM_POWER;
    lambda.value = r->lambda;
    hiss_record_number(record, &test);
    hiss_record_number(record, &training);
    hiss_record_number(record, &lambda);
    eval_record_heldout(record, r->heldout);
}

static void remark(hiss_record *record, const char *name, const hiss_mlp_result *r) {
    hiss_record_remark(record, "MLP probes end after a stated number of steps, whose rate falls to zero");
    if (r->at_edge) {
        hiss_record_remark(record,
                           "lambda of the MLP probe of %s: %.0e is the last one tried; a better one may lie beyond",
                           name, r->lambda);
    }
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)err;
    const hiss_features *train = subject->train, *test = subject->test;
    const bool labels = train->classes > 0 && test->classes > 0;
    const bool targets = train->targets > 0 && train->targets == test->targets;
    if (labels) {
        const hiss_mlp_result r = hiss_mlp_probe(env, train, test, options->mlp_hidden, false);
        record_accuracy(record, &r, subject, eval_majority_percent(env, train, test));
        eval_record_detail(record, "loss", NULL, "", HISS_FORM_GENERAL, r.loss);
        eval_record_detail(record, "steps", NULL, "", HISS_FORM_COUNT, (double)r.steps);
        remark(record, subject->name, &r);
    }
    if (targets) {
        hiss_mlp_result r = hiss_mlp_probe(env, train, test, options->mlp_hidden, true);
        eval_record_precisions(record, &r.test, "MLP probe, mean average precision", test->n);
        eval_record_detail(record, "map_lambda", NULL, "", HISS_FORM_POWER, r.lambda);
        eval_record_detail(record, "map_steps", NULL, "", HISS_FORM_COUNT, (double)r.steps);
        remark(record, subject->name, &r);
        hiss_precisions_destroy(&r.test);
    }
    if (!labels && !targets) {
        hiss_record_leave_out(record,
                              "needs labels of the training and of the test samples, or targets of as many classes");
    }
    return HISS_OK;
}

const hiss_judgement eval_judgement_mlp = {
    .name = "mlp",
    .title = "MLP probe",
    .baseline = "always the most frequent class, or scores that know nothing",
    .needs = HISS_NEEDS_LAYER | HISS_NEEDS_CLASSES,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
