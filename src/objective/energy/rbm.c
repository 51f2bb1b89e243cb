/* A stack of restricted Boltzmann machines, trained one after the other and then fine-tuned together (Hinton &
 * Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313, 2006).
 *
 * A machine has the energy E(v, h) = -b.v - c.h - h.Wv, hidden units of 0 and 1, and visible ones that are 0, 1, or a
 * probability. Summed over h it gives the free energy F(v) = -b.v - sum_j softplus(c_j + W_j v). Gaussian hidden units,
 * E(v, h) = -b.v + |h - c|^2 / 2 - h.Wv, give F(v) = -b.v - |c + Wv|^2 / 2 + |c|^2 / 2. Training is contrastive
 * divergence with one step (Hinton, "Training products of experts by minimizing contrastive divergence", Neural
 * Computation 14, 2002): hidden states are drawn given the data v0, v1 is the mean of the visible units given these, and
 *     gradient = -(<h v>_0 - <h v>_1),    h the mean of the hidden units given v0 and v1.
 * That is the gradient of F(v0) - F(v1) with v1 held fixed, so backward gives it. Machine k learns from the means of the
 * hidden units of machine k - 1 given the image.
 *
 * Phase k trains machine k, one after the other. The last phase is fine-tuning: the machines are unrolled to an encoder
 * and a decoder, which start as copies and go separate ways, or to a classifier. The machines stay as they are. */
#include "objective/energy/rbm.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/number.h"
#include "hiss/rng.h"
#include "objective/parts/encoder.h"
#include "objective/parts/pixels.h"

enum { FINETUNE = RBM_MOST, GROUPS }; /* groups of parameters; the first are those of the machines */
enum { STREAM_VISIBLE, STREAM_HIDDEN, STREAMS };

static const hiss_row rows[] = {
    {"layers", HISS_STRING, offsetof(rbm_options, layers), "256, 64, 16", 1, 0, NULL,
     "hidden units of each machine, 1 to 4 of them; the last is the code"},
    {"code", HISS_CHOICE, offsetof(rbm_options, code), "gaussian", 0, 0, "gaussian|binary",
     "hidden units of the last machine"},
    {"epochs", HISS_INT, offsetof(rbm_options, epochs), "10", 1, 1 << 20, NULL,
     "pretrain true: of each machine; the rest of train.epochs is fine-tuning"},
    {"pretrain", HISS_BOOL, offsetof(rbm_options, pretrain), "true", 0, 0, NULL,
     "train the machines; false is a control, in which fine-tuning starts at random"},
    {"finetune", HISS_CHOICE, offsetof(rbm_options, finetune), "autoencoder", 0, 0, "autoencoder|classifier|none",
     "what is made of the stack in the end"},
    {"binarize", HISS_BOOL, offsetof(rbm_options, binarize), "false", 0, 0, NULL,
     "pretrain true: the first machine draws each pixel as 0 or 1 with itself as probability; false: the grey pixels"},
    {"deviation", HISS_FLOAT, offsetof(rbm_options, deviation), "0.1", 1e-6, 10, NULL,
     "pretrain true: standard deviation of the machines' weights at the start"},
    {"chains", HISS_INT, offsetof(rbm_options, chains), "100", 1, 1 << 20, NULL,
     HISS_OF_EVALUATION "pretrain true: chains of annealed importance sampling"},
    {"temperatures", HISS_INT, offsetof(rbm_options, temperatures), "10000", 1, 1 << 24, NULL,
     HISS_OF_EVALUATION "pretrain true: temperatures of each chain"},
};
static const int nrows = HISS_COUNT(rows);

bool energy_rbm_is_gaussian(const rbm *r, int k) {
    return k == r->count - 1 && r->options->code == RBM_GAUSSIAN;
}

/* ---- creation ---- */

static hiss_status read_layers(rbm *r, hiss_error *err) {
    const char *at = r->options->layers;
    r->units[0] = r->task->H * r->task->W * r->task->C;
    for (;;) {
        char word[24] = "";
        const size_t skip = strspn(at, " \t"), length = strcspn(at + skip, ", \t");
        int64_t units = 0;
        snprintf(word, sizeof word, "%.*s", (int)(length < 23 ? length : 23), at + skip);
        at += skip + length;
        at += strspn(at, " \t");
        if (!hiss_integer_parse(word, &units) || units < 1 || units > 1 << 20 || (*at && *at != ',')) {
            return hiss_fail_key(err, HISS_EUSER, "rbm.layers",
                                 "expected numbers of units from 1 to 1048576, as in '256, 64, 16', found '%.60s'",
                                 r->options->layers);
        }
        if (r->count == RBM_MOST) {
            return hiss_fail_key(err, HISS_EUSER, "rbm.layers", "expected at most %d machines, found '%.60s'", RBM_MOST,
                                 r->options->layers);
        }
        r->units[++r->count] = units;
        if (!*at++) {
            return HISS_OK;
        }
    }
}

