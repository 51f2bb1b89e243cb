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

void hiss_csv_next_number(FILE *stream, double value) {
    fputc(',', stream);
    hiss_csv_number(stream, value);
}

void hiss_json_member_text(FILE *stream, const char *key, const char *text) {
    fprintf(stream, "\"%s\": ", key);
    hiss_json_text(stream, text);
}

void hiss_json_member_number(FILE *stream, const char *key, double value) {
    fprintf(stream, "\"%s\": ", key);
    hiss_json_number(stream, value);
}
