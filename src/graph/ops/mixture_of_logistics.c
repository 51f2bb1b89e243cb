/* scale * sum over M of -log p(x), where p is the density of a mixture of K logistic distributions: with the row
 * (a, mu, l)[3K] of parameters,
 *     p(x) = sum over k of softmax(a)_k f(t_k) / s_k,   t_k = (x - mu_k) / s_k,   s_k = e^l_k,
 *     f(t) = e^-|t| / (1 + e^-|t|)^2.
 * In logarithms relative to the largest a_k - |t_k| - l_k nothing overflows, and the largest term is at least 1/4.
 * With the responsibilities r_k, the shares of the terms in their sum, the gradients are
 *     softmax(a)_k - r_k,   -r_k tanh(t_k / 2) / s_k,   r_k (1 - t_k tanh(t_k / 2)).
 * l below LEAST counts as that, and has no gradient. Saved: the gradients of the sum. x gets none. */
#include <math.h>

#include "graph/ops/ops.h"

enum { P, X };
enum { WEIGHT, MEAN, SCALE, PARTS };
enum { BLOCK = 4096 }; /* floats of a part of a block of rows, about */

static const float LEAST = -9.0f;

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *p = &n->in[P], *x = &n->in[X];
    char tp[HISS_SHAPE_TEXT], tx[HISS_SHAPE_TEXT];
    n->shape = HISS_SHAPE(1);
    return p->ndim == 2 && p->dim[1] % PARTS == 0 && x->ndim == 1 && x->dim[0] == p->dim[0]
               ? NULL
               : hiss_arena_format(graph->arena, "needs parameters [M,3K] and values [M], got %s and %s",
                                   hiss_shape_text(p, tp), hiss_shape_text(x, tx));
}

static int64_t save(const node *n) {
    return hiss_shape_count(&n->in[P]);
}

static int64_t components(const node *n) {
    return n->in[P].dim[1] / PARTS;
}

static int64_t rows_of_block(int64_t K) {
    return K < BLOCK ? BLOCK / K : 1;
}

typedef struct block {                           /* [rows,K] each */
    float *sharpness, *t, *near, *term, *weight; /* 1/s, t, e^-|t|, terms relative to the largest, softmax of a */
} block;

static int64_t block_floats(const node *n) {
    return rows_of_block(components(n)) * components(n);
}

static int64_t scratch(const node *n, const hiss_kernels *kernels) {
    (void)kernels;
    return (int64_t)(sizeof(block) / sizeof(float *)) * block_floats(n);
}

static block block_of(const op_call *call) {
    const int64_t floats = block_floats(call->node);
    float *s = call->scratch;
    return (block){s, s + floats, s + 2 * floats, s + 3 * floats, s + 4 * floats};
}

static float largest(int64_t count, const float *x) {
    float most = x[0];
    for (int64_t k = 1; k < count; k++) {
        most = x[k] > most ? x[k] : most;
    }
    return most;
}

/* 1/s, t, e^-|t| of rows [first, first + rows). */
static void measure_distances(const op_call *call, const block *b, int64_t first, int64_t rows) {
    const int64_t K = components(call->node), count = rows * K;
    for (int64_t i = 0; i < rows; i++) {
        const float *restrict l = call->x[P] + ((first + i) * PARTS + SCALE) * K;
        float *restrict out = b->sharpness + i * K;
        for (int64_t k = 0; k < K; k++) {
            out[k] = l[k] < LEAST ? -LEAST : -l[k];
        }
    }
    call->kernels->activation_forward(HISS_EXP, count, 0.0f, b->sharpness, b->sharpness);
    for (int64_t i = 0; i < rows; i++) {
        const float *restrict mean = call->x[P] + ((first + i) * PARTS + MEAN) * K, x = call->x[X][first + i];
        const float *restrict sharpness = b->sharpness + i * K;
        float *restrict t = b->t + i * K, *restrict near = b->near + i * K;
        for (int64_t k = 0; k < K; k++) {
            t[k] = (x - mean[k]) * sharpness[k];
            near[k] = -fabsf(t[k]);
        }
    }
    call->kernels->activation_forward(HISS_EXP, count, 0.0f, b->near, b->near);
}

