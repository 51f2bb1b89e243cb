/* Ladder networks: a classifier that learns from a few labels, and from all images by denoising at every layer at once.
 *
 * The encoder is a multi-layer perceptron whose layers are normalised over the samples of a lane,
 *     z_l = normalise(W_l h_{l-1}),    h_l = relu(z_l + b_l),    scores = c (z_L + b_L),
 * with h_0 = z_0 the image. It runs three times with the same parameters, and statistics of its own each time: on the
 * labelled samples with Gaussian noise on every z_l, from which the class cost comes; on the unlabelled samples with
 * such noise; and on the same unlabelled samples without. The decoder goes down again, from the noisy probabilities of
 * the classes,
 *     u_L = normalise(softmax(scores~)),    u_l = normalise(V_l z^_{l+1}),    z^_l = g(z~_l, u_l),
 * where g is the combinator (hiss/graph.h): the guess of what is clean, from the noisy value beside it and the message
 * from above. The guess must agree with the clean value once it is normalised by the clean path's statistics,
 *     loss = cross-entropy(scores~, label) + sum_l lambda_l / width_l |z_l - (z^_l - mean_l) / deviation_l|^2,
 * means over samples; at the image it is compared as it is. Clean values are no constants: gradients pass to them, too.
 * Classes are told by the clean encoder.
 *
 * Model gamma has the cost at the scores alone, and no decoder but the combinator there. Model noise has neither: a
 * classifier with noise, which learns from the labels alone; its clean path is there for the statistics of evaluation.
 *
 * Rasmus, Berglund, Honkala, Valpola & Raiko, "Semi-Supervised Learning with Ladder Networks", NIPS 2015.
 * What is compared with what is that of algorithm 1. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/number.h"
#include "hiss/rng.h"
#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"

/* Level 0 is the image, levels 1 to MOST_LAYERS the hidden layers, and the last one, top, the scores. */
enum { MOST_LAYERS = 8, LEVELS = MOST_LAYERS + 2, LAYER_NAME = 24 };
enum { LADDER, GAMMA, NOISE };
enum { UNLABELLED, LABELLED, HALVES };

typedef struct options {
    const char *layers, *lambda;
    int model;
    double noise, layer_noise;
} options;

static const hiss_row rows[] = {
    {"layers", HISS_STRING, offsetof(options, layers), "1000, 500, 250, 250, 250", 1, 0, NULL,
     "units of each hidden layer, 1 to 8 of them"},
    {"model", HISS_CHOICE, offsetof(options, model), "ladder", 0, 0, "ladder|gamma|noise",
     "denoise at all levels, at the scores alone, or nowhere: a control, which learns from the labels alone"},
    {"lambda", HISS_STRING, offsetof(options, lambda), "1000, 10, 0.1", 1, 0, NULL,
     "ladder, gamma: weights of the denoising costs, from the image upwards; the last is that of all further levels, "
     "and "
     "of gamma's"},
    {"noise", HISS_FLOAT, offsetof(options, noise), "0.3", 0, 100, NULL, "standard deviation of the noise on pixels"},
    {"layer_noise", HISS_FLOAT, offsetof(options, layer_noise), "0.3", 0, 100, NULL,
     "standard deviation of the noise on what each layer has normalised"},
};
static const int nrows = HISS_COUNT(rows);

typedef struct ladder {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: only encode() will be called */
    const options *options;
    int top;
    int64_t width[LEVELS];
    double lambda[LEVELS];
    hiss_value labelled, label;       /* inputs: images and their classes */
    hiss_value noise[HALVES][LEVELS]; /* and noise; -1: this model has none there */
} ladder;

typedef struct path {                             /* values of an encoder, by level */
    hiss_value before[LEVELS], z[LEVELS], scores; /* before: what is normalised, from level 1 */
} path;

/* ---- creation ---- */

/* The word that the list *at begins with; *at moves behind its comma, to NULL where it has none. False: it is NULL. */
static bool next_word(const char **at, char *word, size_t size) {
    if (!*at) {
        return false;
    }
    const char *begin = *at + strspn(*at, " \t");
    const size_t length = strcspn(begin, ",");
    size_t used = length;
    while (used > 0 && strchr(" \t", begin[used - 1])) {
        used--;
    }
    snprintf(word, size, "%.*s", (int)(used < size ? used : size - 1), begin);
    *at = begin[length] == ',' ? begin + length + 1 : NULL;
    return true;
}

