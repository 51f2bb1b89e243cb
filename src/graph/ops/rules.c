/* What several operations share: shapes, costs, activations. */
#include "graph/ops/ops.h"

#include <string.h>

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

bool graph_equal_attributes(const node *a, const node *b) {
    return a->op->attributes == 0 || memcmp(a->attributes, b->attributes, a->op->attributes) == 0;
}

double graph_elementwise_flops(const node *n) {
    return (double)hiss_shape_count(&n->in[0]);
}

static float slope_of(const node *n) {
    const activation_attributes *a = n->attributes;
    return a ? a->slope : 0.0f;
}

void graph_activation_forward(const op_call *call) {
    const node *n = call->node;
    call->kernels->activation_forward(n->op->activation, hiss_shape_count(&n->shape), slope_of(n), call->x[0], call->y);
}

void graph_activation_backward(const op_call *call) {
    const node *n = call->node;
    call->kernels->activation_backward(n->op->activation, hiss_shape_count(&n->shape), slope_of(n), call->y, call->dy,
                                       call->dx[0], call->accumulate[0]);
}

hiss_conv graph_conv_product(const node *n) {
    return *(const hiss_conv *)n->attributes;
}

int64_t graph_conv_scratch(const node *n, const hiss_kernels *kernels) {
    return (int64_t)kernels->conv2d_scratch(n->attributes);
}

double graph_conv_flops(const node *n) {
    const hiss_conv *c = n->attributes;
    return 2.0 * (double)(c->N * c->P * c->Q) * (double)(c->F * c->R * c->S * c->C);
}

const char *graph_pair_loss_shape(hiss_graph *graph, node *n) {
    const char *problem = graph_same_shape(graph, n);
    n->shape = HISS_SHAPE(1);
    return problem;
}

hiss_value graph_append_pair_loss(hiss_graph *graph, const op *loss, hiss_value a, hiss_value b, double scale) {
    return graph_append(
        graph, (node){.op = loss, .attributes = &(pair_attributes){(float)scale}, .input = {a, b}, .inputs = 2});
}

void graph_pair_loss_example(hiss_graph *g, const op *loss, int variant) {
    const hiss_shape s = HISS_SHAPE(3, 5 + variant);
    hiss_graph_loss(g, graph_append_pair_loss(g, loss, hiss_graph_parameter(g, 0, s, true),
                                              hiss_graph_parameter(g, 1, s, true), 0.3));
}

const char *graph_pool_shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[0];
    char tx[HISS_SHAPE_TEXT];
    hiss_pooling *out = n->attributes;
    const int64_t stride = out->stride, pad = out->pad, size = out->size;
    if (x->ndim != 4) {
        return hiss_arena_format(graph->arena, "needs images [N,H,W,C] as input, got %s%s", hiss_shape_text(x, tx),
                                 x->ndim == 2 ? ": put it before flatten" : "");
    }
    if (size < 1 || stride < 1 || pad < 0) {
        return hiss_arena_format(graph->arena, "needs size and stride from 1, pad from 0, got %lld, %lld, %lld",
                                 (long long)size, (long long)stride, (long long)pad);
    }
    if (2 * pad > size) {
        return hiss_arena_format(graph->arena,
                                 "pad %lld is more than half of the window of %lld x %lld, which could lie in the "
                                 "padding alone; use pad 0 to %lld",
                                 (long long)pad, (long long)size, (long long)size, (long long)(size / 2));
    }
    if (x->dim[1] + 2 * pad < size || x->dim[2] + 2 * pad < size) {
        return hiss_arena_format(graph->arena, "a window of %lld x %lld does not fit an input of %s with pad %lld",
                                 (long long)size, (long long)size, hiss_shape_text(x, tx), (long long)pad);
    }
    hiss_pooling p = {
        .N = x->dim[0], .H = x->dim[1], .W = x->dim[2], .C = x->dim[3], .size = size, .stride = stride, .pad = pad};
    p.P = (p.H + 2 * pad - size) / stride + 1;
    p.Q = (p.W + 2 * pad - size) / stride + 1;
    *out = p;
    n->shape = HISS_SHAPE(p.N, p.P, p.Q, p.C);
    return NULL;
}

void graph_conv_form(const node *n, hiss_node_form *out) {
    out->conv = *(const hiss_conv *)n->attributes;
}

void graph_activation_form(const node *n, hiss_node_form *out) {
    out->number = (double)((const activation_attributes *)n->attributes)->slope;
}

void graph_pool_form(const node *n, hiss_node_form *out) {
    out->pooling = *(const hiss_pooling *)n->attributes;
}
