/* What a method that classifies says itself of test samples: its output are scores of classes. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"

enum { MOST_CLASSES = 40, TOP = 5 }; /* classes whose average precision has a number of its own */

static const hiss_row rows[] = {
    JUDGEMENT_ROW("classification", HISS_BOOL, classification, "true", 0, 0, NULL,
                  "what a method that classifies says of test samples: top-1, top-5, average precision"),
};

void eval_record_precisions(hiss_record *record, const hiss_precisions *p, const char *group, int64_t samples) {
    const struct {
        const char *name, *heading;
        double value;
    } means[] = {{"map", "area", p->mean.area}, {"map_11", "11 points", p->mean.eleven}};
    for (int k = 0; k < HISS_COUNT(means) && p->judged > 0; k++) {
        hiss_record_number(record, &(hiss_number){.name = means[k].name,
                                                  .group = group,
                                                  .heading = means[k].heading,
                                                  .unit = "%",
                                                  .main = k == 0,
                                                  .value = 100.0 * means[k].value,
                                                  .spread = (double)NAN,
                                                  .baseline = k == 0 ? 100.0 * p->prior : (double)NAN,
                                                  .samples = samples});
    }
    for (int64_t c = 0; c < p->classes && p->classes <= MOST_CLASSES; c++) {
        char name[32], heading[64];
        snprintf(name, sizeof name, "class.%lld", (long long)c);
        snprintf(heading, sizeof heading, "area, class %lld", (long long)c);
        if (!isnan(p->each[c].area)) {
            hiss_record_number(record, &(hiss_number){.name = name,
                                                      .heading = heading,
                                                      .unit = "%",
                                                      .value = 100.0 * p->each[c].area,
                                                      .spread = (double)NAN,
                                                      .baseline = (double)NAN});
        }
    }
    if (p->judged < p->classes) {
        hiss_record_remark(record, "%lld of %lld classes have a test sample; the means are over these",
                           (long long)p->judged, (long long)p->classes);
    }
}

/* Samples of f whose label is among the `top` highest scores; equal ones in the order of classes. Collective. */
static int64_t count_top(const hiss_eval_env *env, const hiss_features *f, int64_t top) {
    int64_t right = 0;
    for (int64_t i = 0; i < (f->end - f->first) * HISS_TILE; i++) {
        const float *score = f->rows + i * f->D;
        const int32_t label = f->label[i];
        int64_t before = 0;
        const bool known = label >= 0 && label < f->D; /* one of a class that was not learnt is wrong */
        for (int64_t c = 0; known && c < f->D; c++) {
            before += score[c] > score[label] || (score[c] == score[label] && c < label);
        }
        right += known && before < top;
    }
    return (int64_t)hiss_comm_sum(env->comm, (double)right);
}

static void record_top(hiss_record *record, const char *name, const char *heading, double percent, double baseline,
                       int64_t samples) {
    hiss_record_number(record, &(hiss_number){.name = name,
                                              .group = "the label is among the highest scores",
                                              .heading = heading,
                                              .unit = "%",
                                              .main = strcmp(name, "top_1") == 0,
                                              .value = percent,
                                              .spread = (double)NAN,
                                              .baseline = baseline,
                                              .samples = samples});
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)options;
    (void)err;
    const hiss_features *f = subject->test;
    const bool labels = f->classes > 0 && subject->train->classes <= f->D, targets = f->targets == f->D;
    if (labels && subject->others) {
        hiss_record_leave_out(record, "the classes of the training samples are not those that the run has learnt; name "
                                      "samples of the same classes in eval.train");
        return HISS_OK;
    }
    if (labels) {
        const double samples = (double)f->n, D = (double)f->D;
        record_top(record, "top_1", "top 1", 100.0 * (double)count_top(env, f, 1) / samples, 100.0 / D, f->n);
        if (f->D > TOP) {
            record_top(record, "top_5", "top 5", 100.0 * (double)count_top(env, f, TOP) / samples, 100.0 * TOP / D,
                       f->n);
        }
    }
    if (targets) {
        hiss_precisions p = hiss_precisions_of(env, f);
        eval_record_precisions(record, &p, "mean average precision", f->n);
        hiss_precisions_destroy(&p);
    }
    if (!labels && !targets) {
        hiss_record_leave_out(record,
                              "the test samples have neither labels nor targets of the classes that are scored");
    }
    return HISS_OK;
}

const hiss_judgement eval_judgement_classification = {
    .name = "classification",
    .title = "Classification by the network itself",
    .baseline = "scores that know nothing",
    .needs = HISS_NEEDS_LAYER | HISS_NEEDS_SCORES,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
