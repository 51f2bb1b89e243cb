/* Stacked denoising auto-encoders: layer k learns to rebuild the code of layer k - 1 from what noise has left of it, one
 * layer after the other; then all layers together, with a classifier on top, learn a few labels.
 *
 * Layer k maps a code x of 0..1 to y = sigmoid(W x~ + b), where x~ is x with noise, and back to the probabilities
 * sigmoid(W' y + c) by the transpose of the same weights; its loss is the cross-entropy with x, summed over units, mean
 * over samples. x is the clean code of the layers below, which stay as they are; noise is drawn anew at each step, and
 * never on pixels for a layer above the first. Each layer is a phase with epochs of its own, and so is what follows:
 * softmax of a linear layer on the last code, whose gradient passes through all layers, on the labelled samples alone.
 *
 * Vincent, Larochelle, Lajoie, Bengio & Manzagol, "Stacked Denoising Autoencoders: Learning Useful Representations in a
 * Deep Network with a Local Denoising Criterion", JMLR 11, 2010. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "objective/parts/corrupt.h"
#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"

enum { MOST_LAYERS = 4, PHASES = MOST_LAYERS + 1, CLASSIFIER_GROUP = MOST_LAYERS, LAYER_NAME = 24 };
static const char *const groups[] = {"layer1", "layer2", "layer3", "layer4", "classifier", NULL};

typedef struct options {
    int64_t layers, units;
    bool pretrain;
    int64_t epochs, finetune;
    objective_corruption corruption; /* of the input of the layer that is trained */
} options;

static const hiss_row rows[] = {
    {"layers", HISS_INT, offsetof(options, layers), "3", 1, MOST_LAYERS, NULL, "how many, one on the other"},
    {"units", HISS_INT, offsetof(options, units), "500", 1, 1 << 20, NULL, "sigmoid units of each layer"},
    {"pretrain", HISS_BOOL, offsetof(options, pretrain), "true", 0, 0, NULL,
     "train the layers one by one first; false is a control, which learns from the labels alone"},
    {"epochs", HISS_INT, offsetof(options, epochs), "5", 1, 1e6, NULL, "pretrain true: of each layer, without labels"},
    {"finetune", HISS_INT, offsetof(options, finetune), "10", 0, 1e6, NULL,
     "epochs of all layers and the classifier on the samples of data.labelled; 0: none"},
};
static const int nrows = HISS_COUNT(rows);

typedef struct stacked {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
    hiss_value scores; /* of the graph of measure */
} stacked;

static bool classifies(const stacked *s) {
    return s->task->labelled > 0 && s->options->finetune > 0;
}

static int pretrained(const stacked *s) {
    return s->options->pretrain ? (int)s->options->layers : 0;
}