static hiss_status read_layers(ladder *l, hiss_error *err) {
    const char *at = l->options->layers;
    char word[32];
    int64_t units = 0;
    int layers = 0;
    l->width[0] = l->task->H * l->task->W * l->task->C;
    while (next_word(&at, word, sizeof word)) {
        if (!hiss_integer_parse(word, &units) || units < 1 || units > 1 << 20) {
            return hiss_fail_key(err, HISS_EUSER, "ladder.layers",
                                 "expected numbers of units from 1 to 1048576, as in '500, 250', found '%.60s'",
                                 l->options->layers);
        }
        if (layers == MOST_LAYERS) {
            return hiss_fail_key(err, HISS_EUSER, "ladder.layers", "expected at most %d layers, found '%.60s'",
                                 MOST_LAYERS, l->options->layers);
        }
        l->width[++layers] = units;
    }
    l->top = layers + 1;
    l->width[l->top] = l->task->classes;
    return HISS_OK;
}

/* All levels of a list; then those of the model. */
static hiss_status read_lambda(ladder *l, hiss_error *err) {
    const char *at = l->options->lambda;
    char word[32];
    double value = 0.0, sum = 0.0;
    int count = 0;
    while (next_word(&at, word, sizeof word)) {
        if (!hiss_real_parse(word, &value) || value < 0.0 || value > 1e9) {
            return hiss_fail_key(err, HISS_EUSER, "ladder.lambda",
                                 "expected weights from 0 to 1e9, as in '1000, 10, 0.1', found '%.60s'",
                                 l->options->lambda);
        }
        if (count > l->top) {
            return hiss_fail_key(err, HISS_EUSER, "ladder.lambda",
                                 "expected at most %d weights, of the image, the %d layers of ladder.layers and the "
                                 "scores, found '%.60s'",
                                 l->top + 1, l->top - 1, l->options->lambda);
        }
        l->lambda[count++] = value;
    }
    for (int k = 0; k <= l->top; k++) {
        const double given = k < count ? l->lambda[k] : value;
        l->lambda[k] = l->options->model == LADDER || (l->options->model == GAMMA && k == l->top) ? given : 0.0;
        sum += l->lambda[k];
    }
    return sum > 0.0 || l->options->model == NOISE
               ? HISS_OK
               : hiss_fail_key(
                     err, HISS_EUSER, "ladder.lambda",
                     "nothing is denoised where all weights that count are 0, as in '%.60s'; make one of them "
                     "larger, or set ladder.model to noise",
                     l->options->lambda);
}

