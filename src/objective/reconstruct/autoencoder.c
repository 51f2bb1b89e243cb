/* Auto-encoder: the encoder's code must suffice to rebuild the image; loss = mean over pixels of (x - g(f(x)))^2,
 * or the cross-entropy of pixels in 0..1, in nats per image. (Rumelhart, Hinton & Williams 1986; with convolutions: Masci
 * et al. 2011.)
 *
 * This file is the annotated template for a new method. A method consists of
 *   1. its options: a struct, rows, and a section name;                              -> options, rows
 *   2. its state: whatever it must remember between calls;                           -> autoencoder
 *   3. create and destroy;
 *   4. build: the training graph, from inputs to loss and metrics;
 *   5. encode: the part that evaluation looks at;
 *   6. hooks of the optional tables (here: report and reconstruct; see nat.c for exchange, epoch and states);
 *   7. the ops at the end, and one line in src/objective/list.h.
 * docs/extending/objective.md adds one, step by step, with its config and test.
 * It lies in the folder of its family, and may use what is in that folder and in src/objective/parts. */
#include <stddef.h>

#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"
#include "objective/reconstruct/decoder.h"

/* 1. Options. Every row has a default, a range and a help line; parsing and --help follow from them. */
enum { CONVOLUTIONAL, DENSE };

typedef struct options {
    int64_t code;   /* D of the code */
    int64_t hidden; /* width of the decoder's hidden layer */
    int decoder, loss;
} options;

static const hiss_row rows[] = {
    {"code", HISS_INT, offsetof(options, code), "32", 1, 1 << 20, NULL, "dimensions of the code"},
    {"hidden", HISS_INT, offsetof(options, hidden), "256", 1, 1 << 20, NULL, "width of the decoder's hidden layer"},
    {"decoder", HISS_CHOICE, offsetof(options, decoder), "convolutional", 0, 0, "convolutional|dense",
     "transposed convolutions, or one hidden layer"},
    {"loss", HISS_CHOICE, offsetof(options, loss), "squared", 0, 0, RECONSTRUCT_LOSSES, RECONSTRUCT_LOSSES_HELP},
};
static const int nrows = HISS_COUNT(rows);

/* 2. State. Values of the graph are not kept here: inputs are found by name when they are filled. */
typedef struct autoencoder {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: only encode() will be called */
    const options *options;
} autoencoder;

/* Probabilities lie in 0..1; a square is of any number. */
static bool unit_pixels(const void *opts) {
    return ((const options *)opts)->loss == RECONSTRUCT_BERNOULLI;
}

/* 3. Create may communicate (it is Collective); this method has nothing to agree on. */
static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    autoencoder *ae = hiss_new(autoencoder, 1);
    ae->task = task;
    ae->placement = placement;
    ae->options = opts;
    *self = ae;
    return unit_pixels(opts) ? objective_expect_unit_pixels("the Bernoulli loss", task, false, NULL, err) : HISS_OK;
}

static void destroy(void *self) {
    hiss_free(self);
}

/* 5. The encoder: the configured network, then the code. Called by build below and by evaluation, where the builder is
 * not in training: the layers then use running statistics and drop nothing. Layer names are the same both times, so
 * both graphs use the same parameters. */
static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const autoencoder *ae = self;
    hiss_value x = -1;
    /* No bias: the decoder begins with a linear layer whose bias, or the BatchNorm after it, takes any shift of the code
     * out again. Its gradient would be rounding noise, and Adam would walk along it. */
    const hiss_status s = objective_encoder_head(ae->task, b, image, "code", ae->options->code, false, taps, &x, err);
    return s == HISS_OK ? hiss_network_end(ae->task->network, b, "code", x, taps, err) : s;
}

/* Decoders and losses are shared with the siblings in this folder. */
static hiss_value decode(const autoencoder *ae, hiss_builder *b, hiss_value code) {
    return ae->options->decoder == DENSE ? reconstruct_decode_by_layers(ae->task, b, code, ae->options->hidden)
                                         : reconstruct_decode_by_convolution(ae->task, b, code, ae->options->hidden);
}

/* 4. The training graph of the only phase. Inputs have a lane's shape, m samples; "image" is what the default sample
 * hook fills. The loss of a lane is a mean over its samples; lanes are averaged by the reduction. */
static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    const autoencoder *ae = self;
    const hiss_task *t = ae->task;
    hiss_value image = -1, code = -1;
    hiss_status s = ae->options->decoder == CONVOLUTIONAL
                        ? reconstruct_expect_size("autoencoder", t, "autoencoder.decoder: dense", err)
                        : HISS_OK;
    s = s == HISS_OK ? objective_encoder_on_samples(encode, self, t, ae->placement->m, b, &image, &code, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    hiss_value loss = reconstruct_loss(ae->options->loss, b, decode(ae, b, code), image);
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss); /* every method logs its loss under this name */
    return hiss_graph_status(b->graph, err);
}

/* What evaluation compares with the image: the same layers, wherever the builder is not in training. */
static hiss_status reconstruct(void *self, hiss_builder *b, hiss_value image, hiss_value *rebuilt, hiss_error *err) {
    hiss_taps taps = {0};
    hiss_status s = encode(self, b, image, &taps, err);
    if (s == HISS_OK) {
        const autoencoder *ae = self;
        *rebuilt = reconstruct_pixels(ae->options->loss, b, decode(ae, b, hiss_taps_last(&taps)));
        s = hiss_graph_status(b->graph, err);
    }
    return s;
}

static void describe(void *self, char *line, size_t size) {
    const autoencoder *ae = self;
    snprintf(line, size, "autoencoder: code of %lld dimensions, %s", (long long)ae->options->code,
             ae->options->loss == RECONSTRUCT_BERNOULLI ? "cross-entropy in nats per image"
                                                        : "mean squared error per pixel");
}

/* 7. The ops: what every method has, and tables of what this one can beyond it. What is left out takes the default
 * written in hiss/objective.h. */
static const hiss_report_ops report = {.describe = describe};

const hiss_objective_ops objective_autoencoder = {
    .name = "autoencoder",
    .summary = "rebuild the image from a code",
    .sections = {{"autoencoder", rows, &nrows, 0}},
    .sizes = "autoencoder.hidden, autoencoder.code",
    .options_bytes = sizeof(options),
    .unit_pixels = unit_pixels,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .report = &report,
    .reconstruct = reconstruct,
};
