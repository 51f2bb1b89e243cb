/* y[N,H,W,C] = a[N,H,W,C] + b[N,C]: the same at every place of an image, as the class that it is to have. */
#include "graph/ops/ops.h"

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *a = &n->in[0], *b = &n->in[1];
    char ta[HISS_SHAPE_TEXT], tb[HISS_SHAPE_TEXT];
    n->shape = *a;
    return a->ndim == 4 && b->ndim == 2 && a->dim[0] == b->dim[0] && a->dim[3] == b->dim[1]
               ? NULL
               : hiss_arena_format(graph->arena, "needs maps [N,H,W,C] and rows [N,C], got %s and %s",
                                   hiss_shape_text(a, ta), hiss_shape_text(b, tb));
}

static void forward(const op_call *call) {
    const hiss_shape *s = &call->node->shape;
    const int64_t places = s->dim[1] * s->dim[2], C = s->dim[3];
    for (int64_t i = 0; i < s->dim[0]; i++) {
        const int64_t at = i * places * C;
        call->kernels->add_bias(places, C, call->x[0] + at, call->x[1] + i * C, call->y + at);
    }
}

static void backward(const op_call *call) {
    const hiss_shape *s = &call->node->shape;
    const int64_t places = s->dim[1] * s->dim[2], C = s->dim[3];
    if (call->dx[1]) { /* first, since dx[0] may be dy */
        for (int64_t i = 0; i < s->dim[0]; i++) {
            call->kernels->column_sum(places, C, call->dy + i * places * C, call->dx[1] + i * C, call->accumulate[1]);
        }
    }
    if (call->dx[0]) {
        call->kernels->axpby(hiss_shape_count(s), 1.0f, call->dy, call->accumulate[0] ? 1.0f : 0.0f, call->dx[0]);
    }
}

static void example(hiss_graph *g, int variant) {
    const int64_t C = 2 + variant;
    const hiss_value a = graph_example_slot(g, 0, HISS_SHAPE(3, 2, 4, C)),
                     b = graph_example_slot(g, 1, HISS_SHAPE(3, C));
    graph_example_weigh(g, hiss_graph_add_to_maps(g, variant % 2 ? hiss_graph_add(g, a, a) : a, b));
}

const op graph_op_add_to_maps = {.name = "add_to_maps",
                                 .shape = shape,
                                 .equal = graph_equal_attributes,
                                 .forward = forward,
                                 .backward = backward,
                                 .flops = graph_elementwise_flops,
                                 .example = example};

hiss_value hiss_graph_add_to_maps(hiss_graph *graph, hiss_value a, hiss_value b) {
    return graph_append(graph, (node){.op = &graph_op_add_to_maps, .input = {a, b}, .inputs = 2});
}
