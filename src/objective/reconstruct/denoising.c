/* Denoising auto-encoder: the code of a corrupted image x~ must suffice to rebuild the clean image x,
 *     y = sigmoid(W x~ + b),   z = W^T y + b',   loss(x, z) over all pixels,
 * with noise drawn anew each time an image is seen. The identity, which an auto-encoder with as many units as pixels
 * could settle for, does not solve this: it takes knowledge of how pixels hang together. (Vincent, Larochelle, Bengio &
 * Manzagol, "Extracting and composing robust features with denoising autoencoders", ICML 2008; with Lajoie, JMLR 11,
 * 2010.)
 *
 * With the Bernoulli loss z are logits of pixels in 0..1, with the squared one pixels. A variant: any network below the
 * code, and a convolutional decoder.
 *
 * Level 0 of the corruption is the control: a plain auto-encoder of the same net.
 *
 * Evaluation corrupts each test image once and for all, and sees how much of that is left (src/eval/judgements). */
#include <stddef.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/corrupt.h"
#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"
#include "objective/reconstruct/decoder.h"

enum { CONVOLUTIONAL, TIED };
enum { DRAW_OF_CORRUPTION = 2030 }; /* when, of evaluation's streams */

typedef struct options {
    int64_t code, hidden;
    int decoder, loss;
    objective_corruption corruption;
} options;

static const hiss_row rows[] = {
    {"code", HISS_INT, offsetof(options, code), "500", 1, 1 << 20, NULL, "units of the code, sigmoids"},
    {"decoder", HISS_CHOICE, offsetof(options, decoder), "convolutional", 0, 0, "convolutional|tied",
     "transposed convolutions, or the code's own weights, for a network that is flatten alone"},
    {"hidden", HISS_INT, offsetof(options, hidden), "256", 1, 1 << 20, NULL,
     "convolutional: width of the decoder's hidden layer"},
    {"loss", HISS_CHOICE, offsetof(options, loss), "bernoulli", 0, 0, RECONSTRUCT_LOSSES, RECONSTRUCT_LOSSES_HELP},
};
static const int nrows = HISS_COUNT(rows);

typedef struct denoising {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
} denoising;

static int64_t pixel_count(const denoising *d) {
    return d->task->H * d->task->W * d->task->C;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    denoising *d = hiss_new(denoising, 1);
    d->task = task;
    d->placement = placement;
    d->options = opts;
    *self = d;
    return objective_expect_unit_pixels("denoising", task, d->options->loss == RECONSTRUCT_SQUARED,
                                        "or denoising.loss squared", err);
}

static void destroy(void *self) {
    hiss_free(self);
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const denoising *d = self;
    hiss_value x = -1;
    const hiss_status s = objective_encoder_head(d->task, b, image, "code", d->options->code, true, taps, &x, err);
    return s == HISS_OK ? hiss_network_end(d->task->network, b, "code", hiss_graph_sigmoid(b->graph, x), taps, err) : s;
}

