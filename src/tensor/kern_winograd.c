/* Convolutions of stride 1 by Winograd's minimal filtering (Lavin & Gray, "Fast Algorithms for Convolutional Neural
 * Networks", 2016): 2 x 2 outputs from tiles of n x n inputs, n = R + 1, with n*n products per channel pair instead of
 * 4 R*R: 2.25 times fewer for 3 x 3 kernels (points 0, 1, -1 and infinity), 2.78 times for 5 x 5 (0, 3/4,
 * -3/4, 3/2, -3/2 and infinity).
 *
 * With V = B' d B of an input tile d, U = G g G' of the kernel g, the output tile is A' (U V) A. In the n*n positions
 * of a tile the products over channels are matrix products, M_k[T,F] = V_k[T,C] U_k[C,F], over the T tiles of a few
 * images at a time. The passes:
 *   forward          as above
 *   backward_data    the same with dy for x and the kernel turned by 180 degrees
 *   backward_weight  the adjoint with respect to g: dg = G' (sum over tiles of V_k' (A dy A')_k) G
 * Largest errors, relative to the size of a sum of so many products: 1e-6 for 3 x 3, 4e-6 for 5 x 5 and 9e-6 for its
 * backward_weight. The sizes of groups depend on the shape alone.
 *
 * Cost: 2 n n T F C flops in products, about (n n)(C + F) T additions and as many loads and stores in transforms. */
#include "tensor/kern_block.h"
#include "tensor/kern_impl.h"
#include "tensor/kern_vec.h"

enum {
    N_MAX = 6,
    R_MAX = 5,
    OUT = 2,
    GROUP = 128,     /* tiles at least, so that U is not read too often */
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
    int64_t n, down, across, images, tiles; /* images in a group, tiles in a group */
} tiling;

