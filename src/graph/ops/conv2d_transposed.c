/* Transposed convolution: forward is conv2d_backward_data of the convolution that maps y to x. */
#include "graph/ops/ops.h"

typedef struct attributes {
    hiss_conv conv; /* first: as rules.c reads it */
    int64_t extra;
} attributes;

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[0], *w = &n->in[1], *b = &n->in[2];
    char tx[HISS_SHAPE_TEXT], tw[HISS_SHAPE_TEXT];
    attributes *a = n->attributes;
    const int64_t stride = a->conv.stride, pad = a->conv.pad, extra = a->extra;
    if (stride < 1 || pad < 0) {
        return hiss_arena_format(graph->arena, "needs stride from 1 and pad from 0, got %lld and %lld",
                                 (long long)stride, (long long)pad);
    }
    if (extra < 0 || extra >= stride) {
        return hiss_arena_format(graph->arena, "extra %lld must be less than stride %lld", (long long)extra,
                                 (long long)stride);
    }
    if (x->ndim != 4 || w->ndim != 4 || x->dim[3] != w->dim[0]) {
        return hiss_arena_format(graph->arena, "needs x [N,P,Q,F] and w [F,R,S,C] of equal F, got %s and %s",
                                 hiss_shape_text(x, tx), hiss_shape_text(w, tw));
    }
    hiss_conv c = {.N = x->dim[0],
                   .P = x->dim[1],
                   .Q = x->dim[2],
                   .F = x->dim[3],
                   .C = w->dim[3],
                   .R = w->dim[1],
                   .S = w->dim[2],
                   .stride = stride,
                   .pad = pad};
    c.H = (c.P - 1) * stride - 2 * pad + c.R + extra;
    c.W = (c.Q - 1) * stride - 2 * pad + c.S + extra;
    if (c.H < 1 || c.W < 1) {
        return hiss_arena_format(graph->arena,
                                 "pad %lld takes all of the output of %lld x %lld away; use pad 0 to %lld",
                                 (long long)pad, (long long)(c.H + 2 * pad), (long long)(c.W + 2 * pad),
                                 (long long)(((c.H < c.W ? c.H : c.W) + 2 * pad - 1) / 2));
    }
    if (b->ndim && (b->ndim != 1 || b->dim[0] != c.C)) {
        return "bias must be [C]";
    }
    a->conv = c;
    n->shape = HISS_SHAPE(c.N, c.H, c.W, c.C);
    return NULL;
}

/* Rounded up to whole cache lines. */
static int64_t kernel_scratch(const node *n, const hiss_kernels *kernels) {
    return (graph_conv_scratch(n, kernels) + 15) / 16 * 16;
}

static int64_t scratch(const node *n, const hiss_kernels *kernels) {
    return kernel_scratch(n, kernels) + hiss_shape_count(&n->in[0]);
}

static void forward(const op_call *call) {
    const attributes *a = call->node->attributes;
    const hiss_conv *c = &a->conv;
    call->kernels->conv2d_backward_data(c, call->x[0], call->x[1], call->y, false, call->scratch);
    if (call->x[2]) {
        call->kernels->add_bias(c->N * c->H * c->W, c->C, call->y, call->x[2], call->y);
    }
}

static void backward(const op_call *call) {
    const attributes *a = call->node->attributes;
    const hiss_conv *c = &a->conv;
    if (call->dx[0]) {
        if (!call->accumulate[0]) {
            call->kernels->conv2d_forward(c, call->dy, call->x[1], NULL, call->dx[0], call->scratch);
        } else { /* conv2d_forward overwrites: go through scratch beyond its own */
            float *sum = call->scratch + kernel_scratch(call->node, call->kernels);
            call->kernels->conv2d_forward(c, call->dy, call->x[1], NULL, sum, call->scratch);
            call->kernels->axpby(hiss_shape_count(&call->node->in[0]), 1.0f, sum, 1.0f, call->dx[0]);
        }
    }
    if (call->dx[1]) {
        call->kernels->conv2d_backward_weight(c, call->dy, call->x[0], call->dx[1], call->accumulate[1], call->scratch);
    }
    if (call->dx[2]) {
        call->kernels->column_sum(c->N * c->H * c->W, c->C, call->dy, call->dx[2], call->accumulate[2]);
    }
}

static void form(const node *n, hiss_node_form *out) {
    const attributes *a = n->attributes;
    out->conv = a->conv;
    out->extra = a->extra;
}

static void example(hiss_graph *g, int variant) {
    static const int64_t v[][10] = {/* N P Q F C R S stride pad extra */ {2, 3, 4, 3, 2, 4, 4, 2, 1, 0},
                                    {1, 3, 3, 5, 1, 5, 5, 2, 1, 1},
                                    {2, 2, 3, 2, 3, 3, 3, 1, 1, 0},
                                    {1, 2, 2, 4, 3, 3, 2, 3, 0, 2}};
    const int64_t *d = v[variant % 4];
    hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(d[0], d[1], d[2], d[3]));
    hiss_value bias = variant % 2 ? -1 : graph_example_slot(g, 2, HISS_SHAPE(d[4]));
    hiss_value y = hiss_graph_conv2d_transposed(g, x, graph_example_slot(g, 1, HISS_SHAPE(d[3], d[5], d[6], d[4])),
                                                bias, d[7], d[8], d[9]);
    if (variant == 2) { /* two readers of x: the accumulating path */
        hiss_value again = hiss_graph_conv2d_transposed(
            g, x, graph_example_slot(g, 3, HISS_SHAPE(d[3], d[5], d[6], d[4])), -1, d[7], d[8], d[9]);
        y = hiss_graph_add(g, y, again);
    }
    graph_example_weigh(g, y);
}

const op graph_op_conv2d_transposed = {.name = "conv2d_transposed",
                                       .attributes = sizeof(attributes),
                                       .shape = shape,
                                       .equal = graph_equal_attributes,
                                       .forward = forward,
                                       .form = form,
                                       .backward = backward,
                                       .scratch = scratch,
                                       .flops = graph_conv_flops,
                                       .needs_input = 3,
                                       .product = graph_conv_product,
                                       .example = example};

hiss_value hiss_graph_conv2d_transposed(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value bias, int64_t stride,
                                        int64_t pad, int64_t extra) {
    return graph_append(graph, (node){.op = &graph_op_conv2d_transposed,
                                      .attributes = &(attributes){{.stride = stride, .pad = pad}, extra},
                                      .input = {x, w, bias},
                                      .inputs = 3});
}
