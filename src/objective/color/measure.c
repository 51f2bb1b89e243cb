/* What the colouriser measures of itself in evaluation, over the places of images that have a colour: its cross-entropy
 * with the targets of training, and how much of that is the targets' own entropy; the share of places whose bin it finds,
 * over all places, and as a mean over bins, all and rare ones; how far its colours are from the true ones, and how
 * saturated they are (the distance of a and b from grey), by the annealed mean and by the mean. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/color/colorization.h"

enum { ANNEALED, MEAN, WAYS, TRUTH = WAYS };
/* Numbers of an image, sums over places; behind them counts of places by their bin, and of those found. */
enum { PLACES, CROSS_ENTROPY, ENTROPY, FOUND, SQUARES, CHROMA = SQUARES + TRUTH + 1, NUMBERS = CHROMA + TRUTH + 1 };
enum { TILES = 4 };
static const char colors_file[] = "colors.png";

static int64_t width(void *self) {
    const colorization *c = self;
    return NUMBERS + 2 * c->ab.bins.count;
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    colorization *c = self;
    const hiss_task *t = c->task;
    c->image = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, COLOR_CHANNELS));
    hiss_graph_keep(b->graph, c->image);
    hiss_layer_buffer(b, "colors", "prior", HISS_SHAPE(c->ab.bins.count));
    const hiss_status s = color_output(c, b, c->image, &c->output, err);
    if (s == HISS_OK && c->output >= 0) {
        hiss_graph_keep(b->graph, c->output);
    }
    return s == HISS_OK ? hiss_graph_status(b->graph, err) : s;
}

/* The graph's output for place k of image i: Q scores, or a and b. */
static const float *output_at(const colorization *c, const hiss_lane *lane, int64_t i, int64_t k) {
    const int64_t D = hiss_graph_shape(lane->graph, c->output).dim[1];
    return hiss_exec_data(lane->exec, c->output) + (i * c->ab.h * c->ab.w + k) * D;
}

/* a and b under softmax(scores / temperature). */
static void mean_color(const objective_ab_bins *bins, const float *score, double temperature, double ab[2]) {
    double top = (double)score[0], sum = 0.0, a = 0.0, b = 0.0;
    for (int64_t q = 1; q < bins->count; q++) {
        top = fmax(top, (double)score[q]);
    }
    for (int64_t q = 0; q < bins->count; q++) {
        const double p = exp(((double)score[q] - top) / temperature);
        sum += p;
        a += p * (double)bins->center[q][0];
        b += p * (double)bins->center[q][1];
    }
    ab[0] = a / sum;
    ab[1] = b / sum;
}

/* The colours of place k: annealed mean, mean. */
static void decode(const colorization *c, const float *output, double ab[WAYS][2]) {
    if (c->options->loss == COLORIZE_L2) {
        for (int way = 0; way < WAYS; way++) {
            ab[way][0] = (double)(COLOR_UNIT * output[0]);
            ab[way][1] = (double)(COLOR_UNIT * output[1]);
        }
        return;
    }
    mean_color(&c->ab.bins, output, c->options->temperature, ab[ANNEALED]);
    mean_color(&c->ab.bins, output, 1.0, ab[MEAN]);
}

/* Cross-entropy with the target of a colour, and the target's entropy. target [Q] is scratch. */
static void add_entropies(const colorization *c, const float *score, float a, float b, float *target, double sum[2]) {
    const int64_t Q = c->ab.bins.count;
    double top = (double)score[0], all = 0.0;
    objective_ab_encode(&c->ab.bins, c->options->ab.neighbors, c->options->ab.sigma, a, b, target);
    for (int64_t q = 1; q < Q; q++) {
        top = fmax(top, (double)score[q]);
    }
    for (int64_t q = 0; q < Q; q++) {
        all += exp((double)score[q] - top);
    }
    for (int64_t q = 0; q < Q; q++) {
        if (target[q] > 0.0f) {
            sum[0] += (double)target[q] * (log(all) - ((double)score[q] - top));
            sum[1] -= (double)target[q] * log((double)target[q]);
        }
    }
}

