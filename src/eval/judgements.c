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
    static const hiss_judgement *const all[] = {
        &eval_judgement_knn,       &eval_judgement_linear,  &eval_judgement_few_labels,     &eval_judgement_statistics,
        &eval_judgement_neighbors, &eval_judgement_filters, &eval_judgement_reconstruction, NULL};
    return all;
}

struct hiss_record {
    hiss_evaluation *evaluation;
    judged *judged;
    judged_subject *subject;
    const char *main; /* a number to log; NULL: none */
};

void hiss_record_number(hiss_record *record, const hiss_number *number) {
    hiss_evaluation *e = record->evaluation;
    const int judgement = (int)(record->judged - e->judged);
    column *c = eval_judged_column(e, record->judged, number->name);
    assert(c && "HISS_MAX_NUMBERS");
    c->group = hiss_arena_text(e->arena, number->group);
    c->heading = hiss_arena_text(e->arena, number->heading ? number->heading : number->name);
    c->unit = hiss_arena_text(e->arena, number->unit);
    c->form = number->form;
    c->main = number->main;
    c->baseline = number->baseline;
    c->samples = number->samples;
    record->subject->has[judgement] = true;
    record->subject->value[judgement][c - record->judged->column] = number->value;
    record->subject->spread[judgement][c - record->judged->column] = number->spread;
    if (c->main && !record->main) {
        char heading[NUMBER_TEXT], text[NUMBER_TEXT];
        eval_heading_text(c, heading);
        eval_number_text(c, number->value, number->spread, text);
        record->main = hiss_arena_format(e->arena, "%s, %s: %s", c->group, heading, text);
    }
}

void hiss_record_remark(hiss_record *record, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    eval_judged_remark(record->evaluation, record->judged,
                       hiss_arena_vformat(record->evaluation->arena, format, arguments));
    va_end(arguments);
}

void hiss_record_leave_out(hiss_record *record, const char *why) {
    record->judged->left_out = hiss_arena_text(record->evaluation->arena, why);
}

void hiss_record_picture(hiss_record *record, const char *file, const char *title, const char *caption) {
    hiss_evaluation *e = record->evaluation;
    assert(e->pictures < MAX_PICTURES);
    e->picture[e->pictures++] = (hiss_picture){hiss_arena_text(e->arena, file), hiss_arena_text(e->arena, title),
                                               hiss_arena_text(e->arena, caption)};
}

/* ---- running ---- */

static bool wanted(const hiss_judgement *j, const hiss_eval_options *options) {
    return *(const bool *)((const char *)options + j->rows[0].offset);
}

static bool judges(const hiss_judgement *j, const hiss_subject *subject) {
    return (j->needs & HISS_NEEDS_LAYER && subject->test) || (j->needs & HISS_NEEDS_OUTPUT && subject->output) ||
           (j->needs & HISS_NEEDS_NETWORK && subject->model);
}

/* Why a judgement cannot be run; NULL: it can. */
static const char *missing(const hiss_judgement *j, const hiss_subject *subject) {
    if (j->needs & HISS_NEEDS_LABELS && (subject->train->classes < 1 || subject->test->classes < 1)) {
        return "needs labels, and the samples have none; name the data set of labels in data.labels";
    }
    return j->needs & HISS_NEEDS_REBUILDER && !subject->rebuilder ? "the method cannot rebuild images" : NULL;
}

static hiss_status run(const hiss_judgement *j, hiss_evaluation *e, const hiss_eval_env *env,
                       const hiss_eval_options *options, const hiss_subject *subject, judged_subject *out,
                       hiss_error *err) {
    hiss_record record = {e, eval_evaluation_judged(e, j->name), out, NULL};
    assert(record.judged && "MAX_JUDGED");
    record.judged->title = j->title;
    record.judged->baseline = j->baseline;
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
        if (wanted(*j, options) && judges(*j, subject)) {
            s = run(*j, e, env, options, subject, out, err);
        }
    }
    out->seconds = hiss_seconds() - start;
    hiss_info("%s: done in %.1f s", subject->name, out->seconds);
    return s;
}

/* ---- what judgements share ---- */

double eval_majority_percent(const hiss_eval_env *env, const hiss_features *train, const hiss_features *test) {
    int32_t *label = hiss_new(int32_t, train->n > test->n ? train->n : test->n);
    int64_t *size = hiss_new(int64_t, train->classes), best = 0, right = 0;
    hiss_features_labels(env, train, label);
    for (int64_t i = 0; i < train->n; i++) {
        size[label[i]]++;
    }
    for (int64_t c = 0; c < train->classes; c++) {
        best = size[c] > size[best] ? c : best;
    }
    hiss_features_labels(env, test, label);
    for (int64_t i = 0; i < test->n; i++) {
        right += label[i] == best;
    }
    hiss_free(label);
    hiss_free(size);
    return 100.0 * (double)right / (double)test->n;
}

void hiss_draw_shown(uint64_t seed, int64_t n, int64_t count, int64_t *index) {
    const hiss_permutation p = hiss_permutation_keyed(seed, HISS_FOR_EVALUATION, 1, 0, n);
    for (int64_t i = 0; i < count; i++) {
        index[i] = hiss_permutation_at(&p, i);
    }
}
