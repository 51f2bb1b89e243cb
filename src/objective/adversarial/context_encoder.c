/* Context encoder: a part of the image is taken out, and the code of what is left must suffice to say what was there.
 * With x the image, M 1 in the hole and 0 elsewhere, and F encoder and decoder,
 *     reconstruction   |M (x - F((1 - M) x))|^2, mean over values of the hole
 *     adversarial      -log D(M F((1 - M) x)),  D trained to tell it from M x
 * and the loss is the first (`adversarial: none`), the second (`only`), or a weighted sum of both (`joint`). The square is
 * least for the mean of all that could be there, which is blurred; the adversary asks for one of the things that could.
 * (Pathak, Krahenbuhl, Donahue, Darrell & Efros, "Context encoders: feature learning by inpainting", CVPR 2016, eq. 1-3.)
 *
 * The hole is the middle of the image, half as high and wide, or blobs anywhere, drawn anew for each sample and step: noise
 * on a coarse grid, between whose points it is interpolated, below the threshold that makes the hole `share` of the
 * image. A hole in the middle is predicted alone; for blobs the decoder makes an image, of which what is outside of the
 * hole does not count. D sees the hole and nothing around it: the part, or an image with 0 outside of the blobs,
 * whose shape it sees of true and predicted ones alike. On the whole image it would look for the seam.
 *
 * What is left has 0 in the hole, which is the mean of the training images with augment.mean `auto`. Means over the hole
 * have a fixed denominator, the hole's nominal size, so that they do not depend on how samples are shared out.
 *
 * Variants: the published step updates D, then F; here both move from the same point, in one graph, as in BiGAN. There is no
 * band around the hole that is predicted as well with a larger weight. Blobs differ between samples of a batch, and the
 * loss is that of the hole alone (the published script for random regions compares whole images). */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/adversary.h"
#include "objective/parts/encoder.h"

enum { GENERATOR, DISCRIMINATOR }; /* groups */
enum { CENTER, RANDOM };
enum { NONE, JOINT, ONLY };
enum { LEAST_SIDE = 8, DISCRIMINATOR_LAYERS = 2, GRID = 5, GRID_POINTS = (GRID + 1) * (GRID + 1), BISECTIONS = 24 };
enum { DRAW_OF_MASK = 2120 };                             /* when, of evaluation's streams */
enum { MOST_VALUES = 3072 };                              /* of a hole whose mean image is measured */
enum { ERROR, VALUES, SLOPE, TRUE_SLOPE, SLOPES, MEANS }; /* numbers of an image; from MEANS on: values, and the mask */
static const char picture_file[] = "context.png";

typedef struct options {
    int64_t code, width;
    int mask, adversarial;
    double share, reconstruction_weight, adversarial_weight;
} options;

static const hiss_row rows[] = {
    {"code", HISS_INT, offsetof(options, code), "128", 1, 1 << 20, NULL, "dimensions of the code"},
    {"width", HISS_INT, offsetof(options, width), "32", 1, 1 << 12, NULL,
     "filters of the outermost layers of decoder and discriminator; the next have twice as many"},
    {"mask", HISS_CHOICE, offsetof(options, mask), "center", 0, 0, "center|random",
     "the hole: the middle of the image, half as high and wide, or blobs, drawn anew for each sample"},
    {"share", HISS_FLOAT, offsetof(options, share), "0.25", 0.01, 0.9, NULL,
     "random: how much of the image is taken out"},
    {"adversarial", HISS_CHOICE, offsetof(options, adversarial), "joint", 0, 0, "none|joint|only",
     "the loss: of reconstruction alone, of both, or of the discriminator alone"},
    {"reconstruction_weight", HISS_FLOAT, offsetof(options, reconstruction_weight), "0.999", 0, 1e6, NULL,
     "joint: weight of the mean squared error in the hole"},
    {"adversarial_weight", HISS_FLOAT, offsetof(options, adversarial_weight), "0.001", 0, 1e6, NULL,
     "joint: weight of the loss of not being taken for true"},
};
static const int nrows = HISS_COUNT(rows);

typedef struct graph_values {
    hiss_value image, region, mask, filled; /* mask: -1 for a hole in the middle */
} graph_values;

typedef struct context {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
    int64_t h, w, top, left; /* what the decoder makes: its size, and where in the image */
    graph_values measured;
} context;

