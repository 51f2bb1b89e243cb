#include "hiss/export.h"

#include <math.h>

void hiss_csv_text(FILE *stream, const char *text) {
    fputc('"', stream);
    for (; *text; text++) {
        fputs(*text == '"' ? "\"\"" : (char[]){*text, 0}, stream);
    }
    fputc('"', stream);
}

void hiss_csv_number(FILE *stream, double value) {
    if (isfinite(value)) {
        fprintf(stream, "%.9g", value);
    }
}

void hiss_json_text(FILE *stream, const char *text) {
    if (!text) {
        fputs("null", stream);
        return;
    }
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            fprintf(stream, "\\%c", *text);
        } else if ((unsigned char)*text < ' ' || *text == 0x7f) {
            fprintf(stream, "\\u%04x", (unsigned)*text);
        } else {
            fputc(*text, stream);
        }
    }
    fputc('"', stream);
}

void hiss_json_number(FILE *stream, double value) {
    if (isfinite(value)) {
        fprintf(stream, "%.9g", value);
    } else {
        fputs("null", stream);
    }
}
