/* What an evaluation holds: numbers by judgement, name and subject. And what its texts and pages share. */
#include "eval/evaluation.h"

#include <math.h>
#include <string.h>

#include "hiss/table.h"

hiss_evaluation *hiss_evaluation_create(const char *samples) {
    hiss_evaluation *e = hiss_new(hiss_evaluation, 1);
    e->arena = hiss_arena_create();
    e->samples = hiss_arena_text(e->arena, samples);
    return e;
}

void hiss_evaluation_name_classes(hiss_evaluation *e, const hiss_dataset *set) {
    e->classes = hiss_dataset_classes(set);
    e->class_name = hiss_arena_alloc(e->arena, sizeof(char *) * (size_t)(e->classes + 1));
    for (int64_t c = 0; c < e->classes; c++) {
        e->class_name[c] = hiss_arena_text(e->arena, hiss_dataset_class(set, c));
    }
}

void hiss_evaluation_destroy(hiss_evaluation *e) {
    if (e) {
        hiss_arena_destroy(e->arena);
        hiss_free(e);
    }
}

judged *eval_evaluation_judged(hiss_evaluation *e, const char *name) {
    for (int k = 0; k < e->judgements; k++) {
        if (strcmp(e->judged[k].name, name) == 0) {
            return &e->judged[k];
        }
    }
    if (e->judgements == MAX_JUDGED) {
        return NULL;
    }
    e->judged[e->judgements].name = hiss_arena_text(e->arena, name);
    return &e->judged[e->judgements++];
}

column *eval_judged_column(hiss_evaluation *e, judged *j, const char *name) {
    for (int k = 0; k < j->columns; k++) {
        if (strcmp(j->column[k].name, name) == 0) {
            return &j->column[k];
        }
    }
    if (j->columns == HISS_MAX_NUMBERS) {
        return NULL;
    }
    j->column[j->columns].name = hiss_arena_text(e->arena, name);
    return &j->column[j->columns++];
}

judged_subject *eval_evaluation_subject(hiss_evaluation *e, const char *name) {
    for (judged_subject *s = e->subjects; s; s = s->next) {
        if (strcmp(s->name, name) == 0) {
            return s;
        }
    }
    judged_subject *s = hiss_arena_alloc(e->arena, sizeof *s);
    s->name = hiss_arena_text(e->arena, name);
    for (int j = 0; j < MAX_JUDGED; j++) {
        for (int k = 0; k < HISS_MAX_NUMBERS; k++) {
            s->value[j][k] = s->spread[j][k] = (double)NAN;
        }
    }
    *(e->last ? &e->last->next : &e->subjects) = s;
    e->last = s;
    return s;
}

void eval_judged_remark(hiss_evaluation *e, judged *j, const char *text) {
    text_list **link = &j->remarks;
    while (*link && strcmp((*link)->text, text) != 0) {
        link = &(*link)->next;
    }
    if (!*link) {
        *link = hiss_arena_alloc(e->arena, sizeof **link);
        (*link)->text = hiss_arena_text(e->arena, text);
    }
}

static const judged_subject *find_subject(const hiss_evaluation *e, const char *name) {
    const judged_subject *s = e->subjects;
    while (s && strcmp(s->name, name) != 0) {
        s = s->next;
    }
    return s;
}

static int find_judged(const hiss_evaluation *e, const char *name) {
    int j = 0;
    while (j < e->judgements && strcmp(e->judged[j].name, name) != 0) {
        j++;
    }
    return j < e->judgements ? j : -1;
}

bool hiss_evaluation_number(const hiss_evaluation *e, const char *subject, const char *judgement, const char *number,
                            hiss_number *out) {
    const judged_subject *s = find_subject(e, subject);
    const int j = find_judged(e, judgement);
    for (int k = 0; s && j >= 0 && k < e->judged[j].columns; k++) {
        const column *c = &e->judged[j].column[k];
        if (strcmp(c->name, number) == 0) {
            *out = (hiss_number){c->name, c->group,       c->heading,      c->unit,     c->form,
                                 c->main, s->value[j][k], s->spread[j][k], c->baseline, c->samples};
            return !isnan(out->value);
        }
    }
    return false;
}

double hiss_evaluation_value(const hiss_evaluation *e, const char *subject, const char *judgement, const char *number) {
    hiss_number found;
    return hiss_evaluation_number(e, subject, judgement, number, &found) ? found.value : (double)NAN;
}

static void join(char *out, size_t size, const char *name) {
    const size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%s", used ? ", " : "", name);
}

