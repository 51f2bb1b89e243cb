/* Scenes and patches, for methods that learn from how parts of an image lie to one another.
 *
 * Small pictures of single things say where in the picture a patch was: the thing stands in the middle of black. A
 * method that is asked for relative positions could answer from one patch alone. So such images are put on a canvas
 * whose places are all alike: it is a torus, on which the image has a uniformly random place, also across the edges,
 * and the ground is noise. What a patch shows then has the same distribution wherever it is cut, exactly; only two
 * patches together say anything of where they are. The noise is independent from pixel to pixel, so it does not go on
 * from one patch into the next.
 *
 * Where an image is darkest, it is ground, which the noise replaces; a tenth of its range brighter it is opaque.
 * Ground around the thing is cut off, and the rest is stretched to most of the canvas, each axis by itself: a patch of
 * noise says nothing, so there should be few.
 *
 * Photographs, whose places are alike as they are, need no canvas. Colours are the shortcut there: lenses bend red and
 * green apart towards the corners. Colour dropping (Doersch, Gupta & Efros, "Unsupervised visual representation
 * learning by context prediction", ICCV 2015, section 3.1; their code's prep_image) leaves one channel of each patch.
 * */
#include <math.h>

#include "objective/parts/patches.h"

objective_scene objective_scene_of(const objective_scene_options *options, const hiss_task *task) {
    const bool canvas = task->H < options->canvas || task->W < options->canvas;
    const int64_t larger = task->H > task->W ? task->H : task->W;
    const int64_t side = larger > options->canvas ? larger : options->canvas;
    return (objective_scene){.options = options,
                             .image_H = task->H,
                             .image_W = task->W,
                             .H = canvas ? side : task->H,
                             .W = canvas ? side : task->W,
                             .C = task->C,
                             .canvas = canvas,
                             .image = -1,
                             .painted = -1};
}

void objective_scene_inputs(objective_scene *scene, hiss_builder *b, int64_t m) {
    scene->image = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, scene->image_H, scene->image_W, scene->C));
    hiss_graph_keep(b->graph, scene->image);
    if (scene->canvas) {
        scene->painted = hiss_graph_input(b->graph, "canvas", HISS_SHAPE(m, scene->H, scene->W, scene->C));
        hiss_graph_keep(b->graph, scene->painted);
    }
}

/* ---- the canvas ---- */

/* Two neighbours along one axis of an image, and the share of the second. */
typedef struct place {
    int64_t at[2];
    float share;
} place;

/* Pixels of an image, and how many of the canvas they become. */
typedef struct stretch {
    int64_t first, pixels, target, corner; /* along one axis; corner: on the canvas */
} stretch;

/* How bright pixels are: above the darkest, in units of what is opaque. */
typedef struct brightness {
    float least, range, scale;
} brightness;

/* Where pixel k of the target lies; centres of pixels lie between edges. */
static place place_of(const stretch *s, int64_t k) {
    const float x = ((float)k + 0.5f) * (float)s->pixels / (float)s->target - 0.5f;
    const float low = floorf(x);
    const int64_t first = (int64_t)low;
    return (place){{s->first + (first < 0 ? 0 : first), s->first + (first + 1 < s->pixels ? first + 1 : first)},
                   x - low};
}

/* Bilinear. */
static float value_at(const objective_scene *s, const float *image, const place *y, const place *x, int64_t c) {
    float row[2];
    for (int k = 0; k < 2; k++) {
        const float *of = image + y->at[k] * s->image_W * s->C + c;
        const float a = of[x->at[0] * s->C], b = of[x->at[1] * s->C];
        row[k] = a + (b - a) * x->share;
    }
    return row[0] + (row[1] - row[0]) * y->share;
}

static brightness brightness_of(int64_t count, const float *x) {
    float least = x[0], most = x[0];
    for (int64_t k = 1; k < count; k++) {
        least = x[k] < least ? x[k] : least;
        most = x[k] > most ? x[k] : most;
    }
    return (brightness){least, most - least, most > least ? 10.0f / (most - least) : 0.0f};
}

/* The rows and columns from the first to the last that has a pixel at least half opaque; all, when none has. */
static void trim(const objective_scene *s, const float *image, const brightness *b, stretch *y, stretch *x) {
    int64_t top = s->image_H, bottom = -1, left = s->image_W, right = -1;
    for (int64_t r = 0; r < s->image_H; r++) {
        for (int64_t q = 0; q < s->image_W; q++) {
            const float *pixel = image + (r * s->image_W + q) * s->C;
            bool thing = false;
            for (int64_t c = 0; c < s->C; c++) {
                thing = thing || (pixel[c] - b->least) * b->scale >= 0.5f;
            }
            if (thing) {
                top = r < top ? r : top;
                bottom = r;
                left = q < left ? q : left;
                right = q > right ? q : right;
            }
        }
    }
    const bool none = bottom < 0;
    y->first = none ? 0 : top;
    y->pixels = none ? s->image_H : bottom - top + 1;
    x->first = none ? 0 : left;
    x->pixels = none ? s->image_W : right - left + 1;
}