/* Of a random one. */
static double hole_pixels(const context *a) {
    return a->options->share * (double)(a->h * a->w);
}

/* Height or width of the hole in images of that height or width. */
static int64_t hole_side(const options *o, int64_t side) {
    return o->mask == CENTER ? side / 2 : side;
}

/* The decoder doubles a map of a quarter of the hole twice, and adds the same to height and width where they are odd. */
static bool takes(const options *o, int64_t H, int64_t W) {
    return H >= LEAST_SIDE && W >= LEAST_SIDE && hole_side(o, H) % 4 == hole_side(o, W) % 4;
}

/* The nearest sizes that it takes; of equally near ones the smallest. */
static hiss_status fail_size(const context *a, hiss_error *err) {
    const hiss_task *t = a->task;
    enum { AROUND = 8 };
    int64_t best = INT64_MAX, height = LEAST_SIDE, width = LEAST_SIDE;
    const int64_t H = t->H < LEAST_SIDE ? LEAST_SIDE : t->H, W = t->W < LEAST_SIDE ? LEAST_SIDE : t->W;
    for (int64_t y = H - AROUND; y <= H + AROUND; y++) {
        for (int64_t x = W - AROUND; x <= W + AROUND; x++) {
            const int64_t away = llabs(y - H) + llabs(x - W);
            if (away < best && takes(a->options, y, x)) {
                best = away;
                height = y;
                width = x;
            }
        }
    }
    return hiss_fail_key(err, HISS_EUSER, t->H < LEAST_SIDE || t->W >= LEAST_SIDE ? "augment.height" : "augment.width",
                         "context_encoder needs images of at least %d x %d, whose holes (%s) have heights and widths "
                         "of the same remainder by 4; found images of %" PRId64 " x %" PRId64 ", holes of %" PRId64
                         " x %" PRId64 ": the nearest that work are --set augment.height=%" PRId64
                         " --set augment.width=%" PRId64,
                         LEAST_SIDE, LEAST_SIDE, a->options->mask == CENTER ? "half of them" : "anywhere in them", t->H,
                         t->W, a->h, a->w, height, width);
}

static hiss_status check(const context *a, hiss_error *err) {
    const hiss_task *t = a->task;
    const options *o = a->options;
    if (!takes(o, t->H, t->W)) {
        return fail_size(a, err);
    }
    if (o->mask == RANDOM && hole_pixels(a) < 1.0) {
        return hiss_fail_key(err, HISS_EUSER, "context_encoder.share",
                             "expected at least one pixel of %" PRId64 " x %" PRId64 ", found %.3g; set a larger share",
                             a->h, a->w, hole_pixels(a));
    }
    if (t->augment->normalize != 0) {
        return hiss_fail_key(
            err, HISS_EUSER, "augment.normalize",
            "context_encoder fills holes with the mean of all training images, which `image` takes from "
            "each image alone; set it fixed, and augment.mean and augment.std auto");
    }
    if (o->adversarial == JOINT && o->reconstruction_weight == 0.0 && o->adversarial_weight == 0.0) {
        return hiss_fail_key(err, HISS_EUSER, "context_encoder.adversarial_weight",
                             "both weights of the joint loss are 0, which leaves nothing to learn; set one above 0");
    }
    return HISS_OK;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    context *a = hiss_new(context, 1);
    a->task = task;
    a->placement = placement;
    a->options = opts;
    *self = a;
    a->h = hole_side(a->options, task->H);
    a->w = hole_side(a->options, task->W);
    a->top = (task->H - a->h) / 2;
    a->left = (task->W - a->w) / 2;
    return check(a, err);
}

static void destroy(void *self) {
    hiss_free(self);
}

static int64_t region_values(const context *a) {
    return a->h * a->w * a->task->C;
}

/* ---- the graphs ---- */

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const context *a = self;
    hiss_value x = -1;
    b->group = GENERATOR;
    const hiss_status s = objective_encoder_head(a->task, b, image, "code", a->options->code, false, taps, &x, err);
    return s == HISS_OK ? hiss_network_end(a->task->network, b, "code", x, taps, err) : s;
}

