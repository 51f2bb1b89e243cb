/* The trace of a run: from the first step to the file.
 *
 * Every rank records by its own clock. Rank 0's is the common one: before the first step and after the last each rank
 * finds out how far it is ahead (hiss_comm_clock), and a straight line through the two, offset and drift, brings its
 * times to rank 0's. Ranks of rank 0's own machine read the same clock, and need no correction. Ranks send their spans one after another, so rank 0 holds those of one rank beside its own.
 *
 * The loop pays for a span with an addition and 32 bytes (trace.c), and nothing is allocated in it. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/watch.h"
#include "train/trace_impl.h"
#include "train/trainer.h"

enum { ROUNDS = 50, PATH_TEXT = 4096 };
static const double brief = 2e-6; /* seconds */

typedef struct reading { /* of clocks, at a time of this rank's own */
    double at;
    hiss_clock_offset offset;
} reading;

struct tracing {
    reading begin, end;
    int writer;    /* row */
    int64_t first; /* step of this process */
};

/* ---- names and rows ---- */

static void add_names(hiss_trace *trace) {
    static const struct {
        hiss_trace_kind kind;
        const char *text, *value;
    } table[TRACED_NAMES] = {
        [TRACED_STEP] = {HISS_TRACE_STEP, "step", "step"},
        [TRACED_LOAD] = {HISS_TRACE_LOAD, "load", "step"},
        [TRACED_VIEW] = {HISS_TRACE_VIEW, "views", NULL},
        [TRACED_SUPPLY] = {HISS_TRACE_VIEW, "supply", NULL},
        [TRACED_BEGIN] = {HISS_TRACE_EXCHANGE, "begin exchange", "step"},
        [TRACED_ARRIVE] = {HISS_TRACE_EXCHANGE, "arrive", "lane"},
        [TRACED_MESSAGES] = {HISS_TRACE_EXCHANGE, "messages", NULL},
        [TRACED_WAIT] = {HISS_TRACE_EXCHANGE_WAIT, "wait for a lane", NULL},
        [TRACED_DRAIN] = {HISS_TRACE_EXCHANGE_WAIT, "blocks of others", NULL},
        [TRACED_FINISH] = {HISS_TRACE_EXCHANGE_WAIT, "finish exchange", "step"},
        [TRACED_REDUCE] = {HISS_TRACE_REDUCE, "reduce", NULL},
        [TRACED_REDUCE_WAIT] = {HISS_TRACE_REDUCE_WAIT, "finish reduction", "step"},
        [TRACED_UPDATE] = {HISS_TRACE_UPDATE, "update", NULL},
        [TRACED_BUCKET] = {HISS_TRACE_BUCKET, "bucket", "bucket"},
        [TRACED_EPOCH] = {HISS_TRACE_OTHER, "begin epoch", "epoch"},
        [TRACED_FEATURES] = {HISS_TRACE_FORWARD, "features", "lane"},
        [TRACED_PROBE] = {HISS_TRACE_OTHER, "probe", NULL},
        [TRACED_LOG] = {HISS_TRACE_OTHER, "log", NULL},
        [TRACED_SAVE] = {HISS_TRACE_CHECKPOINT, "take checkpoint", "step"},
        [TRACED_WRITE] = {HISS_TRACE_CHECKPOINT, "write checkpoint", "step"},
    };
    for (int k = 0; k < TRACED_NAMES; k++) {
        hiss_trace_add_name(trace, table[k].kind, table[k].text, table[k].value, NULL);
    }
}

void train_trace_create(trainer *t) {
    if (!t->request->trace.file) {
        return;
    }
    hiss_alloc_for("the trace", "lower --trace-spans");
    t->tracing = hiss_new(tracing, 1);
    t->trace = t->placement.trace = hiss_trace_create(t->request->trace.room);
    add_names(t->trace);
    for (int k = 0; k < t->placement.threads; k++) {
        hiss_trace_add_row(t->trace, k ? "thread" : "main thread", k ? k : -1);
    }
    if (hiss_comm_rank(t->comm) == 0) {
        t->tracing->writer = hiss_trace_add_row(t->trace, "checkpoint thread", -1);
    }
}

void train_trace_destroy(trainer *t) {
    hiss_trace_destroy(t->trace);
    hiss_free(t->tracing);
}

