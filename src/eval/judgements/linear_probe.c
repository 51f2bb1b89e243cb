/* The linear probe, with what its fit came to. */
#include <math.h>
#include <stddef.h>

#include "eval/judgements/judgements.h"

static const hiss_row rows[] = {
    JUDGEMENT_ROW("linear", HISS_BOOL, linear, "true", 0, 0, NULL,
                  "linear probe, lambda chosen on held-out training samples"),
    JUDGEMENT_ROW("iterations", HISS_INT, iterations, "1000", 1, 100000, NULL,
                  "L-BFGS steps of a linear probe, at most; it stops where its gradient is 1e-6 of the first"),
};

static const char group[] = "linear probe";

static void record_accuracy(hiss_record *record, const hiss_linear_result *l, const hiss_subject *subject,
                            double baseline) {
    hiss_record_number(record, &(hiss_number){.name = "percent",
                                              .group = group,
                                              .heading = "test",
                                              .unit = "%",
                                              .main = true,
                                              .value = l->percent,
                                              .spread = (double)NAN,
                                              .baseline = baseline,
                                              .samples = subject->test->n});
    hiss_record_number(record, &(hiss_number){.name = "train_percent",
                                              .group = group,
                                              .heading = "training",
                                              .unit = "%",
                                              .value = l->train_percent,
                                              .spread = (double)NAN,
                                              .baseline = (double)NAN,
                                              .samples = subject->train->n});
    hiss_record_number(record, &(hiss_number){.name = "lambda",
                                              .group = group,
                                              .heading = "lambda",
                                              .unit = "",
                                              .form = HISS_FORM_POWER,
                                              .value = l->lambda,
                                              .spread = (double)NAN,
                                              .baseline = (double)NAN});
}

void eval_record_heldout(hiss_record *record, const double heldout[HISS_LAMBDAS]) {
    for (int i = 0; i < HISS_LAMBDAS; i++) {
        char name[48], heading[48];
        snprintf(name, sizeof name, "heldout_percent.%.0e", hiss_lambdas[i]);
        snprintf(heading, sizeof heading, "held out, lambda %.0e", hiss_lambdas[i]);
        if (heldout[i] >= 0.0) {
            eval_record_detail(record, name, heading, "%", HISS_FORM_FIXED, heldout[i]);
        }
    }
}

static void record_fit(hiss_record *record, const hiss_linear_result *l) {
    eval_record_heldout(record, l->heldout);
    eval_record_detail(record, "lambda_at_edge", NULL, "", HISS_FORM_TRUTH, l->at_edge);
    eval_record_detail(record, "converged", NULL, "", HISS_FORM_TRUTH, l->minimum.converged);
    eval_record_detail(record, "unconverged_choices", NULL, "fits", HISS_FORM_COUNT, (double)l->unconverged);
    eval_record_detail(record, "loss", NULL, "nats", HISS_FORM_GENERAL, l->minimum.value);
    eval_record_detail(record, "gradient", NULL, "", HISS_FORM_GENERAL, l->minimum.gradient);
    eval_record_detail(record, "tolerance", NULL, "", HISS_FORM_GENERAL, HISS_PROBE_TOLERANCE);
    eval_record_detail(record, "iterations", NULL, "", HISS_FORM_COUNT, (double)l->minimum.iterations);
    eval_record_detail(record, "evaluations", NULL, "", HISS_FORM_COUNT, (double)l->minimum.evaluations);
}

/* What a reader of the figures must know of the fits. */
static void remark(hiss_record *record, const char *name, const hiss_linear_result *l) {
    static const char advice[] = "; a larger eval.iterations lets it go on";
    if (l->minimum.converged && l->unconverged == 0) {
        hiss_record_remark(record,
                           "linear probes converged to gradients of %.0e of the first or less (to choose lambda: "
                           "%.0e), or are named here",
                           HISS_PROBE_TOLERANCE, HISS_ROUGH_TOLERANCE);
    }
    if (!l->minimum.converged) {
        hiss_record_remark(
            record, "linear probe of %s not converged: gradient %.1e of the first after %lld steps, %.0e wanted%s",
            name, l->minimum.gradient, (long long)l->minimum.iterations, HISS_PROBE_TOLERANCE, advice);
    }
    if (l->unconverged > 0) {
        hiss_record_remark(record, "linear probe of %s: %lld fits to choose lambda not converged%s", name,
                           (long long)l->unconverged, advice);
    }
    if (l->at_edge) {
        hiss_record_remark(record, "lambda of %s: %.0e is the last one tried; a better one may lie beyond", name,
                           l->lambda);
    }
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)err;
    const hiss_linear_result result = hiss_linear_probe(env, subject->train, subject->test, options->iterations);
    record_accuracy(record, &result, subject, eval_majority_percent(env, subject->train, subject->test));
    record_fit(record, &result);
    remark(record, subject->name, &result);
    return HISS_OK;
}

const hiss_judgement eval_judgement_linear = {
    .name = "linear",
    .title = "Linear probe",
    .baseline = "always the most frequent class",
    .needs = HISS_NEEDS_LAYER | HISS_NEEDS_LABELS,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
