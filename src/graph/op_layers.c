/* Operations with parameters or windows: convolution, linear, BatchNorm, pooling. Contracts of the arithmetic are in
 * hiss/kernels.h; here are shape rules, what is kept for backward, and who calls which kernel. */
#include "graph/op_layers.h"

#include <string.h>

static double product(const hiss_shape *s) {
    return (double)hiss_shape_count(s);
}

/* ---- conv2d ---- */

const char *hiss_conv2d_shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[0], *w = &n->in[1], *b = &n->in[2];
    char tx[HISS_SHAPE_TEXT], tw[HISS_SHAPE_TEXT];
    const int64_t stride = n->i[0], pad = n->i[1];
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
    n->conv = c;
    n->shape = HISS_SHAPE(c.N, c.P, c.Q, c.F);
    return NULL;
}

void hiss_conv2d_forward(const op_call *call) {
    call->kernels->conv2d_forward(&call->node->conv, call->x[0], call->x[1], call->x[2], call->y, call->scratch);
}

void hiss_conv2d_backward(const op_call *call) {
    const hiss_conv *c = &call->node->conv;
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

hiss_conv hiss_conv2d_product(const node *n) {
    return n->conv;
}

int64_t hiss_conv2d_scratch_floats(const node *n, const hiss_kernels *kernels) {
    return (int64_t)kernels->conv2d_scratch(&n->conv);
}

double hiss_conv2d_flops(const node *n) {
    const hiss_conv *c = &n->conv;
    return 2.0 * (double)(c->N * c->P * c->Q) * (double)(c->F * c->R * c->S * c->C);
}

/* ---- transposed conv2d: forward is conv2d_backward_data of the convolution that maps y to x ---- */

const char *hiss_conv2d_transposed_shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[0], *w = &n->in[1], *b = &n->in[2];
    char tx[HISS_SHAPE_TEXT], tw[HISS_SHAPE_TEXT];
    const int64_t stride = n->i[0], pad = n->i[1], extra = n->i[2];
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
    n->conv = c;
    n->shape = HISS_SHAPE(c.N, c.H, c.W, c.C);
    return NULL;
}

void hiss_conv2d_transposed_forward(const op_call *call) {
    const hiss_conv *c = &call->node->conv;
    call->kernels->conv2d_backward_data(c, call->x[0], call->x[1], call->y, false, call->scratch);
    if (call->x[2]) {
        call->kernels->add_bias(c->N * c->H * c->W, c->C, call->y, call->x[2], call->y);
    }
}

/* Rounded up to whole cache lines. */
static int64_t kernel_scratch(const node *n, const hiss_kernels *kernels) {
    return (hiss_conv2d_scratch_floats(n, kernels) + 15) / 16 * 16;
}

int64_t hiss_conv2d_transposed_scratch(const node *n, const hiss_kernels *kernels) {
    return kernel_scratch(n, kernels) + hiss_shape_count(&n->in[0]);
}

void hiss_conv2d_transposed_backward(const op_call *call) {
    const hiss_conv *c = &call->node->conv;
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

/* ---- linear ---- */

const char *hiss_linear_shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[0], *w = &n->in[1], *b = &n->in[2];
    char tx[HISS_SHAPE_TEXT], tw[HISS_SHAPE_TEXT];
    if (x->ndim != 2 || w->ndim != 2 || x->dim[1] != w->dim[1] ||
        (b->ndim && (b->ndim != 1 || b->dim[0] != w->dim[0]))) {
        return hiss_arena_format(graph->arena, "needs x [M,D] and w [F,D] of equal D, got %s and %s",
                                 hiss_shape_text(x, tx), hiss_shape_text(w, tw));
    }
    n->shape = HISS_SHAPE(x->dim[0], w->dim[0]);
    return NULL;
}

hiss_conv hiss_linear_product(const node *n) {
    const int64_t M = n->in[0].dim[0], D = n->in[0].dim[1], F = n->shape.dim[1];
    return (hiss_conv){.N = M, .H = 1, .W = 1, .C = D, .F = F, .R = 1, .S = 1, .stride = 1, .P = 1, .Q = 1};
}

int64_t hiss_linear_scratch_floats(const node *n, const hiss_kernels *kernels) {
    return (int64_t)kernels->linear_scratch(n->in[0].dim[0], n->in[0].dim[1], n->shape.dim[1]);
}

void hiss_linear_forward(const op_call *call) {
    const int64_t M = call->node->in[0].dim[0], D = call->node->in[0].dim[1], F = call->node->shape.dim[1];
    call->kernels->linear_forward(M, D, F, call->x[0], call->x[1], call->x[2], call->y, call->scratch);
}

void hiss_linear_backward(const op_call *call) {
    const int64_t M = call->node->in[0].dim[0], D = call->node->in[0].dim[1], F = call->node->shape.dim[1];
    if (call->dx[0]) {
        call->kernels->linear_backward_data(M, D, F, call->dy, call->x[1], call->dx[0], call->accumulate[0],
                                            call->scratch);
    }
    if (call->dx[1]) {
        call->kernels->linear_backward_weight(M, D, F, call->x[0], call->dy, call->dx[1], call->accumulate[1],
                                              call->scratch);
    }
    if (call->dx[2]) {
        call->kernels->column_sum(M, F, call->dy, call->dx[2], call->accumulate[2]);
    }
}

