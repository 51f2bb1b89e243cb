/* Event files and MLPerf lines out of metrics.jsonl.
 *
 * An event file is a row of records (TensorFlow, core/lib/io/record_writer.h): length, 8 bytes, the least first; masked
 * checksum of these; as many bytes; masked checksum of those. The checksum is CRC-32C (Castagnoli; RFC 3720, appendix
 * B.4), turned by 15 bits, plus 0xa282ead8. Each record is a message Event (core/util/event.proto): wall_time = 1, step = 2,
 * file_version = 3, summary = 5; of Summary value = 1, of that tag = 1, simple_value = 2. The first event has the version
 * alone.
 *
 * MLPerf lines: github.com/mlcommons/logging, the form of mllog. */
#include "hiss/events.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "export/export_impl.h"
#include "export/protobuf.h"

enum {
    EVENT_TIME = 1,
    EVENT_STEP = 2,
    EVENT_VERSION = 3,
    EVENT_SUMMARY = 5,
    SUMMARY_VALUE = 1,
    VALUE_TAG = 1,
    VALUE_SIMPLE = 2
};

static uint32_t masked_sum(const char *bytes, size_t count) {
    uint32_t sum = ~0u;
    for (size_t i = 0; i < count; i++) {
        sum ^= (uint8_t)bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            sum = sum >> 1 ^ (sum & 1u ? 0x82f63b78u : 0u); /* the polynomial, bits reversed */
        }
    }
    sum = ~sum;
    return (sum >> 15 | sum << 17) + 0xa282ead8u;
}

static void put_record(FILE *stream, export_message *event) {
    char length[8];
    export_message_end(event);
    for (int i = 0; i < 8; i++) {
        length[i] = (char)((uint64_t)event->count >> 8 * i & 0xff);
    }
    fwrite(length, 1, sizeof length, stream);
    export_number(stream, masked_sum(length, sizeof length), 4);
    fwrite(event->bytes, 1, event->count, stream);
    export_number(stream, masked_sum(event->bytes, event->count), 4);
    free(event->bytes);
}

/* Numbers of lists are called NAME.PLACE. */
static bool is_scalar(const char *name) {
    const char *dot = strrchr(name, '.');
    return strcmp(name, "step") != 0 && !(dot && dot[1 + strspn(dot + 1, "0123456789")] == 0);
}

/* Seconds of line i since the first start: a run that went on counts from 0 again. before: sum of what came before. */
static double time_of(const double *seconds, int64_t i, double *before) {
    if (seconds && i > 0 && seconds[i] < seconds[i - 1]) {
        *before += seconds[i - 1];
    }
    return seconds && isfinite(seconds[i]) ? *before + seconds[i] : *before;
}

void hiss_events_write(const hiss_metrics *metrics, FILE *stream) {
    const double *step = hiss_metrics_column(metrics, "step"), *seconds = hiss_metrics_column(metrics, "seconds");
    double before = 0.0;
    export_message event;
    export_message_begin(&event);
    export_put_text(&event, EVENT_VERSION, "brain.Event:2");
    put_record(stream, &event);
    for (int64_t i = 0; step && i < metrics->lines; i++) {
        export_message summary;
        export_message_begin(&event);
        export_message_begin(&summary);
        export_put_double(&event, EVENT_TIME, time_of(seconds, i, &before));
        export_put_int(&event, EVENT_STEP, (int64_t)step[i]);
        for (int k = 0; k < metrics->columns; k++) {
            const hiss_metric_column *column = &metrics->column[k];
            if (isfinite(column->value[i]) && is_scalar(column->name)) {
                export_message value;
                export_message_begin(&value);
                export_put_text(&value, VALUE_TAG, column->name);
                export_put_float(&value, VALUE_SIMPLE, (float)column->value[i]);
                export_put_message(&summary, SUMMARY_VALUE, &value);
            }
        }
        export_put_message(&event, EVENT_SUMMARY, &summary);
        put_record(stream, &event);
    }
}

/* ---- MLPerf ---- */

typedef struct mllog {
    FILE *stream;
    const hiss_mllog_run *run;
    int64_t milliseconds;
} mllog;

static void put_json(FILE *stream, const char *text) {
    fputc('"', stream);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c < 0x20) {
            fprintf(stream, "\\u%04x", c);
        } else {
            fprintf(stream, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
        }
    }
    fputc('"', stream);
}

