/* Sparse coding: an image is a sum of few atoms. Codes z and a dictionary D of atoms of length 1 make
 *     1/2 |x - D z|^2 + lambda |z|_1
 * small, in turn: z by proximal gradient steps for the atoms as they are (src/graph/ops/sparse_steps.c), then the atoms
 * by one step of the optimiser along the gradient at those codes. (Olshausen & Field, "Emergence of simple-cell receptive
 * field properties by learning a sparse code for natural images", Nature 1996; with |z|_1 as the measure of sparseness,
 * one of theirs.) The length of atoms is divided out in the graph: without that they grow, and codes shrink for nothing.
 *
 *   patches         x is a patch of `size` pixels, drawn anew at each step, without its mean, and whitened
 *                   (sparse/whiten.h); an image's features are the codes of patches `stride` apart.
 *   convolutional   x is the image, D z a transposed convolution with the atoms as filters (Zeiler, Krishnan, Taylor &
 *                   Fergus, "Deconvolutional networks", CVPR 2010).
 *
 * With two layers a second dictionary codes the codes of 2 x 2 patches side by side, trained after the first, which
 * stays as it is (the hierarchy of Zeiler et al., on patches).
 *
 * The features are the codes' positive and negative parts, averaged over a grid of cells (Coates & Ng, "The importance
 * of encoding versus training with sparse coding and vector quantization", ICML 2011). */
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "objective/parts/encoder.h"
#include "objective/sparse/coder.h"

typedef sparse_options options;
typedef sparse_coder coder;

static const hiss_row rows[] = {
    {"form", HISS_CHOICE, offsetof(options, form), "patches", 0, 0, "patches|convolutional",
     "what a code is of: patches by themselves, or the whole image"},
    {"atoms", HISS_INT, offsetof(options, atoms), "128", 1, 1 << 14, NULL, "atoms of the dictionary"},
    {"size", HISS_INT, offsetof(options, size), "8", 1, 64, NULL, "side of patches and atoms in pixels"},
    {"patches", HISS_INT, offsetof(options, patches), "16", 1, 4096, NULL,
     "patches: drawn from each image at each step"},
    {"stride", HISS_INT, offsetof(options, stride), "4", 1, 64, NULL,
     "patches: pixels between those whose codes are an image's features"},
    {"cells", HISS_INT, offsetof(options, cells), "2", 1, 64, NULL,
     HISS_OF_EVALUATION "the features are codes averaged over so many cells each way, or as many as there are codes"},
    SPARSE_INFERENCE_ROWS(options, inference),
    {"layers", HISS_INT, offsetof(options, layers), "1", 1, 2, NULL,
     "patches: 2 trains a second dictionary, of the codes of 2 x 2 patches"},
    {"first_epochs", HISS_INT, offsetof(options, first_epochs), "5", 1, 1 << 30, NULL,
     "layers 2: epochs of the first dictionary, before the second"},
    {"second_atoms", HISS_INT, offsetof(options, second_atoms), "128", 1, 1 << 14, NULL,
     "layers 2: atoms of the second dictionary"},
    {"second_lambda", HISS_FLOAT, offsetof(options, second_lambda), "0.5", 0, 1e6, NULL, "layers 2: its lambda"},
    {"reference", HISS_INT, offsetof(options, reference), "500", 1, 1000000, NULL,
     HISS_OF_EVALUATION "compare the objective with that after so many steps"},
};
static const int nrows = HISS_COUNT(rows);

/* ---- sizes ---- */

static bool is_convolutional(const coder *s) {
    return s->options->form == SPARSE_CONVOLUTIONAL;
}

static int64_t grid_of(int layer) { /* patches side by side */
    return layer + 1;
}

static int64_t patch_values(const coder *s) {
    return s->options->size * s->options->size * s->task->C;
}

static int64_t atoms_of(const coder *s, int layer) {
    return layer ? s->options->second_atoms : s->options->atoms;
}

int64_t sparse_side(const coder *s, int layer) {
    return s->options->size * grid_of(layer);
}

int64_t sparse_values(const coder *s, int layer) {
    return layer ? grid_of(layer) * grid_of(layer) * s->options->atoms : patch_values(s);
}

double sparse_lambda(const coder *s, int layer) {
    return layer ? s->options->second_lambda : s->options->inference.lambda;
}