/* canvas [H,W,C] holds noise of 0..1. */
static void blend(const objective_scene *s, const float *image, const brightness *b, const stretch *along_y,
                  const stretch *along_x, float *canvas) {
    const float strength = (float)s->options->texture * b->range;
    for (int64_t k = 0; k < s->H * s->W * s->C; k++) {
        canvas[k] = b->least + strength * canvas[k];
    }
    for (int64_t r = 0; r < along_y->target; r++) {
        const place y = place_of(along_y, r);
        float *row = canvas + (along_y->corner + r) % s->H * s->W * s->C;
        for (int64_t q = 0; q < along_x->target; q++) {
            const place x = place_of(along_x, q);
            float *pixel = row + (along_x->corner + q) % s->W * s->C, bright = 0.0f;
            for (int64_t c = 0; c < s->C; c++) {
                const float above = (value_at(s, image, &y, &x, c) - b->least) * b->scale;
                bright = above > bright ? above : bright;
            }
            const float alpha = bright < 1.0f ? bright : 1.0f;
            for (int64_t c = 0; c < s->C; c++) {
                pixel[c] += alpha * (value_at(s, image, &y, &x, c) - pixel[c]);
            }
        }
    }
}

/* Size and place along one axis of so many pixels. */
static void draw_stretch(double least, int64_t side, hiss_rng *rng, stretch *s) {
    const int64_t pixels = (int64_t)((double)side * (double)hiss_rng_between(rng, (float)least, 1.0f) + 0.5);
    s->target = pixels > 0 ? pixels : 1;
    s->corner = hiss_rng_below(rng, side);
}

const float *objective_scene_pixels(const objective_scene *s, const hiss_lane *lane, int64_t i) {
    return hiss_lane_values(lane, s->canvas ? s->painted : s->image, i);
}

const float *objective_scene_paint(const objective_scene *s, const hiss_lane *lane, int64_t i, hiss_rng *rng) {
    hiss_lane_default_sample(lane, i);
    if (s->canvas) {
        const float *image = hiss_lane_values(lane, s->image, i);
        float *canvas = hiss_lane_values(lane, s->painted, i);
        const brightness b = brightness_of(s->image_H * s->image_W * s->C, image);
        stretch y, x;
        trim(s, image, &b, &y, &x);
        draw_stretch(s->options->scale, s->H, rng, &y);
        draw_stretch(s->options->scale, s->W, rng, &x);
        hiss_rng_uniforms(rng, s->H * s->W * s->C, canvas);
        blend(s, image, &b, &y, &x, canvas);
    }
    return objective_scene_pixels(s, lane, i);
}

/* ---- patches ---- */

/* The place on a ring of `length` that a number of either sign stands for. */
static int64_t around(int64_t at, int64_t length) {
    return (at % length + length) % length;
}

void objective_patch_cut(const objective_scene *s, const float *pixels, int64_t y, int64_t x, int64_t side,
                         float *out) {
    const int64_t top = around(y, s->H), left = around(x, s->W);
    for (int64_t r = 0; r < side; r++) {
        const float *row = pixels + (top + r) % s->H * s->W * s->C;
        for (int64_t q = 0; q < side; q++) {
            const float *pixel = row + (left + q) % s->W * s->C;
            for (int64_t c = 0; c < s->C; c++) {
                *out++ = pixel[c];
            }
        }
    }
}

/* Of `count` values, `step` apart. */
static void center(int64_t count, int64_t step, float *x) {
    double sum = 0.0;
    for (int64_t k = 0; k < count; k++) {
        sum += (double)x[k * step];
    }
    for (int64_t k = 0; k < count; k++) {
        x[k * step] -= (float)(sum / (double)count);
    }
}

static double mean_square(int64_t count, int64_t step, const float *x) {
    double sum = 0.0;
    for (int64_t k = 0; k < count; k++) {
        sum += (double)x[k * step] * (double)x[k * step];
    }
    return sum / (double)count;
}

/* What is left of one grey once its mean is off is rounding, far below any difference between pixels. */
static void scale_to_one(int64_t count, int64_t step, float *x) {
    static const double nothing = 1e-5;
    const double root = sqrt(mean_square(count, step, x));
    for (int64_t k = 0; k < count; k++) {
        x[k * step] = root > nothing ? (float)((double)x[k * step] / root) : 0.0f;
    }
}

void objective_patch_normalize(int64_t pixels, int64_t C, float *patch) {
    center(pixels * C, 1, patch);
    scale_to_one(pixels * C, 1, patch);
}

void objective_patch_normalize_channels(int64_t pixels, int64_t C, float *patch) {
    for (int64_t c = 0; c < C; c++) {
        center(pixels, C, patch + c);
        scale_to_one(pixels, C, patch + c);
    }
}

/* The deviation of a uniform number of width 1 is 1 / sqrt(12). */
void objective_patch_drop_colors(int64_t pixels, int64_t C, float *patch, hiss_rng *rng) {
    const int64_t kept = hiss_rng_below(rng, C);
    center(pixels, C, patch + kept);
    const float width = (float)(0.01 * sqrt(12.0 * mean_square(pixels, C, patch + kept)));
    for (int64_t k = 0; k < pixels; k++) {
        for (int64_t c = 0; c < C; c++) {
            if (c != kept) {
                patch[k * C + c] = width * (hiss_rng_uniform(rng) - 0.5f);
            }
        }
    }
    scale_to_one(pixels * C, 1, patch);
}