static void begin(const mllog *m, const char *type, const char *key) {
    fprintf(m->stream,
            ":::MLLOG {\"namespace\": \"\", \"time_ms\": %lld, \"event_type\": \"%s\", \"key\": \"%s\", \"value\": ",
            (long long)m->milliseconds, type, key);
}

/* line: of the file; more: further metadata, as JSON, or "". */
static void end(const mllog *m, int64_t line, const char *more) {
    fputs(", \"metadata\": {\"file\": ", m->stream);
    put_json(m->stream, m->run->file ? m->run->file : "");
    fprintf(m->stream, ", \"lineno\": %lld%s}}\n", (long long)line, more);
}

static void say_text(const mllog *m, const char *key, const char *value) {
    if (value) {
        begin(m, "POINT_IN_TIME", key);
        put_json(m->stream, value);
        end(m, 0, "");
    }
}

static void say_number(const mllog *m, const char *key, double value) {
    if (value >= 0.0) {
        begin(m, "POINT_IN_TIME", key);
        fprintf(m->stream, "%.17g", value);
        end(m, 0, "");
    }
}

static void say_interval(const mllog *m, bool start, const char *key, int64_t line, const char *more) {
    begin(m, start ? "INTERVAL_START" : "INTERVAL_END", key);
    fputs("null", m->stream);
    end(m, line, more);
}

/* "probe/LAYER/knn" or "probe/LAYER/ridge" */
static bool is_accuracy(const char *name) {
    const char *last = strrchr(name, '/');
    return strncmp(name, "probe/", 6) == 0 && (strcmp(last, "/knn") == 0 || strcmp(last, "/ridge") == 0);
}

/* The numbers of line i. */
static void say_line(const mllog *m, const hiss_metrics *metrics, int64_t i, const char *more) {
    const char *separator = "";
    double best = -1.0;
    begin(m, "POINT_IN_TIME", "tracked_stats");
    fputc('{', m->stream);
    for (int k = 0; k < metrics->columns; k++) {
        const char *name = metrics->column[k].name;
        const double value = metrics->column[k].value[i];
        if (isfinite(value) && is_scalar(name)) {
            fputs(separator, m->stream);
            put_json(m->stream, strcmp(name, "images_per_second") == 0 ? "throughput" : name);
            fprintf(m->stream, ": %.9g", value);
            separator = ", ";
            best = is_accuracy(name) ? fmax(best, value) : best;
        }
    }
    fputc('}', m->stream);
    end(m, i + 1, more);
    if (best >= 0.0) {
        begin(m, "POINT_IN_TIME", "eval_accuracy");
        fprintf(m->stream, "%.9g", best / 100.0);
        end(m, i + 1, more);
    }
}

void hiss_mllog_write(const hiss_metrics *metrics, const hiss_mllog_run *run, FILE *stream) {
    mllog m = {.stream = stream, .run = run};
    const double *step = hiss_metrics_column(metrics, "step"), *seconds = hiss_metrics_column(metrics, "seconds");
    const double *epoch = hiss_metrics_column(metrics, "epoch");
    int64_t open = -1; /* the epoch that has begun */
    double before = 0.0;
    char more[96] = "";
    say_text(&m, "submission_benchmark", run->benchmark);
    say_number(&m, "seed", run->seed);
    say_number(&m, "global_batch_size", run->batch);
    say_text(&m, "opt_name", run->optimizer);
    say_number(&m, "opt_base_learning_rate", run->rate);
    say_interval(&m, true, "run_start", 0, "");
    for (int64_t i = 0; step && epoch && i < metrics->lines; i++) {
        if ((int64_t)epoch[i] != open) {
            if (open >= 0) {
                say_interval(&m, false, "epoch_stop", i, more);
            }
            open = (int64_t)epoch[i];
            snprintf(more, sizeof more, ", \"epoch_num\": %lld", (long long)open + 1);
            say_interval(&m, true, "epoch_start", i + 1, more);
        }
        m.milliseconds = llround(1000.0 * time_of(seconds, i, &before));
        snprintf(more, sizeof more, ", \"epoch_num\": %lld, \"step\": %.0f", (long long)open + 1, step[i]);
        say_line(&m, metrics, i, more);
        snprintf(more, sizeof more, ", \"epoch_num\": %lld", (long long)open + 1);
    }
    if (open >= 0) {
        say_interval(&m, false, "epoch_stop", metrics->lines, more);
    }
    if (run->ended) {
        say_interval(&m, false, "run_stop", metrics->lines, ", \"status\": \"success\"");
    }
}
