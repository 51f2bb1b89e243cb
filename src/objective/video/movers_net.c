/* The network of objects that move: the layers of section network up to the first flatten, and the mask on their map. */
#include "hiss/alloc.h"
#include "objective/video/movers.h"

hiss_status video_movers_map(const hiss_task *task, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_value *map,
                             hiss_error *err) {
    hiss_network maps = *task->network;
    maps.maps = true;
    const hiss_status s = hiss_network_build(&maps, b, image, map, taps, err);
    if (s == HISS_OK && (taps->count == 0 || hiss_graph_shape(b->graph, *map).ndim != 4)) {
        return hiss_fail_key(
            err, HISS_EUSER, task->network->layers ? "network.layers" : "network.preset",
            "%s trains the layers before flatten, which must be a map of places, and found %s; begin with a "
            "convolution that has a name, and leave global_average_pool out",
            MOVERS_NAME, taps->count ? "rows" : "no layer with a name");
    }
    return s;
}

hiss_status video_movers_map_size(movers *v, hiss_error *err) {
    const hiss_task *t = v->task;
    hiss_builder b = {.graph = hiss_graph_create(), .model = hiss_model_create()};
    hiss_taps *taps = hiss_new(hiss_taps, 1);
    hiss_value map = -1;
    const hiss_value image = hiss_graph_input(b.graph, "image", HISS_SHAPE(1, t->H, t->W, t->C));
    const hiss_status s = video_movers_map(t, &b, image, taps, &map, err);
    if (s == HISS_OK) {
        const hiss_shape shape = hiss_graph_shape(b.graph, map);
        v->h = shape.dim[1];
        v->w = shape.dim[2];
    }
    hiss_free(taps);
    hiss_graph_destroy(b.graph);
    hiss_model_destroy(b.model);
    return s;
}

hiss_status video_movers_mask(const movers *v, hiss_builder *b, hiss_value image, hiss_value *mask, hiss_error *err) {
    hiss_graph *g = b->graph;
    hiss_taps *taps = hiss_new(hiss_taps, 1);
    hiss_value map = -1;
    const hiss_status s = video_movers_map(v->task, b, image, taps, &map, err);
    hiss_free(taps);
    if (s != HISS_OK) {
        return s;
    }
    const hiss_shape shape = hiss_graph_shape(g, map);
    const int64_t N = shape.dim[0], places = v->h * v->w, F = v->options->features, cells = v->rows * v->columns;
    hiss_value x = hiss_graph_reshape(g, map, HISS_SHAPE(N * places, shape.dim[3]));
    x = hiss_graph_relu(g, hiss_layer_linear(b, "features", x, F, true));
    if (v->options->head == MOVERS_LINEAR) {
        *mask = hiss_layer_linear(b, "mask", hiss_graph_reshape(g, x, HISS_SHAPE(N, places * F)), cells, true);
    } else {
        *mask = hiss_graph_reshape(g, hiss_layer_linear(b, "mask", x, cells / places, true), HISS_SHAPE(N, cells));
    }
    return hiss_graph_status(g, err);
}
