/* The filters of the first convolution. */
#include <stddef.h>

#include "eval/judgements/judgements.h"

static const char layer[] = "conv1/weight";

static const hiss_row rows[] = {
    JUDGEMENT_ROW("filters", HISS_BOOL, filters, "true", 0, 0, NULL, "draw the filters of layer conv1"),
};

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)options;
    char path[4096], caption[256];
    const int first = hiss_model_find(subject->model, layer);
    if (first < 0 || !subject->directory) {
        hiss_record_leave_out(record, first < 0 ? "the network has no layer conv1" : "there is no place for pictures");
        return HISS_OK;
    }
    const hiss_slot *slot = hiss_model_at(subject->model, first);
    const int64_t *d = slot->shape.dim;
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(env->comm) == 0) {
        snprintf(path, sizeof path, "%s/filters.png", subject->directory);
        s = hiss_filters_write(path, d[0], d[1], d[2], d[3], subject->vector + slot->offset, err);
    }
    snprintf(caption, sizeof caption,
             "%lld filters of conv1, %lld x %lld pixels of %lld channels, each stretched to its "
             "own minimum and maximum.",
             (long long)d[0], (long long)d[1], (long long)d[2], (long long)d[3]);
    hiss_record_picture(record, "filters.png", "First-layer filters", caption);
    return hiss_comm_agree(env->comm, s, err);
}

const hiss_judgement eval_judgement_filters = {
    .name = "filters",
    .title = "First-layer filters",
    .needs = HISS_NEEDS_NETWORK,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
