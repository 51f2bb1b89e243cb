/* The networks of multi-scale video prediction, as in the small ones of the published code.
 *
 * A generator per scale: convolutions that keep the size, with ReLU between them. It sees the given frames at its scale and
 * the frame of the scale below, enlarged, to which its output is added.
 *
 * A discriminator per scale: convolutions without padding, at the finest scale a pooling, and linear layers. It sees the given
 * frames and the one that is judged. In frames of less than 32 x 32 windows are as large as what is left.
 *
 * The last layer of a generator starts with weights that are nearly 0, so that its frame begins as the one below. */
#include <stdio.h>

#include "hiss/alloc.h"
#include "objective/video/multiscale.h"

enum { GENERATOR, DISCRIMINATOR }; /* groups */
enum { MOST_LAYERS = 6, FINEST = MULTISCALE_SCALES - 1 };
enum { DENSE = 2, DENSE_WIDTH = 16 }; /* linear layers of a discriminator before its logit, halving in width */

static const double of_last_weights = 0.01;

/* By scale: filters as multiples of the width, ended by 0, and sides of windows; the generator's last window is that of its
 * output. */
static const struct {
    int64_t times[MOST_LAYERS], window[MOST_LAYERS];
} generator[MULTISCALE_SCALES] = {{{1, 2, 1}, {3, 3, 3, 3}},
                                  {{1, 2, 1}, {5, 3, 3, 5}},
                                  {{1, 2, 4, 2, 1}, {5, 3, 3, 3, 3, 5}},
                                  {{1, 2, 4, 2, 1}, {7, 5, 5, 5, 5, 7}}},
  discriminator[MULTISCALE_SCALES] = {
      {{2}, {3}}, {{2, 2, 4}, {3, 3, 3}}, {{2, 2, 4}, {5, 5, 5}}, {{2, 2, 4, 8}, {7, 7, 5, 5}}};

/* ---- scales ---- */

multiscale_pyramid video_multiscale_pyramid(hiss_graph *g, int64_t count, const hiss_value *frame) {
    multiscale_pyramid p;
    p.scale[FINEST] = count == 1 ? frame[0] : hiss_graph_concat(g, (int)count, frame);
    for (int k = FINEST; k > 0; k--) {
        p.scale[k - 1] = hiss_graph_average_pool(g, p.scale[k], 2, 2, 0);
    }
    return p;
}

hiss_value video_multiscale_enlarge(hiss_graph *g, hiss_value x) {
    if (x < 0) {
        return -1;
    }
    const int64_t C = hiss_graph_shape(g, x).dim[3];
    float *w = hiss_new(float, C * 4 * C); /* [C,2,2,C]: 1 where a channel goes to itself */
    for (int64_t k = 0; k < C * 4; k++) {
        w[k * C + k / 4] = 1.0f;
    }
    x = hiss_graph_conv2d_transposed(g, x, hiss_graph_constant(g, HISS_SHAPE(C, 2, 2, C), w), -1, 2, 0, 0);
    hiss_free(w);
    return x;
}

/* ---- the generator ---- */

static hiss_value conv(hiss_builder *b, const char *what, int k, int layer, hiss_value x, int64_t F, int64_t window,
                       int64_t pad) {
    char name[48];
    snprintf(name, sizeof name, "%s%d/conv%d", what, k + 1, layer + 1);
    return hiss_layer_conv(b, name, x, F, window, 1, pad, true);
}

/* What is added to the frame below. */
static hiss_value correct(const multiscale *v, hiss_builder *b, int k, hiss_value x, hiss_value *middle) {
    const double *before = b->deviation;
    int layers = 0;
    for (int64_t widest = 0; generator[k].times[layers]; layers++) {
        const int64_t times = generator[k].times[layers], window = generator[k].window[layers];
        x = hiss_graph_relu(b->graph,
                            conv(b, "generator", k, layers, x, times * v->options->width, window, window / 2));
        if (times > widest) {
            widest = times;
            *middle = x;
        }
    }
    b->deviation = &of_last_weights;
    const int64_t window = generator[k].window[layers];
    x = conv(b, "generator", k, layers, x, v->task->C, window, window / 2);
    b->deviation = before;
    return x;
}

