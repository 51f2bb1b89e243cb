/* Auto-encoder: the encoder's code must suffice to rebuild the image; loss = mean over pixels of (x - g(f(x)))^2.
 * (Rumelhart, Hinton & Williams 1986; with convolutions: Masci et al. 2011.)
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

/* 1. Options. Every row has a default, a range and a help line; parsing and --help follow from them. */
typedef struct options {
    int64_t code;   /* D of the code */
    int64_t hidden; /* width of the decoder's hidden layer */
} options;

static const hiss_row rows[] = {
    {"code", HISS_INT, offsetof(options, code), "32", 1, 1 << 20, NULL, "dimensions of the code"},
    {"hidden", HISS_INT, offsetof(options, hidden), "256", 1, 1 << 20, NULL, "width of the decoder's hidden layer"},
};
static const int nrows = HISS_COUNT(rows);

/* 2. State. Values of the graph are not kept here: inputs are found by name when they are filled. */
typedef struct autoencoder {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: only encode() will be called */
    const options *options;
} autoencoder;

/* 3. Create may communicate (it is Collective); this method has nothing to agree on. */
static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    (void)err;
    autoencoder *ae = hiss_new(autoencoder, 1);
    ae->task = task;
    ae->placement = placement;
    ae->options = opts;
    *self = ae;
    return HISS_OK;
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
    /* No bias: the decoder begins with linear and BatchNorm, which take any shift of the code out again. Its gradient
     * would be rounding noise, and Adam would walk along it. */
    const hiss_status s = objective_encoder_head(ae->task, b, image, "code", ae->options->code, false, taps, &x, err);
    return s == HISS_OK ? hiss_network_end(ae->task->network, b, "code", x, taps, err) : s;
}

static hiss_value up(hiss_builder *b, const char *name, const char *norm, hiss_value x, int64_t C, int64_t kernel,
                     int64_t extra) {
    x = hiss_layer_conv_transposed(b, name, x, C, kernel, 2, 1, extra, false);
    return hiss_graph_relu(b->graph, hiss_layer_batch_norm(b, norm, x));
}

/* The decoder: code -> hidden -> a map of an eighth of the image's size -> three doublings by transposed convolution.
 * Each doubling has a kernel of 4 (2P rows) or 5 (2P + 1 rows): the sizes H/8 -> H/4 -> H/2 -> H are hit exactly. */
static hiss_value decode(const autoencoder *ae, hiss_builder *b, hiss_value code) {
    const hiss_task *t = ae->task;
    const int64_t width = t->network->width, samples = hiss_graph_shape(b->graph, code).dim[0];
    const int64_t H[4] = {t->H / 8, t->H / 4, t->H / 2, t->H}, W[4] = {t->W / 8, t->W / 4, t->W / 2, t->W};
    hiss_value x = hiss_layer_linear(b, "decoder1", code, ae->options->hidden, false);
    x = hiss_graph_relu(b->graph, hiss_layer_batch_norm(b, "decoder1/norm", x));
    x = hiss_layer_linear(b, "decoder2", x, H[0] * W[0] * 4 * width, false);
    x = hiss_graph_relu(b->graph, hiss_layer_batch_norm(b, "decoder2/norm", x));
    x = hiss_graph_reshape(b->graph, x, HISS_SHAPE(samples, H[0], W[0], 4 * width));
    x = up(b, "decoder3", "decoder3/norm", x, 2 * width, 4 + H[1] % 2, 0);
    x = up(b, "decoder4", "decoder4/norm", x, width, 4 + H[2] % 2, 0);
    return hiss_layer_conv_transposed(b, "decoder5", x, t->C, 4 + H[3] % 2, 2, 1, 0, true);
}

/* 4. The training graph of the only phase. Inputs have a lane's shape, m samples; "image" is what the default sample
 * hook fills. The loss of a lane is a mean over its samples; lanes are averaged by the reduction. */
static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    const autoencoder *ae = self;
    const hiss_task *t = ae->task;
    const int64_t m = ae->placement->m;
    if (t->H != t->W || t->H < 8) {
        return hiss_fail_key(
            err, HISS_EUSER, "objective",
            "autoencoder needs square inputs of at least 8 x 8, found %lld x %lld; set augment.height and "
            "augment.width alike, or choose another objective",
            (long long)t->H, (long long)t->W);
    }
    hiss_value image = -1, code = -1;
    hiss_status s = objective_encoder_on_samples(encode, self, t, m, b, &image, &code, err);
    if (s != HISS_OK) {
        return s;
    }
    hiss_value rebuilt = decode(ae, b, code);
    hiss_value loss = hiss_graph_squared_loss(b->graph, rebuilt, image, 1.0 / (double)(m * t->H * t->W * t->C));
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss); /* every method logs its loss under this name */
    return hiss_graph_status(b->graph, err);
}

/* What evaluation compares with the image: the same layers, wherever the builder is not in training. */
static hiss_status reconstruct(void *self, hiss_builder *b, hiss_value image, hiss_value *rebuilt, hiss_error *err) {
    hiss_taps taps = {0};
    hiss_status s = encode(self, b, image, &taps, err);
    if (s == HISS_OK) {
        *rebuilt = decode(self, b, hiss_taps_last(&taps));
        s = hiss_graph_status(b->graph, err);
    }
    return s;
}

static void describe(void *self, char *line, size_t size) {
    const autoencoder *ae = self;
    snprintf(line, size, "autoencoder: code of %lld dimensions, mean squared error per pixel",
             (long long)ae->options->code);
}

/* 7. The ops: what every method has, and tables of what this one can beyond it. What is left out takes the default
 * written in hiss/objective.h. */
static const hiss_report_ops report = {.describe = describe};

const hiss_objective_ops objective_autoencoder = {
    .name = "autoencoder",
    .summary = "rebuild the image from a code (transposed convolutions)",
    .sections = {{"autoencoder", rows, &nrows, 0}},
    .options_bytes = sizeof(options),
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .report = &report,
    .reconstruct = reconstruct,
};
