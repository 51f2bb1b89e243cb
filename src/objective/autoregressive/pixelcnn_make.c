/* Images of a PixelCNN: a pixel after the other, each drawn by the logits that those before it give.
 *
 * Of one graph, what is before the cut is the vertical stack on the whole image, and what follows is the horizontal one on
 * one row of each image. A row takes one pass of the first, whose values at that row are then inputs of the second, and one
 * pass of the second for each of its pixels. So an image costs H passes of the network, and not H W. Its logits are those
 * of the whole image at once, bit for bit. */
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/autoregressive/pixelcnn.h"
#include "objective/autoregressive/pixels.h"
#include "objective/parts/lasting.h"

hiss_status autoregressive_pixelcnn_make(pixelcnn *p, hiss_builder *b, int64_t m, hiss_error *err) {
    const hiss_task *t = p->task;
    const int64_t layers = p->options->layers;
    hiss_graph *g = b->graph;
    pixelcnn_made *x = &p->made;
    char text[PIXELCNN_NAME];
    x->image = objective_lasting_input(g, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    x->class = autoregressive_pixelcnn_class(p, g, m);
    autoregressive_pixelcnn_vertical(p, b, x->image, x->class, x->link);
    hiss_status s = hiss_graph_status(g, err);
    for (int64_t l = 0; l < layers && s == HISS_OK; l++) {
        hiss_graph_keep(g, x->link[l]);
    }
    hiss_graph_cut(g);
    x->row = objective_lasting_input(g, "row", HISS_SHAPE(m, 1, t->W, t->C));
    for (int64_t l = 0; l < layers; l++) {
        snprintf(text, sizeof text, "above%lld", (long long)l + 1);
        x->above[l] = objective_lasting_input(g, text, HISS_SHAPE(m, 1, t->W, 2 * p->options->features));
    }
    s = s == HISS_OK ? autoregressive_pixelcnn_horizontal(p, b, x->row, x->class, x->above, NULL, &x->logits, err) : s;
    if (s == HISS_OK && x->class >= 0) {
        hiss_graph_keep(g, x->class);
    }
    if (s == HISS_OK) {
        hiss_graph_keep(g, x->logits);
    }
    return s;
}

/* What the vertical stack says of row r, and a row without pixels. */
static void enter_row(const pixelcnn *p, const hiss_lane *lane, int64_t i, int64_t r) {
    const int64_t W = p->task->W, floats = 2 * p->options->features * W;
    memset(hiss_lane_values(lane, p->made.row, i), 0, sizeof(float) * (size_t)W);
    for (int64_t l = 0; l < p->options->layers; l++) {
        memcpy(hiss_lane_values(lane, p->made.above[l], i), hiss_lane_values(lane, p->made.link[l], i) + r * floats,
               sizeof(float) * (size_t)floats);
    }
}

static void draw(const pixelcnn *p, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t r, int64_t c) {
    const int64_t W = p->task->W, levels = p->options->levels;
    const float *logits = hiss_lane_values(lane, p->made.logits, i) + c * autoregressive_pixelcnn_logits(p);
    const float pixel = autoregressive_draw(levels, logits, seed, lane->batch->sample[i], r * W + c, p->task->H * W);
    hiss_lane_values(lane, p->made.row, i)[c] = pixel;
    hiss_lane_values(lane, p->made.image, i)[r * W + c] = pixel;
}

/* Passes of a row: the vertical stack, then a pixel each. */
bool autoregressive_pixelcnn_advance(const pixelcnn *p, const hiss_lane *lane, int64_t pass, uint64_t seed,
                                     int64_t first, int *begin, int *end) {
    const int64_t W = p->task->W, r = first + pass / (W + 1), k = pass % (W + 1);
    const int cut = hiss_graph_cut_at(lane->graph);
    for (int64_t i = 0; i < lane->batch->m; i++) {
        if (k == 0 && pass > 0) {
            draw(p, lane, i, seed, r - 1, W - 1);
        } else if (k == 1) {
            enter_row(p, lane, i, r);
        } else if (k > 1) {
            draw(p, lane, i, seed, r, k - 2);
        }
    }
    *begin = k == 0 ? 0 : cut;
    *end = k == 0 ? cut : hiss_graph_nodes(lane->graph);
    return r < p->task->H;
}

static int64_t classes(void *self) {
    const pixelcnn *p = self;
    return p->options->conditional ? p->task->classes : 0;
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_value *image, hiss_error *err) {
    pixelcnn *p = self;
    const hiss_status s = autoregressive_pixelcnn_make(p, b, m, err);
    *image = p->made.image;
    return s;
}

static void noise(void *self, const hiss_lane *lane, int64_t i, uint64_t seed, int64_t wanted) {
    const pixelcnn *p = self;
    (void)seed; /* pixels are drawn as they come */
    memset(hiss_lane_values(lane, p->made.image, i), 0, sizeof(float) * (size_t)(p->task->H * p->task->W));
    autoregressive_pixelcnn_set_class(p, lane, i, wanted);
}

static bool advance(void *self, const hiss_lane *lane, int64_t pass, uint64_t seed, int *begin, int *end) {
    return autoregressive_pixelcnn_advance(self, lane, pass, seed, 0, begin, end);
}

const hiss_generation_ops autoregressive_pixelcnn_generation = {
    .classes = classes, .build = build, .noise = noise, .advance = advance};
