/* Views of images: one affine map with bilinear sampling, contrast, normalisation.
 *
 * Geometry. Coordinates are continuous, pixel (i, j) covers [j, j+1) x [i, i+1). A pixel of the view at offset (dx, dy)
 * from the view's centre, in view pixels, samples the image at
 *
 *     x = cx + px s (cos t f dx - sin t dy) + px tx        f = -1 mirrored, else 1;  t angle;  s scale
 *     y = cy + py s (sin t f dx + cos t dy) + py ty        (px, py) image pixels per view pixel
 *
 * With crop `window` the centre (cx, cy) is the image's and (px, py) = (W / width, H / height): the view is the whole
 * image. With `random` (px, py) = 1 and the centre is that of a height x width cut at a uniform whole offset. Values
 * between pixel centres are bilinear, pixels outside the image are zero. For square images this is PyTorch's
 * affine_grid and grid_sample (bilinear, zeros, align_corners false) of theta = s R(t) F with translation 2 (tx, ty) /
 * side.
 *
 * Draws. One view takes exactly DRAWS uniforms, in this order and whatever the options are: offset down, offset right,
 * scale, angle, mirror, ty, tx, contrast. A setting that is switched off never changes what the others draw.
 *
 * When no knob needs resampling, rows are copied (mirrored) and normalised only. Else each row is done in two passes
 * over pieces of PIECE pixels: coordinates, weights and offsets of the four neighbours, a plain loop that the compiler
 * turns into vector code, then the sums. A neighbour outside the image has weight zero and offset clamped into it.
 *
 * Sine and cosine are computed here, because libm's last bit depends on the processor.
 *
 * Cost: 2 to 4 ns a view pixel of one channel when resampling, 0.5 ns when copying. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hiss/data.h"
#include "hiss/number.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* gcc -std=c11 never contracts */
#endif

enum { DRAWS = 8, PIECE = 32 };
enum { CROP_WINDOW, CROP_RANDOM };
enum { NORMALIZE_FIXED, NORMALIZE_IMAGE };

#define ROW(key_, type_, field_, ...)                                                                                  \
    { key_, type_, offsetof(hiss_augment_options, field_), __VA_ARGS__ }
const hiss_row hiss_augment_rows[] = {
    ROW("height", HISS_INT, height, "0", 0, 16384, NULL, "height of the network's input; 0: that of the data"),
    ROW("width", HISS_INT, width, "0", 0, 16384, NULL, "width of the network's input; 0: that of the data"),
    ROW("shift", HISS_FLOAT, shift, "0", 0, 16384, NULL, "random shift in pixels of the input, each direction"),
    ROW("scale_min", HISS_FLOAT, scale_min, "1", 0.01, 100, NULL,
        "smallest side of the sampled window / side of the image; below 1 zooms in"),
    ROW("scale_max", HISS_FLOAT, scale_max, "1", 0.01, 100, NULL,
        "largest side of the sampled window / side of the image; above 1 zooms out"),
    ROW("rotate", HISS_FLOAT, rotate, "0", 0, 180, NULL, "random rotation in degrees, each direction"),
    ROW("flip", HISS_BOOL, flip, "false", 0, 0, NULL, "mirror left-right with probability 1/2"),
    ROW("contrast", HISS_FLOAT, contrast, "0", 0, 1, NULL, "multiply pixels by 1 - contrast .. 1 + contrast"),
    ROW("crop", HISS_CHOICE, crop, "window", 0, 0, "window|random",
        "window: sample the whole image; random: cut height x width at a random offset"),
    ROW("normalize", HISS_CHOICE, normalize, "fixed", 0, 0, "fixed|image",
        "subtract mean and divide by std: the fixed ones below, or each view's own"),
    ROW("mean", HISS_NODE, mean, NULL, 0, 0, NULL,
        "fixed: mean of pixels in 0..1: a number, a list, one per channel, or auto: measured; null: 0"),
    ROW("std", HISS_NODE, std, NULL, 0, 0, NULL,
        "fixed: standard deviation of pixels in 0..1, in the same ways; null: 1"),
};
#undef ROW
const int hiss_augment_nrows = HISS_COUNT(hiss_augment_rows);

