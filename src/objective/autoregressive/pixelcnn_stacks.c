/* The network of the gated PixelCNN (van den Oord et al. 2016, figure 2). Layer l has maps v of the vertical stack, which
 * know the rows above a pixel and its own, and h of the horizontal one, which know what is left of it, too:
 *     a = (k/2+1 x k convolution of v)         rows r - k/2 .. r, columns c - k/2 .. c + k/2
 *     v' = gate(a)
 *     h' = h + 1x1(gate((1 x k/2+1 convolution of h) + 1x1(a moved down by one row)))
 * with gate(x) = tanh(first half) sigmoid(second half). In the first layer the horizontal convolution ends left of the
 * pixel, and nothing is added to what the 1x1 convolution gives, which would tell the pixel itself. A class adds a bias of
 * its own before each gate.
 *
 * Convolutions do not know where they are. Things that are centred are the more probable for it, so the first layer of the
 * vertical stack has a bias for each place (pixelcnn.place), which the paper has not.
 *
 * No weight is masked: padding and shifts see to it that an output has nothing of its own pixel and those behind it to
 * read. With masked weights a kernel that computes several outputs together, such as Winograd's, lets them move each
 * other's last bits. Filters are computed by sixteens, with those that are missing as zeros, so that the bits of a
 * pixel do not depend on where in its batch it lies: what a row alone gives (pixelcnn_make.c) is what the image gives. */
#include <stdio.h>

#include "objective/autoregressive/pixelcnn.h"
#include "objective/autoregressive/pixels.h"
#include "objective/parts/condition.h"
#include "objective/parts/gains.h"

enum { ROWS = 1, COLUMNS = 2, NDIM = 4 };

/* The gain of pixels, of which few are bright. */
static const double of_pixels = 3.0;

static const char *named(char text[PIXELCNN_NAME], const char *what, int64_t layer) {
    snprintf(text, PIXELCNN_NAME, "%s%lld", what, (long long)layer + 1);
    return text;
}

int64_t autoregressive_pixelcnn_logits(const pixelcnn *p) {
    return p->options->levels == 2 ? 1 : p->options->levels;
}

static hiss_value pad(hiss_builder *b, hiss_value x, int64_t top, int64_t bottom, int64_t left, int64_t right) {
    const int64_t before[NDIM] = {[ROWS] = top, [COLUMNS] = left}, after[NDIM] = {[ROWS] = bottom, [COLUMNS] = right};
    return hiss_graph_pad(b->graph, x, before, after);
}

/* What a class adds before a gate. */
static hiss_value add_class(hiss_builder *b, const char *name, hiss_value x, hiss_value class) {
    if (class < 0 || x < 0) {
        return x;
    }
    const int64_t channels = hiss_graph_shape(b->graph, x).dim[NDIM - 1];
    return hiss_graph_add_to_maps(b->graph, x, hiss_layer_linear(b, name, class, channels, false));
}

/* A bias for each place of the image; the link tells it to the horizontal stack. */
static hiss_value add_places(hiss_builder *b, hiss_value x) {
    if (x < 0) {
        return -1;
    }
    const hiss_shape shape = hiss_graph_shape(b->graph, x);
    return hiss_graph_reshape(b->graph, hiss_layer_shift(b, "place", hiss_graph_flatten(b->graph, x)), shape);
}

void autoregressive_pixelcnn_vertical(const pixelcnn *p, hiss_builder *b, hiss_value image, hiss_value class,
                                      hiss_value *link) {
    const pixelcnn_options *o = p->options;
    char text[PIXELCNN_NAME];
    hiss_value v = image;
    for (int64_t l = 0; l < o->layers; l++) {
        const int64_t k = l == 0 ? o->first : o->kernel, half = k / 2;
        hiss_value a = objective_window(b, l == 0 ? of_pixels : of_gates, named(text, "vertical", l),
                                        pad(b, v, half, 0, half, half), 2 * o->features, half + 1, k);
        a = l == 0 && o->place ? add_places(b, a) : a;
        link[l] = objective_window(b, of_sums, named(text, "link", l), pad(b, a, 1, -1, 0, 0), 2 * o->features, 1, 1);
        if (l + 1 < o->layers) {
            v = hiss_graph_gated(b->graph, add_class(b, named(text, "vertical_class", l), a, class));
        }
    }
}

static hiss_value output(const pixelcnn *p, hiss_builder *b, hiss_value h) {
    hiss_graph *g = b->graph;
    h = objective_window(b, of_relu, "output1", hiss_graph_relu(g, h), p->options->output, 1, 1);
    return objective_window(b, of_sums, "output2", hiss_graph_relu(g, h), autoregressive_pixelcnn_logits(p), 1, 1);
}

hiss_status autoregressive_pixelcnn_horizontal(const pixelcnn *p, hiss_builder *b, hiss_value rows, hiss_value class,
                                               const hiss_value *link, hiss_taps *taps, hiss_value *logits,
                                               hiss_error *err) {
    const pixelcnn_options *o = p->options;
    hiss_graph *g = b->graph;
    char text[PIXELCNN_NAME];
    hiss_value h = rows;
    hiss_status s = HISS_OK;
    for (int64_t l = 0; l < o->layers && s == HISS_OK; l++) {
        const int64_t half = (l == 0 ? o->first : o->kernel) / 2;
        const hiss_value seen = pad(b, h, 0, 0, half, l == 0 ? -1 : 0);
        hiss_value a =
            hiss_layer_conv_window(b, named(text, "horizontal", l), seen, 2 * o->features, 1, l == 0 ? half : half + 1);
        a = add_class(b, named(text, "horizontal_class", l), hiss_graph_add(g, a, link[l]), class);
        const hiss_value mixed =
            objective_window(b, of_sums, named(text, "mix", l), hiss_graph_gated(g, a), o->features, 1, 1);
        h = l == 0 ? mixed : hiss_graph_add(g, h, mixed);
        s = taps ? hiss_taps_add(taps, named(text, "layer", l), autoregressive_square_means(b->graph, h), err)
                 : HISS_OK;
    }
    *logits = output(p, b, h);
    return s == HISS_OK ? hiss_graph_status(g, err) : s;
}

hiss_value autoregressive_pixelcnn_class(const pixelcnn *p, hiss_graph *graph, int64_t m) {
    return objective_condition(p->task, p->options->conditional, graph, m);
}

void autoregressive_pixelcnn_set_class(const pixelcnn *p, const hiss_lane *lane, int64_t i, int64_t class) {
    if (p->options->conditional) {
        objective_set_condition(p->task, lane, i, class);
    }
}
