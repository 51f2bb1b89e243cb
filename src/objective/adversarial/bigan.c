/* Bidirectional generative adversarial network: beside a generator G of images out of noise z stands an encoder E of
 * images, and the discriminator D looks at pairs, (x, E(x)) and (G(z), z):
 *     D           minimises  -1/2 mean log D(x, E(x)) - 1/2 mean log(1 - D(G(z), z))
 *     G and E     minimise   -1/2 mean log D(G(z), z) - 1/2 mean log(1 - D(x, E(x)))
 * Where D cannot tell the pairs apart, E inverts G. (Donahue, Krahenbuhl & Darrell, "Adversarial feature learning", ICLR
 * 2017, eq. 4 and theorem 2; Dumoulin et al., "Adversarially learned inference", ICLR 2017.) Nothing compares x with
 * G(E(x)): that they are alike is what comes of it, loosely, and `reconstruction_ratio` says how much.
 *
 * Both losses are in one graph, so that all three networks move from the same point at each step. D is called twice on
 * each pair: once with pairs that stand still, which trains D, and once as a fixed function, through which G and E learn.
 * The graph runs it forward once for both.
 * Real and made pairs pass D apart, so that BatchNorm normalises each by their own statistics.
 *
 * The form is that for images without a known order of pixels. G has two hidden layers with BatchNorm and ReLU, and z is
 * added to the second, linearly. D has two with LeakyReLU; z is added to what enters its second one's BatchNorm,
 * linearly and without a bias. D's last layer starts at 0: each loss starts at log 2. The network is E, with a
 * linear layer, BatchNorm and a sigmoid stretched to (-1, 1) on top: z is uniform on (-1, 1), and E's values must be able
 * to be wherever z is, and nowhere else, or D tells the pairs by that alone.
 *
 * Controls. `prior: normal` draws z where E cannot follow. `joint: false` shows D the images alone: it is then a GAN with
 * an encoder that nothing trains. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/adversary.h"
#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"

enum { GENERATOR, DISCRIMINATOR }; /* groups; E is of the first */
enum { UNIFORM, NORMAL };
enum { MOST_DISTANCES = 16 };                     /* images of a lane: those of all would cost a twelfth of the step */
enum { DRAW_OF_LATENT = 2110, DRAW_OF_MEASURES }; /* when, of evaluation's streams */

static const double slope = 0.2, deviation = 0.02, none = 0.0; /* of LeakyReLU; of weights when they start */

typedef struct options {
    int64_t latent, hidden;
    int prior;
    bool joint;
} options;

static const hiss_row rows[] = {
    {"latent", HISS_INT, offsetof(options, latent), "50", 1, 1 << 16, NULL, "dimensions of z, and of the code"},
    {"hidden", HISS_INT, offsetof(options, hidden), "512", 1, 1 << 16, NULL,
     "units of each hidden layer of generator and discriminator"},
    {"prior", HISS_CHOICE, offsetof(options, prior), "uniform", 0, 0, "uniform|normal",
     "what z is drawn from: uniform on (-1, 1), or N(0, 1), a control, which leaves what the encoder can say"},
    {"joint", HISS_BOOL, offsetof(options, joint), "true", 0, 0, NULL,
     "show the discriminator pairs; false is a control, in which it sees images alone and nothing trains the encoder"},
};
static const int nrows = HISS_COUNT(rows);

/* Values of the graph of measures: images and what became of them. */
typedef struct measured_values {
    hiss_value image, rebuilt, made, made_rebuilt;
} measured_values;
enum { OWN, NEXT, MADE_OWN, MADE_NEXT, WIDTH };

typedef struct bigan {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
    measured_values measured;
} bigan;

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    bigan *a = hiss_new(bigan, 1);
    a->task = task;
    a->placement = placement;
    a->options = opts;
    *self = a;
    return objective_expect_unit_pixels("bigan", task, false, NULL, err);
}

static void destroy(void *self) {
    hiss_free(self);
}

static int64_t pixel_count(const bigan *a) {
    return a->task->H * a->task->W * a->task->C;
}

/* ---- the three networks ---- */

/* E, whose weights start as those of the others do. Without BatchNorm its codes lie at the ends of (-1, 1). */
static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const bigan *a = self;
    hiss_value x = -1;
    b->group = GENERATOR;
    b->deviation = &deviation;
    hiss_status s = objective_encoder_head(a->task, b, image, "latent", a->options->latent, false, taps, &x, err);
    b->deviation = NULL;
    if (s == HISS_OK) {
        x = hiss_layer_batch_norm(b, "latent/norm", x);
        x = hiss_graph_tanh(b->graph, hiss_graph_scale(b->graph, x, 0.5)); /* 2 sigmoid(x) - 1 */
        s = hiss_network_end(a->task->network, b, "latent", x, taps, err);
    }
    return s;
}