double hiss_linear_flops(const node *n) {
    return 2.0 * product(&n->in[0]) * (double)n->shape.dim[1];
}

/* ---- BatchNorm; saved: mean, inverse, variance [C] each ---- */

const char *hiss_batch_norm_shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[0];
    char tx[HISS_SHAPE_TEXT];
    if (x->ndim < 2) {
        return hiss_arena_format(graph->arena, "needs at least 2 dimensions, got %s", hiss_shape_text(x, tx));
    }
    const int64_t C = x->dim[x->ndim - 1];
    for (int k = 1; k < 3; k++) {
        if (n->in[k].ndim && (n->in[k].ndim != 1 || n->in[k].dim[0] != C)) {
            return "gamma and beta must be [C]";
        }
    }
    n->shape = *x;
    return NULL;
}

static int64_t channels(const node *n) {
    return n->shape.dim[n->shape.ndim - 1];
}

int64_t hiss_batch_norm_save(const node *n) {
    return 3 * channels(n);
}

int64_t hiss_batch_norm_scratch(const node *n, const hiss_kernels *kernels) {
    (void)kernels;
    return 4 * channels(n);
}

void hiss_batch_norm_train_forward(const op_call *call) {
    const int64_t C = channels(call->node), M = hiss_shape_count(&call->node->shape) / C;
    call->kernels->batch_norm_train(M, C, call->x[0], call->x[1], call->x[2], call->node->f[0], call->y, call->save,
                                    call->save + C, call->save + 2 * C);
}

void hiss_batch_norm_train_backward(const op_call *call) {
    const int64_t C = channels(call->node), M = hiss_shape_count(&call->node->shape) / C;
    const bool accumulate = call->accumulate[1] || call->accumulate[2];
    for (int k = 1; k < 3; k++) { /* the kernel has one flag for both */
        if (accumulate && call->dx[k] && !call->accumulate[k]) {
            memset(call->dx[k], 0, sizeof(float) * (size_t)C);
        }
    }
    call->kernels->batch_norm_backward(M, C, call->x[0], call->dy, call->x[1], call->save, call->save + C, call->dx[0],
                                       call->accumulate[0], call->dx[1], call->dx[2], accumulate, call->scratch);
}

void hiss_batch_norm_record(const op_call *call) {
    const node *n = call->node;
    if (n->slot == HISS_NO_SLOT) {
        return;
    }
    const int64_t C = channels(n);
    const float keep = n->first_use ? 0.0f : 1.0f;
    call->kernels->axpby(C, n->share, call->save, keep, call->run->lane_vector + call->slot_offset[n->slot]);
    call->kernels->axpby(C, n->share, call->save + 2 * C, keep, call->run->lane_vector + call->slot_offset[n->slot2]);
}

bool hiss_batch_norm_records(const node *n, int slot) {
    return n->slot == slot || n->slot2 == slot;
}

void hiss_batch_norm_eval_forward(const op_call *call) {
    const int64_t C = channels(call->node), M = hiss_shape_count(&call->node->shape) / C;
    call->kernels->batch_norm_eval(M, C, call->x[0], call->x[1], call->x[2], call->node->f[0],
                                   call->run->model + call->slot_offset[call->node->slot],
                                   call->run->model + call->slot_offset[call->node->slot2], call->y);
}

/* ---- pooling ---- */

const char *hiss_pool_shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[0];
    char tx[HISS_SHAPE_TEXT];
    const int64_t stride = n->i[0], pad = n->i[1], size = n->i[2];
    if (x->ndim != 4) {
        return hiss_arena_format(graph->arena, "needs images [N,H,W,C] as input, got %s", hiss_shape_text(x, tx));
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
    hiss_pool p = {
        .N = x->dim[0], .H = x->dim[1], .W = x->dim[2], .C = x->dim[3], .size = size, .stride = stride, .pad = pad};
    p.P = (p.H + 2 * pad - size) / stride + 1;
    p.Q = (p.W + 2 * pad - size) / stride + 1;
    n->pool = p;
    n->shape = HISS_SHAPE(p.N, p.P, p.Q, p.C);
    return NULL;
}

int64_t hiss_max_pool_save(const node *n) {
    return hiss_shape_count(&n->shape);
}

void hiss_max_pool_forward(const op_call *call) {
    call->kernels->max_pool_forward(&call->node->pool, call->x[0], call->y, (int32_t *)call->save);
}

void hiss_max_pool_backward(const op_call *call) {
    call->kernels->max_pool_backward(&call->node->pool, call->dy, (const int32_t *)call->save, call->dx[0],
                                     call->accumulate[0]);
}

void hiss_average_pool_forward(const op_call *call) {
    call->kernels->average_pool_forward(&call->node->pool, call->x[0], call->y);
}

void hiss_average_pool_backward(const op_call *call) {
    call->kernels->average_pool_backward(&call->node->pool, call->dy, call->dx[0], call->accumulate[0]);
}
