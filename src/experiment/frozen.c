/* The network of a run in evaluation mode: a method without a placement, a model of its own, and two encoders, one of
 * them in training mode for BatchNorm's statistics of a network at random. */
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/encoder.h"
#include "hiss/snapshot.h"

enum { CALIBRATION_BATCHES = 40, DRAW_OF_CALIBRATION = 2010 };

struct hiss_frozen {
    hiss_experiment *experiment;
    hiss_task task;
    void *method;
    hiss_model *model;
    hiss_encoder *encoder, *training;
    float *vector;
    int selected[HISS_MAX_TAPS], count;
    bool ten; /* crops */
};

static hiss_status build(hiss_frozen *f, bool training, hiss_encoder **out, hiss_error *err) {
    const hiss_encoder_options options = {.task = &f->task,
                                          .objective = f->experiment->objective,
                                          .method = f->method,
                                          .model = f->model,
                                          .m = HISS_FROZEN_BATCH,
                                          .training = training};
    return hiss_encoder_create(&options, out, err);
}

hiss_status hiss_frozen_create(hiss_experiment *e, const hiss_dataset *set, hiss_frozen **out, hiss_error *err) {
    hiss_frozen *f = *out = hiss_new(hiss_frozen, 1);
    f->experiment = e;
    f->model = hiss_model_create();
    hiss_status s = hiss_experiment_task(e, set, &f->task, err);
    s = s == HISS_OK ? e->objective->create(&f->task, NULL, e->objective_options, &f->method, err) : s;
    s = s == HISS_OK ? build(f, true, &f->training, err) : s;
    s = s == HISS_OK ? build(f, false, &f->encoder, err) : s;
    if (s == HISS_OK) {
        hiss_model_layout(f->model);
        f->vector = hiss_new(float, hiss_model_floats(f->model));
        hiss_encoder_prepare(f->encoder, 1);
    }
    return hiss_config_blame(e->config, s, err);
}

void hiss_frozen_destroy(hiss_frozen *f) {
    if (f) {
        hiss_encoder_destroy(f->encoder);
        hiss_encoder_destroy(f->training);
        f->experiment->objective->destroy(f->method);
        hiss_model_destroy(f->model);
        hiss_free(f->vector);
        hiss_free(f);
    }
}

hiss_status hiss_frozen_load(hiss_frozen *f, const char *checkpoint, hiss_error *err) {
    hiss_scaling *scaling = &f->experiment->augment.scaling;
    const hiss_status s = hiss_scaling_measured(scaling) ? hiss_checkpoint_scaling(checkpoint, scaling, err) : HISS_OK;
    return s == HISS_OK ? hiss_checkpoint_model(checkpoint, f->model, f->vector, err) : s;
}

hiss_status hiss_frozen_take(hiss_frozen *f, const hiss_model *model, const float *vector, hiss_error *err) {
    for (int k = 0; k < hiss_model_count(f->model); k++) {
        const hiss_slot *mine = hiss_model_at(f->model, k);
        if (!hiss_checkpoint_stores(mine)) {
            continue;
        }
        const int found = hiss_model_find(model, mine->name);
        const hiss_slot *slot = found >= 0 ? hiss_model_at(model, found) : NULL;
        if (!slot || slot->count != mine->count) {
            return hiss_fail(err, HISS_EUSER,
                             "%s has %lld values in a network for these samples and %lld in the one that is trained; "
                             "do their classes differ?",
                             mine->name, (long long)mine->count, (long long)(slot ? slot->count : 0));
        }
        memcpy(f->vector + mine->offset, vector + slot->offset, sizeof(float) * (size_t)mine->count);
    }
    return HISS_OK;
}

/* The mean of what batches of the range record. */
static hiss_status mean_statistics(hiss_frozen *f, const hiss_sample_range *range, int64_t batches, double *mean,
                                   hiss_error *err) {
    const int64_t floats = hiss_model_floats(f->model);
    float *lane = hiss_new(float, floats);
    hiss_samples *samples = hiss_samples_create(range->set, HISS_FROZEN_BATCH);
    hiss_status s = HISS_OK;
    for (int64_t b = 0; b < batches && s == HISS_OK; b++) {
        s = hiss_samples_read(samples, range, b * HISS_FROZEN_BATCH, HISS_FROZEN_BATCH, err);
        const hiss_batch batch = hiss_samples_batch(samples, 0, HISS_FROZEN_BATCH);
        const hiss_exec_context run = {
            .model = f->vector, .lane_vector = lane, .seed = f->task.seed, .step = b, .lanes = 1};
        if (s == HISS_OK) {
            hiss_encoder_run(f->training, 0, &run, &batch, 0, HISS_VIEW_CENTER);
        }
        for (int64_t i = 0; i < floats; i++) {
            mean[i] += (double)lane[i] / (double)batches;
        }
    }
    hiss_samples_destroy(samples);
    hiss_free(lane);
    return s;
}

void hiss_buffers_of_untrained(const hiss_model *model, const hiss_graph *graph, const float *trained,
                               const double *mean, float *vector) {
    for (int k = 0; k < hiss_model_count(model); k++) {
        const hiss_slot *slot = hiss_model_at(model, k);
        const bool records = hiss_graph_records(graph, k);
        for (int64_t i = slot->offset; slot->kind == HISS_SLOT_BUFFER && i < slot->offset + slot->count; i++) {
            vector[i] = records ? (float)mean[i] : trained[i];
        }
    }
}

