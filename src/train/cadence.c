/* When to checkpoint.
 *
 * Young (CACM 17, 1974) and Daly (FGCS 22, 2006): if a checkpoint costs C seconds and failures come every M seconds on
 * average, an interval T loses C/T of the time to checkpoints and T/(2M) to work that is done again; the sum is
 * smallest at T = sqrt(2 C M). Here C is what a checkpoint keeps the computation waiting, since it is written aside;
 * that writing is not for free either, so T stays well above its time. */
#include "train/cadence.h"

#include <math.h>

double train_cadence_young(double blocked, double written, double mtbf) {
    const double best = sqrt(2.0 * blocked * mtbf), least = fmax(10.0, 10.0 * written);
    return fmax(best, least);
}

int64_t train_cadence_steps(const hiss_interval *every, int64_t steps_per_epoch) {
    return every->unit == HISS_EVERY_EPOCHS  ? (int64_t)every->count * steps_per_epoch
           : every->unit == HISS_EVERY_STEPS ? (int64_t)every->count
                                             : 0;
}

static bool multiple(const hiss_interval *every, int64_t step, int64_t steps_per_epoch) {
    const int64_t count = train_cadence_steps(every, steps_per_epoch);
    return count > 0 && step % count == 0;
}

cadence_due train_cadence_at(const hiss_checkpoint_options *o, const cadence_state *s) {
    bool due = multiple(&o->every, s->step, s->steps_per_epoch);
    if (multiple(&o->keep_every, s->step, s->steps_per_epoch)) {
        return CADENCE_MILESTONE;
    }
    if (o->every.unit == HISS_EVERY_SECONDS) {
        due = s->since >= o->every.count;
    } else if (o->every.unit == HISS_EVERY_AUTO) {
        due = s->since >= train_cadence_young(s->blocked, s->written, o->mtbf);
    }
    return due ? CADENCE_DUE : CADENCE_NOT;
}

bool train_cadence_keeps(const hiss_checkpoint_options *o, int64_t steps_per_epoch, int64_t newest,
                         const int64_t *steps, int count, int64_t step) {
    int64_t newer = 0;
    for (int k = 0; k < count; k++) {
        newer += steps[k] > step && steps[k] <= newest;
    }
    return step > newest || newer < o->keep || multiple(&o->keep_every, step, steps_per_epoch);
}

/* The last step before `step` at which the interval is due by the number of steps; 0: none. */
static int64_t last_before(const hiss_interval *every, int64_t step, int64_t steps_per_epoch) {
    const int64_t count = train_cadence_steps(every, steps_per_epoch);
    return count > 0 ? (step - 1) / count * count : 0;
}

/* They are most while the last one is written. Of those before it the newest stay; older ones when they are
 * milestones. Where time decides, none of the newest need be one. */
int64_t train_cadence_most(const hiss_checkpoint_options *o, int64_t steps_per_epoch, int64_t steps,
                           int64_t *milestones) {
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
    *milestones = last > 0 ? last / train_cadence_steps(&o->keep_every, steps_per_epoch) : 0;
    return newest + *milestones + 1;
}

double train_cadence_reserve(double longest_step, double checkpoint, double margin) {
    return 2.0 * longest_step + 2.0 * checkpoint + margin;
}
