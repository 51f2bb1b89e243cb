/* Deep Boltzmann machine of two hidden layers of binary units, on binary pixels v:
 *     p(v, h1, h2) = exp(-E) / Z,   -E = b v + c1 h1 + c2 h2 + h1 W1 v + h2 W2 h1.
 * (Salakhutdinov & Hinton, "Deep Boltzmann Machines", AISTATS 2009.)
 *
 * The gradient of -log p(v) is that of E where v is given less that of E under the model. For the first, the posterior
 * of the hidden units is approximated by independent ones of means mu1 and mu2, found by a fixed number of updates of
 * one layer after the other (mean field), which maximise a lower bound of log p(v). For the second, each lane runs m
 * Markov chains, which go on from step to step while the parameters move slowly (persistent contrastive divergence:
 * Tieleman, "Training restricted Boltzmann machines using approximations to the likelihood gradient", ICML 2008). The
 * loss is E(v, mu) - E(chain), with the units held fixed: its gradient is the update. E is bilinear, so means stand for
 * their units; in the chain's E the first layer is its mean given the others, which has less variance than a draw.
 *
 * Given the first hidden layer, the pixels and the second layer are independent: it alone is kept of a chain. Pixels
 * are drawn anew at each step with their grey values as probabilities.
 *
 * `chains: data` lets them begin at the data in each step (contrastive divergence). `chains: random` is the control: they
 * begin anywhere in each step, as persistent ones do in the first, and the model is taught what so few steps reach. */
#include "objective/energy/dbm.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"

enum { PERSISTENT, FROM_DATA, FROM_ANYWHERE };
enum { STREAM_PIXELS, STREAM_CHAIN, STREAM_START, STREAMS }; /* by sample; by lane and chain, as is the last */

static const hiss_row rows[] = {
    {"hidden1", HISS_INT, offsetof(dbm_options, hidden1), "256", 1, 1 << 20, NULL, "units of the first hidden layer"},
    {"hidden2", HISS_INT, offsetof(dbm_options, hidden2), "64", 1, 1 << 20, NULL, "units of the second hidden layer"},
    {"updates", HISS_INT, offsetof(dbm_options, updates), "10", 1, 1000, NULL,
     "mean-field updates of both hidden layers, given an image"},
    {"gibbs", HISS_INT, offsetof(dbm_options, gibbs), "5", 1, 1000, NULL,
     "steps of the Markov chains for each training step"},
    {"chains", HISS_CHOICE, offsetof(dbm_options, chains), "persistent", 0, 0, "persistent|data|random",
     "where they begin in a step: where they ended in the last one, at the data, or anywhere; the last is a control"},
    {"ais_chains", HISS_INT, offsetof(dbm_options, ais_chains), "100", 2, 1 << 20, NULL,
     HISS_OF_EVALUATION "chains that estimate the partition function"},
    {"ais_steps", HISS_INT, offsetof(dbm_options, ais_steps), "5000", 1, 1 << 24, NULL,
     HISS_OF_EVALUATION "temperatures they pass"},
};
static const int nrows = HISS_COUNT(rows);

#define WEIGHT_DEVIATION 0.01

int64_t energy_dbm_pixels(const dbm *d) {
    return d->task->H * d->task->W * d->task->C;
}

static int64_t chain_floats(const dbm *d) { /* of a lane */
    return d->placement->m * d->options->hidden1;
}

/* Chains begin anywhere. */
static void start_chains(dbm *d) {
    const hiss_placement *p = d->placement;
    const int64_t units = d->options->hidden1, first = p->first_lane * p->m, end = p->end_lane * p->m;
    d->chain = hiss_new(float, (end - first) * units);
    for (int64_t c = first; c < end; c++) {
        hiss_rng rng = hiss_rng_keyed(d->task->seed, HISS_FOR_NOISE, 0, c * STREAMS + STREAM_START);
        for (int64_t k = 0; k < units; k++) {
            d->chain[(c - first) * units + k] = hiss_rng_uniform(&rng) < 0.5f ? 1.0f : 0.0f;
        }
    }
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    dbm *d = hiss_new(dbm, 1);
    *d = (dbm){.task = task, .placement = placement, .options = opts, .start = -1, .end = -1, .first_noise = -1};
    *self = d;
    if (placement) {
        d->noise = hiss_new(struct dbm_noise, d->options->gibbs);
        if (d->options->chains == PERSISTENT) {
            start_chains(d);
        }
    }
    if (task->network->layers) {
        return hiss_fail_key(
            err, HISS_EUSER, "network.layers",
            "dbm has layers of its own, of dbm.hidden1 and dbm.hidden2 units; leave network.layers out, as with "
            "--set network.layers=null");
    }
    return objective_expect_unit_pixels("dbm", task, true, NULL, err);
}

