/* Section probe, of training's side: when to look at the network, which look is the best, and whether that ends the run.
 * What is looked at is the caller's (hiss_train_probe).
 *
 * A probe comes after each step that is a multiple of probe.every, and only then, so that it does not depend on where a
 * run was stopped. Its numbers go into the log line of that step, which is written for it.
 *
 * Prechelt, "Early stopping - but when?" (1998), criterion UP: the run ends after stop_after probes in a row none of which
 * is better than the best. Equal is not better, and what is not a number is no better than anything. Best number, its step,
 * and the probes since are in checkpoints with what the next line has summed up so far, so that a run which goes on decides
 * as if it had not been stopped. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/clock.h"
#include "hiss/log.h"
#include "hiss/watch.h"
#include "train/cadence.h"
#include "train/trainer.h"

static const hiss_probe_options *options_of(const trainer *t) {
    return &t->experiment->probe;
}

bool train_probe_due(const trainer *t, int64_t step) {
    const int64_t steps = train_cadence_steps(&options_of(t)->every, t->placement.steps_per_epoch);
    return t->request->probe.look && steps > 0 && step % steps == 0;
}

hiss_status train_probe_look(trainer *t, hiss_error *err) {
    if (!train_probe_due(t, t->step)) {
        return HISS_OK;
    }
    const hiss_train_probe *probe = &t->request->probe;
    const double start = hiss_seconds();
    hiss_watch_note(t->comm, "probe after step", t->step);
    const hiss_status s = probe->look(probe->user, t->model, t->vector, &t->probing.number, &t->probing.count, err);
    t->probing.seconds += hiss_seconds() - start;
    t->probing.looks++;
    return s;
}

/* ---- the best, and the end ---- */

bool train_probe_keeps(const trainer *t) {
    return t->request->probe.look && options_of(t)->best;
}

/* Of the probe, or of the method; false: neither has it. */
static bool find(const trainer *t, const hiss_named *logged, int count, const char *name, double *value) {
    bool found = false;
    for (int k = 0; k < t->probing.count; k++) {
        if (strcmp(t->probing.number[k].name, name) == 0) {
            *value = t->probing.number[k].value;
            found = true;
        }
    }
    for (int k = 0; k < count && !found; k++) {
        if (strcmp(logged[k].name, name) == 0) {
            *value = logged[k].value;
            found = true;
        }
    }
    return found;
}

static hiss_status refuse(const trainer *t, const hiss_named *logged, int count, hiss_error *err) {
    char names[400] = "";
    for (int k = 0; k < count; k++) {
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", k ? ", " : "", logged[k].name);
    }
    hiss_fail_key(err, HISS_EUSER, "probe.best", "'%.80s' is not logged by this run; it logs %s, and what probes say",
                  options_of(t)->best, names);
    return hiss_config_blame(t->experiment->config, HISS_EUSER, err);
}

static bool is_better(const trainer *t, double value) {
    const hiss_probe_options *o = options_of(t);
    const bool highest =
        o->best_is == HISS_BETTER_HIGHEST || (o->best_is == HISS_BETTER_AUTO && strncmp(o->best, "probe/", 6) == 0);
    return isfinite(value) &&
           (t->probing.best_step < 0 || (highest ? value > t->probing.best : value < t->probing.best));
}

/* Whether the run has ended here, by state. */
static bool is_over(const trainer *t) {
    const int64_t most = options_of(t)->stop_after;
    return train_probe_keeps(t) && most > 0 && t->probing.since >= most;
}

hiss_status train_probe_judge(trainer *t, const hiss_named *logged, int count, hiss_error *err) {
    const hiss_probe_options *o = options_of(t);
    double value = (double)NAN;
    if (!train_probe_due(t, t->step) || !train_probe_keeps(t)) {
        return HISS_OK;
    }
    if (!find(t, logged, count, o->best, &value) && strncmp(o->best, "probe/", 6) != 0) { /* those may be left out */
        return refuse(t, logged, count, err);
    }
    if (is_better(t, value)) {
        t->probing.best = value;
        t->probing.best_step = t->step;
        t->probing.since = 0;
        t->probing.keep = true;
    } else {
        t->probing.since++;
    }
    if (is_over(t)) {
        hiss_info("the run ends after step %" PRId64 ": %s was best at step %" PRId64 " (%.6g), %" PRId64
                  " probes ago (probe.stop_after)",
                  t->step, o->best, t->probing.best_step, t->probing.best, t->probing.since);
        t->total_steps = t->step;
    }
    return HISS_OK;
}

/* ---- in checkpoints and the summary ---- */

void train_probe_pack(const trainer *t, int64_t out[PROBING_VALUES]) {
    memcpy(out, &t->probing.best, sizeof t->probing.best);
    out[1] = t->probing.best_step;
    out[2] = t->probing.since;
    memcpy(out + 3, t->window.sum, sizeof t->window.sum);
    memcpy(out + 3 + MAX_METRICS, t->window.counted, sizeof t->window.counted);
}

void train_probe_unpack(trainer *t, const int64_t in[PROBING_VALUES]) {
    memcpy(&t->probing.best, in, sizeof t->probing.best);
    t->probing.best_step = in[1];
    t->probing.since = in[2];
    t->probing.keep = false;
    memcpy(t->window.sum, in + 3, sizeof t->window.sum);
    memcpy(t->window.counted, in + 3 + MAX_METRICS, sizeof t->window.counted);
    t->total_steps = is_over(t) ? t->step : train_steps_planned(t);
}

void train_probe_write(const trainer *t, FILE *out) {
    const probing *p = &t->probing;
    if (train_probe_keeps(t) && p->best_step >= 0) {
        fprintf(out, "best:\n  metric: \"%s\"\n  value: %.9g\n  step: %" PRId64 "\n  probes_since: %" PRId64 "\n",
                options_of(t)->best, p->best, p->best_step, p->since);
        fprintf(out, "  ended_by_it: %s\n", is_over(t) ? "true" : "false");
    }
    if (p->looks > 0) {
        fprintf(out, "probes: %" PRId64 "\nprobe_seconds: %.3f\n", p->looks, p->seconds);
    }
}
