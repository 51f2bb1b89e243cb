/* Predictive sparse decomposition: a dictionary D of atoms of length 1, and an encoder F that guesses in one pass the
 * sparse code which inference finds in many steps. Training minimises, over the code z of each patch x, D and F,
 *     1/2 |x - D z|^2 + lambda |z|_1 + alpha/2 |z - F(x)|^2.
 * A step infers z with D and F as they are, alpha's term among the others, so that codes are drawn to what the encoder
 * can say; then D and F take a gradient step with z as it is. (Kavukcuoglu, Ranzato & LeCun, "Fast inference in sparse
 * coding algorithms with applications to object recognition", 2008, eq. 5 and section 3.)
 *
 * F(x) = g * tanh(W n(x) + b) with a gain g for each unit, n the network, which is the patch itself in the paper. With
 * `shrink` in place of tanh, values of at most 1 become 0, so that the code has zeros. Inference minimises a convex
 * function, so its start does not matter for where it ends: it begins at 0, not at F(x).
 *
 * alpha = 0 is the control: codes are those of sparse coding, and the encoder has no part in the loss, so it stays as it
 * was drawn. Evaluation says what 1/2 |x - D z|^2 + lambda |z|_1 is for the code of one pass, for one of an encoder at
 * random, and for one that inference finds without alpha's term in many steps. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/encoder.h"
#include "objective/sparse/infer.h"
#include "objective/sparse/whiten.h"

enum { TANH, SHRINK };
enum { STEPS_TO_THE_END = 300, DRAW_OF_ENCODER = 2060 };
static const char atoms_file[] = "atoms.png", encoder_file[] = "encoder.png";

typedef struct options {
    int64_t atoms;
    int encoder;
    double alpha;
    sparse_inference inference;
    sparse_whiten_options whiten;
} options;

static const hiss_row rows[] = {
    {"atoms", HISS_INT, offsetof(options, atoms), "256", 1, 1 << 16, NULL, "K, atoms of the dictionary"},
    {"encoder", HISS_CHOICE, offsetof(options, encoder), "tanh", 0, 0, "tanh|shrink",
     "what the encoder ends with: g tanh(.), or g shrink(.), which makes values of at most 1 zeros"},
    {"alpha", HISS_FLOAT, offsetof(options, alpha), "1", 0, 1e6, NULL,
     "weight of half the squared distance of code and encoder; 0: the encoder learns nothing"},
    SPARSE_INFERENCE_ROWS(options, inference),
};
static const int nrows = HISS_COUNT(rows);

typedef struct measured_values { /* of the graph of measures: patches, and codes with what they rebuild */
    hiss_value x, code[3], rebuilt[3];
} measured_values;
enum { ONE_PASS, AT_RANDOM, INFERRED, CODES };
enum { OBJECTIVE, ERROR, ACTIVE, OF_CODE, ENERGY = CODES * OF_CODE, WIDTH };

typedef struct psd {
    const hiss_task *task;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
    hiss_value image; /* of the training graph */
    measured_values measured;
} psd;

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    (void)err;
    psd *p = hiss_new(psd, 1);
    p->task = task;
    p->placement = placement;
    p->options = opts;
    *self = p;
    return HISS_OK;
}

static void destroy(void *self) {
    hiss_free(self);
}

static int64_t values_of(const psd *p) {
    return p->task->H * p->task->W * p->task->C;
}

/* ---- the graphs ---- */

static hiss_value whitened(const psd *p, hiss_builder *b, hiss_value image) {
    return sparse_whiten(&p->options->whiten, b, hiss_graph_flatten(b->graph, image));
}

static hiss_value bend(const psd *p, hiss_builder *b, hiss_value x) {
    return p->options->encoder == TANH ? hiss_graph_tanh(b->graph, x) : hiss_graph_soft_threshold(b->graph, x, 1.0);
}

