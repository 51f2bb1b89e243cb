/* What the encoder of a run gives for the first images of its data, for tools/export_peers: encode RUN CHECKPOINT COUNT OUT.npz
 * [KEY=VALUE]... Arrays: stored [n,C,H,W], values as they are in the file; image [n,C,H,W], as the network gets them; layer/NAME
 * [n,D] of every named place. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval_sections.h"
#include "hiss/alloc.h"
#include "hiss/encoder.h"
#include "hiss/judge.h"
#include "hiss/log.h"
#include "hiss/weights.h"

enum { NAME = 128 };

typedef struct out {
    hiss_weights *w;
    float *stored, *image, *layer[HISS_MAX_TAPS];
    int64_t D[HISS_MAX_TAPS];
    int taps;
    const hiss_view_kind *view;
} out;

/* [H,W,C] as [C,H,W]. */
static void turn(int64_t positions, int64_t C, const float *from, float *to) {
    for (int64_t i = 0; i < positions * C; i++) {
        to[i % C * positions + i / C] = from[i];
    }
}

static void prepare(out *o, const hiss_frozen *f, int64_t n) {
    const hiss_task *t = hiss_frozen_task(f);
    const hiss_encoder *e = hiss_frozen_encoder(f);
    o->w = hiss_weights_create();
    o->stored = hiss_weights_add(o->w, "stored", &HISS_SHAPE(n, t->C, t->stored_H, t->stored_W));
    o->image = hiss_weights_add(o->w, "image", &HISS_SHAPE(n, t->C, t->H, t->W));
    o->taps = hiss_encoder_taps(e)->count;
    for (int k = 0; k < o->taps; k++) {
        char name[NAME];
        o->D[k] = hiss_encoder_width(e, k);
        snprintf(name, sizeof name, "layer/%s", hiss_encoder_taps(e)->tap[k].name);
        o->layer[k] = hiss_weights_add(o->w, name, &HISS_SHAPE(n, o->D[k]));
    }
}

/* How the method makes the image of its graph. */
static const hiss_view_kind *view_of(const hiss_objective_ops *objective) {
    const hiss_input *in = objective->input ? objective->input->inputs : NULL;
    while (in && in->field && !(in->name && in->view && strcmp(in->name, "image") == 0)) {
        in++;
    }
    return hiss_view_kind_named(in && in->field ? in->view : "image");
}

/* One image: stored, and as the network gets it. */
static void put_image(const out *o, const hiss_task *t, const hiss_batch *batch, int64_t i, int64_t at) {
    const hiss_field *field = &t->field[0];
    const int64_t stored = t->stored_H * t->stored_W, seen = t->H * t->W;
    float *values = hiss_new(float, stored * t->C), *view = hiss_new(float, seen * t->C);
    float *scratch = hiss_task_scratch(t) > 0 ? hiss_new(float, hiss_task_scratch(t)) : NULL;
    const hiss_lane lane = {.task = t, .phase = -1, .view = HISS_VIEW_CENTER, .batch = batch, .scratch = scratch};
    o->view->make(&lane, i, field, 0, 1, view);
    turn(seen, t->C, view, o->image + at * seen * t->C);
    hiss_field_floats(field, hiss_batch_values(batch, i, field), 0, values);
    turn(stored, t->C, values, o->stored + at * stored * t->C);
    hiss_free(values);
    hiss_free(view);
    hiss_free(scratch);
}

static hiss_status encode(hiss_frozen *f, hiss_dataset *set, int64_t n, out *o, hiss_error *err) {
    const hiss_sample_range all = {.set = set, .count = hiss_dataset_count(set)};
    hiss_samples *samples = hiss_samples_create(set, HISS_FROZEN_BATCH);
    int tap[HISS_MAX_TAPS];
    prepare(o, f, n);
    for (int k = 0; k < o->taps; k++) {
        tap[k] = k;
    }
    hiss_frozen_select(f, o->taps, tap);
    hiss_status s = HISS_OK;
    for (int64_t at = 0; at < n && s == HISS_OK; at += HISS_FROZEN_BATCH) {
        const int64_t count = n - at < HISS_FROZEN_BATCH ? n - at : HISS_FROZEN_BATCH;
        float *to[HISS_MAX_TAPS];
        for (int k = 0; k < o->taps; k++) {
            to[k] = o->layer[k] + at * o->D[k];
        }
        s = hiss_samples_read(samples, &all, at, HISS_FROZEN_BATCH, err);
        const hiss_batch batch = hiss_samples_batch(samples, 0, HISS_FROZEN_BATCH);
        s = s == HISS_OK ? hiss_frozen_embed(f, count, &batch, to, err) : s;
        for (int64_t i = 0; i < count && s == HISS_OK; i++) {
            put_image(o, hiss_frozen_task(f), &batch, i, at + i);
        }
    }
    hiss_samples_destroy(samples);
    return s;
}

static hiss_status write(const out *o, const char *path, hiss_error *err) {
    FILE *file = fopen(path, "wb");
    const hiss_status s =
        file ? hiss_npz_write(o->w, file, err) : hiss_fail(err, HISS_ESYSTEM, "%s cannot be written", path);
    return file && fclose(file) != 0 && s == HISS_OK ? hiss_fail(err, HISS_ESYSTEM, "%s cannot be written", path) : s;
}

static hiss_status run(hiss_experiment *e, char **argv, hiss_error *err) {
    hiss_dataset *set = NULL;
    hiss_frozen *f = NULL;
    out o = {.view = view_of(e->objective)};
    hiss_data_options data = e->data;
    data.label_use = HISS_LABELS_OPTIONAL;
    hiss_kernels_enter_thread();
    if (hiss_objective_needs_labels(e->objective, e->objective_options)) {
        e->classes = hiss_checkpoint_classes(argv[2]);
    }
    hiss_status s = hiss_dataset_open(&data, (uint64_t)e->seed, &set, err);
    s = s == HISS_OK ? hiss_frozen_create(e, set, &f, err) : s;
    s = s == HISS_OK ? hiss_frozen_load(f, argv[2], err) : s;
    s = s == HISS_OK ? encode(f, set, atoll(argv[3]), &o, err) : s;
    s = s == HISS_OK ? write(&o, argv[4], err) : s;
    hiss_weights_destroy(o.w);
    hiss_frozen_destroy(f);
    hiss_dataset_close(set);
    return s;
}

int main(int argc, char **argv) {
    hiss_eval_options eval = {0};
    hiss_extra_section section[MOST_SECTIONS];
    const int sections = eval_sections(&eval, section);
    hiss_experiment e = {0};
    hiss_error err = {0};
    char config[4096];
    hiss_log_setup(HISS_LOG_WARNING, 0);
    snprintf(config, sizeof config, "%s/config.yaml", argc > 4 ? argv[1] : ".");
    hiss_status s =
        argc > 4 ? hiss_experiment_read(config, (const char *const *)argv + 5, argc - 5, section, sections, &e, &err)
                 : hiss_fail(&err, HISS_EUSER, "encode RUN CHECKPOINT COUNT OUT.npz [KEY=VALUE]...");
    s = s == HISS_OK ? run(&e, argv, &err) : s;
    if (s != HISS_OK) {
        hiss_error_line("%s", err.text);
    }
    hiss_experiment_destroy(&e);
    return hiss_exit_code(s);
}
