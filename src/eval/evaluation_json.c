/* An evaluation as JSON, written and read back: eval.json is all that the page of a run needs.
 *
 *   {"samples": TEXT, "classes": [TEXT],
 *    "judgements": [{"name", "title", "baseline" (text or null), "left_out" (text or null), "remarks": [TEXT],
 *                    "numbers": [{"name", "group" (or null), "heading", "unit", "form", "main", "samples",
 *                                 "baseline" (number or null)}]}],
 *    "results": [{"name", "D", "train", "test", "classes", "seconds", JUDGEMENT: {NUMBER: value, ...}}],
 *    "pictures": [{"file", "title", "caption"}]}
 *
 * A number "cosine.5" of judgement knn is results[].knn.cosine.5; its standard deviation has the ending _spread. JSON
 * is YAML, so the reader is that of configs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/evaluation.h"
#include "hiss/export.h"
#include "hiss/file.h"

static const char *const form_names[HISS_FORMS] = {"fixed", "general", "power", "count", "truth"};

/* ---- writing ---- */

void eval_evaluation_number(FILE *file, hiss_form form, double value) {
    if (!isfinite(value)) {
        fputs("null", file);
    } else if (form == HISS_FORM_TRUTH) {
        fputs(value != 0.0 ? "true" : "false", file);
    } else if (form == HISS_FORM_FIXED || form == HISS_FORM_COUNT) {
        fprintf(file, form == HISS_FORM_FIXED ? "%.4f" : "%.0f", value);
    } else {
        hiss_json_number(file, value);
    }
}

static void write_column(FILE *file, const column *c) {
    fputs("{\"name\": ", file);
    hiss_json_text(file, c->name);
    fputs(", \"group\": ", file);
    hiss_json_text(file, c->group);
    fputs(", \"heading\": ", file);
    hiss_json_text(file, c->heading);
    fputs(", \"unit\": ", file);
    hiss_json_text(file, c->unit);
    fprintf(file, ", \"form\": \"%s\", \"main\": %s, \"samples\": %lld, \"baseline\": ", form_names[c->form],
            c->main ? "true" : "false", (long long)c->samples);
    eval_evaluation_number(file, c->form, c->baseline);
    fputc('}', file);
}

static void write_judged(FILE *file, const judged *j) {
    fputs("{\"name\": ", file);
    hiss_json_text(file, j->name);
    fputs(", \"title\": ", file);
    hiss_json_text(file, j->title);
    fputs(", \"baseline\": ", file);
    hiss_json_text(file, j->baseline);
    fputs(", \"left_out\": ", file);
    hiss_json_text(file, j->left_out);
    fputs(",\n   \"remarks\": [", file);
    for (const text_list *r = j->remarks; r; r = r->next) {
        fputs(r == j->remarks ? "\n    " : ",\n    ", file);
        hiss_json_text(file, r->text);
    }
    fputs("],\n   \"numbers\": [", file);
    for (int k = 0; k < j->columns; k++) {
        fputs(k ? ",\n    " : "\n    ", file);
        write_column(file, &j->column[k]);
    }
    fputs("]}", file);
}

/* Bytes of a name that are that of its object; 0: it is in none. */
static size_t object_of(const char *name) {
    const char *dot = strchr(name, '.');
    return dot ? (size_t)(dot - name) : 0;
}

static bool same_object(const char *a, const char *b) {
    const size_t length = object_of(a);
    return length == object_of(b) && strncmp(a, b, length) == 0;
}

static void write_value(FILE *file, const column *c, double value, double spread) {
    const size_t object = object_of(c->name);
    const char *name = c->name + (object ? object + 1 : 0);
    hiss_json_text(file, name);
    fputs(": ", file);
    eval_evaluation_number(file, c->form, value);
    if (!isnan(spread)) {
        fprintf(file, ", \"%s_spread\": ", name);
        eval_evaluation_number(file, c->form, spread);
    }
}

/* What one judgement says of one subject; an object's numbers stand together. */
static void write_result(FILE *file, const judged *j, const double *value, const double *spread) {
    const char *separator = "";
    bool written[HISS_MAX_NUMBERS] = {false};
    for (int k = 0; k < j->columns; k++) {
        if (written[k] || isnan(value[k])) {
            continue;
        }
        const size_t object = object_of(j->column[k].name);
        fputs(separator, file);
        if (object) {
            fprintf(file, "\"%.*s\": {", (int)object, j->column[k].name);
            separator = "";
        }
        for (int i = k; i < (object ? j->columns : k + 1); i++) {
            if (!isnan(value[i]) && (i == k || same_object(j->column[i].name, j->column[k].name))) {
                fputs(object ? separator : "", file);
                write_value(file, &j->column[i], value[i], spread[i]);
                separator = ", ";
                written[i] = true;
            }
        }
        fputs(object ? "}" : "", file);
        separator = ", ";
    }
}