static hiss_status expect_sense(const rbm *r, hiss_error *err) {
    const rbm_options *o = r->options;
    if (objective_expect_no_layers(r->task, "rbm", "rbm.layers", err) != HISS_OK) {
        return HISS_EUSER;
    }
    if (o->finetune == RBM_NONE && !o->pretrain) {
        return hiss_fail_key(err, HISS_EUSER, "rbm.pretrain",
                             "false leaves nothing to train where rbm.finetune is none; set one of them otherwise");
    }
    if (o->finetune == RBM_CLASSIFIER && r->task->classes < 2 && r->placement) {
        return hiss_fail_key(err, HISS_EUSER, "rbm.finetune",
                             "classifier needs labels of at least 2 classes, found %lld; set data.labels, or choose "
                             "autoencoder",
                             (long long)r->task->classes);
    }
    return HISS_OK;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    rbm *r = hiss_new(rbm, 1);
    *self = r;
    r->task = task;
    r->placement = placement;
    r->options = opts;
    hiss_status s = objective_expect_unit_pixels("rbm", task, false, NULL, err);
    s = s == HISS_OK ? read_layers(r, err) : s;
    return s == HISS_OK ? expect_sense(r, err) : s;
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- a machine ---- */

static const char *name_of(char name[RBM_NAME], const char *part, int k) {
    snprintf(name, RBM_NAME, "%s%d", part, k + 1);
    return name;
}

static hiss_value parameter(hiss_builder *b, const char *machine, const char *part, hiss_shape shape,
                            double deviation) {
    char name[2 * RBM_NAME];
    snprintf(name, sizeof name, "%s/%s", machine, part);
    const int slot = hiss_model_slot(b->model, &(hiss_slot){.name = name,
                                                            .kind = HISS_SLOT_PARAMETER,
                                                            .shape = shape,
                                                            .group = b->group,
                                                            .decay = deviation > 0.0,
                                                            .deviation = deviation});
    const hiss_slot *at = hiss_model_at(b->model, slot);
    return hiss_graph_parameter(b->graph, slot, shape,
                                b->training && !at->frozen && (b->trained_groups >> at->group & 1u));
}

rbm_machine energy_rbm_machine(const rbm *r, hiss_builder *b, int k) {
    const int64_t D = r->units[k], H = r->units[k + 1];
    char name[RBM_NAME];
    b->group = k;
    hiss_graph_scope(b->graph, name_of(name, "rbm", k));
    return (rbm_machine){.weight = parameter(b, name, "weight", HISS_SHAPE(H, D), r->options->deviation),
                         .visible = parameter(b, name, "visible", HISS_SHAPE(D), 0.0),
                         .hidden = parameter(b, name, "hidden", HISS_SHAPE(H), 0.0)};
}

static hiss_value hidden_input(hiss_graph *g, const rbm_machine *z, hiss_value v) {
    return hiss_graph_linear(g, v, z->weight, z->hidden);
}

static hiss_value hidden_mean(const rbm *r, hiss_graph *g, int k, hiss_value input) {
    return energy_rbm_is_gaussian(r, k) ? input : hiss_graph_sigmoid(g, input);
}

static hiss_value visible_input(hiss_graph *g, const rbm_machine *z, hiss_value h) {
    return hiss_graph_linear_transposed(g, h, z->weight, z->visible);
}

hiss_value energy_rbm_visible_part(hiss_graph *g, const rbm_machine *z, hiss_value v) {
    const int64_t D = hiss_graph_shape(g, v).dim[1];
    return hiss_graph_linear(g, v, hiss_graph_reshape(g, z->visible, HISS_SHAPE(1, D)), -1);
}

/* ---- contrastive divergence ---- */

/* scale * sum of softplus(x), or of x^2 / 2: what the hidden units take from the free energy of a row. */
static hiss_value hidden_part(const rbm *r, hiss_graph *g, int k, hiss_value input, double scale) {
    const hiss_value zeros = hiss_graph_filled(g, hiss_graph_shape(g, input), 0.0f);
    return energy_rbm_is_gaussian(r, k) ? hiss_graph_squared_loss(g, input, zeros, 0.5 * scale)
                                        : hiss_graph_sigmoid_cross_entropy(g, input, zeros, scale);
}

/* scale * sum of x [M, 1]: softplus(x) - (softplus(x) - x). */
static hiss_value sum_of(hiss_graph *g, hiss_value x, double scale) {
    const hiss_shape shape = hiss_graph_shape(g, x);
    return hiss_graph_add(g, hiss_graph_sigmoid_cross_entropy(g, x, hiss_graph_filled(g, shape, 0.0f), scale),
                          hiss_graph_sigmoid_cross_entropy(g, x, hiss_graph_filled(g, shape, 1.0f), -scale));
}

/* States of the hidden units, drawn by an input of noise. */
static hiss_value draw_hidden(const rbm *r, hiss_graph *g, int k, hiss_value input) {
    const hiss_shape shape = hiss_graph_shape(g, input);
    return energy_rbm_is_gaussian(r, k)
               ? hiss_graph_add(g, input, hiss_graph_input(g, "hidden_normals", shape))
               : hiss_graph_less(g, hiss_graph_input(g, "hidden_uniforms", shape), hiss_graph_sigmoid(g, input));
}

/* What machine k sees: the image, or means of the hidden units below, which this graph does not train. */
static hiss_value visible(const rbm *r, hiss_builder *b, int k, hiss_value image) {
    hiss_graph *g = b->graph;
    hiss_value v = hiss_graph_flatten(g, image);
    if (k == 0 && r->options->binarize) {
        return hiss_graph_less(g, hiss_graph_input(g, "visible_uniforms", hiss_graph_shape(g, v)), v);
    }
    const unsigned trained = b->trained_groups;
    b->trained_groups = 0;
    for (int below = 0; below < k; below++) {
        const rbm_machine z = energy_rbm_machine(r, b, below);
        v = hidden_mean(r, g, below, hidden_input(g, &z, v));
    }
    b->trained_groups = trained;
    return v;
}

static void build_machine(const rbm *r, hiss_builder *b, int k, hiss_value image) {
    hiss_graph *g = b->graph;
    const double each = 1.0 / (double)r->placement->m;
    const hiss_value v0 = visible(r, b, k, image);
    const rbm_machine z = energy_rbm_machine(r, b, k);
    const hiss_value input0 = hidden_input(g, &z, v0), h0 = draw_hidden(r, g, k, input0);
    const hiss_value v1 = hiss_graph_stop_gradient(g, hiss_graph_sigmoid(g, visible_input(g, &z, h0)));
    const hiss_value input1 = hidden_input(g, &z, v1);
    const hiss_value moved = hiss_graph_add(g, v0, hiss_graph_scale(g, v1, -1.0));
    hiss_value loss = hiss_graph_add(g, hidden_part(r, g, k, input0, -each), hidden_part(r, g, k, input1, each));
    loss = hiss_graph_add(g, loss, sum_of(g, energy_rbm_visible_part(g, &z, moved), -each));
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", hiss_graph_squared_loss(g, v0, v1, each / (double)r->units[k]));
    hiss_layer_metric(b, "contrast", loss);
}

/* ---- fine-tuning ---- */

static hiss_status add_place(const rbm *r, int k, hiss_value x, hiss_taps *taps, hiss_error *err) {
    char name[RBM_NAME];
    return hiss_taps_add(taps, k == r->count - 1 ? "code" : name_of(name, "hidden", k), x, err);
}

/* Up the machines, or the encoder that was made of them. */
static hiss_status climb(const rbm *r, hiss_builder *b, bool machines, hiss_value image, hiss_taps *taps,
                         hiss_error *err) {
    hiss_graph *g = b->graph;
    hiss_value x = hiss_graph_flatten(g, image);
    hiss_status s = HISS_OK;
    taps->count = 0;
    for (int k = 0; k < r->count && s == HISS_OK; k++) {
        char name[RBM_NAME];
        if (machines) {
            const rbm_machine z = energy_rbm_machine(r, b, k);
            x = hidden_input(g, &z, x);
        } else {
            b->group = FINETUNE;
            x = hiss_layer_linear(b, name_of(name, "encoder", k), x, r->units[k + 1], true);
        }
        x = hidden_mean(r, g, k, x);
        s = hiss_graph_status(g, err);
        s = s == HISS_OK ? add_place(r, k, x, taps, err) : s;
    }
    return s;
}

hiss_status energy_rbm_encode(const rbm *r, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    return climb(r, b, r->options->finetune == RBM_NONE, image, taps, err);
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    return energy_rbm_encode(self, b, image, taps, err);
}

/* Logits of pixels [M, D] from a code. */
static hiss_value decode(const rbm *r, hiss_builder *b, hiss_value x) {
    for (int k = r->count - 1; k >= 0; k--) {
        char name[RBM_NAME];
        if (r->options->finetune == RBM_AUTOENCODER) {
            b->group = FINETUNE;
            x = hiss_layer_linear(b, name_of(name, "decoder", k), x, r->units[k], true);
        } else {
            const rbm_machine z = energy_rbm_machine(r, b, k);
            x = visible_input(b->graph, &z, x);
        }
        x = k > 0 ? hiss_graph_sigmoid(b->graph, x) : x;
    }
    return x;
}

hiss_value energy_rbm_scores(const rbm *r, hiss_builder *b, hiss_value code) {
    b->group = FINETUNE;
    return hiss_layer_linear(b, "scores", code, r->task->classes, true);
}

static hiss_status build_finetuning(const rbm *r, hiss_builder *b, hiss_value image, hiss_error *err) {
    hiss_graph *g = b->graph;
    hiss_taps taps = {0};
    const int64_t m = r->placement->m;
    const hiss_status s = energy_rbm_encode(r, b, image, &taps, err);
    if (s != HISS_OK) {
        return s;
    }
    hiss_value loss;
    if (r->options->finetune == RBM_CLASSIFIER) {
        loss = hiss_graph_softmax_cross_entropy(g, energy_rbm_scores(r, b, hiss_taps_last(&taps)),
                                                hiss_graph_input_labels(g, "label", m));
    } else {
        const hiss_value pixels = hiss_graph_flatten(g, image), logits = decode(r, b, hiss_taps_last(&taps));
        loss = hiss_graph_sigmoid_cross_entropy(g, logits, pixels, 1.0 / (double)m);
        hiss_layer_metric(
            b, "squared_error",
            hiss_graph_squared_loss(g, hiss_graph_sigmoid(g, logits), pixels, 1.0 / (double)(m * r->units[0])));
    }
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    return hiss_graph_status(g, err);
}

/* Phases beyond those of a config never run; their graph is that of the last one. */
static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    const rbm *r = self;
    const hiss_task *t = r->task;
    const hiss_value image = hiss_graph_input(b->graph, "image", HISS_SHAPE(r->placement->m, t->H, t->W, t->C));
    if (phase >= r->count && r->options->finetune != RBM_NONE) {
        return build_finetuning(r, b, image, err);
    }
    build_machine(r, b, phase < r->count ? phase : r->count - 1, image);
    return hiss_graph_status(b->graph, err);
}

