/* Learning rate schedules. Nothing is remembered between steps, so a resumed run continues on the same curve.
 *
 * Cosine: Loshchilov & Hutter, "SGDR", ICLR 2017, without restarts. Warm-up: Goyal et al., "Accurate, large minibatch
 * SGD", 2017. Inverse: the decay of NAT's transfer protocol. Step and inverse change between epochs only. */
#include <assert.h>
#include <math.h>

#include "hiss/optim.h"

static double scheduled(const hiss_optim_options *o, int64_t epoch, double progress) {
    static const double pi = 3.14159265358979323846;
    switch ((hiss_schedule)o->schedule) {
    case HISS_SCHEDULE_CONSTANT:
        return o->lr;
    case HISS_SCHEDULE_STEP:
        return o->lr * pow(o->step_factor, (double)(epoch / o->step_every));
    case HISS_SCHEDULE_COSINE:
        return o->lr_end + (o->lr - o->lr_end) * (1 + cos(pi * progress)) / 2;
    case HISS_SCHEDULE_LINEAR:
        return o->lr_end + (o->lr - o->lr_end) * (1 - progress);
    case HISS_SCHEDULE_INVERSE:
        return o->lr / (1 + o->inverse_gamma * (epoch > o->inverse_after ? (double)(epoch - o->inverse_after) : 0));
    }
    assert(0 && "unknown schedule");
    return 0;
}

bool hiss_optim_needs_total(const hiss_optim_options *options) {
    return options->schedule == HISS_SCHEDULE_COSINE || options->schedule == HISS_SCHEDULE_LINEAR;
}

double hiss_optim_rate(const hiss_optim_options *options, int64_t step, int64_t steps_per_epoch, int64_t total_steps) {
    assert(step >= 0 && steps_per_epoch >= 1 && total_steps >= 1);
    double warm = nearbyint(options->warmup * (double)steps_per_epoch), at = (double)step, end = (double)total_steps;
    double ramp = at + 1 < warm ? (at + 1) / warm : 1;
    double progress = at >= end ? 1 : at <= warm ? 0 : (at - warm) / (end - warm);
    return ramp * scheduled(options, step / steps_per_epoch, progress);
}
