/* Private to kern_winograd.c and kern_bf16_winograd.c: how tiles lie over images, and the transforms of groups of them.
 * Products of float32 take planes of floats; those of bfloat16 take halves side by side, or pairs of rows. */
#ifndef HISS_TENSOR_KERN_WINOGRAD_GROUP_H
#define HISS_TENSOR_KERN_WINOGRAD_GROUP_H

#include "tensor/kern_block.h"
#include "tensor/kern_impl.h"
#include "tensor/kern_vec.h"
#include "tensor/kern_winograd_tile.h"

enum {
    GROUP = 112,     /* tiles at most, so that U is not read too often */
    LINE = 16,       /* floats of a cache line; also what channels and filters are multiples of */
    APART = 5 * LINE /* planes lie a little apart from powers of two, where they would share cache sets */
};

/* How tiles lie over N images of P x Q outputs. */
typedef struct tiling {
    int64_t n, down, across, tiles, group; /* tiles of all images, and at most in a group */
} tiling;

static inline int64_t ceiling(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

static inline tiling tiling_of(const hiss_conv *c) {
    tiling t = {c->R + OUT - 1, ceiling(c->P, OUT), ceiling(c->Q, OUT), 0, 0};
    t.tiles = c->N * t.down * t.across;
    t.group = ceiling(t.tiles, ceiling(t.tiles, GROUP));
    return t;
}

static inline int64_t plane(int64_t rows, int64_t columns) {
    return rows * columns + APART;
}

/* ---- groups of tiles ---- */

/* What one pass works on; pointers into scratch. */
typedef struct work {
    tiling t;
    int64_t in_apart, out_apart, kernel_apart; /* floats between planes of in, out and kernel */
    float *zeros, *frame, *rows, *kernel, *in, *out;
} work;

/* Where row i of a plane of C columns begins. */
static inline int64_t place(form f, int64_t i, int64_t C) {
    return f == FLOATS ? i * C : f == HALVES ? i * C / 2 : i / 2 * C;
}

/* x or y of a pass; with argmax, pooled over 2 x 2. */
typedef struct images {
    const float *values;
    const uint8_t *argmax;
} images;

static inline int64_t panels(int64_t columns) {
    return ceiling(columns, HISS_PANEL) * HISS_PANEL;
}

/* The frame holds one image with zeros around it, up to the end of the last tile. */
static inline int64_t frame_width(const hiss_conv *c) {
    const int64_t read = ceiling(c->Q, OUT) * OUT + c->R - 1, framed = c->W + 2 * c->pad;
    return read > framed ? read : framed;
}

static inline int64_t frame_floats(const hiss_conv *c) {
    const int64_t read = ceiling(c->P, OUT) * OUT + c->R - 1, framed = c->H + 2 * c->pad;
    return (read > framed ? read : framed) * frame_width(c) * c->C;
}

static inline work work_of(const hiss_conv *c, float *scratch) {
    work w = {.t = tiling_of(c)};
    const int64_t planes = w.t.n * w.t.n;
    w.in_apart = plane(w.t.group, c->C);
    w.out_apart = plane(w.t.group, c->F);
    w.kernel_apart = plane(c->C, panels(c->F));
    w.zeros = scratch;
    w.frame = w.zeros + c->F;
    w.rows = w.frame + frame_floats(c);
    w.kernel = w.rows + OUT * c->Q * c->F;
    w.in = w.kernel + planes * w.kernel_apart;
    w.out = w.in + planes * w.in_apart;
    memset(w.zeros, 0, sizeof(float) * (size_t)(w.kernel - w.zeros));
    return w;
}

static inline size_t scratch_of(const hiss_conv *c) {
    const tiling t = tiling_of(c);
    return (size_t)(c->F + frame_floats(c) + OUT * c->Q * c->F +
                    t.n * t.n * (plane(t.group, c->C) + plane(t.group, c->F) + plane(c->C, panels(c->F))));
}

/* The convolution from y to x whose forward pass, with the kernel turned, is the backward_data of c. */
static inline hiss_conv turned(const hiss_conv *c) {
    hiss_conv m = *c;
    m.H = c->P, m.W = c->Q, m.C = c->F;
    m.P = c->H, m.Q = c->W, m.F = c->C;
    m.pad = c->R - 1 - c->pad;
    return m;
}

static inline size_t larger_scratch(const hiss_conv *c) {
    const hiss_conv m = turned(c);
    const size_t a = scratch_of(c), b = scratch_of(&m);
    return a > b ? a : b;
}

/* Image n into the frame; what lies around stays zero. Pooled gradients go to where they came from. */
static inline void into_frame(const hiss_conv *c, const images *x, int64_t n, float *frame) {
    const int64_t row = frame_width(c) * c->C;
    float *to = frame + c->pad * row + c->pad * c->C;
    if (x->argmax) {
        const int64_t windows = c->W / 2, from = n * (c->H / 2) * windows * c->C;
        for (int64_t p = 0; p < c->H / 2; p++) {
            const tensor_row_pair r = {windows, c->C, row};
            const int64_t at = from + p * windows * c->C;
            tensor_unpool_rows(&r, x->values + at, x->argmax + at, to + 2 * p * row);
        }
        return;
    }
    const float *from = x->values + n * c->H * c->W * c->C;
    for (int64_t h = 0; h < c->H; h++) {
        memcpy(to + h * row, from + h * c->W * c->C, sizeof(float) * (size_t)(c->W * c->C));
    }
}

/* Tiles first .. first+T-1 of all; groups come in order, so the frame holds the image that a group begins in. */
static ALWAYS_INLINE void inputs(int64_t n, form f, const hiss_conv *c, const work *w, int64_t first, int64_t T,
                                 const images *x) {
    const int64_t row = frame_width(c) * c->C, per_image = w->t.down * w->t.across;
    for (int64_t i = first; i < first + T; i++) {
        const int64_t tile = i % per_image, p = tile / w->t.across, q = tile % w->t.across;
        if (tile == 0) {
            into_frame(c, x, i / per_image, w->frame);
        }
        const float *at = w->frame + OUT * (p * row + q * c->C);
        float *to = w->in + place(f, i - first, c->C);
        if (f == PAIRS && (i - first) % 2) {
            input_tile(n, ODD, c->C, at, row, to, w->in_apart);
        } else {
            input_tile(n, f, c->C, at, row, to, w->in_apart);
        }
    }
}

/* Where tile i of all has its outputs: in y, or, when they are pooled, in the rows of tiles that w holds. */
typedef struct outlet {
    int64_t image, top, left; /* of the tile's first output */
    bool begins, ends;        /* a row of tiles */
} outlet;

static inline outlet outlet_of(const tiling *t, int64_t i) {
    const int64_t q = i % t->across, p = i / t->across;
    return (outlet){p / t->down, p % t->down * OUT, q * OUT, q == 0, q == t->across - 1};
}

/* to[16]: the places of a tile's outputs, or `outside`; rows of outputs lie row floats apart at `at`. */
static inline void output_places(int64_t rows, int64_t columns, int64_t row, int64_t F, float *at, float *outside,
                                 float **to) {
    for (int64_t k = 0; k < OUT * OUT; k++) {
        to[k] = k / OUT < rows && k % OUT < columns ? at + k / OUT * row + k % OUT * F : outside;
    }
}

/* Pairs of rows of outputs in the row of tiles at o, and where they lie in pooled arrays. */
static inline int64_t row_pairs(const hiss_conv *c, const outlet *o, int64_t *at) {
    const int64_t rows = c->P - o->top < OUT ? c->P - o->top : OUT;
    *at = (o->image * (c->P / 2) + o->top / 2) * (c->Q / 2) * c->F;
    return rows / 2;
}

static inline void pool(const hiss_conv *c, const work *w, const outlet *o, float *y, uint8_t *argmax) {
    const int64_t row = c->Q * c->F;
    int64_t at;
    for (int64_t k = 0, pairs_here = row_pairs(c, o, &at); k < pairs_here; k++, at += c->Q / 2 * c->F) {
        const tensor_row_pair r = {c->Q / 2, c->F, row};
        tensor_pool_rows(&r, w->rows + 2 * k * row, y + at, argmax + at);
    }
}

static inline void unpool(const hiss_conv *c, const work *w, const outlet *o, const images *dy) {
    const int64_t row = c->Q * c->F;
    int64_t at;
    for (int64_t k = 0, pairs_here = row_pairs(c, o, &at); k < pairs_here; k++, at += c->Q / 2 * c->F) {
        const tensor_row_pair r = {c->Q / 2, c->F, row};
        tensor_unpool_rows(&r, dy->values + at, dy->argmax + at, w->rows + 2 * k * row);
    }
}

static ALWAYS_INLINE void outputs(int64_t n, const hiss_conv *c, const work *w, int64_t first, int64_t T,
                                  const float *bias, bool accumulate, float *y, uint8_t *argmax) {
    float *to[OUT * OUT];
    const int64_t row = c->Q * c->F;
    for (int64_t i = 0; i < T; i++) {
        const outlet o = outlet_of(&w->t, first + i);
        float *at = argmax ? w->rows : y + (o.image * c->P + o.top) * row;
        output_places(c->P - o.top, c->Q - o.left, row, c->F, at + o.left * c->F, NULL, to);
        output_tile(n, c->F, w->out + i * c->F, w->out_apart, bias, accumulate, to);
        if (argmax && o.ends) {
            pool(c, w, &o, y, argmax);
        }
    }
}

static ALWAYS_INLINE void gradients(int64_t n, form f, const hiss_conv *c, const work *w, int64_t first, int64_t T,
                                    const images *dy) {
    float *from[OUT * OUT];
    const int64_t row = c->Q * c->F, odd = dy->argmax ? 1 : 0; /* pooling leaves out an odd row and column */
    for (int64_t i = 0; i < T; i++) {
        const outlet o = outlet_of(&w->t, first + i);
        if (dy->argmax && o.begins) {
            unpool(c, w, &o, dy);
        }
        const float *at = dy->argmax ? w->rows : dy->values + (o.image * c->P + o.top) * row;
        output_places((c->P & ~odd) - o.top, (c->Q & ~odd) - o.left, row, c->F, (float *)at + o.left * c->F, w->zeros,
                      from);
        float *to = w->out + place(f, i, c->F);
        if (f == PAIRS && i % 2) {
            gradient_tile(n, ODD, c->F, (const float *const *)from, to, w->out_apart);
        } else {
            gradient_tile(n, f, c->F, (const float *const *)from, to, w->out_apart);
        }
    }
}

static inline int64_t group_at(const tiling *t, int64_t first) {
    return t->tiles - first < t->group ? t->tiles - first : t->group;
}

/* ---- kernels ---- */

/* u[n*n] of row k, columns j .. j+LANES-1 to their panels. */
static ALWAYS_INLINE void store_kernel(int64_t n, form f, const work *w, int64_t rows, int64_t k, int64_t j,
                                       const vec *u) {
    const int64_t row = f == PAIRS ? k / 2 : k, panel = (f == PAIRS ? rows / 2 : rows) * HISS_PANEL;
    float *to = w->kernel + j / HISS_PANEL * panel + row * HISS_PANEL + j % HISS_PANEL;
    for (int64_t i = 0; i < n * n; i++) {
        if (f == PAIRS && k % 2) {
            put(ODD, to + i * w->kernel_apart, u[i]);
        } else {
            put(f, to + i * w->kernel_apart, u[i]);
        }
    }
}

/* U_k[C,F] of w[F,R,S,C]. */
static ALWAYS_INLINE void kernels(int64_t n, form form_of, const hiss_conv *c, const work *w, const float *weight) {
    const int64_t taps = c->R * c->S;
    for (int64_t f = 0; f < c->F; f += LANES) {
        for (int64_t first = 0; first < c->C; first += LINE) {
            float across[LINE][R_MAX * R_MAX][LANES];
            for (int64_t lane = 0; lane < LANES; lane += 4) {
                for (int64_t t = 0; t < taps; t++) {
                    transpose(4, LINE, weight + ((f + lane) * taps + t) * c->C + first, taps * c->C,
                              &across[0][t][lane], R_MAX * R_MAX * LANES);
                }
            }
            for (int64_t k = 0; k < LINE; k++) {
                vec g[R_MAX * R_MAX], u[N_MAX * N_MAX];
                for (int64_t t = 0; t < taps; t++) {
                    g[t] = load(across[k][t]);
                }
                kernel_tile(n, g, u);
                store_kernel(n, form_of, w, c->C, first + k, f, u);
            }
        }
    }
}

/* U_k[F,C] of w[F,R,S,C] turned by 180 degrees. */
static ALWAYS_INLINE void turned_kernels(int64_t n, form form_of, const hiss_conv *c, const work *w,
                                         const float *weight) {
    const int64_t taps = c->R * c->S;
    for (int64_t f = 0; f < c->F; f++) {
        for (int64_t channel = 0; channel < c->C; channel += LANES) {
            vec g[R_MAX * R_MAX], u[N_MAX * N_MAX];
            for (int64_t t = 0; t < taps; t++) {
                g[taps - 1 - t] = load(weight + (f * taps + t) * c->C + channel);
            }
            kernel_tile(n, g, u);
            store_kernel(n, form_of, w, c->F, f, channel, u);
        }
    }
}

/* dw[F,R,S,C] (+)= G' dU G, with dU_k[F,C] in w->kernel. */
static ALWAYS_INLINE void weight_gradients(int64_t n, const hiss_conv *c, const work *w, bool accumulate, float *dw) {
    const int64_t taps = c->R * c->S;
    for (int64_t f = 0; f < c->F; f++) {
        for (int64_t channel = 0; channel < c->C; channel += LANES) {
            vec g[R_MAX * R_MAX], u[N_MAX * N_MAX];
            for (int64_t i = 0; i < n * n; i++) {
                u[i] = load(w->kernel + i * w->kernel_apart + f * c->C + channel);
            }
            kernel_tile_adjoint(n, u, g);
            for (int64_t t = 0; t < taps; t++) {
                float *to = dw + (f * taps + t) * c->C + channel;
                store(to, accumulate ? load(to) + g[t] : g[t]);
            }
        }
    }
}

#endif
