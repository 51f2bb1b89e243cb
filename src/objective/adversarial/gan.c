/* Generative adversarial network: a generator G makes images of noise z, and a discriminator D tells them from those of
 * the data. Each step has two phases, with an optimiser each:
 *     discriminator   minimise  -mean log D(x) - mean log(1 - D(G(z)))
 *     generator       minimise  -mean log D(G(z'))
 * with z and z' from N(0, 1). The generator's loss is the one that does not saturate: log(1 - D) has no gradient where D is
 * sure, which it is at first. (Goodfellow et al., "Generative adversarial nets", NIPS 2014, algorithm 1 and section 3;
 * networks of Radford, Metz & Chintala, ICLR 2016.)
 *
 * The second phase sees the discriminator that the first one has left, and draws a noise of its own. Images of the data and
 * made ones pass the discriminator apart, so that BatchNorm normalises each by their own statistics: in one batch they
 * would tell each other what they are. The generator's phase normalises by statistics of the lane as well, in both
 * networks, and records those of the generator alone. Images outside of training are made with running statistics, so
 * that none depends on its neighbours.
 *
 * `conditional`: both networks know the class y of each sample. The generator gets it beside z, one value for each class;
 * the discriminator's logit is w h + V_y h of its last layer h (Mirza & Osindero, 2014; the product is that of Miyato &
 * Koyama, "cGANs with projection discriminator", ICLR 2018, eq. 3). h knows nothing of the class, so an image can
 * be encoded without.
 *
 * A generator that has collapsed makes few different images. `diversity` is the mean square by which made images of a
 * lane differ from their mean, over that of the images of the data; where classes are known, from the mean of their class.
 *
 * Layers start with weights that are several times as large as DCGAN's, of deviation 0.02. Adam moves both by the same
 * amount, so learning rates are larger here, above all the generator's.
 *
 * `discriminator: network` puts the layers of section network in place of DCGAN's, so that D is an encoder like those of
 * other methods.
 *
 * `deviation: 0` is the control: z is always 0, and there is one image, or one of each class. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/adversary.h"
#include "objective/parts/condition.h"
#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"

enum { DISCRIMINATOR_STEP, GENERATOR_STEP, PHASES };
enum { GENERATOR, DISCRIMINATOR }; /* groups */
enum { DISCRIMINATOR_LAYERS = 2 };
enum { OWN, NETWORK };          /* gan.discriminator */
enum { DRAW_OF_LATENT = 2100 }; /* when, of evaluation's streams */

static const double collapsed = 0.2; /* the diversity below which a run is told to have collapsed */

typedef struct options {
    int64_t latent, width;
    double deviation;
    bool conditional;
    int discriminator;
} options;

static const hiss_row rows[] = {
    {"latent", HISS_INT, offsetof(options, latent), "100", 1, 1 << 16, NULL, "dimensions of the noise"},
    {"width", HISS_INT, offsetof(options, width), "32", 1, 1 << 12, NULL,
     "filters of the outermost layers of generator and discriminator; the next have twice as many"},
    {"discriminator", HISS_CHOICE, offsetof(options, discriminator), "own", 0, 0, "own|network",
     "own: convolutions of gan.width; network: the layers of section network"},
    {"conditional", HISS_BOOL, offsetof(options, conditional), "false", 0, 0, NULL,
     "make images of a class that is asked for; needs labels"},
    {"deviation", HISS_FLOAT, offsetof(options, deviation), "1", 0, 1e3, NULL,
     "standard deviation of the noise; 0 is a control, in which there is none"},
};
static const int nrows = HISS_COUNT(rows);

typedef struct gan {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
} gan;

static const char *needs_labels(const void *opts) {
    return ((const options *)opts)->conditional ? "gan.conditional" : NULL;
}