/* F of whitened patches x [M,D]. */
static hiss_status guess(const psd *p, hiss_builder *b, hiss_value x, hiss_taps *taps, hiss_value *code,
                         hiss_error *err) {
    const hiss_task *t = p->task;
    const int64_t M = hiss_graph_shape(b->graph, x).dim[0];
    const hiss_value image = hiss_graph_reshape(b->graph, x, HISS_SHAPE(M, t->H, t->W, t->C));
    const hiss_status s = objective_encoder_head(t, b, image, "encoder", p->options->atoms, true, taps, code, err);
    if (s == HISS_OK) {
        *code = hiss_layer_gain(b, "encoder", bend(p, b, *code));
    }
    return s;
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const psd *p = self;
    hiss_value code = -1;
    const hiss_status s = guess(p, b, whitened(p, b, image), taps, &code, err);
    return s == HISS_OK ? hiss_network_end(p->task->network, b, "code", code, taps, err) : s;
}

static hiss_value atoms(const psd *p, hiss_builder *b) {
    return sparse_atoms(b, "atoms", p->options->atoms, values_of(p));
}

/* x [M,D], z [M,K] -> D z. */
static hiss_value rebuild(hiss_builder *b, hiss_value code, hiss_value dictionary) {
    return hiss_graph_linear_transposed(b->graph, code, dictionary, -1);
}

/* Codes with alpha's term: sparse coding of patches and guesses side by side. */
static hiss_value infer(const psd *p, hiss_builder *b, hiss_value x, hiss_value dictionary, hiss_value guessed) {
    const int64_t K = p->options->atoms;
    const double root = sqrt(p->options->alpha);
    if (root == 0.0) {
        return sparse_infer(b, x, dictionary, &p->options->inference);
    }
    float *diagonal = hiss_new(float, K *K);
    for (int64_t k = 0; k < K; k++) {
        diagonal[k * K + k] = (float)root;
    }
    const hiss_value unit = hiss_graph_constant(b->graph, HISS_SHAPE(K, K), diagonal);
    hiss_free(diagonal);
    const hiss_value both[] = {x, hiss_graph_scale(b->graph, guessed, root)}, wide[] = {dictionary, unit};
    return sparse_infer(b, hiss_graph_concat(b->graph, 2, both), hiss_graph_concat(b->graph, 2, wide),
                        &p->options->inference);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    psd *p = self;
    hiss_graph *g = b->graph;
    const hiss_task *t = p->task;
    const int64_t m = p->placement->m;
    hiss_taps taps = {0};
    hiss_value guessed = -1;
    p->image = hiss_graph_input(g, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    hiss_graph_keep(g, p->image);
    hiss_graph_cut(g);
    const hiss_value x = whitened(p, b, p->image);
    const hiss_status s = guess(p, b, x, &taps, &guessed, err);
    if (s != HISS_OK) {
        return s;
    }
    const double each = 1.0 / (double)m;
    const hiss_value dictionary = atoms(p, b), code = infer(p, b, x, dictionary, guessed);
    const hiss_value miss = sparse_error(b, x, rebuild(b, code, dictionary), each);
    const hiss_value cost = sparse_cost(b, code, each * p->options->inference.lambda);
    const hiss_value apart = hiss_graph_squared_loss(g, guessed, code, 0.5 * each);
    const hiss_value loss =
        hiss_graph_add(g, hiss_graph_add(g, miss, cost), hiss_graph_scale(g, apart, p->options->alpha));
    hiss_graph_loss(g, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "error", miss);
    hiss_layer_metric(b, "prediction", apart);
    hiss_layer_metric(b, "active", sparse_active(b, code, each));
    return hiss_graph_status(g, err);
}

static hiss_status begin(void *self, const hiss_epoch *e, hiss_error *err) {
    const psd *p = self;
    return sparse_whiten_measure(&p->options->whiten, p->task, p->placement, e, 0, p->image, values_of(p), values_of(p),
                                 err);
}

/* ---- what evaluation measures ---- */

/* The same encoder without a network, of weights at random. */
static hiss_value guess_at_random(const psd *p, hiss_builder *b, hiss_value x) {
    const int64_t K = p->options->atoms, D = values_of(p);
    hiss_rng rng = hiss_rng_keyed(p->task->seed, HISS_FOR_EVALUATION, DRAW_OF_ENCODER, 0);
    float *weight = hiss_new(float, K *D);
    hiss_rng_normals(&rng, K * D, weight);
    for (int64_t k = 0; k < K * D; k++) {
        weight[k] *= sqrtf(2.0f / (float)D);
    }
    const hiss_value w = hiss_graph_constant(b->graph, HISS_SHAPE(K, D), weight);
    hiss_free(weight);
    return bend(p, b, hiss_graph_linear(b->graph, x, w, -1));
}

static int64_t width(void *self) {
    (void)self;
    return WIDTH;
}

static hiss_status measure_build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    psd *p = self;
    const hiss_task *t = p->task;
    measured_values *v = &p->measured;
    sparse_inference end = p->options->inference;
    hiss_taps taps = {0};
    end.steps = STEPS_TO_THE_END;
    end.algorithm = SPARSE_FISTA;
    v->x = whitened(p, b, hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C)));
    const hiss_status s = guess(p, b, v->x, &taps, &v->code[ONE_PASS], err);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_value dictionary = atoms(p, b);
    v->code[AT_RANDOM] = guess_at_random(p, b, v->x);
    v->code[INFERRED] = sparse_infer(b, v->x, dictionary, &end);
    hiss_graph_keep(b->graph, v->x);
    for (int k = 0; k < CODES; k++) {
        v->rebuilt[k] = rebuild(b, v->code[k], dictionary);
        hiss_graph_keep(b->graph, v->code[k]);
        hiss_graph_keep(b->graph, v->rebuilt[k]);
    }
    return hiss_graph_status(b->graph, err);
}

