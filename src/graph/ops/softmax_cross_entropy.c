/* The mean over rows of -log softmax(x)[label]; saved: the probabilities [M,D]. */
#include "graph/ops/ops.h"

static const char *shape(hiss_graph *graph, node *n) {
    char tx[HISS_SHAPE_TEXT], tl[HISS_SHAPE_TEXT];
    n->shape = HISS_SHAPE(1);
    if (n->in[0].ndim != 2 || n->in[1].ndim != 1 || n->in[0].dim[0] != n->in[1].dim[0]) {
        return hiss_arena_format(graph->arena, "needs scores [M,D] and labels [M], got %s and %s",
                                 hiss_shape_text(&n->in[0], tx), hiss_shape_text(&n->in[1], tl));
    }
    return NULL;
}

static int64_t save(const node *n) {
    return hiss_shape_count(&n->in[0]);
}

static void forward(const op_call *call) {
    const hiss_shape *s = &call->node->in[0];
    call->kernels->softmax_cross_entropy_forward(s->dim[0], s->dim[1], call->x[0], (const int32_t *)call->x[1],
                                                 call->save, call->y);
}

static void backward(const op_call *call) {
    const hiss_shape *s = &call->node->in[0];
    call->kernels->softmax_cross_entropy_backward(s->dim[0], s->dim[1], call->save, (const int32_t *)call->x[1],
                                                  *call->dy, call->dx[0], call->accumulate[0]);
}

static void example(hiss_graph *g, int variant) {
    const int64_t M = 2 + 3 * variant;
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(M, 10));
    hiss_graph_loss(g, hiss_graph_softmax_cross_entropy(g, x, hiss_graph_input_labels(g, "label", M)));
}

const op graph_op_softmax_cross_entropy = {.name = "softmax_cross_entropy",
                                           .shape = shape,
                                           .forward = forward,
                                           .backward = backward,
                                           .save = save,
                                           .flops = graph_elementwise_flops,
                                           .needs_input = 2,
                                           .example = example};

hiss_value hiss_graph_softmax_cross_entropy(hiss_graph *graph, hiss_value x, hiss_value labels) {
    return graph_append(graph, (node){.op = &graph_op_softmax_cross_entropy, .input = {x, labels}, .inputs = 2});
}
