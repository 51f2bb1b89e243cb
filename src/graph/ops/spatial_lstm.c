/* Spatial LSTM (Theis & Bethge, "Generative image modeling using spatial LSTMs", NIPS 2015, section 2.2, after
 * Graves & Schmidhuber, NIPS 2008): hidden units h[N,H,W,U] of a scan over images, whose state at a place comes from those
 * to the left and above. With a_ij = (x_ij, h_i,j-1, h_i-1,j), where h and c outside of the image are 0,
 *     (g, i, o, l, u) = (tanh, sigmoid, sigmoid, sigmoid, sigmoid)(W a_ij + b),
 *     c_ij = g i + c_i,j-1 l + c_i-1,j u,     h_ij = o tanh(c_ij),
 * with x[N,H,W,C], W[5U,C+2U], b[5U]; l and u are the gates that forget what is left and above.
 *
 * Places of an anti-diagonal know nothing of each other: all of them, of all images, are one product. Rows of a diagonal
 * are in the order of image rows, then of images. Backward takes the diagonals the other way; what places are still to
 * get from their right and from below is carried from diagonal to diagonal. Saved: a and gates in the order of
 * diagonals, c and tanh(c) in that of h. */
#include <string.h>

#include "graph/ops/ops.h"

enum { X, W, B, INPUTS };
enum { CONTENT, IN, OUT, LEFT, UP, GATES };
enum { NEIGHBORS = 2, ALIGNED = 16 };

typedef struct sizes {
    int64_t N, H, W, C, U, K; /* K: of a */
} sizes;

static sizes sizes_of(const node *n) {
    const int64_t *d = n->in[X].dim, U = n->in[W].dim[0] / GATES;
    return (sizes){d[0], d[1], d[2], d[3], U, d[3] + NEIGHBORS * U};
}

static const char *shape(hiss_graph *graph, node *n) {
    const hiss_shape *x = &n->in[X], *w = &n->in[W], *b = &n->in[B];
    char tx[HISS_SHAPE_TEXT], tw[HISS_SHAPE_TEXT], tb[HISS_SHAPE_TEXT];
    if (x->ndim == 4 && w->ndim == 2 && w->dim[0] % GATES == 0 &&
        w->dim[1] == x->dim[3] + NEIGHBORS * (w->dim[0] / GATES) && b->ndim == 1 && b->dim[0] == w->dim[0]) {
        n->shape = HISS_SHAPE(x->dim[0], x->dim[1], x->dim[2], w->dim[0] / GATES);
        return NULL;
    }
    return hiss_arena_format(graph->arena, "needs x [N,H,W,C], weights [5U,C+2U] and biases [5U], got %s, %s and %s",
                             hiss_shape_text(x, tx), hiss_shape_text(w, tw), hiss_shape_text(b, tb));
}

typedef struct diagonal { /* the places (r, d - r), first <= r < end */
    int64_t d, first, end, rows;
    int64_t before; /* rows of all diagonals before it */
} diagonal;

static int64_t diagonals(const sizes *s) {
    return s->H + s->W - 1;
}

static diagonal diagonal_at(const sizes *s, int64_t d, int64_t before) {
    const int64_t first = d < s->W ? 0 : d - s->W + 1, end = d < s->H ? d + 1 : s->H;
    return (diagonal){d, first, end, (end - first) * s->N, before};
}

static int64_t most_rows(const sizes *s) {
    return (s->H < s->W ? s->H : s->W) * s->N;
}

static int64_t places(const sizes *s) {
    return s->N * s->H * s->W;
}

/* Where an image's place is among all of them. */
static int64_t place_of(const sizes *s, int64_t image, int64_t r, int64_t c) {
    return (image * s->H + r) * s->W + c;
}

typedef struct saved {
    float *a, *gates, *c, *tanh_c;
} saved;

static saved saved_of(const op_call *call, const sizes *s) {
    const int64_t P = places(s);
    float *gates = call->save + P * s->K, *c = gates + P * GATES * s->U;
    return (saved){call->save, gates, c, c + P * s->U};
}