/* G: z [m,K] -> pixels [m,D] in 0..1. */
static hiss_value generate(const bigan *a, hiss_builder *b, hiss_value z) {
    hiss_graph *g = b->graph;
    const int64_t hidden = a->options->hidden;
    b->group = GENERATOR;
    b->deviation = &deviation;
    hiss_value x = hiss_layer_linear(b, "generator1", z, hidden, false);
    x = hiss_graph_relu(g, hiss_layer_batch_norm(b, "generator1/norm", x));
    x = hiss_layer_linear(b, "generator2", x, hidden, false);
    x = hiss_graph_add(g, x, hiss_layer_linear(b, "generator2_latent", z, hidden, false));
    x = hiss_graph_relu(g, hiss_layer_batch_norm(b, "generator2/norm", x));
    x = hiss_graph_sigmoid(g, hiss_layer_linear(b, "generator3", x, pixel_count(a), true));
    b->deviation = NULL;
    return x;
}

/* Logits [m,1] that pairs of pixels [m,D] and latents [m,K] are of the data. */
static hiss_value discriminate(const bigan *a, hiss_builder *b, hiss_value image, hiss_value z) {
    hiss_graph *g = b->graph;
    const int64_t hidden = a->options->hidden;
    b->group = DISCRIMINATOR;
    b->deviation = &deviation;
    hiss_value x = hiss_layer_linear(b, "discriminator1", image, hidden, false);
    x = hiss_layer_linear(b, "discriminator2", hiss_graph_leaky_relu(g, x, slope), hidden, false);
    if (a->options->joint) {
        x = hiss_graph_add(g, x, hiss_layer_linear(b, "discriminator2_latent", z, hidden, false));
    }
    x = hiss_graph_leaky_relu(g, hiss_layer_batch_norm(b, "discriminator2/norm", x), slope);
    b->deviation = &none;
    x = hiss_layer_linear(b, "discriminator3", x, 1, true);
    b->deviation = NULL;
    return x;
}

/* ---- a step ---- */

typedef struct pairs {
    hiss_value image, code, made, z; /* [m,D], [m,K] */
} pairs;

/* The mean of both losses; `of_data` is what D ought to say of the data. */
static hiss_value mean_loss(hiss_graph *g, hiss_value data, hiss_value made, bool of_data) {
    return hiss_graph_scale(
        g, hiss_graph_add(g, objective_adversary_loss(g, data, of_data), objective_adversary_loss(g, made, !of_data)),
        0.5);
}

/* D learns from pairs that stand still. */
static hiss_value discriminator_loss(const bigan *a, hiss_builder *b, const pairs *p) {
    hiss_graph *g = b->graph;
    const hiss_value data = discriminate(a, b, p->image, hiss_graph_stop_gradient(g, p->code)),
                     made = discriminate(a, b, hiss_graph_stop_gradient(g, p->made), p->z);
    const hiss_value loss = mean_loss(g, data, made, true);
    hiss_layer_metric(b, "score_of_data", objective_adversary_score(g, data));
    hiss_layer_metric(b, "score_of_made", objective_adversary_score(g, made));
    return loss;
}

/* G and E learn through a D that stands still. */
static hiss_value generator_loss(const bigan *a, hiss_builder *b, const pairs *p) {
    const unsigned trained = b->trained_groups;
    b->trained_groups &= ~(1u << DISCRIMINATOR);
    const hiss_value data = discriminate(a, b, p->image, p->code), made = discriminate(a, b, p->made, p->z);
    b->trained_groups = trained;
    return mean_loss(b->graph, data, made, false);
}

/* Rows first, first + 1 ... of x [m,...], from row 0 on again behind the last. */
static hiss_value take(const bigan *a, hiss_graph *g, hiss_value x, int64_t first, int64_t count) {
    const int64_t m = a->placement->m;
    float *which = hiss_new(float, count *m);
    for (int64_t i = 0; i < count; i++) {
        which[i * m + (first + i) % m] = 1.0f;
    }
    const hiss_value taken =
        hiss_graph_linear_transposed(g, hiss_graph_constant(g, HISS_SHAPE(count, m), which), x, -1);
    hiss_free(which);
    return taken;
}

