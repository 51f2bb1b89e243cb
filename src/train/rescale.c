/* Weights rescaled by what samples make of them, before the first step (train.init_rescale).
 *
 * Kraehenbuehl, Doersch, Donahue & Darrell (ICLR 2016), Data-dependent Initializations of Convolutional Neural Networks.
 * Samples drawn by the seed run through the encoder, in centre views.
 *
 * Within layers. In the order of the graph, convolution by convolution and linear layer by linear layer, the outputs of
 * each channel get standard deviation 1. A new layer is divided by the deviation it has, and its bias makes the mean
 * BETA, as in the authors' program. A layer that train.init has brought must go on to compute what it did: what the
 * layers above it read is divided again by what its outputs were multiplied with (spread.c). Where that is impossible,
 * as at the output, it stays as it is. Its mean stays where it is, for ReLU is no function of differences. BatchNorm
 * that is new, or sits on something new, takes over mean and variance of its inputs.
 *
 * Between layers. The rate of layer k is C_k, the root mean square of the gradient of its weights over that of the
 * weights, for gradients at the output drawn as normal noise: a step of any size changes it by a share proportional to
 * that. Multiplying weights by a divides the rate by a^2, when the network computes what it did. So a_k =
 * sqrt(C_k / C) makes all rates C. Layers whose scales the output fixes as a product, those from the last BatchNorm on,
 * keep the product when C is the geometric mean of theirs. Without BatchNorm these are all, as in the paper. Dropout
 * and BatchNorm's batches make rates depend a little on each other, so this is done ROUNDS times at most.
 *
 * Frozen layers are rescaled, too, since what is trained above them reads their outputs; they have no rate, and between
 * layers keep their weights. Rank 0 computes on one thread, and sends the model to the others. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/log.h"
#include "hiss/watch.h"
#include "train/moments.h"
#include "train/spread.h"
#include "train/trainer.h"

enum { SAMPLES = 500, BATCH = 50, NOISES = 10, ROUNDS = 10 }; /* at most; NOISES of each batch */
enum { DRAW_OF_SAMPLES = 2200, DRAW_OF_NOISE };               /* when, of evaluation's streams */
static const double BETA = 0.1, TINY = 1e-20, NEARLY_CONSTANT = 1e-6, SETTLED = 0.01;

typedef struct side { /* the encoder in one mode */
    hiss_graph *graph;
    hiss_value image, out, noise;
    hiss_inputs inputs;
    hiss_exec *exec;
} side;

struct train_rescaler {
    int64_t m;            /* samples of a batch */
    side still, learning; /* in evaluation; in training, with the noise as gradient of its output */
};

typedef struct layer {
    int node, weight, bias; /* in the graph of evaluation; slots */
    bool frozen, free;      /* its outputs may have any scale, */
    bool bound;             /* or one that decides the output's, with those of others */
    double rate;            /* C_k; 0: it does not learn */
} layer;

typedef struct job {
    trainer *t;
    train_rescaler *r;
    hiss_samples *samples;
    int64_t batches;
    spread spread;
    layer *layers;
    int count;
    float *lane;        /* gradients */
    bool *based, *news; /* [nodes] of the graph of evaluation: computed from the image; from what was not taken over */
    FILE *list[3];      /* names of layers: taken over and rescaled, new, left as they are */
    char *text[3];
    size_t size[3];
    int listed[3];
} job;

/* ---- graphs ---- */

static hiss_status build_side(const trainer *t, bool training, int64_t m, side *s, hiss_error *err) {
    const hiss_task *task = &t->task;
    const hiss_objective_ops *ops = t->experiment->objective;
    hiss_taps *taps = hiss_new(hiss_taps, 1);
    s->graph = hiss_graph_create();
    hiss_builder b = {
        .graph = s->graph, .model = t->model, .training = training, .trained_groups = ~0u, .apart = !training};
    s->image = hiss_graph_input(s->graph, "image", HISS_SHAPE(m, task->H, task->W, task->C));
    hiss_status status = ops->encode(t->method, &b, s->image, taps, err);
    s->out = hiss_taps_last(taps);
    hiss_free(taps);
    if (status == HISS_OK) {
        s->inputs = hiss_inputs_bind(ops, task, s->graph);
        hiss_graph_keep(s->graph, s->out);
    }
    if (status == HISS_OK && training) {
        s->noise = hiss_graph_input(s->graph, "noise", hiss_graph_shape(s->graph, s->out));
        hiss_graph_loss(s->graph, hiss_graph_dot(s->graph, s->out, s->noise, 1.0));
    }
    return status == HISS_OK ? hiss_graph_status(s->graph, err) : status;
}

