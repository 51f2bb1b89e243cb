/* What several operations share: shapes, costs, activations. */
#include "graph/ops/ops.h"

const char *graph_same_shape(hiss_graph *graph, node *n) {
    char ta[HISS_SHAPE_TEXT], tb[HISS_SHAPE_TEXT];
    for (int k = 1; k < n->inputs; k++) {
        if (!hiss_shape_equal(&n->in[0], &n->in[k])) {
            return hiss_arena_format(graph->arena, "needs equal shapes, got %s and %s", hiss_shape_text(&n->in[0], ta),
                                     hiss_shape_text(&n->in[k], tb));
        }
    }
    n->shape = n->in[0];
    return NULL;
}

double graph_elementwise_flops(const node *n) {
    return (double)hiss_shape_count(&n->in[0]);
}

void graph_activation_forward(const op_call *call, hiss_activation kind, float slope) {
    call->kernels->activation_forward(kind, hiss_shape_count(&call->node->shape), slope, call->x[0], call->y);
}

void graph_activation_backward(const op_call *call, hiss_activation kind, float slope) {
    call->kernels->activation_backward(kind, hiss_shape_count(&call->node->shape), slope, call->y, call->dy,
                                       call->dx[0], call->accumulate[0]);
}
