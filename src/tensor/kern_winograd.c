/* Convolutions of stride 1 by Winograd's minimal filtering (Lavin & Gray, "Fast Algorithms for Convolutional Neural
 * Networks", 2016): 4 x 4 outputs from tiles of n x n inputs, n = R + 3, with n*n products per channel pair instead of
 * 16 R*R: 4 times fewer for 3 x 3 kernels (points 0, 3/4, -3/4, 3/2, -3/2 and infinity), 6.25 times for 5 x 5 (0, 1/2,
 * -1/2, 1, -1, 7/4, -7/4 and infinity).
 *
 * With V = B' d B of an input tile d, U = G g G' of the kernel g, the output tile is A' (U V) A. In the n*n positions
 * of a tile the products over channels are matrix products, M_k[T,F] = V_k[T,C] U_k[C,F], over T tiles at a time. The
 * passes:
 *   forward          as above
 *   backward_data    the same with dy for x and the kernel turned by 180 degrees
 *   backward_weight  the adjoint with respect to g: dg = G' (sum over tiles of V_k' (A dy A')_k) G
 * Largest errors, relative to the size of a sum of so many products: 6e-6 for 3 x 3, 2e-5 for 5 x 5. The sizes of
 * groups depend on the shape alone.
 *
 * Cost: 2 n n T F C flops in products, about (n n)(C + F) T multiply-adds and as many loads and stores in transforms. */
#include "tensor/kern_block.h"
#include "tensor/kern_impl.h"
#include "tensor/kern_vec.h"
#include "tensor/kern_winograd_tile.h"

enum {
    GROUP = 112,     /* tiles at most, so that U is not read too often */
    LINE = 16,       /* floats of a cache line; also what channels and filters are multiples of */
    APART = 5 * LINE /* planes lie a little apart from powers of two, where they would share cache sets */
};

/* Without fused multiply-add, BLAS is the faster: it chooses its kernels at run time. */
bool tensor_winograd_applies(const hiss_conv *c) {
    return FUSES && (c->R == 3 || c->R == 5) && c->S == c->R && c->stride == 1 && c->pad < c->R && c->C % LINE == 0 &&
           c->F % LINE == 0;
}

/* How tiles lie over N images of P x Q outputs. */
typedef struct tiling {
    int64_t n, down, across, tiles, group; /* tiles of all images, and at most in a group */
} tiling;

