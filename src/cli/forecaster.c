/* A method that foretells how clips go on, in evaluation mode, with a model of its own. */
#include "cli/cli.h"

enum { MOST_AT_ONCE = 50, BATCH = 10 };

struct forecaster {
    const hiss_forecast_ops *ops;
    const hiss_task *task;
    void *method, *made;
    float *vector;
    hiss_forecaster forecaster;
};

static hiss_lane lane_of(const forecaster *f, const hiss_batch *batch) {
    return (hiss_lane){.task = f->task, .phase = -1, .view = HISS_VIEW_CENTER, .batch = batch};
}

/* A hiss_embed: see hiss_forecaster, as for the next. */
static hiss_status clip(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    (void)err;
    const forecaster *f = user;
    const hiss_forecaster *by = &f->forecaster;
    const hiss_lane lane = lane_of(f, batch);
    const int64_t frames = by->given + by->foretold, size = by->H * by->W * by->C;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t t = 0; t < frames; t++) {
            f->ops->frame(&lane, i, t, out[0] + (i * frames + t) * size);
        }
    }
    return HISS_OK;
}

static void futures(void *user, int64_t first, int64_t count, const hiss_batch *batch, const float *actions,
                    float *out) {
    const forecaster *f = user;
    const hiss_forecaster *by = &f->forecaster;
    const hiss_lane lane = lane_of(f, batch);
    const int64_t floats = by->made * by->foretold * by->H * by->W * by->C,
                  acts = by->made * (by->given + by->foretold) * by->actions;
    for (int64_t i = 0; i < count; i++) {
        f->ops->run(f->made, f->vector, &lane, i, f->task->seed, first, actions ? actions + i * acts : NULL,
                    out + i * floats);
    }
}

/* Frames that samples have, and what is done between them where the method sees that. */
static int64_t frames_there(const hiss_task *task, int64_t actions) {
    const hiss_field *clip = hiss_task_field(task, "clip"), *action = hiss_task_field(task, "action");
    return actions > 0 && action->dim[0] < clip->dim[0] ? action->dim[0] : clip->dim[0];
}

static hiss_status frames_of(const forecaster *f, int64_t frames, int64_t actions, int64_t *out, hiss_error *err) {
    const int64_t given = f->ops->given(f->method), all = frames_there(f->task, actions), there = all - given;
    *out = frames ? frames : f->ops->foretold(f->method);
    return *out <= there
               ? HISS_OK
               : hiss_fail_key(err, HISS_EUSER, "eval.future_frames",
                               "clips have %lld frames, of which %lld are given, so %lld can be foretold, "
                               "found %lld; set it to at most %lld, or train a run on longer clips",
                               (long long)all, (long long)given, (long long)there, (long long)*out, (long long)there);
}

hiss_status forecaster_create(const hiss_objective_ops *objective, const hiss_frozen *m, const char *checkpoint,
                              int64_t draws, int64_t frames, bool acts, forecaster **out, hiss_error *err) {
    const hiss_forecast_ops *ops = objective->forecast;
    const int64_t actions = ops && ops->actions ? ops->actions(hiss_frozen_method(m)) : 0;
    *out = NULL;
    if (!ops || (acts && actions == 0)) {
        return HISS_OK;
    }
    forecaster *f = *out = hiss_new(forecaster, 1);
    const hiss_task *t = f->task = hiss_frozen_task(m);
    f->ops = ops;
    f->method = hiss_frozen_method(m);
    const int64_t made = acts                                    ? HISS_ACTED
                         : !ops->draws || !ops->draws(f->method) ? 1
                         : draws < MOST_AT_ONCE                  ? draws
                                                                 : MOST_AT_ONCE;
    int64_t foretold = 0;
    if (frames_of(f, frames, actions, &foretold, err) != HISS_OK) {
        return HISS_EUSER;
    }
    f->forecaster = (hiss_forecaster){.clip = clip,
                                      .futures = futures,
                                      .user = f,
                                      .H = t->H,
                                      .W = t->W,
                                      .C = t->C,
                                      .given = ops->given(f->method),
                                      .foretold = foretold,
                                      .batch = BATCH,
                                      .actions = actions,
                                      .made = made};
    const hiss_status s = ops->create(f->method, made, foretold, &f->made, err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_model *model = ops->model(f->made);
    f->vector = hiss_new(float, hiss_model_floats(model));
    return hiss_checkpoint_model(checkpoint, model, f->vector, err);
}

void forecaster_destroy(forecaster *f) {
    if (f) {
        f->ops->destroy(f->made);
        hiss_free(f->vector);
        hiss_free(f);
    }
}

const hiss_forecaster *forecaster_of(const forecaster *f) {
    return f ? &f->forecaster : NULL;
}
