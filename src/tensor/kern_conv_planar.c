/* Convolution of stride 1 from few channels to few filters, such as the fixed image gradients a network may begin with:
 * too few for vectors along channels or filters, so vectors lie along the row. Each image is taken apart into planes,
 * one per channel, with a frame of zeros; an output row of a filter is a sum over taps of shifted input rows, in tap
 * order.
 *
 * Cost: 2 N P Q F R S C flops, a pass over x and one over y. Forward only: such layers seldom learn. */
#include "tensor/kern_impl.h"
#include "tensor/kern_vec.h"

enum { FEW = 4 };

bool tensor_planar_applies(const hiss_conv *c) {
    return FUSES && c->stride == 1 && c->C <= FEW && c->F <= FEW && c->R * c->S > 1;
}

/* Planes are wide enough for whole vectors at the last tap. */
static int64_t output_width(const hiss_conv *c) {
    return (c->Q + LANES - 1) / LANES * LANES;
}

static int64_t plane_width(const hiss_conv *c) {
    const int64_t framed = c->W + 2 * c->pad, read = output_width(c) + c->S - 1;
    return framed > read ? framed : read;
}

static int64_t plane_floats(const hiss_conv *c) {
    return (c->H + 2 * c->pad) * plane_width(c);
}

size_t tensor_planar_conv2d_scratch(const hiss_conv *c) {
    return (size_t)(c->C * plane_floats(c) + FEW * output_width(c));
}

static void take_apart(const hiss_conv *c, const float *x, float *planes) {
    for (int64_t h = 0; h < c->H; h++, x += c->W * c->C) {
        for (int64_t channel = 0; channel < c->C; channel++) {
            float *to = planes + channel * plane_floats(c) + (h + c->pad) * plane_width(c) + c->pad;
            for (int64_t w = 0; w < c->W; w++) {
                to[w] = x[w * c->C + channel];
            }
        }
    }
}

/* rows[filters][output_width] of output row p; filters is a constant of the caller. */
static ALWAYS_INLINE void output_row(int filters, const hiss_conv *c, const float *planes, const float *w,
                                     const float *bias, int64_t p, float *rows) {
    const int64_t wide = plane_width(c), taps = c->R * c->S;
    for (int64_t q = 0; q < c->Q; q += LANES) {
        vec sum[FEW];
        for (int f = 0; f < filters; f++) {
            sum[f] = (bias ? bias[f] : 0) - (vec){0};
        }
        for (int64_t tap = 0; tap < taps; tap++) {
            const float *at = planes + (p + tap / c->S) * wide + q + tap % c->S;
            for (int64_t channel = 0; channel < c->C; channel++) {
                const vec value = load(at + channel * plane_floats(c));
                for (int f = 0; f < filters; f++) {
                    sum[f] = multiply_add(w[(f * taps + tap) * c->C + channel], value, sum[f]);
                }
            }
        }
        for (int f = 0; f < filters; f++) {
            store(rows + f * output_width(c) + q, sum[f]);
        }
    }
}

void tensor_planar_conv2d_forward(const hiss_conv *c, const float *x, const float *w, const float *bias, float *y,
                                  float *scratch) {
    float *planes = scratch, *rows = planes + c->C * plane_floats(c);
    memset(planes, 0, sizeof(float) * (size_t)(c->C * plane_floats(c)));
    for (int64_t n = 0; n < c->N; n++) {
        take_apart(c, x + n * c->H * c->W * c->C, planes);
        for (int64_t p = 0; p < c->P; p++, y += c->Q * c->F) {
            switch (c->F) {
            case 1:
                output_row(1, c, planes, w, bias, p, rows);
                break;
            case 2:
                output_row(2, c, planes, w, bias, p, rows);
                break;
            case 3:
                output_row(3, c, planes, w, bias, p, rows);
                break;
            default:
                output_row(FEW, c, planes, w, bias, p, rows);
                break;
            }
            for (int64_t f = 0; f < c->F; f++) {
                for (int64_t q = 0; q < c->Q; q++) {
                    y[q * c->F + f] = rows[f * output_width(c) + q];
                }
            }
        }
    }
}