static void destroy(void *self) {
    dbm *d = self;
    if (d) {
        hiss_free(d->noise);
        hiss_free(d->chain);
        hiss_free(d);
    }
}

/* ---- the graphs ---- */

static hiss_value parameter(hiss_builder *b, const char *name, hiss_shape shape, double deviation) {
    const hiss_slot slot = {.name = name,
                            .kind = HISS_SLOT_PARAMETER,
                            .shape = shape,
                            .group = b->group,
                            .decay = deviation > 0.0,
                            .deviation = deviation};
    const int number = hiss_model_slot(b->model, &slot);
    const bool trains = b->training && !hiss_model_at(b->model, number)->frozen && (b->trained_groups >> b->group & 1u);
    return hiss_graph_parameter(b->graph, number, shape, trains);
}

dbm_parameters energy_dbm_machine(const dbm *d, hiss_builder *b) {
    const int64_t D = energy_dbm_pixels(d), F1 = d->options->hidden1, F2 = d->options->hidden2;
    hiss_graph_scope(b->graph, "dbm");
    return (dbm_parameters){.W1 = parameter(b, "hidden1/weight", HISS_SHAPE(F1, D), WEIGHT_DEVIATION),
                            .W2 = parameter(b, "hidden2/weight", HISS_SHAPE(F2, F1), WEIGHT_DEVIATION),
                            .b = parameter(b, "visible/bias", HISS_SHAPE(D), 0.0),
                            .c1 = parameter(b, "hidden1/bias", HISS_SHAPE(F1), 0.0),
                            .c2 = parameter(b, "hidden2/bias", HISS_SHAPE(F2), 0.0)};
}

static hiss_value up2(hiss_graph *g, const dbm_parameters *p, hiss_value h1) {
    return hiss_graph_linear(g, h1, p->W2, p->c2);
}

/* What the first layer gets from both sides; from_below has its bias. */
static hiss_value middle(hiss_graph *g, const dbm_parameters *p, hiss_value from_below, hiss_value h2) {
    return hiss_graph_add(g, from_below, hiss_graph_linear_transposed(g, h2, p->W2, -1));
}

/* They start from a pass upwards, in which the first layer gets twice its input, for what the second does not say yet. */
void energy_dbm_mean_field(const dbm *d, hiss_graph *g, const dbm_parameters *p, dbm_units *at, hiss_value *in1) {
    *in1 = hiss_graph_linear(g, at->visible, p->W1, p->c1);
    at->hidden1 = hiss_graph_sigmoid(g, hiss_graph_scale(g, *in1, 2.0));
    at->hidden2 = hiss_graph_sigmoid(g, up2(g, p, at->hidden1));
    for (int64_t k = 0; k < d->options->updates; k++) {
        at->hidden1 = hiss_graph_sigmoid(g, middle(g, p, *in1, at->hidden2));
        at->hidden2 = hiss_graph_sigmoid(g, up2(g, p, at->hidden1));
    }
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    dbm_units at = {.visible = hiss_graph_flatten(b->graph, image)};
    const dbm_parameters p = energy_dbm_machine(self, b);
    hiss_value in1;
    taps->count = 0;
    energy_dbm_mean_field(self, b->graph, &p, &at, &in1);
    hiss_status s = hiss_graph_status(b->graph, err);
    s = s == HISS_OK ? hiss_taps_add(taps, "hidden1", at.hidden1, err) : s;
    return s == HISS_OK ? hiss_taps_add(taps, "hidden2", at.hidden2, err) : s;
}

static hiss_value draw(hiss_graph *g, const char *name, int64_t step, hiss_value logits, hiss_value *noise) {
    char text[48];
    snprintf(text, sizeof text, "noise.%s.%lld", name, (long long)step);
    *noise = hiss_graph_input(g, text, hiss_graph_shape(g, logits));
    return hiss_graph_less(g, *noise, hiss_graph_sigmoid(g, logits));
}

