/* scale * sum of |w| log(1 + e^(-sign(w) x)): what a binary classifier pays for weighted examples of logit x, whose class
 * is the sign of their weight; of weight 0: nothing. Weights get no gradient. */
#include "graph/ops/ops.h"

static void forward(const op_call *call) {
    const pair_attributes *a = call->node->attributes;
    call->kernels->logistic_loss_forward(hiss_shape_count(&call->node->in[0]), a->scale, call->x[0], call->x[1],
                                         call->y);
}

static void backward(const op_call *call) {
    const pair_attributes *a = call->node->attributes;
    if (call->dx[0]) {
        call->kernels->logistic_loss_backward(hiss_shape_count(&call->node->in[0]), a->scale, call->x[0], call->x[1],
                                              *call->dy, call->dx[0], call->accumulate[0]);
    }
}

static void example(hiss_graph *g, int variant) {
    const hiss_shape s = HISS_SHAPE(3, 5 + 90 * variant);
    hiss_graph_loss(g,
                    hiss_graph_logistic_loss(g, graph_example_slot(g, 0, s), hiss_graph_input(g, "weights", s), 0.3));
}

const op graph_op_logistic_loss = {.name = "logistic_loss",
                                   .attributes = sizeof(pair_attributes),
                                   .shape = graph_pair_loss_shape,
                                   .forward = forward,
                                   .backward = backward,
                                   .flops = graph_elementwise_flops,
                                   .needs_input = 3,
                                   .example = example};

hiss_value hiss_graph_logistic_loss(hiss_graph *graph, hiss_value logits, hiss_value weight, double scale) {
    return graph_append_pair_loss(graph, &graph_op_logistic_loss, logits, hiss_graph_stop_gradient(graph, weight),
                                  scale);
}
