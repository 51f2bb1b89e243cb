/* Sparse codes z[N,P,Q,K] of images x[N,H,W,C] by transposed convolution with the K filters w[K,R,S,C]: x is to be near
 * conv2d_transposed(z, w) (sparse_steps.c; Zeiler, Krishnan, Taylor & Fergus, "Deconvolutional networks", CVPR 2010).
 * No gradient passes.
 *
 * The bound on eigenvalues holds for any w. On images without an end, synthesis after analysis is a convolution with the
 * filters' correlations, summed over filters, from channel to channel [C,C]; analysis after synthesis is one from
 * filter to filter [K,K]. Both have the same largest eigenvalue, no larger than the largest row sum of absolute values,
 * and cutting the images or the codes to a finite size makes it no larger. The one with fewer rows is taken. */
#include <math.h>

#include "graph/ops/ops.h"

typedef struct attributes {
    hiss_conv conv; /* first: as rules.c reads it */
    hiss_sparse_inference how;
} attributes;

static int64_t aligned(int64_t floats) {
    return (floats + 15) / 16 * 16;
}

static const char *shape(hiss_graph *graph, node *n) {
    attributes *a = n->attributes;
    const hiss_shape *w = &n->in[1];
    const char *problem = graph_op_conv2d.shape(graph, n);
    if (!problem && (2 * a->conv.pad > w->dim[1] - 1 || 2 * a->conv.pad > w->dim[2] - 1)) {
        problem = "pad is more than half of the filters, whose codes would stand for nothing in the image";
    }
    return problem;
}

/* The kernels' own, then x analysed, y, its product [N,P,Q,K] each, and y's synthesis [N,H,W,C]. */
static int64_t scratch(const node *n, const hiss_kernels *kernels) {
    return aligned(graph_conv_scratch(n, kernels)) + 3 * aligned(hiss_shape_count(&n->shape)) +
           hiss_shape_count(&n->in[0]);
}

/* Correlation at one shift of a and b [R,S], each with steps of `apart` floats. */
static double correlation(const hiss_conv *c, int64_t down, int64_t right, const float *a, const float *b) {
    double sum = 0.0;
    for (int64_t r = down < 0 ? -down : 0; r < c->R && r + down < c->R; r++) {
        for (int64_t s = right < 0 ? -right : 0; s < c->S && s + right < c->S; s++) {
            sum += (double)a[(r * c->S + s) * c->C] * (double)b[((r + down) * c->S + s + right) * c->C];
        }
    }
    return sum;
}

/* The sum over filters between channels i and j; over channels between filters i and j. */
static double related(const hiss_conv *c, bool channels, int64_t i, int64_t j, int64_t down, int64_t right,
                      const float *w) {
    const int64_t filter = c->R * c->S * c->C;
    double sum = 0.0;
    for (int64_t k = 0; k < (channels ? c->F : c->C); k++) {
        sum += channels ? correlation(c, down, right, w + k * filter + i, w + k * filter + j)
                        : correlation(c, down, right, w + i * filter + k, w + j * filter + k);
    }
    return sum;
}

static double eigenvalue_bound(const hiss_conv *c, const float *w) {
    const bool channels = c->C <= c->F;
    const int64_t rows = channels ? c->C : c->F;
    double bound = 0.0;
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < rows; j++) {
            for (int64_t shift = 0; shift < (2 * c->R - 1) * (2 * c->S - 1); shift++) {
                sum += fabs(related(c, channels, i, j, shift / (2 * c->S - 1) - (c->R - 1),
                                    shift % (2 * c->S - 1) - (c->S - 1), w));
            }
        }
        bound = sum > bound ? sum : bound;
    }
    return bound > 0.0 ? bound : 1.0;
}

typedef struct passes {
    const op_call *call;
    float *synthesis;
} passes;

static void product(const void *user, const float *y, float *out) {
    const passes *p = user;
    const op_call *call = p->call;
    const hiss_conv *c = call->node->attributes;
    call->kernels->conv2d_backward_data(c, y, call->x[1], p->synthesis, false, call->scratch);
    call->kernels->conv2d_forward(c, p->synthesis, call->x[1], NULL, out, call->scratch);
}

static void forward(const op_call *call) {
    const attributes *a = call->node->attributes;
    const int64_t count = hiss_shape_count(&call->node->shape);
    float *signal = call->scratch + aligned(graph_conv_scratch(call->node, call->kernels));
    float *y = signal + aligned(count), *out = y + aligned(count);
    const passes p = {call, out + aligned(count)};
    call->kernels->conv2d_forward(&a->conv, call->x[0], call->x[1], NULL, signal, call->scratch);
    graph_sparse_steps(&a->how, eigenvalue_bound(&a->conv, call->x[1]), count, signal, product, &p, y, out, call->y);
}

static double flops(const node *n) {
    const attributes *a = n->attributes;
    return graph_conv_flops(n) * (double)(2 * a->how.steps - 1);
}

static void example(hiss_graph *g, int variant) {
    static const int64_t v[][7] = {/* N H W C K R pad */ {2, 5, 6, 1, 4, 3, 1},
                                   {1, 7, 5, 3, 2, 3, 0},
                                   {2, 6, 6, 2, 3, 5, 2},
                                   {1, 4, 4, 1, 2, 1, 0}};
    const int64_t *d = v[variant % 4];
    hiss_value x = hiss_graph_input(g, "still", HISS_SHAPE(d[0], d[1], d[2], d[3]));
    hiss_value w = hiss_graph_input(g, "weights", HISS_SHAPE(d[4], d[5], d[5], d[3]));
    hiss_value z = hiss_graph_sparse_code_conv2d(g, x, w, d[6], &(hiss_sparse_inference){0.1, 5, variant % 2});
    graph_example_weigh(g, hiss_graph_multiply(g, z, graph_example_slot(g, 0, hiss_graph_shape(g, z))));
}

const op graph_op_sparse_code_conv2d = {.name = "sparse_code_conv2d",
                                        .attributes = sizeof(attributes),
                                        .shape = shape,
                                        .forward = forward,
                                        .scratch = scratch,
                                        .flops = flops,
                                        .product = graph_conv_product,
                                        .stops_gradient = true,
                                        .example = example};

hiss_value hiss_graph_sparse_code_conv2d(hiss_graph *graph, hiss_value x, hiss_value w, int64_t pad,
                                         const hiss_sparse_inference *how) {
    return graph_append(graph, (node){.op = &graph_op_sparse_code_conv2d,
                                      .attributes = &(attributes){{.stride = 1, .pad = pad}, *how},
                                      .input = {x, w},
                                      .inputs = 2});
}
