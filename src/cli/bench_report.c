/* What the parts of the bench command share: JSON, printing, lists of sizes. */
#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "hiss/number.h"

void json_open(bench_json *j) {
    j->stream = hiss_text_open(&j->text, &j->size);
    json_begin(j, NULL, '{');
}

/* What stands before a value: comma, line break, indentation, key. */
static void json_key(bench_json *j, const char *key) {
    if (j->depth > 0) {
        fprintf(j->stream, "%s\n%*s", j->more[j->depth - 1] ? "," : "", 2 * j->depth, "");
        j->more[j->depth - 1] = true;
    }
    if (key) {
        fprintf(j->stream, "\"%s\": ", key);
    }
}

void json_begin(bench_json *j, const char *key, char bracket) {
    if (j->stream) {
        assert(j->depth < JSON_DEPTH);
        json_key(j, key);
        fputc(bracket, j->stream);
        j->more[j->depth++] = false;
    }
}

void json_end(bench_json *j, char bracket) {
    if (j->stream) {
        j->depth--;
        if (j->more[j->depth]) {
            fprintf(j->stream, "\n%*s", 2 * j->depth, "");
        }
        fputc(bracket, j->stream);
    }
}

static void json_value(bench_json *j, double value) {
    if (isfinite(value)) {
        fprintf(j->stream, "%.9g", value);
    } else {
        fputs("null", j->stream);
    }
}

void json_number(bench_json *j, const char *key, double value) {
    if (j->stream) {
        json_key(j, key);
        json_value(j, value);
    }
}

void json_text(bench_json *j, const char *key, const char *value) {
    if (j->stream) {
        json_key(j, key);
        fputc('"', j->stream);
        for (const char *c = value; *c; c++) {
            if (*c == '"' || *c == '\\') {
                fputc('\\', j->stream);
            }
            fputc((unsigned char)*c < 0x20 ? ' ' : *c, j->stream);
        }
        fputc('"', j->stream);
    }
}

void json_spread(bench_json *j, const char *key, const double spread[3]) {
    if (j->stream) {
        json_key(j, key);
        fputc('[', j->stream);
        for (int k = 0; k < 3; k++) {
            fputs(k ? ", " : "", j->stream);
            json_value(j, spread[k]);
        }
        fputc(']', j->stream);
    }
}

void json_close(bench_json *j) {
    if (j->stream) {
        fclose(j->stream);
        free(j->text);
        *j = (bench_json){0};
    }
}

void bench_print(const bench *b, const char *format, ...) {
    if (!b->page) {
        return;
    }
    bench_page *p = b->page;
    va_list arguments;
    va_start(arguments, format);
    char *text = hiss_arena_vformat(p->arena, format, arguments);
    va_end(arguments);
    for (char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        *end = '\0';
        hiss_text_print_wrapped(p->stream, HISS_PAGE, hiss_arena_format(p->arena, "%s%s", p->begun, text));
        p->begun = "";
    }
    p->begun = hiss_arena_format(p->arena, "%s%s", p->begun, text);
    fflush(p->stream);
}

hiss_status bench_list(const char *text, const char *option, int64_t limit, int max, int64_t *values, int *count,
                       hiss_error *err) {
    *count = 0;
    for (const char *at = text; *at; at += *at == ',') {
        char item[40], hint[HISS_HINT];
        const size_t length = strcspn(at, ",");
        int64_t value = 0;
        snprintf(item, sizeof item, "%.*s", (int)length, at);
        if (!hiss_integer_parse(item, &value) || value < 1 || value > limit || *count == max) {
            return hiss_fail(err, HISS_EUSER,
                             "--%s: expected up to %d numbers from 1 to %lld between commas, as in 256,1024 or 1MiB, "
                             "found '%.200s'%s",
                             option, max, (long long)limit, text, hiss_number_hint(item, true, hint));
        }
        values[(*count)++] = value;
        at += length;
    }
    return *count > 0 ? HISS_OK : hiss_fail(err, HISS_EUSER, "--%s is empty", option);
}