static int64_t save(const node *n) {
    const sizes s = sizes_of(n);
    return places(&s) * (s.K + (GATES + 2) * s.U);
}

typedef struct workspace {
    float *product, *gates, *a; /* of kernels; gradients of a diagonal's sums and of its a */
    float *h[2], *c[2]; /* [H,N,U]: what this diagonal and the one before it get from the right and from below */
} workspace;

/* Returns its floats; base NULL: these alone. */
static int64_t lay_out(const sizes *s, const hiss_kernels *kernels, float *base, workspace *out) {
    const int64_t rows = most_rows(s), carried = s->H * s->N * s->U;
    const int64_t size[] = {(int64_t)kernels->linear_scratch(rows, s->K, GATES * s->U),
                            rows * GATES * s->U,
                            rows * s->K,
                            carried,
                            carried,
                            carried,
                            carried};
    float **const part[] = {&out->product, &out->gates, &out->a, &out->h[0], &out->h[1], &out->c[0], &out->c[1]};
    int64_t floats = 0;
    for (int k = 0; k < (int)(sizeof size / sizeof *size); k++) {
        *part[k] = base ? base + floats : NULL;
        floats += (size[k] + ALIGNED - 1) / ALIGNED * ALIGNED;
    }
    return floats;
}

static int64_t scratch(const node *n, const hiss_kernels *kernels) {
    const sizes s = sizes_of(n);
    workspace w;
    return lay_out(&s, kernels, NULL, &w);
}

/* ---- forward ---- */

static void copy_or_clear(int64_t count, const float *from, float *to) {
    if (from) {
        memcpy(to, from, sizeof(float) * (size_t)count);
    } else {
        memset(to, 0, sizeof(float) * (size_t)count);
    }
}

/* What a place's sums are of. */
static void gather(const op_call *call, const sizes *s, int64_t at, bool left, bool up, float *a) {
    const float *h = call->y + at * s->U;
    memcpy(a, call->x[X] + at * s->C, sizeof(float) * (size_t)s->C);
    copy_or_clear(s->U, left ? h - s->U : NULL, a + s->C);
    copy_or_clear(s->U, up ? h - s->W * s->U : NULL, a + s->C + s->U);
}

/* Sums become gates, and these a place's c and h. */
static void scan_place(const op_call *call, const sizes *s, int64_t at, bool left, bool up, float *gates, float *all_c,
                       float *all_tanh_c) {
    const int64_t U = s->U;
    float *restrict c = all_c + at * U, *restrict t = all_tanh_c + at * U, *restrict h = call->y + at * U;
    call->kernels->activation_forward(HISS_TANH, U, 0.0f, gates, gates);
    call->kernels->activation_forward(HISS_SIGMOID, (GATES - 1) * U, 0.0f, gates + U, gates + U);
    const float *restrict g = gates, *restrict i = g + IN * U, *restrict o = g + OUT * U;
    for (int64_t k = 0; k < U; k++) {
        c[k] = g[k] * i[k];
    }
    if (left) {
        const float *restrict l = g + LEFT * U, *restrict before = all_c + (at - 1) * U;
        for (int64_t k = 0; k < U; k++) {
            c[k] += before[k] * l[k];
        }
    }
    if (up) {
        const float *restrict u = g + UP * U, *restrict before = all_c + (at - s->W) * U;
        for (int64_t k = 0; k < U; k++) {
            c[k] += before[k] * u[k];
        }
    }
    call->kernels->activation_forward(HISS_TANH, U, 0.0f, c, t);
    for (int64_t k = 0; k < U; k++) {
        h[k] = o[k] * t[k];
    }
}

