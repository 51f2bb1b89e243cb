/* Exemplar classification: each training image, a seed, is a class of its own, and its random transformations are the
 * samples of that class.
 *
 * With N seeds x_k and transformations T drawn anew for each sample, the network f and a linear layer (w, b) of N outputs
 * minimise
 *
 *     E_k E_T  -log softmax_k (w f(T x_k) + b)
 *
 * so f must tell every two seeds apart, and must not see what T changes. The transformations are those of section augment:
 * translation, scale, rotation, contrast. There is one view of each seed in an epoch; the paper makes a fixed set of about
 * 100 of each.
 *
 * The linear layer is for training alone: what is evaluated is f. It has N rows on every rank, and so do its gradient and
 * its optimiser state.
 *
 * The task does not scale. The more seeds, the more pairs of them are alike; telling these apart asks f for what is
 * particular to an image, where the classes of people want what images share.
 *
 * Dosovitskiy, Springenberg, Riedmiller & Brox, "Discriminative Unsupervised Feature Learning with Convolutional Neural
 * Networks", NIPS 2014, eq. 1-5. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "objective/parts/encoder.h"

enum { TRANSFORM_AUGMENT, TRANSFORM_NONE };
static const int64_t most_seeds = 1 << 20; /* beyond, the linear layer alone would take gigabytes */

typedef struct options {
    int transform;
} options;

static const hiss_row rows[] = {
    {"transform", HISS_CHOICE, offsetof(options, transform), "augment", 0, 0, "augment|none",
     "what makes samples of a seed: section augment; none is a control, where a sample is the seed itself"},
};
static const int nrows = HISS_COUNT(rows);

typedef struct exemplar {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: only encode() will be called */
    const options *options;
} exemplar;

static hiss_status expect_seeds(const hiss_placement *placement, hiss_error *err) {
    if (placement->samples >= 2 && placement->samples <= most_seeds) {
        return HISS_OK;
    }
    return hiss_fail_key(err, HISS_EUSER, "data.limit",
                         "exemplar makes a class of each training image, and takes 2 to %lld of them, found %lld; set "
                         "data.limit to so many",
                         (long long)most_seeds, (long long)placement->samples);
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    exemplar *e = hiss_new(exemplar, 1);
    *e = (exemplar){.task = task, .placement = placement, .options = opts};
    *self = e;
    return placement ? expect_seeds(placement, err) : HISS_OK;
}

static void destroy(void *self) {
    hiss_free(self);
}

/* The network, whose last named place is the output. One without names gets one. */
static hiss_status features(const exemplar *e, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_value *out,
                            hiss_error *err) {
    const hiss_status s = objective_encoder_rows(e->task, b, image, taps, out, err);
    return s == HISS_OK && taps->count == 0 ? hiss_network_end(e->task->network, b, "features", *out, taps, err) : s;
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    hiss_value x = -1;
    return features(self, b, image, taps, &x, err);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    const exemplar *e = self;
    const hiss_task *t = e->task;
    const int64_t m = e->placement->m;
    const hiss_value image = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    hiss_taps taps = {0};
    hiss_value x = -1;
    hiss_status s = features(e, b, image, &taps, &x, err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_value scores = hiss_layer_linear(b, "seeds", x, e->placement->samples, true);
    s = hiss_network_end(t->network, b, "seeds", scores, &taps, err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_value loss =
        hiss_graph_softmax_cross_entropy(b->graph, scores, hiss_graph_input_labels(b->graph, "seed", m));
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(b->graph, err);
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const exemplar *e = self;
    hiss_lane seen = *lane;
    if (e->options->transform == TRANSFORM_NONE) {
        seen.view = HISS_VIEW_CENTER;
    }
    hiss_lane_default_sample(&seen, i);
    int32_t *seed = (int32_t *)hiss_exec_data(lane->exec, hiss_graph_input_named(lane->graph, "seed"));
    seed[i] = (int32_t)lane->batch->sample[i];
}

/* Geometric mean of the probability that a sample's own seed gets. */
static int derive(void *self, const hiss_named *metrics, int nmetrics, hiss_named out[HISS_MAX_DERIVED]) {
    (void)self;
    out[0] = (hiss_named){"own_seed_probability", exp(-hiss_named_value(metrics, nmetrics, "loss"))};
    return 1;
}

/* Scores that do not look at the image lose ln N. */
static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const exemplar *e = self;
    const double loss = hiss_named_value(metrics, nmetrics, "loss"), chance = log((double)e->placement->samples);
    snprintf(line, size, "the mean loss was %.4f, where guessing one of %lld seeds gives %.4f", loss,
             (long long)e->placement->samples, chance);
    return !(loss <= chance);
}

static bool draws(const hiss_augment_options *o) {
    return o->shift > 0 || o->scale_min < o->scale_max || o->rotate > 0 || o->flip || o->contrast > 0 || o->crop != 0;
}

static void describe(void *self, char *line, size_t size) {
    const exemplar *e = self;
    snprintf(line, size, "exemplar: %lld seeds, each a class of %s", (long long)e->placement->samples,
             e->options->transform == TRANSFORM_NONE ? "itself alone"
             : draws(e->task->augment)               ? "its views"
                                                     : "itself alone, for section augment draws nothing");
}

static const hiss_input_ops input = {.sample = sample};
static const hiss_report_ops report = {.derive = derive, .below_chance = below_chance, .describe = describe};

const hiss_objective_ops objective_exemplar = {
    .name = "exemplar",
    .summary = "tell each training image, in random views, from all others",
    .sections = {{"exemplar", rows, &nrows, 0}},
    .options_bytes = sizeof(options),
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
};