/* Terms and weights, relative to the largest of their row; returns the sum of what is left out, in -log p. */
static double weigh(const op_call *call, const block *b, int64_t first, int64_t rows) {
    const int64_t K = components(call->node), count = rows * K;
    double sum = 0.0;
    for (int64_t i = 0; i < rows; i++) {
        const float *restrict a = call->x[P] + (first + i) * PARTS * K, *restrict l = a + SCALE * K;
        const float *restrict t = b->t + i * K, most = largest(K, a);
        float *restrict term = b->term + i * K, *restrict weight = b->weight + i * K;
        for (int64_t k = 0; k < K; k++) {
            weight[k] = a[k] - most;
            term[k] = weight[k] - fabsf(t[k]) - (l[k] < LEAST ? LEAST : l[k]);
        }
        const float largest_term = largest(K, term);
        for (int64_t k = 0; k < K; k++) {
            term[k] -= largest_term;
        }
        sum -= (double)largest_term;
    }
    call->kernels->activation_forward(HISS_EXP, count, 0.0f, b->term, b->term);
    call->kernels->activation_forward(HISS_EXP, count, 0.0f, b->weight, b->weight);
    return sum;
}

/* The logarithms that are left of a row's -log p, and its gradients [3K]. */
static double conclude(int64_t K, const block *b, int64_t i, const float *restrict l, float *restrict gradient) {
    const float *restrict sharpness = b->sharpness + i * K, *restrict t = b->t + i * K;
    const float *restrict near = b->near + i * K, *restrict weight = b->weight + i * K;
    float *restrict term = b->term + i * K, weights = 0.0f, terms = 0.0f;
    for (int64_t k = 0; k < K; k++) {
        term[k] /= (1.0f + near[k]) * (1.0f + near[k]);
    }
    for (int64_t k = 0; k < K; k++) {
        weights += weight[k];
        terms += term[k];
    }
    for (int64_t k = 0; k < K; k++) {
        const float r = term[k] / terms, slope = copysignf((1.0f - near[k]) / (1.0f + near[k]), t[k]);
        gradient[WEIGHT * K + k] = weight[k] / weights - r;
        gradient[MEAN * K + k] = -r * slope * sharpness[k];
        gradient[SCALE * K + k] = l[k] < LEAST ? 0.0f : r * (1.0f - t[k] * slope);
    }
    return log((double)weights) - log((double)terms);
}

static void forward(const op_call *call) {
    const pair_attributes *a = call->node->attributes;
    const int64_t M = call->node->in[P].dim[0], K = components(call->node), most = rows_of_block(K);
    const block b = block_of(call);
    double sum = 0.0;
    for (int64_t first = 0; first < M; first += most) {
        const int64_t rows = M - first < most ? M - first : most;
        measure_distances(call, &b, first, rows);
        sum += weigh(call, &b, first, rows);
        for (int64_t i = 0; i < rows; i++) {
            const int64_t at = (first + i) * PARTS * K;
            sum += conclude(K, &b, i, call->x[P] + at + SCALE * K, call->save + at);
        }
    }
    *call->y = (float)((double)a->scale * sum);
}

static void backward(const op_call *call) {
    const pair_attributes *a = call->node->attributes;
    if (call->dx[P]) {
        call->kernels->axpby(save(call->node), *call->dy * a->scale, call->save, call->accumulate[P] ? 1.0f : 0.0f,
                             call->dx[P]);
    }
}

static void example(hiss_graph *g, int variant) {
    const int64_t M = 3 + 500 * (variant % 2), K = 1 + variant % 3;
    const hiss_value p = graph_example_slot(g, 0, HISS_SHAPE(M, PARTS * K));
    const hiss_value x = hiss_graph_input(g, "weights", HISS_SHAPE(M));
    const hiss_value loss = hiss_graph_mixture_of_logistics(g, p, x, 0.3);
    hiss_graph_loss(g, variant > 2 ? hiss_graph_add(g, loss, hiss_graph_mixture_of_logistics(g, p, x, 0.2)) : loss);
}

const op graph_op_mixture_of_logistics = {.name = "mixture_of_logistics",
                                          .attributes = sizeof(pair_attributes),
                                          .shape = shape,
                                          .forward = forward,
                                          .backward = backward,
                                          .save = save,
                                          .scratch = scratch,
                                          .flops = graph_elementwise_flops,
                                          .example = example};

hiss_value hiss_graph_mixture_of_logistics(hiss_graph *graph, hiss_value parameters, hiss_value x, double scale) {
    return graph_append_pair_loss(graph, &graph_op_mixture_of_logistics, parameters, hiss_graph_stop_gradient(graph, x),
                                  scale);
}