static int64_t ceiling(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

static tiling tiling_of(const hiss_conv *c) {
    tiling t = {c->R + OUT - 1, ceiling(c->P, OUT), ceiling(c->Q, OUT), 0, 0};
    t.tiles = c->N * t.down * t.across;
    t.group = ceiling(t.tiles, ceiling(t.tiles, GROUP));
    return t;
}

static int64_t plane(int64_t rows, int64_t columns) {
    return rows * columns + APART;
}

/* ---- groups of tiles ---- */

/* What one pass works on; pointers into scratch. */
typedef struct work {
    tiling t;
    int64_t in_apart, out_apart, kernel_apart; /* floats between planes of in, out and kernel */
    float *zeros, *frame, *rows, *kernel, *in, *out;
} work;

/* x or y of a pass; with argmax, pooled over 2 x 2. */
typedef struct images {
    const float *values;
    const int32_t *argmax;
} images;

static int64_t panels(int64_t columns) {
    return ceiling(columns, HISS_PANEL) * HISS_PANEL;
}

/* The frame holds one image with zeros around it, up to the end of the last tile. */
static int64_t frame_width(const hiss_conv *c) {
    const int64_t read = ceiling(c->Q, OUT) * OUT + c->R - 1, framed = c->W + 2 * c->pad;
    return read > framed ? read : framed;
}

static int64_t frame_floats(const hiss_conv *c) {
    const int64_t read = ceiling(c->P, OUT) * OUT + c->R - 1, framed = c->H + 2 * c->pad;
    return (read > framed ? read : framed) * frame_width(c) * c->C;
}

static work work_of(const hiss_conv *c, float *scratch) {
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

static size_t scratch_of(const hiss_conv *c) {
    const tiling t = tiling_of(c);
    return (size_t)(c->F + frame_floats(c) + OUT * c->Q * c->F +
                    t.n * t.n * (plane(t.group, c->C) + plane(t.group, c->F) + plane(c->C, panels(c->F))));
}

/* The convolution from y to x whose forward pass, with the kernel turned, is the backward_data of c. */
static hiss_conv turned(const hiss_conv *c) {
    hiss_conv m = *c;
    m.H = c->P, m.W = c->Q, m.C = c->F;
    m.P = c->H, m.Q = c->W, m.F = c->C;
    m.pad = c->R - 1 - c->pad;
    return m;
}

size_t tensor_winograd_conv2d_scratch(const hiss_conv *c) {
    const hiss_conv m = turned(c);
    const size_t a = scratch_of(c), b = scratch_of(&m);
    return a > b ? a : b;
}

/* Image n into the frame; what lies around stays zero. Pooled gradients go to where they came from. */
static void into_frame(const hiss_conv *c, const images *x, int64_t n, float *frame) {
    const int64_t row = frame_width(c) * c->C;
    float *to = frame + c->pad * row + c->pad * c->C;
    if (x->argmax) {
        const int64_t windows = c->W / 2, from = n * (c->H / 2) * windows * c->C;
        for (int64_t p = 0; p < c->H / 2; p++) {
            const tensor_row_pair r = {windows, c->C, row, (int32_t)(2 * p * c->W), (int32_t)c->W};
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
static ALWAYS_INLINE void inputs(int64_t n, const hiss_conv *c, const work *w, int64_t first, int64_t T,
                                 const images *x) {
    const int64_t row = frame_width(c) * c->C, per_image = w->t.down * w->t.across;
    for (int64_t i = first; i < first + T; i++) {
        const int64_t tile = i % per_image, p = tile / w->t.across, q = tile % w->t.across;
        if (tile == 0) {
            into_frame(c, x, i / per_image, w->frame);
        }
        input_tile(n, c->C, w->frame + OUT * (p * row + q * c->C), row, w->in + (i - first) * c->C, w->in_apart);
    }
}

/* Where tile i of all has its outputs: in y, or, when they are pooled, in the rows of tiles that w holds. */
typedef struct outlet {
    int64_t image, top, left; /* of the tile's first output */
    bool begins, ends;        /* a row of tiles */
} outlet;

static outlet outlet_of(const tiling *t, int64_t i) {
    const int64_t q = i % t->across, p = i / t->across;
    return (outlet){p / t->down, p % t->down * OUT, q * OUT, q == 0, q == t->across - 1};
}

/* to[16]: the places of a tile's outputs, or `outside`; rows of outputs lie row floats apart at `at`. */
static void output_places(int64_t rows, int64_t columns, int64_t row, int64_t F, float *at, float *outside,
                          float **to) {
    for (int64_t k = 0; k < OUT * OUT; k++) {
        to[k] = k / OUT < rows && k % OUT < columns ? at + k / OUT * row + k % OUT * F : outside;
    }
}

/* Pairs of rows of outputs in the row of tiles at o, and where they lie in pooled arrays. */
static int64_t row_pairs(const hiss_conv *c, const outlet *o, int64_t *at) {
    const int64_t rows = c->P - o->top < OUT ? c->P - o->top : OUT;
    *at = (o->image * (c->P / 2) + o->top / 2) * (c->Q / 2) * c->F;
    return rows / 2;
}

static void pool(const hiss_conv *c, const work *w, const outlet *o, float *y, int32_t *argmax) {
    const int64_t row = c->Q * c->F;
    int64_t at;
    for (int64_t k = 0, pairs_here = row_pairs(c, o, &at); k < pairs_here; k++, at += c->Q / 2 * c->F) {
        const tensor_row_pair r = tensor_output_rows(c, o->top / 2 + k, row);
        tensor_pool_rows(&r, w->rows + 2 * k * row, y + at, argmax + at);
    }
}

static void unpool(const hiss_conv *c, const work *w, const outlet *o, const images *dy) {
    const int64_t row = c->Q * c->F;
    int64_t at;
    for (int64_t k = 0, pairs_here = row_pairs(c, o, &at); k < pairs_here; k++, at += c->Q / 2 * c->F) {
        const tensor_row_pair r = tensor_output_rows(c, o->top / 2 + k, row);
        tensor_unpool_rows(&r, dy->values + at, dy->argmax + at, w->rows + 2 * k * row);
    }
}

static ALWAYS_INLINE void outputs(int64_t n, const hiss_conv *c, const work *w, int64_t first, int64_t T,
                                  const float *bias, bool accumulate, float *y, int32_t *argmax) {
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

static ALWAYS_INLINE void gradients(int64_t n, const hiss_conv *c, const work *w, int64_t first, int64_t T,
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
        gradient_tile(n, c->F, (const float *const *)from, w->out + i * c->F, w->out_apart);
    }
}

static int64_t group_at(const tiling *t, int64_t first) {
    return t->tiles - first < t->group ? t->tiles - first : t->group;
}

/* y (+)= convolution of x with the transformed kernel in w; argmax, or NULL: pooled. */
static ALWAYS_INLINE void convolve(int64_t n, const hiss_conv *c, const work *w, const images *x, const float *bias,
                                   bool accumulate, float *y, int32_t *argmax) {
    for (int64_t first = 0; first < w->t.tiles; first += w->t.group) {
        const int64_t T = group_at(&w->t, first);
        inputs(n, c, w, first, T, x);
        for (int64_t k = 0; k < n * n; k++) {
            tensor_block_multiply(T, c->F, c->C, (tensor_left){w->in + k * w->in_apart, c->C, 1},
                                  (tensor_right){w->kernel + k * w->kernel_apart, HISS_PANEL, c->C * HISS_PANEL},
                                  w->out + k * w->out_apart, c->F, false);
        }
        outputs(n, c, w, first, T, bias, accumulate, y, argmax);
    }
}

/* ---- kernels ---- */

/* u[n*n] of row k, columns j .. j+LANES-1 to their panels. */
static ALWAYS_INLINE void store_kernel(int64_t n, const work *w, int64_t rows, int64_t k, int64_t j, const vec *u) {
    float *to = w->kernel + j / HISS_PANEL * rows * HISS_PANEL + k * HISS_PANEL + j % HISS_PANEL;
    for (int64_t i = 0; i < n * n; i++) {
        store(to + i * w->kernel_apart, u[i]);
    }
}

/* U_k[C,F] of w[F,R,S,C]. */
static ALWAYS_INLINE void kernels(int64_t n, const hiss_conv *c, const work *w, const float *weight) {
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
                store_kernel(n, w, c->C, first + k, f, u);
            }
        }
    }
}

/* U_k[F,C] of w[F,R,S,C] turned by 180 degrees. */
static ALWAYS_INLINE void turned_kernels(int64_t n, const hiss_conv *c, const work *w, const float *weight) {
    const int64_t taps = c->R * c->S;
    for (int64_t f = 0; f < c->F; f++) {
        for (int64_t channel = 0; channel < c->C; channel += LANES) {
            vec g[R_MAX * R_MAX], u[N_MAX * N_MAX];
            for (int64_t t = 0; t < taps; t++) {
                g[taps - 1 - t] = load(weight + (f * taps + t) * c->C + channel);
            }
            kernel_tile(n, g, u);
            store_kernel(n, w, c->F, f, channel, u);
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

/* ---- the passes ---- */

static ALWAYS_INLINE void gather_weights(int64_t n, const hiss_conv *c, const work *w, const float *x, const images *dy,
                                         bool accumulate, float *dw) {
    for (int64_t first = 0; first < w->t.tiles; first += w->t.group) {
        const int64_t T = group_at(&w->t, first);
        inputs(n, c, w, first, T, &(images){x, NULL});
        gradients(n, c, w, first, T, dy);
        for (int64_t k = 0; k < n * n; k++) {
            tensor_block_multiply(c->F, c->C, T, (tensor_left){w->out + k * w->out_apart, 1, c->F},
                                  (tensor_right){w->in + k * w->in_apart, c->C, HISS_PANEL},
                                  w->kernel + k * w->kernel_apart, c->C, first > 0);
        }
    }
    weight_gradients(n, c, w, accumulate, dw);
}

void tensor_winograd_conv2d_pooled_forward(const hiss_conv *c, const float *x, const float *w, const float *bias,
                                           float *y, int32_t *argmax, float *scratch) {
    const work own = work_of(c, scratch);
    const images in = {x, NULL};
    if (own.t.n == 6) {
        kernels(6, c, &own, w);
        convolve(6, c, &own, &in, bias, false, y, argmax);
    } else {
        kernels(8, c, &own, w);
        convolve(8, c, &own, &in, bias, false, y, argmax);
    }
}

void tensor_winograd_conv2d_pooled_backward_data(const hiss_conv *c, const float *dy, const int32_t *argmax,
                                                 const float *w, float *dx, bool accumulate, float *scratch) {
    const hiss_conv m = turned(c);
    const work own = work_of(&m, scratch);
    const images in = {dy, argmax};
    if (own.t.n == 6) {
        turned_kernels(6, c, &own, w);
        convolve(6, &m, &own, &in, NULL, accumulate, dx, NULL);
    } else {
        turned_kernels(8, c, &own, w);
        convolve(8, &m, &own, &in, NULL, accumulate, dx, NULL);
    }
}

void tensor_winograd_conv2d_pooled_backward_weight(const hiss_conv *c, const float *x, const float *dy,
                                                   const int32_t *argmax, float *dw, bool accumulate, float *scratch) {
    const work own = work_of(c, scratch);
    const images gradient = {dy, argmax};
    if (own.t.n == 6) {
        gather_weights(6, c, &own, x, &gradient, accumulate, dw);
    } else {
        gather_weights(8, c, &own, x, &gradient, accumulate, dw);
    }
}

void tensor_winograd_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                    float *scratch) {
    tensor_winograd_conv2d_pooled_forward(c, x, w, bias, y, NULL, scratch);
}

void tensor_winograd_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx,
                                          bool accumulate, float *scratch) {
    tensor_winograd_conv2d_pooled_backward_data(c, dy, NULL, w, dx, accumulate, scratch);
}

void tensor_winograd_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                            bool accumulate, float *scratch) {
    tensor_winograd_conv2d_pooled_backward_weight(c, x, dy, NULL, dw, accumulate, scratch);
}