/* Code [m,K] -> [m,h,w,C]; each layer doubles the sides, and adds 1 where they are odd. */
static hiss_value decode(const context *a, hiss_builder *b, hiss_value code) {
    hiss_graph *g = b->graph;
    const int64_t m = hiss_graph_shape(g, code).dim[0], width = a->options->width;
    b->group = GENERATOR;
    hiss_value x = hiss_graph_relu(g, hiss_layer_batch_norm(b, "code/norm", code));
    x = hiss_layer_linear(b, "decoder1", x, (a->h / 4) * (a->w / 4) * 2 * width, false);
    x = hiss_graph_relu(g, hiss_layer_batch_norm(b, "decoder1/norm", x));
    x = hiss_graph_reshape(g, x, HISS_SHAPE(m, a->h / 4, a->w / 4, 2 * width));
    x = hiss_layer_conv_transposed(b, "decoder2", x, width, 4 + a->h / 2 % 2, 2, 1, 0, false);
    x = hiss_graph_relu(g, hiss_layer_batch_norm(b, "decoder2/norm", x));
    return hiss_layer_conv_transposed(b, "decoder3", x, a->task->C, 4 + a->h % 2, 2, 1, 0, true);
}

/* Inputs of m images, and what the network fills their holes with. */
static hiss_status fill_in(context *a, hiss_builder *b, int64_t m, graph_values *v, hiss_error *err) {
    hiss_graph *g = b->graph;
    const hiss_shape shape = HISS_SHAPE(m, a->h, a->w, a->task->C);
    hiss_value code = -1;
    const hiss_status s = objective_encoder_on_samples(encode, a, a->task, m, b, &v->image, &code, err);
    if (s != HISS_OK) {
        return s;
    }
    v->region = hiss_graph_input(g, "region", shape);
    v->mask = a->options->mask == RANDOM ? hiss_graph_input(g, "mask", shape) : -1;
    v->filled = decode(a, b, code);
    if (v->mask >= 0) {
        v->filled = hiss_graph_multiply(g, v->filled, v->mask);
    }
    return hiss_graph_status(g, err);
}

/* Logits [m,1] that regions [m,h,w,C] are true. */
static hiss_status discriminate(const context *a, hiss_builder *b, hiss_value region, hiss_value *logits,
                                hiss_error *err) {
    hiss_value x = -1;
    b->group = DISCRIMINATOR;
    const hiss_status s =
        objective_discriminator(b, "discriminator", region, a->options->width, DISCRIMINATOR_LAYERS, NULL, &x, err);
    if (s == HISS_OK) {
        *logits = hiss_layer_linear(b, "discriminator_logit", hiss_graph_flatten(b->graph, x), 1, true);
    }
    return s;
}

/* The filled hole learns through a D that stands still; D learns from one that stands still. */
static hiss_status add_adversary(const context *a, hiss_builder *b, const graph_values *v, hiss_value *fools,
                                 hiss_value *tells, hiss_error *err) {
    hiss_graph *g = b->graph;
    const unsigned trained = b->trained_groups;
    hiss_value fooled = -1, made = -1, data = -1;
    b->trained_groups &= ~(1u << DISCRIMINATOR);
    hiss_status s = discriminate(a, b, v->filled, &fooled, err);
    b->trained_groups = trained;
    s = s == HISS_OK ? discriminate(a, b, hiss_graph_stop_gradient(g, v->filled), &made, err) : s;
    s = s == HISS_OK ? discriminate(a, b, v->region, &data, err) : s;
    if (s == HISS_OK) {
        *fools = objective_adversary_loss(g, fooled, true);
        *tells = hiss_graph_add(g, objective_adversary_loss(g, data, true), objective_adversary_loss(g, made, false));
        hiss_layer_metric(b, "generator_loss", *fools);
        hiss_layer_metric(b, "discriminator_loss", *tells);
        hiss_layer_metric(b, "score_of_data", objective_adversary_score(g, data));
        hiss_layer_metric(b, "score_of_made", objective_adversary_score(g, made));
    }
    return s;
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    context *a = self;
    const options *o = a->options;
    hiss_graph *g = b->graph;
    graph_values v = {0};
    const int64_t m = a->placement->m;
    hiss_status s = fill_in(a, b, m, &v, err);
    if (s != HISS_OK) {
        return s;
    }
    const double hole = (double)region_values(a) * (o->mask == RANDOM ? o->share : 1.0);
    const hiss_value error = hiss_graph_squared_loss(g, v.filled, v.region, 1.0 / ((double)m * hole));
    hiss_value loss = error, fools = -1, tells = -1;
    if (o->adversarial != NONE) {
        s = add_adversary(a, b, &v, &fools, &tells, err);
    }
    if (s != HISS_OK) {
        return s;
    }
    if (o->adversarial == JOINT) {
        loss = hiss_graph_add(g, hiss_graph_scale(g, error, o->reconstruction_weight),
                              hiss_graph_scale(g, fools, o->adversarial_weight));
    } else if (o->adversarial == ONLY) {
        loss = fools;
    }
    loss = o->adversarial == NONE ? loss : hiss_graph_add(g, loss, tells);
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "error", error);
    return hiss_graph_status(g, err);
}

