#include "objective/parts/clip.h"

#include <math.h>
#include <stdio.h>

#include "objective/parts/pixels.h"

hiss_status objective_video_expect_clips(const char *method, const hiss_task *task, int64_t frames, const char *keys,
                                         hiss_error *err) {
    const hiss_field *clip = hiss_task_field(task, VIDEO_FIELD_CLIP);
    const int64_t *dim = clip->dim;
    if (dim[0] < frames) {
        return hiss_fail_key(
            err, HISS_EUSER, "data.fields",
            "%s needs clips of at least %lld frames, %s, found %lld; prepare longer ones, or set these "
            "lower",
            method, (long long)frames, keys, (long long)dim[0]);
    }
    if (dim[1] != task->H || dim[2] != task->W || dim[3] != task->C) {
        return hiss_fail_key(err, HISS_EUSER, "augment.height",
                             "%s takes frames as they are, %lldx%lldx%lld, and images of the same size, found "
                             "%lldx%lldx%lld; leave augment.height and augment.width out",
                             method, (long long)dim[1], (long long)dim[2], (long long)dim[3], (long long)task->H,
                             (long long)task->W, (long long)task->C);
    }
    return objective_expect_unit_pixels(method, task, false, NULL, err);
}

hiss_status objective_video_expect_actions(const hiss_task *task, int64_t frames, const char *key,
                                           const hiss_field **out, hiss_error *err) {
    const hiss_field *found = *out = hiss_task_field(task, VIDEO_FIELD_ACTION);
    char text[HISS_FIELD_TEXT];
    if (found && found->dtype == HISS_F32 && found->ndim == 2 && found->dim[0] >= frames) {
        return HISS_OK;
    }
    return hiss_fail_key(
        err, HISS_EUSER, key,
        "needs what is done between frames, float32 [T,A] of at least %lld frames, as a field "
        "'" VIDEO_FIELD_ACTION "' of each sample, found %s; choose a generator that has it, name its data "
        "set, as in `data: {fields: {" VIDEO_FIELD_ACTION ": /" VIDEO_FIELD_ACTION "}}`, or set %s: none",
        (long long)frames, found ? hiss_field_text(found, text) : "no such field", key);
}

const hiss_field *objective_video_hits(const hiss_task *task, int64_t frames) {
    const hiss_field *hit = hiss_task_field(task, "hit");
    return hit && hit->dtype == HISS_U8 && hit->ndim == 2 && hit->dim[0] >= frames ? hit : NULL;
}

bool objective_video_hit(const hiss_lane *lane, int64_t i, const hiss_field *hits, int64_t t) {
    const uint8_t *hit = hiss_batch_values(lane->batch, i, hits);
    bool any = false;
    for (int64_t k = 0; k < hits->dim[1]; k++) {
        any = any || hit[t * hits->dim[1] + k];
    }
    return any;
}

double objective_video_squared(const hiss_task *task, const float *a, const float *b) {
    const int64_t size = task->H * task->W * task->C;
    double sum = 0.0;
    for (int64_t k = 0; k < size; k++) {
        sum += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
    }
    return sum / (double)size;
}

double objective_video_decibels(double mean) {
    return mean > 0.0 ? -10.0 * log10(mean) : (double)NAN;
}

hiss_value objective_video_sum(hiss_graph *graph, hiss_value sum, hiss_value x) {
    return sum < 0 ? x : hiss_graph_add(graph, sum, x);
}

void objective_video_frame_inputs(const hiss_task *task, hiss_graph *graph, const char *name, int64_t m, int64_t frames,
                                  hiss_value *frame) {
    for (int64_t t = 0; t < frames; t++) {
        char text[32];
        snprintf(text, sizeof text, "%s%lld", name, (long long)t);
        frame[t] = hiss_graph_input(graph, text, HISS_SHAPE(m, task->H, task->W, task->C));
    }
}

void objective_video_frame(const hiss_lane *lane, int64_t i, int64_t t, float *out) {
    const hiss_task *task = lane->task;
    const int64_t floats = task->H * task->W * task->C;
    const uint8_t *pixel = hiss_batch_values(lane->batch, i, hiss_task_field(task, VIDEO_FIELD_CLIP));
    pixel += t * floats;
    for (int64_t k = 0; k < floats; k++) {
        out[k] = (float)pixel[k] * (1.0f / 255.0f);
    }
}

void objective_video_put_frames(const hiss_lane *lane, int64_t i, int64_t frames, const hiss_value *frame) {
    for (int64_t t = 0; t < frames; t++) {
        objective_video_frame(lane, i, t, hiss_lane_values(lane, frame[t], i));
    }
}
