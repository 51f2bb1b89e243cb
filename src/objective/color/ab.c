/* Bins of colour as targets, and the weights of places.
 *
 * The target of a place is a distribution over the bins near its colour (Zhang, Isola & Efros 2016, section 2.1: the 5
 * nearest, their released code 10; Gaussian of sigma 5). A place counts by the bin q its colour lies in,
 *     w_q  proportional to  1 / ((1 - l) p_q + l / Q),  sum of p_q w_q = 1
 * (eq. 4), p the shares of bins over the training set, smoothed by the same Gaussian, l = `uniform`. The weight multiplies
 * the gradient; the unweighted loss is logged beside.
 *
 * p is measured once, over one view of each training sample, when the run starts: counts of lanes are added along the
 * canonical tree. It is a buffer of the model, where evaluation finds it. The weights follow from it, and are a state of the
 * run.
 *
 * Images whose a and b are nowhere above 5 are left out, as in the released code: their places weigh nothing. Means are over
 * all places of a lane, those among them, so that no step needs a sum over lanes first. */
#include "objective/color/ab.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/log.h"
#include "objective/parts/measured.h"
#include "objective/parts/pixels.h"

static const float least_color = 5.0f / 50.0f; /* in the units of the view */
static const char prior_layer[] = "colors", prior_part[] = "prior", prior_name[] = "colors/prior";

const hiss_input color_inputs[] = {{HISS_FIELD_IMAGE, 3, 0, "images [H,W,3]", "lab", "image"}, {0}};

/* ---- networks that end in a map ---- */

static hiss_status fail_map(const hiss_task *task, const char *method, const hiss_taps *taps, hiss_error *err) {
    const bool preset = !task->network->layers;
    return hiss_fail_key(
        err, HISS_EUSER, preset ? "network.preset" : "network.layers",
        "%s takes the network up to its first flatten, which must be a map of places, and found %s; %s", method,
        taps->count ? "rows" : "no layer with a name",
        preset        ? "choose another preset, or list layers in network.layers"
        : taps->count ? "leave global_average_pool out"
                      : "begin with a convolution, or leave the key out, as with --set network.layers=null");
}

hiss_status color_map(const hiss_task *task, const char *method, hiss_builder *b, const char *prefix, hiss_value image,
                      int64_t first, int64_t count, hiss_taps *taps, hiss_value *map, hiss_error *err) {
    hiss_builder below = *b;
    hiss_network maps = *task->network;
    below.prefix = prefix;
    maps.maps = true;
    hiss_status s = hiss_network_build(&maps, &below, objective_lab_channels(b, image, first, count), map, taps, err);
    if (s == HISS_OK && (taps->count == 0 || hiss_graph_shape(b->graph, *map).ndim != 4)) {
        s = fail_map(task, method, taps, err);
    }
    for (int k = 0; k < taps->count && s == HISS_OK && *prefix; k++) {
        char name[2 * HISS_TAP_NAME];
        snprintf(name, sizeof name, "%s%s", prefix, taps->tap[k].name);
        if (strlen(name) >= HISS_TAP_NAME) {
            return hiss_fail_key(err, HISS_EUSER, "network.layers", "the name of layer '%s' is too long; shorten it",
                                 taps->tap[k].name);
        }
        memcpy(taps->tap[k].name, name, strlen(name) + 1);
    }
    return s;
}

hiss_status color_map_size(const hiss_task *task, const char *method, int64_t count, int64_t *h, int64_t *w,
                           hiss_error *err) {
    hiss_builder b = {.graph = hiss_graph_create(), .model = hiss_model_create()};
    hiss_taps *taps = hiss_new(hiss_taps, 1);
    hiss_value map = -1;
    const hiss_value image = hiss_graph_input(b.graph, "image", HISS_SHAPE(1, task->H, task->W, COLOR_CHANNELS));
    hiss_status s = color_map(task, method, &b, "", image, 0, count, taps, &map, err);
    if (s == HISS_OK) {
        const hiss_shape shape = hiss_graph_shape(b.graph, map);
        *h = shape.dim[1];
        *w = shape.dim[2];
    }
    hiss_free(taps);
    hiss_graph_destroy(b.graph);
    hiss_model_destroy(b.model);
    if (s == HISS_OK && task->C != COLOR_CHANNELS) {
        s = hiss_fail_key(err, HISS_EUSER, "data.images",
                          "%s needs images of 3 channels (red, green, blue), found %lld; name colour images, or choose "
                          "another objective",
                          method, (long long)task->C);
    }
    return s == HISS_OK ? objective_expect_unit_pixels(method, task, false, NULL, err) : s;
}

hiss_value color_head(hiss_builder *b, const char *name, hiss_value map, int64_t F) {
    if (map < 0) {
        return -1;
    }
    const hiss_shape s = hiss_graph_shape(b->graph, map);
    return hiss_layer_linear(
        b, name, hiss_graph_reshape(b->graph, map, HISS_SHAPE(s.dim[0] * s.dim[1] * s.dim[2], s.dim[3])), F, true);
}

