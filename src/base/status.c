#include "hiss/status.h"

#include <stdarg.h>
#include <stdio.h>

static void write_line(hiss_error *err, hiss_status code, const char *key, const char *format, va_list arguments) {
    err->code = code;
    snprintf(err->key, sizeof err->key, "%s", key);
    const int used = key[0] ? snprintf(err->text, sizeof err->text, "%s: ", err->key) : 0;
    vsnprintf(err->text + used, sizeof err->text - (size_t)used, format, arguments);
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