/* By the auto-encoder; where none was made, by the machines themselves. */
static hiss_status reconstruct(void *self, hiss_builder *b, hiss_value image, hiss_value *rebuilt, hiss_error *err) {
    const rbm *r = self;
    hiss_graph *g = b->graph;
    hiss_taps taps = {0};
    const hiss_status s = climb(r, b, r->options->finetune != RBM_AUTOENCODER, image, &taps, err);
    if (s == HISS_OK) {
        *rebuilt = hiss_graph_reshape(g, hiss_graph_sigmoid(g, decode(r, b, hiss_taps_last(&taps))),
                                      hiss_graph_shape(g, image));
        return hiss_graph_status(g, err);
    }
    return s;
}

/* ---- stages ---- */

static int64_t finetuning_begins(const rbm *r) {
    return r->options->pretrain ? r->count * r->options->epochs : 0;
}

static hiss_span span(void *self, int phase) {
    const rbm *r = self;
    const int64_t epochs = r->options->epochs;
    const bool finetunes = r->options->finetune != RBM_NONE;
    if (phase < r->count && r->options->pretrain) {
        return (hiss_span){phase * epochs, finetunes || phase < r->count - 1 ? (phase + 1) * epochs : INT64_MAX};
    }
    return phase == r->count && finetunes ? (hiss_span){finetuning_begins(r), INT64_MAX} : (hiss_span){0, 0};
}