static hiss_status expect_labels(const ladder *l, hiss_error *err) {
    if (l->task->labelled == 0) {
        return hiss_fail_key(
            err, HISS_EUSER, "data.labelled",
            "ladder learns from the labels of some samples of each class, found 0; set it to how many, as "
            "in --set data.labelled=10, or choose an objective without labels");
    }
    return l->task->classes >= 2 ? HISS_OK
                                 : hiss_fail_key(err, HISS_EUSER, "data.labels",
                                                 "ladder needs labels of at least 2 classes, found %lld; name another "
                                                 "data set of labels, or choose another objective",
                                                 (long long)l->task->classes);
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    ladder *l = hiss_new(ladder, 1);
    l->task = task;
    l->placement = placement;
    l->options = opts;
    *self = l;
    if (objective_expect_no_layers(task, "ladder", "ladder.layers", err) != HISS_OK) {
        return HISS_EUSER;
    }
    hiss_status s = objective_expect_unit_pixels("ladder", task, false, NULL, err);
    s = s == HISS_OK ? read_layers(l, err) : s;
    s = s == HISS_OK ? read_lambda(l, err) : s;
    return s == HISS_OK && placement ? expect_labels(l, err) : s;
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- the encoder ---- */

static const char *name_of(const char *what, int level, char out[LAYER_NAME]) {
    snprintf(out, LAYER_NAME, "%s%d", what, level);
    return out;
}

static const char *layer_name(const ladder *l, int level, char out[LAYER_NAME]) {
    return level == l->top ? "scores" : name_of("layer", level, out);
}

/* Without bias: what follows is normalised. Weights have variance 1 / fan-in. */
static hiss_value linear(hiss_builder *b, const char *name, hiss_value x, int64_t F) {
    const double *before = b->deviation;
    const double deviation = 1.0 / sqrt((double)hiss_graph_shape(b->graph, x).dim[1]);
    b->deviation = &deviation;
    const hiss_value y = hiss_layer_linear(b, name, x, F, false);
    b->deviation = before;
    return y;
}

/* The encoder on rows x. noise [top + 1] inputs; NULL: the clean one, whose statistics are kept, too. taps NULL: its
 * places are not wanted. */
static hiss_status encode_rows(const ladder *l, hiss_builder *b, hiss_value x, const hiss_value *noise, path *out,
                               hiss_taps *taps, hiss_error *err) {
    char name[LAYER_NAME];
    hiss_status s = HISS_OK;
    hiss_value h = out->z[0] = noise ? hiss_graph_add(b->graph, x, noise[0]) : x;
    for (int k = 1; k <= l->top && s == HISS_OK; k++) {
        const char *layer = layer_name(l, k, name);
        out->before[k] = linear(b, layer, h, l->width[k]);
        hiss_value z = hiss_layer_normalize(b, layer, out->before[k], !noise);
        out->z[k] = z = noise ? hiss_graph_add(b->graph, z, noise[k]) : z;
        h = hiss_layer_shift(b, layer, z);
        h = k == l->top ? hiss_layer_gain(b, layer, h) : hiss_graph_relu(b->graph, h);
        s = hiss_graph_status(b->graph, err);
        s = s == HISS_OK && taps ? hiss_taps_add(taps, layer, h, err) : s;
    }
    out->scores = h;
    return s;
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    path clean;
    *taps = (hiss_taps){0};
    return encode_rows(self, b, hiss_graph_flatten(b->graph, image), NULL, &clean, taps, err);
}

/* ---- the decoder ---- */

/* Over the lane's samples, in training alone; nothing is kept of it. */
static hiss_value normalize(hiss_graph *g, hiss_value x) {
    return hiss_graph_batch_norm(g, x, -1, -1, HISS_NO_SLOT, HISS_NO_SLOT, HISS_NORM_EPSILON, true);
}

static hiss_value combine(const ladder *l, hiss_builder *b, int level, hiss_value z, hiss_value u) {
    char name[LAYER_NAME];
    const int64_t D = l->width[level];
    const hiss_value mix = hiss_layer_parameter(b, name_of("combinator", level, name), "mix", HISS_SHAPE(8, D), 0.0);
    const hiss_value slopes = hiss_layer_parameter(b, name, "slope", HISS_SHAPE(2, D), 1.0);
    return hiss_graph_combinator(b->graph, z, u, mix, slopes);
}

/* Of a level, the mean over samples and units. */
static hiss_value cost_of(const ladder *l, hiss_builder *b, int level, const path *clean, hiss_value guess) {
    char name[LAYER_NAME];
    const double scale = 1.0 / (double)(l->placement->m * l->width[level]);
    if (level > 0) {
        guess = hiss_graph_normalize_by(b->graph, guess, clean->before[level], HISS_NORM_EPSILON);
    }
    const hiss_value cost = hiss_graph_squared_loss(b->graph, guess, clean->z[level], scale);
    hiss_layer_metric(b, name_of("denoising", level, name), cost);
    return hiss_graph_scale(b->graph, cost, l->lambda[level]);
}

/* Add the costs of all levels that have one to loss, from the top down to the lowest of them. */
static hiss_value add_costs(const ladder *l, hiss_builder *b, const path *noisy, const path *clean, hiss_value loss) {
    char name[LAYER_NAME];
    int lowest = 0;
    while (l->lambda[lowest] == 0.0) {
        lowest++;
    }
    hiss_value guess = -1;
    for (int k = l->top; k >= lowest && loss >= 0; k--) {
        const hiss_value message = k == l->top ? hiss_graph_softmax(b->graph, noisy->scores)
                                               : linear(b, name_of("decoder", k, name), guess, l->width[k]);
        guess = combine(l, b, k, noisy->z[k], normalize(b->graph, message));
        loss = l->lambda[k] > 0.0 ? hiss_graph_add(b->graph, loss, cost_of(l, b, k, clean, guess)) : loss;
    }
    return loss;
}

/* ---- the graph of a step ---- */

static void add_noise_inputs(ladder *l, hiss_graph *g, int half, const char *what) {
    char name[LAYER_NAME];
    for (int k = 0; k <= l->top; k++) {
        l->noise[half][k] = hiss_graph_input(g, name_of(what, k, name), HISS_SHAPE(l->placement->m, l->width[k]));
    }
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    ladder *l = self;
    hiss_graph *g = b->graph;
    const hiss_shape images = HISS_SHAPE(l->placement->m, l->task->H, l->task->W, l->task->C);
    const bool denoises = l->options->model != NOISE;
    path labelled, noisy, clean;
    const hiss_value image = hiss_graph_input(g, "image", images), rows_of_it = hiss_graph_flatten(g, image);
    l->labelled = hiss_graph_input(g, "labelled", images);
    l->label = hiss_graph_input_labels(g, "class", l->placement->m);
    add_noise_inputs(l, g, LABELLED, "labelled_noise");
    hiss_status s = encode_rows(l, b, hiss_graph_flatten(g, l->labelled), l->noise[LABELLED], &labelled, NULL, err);
    s = s == HISS_OK ? encode_rows(l, b, rows_of_it, NULL, &clean, NULL, err) : s;
    if (denoises) {
        add_noise_inputs(l, g, UNLABELLED, "noise");
        s = s == HISS_OK ? encode_rows(l, b, rows_of_it, l->noise[UNLABELLED], &noisy, NULL, err) : s;
    }
    if (s != HISS_OK) {
        return s;
    }
    const hiss_value cost = hiss_graph_softmax_cross_entropy(g, labelled.scores, l->label);
    const hiss_value loss = denoises ? add_costs(l, b, &noisy, &clean, cost) : cost;
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "class_cost", cost);
    return hiss_graph_status(g, err);
}