static void write_subject(FILE *file, const hiss_evaluation *e, const judged_subject *s) {
    fputs("{\"name\": ", file);
    hiss_json_text(file, s->name);
    if (s->D > 0) {
        fprintf(file, ", \"D\": %lld, \"train\": %lld, \"test\": %lld, \"classes\": %lld", (long long)s->D,
                (long long)s->train, (long long)s->test, (long long)s->classes);
    }
    fprintf(file, ", \"seconds\": %.3f", s->seconds);
    for (int j = 0; j < e->judgements; j++) {
        if (s->has[j]) {
            fprintf(file, ",\n   \"%s\": {", e->judged[j].name);
            write_result(file, &e->judged[j], s->value[j], s->spread[j]);
            fputc('}', file);
        }
    }
    fputc('}', file);
}

static void write_json(FILE *file, const void *user) {
    const hiss_evaluation *e = user;
    fputs("{\"samples\": ", file);
    hiss_json_text(file, e->samples);
    fputs(",\n \"classes\": [", file);
    for (int64_t c = 0; c < e->classes; c++) {
        fputs(c ? ", " : "", file);
        hiss_json_text(file, e->class_name[c]);
    }
    fputc(']', file);
    fputs(",\n \"judgements\": [", file);
    for (int j = 0; j < e->judgements; j++) {
        fputs(j ? ",\n  " : "\n  ", file);
        write_judged(file, &e->judged[j]);
    }
    fputs("],\n \"results\": [", file);
    for (const judged_subject *s = e->subjects; s; s = s->next) {
        fputs(s == e->subjects ? "\n  " : ",\n  ", file);
        write_subject(file, e, s);
    }
    fputs("],\n \"pictures\": [", file);
    for (int k = 0; k < e->pictures; k++) {
        fputs(k ? ",\n  {\"file\": " : "\n  {\"file\": ", file);
        hiss_json_text(file, e->picture[k].file);
        fputs(", \"title\": ", file);
        hiss_json_text(file, e->picture[k].title);
        fputs(", \"caption\": ", file);
        hiss_json_text(file, e->picture[k].caption);
        fputc('}', file);
    }
    fputs("]}\n", file);
}

hiss_status hiss_evaluation_write(const char *path, const hiss_evaluation *e, hiss_error *err) {
    return hiss_file_write_by(path, write_json, e, err);
}

/* ---- reading ---- */

typedef struct reader {
    hiss_evaluation *e;
    const char *path;
    hiss_error *err;
    hiss_status status;
} reader;

/* at: where; NULL: the file as a whole. */
static void fail(reader *r, const hiss_yaml *at, const char *expected) {
    if (r->status == HISS_OK) {
        r->status =
            at ? hiss_fail(r->err, HISS_EUSER, "%s:%d:%d: expected %s, as hiss eval writes it; run hiss eval again",
                           r->path, at->line, at->column, expected)
               : hiss_fail(r->err, HISS_EUSER, "%s: expected %s, as hiss eval writes it; run hiss eval again", r->path,
                           expected);
    }
}

/* The text at a key; NULL for null. */
static const char *text(reader *r, const hiss_yaml *map, const char *key, bool may_be_null) {
    const hiss_yaml *node = hiss_yaml_get(map, key);
    const bool null = node && node->text && !node->quoted && strcmp(node->text, "null") == 0;
    if (!node || !node->text || (!node->quoted && !(null && may_be_null))) {
        fail(r, node ? node : map, hiss_arena_format(r->e->arena, "a text at '%s'", key));
        return "";
    }
    return null ? NULL : hiss_arena_text(r->e->arena, node->text);
}

/* A number; NAN for null and what is none. */
static double number(const hiss_yaml *node) {
    if (!node || !node->text || node->quoted) {
        return (double)NAN;
    }
    char *end = NULL;
    const double value = strtod(node->text, &end);
    return end != node->text && *end == '\0'  ? value
           : strcmp(node->text, "true") == 0  ? 1.0
           : strcmp(node->text, "false") == 0 ? 0.0
                                              : (double)NAN;
}

static int64_t whole(const hiss_yaml *map, const char *key) {
    const double value = number(hiss_yaml_get(map, key));
    return value >= 0.0 && value < 0x1p53 ? (int64_t)value : 0;
}