static int64_t ceiling(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

static tiling tiling_of(const hiss_conv *c) {
    tiling t = {c->R + OUT - 1, ceiling(c->P, OUT), ceiling(c->Q, OUT), 0, 0};
    t.images = ceiling(GROUP, t.down * t.across);
    t.images = t.images < c->N ? t.images : c->N;
    t.tiles = t.images * t.down * t.across;
    return t;
}

static int64_t plane(int64_t rows, int64_t columns) {
    return rows * columns + APART;
}

/* The points of 5 x 5 kernels beside 0 and infinity, plus and minus, and their squares. Of points near 1 these have
 * the smallest errors, a third of those of 1 and 2, and short binary fractions. */
#define A1 0.75f
#define A2 0.5625f
#define B1 1.5f
#define B2 2.25f

/* ---- transforms of one line; n and r are constants of the caller ---- */

static ALWAYS_INLINE void input_line(int64_t n, const vec *d, int64_t step, vec *out, int64_t out_step) {
    if (n == 4) {
        out[0] = d[0] - d[2 * step];
        out[out_step] = d[step] + d[2 * step];
        out[2 * out_step] = d[2 * step] - d[step];
        out[3 * out_step] = d[step] - d[3 * step];
    } else {
        const vec even = d[4 * step] - B2 * d[2 * step], odd = A1 * (d[3 * step] - B2 * d[step]);
        const vec even_far = d[4 * step] - A2 * d[2 * step], odd_far = B1 * (d[3 * step] - A2 * d[step]);
        out[0] = A2 * B2 * d[0] - (A2 + B2) * d[2 * step] + d[4 * step];
        out[out_step] = even + odd;
        out[2 * out_step] = even - odd;
        out[3 * out_step] = even_far + odd_far;
        out[4 * out_step] = even_far - odd_far;
        out[5 * out_step] = A2 * B2 * d[step] - (A2 + B2) * d[3 * step] + d[5 * step];
    }
}

static ALWAYS_INLINE void output_line(int64_t n, const vec *m, int64_t step, vec *out, int64_t out_step) {
    const vec sum = m[step] + m[2 * step], difference = m[step] - m[2 * step];
    if (n == 4) {
        out[0] = m[0] + sum;
        out[out_step] = difference - m[3 * step];
    } else {
        out[0] = m[0] + sum + (m[3 * step] + m[4 * step]);
        out[out_step] = A1 * difference + B1 * (m[3 * step] - m[4 * step]) + m[5 * step];
    }
}

/* The transpose of output_line. */
static ALWAYS_INLINE void gradient_line(int64_t n, const vec *y, int64_t step, vec *out, int64_t out_step) {
    out[0] = y[0];
    if (n == 4) {
        out[out_step] = y[0] + y[step];
        out[2 * out_step] = y[0] - y[step];
        out[3 * out_step] = -y[step];
    } else {
        out[out_step] = y[0] + A1 * y[step];
        out[2 * out_step] = y[0] - A1 * y[step];
        out[3 * out_step] = y[0] + B1 * y[step];
        out[4 * out_step] = y[0] - B1 * y[step];
        out[5 * out_step] = y[step];
    }
}

static const float kernel_matrix_3[4][R_MAX] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
#define POWERS(p, over)                                                                                                \
    { (over), (over) * (p), (over) * (p) * (p), (over) * (p) * (p) * (p), (over) * (p) * (p) * (p) * (p) }
static const float kernel_matrix_5[6][R_MAX] = {
    POWERS(0, 1 / (A2 * B2)),
    POWERS(A1, 1 / (2 * A2 * (A2 - B2))),
    POWERS(-A1, 1 / (2 * A2 * (A2 - B2))),
    POWERS(B1, 1 / (2 * B2 * (B2 - A2))),
    POWERS(-B1, 1 / (2 * B2 * (B2 - A2))),
    {0, 0, 0, 0, 1},
};
#undef POWERS

typedef const float (*kernel_matrix)[R_MAX];

static kernel_matrix matrix_of(int64_t n) {
    return n == 4 ? kernel_matrix_3 : kernel_matrix_5;
}

/* ---- transforms of tiles, LANES channels at a time ---- */

/* u = G g G' */
static ALWAYS_INLINE void kernel_tile(int64_t n, const vec *g, vec *u) {
    const int64_t r = n - OUT + 1;
    kernel_matrix G = matrix_of(n);
    vec rows[N_MAX * R_MAX];
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < r; j++) {
            vec sum = G[i][0] * g[j];
            for (int64_t k = 1; k < r; k++) {
                sum += G[i][k] * g[k * r + j];
            }
            rows[i * r + j] = sum;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            vec sum = G[j][0] * rows[i * r];
            for (int64_t k = 1; k < r; k++) {
                sum += G[j][k] * rows[i * r + k];
            }
            u[i * n + j] = sum;
        }
    }
}

/* g = G' u G */
static ALWAYS_INLINE void kernel_tile_adjoint(int64_t n, const vec *u, vec *g) {
    const int64_t r = n - OUT + 1;
    kernel_matrix G = matrix_of(n);
    vec rows[R_MAX * N_MAX];
    for (int64_t i = 0; i < r; i++) {
        for (int64_t j = 0; j < n; j++) {
            vec sum = G[0][i] * u[j];
            for (int64_t k = 1; k < n; k++) {
                sum += G[k][i] * u[k * n + j];
            }
            rows[i * n + j] = sum;
        }
    }
    for (int64_t i = 0; i < r; i++) {
        for (int64_t j = 0; j < r; j++) {
            vec sum = G[0][j] * rows[i * n];
            for (int64_t k = 1; k < n; k++) {
                sum += G[k][j] * rows[i * n + k];
            }
            g[i * r + j] = sum;
        }
    }
}

/* V_k[C] of one tile at x, whose pixel rows lie `row` floats apart; planes lie `apart` floats apart. */
static ALWAYS_INLINE void input_tile(int64_t n, int64_t C, const float *x, int64_t row, float *v, int64_t apart) {
    for (int64_t c = 0; c < C; c += LANES) {
        vec d[N_MAX * N_MAX], half[N_MAX * N_MAX], out[N_MAX];
        for (int64_t k = 0; k < n * n; k++) {
            d[k] = load(x + k / n * row + k % n * C + c);
        }
        for (int64_t j = 0; j < n; j++) {
            input_line(n, d + j, n, half + j, n);
        }
        for (int64_t i = 0; i < n; i++) {
            input_line(n, half + i * n, 1, out, 1);
            for (int64_t j = 0; j < n; j++) {
                store(v + (i * n + j) * apart + c, out[j]);
            }
        }
    }
}

