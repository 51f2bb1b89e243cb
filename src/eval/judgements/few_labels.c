/* Probes that see few labels, over several draws of them. */
#include <math.h>
#include <stddef.h>

#include "eval/judgements/judgements.h"

enum { MANY_LABELS = 1000, DRAWS_OF_MANY = 3, MAIN_LABELS = 10 };

static const hiss_row rows[] = {
    JUDGEMENT_ROW("few_labels", HISS_BOOL, few_labels, "true", 0, 0, NULL,
                  "linear probe and 5-NN from 10, 100, 1000 labels per class"),
    JUDGEMENT_ROW("draws", HISS_INT, draws, "5", 1, 1000, NULL, "random draws of few labels (at most 3 of 1000)"),
};

typedef struct size_record {
    hiss_record *record;
    long long labels; /* per class */
    char group[64];
    double baseline;
    int64_t samples;
} size_record;

static void record_accuracy(const size_record *r, const char *what, const char *heading, double mean, double spread) {
    char name[48];
    snprintf(name, sizeof name, "%lld.%s", r->labels, what);
    hiss_record_number(r->record, &(hiss_number){.name = name,
                                                 .group = r->group,
                                                 .heading = heading,
                                                 .unit = "%",
                                                 .main = r->labels == MAIN_LABELS && *what == 'l',
                                                 .value = mean,
                                                 .spread = spread,
                                                 .baseline = r->baseline,
                                                 .samples = r->samples});
}

static void record_count(const size_record *r, const char *what, const char *unit, int64_t count) {
    char name[48], heading[64];
    snprintf(name, sizeof name, "%lld.%s", r->labels, what);
    snprintf(heading, sizeof heading, "%lld labels per class: %s", r->labels, what);
    hiss_record_number(r->record, &(hiss_number){.name = name,
                                                 .heading = heading,
                                                 .unit = unit,
                                                 .form = HISS_FORM_COUNT,
                                                 .value = (double)count,
                                                 .spread = (double)NAN,
                                                 .baseline = (double)NAN});
}

static void record_size(const size_record *r, const char *subject, const hiss_few_result *few) {
    record_accuracy(r, "linear", "linear", few->linear, few->linear_spread);
    record_accuracy(r, "knn5", "5-NN", few->knn, few->knn_spread);
    record_count(r, "draws", "", few->draws);
    record_count(r, "unconverged", "fits", few->unconverged);
    hiss_record_remark(r->record, "%lld labels per class: mean and standard deviation of %lld draws", r->labels,
                       (long long)few->draws);
    if (few->unconverged > 0) {
        hiss_record_remark(r->record,
                           "probes of %s from %lld labels per class: %lld not converged; a larger eval.iterations lets "
                           "them go on",
                           subject, r->labels, (long long)few->unconverged);
    }
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)err;
    size_record r = {.record = record,
                     .baseline = eval_majority_percent(env, subject->train, subject->test),
                     .samples = subject->test->n};
    bool any = false;
    int64_t draws[HISS_FEW_SIZES];
    hiss_few_result results[HISS_FEW_SIZES];
    for (int i = 0; i < HISS_FEW_SIZES; i++) {
        const bool many = hiss_few_sizes[i] >= MANY_LABELS && options->draws > DRAWS_OF_MANY;
        draws[i] = many ? DRAWS_OF_MANY : options->draws;
    }
    hiss_few_labels(env, subject->train, subject->test, HISS_FEW_SIZES, hiss_few_sizes, draws, options->iterations,
                    results);
    for (int i = 0; i < HISS_FEW_SIZES; i++) {
        const hiss_few_result few = results[i];
        r.labels = (long long)hiss_few_sizes[i];
        snprintf(r.group, sizeof r.group, "%lld labels per class", r.labels);
        if (few.draws > 0) {
            record_size(&r, subject->name, &few);
            any = true;
        }
    }
    if (!any) {
        hiss_record_leave_out(record, "the training samples are fewer than 10 per class");
    }
    return HISS_OK;
}

const hiss_judgement eval_judgement_few_labels = {
    .name = "few_labels",
    .title = "Probes from few labels",
    .baseline = "always the most frequent class",
    .needs = HISS_NEEDS_LAYER | HISS_NEEDS_LABELS,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
