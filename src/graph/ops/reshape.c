/* The same values seen in another shape: a view. */
#include "graph/ops/ops.h"

typedef struct attributes {
    hiss_shape to;
} attributes;

static const char *shape(hiss_graph *graph, node *n) {
    const attributes *a = n->attributes;
    char ta[HISS_SHAPE_TEXT], tb[HISS_SHAPE_TEXT];
    n->shape = a->to;
    if (hiss_shape_count(&n->in[0]) != hiss_shape_count(&n->shape)) {
        return hiss_arena_format(graph->arena, "cannot view %s as %s", hiss_shape_text(&n->in[0], ta),
                                 hiss_shape_text(&n->shape, tb));
    }
    return NULL;
}

static bool equal(const node *a, const node *b) {
    return hiss_shape_equal(&a->shape, &b->shape);
}

static void example(hiss_graph *g, int variant) {
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(4, 6));
    hiss_value y = hiss_graph_reshape(g, variant ? hiss_graph_scale(g, x, 2.0) : x, HISS_SHAPE(2, 12));
    graph_example_weigh(g, hiss_graph_add(g, y, hiss_graph_reshape(g, x, HISS_SHAPE(2, 12))));
}

static hiss_value build(hiss_graph *graph, int count, const hiss_value *x, const double *a) {
    (void)count;
    (void)a;
    return hiss_graph_flatten(graph, x[0]);
}

const op graph_op_reshape = {.name = "reshape",
                             .attributes = sizeof(attributes),
                             .shape = shape,
                             .view = true,
                             .equal = equal,
                             .word = {"flatten", "", .build = build, .reshapes = true},
                             .example = example};

hiss_value hiss_graph_reshape(hiss_graph *graph, hiss_value x, hiss_shape to) {
    return graph_append(graph,
                        (node){.op = &graph_op_reshape, .attributes = &(attributes){to}, .input = {x}, .inputs = 1});
}

hiss_value hiss_graph_flatten(hiss_graph *graph, hiss_value x) {
    if (x < 0) {
        return -1;
    }
    const hiss_shape in = graph->nodes[x].shape;
    return hiss_graph_reshape(graph, x, HISS_SHAPE(in.dim[0], hiss_shape_count(&in) / in.dim[0]));
}