static int count_phases(void *self) {
    const rbm *r = self;
    return r->count + (r->options->finetune != RBM_NONE);
}

static void name_phase(void *self, int phase, char *line, size_t size) {
    if (phase < ((const rbm *)self)->count) {
        snprintf(line, size, "machine %d", phase + 1);
    } else {
        snprintf(line, size, "fine-tuning");
    }
}

static unsigned trains(void *self, int phase) {
    const rbm *r = self;
    if (phase < r->count) {
        return 1u << phase;
    }
    return r->options->finetune == RBM_NONE ? 1u << (r->count - 1) : 1u << FINETUNE;
}

/* Copy a machine's array to a layer of the fine-tuned network; its transpose where columns is not 0. */
static void copy(const hiss_epoch *e, const char *from, const char *from_part, const char *to, const char *to_part,
                 int k, int64_t count, int64_t columns) {
    char name[2 * RBM_NAME];
    snprintf(name, sizeof name, "%s%d/%s", from, k + 1, from_part);
    const float *source = e->vector + hiss_model_offset(e->model, name);
    snprintf(name, sizeof name, "%s%d/%s", to, k + 1, to_part);
    float *out = e->vector + hiss_model_offset(e->model, name);
    for (int64_t i = 0; i < count; i++) {
        out[columns ? i % columns * (count / columns) + i / columns : i] = source[i];
    }
}