/* Mean squared distances of G(E(x)) to x and to the next image of the lane, over its first images. No gradient passes. */
static void add_distances(const bigan *a, hiss_builder *b, const pairs *p) {
    hiss_graph *g = b->graph;
    const int64_t count = a->placement->m < MOST_DISTANCES ? a->placement->m : MOST_DISTANCES;
    const unsigned trained = b->trained_groups;
    b->trained_groups = 0;
    const hiss_value rebuilt = generate(a, b, take(a, g, hiss_graph_stop_gradient(g, p->code), 0, count));
    b->trained_groups = trained;
    const double each = 1.0 / (double)count;
    hiss_layer_metric(b, "distance2_own", hiss_graph_squared_loss(g, rebuilt, take(a, g, p->image, 0, count), each));
    hiss_layer_metric(b, "distance2_next", hiss_graph_squared_loss(g, rebuilt, take(a, g, p->image, 1, count), each));
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    const bigan *a = self;
    hiss_graph *g = b->graph;
    hiss_value image = -1;
    pairs p = {.z = hiss_graph_input(g, "noise", HISS_SHAPE(a->placement->m, a->options->latent))};
    const hiss_status s = objective_encoder_on_samples(encode, self, a->task, a->placement->m, b, &image, &p.code, err);
    if (s != HISS_OK) {
        return s;
    }
    p.image = hiss_graph_flatten(g, image);
    p.made = generate(a, b, p.z);
    const hiss_value fools = generator_loss(a, b, &p), tells = discriminator_loss(a, b, &p);
    const hiss_value loss = hiss_graph_add(g, tells, fools);
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "discriminator_loss", tells);
    hiss_layer_metric(b, "generator_loss", fools);
    add_distances(a, b, &p);
    return hiss_graph_status(g, err);
}

static void draw(const bigan *a, const hiss_lane *lane, int64_t i, hiss_rng rng) {
    float *z = hiss_lane_values(lane, hiss_graph_input_named(lane->graph, "noise"), i);
    if (a->options->prior == NORMAL) {
        hiss_rng_normals(&rng, a->options->latent, z);
        return;
    }
    for (int64_t k = 0; k < a->options->latent; k++) {
        z[k] = hiss_rng_between(&rng, -1.0f, 1.0f);
    }
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const bigan *a = self;
    hiss_lane_default_sample(lane, i);
    draw(a, lane, i, hiss_rng_keyed(a->task->seed, HISS_FOR_NOISE, lane->step, lane->batch->sample[i]));
}

/* ---- images ---- */

/* G(E(x)), in the shape of x. */
static hiss_status reconstruct(void *self, hiss_builder *b, hiss_value image, hiss_value *rebuilt, hiss_error *err) {
    hiss_taps taps = {0};
    const hiss_status s = encode(self, b, image, &taps, err);
    if (s != HISS_OK) {
        return s;
    }
    *rebuilt =
        hiss_graph_reshape(b->graph, generate(self, b, hiss_taps_last(&taps)), hiss_graph_shape(b->graph, image));
    return hiss_graph_status(b->graph, err);
}

/* G(z), in the shape of images. */
static hiss_value make(const bigan *a, hiss_builder *b, int64_t m) {
    const hiss_task *t = a->task;
    const hiss_value z = hiss_graph_input(b->graph, "noise", HISS_SHAPE(m, a->options->latent));
    return hiss_graph_reshape(b->graph, generate(a, b, z), HISS_SHAPE(m, t->H, t->W, t->C));
}

static hiss_status generation_build(void *self, hiss_builder *b, int64_t m, hiss_value *image, hiss_error *err) {
    *image = make(self, b, m);
    return hiss_graph_status(b->graph, err);
}

static void generation_noise(void *self, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t wanted) {
    (void)wanted;
    draw(self, lane, i, hiss_rng_keyed(seed, HISS_FOR_EVALUATION, DRAW_OF_LATENT, lane->batch->sample[i]));
}

/* ---- what evaluation measures ---- */

static int64_t width(void *self) {
    (void)self;
    return WIDTH;
}

static hiss_status measure_build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    bigan *a = self;
    const hiss_task *t = a->task;
    measured_values *v = &a->measured;
    v->image = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    hiss_status s = reconstruct(self, b, v->image, &v->rebuilt, err);
    if (s == HISS_OK) {
        v->made = make(a, b, m);
        s = reconstruct(self, b, v->made, &v->made_rebuilt, err);
    }
    const hiss_value kept[] = {v->image, v->rebuilt, v->made, v->made_rebuilt};
    for (int k = 0; k < HISS_COUNT(kept) && s == HISS_OK; k++) {
        hiss_graph_keep(b->graph, kept[k]);
    }
    return s == HISS_OK ? hiss_graph_status(b->graph, err) : s;
}

