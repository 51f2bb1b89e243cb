/* WaveNet: the probability of sound is the product over its values of that of a value given all before it,
 *     log p(x) = sum over t of log p(x_t | x_1 .. x_t-1),
 * of which one network gives all at once. A value has one of 256 levels, which lie close where it is quiet (mu-law), and its
 * probabilities are a softmax over them; training minimises the mean of -log p(x_t), in nats. (van den Oord, Dieleman, Zen,
 * Simonyan, Vinyals, Graves, Kalchbrenner, Senior & Kavukcuoglu, "WaveNet: a generative model for raw audio", 2016.)
 *
 * A row of sound begins with values that are context alone: as many as the network looks back over, or more where rows
 * overlap by more, so that no value is predicted without its whole context, and none twice.
 *
 * The network is in wavenet_layers.c, the making of sound in wavenet_make.c, evaluation in wavenet_measure.c. Features of a row
 * are what the gates of each layer say, as means over time.
 *
 * Cost of a step, per value and layer, in products: 4 R G + G R, with R residual channels and G gates; G S to the skips. */
#include "objective/autoregressive/wavenet.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "objective/parts/encoder.h"

static const double bit = 0.69314718055994530942; /* nats */

static const hiss_row rows[] = {
    {"first", HISS_INT, offsetof(wavenet_options, first), "32", 1, 1 << 12, NULL,
     "values that the first layer looks at, the last ones"},
    {"residual", HISS_INT, offsetof(wavenet_options, residual), "32", 1, 1 << 12, NULL,
     "channels that go from layer to layer"},
    {"gates", HISS_INT, offsetof(wavenet_options, gates), "16", 1, 1 << 12, NULL, "gated channels of a layer"},
    {"skip", HISS_INT, offsetof(wavenet_options, skip), "64", 1, 1 << 12, NULL,
     "channels in which all layers' say is added"},
    {"output", HISS_INT, offsetof(wavenet_options, output), "64", 1, 1 << 12, NULL,
     "channels of the layer between these and the logits"},
    {"blocks", HISS_INT, offsetof(wavenet_options, blocks), "2", 1, WAVENET_MOST_BLOCKS, NULL,
     "times that dilations begin with 1 again"},
    {"layers", HISS_INT, offsetof(wavenet_options, layers), "8", 1, WAVENET_MOST_LAYERS, NULL,
     "layers of a block, of dilations 1, 2, 4, ..."},
    {"conditional", HISS_BOOL, offsetof(wavenet_options, conditional), "false", 0, 0, NULL,
     "probability given the class, such as the speaker, and sound of one that is asked for; needs labels"},
    {"seconds", HISS_FLOAT, offsetof(wavenet_options, seconds), "2", 0, 3600, NULL,
     HISS_OF_EVALUATION "of each sound that evaluation makes; 0: none"},
};
static const int nrows = HISS_COUNT(rows);

static const char *needs_labels(const void *options) {
    return ((const wavenet_options *)options)->conditional ? "wavenet.conditional" : NULL;
}

static hiss_status check_length(const wavenet *w, hiss_error *err) {
    const int64_t margin = autoregressive_wavenet_margin(w);
    if (w->T <= margin) {
        return hiss_fail_key(err, HISS_EUSER, "data.file",
                             "wavenet predicts what stands behind the first %" PRId64
                             " values of a row, found rows of %" PRId64
                             "; prepare the sound with a greater --length, or use fewer wavenet.layers",
                             margin, w->T);
    }
    return HISS_OK;
}

