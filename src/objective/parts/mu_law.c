/* m = sign(x) log(1 + mu |x|) / log(1 + mu) of x in -1 .. 1 lies in -1 .. 1, and its 256 levels are rounded to the nearest. */
#include "objective/parts/mu_law.h"

#include <math.h>

static const double mu = MU_LAW_LEVELS - 1, full_scale = 32768.0;

int32_t objective_mu_law_level(int16_t x) {
    const double share = fabs((double)x) / full_scale;
    const double m = copysign(log1p(mu * share) / log1p(mu), (double)x);
    return (int32_t)((m + 1.0) / 2.0 * mu + 0.5);
}

float objective_mu_law_value(int32_t level) {
    return (float)(2.0 * (double)level / mu - 1.0);
}

float objective_mu_law_sound(int32_t level) {
    const double m = 2.0 * (double)level / mu - 1.0;
    return (float)copysign(expm1(fabs(m) * log1p(mu)) / mu, m);
}
