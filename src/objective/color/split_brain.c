/* Split-brain auto-encoder: two networks that see disjoint channels of an image and say each other's. (Zhang, Isola & Efros,
 * "Split-brain autoencoders: unsupervised learning by cross-channel prediction", CVPR 2017.)
 *
 * In CIE Lab the half `light` sees L and says the bins of a and b, as the colouriser does (ab.c), and the half `color` sees a
 * and b and says the bin of L. The loss is the sum of both cross-entropies, means over places (eq. 4, with the classification
 * loss that the paper found better than regression). The features of an image are those of both halves side by side: what
 * neither sees alone. The layer that joins them has no part in the loss.
 *
 * Each half is the section's network up to its first flatten, with parameters of its own, below light/ and color/. No value
 * passes from one to the other, so no derivative does: a network that saw the channels it must say would copy them. That
 * holds by construction, where a network of one trunk needs groups in each of its layers. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/color/ab.h"
#include "objective/parts/pixels.h"

typedef struct options {
    int64_t light_bins;
    color_options ab;
} options;

static const hiss_row rows[] = {
    {"light_bins", HISS_INT, offsetof(options, light_bins), "50", 2, 1000, NULL,
     "bins of equal width in 0 <= L <= 100"},
    COLOR_ROWS(options, ab, ""),
};
static const int nrows = HISS_COUNT(rows);
static const char method[] = "split_brain", light[] = "light/", color[] = "color/";

typedef struct halves { /* scores at each place: bins of a and b, of L */
    hiss_value colors, lights;
} halves;

typedef struct split_brain {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
    color_ab ab;
    hiss_value image; /* of the graph of measures */
    halves measured;
} split_brain;

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    split_brain *sb = hiss_new(split_brain, 1);
    int64_t h = 0, w = 0;
    sb->task = task;
    sb->placement = placement;
    sb->options = opts;
    *self = sb;
    const hiss_status s = color_map_size(task, method, 1, &h, &w, err);
    color_ab_open(&sb->ab, task, &sb->options->ab, h, w);
    return s;
}

static void destroy(void *self) {
    split_brain *sb = self;
    if (sb) {
        color_ab_close(&sb->ab);
    }
    hiss_free(sb);
}

/* ---- the graphs ---- */

static hiss_status half(const split_brain *sb, hiss_builder *b, bool of_light, hiss_value image, hiss_taps *taps,
                        hiss_value *map, hiss_error *err) {
    return color_map(sb->task, method, b, of_light ? light : color, image, of_light ? COLOR_L : COLOR_A,
                     of_light ? 1 : 2, taps, map, err);
}

static hiss_status both_maps(const split_brain *sb, hiss_builder *b, hiss_value image, hiss_taps *taps,
                             hiss_value map[2], hiss_error *err) {
    hiss_taps *second = hiss_new(hiss_taps, 1);
    hiss_status s = half(sb, b, true, image, taps, &map[0], err);
    s = s == HISS_OK ? half(sb, b, false, image, second, &map[1], err) : s;
    for (int k = 0; k < second->count && s == HISS_OK; k++) {
        s = hiss_taps_add(taps, second->tap[k].name, second->tap[k].value, err);
    }
    hiss_free(second);
    return s;
}

/* Places of both halves, and their last maps side by side. */
static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const split_brain *sb = self;
    hiss_value map[2];
    const hiss_status s = both_maps(sb, b, image, taps, map, err);
    return s == HISS_OK ? hiss_network_end(sb->task->network, b, "both", hiss_graph_concat(b->graph, 2, map), taps, err)
                        : s;
}

static hiss_value head(hiss_builder *b, const char *prefix, hiss_value map, int64_t F) {
    hiss_builder below = *b;
    below.prefix = prefix;
    return color_head(&below, "bins", map, F);
}