/* ---- holes ---- */

/* The field at a place between points of the grid. */
static float interpolate(const float *point, float y, float x) {
    const int row = y < GRID ? (int)y : GRID - 1, column = x < GRID ? (int)x : GRID - 1;
    const float *p = point + row * (GRID + 1) + column, dy = y - (float)row, dx = x - (float)column;
    const float above = p[0] + dx * (p[1] - p[0]), below = p[GRID + 1] + dx * (p[GRID + 2] - p[GRID + 1]);
    return above + dy * (below - above);
}

/* mask [H,W,C]: 1 where the field is below the value that leaves `share` of the pixels, the same in all channels. */
static void draw_mask(const context *a, hiss_rng *rng, float *mask) {
    const int64_t H = a->h, W = a->w, C = a->task->C, wanted = (int64_t)hole_pixels(a);
    float point[GRID_POINTS], low = 0.0f, high = 1.0f;
    hiss_rng_uniforms(rng, GRID_POINTS, point);
    for (int64_t k = 0; k < H * W; k++) {
        mask[k * C] =
            interpolate(point, (float)(k / W * GRID) / (float)(H - 1), (float)(k % W * GRID) / (float)(W - 1));
    }
    for (int step = 0; step < BISECTIONS; step++) {
        const float middle = 0.5f * (low + high);
        int64_t below = 0;
        for (int64_t k = 0; k < H * W; k++) {
            below += mask[k * C] < middle;
        }
        *(below > wanted ? &high : &low) = middle;
    }
    for (int64_t k = 0; k < H * W; k++) {
        const float inside = mask[k * C] < low ? 1.0f : 0.0f;
        for (int64_t c = 0; c < C; c++) {
            mask[k * C + c] = inside;
        }
    }
}

/* Take the hole out of image i, and put it into "region". */
static void cut(const context *a, const hiss_lane *lane, int64_t i, hiss_rng rng) {
    const int64_t row = a->w * a->task->C, stride = a->task->W * a->task->C;
    const hiss_value masks = hiss_graph_input_named(lane->graph, "mask");
    float *image = hiss_lane_values(lane, lane->inputs->image, i) + a->top * stride + a->left * a->task->C;
    float *region = hiss_lane_values(lane, hiss_graph_input_named(lane->graph, "region"), i);
    float *mask = masks >= 0 ? hiss_lane_values(lane, masks, i) : NULL;
    if (mask) {
        draw_mask(a, &rng, mask);
    }
    for (int64_t y = 0; y < a->h; y++) {
        for (int64_t x = 0; x < row; x++) {
            float *pixel = &image[y * stride + x], inside = mask ? mask[y * row + x] : 1.0f;
            region[y * row + x] = inside > 0.0f ? *pixel : 0.0f;
            *pixel = inside > 0.0f ? 0.0f : *pixel;
        }
    }
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const context *a = self;
    hiss_lane_default_sample(lane, i);
    cut(a, lane, i, hiss_rng_keyed(a->task->seed, HISS_FOR_NOISE, lane->step, lane->batch->sample[i]));
}

/* ---- what evaluation measures ---- */

static bool measures_mean(const context *a) {
    return region_values(a) <= MOST_VALUES;
}

static int64_t width(void *self) {
    const context *a = self;
    return MEANS + (measures_mean(a) ? 2 * region_values(a) : 0);
}

static hiss_status measure_build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    context *a = self;
    graph_values *v = &a->measured;
    const hiss_status s = fill_in(a, b, m, v, err);
    const hiss_value kept[] = {v->image, v->region, v->filled, v->mask};
    for (int k = 0; k < HISS_COUNT(kept) && s == HISS_OK; k++) {
        if (kept[k] >= 0) {
            hiss_graph_keep(b->graph, kept[k]);
        }
    }
    return s;
}

