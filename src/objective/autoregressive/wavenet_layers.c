/* The network of WaveNet (van den Oord et al. 2016, figure 4). Layer l looks at what the layer below says of a value and of the
 * one d values before it, its dilation d being 1, 2, 4, ..., and again from 1 in each block:
 *     z = tanh(filter) sigmoid(gate)      of the two, F gates, to which a class adds a bias of its own
 *     h' = h + 1x1(z)                     R channels
 * and what is said of the next value comes from all z: 1x1 to S channels, added over layers; relu; 1x1; relu; 1x1 to the logits.
 *
 * Nothing is dilated, and no weight is masked. The row is moved by d values and put beside itself as channels, so that a layer
 * is a 1x1 convolution. The first layer is a window of the values before one, without it: the row is moved by one value. So
 * there is nothing of a value to read in its own logits, and what lies before the row counts as zeros in every layer, as in the
 * making of sound value by value.
 *
 * For that the same layers are applied to one value: what is put beside it comes from a queue (wavenet_make.c). Filters are
 * computed by sixteens, with those that are missing as zeros, so that the bits of a value do not depend on where in its row it
 * lies.
 *
 * The 1x1 convolutions to the skip channels are one for each block, of its z side by side: the same sums, with one bias. */
#include <math.h>
#include <stdio.h>

#include "objective/autoregressive/wavenet.h"
#include "objective/parts/condition.h"
#include "objective/parts/gains.h"
#include "objective/parts/lasting.h"

enum { NDIM = 4, TIME = 2 };

/* The gain of sound, whose values are mostly small. */
static const double of_sound = 4.0;

static const char *named(char text[WAVENET_NAME], const char *what, int64_t number) {
    snprintf(text, WAVENET_NAME, "%s%lld", what, (long long)number + 1);
    return text;
}

static int64_t count(const wavenet_options *o) {
    return o->blocks * o->layers;
}

int64_t autoregressive_wavenet_dilation(const wavenet_options *o, int64_t layer) {
    return (int64_t)1 << layer % o->layers;
}

int64_t autoregressive_wavenet_reach(const wavenet_options *o) {
    return o->first + o->blocks * (((int64_t)1 << o->layers) - 1);
}

int64_t autoregressive_wavenet_margin(const wavenet *w) {
    const int64_t reach = autoregressive_wavenet_reach(w->options),
                  overlap = w->task->sound ? w->task->sound->overlap : 0;
    return reach > overlap ? reach : overlap;
}

/* What layer l says, of what lies a dilation before and of what is there: [m,1,..,R] each -> [m,1,..,G]. */
static hiss_value gate(const wavenet *w, hiss_builder *b, int64_t l, hiss_value past, hiss_value now,
                       hiss_value class) {
    char text[WAVENET_NAME];
    const hiss_value both = hiss_graph_concat(b->graph, 2, (const hiss_value[]){past, now});
    hiss_value a = objective_window(b, of_sums, named(text, "layer", l), both, 2 * w->options->gates, 1, 1);
    if (class >= 0 && a >= 0) {
        a = hiss_graph_add_to_maps(b->graph, a,
                                   hiss_layer_linear(b, named(text, "class", l), class, 2 * w->options->gates, false));
    }
    return hiss_graph_gated(b->graph, a);
}

static hiss_value add_residual(const wavenet *w, hiss_builder *b, int64_t l, hiss_value h, hiss_value z) {
    char text[WAVENET_NAME];
    return hiss_graph_add(b->graph, h,
                          objective_window(b, of_sums, named(text, "residual", l), z, w->options->residual, 1, 1));
}

/* z [layers] of block k, side by side. */
static hiss_value add_skip(const wavenet *w, hiss_builder *b, int64_t k, const hiss_value *z, hiss_value sum) {
    char text[WAVENET_NAME];
    const hiss_value all = hiss_graph_concat(b->graph, (int)w->options->layers, z);
    const hiss_value skip =
        objective_window(b, of_gates / (double)w->options->blocks, named(text, "skip", k), all, w->options->skip, 1, 1);
    return sum < 0 ? skip : hiss_graph_add(b->graph, sum, skip);
}