void train_trace_name_nodes(trainer *t, phase *ph) {
    ph->traced = hiss_new(int16_t, 2 * ph->nodes);
    for (int i = 0; i < ph->nodes && t->trace; i++) {
        const hiss_node_info info = hiss_graph_node(ph->graph, i);
        char text[HISS_TRACE_TEXT];
        snprintf(text, sizeof text, "%.24s%s%.20s", info.scope, *info.scope ? " " : "", info.op);
        ph->traced[i] = ph->traced[ph->nodes + i] = -1;
        if (info.forward_bytes > 0.0) {
            ph->traced[i] = (int16_t)hiss_trace_add_name(t->trace, HISS_TRACE_FORWARD, text, "lane", NULL);
        }
        if (info.backward_bytes > 0.0) {
            ph->traced[ph->nodes + i] = (int16_t)hiss_trace_add_name(t->trace, HISS_TRACE_BACKWARD, text, "lane", NULL);
        }
    }
}

int train_trace_writer(const trainer *t) {
    return t->trace ? t->tracing->writer : 0;
}

/* ---- while the run goes on ---- */

void train_trace_span(const trainer *t, int thread, traced what, double begin, int64_t value) {
    if (t->trace) {
        hiss_trace_add(t->trace, thread, (int)what, begin, hiss_seconds(), value, 0);
    }
}

void train_trace_move(const trainer *t, int thread, traced what, double begin, double end) {
    if (t->trace && end - begin >= brief) {
        hiss_trace_add(t->trace, thread, (int)what, begin, end, 0, 0);
    }
}

void train_trace_node(const trainer *t, const phase *ph, int thread, int name, double begin, double end, int64_t lane) {
    if (t->trace && ph->traced[name] >= 0) {
        hiss_trace_add(t->trace, thread, ph->traced[name], begin, end, lane, 0);
    }
}

void train_trace_buckets(const trainer *t) {
    for (int b = 0; t->trace && b < t->buckets; b++) {
        const hiss_reducer_flight flight = hiss_reducer_bucket(t->reducer, b);
        if (flight.begin > 0.0) {
            hiss_trace_add(t->trace, 0, TRACED_BUCKET, flight.begin, flight.end, b, 0);
        }
    }
}

static double now(void *user) {
    (void)user;
    return hiss_seconds();
}

/* The first line of a file, or what a link leads to. */
static void line_of(const char *path, char *out, size_t size) {
    const ssize_t length = readlink(path, out, size - 1);
    FILE *in = length < 0 ? fopen(path, "re") : NULL;
    out[length > 0 ? length : 0] = 0;
    if (in && !fgets(out, (int)size, in)) {
        out[0] = 0;
    }
    if (in) {
        fclose(in);
    }
}

/* Whether this rank has the clock of rank 0 itself: the same start of the same system, seen from the same name space. */
static bool has_clock_of_root(const trainer *t) {
    struct {
        char boot[64], space[64];
    } mine = {{0}, {0}}, root;
    line_of("/proc/sys/kernel/random/boot_id", mine.boot, sizeof mine.boot);
    line_of("/proc/self/ns/time", mine.space, sizeof mine.space);
    root = mine;
    hiss_comm_broadcast(t->comm, &root, sizeof root, 0);
    return *mine.boot && memcmp(&root, &mine, sizeof mine) == 0;
}

static reading read_clocks(const trainer *t) {
    hiss_watch_note(t->comm, "compare clocks", -1);
    hiss_comm_barrier(t->comm);
    const hiss_clock_offset offset = hiss_comm_clock(t->comm, ROUNDS, now, NULL);
    const bool same = has_clock_of_root(t);
    return (reading){hiss_seconds(), same ? (hiss_clock_offset){0} : offset};
}

void train_trace_begin(trainer *t) {
    if (t->trace) {
        t->tracing->begin = read_clocks(t);
        t->tracing->first = t->step + 1;
        train_trace_switch(t);
    }
}

void train_trace_switch(trainer *t) {
    const int64_t step = t->step + 1;
    hiss_trace_switch(t->trace, step >= t->request->trace.first && step <= t->request->trace.last);
}

/* ---- the file ---- */