static bool is_auto(const hiss_yaml *node) {
    return node && node->kind == HISS_YAML_SCALAR && strcmp(node->text, "auto") == 0;
}

/* A number or a list of one per channel, in low..high, into out. */
static hiss_status read_scale(const char *key, const hiss_yaml *node, double standard, double low, double high,
                              int64_t C, int *count, double *out, hiss_error *err) {
    char text[HISS_HINT] = "";
    node = is_auto(node) ? NULL : node;
    const hiss_yaml *item = node && node->kind == HISS_YAML_LIST ? node->first : node;
    *count = 0;
    out[0] = standard;
    for (; item && *count < HISS_MAX_CHANNELS; item = item == node ? NULL : item->next) {
        const bool number =
            item->kind == HISS_YAML_SCALAR && !item->quoted && hiss_real_parse(item->text, &out[*count]);
        if (!number || !(out[*count] >= low && out[*count] <= high)) {
            snprintf(text, sizeof text, "%.40s", item->kind == HISS_YAML_SCALAR ? item->text : "a list or section");
            return hiss_fail_key(err, HISS_EUSER, key, "must be auto, or numbers in %g..%g, found '%s'", low, high,
                                 text);
        }
        ++*count;
    }
    if (node && *count != C && (*count != 1 || node->kind == HISS_YAML_LIST)) {
        return hiss_fail_key(err, HISS_EUSER, key,
                             "has %d%s values, but the images have %lld channels; write one number, or one per channel",
                             *count, item ? " or more" : "", (long long)C);
    }
    *count = *count ? *count : 1;
    return HISS_OK;
}

/* The same of every channel as one for all. */
static void set_scaling(hiss_scaling *s, int means, int stds) {
    bool alike = true;
    s->count = means > stds ? means : stds;
    for (int c = 0; c < s->count; c++) {
        s->mean[c] = s->mean[means > 1 ? c : 0];
        s->std[c] = s->std[stds > 1 ? c : 0];
        alike = alike && s->mean[c] == s->mean[0] && s->std[c] == s->std[0];
    }
    s->count = alike ? 1 : s->count;
}

hiss_status hiss_augment_check(hiss_augment_options *options, int64_t H, int64_t W, int64_t C, hiss_error *err) {
    int means, stds;
    hiss_scaling *scaling = &options->scaling;
    scaling->measured_mean = is_auto(options->mean);
    scaling->measured_std = is_auto(options->std);
    if ((scaling->measured_mean || scaling->measured_std) && C > HISS_MAX_CHANNELS) {
        return hiss_fail_key(err, HISS_EUSER, scaling->measured_mean ? "augment.mean" : "augment.std",
                             "auto, but the images have %lld channels; at most %d are measured: write one number",
                             (long long)C, HISS_MAX_CHANNELS);
    }
    hiss_status status = read_scale("augment.mean", options->mean, 0, -10, 10, C, &means, scaling->mean, err);
    status = status ? status : read_scale("augment.std", options->std, 1, 1e-6, 1e6, C, &stds, scaling->std, err);
    if (status) {
        return status;
    }
    set_scaling(scaling, means, stds);
    options->height = options->height ? options->height : H;
    options->width = options->width ? options->width : W;
    if (H > INT32_MAX / W) {
        return hiss_fail_key(err, HISS_EUSER, "data.images",
                             "images of %lld x %lld pixels are too large; expected fewer than 2^31 pixels",
                             (long long)H, (long long)W);
    }
    if (options->scale_min > options->scale_max) {
        return hiss_fail_key(err, HISS_EUSER, "augment.scale_min", "%g is above augment.scale_max %g; swap them",
                             options->scale_min, options->scale_max);
    }
    if (options->crop == CROP_RANDOM && (options->height > H || options->width > W)) {
        return hiss_fail_key(err, HISS_EUSER, "augment.crop",
                             "random cuts %lld x %lld (augment.height x width) from images of %lld x %lld; use "
                             "a smaller input or crop: window",
                             (long long)options->height, (long long)options->width, (long long)H, (long long)W);
    }
    return HISS_OK;
}

/* ---- geometry ---- */

/* The view's pixel (i, j) samples x = x0 + xj (j + 1/2) + xi (i + 1/2), y alike. */
typedef struct map {
    float x0, xj, xi, y0, yj, yi;
} map;

