/* Colourisation: say the colours of an image whose lightness alone is given. (Zhang, Isola & Efros, "Colorful image
 * colorization", ECCV 2016.)
 *
 * An image is L, a, b of CIE Lab. The network sees L and ends in a map; at each of its places one linear layer scores the Q
 * bins of a and b. The loss is the cross-entropy with the bins near the true colour, weighed by how rare it is (eq. 2 to 4;
 * see ab.c). A colour is a mode among several: a shirt is red or blue. So
 *   temperature 0.38   takes the mean of a and b under softmax(scores / T): towards the mode, still smooth (eq. 5);
 *   temperature 1      the mean, which between red and blue is grey;
 *   loss l2            the control: the network says a and b, and learns their mean.
 *
 * The network is the section's, up to its first flatten; its stride gives the places' distance. A place is judged by the
 * pixel at the corner of its cell, as the released code subsamples a and b, not by a mean colour, which would be greyer.
 *
 * The features of an image are the maps, from L alone: evaluation converts what it gets as training does. */
#include "objective/color/colorization.h"
#include "objective/parts/pixels.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "hiss/alloc.h"

static const hiss_row rows[] = {
    {"loss", HISS_CHOICE, offsetof(colorization_options, loss), "classes", 0, 0, "classes|l2",
     "classes: cross-entropy over bins of colour; l2: squared distance of a and b, which comes out grey"},
    {"temperature", HISS_FLOAT, offsetof(colorization_options, temperature), "0.38", 0.01, 1, NULL,
     HISS_OF_EVALUATION "classes: of the colour that is shown: 1 is the mean over bins, towards 0 the likeliest bin"},
    COLOR_ROWS(colorization_options, ab, "classes: "),
};
static const int nrows = HISS_COUNT(rows);
static const char method[] = "colorization";

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    colorization *c = hiss_new(colorization, 1);
    int64_t h = 0, w = 0;
    c->task = task;
    c->placement = placement;
    c->options = opts;
    *self = c;
    const hiss_status s = color_map_size(task, method, 1, &h, &w, err);
    color_ab_open(&c->ab, task, &c->options->ab, h, w);
    return s;
}

static void destroy(void *self) {
    colorization *c = self;
    if (c) {
        color_ab_close(&c->ab);
    }
    hiss_free(c);
}

/* ---- the graphs ---- */

static hiss_status map_of(const colorization *c, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_value *map,
                          hiss_error *err) {
    return color_map(c->task, method, b, "", image, COLOR_L, 1, taps, map, err);
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    hiss_value map = -1;
    const hiss_status s = map_of(self, b, image, taps, &map, err);
    return s == HISS_OK ? hiss_graph_status(b->graph, err) : s;
}

hiss_status color_output(const colorization *c, hiss_builder *b, hiss_value image, hiss_value *output,
                         hiss_error *err) {
    hiss_taps *taps = hiss_new(hiss_taps, 1);
    hiss_value map = -1;
    const hiss_status s = map_of(c, b, image, taps, &map, err);
    hiss_free(taps);
    if (s == HISS_OK) {
        *output = c->options->loss == COLORIZE_L2 ? color_head(b, "mean", map, 2)
                                                  : color_head(b, "bins", map, c->ab.bins.count);
    }
    return s;
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    colorization *c = self;
    hiss_graph *g = b->graph;
    const hiss_task *t = c->task;
    const int64_t m = c->placement->m, places = m * c->ab.h * c->ab.w;
    const hiss_value image = hiss_graph_input(g, "image", HISS_SHAPE(m, t->H, t->W, COLOR_CHANNELS));
    color_ab_inputs(&c->ab, b, m);
    const hiss_value truth = hiss_graph_input(g, "ab", HISS_SHAPE(places, 2));
    hiss_graph_cut(g);
    hiss_value output = -1;
    const hiss_status s = color_output(c, b, image, &output, err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_value loss = c->options->loss == COLORIZE_L2
                                ? hiss_graph_squared_loss(g, output, truth, 1.0 / (double)places)
                                : color_ab_loss(&c->ab, b, output, "");
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(g, err);
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const colorization *c = self;
    const int64_t places = c->ab.h * c->ab.w;
    hiss_lane_default_sample(lane, i);
    const float *image = hiss_lane_values(lane, lane->inputs->image, i);
    float *truth = hiss_exec_data(lane->exec, hiss_graph_input_named(lane->graph, "ab")) + 2 * i * places;
    for (int64_t k = 0; k < places; k++) {
        const float *pixel = image + 3 * color_pixel_of(c->task, c->ab.h, c->ab.w, k);
        truth[2 * k] = pixel[COLOR_A];
        truth[2 * k + 1] = pixel[COLOR_B];
    }
    color_ab_fill(&c->ab, lane, i);
}

static hiss_status begin(void *self, const hiss_epoch *e, hiss_error *err) {
    colorization *c = self;
    return color_ab_begin(&c->ab, c->placement, e, err);
}

static int states(void *self, hiss_state out[HISS_MAX_STATES]) {
    colorization *c = self;
    return color_ab_states(&c->ab, out);
}

/* ---- what it says ---- */

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    const colorization *c = self;
    if (c->options->loss == COLORIZE_L2) {
        const double loss = hiss_named_value(metrics, nmetrics, "loss");
        out[0] = (hiss_named){"distance", (double)COLOR_UNIT * sqrt(loss)};
        return 1;
    }
    const double colorful = hiss_named_value(metrics, nmetrics, "colorful");
    const double sum = hiss_named_value(metrics, nmetrics, "unweighted");
    out[0] = (hiss_named){"cross_entropy", colorful > 0.0 ? sum / colorful : 0.0};
    return 1;
}

static void describe(void *self, char *line, size_t size) {
    const colorization *c = self;
    if (c->options->loss == COLORIZE_L2) {
        snprintf(line, size, "colorization: a and b at %lld x %lld places by their squared error (a control)",
                 (long long)c->ab.h, (long long)c->ab.w);
        return;
    }
    snprintf(line, size, "colorization: Q = %lld bins of colour at %lld x %lld places, %s, temperature %g",
             (long long)c->ab.bins.count, (long long)c->ab.h, (long long)c->ab.w,
             c->options->ab.rebalance ? "rare ones weighed up" : "not rebalanced", c->options->temperature);
}

static const hiss_input_ops input = {.inputs = color_inputs, .sample = sample};
static const hiss_epoch_ops epoch = {.begin = begin};
static const hiss_state_ops state = {.list = states};
static const hiss_report_ops report = {.derive = derive, .describe = describe};

const hiss_objective_ops objective_colorization = {
    .name = "colorization",
    .summary = "colours of an image from its lightness, as classes",
    .sections = {{"colorization", rows, &nrows, 0}},
    .options_bytes = sizeof(colorization_options),
    .unit_pixels = objective_needs_unit_pixels,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .epoch = &epoch,
    .state = &state,
    .report = &report,
    .measure = &color_measure,
};