static hiss_value output(const wavenet *w, hiss_builder *b, hiss_value h) {
    hiss_graph *g = b->graph;
    h = objective_window(b, of_relu, "output1", hiss_graph_relu(g, h), w->options->output, 1, 1);
    return objective_window(b, of_sums, "output2", hiss_graph_relu(g, h), MU_LAW_LEVELS, 1, 1);
}

/* Zeros before and after a row; negative numbers cut. */
static hiss_value pad(hiss_builder *b, hiss_value x, int64_t before, int64_t after) {
    const int64_t first[NDIM] = {[TIME] = before}, last[NDIM] = {[TIME] = after};
    return hiss_graph_pad(b->graph, x, first, last);
}

static hiss_status add_place(hiss_builder *b, hiss_taps *taps, int64_t l, hiss_value z, hiss_error *err) {
    char text[WAVENET_NAME];
    const hiss_status s = hiss_graph_status(b->graph, err);
    return s == HISS_OK && taps
               ? hiss_taps_add(taps, named(text, "layer", l), hiss_graph_global_average_pool(b->graph, z), err)
               : s;
}

hiss_status autoregressive_wavenet_rows(const wavenet *w, hiss_builder *b, hiss_value sound, hiss_value class,
                                        hiss_taps *taps, hiss_value *logits, hiss_error *err) {
    const wavenet_options *o = w->options;
    const int64_t margin = autoregressive_wavenet_margin(w);
    hiss_graph *g = b->graph;
    hiss_value z[WAVENET_MOST_LAYERS], skip = -1;
    hiss_status s = HISS_OK;
    hiss_value h = objective_window(b, of_sound, "first", pad(b, sound, o->first, -1), o->residual, 1, o->first);
    for (int64_t l = 0; l < count(o) && s == HISS_OK; l++) {
        const int64_t d = autoregressive_wavenet_dilation(o, l), k = l % o->layers;
        z[k] = gate(w, b, l, pad(b, h, d, -d), h, class);
        h = l + 1 < count(o) ? add_residual(w, b, l, h, z[k]) : h;
        s = add_place(b, taps, l, z[k], err);
        z[k] = pad(b, z[k], -margin, 0);
        skip = k + 1 == o->layers ? add_skip(w, b, l / o->layers, z, skip) : skip;
    }
    *logits = output(w, b, skip);
    return s == HISS_OK ? hiss_graph_status(g, err) : s;
}

hiss_status autoregressive_wavenet_step(const wavenet *w, hiss_builder *b, int64_t m, wavenet_step *out,
                                        hiss_error *err) {
    const wavenet_options *o = w->options;
    const int64_t R = o->residual;
    hiss_graph *g = b->graph;
    char text[WAVENET_NAME];
    hiss_value z[WAVENET_MOST_LAYERS], skip = -1;
    out->before = objective_lasting_input(g, "before", HISS_SHAPE(m, 1, o->first, 1));
    out->class = autoregressive_wavenet_class(w, g, m);
    hiss_value h = objective_window(b, of_sound, "first", out->before, R, 1, o->first);
    for (int64_t l = 0; l < count(o); l++) {
        const int64_t k = l % o->layers;
        out->past[l] = objective_lasting_input(g, named(text, "past", l), HISS_SHAPE(m, 1, 1, R));
        out->now[l] = h;
        z[k] = gate(w, b, l, out->past[l], h, out->class);
        h = l + 1 < count(o) ? add_residual(w, b, l, h, z[k]) : h;
        skip = k + 1 == o->layers ? add_skip(w, b, l / o->layers, z, skip) : skip;
    }
    out->logits = output(w, b, skip);
    const hiss_status s = hiss_graph_status(g, err);
    for (int64_t l = 0; l < count(o) && s == HISS_OK; l++) {
        hiss_graph_keep(g, out->now[l]);
    }
    if (s == HISS_OK && out->class >= 0) {
        hiss_graph_keep(g, out->class);
    }
    if (s == HISS_OK) {
        hiss_graph_keep(g, out->logits);
    }
    return s;
}

hiss_value autoregressive_wavenet_class(const wavenet *w, hiss_graph *graph, int64_t m) {
    return objective_condition(w->task, w->options->conditional, graph, m);
}

void autoregressive_wavenet_set_class(const wavenet *w, const hiss_lane *lane, int64_t i, int64_t class) {
    if (w->options->conditional) {
        objective_set_condition(w->task, lane, i, class);
    }
}
