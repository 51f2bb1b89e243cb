/* The networks of stochastic video generation (Denton & Fergus 2018; their code has the details).
 *
 * The encoder halves a frame until it is 4 x 4, by convolutions of 4 x 4 with stride 2, and ends in a code; the decoder is its
 * mirror, and sees at each level what the encoder said there of one of the given frames: what does not move need not go
 * through the code. Its layers have BatchNorm, whose statistics are those of one frame's number in the clips of a lane.
 *
 * Prior, posterior and predictor are each a linear layer, long short-term memory, and linear layers.
 *
 * Where actions are given, the predictor's first layer sees what is done between the two frames beside the code and the latent, as in
 * Finn, Goodfellow & Levine, "Unsupervised learning for physical interaction through video prediction", NIPS 2016, who join it to the
 * smallest map. Oh et al., "Action-conditional video prediction using deep networks in Atari games", NIPS 2015, multiply the code
 * by it: that is for actions of which there are a few, where none is 0. */
#include <stdio.h>
#include <string.h>

#include "objective/video/svg.h"

enum { LEAST_SIDE = 4, KERNEL = 4 };

static const double slope = 0.2, of_weights = 0.02;

static const char *named(char text[32], const char *what, int64_t number) {
    snprintf(text, 32, "%s%lld", what, (long long)number + 1);
    return text;
}

static int64_t width_of(const svg *v, int64_t level) {
    return v->options->features << level;
}

static hiss_value normed(hiss_builder *b, const char *what, int64_t number, hiss_value x) {
    char text[32];
    snprintf(text, sizeof text, "%s%lld/norm", what, (long long)number + 1);
    return hiss_layer_batch_norm(b, text, x);
}

/* ---- frames and codes ---- */

hiss_value video_svg_encode(const svg *v, hiss_builder *b, hiss_value image, hiss_value skip[SVG_MOST_LEVELS]) {
    const double *before = b->deviation;
    char text[32];
    hiss_value x = image;
    b->deviation = &of_weights;
    for (int64_t l = 0; l < v->levels; l++) {
        x = hiss_layer_conv(b, named(text, "encoder", l), x, width_of(v, l), KERNEL, 2, 1, false);
        x = skip[l] = hiss_graph_leaky_relu(b->graph, normed(b, "encoder", l, x), slope);
    }
    x = hiss_layer_linear(b, "code", hiss_graph_flatten(b->graph, x), v->options->code, false);
    x = hiss_graph_tanh(b->graph, hiss_layer_batch_norm(b, "code/norm", x));
    b->deviation = before;
    return x;
}

hiss_value video_svg_decode(const svg *v, hiss_builder *b, hiss_value code, const hiss_value skip[SVG_MOST_LEVELS]) {
    const double *before = b->deviation;
    const int64_t m = hiss_graph_shape(b->graph, skip[0]).dim[0], H = v->task->H >> v->levels,
                  W = v->task->W >> v->levels, top = width_of(v, v->levels - 1);
    char text[32];
    b->deviation = &of_weights;
    hiss_value x = hiss_layer_linear(b, "decoder1", code, H * W * top, false);
    x = normed(b, "decoder", 0, hiss_graph_reshape(b->graph, x, HISS_SHAPE(m, H, W, top)));
    x = hiss_graph_leaky_relu(b->graph, x, slope);
    for (int64_t k = 1; k <= v->levels; k++) {
        const int64_t l = v->levels - k;
        x = hiss_graph_concat(b->graph, 2, (const hiss_value[]){x, skip[l]});
        x = hiss_layer_conv_transposed(b, named(text, "decoder", k), x, l > 0 ? width_of(v, l - 1) : v->task->C, KERNEL,
                                       2, 1, 0, l == 0);
        x = l > 0 ? hiss_graph_leaky_relu(b->graph, normed(b, "decoder", k, x), slope)
                  : hiss_graph_sigmoid(b->graph, x);
    }
    b->deviation = before;
    return x;
}

/* ---- time ---- */

