/* What judgements record, and what several of them share. */
#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "eval/evaluation.h"
#include "eval/judgements/judgements.h"
#include "hiss/rng.h"

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

void eval_record_detail(hiss_record *record, const char *name, const char *heading, const char *unit, hiss_form form,
                        double value) {
    hiss_record_number(record, &(hiss_number){.name = name,
                                              .heading = heading,
                                              .unit = unit,
                                              .form = form,
                                              .value = value,
                                              .spread = (double)NAN,
                                              .baseline = (double)NAN});
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