static const float *row_of(const hiss_lane *lane, hiss_value value, int64_t i) {
    return hiss_exec_data(lane->exec, value) + i * hiss_graph_shape(lane->graph, value).dim[1];
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const psd *p = self;
    const measured_values *v = &p->measured;
    const int64_t K = p->options->atoms, D = values_of(p);
    const float *x = row_of(lane, v->x, i);
    double energy = 0.0;
    for (int64_t d = 0; d < D; d++) {
        energy += (double)x[d] * (double)x[d];
    }
    out[ENERGY] = (float)energy;
    for (int c = 0; c < CODES; c++) {
        const float *z = row_of(lane, v->code[c], i), *rebuilt = row_of(lane, v->rebuilt[c], i);
        double error = 0.0, cost = 0.0, active = 0.0;
        for (int64_t d = 0; d < D; d++) {
            error += ((double)x[d] - (double)rebuilt[d]) * ((double)x[d] - (double)rebuilt[d]);
        }
        for (int64_t k = 0; k < K; k++) {
            cost += fabs((double)z[k]);
            active += z[k] != 0.0f;
        }
        float *of = out + c * OF_CODE;
        of[OBJECTIVE] = (float)(0.5 * error + p->options->inference.lambda * cost);
        of[ERROR] = (float)error;
        of[ACTIVE] = (float)active;
    }
}

/* A number of each code. */
static void say_numbers(const hiss_measured *m, const char *suffix, const char *group, const char *unit,
                        const double value[CODES], double baseline) {
    static const char *const of[CODES] = {"one_pass", "random", "inferred"};
    static const char *const heading[CODES] = {"one pass", "random encoder", "inferred"};
    for (int c = 0; c < CODES; c++) {
        char name[64];
        snprintf(name, sizeof name, "%s_%s", of[c], suffix);
        m->number(m->say, &(hiss_measure){.name = name,
                                          .group = group,
                                          .heading = heading[c],
                                          .unit = unit,
                                          .value = value[c],
                                          .spread = NAN,
                                          .baseline = baseline,
                                          .samples = m->test});
    }
}

