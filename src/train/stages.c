/* The epochs in which phases run, and their learning rates: pure functions of the step, so that a resumed run needs to
 * know nothing more. */
#include <assert.h>

#include "train/trainer.h"

bool train_phase_runs(const trainer *t, int p, int64_t epoch) {
    const hiss_span span = t->phases[p].span;
    return span.first <= epoch && epoch < span.end;
}

double train_phase_rate(const trainer *t, const phase *ph, int group, int64_t step) {
    const int64_t per_epoch = t->placement.steps_per_epoch, begin = ph->span.first * per_epoch;
    return hiss_optim_rate(&t->experiment->optim[group], step - begin, per_epoch, ph->span.end * per_epoch - begin);
}

hiss_status train_phase_spans(trainer *t, hiss_error *err) {
    const hiss_phase_ops *ops = t->experiment->objective->phase;
    int64_t epochs = 0; /* with some phase that may run */
    for (int p = 0; p < t->nphases; p++) {
        t->phases[p].span = ops && ops->span ? ops->span(t->method, p) : (hiss_span){0, INT64_MAX};
        epochs = t->phases[p].span.end > epochs ? t->phases[p].span.end : epochs;
    }
    t->epochs = epochs = epochs < t->experiment->train.epochs ? epochs : t->experiment->train.epochs;
    for (int p = 0; p < t->nphases; p++) {
        hiss_span span = t->phases[p].span;
        assert(0 <= span.first && span.first <= span.end);
        span.end = span.end < epochs ? span.end : epochs;
        t->phases[p].span = span.first < span.end ? span : (hiss_span){epochs, epochs};
    }
    for (int at = -1; at < t->nphases; at++) { /* the first epoch, and those after a phase's last */
        const int64_t epoch = at < 0 ? 0 : t->phases[at].span.end;
        bool any = epoch == epochs;
        for (int p = 0; p < t->nphases; p++) {
            any |= train_phase_runs(t, p, epoch);
        }
        if (!any) {
            return hiss_fail(err, HISS_EUSER,
                             "objective %s: no phase runs in epoch %lld of %lld (train.epochs); the epochs of its "
                             "phases must leave no gap",
                             t->experiment->objective->name, (long long)epoch + 1, (long long)epochs);
        }
    }
    return HISS_OK;
}

int64_t train_steps_planned(const trainer *t) {
    const int64_t steps = t->experiment->train.steps;
    return steps > 0 && steps < t->scheduled_steps ? steps : t->scheduled_steps;
}