svg_state video_svg_start(const svg *v, hiss_builder *b, int64_t m, int64_t layers) {
    svg_state state;
    const hiss_value zeros = hiss_graph_filled(b->graph, HISS_SHAPE(m, v->options->hidden), 0.0f);
    for (int64_t l = 0; l < layers; l++) {
        state.hidden[l] = state.cell[l] = zeros;
    }
    return state;
}

static hiss_value linear(hiss_builder *b, const char *name, const char *part, hiss_value x, int64_t F) {
    const double *before = b->deviation;
    char text[48];
    snprintf(text, sizeof text, "%s/%s", name, part);
    b->deviation = &of_weights;
    x = hiss_layer_linear(b, text, x, F, true);
    b->deviation = before;
    return x;
}

/* A linear layer, and layers of long short-term memory. */
static hiss_value remember(const svg *v, hiss_builder *b, const char *name, int64_t layers, hiss_value x,
                           svg_state *state) {
    char text[48];
    x = linear(b, name, "embed", x, v->options->hidden);
    for (int64_t l = 0; l < layers; l++) {
        snprintf(text, sizeof text, "%s/lstm%lld", name, (long long)l + 1);
        x = hiss_layer_lstm(b, text, x, &state->hidden[l], &state->cell[l]);
    }
    return x;
}

svg_gaussian video_svg_gaussian(const svg *v, hiss_builder *b, const char *name, hiss_value code, svg_state *state) {
    const hiss_value x = remember(v, b, name, 1, code, state);
    const hiss_value mean = linear(b, name, "mean", x, v->options->latent);
    return (svg_gaussian){mean, linear(b, name, "log_variance", x, v->options->latent)};
}

void video_svg_infer(const svg *v, hiss_builder *b, int64_t t, const hiss_value *code, svg_state *posterior,
                     svg_state *prior, svg_values *out) {
    const svg_gaussian was = video_svg_gaussian(v, b, "posterior", code[t], posterior);
    out->mean[t] = was.mean;
    out->log_variance[t] = was.log_variance;
    if (v->options->prior == SVG_PRIOR_LEARNED) {
        const svg_gaussian may = video_svg_gaussian(v, b, "prior", code[t - 1], prior);
        out->prior_mean[t] = may.mean;
        out->prior_log_variance[t] = may.log_variance;
    }
}

int64_t video_svg_actions(const svg *v) {
    return v->action ? v->action->dim[1] : 0;
}

hiss_value video_svg_action(const svg *v, hiss_builder *b, int64_t m, int64_t t) {
    char name[32];
    snprintf(name, sizeof name, "action%lld", (long long)t);
    return v->action ? hiss_graph_input(b->graph, name, HISS_SHAPE(m, video_svg_actions(v))) : -1;
}

void video_svg_put_actions(const svg *v, const hiss_lane *lane, int64_t i, const hiss_value *action) {
    const int64_t A = video_svg_actions(v);
    const float *all = v->action ? hiss_batch_values(lane->batch, i, v->action) : NULL;
    for (int64_t t = 0; t + 1 < v->frames && all; t++) {
        memcpy(hiss_lane_values(lane, action[t], i), all + t * A, sizeof *all * (size_t)A);
    }
}

hiss_value video_svg_foretell(const svg *v, hiss_builder *b, hiss_value code, hiss_value latent, hiss_value action,
                              svg_state *state) {
    hiss_value in[3] = {code};
    int parts = 1;
    if (latent >= 0) {
        in[parts++] = latent;
    }
    if (action >= 0) {
        in[parts++] = action;
    }
    const hiss_value x = remember(v, b, "predictor", v->options->layers,
                                  parts > 1 ? hiss_graph_concat(b->graph, parts, in) : code, state);
    return hiss_graph_tanh(b->graph, linear(b, "predictor", "code", x, v->options->code));
}

int64_t video_svg_skipped(const svg *v, int64_t t) {
    return t < v->options->past ? t - 1 : v->options->past - 2;
}
