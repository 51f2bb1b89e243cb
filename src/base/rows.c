/* Rows: from text to a field and back, and help. A float is written with the fewest digits that read back to the same
 * value. Edit distance: Wagner and Fischer, J. ACM 21 (1974), one matrix row. */
#include "rows_impl.h"

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/number.h"

static bool in_bounds(const hiss_row *row, double value) {
    return (row->min == 0 && row->max == 0) || (row->min <= value && value <= row->max);
}

/* Length of the choice that starts at choice. */
static size_t choice_length(const char *choice) {
    return strcspn(choice, "|");
}

static int find_choice(const char *choices, const char *text) {
    const char *choice = choices;
    for (int index = 0;; index++) {
        size_t length = choice_length(choice);
        if (strlen(text) == length && strncmp(choice, text, length) == 0) {
            return index;
        }
        if (!choice[length]) {
            return -1;
        }
        choice += length + 1;
    }
}

const char *base_row_choices(const hiss_row *row) {
    return row->choices + (row->choices[0] == '|');
}

bool base_row_accept(const hiss_row *row, const char *text, void *fields) {
    void *field = (char *)fields + row->offset;
    int64_t integer;
    double real;
    int choice;
    switch (row->type) {
    case HISS_INT:
        if (!hiss_integer_parse(text, &integer) || !in_bounds(row, (double)integer)) {
            return false;
        }
        *(int64_t *)field = integer;
        return true;
    case HISS_FLOAT:
        if (!hiss_real_parse(text, &real) || !in_bounds(row, real)) {
            return false;
        }
        *(double *)field = real;
        return true;
    case HISS_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            return false;
        }
        *(bool *)field = text[0] == 't';
        return true;
    case HISS_CHOICE:
        choice = find_choice(base_row_choices(row), text);
        if (choice < 0) {
            return false;
        }
        *(int *)field = choice;
        return true;
    case HISS_NAME:
        if (find_choice(base_row_choices(row), text) < 0) {
            return false;
        }
        *(const char **)field = text;
        return true;
    case HISS_STRING:
    case HISS_PATH:
    case HISS_PATHS:
        *(const char **)field = text;
        return true;
    case HISS_NODE:
        break;
    }
    assert(row->type != HISS_NODE);
    return false;
}

hiss_status base_row_read_path(hiss_arena *arena, const char *key, const hiss_row *row, const hiss_yaml *node,
                               const char **out, hiss_error *err) {
    const hiss_status status = hiss_path_expand(arena, key, node->text, out, err);
    if (!status && row->type == HISS_PATHS && **out == '[') {
        *out = hiss_arena_format(arena, "./%s", *out); /* no list */
    }
    return status;
}

hiss_status base_row_read_paths(hiss_arena *arena, const char *key, const hiss_yaml *list, const char **out,
                                hiss_error *err) {
    char *text = NULL;
    size_t size;
    int number = 0;
    FILE *stream = hiss_text_open(&text, &size);
    hiss_status status = HISS_OK;
    for (const hiss_yaml *node = list->first; node && !status; node = node->next) {
        const char *path = NULL;
        number++;
        if (node->kind != HISS_YAML_SCALAR || !node->text[0] || strcmp(node->text, "~") == 0) {
            status = hiss_fail(err, HISS_EUSER, "%s: entry %d of the list is no path; give one", key, number);
        } else if (!(status = hiss_path_expand(arena, key, node->text, &path, err))) {
            fputs(number > 1 ? ", " : "", stream);
            hiss_yaml_write_text(stream, path);
        }
    }
    fclose(stream);
    *out = hiss_arena_format(arena, "[%s]", text);
    free(text);
    return status ? status : number ? HISS_OK : hiss_fail(err, HISS_EUSER, "%s: the list is empty; name a file", key);
}

bool base_row_wants_text(const hiss_row *row) {
    return row->type == HISS_PATH || row->type == HISS_PATHS || (row->type == HISS_STRING && row->min == 1);
}

bool base_row_default(const hiss_row *row, void *fields) {
    void *field = (char *)fields + row->offset;
    if (row->standard && row->type != HISS_NODE) {
        bool good = base_row_accept(row, row->standard, fields);
        assert(good && "the default of a row must be a value it accepts");
        return good;
    }
    switch (row->type) {
    case HISS_BOOL:
        *(bool *)field = false;
        return true;
    case HISS_STRING:
    case HISS_PATH:
    case HISS_PATHS:
        *(const char **)field = NULL;
        return true;
    case HISS_NODE:
        *(const hiss_yaml **)field = NULL;
        return true;
    case HISS_INT:
    case HISS_FLOAT:
    case HISS_CHOICE:
    case HISS_NAME:
        break;
    }
    return false;
}

static void format_float(double value, char *out, size_t size) {
    if (value == trunc(value) && fabs(value) < 1e15) {
        snprintf(out, size, "%.0f", value);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, value);
        if (strtod(out, NULL) == value) {
            break;
        }
    }
    char *exponent = strchr(out, 'e');
    if (exponent && !strchr(out, '.')) { /* readers of YAML 1.1 take 1e-05 for a string */
        memmove(exponent + 2, exponent, strlen(exponent) + 1);
        memcpy(exponent, ".0", 2);
    }
}