static hiss_status expect_sizes(const coder *s, hiss_error *err) {
    const options *o = s->options;
    const int64_t H = s->task->H, W = s->task->W, least = H < W ? H : W, side = sparse_side(s, (int)o->layers - 1);
    if (s->task->network->layers) {
        return hiss_fail_key(err, HISS_EUSER, "network.layers",
                             "sparse has a dictionary of its own, of sparse.atoms atoms; leave network.layers out, "
                             "as with --set network.layers=null");
    }
    if (is_convolutional(s) && o->layers == 2) {
        return hiss_fail_key(err, HISS_EUSER, "sparse.layers",
                             "a second layer is of the codes of patches: expected 1 with sparse.form convolutional, "
                             "found 2");
    }
    if (side > least) {
        return hiss_fail_key(err, HISS_EUSER, "sparse.size",
                             "%s of %lld x %lld pixels %s in images of %lld x %lld; expected at most %lld, found %lld",
                             o->layers == 2        ? "2 x 2 patches, with sparse.layers 2,"
                             : is_convolutional(s) ? "an atom"
                                                   : "a patch",
                             (long long)side, (long long)side, o->layers == 2 ? "do not fit" : "does not fit",
                             (long long)H, (long long)W, (long long)(least / o->layers), (long long)o->size);
    }
    return HISS_OK;
}

static hiss_status expect_reference(const options *o, hiss_error *err) {
    return o->reference >= o->inference.steps
               ? HISS_OK
               : hiss_fail_key(
                     err, HISS_EUSER, "sparse.reference",
                     "%lld steps, which are fewer than the %lld of sparse.steps that they judge; set it to at "
                     "least so many, some ten times as many for choice",
                     (long long)o->reference, (long long)o->inference.steps);
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    coder *s = hiss_new(coder, 1);
    s->task = task;
    s->placement = placement;
    s->options = opts;
    *self = s;
    const hiss_status status = expect_sizes(s, err);
    return status == HISS_OK ? expect_reference(s->options, err) : status;
}

static void destroy(void *self) {
    hiss_free(self);
}

/* ---- windows ---- */

/* Rows [N P Q grid^2, D] of the grid x grid patches in each window of x, windows `stride` apart, each without its mean:
 * a convolution whose filters pick one pixel of one patch. */
static hiss_value cut(const coder *s, hiss_builder *b, hiss_value x, int64_t grid, int64_t stride) {
    const int64_t size = s->options->size, C = s->task->C, D = patch_values(s), side = grid * size;
    const int64_t filter = side * side * C;
    float *w = hiss_new(float, grid *grid *D *filter);
    for (int64_t f = 0; f < grid * grid * D; f++) {
        const int64_t patch = f / D, top = patch / grid * size, left = patch % grid * size;
        for (int64_t k = 0; k < D; k++) {
            const int64_t row = top + k / (size * C), column = left + k / C % size;
            w[f * filter + (row * side + column) * C + k % C] =
                (float)((k == f % D ? 1.0 : 0.0) - (D > 1 ? 1.0 / (double)D : 0.0));
        }
    }
    hiss_graph_scope(b->graph, "cut");
    const hiss_value filters = hiss_graph_constant(b->graph, HISS_SHAPE(grid * grid * D, side, side, C), w);
    hiss_free(w);
    const hiss_value map = hiss_graph_conv2d(b->graph, x, filters, -1, stride, 0);
    if (map < 0) {
        return -1;
    }
    const hiss_shape shape = hiss_graph_shape(b->graph, map);
    return hiss_graph_reshape(b->graph, map, HISS_SHAPE(hiss_shape_count(&shape) / D, D));
}

hiss_value sparse_windows(const coder *s, hiss_builder *b, int64_t m, int64_t count, int64_t side) {
    const hiss_task *t = s->task;
    hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    return hiss_graph_input(b->graph, "patches", HISS_SHAPE(m * count, side, side, t->C));
}

void sparse_draw(const coder *s, const hiss_lane *lane, int64_t i, hiss_rng *rng) {
    const hiss_value patches = hiss_graph_input_named(lane->graph, "patches");
    const hiss_task *t = s->task;
    hiss_lane_default_sample(lane, i);
    if (patches < 0) {
        return;
    }
    const hiss_shape shape = hiss_graph_shape(lane->graph, patches);
    const int64_t side = shape.dim[1], count = shape.dim[0] / hiss_graph_shape(lane->graph, lane->inputs->image).dim[0];
    const float *image = hiss_exec_data(lane->exec, lane->inputs->image) + i * t->H * t->W * t->C;
    float *out = hiss_exec_data(lane->exec, patches) + i * count * side * side * t->C;
    for (int64_t k = 0; k < count; k++) {
        const int64_t top = hiss_rng_below(rng, t->H - side + 1), left = hiss_rng_below(rng, t->W - side + 1);
        for (int64_t row = 0; row < side; row++, out += side * t->C) {
            memcpy(out, image + ((top + row) * t->W + left) * t->C, sizeof(float) * (size_t)(side * t->C));
        }
    }
}

