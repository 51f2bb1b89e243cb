/* check_trace FILE: whether a file keeps to the Trace Event Format (JSON), as far as hiss writes it; reads it by itself.
 *
 * Every event has the fields that its kind must have and no unknown ones; processes and threads have names, each once;
 * spans of a thread lie one in another or apart; what is in flight begins and ends in turn. Prints a line
 * "RANK CATEGORY COUNT MICROSECONDS" for each category of each rank, and "hidden RANK PERCENT": the share of the time
 * from a step's first bucket to its last in which the main thread did not wait for them, summed over steps. Exit 1 and
 * a line when something is wrong. */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"

enum { WORD = 128, MOST_THREADS = 4096 };

typedef struct event {
    char ph[WORD], name[WORD], cat[WORD], id[WORD];
    int64_t pid, tid, ts, dur; /* ns; -1: absent */
} event;

static const char *text, *at;
static event *events;
static int64_t count, capacity;
static struct { int64_t pid, tid; } named[MOST_THREADS];
static int threads;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
    int64_t line = 1;
    for (const char *c = text; c < at; c++) {
        line += *c == '\n';
    }
    va_list arguments;
    va_start(arguments, format);
    printf("check_trace: line %lld: ", (long long)line);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    exit(1);
}

/* ---- JSON ---- */

static void blanks(void) {
    while (isspace((unsigned char)*at)) {
        at++;
    }
}

static bool take(char c) {
    blanks();
    if (*at != c) {
        return false;
    }
    at++;
    return true;
}

static void expect(char c) {
    blanks();
    if (*at != c) {
        fail("expected '%c', found '%.10s'", c, at);
    }
    at++;
}

static void string(char out[WORD]) {
    int n = 0;
    for (expect('"'); *at != '"'; at++) {
        at += *at == '\\';
        if ((unsigned char)*at < ' ' || n + 1 >= WORD) {
            fail("a string that does not end, or is long");
        }
        out[n++] = *at;
    }
    out[n] = 0;
    at++;
}

static double number(void) {
    char *end;
    blanks();
    if (*at != '-' && !isdigit((unsigned char)*at)) {
        fail("expected a number, found '%.10s'", at);
    }
    const double value = strtod(at, &end);
    at = end;
    return value;
}

/* An object of strings and numbers. */
static void flat(void) {
    char key[WORD];
    expect('{');
    do {
        string(key);
        expect(':');
        blanks();
        if (*at == '"') {
            string(key);
        } else {
            number();
        }
    } while (take(','));
    expect('}');
}

/* ---- events ---- */

/* Microseconds, as nanoseconds. */
static int64_t time_of(void) {
    const double us = number();
    if (us < 0.0) {
        fail("a time before 0");
    }
    return (int64_t)(1e3 * us + 0.5);
}

static void id_of(event *e) {
    char key[WORD];
    expect('{');
    string(key);
    expect(':');
    string(e->id);
    expect('}');
    if (strcmp(key, "local") != 0) {
        fail("id2.%s", key);
    }
}

static event read_event(void) {
    event e = {.pid = -1, .tid = -1, .ts = -1, .dur = -1};
    char key[WORD];
    expect('{');
    do {
        string(key);
        expect(':');
        if (strcmp(key, "ph") == 0) {
            string(e.ph);
        } else if (strcmp(key, "name") == 0) {
            string(e.name);
        } else if (strcmp(key, "cat") == 0) {
            string(e.cat);
        } else if (strcmp(key, "pid") == 0) {
            e.pid = (int64_t)number();
        } else if (strcmp(key, "tid") == 0) {
            e.tid = (int64_t)number();
        } else if (strcmp(key, "ts") == 0) {
            e.ts = time_of();
        } else if (strcmp(key, "dur") == 0) {
            e.dur = time_of();
        } else if (strcmp(key, "id2") == 0) {
            id_of(&e);
        } else if (strcmp(key, "args") == 0) {
            flat();
        } else {
            fail("unknown field %s", key);
        }
    } while (take(','));
    expect('}');
    return e;
}

static bool has_name(const event *e) {
    for (int k = 0; k < threads; k++) {
        if (named[k].pid == e->pid && named[k].tid == e->tid) {
            return true;
        }
    }
    return false;
}

