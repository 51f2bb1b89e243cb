/* What methods share without a part of their own: the default views of samples, and numbers by name. */
#include <string.h>

#include "hiss/objective.h"

void hiss_lane_sample_view(const hiss_lane *lane, int64_t i, int64_t view, int64_t views, float *out) {
    const hiss_task *t = lane->task;
    const uint8_t *pixels = hiss_batch_values(lane->batch, i, &t->image);
    if (lane->view == HISS_VIEW_CENTER) {
        const hiss_pixel_scale scale = hiss_augment_center(t->augment, t->stored_H, t->stored_W, t->C, pixels, out);
        if (lane->scale) {
            lane->scale[i] = scale;
        }
        return;
    }
    const bool training = lane->view == HISS_VIEW_TRAINING;
    const int64_t sample = lane->batch->sample[i];
    hiss_rng rng = hiss_rng_keyed(t->seed, training ? HISS_FOR_AUGMENTATION : HISS_FOR_VIEWS, lane->epoch,
                                  (training ? sample : sample * 64 + lane->view) * views + view);
    hiss_augment_sample(t->augment, t->stored_H, t->stored_W, t->C, pixels, &rng, out);
}

void hiss_lane_default_sample(const hiss_lane *lane, int64_t i) {
    const hiss_task *t = lane->task;
    hiss_lane_sample_view(lane, i, 0, 1, hiss_exec_data(lane->exec, lane->image) + i * t->H * t->W * t->C);
    if (lane->label >= 0) {
        ((int32_t *)hiss_exec_data(lane->exec, lane->label))[i] = lane->batch->label[i];
    }
}

double hiss_named_value(const hiss_named *metrics, int nmetrics, const char *name) {
    for (int i = 0; i < nmetrics; i++) {
        if (strcmp(metrics[i].name, name) == 0) {
            return metrics[i].value;
        }
    }
    return 0.0;
}