static hiss_status expect_something_to_do(const stacked *s, hiss_error *err) {
    return s->options->pretrain || classifies(s)
               ? HISS_OK
               : hiss_fail_key(err, HISS_EUSER, s->task->labelled > 0 ? "stacked.finetune" : "data.labelled",
                               "nothing is left to train where stacked.pretrain is false and no labels are learnt; set "
                               "data.labelled to so many samples of each class, and stacked.finetune to epochs");
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    stacked *s = hiss_new(stacked, 1);
    *s = (stacked){.task = task, .placement = placement, .options = opts, .scores = -1};
    *self = s;
    if (objective_expect_no_layers(task, "stacked", "stacked.layers", err) != HISS_OK) {
        return HISS_EUSER;
    }
    const hiss_status status = objective_expect_unit_pixels("stacked", task, false, NULL, err);
    return status == HISS_OK && placement ? expect_something_to_do(s, err) : status;
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- phases ---- */

static int count(void *self) {
    const stacked *s = self;
    return pretrained(s) + classifies(s);
}

static bool on_labels(void *self, int phase) {
    return phase == pretrained(self);
}

static hiss_span span(void *self, int phase) {
    const stacked *s = self;
    const int64_t first = phase * s->options->epochs;
    return (hiss_span){first, first + (on_labels(self, phase) ? s->options->finetune : s->options->epochs)};
}

static void name_phase(void *self, int phase, char *line, size_t size) {
    if (on_labels(self, phase)) {
        snprintf(line, size, "the classifier");
    } else {
        snprintf(line, size, "layer %d", phase + 1);
    }
}

static unsigned trains(void *self, int phase) {
    return on_labels(self, phase) ? ~0u : 1u << phase;
}

/* ---- the graphs ---- */

static const char *layer_name(const char *what, int64_t layer, char out[LAYER_NAME]) {
    snprintf(out, LAYER_NAME, "%s%d", what, (int)layer + 1);
    return out;
}

static hiss_value code_of(const stacked *s, hiss_builder *b, int64_t layer, hiss_value x) {
    char name[LAYER_NAME];
    b->group = (int)layer;
    return hiss_graph_sigmoid(b->graph,
                              hiss_layer_linear(b, layer_name("layer", layer, name), x, s->options->units, true));
}

/* The code of the first `layers` layers; taps NULL: their places are not wanted. */
static hiss_status codes(const stacked *s, hiss_builder *b, hiss_value image, int64_t layers, hiss_taps *taps,
                         hiss_value *out, hiss_error *err) {
    char name[LAYER_NAME];
    hiss_status status = HISS_OK;
    *out = hiss_graph_flatten(b->graph, image);
    for (int64_t k = 0; k < layers && status == HISS_OK; k++) {
        *out = code_of(s, b, k, *out);
        status = hiss_graph_status(b->graph, err);
        status = status == HISS_OK && taps ? hiss_taps_add(taps, layer_name("layer", k, name), *out, err) : status;
    }
    return status;
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const stacked *s = self;
    hiss_value last = -1;
    *taps = (hiss_taps){0};
    return codes(s, b, image, s->options->layers, taps, &last, err);
}

static hiss_value classify(const stacked *s, hiss_builder *b, hiss_value code) {
    b->group = CLASSIFIER_GROUP;
    return hiss_layer_linear(b, "classifier", code, s->task->classes, true);
}

static hiss_value corrupt(hiss_builder *b, hiss_value x) {
    const hiss_shape shape = hiss_graph_shape(b->graph, x);
    const hiss_value keep = hiss_graph_input(b->graph, "keep", shape), add = hiss_graph_input(b->graph, "add", shape);
    return hiss_graph_add(b->graph, hiss_graph_multiply(b->graph, x, keep), add);
}

static hiss_value denoising_loss(const stacked *s, hiss_builder *b, int64_t layer, hiss_value below) {
    char name[LAYER_NAME], back[LAYER_NAME];
    const hiss_value clean = hiss_graph_stop_gradient(b->graph, below);
    const hiss_value code = code_of(s, b, layer, corrupt(b, clean));
    const hiss_value rebuilt =
        hiss_layer_linear_tied(b, layer_name("back", layer, back), layer_name("layer", layer, name), code, true);
    return hiss_graph_sigmoid_cross_entropy(b->graph, rebuilt, clean, 1.0 / (double)s->placement->m);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    const stacked *s = self;
    const hiss_task *t = s->task;
    const int64_t m = s->placement->m, layers = on_labels(self, phase) ? s->options->layers : phase;
    hiss_value x = -1;
    const hiss_value image = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    const hiss_status status = codes(s, b, image, layers, NULL, &x, err);
    if (status != HISS_OK) {
        return status;
    }
    const hiss_value loss = on_labels(self, phase)
                                ? hiss_graph_softmax_cross_entropy(b->graph, classify(s, b, x),
                                                                   hiss_graph_input_labels(b->graph, "label", m))
                                : denoising_loss(s, b, phase, x);
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

/* ---- what goes in ---- */

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const stacked *s = self;
    const hiss_value keep = hiss_graph_input_named(lane->graph, "keep");
    hiss_lane_default_sample(lane, i);
    if (keep >= 0) {
        const int64_t id = lane->batch->sample[i] * PHASES + lane->phase;
        hiss_rng rng = hiss_rng_keyed(s->task->seed, HISS_FOR_NOISE, lane->step, id);
        objective_corruption_draw(&s->options->corruption, &rng, hiss_graph_shape(lane->graph, keep).dim[1],
                                  hiss_lane_values(lane, keep, i),
                                  hiss_lane_values(lane, hiss_graph_input_named(lane->graph, "add"), i));
    }
}

/* ---- evaluation ---- */

enum { WRONG, JUDGED, MEASURES };

static int64_t measure_width(void *self) {
    (void)self;
    return MEASURES;
}

static hiss_status measure_build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    stacked *s = self;
    hiss_value x = -1;
    const hiss_value image = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, s->task->H, s->task->W, s->task->C));
    const hiss_status status = codes(s, b, image, s->options->layers, NULL, &x, err);
    if (status == HISS_OK && classifies(s)) {
        s->scores = classify(s, b, x);
        hiss_graph_keep(b->graph, s->scores);
    }
    return status == HISS_OK ? hiss_graph_status(b->graph, err) : status;
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const stacked *s = self;
    const int32_t label = lane->batch->label ? lane->batch->label[i] : -1;
    int64_t best = 0;
    if (classifies(s)) {
        const float *scores = hiss_exec_data(lane->exec, s->scores) + i * s->task->classes;
        for (int64_t c = 1; c < s->task->classes; c++) {
            best = scores[c] > scores[best] ? c : best;
        }
    }
    out[JUDGED] = classifies(s) && label >= 0 ? 1.0f : 0.0f;
    out[WRONG] = out[JUDGED] > 0.0f && best != label ? 1.0f : 0.0f;
}

