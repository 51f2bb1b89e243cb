/* Direct convolution for short patches (K = R*S*C small): the first layers of networks, where copying patches into a
 * matrix costs more than multiplying it.
 *
 * Each image is copied once into a frame of zeros, so that no tap needs a test, and a tap becomes a fixed offset:
 *   forward          16 filters of NEAR neighbouring outputs stay in registers while the taps go by; weights lie
 *                    transposed, wt[K,Fp], Fp = F rounded up to 16
 *   backward_weight  TAPS taps times 16 filters stay in registers along one output row, then are added to dwt[Kp,Fp];
 *                    two levels of sums, so that rounding does not grow with the image
 *   backward_data    col[K,T] = w^T dy^T, T whole output rows; every row of col is added to the frame of dx as one run
 *                    (frame channels first, so that runs of stride-1 convolutions are contiguous)
 *
 * A stride-1 convolution from many channels to few filters, the last layer of a decoder, is the same seen from behind:
 * with the kernel turned by 180 degrees, forward and backward_data change places (the mirror).
 *
 * Each output is one sum in tap order, so the width of vectors does not show in the bits. Limits measured against the
 * products of kern_conv.c, with AVX2 and AVX-512. */
#include <string.h>

#include "tensor/kern_impl.h"
#include "tensor/kern_vec.h"

#if defined __AVX512F__
enum { NEAR = 14 };
#elif defined __AVX__
enum { NEAR = 4 };
#else
enum { NEAR = 2 };
#endif

enum {
    WIDE = 16,
    VECS = WIDE / LANES,
    TAPS = 5,
    LONGEST = 160,     /* taps for forward and backward_weight, a multiple of TAPS */
    LONGEST_DATA = 80, /* for backward_data and the mirror */
    FEW_FILTERS = 8,
    TILE_FLOATS = 32 * 1024
};

bool tensor_direct_can(const hiss_conv *c) {
    return c->R * c->S * c->C <= LONGEST;
}

bool tensor_direct_applies_to_weight(const hiss_conv *c) {
    return c->R * c->S > 1 && c->R * c->S * c->C <= LONGEST && c->F >= FEW_FILTERS;
}

/* Patches of whole vectors are copied fast; the own product is then the faster, and adds up outputs in the same order. */
bool tensor_direct_applies_to_forward(const hiss_conv *c) {
    return tensor_direct_applies_to_weight(c) && !(c->C % WIDE == 0 && tensor_tiled_can_own(c));
}

bool tensor_direct_applies_to_data(const hiss_conv *c) {
    return tensor_direct_applies_to_forward(c) && c->R * c->S * c->C <= LONGEST_DATA && c->stride == 1;
}

/* The convolution from y to x whose forward pass is the backward_data of c, and the other way round. */
static hiss_conv mirrored(const hiss_conv *c) {
    hiss_conv m = *c;
    m.H = c->P, m.W = c->Q, m.C = c->F;
    m.P = c->H, m.Q = c->W, m.F = c->C;
    m.pad = c->R - 1 - c->pad;
    return m;
}

bool tensor_mirror_can(const hiss_conv *c) {
    return c->stride == 1 && c->R == c->S && c->pad < c->R && c->R * c->S * c->F <= LONGEST;
}

bool tensor_mirror_applies(const hiss_conv *c) {
    const hiss_conv m = mirrored(c);
    return tensor_mirror_can(c) && c->F < FEW_FILTERS && tensor_direct_applies_to_data(&m);
}

static int64_t round_up(int64_t n, int64_t step) {
    return (n + step - 1) / step * step;
}

static int64_t frame_width(const hiss_conv *c) {
    return c->W + 2 * c->pad;
}

static int64_t frame_count(const hiss_conv *c) {
    return round_up((c->H + 2 * c->pad) * frame_width(c) * c->C, WIDE);
}

static int64_t patch(const hiss_conv *c) {
    return c->R * c->S * c->C;
}

