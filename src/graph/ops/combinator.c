/* What a ladder network's decoder makes of a noisy value z and of a message u from above, unit by unit:
 *     y = (z - m(u)) v(u) + m(u),
 *     m(u) = a0 sigmoid(s0 u + a1) + a2 u + a3,    v(u) = a4 sigmoid(s1 u + a5) + a6 u + a7,
 * with ten parameters of each unit: a[8,D] and s[2,D]. Where z is a Gaussian value with Gaussian noise, the best guess
 * of the value has this form: m its mean, and v the share of its variance in that of z (Rasmus et al. 2015).
 *
 * Both sigmoids are saved, [2,M,D]. Columns go a chunk at a time, whose sums over rows stay in the cache. */
#include <string.h>

#include "graph/ops/ops.h"

enum { Z, U, A, S };
enum { WEIGHTS = 8, SLOPES = 2, CHUNK = 64 };

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *z = &n->in[Z], *a = &n->in[A], *s = &n->in[S];
    char tz[HISS_SHAPE_TEXT], tu[HISS_SHAPE_TEXT];
    if (z->ndim != 2 || !hiss_shape_equal(z, &n->in[U])) {
        return hiss_arena_format(graph->arena, "needs z [M,D] and u [M,D], got %s and %s", hiss_shape_text(z, tz),
                                 hiss_shape_text(&n->in[U], tu));
    }
    if (a->ndim != 2 || a->dim[0] != WEIGHTS || a->dim[1] != z->dim[1] || s->ndim != 2 || s->dim[0] != SLOPES ||
        s->dim[1] != z->dim[1]) {
        return "needs weights [8,D] and slopes [2,D]";
    }
    n->shape = *z;
    return NULL;
}

static int64_t save(const node *n) {
    return 2 * hiss_shape_count(&n->shape);
}

static void forward(const op_call *call) {
    const int64_t M = call->node->shape.dim[0], D = call->node->shape.dim[1];
    const float *restrict a = call->x[A], *restrict s = call->x[S];
    float *low = call->save, *high = call->save + M * D;
    for (int64_t i = 0; i < M; i++) {
        const float *restrict u = call->x[U] + i * D;
        float *restrict p = low + i * D, *restrict q = high + i * D;
        for (int64_t k = 0; k < D; k++) {
            p[k] = s[k] * u[k] + a[D + k];
            q[k] = s[D + k] * u[k] + a[5 * D + k];
        }
    }
    call->kernels->activation_forward(HISS_SIGMOID, 2 * M * D, 0.0f, low, low);
    for (int64_t i = 0; i < M; i++) {
        const float *restrict u = call->x[U] + i * D, *restrict z = call->x[Z] + i * D;
        const float *restrict p = low + i * D, *restrict q = high + i * D;
        float *restrict y = call->y + i * D;
        for (int64_t k = 0; k < D; k++) {
            const float m = a[k] * p[k] + a[2 * D + k] * u[k] + a[3 * D + k];
            const float v = a[4 * D + k] * q[k] + a[6 * D + k] * u[k] + a[7 * D + k];
            y[k] = (z[k] - m) * v + m;
        }
    }
}

typedef struct sums { /* of a chunk's columns: gradients of a and s */
    float a[WEIGHTS][CHUNK], s[SLOPES][CHUNK];
} sums;

/* Columns [from, from + count) of row i. */
static void add_row(const op_call *call, int64_t i, int64_t from, int64_t count, sums *restrict g, float *restrict dz,
                    float *restrict du) {
    const int64_t M = call->node->shape.dim[0], D = call->node->shape.dim[1], at = i * D + from;
    const float *restrict z = call->x[Z] + at, *restrict u = call->x[U] + at, *restrict dy = call->dy + at;
    const float *restrict p = call->save + at, *restrict q = call->save + M * D + at;
    const float *restrict a = call->x[A] + from, *restrict s = call->x[S] + from;
    for (int64_t k = 0; k < count; k++) {
        const float m = a[k] * p[k] + a[2 * D + k] * u[k] + a[3 * D + k];
        const float v = a[4 * D + k] * q[k] + a[6 * D + k] * u[k] + a[7 * D + k];
        const float dm = dy[k] * (1.0f - v), dv = dy[k] * (z[k] - m);
        const float dp = dm * p[k] * (1.0f - p[k]), dq = dv * q[k] * (1.0f - q[k]); /* but for a0 and a4 */
        g->a[0][k] += dm * p[k];
        g->a[1][k] += dp * a[k];
        g->a[2][k] += dm * u[k];
        g->a[3][k] += dm;
        g->a[4][k] += dv * q[k];
        g->a[5][k] += dq * a[4 * D + k];
        g->a[6][k] += dv * u[k];
        g->a[7][k] += dv;
        g->s[0][k] += dp * a[k] * u[k];
        g->s[1][k] += dq * a[4 * D + k] * u[k];
        dz[k] = dy[k] * v;
        du[k] = dp * a[k] * s[k] + dm * a[2 * D + k] + dq * a[4 * D + k] * s[D + k] + dv * a[6 * D + k];
    }
}

static void give(const op_call *call, int input, int64_t at, int64_t count, const float *restrict value) {
    if (call->dx[input]) {
        float *restrict dx = call->dx[input] + at;
        for (int64_t k = 0; k < count; k++) {
            dx[k] = (call->accumulate[input] ? dx[k] : 0.0f) + value[k];
        }
    }
}

/* z and u may be one value, whose gradient is then the sum: dx[U] adds to what dx[Z] has got of the same row. */
static void backward(const op_call *call) {
    const int64_t M = call->node->shape.dim[0], D = call->node->shape.dim[1];
    for (int64_t from = 0; from < D; from += CHUNK) {
        const int64_t count = D - from < CHUNK ? D - from : CHUNK;
        float dz[CHUNK], du[CHUNK];
        sums g;
        memset(&g, 0, sizeof g);
        for (int64_t i = 0; i < M; i++) {
            add_row(call, i, from, count, &g, dz, du);
            give(call, Z, i * D + from, count, dz);
            give(call, U, i * D + from, count, du);
        }
        for (int w = 0; w < WEIGHTS; w++) {
            give(call, A, w * D + from, count, g.a[w]);
        }
        for (int w = 0; w < SLOPES; w++) {
            give(call, S, w * D + from, count, g.s[w]);
        }
    }
}

static double flops(const node *n) {
    return 20.0 * (double)hiss_shape_count(&n->shape);
}

static void example(hiss_graph *g, int variant) {
    const int64_t M = 3 + variant, D = 1 + 33 * (variant % 3);
    const hiss_value z = graph_example_slot(g, 0, HISS_SHAPE(M, D));
    const hiss_value u = variant == 4 ? z : graph_example_slot(g, 1, HISS_SHAPE(M, D));
    graph_example_weigh(g, hiss_graph_combinator(g, z, u, graph_example_slot(g, 2, HISS_SHAPE(WEIGHTS, D)),
                                                 graph_example_slot(g, 3, HISS_SHAPE(SLOPES, D))));
}

const op graph_op_combinator = {.name = "combinator",
                                .shape = shape,
                                .equal = graph_equal_attributes,
                                .forward = forward,
                                .backward = backward,
                                .save = save,
                                .flops = flops,
                                .needs_input = 1u << Z | 1u << U | 1u << A | 1u << S,
                                .example = example};

hiss_value hiss_graph_combinator(hiss_graph *graph, hiss_value z, hiss_value u, hiss_value weights, hiss_value slopes) {
    return graph_append(graph, (node){.op = &graph_op_combinator, .input = {z, u, weights, slopes}, .inputs = 4});
}
