/* BatchNorm over all but the last dimension, with a lane's own statistics or with running ones.
 *
 * In training, forward saves mean, inverse and variance, [C] each, and record() takes mean and variance to their slots
 * of the lane vector. When several nodes write the same slots, these get the mean over the nodes: each adds its share,
 * and the first overwrites. With running statistics, in evaluation and in frozen layers, gradients pass as through any
 * scaling. */
#include "graph/ops/ops.h"

#include <assert.h>
#include <math.h>
#include <string.h>

typedef struct attributes {
    int mean_slot, variance_slot;
    float epsilon;
    float share;    /* 1 / number of nodes that write the same slots */
    bool first_use; /* the first of them */
} attributes;

static const char *shape(hiss_graph *graph, node *n) {
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

static int64_t save(const node *n) {
    return 3 * channels(n);
}

static int64_t scratch(const node *n, const hiss_kernels *kernels) {
    (void)kernels;
    return 4 * channels(n);
}

static void forward(const op_call *call) {
    const attributes *a = call->node->attributes;
    const int64_t C = channels(call->node), M = hiss_shape_count(&call->node->shape) / C;
    call->kernels->batch_norm_train(M, C, call->x[0], call->x[1], call->x[2], a->epsilon, call->y, call->save,
                                    call->save + C, call->save + 2 * C);
}

static void backward(const op_call *call) {
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

static void record(const op_call *call) {
    const attributes *a = call->node->attributes;
    if (a->mean_slot == HISS_NO_SLOT) {
        return;
    }
    const int64_t C = channels(call->node);
    const float keep = a->first_use ? 0.0f : 1.0f;
    float *mean = call->run->lane_vector + call->slot_offset[a->mean_slot];
    float *variance = call->run->lane_vector + call->slot_offset[a->variance_slot];
    call->kernels->axpby(C, a->share, call->save, keep, mean);
    call->kernels->axpby(C, a->share, call->save + 2 * C, keep, variance);
}

/* Also where one of them records nothing. */
static bool equal(const node *a, const node *b) {
    const attributes *x = a->attributes, *y = b->attributes;
    return x->epsilon == y->epsilon;
}

static bool equal_eval(const node *a, const node *b) {
    const attributes *x = a->attributes, *y = b->attributes;
    return x->mean_slot == y->mean_slot && x->variance_slot == y->variance_slot && x->epsilon == y->epsilon;
}

static bool records(const node *n, int slot) {
    const attributes *a = n->attributes;
    return a->mean_slot == slot || a->variance_slot == slot;
}

static void forward_eval(const op_call *call) {
    const attributes *a = call->node->attributes;
    const int64_t C = channels(call->node), M = hiss_shape_count(&call->node->shape) / C;
    call->kernels->batch_norm_eval(M, C, call->x[0], call->x[1], call->x[2], a->epsilon,
                                   call->run->model + call->slot_offset[a->mean_slot],
                                   call->run->model + call->slot_offset[a->variance_slot], call->y);
}

static int64_t scratch_eval(const node *n, const hiss_kernels *kernels) {
    (void)kernels;
    return channels(n);
}

/* y = gamma s (x - mean) + beta with constant mean and s = 1 / sqrt(variance + epsilon): the gradient of x. */
static void backward_eval_x(const op_call *call, const float *scale) {
    const int64_t C = channels(call->node), M = hiss_shape_count(&call->node->shape) / C;
    if (!call->accumulate[0]) {
        memset(call->dx[0], 0, sizeof(float) * (size_t)(M * C));
    }
    for (int64_t i = 0; i < M; i++) {
        for (int64_t k = 0; k < C; k++) {
            call->dx[0][i * C + k] += scale[k] * call->dy[i * C + k];
        }
    }
}

static void backward_eval(const op_call *call) {
    const attributes *a = call->node->attributes;
    const int64_t C = channels(call->node), M = hiss_shape_count(&call->node->shape) / C;
    const float *mean = call->run->model + call->slot_offset[a->mean_slot];
    const float *variance = call->run->model + call->slot_offset[a->variance_slot];
    for (int64_t k = 0; k < C; k++) {
        const float inverse = 1.0f / sqrtf(variance[k] + a->epsilon);
        call->scratch[k] = call->x[1] ? call->x[1][k] * inverse : inverse;
        double by_gamma = 0.0, by_beta = 0.0;
        for (int64_t i = k; i < M * C && (call->dx[1] || call->dx[2]); i += C) {
            by_gamma += (double)call->dy[i] * (double)((call->x[0][i] - mean[k]) * inverse);
            by_beta += (double)call->dy[i];
        }
        if (call->dx[1]) {
            call->dx[1][k] = (call->accumulate[1] ? call->dx[1][k] : 0.0f) + (float)by_gamma;
        }
        if (call->dx[2]) {
            call->dx[2][k] = (call->accumulate[2] ? call->dx[2][k] : 0.0f) + (float)by_beta;
        }
    }
    if (call->dx[0]) {
        backward_eval_x(call, call->scratch);
    }
}

static void example_of(hiss_graph *g, int variant, bool training) {
    const int64_t C = 3 + 5 * variant;
    hiss_value x = graph_example_slot(g, 0, variant % 2 ? HISS_SHAPE(7, C) : HISS_SHAPE(2, 3, 4, C));
    hiss_value gamma = variant == 2 ? -1 : graph_example_slot(g, 1, HISS_SHAPE(C)),
               beta = variant == 2 ? -1 : graph_example_slot(g, 2, HISS_SHAPE(C));
    graph_example_weigh(g, hiss_graph_batch_norm(g, x, gamma, beta, 8, 9, 1e-5, training));
}

static void example(hiss_graph *g, int variant) {
    example_of(g, variant, true);
}

static void form(const node *n, hiss_node_form *out) {
    const attributes *a = n->attributes;
    out->mean_slot = a->mean_slot;
    out->variance_slot = a->variance_slot;
    out->number = (double)a->epsilon;
}

static void example_eval(hiss_graph *g, int variant) {
    example_of(g, variant, false);
}

const op graph_op_batch_norm = {.name = "batch_norm",
                                .attributes = sizeof(attributes),
                                .shape = shape,
                                .forward = forward,
                                .backward = backward,
                                .save = save,
                                .scratch = scratch,
                                .flops = graph_elementwise_flops,
                                .needs_input = 3,
                                .equal = equal,
                                .record = record,
                                .records = records,
                                .form = form,
                                .example = example};

const op graph_op_batch_norm_eval = {.name = "batch_norm_eval",
                                     .attributes = sizeof(attributes),
                                     .shape = shape,
                                     .forward = forward_eval,
                                     .form = form,
                                     .backward = backward_eval,
                                     .scratch = scratch_eval,
                                     .flops = graph_elementwise_flops,
                                     .needs_input = 3,
                                     .equal = equal_eval,
                                     .example = example_eval};

/* Tell all that write this slot how many they are. */
static void share(hiss_graph *graph, int mean_slot) {
    int uses = 0;
    for (int i = 0; i < graph->count; i++) {
        uses += graph->nodes[i].op == &graph_op_batch_norm && records(&graph->nodes[i], mean_slot);
    }
    for (int i = 0, before = 0; i < graph->count; i++) {
        attributes *a = graph->nodes[i].attributes;
        if (graph->nodes[i].op == &graph_op_batch_norm && records(&graph->nodes[i], mean_slot)) {
            a->share = 1.0f / (float)uses;
            a->first_use = before++ == 0;
        }
    }
}

hiss_value hiss_graph_batch_norm(hiss_graph *graph, hiss_value x, hiss_value gamma, hiss_value beta, int mean_slot,
                                 int variance_slot, double epsilon, bool training) {
    assert(training || (mean_slot >= 0 && variance_slot >= 0));
    hiss_value v = graph_append(graph, (node){.op = training ? &graph_op_batch_norm : &graph_op_batch_norm_eval,
                                              .attributes = &(attributes){.mean_slot = mean_slot,
                                                                          .variance_slot = variance_slot,
                                                                          .epsilon = (float)epsilon},
                                              .input = {x, gamma, beta},
                                              .inputs = 3});
    if (v >= 0 && training) {
        share(graph, mean_slot);
    }
    return v;
}
