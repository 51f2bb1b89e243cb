/* Terms of random graphs, one for each family of operations, made without a draw: for test_plan.c, whose growth they are
 * of. */
#ifndef HISS_TESTS_GROW_TERMS_H
#define HISS_TESTS_GROW_TERMS_H

static hiss_value last_of(const growth *g, int ndim) {
    int k = g->values - 1;
    while (hiss_graph_shape(g->r->graph, g->value[k]).ndim != ndim) {
        k--;
    }
    return g->value[k];
}

/* One with a target and a weight for each of the last rows, without a draw. */
static hiss_value grow_soft_term(const growth *g) {
    hiss_graph *graph = g->r->graph;
    const hiss_value last = last_of(g, 2);
    const hiss_shape shape = hiss_graph_shape(graph, last);
    const hiss_value target = hiss_graph_input(graph, "targets", shape),
                     weight = hiss_graph_input(graph, "weights", HISS_SHAPE(shape.dim[0]));
    const hiss_value rows = hiss_graph_soft_cross_entropy(graph, hiss_graph_tanh(graph, last), target);
    return hiss_graph_add(graph, hiss_graph_dot(graph, rows, weight, 0.1), hiss_graph_dot(graph, rows, rows, 0.1));
}

/* One of what a ladder's decoder does with the last rows, all of it twice, without a draw. */
static hiss_value grow_ladder_term(const growth *g) {
    hiss_graph *graph = g->r->graph;
    hiss_builder *b = &g->r->b;
    char name[32];
    const hiss_value last = last_of(g, 2);
    const int64_t D = hiss_graph_shape(graph, last).dim[1];
    const hiss_value x = hiss_graph_tanh(graph, last);
    hiss_value y[2];
    snprintf(name, sizeof name, "combinator%d", (int)D);
    b->group = 0;
    for (int i = 0; i < 2; i++) {
        const hiss_value weights = hiss_layer_parameter(b, name, "weight", HISS_SHAPE(8, D), 0.0),
                         slopes = hiss_layer_parameter(b, name, "slope", HISS_SHAPE(2, D), 1.0);
        const hiss_value message = hiss_graph_normalize_by(graph, hiss_graph_softmax(graph, x), x, 0.1);
        y[i] = hiss_graph_combinator(graph, x, message, weights, slopes);
    }
    return hiss_graph_dot(graph, y[0], y[1], 0.1);
}
/* One of the last rows seen through a view, overwritten there or not, and read once more after that. */
static hiss_value grow_viewed_term(const growth *g, bool sum) {
    hiss_graph *graph = g->r->graph;
    const hiss_value rows = hiss_graph_tanh(graph, last_of(g, 2)), x = hiss_graph_scale(graph, rows, 0.7);
    const hiss_shape shape = hiss_graph_shape(graph, x), turned = HISS_SHAPE(shape.dim[1], shape.dim[0]);
    const hiss_value view = hiss_graph_reshape(graph, x, turned);
    const hiss_value y =
        sum ? hiss_graph_add(graph, view, hiss_graph_reshape(graph, rows, turned)) : hiss_graph_sigmoid(graph, view);
    return hiss_graph_add(graph, hiss_graph_dot(graph, y, y, 0.1), hiss_graph_dot(graph, x, rows, 0.1));
}

/* The same of what models of pixels in order do with the last maps. */
static hiss_value grow_ordered_term(const growth *g) {
    hiss_graph *graph = g->r->graph;
    const hiss_value last = last_of(g, 4), x = hiss_graph_tanh(graph, hiss_graph_global_average_pool(graph, last));
    const int64_t D = hiss_graph_shape(graph, x).dim[1], before[4] = {0, 1}, after[4] = {0, -1, 1, D % 2};
    const hiss_value w = hiss_graph_filled(graph, HISS_SHAPE(D, 2), 0.3f),
                     c = hiss_graph_filled(graph, HISS_SHAPE(2), 0), b = hiss_graph_filled(graph, HISS_SHAPE(D), 1);
    hiss_value y[2];
    for (int i = 0; i < 2; i++) {
        y[i] = hiss_graph_add_to_maps(graph, last, hiss_graph_nade(graph, x, w, w, c, b));
        y[i] = hiss_graph_gated(graph, hiss_graph_pad(graph, y[i], before, after));
    }
    return hiss_graph_dot(graph, y[0], y[1], 0.1);
}

