/* What density models say of themselves in evaluation. */
#include "objective/parts/judge.h"

#include <math.h>

double objective_pixel_mean(const hiss_measured *m, int64_t first, int64_t i) {
    const double mean = fmin(fmax(m->train_mean[first + i], 0.0), 1.0);
    return (mean * (double)m->train + 0.5) / (double)(m->train + 1);
}

double objective_independent_pixels(const hiss_measured *m, int64_t first, int64_t D) {
    double nats = 0.0;
    for (int64_t i = 0; i < D; i++) {
        const double p = objective_pixel_mean(m, first, i), mean = m->test_mean[first + i];
        nats -= mean * log(p) + (1.0 - mean) * log1p(-p);
    }
    return nats;
}

void objective_say(const hiss_measured *m, const char *group, const char *name, const char *heading, const char *unit,
                   double value, double spread, double baseline, int64_t samples) {
    m->number(m->say, &(hiss_measure){.name = name,
                                      .group = group,
                                      .heading = heading,
                                      .unit = unit,
                                      .value = value,
                                      .spread = spread,
                                      .baseline = baseline,
                                      .samples = samples});
}