static hiss_status scores(const split_brain *sb, hiss_builder *b, hiss_value image, halves *out, hiss_error *err) {
    hiss_taps *taps = hiss_new(hiss_taps, 1);
    hiss_value map[2];
    const hiss_status s = both_maps(sb, b, image, taps, map, err);
    hiss_free(taps);
    if (s == HISS_OK) {
        out->colors = head(b, light, map[0], sb->ab.bins.count);
        out->lights = head(b, color, map[1], sb->options->light_bins);
    }
    return s == HISS_OK ? hiss_graph_status(b->graph, err) : s;
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    split_brain *sb = self;
    hiss_graph *g = b->graph;
    const hiss_task *t = sb->task;
    const int64_t m = sb->placement->m;
    halves out = {-1, -1};
    const hiss_value image = hiss_graph_input(g, "image", HISS_SHAPE(m, t->H, t->W, COLOR_CHANNELS));
    color_ab_inputs(&sb->ab, b, m);
    const hiss_value level = hiss_graph_input_labels(g, "light", m * sb->ab.h * sb->ab.w);
    hiss_graph_cut(g);
    const hiss_status s = scores(sb, b, image, &out, err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_value of_colors = color_ab_loss(&sb->ab, b, out.colors, "colors_"),
                     of_lights = hiss_graph_softmax_cross_entropy(g, out.lights, level);
    const hiss_value loss = hiss_graph_add(g, of_colors, of_lights);
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "colors", of_colors);
    hiss_layer_metric(b, "lights", of_lights);
    return hiss_graph_status(g, err);
}

/* The bin of L, of which l is (L - 50) / 50. */
static int32_t light_bin(const split_brain *sb, float l) {
    const int64_t bins = sb->options->light_bins, bin = (int64_t)floor(((double)l + 1.0) * 0.5 * (double)bins);
    return (int32_t)(bin < 0 ? 0 : bin >= bins ? bins - 1 : bin);
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const split_brain *sb = self;
    const int64_t places = sb->ab.h * sb->ab.w;
    hiss_lane_default_sample(lane, i);
    const float *image = hiss_lane_values(lane, lane->inputs->image, i);
    int32_t *level = (int32_t *)hiss_exec_data(lane->exec, hiss_graph_input_named(lane->graph, "light")) + i * places;
    for (int64_t k = 0; k < places; k++) {
        level[k] = light_bin(sb, image[3 * color_pixel_of(sb->task, sb->ab.h, sb->ab.w, k) + COLOR_L]);
    }
    color_ab_fill(&sb->ab, lane, i);
}

static hiss_status begin(void *self, const hiss_epoch *e, hiss_error *err) {
    split_brain *sb = self;
    return color_ab_begin(&sb->ab, sb->placement, e, err);
}

static int states(void *self, hiss_state out[HISS_MAX_STATES]) {
    split_brain *sb = self;
    return color_ab_states(&sb->ab, out);
}

/* ---- what evaluation measures ---- */

enum {
    PLACES,
    OF_COLORS,
    FOUND_COLORS,
    OF_LIGHTS,
    FOUND_LIGHTS,
    LIGHT_COUNTS
}; /* sums over places; then a histogram */

static int64_t width(void *self) {
    const split_brain *sb = self;
    return LIGHT_COUNTS + sb->options->light_bins + sb->ab.bins.count;
}

static hiss_status measure_build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    split_brain *sb = self;
    const hiss_task *t = sb->task;
    sb->image = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, COLOR_CHANNELS));
    hiss_graph_keep(b->graph, sb->image);
    const hiss_status s = scores(sb, b, sb->image, &sb->measured, err);
    if (s == HISS_OK) {
        hiss_graph_keep(b->graph, sb->measured.colors);
        hiss_graph_keep(b->graph, sb->measured.lights);
    }
    return s;
}

/* -log of the share of bin `truth` of softmax(score), and whether it is the largest. */
static void judge(const float *score, int64_t bins, int64_t truth, double *surprise, double *found) {
    double top = (double)score[0], sum = 0.0;
    int64_t best = 0;
    for (int64_t q = 1; q < bins; q++) {
        best = score[q] > score[best] ? q : best;
    }
    top = (double)score[best];
    for (int64_t q = 0; q < bins; q++) {
        sum += exp((double)score[q] - top);
    }
    *surprise += log(sum) + top - (double)score[truth];
    *found += best == truth ? 1.0 : 0.0;
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const split_brain *sb = self;
    const int64_t places = sb->ab.h * sb->ab.w, Q = sb->ab.bins.count, K = sb->options->light_bins;
    const float *image = hiss_lane_values(lane, sb->image, i);
    const float *colors = hiss_exec_data(lane->exec, sb->measured.colors) + i * places * Q,
                *lights = hiss_exec_data(lane->exec, sb->measured.lights) + i * places * K;
    double sum[LIGHT_COUNTS] = {0.0};
    memset(out, 0, sizeof *out * (size_t)width(self));
    for (int64_t k = 0; k < places; k++) {
        const float *pixel = image + 3 * color_pixel_of(sb->task, sb->ab.h, sb->ab.w, k);
        const int64_t q = objective_ab_nearest(&sb->ab.bins, COLOR_UNIT * pixel[COLOR_A], COLOR_UNIT * pixel[COLOR_B]);
        const int64_t level = light_bin(sb, pixel[COLOR_L]);
        judge(colors + k * Q, Q, q, &sum[OF_COLORS], &sum[FOUND_COLORS]);
        judge(lights + k * K, K, level, &sum[OF_LIGHTS], &sum[FOUND_LIGHTS]);
        out[LIGHT_COUNTS + level] += 1.0f;
        out[LIGHT_COUNTS + K + q] += 1.0f;
    }
    sum[PLACES] = (double)places;
    for (int k = 0; k < LIGHT_COUNTS; k++) {
        out[k] = (float)sum[k];
    }
}