static void judge(const event *e) {
    const bool whole = strcmp(e->ph, "X") == 0, part = strcmp(e->ph, "b") == 0 || strcmp(e->ph, "e") == 0;
    if (strcmp(e->ph, "M") == 0) {
        if (e->pid < 1 || !*e->name) {
            fail("a name for nobody");
        }
        if (strcmp(e->name, "thread_name") == 0) {
            if (has_name(e) || threads == MOST_THREADS) {
                fail("thread %lld has two names", (long long)e->tid);
            }
            named[threads].pid = e->pid;
            named[threads++].tid = e->tid;
        }
        return;
    }
    if (!(whole || part) || e->pid < 1 || e->tid < 1 || e->ts < 0 || !*e->name || !*e->cat ||
        (whole != (e->dur >= 0)) || (part != (*e->id != 0))) {
        fail("not an event: ph '%s', name '%s'", e->ph, e->name);
    }
    if (!has_name(e)) {
        fail("thread %lld has no name", (long long)e->tid);
    }
    if (count == capacity) {
        event *more = hiss_new(event, capacity = 2 * capacity + 1024);
        if (count > 0) {
            memcpy(more, events, sizeof *more * (size_t)count);
        }
        hiss_free(events);
        events = more;
    }
    events[count++] = *e;
}

static void read_all(void) {
    char key[WORD];
    bool found = false;
    expect('{');
    do {
        string(key);
        expect(':');
        if (strcmp(key, "otherData") == 0) {
            flat();
        } else if (strcmp(key, "traceEvents") != 0) {
            string(key);
        } else {
            found = true;
            expect('[');
            do {
                const event e = read_event();
                judge(&e);
            } while (take(','));
            expect(']');
        }
    } while (take(','));
    expect('}');
    blanks();
    if (*at || !found) {
        fail("%s", found ? "something behind the end" : "no traceEvents");
    }
}

/* ---- what they are together ---- */

static int by_thread(const void *one, const void *other) {
    const event *a = one, *b = other;
    if (a->tid != b->tid) {
        return a->tid < b->tid ? -1 : 1;
    }
    return a->ts != b->ts ? (a->ts < b->ts ? -1 : 1) : (a->dur < b->dur) - (a->dur > b->dur);
}

static int by_flight(const void *one, const void *other) {
    const event *a = one, *b = other;
    const int cat = strcmp(a->cat, b->cat), id = strcmp(a->id, b->id);
    if (a->pid != b->pid || cat || id) {
        return a->pid != b->pid ? (a->pid < b->pid ? -1 : 1) : cat ? cat : id;
    }
    /* what begins when another ends comes after it; what takes no time begins before it ends */
    return a->ts != b->ts ? (a->ts < b->ts ? -1 : 1) : 0;
}

static int64_t part(bool whole, event *out) {
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        if ((events[i].dur >= 0) == whole) {
            out[n++] = events[i];
        }
    }
    return n;
}

static void check_nesting(event *list) {
    enum { DEEP = 64 };
    const event *open[DEEP];
    int depth = 0;
    const int64_t n = part(true, list);
    qsort(list, (size_t)n, sizeof *list, by_thread);
    for (int64_t i = 0; i < n; i++) {
        const event *e = &list[i];
        while (depth > 0 && (open[depth - 1]->tid != e->tid || open[depth - 1]->ts + open[depth - 1]->dur <= e->ts)) {
            depth--;
        }
        if (depth > 0 && e->ts + e->dur > open[depth - 1]->ts + open[depth - 1]->dur) {
            fail("'%s' at %lld ns reaches out of '%s'", e->name, (long long)e->ts, open[depth - 1]->name);
        }
        if (depth == DEEP) {
            fail("too deep");
        }
        open[depth++] = e;
    }
}