/* Output rows per product of backward_data. */
static int64_t tile_rows(const hiss_conv *c) {
    int64_t rows = TILE_FLOATS / (patch(c) * c->Q);
    return rows < 1 ? 1 : rows < c->P ? rows : c->P;
}

size_t tensor_direct_conv2d_scratch(const hiss_conv *c) {
    int64_t weights = round_up(patch(c), TAPS) * round_up(c->F, WIDE) + 2 * c->Q * round_up(c->F, WIDE);
    int64_t col = tile_rows(c) * c->Q * patch(c);
    return (size_t)(frame_count(c) + (weights > col ? weights : col));
}

/* offset[k] of tap k = (r*S + s)*C + channel from the frame position of an output; those from K to Kp repeat tap 0. */
static void offsets(const hiss_conv *c, int64_t offset[LONGEST]) {
    for (int64_t k = 0; k < LONGEST; k++) {
        int64_t r = k / (c->S * c->C);
        offset[k] = k < patch(c) ? r * frame_width(c) * c->C + k % (c->S * c->C) : 0;
    }
}

static void into_frame(const hiss_conv *c, const float *image, float *frame) {
    memset(frame, 0, sizeof(float) * (size_t)frame_count(c));
    for (int64_t h = 0; h < c->H; h++) {
        memcpy(frame + ((h + c->pad) * frame_width(c) + c->pad) * c->C, image + h * c->W * c->C,
               sizeof(float) * (size_t)(c->W * c->C));
    }
}

/* y[0..near-1][0..filters-1] of neighbouring outputs; near <= NEAR is a constant of the caller. */
static inline __attribute__((always_inline)) void forward_block(const hiss_conv *c, const int64_t *offset,
                                                                const float *at, const float *wt,
                                                                const float bias[WIDE], int near, float *y,
                                                                int64_t filters) {
    int64_t K = patch(c), Fp = round_up(c->F, WIDE), step = c->stride * c->C;
    vec sum[NEAR][VECS];
    for (int j = 0; j < near; j++) {
        for (int v = 0; v < VECS; v++) {
            sum[j][v] = load(bias + v * LANES);
        }
    }
    for (int64_t k = 0; k < K; k++) {
        const float *tap = at + offset[k];
        for (int v = 0; v < VECS; v++) {
            vec weight = load(wt + k * Fp + v * LANES);
            for (int j = 0; j < near; j++) {
                sum[j][v] = multiply_add(tap[j * step], weight, sum[j][v]);
            }
        }
    }
    for (int j = 0; j < near; j++) {
        float out[WIDE];
        for (int v = 0; v < VECS; v++) {
            store(filters >= WIDE ? y + j * c->F + v * LANES : out + v * LANES, sum[j][v]);
        }
        if (filters < WIDE) {
            memcpy(y + j * c->F, out, sizeof(float) * (size_t)filters);
        }
    }
}

static void forward_row(const hiss_conv *c, const int64_t *offset, const float *at, const float *wt, const float *bias,
                        float *y) {
    int64_t step = c->stride * c->C;
    for (int64_t f = 0; f < c->F; f += WIDE) {
        int64_t filters = c->F - f, q = 0;
        float start[WIDE] = {0};
        if (bias) {
            memcpy(start, bias + f, sizeof(float) * (size_t)(filters < WIDE ? filters : WIDE));
        }
        for (; c->Q >= NEAR && q < c->Q; q += NEAR) {
            q = q + NEAR <= c->Q ? q : c->Q - NEAR; /* the last block may repeat outputs of the one before */
            forward_block(c, offset, at + q * step, wt + f, start, NEAR, y + q * c->F + f, filters);
        }
        for (; q < c->Q; q++) {
            forward_block(c, offset, at + q * step, wt + f, start, 1, y + q * c->F + f, filters);
        }
    }
}

