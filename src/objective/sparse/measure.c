/* What sparse coding measures of itself in evaluation, on one window of each image, drawn by key, or on whole images:
 * the objective after the steps of training and after many more, how many codes are active, and how much of the patches'
 * squares the atoms explain.
 *
 * Beside that stands what principal components explain of the same patches, as many as codes are active on the mean,
 * rounded up: the best that a fixed set of so many directions does. Neither takes off a mean over patches. The components
 * come from the second moments of training patches, and what they explain of test patches from those of test patches, so
 * products of a patch's values are numbers of an image as all others are. */
#include <math.h>
#include <stdio.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/sparse/coder.h"

enum { MOST_VALUES = 128, DRAW_OF_PATCH = 2051 };
enum { OBJECTIVE, REFERENCE, ACTIVE, MISSED, SQUARES, TERMS }; /* of a layer, means over its codes of an image */

static bool has_moments(const sparse_coder *s) {
    return s->options->form == SPARSE_PATCHES && sparse_values(s, 0) <= MOST_VALUES;
}

/* Terms of each layer, what both layers miss of the pixels, products of two values of a patch. */
static int64_t width(void *self) {
    const sparse_coder *s = self;
    const int64_t D = sparse_values(s, 0);
    return s->options->layers * TERMS + 1 + (has_moments(s) ? D * (D + 1) / 2 : 0);
}

static void keep_layer(sparse_coder *s, hiss_builder *b, int layer, hiss_value x) {
    const sparse_coding z = s->layer[layer] = sparse_layer(s, b, layer, x);
    s->reference[layer] = sparse_layer_code(s, b, layer, x, z.atoms, s->options->reference);
    s->rebuilt_reference[layer] = sparse_rebuild(s, b, s->reference[layer], z.atoms);
    const hiss_value kept[] = {z.x, z.code, z.rebuilt, s->reference[layer], s->rebuilt_reference[layer]};
    for (int k = 0; k < HISS_COUNT(kept) && kept[k] >= 0; k++) {
        hiss_graph_keep(b->graph, kept[k]);
    }
}

/* The patches as both layers rebuild them: the second gives codes of the first. */
static void keep_both(sparse_coder *s, hiss_builder *b) {
    hiss_graph *g = b->graph;
    const int64_t K = s->options->atoms;
    const hiss_value code = s->layer[0].code;
    if (code < 0) {
        return;
    }
    const int64_t rows = hiss_graph_shape(g, code).dim[0];
    keep_layer(s, b, 1, hiss_graph_reshape(g, code, HISS_SHAPE(rows * K / sparse_values(s, 1), sparse_values(s, 1))));
    s->through =
        sparse_rebuild(s, b, hiss_graph_reshape(g, s->layer[1].rebuilt, HISS_SHAPE(rows, K)), s->layer[0].atoms);
    if (s->through >= 0) {
        hiss_graph_keep(g, s->through);
    }
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    sparse_coder *s = self;
    const hiss_task *t = s->task;
    const hiss_value windows = s->options->form == SPARSE_PATCHES
                                   ? sparse_windows(s, b, m, 1, sparse_side(s, (int)s->options->layers - 1))
                                   : hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    keep_layer(s, b, 0, sparse_layer_input(s, b, 0, windows, s->options->size));
    if (s->options->layers == 2) {
        keep_both(s, b);
    }
    return hiss_graph_status(b->graph, err);
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const sparse_coder *s = self;
    hiss_rng rng = hiss_rng_keyed(s->task->seed, HISS_FOR_EVALUATION, DRAW_OF_PATCH, lane->batch->sample[i]);
    sparse_draw(s, lane, i, &rng);
}

/* ---- of one image ---- */

typedef struct part { /* of a value that belongs to an image */
    const float *data;
    int64_t count;
} part;

static part part_of(const hiss_lane *lane, hiss_value value, int64_t i) {
    const hiss_shape shape = hiss_graph_shape(lane->graph, value);
    const int64_t count = hiss_shape_count(&shape) / lane->batch->m;
    return (part){hiss_exec_data(lane->exec, value) + i * count, count};
}

static double squares_between(part a, const float *b) {
    double sum = 0.0;
    for (int64_t k = 0; k < a.count; k++) {
        const double d = (double)a.data[k] - (b ? (double)b[k] : 0.0);
        sum += d * d;
    }
    return sum;
}

