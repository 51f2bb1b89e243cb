#include "hiss/status.h"

#include <stdarg.h>
#include <stdio.h>

hiss_status hiss_fail(hiss_error *err, hiss_status code, const char *format, ...) {
    if (err) {
        va_list arguments;
        va_start(arguments, format);
        err->code = code;
        vsnprintf(err->text, sizeof err->text, format, arguments);
        va_end(arguments);
        for (char *c = err->text; *c; c++) { /* one line, whatever names and values were quoted in it */
            *c = (unsigned char)*c < ' ' ? ' ' : *c;
        }
    }
    return code;
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
