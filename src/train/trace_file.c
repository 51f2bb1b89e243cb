/* Traces as files: the Trace Event Format (Google, "Trace Event Format", 2016), in JSON, which chrome://tracing defined
 * and Perfetto reads.
 *
 * A rank is a process, a row a thread of it. Spans of rows are complete events ("X"); what is in flight, which overlaps,
 * are nestable asynchronous events ("b", "e") with ids of the process. Times are microseconds with three decimals:
 * begin and end are rounded to nanoseconds, and the duration is their difference, so that spans which lie one in
 * another still do. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "hiss/file.h"
#include "hiss_build.h"
#include "train/trace_impl.h"

static const char head[] = "{\"otherData\":{\"program\":\"hiss ";
enum { ROWS = 4096 }; /* numbers of rows are different in different ranks, and process 0 means something else */

bool train_trace_file_is_one(const char *path) {
    char text[sizeof head] = "";
    FILE *in = hiss_file_open(path);
    const bool is_one = in && fread(text, 1, sizeof head - 1, in) == sizeof head - 1 && strcmp(text, head) == 0;
    if (in) {
        fclose(in);
    }
    return is_one;
}

static void print_text(FILE *out, const char *text) {
    fputc('"', out);
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') {
            fputc('\\', out);
        }
        if ((unsigned char)*c >= ' ') {
            fputc(*c, out);
        }
    }
    fputc('"', out);
}

void train_trace_file_begin(FILE *out, const traced_whole *w) {
    fprintf(out, "%s%s\",\"ranks\":%d,\"first step\":%" PRId64 ",\"last step\":%" PRId64, head, HISS_VERSION, w->ranks,
            w->first, w->last);
    fprintf(out, ",\"dropped spans\":%" PRId64 ",\"error of clocks, us\":%.3f},\n\"displayTimeUnit\":\"ms\",\n",
            w->dropped, 1e6 * w->error);
    fprintf(out, "\"traceEvents\":[\n");
    fprintf(out, "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_labels\",\"args\":{\"labels\":\"rank 0 is the clock\"}}");
}

static void print_name(FILE *out, const char *what, int pid, int tid, const char *text) {
    fprintf(out, ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"%s\",\"args\":{\"name\":", pid, tid, what);
    print_text(out, text);
    fprintf(out, "}}");
}

static void print_order(FILE *out, const char *what, int pid, int tid, int at) {
    fprintf(out, ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"%s\",\"args\":{\"sort_index\":%d}}", pid, tid, what,
            at);
}

/* Nanoseconds as microseconds. */
static void print_time(FILE *out, const char *key, int64_t ns) {
    fprintf(out, ",\"%s\":%" PRId64 ".%03d", key, ns / 1000, (int)(ns % 1000));
}

static void print_event(FILE *out, const char *ph, int pid, int tid, int64_t ns, const hiss_trace_name *name) {
    fprintf(out, ",\n{\"ph\":\"%s\",\"pid\":%d,\"tid\":%d", ph, pid, tid);
    print_time(out, "ts", ns);
    fprintf(out, ",\"cat\":\"%s\",\"name\":", hiss_trace_category(name->kind));
    print_text(out, name->text);
}

static void print_numbers(FILE *out, const hiss_trace_name *name, const hiss_trace_span *s) {
    if (*name->value) {
        fprintf(out, ",\"args\":{\"%s\":%d", name->value, s->value);
        if (*name->second) {
            fprintf(out, ",\"%s\":%d", name->second, s->second);
        }
        fputc('}', out);
    }
    fputc('}', out);
}

static void print_span(FILE *out, const traced_rank *r, const hiss_trace_span *s, double origin) {
    const hiss_trace_name *name = &r->record.name[s->name];
    const int pid = r->rank + 1, tid = pid * ROWS + s->row;
    const int64_t begin = llround(1e9 * (s->begin - origin)), end = llround(1e9 * (s->end - origin));
    if (name->kind < HISS_TRACE_BUCKET) {
        print_event(out, "X", pid, tid, begin, name);
        print_time(out, "dur", end - begin);
        print_numbers(out, name, s);
        return;
    }
    for (int k = 0; k < 2; k++) {
        print_event(out, k ? "e" : "b", pid, tid, k ? end : begin, name);
        fprintf(out, ",\"id2\":{\"local\":\"0x%x\"}", (unsigned)s->value);
        print_numbers(out, name, s);
    }
}

void train_trace_file_rank(FILE *out, const traced_rank *r, double origin) {
    const int pid = r->rank + 1;
    char text[128];
    snprintf(text, sizeof text, "rank %d on %s", r->rank, r->host);
    print_name(out, "process_name", pid, pid * ROWS, text);
    print_order(out, "process_sort_index", pid, pid * ROWS, r->rank);
    for (int k = 0; k < r->record.rows; k++) {
        print_name(out, "thread_name", pid, pid * ROWS + k, r->record.row[k].text);
        print_order(out, "thread_sort_index", pid, pid * ROWS + k, k);
    }
    for (int64_t i = 0; i < r->record.spans; i++) {
        print_span(out, r, &r->record.span[i], origin);
    }
}

void train_trace_file_end(FILE *out) {
    fprintf(out, "\n]}\n");
}
