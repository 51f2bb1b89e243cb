/* An evaluation as text: a table per judgement, whose columns are what was recorded. */
#include <math.h>
#include <string.h>

#include "eval/evaluation.h"
#include "hiss/table.h"

enum { LEAST_WIDTH = 6, MOST_WIDTH = 60, NOTE = 1024 };

/* Columns of a terminal. */
static int width_of(const char *text) {
    int width = 0;
    for (; *text; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

static void print_right(FILE *stream, int width, const char *text) {
    const int gap = width - width_of(text);
    fprintf(stream, "%*s%s", gap > 0 ? gap : 0, "", text);
}

typedef struct layout {
    int name, D; /* widths */
    int column[HISS_MAX_NUMBERS];
} layout;

static bool in_table(const judged *j, int k) {
    return j->column[k].group != NULL;
}

/* A table is as wide as what stands in it; a group's head that is wider widens its first column. */
static void lay_out(const hiss_evaluation *e, int judgement, layout *l) {
    const judged *j = &e->judged[judgement];
    char text[NUMBER_TEXT];
    *l = (layout){.name = (int)strlen("features"), .D = LEAST_WIDTH};
    for (int k = 0; k < j->columns; k++) {
        eval_heading_text(&j->column[k], text);
        l->column[k] = width_of(text) > LEAST_WIDTH ? width_of(text) : LEAST_WIDTH;
    }
    for (const judged_subject *s = e->subjects; s; s = s->next) {
        if (!s->has[judgement]) {
            continue;
        }
        l->name = width_of(s->name) > l->name ? width_of(s->name) : l->name;
        snprintf(text, sizeof text, "%lld", (long long)s->D);
        l->D = width_of(text) > l->D ? width_of(text) : l->D;
        for (int k = 0; k < j->columns; k++) {
            eval_number_text(&j->column[k], s->value[judgement][k], s->spread[judgement][k], text);
            l->column[k] = width_of(text) > l->column[k] ? width_of(text) : l->column[k];
        }
    }
    for (int k = 0; k < j->columns; k++) {
        const int count = eval_judged_table(j, k);
        int width = -2;
        for (int i = k; i < k + count; i++) {
            width += l->column[i] + 2;
        }
        if (count > 0) {
            const int wanted = width_of(j->column[k].group);
            l->column[k] += wanted > width ? wanted - width : 0;
            k += count - 1;
        }
    }
}

/* Columns [first, end) that fit a page: whole groups, one at least. */
static int page_end(const judged *j, const layout *l, int first) {
    int width = l->name + 1 + l->D, end = first;
    while (end < j->columns) {
        const int count = eval_judged_table(j, end), next = end + (count > 0 ? count : 1);
        for (int i = end; i < next; i++) {
            width += in_table(j, i) ? l->column[i] + 2 : 0;
        }
        if (end > first && width > HISS_PAGE) {
            break;
        }
        end = next;
    }
    return end;
}

static void print_heads(FILE *stream, const judged *j, const layout *l, int first, int end) {
    fprintf(stream, "%*s %*s", l->name, "", l->D, "");
    for (int k = first; k < end; k++) {
        const int count = eval_judged_table(j, k);
        int width = -2;
        for (int i = k; i < k + count; i++) {
            width += l->column[i] + 2;
        }
        if (count > 0) {
            const int after = width - width_of(j->column[k].group);
            fprintf(stream, "  %s%*s", j->column[k].group, after > 0 ? after : 0, "");
            k += count - 1;
        }
    }
    fprintf(stream, "\n%-*s %*s", l->name, "features", l->D, "D");
    for (int k = first; k < end; k++) {
        char text[NUMBER_TEXT];
        eval_heading_text(&j->column[k], text);
        if (in_table(j, k)) {
            fputs("  ", stream);
            print_right(stream, l->column[k], text);
        }
    }
    fputc('\n', stream);
}

static void print_row(FILE *stream, const judged *j, int judgement, const layout *l, const judged_subject *s, int first,
                      int end) {
    char text[NUMBER_TEXT];
    fprintf(stream, "%s%*s", s->name, l->name - width_of(s->name) + 1, "");
    snprintf(text, sizeof text, s->D > 0 ? "%lld" : "-", (long long)s->D);
    print_right(stream, l->D, text);
    for (int k = first; k < end; k++) {
        if (in_table(j, k)) {
            eval_number_text(&j->column[k], s->value[judgement][k], s->spread[judgement][k], text);
            fputs("  ", stream);
            print_right(stream, l->column[k], text);
        }
    }
    fputc('\n', stream);
}

/* What each group is taken over; said once where it is the same for all. */
static void print_notes(FILE *stream, const judged *j) {
    char note[NOTE], last[NOTE] = "";
    for (int k = 0; k < j->columns; k++) {
        const int count = eval_judged_table(j, k);
        if (count > 0) {
            eval_table_note(j, k, count, note, sizeof note);
            if (*note && strcmp(note, last) != 0) {
                hiss_text_print_wrapped(stream, HISS_PAGE, note);
                snprintf(last, sizeof last, "%s", note);
            }
            k += count - 1;
        }
    }
}

/* A table of the columns [first, end). */
static void print_columns(FILE *stream, const hiss_evaluation *e, int judgement, const layout *l, int first, int end) {
    const judged *j = &e->judged[judgement];
    bool any = false;
    for (int k = first; k < end; k++) {
        any = any || in_table(j, k);
    }
    if (any) {
        print_heads(stream, j, l, first, end);
    }
    for (const judged_subject *s = e->subjects; s; s = s->next) {
        if (any && s->has[judgement]) {
            print_row(stream, j, judgement, l, s, first, end);
        }
    }
}

static void print_judged(FILE *stream, const hiss_evaluation *e, int judgement) {
    const judged *j = &e->judged[judgement];
    bool any = false;
    layout l;
    lay_out(e, judgement, &l);
    for (int k = 0; k < j->columns; k++) {
        any = any || in_table(j, k);
    }
    for (int first = 0; any && first < j->columns; first = page_end(j, &l, first)) {
        print_columns(stream, e, judgement, &l, first, page_end(j, &l, first));
    }
    print_notes(stream, j);
    for (const text_list *r = j->remarks; r; r = r->next) {
        hiss_text_print_wrapped(stream, HISS_PAGE, r->text);
    }
    if (any || j->remarks) {
        fputc('\n', stream);
    }
}

void hiss_evaluation_print(FILE *stream, const hiss_evaluation *e) {
    for (int j = 0; j < e->judgements; j++) {
        print_judged(stream, e, j);
    }
    for (const judged_subject *s = e->subjects; s; s = s->next) {
        if (s->D > 0) {
            fprintf(stream, "trained on %lld samples, tested on %lld", (long long)s->train, (long long)s->test);
            fprintf(stream, s->classes > 0 ? ", %lld classes\n" : ", no labels\n", (long long)s->classes);
            break;
        }
    }
    fputs(e->samples, stream);
    for (int j = 0; j < e->judgements; j++) {
        if (e->judged[j].left_out) {
            fprintf(stream, "left out: %s: %s\n", e->judged[j].name, e->judged[j].left_out);
        }
    }
}
