/* Test clips that are judged one by one. They are spread over the ranks; all get all numbers, and add them up in one order, so that
 * the sums are the same on any number of ranks. */
#include "eval/judgements/clips.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/log.h"

enum { SECONDS_BETWEEN = 5, MILLISECONDS = 150 };

/* Rank 0's clips stand for all. */
static void tell_progress(const eval_clips *c, int64_t done, int64_t count, double start, double *told) {
    const double now = hiss_seconds();
    if (hiss_comm_rank(c->env->comm) == 0 && done < count && now - *told > SECONDS_BETWEEN) {
        hiss_info("%s: %s of %lld of %lld clips, about %.0f s left", c->subject, c->what,
                  (long long)(c->drawn->count * done / count), (long long)c->drawn->count,
                  (now - start) * (double)(count - done) / (double)done);
        *told = now;
    }
}

/* Clips first .. first + count - 1 into out [count, width]. */
static hiss_status judge_some(const eval_clips *c, int64_t first, int64_t count, bool tells, float *out,
                              hiss_error *err) {
    hiss_samples *samples = hiss_samples_create(c->drawn->set, c->batch);
    const double start = hiss_seconds();
    double told = start;
    hiss_status s = HISS_OK;
    for (int64_t i = 0; i < count && s == HISS_OK; i++) {
        s = hiss_samples_read(samples, c->drawn, first + i, c->batch, err);
        const hiss_batch batch = hiss_samples_batch(samples, 0, c->batch);
        s = s == HISS_OK ? c->judge(c->user, first + i, &batch, out + i * c->width, err) : s;
        if (tells) {
            tell_progress(c, i + 1, count, start, &told);
        }
    }
    hiss_samples_destroy(samples);
    return s;
}

hiss_status eval_clips_judge_first(const eval_clips *c, int64_t clips, float *out, hiss_error *err) {
    return judge_some(c, 0, clips, false, out, err);
}

hiss_status eval_clips_judge(const eval_clips *c, float *all, hiss_error *err) {
    hiss_comm *comm = c->env->comm;
    const int size = hiss_comm_size(comm), rank = hiss_comm_rank(comm);
    int64_t *offsets = hiss_new(int64_t, size + 1);
    hiss_partition(c->drawn->count, size, offsets);
    const int64_t first = offsets[rank], count = offsets[rank + 1] - first;
    float *mine = hiss_new(float, count > 0 ? count * c->width : 1);
    const hiss_status s = hiss_comm_agree(comm, judge_some(c, first, count, true, mine, err), err);
    for (int r = 0; r <= size; r++) {
        offsets[r] *= c->width * (int64_t)sizeof(float);
    }
    if (s == HISS_OK) {
        hiss_comm_allgather(comm, mine, offsets, all);
    }
    hiss_free(mine);
    hiss_free(offsets);
    return s;
}

const hiss_field *eval_clips_place(const hiss_forecaster *by, const hiss_dataset *set) {
    const hiss_field *place = hiss_dataset_field(set, "place");
    return place && place->dtype == HISS_F32 && place->ndim == 3 && place->dim[0] >= by->given + by->foretold &&
                   place->dim[2] == 2
               ? place
               : NULL;
}

void eval_clips_moments(int64_t clips, int64_t width, const float *all, double *mean, double *deviation) {
    for (int64_t k = 0; k < width; k++) {
        double sum = 0.0, square = 0.0;
        for (int64_t i = 0; i < clips; i++) {
            sum += (double)all[i * width + k];
        }
        mean[k] = sum / (double)clips;
        for (int64_t i = 0; i < clips; i++) {
            const double off = (double)all[i * width + k] - mean[k];
            square += off * off;
        }
        deviation[k] = clips > 1 ? sqrt(square / (double)(clips - 1)) : 0.0;
    }
}

double eval_clips_mean(int64_t count, const double *x) {
    double sum = 0.0;
    for (int64_t k = 0; k < count; k++) {
        sum += x[k];
    }
    return sum / (double)count;
}

void eval_clips_put(const hiss_forecaster *by, const float *clip, const float *future, float *out) {
    const int64_t size = by->H * by->W * by->C;
    memcpy(out, clip, sizeof *out * (size_t)(by->given * size));
    memcpy(out + by->given * size, future, sizeof *out * (size_t)(by->foretold * size));
}

hiss_status eval_clips_write(const hiss_forecaster *by, const char *directory, const char *name, int64_t clip_rows,
                             int64_t columns, unsigned seen, const float *pixels, hiss_error *err) {
    const int64_t frames = by->given + by->foretold, count = clip_rows * columns * frames;
    uint8_t *border = hiss_alloc((size_t)count);
    for (int64_t k = 0; k < count; k++) {
        const bool made = k % frames >= by->given && !(seen >> (k / frames % columns) & 1u);
        border[k] = made ? HISS_BORDER_MADE : HISS_BORDER_GIVEN;
    }
    const hiss_clips shown = {.rows = clip_rows,
                              .columns = columns,
                              .T = frames,
                              .H = by->H,
                              .W = by->W,
                              .C = by->C,
                              .pixels = pixels,
                              .border = border,
                              .milliseconds = MILLISECONDS};
    char path[EVAL_CLIPS_PATH];
    snprintf(path, sizeof path, "%s/%s.png", directory, name);
    hiss_status s = hiss_write_clips(path, &shown, err);
    snprintf(path, sizeof path, "%s/%s-strips.png", directory, name);
    s = s == HISS_OK ? hiss_write_strips(path, &shown, err) : s;
    hiss_free(border);
    return s;
}

/* ---- actions ---- */

hiss_status eval_clips_actions(const hiss_forecaster *by, const hiss_sample_range *drawn, float *all, hiss_error *err) {
    const hiss_field *field = hiss_dataset_field(drawn->set, "action");
    const int64_t floats = (by->given + by->foretold) * by->actions;
    hiss_samples *samples = hiss_samples_create(drawn->set, 1);
    hiss_status s = HISS_OK;
    for (int64_t i = 0; i < drawn->count && s == HISS_OK; i++) {
        s = hiss_samples_read(samples, drawn, i, 1, err);
        if (s == HISS_OK) {
            const hiss_batch batch = hiss_samples_batch(samples, 0, 1);
            memcpy(all + i * floats, hiss_batch_values(&batch, 0, field), sizeof *all * (size_t)floats);
        }
    }
    hiss_samples_destroy(samples);
    return s;
}

void eval_clips_join(const hiss_forecaster *by, const float *own, const float *then, float *out) {
    const int64_t before = (by->given - 1) * by->actions, after = (by->foretold + 1) * by->actions;
    memcpy(out, own, sizeof *out * (size_t)before);
    if (then) {
        memcpy(out + before, then + before, sizeof *out * (size_t)after);
    } else {
        memset(out + before, 0, sizeof *out * (size_t)after);
    }
}

double eval_clips_error(const hiss_forecaster *by, const float *a, const float *b) {
    const int64_t size = by->H * by->W * by->C;
    double sum = 0.0;
    for (int64_t k = 0; k < size; k++) {
        const double off = (double)a[k] - (double)b[k];
        sum += off * off;
    }
    return sum / (double)size;
}