hiss_status train_rescale_build(trainer *t, hiss_error *err) {
    const int64_t n = t->placement.samples;
    if (t->experiment->train.init_rescale == HISS_RESCALE_NONE) {
        return HISS_OK;
    }
    train_rescaler *r = t->rescale = hiss_new(train_rescaler, 1);
    r->m = t->placement.m < BATCH ? t->placement.m : BATCH; /* no more memory than a lane's */
    r->m = n < r->m ? n : r->m;
    const hiss_status s = build_side(t, false, r->m, &r->still, err);
    return s == HISS_OK ? build_side(t, true, r->m, &r->learning, err) : s;
}

void train_rescale_free(trainer *t) {
    if (t->rescale) {
        hiss_graph_destroy(t->rescale->still.graph);
        hiss_graph_destroy(t->rescale->learning.graph);
        hiss_free(t->rescale);
    }
}

/* ---- samples through them ---- */

static hiss_status draw_samples(job *j, hiss_error *err) {
    const int64_t n = j->t->placement.samples, m = j->r->m;
    j->batches = (n < SAMPLES ? n : SAMPLES) / m;
    hiss_sample_range drawn = {.set = j->t->set, .count = j->batches * m};
    drawn.index = hiss_new(int64_t, drawn.count);
    const hiss_permutation order = hiss_permutation_keyed(j->t->task.seed, HISS_FOR_EVALUATION, DRAW_OF_SAMPLES, 0, n);
    for (int64_t i = 0; i < drawn.count; i++) {
        drawn.index[i] = hiss_permutation_at(&order, i);
    }
    j->samples = hiss_samples_create(j->t->set, drawn.count);
    const hiss_status s = hiss_samples_read(j->samples, &drawn, 0, drawn.count, err);
    hiss_free(drawn.index);
    return s;
}

/* Batch b up to a node. */
static hiss_exec_context forward(const job *j, const side *s, int64_t b, int end) {
    const trainer *t = j->t;
    const hiss_batch batch = hiss_samples_batch(j->samples, b * j->r->m, j->r->m);
    const hiss_exec_context run = {
        .model = t->vector, .lane_vector = j->lane, .seed = t->task.seed, .step = b, .lanes = 1};
    const hiss_lane lane = {.task = &t->task,
                            .phase = -1,
                            .step = b,
                            .view = HISS_VIEW_CENTER,
                            .batch = &batch,
                            .graph = s->graph,
                            .exec = s->exec,
                            .inputs = &s->inputs,
                            .scratch = t->scratch[0]};
    for (int64_t i = 0; i < batch.m; i++) {
        hiss_lane_default_sample(&lane, i);
    }
    hiss_exec_forward(s->exec, &run, 0, end, NULL, NULL);
    return run;
}

/* Of each channel of a value, over all samples and positions. The caller frees. */
static moments *measure(const job *j, hiss_value value) {
    const side *s = &j->r->still;
    const hiss_shape shape = hiss_graph_shape(s->graph, value);
    const int64_t C = shape.dim[shape.ndim - 1];
    moments *channel = hiss_new(moments, C);
    for (int64_t b = 0; b < j->batches; b++) {
        forward(j, s, b, value + 1);
        train_moments_add(hiss_shape_count(&shape) / C, C, hiss_exec_data(s->exec, value), channel);
    }
    return channel;
}

/* ---- the layers ---- */

static bool took(const job *j, int slot) {
    return j->t->took && j->t->took[slot];
}

static float *values(const job *j, int slot) {
    return j->t->vector + hiss_model_at(j->t->model, slot)->offset;
}

static void note(job *j, int list, const layer *l, const char *why) {
    const char *name = hiss_model_at(j->t->model, l->weight)->name, *end = strrchr(name, '/');
    fprintf(j->list[list], "%s%.*s%s", j->listed[list]++ ? ", " : "", end ? (int)(end - name) : (int)strlen(name), name,
            why);
}

/* Whether the method makes gradients of a slot itself, and so uses its values in its own way. */
static bool is_own(const trainer *t, int slot) {
    bool own = false;
    for (int p = 0; p < t->nphases; p++) {
        own |= hiss_graph_owns(t->phases[p].graph, slot);
    }
    return own;
}

static int count_readers(const hiss_graph *g, int slot) {
    int n = 0;
    for (int i = 0; i < hiss_graph_nodes(g); i++) {
        const hiss_node_form f = hiss_graph_form(g, i);
        for (int k = 0; k < f.inputs; k++) {
            n += train_spread_slot(g, f.input[k]) == slot;
        }
    }
    return n;
}