multiscale_pyramid video_multiscale_generate(const multiscale *v, hiss_builder *b, const multiscale_pyramid *given,
                                             hiss_value middle[MULTISCALE_SCALES]) {
    hiss_graph *g = b->graph;
    multiscale_pyramid made;
    b->group = GENERATOR;
    for (int k = 0; k < MULTISCALE_SCALES; k++) {
        hiss_value widest = -1;
        if (k == 0) {
            made.scale[k] = correct(v, b, k, given->scale[k], &widest);
        } else {
            const hiss_value seen[] = {given->scale[k], video_multiscale_enlarge(g, made.scale[k - 1])};
            made.scale[k] = hiss_graph_add(g, correct(v, b, k, hiss_graph_concat(g, 2, seen), &widest), seen[1]);
        }
        if (middle) {
            middle[k] = widest;
        }
    }
    return made;
}

hiss_value video_multiscale_frame(hiss_graph *g, const multiscale_pyramid *made) {
    const hiss_value x = made->scale[FINEST];
    if (x < 0) {
        return -1;
    }
    const hiss_value above = hiss_graph_add(g, x, hiss_graph_filled(g, hiss_graph_shape(g, x), -1.0f));
    return hiss_graph_add(g, hiss_graph_relu(g, x), hiss_graph_scale(g, hiss_graph_relu(g, above), -1.0));
}

/* ---- the discriminator ---- */

static int64_t lesser(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t least_side(const hiss_graph *g, hiss_value x) {
    if (x < 0) {
        return 1;
    }
    const hiss_shape shape = hiss_graph_shape(g, x);
    return lesser(shape.dim[1], shape.dim[2]);
}

hiss_value video_multiscale_judge(const multiscale *v, hiss_builder *b, int k, hiss_value given, hiss_value frame) {
    hiss_graph *g = b->graph;
    const hiss_value both[] = {given, frame};
    const int64_t width = v->options->width;
    char name[48];
    hiss_value x = hiss_graph_concat(g, 2, both);
    b->group = DISCRIMINATOR;
    for (int layer = 0; layer < MOST_LAYERS && discriminator[k].times[layer]; layer++) {
        const int64_t window = lesser(discriminator[k].window[layer], least_side(g, x));
        x = hiss_graph_relu(g, conv(b, "discriminator", k, layer, x, discriminator[k].times[layer] * width, window, 0));
    }
    x = hiss_graph_flatten(g, k == FINEST && least_side(g, x) > 1 ? hiss_graph_max_pool(g, x, 2, 2, 0) : x);
    for (int layer = 0; layer < DENSE; layer++) {
        snprintf(name, sizeof name, "discriminator%d/linear%d", k + 1, layer + 1);
        x = hiss_graph_relu(g, hiss_layer_linear(b, name, x, DENSE_WIDTH * width >> layer, true));
    }
    snprintf(name, sizeof name, "discriminator%d/logit", k + 1);
    return hiss_layer_linear(b, name, x, 1, true);
}

/* ---- gradient difference ---- */

/* |x - the pixel before| along dimension `along`, of pixels that have one. */
static hiss_value change(hiss_graph *g, hiss_value x, int along) {
    int64_t first[4] = {0}, last[4] = {0}, none[4] = {0};
    first[along] = last[along] = -1;
    const hiss_value before = hiss_graph_pad(g, x, none, last), after = hiss_graph_pad(g, x, first, none);
    const hiss_value step = hiss_graph_add(g, after, hiss_graph_scale(g, before, -1.0));
    return hiss_graph_add(g, hiss_graph_relu(g, step), hiss_graph_relu(g, hiss_graph_scale(g, step, -1.0)));
}

hiss_value video_multiscale_gradient_difference(hiss_graph *g, hiss_value truth, hiss_value made, double scale) {
    const hiss_value down = hiss_graph_absolute_loss(g, change(g, made, 1), change(g, truth, 1), scale);
    return hiss_graph_add(g, down, hiss_graph_absolute_loss(g, change(g, made, 2), change(g, truth, 2), scale));
}
