/* k-NN: the class most frequent among the k nearest training samples. */
#include <math.h>
#include <stddef.h>

#include "eval/judgements/judgements.h"

static const hiss_row rows[] = {
    JUDGEMENT_ROW("knn", HISS_BOOL, knn, "true", 0, 0, NULL, "k-NN by cosine and L2, k = 1, 5, 20"),
};

static const char *const metric_names[HISS_METRICS] = {"cosine", "l2"};
static const char *const group_names[HISS_METRICS] = {"k-NN by cosine", "k-NN by L2"};

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)options;
    (void)err;
    const hiss_knn_result result = hiss_knn(env, subject->train, subject->test);
    const double baseline = eval_majority_percent(env, subject->train, subject->test);
    for (int m = 0; m < HISS_METRICS; m++) {
        for (int j = 0; j < HISS_KNN_KS; j++) {
            char name[32], heading[32];
            snprintf(name, sizeof name, "%s.%lld", metric_names[m], (long long)hiss_knn_ks[j]);
            snprintf(heading, sizeof heading, "k = %lld", (long long)hiss_knn_ks[j]);
            hiss_record_number(record, &(hiss_number){.name = name,
                                                      .group = group_names[m],
                                                      .heading = heading,
                                                      .unit = "%",
                                                      .main = m == HISS_COSINE && hiss_knn_ks[j] == 5,
                                                      .value = result.percent[m][j],
                                                      .spread = (double)NAN,
                                                      .baseline = baseline,
                                                      .samples = subject->test->n});
        }
    }
    return HISS_OK;
}

const hiss_judgement eval_judgement_knn = {
    .name = "knn",
    .title = "Nearest neighbours vote on the class",
    .baseline = "always the most frequent class",
    .needs = HISS_NEEDS_LAYER | HISS_NEEDS_LABELS,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