int64_t color_pixel_of(const hiss_task *task, int64_t h, int64_t w, int64_t k) {
    return k / w * task->H / h * task->W + k % w * task->W / w;
}

/* ---- bins of colour ---- */

void color_ab_open(color_ab *c, const hiss_task *task, const color_options *options, int64_t h, int64_t w) {
    c->task = task;
    c->options = options;
    c->h = h;
    c->w = w;
    objective_ab_bins_make(&c->bins);
    c->weight = hiss_new(float, c->bins.count);
    for (int64_t q = 0; q < c->bins.count; q++) {
        c->weight[q] = 1.0f;
    }
}

void color_ab_close(color_ab *c) {
    hiss_free(c->weight);
}

void color_ab_inputs(color_ab *c, hiss_builder *b, int64_t m) {
    hiss_graph *g = b->graph;
    const int64_t rows = m * c->h * c->w;
    c->bin = hiss_graph_input(g, "bin", HISS_SHAPE(m, c->h, c->w));
    hiss_graph_keep(g, c->bin);
    hiss_graph_input(g, "target", HISS_SHAPE(rows, c->bins.count));
    hiss_graph_input(g, "weight", HISS_SHAPE(rows));
    hiss_graph_input(g, "colorful", HISS_SHAPE(rows));
    hiss_layer_buffer(b, prior_layer, prior_part, HISS_SHAPE(c->bins.count));
}

hiss_value color_ab_loss(const color_ab *c, hiss_builder *b, hiss_value bins, const char *prefix) {
    hiss_graph *g = b->graph;
    if (bins < 0) {
        return -1;
    }
    const int64_t rows = hiss_graph_shape(g, bins).dim[0];
    const double each = 1.0 / (double)rows;
    const hiss_value target = hiss_graph_input_named(g, "target"), weight = hiss_graph_input_named(g, "weight"),
                     colorful = hiss_graph_input_named(g, "colorful");
    const hiss_value surprise = hiss_graph_soft_cross_entropy(g, bins, target);
    const hiss_value loss = hiss_graph_dot(g, surprise, weight, each);
    char name[64];
    snprintf(name, sizeof name, "%sunweighted", prefix);
    hiss_layer_metric(b, name, c->options->rebalance ? hiss_graph_dot(g, surprise, colorful, each) : loss);
    hiss_layer_metric(b, "colorful",
                      hiss_graph_squared_loss(g, colorful, hiss_graph_filled(g, HISS_SHAPE(rows), 0.0f), each));
    return loss;
}

bool color_is_colorful(const hiss_task *task, const float *image) {
    for (int64_t k = 0; k < task->H * task->W; k++) {
        if (fabsf(image[3 * k + COLOR_A]) > least_color || fabsf(image[3 * k + COLOR_B]) > least_color) {
            return true;
        }
    }
    return false;
}

void color_ab_fill(const color_ab *c, const hiss_lane *lane, int64_t i) {
    const int64_t places = c->h * c->w, Q = c->bins.count;
    const float *image = hiss_lane_values(lane, lane->inputs->image, i);
    float *bin = hiss_lane_values(lane, hiss_graph_input_named(lane->graph, "bin"), i);
    float *target = hiss_exec_data(lane->exec, hiss_graph_input_named(lane->graph, "target")) + i * places * Q;
    float *weight = hiss_exec_data(lane->exec, hiss_graph_input_named(lane->graph, "weight")) + i * places;
    float *colorful = hiss_exec_data(lane->exec, hiss_graph_input_named(lane->graph, "colorful")) + i * places;
    const bool has_color = color_is_colorful(c->task, image), counting = lane->view >= 0;
    for (int64_t k = 0; k < places; k++) {
        const float *pixel = image + 3 * color_pixel_of(c->task, c->h, c->w, k);
        const float a = COLOR_UNIT * pixel[COLOR_A], b = COLOR_UNIT * pixel[COLOR_B];
        /* a feature pass looks at bins alone */
        const int64_t q =
            counting ? objective_ab_nearest(&c->bins, a, b)
                     : objective_ab_encode(&c->bins, c->options->neighbors, c->options->sigma, a, b, target + k * Q);
        bin[k] = has_color ? (float)q : -1.0f;
        weight[k] = has_color ? c->weight[q] : 0.0f;
        colorful[k] = has_color ? 1.0f : 0.0f;
    }
}

/* ---- how frequent they are ---- */