static void measure_sample(void *self, const hiss_lane *lane, int64_t i) {
    const bigan *a = self;
    hiss_lane_default_sample(lane, i);
    draw(a, lane, i, hiss_rng_keyed(a->task->seed, HISS_FOR_EVALUATION, DRAW_OF_MEASURES, lane->batch->sample[i]));
}

static float distance(int64_t D, const float *x, const float *y) {
    double square = 0.0;
    for (int64_t k = 0; k < D; k++) {
        square += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
    }
    return (float)sqrt(square);
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const bigan *a = self;
    const measured_values *v = &a->measured;
    const int64_t D = pixel_count(a), next = (i + 1) % lane->batch->m;
    const float *rebuilt = hiss_lane_values(lane, v->rebuilt, i),
                *made_rebuilt = hiss_lane_values(lane, v->made_rebuilt, i);
    out[OWN] = distance(D, rebuilt, hiss_lane_values(lane, v->image, i));
    out[NEXT] = distance(D, rebuilt, hiss_lane_values(lane, v->image, next));
    out[MADE_OWN] = distance(D, made_rebuilt, hiss_lane_values(lane, v->made, i));
    out[MADE_NEXT] = distance(D, made_rebuilt, hiss_lane_values(lane, v->made, next));
}

static void say(const hiss_measured *m, const char *group, const char *name, const char *heading, const char *unit,
                double value, double spread) {
    m->number(m->say, &(hiss_measure){.name = name,
                                      .group = group,
                                      .heading = heading,
                                      .unit = unit,
                                      .value = value,
                                      .spread = spread,
                                      .baseline = NAN,
                                      .samples = m->test});
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    static const char *const group[] = {"test images and what G makes of their codes",
                                        "made images and what G makes of their codes"};
    static const char *const name[][3] = {{"distance_own", "distance_next", "reconstruction_ratio"},
                                          {"made_distance_own", "made_distance_next", "made_ratio"}};
    (void)self;
    (void)err;
    for (int k = 0; k < 2; k++) {
        const double *mean = m->test_mean + 2 * k, *spread = m->test_deviation + 2 * k;
        say(m, group[k], name[k][0], "to itself", "L2", mean[OWN], spread[OWN]);
        say(m, group[k], name[k][1], "to the next", "L2", mean[NEXT], spread[NEXT]);
        say(m, group[k], name[k][2], "ratio", "", mean[OWN] / mean[NEXT], NAN);
    }
    m->remark(m->say,
              "distances are in pixels of 0..1; the next image is that after it in the batch: a ratio of 1 says "
              "that codes know nothing of the image");
    return HISS_OK;
}

/* ---- reports ---- */

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    (void)self;
    const double own = hiss_named_value(metrics, nmetrics, "distance2_own"),
                 next = hiss_named_value(metrics, nmetrics, "distance2_next");
    out[0] = (hiss_named){"reconstruction_ratio", sqrt(own / next)};
    return next > 0.0;
}

static void describe(void *self, char *line, size_t size) {
    const bigan *a = self;
    snprintf(line, size, "bigan: latent of %" PRId64 " dimensions, %s, hidden layers of %" PRId64 "%s",
             a->options->latent, a->options->prior == NORMAL ? "normal (control)" : "uniform", a->options->hidden,
             a->options->joint ? "" : ", discriminator of images alone (control)");
}

static const char *const groups[] = {"generator", "discriminator", NULL};
static const hiss_input_ops input = {.sample = sample};
static const hiss_report_ops report = {.derive = derive, .describe = describe};
static const hiss_measure_ops measures = {
    .width = width, .build = measure_build, .sample = measure_sample, .measure = measure, .conclude = conclude};
static const hiss_generation_ops generation = {.build = generation_build, .noise = generation_noise};

const hiss_objective_ops objective_bigan = {
    .name = "bigan",
    .summary = "adversarial feature learning: a generator, and an encoder that inverts it, against a discriminator",
    .sections = {{"bigan", rows, &nrows, 0}},
    .options_bytes = sizeof(options),
    .sizes = "bigan.hidden, bigan.latent",
    .unit_pixels = objective_needs_unit_pixels,
    .groups = groups,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .reconstruct = reconstruct,
    .measure = &measures,
    .generation = &generation,
};
