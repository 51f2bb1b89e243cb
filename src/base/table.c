/* Cells and lines of text tables. printf's widths are the least, not the most: one long figure shifts all columns
 * behind it. Here the width is kept and the figure gives way. */
#include "hiss/table.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const char *align_right(char out[HISS_CELL], int width, const char *text) {
    const size_t length = strlen(text), blanks = (size_t)width - length;
    assert(length <= (size_t)width && width < HISS_CELL);
    memset(out, ' ', blanks);
    memcpy(out + blanks, text, length + 1);
    return out;
}

/* "1.2e+09" as 1.2e9, in at most `width` characters, with as many of the decimals as there is room for. */
static void write_power(char out[HISS_CELL], int width, int decimals, double value) {
    int length = 0;
    for (int d = decimals < HISS_CELL / 2 ? decimals : HISS_CELL / 2; d >= 0; d--) {
        char text[HISS_CELL];
        snprintf(text, sizeof text, "%.*e", d, value);
        const char *e = strchr(text, 'e'), *digit = e + 2 + strspn(e + 2, "0");
        length = snprintf(out, HISS_CELL, "%.*s%s%s", (int)(e + 1 - text), text, e[1] == '-' ? "-" : "",
                          *digit ? digit : "0");
        if (length <= width) {
            return;
        }
    }
    snprintf(out, HISS_CELL, "%s", fabs(value) < 1.0 ? "0" : "-inf"); /* -1e-300 in six columns, -1e300 in five */
}

static const char *not_finite(double value) {
    return isnan(value) ? "-" : value > 0.0 ? "inf" : "-inf";
}

const char *hiss_power_cell(char out[HISS_CELL], int width, int decimals, double value) {
    char text[HISS_CELL];
    assert(width >= HISS_NUMBER_WIDTH);
    if (!isfinite(value)) {
        return align_right(out, width, not_finite(value));
    }
    write_power(text, width, decimals, value);
    return align_right(out, width, text);
}

const char *hiss_number_cell(char out[HISS_CELL], int width, int decimals, double value) {
    assert(width >= HISS_NUMBER_WIDTH);
    if (!isfinite(value)) {
        return align_right(out, width, not_finite(value));
    }
    for (int d = decimals; d >= 0; d--) {
        char text[HISS_CELL];
        const int length = snprintf(text, sizeof text, "%.*f", d, value);
        if (length <= width) {
            return align_right(out, width, text);
        }
    }
    return hiss_power_cell(out, width, width, value);
}

/* Bytes of the first `columns` characters; all, when there are fewer. */
static int prefix(const char *text, int columns) {
    int bytes = 0;
    for (; text[bytes]; bytes++) {
        if (((unsigned char)text[bytes] & 0xC0) != 0x80 && columns-- == 0) {
            break;
        }
    }
    return bytes;
}

static int columns_of(const char *text, int bytes) {
    int n = 0;
    for (int i = 0; i < bytes; i++) {
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    }
    return n;
}

const char *hiss_text_cell(char out[HISS_CELL], int width, const char *text) {
    assert(width >= 1 && width < HISS_CELL / 4);
    const int all = prefix(text, width), columns = columns_of(text, all);
    if (text[all] == '\0') {
        snprintf(out, HISS_CELL, "%.*s%*s", all, text, width - columns, "");
    } else {
        snprintf(out, HISS_CELL, "%.*s~", prefix(text, width - 1), text);
    }
    return out;
}

void hiss_text_print_wrapped(FILE *stream, int page, const char *text) {
    enum { INDENT = 4 };
    assert(page > INDENT);
    for (int indent = 0;; indent = INDENT) {
        int end = prefix(text, page - indent);
        if (text[end] != '\0') {
            int blank = end;
            while (blank > 0 && text[blank] != ' ') {
                blank--;
            }
            end = blank > (int)strspn(text, " ") ? blank
                                                 : (int)(strspn(text, " ") + strcspn(text + strspn(text, " "), " "));
        }
        fprintf(stream, "%*s%.*s\n", indent, "", end, text);
        text += end + (int)strspn(text + end, " ");
        if (*text == '\0') {
            return;
        }
    }
}
