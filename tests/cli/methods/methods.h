/* Methods that only tests have, for what no registered method uses yet: see train_method.c. */
#ifndef HISS_TESTS_METHODS_H
#define HISS_TESTS_METHODS_H

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/objective.h"

/* Rows of pixels through one linear layer: `units` features of each sample. */
static inline hiss_value method_features(hiss_builder *b, const char *name, hiss_value image, int64_t units) {
    return hiss_layer_linear(b, name, hiss_graph_flatten(b->graph, image), units, false);
}

static inline hiss_value method_image(const hiss_task *t, int64_t m, hiss_builder *b) {
    return hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C));
}

static inline hiss_status method_encode(const char *name, hiss_builder *b, hiss_value image, int64_t units,
                                        hiss_taps *taps, hiss_error *err) {
    taps->count = 0;
    const hiss_value x = method_features(b, name, image, units);
    const hiss_status s = hiss_graph_status(b->graph, err);
    return s == HISS_OK ? hiss_taps_add(taps, name, x, err) : s;
}

#endif