static int64_t bin_of(const colorization *c, const float *output) {
    if (c->options->loss == COLORIZE_L2) {
        return objective_ab_nearest(&c->ab.bins, COLOR_UNIT * output[0], COLOR_UNIT * output[1]);
    }
    int64_t best = 0;
    for (int64_t q = 1; q < c->ab.bins.count; q++) {
        best = output[q] > output[best] ? q : best;
    }
    return best;
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const colorization *c = self;
    const int64_t Q = c->ab.bins.count, places = c->ab.h * c->ab.w;
    const float *image = hiss_lane_values(lane, c->image, i);
    float target[OBJECTIVE_AB_MOST], *there = out + NUMBERS, *found = there + Q;
    double entropies[2] = {0.0, 0.0}, squares[TRUTH + 1] = {0.0}, chroma[TRUTH + 1] = {0.0};
    memset(out, 0, sizeof *out * (size_t)width(self));
    if (!color_is_colorful(c->task, image)) {
        return;
    }
    for (int64_t k = 0; k < places; k++) {
        const float *pixel = image + 3 * color_pixel_of(c->task, c->ab.h, c->ab.w, k),
                    *output = output_at(c, lane, i, k);
        const float a = COLOR_UNIT * pixel[COLOR_A], b = COLOR_UNIT * pixel[COLOR_B];
        const int64_t bin = objective_ab_nearest(&c->ab.bins, a, b);
        double ab[WAYS][2];
        decode(c, output, ab);
        for (int way = 0; way < WAYS; way++) {
            const double da = ab[way][0] - (double)a, db = ab[way][1] - (double)b;
            squares[way] += da * da + db * db;
            chroma[way] += hypot(ab[way][0], ab[way][1]);
        }
        squares[TRUTH] += (double)a * (double)a + (double)b * (double)b;
        chroma[TRUTH] += hypot((double)a, (double)b);
        if (c->options->loss == COLORIZE_CLASSES) {
            add_entropies(c, output, a, b, target, entropies);
        }
        there[bin] += 1.0f;
        found[bin] += bin_of(c, output) == bin ? 1.0f : 0.0f;
        out[FOUND] += bin_of(c, output) == bin ? 1.0f : 0.0f;
    }
    out[PLACES] = (float)places;
    out[CROSS_ENTROPY] = (float)entropies[0];
    out[ENTROPY] = (float)entropies[1];
    for (int k = 0; k <= TRUTH; k++) {
        out[SQUARES + k] = (float)squares[k];
        out[CHROMA + k] = (float)chroma[k];
    }
}

/* ---- of all images ---- */

static void say(const hiss_measured *m, const char *name, const char *group, const char *heading, const char *unit,
                double value, double baseline, bool digits) {
    m->number(m->say, &(hiss_measure){.name = name,
                                      .group = group,
                                      .heading = heading,
                                      .unit = unit,
                                      .value = value,
                                      .spread = NAN,
                                      .baseline = baseline,
                                      .samples = m->test,
                                      .digits = digits});
}

/* Per cent of the places of a bin that are found, a mean over bins that occur; rare: those of less than 1/Q of the
 * training places. */
static double recall(const colorization *c, const hiss_measured *m, bool rare, int64_t *bins) {
    const int64_t Q = c->ab.bins.count;
    const double *there = m->test_mean + NUMBERS, *found = there + Q;
    const float *prior = color_ab_prior(m->model, m->vector);
    double sum = 0.0;
    *bins = 0;
    for (int64_t q = 0; q < Q; q++) {
        if (there[q] > 0.0 && (!rare || (double)prior[q] < 1.0 / (double)Q)) {
            sum += 100.0 * found[q] / there[q];
            ++*bins;
        }
    }
    return *bins ? sum / (double)*bins : (double)NAN;
}

static void say_bins(const colorization *c, const hiss_measured *m) {
    static const char group[] = "bins of colour";
    const double *mean = m->test_mean, nan = (double)NAN;
    int64_t all = 0, rare = 0;
    char line[256];
    if (c->options->loss == COLORIZE_CLASSES) {
        say(m, "cross_entropy", group, "cross-entropy", "nats", mean[CROSS_ENTROPY] / mean[PLACES], nan, true);
        say(m, "target_entropy", group, "of targets", "nats", mean[ENTROPY] / mean[PLACES], nan, true);
    }
    say(m, "accuracy", group, "found", "%", 100.0 * mean[FOUND] / mean[PLACES], nan, false);
    say(m, "recall", group, "mean over bins", "%", recall(c, m, false, &all), nan, false);
    const double of_rare = recall(c, m, true, &rare);
    if (rare > 0) {
        say(m, "rare_recall", group, "rare bins", "%", of_rare, nan, false);
    }
    snprintf(
        line, sizeof line,
        "%lld bins of 10 x 10 in a and b, of which %lld occur in test images, %lld of them rare: less than 1/%lld of "
        "the training places",
        (long long)c->ab.bins.count, (long long)all, (long long)rare, (long long)c->ab.bins.count);
    m->remark(m->say, line);
}