static void measure_layer(const sparse_coder *s, const hiss_lane *lane, int64_t i, int layer, float *out) {
    const sparse_coding *z = &s->layer[layer];
    const part x = part_of(lane, z->x, i), code = part_of(lane, z->code, i),
               more = part_of(lane, s->reference[layer], i);
    const double missed = squares_between(x, part_of(lane, z->rebuilt, i).data);
    const double missed_by_more = squares_between(x, part_of(lane, s->rebuilt_reference[layer], i).data);
    double size = 0.0, size_of_more = 0.0, active = 0.0;
    for (int64_t k = 0; k < code.count; k++) {
        size += fabs((double)code.data[k]);
        size_of_more += fabs((double)more.data[k]);
        active += code.data[k] != 0.0f;
    }
    const bool patches = s->options->form == SPARSE_PATCHES;
    const double codes = patches ? (double)x.count / (double)sparse_values(s, layer) : 1.0;
    out[OBJECTIVE] = (float)((0.5 * missed + sparse_lambda(s, layer) * size) / codes);
    out[REFERENCE] = (float)((0.5 * missed_by_more + sparse_lambda(s, layer) * size_of_more) / codes);
    out[ACTIVE] = (float)(active / codes);
    out[MISSED] = (float)(missed / codes);
    out[SQUARES] = (float)(squares_between(x, NULL) / codes);
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const sparse_coder *s = self;
    const part x = part_of(lane, s->layer[0].x, i);
    const int64_t D = sparse_values(s, 0), patches = x.count / D;
    for (int layer = 0; layer < s->options->layers; layer++, out += TERMS) {
        measure_layer(s, lane, i, layer, out);
    }
    *out++ = s->options->layers == 2 ? (float)(squares_between(x, part_of(lane, s->through, i).data) / (double)patches)
                                     : 0.0f;
    for (int64_t a = 0; a < D && has_moments(s); a++) {
        for (int64_t b = 0; b <= a; b++) {
            double sum = 0.0;
            for (int64_t k = 0; k < patches; k++) {
                sum += (double)x.data[k * D + a] * (double)x.data[k * D + b];
            }
            *out++ = (float)(sum / (double)patches);
        }
    }
}

/* ---- of all ---- */

static void unfold(int64_t D, const double *half, double *whole) {
    for (int64_t a = 0; a < D; a++) {
        for (int64_t b = 0; b <= a; b++) {
            whole[a * D + b] = whole[b * D + a] = *half++;
        }
    }
}

/* The share of the squares of test patches that the first `components` of training patches explain. */
static double explained_by_components(int64_t D, int64_t components, const double *train, const double *test) {
    double *a = hiss_new(double, D *D), *vector = hiss_new(double, D *D), *of_test = hiss_new(double, D *D);
    double explained = 0.0, whole = 0.0;
    unfold(D, train, a);
    unfold(D, test, of_test);
    hiss_diagonalize(D, a, vector);
    for (int64_t k = 0; k < D; k++) {
        whole += of_test[k * D + k];
    }
    for (int64_t n = 0; n < components && n < D; n++) {
        int64_t first = 0;
        for (int64_t k = 1; k < D; k++) {
            first = a[k * D + k] > a[first * D + first] ? k : first;
        }
        for (int64_t i = 0; i < D * D; i++) {
            explained += vector[first * D + i / D] * of_test[i] * vector[first * D + i % D];
        }
        a[first * D + first] = -1.0;
    }
    hiss_free(a);
    hiss_free(vector);
    hiss_free(of_test);
    return whole > 0.0 ? explained / whole : 0.0;
}

static void say(const hiss_measured *m, int layer, const char *name, const char *heading, const char *unit,
                double value, double spread, double baseline, bool digits) {
    char full[64];
    snprintf(full, sizeof full, "%s%s", layer ? "second." : "", name);
    m->number(m->say, &(hiss_measure){.name = full,
                                      .group = layer ? "second layer's codes" : "sparse codes",
                                      .heading = heading,
                                      .unit = unit,
                                      .value = value,
                                      .spread = spread,
                                      .baseline = baseline,
                                      .samples = m->test,
                                      .digits = digits});
}

