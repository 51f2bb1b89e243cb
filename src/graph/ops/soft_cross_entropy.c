/* scale * sum over rows of a weight times the cross-entropy of a target distribution and softmax(x); saved: the
 * probabilities [M,D]. Targets and weights are data: no gradient passes to them. */
#include <string.h>

#include "graph/ops/ops.h"

typedef struct attributes {
    float scale;
} attributes;

enum { X, TARGET, WEIGHT };

static const char *shape(hiss_graph *graph, node *n) {
    char tx[HISS_SHAPE_TEXT], tt[HISS_SHAPE_TEXT], tw[HISS_SHAPE_TEXT];
    n->shape = HISS_SHAPE(1);
    if (n->in[X].ndim != 2 || !hiss_shape_equal(&n->in[X], &n->in[TARGET]) || n->in[WEIGHT].ndim != 1 ||
        n->in[WEIGHT].dim[0] != n->in[X].dim[0]) {
        return hiss_arena_format(graph->arena, "needs scores [M,D], targets [M,D] and weights [M], got %s, %s and %s",
                                 hiss_shape_text(&n->in[X], tx), hiss_shape_text(&n->in[TARGET], tt),
                                 hiss_shape_text(&n->in[WEIGHT], tw));
    }
    return NULL;
}

static int64_t save(const node *n) {
    return hiss_shape_count(&n->in[X]);
}

static void forward(const op_call *call) {
    const hiss_shape *s = &call->node->in[X];
    const attributes *a = call->node->attributes;
    call->kernels->soft_cross_entropy_forward(s->dim[0], s->dim[1], a->scale, call->x[X], call->x[TARGET],
                                              call->x[WEIGHT], call->save, call->y);
}

static void backward(const op_call *call) {
    const hiss_shape *s = &call->node->in[X];
    const attributes *a = call->node->attributes;
    call->kernels->soft_cross_entropy_backward(s->dim[0], s->dim[1], a->scale, call->save, call->x[TARGET],
                                               call->x[WEIGHT], *call->dy, call->dx[X], call->accumulate[X]);
    for (int k = TARGET; k <= WEIGHT; k++) {
        if (call->dx[k] && !call->accumulate[k]) {
            memset(call->dx[k], 0, sizeof(float) * (size_t)hiss_shape_count(&call->node->in[k]));
        }
    }
}

/* Targets of 0 or more, and a weight of 0. */
static hiss_value constant(hiss_graph *g, hiss_shape s, int64_t step) {
    float value[256];
    for (int64_t i = 0; i < hiss_shape_count(&s); i++) {
        value[i] = (float)(i * step % 7) / 8;
    }
    return hiss_graph_constant(g, s, value);
}

static void example(hiss_graph *g, int variant) {
    const int64_t M = 2 + 3 * variant, D = 1 + 4 * (variant % 3);
    const hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(M, D));
    hiss_graph_loss(
        g, hiss_graph_soft_cross_entropy(g, x, constant(g, HISS_SHAPE(M, D), 3), constant(g, HISS_SHAPE(M), 2), 0.3));
}

const op graph_op_soft_cross_entropy = {.name = "soft_cross_entropy",
                                        .attributes = sizeof(attributes),
                                        .shape = shape,
                                        .forward = forward,
                                        .backward = backward,
                                        .save = save,
                                        .flops = graph_elementwise_flops,
                                        .needs_input = 1u << TARGET | 1u << WEIGHT,
                                        .example = example};

hiss_value hiss_graph_soft_cross_entropy(hiss_graph *graph, hiss_value x, hiss_value target, hiss_value weight,
                                         double scale) {
    return graph_append(graph, (node){.op = &graph_op_soft_cross_entropy,
                                      .attributes = &(attributes){(float)scale},
                                      .input = {x, target, weight},
                                      .inputs = 3});
}