static void find_layers(job *j) {
    const hiss_graph *g = j->r->still.graph;
    const int nodes = hiss_graph_nodes(g);
    j->layers = hiss_new(layer, nodes);
    j->based = hiss_new(bool, nodes);
    j->news = hiss_new(bool, nodes);
    for (int i = 0; i < nodes; i++) {
        const hiss_node_form f = hiss_graph_form(g, i);
        const int slot = train_spread_slot(g, i);
        j->based[i] = strcmp(f.op, "input") == 0;
        j->news[i] = slot != HISS_NO_SLOT ? hiss_model_at(j->t->model, slot)->deviation > 0 && !took(j, slot)
                                          : f.mean_slot != HISS_NO_SLOT && !took(j, f.mean_slot);
        for (int k = 0; k < f.inputs; k++) {
            j->based[i] |= f.input[k] >= 0 && j->based[f.input[k]];
            j->news[i] |= f.input[k] >= 0 && j->news[f.input[k]];
        }
        const int weight = train_spread_is_layer(&f) ? train_spread_slot(g, f.input[1]) : HISS_NO_SLOT;
        if (weight != HISS_NO_SLOT && hiss_model_at(j->t->model, weight)->kind == HISS_SLOT_PARAMETER &&
            j->based[f.input[0]] && count_readers(g, weight) == 1 && !is_own(j->t, weight)) {
            const int bias = f.inputs > 2 ? train_spread_slot(g, f.input[2]) : HISS_NO_SLOT;
            j->layers[j->count++] = (layer){
                .node = i, .weight = weight, .bias = bias, .frozen = hiss_model_at(j->t->model, weight)->frozen};
        }
    }
}

/* ---- within layers ---- */

/* 1 over the deviation; 1 where the channel is constant, or not finite. */
static double scale_of(const moments *m) {
    const double deviation = sqrt(m->squares / m->count);
    const bool varies = isfinite(deviation) && deviation > TINY && deviation > NEARLY_CONSTANT * fabs(m->mean);
    return varies ? 1 / deviation : 1.0;
}

static void normalize_new(const job *j, const layer *l, int64_t F, const double *by, const moments *channel) {
    const int64_t row = hiss_model_at(j->t->model, l->weight)->count / F;
    float *weight = values(j, l->weight), *bias = l->bias != HISS_NO_SLOT ? values(j, l->bias) : NULL;
    for (int64_t f = 0; f < F; f++) {
        for (int64_t i = f * row; i < (f + 1) * row; i++) {
            weight[i] = (float)((double)weight[i] * by[f]);
        }
        if (bias) {
            bias[f] = (float)(BETA - (channel[f].mean - (double)bias[f]) * by[f]);
        }
    }
}

static void normalize(job *j, const layer *l) {
    const int64_t F = hiss_model_at(j->t->model, l->weight)->shape.dim[0];
    double *by = hiss_new(double, F);
    moments *channel = measure(j, l->node);
    bool constant = true;
    for (int64_t f = 0; f < F; f++) {
        by[f] = scale_of(&channel[f]);
        constant = constant && by[f] == 1.0;
    }
    if (constant) {
        note(j, 2, l, " (constant outputs)");
    } else if (!took(j, l->weight)) {
        normalize_new(j, l, F, by, channel);
        note(j, 1, l, "");
    } else {
        const bool done = train_spread(&j->spread, l->weight, l->bias, by, j->t->vector);
        note(j, done ? 0 : 2, l, "");
    }
    hiss_free(channel);
    hiss_free(by);
}

/* Running statistics of what is new, or of what something new feeds. */
static void measure_statistics(const job *j, const hiss_node_form *norm) {
    moments *channel = measure(j, norm->input[0]);
    for (int64_t c = 0; c < hiss_model_at(j->t->model, norm->mean_slot)->count; c++) {
        values(j, norm->mean_slot)[c] = (float)channel[c].mean;
        values(j, norm->variance_slot)[c] = (float)(channel[c].squares / channel[c].count);
    }
    hiss_free(channel);
}

static void within(job *j) {
    for (int i = 0, k = 0; i < hiss_graph_nodes(j->r->still.graph); i++) {
        const hiss_node_form f = hiss_graph_form(j->r->still.graph, i);
        if (k < j->count && j->layers[k].node == i) {
            normalize(j, &j->layers[k++]);
        } else if (f.mean_slot != HISS_NO_SLOT && j->based[i] && j->news[i]) {
            measure_statistics(j, &f);
        }
    }
}

