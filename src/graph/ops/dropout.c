/* Dropout with inverted scaling (Srivastava et al. 2014); saved: the mask, of 0 and 1 / (1 - p). It is drawn anew for
 * every step and lane, by a key, and so is the same on any rank. */
#include "graph/ops/ops.h"

#include "hiss/rng.h"

typedef struct attributes {
    float probability;
    int number; /* of this node: two dropouts draw apart */
} attributes;

static const char *shape(hiss_graph *graph, node *n) {
    const attributes *a = n->attributes;
    (void)graph;
    n->shape = n->in[0];
    return a->probability >= 0.0f && a->probability < 1.0f ? NULL : "the probability must be in [0, 1)";
}

static int64_t save(const node *n) {
    return hiss_shape_count(&n->shape);
}

static void forward(const op_call *call) {
    const attributes *a = call->node->attributes;
    const hiss_exec_context *run = call->run;
    const int64_t count = hiss_shape_count(&call->node->shape);
    const float scale = 1.0f / (1.0f - a->probability);
    hiss_rng rng = hiss_rng_keyed(run->seed, HISS_FOR_DROPOUT, run->step, a->number * run->lanes + run->lane);
    for (int64_t j = 0; j < count; j++) {
        call->save[j] = hiss_rng_uniform(&rng) < a->probability ? 0.0f : scale;
    }
    call->kernels->multiply(count, call->x[0], call->save, call->y, false);
}

static void backward(const op_call *call) {
    call->kernels->multiply(hiss_shape_count(&call->node->shape), call->dy, call->save, call->dx[0],
                            call->accumulate[0]);
}

static void example(hiss_graph *g, int variant) {
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(5, 9));
    graph_example_weigh(g, hiss_graph_dropout(g, x, 0.25 * (1 + variant % 3)));
}

const op graph_op_dropout = {.name = "dropout",
                             .attributes = sizeof(attributes),
                             .shape = shape,
                             .forward = forward,
                             .backward = backward,
                             .save = save,
                             .flops = graph_elementwise_flops,
                             .example = example};

hiss_value hiss_graph_dropout(hiss_graph *graph, hiss_value x, double probability) {
    return graph_append(graph, (node){.op = &graph_op_dropout,
                                      .attributes = &(attributes){(float)probability, graph->count},
                                      .input = {x},
                                      .inputs = 1});
}