static void sine_cosine(double angle, double *sine, double *cosine) {
    double t = angle * angle, s = 1, c = 1; /* |angle| <= pi: the remainder is below 1e-14 */
    for (int k = 28; k >= 2; k -= 2) {
        c = 1 - c * t / (k * (k - 1));
        s = 1 - s * t / (k * (k + 1));
    }
    *sine = s * angle;
    *cosine = c;
}

/* Four bilinear neighbours: offsets into the image in pixels, and weights. */
typedef struct piece {
    int32_t offset[4][PIECE];
    float weight[4][PIECE];
} piece;

/* Neighbours along one axis of n pixels at continuous coordinate x: clamped indices, weights zeroed outside. */
static inline void neighbours(float x, int32_t n, int32_t index[2], float weight[2]) {
    float low = -2, high = (float)n + 1, u = x - 0.5f;
    u = u < low ? low : u;
    u = u > high ? high : u;
    int32_t i = (int32_t)(u + 2) - 2; /* floor, as u >= -2 */
    float f = u - (float)i;
    weight[0] = (float)((i >= 0) & (i < n)) * (1 - f);
    weight[1] = (float)((i >= -1) & (i < n - 1)) * f;
    index[0] = i < 0 ? 0 : i;
    index[0] = index[0] >= n ? n - 1 : index[0];
    index[1] = i < -1 ? 0 : i + 1;
    index[1] = index[1] >= n ? n - 1 : index[1];
}

static void place(const map *at, int32_t H, int32_t W, int32_t i, int32_t j0, piece *p) {
    float x0 = at->x0 + at->xi * ((float)i + 0.5f), y0 = at->y0 + at->yi * ((float)i + 0.5f);
    for (int32_t k = 0; k < PIECE; k++) {
        float j = (float)(j0 + k) + 0.5f, wx[2], wy[2];
        int32_t ix[2], iy[2];
        neighbours(x0 + at->xj * j, W, ix, wx);
        neighbours(y0 + at->yj * j, H, iy, wy);
        p->offset[0][k] = iy[0] * W + ix[0];
        p->offset[1][k] = iy[0] * W + ix[1];
        p->offset[2][k] = iy[1] * W + ix[0];
        p->offset[3][k] = iy[1] * W + ix[1];
        p->weight[0][k] = wy[0] * wx[0];
        p->weight[1][k] = wy[0] * wx[1];
        p->weight[2][k] = wy[1] * wx[0];
        p->weight[3][k] = wy[1] * wx[1];
    }
}

/* Value k of an image, whose kind is known where this is inlined. */
static inline __attribute__((always_inline)) float value(const void *pixels, bool floats, int64_t k) {
    return floats ? ((const float *)pixels)[k] : (float)((const uint8_t *)pixels)[k];
}

static inline __attribute__((always_inline)) void resample_kind(const map *at, int64_t height, int64_t width,
                                                                const hiss_stored_image *image, const void *pixels,
                                                                bool floats, float *out) {
    const int64_t H = image->H, W = image->W, C = image->C;
    piece p;
    for (int64_t i = 0; i < height; i++) {
        for (int64_t j0 = 0; j0 < width; j0 += PIECE) {
            int64_t count = width - j0 < PIECE ? width - j0 : PIECE;
            place(at, (int32_t)H, (int32_t)W, (int32_t)i, (int32_t)j0, &p);
            for (int64_t k = 0; k < count; k++) {
                const int64_t a = p.offset[0][k] * C, b = p.offset[1][k] * C, c = p.offset[2][k] * C,
                              d = p.offset[3][k] * C;
                for (int64_t ch = 0; ch < C; ch++) {
                    *out++ = p.weight[0][k] * value(pixels, floats, a + ch) +
                             p.weight[1][k] * value(pixels, floats, b + ch) +
                             p.weight[2][k] * value(pixels, floats, c + ch) +
                             p.weight[3][k] * value(pixels, floats, d + ch);
                }
            }
        }
    }
}

static void resample(const map *at, int64_t height, int64_t width, const hiss_stored_image *image, float *out) {
    if (image->bytes) {
        resample_kind(at, height, width, image, image->bytes, false, out);
    } else {
        resample_kind(at, height, width, image, image->floats, true, out);
    }
}