/* wt[K,Fp] of w. */
static void turn_weights(const hiss_conv *c, const float *w, float *wt) {
    int64_t K = patch(c), Fp = round_up(c->F, WIDE);
    memset(wt, 0, sizeof(float) * (size_t)(K * Fp));
    for (int64_t f = 0; f < c->F; f++) {
        for (int64_t k = 0; k < K; k++) {
            wt[k * Fp + f] = w[f * K + k];
        }
    }
}

static void forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y, bool accumulate,
                    float *scratch) {
    int64_t offset[LONGEST];
    float *frame = scratch, *wt = frame + frame_count(c), *row = wt + patch(c) * round_up(c->F, WIDE);
    offsets(c, offset);
    turn_weights(c, w, wt);
    for (int64_t n = 0; n < c->N; n++) {
        into_frame(c, x + n * c->H * c->W * c->C, frame);
        for (int64_t p = 0; p < c->P; p++) {
            float *out = y + (n * c->P + p) * c->Q * c->F;
            forward_row(c, offset, frame + p * c->stride * frame_width(c) * c->C, wt, bias, accumulate ? row : out);
            for (int64_t i = 0; i < c->Q * c->F && accumulate; i++) {
                out[i] += row[i];
            }
        }
    }
}

void tensor_direct_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                  float *scratch) {
    forward(c, x, w, bias, y, false, scratch);
}

void tensor_direct_conv2d_pooled_forward(const hiss_conv *c, const float *x, const float *w, const float *bias,
                                         float *y, uint8_t *argmax, float *scratch) {
    int64_t offset[LONGEST], row = c->Q * c->F, down = c->stride * frame_width(c) * c->C;
    float *frame = scratch, *wt = frame + frame_count(c), *rows = wt + patch(c) * round_up(c->F, WIDE);
    offsets(c, offset);
    turn_weights(c, w, wt);
    for (int64_t n = 0; n < c->N; n++) {
        into_frame(c, x + n * c->H * c->W * c->C, frame);
        for (int64_t p = 0; p < c->P / 2; p++, y += c->Q / 2 * c->F, argmax += c->Q / 2 * c->F) {
            const tensor_row_pair r = {c->Q / 2, c->F, row};
            forward_row(c, offset, frame + 2 * p * down, wt, bias, rows);
            forward_row(c, offset, frame + (2 * p + 1) * down, wt, bias, rows + row);
            tensor_pool_rows(&r, rows, y, argmax);
        }
    }
}

/* dwt[0..TAPS-1][0..15] += sum over one output row of taps times gradients; dy rows lie ldy apart. */
static void weight_row(const hiss_conv *c, const int64_t *offset, const float *at, const float *dy, int64_t ldy,
                       float *dwt) {
    int64_t Fp = round_up(c->F, WIDE), step = c->stride * c->C;
    vec sum[TAPS][VECS] = {{{0}}};
    for (int64_t q = 0; q < c->Q; q++) {
        for (int v = 0; v < VECS; v++) {
            vec gradient = load(dy + q * ldy + v * LANES);
            for (int i = 0; i < TAPS; i++) {
                sum[i][v] = multiply_add(at[q * step + offset[i]], gradient, sum[i][v]);
            }
        }
    }
    for (int i = 0; i < TAPS; i++) {
        for (int v = 0; v < VECS; v++) {
            float *to = dwt + i * Fp + v * LANES;
            store(to, load(to) + sum[i][v]);
        }
    }
}

/* The last filters of a row of dy, fewer than WIDE, with zeros behind: tail[Q,WIDE]. */
static void copy_tail(const hiss_conv *c, const float *dy, int64_t filters, float *tail) {
    for (int64_t q = 0; q < c->Q; q++) {
        memset(tail + q * WIDE, 0, sizeof(float) * WIDE);
        memcpy(tail + q * WIDE, dy + q * c->F, sizeof(float) * (size_t)filters);
    }
}

