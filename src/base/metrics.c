/* Reading metrics.jsonl. JSON is YAML, so each line is a tree of the YAML reader; columns grow as names appear. */
#include "hiss/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/yaml.h"

typedef struct table {
    hiss_arena *arena;
    int64_t lines, capacity; /* capacity: lines of the file */
    int columns, room;
    hiss_metric_column *column;
} table;

/* The values of a name, made when it is new. */
static double *column_of(table *t, const char *name) {
    for (int k = 0; k < t->columns; k++) {
        if (strcmp(t->column[k].name, name) == 0) {
            return (double *)(uintptr_t)t->column[k].value;
        }
    }
    if (t->columns == t->room) {
        hiss_metric_column *more = hiss_arena_alloc(t->arena, sizeof *more * (size_t)(2 * t->room + 16));
        if (t->columns > 0) {
            memcpy(more, t->column, sizeof *more * (size_t)t->columns);
        }
        t->column = more;
        t->room = 2 * t->room + 16;
    }
    double *value = hiss_arena_alloc(t->arena, sizeof *value * (size_t)t->capacity);
    for (int64_t i = 0; i < t->capacity; i++) {
        value[i] = (double)NAN;
    }
    t->column[t->columns++] = (hiss_metric_column){hiss_arena_text(t->arena, name), value};
    return value;
}

static double number(const hiss_yaml *node) {
    char *end = NULL;
    const double value = node->text && !node->quoted ? strtod(node->text, &end) : (double)NAN;
    return end && end != node->text && *end == '\0' ? value : (double)NAN;
}

static void add_line(table *t, const hiss_yaml *root) {
    char name[256];
    for (const hiss_yaml *node = root->first; node; node = node->next) {
        int place = 0;
        if (node->kind == HISS_YAML_SCALAR) {
            column_of(t, node->key)[t->lines] = number(node);
        }
        for (const hiss_yaml *item = node->kind == HISS_YAML_LIST ? node->first : NULL; item; item = item->next) {
            snprintf(name, sizeof name, "%.200s.%d", node->key, place++);
            column_of(t, name)[t->lines] = number(item);
        }
    }
    t->lines++;
}

/* One line of the file, with its end. */
static hiss_status read_line(table *t, const char *path, int64_t number_of_line, const char *line, hiss_error *err) {
    hiss_arena *scratch = hiss_arena_create();
    hiss_yaml *root = NULL;
    hiss_error why;
    hiss_status s = hiss_yaml_parse(scratch, path, line, &root, &why);
    if (s != HISS_OK || root->kind != HISS_YAML_MAP || !root->first) {
        s = hiss_fail(err, HISS_EUSER,
                      "%s:%lld: expected an object of numbers, as training writes it; remove the line, or train again",
                      path, (long long)number_of_line);
    } else {
        add_line(t, root);
    }
    hiss_arena_destroy(scratch);
    return s;
}

hiss_status hiss_metrics_read(hiss_arena *arena, const char *path, hiss_metrics *out, hiss_error *err) {
    table t = {.arena = arena};
    char *line = NULL;
    size_t room = 0;
    int64_t number_of_line = 0;
    *out = (hiss_metrics){0};
    FILE *in = fopen(path, "r");
    if (!in) {
        return hiss_fail(err, HISS_ESYSTEM, "%s: cannot be read: %s", path, strerror(errno));
    }
    while (getline(&line, &room, in) > 0) {
        t.capacity++;
    }
    hiss_status s = HISS_OK;
    rewind(in);
    for (ssize_t length; s == HISS_OK && t.lines < t.capacity && (length = getline(&line, &room, in)) > 0;) {
        number_of_line++;
        if (line[length - 1] == '\n') {
            s = read_line(&t, path, number_of_line, line, err);
        }
    }
    if (s == HISS_OK && ferror(in)) {
        s = hiss_fail(err, HISS_ESYSTEM, "%s: cannot be read to its end: is the disk failing?", path);
    }
    fclose(in);
    free(line);
    *out = (hiss_metrics){t.lines, t.columns, t.column};
    return s;
}

const double *hiss_metrics_column(const hiss_metrics *metrics, const char *name) {
    for (int k = 0; k < metrics->columns; k++) {
        if (strcmp(metrics->column[k].name, name) == 0) {
            return metrics->column[k].value;
        }
    }
    return NULL;
}

int64_t hiss_metrics_step(const char *line) {
    const char *at = strstr(line, "\"step\": ");
    return at ? strtoll(at + strlen("\"step\": "), NULL, 10) : -1;
}
