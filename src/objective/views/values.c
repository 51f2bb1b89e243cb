/* The values of a field in their order, scaled so that what stands for 0 and for 1 become 0 and 1. */
#include "hiss/objective.h"

static int64_t floats(const hiss_task *task, const hiss_field *field) {
    (void)task;
    return hiss_field_count(field);
}

static void make(const hiss_lane *lane, int64_t i, const hiss_field *field, int64_t view, int64_t views, float *out) {
    (void)view;
    (void)views;
    const int64_t count = hiss_field_count(field);
    const float unit = (float)(1.0 / (field->high - field->low));
    hiss_field_floats(field, hiss_batch_values(lane->batch, i, field), field->low, out);
    for (int64_t k = 0; k < count && unit != 1.0f; k++) {
        out[k] *= unit;
    }
}

const hiss_view_kind objective_view_values = {.name = "values", .floats = floats, .make = make};