/* The 2 x 2 outputs of one tile; to[4]: NULL outside the image. */
static ALWAYS_INLINE void output_tile(int64_t n, int64_t F, const float *m, int64_t apart, const float *bias,
                                      bool accumulate, float *const *to) {
    for (int64_t f = 0; f < F; f += LANES) {
        vec in[N_MAX], half[OUT * N_MAX], out[OUT];
        for (int64_t j = 0; j < n; j++) {
            for (int64_t i = 0; i < n; i++) {
                in[i] = load(m + (i * n + j) * apart + f);
            }
            output_line(n, in, 1, half + j, n);
        }
        for (int64_t i = 0; i < OUT; i++) {
            output_line(n, half + i * n, 1, out, 1);
            for (int64_t j = 0; j < OUT; j++) {
                float *at = to[i * OUT + j];
                if (at) {
                    out[j] = bias ? out[j] + load(bias + f) : out[j];
                    store(at + f, accumulate ? load(at + f) + out[j] : out[j]);
                }
            }
        }
    }
}

/* A dy A' of one tile; at[4]: its gradients, or zeros. */
static ALWAYS_INLINE void gradient_tile(int64_t n, int64_t F, const float *const *at, float *d, int64_t apart) {
    for (int64_t f = 0; f < F; f += LANES) {
        vec y[OUT * OUT], half[N_MAX * OUT], out[N_MAX];
        for (int64_t k = 0; k < OUT * OUT; k++) {
            y[k] = load(at[k] + f);
        }
        for (int64_t j = 0; j < OUT; j++) {
            gradient_line(n, y + j, OUT, half + j, OUT);
        }
        for (int64_t i = 0; i < n; i++) {
            gradient_line(n, half + i * OUT, 1, out, 1);
            for (int64_t j = 0; j < n; j++) {
                store(d + (i * n + j) * apart + f, out[j]);
            }
        }
    }
}

/* ---- groups of images ---- */

/* What one pass works on; pointers into scratch. */
typedef struct work {
    tiling t;
    int64_t in_apart, out_apart, kernel_apart; /* floats between planes of in, out and kernel */
    float *zeros, *frame, *kernel, *in, *out;
} work;

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
    w.in_apart = plane(w.t.tiles, c->C);
    w.out_apart = plane(w.t.tiles, c->F);
    w.kernel_apart = plane(c->C, panels(c->F));
    w.zeros = scratch;
    w.frame = w.zeros + c->F;
    w.kernel = w.frame + frame_floats(c);
    w.in = w.kernel + planes * w.kernel_apart;
    w.out = w.in + planes * w.in_apart;
    memset(w.zeros, 0, sizeof(float) * (size_t)(w.kernel - w.zeros));
    return w;
}

