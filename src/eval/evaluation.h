/* What an evaluation holds; shared by the files that run, print, write, read and show it. */
#ifndef EVAL_EVALUATION_H
#define EVAL_EVALUATION_H

#include "hiss/judge.h"

enum { MAX_JUDGED = 32, MAX_PICTURES = 32 };

typedef struct column { /* of one judgement: a number, for all subjects */
    const char *name, *group, *heading, *unit;
    hiss_form form;
    bool main;
    double baseline;
    int64_t samples;
} column;

typedef struct text_list {
    const char *text;
    struct text_list *next;
} text_list;

typedef struct judged {                  /* one judgement, for all subjects */
    const char *name, *title, *baseline; /* baseline: NULL */
    int columns;
    column column[HISS_MAX_NUMBERS];
    text_list *remarks;
    const char *left_out; /* why; NULL: it is not */
} judged;

typedef struct judged_subject {
    const char *name;
    int64_t D, train, test, classes; /* D 0: no features */
    double seconds;
    double value[MAX_JUDGED][HISS_MAX_NUMBERS], spread[MAX_JUDGED][HISS_MAX_NUMBERS]; /* NAN: none */
    bool has[MAX_JUDGED];
    struct judged_subject *next;
} judged_subject;

struct hiss_evaluation {
    hiss_arena *arena;
    const char *samples;
    int64_t classes;
    const char **class_name; /* [classes] */
    int judgements;
    judged judged[MAX_JUDGED];
    judged_subject *subjects, *last;
    int pictures;
    hiss_picture picture[MAX_PICTURES];
};

/* The one of a name, made when it is new; NULL when there is no room. */
judged *eval_evaluation_judged(hiss_evaluation *e, const char *name);
column *eval_judged_column(hiss_evaluation *e, judged *j, const char *name);
judged_subject *eval_evaluation_subject(hiss_evaluation *e, const char *name);
void eval_judged_remark(hiss_evaluation *e, judged *j, const char *text);

/* The columns of table `first` on: how many have its group; 0 when first is a detail or past the end. */
int eval_judged_table(const judged *j, int first);
/* A value as tables have it, with its spread if there is one ("68.82 ± 0.61"); "-" when it is none. */
enum { NUMBER_TEXT = HISS_FORM_TEXT };
void eval_number_text(const column *c, double value, double spread, char out[NUMBER_TEXT]);
/* The value as eval.json has it. */
void eval_evaluation_number(FILE *file, hiss_form form, double value);
/* "heading (unit)" */
void eval_heading_text(const column *c, char out[NUMBER_TEXT]);
/* What the numbers of a table are taken over, and their baseline: "10000 samples; baseline (...) 10.00 %". */
void eval_table_note(const judged *j, int first, int count, char *out, size_t size);

/* What a judgement gets to write its numbers, remarks and pictures to. */
struct hiss_record {
    hiss_evaluation *evaluation;
    judged *judged;
    judged_subject *subject;
    const char *main; /* a number to log; NULL: none */
};

#endif
