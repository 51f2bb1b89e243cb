/* The view of an image: the whole or a part of it, moved, mirrored and scaled by section augment; in the middle where
 * nothing is to be random. */
#include "hiss/objective.h"

static int64_t floats(const hiss_task *task, const hiss_field *field) {
    return task->H * task->W * field->dim[2];
}

static void make(const hiss_lane *lane, int64_t i, const hiss_field *field, int64_t view, int64_t views, float *out) {
    const hiss_task *t = lane->task;
    const void *values = hiss_batch_values(lane->batch, i, field);
    hiss_stored_image image = {field->dim[0], field->dim[1], field->dim[2], values, NULL, field->high - field->low};
    if (lane->scratch) {
        hiss_field_floats(field, values, field->low, lane->scratch);
        image.bytes = NULL;
        image.floats = lane->scratch;
    }
    if (lane->view == HISS_VIEW_CENTER) {
        const hiss_pixel_scale scale = lane->box ? hiss_augment_box(t->augment, &image, &lane->box[i], out)
                                                 : hiss_augment_center(t->augment, &image, out);
        if (lane->scale) {
            lane->scale[i] = scale;
        }
        return;
    }
    if (lane->view < HISS_VIEW_CENTER) {
        hiss_augment_crop(t->augment, &image, (int)(lane->view - HISS_VIEW_CROPS), out);
        return;
    }
    const bool training = lane->view == HISS_VIEW_TRAINING;
    const int64_t sample = lane->batch->sample[i];
    hiss_rng rng = hiss_rng_keyed(t->seed, training ? HISS_FOR_AUGMENTATION : HISS_FOR_VIEWS, lane->epoch,
                                  (training ? sample : sample * 64 + lane->view) * views + view);
    hiss_augment_sample(t->augment, &image, &rng, out);
}

const hiss_view_kind objective_view_image = {.name = "image", .floats = floats, .make = make};