/* Counts of bins over the training set [Q], and behind them that of places without one. */
static void count_bins(const color_ab *c, const hiss_placement *p, const float *bin, double *total) {
    const int64_t Q = c->bins.count, lanes = p->end_lane - p->first_lane, places = c->h * c->w;
    double **sum = hiss_new(double *, lanes);
    for (int64_t l = 0; l < lanes; l++) {
        const int64_t samples = p->shards[p->first_lane + l + 1] - p->shards[p->first_lane + l];
        sum[l] = hiss_new(double, Q + 1);
        for (int64_t k = 0; k < samples * places; k++) {
            const float q = *bin++;
            sum[l][q < 0.0f ? Q : (int64_t)q] += 1.0;
        }
    }
    hiss_tree_sum(p->comm, p->lanes, p->lane_offsets, Q + 1, (const double *const *)sum, total);
    for (int64_t l = 0; l < lanes; l++) {
        hiss_free(sum[l]);
    }
    hiss_free(sum);
}

/* Shares of bins, each spread over its neighbours as targets are. */
static void smooth(const color_ab *c, const double *count, double all, float *prior) {
    const int64_t Q = c->bins.count;
    double *share = hiss_new(double, Q);
    float *target = hiss_new(float, Q);
    for (int64_t q = 0; q < Q; q++) {
        if (count[q] > 0.0) {
            const float *at = c->bins.center[q];
            objective_ab_encode(&c->bins, c->options->neighbors, c->options->sigma, at[0], at[1], target);
            for (int64_t k = 0; k < Q; k++) {
                share[k] += count[q] / all * (double)target[k];
            }
        }
    }
    for (int64_t k = 0; k < Q; k++) {
        prior[k] = (float)share[k];
    }
    hiss_free(share);
    hiss_free(target);
}

static void say_counts(const color_ab *c, const hiss_placement *p, const double *count, double all) {
    const int64_t Q = c->bins.count;
    int64_t seen = 0;
    double entropy = 0.0;
    for (int64_t q = 0; q < Q; q++) {
        if (count[q] > 0.0) {
            seen++;
            entropy -= count[q] / all * log(count[q] / all);
        }
    }
    hiss_info(
        "colours: %lld bins of 10 x 10 hold all colours of sRGB; %lld of them occur in %lld places of %lld images, "
        "with an entropy of %.4f nats; %.0f images without a colour are left out",
        (long long)Q, (long long)seen, (long long)all, (long long)p->samples, entropy,
        count[Q] / (double)(c->h * c->w));
}

static void derive_weights(color_ab *c, const float *prior) {
    const int64_t Q = c->bins.count;
    const double l = c->options->uniform;
    double mean = 0.0;
    for (int64_t q = 0; q < Q; q++) {
        mean += (double)prior[q] / ((1.0 - l) * (double)prior[q] + l / (double)Q);
    }
    for (int64_t q = 0; q < Q && c->options->rebalance && mean > 0.0; q++) {
        c->weight[q] = (float)(1.0 / ((1.0 - l) * (double)prior[q] + l / (double)Q) / mean);
    }
}

static hiss_status measure_prior(const color_ab *c, const hiss_placement *p, const hiss_epoch *e, float *prior,
                                 hiss_error *err) {
    const int64_t samples = p->shards[p->end_lane] - p->shards[p->first_lane], Q = c->bins.count;
    float *bin = hiss_new(float, samples * c->h * c->w);
    double *total = hiss_new(double, Q + 1), all = 0.0;
    hiss_status s = hiss_comm_agree(p->comm, e->features(e->trainer, 0, c->bin, 0, bin, err), err);
    if (s == HISS_OK) {
        count_bins(c, p, bin, total);
        for (int64_t q = 0; q < Q; q++) {
            all += total[q];
        }
        s = all > 0.0 ? HISS_OK
                      : hiss_fail_key(err, HISS_EUSER, "objective",
                                      "none of the %lld training images of %.200s has a colour that could be learnt: a "
                                      "and b of CIE Lab are below 5 everywhere; name colour images in section data, or "
                                      "choose another objective",
                                      (long long)p->samples, p->data);
    }
    if (s == HISS_OK) {
        smooth(c, total, all, prior);
        say_counts(c, p, total, all);
    }
    hiss_free(bin);
    hiss_free(total);
    return s;
}

hiss_status color_ab_begin(color_ab *c, const hiss_placement *p, const hiss_epoch *e, hiss_error *err) {
    if (e->step > 0) {
        return HISS_OK;
    }
    float *prior = e->vector + hiss_model_offset(e->model, prior_name);
    bool measures = true;
    hiss_status s = objective_measures(e, prior_name, "the shares of colours", &measures, err);
    s = s == HISS_OK && measures ? measure_prior(c, p, e, prior, err) : s;
    if (s == HISS_OK) {
        derive_weights(c, prior);
    }
    return s;
}

int color_ab_states(color_ab *c, hiss_state *out) {
    out[0] = (hiss_state){
        .name = "weights", .per = HISS_PER_RUN, .dtype = HISS_F32, .count = c->bins.count, .local = c->weight};
    return 1;
}

const float *color_ab_prior(const hiss_model *model, const float *vector) {
    return vector + hiss_model_offset(model, prior_name);
}
