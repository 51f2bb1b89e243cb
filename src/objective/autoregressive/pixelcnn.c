/* Gated PixelCNN: the probability of an image is the product over its pixels, line by line, of that of a pixel given all
 * before it,
 *     log p(x) = sum over i of log p(x_i | x_1 .. x_i-1),
 * and one network without a latent gives all of them at once. A pixel has one of so many levels, and its probabilities are
 * a softmax over them, or with 2 levels a sigmoid; training minimises -log p(x), in nats. (van den Oord, Kalchbrenner,
 * Vinyals, Espeholt, Graves & Kavukcuoglu, "Conditional image generation with PixelCNN decoders", NIPS 2016; van den Oord,
 * Kalchbrenner & Kavukcuoglu, "Pixel recurrent neural networks", ICML 2016.)
 *
 * The network is in pixelcnn_stacks.c, drawing of images in pixelcnn_make.c, evaluation in pixelcnn_measure.c, and what
 * levels are in pixels.c. Features of an image are the maps of the horizontal stack, of the grey image, as means over
 * squares of 4 x 4.
 *
 * Cost of a step, per pixel and layer, in products: 2 F (F (k/2+1)(k+1) + 2 F) + F^2. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "objective/autoregressive/pixelcnn.h"
#include "objective/autoregressive/pixels.h"
#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"

static const hiss_row rows[] = {
    {"levels", HISS_INT, offsetof(pixelcnn_options, levels), "2", 2, 256, NULL,
     "of a pixel; with 2 it is drawn as 0 or 1, with its grey value as probability"},
    {"features", HISS_INT, offsetof(pixelcnn_options, features), "16", 1, 1 << 12, NULL, "channels of each stack"},
    {"layers", HISS_INT, offsetof(pixelcnn_options, layers), "5", 1, PIXELCNN_MOST_LAYERS, NULL,
     "layers of each stack"},
    {"first", HISS_INT, offsetof(pixelcnn_options, first), "11", 3, 31, NULL,
     "rows and columns of the first layer's window, of which what is before the pixel counts; odd"},
    {"kernel", HISS_INT, offsetof(pixelcnn_options, kernel), "3", 3, 31, NULL, "the same of the layers above; odd"},
    {"output", HISS_INT, offsetof(pixelcnn_options, output), "64", 1, 1 << 14, NULL,
     "channels of the layer between the last one and the logits"},
    {"place", HISS_BOOL, offsetof(pixelcnn_options, place), "true", 0, 0, NULL,
     "a bias for each place of the image, as for things that are centred"},
    {"conditional", HISS_BOOL, offsetof(pixelcnn_options, conditional), "false", 0, 0, NULL,
     "probability given the class, and images of one that is asked for; needs labels"},
};
static const int nrows = HISS_COUNT(rows);

static const char *needs_labels(const void *options) {
    return ((const pixelcnn_options *)options)->conditional ? "pixelcnn.conditional" : NULL;
}

static hiss_status check(const pixelcnn *p, hiss_error *err) {
    const pixelcnn_options *o = p->options;
    const hiss_task *t = p->task;
    if (objective_expect_no_layers(t, "pixelcnn", "pixelcnn.features", err) != HISS_OK) {
        return HISS_EUSER;
    }
    if (o->first % 2 == 0 || o->kernel % 2 == 0) {
        return hiss_fail_key(err, HISS_EUSER, o->first % 2 == 0 ? "pixelcnn.first" : "pixelcnn.kernel",
                             "expected an odd number, found %" PRId64, o->first % 2 == 0 ? o->first : o->kernel);
    }
    if (t->C != 1 || t->H < 2 || t->W < 2) {
        return hiss_fail_key(err, HISS_EUSER, "objective",
                             "pixelcnn needs images of one channel and at least 2 x 2 pixels, found %" PRId64
                             "x%" PRId64 "x%" PRId64 "; choose other data",
                             t->H, t->W, t->C);
    }
    if (o->conditional && t->classes < 2) {
        return hiss_fail_key(err, HISS_EUSER, "pixelcnn.conditional",
                             "true needs labels of at least 2 classes, found %" PRId64
                             "; set data.labels, or pixelcnn.conditional false",
                             t->classes);
    }
    return objective_expect_unit_pixels("pixelcnn", t, true, NULL, err);
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    pixelcnn *p = hiss_new(pixelcnn, 1);
    p->task = task;
    p->placement = placement;
    p->options = opts;
    *self = p;
    return check(p, err);
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- the graphs ---- */

static hiss_status append(const pixelcnn *p, hiss_builder *b, hiss_value image, hiss_value class, hiss_taps *taps,
                          hiss_value *logits, hiss_error *err) {
    hiss_value link[PIXELCNN_MOST_LAYERS];
    autoregressive_pixelcnn_vertical(p, b, image, class, link);
    const hiss_status s = hiss_graph_status(b->graph, err);
    return s == HISS_OK ? autoregressive_pixelcnn_horizontal(p, b, image, class, link, taps, logits, err) : s;
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    const pixelcnn *p = self;
    const hiss_task *t = p->task;
    const int64_t m = p->placement->m;
    hiss_value logits = -1;
    const hiss_value image = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    const hiss_value class = autoregressive_pixelcnn_class(p, b->graph, m);
    const hiss_status s = append(p, b, image, class, NULL, &logits, err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_value loss = autoregressive_loss(b->graph, p->options->levels, m, t->H * t->W, logits, image);
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

/* Of no class. */
static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    hiss_value logits = -1;
    taps->count = 0;
    return append(self, b, image, -1, taps, &logits, err);
}

/* ---- what goes in ---- */

/* In a feature pass images are grey. */
static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const pixelcnn *p = self;
    if (lane->view != HISS_VIEW_TRAINING) {
        hiss_lane_default_sample(lane, i);
        return;
    }
    autoregressive_sample(p->task, p->options->levels, lane, i);
    autoregressive_pixelcnn_set_class(p, lane, i, p->options->conditional ? lane->batch->label[i] : -1);
}

/* ---- reports ---- */

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    const pixelcnn *p = self;
    return autoregressive_derive(p->task->H * p->task->W, metrics, nmetrics, out);
}

static void describe(void *self, char *line, size_t size) {
    const pixelcnn *p = self;
    snprintf(line, size, "pixelcnn: %s%s, nats per image",
             p->options->levels == 2 ? "binary pixels drawn anew at each step" : "pixels of some levels",
             p->options->conditional ? ", given the class" : "");
}

static const hiss_input_ops input = {.sample = sample};
static const hiss_report_ops report = {.derive = derive, .describe = describe};

const hiss_objective_ops objective_pixelcnn = {
    .name = "pixelcnn",
    .summary = "gated PixelCNN: the probability of each pixel, given those before it",
    .sections = {{"pixelcnn", rows, &nrows, 0}},
    .options_bytes = sizeof(pixelcnn_options),
    .own_layers = objective_own_layers,
    .sizes = "pixelcnn.features, pixelcnn.layers, pixelcnn.output",
    .needs_labels = needs_labels,
    .unit_pixels = objective_needs_unit_pixels,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .measure = &autoregressive_pixelcnn_measure,
    .generation = &autoregressive_pixelcnn_generation,
};
