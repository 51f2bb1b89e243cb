/* When to checkpoint.
 *
 * Young (CACM 17, 1974) and Daly (FGCS 22, 2006): if a checkpoint costs C seconds and failures come every M seconds on
 * average, an interval T loses C/T of the time to checkpoints and T/(2M) to work that is done again; the sum is
 * smallest at T = sqrt(2 C M). Here C is what a checkpoint keeps the computation waiting, since it is written aside;
 * that writing is not for free either, so T stays well above its time. */
#include "train/cadence.h"

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
    if (!hiss_parse_real(digits, &number)) {
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

hiss_status cadence_parse(hiss_checkpoint_options *o, hiss_error *err) {
    enum {
        TIME = 1u << HISS_EVERY_SECONDS,
        COUNT = 1u << HISS_EVERY_EPOCHS | 1u << HISS_EVERY_STEPS | 1u << HISS_EVERY_NEVER
    };
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

double cadence_young(double blocked, double written, double mtbf) {
    const double best = sqrt(2.0 * blocked * mtbf), least = fmax(10.0, 10.0 * written);
    return fmax(best, least);
}

/* Whether a count of steps is a multiple of the interval. */
static bool multiple(const hiss_interval *every, int64_t step, int64_t steps_per_epoch) {
    const int64_t count = (int64_t)every->count * (every->unit == HISS_EVERY_EPOCHS ? steps_per_epoch : 1);
    return (every->unit == HISS_EVERY_EPOCHS || every->unit == HISS_EVERY_STEPS) && step % count == 0;
}

cadence_due cadence_at(const hiss_checkpoint_options *o, const cadence_state *s) {
    bool due = multiple(&o->every, s->step, s->steps_per_epoch);
    if (multiple(&o->keep_every, s->step, s->steps_per_epoch)) {
        return CADENCE_MILESTONE;
    }
    if (o->every.unit == HISS_EVERY_SECONDS) {
        due = s->since >= o->every.count;
    } else if (o->every.unit == HISS_EVERY_AUTO) {
        due = s->since >= cadence_young(s->blocked, s->written, o->mtbf);
    }
    return due ? CADENCE_DUE : CADENCE_NOT;
}

bool cadence_keeps(const hiss_checkpoint_options *o, int64_t steps_per_epoch, int64_t newest, const int64_t *steps,
                   int count, int64_t step) {
    int64_t newer = 0;
    for (int k = 0; k < count; k++) {
        newer += steps[k] > step && steps[k] <= newest;
    }
    return step > newest || newer < o->keep || multiple(&o->keep_every, step, steps_per_epoch);
}

/* The last step before `step` at which the interval is due by the number of steps; 0: none. */
static int64_t last_before(const hiss_interval *every, int64_t step, int64_t steps_per_epoch) {
    const int64_t count = (int64_t)every->count * (every->unit == HISS_EVERY_EPOCHS ? steps_per_epoch : 1);
    const bool counts = every->unit == HISS_EVERY_EPOCHS || every->unit == HISS_EVERY_STEPS;
    return counts ? (step - 1) / count * count : 0;
}

/* They are most while the last one is written. Of those before it the newest stay; older ones when they are
 * milestones. Where time decides, none of the newest need be one. */
int64_t cadence_most(const hiss_checkpoint_options *o, int64_t steps_per_epoch, int64_t steps, int64_t *milestones) {
    const bool timed = o->every.unit == HISS_EVERY_SECONDS || o->every.unit == HISS_EVERY_AUTO;
    int64_t newest = timed ? o->keep : 0, at = steps;
    for (int64_t k = 0; k < o->keep && !timed; k++) {
        const int64_t a = last_before(&o->every, at, steps_per_epoch);
        const int64_t b = last_before(&o->keep_every, at, steps_per_epoch);
        at = a > b ? a : b;
        newest += at > 0;
        if (at <= 1) {
            break;
        }
    }
    const int64_t last = at > 0 ? last_before(&o->keep_every, at, steps_per_epoch) : 0;
    const int64_t between =
        (int64_t)o->keep_every.count * (o->keep_every.unit == HISS_EVERY_EPOCHS ? steps_per_epoch : 1);
    *milestones = last > 0 ? last / between : 0;
    return newest + *milestones + 1;
}

double cadence_reserve(double longest_step, double checkpoint, double margin) {
    return 2.0 * longest_step + 2.0 * checkpoint + margin;
}