static void say_error(const stacked *s, const hiss_measured *m) {
    char group[96], text[240];
    const struct {
        const char *name, *heading;
        const double *mean;
        int64_t images;
    } sets[] = {{"error", "test error", m->test_mean, m->test},
                {"training_error", "error on training images", m->train_mean, m->train}};
    snprintf(group, sizeof group, "Classifier of %lld labels per class", (long long)s->task->labelled);
    for (int k = 0; k < HISS_COUNT(sets); k++) {
        const double judged = sets[k].mean[JUDGED];
        if (judged > 0.0) {
            const hiss_measure error = {.name = sets[k].name,
                                        .group = group,
                                        .heading = sets[k].heading,
                                        .unit = "%",
                                        .value = 100.0 * sets[k].mean[WRONG] / judged,
                                        .spread = NAN,
                                        .baseline = NAN,
                                        .samples = llround(judged * (double)sets[k].images)};
            m->number(m->say, &error);
        }
    }
    snprintf(text, sizeof text, "the classifier has seen labels of %lld samples of each class%s",
             (long long)s->task->labelled,
             s->options->pretrain ? "" : "; its layers began at random (stacked.pretrain is false)");
    m->remark(m->say, text);
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    enum { SHOWN = 100 };
    const stacked *s = self;
    if (classifies(s)) {
        say_error(s, m);
    }
    const hiss_slot *first = hiss_model_at(m->model, hiss_model_find(m->model, "layer1/weight"));
    return m->filters(m->say, "layer1.png", "Weights of the first layer",
                      "What units of the first layer look at: each weight is a pixel, from the unit's least to its "
                      "largest.",
                      s->options->units < SHOWN ? s->options->units : SHOWN, s->task->H, s->task->W, s->task->C,
                      m->vector + first->offset, err);
}

static void describe(void *self, char *line, size_t size) {
    const stacked *s = self;
    const options *o = s->options;
    char noise[64], before[160] = "not pretrained", after[96] = "";
    if (o->pretrain) {
        objective_corruption_describe(&o->corruption, noise, sizeof noise);
        snprintf(before, sizeof before, "%lld epochs each with %s", (long long)o->epochs, noise);
    }
    if (classifies(s)) {
        snprintf(after, sizeof after, ", then %lld epochs on %lld labels per class", (long long)o->finetune,
                 (long long)s->task->labelled);
    }
    snprintf(line, size, "stacked: %lld layers of %lld units, %s%s", (long long)o->layers, (long long)o->units, before,
             after);
}

static const char *const pictures[] = {"layer1.png", NULL};
static const hiss_input_ops input = {.labelled = true, .sample = sample};
static const hiss_phase_ops phases = {
    .count = count, .trains = trains, .span = span, .name = name_phase, .labelled = on_labels};
static const hiss_report_ops report = {.describe = describe};
static const hiss_measure_ops measures = {
    .pictures = pictures, .width = measure_width, .build = measure_build, .measure = measure, .conclude = conclude};

const hiss_objective_ops objective_stacked = {
    .name = "stacked",
    .summary = "denoising auto-encoders layer by layer, then a classifier of few labels",
    .sections = {{"stacked", rows, &nrows, 0},
                 {"corruption", objective_corruption_rows, &objective_corruption_nrows, offsetof(options, corruption)}},
    .others_when = "pretrain true: ",
    .options_bytes = sizeof(options),
    .sizes = "stacked.units",
    .unit_pixels = objective_needs_unit_pixels,
    .own_layers = objective_own_layers,
    .phases = PHASES,
    .groups = groups,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .phase = &phases,
    .report = &report,
    .measure = &measures,
};
