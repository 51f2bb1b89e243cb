/* Decoders and losses of the methods that rebuild images. */
#include "objective/reconstruct/decoder.h"

static hiss_value up(hiss_builder *b, const char *name, const char *norm, hiss_value x, int64_t C, int64_t kernel,
                     int64_t extra) {
    x = hiss_layer_conv_transposed(b, name, x, C, kernel, 2, 1, extra, false);
    return hiss_graph_relu(b->graph, hiss_layer_batch_norm(b, norm, x));
}

hiss_value reconstruct_decode_by_convolution(const hiss_task *t, hiss_builder *b, hiss_value code, int64_t hidden) {
    const int64_t width = t->network->width, samples = hiss_graph_shape(b->graph, code).dim[0];
    const int64_t H[4] = {t->H / 8, t->H / 4, t->H / 2, t->H}, W[4] = {t->W / 8, t->W / 4, t->W / 2, t->W};
    hiss_value x = hiss_layer_linear(b, "decoder1", code, hidden, false);
    x = hiss_graph_relu(b->graph, hiss_layer_batch_norm(b, "decoder1/norm", x));
    x = hiss_layer_linear(b, "decoder2", x, H[0] * W[0] * 4 * width, false);
    x = hiss_graph_relu(b->graph, hiss_layer_batch_norm(b, "decoder2/norm", x));
    x = hiss_graph_reshape(b->graph, x, HISS_SHAPE(samples, H[0], W[0], 4 * width));
    x = up(b, "decoder3", "decoder3/norm", x, 2 * width, 4 + H[1] % 2, 0);
    x = up(b, "decoder4", "decoder4/norm", x, width, 4 + H[2] % 2, 0);
    return hiss_layer_conv_transposed(b, "decoder5", x, t->C, 4 + H[3] % 2, 2, 1, 0, true);
}

hiss_value reconstruct_decode_by_layers(const hiss_task *t, hiss_builder *b, hiss_value code, int64_t hidden) {
    const int64_t samples = hiss_graph_shape(b->graph, code).dim[0];
    const hiss_value x = hiss_graph_relu(b->graph, hiss_layer_linear(b, "decoder1", code, hidden, true));
    return hiss_graph_reshape(b->graph, hiss_layer_linear(b, "decoder2", x, t->H * t->W * t->C, true),
                              HISS_SHAPE(samples, t->H, t->W, t->C));
}

hiss_value reconstruct_loss(int loss, hiss_builder *b, hiss_value output, hiss_value image) {
    const hiss_shape shape = hiss_graph_shape(b->graph, image);
    return loss == RECONSTRUCT_BERNOULLI
               ? hiss_graph_sigmoid_cross_entropy(b->graph, output, image, 1.0 / (double)shape.dim[0])
               : hiss_graph_squared_loss(b->graph, output, image, 1.0 / (double)hiss_shape_count(&shape));
}

hiss_value reconstruct_pixels(int loss, hiss_builder *b, hiss_value output) {
    return loss == RECONSTRUCT_BERNOULLI ? hiss_graph_sigmoid(b->graph, output) : output;
}

hiss_status reconstruct_expect_size(const char *method, const hiss_task *t, const char *otherwise, hiss_error *err) {
    if (t->H == t->W && t->H >= 8) {
        return HISS_OK;
    }
    return hiss_fail_key(err, HISS_EUSER, "objective",
                         "%s needs square inputs of at least 8 x 8, found %lld x %lld; set augment.height and "
                         "augment.width alike, or choose %s",
                         method, (long long)t->H, (long long)t->W, otherwise);
}