/* ---- between layers ---- */

static double mean_square(const float *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    return sum / (double)n;
}

static void measure_rates(job *j) {
    const side *s = &j->r->learning;
    const hiss_shape shape = hiss_graph_shape(s->graph, s->noise);
    double *square = hiss_new(double, j->count);
    const int64_t draws = j->batches * NOISES;
    for (int64_t d = 0; d < draws; d++) {
        hiss_rng rng = hiss_rng_keyed(j->t->task.seed, HISS_FOR_EVALUATION, DRAW_OF_NOISE, d);
        hiss_rng_normals(&rng, hiss_shape_count(&shape), hiss_exec_data(s->exec, s->noise));
        const hiss_exec_context run = forward(j, s, d % j->batches, hiss_graph_nodes(s->graph));
        hiss_exec_backward(s->exec, &run, NULL, NULL);
        for (int k = 0; k < j->count; k++) {
            const hiss_slot *slot = hiss_model_at(j->t->model, j->layers[k].weight);
            square[k] += hiss_graph_trains(s->graph, j->layers[k].weight)
                             ? mean_square(j->lane + slot->offset, slot->count) / (double)draws
                             : 0.0;
        }
    }
    for (int k = 0; k < j->count; k++) {
        const double weights =
            mean_square(values(j, j->layers[k].weight), hiss_model_at(j->t->model, j->layers[k].weight)->count);
        const double rate = sqrt(square[k] / weights);
        j->layers[k].rate = isfinite(rate) && weights > 0 ? rate : 0.0;
    }
    hiss_free(square);
}

static bool scale_all(job *j, const layer *l, double by, float *vector) {
    const int64_t F = hiss_model_at(j->t->model, l->weight)->shape.dim[0];
    double *all = hiss_new(double, F);
    for (int64_t f = 0; f < F; f++) {
        all[f] = by;
    }
    const bool can = train_spread(&j->spread, l->weight, l->bias, all, vector);
    hiss_free(all);
    return can;
}

/* Which scales are free, and which of them decide the output's. */
static void find_bound(job *j) {
    for (int k = j->count - 1; k >= 0; k--) {
        layer *l = &j->layers[k];
        l->free = scale_all(j, l, 2.0, NULL);
        l->bound = !l->free;
        for (int above = k + 1; above < j->count; above++) {
            l->bound |= j->layers[above].bound && j->spread.undoes[j->layers[above].weight];
        }
    }
}

/* The geometric mean of rates: of layers that are bound, or of all where none is. */
static double common_rate(const job *j) {
    double sum[2] = {0}, n[2] = {0};
    for (int k = 0; k < j->count; k++) {
        for (int bound = 0; bound <= j->layers[k].bound && j->layers[k].rate > 0; bound++) {
            sum[bound] += log(j->layers[k].rate);
            n[bound]++;
        }
    }
    return n[1] > 0 ? exp(sum[1] / n[1]) : n[0] > 0 ? exp(sum[0] / n[0]) : 0.0;
}

/* The least and the most of the rates. */
static void range_of_rates(const job *j, double range[2]) {
    range[0] = INFINITY;
    range[1] = 0.0;
    for (int k = 0; k < j->count; k++) {
        const double rate = j->layers[k].rate;
        range[0] = rate > 0 && rate < range[0] ? rate : range[0];
        range[1] = rate > range[1] ? rate : range[1];
    }
}

/* One round; the largest change of a scale, as a logarithm. A layer that has undone the scale of those below changes its
 * own by what is left, and is undone above by all of it. */
static double equalize(job *j) {
    const double common = common_rate(j);
    double most = 0;
    memset(j->spread.inherited, 0, sizeof(double) * (size_t)hiss_model_count(j->t->model));
    for (int k = 0; k < j->count; k++) {
        const layer *l = &j->layers[k];
        const double change = l->rate > 0 ? 0.5 * log(l->rate / common) : 0.0;
        const double by = exp(change + j->spread.inherited[l->weight]);
        if (l->free && by != 1.0) {
            scale_all(j, l, by, j->t->vector);
            most = fmax(most, fabs(change));
        }
    }
    return most;
}

static void between(job *j) {
    double before[2], after[2], change = INFINITY;
    int round = 0;
    find_bound(j);
    measure_rates(j);
    range_of_rates(j, before);
    for (; round < ROUNDS && change > SETTLED; round++) {
        change = equalize(j);
        measure_rates(j);
    }
    range_of_rates(j, after);
    if (before[1] > 0) {
        hiss_info("init_rescale: gradient over weights, of layers: %.3g to %.3g before, %.3g to %.3g after %d rounds",
                  before[0], before[1], after[0], after[1], round);
    }
}