/* dwt += over one output row with the gradients dy[Q,F], the taps of its first output at `at`. */
static void weights_row(const hiss_conv *c, const int64_t *offset, const float *at, const float *dy, float *dwt,
                        float *tail) {
    int64_t K = patch(c), Fp = round_up(c->F, WIDE);
    for (int64_t f = 0; f < c->F; f += WIDE) {
        bool whole = f + WIDE <= c->F;
        if (!whole) {
            copy_tail(c, dy + f, c->F - f, tail);
        }
        for (int64_t k = 0; k < K; k += TAPS) {
            weight_row(c, offset + k, at, whole ? dy + f : tail, whole ? c->F : WIDE, dwt + k * Fp + f);
        }
    }
}

/* dw (+)= dwt' */
static void turn_weight_gradients(const hiss_conv *c, const float *dwt, bool accumulate, float *dw) {
    int64_t K = patch(c), Fp = round_up(c->F, WIDE);
    for (int64_t f = 0; f < c->F; f++) {
        for (int64_t k = 0; k < K; k++) {
            dw[f * K + k] = (accumulate ? dw[f * K + k] : 0) + dwt[k * Fp + f];
        }
    }
}

void tensor_direct_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                          bool accumulate, float *scratch) {
    int64_t padded = round_up(patch(c), TAPS) * round_up(c->F, WIDE), offset[LONGEST];
    float *frame = scratch, *dwt = frame + frame_count(c), *tail = dwt + padded;
    offsets(c, offset);
    memset(dwt, 0, sizeof(float) * (size_t)padded);
    for (int64_t n = 0; n < c->N; n++) {
        into_frame(c, x + n * c->H * c->W * c->C, frame);
        for (int64_t p = 0; p < c->P; p++) {
            weights_row(c, offset, frame + p * c->stride * frame_width(c) * c->C, dy + (n * c->P + p) * c->Q * c->F,
                        dwt, tail);
        }
    }
    turn_weight_gradients(c, dwt, accumulate, dw);
}

/* Filters are whole vectors of WIDE here, so there is no tail. */
void tensor_direct_conv2d_pooled_backward_weight(const hiss_conv *c, const float *x, const float *dy,
                                                 const uint8_t *argmax, float *dw, bool accumulate, float *scratch) {
    int64_t padded = round_up(patch(c), TAPS) * c->F, offset[LONGEST], row = c->Q * c->F;
    int64_t down = c->stride * frame_width(c) * c->C;
    float *frame = scratch, *dwt = frame + frame_count(c), *rows = dwt + padded;
    offsets(c, offset);
    memset(dwt, 0, sizeof(float) * (size_t)(padded + 2 * row));
    for (int64_t n = 0; n < c->N; n++) {
        into_frame(c, x + n * c->H * c->W * c->C, frame);
        for (int64_t p = 0; p < c->P / 2; p++, dy += c->Q / 2 * c->F, argmax += c->Q / 2 * c->F) {
            const tensor_row_pair r = {c->Q / 2, c->F, row};
            tensor_unpool_rows(&r, dy, argmax, rows);
            weights_row(c, offset, frame + 2 * p * down, rows, dwt, NULL);
            weights_row(c, offset, frame + (2 * p + 1) * down, rows + row, dwt, NULL);
        }
    }
    turn_weight_gradients(c, dwt, accumulate, dw);
}

/* Add col[K,T] of output rows p0 .. p0+rows-1 to the frame [C, H + 2 pad, W + 2 pad]. */
static void scatter_rows(const hiss_conv *c, const float *col, int64_t p0, int64_t rows, float *frame) {
    int64_t plane = (c->H + 2 * c->pad) * frame_width(c);
    for (int64_t k = 0; k < patch(c); k++) {
        int64_t r = k / (c->S * c->C), s = k / c->C % c->S, channel = k % c->C;
        for (int64_t p = p0; p < p0 + rows; p++, col += c->Q) {
            float *to = frame + channel * plane + (p * c->stride + r) * frame_width(c) + s;
            if (c->stride == 1) {
                for (int64_t q = 0; q < c->Q; q++) {
                    to[q] += col[q];
                }
            } else {
                for (int64_t q = 0; q < c->Q; q++) {
                    to[q * c->stride] += col[q];
                }
            }
        }
    }
}