/* Batches are drawn by key, since the samples' order may be that of their classes. */
hiss_status hiss_frozen_randomize(hiss_frozen *f, const hiss_sample_range *range, hiss_error *err) {
    const int64_t whole = range->count / HISS_FROZEN_BATCH;
    const int64_t batches = whole > CALIBRATION_BATCHES ? CALIBRATION_BATCHES : whole;
    if (batches == 0) {
        return hiss_fail_key(err, HISS_EUSER, "eval.random",
                             "a random network needs at least %d training samples, found %lld; set it false",
                             HISS_FROZEN_BATCH, (long long)range->count);
    }
    hiss_sample_range drawn = {.set = range->set, .count = batches * HISS_FROZEN_BATCH};
    drawn.index = hiss_new(int64_t, drawn.count);
    const hiss_permutation order =
        hiss_permutation_keyed(f->task.seed, HISS_FOR_EVALUATION, DRAW_OF_CALIBRATION, 0, range->count);
    for (int64_t i = 0; i < drawn.count; i++) {
        drawn.index[i] = hiss_sample_at(range, hiss_permutation_at(&order, i));
    }
    const int64_t floats = hiss_model_floats(f->model);
    double *mean = hiss_new(double, floats);
    float *trained = hiss_new(float, floats);
    memcpy(trained, f->vector, sizeof(float) * (size_t)floats);
    hiss_model_initialize(f->model, f->task.seed, f->vector);
    hiss_buffers_of_untrained(f->model, hiss_encoder_graph(f->training), trained, mean, f->vector);
    hiss_encoder_prepare(f->training, 1);
    const hiss_status s = mean_statistics(f, &drawn, batches, mean, err);
    if (s == HISS_OK) {
        hiss_buffers_of_untrained(f->model, hiss_encoder_graph(f->training), trained, mean, f->vector);
    }
    hiss_free(mean);
    hiss_free(trained);
    hiss_free(drawn.index);
    return s;
}

const hiss_encoder *hiss_frozen_encoder(const hiss_frozen *f) {
    return f->encoder;
}

const hiss_task *hiss_frozen_task(const hiss_frozen *f) {
    return &f->task;
}

void *hiss_frozen_method(const hiss_frozen *f) {
    return f->method;
}

const hiss_model *hiss_frozen_model(const hiss_frozen *f) {
    return f->model;
}

const float *hiss_frozen_vector(const hiss_frozen *f) {
    return f->vector;
}

void hiss_frozen_select(hiss_frozen *f, int count, const int *tap) {
    f->count = count;
    memcpy(f->selected, tap, sizeof(int) * (size_t)count);
    hiss_encoder_stop_at(f->encoder, count, tap);
}

hiss_status hiss_frozen_crop(hiss_frozen *f, bool ten, hiss_error *err) {
    const hiss_task *t = &f->task;
    f->ten = ten;
    return !ten || hiss_augment_has_corners(t->augment, t->stored_H, t->stored_W)
               ? HISS_OK
               : hiss_fail_key(err, HISS_EUSER, "eval.crops",
                               "ten, but all corners are the centre: views are whole images; cut smaller ones with "
                               "augment.crop: random, set augment.shift, or say center");
}

/* Features of one view, or added to those in out. */
static void embed(hiss_frozen *f, int64_t count, const hiss_batch *batch, int64_t view, bool add, float *const *out) {
    const hiss_exec_context run = {.model = f->vector, .lanes = 1};
    hiss_encoder_run(f->encoder, 0, &run, batch, 0, view);
    for (int k = 0; k < f->count; k++) {
        const int tap = f->selected[k];
        const float *value = hiss_encoder_value(f->encoder, 0, tap);
        const int64_t size = count * hiss_encoder_width(f->encoder, tap);
        for (int64_t i = 0; i < size; i++) {
            out[k][i] = add ? out[k][i] + value[i] : value[i];
        }
    }
}

hiss_status hiss_frozen_embed(void *frozen, int64_t count, const hiss_batch *batch, float *const *out,
                              hiss_error *err) {
    (void)err;
    hiss_frozen *f = frozen;
    if (!f->ten) {
        embed(f, count, batch, HISS_VIEW_CENTER, false, out);
        return HISS_OK;
    }
    for (int crop = 0; crop < HISS_CROPS; crop++) {
        embed(f, count, batch, HISS_VIEW_CROPS + crop, crop > 0, out);
    }
    for (int k = 0; k < f->count; k++) {
        const int64_t size = count * hiss_encoder_width(f->encoder, f->selected[k]);
        for (int64_t i = 0; i < size; i++) {
            out[k][i] /= HISS_CROPS;
        }
    }
    return HISS_OK;
}

void hiss_frozen_score(void *frozen, const hiss_batch *batch, const hiss_box *box, float *scores) {
    hiss_frozen *f = frozen;
    const hiss_exec_context run = {.model = f->vector, .lanes = 1};
    const int last = hiss_encoder_taps(f->encoder)->count - 1;
    hiss_encoder_stop_at(f->encoder, 1, &last); /* the places selected may come before it */
    hiss_encoder_run_boxes(f->encoder, 0, &run, batch, box);
    memcpy(scores, hiss_encoder_value(f->encoder, 0, last),
           sizeof(float) * (size_t)(HISS_FROZEN_BATCH * hiss_encoder_width(f->encoder, last)));
    hiss_encoder_stop_at(f->encoder, f->count, f->selected);
}
