/* Convolution; the attributes are its hiss_conv, whose sizes the shape rule fills in. */
#include "graph/ops/ops.h"

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[0], *w = &n->in[1], *b = &n->in[2];
    char tx[HISS_SHAPE_TEXT], tw[HISS_SHAPE_TEXT];
    hiss_conv *out = n->attributes;
    const int64_t stride = out->stride, pad = out->pad;
    if (stride < 1 || pad < 0) {
        return hiss_arena_format(graph->arena, "needs stride from 1 and pad from 0, got %lld and %lld",
                                 (long long)stride, (long long)pad);
    }
    if (x->ndim != 4 || w->ndim != 4 || x->dim[3] != w->dim[3]) {
        return hiss_arena_format(graph->arena, "needs x [N,H,W,C] and w [F,R,S,C] of equal C, got %s and %s",
                                 hiss_shape_text(x, tx), hiss_shape_text(w, tw));
    }
    hiss_conv c = {.N = x->dim[0],
                   .H = x->dim[1],
                   .W = x->dim[2],
                   .C = x->dim[3],
                   .F = w->dim[0],
                   .R = w->dim[1],
                   .S = w->dim[2],
                   .stride = stride,
                   .pad = pad};
    if (c.H + 2 * pad < c.R || c.W + 2 * pad < c.S) {
        return hiss_arena_format(graph->arena, "a kernel of %lld x %lld does not fit an input of %s with pad %lld",
                                 (long long)c.R, (long long)c.S, hiss_shape_text(x, tx), (long long)pad);
    }
    if (b->ndim && (b->ndim != 1 || b->dim[0] != c.F)) {
        return "bias must be [F]";
    }
    c.P = (c.H + 2 * pad - c.R) / stride + 1;
    c.Q = (c.W + 2 * pad - c.S) / stride + 1;
    *out = c;
    n->shape = HISS_SHAPE(c.N, c.P, c.Q, c.F);
    return NULL;
}

static void forward(const op_call *call) {
    call->kernels->conv2d_forward(call->node->attributes, call->x[0], call->x[1], call->x[2], call->y, call->scratch);
}

static void backward(const op_call *call) {
    const hiss_conv *c = call->node->attributes;
    if (call->dx[0]) {
        call->kernels->conv2d_backward_data(c, call->dy, call->x[1], call->dx[0], call->accumulate[0], call->scratch);
    }
    if (call->dx[1]) {
        call->kernels->conv2d_backward_weight(c, call->x[0], call->dy, call->dx[1], call->accumulate[1], call->scratch);
    }
    if (call->dx[2]) {
        call->kernels->column_sum(c->N * c->P * c->Q, c->F, call->dy, call->dx[2], call->accumulate[2]);
    }
}

static void example(hiss_graph *g, int variant) {
    static const int64_t v[][9] = {/* N H W C F R S stride pad */ {2, 5, 6, 3, 4, 3, 3, 1, 1},
                                   {1, 7, 5, 1, 5, 3, 2, 2, 0},
                                   {3, 9, 9, 2, 3, 5, 5, 3, 2},
                                   {2, 4, 4, 8, 16, 1, 1, 1, 0},
                                   {1, 13, 11, 2, 7, 4, 4, 4, 3}};
    const int64_t *d = v[variant % 5];
    hiss_value bias = variant % 2 ? -1 : graph_example_slot(g, 2, HISS_SHAPE(d[4]));
    graph_example_weigh(g, hiss_graph_conv2d(g, graph_example_slot(g, 0, HISS_SHAPE(d[0], d[1], d[2], d[3])),
                                             graph_example_slot(g, 1, HISS_SHAPE(d[4], d[5], d[6], d[3])), bias, d[7],
                                             d[8]));
}

const op graph_op_conv2d = {.name = "conv2d",
                            .attributes = sizeof(hiss_conv),
                            .shape = shape,
                            .equal = graph_equal_attributes,
                            .forward = forward,
                            .form = graph_conv_form,
                            .backward = backward,
                            .scratch = graph_conv_scratch,
                            .flops = graph_conv_flops,
                            .needs_input = 3,
                            .product = graph_conv_product,
                            .example = example};

hiss_value hiss_graph_conv2d(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value bias, int64_t stride,
                             int64_t pad) {
    return graph_append(graph, (node){.op = &graph_op_conv2d,
                                      .attributes = &(hiss_conv){.stride = stride, .pad = pad},
                                      .input = {x, w, bias},
                                      .inputs = 3});
}
