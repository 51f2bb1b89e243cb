/* The networks of stochastic variational video prediction, small. The predictor is that of Finn, Goodfellow & Levine, "Unsupervised
 * learning for physical interaction through video prediction", NIPS 2016, by convolutional dynamic neural advection (CDNA):
 *
 *   - two convolutions halve the frame that is seen; a convolutional long short-term memory sees them, the latent at every place,
 *     and what it said before; transposed convolutions lead back to the frame's size, and see the first map, too;
 *   - a linear layer on the memory makes K kernels, each of which sums to 1 and moves the whole frame that is seen;
 *   - masks, which sum to 1 at each pixel, merge the K moved frames, the frame as it was, and pixels made anew.
 *
 * Pixels that only move need not be made. The inference network sees all frames at once, by convolutions.
 *
 * Variants: one level of memory, where theirs has seven; BatchNorm in place of layer normalisation; kernels by softmax, where theirs
 * are cut at 0 and divided by their sum. */
#include "hiss/alloc.h"
#include "objective/video/sv2p.h"

enum { OUTER = 5, INNER = 3, UP = 4, INFERENCE_LAYERS = 3 };

static hiss_value normed(hiss_builder *b, const char *name, hiss_value x) {
    return hiss_graph_relu(b->graph, hiss_layer_batch_norm(b, name, x));
}

/* ---- the frame that is seen ---- */

void video_sv2p_encode(const sv2p *v, hiss_builder *b, hiss_value image, hiss_value map[2]) {
    const int64_t F = v->options->features;
    map[0] = normed(b, "encoder1/norm", hiss_layer_conv(b, "encoder1", image, F, OUTER, 2, OUTER / 2, false));
    map[1] = normed(b, "encoder2/norm", hiss_layer_conv(b, "encoder2", map[0], 2 * F, INNER, 2, INNER / 2, false));
}

hiss_shape video_sv2p_memory(const sv2p *v, int64_t m) {
    return HISS_SHAPE(m, v->task->H / 4, v->task->W / 4, 2 * v->options->features);
}

sv2p_state video_sv2p_start(const sv2p *v, hiss_builder *b, int64_t m) {
    const hiss_value zeros = hiss_graph_filled(b->graph, video_sv2p_memory(v, m), 0.0f);
    return (sv2p_state){zeros, zeros};
}

/* A latent is the same at every place: it adds to the gates as a bias of the image does. */
static void remember(const sv2p *v, hiss_builder *b, hiss_value map, hiss_value latent, sv2p_state *state) {
    hiss_graph *g = b->graph;
    const int64_t gates = 4 * 2 * v->options->features;
    const hiss_value seen = hiss_graph_concat(g, 2, (const hiss_value[]){map, state->hidden}),
                     of_maps = hiss_layer_conv(b, "memory", seen, gates, INNER, 1, INNER / 2, true),
                     of_latent = hiss_layer_linear(b, "memory/latent", latent, gates, false),
                     all = hiss_graph_add_to_maps(g, of_maps, of_latent);
    state->cell = hiss_graph_lstm_cell(g, all, state->cell);
    state->hidden = hiss_graph_lstm_output(g, all, state->cell);
}

/* ---- the frame that is made ---- */

/* The frame moved by each kernel: [m,H,W,C*K], channel c by kernel k at c K + k. */
static hiss_value moved(const sv2p *v, hiss_builder *b, hiss_value seen, hiss_value hidden) {
    hiss_graph *g = b->graph;
    const int64_t K = v->options->kernels, window = v->options->window, elements = window * window, H = v->task->H,
                  W = v->task->W, C = v->task->C;
    if (hidden < 0) {
        return -1;
    }
    const int64_t m = hiss_graph_shape(g, hidden).dim[0];
    hiss_value kernels = hiss_layer_linear(b, "kernels", hiss_graph_flatten(g, hidden), K * elements, true);
    kernels = hiss_graph_softmax(g, hiss_graph_reshape(g, kernels, HISS_SHAPE(m * K, elements)));
    kernels = hiss_graph_reshape(g, kernels, HISS_SHAPE(m, K, elements));
    return hiss_graph_reshape(g, hiss_graph_batched_product(g, hiss_graph_unfold(g, seen, window), kernels, true),
                              HISS_SHAPE(m, H, W, C * K));
}