/* ---- layers ---- */

hiss_value sparse_layer_atoms(const coder *s, hiss_builder *b, int layer) {
    const int64_t K = atoms_of(s, layer), size = s->options->size;
    b->group = layer;
    const hiss_value atoms = sparse_atoms(b, layer ? "second" : "first", K, sparse_values(s, layer));
    b->group = 0;
    return is_convolutional(s) ? hiss_graph_reshape(b->graph, atoms, HISS_SHAPE(K, size, size, s->task->C)) : atoms;
}

static int64_t pad_of(const coder *s) {
    return (s->options->size - 1) / 2;
}

hiss_value sparse_layer_code(const coder *s, hiss_builder *b, int layer, hiss_value x, hiss_value atoms,
                             int64_t steps) {
    sparse_inference how = s->options->inference;
    how.lambda = sparse_lambda(s, layer);
    how.steps = steps;
    return is_convolutional(s) ? sparse_infer_map(b, x, atoms, pad_of(s), &how) : sparse_infer(b, x, atoms, &how);
}

hiss_value sparse_rebuild(const coder *s, hiss_builder *b, hiss_value code, hiss_value atoms) {
    return is_convolutional(s) ? hiss_graph_conv2d_transposed(b->graph, code, atoms, -1, 1, pad_of(s), 0)
                               : hiss_graph_linear_transposed(b->graph, code, atoms, -1);
}

sparse_coding sparse_layer(const coder *s, hiss_builder *b, int layer, hiss_value x) {
    sparse_coding out = {.x = x, .atoms = sparse_layer_atoms(s, b, layer)};
    out.code = sparse_layer_code(s, b, layer, x, out.atoms, s->options->inference.steps);
    out.rebuilt = sparse_rebuild(s, b, out.code, out.atoms);
    return out;
}

/* What the layer's dictionary codes, of windows in x or of images. */
hiss_value sparse_layer_input(const coder *s, hiss_builder *b, int layer, hiss_value x, int64_t stride) {
    if (is_convolutional(s)) {
        return x;
    }
    x = sparse_whiten(&s->options->whiten, b, cut(s, b, x, grid_of(layer), stride));
    if (layer == 0 || x < 0) {
        return x;
    }
    const hiss_value atoms = sparse_layer_atoms(s, b, 0);
    const hiss_value code = sparse_layer_code(s, b, 0, x, atoms, s->options->inference.steps);
    const int64_t D = sparse_values(s, 1), values = hiss_graph_shape(b->graph, code).dim[0] * s->options->atoms;
    return hiss_graph_reshape(b->graph, code, HISS_SHAPE(values / D, D));
}

/* ---- training ---- */

/* The layer that a phase trains; one layer has one phase. */
static int layer_of(const coder *s, int phase) {
    return s->options->layers == 2 ? phase : 0;
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    coder *s = self;
    const hiss_task *t = s->task;
    const int64_t m = s->placement->m;
    const int layer = layer_of(s, phase);
    hiss_value x;
    if (is_convolutional(s)) {
        x = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    } else {
        x = s->patches[phase] = sparse_windows(s, b, m, s->options->patches, sparse_side(s, layer));
        hiss_graph_keep(b->graph, x);
    }
    const sparse_coding z = sparse_layer(s, b, layer, sparse_layer_input(s, b, layer, x, 1));
    if (z.rebuilt < 0) {
        return hiss_graph_status(b->graph, err);
    }
    const double each = 1.0 / (double)hiss_graph_shape(b->graph, z.x).dim[0];
    const hiss_value error = sparse_error(b, z.x, z.rebuilt, each), cost = sparse_cost(b, z.code, each);
    const hiss_value loss = hiss_graph_add(b->graph, error, hiss_graph_scale(b->graph, cost, sparse_lambda(s, layer)));
    hiss_graph_loss(b->graph, loss);
    hiss_layer_metric(b, "loss", loss);
    hiss_layer_metric(b, "error", error);
    hiss_layer_metric(b, "active", sparse_active(b, z.code, each));
    return hiss_graph_status(b->graph, err);
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const coder *s = self;
    hiss_rng rng = hiss_rng_keyed(s->task->seed, HISS_FOR_NOISE, lane->step,
                                  lane->batch->sample[i] * 2 + (lane->phase > 0 ? lane->phase : 0));
    sparse_draw(s, lane, i, &rng);
}

static unsigned trains(void *self, int phase) {
    return 1u << layer_of(self, phase);
}