void hiss_evaluation_list(const hiss_evaluation *e, const char *subject, const char *judgement, char *out,
                          size_t size) {
    const judged_subject *s = subject ? find_subject(e, subject) : NULL;
    const int chosen = judgement ? find_judged(e, judgement) : -1;
    *out = '\0';
    for (const judged_subject *at = e->subjects; at && !subject; at = at->next) {
        join(out, size, at->name);
    }
    for (int j = 0; s && j < e->judgements; j++) {
        if (!judgement && s->has[j]) {
            join(out, size, e->judged[j].name);
        }
        for (int k = 0; j == chosen && k < e->judged[j].columns; k++) {
            if (!isnan(s->value[j][k])) {
                join(out, size, e->judged[j].column[k].name);
            }
        }
    }
}

bool hiss_evaluation_picture(const hiss_evaluation *e, int k, hiss_picture *out) {
    if (k >= e->pictures) {
        return false;
    }
    *out = e->picture[k];
    return true;
}

/* ---- texts ---- */

int eval_judged_table(const judged *j, int first) {
    int count = 0;
    while (first + count < j->columns && j->column[first].group && j->column[first + count].group &&
           strcmp(j->column[first].group, j->column[first + count].group) == 0) {
        count++;
    }
    return count;
}

void hiss_form_text(hiss_form form, double value, char out[HISS_FORM_TEXT]) {
    if (form == HISS_FORM_TRUTH) {
        snprintf(out, HISS_FORM_TEXT, "%s", isnan(value) ? "-" : value != 0.0 ? "yes" : "no");
    } else if (form == HISS_FORM_FIXED || form == HISS_FORM_COUNT) {
        const char *cell = HISS_NUMBER(10, form == HISS_FORM_FIXED ? 2 : 0, value);
        snprintf(out, HISS_FORM_TEXT, "%s", cell + strspn(cell, " "));
    } else {
        snprintf(out, HISS_FORM_TEXT, isnan(value) ? "-" : form == HISS_FORM_POWER ? "%.0e" : "%.4g", value);
    }
}

void eval_number_text(const column *c, double value, double spread, char out[NUMBER_TEXT]) {
    hiss_form_text(c->form, value, out);
    if (!isnan(value) && !isnan(spread)) {
        char deviation[NUMBER_TEXT];
        hiss_form_text(c->form, spread, deviation);
        const size_t used = strlen(out);
        snprintf(out + used, NUMBER_TEXT - used, " ± %.40s", deviation);
    }
}

void eval_heading_text(const column *c, char out[NUMBER_TEXT]) {
    snprintf(out, NUMBER_TEXT, *c->unit ? "%.60s (%.30s)" : "%.60s", c->heading, c->unit);
}

/* Whether the columns have one value of a property that is that of the first. */
static bool same_samples(const column *c, int count) {
    for (int k = 1; k < count; k++) {
        if (c[k].samples != c[0].samples && c[k].samples != 0) {
            return false;
        }
    }
    return true;
}

static bool same_baseline(const column *c, int count) {
    for (int k = 1; k < count; k++) {
        if (c[k].baseline != c[0].baseline) { /* NAN differs from all */
            return false;
        }
    }
    return true;
}

/* "A, B" of parts that were added one by one. */
static void add(char *out, size_t size, const char *separator, const char *text) {
    const size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%s", used ? separator : "", text);
}

static void note_samples(const column *c, int count, char *out, size_t size) {
    const bool same = same_samples(c, count);
    for (int k = 0; k < (same ? 1 : count); k++) {
        char text[2 * NUMBER_TEXT];
        if (c[k].samples > 0) {
            snprintf(text, sizeof text, "%s%s%lld samples", same ? "" : c[k].heading, same ? "" : ": ",
                     (long long)c[k].samples);
            add(out, size, ", ", text);
        }
    }
}

static void note_baseline(const column *c, int count, char *out, size_t size) {
    const bool same = same_baseline(c, count);
    for (int k = 0; k < (same ? 1 : count); k++) {
        char text[3 * NUMBER_TEXT], value[NUMBER_TEXT];
        if (!isnan(c[k].baseline)) {
            hiss_form_text(c[k].form, c[k].baseline, value);
            snprintf(text, sizeof text, "%s%s%s%s%s", same ? "" : c[k].heading, same ? "" : " ", value,
                     *c[k].unit ? " " : "", c[k].unit);
            add(out, size, ", ", text);
        }
    }
}

void eval_table_note(const judged *j, int first, int count, char *out, size_t size) {
    char baseline[512] = "";
    *out = '\0';
    note_samples(j->column + first, count, out, size);
    note_baseline(j->column + first, count, baseline, sizeof baseline);
    if (j->baseline && *baseline) {
        add(out, size, "; ", j->baseline);
        add(out, size, ": ", baseline);
    }
}
