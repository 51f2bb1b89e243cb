/* The network of RIDE, from an image to the mixtures of all its pixels; and images that are drawn by it.
 *
 * The window of a pixel is made of shifted images: of the rows above, so many pixels on either side, and of its own row those
 * to its left. It ends w columns right of the pixel, so that those of one wave, of equal c + (w + 1) r, are in no window of
 * each other's, nor in that of a place to the left of them or above: they are drawn together, and an image
 * costs W + (w + 1)(H - 1) passes. */
#include <string.h>

#include "hiss/alloc.h"
#include "objective/autoregressive/ride.h"

enum { NDIM = 4, MOST_REACH = RIDE_MOST_REACH };

/* The pixel so many rows above, and columns to the right. */
static hiss_value shifted(hiss_graph *g, hiss_value image, int64_t above, int64_t right) {
    const int64_t before[NDIM] = {0, above, -right}, after[NDIM] = {0, -above, right};
    return hiss_graph_pad(g, image, before, after);
}

/* [m,H,W,C]: of each pixel those around it that come before, 0 outside of the image. */
static hiss_value window_of(const ride *a, hiss_graph *g, hiss_value image) {
    const int64_t reach = a->options->window;
    hiss_value row[MOST_REACH + 1];
    for (int64_t r = 0; r <= reach; r++) {
        hiss_value pixel[2 * MOST_REACH + 1];
        int count = 0;
        for (int64_t c = -reach; c <= reach && (r < reach || c < 0); c++) {
            pixel[count++] = shifted(g, image, reach - r, c);
        }
        row[r] = hiss_graph_concat(g, count, pixel);
    }
    return hiss_graph_concat(g, (int)reach + 1, row);
}

/* Where mixtures start, for pixels of 0..1: alike in weight and narrow, and apart. */
static hiss_value start_of(const ride *a, hiss_graph *g, int64_t m) {
    static const float narrow = -3.0f;
    const int64_t K = a->options->components;
    float *row = hiss_new(float, m *RIDE_PARTS *K);
    for (int64_t i = 0; i < m; i++) {
        float *weight = row + i * RIDE_PARTS * K, *mean = weight + K, *scale = mean + K;
        for (int64_t k = 0; k < K; k++) {
            mean[k] = ((float)k + 0.5f) / (float)K;
            scale[k] = narrow;
        }
    }
    const hiss_value start = hiss_graph_constant(g, HISS_SHAPE(m, RIDE_PARTS * K), row);
    hiss_free(row);
    return start;
}

hiss_value autoregressive_ride_hidden(const ride *a, hiss_builder *b, hiss_value image, hiss_value *window) {
    *window = window_of(a, b->graph, image);
    return hiss_layer_spatial_lstm(b, "lstm", *window, a->options->hidden);
}

hiss_value autoregressive_ride_mixtures(const ride *a, hiss_builder *b, hiss_value image, int64_t m) {
    static const double deviation = 0.02;
    const int64_t H = a->task->H, W = a->task->W, floats = RIDE_PARTS * a->options->components;
    const double *before = b->deviation;
    hiss_value window = -1;
    const hiss_value seen[] = {autoregressive_ride_hidden(a, b, image, &window), window};
    hiss_value x = hiss_graph_concat(b->graph, 2, seen);
    if (x < 0) {
        return -1;
    }
    x = hiss_graph_reshape(b->graph, x, HISS_SHAPE(m * H * W, hiss_graph_shape(b->graph, x).dim[NDIM - 1]));
    b->deviation = &deviation;
    x = hiss_layer_linear(b, "mixture", x, floats, true);
    b->deviation = before;
    x = hiss_graph_add_to_maps(b->graph, hiss_graph_reshape(b->graph, x, HISS_SHAPE(m, H, W, floats)),
                               start_of(a, b->graph, m));
    return hiss_graph_reshape(b->graph, x, HISS_SHAPE(m * H * W, floats));
}

hiss_value autoregressive_ride_image(const ride *a, hiss_graph *g, int64_t m) {
    return hiss_graph_input(g, "image", HISS_SHAPE(m, a->task->H, a->task->W, 1));
}

hiss_status autoregressive_ride_make(void *self, hiss_builder *b, int64_t m, hiss_value *image, hiss_error *err) {
    ride *a = self;
    *image = autoregressive_ride_image(a, b->graph, m);
    a->parameters = autoregressive_ride_mixtures(a, b, *image, m);
    const hiss_status s = hiss_graph_status(b->graph, err);
    if (s == HISS_OK) {
        hiss_graph_keep(b->graph, *image);
        hiss_graph_keep(b->graph, a->parameters);
    }
    return s;
}

/* ---- images ---- */

static void noise(void *self, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t wanted) {
    (void)seed; /* pixels are drawn as they come */
    (void)wanted;
    memset(hiss_lane_values(lane, lane->inputs->image, i), 0, sizeof(float) * (size_t)autoregressive_ride_pixels(self));
}

/* Pixels of a wave, those of one c + (window + 1) r, know nothing of each other: a pass draws all of them. */
bool autoregressive_ride_advance(void *self, const hiss_lane *lane, int64_t pass, uint64_t seed, int64_t first,
                                 int *begin, int *end) {
    const ride *a = self;
    const int64_t H = a->task->H, W = a->task->W, D = H * W, K = a->options->components;
    const int64_t step = a->options->window + 1, wave = pass - 1;
    const float *parameters = hiss_exec_data(lane->exec, a->parameters);
    for (int64_t i = 0; i < lane->batch->m; i++) {
        float *image = hiss_lane_values(lane, lane->inputs->image, i);
        for (int64_t r = first; r < H; r++) {
            const int64_t c = wave - step * (r - first), k = r * W + c;
            if (c >= 0 && c < W) {
                image[k] = autoregressive_ride_draw(K, parameters + (i * D + k) * RIDE_PARTS * K, seed,
                                                    lane->batch->sample[i], k, D);
            }
        }
    }
    *begin = 0;
    *end = hiss_graph_nodes(lane->graph);
    return pass < W + step * (H - 1 - first);
}

static bool advance(void *self, const hiss_lane *lane, int64_t pass, uint64_t seed, int *begin, int *end) {
    return autoregressive_ride_advance(self, lane, pass, seed, 0, begin, end);
}

const hiss_generation_ops autoregressive_ride_generation = {
    .build = autoregressive_ride_make, .noise = noise, .advance = advance};