static void forward(const op_call *call) {
    const sizes s = sizes_of(call->node);
    const saved v = saved_of(call, &s);
    workspace w;
    lay_out(&s, call->kernels, call->scratch, &w);
    int64_t before = 0;
    for (int64_t d = 0; d < diagonals(&s); d++) {
        const diagonal g = diagonal_at(&s, d, before);
        float *a = v.a + before * s.K, *gates = v.gates + before * GATES * s.U;
        for (int64_t k = 0; k < g.rows; k++) {
            const int64_t r = g.first + k / s.N, c = d - r;
            gather(call, &s, place_of(&s, k % s.N, r, c), c > 0, r > 0, a + k * s.K);
        }
        call->kernels->linear_forward(g.rows, s.K, GATES * s.U, a, call->x[W], call->x[B], gates, w.product);
        for (int64_t k = 0; k < g.rows; k++) {
            const int64_t r = g.first + k / s.N, c = d - r;
            scan_place(call, &s, place_of(&s, k % s.N, r, c), c > 0, r > 0, gates + k * GATES * s.U, v.c, v.tanh_c);
        }
        before += g.rows;
    }
}

/* ---- backward ---- */

static void add(int64_t count, const float *restrict from, float *restrict to) {
    for (int64_t k = 0; k < count; k++) {
        to[k] += from[k];
    }
}

/* The gradient of a gate's sum, of one that forgets: dc c gate (1 - gate); and what goes on to that c. */
static void forget_back(int64_t U, const float *restrict dc, const float *restrict c, const float *restrict gate,
                        float *restrict sum, float *restrict on) {
    for (int64_t k = 0; k < U; k++) {
        sum[k] = dc[k] * c[k] * gate[k] * (1.0f - gate[k]);
        on[k] += dc[k] * gate[k];
    }
}

/* Gradients of the sums of a place at r, whose row of the diagonal is this one; dh and dc are what it has from its right
 * and from below, and dc is that of c afterwards. */
static void place_back(const op_call *call, const sizes *s, const saved *v, int64_t at, const float *gates,
                       const float *restrict dh, float *restrict dc, float *sums) {
    const int64_t U = s->U;
    const float *restrict dy = call->dy + at * U, *restrict t = v->tanh_c + at * U;
    const float *restrict g = gates, *restrict i = g + IN * U, *restrict o = g + OUT * U;
    float *restrict dg = sums, *restrict di = sums + IN * U, *restrict d_o = sums + OUT * U;
    for (int64_t k = 0; k < U; k++) {
        const float all = dy[k] + dh[k];
        d_o[k] = all * t[k] * o[k] * (1.0f - o[k]);
        dc[k] += all * o[k] * (1.0f - t[k] * t[k]);
        dg[k] = dc[k] * i[k] * (1.0f - g[k] * g[k]);
        di[k] = dc[k] * g[k] * i[k] * (1.0f - i[k]);
    }
}

/* All places of a diagonal: gradients of their sums, and what goes on to the diagonal before. */
static void diagonal_back(const op_call *call, const sizes *s, const saved *v, const diagonal *g, const workspace *w,
                          int this) {
    const int64_t U = s->U, row = s->N * U;
    for (int64_t k = 0; k < g->rows; k++) {
        const int64_t r = g->first + k / s->N, image = k % s->N, c = g->d - r, at = place_of(s, image, r, c);
        const int64_t carried = r * row + image * U;
        const float *gates = v->gates + (g->before + k) * GATES * U;
        float *dc = w->c[this] + carried, *sums = w->gates + k * GATES * U, *on = w->c[!this] + carried;
        place_back(call, s, v, at, gates, w->h[this] + carried, dc, sums);
        if (c > 0) {
            forget_back(U, dc, v->c + (at - 1) * U, gates + LEFT * U, sums + LEFT * U, on);
        } else {
            copy_or_clear(U, NULL, sums + LEFT * U);
        }
        if (r > 0) {
            forget_back(U, dc, v->c + (at - s->W) * U, gates + UP * U, sums + UP * U, on - row);
        } else {
            copy_or_clear(U, NULL, sums + UP * U);
        }
    }
}