/* Pairs stand one behind the other in the file. Leaves the begins, with durations. */
static int64_t pair(event *list) {
    const int64_t n = part(false, list);
    if (n % 2) {
        fail("something is begun and not ended");
    }
    for (int64_t i = 0; i < n; i += 2) {
        event *b = &list[i], *e = &list[i + 1];
        if (strcmp(b->ph, "b") != 0 || strcmp(e->ph, "e") != 0 || by_flight(b, e) > 0 || b->pid != e->pid ||
            strcmp(b->id, e->id) != 0 || strcmp(b->name, e->name) != 0 || e->ts < b->ts) {
            fail("'%s' %s of process %lld is not begun and ended in turn", b->name, b->id, (long long)b->pid);
        }
        list[i / 2] = *b;
        list[i / 2].dur = e->ts - b->ts;
    }
    qsort(list, (size_t)(n / 2), sizeof *list, by_flight);
    for (int64_t i = 1; i < n / 2; i++) {
        const event *a = &list[i - 1], *b = &list[i];
        const bool alike = a->pid == b->pid && strcmp(a->cat, b->cat) == 0 && strcmp(a->id, b->id) == 0;
        if (alike && a->ts + a->dur > b->ts) {
            fail("'%s' %s begins again before it has ended", b->name, b->id);
        }
    }
    return n / 2;
}

static void count_categories(const event *list, int64_t n, const char *const *cats, int ncats) {
    for (int64_t pid = 1; pid < MOST_THREADS; pid++) {
        for (int c = 0; c < ncats; c++) {
            int64_t found = 0, ns = 0;
            for (int64_t i = 0; i < n; i++) {
                if (list[i].pid == pid && strcmp(list[i].cat, cats[c]) == 0) {
                    found++;
                    ns += list[i].dur;
                }
            }
            if (found > 0) {
                printf("%lld %s %lld %.3f\n", (long long)pid - 1, cats[c], (long long)found, 1e-3 * (double)ns);
            }
        }
        if (pid > 16) {
            return;
        }
    }
}

static bool lies_in(const event *inner, const event *outer) {
    return inner->pid == outer->pid && inner->ts >= outer->ts && inner->ts < outer->ts + outer->dur;
}

static void print_hidden(const event *list, int64_t n, const event *flights, int64_t nflights) {
    double flown[MOST_THREADS] = {0}, waited[MOST_THREADS] = {0};
    for (int64_t s = 0; s < n; s++) {
        if (strcmp(list[s].cat, "step") != 0 || list[s].pid >= MOST_THREADS) {
            continue;
        }
        int64_t first = INT64_MAX, last = 0;
        for (int64_t i = 0; i < nflights; i++) {
            if (strcmp(flights[i].cat, "bucket") == 0 && lies_in(&flights[i], &list[s])) {
                first = flights[i].ts < first ? flights[i].ts : first;
                last = flights[i].ts + flights[i].dur > last ? flights[i].ts + flights[i].dur : last;
            }
        }
        flown[list[s].pid] += last > first ? (double)(last - first) : 0.0;
        for (int64_t i = 0; i < n; i++) {
            if (strcmp(list[i].cat, "reduce wait") == 0 && lies_in(&list[i], &list[s])) {
                waited[list[s].pid] += (double)list[i].dur;
            }
        }
    }
    for (int pid = 1; pid < MOST_THREADS; pid++) {
        if (flown[pid] > 0.0) {
            printf("hidden %d %.2f\n", pid - 1, 100.0 * (1.0 - waited[pid] / flown[pid]));
        }
    }
}

int main(int argc, char **argv) {
    static const char *const cats[] = {"step",   "forward", "backward",    "view",     "update",
                                       "assign", "reduce",  "reduce wait", "exchange", "exchange wait",
                                       "load",   "read",    "checkpoint",  "other"};
    static const char *const flights[] = {"bucket", "message", "block"};
    FILE *in = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!in) {
        printf("usage: check_trace FILE\n");
        return 2;
    }
    fseek(in, 0, SEEK_END);
    const long size = ftell(in);
    rewind(in);
    char *bytes = hiss_new(char, size + 1);
    text = at = bytes;
    if (fread(bytes, 1, (size_t)size, in) != (size_t)size) {
        return 2;
    }
    fclose(in);
    read_all();
    event *spans = hiss_new(event, count), *flying = hiss_new(event, count);
    check_nesting(spans);
    const int64_t nspans = part(true, spans), nflying = pair(flying);
    count_categories(spans, nspans, cats, sizeof cats / sizeof *cats);
    count_categories(flying, nflying, flights, 3);
    print_hidden(spans, nspans, flying, nflying);
    hiss_free(flying);
    hiss_free(spans);
    hiss_free(events);
    hiss_free(bytes);
    return 0;
}
