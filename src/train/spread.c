/* The scale of a layer's outputs, and who undoes it.
 *
 * Let outputs of a layer grow by positive factors, one for each channel. ReLU, pooling and the like hand the factors on,
 * for they are homogeneous: f(a x) = a f(x) for a > 0. A layer above divides its weights by them, column by column.
 * BatchNorm divides by what it measures, so in training it undoes them by itself; its running statistics follow: mean
 * by the factor, variance so that variance + epsilon grows by the square. All other operations would compute something
 * else. Where factors come to one of those, or to a value that somebody reads outside of the graph, they cannot be
 * undone, and the layer stays as it is.
 *
 * All graphs that read the model are walked: what the layer feeds in one of them feeds the same weights in the others,
 * with the same factors, or it cannot be undone either (tied weights, a decoder that also reads something else). */
#include "train/spread.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "hiss/alloc.h"

typedef enum rule { REFUSES, PASSES, LAYER, LAYER_BACK, NORMALIZES, NORMALIZES_ROWS, RESHAPES, JOINS, ADDS } rule;

static const struct {
    const char *op;
    rule rule;
} rules[] = {{"conv2d", LAYER},
             {"conv2d_pool", LAYER},
             {"linear", LAYER},
             {"conv2d_transposed", LAYER_BACK},
             {"linear_transposed", LAYER_BACK},
             {"batch_norm", NORMALIZES},
             {"batch_norm_eval", NORMALIZES},
             {"l2_normalize", NORMALIZES_ROWS},
             {"relu", PASSES},
             {"leaky_relu", PASSES},
             {"max_pool", PASSES},
             {"average_pool", PASSES},
             {"global_average_pool", PASSES},
             {"dropout", PASSES},
             {"stop_gradient", PASSES},
             {"scale", PASSES},
             {"reshape", RESHAPES},
             {"concat", JOINS},
             {"add", ADDS}};

static rule rule_of(const hiss_node_form *f) {
    for (int k = 0; k < HISS_COUNT(rules); k++) {
        if (strcmp(rules[k].op, f->op) == 0) {
            return rules[k].rule;
        }
    }
    return REFUSES;
}

bool train_spread_is_layer(const hiss_node_form *f) {
    return rule_of(f) == LAYER;
}

int train_spread_slot(const hiss_graph *graph, hiss_value value) {
    const hiss_node_form f = value >= 0 ? hiss_graph_form(graph, value) : (hiss_node_form){.op = ""};
    return strcmp(f.op, "parameter") == 0 ? f.slot : HISS_NO_SLOT;
}

/* ---- one walk ---- */

typedef struct factors { /* of the last dimension of a value; by NULL: none */
    int64_t count;
    double *by;
} factors;

typedef struct taker { /* who undoes factors */
    rule rule;
    int slot, variance; /* weights; or the mean, and the variance */
    double epsilon;
    factors factors;
} taker;

typedef struct walk {
    const spread *s;
    int weight, bias;
    factors out;
    factors **at; /* [graphs][nodes] */
    bool **takes; /* [graphs][nodes] */
    taker *taker; /* [slots] */
    int takers;
} walk;

static int64_t last(const hiss_shape *shape) {
    return shape->dim[shape->ndim - 1];
}

static factors copy(int64_t count, const factors *from) {
    factors f = {count, hiss_new(double, count)};
    for (int64_t i = 0; i < count; i++) {
        f.by[i] = from->by[i % from->count];
    }
    return f;
}

static bool equal(const factors *a, const factors *b) {
    return a->count == b->count && memcmp(a->by, b->by, sizeof(double) * (size_t)a->count) == 0;
}

static bool uniform(const factors *f) {
    for (int64_t i = 1; i < f->count; i++) {
        if (f->by[i] != f->by[0]) {
            return false;
        }
    }
    return true;
}

static bool owned(const walk *w, int slot) {
    bool any = false;
    for (int g = 0; g < w->s->graphs; g++) {
        any |= hiss_graph_owns(w->s->graph[g], slot);
    }
    return any;
}