static int count_phases(void *self) {
    return (int)((const coder *)self)->options->layers;
}

static hiss_span span(void *self, int phase) {
    const options *o = ((const coder *)self)->options;
    const int64_t second = o->layers == 1 ? INT64_MAX : o->first_epochs;
    return phase == 0 ? (hiss_span){0, second} : (hiss_span){second, INT64_MAX};
}

static void name_phase(void *self, int phase, char *line, size_t size) {
    (void)self;
    snprintf(line, size, "dictionary %d", phase + 1);
}

static hiss_status begin(void *self, const hiss_epoch *e, hiss_error *err) {
    const coder *s = self;
    return is_convolutional(s) ? HISS_OK
                               : sparse_whiten_measure(&s->options->whiten, s->task, s->placement, e, 0, s->patches[0],
                                                       s->options->patches * patch_values(s), patch_values(s), err);
}

/* ---- features ---- */

/* The codes' positive and negative parts, averaged over cells. */
static hiss_value pool(const coder *s, hiss_builder *b, hiss_value code) {
    hiss_graph *g = b->graph;
    if (code < 0) {
        return -1;
    }
    const hiss_shape shape = hiss_graph_shape(g, code);
    const int64_t least = shape.dim[1] < shape.dim[2] ? shape.dim[1] : shape.dim[2];
    const int64_t cells = s->options->cells < least ? s->options->cells : least, step = least / cells;
    const hiss_value parts[] = {hiss_graph_relu(g, code), hiss_graph_relu(g, hiss_graph_scale(g, code, -1.0))};
    hiss_graph_scope(g, "pooled");
    return hiss_graph_average_pool(g, hiss_graph_concat(g, 2, parts), least - (cells - 1) * step, step, 0);
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    const coder *s = self;
    hiss_graph *g = b->graph;
    const hiss_shape in = hiss_graph_shape(g, image);
    const int layer = (int)s->options->layers - 1;
    const hiss_value x = sparse_layer_input(s, b, layer, image, s->options->stride);
    const sparse_coding z = sparse_layer(s, b, layer, x);
    hiss_value code = z.code;
    if (code >= 0 && !is_convolutional(s)) {
        const int64_t side = sparse_side(s, layer), stride = s->options->stride;
        code = hiss_graph_reshape(g, code,
                                  HISS_SHAPE(in.dim[0], (in.dim[1] - side) / stride + 1,
                                             (in.dim[2] - side) / stride + 1, atoms_of(s, layer)));
    }
    taps->count = 0;
    hiss_status status = hiss_graph_status(g, err);
    status = status == HISS_OK ? hiss_taps_add(taps, "code", code, err) : status;
    return status == HISS_OK ? hiss_network_end(s->task->network, b, "pooled", pool(s, b, code), taps, err) : status;
}

static void describe(void *self, char *line, size_t size) {
    const coder *s = self;
    const options *o = s->options;
    const int n = snprintf(line, size, "sparse: %lld atoms of %lld x %lld pixels, lambda %g, %lld steps of %s for %s",
                           (long long)o->atoms, (long long)o->size, (long long)o->size, o->inference.lambda,
                           (long long)o->inference.steps, o->inference.algorithm == SPARSE_FISTA ? "FISTA" : "ISTA",
                           is_convolutional(s) ? "codes of whole images" : "the code of each patch");
    if (o->layers == 2 && n > 0 && (size_t)n < size) {
        snprintf(line + n, size - (size_t)n, "; after epoch %lld %lld atoms of 2 x 2 such codes",
                 (long long)o->first_epochs, (long long)o->second_atoms);
    }
}

static const char *const groups[] = {"first", "second", NULL};
static const hiss_input_ops input = {.sample = sample};
static const hiss_phase_ops phase = {.count = count_phases, .trains = trains, .span = span, .name = name_phase};
static const hiss_epoch_ops epoch = {.begin = begin};
static const hiss_report_ops report = {.describe = describe};

const hiss_objective_ops objective_sparse = {
    .name = "sparse",
    .summary = "sparse coding: images as sums of few atoms of a dictionary",
    .sections = {{"sparse", rows, &nrows, 0},
                 {"whiten", sparse_whiten_rows, &sparse_whiten_nrows, offsetof(options, whiten)}},
    .others_when = "form patches: ",
    .options_bytes = sizeof(options),
    .sizes = "sparse.atoms, sparse.size",
    .own_layers = objective_own_layers,
    .phases = 2,
    .groups = groups,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .phase = &phase,
    .epoch = &epoch,
    .report = &report,
    .measure = &sparse_measure,
};