static hiss_status check(const wavenet *w, hiss_error *err) {
    const hiss_task *t = w->task;
    if (objective_expect_no_layers(t, "wavenet", "wavenet.residual", err) != HISS_OK) {
        return HISS_EUSER;
    }
    if (t->stored_H != 1 || t->C != 1) {
        return hiss_fail_key(err, HISS_EUSER, "data.images",
                             "wavenet needs rows of sound [length], found samples of %" PRId64 "x%" PRId64 "x%" PRId64
                             "; name the data set that hiss prepare wav writes, data.images: /sound, with "
                             "data.layout: NW",
                             t->stored_H, t->stored_W, t->C);
    }
    if (w->options->conditional && t->classes < 2) {
        return hiss_fail_key(err, HISS_EUSER, "wavenet.conditional",
                             "true needs labels of at least 2 classes, found %" PRId64
                             "; set data.labels, or wavenet.conditional false",
                             t->classes);
    }
    return check_length(w, err);
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    wavenet *w = hiss_new(wavenet, 1);
    w->task = task;
    w->placement = placement;
    w->options = opts;
    w->T = task->stored_W;
    *self = w;
    return check(w, err);
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- the graphs ---- */

static hiss_value input_of_sound(const wavenet *w, hiss_graph *g, int64_t m) {
    return hiss_graph_input(g, "sound", HISS_SHAPE(m, 1, w->T, 1));
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    const wavenet *w = self;
    const int64_t m = w->placement->m, M = m * (w->T - autoregressive_wavenet_margin(w));
    hiss_graph *g = b->graph;
    hiss_value logits = -1;
    const hiss_value sound = input_of_sound(w, g, m), class = autoregressive_wavenet_class(w, g, m);
    const hiss_status s = autoregressive_wavenet_rows(w, b, sound, class, NULL, &logits, err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_value each = hiss_graph_reshape(g, logits, HISS_SHAPE(M, MU_LAW_LEVELS));
    const hiss_value loss = hiss_graph_softmax_cross_entropy(g, each, hiss_graph_input_labels(g, "level", M));
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(g, err);
}

/* Of no class. */
static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const wavenet *w = self;
    const int64_t m = hiss_graph_shape(b->graph, image).dim[0];
    hiss_value logits = -1;
    taps->count = 0;
    return autoregressive_wavenet_rows(w, b, input_of_sound(w, b->graph, m), -1, taps, &logits, err);
}

/* ---- what goes in ---- */

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const wavenet *w = self;
    const hiss_value level = hiss_graph_input_named(lane->graph, "level");
    hiss_lane_default_sample(lane, i);
    if (level >= 0) {
        const int64_t margin = autoregressive_wavenet_margin(w), count = w->T - margin;
        const int16_t *x = hiss_batch_values(lane->batch, i, &w->task->field[0]);
        int32_t *out = (int32_t *)(void *)hiss_exec_data(lane->exec, level) + i * count;
        for (int64_t t = 0; t < count; t++) {
            out[t] = objective_mu_law_level(x[margin + t]);
        }
    }
    if (hiss_graph_input_named(lane->graph, "class") >= 0) {
        autoregressive_wavenet_set_class(w, lane, i, lane->batch->label ? lane->batch->label[i] : -1);
    }
}

/* ---- reports ---- */

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    (void)self;
    out[0] = (hiss_named){"bits_per_value", hiss_named_value(metrics, nmetrics, "loss") / bit};
    return 1;
}

static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    (void)self;
    const double loss = hiss_named_value(metrics, nmetrics, "loss"), equal = log(MU_LAW_LEVELS);
    const bool below = loss > 0.99 * equal;
    if (below) {
        snprintf(line, size, "loss %.3f is that of equally probable levels, ln 256 = %.3f", loss, equal);
    }
    return below;
}

static bool concern(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    (void)self;
    const double loss = hiss_named_value(metrics, nmetrics, "loss");
    const bool known = loss < 0.1;
    if (known) {
        snprintf(
            line, size,
            "loss %.3f: the next value is all but known, as in silence or in a tone, which says nothing of speech; "
            "listen to the data, and cut silence off with --trim of hiss prepare wav",
            loss);
    }
    return known;
}

static void describe(void *self, char *line, size_t size) {
    const wavenet *w = self;
    const int64_t reach = autoregressive_wavenet_reach(w->options),
                  overlap = w->task->sound ? w->task->sound->overlap : reach;
    char never[120] = "";
    if (overlap < reach) {
        snprintf(never, sizeof never, "; rows overlap by %" PRId64 ", so %" PRId64 " values of each are never learnt",
                 overlap, reach - overlap);
    }
    snprintf(line, size,
             "wavenet: looks back over %" PRId64 " values, learns the last %" PRId64 " of each row of %" PRId64
             "%s%s, nats per value",
             reach, w->T - autoregressive_wavenet_margin(w), w->T, w->options->conditional ? ", given the class" : "",
             never);
}

static const hiss_input inputs[] = {
    {HISS_FIELD_IMAGE, 3, 1u << HISS_I16, "rows of sound, int16 [1,length,1],", "mu_law", "sound"}, {0}};
static const hiss_input_ops input = {.inputs = inputs, .sample = sample};
static const hiss_report_ops report = {
    .derive = derive, .below_chance = below_chance, .concern = concern, .describe = describe};

const hiss_objective_ops objective_wavenet = {
    .name = "wavenet",
    .summary = "WaveNet: the probability of each value of sound, given those before it",
    .sections = {{"wavenet", rows, &nrows, 0}},
    .options_bytes = sizeof(wavenet_options),
    .own_layers = objective_own_layers,
    .sizes = "wavenet.residual, wavenet.gates, wavenet.skip, wavenet.output, wavenet.blocks, wavenet.layers",
    .needs_labels = needs_labels,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .measure = &autoregressive_wavenet_measure,
    .sound = &autoregressive_wavenet_sound,
};