/* Whether whoever has this slot may undo the factors: nobody has undone others there. */
static bool take(walk *w, rule how, int slot, const hiss_node_form *f, const factors *x) {
    for (int k = 0; k < w->takers; k++) {
        if (w->taker[k].slot == slot) {
            return w->taker[k].rule == how && equal(&w->taker[k].factors, x);
        }
    }
    if (how != NORMALIZES && owned(w, slot)) {
        return false;
    }
    w->taker[w->takers++] = (taker){how, slot, f->variance_slot, f->number, copy(x->count, x)};
    return true;
}

static bool concatenate(const walk *w, int g, const hiss_node_form *f, factors *out) {
    *out = (factors){last(&f->shape), hiss_new(double, last(&f->shape))};
    double *at = out->by;
    for (int k = 0; k < f->inputs; k++) {
        const hiss_shape part = hiss_graph_shape(w->s->graph[g], f->input[k]);
        const factors *x = &w->at[g][f->input[k]];
        for (int64_t i = 0; i < last(&part); i++) {
            *at++ = x->by ? x->by[i] : 1.0;
        }
    }
    return true;
}

/* Node i, of which some input has factors. */
static bool pass(walk *w, int g, int i, const hiss_node_form *f) {
    const factors none = {0}, *x = f->input[0] >= 0 ? &w->at[g][f->input[0]] : &none;
    factors *out = &w->at[g][i];
    const rule r = rule_of(f);
    for (int k = 1; k < f->inputs && r != JOINS && r != ADDS; k++) {
        if (f->input[k] >= 0 && w->at[g][f->input[k]].by) {
            return false;
        }
    }
    switch (r) {
    case PASSES:
    case RESHAPES:
        if (last(&f->shape) % x->count != 0) {
            return false;
        }
        *out = copy(last(&f->shape), x);
        return true;
    case JOINS:
        return concatenate(w, g, f, out);
    case ADDS:
        if (!x->by || !w->at[g][f->input[1]].by || !equal(x, &w->at[g][f->input[1]])) {
            return false;
        }
        *out = copy(x->count, x);
        return true;
    case LAYER:
    case LAYER_BACK: {
        const int slot = train_spread_slot(w->s->graph[g], f->input[1]);
        w->takes[g][i] = slot != HISS_NO_SLOT && take(w, r, slot, f, x);
        return w->takes[g][i];
    }
    case NORMALIZES:
        w->takes[g][i] = f->mean_slot == HISS_NO_SLOT || take(w, r, f->mean_slot, f, x);
        return w->takes[g][i];
    case NORMALIZES_ROWS:
        return uniform(x);
    default:
        return false;
    }
}

/* Whether a node reads the layer's own slots as the layer does; source: it is the layer. */
static bool read_own(const walk *w, int g, const hiss_node_form *f, bool *source) {
    *source = false;
    for (int k = 0; k < f->inputs; k++) {
        const int slot = train_spread_slot(w->s->graph[g], f->input[k]);
        const bool weight = slot == w->weight, bias = slot != HISS_NO_SLOT && slot == w->bias;
        if ((weight && (k != 1 || rule_of(f) != LAYER)) ||
            (bias && (k != 2 || train_spread_slot(w->s->graph[g], f->input[1]) != w->weight))) {
            return false;
        }
        *source |= weight;
    }
    return true;
}

static bool walk_graph(walk *w, int g) {
    for (int i = 0; i < hiss_graph_nodes(w->s->graph[g]); i++) {
        const hiss_node_form f = hiss_graph_form(w->s->graph[g], i);
        bool source, scaled = false;
        for (int k = 0; k < f.inputs; k++) {
            scaled |= f.input[k] >= 0 && w->at[g][f.input[k]].by;
        }
        if (!read_own(w, g, &f, &source) || (source && scaled)) {
            return false;
        }
        if (source) {
            w->at[g][i] = copy(w->out.count, &w->out);
        } else if (scaled && !pass(w, g, i, &f)) {
            return false;
        }
        if (f.kept && w->at[g][i].by) {
            return false;
        }
    }
    return true;
}

/* Whether node i of graph g reads the slot of a taker. */
static bool reads(const walk *w, int g, const hiss_node_form *f, const taker *t) {
    bool any = t->rule == NORMALIZES && rule_of(f) == NORMALIZES && f->mean_slot == t->slot;
    for (int k = 0; k < f->inputs; k++) {
        any |= train_spread_slot(w->s->graph[g], f->input[k]) == t->slot;
    }
    return any;
}

