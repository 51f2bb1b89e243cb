/* The view of a colour image in CIE L*a*b*: that of views/image.c, whose pixels are sRGB of 0..1, with channels
 * (L - 50) / 50, a / 50 and b / 50. */
#include "objective/parts/lab.h"
#include "hiss/objective.h"

extern const hiss_view_kind objective_view_image;

static int64_t floats(const hiss_task *task, const hiss_field *field) {
    return objective_view_image.floats(task, field);
}

static void make(const hiss_lane *lane, int64_t i, const hiss_field *field, int64_t view, int64_t views, float *out) {
    const int64_t pixels = floats(lane->task, field) / 3;
    objective_view_image.make(lane, i, field, view, views, out);
    objective_lab_view(pixels, out);
}

const hiss_view_kind objective_view_lab = {.name = "lab", .floats = floats, .make = make};