/* x [.., from] -> [.., to] at every place: 1 where takes() says so. */
static hiss_value mapped(hiss_graph *g, hiss_value x, int64_t to, int64_t from,
                         bool (*takes)(int64_t to, int64_t from, int64_t K, int64_t C), int64_t K, int64_t C) {
    float *w = hiss_new(float, to *from);
    for (int64_t k = 0; k < to * from; k++) {
        w[k] = takes(k / from, k % from, K, C) ? 1.0f : 0.0f;
    }
    x = hiss_graph_conv2d(g, x, hiss_graph_constant(g, HISS_SHAPE(to, 1, 1, from), w), -1, 1, 0);
    hiss_free(w);
    return x;
}

/* Channels of candidates: C K of moved frames, C of the frame as it was, C made anew. */
static int64_t candidate(int64_t channel, int64_t K, int64_t C) {
    return channel < C * K ? channel % K : K + (channel - C * K) / C;
}

static bool is_masked_by(int64_t channel, int64_t mask, int64_t K, int64_t C) {
    return candidate(channel, K, C) == mask;
}

static bool is_of(int64_t c, int64_t channel, int64_t K, int64_t C) {
    return (channel < C * K ? channel / K : (channel - C * K) % C) == c;
}

static hiss_value merge(const sv2p *v, hiss_builder *b, hiss_value seen, hiss_value hidden, hiss_value detail) {
    hiss_graph *g = b->graph;
    const int64_t K = v->options->kernels, H = v->task->H, W = v->task->W, C = v->task->C, all = K + 2;
    const hiss_value made = hiss_graph_sigmoid(g, hiss_layer_conv(b, "made", detail, C, 1, 1, 0, true)),
                     candidates = hiss_graph_concat(g, 3, (const hiss_value[]){moved(v, b, seen, hidden), seen, made});
    hiss_value masks = hiss_layer_conv(b, "masks", detail, all, 1, 1, 0, true);
    if (masks < 0) {
        return -1;
    }
    const int64_t m = hiss_graph_shape(g, masks).dim[0];
    masks = hiss_graph_softmax(g, hiss_graph_reshape(g, masks, HISS_SHAPE(m * H * W, all)));
    masks = hiss_graph_reshape(g, masks, HISS_SHAPE(m, H, W, all));
    masks = C > 1 ? mapped(g, masks, C * all, all, is_masked_by, K, C) : masks;
    return mapped(g, hiss_graph_multiply(g, candidates, masks), C, C * all, is_of, K, C);
}

hiss_value video_sv2p_step(const sv2p *v, hiss_builder *b, hiss_value seen, hiss_value latent, sv2p_state *state) {
    const int64_t F = v->options->features;
    hiss_value map[2];
    video_sv2p_encode(v, b, seen, map);
    remember(v, b, map[1], latent, state);
    hiss_value x = hiss_layer_conv_transposed(b, "decoder1", state->hidden, F, UP, 2, 1, 0, false);
    x = hiss_graph_concat(b->graph, 2, (const hiss_value[]){normed(b, "decoder1/norm", x), map[0]});
    x = hiss_layer_conv_transposed(b, "decoder2", x, F, UP, 2, 1, 0, false);
    return merge(v, b, seen, state->hidden, normed(b, "decoder2/norm", x));
}

/* ---- the whole clip ---- */

sv2p_gaussian video_sv2p_posterior(const sv2p *v, hiss_builder *b, const hiss_value *frame) {
    static const char *const name[INFERENCE_LAYERS] = {"posterior1", "posterior2", "posterior3"},
                             *const norm[INFERENCE_LAYERS] = {"posterior1/norm", "posterior2/norm", "posterior3/norm"};
    hiss_graph *g = b->graph;
    hiss_value x = frame[0];
    for (int64_t t = 1; t < v->frames; t++) {
        x = hiss_graph_concat(g, 2, (const hiss_value[]){x, frame[t]});
    }
    for (int l = 0; l < INFERENCE_LAYERS; l++) {
        x = normed(b, norm[l], hiss_layer_conv(b, name[l], x, v->options->features << l, INNER, 2, INNER / 2, false));
    }
    x = hiss_graph_flatten(g, x);
    const hiss_value mean = hiss_layer_linear(b, "posterior/mean", x, v->options->latent, true);
    return (sv2p_gaussian){mean, hiss_layer_linear(b, "posterior/log_variance", x, v->options->latent, true)};
}