static void say_colors(const colorization *c, const hiss_measured *m) {
    const double *mean = m->test_mean, places = mean[PLACES], grey = sqrt(mean[SQUARES + TRUTH] / places);
    const double nan = (double)NAN, truth = mean[CHROMA + TRUTH] / places;
    static const char distance[] = "distance from the true a and b, root of the mean square";
    static const char saturation[] = "saturation: distance from grey";
    if (c->options->loss == COLORIZE_L2) {
        say(m, "distance", distance, "colours", "", sqrt(mean[SQUARES + MEAN] / places), grey, false);
        say(m, "chroma", saturation, "colours", "", mean[CHROMA + MEAN] / places, nan, false);
    } else {
        say(m, "annealed_distance", distance, "annealed mean", "", sqrt(mean[SQUARES + ANNEALED] / places), grey,
            false);
        say(m, "mean_distance", distance, "mean", "", sqrt(mean[SQUARES + MEAN] / places), grey, false);
        say(m, "annealed_chroma", saturation, "annealed mean", "", mean[CHROMA + ANNEALED] / places, nan, false);
        say(m, "mean_chroma", saturation, "mean", "", mean[CHROMA + MEAN] / places, nan, false);
    }
    say(m, "true_chroma", saturation, "truth", "", truth, nan, false);
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    const colorization *c = self;
    const hiss_task *t = c->task;
    char caption[192];
    if (!(m->test_mean[PLACES] > 0.0)) {
        m->remark(m->say, "left out: no test image has a colour");
        return HISS_OK;
    }
    say_bins(c, m);
    say_colors(c, m);
    if (c->options->loss == COLORIZE_L2) {
        snprintf(caption, sizeof caption,
                 "Test images, drawn by seed, a row each: lightness; the colours that are said, twice; the truth.");
    } else {
        snprintf(caption, sizeof caption,
                 "Test images, drawn by seed, a row each: lightness; annealed mean, T = %g; mean; the truth.",
                 c->options->temperature);
    }
    return m->shown > 0 ? m->grid(m->say, colors_file, "Colours", caption, m->shown, TILES, t->H, t->W, COLOR_CHANNELS,
                                  m->show, err)
                        : HISS_OK;
}

/* ---- pictures ---- */

static int64_t shown(void *self) {
    const hiss_task *t = ((const colorization *)self)->task;
    return TILES * t->H * t->W * COLOR_CHANNELS;
}

/* Between the places around it; ab [places][2]. */
static void interpolate(const colorization *c, const double (*ab)[2], int64_t row, int64_t column, float out[2]) {
    const hiss_task *t = c->task;
    const double y = (double)row * (double)c->ab.h / (double)t->H, x = (double)column * (double)c->ab.w / (double)t->W;
    const int64_t i = (int64_t)y, j = (int64_t)x;
    const int64_t below = i + 1 < c->ab.h ? i + 1 : i, right = j + 1 < c->ab.w ? j + 1 : j;
    const double fy = y - (double)i, fx = x - (double)j;
    for (int k = 0; k < 2; k++) {
        const double top = (1.0 - fx) * ab[i * c->ab.w + j][k] + fx * ab[i * c->ab.w + right][k];
        const double bottom = (1.0 - fx) * ab[below * c->ab.w + j][k] + fx * ab[below * c->ab.w + right][k];
        out[k] = (float)((1.0 - fy) * top + fy * bottom);
    }
}

static void show(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const colorization *c = self;
    const hiss_task *t = c->task;
    const int64_t places = c->ab.h * c->ab.w, pixels = t->H * t->W;
    const float *image = hiss_lane_values(lane, c->image, i);
    double(*ab)[2] = hiss_alloc(sizeof(double[2]) * (size_t)(WAYS * places));
    for (int64_t k = 0; k < places; k++) {
        double color[WAYS][2];
        decode(c, output_at(c, lane, i, k), color);
        memcpy(ab[k], color[ANNEALED], sizeof ab[k]);
        memcpy(ab[places + k], color[MEAN], sizeof ab[k]);
    }
    for (int tile = 0; tile < TILES; tile++) {
        for (int64_t p = 0; p < pixels; p++) {
            const float *of = image + 3 * p;
            float *lab = out + (tile * pixels + p) * 3;
            lab[COLOR_L] = COLOR_UNIT * of[COLOR_L] + 50.0f;
            lab[COLOR_A] = tile == TILES - 1 ? COLOR_UNIT * of[COLOR_A] : 0.0f;
            lab[COLOR_B] = tile == TILES - 1 ? COLOR_UNIT * of[COLOR_B] : 0.0f;
            if (tile == 1 || tile == 2) {
                interpolate(c, (const double(*)[2])(ab + (tile - 1) * places), p / t->W, p % t->W, lab + COLOR_A);
            }
        }
    }
    objective_srgb_of_lab(TILES * pixels, out, out);
    hiss_free(ab);
}

static const char *const pictures[] = {colors_file, NULL};

const hiss_measure_ops color_measure = {.baseline = "grey",
                                        .pictures = pictures,
                                        .width = width,
                                        .build = build,
                                        .measure = measure,
                                        .shown = shown,
                                        .show = show,
                                        .conclude = conclude};
