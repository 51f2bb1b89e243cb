/* A recorder of spans: one array, filled from the front by an atomic counter, and nothing else that threads share.
 *
 * What finds no place is counted. So a record is complete up to some time and empty after it, which keeps its steps
 * whole; a ring would keep the last steps, but cut the first of them, at another place on every rank.
 *
 * Cost of a span: an atomic addition and 32 bytes. */
#include "hiss/trace.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/clock.h"

enum { MOST_NAMES = INT16_MAX };

struct hiss_trace {
    _Atomic double until; /* spans that begin before it are kept; INFINITY while it is on */
    _Atomic int64_t count;
    int64_t room;
    hiss_trace_span *span; /* [room] */
    int names, rows, name_room, row_room;
    hiss_trace_name *name;
    hiss_trace_row *row;
};

const char *hiss_trace_category(hiss_trace_kind kind) {
    static const char *const words[HISS_TRACE_KINDS] = {
        "step",          "forward", "backward", "view",       "update", "assign", "reduce",  "reduce wait", "exchange",
        "exchange wait", "load",    "read",     "checkpoint", "other",  "bucket", "message", "block"};
    return words[kind];
}

hiss_trace *hiss_trace_create(int64_t room) {
    hiss_trace *t = hiss_new(hiss_trace, 1);
    t->room = room;
    t->span = hiss_new(hiss_trace_span, room);
    atomic_store(&t->until, -(double)INFINITY);
    return t;
}

void hiss_trace_destroy(hiss_trace *t) {
    if (t) {
        hiss_free(t->row);
        hiss_free(t->name);
        hiss_free(t->span);
        hiss_free(t);
    }
}

/* An array with room for one more. */
static void *grown(void *old, int count, int *room, size_t size) {
    if (count < *room) {
        return old;
    }
    *room = 2 * *room + 16;
    void *more = hiss_alloc(size * (size_t)*room);
    if (count > 0) {
        memcpy(more, old, size * (size_t)count);
    }
    hiss_free(old);
    return more;
}

int hiss_trace_add_row(hiss_trace *t, const char *text, int number) {
    if (!t) {
        return 0;
    }
    assert(t->rows < MOST_NAMES);
    t->row = grown(t->row, t->rows, &t->row_room, sizeof *t->row);
    if (number < 0) {
        snprintf(t->row[t->rows].text, HISS_TRACE_TEXT, "%s", text);
    } else {
        snprintf(t->row[t->rows].text, HISS_TRACE_TEXT, "%.32s %d", text, number);
    }
    return t->rows++;
}

int hiss_trace_add_name(hiss_trace *t, hiss_trace_kind kind, const char *text, const char *value, const char *second) {
    if (!t) {
        return 0;
    }
    assert(t->names < MOST_NAMES);
    t->name = grown(t->name, t->names, &t->name_room, sizeof *t->name);
    hiss_trace_name *name = &t->name[t->names];
    snprintf(name->text, HISS_TRACE_TEXT, "%s", text);
    snprintf(name->value, HISS_TRACE_KEY, "%s", value ? value : "");
    snprintf(name->second, HISS_TRACE_KEY, "%s", second ? second : "");
    name->kind = kind;
    return t->names++;
}

void hiss_trace_switch(hiss_trace *t, bool on) {
    if (t && on != hiss_trace_on(t)) {
        atomic_store(&t->until, on ? (double)INFINITY : hiss_seconds());
    }
}

bool hiss_trace_on(const hiss_trace *t) {
    return t && atomic_load_explicit(&t->until, memory_order_relaxed) == (double)INFINITY;
}

void hiss_trace_add(hiss_trace *t, int row, int name, double begin, double end, int64_t value, int64_t second) {
    if (!t || begin >= atomic_load_explicit(&t->until, memory_order_relaxed)) {
        return;
    }
    assert(value >= INT32_MIN && value <= INT32_MAX && second >= INT32_MIN && second <= INT32_MAX && end >= begin);
    const int64_t at = atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    if (at < t->room) {
        t->span[at] = (hiss_trace_span){begin, end, (int32_t)value, (int32_t)second, (int16_t)name, (int16_t)row};
    }
}

hiss_trace_record hiss_trace_recorded(const hiss_trace *t) {
    const int64_t count = atomic_load(&t->count), spans = count < t->room ? count : t->room;
    return (hiss_trace_record){.spans = spans,
                               .dropped = count - spans,
                               .names = t->names,
                               .rows = t->rows,
                               .span = t->span,
                               .name = t->name,
                               .row = t->row};
}