/* The same of what models of continuous pixels do with the last maps, twice. */
static hiss_value grow_density_term(const growth *g) {
    hiss_graph *graph = g->r->graph;
    hiss_builder *b = &g->r->b;
    char name[32];
    const hiss_value x = hiss_graph_tanh(graph, last_of(g, 4));
    const hiss_shape shape = hiss_graph_shape(graph, x);
    const int64_t places = hiss_shape_count(&shape) / shape.dim[3];
    const hiss_value pixel = hiss_graph_input(graph, "pixels", HISS_SHAPE(places));
    hiss_value h = -1, loss[2];
    snprintf(name, sizeof name, "lstm%d", (int)shape.dim[3]);
    b->group = 0;
    for (int i = 0; i < 2; i++) {
        h = hiss_graph_reshape(graph, hiss_layer_spatial_lstm(b, name, x, 3), HISS_SHAPE(places, 3));
        loss[i] = hiss_graph_mixture_of_logistics(graph, h, pixel, 0.1);
    }
    return hiss_graph_add(graph, hiss_graph_add(graph, loss[0], loss[1]), hiss_graph_dot(graph, h, h, 0.1));
}

/* What models of clips do, twice: two steps of long short-term memory on the pooled last maps, and of what comes out of
 * both as Gaussians; and windows of the maps. */
static hiss_value grow_recurrent_term(const growth *g) {
    enum { UNITS = 3 };
    hiss_graph *graph = g->r->graph;
    hiss_builder *b = &g->r->b;
    char name[32];
    const hiss_value x = hiss_graph_tanh(graph, hiss_graph_global_average_pool(graph, last_of(g, 4)));
    const hiss_shape shape = hiss_graph_shape(graph, x);
    const hiss_value zeros = hiss_graph_filled(graph, HISS_SHAPE(shape.dim[0], UNITS), 0.0f);
    hiss_value hidden[2], cell[2], windows[2];
    snprintf(name, sizeof name, "recurrent%d", (int)shape.dim[1]);
    b->group = 0;
    for (int i = 0; i < 2; i++) {
        windows[i] = hiss_graph_unfold(graph, last_of(g, 4), 3);
        hidden[i] = cell[i] = zeros;
        hiss_layer_lstm(b, name, x, &hidden[i], &cell[i]);
        hiss_layer_lstm(b, name, x, &hidden[i], &cell[i]);
    }
    return hiss_graph_add(
        graph, hiss_graph_dot(graph, windows[0], windows[1], 0.01),
        hiss_graph_gaussians_kl(graph, hidden[0], cell[0], hiss_graph_scale(graph, cell[1], 0.5), hidden[1], 0.1));
}

/* Rows of a table, taken by number, against each other: both products, and what is told from noise. Without a draw. */
static hiss_value grow_words_term(const growth *g) {
    hiss_graph *graph = g->r->graph;
    const hiss_value row = hiss_graph_input_numbers(graph, "rows", HISS_SHAPE(2, 4));
    const hiss_value weight = hiss_graph_input(graph, "signs", HISS_SHAPE(2, 4, 4));
    hiss_value x[2], logits[2];
    for (int i = 0; i < 2; i++) {
        x[i] = hiss_graph_gather(graph, hiss_layer_parameter(&g->r->b, "table", "weight", HISS_SHAPE(10, 3), 1.0), row);
        logits[i] = hiss_graph_batched_product(graph, x[i], x[0], true);
    }
    const hiss_value mixed = hiss_graph_batched_product(graph, hiss_graph_tanh(graph, logits[1]), x[1], false);
    return hiss_graph_add(graph, hiss_graph_logistic_loss(graph, logits[0], weight, 0.1),
                          hiss_graph_dot(graph, mixed, x[0], 0.1));
}

#endif
