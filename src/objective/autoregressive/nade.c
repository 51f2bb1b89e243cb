/* NADE, the neural autoregressive distribution estimator: the probability of a binary image is the product over its pixels
 * of that of a pixel given all before it, line by line,
 *     p(x_i = 1 | x_1 .. x_i-1) = sigmoid(b_i + V_i . sigmoid(c + sum over k < i of x_k W_k)),
 * which shares its weights among pixels, so that all of them cost no more than a few layers (op nade). Training minimises
 * -log p(x), in nats. (Larochelle & Murray, "The neural autoregressive distribution estimator", AISTATS 2011; W and V are
 * not tied, as in their experiments.)
 *
 * The features of an image are the hidden units that have seen all of it, of the grey image.
 *
 * Cost of a step, per pixel and hidden unit: 2 products and a sigmoid; an image that is drawn costs as many passes as it has
 * pixels. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/autoregressive/pixels.h"
#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"

enum { LEVELS = 2, MOST_FILTERS = 100 };

static const char filters_file[] = "nade-weights.png";

typedef struct options {
    int64_t hidden;
} options;

static const hiss_row rows[] = {
    {"hidden", HISS_INT, offsetof(options, hidden), "128", 1, 1 << 16, NULL, "hidden units"},
};
static const int nrows = HISS_COUNT(rows);

typedef struct nade {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
    hiss_value logits; /* of the graph built last outside of training; alike in all */
} nade;

static int64_t pixel_count(const nade *a) {
    return a->task->H * a->task->W * a->task->C;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    nade *a = hiss_new(nade, 1);
    a->task = task;
    a->placement = placement;
    a->options = opts;
    *self = a;
    if (task->network->layers) {
        return hiss_fail_key(err, HISS_EUSER, "network.layers",
                             "nade makes its own layer, of nade.hidden; leave network.layers out, as with --set "
                             "network.layers=null");
    }
    return objective_expect_unit_pixels("nade", task, true, NULL, err);
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- the graphs ---- */

static hiss_value append(const nade *a, hiss_builder *b, int64_t m, hiss_value *logits) {
    const hiss_task *t = a->task;
    const hiss_value image = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    *logits = hiss_layer_nade(b, "nade", hiss_graph_flatten(b->graph, image), a->options->hidden, NULL);
    return image;
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    const nade *a = self;
    hiss_value logits = -1;
    const hiss_value image = append(a, b, a->placement->m, &logits);
    const hiss_value loss = autoregressive_loss(b->graph, LEVELS, a->placement->m, pixel_count(a), logits, image);
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const nade *a = self;
    hiss_value hidden = -1;
    taps->count = 0;
    hiss_layer_nade(b, "nade", hiss_graph_flatten(b->graph, image), a->options->hidden, &hidden);
    const hiss_status s = hiss_graph_status(b->graph, err);
    return s == HISS_OK ? hiss_taps_add(taps, "hidden", hidden, err) : s;
}

/* In a feature pass images are grey. */
static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const nade *a = self;
    if (lane->view == HISS_VIEW_TRAINING) {
        autoregressive_sample(a->task, LEVELS, lane, i);
    } else {
        hiss_lane_default_sample(lane, i);
    }
}

/* ---- images ---- */

static hiss_status make(void *self, hiss_builder *b, int64_t m, hiss_value *image, hiss_error *err) {
    nade *a = self;
    *image = append(a, b, m, &a->logits);
    const hiss_status s = hiss_graph_status(b->graph, err);
    if (s == HISS_OK) {
        hiss_graph_keep(b->graph, a->logits);
    }
    return s;
}

static void noise(void *self, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t wanted) {
    const nade *a = self;
    (void)seed; /* pixels are drawn as they come */
    (void)wanted;
    memset(hiss_lane_values(lane, lane->inputs->image, i), 0, sizeof(float) * (size_t)pixel_count(a));
}

static bool advance(void *self, const hiss_lane *lane, int64_t pass, uint64_t seed, int *begin, int *end) {
    const nade *a = self;
    const int64_t D = pixel_count(a), k = pass - 1;
    for (int64_t i = 0; i < lane->batch->m && k >= 0; i++) {
        hiss_lane_values(lane, lane->inputs->image, i)[k] =
            autoregressive_draw(LEVELS, hiss_lane_values(lane, a->logits, i) + k, seed, lane->batch->sample[i], k, D);
    }
    *begin = 0;
    *end = hiss_graph_nodes(lane->graph);
    return pass < D;
}

/* ---- evaluation ---- */

static int64_t width(void *self) {
    return autoregressive_width(LEVELS, pixel_count(self));
}

static hiss_status measure_build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    hiss_value image = -1;
    const hiss_status s = make(self, b, m, &image, err);
    if (s == HISS_OK) {
        hiss_graph_keep(b->graph, image);
    }
    return s;
}

static void measure_sample(void *self, const hiss_lane *lane, int64_t i) {
    const nade *a = self;
    autoregressive_sample(a->task, LEVELS, lane, i);
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const nade *a = self;
    autoregressive_measure(LEVELS, pixel_count(a), hiss_lane_values(lane, a->logits, i),
                           hiss_lane_values(lane, lane->inputs->image, i), out);
}

static hiss_status conclude(void *self, const hiss_measured *x, hiss_error *err) {
    const nade *a = self;
    const int64_t D = pixel_count(a), H = a->options->hidden, F = H < MOST_FILTERS ? H : MOST_FILTERS;
    const float *w = x->vector + hiss_model_offset(x->model, "nade/in/weight");
    float *turned = hiss_new(float, F *D);
    for (int64_t f = 0; f < F; f++) {
        for (int64_t k = 0; k < D; k++) {
            turned[f * D + k] = w[k * H + f];
        }
    }
    autoregressive_say(x, LEVELS, D);
    const hiss_status s = x->filters(x->say, filters_file, "Weights of NADE",
                                     "What hidden units add up; each stretched from its least to its largest weight.",
                                     F, a->task->H, a->task->W, a->task->C, turned, err);
    hiss_free(turned);
    return s;
}

/* ---- reports ---- */

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    return autoregressive_derive(pixel_count(self), metrics, nmetrics, out);
}

static void describe(void *self, char *line, size_t size) {
    const nade *a = self;
    snprintf(line, size, "nade: %" PRId64 " hidden units, binary pixels drawn anew at each step, nats per image",
             a->options->hidden);
}

static const char *const pictures[] = {filters_file, NULL};
static const hiss_input_ops input = {.sample = sample};
static const hiss_report_ops report = {.derive = derive, .describe = describe};
static const hiss_generation_ops generation = {.build = make, .noise = noise, .advance = advance};
static const hiss_measure_ops measures = {.baseline = "independent pixels",
                                          .pictures = pictures,
                                          .width = width,
                                          .build = measure_build,
                                          .sample = measure_sample,
                                          .measure = measure,
                                          .conclude = conclude};

const hiss_objective_ops objective_nade = {
    .name = "nade",
    .summary = "NADE: the probability of each binary pixel, given those before it, by shared weights",
    .sections = {{"nade", rows, &nrows, 0}},
    .options_bytes = sizeof(options),
    .own_layers = objective_own_layers,
    .sizes = "nade.hidden",
    .unit_pixels = objective_needs_unit_pixels,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .measure = &measures,
    .generation = &generation,
};