static void out_of_frame(const hiss_conv *c, const float *frame, float *image, bool accumulate) {
    int64_t plane = (c->H + 2 * c->pad) * frame_width(c);
    for (int64_t h = 0; h < c->H; h++) {
        for (int64_t channel = 0; channel < c->C; channel++) {
            const float *from = frame + channel * plane + (h + c->pad) * frame_width(c) + c->pad;
            float *to = image + h * c->W * c->C + channel;
            for (int64_t w = 0; w < c->W; w++) {
                to[w * c->C] = (accumulate ? to[w * c->C] : 0) + from[w];
            }
        }
    }
}

void tensor_direct_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx, bool accumulate,
                                        float *scratch) {
    int64_t K = patch(c), step = tile_rows(c);
    float *frame = scratch, *col = scratch + frame_count(c);
    for (int64_t n = 0; n < c->N; n++) {
        memset(frame, 0, sizeof(float) * (size_t)frame_count(c));
        for (int64_t p = 0; p < c->P; p += step) {
            int64_t rows = c->P - p < step ? c->P - p : step, T = rows * c->Q;
            tensor_fast_gemm(true, true, K, T, c->F, 1, w, K, dy + (n * c->P + p) * c->Q * c->F, c->F, 0, col, T);
            scatter_rows(c, col, p, rows, frame);
        }
        out_of_frame(c, frame, dx + n * c->H * c->W * c->C, accumulate);
    }
}

/* m[C,R,S,F] = w[F,R,S,C] turned by 180 degrees; its own inverse up to the exchange of C and F. */
static void turn(int64_t F, int64_t taps, int64_t C, const float *w, float *m) {
    for (int64_t f = 0; f < F; f++) {
        for (int64_t t = 0; t < taps; t++) {
            for (int64_t channel = 0; channel < C; channel++) {
                m[(channel * taps + taps - 1 - t) * F + f] = w[(f * taps + t) * C + channel];
            }
        }
    }
}

size_t tensor_mirror_conv2d_scratch(const hiss_conv *c) {
    hiss_conv m = mirrored(c);
    return (size_t)round_up(c->F * patch(c), WIDE) + tensor_direct_conv2d_scratch(&m);
}

void tensor_mirror_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                  float *scratch) {
    hiss_conv m = mirrored(c);
    for (int64_t i = 0; i < c->N * c->P * c->Q && bias; i++) {
        memcpy(y + i * c->F, bias, sizeof(float) * (size_t)c->F);
    }
    turn(c->F, c->R * c->S, c->C, w, scratch);
    tensor_direct_conv2d_backward_data(&m, x, scratch, y, bias != NULL, scratch + round_up(c->F * patch(c), WIDE));
}

void tensor_mirror_conv2d_backward_data(const hiss_conv *c, const float *dy, const float *w, float *dx, bool accumulate,
                                        float *scratch) {
    hiss_conv m = mirrored(c);
    turn(c->F, c->R * c->S, c->C, w, scratch);
    forward(&m, dy, scratch, NULL, dx, accumulate, scratch + round_up(c->F * patch(c), WIDE));
}

void tensor_mirror_conv2d_backward_weight(const hiss_conv *c, const float *x, const float *dy, float *dw,
                                          bool accumulate, float *scratch) {
    hiss_conv m = mirrored(c);
    float *turned = scratch;
    if (accumulate) {
        turn(c->F, c->R * c->S, c->C, dw, turned);
    }
    tensor_direct_conv2d_backward_weight(&m, dy, x, turned, accumulate, scratch + round_up(c->F * patch(c), WIDE));
    turn(c->C, c->R * c->S, c->F, turned, dw);
}
