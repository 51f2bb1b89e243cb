/* What methods ask of the values of pixels. */
#include "objective/parts/pixels.h"

/* What the data have of black and white. */
static hiss_status expect_range(const char *method, const hiss_task *task, hiss_error *err) {
    static const double tolerance = 1e-3;
    const hiss_field *image = task->fields > 0 ? &task->field[0] : NULL;
    const double width = image ? image->high - image->low : 1.0;
    if (!image || (image->least >= image->low - tolerance * width && image->most <= image->high + tolerance * width)) {
        return HISS_OK;
    }
    return hiss_fail_key(
        err, HISS_EUSER, "data.range",
        "%s needs pixels of 0..1, and with [%g, %g] as black and white %s has values from %g to %g; give "
        "a range that holds them",
        method, image->low, image->high, image->name, image->least, image->most);
}

hiss_status objective_expect_unit_pixels(const char *method, const hiss_task *task, bool larger, const char *otherwise,
                                         hiss_error *err) {
    const hiss_scaling *scaling = &task->augment->scaling;
    for (int c = 0; c < scaling->count; c++) {
        if (scaling->measured_mean || scaling->measured_std || scaling->mean[c] != 0.0 || scaling->std[c] != 1.0) {
            return hiss_fail_key(err, HISS_EUSER,
                                 scaling->measured_std || scaling->std[c] != 1.0 ? "augment.std" : "augment.mean",
                                 "%s needs pixels of 0..1, which mean 0 and std 1 leave as they are; leave both out, "
                                 "as with --set augment.mean=null --set "
                                 "augment.std=null",
                                 method);
        }
    }
    if (task->augment->normalize != 0) {
        return hiss_fail_key(err, HISS_EUSER, "augment.normalize",
                             "%s needs pixels of 0..1, which augment.normalize fixed leaves as they are; set it so",
                             method);
    }
    if (task->augment->contrast != 0.0 && !larger) {
        return hiss_fail_key(err, HISS_EUSER, "augment.contrast",
                             "%s needs pixels of 0..1, and a contrast could make larger ones; set it 0%s%s", method,
                             otherwise ? ", " : "", otherwise ? otherwise : "");
    }
    return expect_range(method, task, err);
}

bool objective_needs_unit_pixels(const void *options) {
    (void)options;
    return true;
}