static void say_means(const hiss_measured *m) {
    double objective[CODES], excess[CODES], explained[CODES], active[CODES];
    for (int c = 0; c < CODES; c++) {
        const double *of = m->test_mean + c * OF_CODE;
        objective[c] = of[OBJECTIVE];
        excess[c] = 100.0 * (of[OBJECTIVE] / m->test_mean[INFERRED * OF_CODE + OBJECTIVE] - 1.0);
        explained[c] = 100.0 * (1.0 - of[ERROR] / m->test_mean[ENERGY]);
        active[c] = of[ACTIVE];
    }
    say_numbers(m, "objective", "objective of codes", "per patch", objective, 0.5 * m->test_mean[ENERGY]);
    say_numbers(m, "excess", "objective above that of inferred codes", "%", excess, NAN);
    say_numbers(m, "explained", "variance explained", "%", explained, NAN);
    say_numbers(m, "active", "codes that are not 0", "per patch", active, NAN);
}

/* Rows of K patches as pictures. */
static hiss_status draw(const psd *p, const hiss_measured *m, const char *slot_name, const char *file,
                        const char *title, const char *what, hiss_error *err) {
    const hiss_task *t = p->task;
    char caption[256];
    const hiss_slot *slot = hiss_model_at(m->model, hiss_model_find(m->model, slot_name));
    if (slot->shape.dim[1] != values_of(p)) {
        return HISS_OK; /* of what a network makes of patches */
    }
    snprintf(caption, sizeof caption, "%lld %s of %lld x %lld pixels, each stretched to its own minimum and maximum.",
             (long long)p->options->atoms, what, (long long)t->H, (long long)t->W);
    return m->filters(m->say, file, title, caption, p->options->atoms, t->H, t->W, t->C, m->vector + slot->offset, err);
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    const psd *p = self;
    char text[256];
    say_means(m);
    snprintf(text, sizeof text,
             "The objective is 1/2 |x - D z|^2 + %g |z|_1 of %s patches; inferred codes are those of %d steps of FISTA "
             "without the encoder.",
             p->options->inference.lambda, p->options->whiten.on ? "whitened" : "plain", STEPS_TO_THE_END);
    m->remark(m->say, text);
    const char *space = p->options->whiten.on ? "whitened patches" : "patches";
    char what[64];
    snprintf(what, sizeof what, "atoms for %s", space);
    hiss_status s = draw(p, m, "atoms/weight", atoms_file, "Atoms of the dictionary", what, err);
    snprintf(what, sizeof what, "filters on %s", space);
    return s == HISS_OK ? draw(p, m, "encoder/weight", encoder_file, "Filters of the encoder", what, err) : s;
}

static void describe(void *self, char *line, size_t size) {
    const psd *p = self;
    snprintf(line, size, "psd: %lld atoms for patches of %lld values, lambda %g, alpha %g",
             (long long)p->options->atoms, (long long)values_of(p), p->options->inference.lambda, p->options->alpha);
}

static const hiss_epoch_ops epoch = {.begin = begin};
static const hiss_report_ops report = {.describe = describe};
static const char *const pictures[] = {atoms_file, encoder_file, NULL};
static const hiss_measure_ops measures = {.baseline = "codes of zeros",
                                          .pictures = pictures,
                                          .width = width,
                                          .build = measure_build,
                                          .measure = measure,
                                          .conclude = conclude};

const hiss_objective_ops objective_psd = {
    .name = "psd",
    .summary = "predictive sparse decomposition: an encoder that guesses sparse codes of patches in one pass",
    .sections = {{"psd", rows, &nrows, 0},
                 {"whiten", sparse_whiten_rows, &sparse_whiten_nrows, offsetof(options, whiten)}},
    .sizes = "psd.atoms",
    .options_bytes = sizeof(options),
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .epoch = &epoch,
    .report = &report,
    .measure = &measures,
};
