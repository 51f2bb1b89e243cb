#include "hiss/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void write_line(hiss_error *err, hiss_status code, const char *key, const char *format, va_list arguments) {
    err->code = code;
    snprintf(err->key, sizeof err->key, "%s", key);
    const int used = key[0] ? snprintf(err->text, sizeof err->text, "%s: ", err->key) : 0;
    const int wrote = vsnprintf(err->text + used, sizeof err->text - (size_t)used, format, arguments);
    if (wrote >= (int)sizeof err->text - used) { /* end with a whole word, where one is near */
        enum { NEAR = 200 };
        char *last = err->text + sizeof err->text - sizeof " ...", *end = last;
        while (end > last - NEAR && *end != ' ') {
            end--;
        }
        strcpy(*end == ' ' ? end : last, " ...");
    }
    for (char *c = err->text; *c; c++) { /* one line, whatever names and values were quoted in it */
        *c = (unsigned char)*c < ' ' ? ' ' : *c;
    }
}

hiss_status hiss_fail(hiss_error *err, hiss_status code, const char *format, ...) {
    if (err) {
        va_list arguments;
        va_start(arguments, format);
        write_line(err, code, "", format, arguments);
        va_end(arguments);
    }
    return code;
}

hiss_status hiss_fail_key(hiss_error *err, hiss_status code, const char *key, const char *format, ...) {
    if (err) {
        va_list arguments;
        va_start(arguments, format);
        write_line(err, code, key, format, arguments);
        va_end(arguments);
    }
    return code;
}

hiss_status hiss_error_prefix(hiss_error *err, hiss_status status, const char *prefix) {
    if (status != HISS_OK && err) {
        const hiss_error why = *err;
        hiss_fail(err, status, "%s: %s", prefix, why.text);
    }
    return status;
}

hiss_status hiss_error_under_key(hiss_error *err, hiss_status status, const char *key) {
    if (status != HISS_OK && err) {
        const hiss_error why = *err;
        hiss_fail_key(err, status, key, "%s", why.text);
    }
    return status;
}

void hiss_list_add(char *list, size_t size, const char *item) {
    const size_t used = strlen(list), rest = size - used;
    const bool ended = used >= 3 && strcmp(list + used - 3, "...") == 0;
    if (!ended && strlen(item) + sizeof ", , ..." <= rest) {
        snprintf(list + used, rest, "%s%s", used ? ", " : "", item);
    } else if (!ended) {
        snprintf(list + used, rest, "%s...", used ? ", " : "");
    }
}

void hiss_list_add_all(char *list, size_t size, const char *items) {
    char item[256];
    while (*items) {
        const char *end = strstr(items, ", ");
        const size_t length = end ? (size_t)(end - items) : strlen(items);
        snprintf(item, sizeof item, "%.*s", (int)length, items);
        hiss_list_add(list, size, item);
        items += length + (end ? 2 : 0);
    }
}

int hiss_exit_code(hiss_status status) {
    switch (status) {
    case HISS_OK:
        return 0;
    case HISS_EUSER:
    case HISS_ESYSTEM:
        return 2;
    case HISS_EREQUEUE:
        return 85;
    case HISS_EINTERNAL:
        break;
    }
    return 70;
}
