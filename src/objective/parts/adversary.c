/* A generator and a discriminator in the form of DCGAN: Radford, Metz & Chintala, "Unsupervised representation learning
 * with deep convolutional generative adversarial networks", ICLR 2016, section 3. Weights start as those of all layers
 * here do, not with DCGAN's deviation of 0.02; behind BatchNorm the scale of a weight means nothing. */
#include "objective/parts/adversary.h"

#include <inttypes.h>
#include <stdio.h>

static const double slope = 0.2;

hiss_value objective_generator(const hiss_task *t, hiss_builder *b, hiss_value latent, int64_t width) {
    hiss_graph *g = b->graph;
    if (latent < 0) {
        return -1;
    }
    const int64_t m = hiss_graph_shape(g, latent).dim[0], H = t->H / 4, W = t->W / 4;
    hiss_value x = hiss_layer_linear(b, "generator1", latent, H * W * 2 * width, false);
    /* One mean and variance for each channel, as for those of the convolutions. */
    x = hiss_graph_reshape(g, x, HISS_SHAPE(m, H, W, 2 * width));
    x = hiss_graph_relu(g, hiss_layer_batch_norm(b, "generator1/norm", x));
    x = hiss_layer_conv_transposed(b, "generator2", x, width, 4, 2, 1, 0, false);
    x = hiss_graph_relu(g, hiss_layer_batch_norm(b, "generator2/norm", x));
    return hiss_graph_sigmoid(g, hiss_layer_conv_transposed(b, "generator3", x, t->C, 4, 2, 1, 0, true));
}

hiss_status objective_discriminator(hiss_builder *b, const char *name, hiss_value x, int64_t width, int layers,
                                    hiss_taps *taps, hiss_value *out, hiss_error *err) {
    hiss_status s = HISS_OK;
    for (int k = 0; k < layers && s == HISS_OK; k++) {
        char layer[HISS_TAP_NAME], norm[HISS_TAP_NAME + 8];
        snprintf(layer, sizeof layer, "%s%d", name, k + 1);
        snprintf(norm, sizeof norm, "%s/norm", layer);
        x = hiss_layer_conv(b, layer, x, width << k, 4, 2, 1, k == 0);
        x = hiss_graph_leaky_relu(b->graph, k == 0 ? x : hiss_layer_batch_norm(b, norm, x), slope);
        s = taps ? hiss_taps_add(taps, layer, x, err) : HISS_OK;
    }
    *out = x;
    return s == HISS_OK ? hiss_graph_status(b->graph, err) : s;
}

/* 1 / rows, and 0 rows for values that were not made because the graph has failed. */
static double share(const hiss_graph *graph, hiss_value x) {
    return x < 0 ? 0.0 : 1.0 / (double)hiss_graph_shape(graph, x).dim[0];
}

hiss_value objective_adversary_loss(hiss_graph *graph, hiss_value logits, bool real) {
    if (logits < 0) {
        return -1;
    }
    const hiss_value target = hiss_graph_filled(graph, hiss_graph_shape(graph, logits), real ? 1.0f : 0.0f);
    return hiss_graph_sigmoid_cross_entropy(graph, logits, target, share(graph, logits));
}

hiss_value objective_adversary_score(hiss_graph *graph, hiss_value logits) {
    if (logits < 0) {
        return -1;
    }
    const hiss_value real = hiss_graph_sigmoid(graph, hiss_graph_stop_gradient(graph, logits));
    const hiss_value zero = hiss_graph_filled(graph, hiss_graph_shape(graph, logits), 0.0f);
    return hiss_graph_absolute_loss(graph, real, zero, share(graph, logits));
}

hiss_value objective_adversary_spread(hiss_graph *graph, hiss_value images, hiss_value means) {
    if (images < 0) {
        return -1;
    }
    const hiss_value x = hiss_graph_flatten(graph, hiss_graph_stop_gradient(graph, images));
    return hiss_graph_squared_loss(graph, x, hiss_graph_linear_transposed(graph, means, x, -1), share(graph, x));
}

hiss_status objective_expect_quarters(const char *method, const hiss_task *task, hiss_error *err) {
    if (task->H % 4 == 0 && task->W % 4 == 0 && task->H >= 8 && task->W >= 8) {
        return HISS_OK;
    }
    const bool high = task->H % 4 != 0 || task->H < 8;
    const int64_t H = task->H < 8 ? 8 : (task->H + 1) / 4 * 4, W = task->W < 8 ? 8 : (task->W + 1) / 4 * 4;
    return hiss_fail_key(err, HISS_EUSER, high ? "augment.height" : "augment.width",
                         "%s makes images whose sides are multiples of 4, from 8 on, found %" PRId64 " x %" PRId64
                         ": the nearest that work are --set augment.height=%" PRId64 " --set augment.width=%" PRId64,
                         method, task->H, task->W, H, W);
}