static size_t scratch_of(const hiss_conv *c) {
    const tiling t = tiling_of(c);
    return (size_t)(c->F + frame_floats(c) +
                    t.n * t.n * (plane(t.tiles, c->C) + plane(t.tiles, c->F) + plane(c->C, panels(c->F))));
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

static ALWAYS_INLINE void inputs(int64_t n, const hiss_conv *c, const work *w, int64_t images, const float *x) {
    const int64_t row = frame_width(c) * c->C;
    float *to = w->in;
    for (int64_t i = 0; i < images; i++) {
        for (int64_t h = 0; h < c->H; h++, x += c->W * c->C) { /* what lies around stays zero */
            memcpy(w->frame + (h + c->pad) * row + c->pad * c->C, x, sizeof(float) * (size_t)(c->W * c->C));
        }
        for (int64_t p = 0; p < w->t.down; p++) {
            for (int64_t q = 0; q < w->t.across; q++, to += c->C) {
                input_tile(n, c->C, w->frame + OUT * (p * row + q * c->C), row, to, w->in_apart);
            }
        }
    }
}

/* to[4]: where the outputs of tile i lie in y, or `outside`. */
static void output_places(const hiss_conv *c, const tiling *t, int64_t i, float *y, float *outside, float *to[4]) {
    const int64_t image = i / (t->down * t->across), top = i / t->across % t->down * OUT, left = i % t->across * OUT;
    for (int64_t k = 0; k < OUT * OUT; k++) {
        const int64_t p = top + k / OUT, q = left + k % OUT;
        to[k] = p < c->P && q < c->Q ? y + ((image * c->P + p) * c->Q + q) * c->F : outside;
    }
}

static ALWAYS_INLINE void outputs(int64_t n, const hiss_conv *c, const work *w, int64_t images, const float *bias,
                                  bool accumulate, float *y) {
    float *to[OUT * OUT];
    for (int64_t i = 0; i < images * w->t.down * w->t.across; i++) {
        output_places(c, &w->t, i, y, NULL, to);
        output_tile(n, c->F, w->out + i * c->F, w->out_apart, bias, accumulate, to);
    }
}

static ALWAYS_INLINE void gradients(int64_t n, const hiss_conv *c, const work *w, int64_t images, const float *dy) {
    float *from[OUT * OUT];
    for (int64_t i = 0; i < images * w->t.down * w->t.across; i++) {
        output_places(c, &w->t, i, (float *)dy, w->zeros, from);
        gradient_tile(n, c->F, (const float *const *)from, w->out + i * c->F, w->out_apart);
    }
}

/* y (+)= convolution of x with the transformed kernel in w. */
static ALWAYS_INLINE void convolve(int64_t n, const hiss_conv *c, const work *w, const float *x, const float *bias,
                                   bool accumulate, float *y) {
    for (int64_t first = 0; first < c->N; first += w->t.images) {
        const int64_t images = c->N - first < w->t.images ? c->N - first : w->t.images;
        const int64_t T = images * w->t.down * w->t.across;
        inputs(n, c, w, images, x + first * c->H * c->W * c->C);
        for (int64_t k = 0; k < n * n; k++) {
            tensor_block_multiply(T, c->F, c->C, (tensor_left){w->in + k * w->in_apart, c->C, 1},
                                  (tensor_right){w->kernel + k * w->kernel_apart, HISS_PANEL, c->C * HISS_PANEL},
                                  w->out + k * w->out_apart, c->F, false);
        }
        outputs(n, c, w, images, bias, accumulate, y + first * c->P * c->Q * c->F);
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

void tensor_winograd_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                    float *scratch) {
    const work own = work_of(c, scratch);
    if (own.t.n == 4) {
        kernels(4, c, &own, w);
        convolve(4, c, &own, x, bias, false, y);
    } else {
        kernels(6, c, &own, w);
        convolve(6, c, &own, x, bias, false, y);
    }
}

void tensor_winograd_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx,
                                          bool accumulate, float *scratch) {
    const hiss_conv m = turned(c);
    const work own = work_of(&m, scratch);
    if (own.t.n == 4) {
        turned_kernels(4, c, &own, w);
        convolve(4, &m, &own, dy, NULL, accumulate, dx);
    } else {
        turned_kernels(6, c, &own, w);
        convolve(6, &m, &own, dy, NULL, accumulate, dx);
    }
}

static ALWAYS_INLINE void gather_weights(int64_t n, const hiss_conv *c, const work *w, const float *x, const float *dy,
                                         bool accumulate, float *dw) {
    for (int64_t first = 0; first < c->N; first += w->t.images) {
        const int64_t images = c->N - first < w->t.images ? c->N - first : w->t.images;
        const int64_t T = images * w->t.down * w->t.across;
        inputs(n, c, w, images, x + first * c->H * c->W * c->C);
        gradients(n, c, w, images, dy + first * c->P * c->Q * c->F);
        for (int64_t k = 0; k < n * n; k++) {
            tensor_block_multiply(c->F, c->C, T, (tensor_left){w->out + k * w->out_apart, 1, c->F},
                                  (tensor_right){w->in + k * w->in_apart, c->C, HISS_PANEL},
                                  w->kernel + k * w->kernel_apart, c->C, first > 0);
        }
    }
    weight_gradients(n, c, w, accumulate, dw);
}

void tensor_winograd_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                            bool accumulate, float *scratch) {
    const work own = work_of(c, scratch);
    if (own.t.n == 4) {
        gather_weights(4, c, &own, x, dy, accumulate, dw);
    } else {
        gather_weights(6, c, &own, x, dy, accumulate, dw);
    }
}
