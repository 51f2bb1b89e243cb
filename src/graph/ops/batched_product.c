/* A product for each of B pairs of matrices: y[B,M,N] = a[B,M,K] b[B,K,N], or of b[B,N,K]^T when transposed. */
#include "graph/ops/ops.h"

typedef struct attributes {
    bool transposed;
} attributes;

typedef struct sizes {
    int64_t B, M, N, K;
    bool transposed;
} sizes;

static sizes sizes_of(const node *n) {
    const attributes *a = n->attributes;
    return (sizes){n->in[0].dim[0], n->in[0].dim[1], n->shape.dim[2], n->in[0].dim[2], a->transposed};
}

static const char *shape(hiss_graph *graph, node *n) {
    const attributes *at = n->attributes;
    const hiss_shape *a = &n->in[0], *b = &n->in[1];
    char ta[HISS_SHAPE_TEXT], tb[HISS_SHAPE_TEXT];
    if (a->ndim != 3 || b->ndim != 3 || a->dim[0] != b->dim[0] || a->dim[2] != b->dim[at->transposed ? 2 : 1]) {
        return hiss_arena_format(graph->arena, "needs a [B,M,K] and b %s, got %s and %s",
                                 at->transposed ? "[B,N,K]" : "[B,K,N]", hiss_shape_text(a, ta),
                                 hiss_shape_text(b, tb));
    }
    n->shape = HISS_SHAPE(a->dim[0], a->dim[1], b->dim[at->transposed ? 1 : 2]);
    return NULL;
}

static void forward(const op_call *call) {
    const sizes s = sizes_of(call->node);
    for (int64_t i = 0; i < s.B; i++) {
        call->kernels->gemm(false, s.transposed, s.M, s.N, s.K, 1.0f, call->x[0] + i * s.M * s.K, s.K,
                            call->x[1] + i * s.K * s.N, s.transposed ? s.K : s.N, 0.0f, call->y + i * s.M * s.N, s.N);
    }
}

static void backward(const op_call *call) {
    const sizes s = sizes_of(call->node);
    for (int64_t i = 0; i < s.B && call->dx[0]; i++) {
        call->kernels->gemm(false, !s.transposed, s.M, s.K, s.N, 1.0f, call->dy + i * s.M * s.N, s.N,
                            call->x[1] + i * s.K * s.N, s.transposed ? s.K : s.N, call->accumulate[0] ? 1.0f : 0.0f,
                            call->dx[0] + i * s.M * s.K, s.K);
    }
    for (int64_t i = 0; i < s.B && call->dx[1]; i++) {
        const float *a = call->x[0] + i * s.M * s.K, *dy = call->dy + i * s.M * s.N;
        const float beta = call->accumulate[1] ? 1.0f : 0.0f;
        float *db = call->dx[1] + i * s.K * s.N;
        if (s.transposed) {
            call->kernels->gemm(true, false, s.N, s.K, s.M, 1.0f, dy, s.N, a, s.K, beta, db, s.K);
        } else {
            call->kernels->gemm(true, false, s.K, s.N, s.M, 1.0f, a, s.K, dy, s.N, beta, db, s.N);
        }
    }
}

static double flops(const node *n) {
    return 2.0 * (double)hiss_shape_count(&n->shape) * (double)n->in[0].dim[2];
}

static void example(hiss_graph *g, int variant) {
    const int64_t B = 1 + variant % 3, M = 2 + variant, K = 4, N = 3;
    const bool transposed = variant % 2;
    const hiss_value a = graph_example_slot(g, 0, HISS_SHAPE(B, M, K));
    const hiss_value b = graph_example_slot(g, 1, transposed ? HISS_SHAPE(B, N, K) : HISS_SHAPE(B, K, N));
    graph_example_weigh(g, hiss_graph_batched_product(g, a, b, transposed));
}

const op graph_op_batched_product = {.name = "batched_product",
                                     .attributes = sizeof(attributes),
                                     .shape = shape,
                                     .equal = graph_equal_attributes,
                                     .forward = forward,
                                     .backward = backward,
                                     .flops = flops,
                                     .needs_input = 3,
                                     .example = example};

hiss_value hiss_graph_batched_product(hiss_graph *graph, hiss_value a, hiss_value b, bool transposed) {
    return graph_append(
        graph,
        (node){.op = &graph_op_batched_product, .attributes = &(attributes){transposed}, .input = {a, b}, .inputs = 2});
}