/* What a diagonal's sums were of gets its gradients: x, and h to the left and above. */
static void scatter(const op_call *call, const sizes *s, const diagonal *g, const workspace *w, int this) {
    const int64_t U = s->U, row = s->N * U;
    for (int64_t k = 0; k < g->rows; k++) {
        const int64_t r = g->first + k / s->N, image = k % s->N, c = g->d - r;
        const float *da = w->a + k * s->K;
        float *on = w->h[!this] + r * row + image * U;
        if (call->dx[X]) {
            float *dx = call->dx[X] + place_of(s, image, r, c) * s->C;
            copy_or_clear(call->accumulate[X] ? 0 : s->C, NULL, dx);
            add(s->C, da, dx);
        }
        if (c > 0) {
            add(U, da + s->C, on);
        }
        if (r > 0) {
            add(U, da + s->C + U, on - row);
        }
    }
}

static void backward(const op_call *call) {
    const sizes s = sizes_of(call->node);
    const saved v = saved_of(call, &s);
    const int64_t F = GATES * s.U, carried = s.H * s.N * s.U, last = diagonals(&s) - 1;
    workspace w;
    lay_out(&s, call->kernels, call->scratch, &w);
    int64_t before = places(&s);
    memset(w.h[last % 2], 0, sizeof(float) * (size_t)carried);
    memset(w.c[last % 2], 0, sizeof(float) * (size_t)carried);
    for (int64_t d = last; d >= 0; d--) {
        before -= diagonal_at(&s, d, 0).rows;
        const diagonal g = diagonal_at(&s, d, before);
        const int this = (int)(d % 2);
        const float *a = v.a + before * s.K;
        memset(w.h[!this], 0, sizeof(float) * (size_t)carried);
        memset(w.c[!this], 0, sizeof(float) * (size_t)carried);
        diagonal_back(call, &s, &v, &g, &w, this);
        call->kernels->linear_backward_data(g.rows, s.K, F, w.gates, call->x[W], w.a, false, w.product);
        scatter(call, &s, &g, &w, this);
        if (call->dx[W]) {
            call->kernels->linear_backward_weight(g.rows, s.K, F, a, w.gates, call->dx[W],
                                                  d < last || call->accumulate[W], w.product);
        }
        if (call->dx[B]) {
            call->kernels->column_sum(g.rows, F, w.gates, call->dx[B], d < last || call->accumulate[B]);
        }
    }
}

static double flops(const node *n) {
    const sizes s = sizes_of(n);
    return 2.0 * (double)places(&s) * (double)(GATES * s.U * s.K);
}

/* Of all but the first variants everything has two users. */
static void example(hiss_graph *g, int variant) {
    static const int64_t size[][2] = {{3, 4}, {4, 2}, {1, 5}, {5, 1}, {1, 1}, {3, 3}};
    const int64_t N = 1 + variant % 3, C = 1 + variant % 2, U = 2 + variant;
    const hiss_value x = graph_example_slot(g, 0, HISS_SHAPE(N, size[variant % 6][0], size[variant % 6][1], C));
    const hiss_value w = hiss_graph_scale(g, graph_example_slot(g, 1, HISS_SHAPE(GATES * U, C + NEIGHBORS * U)), 0.4);
    const hiss_value b = graph_example_slot(g, 2, HISS_SHAPE(GATES * U));
    const hiss_value h = hiss_graph_spatial_lstm(g, x, w, b);
    graph_example_weigh(g, variant ? hiss_graph_add(g, h, hiss_graph_spatial_lstm(g, hiss_graph_scale(g, x, 0.5), w, b))
                                   : h);
}

const op graph_op_spatial_lstm = {.name = "spatial_lstm",
                                  .shape = shape,
                                  .equal = graph_equal_attributes,
                                  .forward = forward,
                                  .backward = backward,
                                  .save = save,
                                  .scratch = scratch,
                                  .flops = flops,
                                  .needs_input = 1u << W,
                                  .example = example};

hiss_value hiss_graph_spatial_lstm(hiss_graph *graph, hiss_value x, hiss_value weights, hiss_value biases) {
    return graph_append(graph, (node){.op = &graph_op_spatial_lstm, .input = {x, weights, biases}, .inputs = INPUTS});
}
