/* The numbers of a field of int32 as they are, for inputs that are numbers of something, such as words. */
#include <string.h>

#include "hiss/objective.h"

static int64_t floats(const hiss_task *task, const hiss_field *field) {
    (void)task;
    return hiss_field_count(field);
}

static void make(const hiss_lane *lane, int64_t i, const hiss_field *field, int64_t view, int64_t views, float *out) {
    (void)view;
    (void)views;
    memcpy(out, hiss_batch_values(lane->batch, i, field), (size_t)field->bytes);
}

const hiss_view_kind objective_view_numbers = {.name = "numbers", .floats = floats, .make = make};