/* Until fine-tuning begins, its network is what the machines are at the beginning of the epoch. */
static hiss_status begin(void *self, const hiss_epoch *e, hiss_error *err) {
    (void)err;
    const rbm *r = self;
    if (!r->options->pretrain || r->options->finetune == RBM_NONE || e->epoch > finetuning_begins(r)) {
        return HISS_OK;
    }
    for (int k = 0; k < r->count; k++) {
        const int64_t D = r->units[k], H = r->units[k + 1];
        copy(e, "rbm", "weight", "encoder", "weight", k, H * D, 0);
        copy(e, "rbm", "hidden", "encoder", "bias", k, H, 0);
        if (r->options->finetune == RBM_AUTOENCODER) {
            copy(e, "rbm", "weight", "decoder", "weight", k, H * D, D);
            copy(e, "rbm", "visible", "decoder", "bias", k, D, 0);
        }
    }
    return HISS_OK;
}

/* ---- what goes in ---- */

static float *row_of(const hiss_lane *lane, const char *name, int64_t i, int64_t *count) {
    const hiss_value value = hiss_graph_input_named(lane->graph, name);
    if (value < 0) {
        *count = 0;
        return NULL;
    }
    *count = hiss_graph_shape(lane->graph, value).dim[1];
    return hiss_exec_data(lane->exec, value) + i * *count;
}

static void fill_uniforms(hiss_rng rng, int64_t count, float *out) {
    for (int64_t k = 0; k < count; k++) {
        out[k] = hiss_rng_uniform(&rng);
    }
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const rbm *r = self;
    const int64_t id = (lane->batch->sample[i] * (RBM_MOST + 1) + (lane->phase < 0 ? 0 : lane->phase)) * STREAMS;
    int64_t count;
    hiss_lane_default_sample(lane, i);
    float *out = row_of(lane, "visible_uniforms", i, &count);
    fill_uniforms(hiss_rng_keyed(r->task->seed, HISS_FOR_NOISE, lane->step, id + STREAM_VISIBLE), count, out);
    hiss_rng rng = hiss_rng_keyed(r->task->seed, HISS_FOR_NOISE, lane->step, id + STREAM_HIDDEN);
    out = row_of(lane, "hidden_uniforms", i, &count);
    fill_uniforms(rng, count, out);
    out = row_of(lane, "hidden_normals", i, &count);
    if (count > 0) {
        hiss_rng_normals(&rng, count, out);
    }
}

static void describe(void *self, char *line, size_t size) {
    const rbm *r = self;
    static const char *const ends[] = {"an auto-encoder", "a classifier", "nothing else"};
    snprintf(line, size, "rbm: %d machine%s of %s hidden units%s, %s, then %s", r->count, r->count > 1 ? "s" : "",
             r->options->layers, r->options->code == RBM_GAUSSIAN ? ", the last ones Gaussian" : "",
             r->options->pretrain ? "trained one after the other by CD-1" : "not trained", ends[r->options->finetune]);
}

static const char *const groups[] = {"rbm1", "rbm2", "rbm3", "rbm4", "finetune", NULL};
static const hiss_input_ops input = {.sample = sample};
static const hiss_phase_ops phases = {.count = count_phases, .trains = trains, .span = span, .name = name_phase};
static const hiss_epoch_ops epoch = {.begin = begin};
static const hiss_report_ops report = {.describe = describe};

const hiss_objective_ops objective_rbm = {
    .name = "rbm",
    .summary = "stack of restricted Boltzmann machines by contrastive divergence, then fine-tuned",
    .sections = {{"rbm", rows, &nrows, 0}},
    .options_bytes = sizeof(rbm_options),
    .sizes = "rbm.layers",
    .unit_pixels = objective_needs_unit_pixels,
    .own_layers = objective_own_layers,
    .phases = GROUPS,
    .groups = groups,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .phase = &phases,
    .epoch = &epoch,
    .report = &report,
    .reconstruct = reconstruct,
    .measure = &energy_rbm_measure,
};
