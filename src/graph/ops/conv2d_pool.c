/* Convolution and the max pooling of its outputs over 2 x 2 with stride 2, where nothing else reads what is between:
 * the full map is written nowhere. Saved: where each maximum was. Where the kernels of a shape cannot pool what they
 * compute, the map lies in scratch. The bits are those of the two operations in turn, but for the bias gradient, which
 * is summed over the pooled gradients. */
#include "graph/ops/ops.h"

typedef struct attributes {
    hiss_conv conv; /* first: graph_conv_product and its like take it */
    hiss_pooling pooling;
} attributes;

static const char *shape(hiss_graph *graph, node *n) {
    const attributes *a = n->attributes;
    (void)graph;
    n->shape = HISS_SHAPE(a->pooling.N, a->pooling.P, a->pooling.Q, a->pooling.C);
    return NULL;
}

static int64_t save(const node *n) {
    return graph_argmax_floats(&((const attributes *)n->attributes)->pooling);
}

static int64_t map_floats(const hiss_conv *c) {
    return c->N * c->P * c->Q * c->F;
}

/* Behind what the kernels take: the full map, or its gradient. */
static float *map_of(const op_call *call) {
    return call->scratch + (graph_conv_scratch(call->node, call->kernels) + 15) / 16 * 16;
}

static int64_t scratch(const node *n, const hiss_kernels *kernels) {
    const attributes *a = n->attributes;
    const hiss_kernels own = hiss_kernels_for(kernels, false, &a->conv);
    const bool pools =
        own.conv2d_pooled_forward && own.conv2d_pooled_backward_data && own.conv2d_pooled_backward_weight;
    return graph_conv_scratch(n, kernels) + (pools ? 0 : 16 + map_floats(&a->conv));
}

static void forward(const op_call *call) {
    const attributes *a = call->node->attributes;
    const hiss_kernels *k = call->kernels;
    uint8_t *argmax = (uint8_t *)call->save;
    if (k->conv2d_pooled_forward) {
        k->conv2d_pooled_forward(&a->conv, call->x[0], call->x[1], call->x[2], call->y, argmax, call->scratch);
    } else {
        k->conv2d_forward(&a->conv, call->x[0], call->x[1], call->x[2], map_of(call), call->scratch);
        k->max_pool_forward(&a->pooling, map_of(call), call->y, argmax);
    }
}

static void backward(const op_call *call) {
    const attributes *a = call->node->attributes;
    const hiss_kernels *k = call->kernels;
    const uint8_t *argmax = (const uint8_t *)call->save;
    const bool data = call->dx[0] != NULL, weight = call->dx[1] != NULL;
    const bool data_pools = data && k->conv2d_pooled_backward_data;
    const bool weight_pools = weight && k->conv2d_pooled_backward_weight;
    if (data != data_pools || weight != weight_pools) {
        k->max_pool_backward(&a->pooling, call->dy, argmax, map_of(call), false);
    }
    if (data_pools) {
        k->conv2d_pooled_backward_data(&a->conv, call->dy, argmax, call->x[1], call->dx[0], call->accumulate[0],
                                       call->scratch);
    } else if (data) {
        k->conv2d_backward_data(&a->conv, map_of(call), call->x[1], call->dx[0], call->accumulate[0], call->scratch);
    }
    if (weight_pools) {
        k->conv2d_pooled_backward_weight(&a->conv, call->x[0], call->dy, argmax, call->dx[1], call->accumulate[1],
                                         call->scratch);
    } else if (weight) {
        k->conv2d_backward_weight(&a->conv, call->x[0], map_of(call), call->dx[1], call->accumulate[1], call->scratch);
    }
    if (call->dx[2]) {
        const hiss_pooling *p = &a->pooling;
        k->column_sum(p->N * p->P * p->Q, p->C, call->dy, call->dx[2], call->accumulate[2]);
    }
}

static void form(const node *n, hiss_node_form *out) {
    const attributes *a = n->attributes;
    out->conv = a->conv;
    out->pooling = a->pooling;
}

static void example(hiss_graph *g, int variant) {
    static const int64_t v[][7] = {/* N H W C F R pad */ {2, 7, 6, 3, 5, 3, 1},
                                   {1, 9, 8, 2, 16, 3, 1},
                                   {2, 6, 7, 1, 16, 3, 1},
                                   {1, 6, 11, 3, 7, 5, 2}};
    const int64_t *d = v[variant % 4];
    const hiss_value bias = variant % 2 ? -1 : graph_example_slot(g, 2, HISS_SHAPE(d[4]));
    const hiss_value map =
        hiss_graph_conv2d(g, graph_example_slot(g, 0, HISS_SHAPE(d[0], d[1], d[2], d[3])),
                          graph_example_slot(g, 1, HISS_SHAPE(d[4], d[5], d[5], d[3])), bias, 1, d[6]);
    graph_example_weigh(g, hiss_graph_join(g, hiss_graph_max_pool(g, map, 2, 2, 0)));
}

const op graph_op_conv2d_pool = {.name = "conv2d_pool",
                                 .attributes = sizeof(attributes),
                                 .shape = shape,
                                 .equal = graph_equal_attributes,
                                 .forward = forward,
                                 .form = form,
                                 .backward = backward,
                                 .save = save,
                                 .scratch = scratch,
                                 .flops = graph_conv_flops,
                                 .needs_input = 3,
                                 .product = graph_conv_product,
                                 .example = example};

hiss_value graph_join_max_pool(hiss_graph *graph, const node *before, const node *pool) {
    const hiss_pooling *p = pool->attributes;
    if (before->op != &graph_op_conv2d || p->size != 2 || p->stride != 2 || p->pad != 0) {
        return -1;
    }
    node both = {.op = &graph_op_conv2d_pool,
                 .attributes = &(attributes){*(const hiss_conv *)before->attributes, *p},
                 .inputs = before->inputs};
    for (int k = 0; k < before->inputs; k++) {
        both.input[k] = before->input[k];
    }
    graph->count -= 2;
    return graph_append(graph, both);
}
