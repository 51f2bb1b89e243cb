/* The register of judgements, and running them: each on the subjects it judges, or left out and why. */
#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "eval/evaluation.h"
#include "eval/judgements/judgements.h"
#include "hiss/clock.h"
#include "hiss/log.h"
#include "hiss/rng.h"

const hiss_judgement *const *hiss_judgements(void) {
    static const hiss_judgement *const all[] = {&eval_judgement_knn,
                                                &eval_judgement_linear,
                                                &eval_judgement_mlp,
                                                &eval_judgement_few_labels,
                                                &eval_judgement_average_precision,
                                                &eval_judgement_classification,
                                                &eval_judgement_statistics,
                                                &eval_judgement_neighbors,
                                                &eval_judgement_units,
                                                &eval_judgement_filters,
                                                &eval_judgement_reconstruction,
                                                &eval_judgement_denoising,
                                                &eval_judgement_likelihood,
                                                &eval_judgement_measures,
                                                &eval_judgement_generation,
                                                &eval_judgement_detection,
                                                &eval_judgement_futures,
                                                &eval_judgement_actions,
                                                &eval_judgement_planning,
                                                &eval_judgement_spread,
                                                NULL};
    return all;
}

/* ---- running ---- */

static bool wanted(const hiss_judgement *j, const hiss_eval_options *options) {
    return *(const bool *)((const char *)options + j->rows[0].offset);
}

hiss_status hiss_judgements_expect(const hiss_eval_options *options, hiss_error *err) {
    char keys[320] = "";
    for (const hiss_judgement *const *j = hiss_judgements(); *j; j++) {
        if (wanted(*j, options)) {
            return HISS_OK;
        }
        const size_t used = strlen(keys);
        snprintf(keys + used, sizeof keys - used, "%s%s", used ? ", " : "", (*j)->rows[0].key);
    }
    return hiss_fail_key(err, HISS_EUSER, "eval",
                         "every judgement is false, so that nothing would be judged; set one of %s true", keys);
}

bool hiss_judgements_want(const hiss_eval_options *options, unsigned needs, unsigned lacking) {
    for (const hiss_judgement *const *j = hiss_judgements(); *j; j++) {
        if (wanted(*j, options) && (*j)->needs & needs && !((*j)->needs & lacking)) {
            return true;
        }
    }
    return false;
}

static bool judges(const hiss_judgement *j, const hiss_subject *subject) {
    if ((j->needs & HISS_NEEDS_SCORES && !subject->scores) || (j->needs & HISS_NEEDS_UNITS && subject->units == 0) ||
        (j->needs & HISS_NEEDS_TARGETS && !(subject->test && subject->train->targets + subject->test->targets > 0))) {
        return false;
    }
    return (j->needs & HISS_NEEDS_LAYER && subject->test) || (j->needs & HISS_NEEDS_OUTPUT && subject->output) ||
           (j->needs & HISS_NEEDS_NETWORK && subject->model) || (j->needs & HISS_NEEDS_SCORER && subject->scorer);
}

/* Why a judgement cannot be run; NULL: it can. */
static const char *missing(const hiss_judgement *j, const hiss_subject *subject) {
    const bool labels = j->needs & HISS_NEEDS_LABELS;
    const bool train = labels && subject->train->classes > 0, test = labels && subject->test->classes > 0;
    if (labels && !train && !test) {
        return "needs labels, and the samples have none; name the data set of labels in data.labels";
    }
    if (labels && !train) {
        return "needs labels, and the training samples have none; name their data set in eval.train_labels, or do "
               "without labels: --set 'data.labels=\"\"'";
    }
    if (labels && !test) {
        return "needs labels, and the test samples have none; name their data set in eval.test_labels, or do without "
               "labels: --set 'data.labels=\"\"'";
    }
    if (j->needs & HISS_NEEDS_REBUILDER && !subject->rebuilder) {
        return "the method cannot rebuild images";
    }
    if (j->needs & HISS_NEEDS_CORRUPTION && !(subject->rebuilder && subject->rebuilder->clean)) {
        return "the method does not clean corrupted images";
    }
    if (j->needs & HISS_NEEDS_ESTIMATOR && !subject->estimator) {
        return "the method has no latent to estimate it by; see its own measures, if any";
    }
    if (j->needs & HISS_NEEDS_MAKER && !subject->maker) {
        return "the method makes no images";
    }
    if (j->needs & HISS_NEEDS_FORECASTER && !subject->forecaster) {
        return "the method does not foretell how clips go on";
    }
    if (j->needs & HISS_NEEDS_ACTOR && !subject->actor) {
        return "the method does not see what is done between frames";
    }
    if (j->needs & HISS_NEEDS_SCORER && !subject->scorer) {
        return "the method has not learnt which classes are in an image (classify.targets)";
    }
    if (j->needs & HISS_NEEDS_TARGETS && subject->train->targets != subject->test->targets) {
        return "training and test samples have targets of different numbers of classes, or one of them has none";
    }
    return j->needs & HISS_NEEDS_MEASURER && !subject->measurer ? "the method has none" : NULL;
}

/* The judgement as the evaluation holds it. */
static judged *judged_of(const hiss_judgement *j, hiss_evaluation *e) {
    judged *out = eval_evaluation_judged(e, j->name);
    assert(out && "MAX_JUDGED");
    out->title = j->title;
    out->baseline = j->baseline;
    return out;
}

static hiss_status run(const hiss_judgement *j, hiss_evaluation *e, const hiss_eval_env *env,
                       const hiss_eval_options *options, const hiss_subject *subject, judged_subject *out,
                       hiss_error *err) {
    hiss_record record = {e, judged_of(j, e), out, NULL};
    const char *why = missing(j, subject);
    if (why) {
        hiss_record_leave_out(&record, why);
        return HISS_OK;
    }
    const double start = hiss_seconds();
    const hiss_status s = j->run(env, options, subject, &record, err);
    if (record.main) {
        hiss_info("%s: %s after %.1f s", subject->name, record.main, hiss_seconds() - start);
    }
    return s;
}

hiss_status hiss_evaluation_judge(hiss_evaluation *e, const hiss_eval_env *env, const hiss_eval_options *options,
                                  const hiss_subject *subject, hiss_error *err) {
    const double start = hiss_seconds();
    judged_subject *out = eval_evaluation_subject(e, subject->name);
    out->D = subject->test ? subject->test->D : 0;
    out->train = subject->test ? subject->train->n : 0;
    out->test = subject->test ? subject->test->n : 0;
    out->classes = subject->test ? subject->train->classes : 0;
    hiss_status s = HISS_OK;
    for (const hiss_judgement *const *j = hiss_judgements(); *j && s == HISS_OK; j++) {
        if (wanted(*j, options)) {
            judged_of(*j, e);
            s = judges(*j, subject) ? run(*j, e, env, options, subject, out, err) : s;
        }
    }
    out->seconds = hiss_seconds() - start;
    hiss_info("%s: done in %.1f s", subject->name, out->seconds);
    return s;
}