/* What the decoder says of `image`, in its shape. */
static hiss_status decode(denoising *d, hiss_builder *b, hiss_value image, hiss_value *output, hiss_error *err) {
    hiss_taps taps = {0};
    hiss_status s = d->options->decoder == CONVOLUTIONAL
                        ? reconstruct_expect_size("denoising", d->task, "denoising.decoder: tied", err)
                        : HISS_OK;
    s = s == HISS_OK ? encode(d, b, image, &taps, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    const hiss_value code = hiss_taps_last(&taps);
    if (d->options->decoder == CONVOLUTIONAL) {
        *output = reconstruct_decode_by_convolution(d->task, b, code, d->options->hidden);
        return hiss_graph_status(b->graph, err);
    }
    const hiss_value flat = hiss_layer_linear_tied(b, "decoder", "code", code, true);
    const int64_t values = hiss_graph_shape(b->graph, flat).dim[1];
    if (values != pixel_count(d)) {
        return hiss_fail_key(err, HISS_EUSER, "denoising.decoder",
                             "tied weights lead from the code back to the network's output, which must be the %lld "
                             "values of the image, and has %lld; set network.layers to [flatten], or choose "
                             "convolutional",
                             (long long)pixel_count(d), (long long)values);
    }
    *output = hiss_graph_reshape(b->graph, flat, hiss_graph_shape(b->graph, image));
    return hiss_graph_status(b->graph, err);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    denoising *d = self;
    const hiss_task *t = d->task;
    const hiss_shape shape = HISS_SHAPE(d->placement->m, t->H, t->W, t->C);
    const hiss_value image = hiss_graph_input(b->graph, "image", shape);
    const hiss_value corrupted = hiss_graph_input(b->graph, "corrupted", shape);
    hiss_value output = -1;
    const hiss_status s = decode(d, b, corrupted, &output, err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_value loss = reconstruct_loss(d->options->loss, b, output, image);
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

static hiss_status reconstruct(void *self, hiss_builder *b, hiss_value image, hiss_value *rebuilt, hiss_error *err) {
    denoising *d = self;
    hiss_value output = -1;
    const hiss_status s = decode(d, b, image, &output, err);
    if (s == HISS_OK) {
        *rebuilt = reconstruct_pixels(d->options->loss, b, output);
    }
    return s == HISS_OK ? hiss_graph_status(b->graph, err) : s;
}

/* In a feature pass there is no noise. */
static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const denoising *d = self;
    const int64_t D = pixel_count(d);
    hiss_lane_default_sample(lane, i);
    const float *clean = hiss_exec_data(lane->exec, lane->inputs->image) + i * D;
    float *corrupted = hiss_exec_data(lane->exec, hiss_graph_input_named(lane->graph, "corrupted")) + i * D;
    if (lane->view == HISS_VIEW_TRAINING) {
        hiss_rng rng = hiss_rng_keyed(d->task->seed, HISS_FOR_NOISE, lane->step, lane->batch->sample[i]);
        objective_corrupt(&d->options->corruption, &rng, D, clean, corrupted);
    } else {
        memcpy(corrupted, clean, sizeof(float) * (size_t)D);
    }
}

static void corrupt(void *self, const hiss_lane *lane, int64_t i) {
    const denoising *d = self;
    float *image = hiss_exec_data(lane->exec, lane->inputs->image) + i * pixel_count(d);
    hiss_rng rng = hiss_rng_keyed(d->task->seed, HISS_FOR_EVALUATION, DRAW_OF_CORRUPTION, lane->batch->sample[i]);
    objective_corrupt(&d->options->corruption, &rng, pixel_count(d), image, image);
}

static hiss_corruption_moments moments(void *self) {
    return objective_corruption_moments(&((const denoising *)self)->options->corruption);
}

static void describe(void *self, char *line, size_t size) {
    const denoising *d = self;
    char noise[64];
    objective_corruption_describe(&d->options->corruption, noise, sizeof noise);
    snprintf(line, size, "denoising: code of %lld units, %s, %s, %s", (long long)d->options->code,
             d->options->decoder == TIED ? "tied weights" : "transposed convolutions", noise,
             d->options->loss == RECONSTRUCT_BERNOULLI ? "cross-entropy in nats per image"
                                                       : "mean squared error per pixel");
}

static const hiss_input_ops input = {.sample = sample};
static const hiss_report_ops report = {.describe = describe};
static const hiss_corruption_ops corruption = {.corrupt = corrupt, .moments = moments};

const hiss_objective_ops objective_denoising = {
    .name = "denoising",
    .summary = "rebuild the image from what noise has left of it",
    .sections = {{"denoising", rows, &nrows, 0},
                 {"corruption", objective_corruption_rows, &objective_corruption_nrows, offsetof(options, corruption)}},
    .sizes = "denoising.hidden, denoising.code",
    .options_bytes = sizeof(options),
    .unit_pixels = objective_needs_unit_pixels,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .reconstruct = reconstruct,
    .corruption = &corruption,
};
