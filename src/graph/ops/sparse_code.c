/* Sparse codes z[M,K] of rows x[M,D] by the K rows of w[K,D] (sparse_steps.c). No gradient passes: at the minimum that
 * of the objective with respect to w is the one at fixed z.
 *
 * The bound on the largest eigenvalue of G = w w^T holds for any w. w^T w has the same one, so the smaller of the two
 * is taken, A [n,n]. No eigenvalue is larger than the largest row sum of |A|; and as A^8 has the eigenvalues' eighth
 * powers, none is larger than the eighth root of the largest row sum of |A^8|, which is at most n^(1/16) times too
 * large for symmetric A, where the first may be n^(1/2) times.
 *
 * Rows go through all steps a tile at a time, which stays in the cache. */
#include <math.h>
#include <string.h>

#include "graph/ops/ops.h"

enum { TILE = 128, SQUARINGS = 3 };
static const double margin = 1.001; /* for the rounding of the squares */

static int64_t aligned(int64_t floats) {
    return (floats + 15) / 16 * 16;
}

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[0], *w = &n->in[1];
    char tx[HISS_SHAPE_TEXT], tw[HISS_SHAPE_TEXT];
    if (x->ndim != 2 || w->ndim != 2 || x->dim[1] != w->dim[1]) {
        return hiss_arena_format(graph->arena, "needs x [M,D] and w [K,D] of equal D, got %s and %s",
                                 hiss_shape_text(x, tx), hiss_shape_text(w, tw));
    }
    n->shape = HISS_SHAPE(x->dim[0], w->dim[0]);
    return NULL;
}

/* y G costs K^2 of each row, y w and then that w^T cost 2 K D. */
static bool goes_through_rows(int64_t K, int64_t D) {
    return 2 * D < K;
}

/* Floats of scratch: G [K,K], or y w of a tile; for the bound A and its square [n,n] each, then for a tile x w^T, y and
 * y G. */
static int64_t scratch(const node *n, const hiss_kernels *kernels) {
    (void)kernels;
    const int64_t K = n->shape.dim[1], D = n->in[0].dim[1], side = K < D ? K : D, rows = n->shape.dim[0];
    const int64_t most = rows < TILE ? rows : TILE, between = goes_through_rows(K, D) ? most * D : K * K;
    const int64_t squares = 2 * aligned(side * side), tile = 3 * aligned(most * K);
    return aligned(between) + (squares > tile ? squares : tile);
}

/* a [n,n] is overwritten, square is scratch. */
static double eigenvalue_bound(const hiss_kernels *kernels, int64_t n, float *a, float *square) {
    double bound = 1.0, power = 1.0;
    for (int k = 0; k <= SQUARINGS; k++) {
        const double sum = graph_largest_row_sum(n, n, a);
        if (!(sum > 0.0)) {
            return 1.0;
        }
        bound *= pow(sum, 1.0 / power);
        if (k < SQUARINGS) {
            for (int64_t i = 0; i < n * n; i++) {
                a[i] = (float)((double)a[i] / sum);
            }
            kernels->gemm(false, false, n, n, n, 1.0f, a, n, a, n, 0.0f, square, n);
            memcpy(a, square, sizeof(float) * (size_t)(n * n));
            power *= 2.0;
        }
    }
    return margin * bound;
}

typedef struct tile {
    const hiss_kernels *kernels;
    int64_t rows, K, D;
    const float *w, *G; /* G NULL: through the rows */
    float *synthesis;   /* [rows, D] */
} tile;

static void product(const void *user, const float *y, float *out) {
    const tile *t = user;
    if (t->G) {
        t->kernels->gemm(false, false, t->rows, t->K, t->K, 1.0f, y, t->K, t->G, t->K, 0.0f, out, t->K);
    } else {
        t->kernels->gemm(false, false, t->rows, t->D, t->K, 1.0f, y, t->K, t->w, t->D, 0.0f, t->synthesis, t->D);
        t->kernels->gemm(false, true, t->rows, t->K, t->D, 1.0f, t->synthesis, t->D, t->w, t->D, 0.0f, out, t->K);
    }
}

static void forward(const op_call *call) {
    const hiss_kernels *kernels = call->kernels;
    const int64_t M = call->node->shape.dim[0], K = call->node->shape.dim[1], D = call->node->in[0].dim[1];
    const int64_t side = K < D ? K : D, most = M < TILE ? M : TILE;
    const bool through = goes_through_rows(K, D);
    const float *x = call->x[0], *w = call->x[1];
    float *between = call->scratch, *rest = between + aligned(through ? most * D : K * K);
    if (!through) {
        kernels->gemm(false, true, K, K, D, 1.0f, w, D, w, D, 0.0f, between, K);
    }
    if (K < D) {
        memcpy(rest, between, sizeof(float) * (size_t)(K * K));
    } else {
        kernels->gemm(true, false, D, D, K, 1.0f, w, D, w, D, 0.0f, rest, D);
    }
    const double bound = eigenvalue_bound(kernels, side, rest, rest + aligned(side * side));
    float *signal = rest, *y = signal + aligned(most * K), *out = y + aligned(most * K);
    for (int64_t first = 0; first < M; first += TILE) {
        const int64_t rows = M - first < TILE ? M - first : TILE;
        const tile t = {kernels, rows, K, D, w, through ? NULL : between, between};
        kernels->gemm(false, true, rows, K, D, 1.0f, x + first * D, D, w, D, 0.0f, signal, K);
        graph_sparse_steps(call->node->attributes, bound, rows * K, signal, product, &t, y, out, call->y + first * K);
    }
}

static double flops(const node *n) {
    const hiss_sparse_inference *how = n->attributes;
    const double M = (double)n->shape.dim[0], K = (double)n->shape.dim[1], D = (double)n->in[0].dim[1];
    const double each = 2.0 * D < K ? 2.0 * D : K; /* of a step, for each code */
    return 2.0 * M * K * (D + each * (double)(how->steps - 1)) + (2.0 * D < K ? 0.0 : 2.0 * K * K * D);
}

static void example(hiss_graph *g, int variant) {
    /* To the check the code must be a constant. */
    const int64_t M = 2 + variant, K = 3 + 2 * variant, D = variant == 5 ? 2 : 5;
    hiss_value w = hiss_graph_input(g, "weights", HISS_SHAPE(K, D)), x = hiss_graph_input(g, "still", HISS_SHAPE(M, D));
    hiss_value z = hiss_graph_sparse_code(g, x, w, &(hiss_sparse_inference){0.1, 5, variant % 2});
    graph_example_weigh(g, hiss_graph_multiply(g, z, graph_example_slot(g, 0, HISS_SHAPE(M, K))));
}

const op graph_op_sparse_code = {.name = "sparse_code",
                                 .attributes = sizeof(hiss_sparse_inference),
                                 .shape = shape,
                                 .forward = forward,
                                 .scratch = scratch,
                                 .flops = flops,
                                 .stops_gradient = true,
                                 .example = example};

hiss_value hiss_graph_sparse_code(hiss_graph *graph, hiss_value x, hiss_value w, const hiss_sparse_inference *how) {
    hiss_sparse_inference copy = *how;
    return graph_append(graph, (node){.op = &graph_op_sparse_code, .attributes = &copy, .input = {x, w}, .inputs = 2});
}
