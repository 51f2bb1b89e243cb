/* A run of objective classify in evaluation mode, which is shown images of pixels in 0..1 in place of samples of a data
 * set: a field of floats from 0 to 1, which section augment of that run makes the network's input. */
#include <string.h>

#include "cli/cli.h"
#include "hiss/snapshot.h"

struct classifier {
    hiss_experiment experiment;
    hiss_eval_options eval; /* of its config, of no use */
    hiss_task task;
    hiss_field pixels;
    void *method;
    hiss_model *model;
    hiss_encoder *encoder;
    float *vector;
    int hidden, scores; /* places of the encoder */
    char name[CLI_PATH];
    hiss_classifier classifier;
};

/* See hiss_classifier. */
static void judge(void *user, int64_t count, const float *image, float *hidden, float *scores) {
    const classifier *c = user;
    const int64_t size = c->classifier.H * c->classifier.W * c->classifier.C;
    const int64_t number[HISS_FROZEN_BATCH] = {0};
    const uint8_t *row[HISS_FROZEN_BATCH];
    const hiss_batch batch = {.m = HISS_FROZEN_BATCH, .sample = number, .row = row};
    const hiss_exec_context run = {.model = c->vector, .lanes = 1};
    for (int64_t i = 0; i < HISS_FROZEN_BATCH; i++) {
        row[i] = (const uint8_t *)(image + (i < count ? i : 0) * size);
    }
    hiss_encoder_run(c->encoder, 0, &run, &batch, 0, HISS_VIEW_CENTER);
    memcpy(hidden, hiss_encoder_value(c->encoder, 0, c->hidden), sizeof(float) * (size_t)(count * c->classifier.D));
    memcpy(scores, hiss_encoder_value(c->encoder, 0, c->scores),
           sizeof(float) * (size_t)(count * c->classifier.classes));
}

/* ---- making one ---- */

static const char advice[] = "train one on the data of this run, with objective classify";

static hiss_status check_fit(const classifier *c, const char *path, const hiss_dataset *set, const hiss_maker *by,
                             hiss_error *err) {
    const hiss_task *t = &c->task;
    const int64_t classes = by->classes > 0              ? by->classes
                            : hiss_dataset_labelled(set) ? hiss_dataset_classes(set)
                                                         : t->classes;
    if (t->H != by->H || t->W != by->W || t->C != by->C) {
        return hiss_fail(err, HISS_EUSER,
                         "%s judges images of %lldx%lldx%lld, but %lldx%lldx%lld are made; %s (--set "
                         "augment.height=%lld --set augment.width=%lld)",
                         path, (long long)t->H, (long long)t->W, (long long)t->C, (long long)by->H, (long long)by->W,
                         (long long)by->C, advice, (long long)by->H, (long long)by->W);
    }
    return t->classes == classes ? HISS_OK
                                 : hiss_fail(err, HISS_EUSER, "%s tells %lld classes, but there are %lld here; %s",
                                             path, (long long)t->classes, (long long)classes, advice);
}

/* The network of the run, and what it says of images like those that `by` makes. */
static hiss_status build(classifier *c, const hiss_maker *by, hiss_error *err) {
    hiss_experiment *e = &c->experiment;
    hiss_task *t = &c->task;
    c->pixels = (hiss_field){.name = HISS_FIELD_IMAGE,
                             .dtype = HISS_F32,
                             .ndim = 3,
                             .dim = {by->H, by->W, by->C},
                             .bytes = by->H * by->W * by->C * (int64_t)sizeof(float),
                             .high = 1.0,
                             .most = 1.0};
    t->field = &c->pixels;
    t->fields = 1;
    t->stored_H = by->H;
    t->stored_W = by->W;
    hiss_status s = e->objective->create(t, NULL, e->objective_options, &c->method, err);
    c->model = hiss_model_create();
    if (s == HISS_OK) {
        const hiss_encoder_options options = {
            .task = t, .objective = e->objective, .method = c->method, .model = c->model, .m = HISS_FROZEN_BATCH};
        s = hiss_encoder_create(&options, &c->encoder, err);
    }
    if (s == HISS_OK) {
        const hiss_taps *taps = hiss_encoder_taps(c->encoder);
        c->scores = taps->count - 1;
        c->hidden = taps->count > 1 ? taps->count - 2 : c->scores;
        hiss_model_layout(c->model);
        hiss_encoder_prepare(c->encoder, 1);
        c->vector = hiss_new(float, hiss_model_floats(c->model));
        c->classifier = (hiss_classifier){.judge = judge,
                                          .user = c,
                                          .H = t->H,
                                          .W = t->W,
                                          .C = t->C,
                                          .batch = HISS_FROZEN_BATCH,
                                          .D = hiss_encoder_width(c->encoder, c->hidden),
                                          .classes = t->classes,
                                          .name = c->name,
                                          .layer = taps->tap[c->hidden].name};
    }
    return s;
}