static inline __attribute__((always_inline)) void copy_kind(int64_t top, int64_t left, bool mirrored, int64_t height,
                                                            int64_t width, const hiss_stored_image *image,
                                                            const void *pixels, bool floats, float *out) {
    const int64_t C = image->C;
    for (int64_t i = 0; i < height; i++, out += width * C) {
        const int64_t row = ((top + i) * image->W + left) * C;
        if (!mirrored) {
            for (int64_t j = 0; j < width * C; j++) {
                out[j] = value(pixels, floats, row + j);
            }
            continue;
        }
        for (int64_t j = 0; j < width; j++) {
            for (int64_t ch = 0; ch < C; ch++) {
                out[j * C + ch] = value(pixels, floats, row + (width - 1 - j) * C + ch);
            }
        }
    }
}

static void copy(int64_t top, int64_t left, bool mirrored, int64_t height, int64_t width,
                 const hiss_stored_image *image, float *out) {
    if (image->bytes) {
        copy_kind(top, left, mirrored, height, width, image, image->bytes, false, out);
    } else {
        copy_kind(top, left, mirrored, height, width, image, image->floats, true, out);
    }
}

/* ---- values ---- */

/* With the scale of each channel. */
static hiss_pixel_scale normalize_channels(const hiss_scaling *scaling, double unit, int64_t count, float *out) {
    const int C = scaling->count;
    float factor[HISS_MAX_CHANNELS], offset[HISS_MAX_CHANNELS];
    for (int c = 0; c < C; c++) {
        factor[c] = (float)(unit / scaling->std[c]);
        offset[c] = (float)(-scaling->mean[c] / scaling->std[c]);
    }
    for (int64_t i = 0; i < count; i += C) {
        for (int c = 0; c < C; c++) {
            out[i + c] = out[i + c] * factor[c] + offset[c];
        }
    }
    return (hiss_pixel_scale){0, 1, scaling};
}

/* From stored values times contrast, of which span is 1, to the network's values. A view's own std is at least one grey
 * level of 255. */
static hiss_pixel_scale normalize(const hiss_augment_options *options, float contrast, double span, int64_t count,
                                  float *out) {
    const hiss_scaling *scaling = &options->scaling;
    double unit = contrast / span, mean = scaling->mean[0], std = scaling->std[0];
    if (options->normalize == NORMALIZE_IMAGE) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < count; i++) {
            sum += out[i];
        }
        double centre = sum / (double)count;
        for (int64_t i = 0; i < count; i++) {
            squares += (out[i] - centre) * (out[i] - centre);
        }
        mean = unit * centre;
        std = unit * sqrt(squares / (double)count);
        std = std > 1 / 255.0 ? std : 1 / 255.0;
    } else if (scaling->count > 1) {
        return normalize_channels(scaling, unit, count, out);
    }
    float factor = (float)(unit / std), offset = (float)(-mean / std);
    for (int64_t i = 0; i < count; i++) {
        out[i] = out[i] * factor + offset;
    }
    return (hiss_pixel_scale){mean, std, NULL};
}

double hiss_pixel_of(const hiss_pixel_scale *scale, int64_t channel, double value) {
    const hiss_scaling *c = scale->channels;
    return c ? c->mean[channel] + c->std[channel] * value : scale->mean + scale->std * value;
}

/* ---- views ---- */

static bool resamples(const hiss_augment_options *o, int64_t H, int64_t W) {
    return o->shift > 0 || o->scale_min != 1 || o->scale_max != 1 || o->rotate > 0 ||
           (o->crop == CROP_WINDOW && (o->height != H || o->width != W));
}