/* Of a mean histogram of places: its entropy in nats, and its largest share in per cent. */
static void of_histogram(const double *count, int64_t bins, double places, double *entropy, double *largest) {
    *entropy = *largest = 0.0;
    for (int64_t k = 0; k < bins; k++) {
        const double share = count[k] / places;
        *entropy -= share > 0.0 ? share * log(share) : 0.0;
        *largest = fmax(*largest, 100.0 * share);
    }
}

static void say_half(const hiss_measured *m, const char *name, const char *group, double surprise, double found,
                     const double *count, int64_t bins) {
    const double places = m->test_mean[PLACES];
    double entropy, largest;
    char text[64];
    of_histogram(count, bins, places, &entropy, &largest);
    hiss_measure number = {.name = text, .group = group, .spread = (double)NAN, .samples = m->test};
    snprintf(text, sizeof text, "%s_surprise", name);
    number.heading = "surprise";
    number.unit = "nats";
    number.value = surprise / places;
    number.baseline = entropy;
    m->number(m->say, &number);
    snprintf(text, sizeof text, "%s_found", name);
    number.heading = "found";
    number.unit = "%";
    number.value = 100.0 * found / places;
    number.baseline = largest;
    m->number(m->say, &number);
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    (void)err;
    const split_brain *sb = self;
    const double *mean = m->test_mean, *lights = mean + LIGHT_COUNTS, *colors = lights + sb->options->light_bins;
    say_half(m, "colors", "half of L: bins of a and b", mean[OF_COLORS], mean[FOUND_COLORS], colors, sb->ab.bins.count);
    say_half(m, "lights", "half of a and b: bins of L", mean[OF_LIGHTS], mean[FOUND_LIGHTS], lights,
             sb->options->light_bins);
    m->remark(m->say,
              "surprise: the mean of -log of the true bin's share, over all places; with targets of several bins "
              "or weights, training does not minimise it");
    return HISS_OK;
}

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    (void)self;
    const double colorful = hiss_named_value(metrics, nmetrics, "colorful");
    const double sum = hiss_named_value(metrics, nmetrics, "colors_unweighted");
    out[0] = (hiss_named){"cross_entropy", colorful > 0.0 ? sum / colorful : 0.0};
    return 1;
}

static void describe(void *self, char *line, size_t size) {
    const split_brain *sb = self;
    snprintf(line, size,
             "split_brain: two halves, L to Q = %lld bins of colour, a and b to %lld bins of L, at %lld x %lld places",
             (long long)sb->ab.bins.count, (long long)sb->options->light_bins, (long long)sb->ab.h,
             (long long)sb->ab.w);
}

static const hiss_input_ops input = {.inputs = color_inputs, .sample = sample};
static const hiss_epoch_ops epoch = {.begin = begin};
static const hiss_state_ops state = {.list = states};
static const hiss_report_ops report = {.derive = derive, .describe = describe};
static const hiss_measure_ops measures = {.baseline = "frequencies of bins alone",
                                          .width = width,
                                          .build = measure_build,
                                          .measure = measure,
                                          .conclude = conclude};

const hiss_objective_ops objective_split_brain = {
    .name = "split_brain",
    .summary = "two networks that see lightness and colour, and say each other's",
    .sections = {{"split_brain", rows, &nrows, 0}},
    .options_bytes = sizeof(options),
    .unit_pixels = objective_needs_unit_pixels,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .epoch = &epoch,
    .state = &state,
    .report = &report,
    .measure = &measures,
};
