/* Ranking of windows: a window of text should score at least 1 above the same window with another word in its middle,
 *     max(0, 1 - f(window) + f(window with the middle replaced)),
 * where f is a network with one hidden layer on the vectors of the window's words, side by side (Collobert & Weston, "A unified
 * architecture for natural language processing: deep neural networks with multitask learning", ICML 2008, section 5). What
 * stands in the middle instead is drawn as the noise of word2vec is.
 *
 * The hidden layer is a sum of what the words on the left, in the middle and on the right add to it, so that both scores of
 * a window share the first and the last; a row of text is seen as an image of one row, and a window slides over it. */
#include "objective/words/word2vec.h"

enum { NDIM = 4, PLACE = 2 };

static int64_t windows(const word2vec *w) {
    return w->T - 2 * w->options->window;
}

/* Places first .. first + count - 1 of x [m,1,T,D]. */
static hiss_value cut(const word2vec *w, hiss_builder *b, hiss_value x, int64_t first, int64_t count) {
    const int64_t before[NDIM] = {[PLACE] = -first}, after[NDIM] = {[PLACE] = first + count - w->T};
    return hiss_graph_pad(b->graph, x, before, after);
}

static hiss_value score(const word2vec *w, hiss_builder *b, hiss_value beside, hiss_value middle) {
    hiss_graph *g = b->graph;
    const hiss_value sum =
        hiss_graph_add(g, beside, hiss_layer_conv_window(b, "ranking/middle", middle, w->options->hidden, 1, 1));
    return hiss_layer_conv_window(b, "ranking/score", hiss_graph_tanh(g, sum), 1, 1, 1);
}

hiss_value words_ranking_append(const word2vec *w, hiss_builder *b, int64_t m, hiss_value vectors,
                                struct words_inputs *in) {
    const int64_t side = w->options->window, n = windows(w), D = w->options->dim, H = w->options->hidden;
    hiss_graph *g = b->graph;
    in->output = hiss_graph_input_numbers(g, "output", HISS_SHAPE(m, n));
    in->weight = hiss_graph_input(g, "weight", HISS_SHAPE(m, n));
    in->mix = -1;
    const hiss_value text = hiss_graph_reshape(g, hiss_graph_gather(g, vectors, in->center), HISS_SHAPE(m, 1, w->T, D));
    const hiss_value other = hiss_graph_reshape(g, hiss_graph_gather(g, vectors, in->output), HISS_SHAPE(m, 1, n, D));
    const hiss_value left = hiss_layer_conv_window(b, "ranking/left", cut(w, b, text, 0, n + side - 1), H, 1, side);
    const hiss_value right =
        hiss_layer_conv_window(b, "ranking/right", cut(w, b, text, side + 1, n + side - 1), H, 1, side);
    const hiss_value beside = hiss_graph_add(g, left, right);
    const hiss_value real = score(w, b, beside, cut(w, b, text, side, n)), replaced = score(w, b, beside, other);
    return hiss_graph_reshape(g, hiss_graph_add(g, replaced, hiss_graph_scale(g, real, -1.0)), HISS_SHAPE(m, n));
}

hiss_value words_ranking_loss(hiss_graph *g, hiss_value excess, hiss_value weight, double each) {
    const hiss_value one = hiss_graph_filled(g, hiss_graph_shape(g, excess), 1.0f);
    return hiss_graph_dot(g, hiss_graph_relu(g, hiss_graph_add(g, excess, one)), weight, each);
}