/* A sound checkpoint that does not fit is of another network, since those data have other channels or sides. */
static hiss_status load(classifier *c, const char *checkpoint, hiss_error *err) {
    hiss_scaling *scaling = &c->experiment.augment.scaling;
    hiss_status s = hiss_scaling_measured(scaling) ? hiss_checkpoint_scaling(checkpoint, scaling, err) : HISS_OK;
    s = s == HISS_OK ? hiss_checkpoint_model(checkpoint, c->model, c->vector, err) : s;
    hiss_error unused;
    if (s == HISS_EUSER && hiss_snapshot_verify(checkpoint, &unused) == HISS_OK) {
        const hiss_error why = *err;
        s = hiss_fail(err, s, "%s was trained on other images than those of %lldx%lldx%lld that are made; %s (%.300s)",
                      c->name, (long long)c->task.H, (long long)c->task.W, (long long)c->task.C, advice, why.text);
    }
    return s;
}

hiss_status cli_load_classifier(hiss_comm *comm, const char *path, const hiss_dataset *set, const hiss_maker *by,
                                classifier **out, hiss_error *err) {
    char checkpoint[CLI_PATH];
    classifier *c = *out = hiss_new(classifier, 1);
    snprintf(c->name, sizeof c->name, "%s", path);
    hiss_status s = cli_open_named(comm, path, "the classifier", "name a run of objective classify", NULL, 0, NULL,
                                   &c->experiment, &c->eval, checkpoint, err);
    if (s == HISS_OK && strcmp(c->experiment.objective->name, "classify") != 0) {
        s = hiss_fail(err, HISS_EUSER, "%s is a run of objective %s; name a run of objective classify", path,
                      c->experiment.objective->name);
    }
    if (s == HISS_OK && hiss_objective_learns_targets(c->experiment.objective, c->experiment.objective_options)) {
        s = hiss_fail(err, HISS_EUSER,
                      "%s has learnt targets (classify.targets), of which an image may have several; name a run of "
                      "objective classify that has learnt labels",
                      path);
    }
    s = s == HISS_OK ? hiss_experiment_task(&c->experiment, set, &c->task, err) : s;
    s = s == HISS_OK ? check_fit(c, path, set, by, err) : s;
    if (s == HISS_OK && hiss_checkpoint_expect_classes(checkpoint, set, err) != HISS_OK) {
        const hiss_error why = *err;
        s = hiss_fail(err, HISS_EUSER, "%s; %s", why.text, advice);
    }
    s = s == HISS_OK ? build(c, by, err) : s;
    s = s == HISS_OK ? load(c, checkpoint, err) : s;
    return hiss_comm_agree(comm, hiss_error_under_key(err, s, "eval.classifier"), err);
}

void classifier_destroy(classifier *c) {
    if (c) {
        hiss_encoder_destroy(c->encoder);
        if (c->experiment.objective) {
            c->experiment.objective->destroy(c->method);
        }
        hiss_model_destroy(c->model);
        hiss_free(c->vector);
        hiss_experiment_destroy(&c->experiment);
        hiss_free(c);
    }
}

const hiss_classifier *classifier_of(const classifier *c) {
    return c ? &c->classifier : NULL;
}