void hiss_augment_sample(const hiss_augment_options *o, const hiss_stored_image *image, hiss_rng *rng, float *out) {
    const int64_t H = image->H, W = image->W;
    float u[DRAWS];
    for (int i = 0; i < DRAWS; i++) {
        u[i] = hiss_rng_uniform(rng);
    }
    bool random = o->crop == CROP_RANDOM, mirrored = o->flip && u[4] < 0.5f;
    int64_t top = random ? (int64_t)(u[0] * (double)(H - o->height + 1)) : 0;
    int64_t left = random ? (int64_t)(u[1] * (double)(W - o->width + 1)) : 0;
    float contrast = (float)(1 + o->contrast * (2.0 * u[7] - 1));
    if (resamples(o, H, W)) {
        double px = random ? 1 : (double)W / (double)o->width, py = random ? 1 : (double)H / (double)o->height;
        double sine, cosine, scale = o->scale_min + (o->scale_max - o->scale_min) * u[2], f = mirrored ? -1 : 1;
        sine_cosine(o->rotate * (2.0 * u[3] - 1) * (3.14159265358979324 / 180), &sine, &cosine);
        double xj = px * scale * cosine * f, xi = -px * scale * sine, yj = py * scale * sine * f,
               yi = py * scale * cosine;
        double half_h = 0.5 * (double)o->height, half_w = 0.5 * (double)o->width;
        double cy = (double)top + py * (half_h + o->shift * (2.0 * u[5] - 1));
        double cx = (double)left + px * (half_w + o->shift * (2.0 * u[6] - 1));
        map at = {(float)(cx - xj * half_w - xi * half_h), (float)xj, (float)xi,
                  (float)(cy - yj * half_w - yi * half_h), (float)yj, (float)yi};
        resample(&at, o->height, o->width, image, out);
    } else {
        copy(top, left, mirrored, o->height, o->width, image, out);
    }
    normalize(o, contrast, image->span, o->height * o->width * image->C, out);
}

static bool cuts(const hiss_augment_options *o, int64_t H, int64_t W) {
    return o->crop == CROP_RANDOM || (o->height == H && o->width == W);
}

/* The view in the middle, or at a side: down, right -1, 0 or 1. */
static hiss_pixel_scale look(const hiss_augment_options *o, const hiss_stored_image *image, int down, int right,
                             bool mirrored, float *out) {
    const int64_t H = image->H, W = image->W;
    if (o->crop == CROP_RANDOM || (cuts(o, H, W) && down == 0 && right == 0)) {
        copy((1 + down) * (H - o->height) / 2, (1 + right) * (W - o->width) / 2, mirrored, o->height, o->width, image,
             out);
    } else {
        const float py = (float)H / (float)o->height, px = (float)W / (float)o->width;
        const float left = mirrored ? (float)W : 0;
        map at = {left + px * (float)(o->shift * right), mirrored ? -px : px, 0, py * (float)(o->shift * down), 0, py};
        resample(&at, o->height, o->width, image, out);
    }
    return normalize(o, 1, image->span, o->height * o->width * image->C, out);
}

hiss_pixel_scale hiss_augment_center(const hiss_augment_options *o, const hiss_stored_image *image, float *out) {
    return look(o, image, 0, 0, false, out);
}

void hiss_augment_crop(const hiss_augment_options *o, const hiss_stored_image *image, int crop, float *out) {
    const int corner = crop % 5;
    look(o, image, corner == 0 ? 0 : corner > 2 ? 1 : -1, corner == 0 ? 0 : corner % 2 == 0 ? 1 : -1, crop >= 5, out);
}

hiss_pixel_scale hiss_augment_box(const hiss_augment_options *o, const hiss_stored_image *image, const hiss_box *box,
                                  float *out) {
    const map at = {.x0 = box->x0,
                    .xj = (box->x1 - box->x0) / (float)o->width,
                    .y0 = box->y0,
                    .yi = (box->y1 - box->y0) / (float)o->height};
    resample(&at, o->height, o->width, image, out);
    return normalize(o, 1, image->span, o->height * o->width * image->C, out);
}

bool hiss_augment_has_corners(const hiss_augment_options *o, int64_t H, int64_t W) {
    return o->crop == CROP_RANDOM ? o->height < H || o->width < W : o->shift > 0;
}

hiss_center hiss_augment_center_of(const hiss_augment_options *o, const hiss_field *image) {
    const int64_t H = image->dim[0], W = image->dim[1];
    return (hiss_center){.H = H,
                         .W = W,
                         .C = image->dim[2],
                         .height = o->height,
                         .width = o->width,
                         .top = (H - o->height) / 2,
                         .left = (W - o->width) / 2,
                         .low = image->low,
                         .span = image->high - image->low,
                         .samples = !cuts(o, H, W),
                         .own = o->normalize == NORMALIZE_IMAGE,
                         .scaling = &o->scaling};
}