static void format_bound(const hiss_row *row, double bound, char *out, size_t size) {
    if (row->type == HISS_INT && fabs(bound) < 0x1p63) {
        snprintf(out, size, "%" PRId64, (int64_t)bound);
    } else {
        format_float(bound, out, size);
    }
}

/* Whether bound bounds anything: numeric limits do not. */
static bool is_bound(const hiss_row *row, double bound) {
    return (row->min != 0 || row->max != 0) && fabs(bound) < (row->type == HISS_INT ? 0x1p63 : DBL_MAX);
}

static void format_range(const hiss_row *row, const char *type, char *out, size_t size) {
    char low[40], high[40];
    bool from = is_bound(row, row->min), to = is_bound(row, row->max);
    format_bound(row, row->min, low, sizeof low);
    format_bound(row, row->max, high, sizeof high);
    if (from && to) {
        snprintf(out, size, "%s in %s..%s", type, low, high);
    } else {
        snprintf(out, size, "%s%s%s", type, from ? " >= " : to ? " <= " : "", from ? low : to ? high : "");
    }
}

void base_row_expected(const hiss_row *row, char *out, size_t size) {
    switch (row->type) {
    case HISS_INT:
        format_range(row, "an integer", out, size);
        break;
    case HISS_FLOAT:
        format_range(row, "a number", out, size);
        break;
    case HISS_BOOL:
        snprintf(out, size, "true or false");
        break;
    case HISS_STRING:
        snprintf(out, size, "a text");
        break;
    case HISS_PATH:
        snprintf(out, size, "a path");
        break;
    case HISS_PATHS:
        snprintf(out, size, "a path or a list of paths");
        break;
    case HISS_CHOICE:
    case HISS_NAME:
        snprintf(out, size, "one of ");
        for (const char *choice = base_row_choices(row); *choice;) {
            size_t length = choice_length(choice), used = strlen(out);
            snprintf(out + used, size - used, "%.*s%s", (int)length, choice, choice[length] ? ", " : "");
            choice += length + (choice[length] == '|');
        }
        break;
    case HISS_NODE:
        snprintf(out, size, "a value, a list or a section");
        break;
    }
}

static void write_choice(FILE *stream, const char *choice, int index) {
    for (int i = 0; i < index; i++) {
        choice += choice_length(choice) + 1;
    }
    fprintf(stream, "%.*s", (int)choice_length(choice), choice);
}

void base_row_write(FILE *stream, const hiss_row *row, const void *fields) {
    const void *field = (const char *)fields + row->offset;
    char text[40];
    switch (row->type) {
    case HISS_INT:
        fprintf(stream, "%" PRId64, *(const int64_t *)field);
        break;
    case HISS_FLOAT:
        format_float(*(const double *)field, text, sizeof text);
        fputs(text, stream);
        break;
    case HISS_BOOL:
        fputs(*(const bool *)field ? "true" : "false", stream);
        break;
    case HISS_PATHS:
        if (*(const char *const *)field && **(const char *const *)field == '[') {
            fputs(*(const char *const *)field, stream);
            break;
        } /* fall through */
    case HISS_STRING:
    case HISS_PATH:
    case HISS_NAME:
        hiss_yaml_write_text(stream, *(const char *const *)field);
        break;
    case HISS_CHOICE:
        write_choice(stream, base_row_choices(row), *(const int *)field);
        break;
    case HISS_NODE:
        assert(row->type != HISS_NODE);
    }
}

int hiss_edit_distance(const char *a, const char *b) {
    int width = (int)strlen(b) + 1;
    int *row = hiss_new(int, width);
    for (int j = 0; j < width; j++) {
        row[j] = j;
    }
    for (int i = 0; a[i]; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 1; j < width; j++) {
            int change = diagonal + (a[i] != b[j - 1]), gap = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            diagonal = row[j];
            row[j] = change < gap ? change : gap;
        }
    }
    int distance = row[width - 1];
    hiss_free(row);
    return distance;
}

/* The choice most likely meant: one that begins with the text, or differs from it in at most two letters. */
static void hint_choice(const char *choice, const char *text, char out[HISS_HINT]) {
    enum { LONGEST = 64, NEAR = 3 };
    const size_t typed = strlen(text);
    int least = LONGEST;
    while (*choice) {
        const size_t length = choice_length(choice);
        char name[LONGEST];
        snprintf(name, sizeof name, "%.*s", (int)length, choice);
        const int distance = hiss_edit_distance(text, name);
        const bool begins = typed > 1 && strncmp(text, name, typed) == 0;
        if (distance < least && (begins || (distance < NEAR && (size_t)distance + 1 < typed))) {
            least = distance;
            snprintf(out, HISS_HINT, "; did you mean '%s'?", name);
        }
        choice += length + (choice[length] == '|');
    }
}

const char *base_row_hint(const hiss_row *row, const char *text, char out[HISS_HINT]) {
    out[0] = '\0';
    if (row->type == HISS_CHOICE || row->type == HISS_NAME) {
        hint_choice(base_row_choices(row), text, out);
    }
    return row->type == HISS_INT || row->type == HISS_FLOAT ? hiss_number_hint(text, row->type == HISS_INT, out) : out;
}