static void measure_sample(void *self, const hiss_lane *lane, int64_t i) {
    const context *a = self;
    hiss_lane_default_sample(lane, i);
    cut(a, lane, i, hiss_rng_keyed(a->task->seed, HISS_FOR_EVALUATION, DRAW_OF_MASK, lane->batch->sample[i]));
}

static double std_of(const context *a, int64_t channel) {
    const hiss_scaling *s = &a->task->augment->scaling;
    return s->std[s->count > 1 ? channel : 0];
}

/* A value of the network's input as a pixel, cut to 0..1. */
static double pixel_of(const context *a, int64_t channel, double value) {
    const hiss_scaling *s = &a->task->augment->scaling;
    return fmin(fmax(s->mean[s->count > 1 ? channel : 0] + std_of(a, channel) * value, 0.0), 1.0);
}

static double size_of_step(const context *a, const float *value, int64_t from, int64_t to) {
    const int64_t C = a->task->C;
    return fabs(pixel_of(a, from % C, (double)value[from]) - pixel_of(a, to % C, (double)value[to]));
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const context *a = self;
    const graph_values *v = &a->measured;
    const int64_t C = a->task->C, row = a->w * C, stride = a->task->W * C, R = region_values(a);
    const float *filled = hiss_lane_values(lane, v->filled, i), *region = hiss_lane_values(lane, v->region, i);
    const float *mask = v->mask >= 0 ? hiss_lane_values(lane, v->mask, i) : NULL;
    const float *image = hiss_lane_values(lane, v->image, i) + a->top * stride + a->left * C;
    double error = 0.0, slope[2] = {0.0}, values = 0.0, slopes = 0.0;
    for (int64_t k = 0; k < R; k++) {
        const float inside = mask ? mask[k] : 1.0f;
        if (measures_mean(a)) {
            out[MEANS + k] = inside > 0.0f ? region[k] : image[k / row * stride + k % row];
            out[MEANS + R + k] = inside;
        }
        if (inside == 0.0f) {
            continue;
        }
        const double miss = pixel_of(a, k % C, (double)filled[k]) - pixel_of(a, k % C, (double)region[k]);
        error += miss * miss;
        values += 1.0;
        for (int down = 0; down < 2; down++) {
            const int64_t to = down ? k + row : k + C;
            if ((down ? to < R : to / row == k / row) && (!mask || mask[to] > 0.0f)) {
                slope[0] += size_of_step(a, filled, k, to);
                slope[1] += size_of_step(a, region, k, to);
                slopes += 1.0;
            }
        }
    }
    out[ERROR] = (float)error;
    out[VALUES] = (float)values;
    out[SLOPE] = (float)slope[0];
    out[TRUE_SLOPE] = (float)slope[1];
    out[SLOPES] = (float)slopes;
}

static int64_t show_floats(void *self) {
    const hiss_task *t = ((const context *)self)->task;
    return 3 * t->H * t->W * t->C;
}

/* The image with its hole, with what the network fills it with, and as it was: [3,H,W,C] of pixels. */
static void show(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const context *a = self;
    const graph_values *v = &a->measured;
    const int64_t C = a->task->C, row = a->w * C, stride = a->task->W * C, D = a->task->H * stride;
    const float *filled = hiss_lane_values(lane, v->filled, i), *region = hiss_lane_values(lane, v->region, i);
    const float *mask = v->mask >= 0 ? hiss_lane_values(lane, v->mask, i) : NULL;
    const float *image = hiss_lane_values(lane, v->image, i);
    for (int64_t k = 0; k < 3 * D; k++) {
        out[k] = (float)pixel_of(a, k % C, (double)image[k % D]);
    }
    for (int64_t k = 0; k < region_values(a); k++) {
        const int64_t at = (a->top + k / row) * stride + a->left * C + k % row;
        if (!mask || mask[k] > 0.0f) {
            out[D + at] = (float)pixel_of(a, k % C, (double)filled[k]);
            out[2 * D + at] = (float)pixel_of(a, k % C, (double)region[k]);
        }
    }
}

static double psnr(double square) {
    return -10.0 * log10(fmax(square, 1e-10));
}

