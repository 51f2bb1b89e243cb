/* From text to numbers, and what to say when that fails. strtoll and strtod do the work after the characters have been
 * checked, since both accept more than a config should: hexadecimal, nan, leading blanks, any tail, any size.
 *
 * The hint guesses what was meant from the characters: a decimal comma (0,05), grouped digits (1.000,5; 1 000; 1_000;
 * 1'000), a per cent sign, a unit, a tail. It only ever proposes; nothing is read that way. */
#include "hiss/number.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CLEAN = 64, COUNT_UNITS = 4 };

bool hiss_integer_parse(const char *text, int64_t *out) {
    static const struct {
        const char *name;
        int64_t factor;
    } unit[COUNT_UNITS] = {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
    const size_t sign = text[0] == '-' || text[0] == '+', digits = strspn(text + sign, "0123456789");
    errno = 0;
    const long long value = strtoll(text, NULL, 10);
    if (digits == 0 || errno != 0) {
        return false;
    }
    for (int i = 0; i < COUNT_UNITS; i++) {
        int64_t product = 0;
        if (strcmp(text + sign + digits, unit[i].name) == 0) {
            const bool fits = !__builtin_mul_overflow(value, unit[i].factor, &product);
            *out = fits ? product : *out;
            return fits;
        }
    }
    return false;
}

/* Whether text is zero however it is written: no digit but 0 before an exponent. */
static bool is_zero(const char *text) {
    return strcspn(text, "123456789") >= strcspn(text, "eE");
}

bool hiss_real_parse(const char *text, double *out) {
    char *end = NULL;
    if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0') {
        return false;
    }
    const double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value) || (value == 0.0 && !is_zero(text))) {
        return false;
    }
    *out = value;
    return true;
}

/* ---- hints ---- */

static bool is_word(const char *text, const char *const *words) {
    for (int k = 0; words[k]; k++) {
        if (strcasecmp(text, words[k]) == 0) {
            return true;
        }
    }
    return false;
}

static int count(const char *text, char c) {
    int n = 0;
    for (; *text; text++) {
        n += *text == c;
    }
    return n;
}

/* text without what groups its digits, and with a point where a comma was the decimal one; false: that cannot be
 * told. */
static bool clean(const char *text, char out[CLEAN]) {
    const char *comma = strrchr(text, ','), *dot = strrchr(text, '.');
    const int commas = count(text, ','), dots = count(text, '.');
    const bool comma_is_point = commas == 1 && (!dot || dot < comma),
               dots_group = dots > 1 || (comma && dot && dot < comma);
    const char *digits = text + strspn(text, "+-");
    if (comma_is_point && !dot && strspn(comma + 1, "0123456789") == 3 && comma[4] == '\0' && *digits != '0' &&
        comma - digits <= 3) {
        return false; /* 1,000 may be one or a thousand */
    }
    size_t used = 0;
    for (const char *c = text; *c && used + 1 < CLEAN; c++) {
        if ((*c == ',' && comma_is_point) || (*c == '.' && !dots_group)) {
            out[used++] = '.';
        } else if (!strchr(",. _'", *c)) {
            out[used++] = *c;
        }
    }
    out[used] = '\0';
    return true;
}

/* A number, and something behind it. */
static void hint_tail(const char *text, bool whole, char out[HISS_HINT]) {
    static const char *const sizes[] = {"k", "kb", "kib", "m", "mb", "mib", "g", "gb", "gib", "t", "tb", "tib", NULL};
    char *end = NULL;
    (void)strtod(text, &end);
    const char *tail = end + strspn(end, " ");
    if (end == text) {
        return;
    }
    if (whole && (strcmp(end, "KiB") == 0 || strcmp(end, "MiB") == 0 || strcmp(end, "GiB") == 0)) {
        snprintf(out, HISS_HINT, strchr(text, '.') ? "; write a whole number of a smaller unit" : "; it is too large");
    } else if (whole && is_word(tail, sizes)) {
        snprintf(out, HISS_HINT, "; units are KiB, MiB and GiB, right behind the digits");
    } else {
        snprintf(out, HISS_HINT, "; '%.20s' after the number is too much", tail);
    }
}

/* text without a per cent sign at its end, in out; whether it had one. */
static bool strip_percent(const char *text, char out[CLEAN]) {
    size_t length = strlen(text);
    const bool percent = text[length - 1] == '%';
    length -= percent;
    while (length > 0 && text[length - 1] == ' ') {
        length--;
    }
    snprintf(out, CLEAN, "%.*s", (int)length, text);
    return percent;
}

/* text consists of what numbers are written with. */
static void hint_digits(const char *text, const char *plain, bool percent, bool whole, char out[HISS_HINT]) {
    char cleaned[CLEAN] = "";
    double value = 0.0;
    int64_t integer = 0;
    if (!clean(plain, cleaned)) {
        snprintf(out, HISS_HINT, "; a comma is no decimal point, and digits are not grouped");
    } else if (percent && hiss_real_parse(cleaned, &value)) {
        snprintf(out, HISS_HINT, "; write %s %% as %.10g", cleaned, value / 100.0);
    } else if (strcmp(cleaned, text) != 0 && hiss_real_parse(cleaned, &value) &&
               (!whole || hiss_integer_parse(cleaned, &integer))) {
        snprintf(out, HISS_HINT, "; write %s%s", strchr(text, ',') && strchr(cleaned, '.') ? "a decimal point: " : "",
                 cleaned);
    } else if (strspn(text, "0123456789+-.eE") == strlen(text)) {
        char *end = NULL;
        (void)strtod(text, &end);
        snprintf(out, HISS_HINT, *end ? "; '%s' after the number is too much" : "; it is too large or too small", end);
    }
}

const char *hiss_number_hint(const char *text, bool whole, char out[HISS_HINT]) {
    static const char *const endless[] = {"inf",       "+inf", "-inf", ".inf", "-.inf", "+.inf", "infinity",
                                          "-infinity", "nan",  "+nan", "-nan", ".nan",  NULL};
    static const char *const truths[] = {"true", "false", "yes", "no", "on", "off", NULL};
    char plain[CLEAN] = "";
    double value = 0.0;
    int64_t integer = 0;
    out[0] = '\0';
    if (strlen(text) >= CLEAN || text[0] == '\0' || (whole && hiss_integer_parse(text, &integer))) {
        return out;
    }
    const bool percent = strip_percent(text, plain);
    const bool digits =
        isdigit((unsigned char)plain[strspn(plain, "+-.,")]) && strspn(plain, "0123456789.,_' eE+-") == strlen(plain);
    if (hiss_real_parse(text, &value)) {
        if (whole && fabs(value) >= 0x1p63) {
            snprintf(out, HISS_HINT, "; it is too large");
        } else if (whole && value == trunc(value)) {
            snprintf(out, HISS_HINT, "; write %" PRId64, (int64_t)value);
        }
    } else if (is_word(text, endless)) {
        snprintf(out, HISS_HINT, "; it must be finite");
    } else if (is_word(text, truths)) {
        snprintf(out, HISS_HINT, "; a number is needed, not yes or no");
    } else if (strncasecmp(text + strspn(text, "+-"), "0x", 2) == 0) {
        snprintf(out, HISS_HINT, "; write it in decimal digits");
    } else if (digits) {
        hint_digits(text, plain, percent, whole, out);
    } else {
        hint_tail(text, whole, out);
    }
    return out;
}
