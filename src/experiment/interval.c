/* Intervals as texts: "1 epoch", "500 steps", "10 min", auto, never. */
#include "experiment/interval.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/number.h"

static const struct {
    const char *name;
    hiss_interval_unit unit;
    double factor;
} units[] = {{"epoch", HISS_EVERY_EPOCHS, 1}, {"epochs", HISS_EVERY_EPOCHS, 1}, {"step", HISS_EVERY_STEPS, 1},
             {"steps", HISS_EVERY_STEPS, 1},  {"s", HISS_EVERY_SECONDS, 1},     {"min", HISS_EVERY_SECONDS, 60},
             {"h", HISS_EVERY_SECONDS, 3600}};

/* A number and one of the units of `allowed` (bits), or never. hint: what is wrong with the number. */
static bool parse(const char *text, unsigned allowed, hiss_interval *out, char hint[HISS_HINT]) {
    char digits[32] = "", name[16] = "", rest[2] = "";
    const int length = (int)strspn(text, "0123456789.,'_+-");
    double number = 0.0;
    *out = (hiss_interval){.unit = HISS_EVERY_NEVER};
    if (strcmp(text, "never") == 0) {
        return allowed >> HISS_EVERY_NEVER & 1u;
    }
    if (strcmp(text, "auto") == 0) {
        out->unit = HISS_EVERY_AUTO;
        return allowed >> HISS_EVERY_AUTO & 1u;
    }
    snprintf(digits, sizeof digits, "%.*s", length, text);
    if (!hiss_real_parse(digits, &number)) {
        hiss_number_hint(digits, false, hint);
        return false;
    }
    if (!(number > 0) || number > 1e15 || sscanf(text + length, " %15s %1s", name, rest) != 1) {
        return false;
    }
    for (int k = 0; k < HISS_COUNT(units); k++) {
        if (strcmp(name, units[k].name) == 0) {
            *out = (hiss_interval){units[k].unit, number * units[k].factor};
            return (allowed >> units[k].unit & 1u) && (units[k].unit == HISS_EVERY_SECONDS || number == floor(number));
        }
    }
    return false;
}

enum {
    TIME = 1u << HISS_EVERY_SECONDS,
    COUNT = 1u << HISS_EVERY_EPOCHS | 1u << HISS_EVERY_STEPS | 1u << HISS_EVERY_NEVER
};

hiss_status experiment_probe_check(hiss_probe_options *o, hiss_error *err) {
    char hint[HISS_HINT] = "";
    if (o->every_text && !parse(o->every_text, COUNT, &o->every, hint)) {
        return hiss_fail_key(err, HISS_EUSER, "probe.every",
                             "'%.80s'; expected for example 1 epoch, 500 steps or never%s", o->every_text, hint);
    }
    if (o->stop_after > 0 && !o->best) {
        return hiss_fail_key(err, HISS_EUSER, "probe.stop_after",
                             "needs a number that gets no better; name one in probe.best, as in probe/z/knn");
    }
    if (o->stop_after > 0 && o->every.unit == HISS_EVERY_NEVER) {
        return hiss_fail_key(err, HISS_EUSER, "probe.stop_after",
                             "counts probes, and there are none: probe.every is never; say how often, as in 1 epoch");
    }
    return HISS_OK;
}

hiss_status experiment_interval_parse(hiss_checkpoint_options *o, hiss_error *err) {
    hiss_interval mtbf, margin;
    const struct {
        const char *key, *text, *expected;
        unsigned allowed;
        hiss_interval *out;
    } rows[] = {{"every", o->every_text, "for example 1 epoch, 500 steps, 10 min, auto or never",
                 COUNT | TIME | 1u << HISS_EVERY_AUTO, &o->every},
                {"keep_every", o->keep_every_text, "for example 10 epochs, 5000 steps or never", COUNT, &o->keep_every},
                {"mtbf", o->mtbf_text, "a time, for example 24 h", TIME, &mtbf},
                {"margin", o->margin_text, "a time, for example 30 s", TIME, &margin}};
    for (int k = 0; k < HISS_COUNT(rows); k++) {
        char hint[HISS_HINT] = "";
        if (!parse(rows[k].text, rows[k].allowed, rows[k].out, hint)) {
            char key[HISS_ERROR_KEY];
            snprintf(key, sizeof key, "checkpoint.%s", rows[k].key);
            return hiss_fail_key(err, HISS_EUSER, key, "'%.80s'; expected %s%s", rows[k].text, rows[k].expected, hint);
        }
    }
    o->mtbf = mtbf.count;
    o->margin = margin.count;
    return HISS_OK;
}
