/* Two resolved configs side by side: texts in which what belongs to a key of the top level is indented below it. */
#include <string.h>

#include "hiss/config.h"

static const char *next_line(const char *line) {
    const size_t length = strcspn(line, "\n");
    return line + length + (line[length] == '\n');
}

static bool is_free(const char *line, const char *const *keys, int count) {
    for (int k = 0; k < count; k++) {
        const size_t length = strlen(keys[k]);
        if (strncmp(line, keys[k], length) == 0 && line[length] == ':') {
            return true;
        }
    }
    return false;
}

/* The next line of a resolved config that must stay, this one included. */
static const char *fixed_line(const char *line, const char *const *keys, int count) {
    while (*line && is_free(line, keys, count)) {
        do {
            line = next_line(line);
        } while (*line == ' ');
    }
    return line;
}

/* A line without its indentation, at most 100 bytes of it. */
static const char *show(const char *line, int *length) {
    const char *text = line + strspn(line, " ");
    const size_t bytes = strcspn(text, "\n");
    *length = bytes < 100 ? (int)bytes : 100;
    return text;
}

static hiss_status refuse(const char *section, const char *then, const char *now, hiss_error *err) {
    int m, n;
    const char *a = show(then, &m), *b = show(now, &n);
    const int named = *then == ' ' || *now == ' ' ? (int)strcspn(section, ":\n") : 0;
    return hiss_fail(err, HISS_EUSER, "%s%.*s%s'%.*s', now '%.*s'", named ? "in section " : "", named, section,
                     named ? ", " : "", m, a, n, b);
}

hiss_status hiss_resolved_compare(const char *then, const char *now, const char *const *keys, int count,
                                  hiss_error *err) {
    const char *a = fixed_line(then, keys, count), *b = fixed_line(now, keys, count), *section = "";
    while (*a || *b) {
        const size_t m = strcspn(a, "\n"), n = strcspn(b, "\n");
        if (m != n || strncmp(a, b, m) != 0) {
            return refuse(section, a, b, err);
        }
        section = *a == ' ' ? section : a;
        a = fixed_line(next_line(a), keys, count);
        b = fixed_line(next_line(b), keys, count);
    }
    return HISS_OK;
}