/* Steps of m chains from their first hidden layer h1, which becomes d->end; what they end at. */
static dbm_units run_chains(dbm *d, hiss_graph *g, const dbm_parameters *p, hiss_value h1) {
    dbm_units at = {0};
    for (int64_t k = 0; k < d->options->gibbs; k++) {
        struct dbm_noise *noise = &d->noise[k];
        at.visible = draw(g, "visible", k, hiss_graph_linear_transposed(g, h1, p->W1, p->b), &noise->visible);
        at.hidden2 = draw(g, "hidden2", k, up2(g, p, h1), &noise->hidden2);
        at.hidden1 = middle(g, p, hiss_graph_linear(g, at.visible, p->W1, p->c1), at.hidden2);
        h1 = draw(g, "hidden1", k, at.hidden1, &noise->hidden1);
    }
    at.hidden1 = hiss_graph_sigmoid(g, at.hidden1);
    d->end = h1;
    return at;
}

/* Sum of the elements of x. */
static hiss_value sum(hiss_graph *g, hiss_value x) {
    const hiss_shape shape = hiss_graph_shape(g, x), row = HISS_SHAPE(1, hiss_shape_count(&shape));
    return hiss_graph_reshape(
        g, hiss_graph_linear(g, hiss_graph_reshape(g, x, row), hiss_graph_filled(g, row, 1.0f), -1), HISS_SHAPE(1));
}

static hiss_value fixed(hiss_graph *g, hiss_value x, double scale) {
    return hiss_graph_stop_gradient(g, hiss_graph_scale(g, x, scale));
}

/* scale * sum of E over m states, in which the units are fixed. logits: of the pixels given the first layer. */
static hiss_value energy(const dbm *d, hiss_graph *g, const dbm_parameters *p, dbm_units at, double scale,
                         hiss_value *logits) {
    const hiss_value h1 = hiss_graph_stop_gradient(g, at.hidden1), h2 = hiss_graph_stop_gradient(g, at.hidden2);
    const hiss_value c2 = hiss_graph_reshape(g, p->c2, HISS_SHAPE(1, d->options->hidden2));
    *logits = hiss_graph_linear_transposed(g, h1, p->W1, p->b);
    const hiss_value pixels = sum(g, hiss_graph_multiply(g, *logits, fixed(g, at.visible, -scale))); /* W1 and b */
    const hiss_value hidden = sum(g, hiss_graph_multiply(g, hiss_graph_linear_transposed(g, h2, p->W2, p->c1),
                                                         fixed(g, at.hidden1, -scale))); /* W2 and c1 */
    const hiss_value last = sum(g, hiss_graph_linear(g, fixed(g, at.hidden2, -scale), c2, -1));
    return hiss_graph_add(g, hiss_graph_add(g, pixels, hidden), last);
}

static hiss_value chain_start(dbm *d, hiss_graph *g, hiss_value mu1) {
    const hiss_shape shape = HISS_SHAPE(d->placement->m, d->options->hidden1);
    if (d->options->chains != PERSISTENT) {
        d->first_noise = hiss_graph_input(g, "noise.start", shape);
        return hiss_graph_less(g, d->first_noise,
                               d->options->chains == FROM_DATA ? mu1 : hiss_graph_filled(g, shape, 0.5f));
    }
    return d->start = hiss_graph_input(g, "chain", shape);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    dbm *d = self;
    hiss_graph *g = b->graph;
    const hiss_task *t = d->task;
    const int64_t m = d->placement->m;
    const double each = 1.0 / (double)m;
    const dbm_parameters p = energy_dbm_machine(d, b);
    const hiss_value image = hiss_graph_input(g, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    dbm_units data = {.visible = hiss_graph_flatten(g, image)};
    hiss_value in1, logits, others;
    energy_dbm_mean_field(d, g, &p, &data, &in1);
    const dbm_units model = run_chains(d, g, &p, chain_start(d, g, data.hidden1));
    const hiss_value loss =
        hiss_graph_add(g, energy(d, g, &p, data, each, &logits), energy(d, g, &p, model, -each, &others));
    hiss_graph_keep(g, d->end);
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "reconstruction", hiss_graph_sigmoid_cross_entropy(g, logits, data.visible, each));
    return hiss_graph_status(g, err);
}