static const hiss_yaml *list(reader *r, const hiss_yaml *map, const char *key) {
    const hiss_yaml *node = hiss_yaml_get(map, key);
    if (!node || node->kind != HISS_YAML_LIST) {
        fail(r, node ? node : map, hiss_arena_format(r->e->arena, "a list '%s'", key));
        return NULL;
    }
    return node->first;
}

static void read_column(reader *r, judged *j, const hiss_yaml *from) {
    column *c = eval_judged_column(r->e, j, text(r, from, "name", false));
    if (!c) {
        fail(r, from, "fewer numbers");
        return;
    }
    const char *form = text(r, from, "form", false);
    c->group = text(r, from, "group", true);
    c->heading = text(r, from, "heading", false);
    c->unit = text(r, from, "unit", false);
    c->form = HISS_FORMS;
    for (int f = 0; f < HISS_FORMS; f++) {
        c->form = strcmp(form, form_names[f]) == 0 ? (hiss_form)f : c->form;
    }
    if (c->form == HISS_FORMS) {
        fail(r, from, "a known form");
    }
    c->main = number(hiss_yaml_get(from, "main")) == 1.0;
    c->samples = whole(from, "samples");
    c->baseline = number(hiss_yaml_get(from, "baseline"));
}

static void read_judged(reader *r, const hiss_yaml *from) {
    judged *j = eval_evaluation_judged(r->e, text(r, from, "name", false));
    if (!j) {
        fail(r, from, "fewer judgements");
        return;
    }
    j->title = text(r, from, "title", false);
    j->baseline = text(r, from, "baseline", true);
    j->left_out = text(r, from, "left_out", true);
    for (const hiss_yaml *at = list(r, from, "remarks"); at; at = at->next) {
        eval_judged_remark(r->e, j, at->text ? at->text : "");
    }
    for (const hiss_yaml *at = list(r, from, "numbers"); at && r->status == HISS_OK; at = at->next) {
        read_column(r, j, at);
    }
}

/* The node of a number's name with an ending, below its judgement. */
static const hiss_yaml *find(const hiss_yaml *map, const char *name, const char *ending) {
    char key[128];
    const size_t object = object_of(name);
    if (object) {
        snprintf(key, sizeof key, "%.*s", (int)object, name);
        map = hiss_yaml_get(map, key);
    }
    snprintf(key, sizeof key, "%s%s", name + (object ? object + 1 : 0), ending);
    return hiss_yaml_get(map, key);
}

static void read_subject(reader *r, const hiss_yaml *from) {
    judged_subject *s = eval_evaluation_subject(r->e, text(r, from, "name", false));
    s->D = whole(from, "D");
    s->train = whole(from, "train");
    s->test = whole(from, "test");
    s->classes = whole(from, "classes");
    s->seconds = number(hiss_yaml_get(from, "seconds"));
    for (int j = 0; j < r->e->judgements; j++) {
        const hiss_yaml *map = hiss_yaml_get(from, r->e->judged[j].name);
        s->has[j] = map != NULL;
        for (int k = 0; map && k < r->e->judged[j].columns; k++) {
            s->value[j][k] = number(find(map, r->e->judged[j].column[k].name, ""));
            s->spread[j][k] = number(find(map, r->e->judged[j].column[k].name, "_spread"));
        }
    }
}

static void read_all(reader *r, const hiss_yaml *root) {
    r->e->samples = text(r, root, "samples", false);
    for (const hiss_yaml *at = list(r, root, "judgements"); at && r->status == HISS_OK; at = at->next) {
        read_judged(r, at);
    }
    for (const hiss_yaml *at = list(r, root, "results"); at && r->status == HISS_OK; at = at->next) {
        read_subject(r, at);
    }
    for (const hiss_yaml *at = list(r, root, "pictures"); at && r->status == HISS_OK; at = at->next) {
        if (r->e->pictures == MAX_PICTURES) {
            fail(r, at, "fewer pictures");
            return;
        }
        hiss_picture *p = &r->e->picture[r->e->pictures++];
        *p = (hiss_picture){text(r, at, "file", false), text(r, at, "title", false), text(r, at, "caption", false)};
    }
}

hiss_status hiss_evaluation_read(const char *path, hiss_evaluation **out, hiss_error *err) {
    hiss_arena *arena = hiss_arena_create();
    hiss_yaml *root = NULL;
    reader r = {hiss_evaluation_create(""), path, err, HISS_OK};
    r.status = hiss_yaml_read(arena, path, &root, err);
    if (r.status == HISS_OK) {
        read_all(&r, root);
    }
    hiss_arena_destroy(arena);
    *out = r.status == HISS_OK ? r.e : NULL;
    if (r.status != HISS_OK) {
        hiss_evaluation_destroy(r.e);
    }
    return r.status;
}