static void conclude_layer(const sparse_coder *s, const hiss_measured *m, int layer) {
    const double nan = (double)NAN, *mean = m->test_mean + layer * TERMS, *spread = m->test_deviation + layer * TERMS;
    const int64_t components = (int64_t)ceil(mean[ACTIVE]), moments = s->options->layers * TERMS + 1;
    double baseline = nan;
    if (layer == 0 && has_moments(s)) {
        baseline = 100.0 * explained_by_components(sparse_values(s, 0), components, m->train_mean + moments,
                                                   m->test_mean + moments);
    }
    say(m, layer, "objective", "objective", "", mean[OBJECTIVE], spread[OBJECTIVE], nan, true);
    say(m, layer, "excess", "above more steps", "%", 100.0 * (mean[OBJECTIVE] / mean[REFERENCE] - 1.0), nan, nan, true);
    say(m, layer, "active", "active codes", "", mean[ACTIVE], spread[ACTIVE], nan, false);
    say(m, layer, "explained", "explained", "%", 100.0 * (1.0 - mean[MISSED] / mean[SQUARES]), nan, baseline, false);
    if (layer == 1) {
        say(m, layer, "pixels", "of pixels", "%", 100.0 * (1.0 - m->test_mean[2 * TERMS] / m->test_mean[SQUARES]), nan,
            nan, false);
    }
}

static void remark(const sparse_coder *s, const hiss_measured *m) {
    const sparse_options *o = s->options;
    char line[512];
    snprintf(line, sizeof line,
             "of %s; the objective, 1/2 squared error + lambda |code|_1, is a sum over values and atoms, its mean is "
             "over %s; more steps: %lld in place of %lld",
             o->form != SPARSE_PATCHES ? "whole images"
             : o->whiten.on            ? "whitened patches, drawn once from each image"
                                       : "patches less their means, drawn once from each image",
             o->form == SPARSE_PATCHES ? "patches" : "images", (long long)o->reference, (long long)o->inference.steps);
    m->remark(m->say, line);
    if (has_moments(s)) {
        snprintf(line, sizeof line,
                 "components: %lld, the mean number of active codes rounded up; from patches of %lld training images",
                 (long long)ceil(m->test_mean[ACTIVE]), (long long)m->train);
    } else {
        snprintf(line, sizeof line, "left out: components: they are computed for patches of at most %d values",
                 MOST_VALUES);
    }
    m->remark(m->say, line);
}

static const float *weights(const hiss_measured *m, const char *name) {
    return m->vector + hiss_model_offset(m->model, name);
}

/* Second atoms as images of 2 x 2 patches: sums of first atoms. out [second atoms, 2 size, 2 size, C] */
static void expand(const sparse_coder *s, const float *first, const float *second, float *out) {
    const sparse_options *o = s->options;
    const int64_t D = sparse_values(s, 0), K = o->atoms, size = o->size, C = s->task->C, side = 2 * size;
    float *unit = hiss_new(float, K *D), *length = hiss_new(float, K), *sum = hiss_new(float, D);
    s->task->kernels->l2_normalize_forward(K, D, 1e-6f, first, unit, length);
    for (int64_t p = 0; p < o->second_atoms * 4; p++) {
        s->task->kernels->gemm(false, false, 1, D, K, 1.0f, second + p * K, K, unit, D, 0.0f, sum, D);
        for (int64_t d = 0; d < D; d++) {
            const int64_t row = p % 4 / 2 * size + d / (size * C), column = p % 2 * size + d / C % size;
            out[((p / 4 * side + row) * side + column) * C + d % C] = sum[d];
        }
    }
    hiss_free(unit);
    hiss_free(length);
    hiss_free(sum);
}

static hiss_status draw_second(const sparse_coder *s, const hiss_measured *m, hiss_error *err) {
    const sparse_options *o = s->options;
    const int64_t side = 2 * o->size, C = s->task->C;
    float *atoms = hiss_new(float, o->second_atoms *side *side *C);
    expand(s, weights(m, "first/weight"), weights(m, "second/weight"), atoms);
    const hiss_status status =
        m->filters(m->say, "second_atoms.png", "Atoms of the second layer",
                   "Each as the pixels of 2 x 2 patches that it stands for, stretched to its own minimum and maximum.",
                   o->second_atoms, side, side, C, atoms, err);
    hiss_free(atoms);
    return status;
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    const sparse_coder *s = self;
    const sparse_options *o = s->options;
    for (int layer = 0; layer < o->layers; layer++) {
        conclude_layer(s, m, layer);
    }
    remark(s, m);
    const hiss_status status =
        m->filters(m->say, "atoms.png", "Atoms", "The dictionary, each atom stretched to its own minimum and maximum.",
                   o->atoms, o->size, o->size, s->task->C, weights(m, "first/weight"), err);
    return status == HISS_OK && o->layers == 2 ? draw_second(s, m, err) : status;
}

static const char *const pictures[] = {"atoms.png", "second_atoms.png", NULL};

const hiss_measure_ops sparse_measure = {.baseline = "principal components",
                                         .pictures = pictures,
                                         .width = width,
                                         .build = build,
                                         .sample = sample,
                                         .measure = measure,
                                         .conclude = conclude};