/* Mean squared error, and mean size of steps, of the mean training image in holes of test images. */
static void measure_mean(const context *a, const hiss_measured *m, double *square, double *step) {
    const int64_t C = a->task->C, row = a->w * C, R = region_values(a);
    const double *mean = m->test_mean + MEANS, *deviation = m->test_deviation + MEANS, *fill = m->train_mean + MEANS;
    double error = 0.0, weight = 0.0, sum = 0.0, steps = 0.0;
    for (int64_t k = 0; k < R; k++) {
        const double share = mean[R + k], miss = mean[k] - fill[k], scale = std_of(a, k % C);
        error += share * scale * scale * (deviation[k] * deviation[k] + miss * miss);
        weight += share;
        if (k % row + C < row) {
            sum += scale * fabs(fill[k] - fill[k + C]);
            steps += 1.0;
        }
        if (k + row < R) {
            sum += scale * fabs(fill[k] - fill[k + row]);
            steps += 1.0;
        }
    }
    *square = error / weight;
    *step = sum / steps;
}

static void say(const hiss_measured *m, const char *name, const char *heading, const char *unit, double value,
                double baseline) {
    m->number(m->say, &(hiss_measure){.name = name,
                                      .group = "holes of test images filled",
                                      .heading = heading,
                                      .unit = unit,
                                      .value = value,
                                      .spread = NAN,
                                      .baseline = baseline,
                                      .samples = m->test});
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    const context *a = self;
    const hiss_task *t = a->task;
    const double *mean = m->test_mean, square = mean[ERROR] / mean[VALUES], true_step = mean[TRUE_SLOPE] / mean[SLOPES];
    double mean_square = NAN, mean_step = NAN;
    if (measures_mean(a)) {
        measure_mean(a, m, &mean_square, &mean_step);
    }
    say(m, "hole_psnr", "PSNR", "dB", psnr(square), measures_mean(a) ? psnr(mean_square) : (double)NAN);
    say(m, "hole_rmse", "error", "% of white", 100.0 * sqrt(square), 100.0 * sqrt(mean_square));
    say(m, "sharpness", "sharpness", "% of true", 100.0 * mean[SLOPE] / mean[SLOPES] / true_step,
        100.0 * mean_step / true_step);
    say(m, "hole_share", "size", "% of image", 100.0 * mean[VALUES] / (double)(t->H * t->W * t->C), NAN);
    m->remark(m->say, "PSNR: of the mean squared error of all pixels in holes; sharpness: mean absolute difference of "
                      "neighbouring pixels in holes, of the filled beside the true ones");
    if (!measures_mean(a)) {
        m->remark(m->say, "left out: the mean training image: it is measured for holes of at most 3072 values");
    }
    float *grid = m->show ? hiss_new(float, m->shown *show_floats(self)) : NULL;
    const int64_t D = t->H * t->W * t->C;
    for (int64_t k = 0; grid && k < m->shown * 3; k++) {
        memcpy(grid + (k % 3 * m->shown + k / 3) * D, m->show + k * D, sizeof(float) * (size_t)D);
    }
    const hiss_status s = m->grid(m->say, picture_file, "Holes and what fills them",
                                  "Test images with their holes; filled by the network; as they were.", 3, m->shown,
                                  t->H, t->W, t->C, grid, err);
    hiss_free(grid);
    return s;
}

static void describe(void *self, char *line, size_t size) {
    static const char *const losses[] = {"squared error", "squared error and an adversary", "an adversary alone"};
    const context *a = self;
    snprintf(line, size, "context_encoder: code of %" PRId64 " dimensions, %s of %" PRId64 " x %" PRId64 ", by %s",
             a->options->code, a->options->mask == CENTER ? "a hole" : "blobs in images", a->h, a->w,
             losses[a->options->adversarial]);
}

static const char *const groups[] = {"generator", "discriminator", NULL};
static const char *const pictures[] = {picture_file, NULL};
static const hiss_input_ops input = {.sample = sample};
static const hiss_report_ops report = {.describe = describe};
static const hiss_measure_ops measures = {.baseline = "the mean training image",
                                          .pictures = pictures,
                                          .width = width,
                                          .build = measure_build,
                                          .sample = measure_sample,
                                          .measure = measure,
                                          .shown = show_floats,
                                          .show = show,
                                          .conclude = conclude};

const hiss_objective_ops objective_context_encoder = {
    .name = "context_encoder",
    .summary = "fill a hole in the image from what is around it, by squared error, an adversary, or both",
    .sections = {{"context_encoder", rows, &nrows, 0}},
    .options_bytes = sizeof(options),
    .sizes = "context_encoder.width, context_encoder.code",
    .groups = groups,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .measure = &measures,
};