static bool own_layers(const void *opts) {
    return ((const options *)opts)->discriminator == OWN;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    gan *a = hiss_new(gan, 1);
    a->task = task;
    a->placement = placement;
    a->options = opts;
    *self = a;
    if (task->network->layers && own_layers(opts)) {
        return hiss_fail_key(err, HISS_EUSER, "network.layers",
                             "gan makes its own layers, of gan.width; leave network.layers out, as with --set "
                             "network.layers=null, or make them the discriminator's: gan.discriminator network");
    }
    if (a->options->conditional && task->classes < 2) {
        return hiss_fail_key(err, HISS_EUSER, "gan.conditional",
                             "true needs labels of at least 2 classes, found %" PRId64
                             "; set data.labels, or gan.conditional false",
                             task->classes);
    }
    const hiss_status s = objective_expect_quarters("gan", task, err);
    return s == HISS_OK ? objective_expect_unit_pixels("gan", task, false, NULL, err) : s;
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- the graphs ---- */

/* Inputs "latent", and "class" of ones at the place of a sample's class; *condition is -1 without. */
static hiss_value inputs(const gan *a, hiss_graph *g, int64_t m, hiss_value *condition) {
    const hiss_value z = hiss_graph_input(g, "latent", HISS_SHAPE(m, a->options->latent));
    *condition = objective_condition(a->task, a->options->conditional, g, m);
    return z;
}

static hiss_value generate(const gan *a, hiss_builder *b, hiss_value z, hiss_value condition) {
    const hiss_value known[] = {z, condition};
    b->group = GENERATOR;
    return objective_generator(a->task, b, a->options->conditional ? hiss_graph_concat(b->graph, 2, known) : z,
                               a->options->width);
}

/* What the discriminator makes of images, before its logit: [m, ...]. */
static hiss_status look(const gan *a, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_value *h,
                        hiss_error *err) {
    b->group = DISCRIMINATOR;
    taps->count = 0;
    return a->options->discriminator == NETWORK ? objective_encoder_rows(a->task, b, image, taps, h, err)
                                                : objective_discriminator(b, "discriminator", image, a->options->width,
                                                                          DISCRIMINATOR_LAYERS, taps, h, err);
}

/* Logits [m,1] that images are of the data. */
static hiss_status discriminate(const gan *a, hiss_builder *b, hiss_value image, hiss_value condition,
                                hiss_value *logits, hiss_error *err) {
    hiss_graph *g = b->graph;
    hiss_value h = -1;
    hiss_taps *taps = hiss_new(hiss_taps, 1);
    const hiss_status s = look(a, b, image, taps, &h, err);
    hiss_free(taps);
    if (s != HISS_OK) {
        return s;
    }
    h = hiss_graph_flatten(g, h);
    *logits = hiss_layer_linear(b, "real", h, 1, true);
    if (a->options->conditional) {
        const int64_t D = hiss_graph_shape(g, h).dim[1];
        const hiss_value of_class = hiss_layer_linear(b, "real_of_class", condition, D, false);
        const hiss_value ones = hiss_graph_filled(g, HISS_SHAPE(1, D), 1.0f);
        *logits = hiss_graph_add(g, *logits, hiss_graph_linear(g, hiss_graph_multiply(g, h, of_class), ones, -1));
    }
    return hiss_graph_status(g, err);
}

static hiss_status build_discriminator_step(const gan *a, hiss_builder *b, hiss_error *err) {
    hiss_graph *g = b->graph;
    const hiss_task *t = a->task;
    const int64_t m = a->placement->m;
    hiss_value condition = -1, real = -1, made = -1;
    const hiss_value image = hiss_graph_input(g, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    const hiss_value z = inputs(a, g, m, &condition);
    const hiss_value means = a->options->conditional ? hiss_graph_input(g, "means", HISS_SHAPE(m, m))
                                                     : hiss_graph_filled(g, HISS_SHAPE(m, m), 1.0f / (float)m);
    const hiss_value image_made = hiss_graph_stop_gradient(g, generate(a, b, z, condition));
    hiss_status s = discriminate(a, b, image, condition, &real, err);
    s = s == HISS_OK ? discriminate(a, b, image_made, condition, &made, err) : s;
    if (s != HISS_OK) {
        return s;
    }
    const hiss_value loss =
        hiss_graph_add(g, objective_adversary_loss(g, real, true), objective_adversary_loss(g, made, false));
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "discriminator_loss", loss);
    hiss_layer_metric(b, "score_of_data", objective_adversary_score(g, real));
    hiss_layer_metric(b, "score_of_made", objective_adversary_score(g, made));
    hiss_layer_metric(b, "spread_of_data", objective_adversary_spread(g, image, means));
    hiss_layer_metric(b, "spread_of_made", objective_adversary_spread(g, image_made, means));
    return hiss_graph_status(g, err);
}

static hiss_status build_generator_step(const gan *a, hiss_builder *b, hiss_error *err) {
    hiss_value condition = -1, made = -1;
    const hiss_value z = inputs(a, b->graph, a->placement->m, &condition);
    const hiss_status s = discriminate(a, b, generate(a, b, z, condition), condition, &made, err);
    if (s == HISS_OK) {
        const hiss_value loss = objective_adversary_loss(b->graph, made, true);
        hiss_graph_loss(b->graph, loss);
        hiss_layer_metric(b, "generator_loss", loss);
    }
    return s == HISS_OK ? hiss_graph_status(b->graph, err) : s;
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    return phase == DISCRIMINATOR_STEP ? build_discriminator_step(self, b, err) : build_generator_step(self, b, err);
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    hiss_value h = -1;
    return look(self, b, image, taps, &h, err);
}

static unsigned trains(void *self, int phase) {
    (void)self;
    return 1u << (phase == DISCRIMINATOR_STEP ? DISCRIMINATOR : GENERATOR);
}

/* ---- what goes in ---- */

static void draw(const gan *a, const hiss_lane *lane, int64_t i, hiss_rng rng, int64_t wanted) {
    float *z = hiss_lane_values(lane, hiss_graph_input_named(lane->graph, "latent"), i);
    hiss_rng_normals(&rng, a->options->latent, z);
    for (int64_t k = 0; k < a->options->latent; k++) {
        z[k] *= (float)a->options->deviation;
    }
    if (a->options->conditional) {
        objective_set_condition(a->task, lane, i, wanted);
    }
}

/* The class that an image is to have is that of a sample, so that classes are as frequent as in the data. */
static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const gan *a = self;
    const hiss_batch *batch = lane->batch;
    hiss_lane_default_sample(lane, i);
    draw(a, lane, i, hiss_rng_keyed(a->task->seed, HISS_FOR_NOISE, lane->step, batch->sample[i] * PHASES + lane->phase),
         a->options->conditional ? batch->label[i] : 0);
}