/* FILE.txt */
static void name_text(const char *file, char out[PATH_TEXT]) {
    snprintf(out, PATH_TEXT, "%s.txt", file);
}

/* What is replaced is an earlier trace with its text, and nothing else. */
static hiss_status expect_files(const char *file, hiss_error *err) {
    char text[PATH_TEXT];
    name_text(file, text);
    hiss_status s = hiss_file_expect_writable(file, err);
    s = s == HISS_OK ? hiss_file_expect_writable(text, err) : s;
    const bool there = hiss_file_exists(file);
    const char *other = there && !train_trace_file_is_one(file) ? file : !there && hiss_file_exists(text) ? text : NULL;
    if (s == HISS_OK && other) {
        s = hiss_fail(err, HISS_EUSER,
                      "%s is there, is nothing that hiss has traced, and would be replaced; give the name of a new "
                      "file, or remove it",
                      other);
    }
    return hiss_error_prefix(err, s, "--trace");
}

hiss_status train_trace_expect(const trainer *t, hiss_error *err) {
    const hiss_train_trace *want = &t->request->trace;
    if (!t->trace) {
        return HISS_OK;
    }
    if (want->first > t->total_steps) {
        return hiss_fail(err, HISS_EUSER,
                         "--trace-steps begins with step %" PRId64 ", but the run has %" PRId64
                         "; give steps from 1 to %" PRId64,
                         want->first, t->total_steps, t->total_steps);
    }
    if (want->last <= t->step) {
        return hiss_fail(err, HISS_EUSER,
                         "--trace-steps ends with step %" PRId64 ", but the run goes on with step %" PRId64
                         "; give steps from there on",
                         want->last, t->step + 1);
    }
    return hiss_comm_agree(t->comm, hiss_comm_rank(t->comm) == 0 ? expect_files(want->file, err) : HISS_OK, err);
}

/* A time of this rank by rank 0's clock. */
static double common(const tracing *g, double at) {
    const double passed = g->end.at - g->begin.at, drift = g->end.offset.seconds - g->begin.offset.seconds;
    return at - (g->begin.offset.seconds + (passed > 0.0 ? drift * (at - g->begin.at) / passed : 0.0));
}

/* What a rank sends first. */
typedef struct header {
    traced_rank rank;
    double earliest;
} header;

static header describe(const trainer *t, hiss_trace_span *span) {
    const tracing *g = t->tracing;
    header h = {.rank = {.rank = hiss_comm_rank(t->comm),
                         .threads = t->placement.threads,
                         .record = hiss_trace_recorded(t->trace),
                         .offset = {g->begin.offset.seconds, g->end.offset.seconds},
                         .error = {g->begin.offset.error, g->end.offset.error}},
                .earliest = (double)INFINITY};
    gethostname(h.rank.host, sizeof h.rank.host - 1);
    for (int64_t i = 0; i < h.rank.record.spans; i++) {
        span[i] = h.rank.record.span[i];
        span[i].begin = common(g, span[i].begin);
        span[i].end = common(g, span[i].end);
        h.earliest = fmin(h.earliest, span[i].begin);
    }
    h.rank.record.span = span;
    return h;
}

/* Size bytes of rank r, on rank 0; NULL elsewhere. Collective. */
static void *bring(hiss_comm *comm, int r, const void *mine, size_t size) {
    const int ranks = hiss_comm_size(comm);
    int64_t *offsets = hiss_new(int64_t, ranks + 1);
    void *room = hiss_comm_rank(comm) == 0 ? hiss_alloc(size) : NULL;
    for (int k = r + 1; k <= ranks; k++) {
        offsets[k] = (int64_t)size;
    }
    hiss_comm_gather(comm, mine, offsets, room, 0);
    hiss_free(offsets);
    return room;
}

/* Rank by rank, on rank 0 into the file, where there is one, and the account. Collective. */
static void collect(const trainer *t, const header *mine, const header *all, FILE *out, account *a, double zero) {
    const hiss_trace_record *own = &mine->rank.record;
    for (int r = 0; r < hiss_comm_size(t->comm); r++) {
        traced_rank rank = all[r].rank;
        hiss_trace_record *k = &rank.record;
        void *name = bring(t->comm, r, own->name, sizeof *own->name * (size_t)k->names),
             *row = bring(t->comm, r, own->row, sizeof *own->row * (size_t)k->rows),
             *span = bring(t->comm, r, own->span, sizeof *own->span * (size_t)k->spans);
        if (a) {
            k->name = name;
            k->row = row;
            k->span = span;
            train_trace_account_add(a, &rank);
        }
        if (out) {
            train_trace_file_rank(out, &rank, zero);
        }
        hiss_free(span);
        hiss_free(row);
        hiss_free(name);
    }
}