/* Whether every reader of what undoes factors has them to undo. */
static bool all_readers_take(const walk *w) {
    for (int g = 0; g < w->s->graphs; g++) {
        for (int i = 0; i < hiss_graph_nodes(w->s->graph[g]); i++) {
            const hiss_node_form f = hiss_graph_form(w->s->graph[g], i);
            for (int k = 0; k < w->takers; k++) {
                if (!w->takes[g][i] && reads(w, g, &f, &w->taker[k])) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* ---- doing it ---- */

static void scale_own(const walk *w, float *vector) {
    const hiss_slot *weight = hiss_model_at(w->s->model, w->weight);
    const int64_t row = weight->count / w->out.count;
    for (int64_t i = 0; i < weight->count; i++) {
        float *value = vector + weight->offset + i;
        *value = (float)((double)*value * w->out.by[i / row]);
    }
    for (int64_t f = 0; f < w->out.count && w->bias != HISS_NO_SLOT; f++) {
        float *value = vector + hiss_model_at(w->s->model, w->bias)->offset + f;
        *value = (float)((double)*value * w->out.by[f]);
    }
}

static void undo_in_weights(const spread *s, const taker *t, float *vector) {
    const hiss_slot *slot = hiss_model_at(s->model, t->slot);
    const int64_t count = t->factors.count, row = slot->count / count;
    for (int64_t i = 0; i < slot->count; i++) {
        float *value = vector + slot->offset + i;
        *value = (float)((double)*value / t->factors.by[t->rule == LAYER ? i % count : i / row]);
    }
    for (int64_t c = 0; c < count; c++) {
        s->inherited[t->slot] += log(t->factors.by[c]) / (double)count;
    }
}

static void follow(const spread *s, const taker *t, float *vector) {
    float *mean = vector + hiss_model_at(s->model, t->slot)->offset;
    float *variance = vector + hiss_model_at(s->model, t->variance)->offset;
    for (int64_t c = 0; c < t->factors.count; c++) {
        const double by = t->factors.by[c];
        mean[c] = (float)((double)mean[c] * by);
        variance[c] = (float)fmax(0.0, ((double)variance[c] + t->epsilon) * by * by - t->epsilon);
    }
}

static void apply(const walk *w, float *vector) {
    scale_own(w, vector);
    for (int k = 0; k < w->takers; k++) {
        if (w->taker[k].rule == NORMALIZES) {
            follow(w->s, &w->taker[k], vector);
        } else {
            undo_in_weights(w->s, &w->taker[k], vector);
        }
    }
}

static void release(walk *w) {
    for (int g = 0; g < w->s->graphs; g++) {
        for (int i = 0; i < hiss_graph_nodes(w->s->graph[g]); i++) {
            hiss_free(w->at[g][i].by);
        }
        hiss_free(w->at[g]);
        hiss_free(w->takes[g]);
    }
    for (int k = 0; k < w->takers; k++) {
        hiss_free(w->taker[k].factors.by);
    }
    hiss_free(w->at);
    hiss_free(w->takes);
    hiss_free(w->taker);
    hiss_free(w->out.by);
}

bool train_spread(spread *s, int weight, int bias, const double *by, float *vector) {
    const int64_t F = hiss_model_at(s->model, weight)->shape.dim[0];
    walk w = {.s = s, .weight = weight, .bias = bias, .out = {F, hiss_new(double, F)}};
    memcpy(w.out.by, by, sizeof(double) * (size_t)F);
    w.at = hiss_new(factors *, s->graphs);
    w.takes = hiss_new(bool *, s->graphs);
    w.taker = hiss_new(taker, hiss_model_count(s->model));
    memset(s->undoes, 0, sizeof(bool) * (size_t)hiss_model_count(s->model));
    bool can = !owned(&w, weight);
    for (int g = 0; g < s->graphs; g++) {
        w.at[g] = hiss_new(factors, hiss_graph_nodes(s->graph[g]));
        w.takes[g] = hiss_new(bool, hiss_graph_nodes(s->graph[g]));
        can = can && walk_graph(&w, g);
    }
    can = can && all_readers_take(&w);
    for (int k = 0; k < w.takers && can; k++) {
        s->undoes[w.taker[k].slot] = w.taker[k].rule != NORMALIZES;
    }
    if (can && vector) {
        apply(&w, vector);
    }
    release(&w);
    return can;
}