/* ---- what goes in, and what stays ---- */

static float *row_of(const hiss_lane *lane, hiss_value value, int64_t i, int64_t width) {
    return hiss_exec_data(lane->exec, value) + i * width;
}

static float *chains_of(const dbm *d, const hiss_lane *lane) {
    return d->chain + (lane->lane - d->placement->first_lane) * chain_floats(d);
}

/* Chain i of the lane: where it is, and the numbers it draws by. */
static void fill_chain(const dbm *d, const hiss_lane *lane, int64_t i) {
    const dbm_options *o = d->options;
    const int64_t D = energy_dbm_pixels(d), F1 = o->hidden1, F2 = o->hidden2;
    const int64_t id = (lane->lane * d->placement->m + i) * STREAMS + STREAM_CHAIN;
    hiss_rng rng = hiss_rng_keyed(d->task->seed, HISS_FOR_NOISE, lane->step, id);
    if (o->chains == PERSISTENT) {
        memcpy(row_of(lane, d->start, i, F1), chains_of(d, lane) + i * F1, sizeof(float) * (size_t)F1);
    } else {
        hiss_rng_uniforms(&rng, F1, row_of(lane, d->first_noise, i, F1));
    }
    for (int64_t k = 0; k < o->gibbs; k++) {
        hiss_rng_uniforms(&rng, D, row_of(lane, d->noise[k].visible, i, D));
        hiss_rng_uniforms(&rng, F2, row_of(lane, d->noise[k].hidden2, i, F2));
        hiss_rng_uniforms(&rng, F1, row_of(lane, d->noise[k].hidden1, i, F1));
    }
}

void energy_dbm_draw_pixels(hiss_rng rng, int64_t count, float *pixel) {
    for (int64_t k = 0; k < count; k++) {
        pixel[k] = hiss_rng_uniform(&rng) < pixel[k] ? 1.0f : 0.0f;
    }
}

/* In a feature pass images are grey: the mean of what is drawn. */
static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const dbm *d = self;
    const int64_t D = energy_dbm_pixels(d), id = lane->batch->sample[i] * STREAMS + STREAM_PIXELS;
    hiss_lane_default_sample(lane, i);
    if (lane->view == HISS_VIEW_TRAINING) {
        energy_dbm_draw_pixels(hiss_rng_keyed(d->task->seed, HISS_FOR_NOISE, lane->step, id), D,
                               row_of(lane, lane->inputs->image, i, D));
        fill_chain(d, lane, i);
    }
}

static void remember(void *self, const hiss_lane *lane) {
    const dbm *d = self;
    if (d->chain) {
        memcpy(chains_of(d, lane), hiss_exec_data(lane->exec, d->end), sizeof(float) * (size_t)chain_floats(d));
    }
}

static int states(void *self, hiss_state out[HISS_MAX_STATES]) {
    const dbm *d = self;
    out[0] = (hiss_state){"chains", HISS_PER_LANE, HISS_F32, d->chain ? chain_floats(d) : 0, d->chain};
    return d->chain ? 1 : 0;
}

static void describe(void *self, char *line, size_t size) {
    const dbm *d = self;
    const dbm_options *o = d->options;
    snprintf(line, size, "dbm: %lld, %lld and %lld binary units, chains of %lld steps that begin %s",
             (long long)energy_dbm_pixels(d), (long long)o->hidden1, (long long)o->hidden2, (long long)o->gibbs,
             o->chains == PERSISTENT  ? "where they ended"
             : o->chains == FROM_DATA ? "at the data"
                                      : "anywhere");
}

static const hiss_input_ops input = {.sample = sample};
static const hiss_phase_ops phase = {.remember = remember};
static const hiss_state_ops state = {.list = states};
static const hiss_report_ops report = {.describe = describe};

const hiss_objective_ops objective_dbm = {
    .name = "dbm",
    .summary = "deep Boltzmann machine of two hidden layers, with persistent chains",
    .sections = {{"dbm", rows, &nrows, 0}},
    .options_bytes = sizeof(dbm_options),
    .sizes = "dbm.hidden1, dbm.hidden2",
    .unit_pixels = objective_needs_unit_pixels,
    .own_layers = objective_own_layers,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .phase = &phase,
    .state = &state,
    .report = &report,
    .measure = &energy_dbm_measure,
};