/* Of all ranks. Collective. */
static header *share_headers(const trainer *t, const header *mine, traced_whole *whole) {
    const int size = hiss_comm_size(t->comm);
    header *all = hiss_new(header, size);
    int64_t *offsets = hiss_new(int64_t, size + 1);
    for (int r = 0; r <= size; r++) {
        offsets[r] = r * (int64_t)sizeof *mine;
    }
    hiss_comm_allgather(t->comm, mine, offsets, all);
    hiss_free(offsets);
    const hiss_train_trace *want = &t->request->trace;
    *whole = (traced_whole){.ranks = size,
                            .first = want->first > t->tracing->first ? want->first : t->tracing->first,
                            .last = want->last < t->step ? want->last : t->step,
                            .origin = (double)INFINITY};
    for (int r = 0; r < size; r++) {
        whole->dropped += all[r].rank.record.dropped;
        whole->error = fmax(whole->error, fmax(all[r].rank.error[0], all[r].rank.error[1]));
        whole->origin = fmin(whole->origin, all[r].earliest);
    }
    return all;
}

static hiss_status publish(const char *temporary, const char *file, FILE *out, hiss_error *err) {
    const bool failed = !out || ferror(out) != 0;
    if ((out && fclose(out) != 0) || failed) {
        hiss_file_discard(temporary);
        return hiss_fail(err, HISS_ESYSTEM, "cannot write the trace %s: is the disk full?", file);
    }
    return hiss_file_publish(temporary, file, err);
}

/* What the trace says, for people: on the terminal, and in FILE.txt. */
static hiss_status tell(account *a, const traced_whole *whole, const char *file, hiss_error *err) {
    char beside[PATH_TEXT], *text = NULL;
    size_t size = 0;
    FILE *words = hiss_text_open(&text, &size);
    train_trace_account_print(a, words, whole);
    fclose(words);
    name_text(file, beside);
    const hiss_status s = hiss_file_write_text(beside, text, err);
    if (s == HISS_OK) {
        printf("%strace: %s, for https://ui.perfetto.dev; the text above: %s\n", text, file, beside);
        fflush(stdout);
    }
    free(text);
    return s;
}

static hiss_status write_all(const trainer *t, const header *mine, hiss_error *err) {
    const bool root = hiss_comm_rank(t->comm) == 0;
    const char *file = t->request->trace.file;
    char temporary[PATH_TEXT] = "";
    traced_whole whole;
    header *all = share_headers(t, mine, &whole);
    account *a = root ? train_trace_account_create(whole.ranks, t->placement.lane_offsets) : NULL;
    FILE *out = NULL;
    if (root) {
        hiss_file_temporary(file, temporary, sizeof temporary);
        out = fopen(temporary, "we");
    }
    if (out) {
        train_trace_file_begin(out, &whole);
    }
    collect(t, mine, all, out, a, whole.origin);
    if (out) {
        train_trace_file_end(out);
    }
    hiss_status s = root ? publish(temporary, file, out, err) : HISS_OK;
    s = root && s == HISS_OK ? tell(a, &whole, file, err) : s;
    train_trace_account_destroy(a);
    hiss_free(all);
    return s;
}

hiss_status train_trace_write(trainer *t, hiss_error *err) {
    if (!t->trace) {
        return HISS_OK;
    }
    hiss_trace_switch(t->trace, false);
    t->tracing->end = read_clocks(t);
    hiss_watch_note(t->comm, "write the trace", -1);
    hiss_trace_span *span = hiss_new(hiss_trace_span, hiss_trace_recorded(t->trace).spans);
    const header mine = describe(t, span);
    const hiss_status s = write_all(t, &mine, err);
    hiss_free(span);
    return hiss_comm_agree(t->comm, s, err);
}
