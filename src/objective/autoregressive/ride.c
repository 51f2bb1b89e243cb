/* RIDE, the recurrent image density estimator: the density of an image is the product over its pixels, line by line, of that
 * of a pixel given all before it,
 *     log p(x) = sum over ij of log p(x_ij | h_ij, x_<ij),
 * where x_<ij is a small window of pixels before it, and h_ij the hidden units of a spatial LSTM that has read the windows
 * of all pixels to the left and above (op spatial_lstm), so that it reaches as far as there is anything to see. (Theis &
 * Bethge, "Generative image modeling using spatial LSTMs", NIPS 2015.) Given these, a pixel is a mixture of K logistic
 * distributions, whose weights, means and scales are linear in h and the window. Theirs is a mixture of conditional
 * Gaussian scale mixtures; docs/systems/ride.md says why this one.
 *
 * Pixels are of 8 bits, and become continuous by uniform noise within their level, drawn anew at each step and once in
 * evaluation: x = (level + u) / 256. Their density gives bits of the 8-bit image that bound those which it takes from
 * above (Theis, van den Oord & Bethge, "A note on the evaluation of generative models", ICLR 2016, section 3.1).
 *
 * No weight is masked. The window is made of shifted images, which have nothing of the pixel and what is behind it, and
 * the scan goes with the lines. The features of an image are the hidden units, as means over squares, of the grey image.
 *
 * The network and what it draws are in ride_make.c, densities of a pixel in ride_density.c, evaluation in ride_measure.c.
 *
 * Cost of a step, per pixel, in products: 5 U (C + 2 U) + 3 K (C + U), with U hidden units and C pixels in the window. */
#include "objective/autoregressive/ride.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "objective/autoregressive/pixels.h"
#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"

static const hiss_row rows[] = {
    {"hidden", HISS_INT, offsetof(ride_options, hidden), "48", 1, 1 << 12, NULL, "hidden units of the spatial LSTM"},
    {"window", HISS_INT, offsetof(ride_options, window), "2", 1, RIDE_MOST_REACH, NULL,
     "rows above, and columns on either side, of the pixels that are seen at once"},
    {"components", HISS_INT, offsetof(ride_options, components), "8", 1, 1 << 8, NULL,
     "logistic distributions of a pixel's mixture"},
};
static const int nrows = HISS_COUNT(rows);

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    ride *a = hiss_new(ride, 1);
    a->task = task;
    a->placement = placement;
    a->options = opts;
    *self = a;
    if (objective_expect_no_layers(task, "ride", "ride.hidden", err) != HISS_OK) {
        return HISS_EUSER;
    }
    if (task->C != 1 || task->H < 2 || task->W < 2) {
        return hiss_fail_key(err, HISS_EUSER, "objective",
                             "ride needs images of one channel and at least 2 x 2 pixels, found %" PRId64 "x%" PRId64
                             "x%" PRId64 "; choose other data",
                             task->H, task->W, task->C);
    }
    return objective_expect_unit_pixels("ride", task, true, NULL, err);
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- the graphs ---- */

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    const ride *a = self;
    const int64_t m = a->placement->m;
    const hiss_value image = autoregressive_ride_image(a, b->graph, m),
                     parameters = autoregressive_ride_mixtures(a, b, image, m);
    const hiss_value pixels = hiss_graph_reshape(b->graph, image, HISS_SHAPE(m * autoregressive_ride_pixels(a)));
    const hiss_value loss = hiss_graph_mixture_of_logistics(b->graph, parameters, pixels, 1.0 / (double)m);
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    hiss_value window = -1;
    taps->count = 0;
    const hiss_value hidden = autoregressive_ride_hidden(self, b, image, &window);
    const hiss_value means = autoregressive_square_means(b->graph, hidden);
    const hiss_status s = hiss_graph_status(b->graph, err);
    return s == HISS_OK ? hiss_taps_add(taps, "hidden", means, err) : s;
}

/* ---- what goes in ---- */

/* In a feature pass images are grey. */
static void sample(void *self, const hiss_lane *lane, int64_t i) {
    if (lane->view == HISS_VIEW_TRAINING) {
        autoregressive_ride_sample(self, lane, i);
    } else {
        hiss_lane_default_sample(lane, i);
    }
}

/* ---- reports ---- */

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    const double nats = hiss_named_value(metrics, nmetrics, "loss");
    out[0] = (hiss_named){"bits_per_dim", autoregressive_ride_bits(nats, autoregressive_ride_pixels(self))};
    return 1;
}

static void describe(void *self, char *line, size_t size) {
    const ride_options *o = ((const ride *)self)->options;
    snprintf(line, size,
             "ride: %" PRId64 " hidden units, mixtures of %" PRId64
             ", 8-bit pixels with uniform noise, nats of density per image",
             o->hidden, o->components);
}

static const hiss_input_ops input = {.sample = sample};
static const hiss_report_ops report = {.derive = derive, .describe = describe};
const hiss_objective_ops objective_ride = {
    .name = "ride",
    .summary = "RIDE: the density of each pixel, given those before it, by a spatial LSTM",
    .sections = {{"ride", rows, &nrows, 0}},
    .options_bytes = sizeof(ride_options),
    .own_layers = objective_own_layers,
    .sizes = "ride.hidden",
    .unit_pixels = objective_needs_unit_pixels,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .measure = &autoregressive_ride_measure,
    .generation = &autoregressive_ride_generation,
};
