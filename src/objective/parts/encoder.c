/* The encoder that most methods have. */
#include "objective/parts/encoder.h"

hiss_status objective_encoder_rows(const hiss_task *task, hiss_builder *b, hiss_value image, hiss_taps *taps,
                                   hiss_value *out, hiss_error *err) {
    const hiss_status s = hiss_network_build(task->network, b, image, out, taps, err);
    if (s == HISS_OK && hiss_graph_shape(b->graph, *out).ndim != 2) {
        *out = hiss_graph_flatten(b->graph, *out);
    }
    return s;
}

hiss_status objective_encoder_head(const hiss_task *task, hiss_builder *b, hiss_value image, const char *name,
                                   int64_t D, bool bias, hiss_taps *taps, hiss_value *out, hiss_error *err) {
    hiss_value x = -1;
    const hiss_status s = objective_encoder_rows(task, b, image, taps, &x, err);
    if (s == HISS_OK) {
        *out = hiss_layer_linear(b, name, x, D, bias);
    }
    return s;
}

bool objective_own_layers(const void *options) {
    (void)options;
    return true;
}

hiss_status objective_expect_no_layers(const hiss_task *task, const char *method, const char *key, hiss_error *err) {
    return !task->network->layers
               ? HISS_OK
               : hiss_fail_key(err, HISS_EUSER, "network.layers",
                               "%s makes its own layers, of %s; leave network.layers out, as with --set "
                               "network.layers=null",
                               method, key);
}

hiss_status objective_encoder_on_samples(encoder_hook *encode, void *self, const hiss_task *task, int64_t m,
                                         hiss_builder *b, hiss_value *image, hiss_value *out, hiss_error *err) {
    hiss_taps taps = {0};
    *image = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, task->H, task->W, task->C));
    const hiss_status s = encode(self, b, *image, &taps, err);
    *out = hiss_taps_last(&taps);
    return s;
}