/* ---- all of it ---- */

/* What the method measures at the start of an epoch, after this, would change what layers above it get. */
static hiss_status expect_measured(const job *j, hiss_error *err) {
    const hiss_graph *g = j->r->still.graph;
    for (int i = 0; i < hiss_graph_nodes(g); i++) {
        const int number = train_spread_slot(g, i);
        const hiss_slot *slot = number != HISS_NO_SLOT ? hiss_model_at(j->t->model, number) : NULL;
        if (slot && slot->kind == HISS_SLOT_BUFFER && !slot->frozen) {
            return hiss_fail_key(err, HISS_EUSER, "train.init_rescale",
                                 "%s measures %s after weights are rescaled, so that they would not fit; set it to "
                                 "none, or take %s over (train.init) and freeze it (train.freeze)",
                                 j->t->experiment->objective->name, slot->name, slot->name);
        }
    }
    return HISS_OK;
}

static hiss_status run(job *j, hiss_error *err) {
    static const char *const what[] = {"taken over, which compute what they did", "new",
                                       "as they are, since nothing above can undo a scale"};
    const hiss_status s = expect_measured(j, err);
    if (s != HISS_OK) {
        return s;
    }
    find_layers(j);
    within(j);
    for (int k = 0; k < 3; k++) {
        fflush(j->list[k]);
        if (j->listed[k]) {
            hiss_info("init_rescale: %d layers %s: %s", j->listed[k], what[k], j->text[k]);
        }
    }
    if (j->listed[0] + j->listed[1] == 0) {
        return hiss_fail_key(err, HISS_EUSER, "train.init_rescale",
                             "the encoder of %s has no layer that can be rescaled%s%s; set it to none",
                             j->t->experiment->objective->name, j->listed[2] ? ", but " : "", j->text[2]);
    }
    if (j->t->experiment->train.init_rescale == HISS_RESCALE_BETWEEN) {
        between(j);
    }
    return HISS_OK;
}

static hiss_status rescale(trainer *t, hiss_error *err) {
    train_rescaler *r = t->rescale;
    const int slots = hiss_model_count(t->model);
    const hiss_graph **graph = hiss_new(const hiss_graph *, t->nphases + 2);
    job j = {.t = t, .r = r, .lane = hiss_new(float, hiss_model_floats(t->model))};
    graph[0] = r->still.graph;
    graph[1] = r->learning.graph;
    for (int p = 0; p < t->nphases; p++) {
        graph[2 + p] = t->phases[p].graph;
    }
    j.spread = (spread){t->model, t->nphases + 2, graph, hiss_new(double, slots), hiss_new(bool, slots)};
    r->still.exec = hiss_exec_create(r->still.graph, t->task.kernels, hiss_model_offsets(t->model));
    r->learning.exec = hiss_exec_create(r->learning.graph, t->task.kernels, hiss_model_offsets(t->model));
    for (int k = 0; k < 3; k++) {
        j.list[k] = hiss_text_open(&j.text[k], &j.size[k]);
    }
    hiss_status s = draw_samples(&j, err);
    s = s == HISS_OK ? run(&j, err) : s;
    for (int k = 0; k < 3; k++) {
        fclose(j.list[k]);
        free(j.text[k]);
    }
    hiss_samples_destroy(j.samples);
    hiss_exec_destroy(r->still.exec);
    hiss_exec_destroy(r->learning.exec);
    hiss_free(j.spread.inherited);
    hiss_free(j.spread.undoes);
    hiss_free(graph);
    hiss_free(j.layers);
    hiss_free(j.based);
    hiss_free(j.news);
    hiss_free(j.lane);
    return hiss_config_blame(t->experiment->config, s, err);
}

hiss_status train_rescale(trainer *t, hiss_error *err) {
    if (!t->rescale || t->resumed) {
        return HISS_OK;
    }
    hiss_watch_note(t->comm, "train.init_rescale", -1);
    hiss_alloc_for("train.init_rescale", t->smaller);
    const hiss_status s = hiss_comm_agree(t->comm, hiss_comm_rank(t->comm) == 0 ? rescale(t, err) : HISS_OK, err);
    if (s == HISS_OK) {
        hiss_comm_broadcast(t->comm, t->vector, hiss_model_floats(t->model) * (int64_t)sizeof(float), 0);
    }
    return s;
}
