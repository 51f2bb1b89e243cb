/* Of each row, the cross-entropy of a target distribution and softmax(x); saved: the probabilities [M,D]. Targets are
 * data: no gradient passes to them. */
#include <string.h>

#include "graph/ops/ops.h"

enum { X, TARGET };

static const char *shape(hiss_graph *graph, node *n) {
    char tx[HISS_SHAPE_TEXT], tt[HISS_SHAPE_TEXT];
    if (n->in[X].ndim != 2 || !hiss_shape_equal(&n->in[X], &n->in[TARGET])) {
        return hiss_arena_format(graph->arena, "needs scores [M,D] and targets [M,D], got %s and %s",
                                 hiss_shape_text(&n->in[X], tx), hiss_shape_text(&n->in[TARGET], tt));
    }
    n->shape = HISS_SHAPE(n->in[X].dim[0]);
    return NULL;
}

static int64_t save(const node *n) {
    return hiss_shape_count(&n->in[X]);
}

static void forward(const op_call *call) {
    const hiss_shape *s = &call->node->in[X];
    call->kernels->soft_cross_entropy_forward(s->dim[0], s->dim[1], call->x[X], call->x[TARGET], call->save, call->y);
}

static void backward(const op_call *call) {
    const hiss_shape *s = &call->node->in[X];
    call->kernels->soft_cross_entropy_backward(s->dim[0], s->dim[1], call->save, call->x[TARGET], call->dy, call->dx[X],
                                               call->accumulate[X]);
    if (call->dx[TARGET] && !call->accumulate[TARGET]) {
        memset(call->dx[TARGET], 0, sizeof(float) * (size_t)hiss_shape_count(s));
    }
}

static void example(hiss_graph *g, int variant) {
    const int64_t M = 2 + 3 * variant, D = 1 + 4 * (variant % 3);
    const hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(M, D));
    float target[256];
    for (int64_t i = 0; i < M * D; i++) {
        target[i] = (float)(i * 3 % 7) / 8; /* 0 or more */
    }
    graph_example_weigh(g, hiss_graph_soft_cross_entropy(g, x, hiss_graph_constant(g, HISS_SHAPE(M, D), target)));
}

const op graph_op_soft_cross_entropy = {.name = "soft_cross_entropy",
                                        .shape = shape,
                                        .forward = forward,
                                        .backward = backward,
                                        .save = save,
                                        .flops = graph_elementwise_flops,
                                        .needs_input = 1u << TARGET,
                                        .example = example};

hiss_value hiss_graph_soft_cross_entropy(hiss_graph *graph, hiss_value x, hiss_value target) {
    return graph_append(graph, (node){.op = &graph_op_soft_cross_entropy, .input = {x, target}, .inputs = 2});
}
