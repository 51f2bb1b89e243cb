/* Logits of NADE (Larochelle & Murray, AISTATS 2011): for each of M rows x and i = 0 .. D-1
 *     y_i = b_i + V_i . sigmoid(a_i),   a_i = c + sum over k < i of x_k W_k
 * with W, V [D,H], c [H], b [D]. a is a running sum, so that a row costs O(D H); y_i knows nothing of x_i and what comes
 * behind. Backward goes the other way with the sum of gradients of a_D-1 .. a_i, which is that of a_i + what it goes into:
 *     dW_k = x_k da,   dx_k = W_k . da   (da over all i > k),   dc = da over all i.
 * Saved: sigmoid(a_i) of all rows, [D,M,H]; all sums are in the order of indices. */
#include <string.h>

#include "graph/ops/ops.h"

enum { X, W, V, C, B, INPUTS };

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[X], *w = &n->in[W], *v = &n->in[V], *c = &n->in[C], *b = &n->in[B];
    n->shape = *x;
    if (x->ndim == 2 && w->ndim == 2 && w->dim[0] == x->dim[1] && hiss_shape_equal(v, w) && c->ndim == 1 &&
        c->dim[0] == w->dim[1] && b->ndim == 1 && b->dim[0] == x->dim[1]) {
        return NULL;
    }
    char tx[HISS_SHAPE_TEXT], tw[HISS_SHAPE_TEXT];
    return hiss_arena_format(graph->arena, "needs x [M,D], weights [D,H] twice, biases [H] and [D], got %s and %s",
                             hiss_shape_text(x, tx), hiss_shape_text(w, tw));
}

static int64_t save(const node *n) {
    return n->in[X].dim[0] * hiss_shape_count(&n->in[W]);
}

static int64_t scratch(const node *n, const hiss_kernels *kernels) {
    (void)kernels;
    return n->in[X].dim[0] * n->in[W].dim[1];
}

/* to[H] += factor from[H]. */
static void add(int64_t H, float factor, const float *restrict from, float *restrict to) {
    for (int64_t j = 0; j < H; j++) {
        to[j] += factor * from[j];
    }
}

static float dot(int64_t H, const float *restrict p, const float *restrict q) {
    float sum = 0.0f;
    for (int64_t j = 0; j < H; j++) {
        sum += p[j] * q[j];
    }
    return sum;
}

static void forward(const op_call *call) {
    const node *n = call->node;
    const int64_t M = n->in[X].dim[0], D = n->in[X].dim[1], H = n->in[W].dim[1];
    float *a = call->scratch;
    for (int64_t m = 0; m < M; m++) {
        memcpy(a + m * H, call->x[C], sizeof(float) * (size_t)H);
    }
    for (int64_t i = 0; i < D; i++) {
        float *h = call->save + i * M * H;
        call->kernels->activation_forward(HISS_SIGMOID, M * H, 0.0f, a, h);
        for (int64_t m = 0; m < M; m++) {
            call->y[m * D + i] = call->x[B][i] + dot(H, call->x[V] + i * H, h + m * H);
            if (call->x[X][m * D + i] != 0.0f) {
                add(H, call->x[X][m * D + i], call->x[W] + i * H, a + m * H);
            }
        }
    }
}

/* What a gradient starts from. */
static void begin(const op_call *call, int input) {
    if (call->dx[input] && !call->accumulate[input]) {
        memset(call->dx[input], 0, sizeof(float) * (size_t)hiss_shape_count(&call->node->in[input]));
    }
}

/* Row m at element i: da so far is that of a_k, k > i, on entry, and of k >= i afterwards. */
static void step_back(const op_call *call, int64_t i, int64_t m, float *da) {
    const node *n = call->node;
    const int64_t M = n->in[X].dim[0], D = n->in[X].dim[1], H = n->in[W].dim[1];
    const float dy = call->dy[m * D + i], x = call->x[X][m * D + i];
    const float *restrict h = call->save + (i * M + m) * H, *restrict v = call->x[V] + i * H;
    if (call->dx[X]) {
        call->dx[X][m * D + i] += dot(H, call->x[W] + i * H, da);
    }
    if (call->dx[W] && x != 0.0f) {
        add(H, x, da, call->dx[W] + i * H);
    }
    if (call->dx[V]) {
        add(H, dy, h, call->dx[V] + i * H);
    }
    if (call->dx[B]) {
        call->dx[B][i] += dy;
    }
    for (int64_t j = 0; j < H; j++) {
        da[j] += dy * v[j] * h[j] * (1.0f - h[j]);
    }
}

static void backward(const op_call *call) {
    const node *n = call->node;
    const int64_t M = n->in[X].dim[0], D = n->in[X].dim[1], H = n->in[W].dim[1];
    float *da = call->scratch;
    for (int k = 0; k < INPUTS; k++) {
        begin(call, k);
    }
    memset(da, 0, sizeof(float) * (size_t)(M * H));
    for (int64_t i = D - 1; i >= 0; i--) {
        for (int64_t m = 0; m < M; m++) {
            step_back(call, i, m, da + m * H);
        }
    }
    for (int64_t m = 0; m < M && call->dx[C]; m++) {
        add(H, 1.0f, da + m * H, call->dx[C]);
    }
}

static double flops(const node *n) {
    return 6.0 * (double)n->in[X].dim[0] * (double)hiss_shape_count(&n->in[W]);
}

static void example(hiss_graph *g, int variant) {
    const int64_t M = 2 + variant, D = 3 + variant, H = 5;
    const hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(M, D)), w = graph_example_slot(g, 1, HISS_SHAPE(D, H));
    const hiss_value v = variant % 2 ? w : graph_example_slot(g, 2, HISS_SHAPE(D, H));
    graph_example_weigh(g, hiss_graph_nade(g, x, w, v, graph_example_slot(g, 3, HISS_SHAPE(H)),
                                           graph_example_slot(g, 4, HISS_SHAPE(D))));
}

const op graph_op_nade = {.name = "nade",
                          .shape = shape,
                          .equal = graph_equal_attributes,
                          .forward = forward,
                          .backward = backward,
                          .save = save,
                          .scratch = scratch,
                          .flops = flops,
                          .needs_input = 1u << X | 1u << W | 1u << V,
                          .example = example};

hiss_value hiss_graph_nade(hiss_graph *graph, hiss_value x, hiss_value w, hiss_value v, hiss_value hidden,
                           hiss_value visible) {
    return graph_append(graph, (node){.op = &graph_op_nade, .input = {x, w, v, hidden, visible}, .inputs = INPUTS});
}