/* ---- what goes in ---- */

static void fill_noise(const ladder *l, const hiss_lane *lane, int half, int64_t i, int64_t id) {
    hiss_rng rng = hiss_rng_keyed(l->task->seed, HISS_FOR_NOISE, lane->step, id);
    for (int k = 0; k <= l->top; k++) {
        const float deviation = (float)(k == 0 ? l->options->noise : l->options->layer_noise);
        float *out = hiss_lane_values(lane, l->noise[half][k], i);
        hiss_rng_normals(&rng, l->width[k], out);
        for (int64_t d = 0; d < l->width[k]; d++) {
            out[d] *= deviation;
        }
    }
}

/* The labelled samples whose turn it is. One may come twice in a step: their noise is that of the place, behind the
 * numbers of samples. */
static void fill(void *self, const hiss_lane *lane) {
    const ladder *l = self;
    const int64_t m = lane->batch->m;
    if (lane->phase < 0) {
        return;
    }
    hiss_lane few = *lane;
    few.batch = l->placement->labelled;
    few.epoch = lane->step;
    for (int64_t i = 0; i < m; i++) {
        const int64_t at = hiss_labelled_turn(l->task, l->placement, lane->step, lane->lane, i);
        hiss_lane_sample_view(&few, at, 0, 1, hiss_lane_values(lane, l->labelled, i));
        ((int32_t *)hiss_exec_data(lane->exec, l->label))[i] = few.batch->label[at];
        fill_noise(l, lane, LABELLED, i, l->placement->samples + lane->lane * m + i);
    }
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const ladder *l = self;
    hiss_lane_default_sample(lane, i);
    if (lane->phase >= 0 && l->options->model != NOISE) {
        fill_noise(l, lane, UNLABELLED, i, lane->batch->sample[i]);
    }
}

/* ---- what is said of a run ---- */

static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const ladder *l = self;
    const double cost = hiss_named_value(metrics, nmetrics, "class_cost"), chance = log((double)l->task->classes);
    snprintf(line, size, "the mean class cost was %.4f, where guessing gives %.4f", cost, chance);
    return !(cost <= chance);
}

static void describe(void *self, char *line, size_t size) {
    static const char *const models[] = {"denoising at all levels with a weight", "denoising at the scores alone",
                                         "no denoising"};
    const ladder *l = self;
    int used = snprintf(line, size, "ladder: ");
    for (int k = 0; k <= l->top && used < (int)size; k++) {
        used += snprintf(line + used, size - (size_t)used, "%s%lld", k ? "-" : "", (long long)l->width[k]);
    }
    if (used < (int)size) {
        snprintf(line + used, size - (size_t)used, ", %lld labels per class, %s", (long long)l->task->labelled,
                 models[l->options->model]);
    }
}

static const hiss_input_ops input = {.labelled = true, .sample = sample, .fill = fill};
static const hiss_report_ops report = {.below_chance = below_chance, .describe = describe};

const hiss_objective_ops objective_ladder = {
    .name = "ladder",
    .summary = "a classifier of few labels that denoises all images at every layer",
    .sections = {{"ladder", rows, &nrows, 0}},
    .options_bytes = sizeof(options),
    .own_layers = objective_own_layers,
    .sizes = "ladder.layers",
    .unit_pixels = objective_needs_unit_pixels,
    .scores = true,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
};
