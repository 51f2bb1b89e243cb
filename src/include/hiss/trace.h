/* Recording what threads did when: spans of time, in memory that is allocated before anything is recorded.
 *
 * A recorder is handed to those who record; one that is NULL records nothing, and every call takes it. Names and rows
 * are told first, by one thread; then any thread adds spans. Not collective. */
#ifndef HISS_TRACE_H
#define HISS_TRACE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct hiss_trace hiss_trace;

/* What a span is of, and the category that it has in files. Those of a row lie one in another or apart, but for the
 * last three, which say what was under way and have `value` to tell them apart. */
typedef enum hiss_trace_kind {
    HISS_TRACE_STEP,
    HISS_TRACE_FORWARD,
    HISS_TRACE_BACKWARD,
    HISS_TRACE_VIEW,          /* views of samples, and inputs that depend on an exchange */
    HISS_TRACE_UPDATE,        /* the optimiser */
    HISS_TRACE_ASSIGN,        /* scores, lists, solutions */
    HISS_TRACE_REDUCE,        /* moving messages of the reduction, and adding up */
    HISS_TRACE_REDUCE_WAIT,   /* after backward, until the reduction is complete */
    HISS_TRACE_EXCHANGE,      /* moving messages of an exchange */
    HISS_TRACE_EXCHANGE_WAIT, /* until a lane may go on */
    HISS_TRACE_LOAD,          /* the samples of a step */
    HISS_TRACE_READ,          /* the reading thread */
    HISS_TRACE_CHECKPOINT,    /* taking and writing one */
    HISS_TRACE_OTHER,         /* between steps */
    HISS_TRACE_BUCKET,        /* in flight: a bucket of the reduction */
    HISS_TRACE_MESSAGE,       /* in flight: what a lane has sent, until it is answered */
    HISS_TRACE_BLOCK,         /* in flight: a block that its coordinator has whole, until it answers */
    HISS_TRACE_KINDS
} hiss_trace_kind;
const char *hiss_trace_category(hiss_trace_kind kind); /* "reduce wait" */

enum { HISS_TRACE_TEXT = 48, HISS_TRACE_KEY = 8 };
typedef struct hiss_trace_name {
    char text[HISS_TRACE_TEXT];
    char value[HISS_TRACE_KEY], second[HISS_TRACE_KEY]; /* what the numbers of a span are; empty: it has none */
    hiss_trace_kind kind;
} hiss_trace_name;
typedef struct hiss_trace_row {
    char text[HISS_TRACE_TEXT];
} hiss_trace_row;

typedef struct hiss_trace_span {
    double begin, end;     /* hiss_seconds() */
    int32_t value, second; /* what the name says they are: a lane, a bucket, a step */
    int16_t name, row;
} hiss_trace_span;

hiss_trace *hiss_trace_create(int64_t room); /* for so many spans; further ones are counted and dropped. Off */
void hiss_trace_destroy(hiss_trace *t);
/* A row of the picture, "thread 0", and what spans can be called; longer texts are cut. Return their numbers, 0, 1, ...;
 * 0 without a recorder.
 *   value, second  what the numbers of such spans are, in a word; NULL: they have none */
int hiss_trace_add_row(hiss_trace *t, const char *text, int number); /* number < 0: the text alone */
int hiss_trace_add_name(hiss_trace *t, hiss_trace_kind kind, const char *text, const char *value, const char *second);

/* From now on, or from now on no more: what begins while it is on is kept, whenever it ends. One thread. */
void hiss_trace_switch(hiss_trace *t, bool on);
bool hiss_trace_on(const hiss_trace *t);
/* Add a span. Thread-safe, allocates nothing. */
void hiss_trace_add(hiss_trace *t, int row, int name, double begin, double end, int64_t value, int64_t second);

/* What there is; while it is off and nobody adds. The arrays live as long as the recorder. */
typedef struct hiss_trace_record {
    int64_t spans, dropped;
    int names, rows;
    const hiss_trace_span *span; /* [spans] in the order of their ends, but for those of several threads */
    const hiss_trace_name *name; /* [names] */
    const hiss_trace_row *row;   /* [rows] */
} hiss_trace_record;
hiss_trace_record hiss_trace_recorded(const hiss_trace *t);

#endif
