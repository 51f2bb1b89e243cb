/* Element-wise and row-wise operations, views, and losses. */
#include "graph/op_simple.h"
#include "graph/ops/ops.h"

#include "hiss/rng.h"

static int64_t count_of(const op_call *call) {
    return hiss_shape_count(&call->node->in[0]);
}

/* ---- activation ---- */

void hiss_activation_forward(const op_call *call) {
    call->kernels->activation_forward((hiss_activation)call->node->i[0], count_of(call), call->node->f[0], call->x[0],
                                      call->y);
}

void hiss_activation_backward(const op_call *call) {
    call->kernels->activation_backward((hiss_activation)call->node->i[0], count_of(call), call->node->f[0], call->y,
                                       call->dy, call->dx[0], call->accumulate[0]);
}

/* ---- dropout (Srivastava et al. 2014, inverted scaling): the saved mask holds 0 or 1 / (1 - p) ---- */

const char *hiss_dropout_shape(hiss_graph *graph, node *n) {
    (void)graph;
    n->shape = n->in[0];
    return n->f[0] >= 0.0f && n->f[0] < 1.0f ? NULL : "the probability must be in [0, 1)";
}

int64_t hiss_dropout_save(const node *n) {
    return hiss_shape_count(&n->shape);
}

void hiss_dropout_forward(const op_call *call) {
    const hiss_run *run = call->run;
    const int64_t count = count_of(call);
    const float scale = 1.0f / (1.0f - call->node->f[0]);
    hiss_rng rng = hiss_rng_keyed(run->seed, HISS_FOR_DROPOUT, run->step, call->node->i[0] * run->lanes + run->lane);
    for (int64_t j = 0; j < count; j++) {
        call->save[j] = hiss_rng_uniform(&rng) < call->node->f[0] ? 0.0f : scale;
    }
    call->kernels->multiply(count, call->x[0], call->save, call->y, false);
}

void hiss_dropout_backward(const op_call *call) {
    call->kernels->multiply(count_of(call), call->dy, call->save, call->dx[0], call->accumulate[0]);
}

/* ---- views ---- */

const char *hiss_reshape_shape(hiss_graph *graph, node *n) {
    char ta[HISS_SHAPE_TEXT], tb[HISS_SHAPE_TEXT];
    if (hiss_shape_count(&n->in[0]) != hiss_shape_count(&n->shape)) {
        return hiss_arena_format(graph->arena, "cannot view %s as %s", hiss_shape_text(&n->in[0], ta),
                                 hiss_shape_text(&n->shape, tb));
    }
    return NULL;
}

/* ---- L2 normalisation; saved: the norms [M] ---- */

static const float l2_epsilon = 1e-6f;

const char *hiss_l2_normalize_shape(hiss_graph *graph, node *n) {
    char tx[HISS_SHAPE_TEXT];
    n->shape = n->in[0];
    return n->in[0].ndim == 2 ? NULL
                              : hiss_arena_format(graph->arena, "needs rows [N,D] as input: add flatten; got %s",
                                                  hiss_shape_text(&n->in[0], tx));
}

int64_t hiss_l2_normalize_save(const node *n) {
    return n->shape.dim[0];
}

void hiss_l2_normalize_forward(const op_call *call) {
    const hiss_shape *s = &call->node->shape;
    call->kernels->l2_normalize_forward(s->dim[0], s->dim[1], l2_epsilon, call->x[0], call->y, call->save);
}

void hiss_l2_normalize_backward(const op_call *call) {
    const hiss_shape *s = &call->node->shape;
    call->kernels->l2_normalize_backward(s->dim[0], s->dim[1], l2_epsilon, call->y, call->save, call->dy, call->dx[0],
                                         call->accumulate[0]);
}

/* ---- arithmetic ---- */

void hiss_multiply_forward(const op_call *call) {
    call->kernels->multiply(count_of(call), call->x[0], call->x[1], call->y, false);
}

void hiss_multiply_backward(const op_call *call) {
    for (int k = 0; k < 2; k++) {
        if (call->dx[k]) {
            call->kernels->multiply(count_of(call), call->dy, call->x[1 - k], call->dx[k], call->accumulate[k]);
        }
    }
}

/* ---- losses ---- */

const char *hiss_softmax_cross_entropy_shape(hiss_graph *graph, node *n) {
    char tx[HISS_SHAPE_TEXT], tl[HISS_SHAPE_TEXT];
    n->shape = HISS_SHAPE(1);
    if (n->in[0].ndim != 2 || n->in[1].ndim != 1 || n->in[0].dim[0] != n->in[1].dim[0]) {
        return hiss_arena_format(graph->arena, "needs scores [M,D] and labels [M], got %s and %s",
                                 hiss_shape_text(&n->in[0], tx), hiss_shape_text(&n->in[1], tl));
    }
    return NULL;
}

int64_t hiss_softmax_cross_entropy_save(const node *n) {
    return hiss_shape_count(&n->in[0]);
}

void hiss_softmax_cross_entropy_forward(const op_call *call) {
    const hiss_shape *s = &call->node->in[0];
    call->kernels->softmax_cross_entropy_forward(s->dim[0], s->dim[1], call->x[0], (const int32_t *)call->x[1],
                                                 call->save, call->y);
}

void hiss_softmax_cross_entropy_backward(const op_call *call) {
    const hiss_shape *s = &call->node->in[0];
    call->kernels->softmax_cross_entropy_backward(s->dim[0], s->dim[1], call->save, (const int32_t *)call->x[1],
                                                  *call->dy, call->dx[0], call->accumulate[0]);
}

const char *hiss_squared_loss_shape(hiss_graph *graph, node *n) {
    const char *problem = graph_same_shape(graph, n);
    n->shape = HISS_SHAPE(1);
    return problem;
}

void hiss_squared_loss_forward(const op_call *call) {
    call->kernels->squared_loss_forward(count_of(call), call->node->f[0], call->x[0], call->x[1], call->y);
}

void hiss_squared_loss_backward(const op_call *call) {
    call->kernels->squared_loss_backward(count_of(call), call->node->f[0], call->x[0], call->x[1], *call->dy,
                                         call->dx[0], call->accumulate[0], call->dx[1], call->accumulate[1]);
}
