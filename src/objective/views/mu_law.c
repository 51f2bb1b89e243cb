/* Sound of int16 as its 256 levels of mu-law, which networks read as -1 .. 1. */
#include "objective/parts/mu_law.h"

#include "hiss/objective.h"

static int64_t floats(const hiss_task *task, const hiss_field *field) {
    (void)task;
    return hiss_field_count(field);
}

static void make(const hiss_lane *lane, int64_t i, const hiss_field *field, int64_t view, int64_t views, float *out) {
    (void)view;
    (void)views;
    const int16_t *x = hiss_batch_values(lane->batch, i, field);
    for (int64_t t = 0; t < hiss_field_count(field); t++) {
        out[t] = objective_mu_law_value(objective_mu_law_level(x[t]));
    }
}

const hiss_view_kind objective_view_mu_law = {.name = "mu_law", .floats = floats, .make = make};
