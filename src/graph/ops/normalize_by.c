/* x[M,C] by the statistics of another array: y = (x - mean) s, s = 1 / sqrt(variance + epsilon), with mean and variance
 * of each column of reference[N,C], as batch_norm takes them of its own input. Gradients pass to both: with
 * A = sum_i dy_i and B = sum_i dy_i (x_i - mean) of a column,
 *     dx_i = s dy_i,    dreference_j = -s / N (A + s^2 B (reference_j - mean)).
 * forward saves mean, s and variance, [C] each. */
#include <string.h>

#include "graph/ops/ops.h"

enum { X, REFERENCE };

typedef struct attributes {
    float epsilon;
} attributes;

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[X], *r = &n->in[REFERENCE];
    char tx[HISS_SHAPE_TEXT], tr[HISS_SHAPE_TEXT];
    if (x->ndim != 2 || r->ndim != 2 || x->dim[1] != r->dim[1]) {
        return hiss_arena_format(graph->arena, "needs x [M,C] and reference [N,C] of equal C, got %s and %s",
                                 hiss_shape_text(x, tx), hiss_shape_text(r, tr));
    }
    n->shape = *x;
    return NULL;
}

static int64_t save(const node *n) {
    return 3 * n->shape.dim[1];
}

/* Forward: the normalised reference, which nobody wants. Backward: A and B. */
static int64_t scratch(const node *n, const hiss_kernels *kernels) {
    (void)kernels;
    const int64_t values = hiss_shape_count(&n->in[REFERENCE]), sums = 2 * n->shape.dim[1];
    return values > sums ? values : sums;
}

static void forward(const op_call *call) {
    const attributes *a = call->node->attributes;
    const int64_t M = call->node->shape.dim[0], C = call->node->shape.dim[1], N = call->node->in[REFERENCE].dim[0];
    const float *restrict mean = call->save, *restrict inverse = call->save + C;
    call->kernels->batch_norm_train(N, C, call->x[REFERENCE], NULL, NULL, a->epsilon, call->scratch, call->save,
                                    call->save + C, call->save + 2 * C);
    for (int64_t i = 0; i < M; i++) {
        const float *restrict x = call->x[X] + i * C;
        float *restrict y = call->y + i * C;
        for (int64_t k = 0; k < C; k++) {
            y[k] = (x[k] - mean[k]) * inverse[k];
        }
    }
}

static void give_x(const op_call *call, int64_t M, int64_t C) {
    const float *restrict inverse = call->save + C;
    if (!call->accumulate[X]) {
        memset(call->dx[X], 0, sizeof(float) * (size_t)(M * C));
    }
    for (int64_t i = 0; i < M; i++) {
        const float *restrict dy = call->dy + i * C;
        float *restrict dx = call->dx[X] + i * C;
        for (int64_t k = 0; k < C; k++) {
            dx[k] += inverse[k] * dy[k];
        }
    }
}

static void give_reference(const op_call *call, int64_t M, int64_t C) {
    const int64_t N = call->node->in[REFERENCE].dim[0];
    const float *restrict mean = call->save, *restrict inverse = call->save + C;
    float *restrict A = call->scratch, *restrict B = call->scratch + C;
    memset(call->scratch, 0, sizeof(float) * (size_t)(2 * C));
    for (int64_t i = 0; i < M; i++) {
        const float *restrict dy = call->dy + i * C, *restrict x = call->x[X] + i * C;
        for (int64_t k = 0; k < C; k++) {
            A[k] += dy[k];
            B[k] += dy[k] * (x[k] - mean[k]);
        }
    }
    for (int64_t k = 0; k < C; k++) {
        A[k] *= inverse[k] / (float)N;
        B[k] *= inverse[k] * inverse[k] * inverse[k] / (float)N;
    }
    if (!call->accumulate[REFERENCE]) {
        memset(call->dx[REFERENCE], 0, sizeof(float) * (size_t)(N * C));
    }
    for (int64_t j = 0; j < N; j++) {
        const float *restrict r = call->x[REFERENCE] + j * C;
        float *restrict dr = call->dx[REFERENCE] + j * C;
        for (int64_t k = 0; k < C; k++) {
            dr[k] -= A[k] + B[k] * (r[k] - mean[k]);
        }
    }
}

static void backward(const op_call *call) {
    const int64_t M = call->node->shape.dim[0], C = call->node->shape.dim[1];
    if (call->dx[X]) {
        give_x(call, M, C);
    }
    if (call->dx[REFERENCE]) {
        give_reference(call, M, C);
    }
}

static void example(hiss_graph *g, int variant) {
    const int64_t C = 1 + 3 * variant;
    const hiss_value reference = graph_example_slot(g, 1, HISS_SHAPE(5 + variant, C));
    const hiss_value x = variant % 3 == 2 ? reference : graph_example_slot(g, 0, HISS_SHAPE(4, C));
    graph_example_weigh(g, hiss_graph_normalize_by(g, x, reference, 1e-5));
}

const op graph_op_normalize_by = {.name = "normalize_by",
                                  .attributes = sizeof(attributes),
                                  .shape = shape,
                                  .equal = graph_equal_attributes,
                                  .forward = forward,
                                  .backward = backward,
                                  .save = save,
                                  .scratch = scratch,
                                  .flops = graph_elementwise_flops,
                                  .needs_input = 1u << X | 1u << REFERENCE,
                                  .example = example};

hiss_value hiss_graph_normalize_by(hiss_graph *graph, hiss_value x, hiss_value reference, double epsilon) {
    return graph_append(graph, (node){.op = &graph_op_normalize_by,
                                      .attributes = &(attributes){(float)epsilon},
                                      .input = {x, reference},
                                      .inputs = 2});
}