/* For the spread of images: whose mean each is compared with. */
static void fill(void *self, const hiss_lane *lane) {
    const gan *a = self;
    const hiss_value means = hiss_graph_input_named(lane->graph, "means");
    const int64_t m = lane->batch->m;
    const int32_t *label = lane->batch->label;
    for (int64_t i = 0; i < m && a->options->conditional && means >= 0; i++) {
        float *row = hiss_lane_values(lane, means, i);
        int64_t alike = 0;
        for (int64_t j = 0; j < m; j++) {
            alike += label[j] == label[i];
        }
        for (int64_t j = 0; j < m; j++) {
            row[j] = label[j] == label[i] ? 1.0f / (float)alike : 0.0f;
        }
    }
}

/* ---- images ---- */

static int64_t classes(void *self) {
    const gan *a = self;
    return a->options->conditional ? a->task->classes : 0;
}

static hiss_status generation_build(void *self, hiss_builder *b, int64_t m, hiss_value *image, hiss_error *err) {
    hiss_value condition = -1;
    const hiss_value z = inputs(self, b->graph, m, &condition);
    *image = generate(self, b, z, condition);
    return hiss_graph_status(b->graph, err);
}

static void generation_noise(void *self, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t wanted) {
    draw(self, lane, i, hiss_rng_keyed(seed, HISS_FOR_EVALUATION, DRAW_OF_LATENT, lane->batch->sample[i]), wanted);
}

/* ---- reports ---- */

static bool diversity_of(const hiss_named *metrics, int nmetrics, double *out) {
    const double data = hiss_named_value(metrics, nmetrics, "spread_of_data");
    *out = hiss_named_value(metrics, nmetrics, "spread_of_made") / data;
    return data > 0.0;
}

static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    (void)self;
    out[0] = (hiss_named){.name = "diversity"};
    return diversity_of(metrics, nmetrics, &out[0].value) ? 1 : 0;
}

static bool concern(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const gan *a = self;
    double diversity = 1.0;
    const bool known = diversity_of(metrics, nmetrics, &diversity);
    snprintf(line, size,
             "the generator has collapsed to few images: made images%s differ from each other by %.3f of what those of "
             "the data do (diversity); %s",
             a->options->conditional ? " of a class" : "", diversity,
             a->options->deviation > 0.0 ? "lower optim.lr, set optim.beta1 to 0.5, or choose another seed"
                                         : "that is what gan.deviation 0, a control, leads to");
    return known && diversity < collapsed;
}

static void describe(void *self, char *line, size_t size) {
    const gan *a = self;
    snprintf(line, size, "gan: images of %" PRId64 " x %" PRId64 " out of noise of %" PRId64 " dimensions%s%s",
             a->task->H, a->task->W, a->options->latent,
             a->options->conditional ? " and the class that is asked for" : "",
             a->options->deviation == 0.0 ? ", which is 0 (control)" : "");
    if (a->placement && a->placement->m < 2) {
        const size_t used = strlen(line);
        snprintf(line + used, size - used,
                 "; diversity, by which a collapse is told, is left out: it compares the images of a lane, and "
                 "train.lane_samples is 1");
    }
}

static const char *const groups[] = {"generator", "discriminator", NULL};
static const hiss_input_ops input = {.sample = sample, .fill = fill};
static const hiss_phase_ops phase = {.trains = trains};
static const hiss_report_ops report = {.derive = derive, .concern = concern, .describe = describe};
static const hiss_generation_ops generation = {
    .classes = classes, .build = generation_build, .noise = generation_noise};

const hiss_objective_ops objective_gan = {
    .name = "gan",
    .summary = "generative adversarial network: images out of noise, against a discriminator",
    .sections = {{"gan", rows, &nrows, 0}},
    .options_bytes = sizeof(options),
    .sizes = "gan.width, gan.latent",
    .needs_labels = needs_labels,
    .unit_pixels = objective_needs_unit_pixels,
    .own_layers = own_layers,
    .phases = PHASES,
    .groups = groups,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .phase = &phase,
    .report = &report,
    .generation = &generation,
};
