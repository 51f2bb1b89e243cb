/* A method's encoder and decoder in evaluation mode, with a model of its own: the encoder's alone has no decoder. */
#include "cli/cli.h"

enum { IMAGE, REBUILT, PLACES }; /* of an encoder that rebuilds */

struct reconstructor {
    hiss_model *model;
    hiss_encoder *encoder, *cleaner; /* cleaner: of corrupted images; NULL: it has none */
    float *vector;
    hiss_rebuilder rebuilder;
};

static void run(const reconstructor *r, hiss_encoder *encoder, int64_t count, const hiss_batch *batch,
                float *const *out) {
    const hiss_exec_context run = {.model = r->vector, .lanes = 1};
    hiss_encoder_run(encoder, 0, &run, batch, 0, HISS_VIEW_CENTER);
    const hiss_pixel_scale *scale = hiss_encoder_scales(encoder, 0);
    const int64_t size = hiss_encoder_width(encoder, IMAGE), C = r->rebuilder.C;
    for (int place = 0; place < PLACES; place++) {
        const float *value = hiss_encoder_value(encoder, 0, place);
        for (int64_t k = 0; k < count * size; k++) {
            out[place][k] = (float)hiss_pixel_of(&scale[k / size], k % C, (double)value[k]);
        }
    }
}

/* A hiss_embed: see hiss_rebuilder, as for the next. */
static hiss_status rebuild(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    (void)err;
    const reconstructor *r = user;
    run(r, r->encoder, count, batch, out);
    return HISS_OK;
}

static hiss_status clean(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    (void)err;
    const reconstructor *r = user;
    run(r, r->cleaner, count, batch, out);
    return HISS_OK;
}

hiss_status reconstructor_create(const hiss_objective_ops *objective, const hiss_frozen *m, const char *checkpoint,
                                 reconstructor **out, hiss_error *err) {
    *out = NULL;
    if (!objective->reconstruct) {
        return HISS_OK;
    }
    reconstructor *r = *out = hiss_new(reconstructor, 1);
    const hiss_task *t = hiss_frozen_task(m);
    r->model = hiss_model_create();
    const hiss_encoder *encoder = hiss_frozen_encoder(m);
    const int64_t code = hiss_encoder_width(encoder, hiss_encoder_taps(encoder)->count - 1);
    void *const method = hiss_frozen_method(m);
    r->rebuilder = (hiss_rebuilder){
        .rebuild = rebuild, .user = r, .H = t->H, .W = t->W, .C = t->C, .batch = HISS_FROZEN_BATCH, .code = code};
    hiss_encoder_options options = {.task = t,
                                    .objective = objective,
                                    .method = method,
                                    .model = r->model,
                                    .m = HISS_FROZEN_BATCH,
                                    .rebuilds = true};
    hiss_status s = hiss_encoder_create(&options, &r->encoder, err);
    if (s == HISS_OK && objective->corruption) {
        r->rebuilder.clean = clean;
        r->rebuilder.corruption = objective->corruption->moments(method);
        options.corrupts = true;
        s = hiss_encoder_create(&options, &r->cleaner, err);
    }
    if (s == HISS_OK) {
        hiss_model_layout(r->model);
        r->vector = hiss_new(float, hiss_model_floats(r->model));
        hiss_encoder_prepare(r->encoder, 1);
        if (r->cleaner) {
            hiss_encoder_prepare(r->cleaner, 1);
        }
        s = hiss_checkpoint_model(checkpoint, r->model, r->vector, err);
    }
    return s;
}

void reconstructor_destroy(reconstructor *r) {
    if (r) {
        hiss_encoder_destroy(r->encoder);
        hiss_encoder_destroy(r->cleaner);
        hiss_model_destroy(r->model);
        hiss_free(r->vector);
        hiss_free(r);
    }
}

const hiss_rebuilder *reconstructor_rebuilder(const reconstructor *r) {
    return r ? &r->rebuilder : NULL;
}
