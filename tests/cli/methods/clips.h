/* A method with inputs of its own: the image of a sample shall give its clip and its action, which are further fields. */
#include "methods.h"

typedef struct clips {
    const hiss_task *task;
    const hiss_placement *place;
} clips;

static hiss_status clips_create(const hiss_task *task, const hiss_placement *place, const void *options, void **self,
                                hiss_error *err) {
    (void)options;
    (void)err;
    clips *s = *self = hiss_new(clips, 1);
    *s = (clips){task, place};
    return HISS_OK;
}

static hiss_status clips_encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    (void)self;
    return method_encode("code", b, image, 8, taps, err);
}

static hiss_value clips_loss(hiss_builder *b, hiss_value code, const char *name, const hiss_field *field, int64_t m) {
    const int64_t D = hiss_field_count(field);
    const hiss_value to = hiss_graph_input(b->graph, name, HISS_SHAPE(m, D));
    return hiss_graph_squared_loss(b->graph, hiss_layer_linear(b, name, code, D, true), to, 1.0 / (double)(m * D));
}

static hiss_status clips_build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    const clips *s = self;
    const int64_t m = s->place->m;
    const hiss_value code = method_features(b, "code", method_image(s->task, m, b), 8);
    const hiss_field *clip = s->task->field;
    for (; strcmp(clip->name, "clip") != 0; clip++) {
    }
    const hiss_value loss = clips_loss(b, code, "clip", clip, m);
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

static const hiss_input clips_inputs[] = {{"image", 3, 0, "images [H,W,C]", "image", "image"},
                                          {"clip", 4, 1u << HISS_F32 | 1u << HISS_I16 | 1u << HISS_U8,
                                           "clips [T,H,W,C] of uint8, int16 or float32", "values", "clip"},
                                          {0}};
static const hiss_input_ops clips_input = {.inputs = clips_inputs};
static const hiss_objective_ops method_clips = {.name = "clips",
                                                .summary = "the clip of an image",
                                                .options_bytes = 1,
                                                .create = clips_create,
                                                .destroy = hiss_free,
                                                .build = clips_build,
                                                .encode = clips_encode,
                                                .input = &clips_input};
