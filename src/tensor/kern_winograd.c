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

enum {
    N_MAX = 8,
    R_MAX = 5,
    OUT = 4,
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

/* ---- points: 0, infinity, and pairs of plus and minus. Of short binary fractions these have the smallest errors ---- */

static ALWAYS_INLINE int64_t pairs(int64_t n) {
    return n / 2 - 1;
}

static ALWAYS_INLINE float point(int64_t n, int64_t i) {
    return n == 6 ? (i == 0 ? 0.75f : 1.5f) : i == 0 ? 0.5f : i == 1 ? 1.0f : 1.75f;
}

static ALWAYS_INLINE float square(int64_t n, int64_t i) {
    return point(n, i) * point(n, i);
}

static ALWAYS_INLINE float cube(int64_t n, int64_t i) {
    return square(n, i) * point(n, i);
}

/* Sum and product of the squares of the other pairs; n 6 has one, n 8 two. */
static ALWAYS_INLINE float other_sum(int64_t n, int64_t i) {
    return n == 6 ? square(n, 1 - i) : square(n, (i + 1) % 3) + square(n, (i + 2) % 3);
}

static ALWAYS_INLINE float other_product(int64_t n, int64_t i) {
    return n == 6 ? square(n, 1 - i) : square(n, (i + 1) % 3) * square(n, (i + 2) % 3);
}

/* One over the product of a point's distances from the others: of 0, and of either of pair i. */
static ALWAYS_INLINE float zero_weight(int64_t n) {
    return (n == 6 ? 1.0f : -1.0f) / (square(n, 0) * other_product(n, 0));
}

static ALWAYS_INLINE float pair_weight(int64_t n, int64_t i) {
    float product = 2 * square(n, i);
    for (int64_t j = 0; j < pairs(n); j++) {
        product *= j == i ? 1 : square(n, i) - square(n, j);
    }
    return 1 / product;
}

/* ---- transforms of one line, by those matrices; n is a constant of the caller ---- */

/* The polynomial with roots at all pairs, of d[0], d[2], ..., d[n-2], lines `step` apart; and at all but pair i. */
static ALWAYS_INLINE vec all_roots(int64_t n, const vec *d, int64_t step) {
    const float sum = square(n, 0) + other_sum(n, 0), product = square(n, 0) * other_product(n, 0);
    if (n == 6) {
        return multiply_add(product, d[0], multiply_add(-sum, d[2 * step], d[4 * step]));
    }
    const float mixed = square(n, 0) * other_sum(n, 0) + other_product(n, 0);
    return multiply_add(-product, d[0], multiply_add(mixed, d[2 * step], multiply_add(-sum, d[4 * step], d[6 * step])));
}

static ALWAYS_INLINE vec other_roots(int64_t n, int64_t i, const vec *d, int64_t step) {
    if (n == 6) {
        return multiply_add(-other_sum(n, i), d[0], d[2 * step]);
    }
    return multiply_add(other_product(n, i), d[0], multiply_add(-other_sum(n, i), d[2 * step], d[4 * step]));
}

/* plus, minus = even +- p odd */
static ALWAYS_INLINE void apart(float p, vec even, vec odd, vec *plus, vec *minus) {
    *plus = multiply_add(p, odd, even);
    *minus = multiply_add(-p, odd, even);
}

static ALWAYS_INLINE void input_line(int64_t n, const vec *d, int64_t step, vec *out, int64_t out_step) {
    out[0] = all_roots(n, d, step);
    for (int64_t i = 0; i < pairs(n); i++) {
        apart(point(n, i), other_roots(n, i, d + 2 * step, step), other_roots(n, i, d + step, step),
              &out[(1 + 2 * i) * out_step], &out[(2 + 2 * i) * out_step]);
    }
    out[(n - 1) * out_step] = all_roots(n, d + step, step);
}

static ALWAYS_INLINE void output_line(int64_t n, const vec *m, int64_t step, vec *out, int64_t out_step) {
    vec even = m[0], odd = {0}, far_even = {0}, far_odd = m[(n - 1) * step];
    for (int64_t i = 0; i < pairs(n); i++) {
        const vec a = m[(1 + 2 * i) * step], b = m[(2 + 2 * i) * step], sum = a + b, difference = a - b;
        even += sum;
        odd = multiply_add(point(n, i), difference, odd);
        far_even = multiply_add(square(n, i), sum, far_even);
        far_odd = multiply_add(cube(n, i), difference, far_odd);
    }
    out[0] = even;
    out[out_step] = odd;
    out[2 * out_step] = far_even;
    out[3 * out_step] = far_odd;
}

/* The transpose of output_line. */
static ALWAYS_INLINE void gradient_line(int64_t n, const vec *y, int64_t step, vec *out, int64_t out_step) {
    out[0] = y[0];
    for (int64_t i = 0; i < pairs(n); i++) {
        apart(point(n, i), multiply_add(square(n, i), y[2 * step], y[0]),
              multiply_add(square(n, i), y[3 * step], y[step]), &out[(1 + 2 * i) * out_step],
              &out[(2 + 2 * i) * out_step]);
    }
    out[(n - 1) * out_step] = y[3 * step];
}

/* R values of the kernel to n. */
static ALWAYS_INLINE void kernel_line(int64_t n, const vec *g, int64_t step, vec *out, int64_t out_step) {
    const int64_t r = n - OUT + 1;
    out[0] = zero_weight(n) * g[0];
    for (int64_t i = 0; i < pairs(n); i++) {
        vec even = multiply_add(square(n, i), g[2 * step], g[0]), odd = g[step];
        if (r == 5) {
            even = multiply_add(square(n, i) * square(n, i), g[4 * step], even);
            odd = multiply_add(square(n, i), g[3 * step], odd);
        }
        apart(pair_weight(n, i) * point(n, i), pair_weight(n, i) * even, odd, &out[(1 + 2 * i) * out_step],
              &out[(2 + 2 * i) * out_step]);
    }
    out[(n - 1) * out_step] = g[(r - 1) * step];
}

/* The transpose of kernel_line. */
static ALWAYS_INLINE void kernel_line_adjoint(int64_t n, const vec *u, int64_t step, vec *out, int64_t out_step) {
    const int64_t r = n - OUT + 1;
    vec g[R_MAX] = {zero_weight(n) * u[0]};
    for (int64_t i = 0; i < pairs(n); i++) {
        const vec even = pair_weight(n, i) * (u[(1 + 2 * i) * step] + u[(2 + 2 * i) * step]);
        const vec odd = pair_weight(n, i) * (u[(1 + 2 * i) * step] - u[(2 + 2 * i) * step]);
        g[0] += even;
        g[1] = multiply_add(point(n, i), odd, g[1]);
        g[2] = multiply_add(square(n, i), even, g[2]);
        if (r == 5) {
            g[3] = multiply_add(cube(n, i), odd, g[3]);
            g[4] = multiply_add(square(n, i) * square(n, i), even, g[4]);
        }
    }
    g[r - 1] += u[(n - 1) * step];
    for (int64_t k = 0; k < r; k++) {
        out[k * out_step] = g[k];
    }
}

/* ---- transforms of tiles, LANES channels at a time ---- */

/* u = G g G' */
static ALWAYS_INLINE void kernel_tile(int64_t n, const vec *g, vec *u) {
    const int64_t r = n - OUT + 1;
    vec half[N_MAX * R_MAX];
    for (int64_t j = 0; j < r; j++) {
        kernel_line(n, g + j, r, half + j, r);
    }
    for (int64_t i = 0; i < n; i++) {
        kernel_line(n, half + i * r, 1, u + i * n, 1);
    }
}

/* g = G' u G */
static ALWAYS_INLINE void kernel_tile_adjoint(int64_t n, const vec *u, vec *g) {
    const int64_t r = n - OUT + 1;
    vec half[R_MAX * N_MAX];
    for (int64_t j = 0; j < n; j++) {
        kernel_line_adjoint(n, u + j, n, half + j, n);
    }
    for (int64_t i = 0; i < r; i++) {
        kernel_line_adjoint(n, half + i * n, 1, g + i * r, 1);
    }
}

/* V_k[C] of one tile at x, whose pixel rows lie `row` floats apart; planes lie `planes` floats apart. */
static ALWAYS_INLINE void input_tile(int64_t n, int64_t C, const float *x, int64_t row, float *v, int64_t planes) {
    for (int64_t c = 0; c < C; c += LANES) {
        vec d[N_MAX], half[N_MAX * N_MAX], out[N_MAX];
        for (int64_t j = 0; j < n; j++) {
            for (int64_t i = 0; i < n; i++) {
                d[i] = load(x + i * row + j * C + c);
            }
            input_line(n, d, 1, half + j, n);
        }
        for (int64_t i = 0; i < n; i++) {
            input_line(n, half + i * n, 1, out, 1);
            for (int64_t j = 0; j < n; j++) {
                store(v + (i * n + j) * planes + c, out[j]);
            }
        }
    }
}

/* The 4 x 4 outputs of one tile; to[16]: NULL outside the image. */
static ALWAYS_INLINE void output_tile(int64_t n, int64_t F, const float *m, int64_t planes, const float *bias,
                                      bool accumulate, float *const *to) {
    for (int64_t f = 0; f < F; f += LANES) {
        vec in[N_MAX], half[OUT * N_MAX], out[OUT];
        for (int64_t j = 0; j < n; j++) {
            for (int64_t i = 0; i < n; i++) {
                in[i] = load(m + (i * n + j) * planes + f);
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

/* A dy A' of one tile; at[16]: its gradients, or zeros. */
static ALWAYS_INLINE void gradient_tile(int64_t n, int64_t F, const float *const *at, float *d, int64_t planes) {
    for (int64_t f = 0; f < F; f += LANES) {
        vec y[OUT], half[N_MAX * OUT], out[N_MAX];
        for (int64_t j = 0; j < OUT; j++) {
            for (int64_t i = 0; i < OUT; i++) {
                y[i] = load(at[i * OUT + j] + f);
            }
            gradient_line(n, y, 1, half + j, OUT);
        }
        for (int64_t i = 0; i < n; i++) {
            gradient_line(n, half + i * OUT, 1, out, 1);
            for (int64_t j = 0; j < n; j++) {
                store(d + (i * n + j) * planes + f, out[j]);
            }
        }
    }
}

/* ---- groups of tiles ---- */

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
    w.in_apart = plane(w.t.group, c->C);
    w.out_apart = plane(w.t.group, c->F);
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

/* The image into the frame; what lies around stays zero. */
static void into_frame(const hiss_conv *c, const float *x, float *frame) {
    const int64_t row = frame_width(c) * c->C;
    for (int64_t h = 0; h < c->H; h++, x += c->W * c->C) {
        memcpy(frame + (h + c->pad) * row + c->pad * c->C, x, sizeof(float) * (size_t)(c->W * c->C));
    }
}

/* Tiles first .. first+T-1 of all; groups come in order, so the frame holds the image that a group begins in. */
static ALWAYS_INLINE void inputs(int64_t n, const hiss_conv *c, const work *w, int64_t first, int64_t T,
                                 const float *x) {
    const int64_t row = frame_width(c) * c->C, per_image = w->t.down * w->t.across;
    for (int64_t i = first; i < first + T; i++) {
        const int64_t tile = i % per_image, p = tile / w->t.across, q = tile % w->t.across;
        if (tile == 0) {
            into_frame(c, x + i / per_image * c->H * c->W * c->C, w->frame);
        }
        input_tile(n, c->C, w->frame + OUT * (p * row + q * c->C), row, w->in + (i - first) * c->C, w->in_apart);
    }
}

/* to[16]: where the outputs of tile i lie in y, or `outside`. */
static void output_places(const hiss_conv *c, const tiling *t, int64_t i, float *y, float *outside, float **to) {
    const int64_t image = i / (t->down * t->across), top = i / t->across % t->down * OUT, left = i % t->across * OUT;
    for (int64_t k = 0; k < OUT * OUT; k++) {
        const int64_t p = top + k / OUT, q = left + k % OUT;
        to[k] = p < c->P && q < c->Q ? y + ((image * c->P + p) * c->Q + q) * c->F : outside;
    }
}

static ALWAYS_INLINE void outputs(int64_t n, const hiss_conv *c, const work *w, int64_t first, int64_t T,
                                  const float *bias, bool accumulate, float *y) {
    float *to[OUT * OUT];
    for (int64_t i = 0; i < T; i++) {
        output_places(c, &w->t, first + i, y, NULL, to);
        output_tile(n, c->F, w->out + i * c->F, w->out_apart, bias, accumulate, to);
    }
}

static ALWAYS_INLINE void gradients(int64_t n, const hiss_conv *c, const work *w, int64_t first, int64_t T,
                                    const float *dy) {
    float *from[OUT * OUT];
    for (int64_t i = 0; i < T; i++) {
        output_places(c, &w->t, first + i, (float *)dy, w->zeros, from);
        gradient_tile(n, c->F, (const float *const *)from, w->out + i * c->F, w->out_apart);
    }
}

static int64_t group_at(const tiling *t, int64_t first) {
    return t->tiles - first < t->group ? t->tiles - first : t->group;
}

/* y (+)= convolution of x with the transformed kernel in w. */
static ALWAYS_INLINE void convolve(int64_t n, const hiss_conv *c, const work *w, const float *x, const float *bias,
                                   bool accumulate, float *y) {
    for (int64_t first = 0; first < w->t.tiles; first += w->t.group) {
        const int64_t T = group_at(&w->t, first);
        inputs(n, c, w, first, T, x);
        for (int64_t k = 0; k < n * n; k++) {
            tensor_block_multiply(T, c->F, c->C, (tensor_left){w->in + k * w->in_apart, c->C, 1},
                                  (tensor_right){w->kernel + k * w->kernel_apart, HISS_PANEL, c->C * HISS_PANEL},
                                  w->out + k * w->out_apart, c->F, false);
        }
        outputs(n, c, w, first, T, bias, accumulate, y);
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
    if (own.t.n == 6) {
        kernels(6, c, &own, w);
        convolve(6, c, &own, x, bias, false, y);
    } else {
        kernels(8, c, &own, w);
        convolve(8, c, &own, x, bias, false, y);
    }
}

void tensor_winograd_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx,
                                          bool accumulate, float *scratch) {
    const hiss_conv m = turned(c);
    const work own = work_of(&m, scratch);
    if (own.t.n == 6) {
        turned_kernels(6, c, &own, w);
        convolve(6, &m, &own, dy, NULL, accumulate, dx);
    } else {
        turned_kernels(8, c, &own, w);
        convolve(8, &m, &own, dy, NULL, accumulate, dx);
    }
}

static ALWAYS_INLINE void gather_weights(int64_t n, const hiss_conv *c, const work *w, const float *x, const float *dy,
                                         bool accumulate, float *dw) {
    for (int64_t first = 0; first < w->t.tiles; first += w->t.group) {
        const int64_t T = group_at(&w->t, first);
        inputs(n, c, w, first, T, x);
        gradients(n, c, w, first, T, dy);
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
    if (own.t.n == 6) {
        gather_weights(6, c, &own, x, dy, accumulate, dw);
    } else {
        gather_weights(8, c, &own, x, dy, accumulate, dw);
    }
}
