/* A sheet of test images with their nearest training images, by the output of the trained network: hiss query draws
 * others. */
#include <math.h>
#include <stddef.h>

#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"

enum { QUERIES = 12, NEIGHBORS = 8 };

static const hiss_row rows[] = {
    JUDGEMENT_ROW("neighbors", HISS_BOOL, neighbors, "true", 0, 0, NULL,
                  "draw test images with their nearest training images, by the network's output"),
};

/* Share of the neighbours shown that have their query's label. */
static double right_percent(const hiss_eval_env *env, const hiss_subject *subject, int64_t count, const int64_t *index,
                            const hiss_neighbor *nearest) {
    int32_t *bank = hiss_new(int32_t, subject->train->n), *asked = hiss_new(int32_t, subject->test->n);
    int64_t right = 0, shown = 0;
    hiss_features_labels(env, subject->train, bank);
    hiss_features_labels(env, subject->test, asked);
    for (int64_t i = 0; i < count * NEIGHBORS; i++) {
        if (nearest[i].index >= 0) {
            shown++;
            right += bank[nearest[i].index] == asked[index[i / NEIGHBORS]];
        }
    }
    hiss_free(bank);
    hiss_free(asked);
    return 100.0 * (double)right / (double)shown;
}

static hiss_status draw(const hiss_eval_env *env, const hiss_subject *subject, int64_t count, const int64_t *index,
                        const hiss_neighbor *nearest, hiss_error *err) {
    char path[4096];
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(env->comm) == 0) {
        snprintf(path, sizeof path, "%s/neighbors.png", subject->directory);
        s = hiss_sheet_write(path, subject->queries, subject->bank, count, index, NEIGHBORS, nearest, err);
    }
    return hiss_comm_agree(env->comm, s, err);
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)options;
    const int64_t n = subject->test->n, count = n < QUERIES ? n : QUERIES;
    const bool labelled = subject->train->classes > 0 && subject->test->classes > 0;
    int64_t index[QUERIES];
    hiss_neighbor nearest[QUERIES * NEIGHBORS];
    if (!subject->directory || !subject->bank || !subject->queries) {
        hiss_record_leave_out(record, "there is no place for pictures");
        return HISS_OK;
    }
    hiss_draw_shown(env->seed, n, count, index);
    hiss_features_retrieve(env, subject->train, subject->test, false, count, index, NEIGHBORS, HISS_COSINE, nearest);
    if (labelled) {
        hiss_record_number(record, &(hiss_number){.name = "shown_percent",
                                                  .heading = "of the label of their query",
                                                  .unit = "%",
                                                  .value = right_percent(env, subject, count, index, nearest),
                                                  .spread = (double)NAN,
                                                  .baseline = (double)NAN,
                                                  .samples = count});
    }
    const hiss_status s = draw(env, subject, count, index, nearest, err);
    char caption[256];
    snprintf(caption, sizeof caption,
             "%lld test images, drawn by seed, at the left of their %d nearest training images by cosine of %s.%s",
             (long long)count, NEIGHBORS, subject->name,
             labelled ? " Green frames: the same label; red ones: another." : "");
    hiss_record_picture(record, "neighbors.png", "Nearest neighbours", caption);
    return s;
}

const hiss_judgement eval_judgement_neighbors = {
    .name = "neighbors",
    .title = "Nearest neighbours",
    .needs = HISS_NEEDS_OUTPUT,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
