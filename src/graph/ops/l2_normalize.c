/* Rows of unit length; saved: the norms [M]. */
#include "graph/ops/ops.h"

static const float epsilon = 1e-6f;

static const char *shape(hiss_graph *graph, node *n) {
    char tx[HISS_SHAPE_TEXT];
    n->shape = n->in[0];
    return n->in[0].ndim == 2 ? NULL
                              : hiss_arena_format(graph->arena, "needs rows [N,D] as input: add flatten; got %s",
                                                  hiss_shape_text(&n->in[0], tx));
}

static int64_t save(const node *n) {
    return n->shape.dim[0];
}

static void forward(const op_call *call) {
    const hiss_shape *s = &call->node->shape;
    call->kernels->l2_normalize_forward(s->dim[0], s->dim[1], epsilon, call->x[0], call->y, call->save);
}

static void backward(const op_call *call) {
    const hiss_shape *s = &call->node->shape;
    call->kernels->l2_normalize_backward(s->dim[0], s->dim[1], epsilon, call->y, call->save, call->dy, call->dx[0],
                                         call->accumulate[0]);
}

static void example(hiss_graph *g, int variant) {
    graph_example_weigh(g,
                        hiss_graph_l2_normalize(g, graph_example_slot(g, 0, HISS_SHAPE(2 + variant, 3 + 4 * variant))));
}

static hiss_value build(hiss_graph *graph, int count, const hiss_value *x, const double *a) {
    (void)count;
    (void)a;
    return hiss_graph_l2_normalize(graph, x[0]);
}

const op graph_op_l2_normalize = {.name = "l2_normalize",
                                  .shape = shape,
                                  .forward = forward,
                                  .backward = backward,
                                  .save = save,
                                  .flops = graph_elementwise_flops,
                                  .needs_output = true,
                                  .word = {"l2_normalize", "", .build = build},
                                  .example = example};

hiss_value hiss_graph_l2_normalize(hiss_graph *graph, hiss_value x) {
    return graph_append(graph, (node){.op = &graph_op_l2_normalize, .input = {x}, .inputs = 1});
}
