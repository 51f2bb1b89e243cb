/* Scenes: compositions of photographed stamps on a crop of a photograph, with what is on them.
 *
 * A scene is of one of several kinds. Each of its one to four objects is, four times out of five, of a class of that kind,
 * else of any class; so classes occur together. Its stamp, size (the long side is .25 to .7 of the scene's short side), place,
 * direction and light are drawn; at most a quarter of its height and width may lie outside. A place where more than
 * 40 % of an object before it would be hidden is drawn again, and the object left out when there is none. Stamps and
 * grounds are scaled by one filter, which blends the edge of a stamp over a pixel, and all of a scene has one light.
 *
 * An object is judged when at least half of it is seen; its box is around what is seen. Draws are keyed by seed and row.
 *
 * Cost: one crop scaled to the scene, and four stamps: some 1 ms at 64 x 64. */
#include <assert.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/rng.h"
#include "scene_impl.h"

enum { RGBA = 4, RGB = 3, GROUND_SIDES = 8, TRIES = 10 };
enum { HIDDEN = 2, HIDDEN_OF = 5 };                             /* the most of an object that others may hide */
enum { LIGHT = 256, LIGHT_OF_STAMP = 38, LIGHT_OF_SCENE = 51 }; /* 1; and by how much it may be off */
static const double least_side = 0.25, most_side = 0.7;

static int64_t short_side(int64_t H, int64_t W) {
    return H < W ? H : W;
}

/* ---- what is kept of a picture ---- */

static data_image crop(const data_image *image, int64_t y, int64_t x, int64_t H, int64_t W) {
    const data_image out = {H, W, image->C, hiss_alloc((size_t)(H * W * image->C))};
    const size_t row = (size_t)(W * image->C);
    for (int64_t i = 0; i < H; i++) {
        memcpy(out.pixels + (size_t)i * row, image->pixels + ((y + i) * image->W + x) * image->C, row);
    }
    return out;
}

static data_image scale(const data_image *image, int64_t H, int64_t W) {
    const data_image out = {H, W, image->C, hiss_alloc((size_t)(H * W * image->C))};
    data_image_fit(image, H, W, image->C, out.pixels);
    return out;
}

static void replace(data_image *image, data_image with) {
    data_image_free(image);
    *image = with;
}

/* Round(side * to / from), at least 1. */
static int64_t scaled_side(int64_t side, int64_t to, int64_t from) {
    const int64_t scaled = (2 * side * to + from) / (2 * from);
    return scaled > 0 ? scaled : 1;
}

static bool seen(const data_image *stamp, int64_t y, int64_t x) {
    return stamp->pixels[(y * stamp->W + x) * RGBA + 3] >= DATA_SCENE_ALPHA;
}

bool data_scene_keep_stamp(data_image *image, int64_t H, int64_t W) {
    assert(image->C == RGBA);
    int64_t top = image->H, left = image->W, bottom = 0, right = 0;
    for (int64_t y = 0; y < image->H; y++) {
        for (int64_t x = 0; x < image->W; x++) {
            if (seen(image, y, x)) {
                top = y < top ? y : top;
                bottom = y + 1;
                left = x < left ? x : left;
                right = x >= right ? x + 1 : right;
            }
        }
    }
    if (bottom == 0) {
        return false;
    }
    replace(image, crop(image, top, left, bottom - top, right - left));
    uint8_t *pixel = image->pixels;
    for (int64_t i = 0; i < image->H * image->W; i++, pixel += RGBA) {
        for (int c = 0; c < RGB; c++) {
            pixel[c] = (uint8_t)((pixel[c] * pixel[3] + 127) / 255);
        }
    }
    const int64_t most = 2 * short_side(H, W), side = image->H > image->W ? image->H : image->W;
    if (side > most) {
        replace(image, scale(image, scaled_side(image->H, most, side), scaled_side(image->W, most, side)));
    }
    return true;
}

void data_scene_keep_ground(data_image *image, int64_t H, int64_t W) {
    const int64_t most = GROUND_SIDES * short_side(H, W), side = short_side(image->H, image->W);
    if (side > most) {
        replace(image, scale(image, scaled_side(image->H, most, side), scaled_side(image->W, most, side)));
    }
}

/* ---- a scene ---- */

static void mirror(uint8_t *pixels, int64_t H, int64_t W, int64_t C) {
    for (int64_t i = 0; i < H; i++) {
        for (int64_t a = 0, b = W - 1; a < b; a++, b--) {
            uint8_t *left = pixels + (i * W + a) * C, *right = pixels + (i * W + b) * C, swap[RGBA];
            memcpy(swap, left, (size_t)C);
            memcpy(left, right, (size_t)C);
            memcpy(right, swap, (size_t)C);
        }
    }
}

/* 1 - range / 256 to 1 + range / 256, in 1/256. */
static int draw_light(hiss_rng *rng, int range) {
    return LIGHT - range + (int)hiss_rng_below(rng, 2 * range + 1);
}

static uint8_t lit(int value, int light, int most) {
    const int out = (value * light + LIGHT / 2) / LIGHT;
    return (uint8_t)(out > most ? most : out);
}

/* A random crop of a random ground, of any size from that of the scene on, the smaller ones more often. */
static void draw_ground(const data_scenes *s, hiss_rng *rng, uint8_t *pixels) {
    const data_image *ground = &s->ground[hiss_rng_below(rng, s->grounds)];
    const double down = (double)ground->H / (double)s->H, across = (double)ground->W / (double)s->W;
    const double most = down < across ? down : across, u = (double)hiss_rng_uniform(rng);
    const double times = 1 + (most - 1) * u * u;
    const int64_t H = (int64_t)((double)s->H * times), W = (int64_t)((double)s->W * times);
    const int64_t y = hiss_rng_below(rng, ground->H - H + 1), x = hiss_rng_below(rng, ground->W - W + 1);
    data_image part = crop(ground, y, x, H, W);
    data_image_fit(&part, s->H, s->W, RGB, pixels);
    data_image_free(&part);
    if (hiss_rng_below(rng, 2)) {
        mirror(pixels, s->H, s->W, RGB);
    }
}

static const data_scene_stamp *draw_stamp(const data_scenes *s, hiss_rng *rng, int64_t kind) {
    const data_scene_members *own = &s->of_kind[kind];
    const bool any = hiss_rng_below(rng, 5) == 0;
    const int64_t class = any ? hiss_rng_below(rng, s->classes) : own->at[hiss_rng_below(rng, own->count)];
    const data_scene_members *stamps = &s->of_class[class];
    return &s->stamp[stamps->at[hiss_rng_below(rng, stamps->count)]];
}

/* The stamp in the size, direction and light that it is shown in. */
static data_image draw_item(const data_scenes *s, hiss_rng *rng, const data_image *stamp) {
    const int64_t side = stamp->H > stamp->W ? stamp->H : stamp->W;
    const double share = least_side + (most_side - least_side) * (double)hiss_rng_uniform(rng);
    const int64_t wanted = (int64_t)((double)short_side(s->H, s->W) * share + 0.5), to = wanted > 0 ? wanted : 1;
    const data_image item = scale(stamp, scaled_side(stamp->H, to, side), scaled_side(stamp->W, to, side));
    if (hiss_rng_below(rng, 2)) {
        mirror(item.pixels, item.H, item.W, RGBA);
    }
    const int light = draw_light(rng, LIGHT_OF_STAMP);
    uint8_t *pixel = item.pixels;
    for (int64_t i = 0; i < item.H * item.W; i++, pixel += RGBA) {
        for (int c = 0; c < RGB; c++) {
            pixel[c] = lit(pixel[c], light, pixel[3]);
        }
    }
    return item;
}

/* Where an item begins: at most a quarter of its side lies outside. */
static int64_t draw_place(hiss_rng *rng, int64_t scene, int64_t side) {
    const int64_t beyond = side / 4;
    return hiss_rng_below(rng, scene - side + 2 * beyond + 1) - beyond;
}

/* An item on a layer of the scene's size, which is transparent elsewhere. */
static void lay(const data_scenes *s, const data_image *item, int64_t y, int64_t x, uint8_t *layer) {
    const int64_t first = x < 0 ? -x : 0, end = x + item->W < s->W ? item->W : s->W - x;
    memset(layer, 0, (size_t)(s->H * s->W * RGBA));
    for (int64_t i = 0; i < item->H; i++) {
        if (y + i >= 0 && y + i < s->H) {
            memcpy(layer + ((y + i) * s->W + x + first) * RGBA, item->pixels + (i * item->W + first) * RGBA,
                   (size_t)((end - first) * RGBA));
        }
    }
}

/* What is on a scene so far. */
typedef struct composition {
    uint8_t *pixels, *layer, *owner; /* [H,W,3]; [H,W,4]; [H*W] which object is seen there, or DATA_SCENE_MOST */
    int64_t count, area[DATA_SCENE_MOST], hidden[DATA_SCENE_MOST]; /* pixels of an object; of them, behind others */
    int32_t class[DATA_SCENE_MOST];
} composition;

/* Put the layer on top, unless it hides too much. */
static bool put(composition *c, int64_t pixels) {
    int64_t hidden[DATA_SCENE_MOST + 1] = {0};
    for (int64_t i = 0; i < pixels; i++) {
        hidden[c->owner[i]] += c->layer[i * RGBA + 3] >= DATA_SCENE_ALPHA;
    }
    for (int64_t k = 0; k < c->count; k++) {
        if (HIDDEN_OF * (c->hidden[k] + hidden[k]) > HIDDEN * c->area[k]) {
            return false;
        }
    }
    for (int64_t k = 0; k < c->count; k++) {
        c->hidden[k] += hidden[k];
    }
    for (int64_t i = 0; i < pixels; i++) {
        const uint8_t *from = c->layer + i * RGBA;
        for (int k = 0; k < RGB; k++) {
            const int through = c->pixels[i * RGB + k] * (255 - from[3]);
            c->pixels[i * RGB + k] = (uint8_t)(from[k] + (through + 127) / 255);
        }
        c->owner[i] = from[3] >= DATA_SCENE_ALPHA ? (uint8_t)c->count : c->owner[i];
    }
    return true;
}

static void add(const data_scenes *s, hiss_rng *rng, int64_t kind, composition *c) {
    const data_scene_stamp *stamp = draw_stamp(s, rng, kind);
    data_image item = draw_item(s, rng, &stamp->image);
    int64_t area = 0;
    for (int64_t i = 0; i < item.H * item.W; i++) {
        area += item.pixels[i * RGBA + 3] >= DATA_SCENE_ALPHA;
    }
    for (int t = 0; t < TRIES && area > 0; t++) {
        const int64_t y = draw_place(rng, s->H, item.H), x = draw_place(rng, s->W, item.W);
        lay(s, &item, y, x, c->layer);
        if (put(c, s->H * s->W)) {
            c->area[c->count] = area;
            c->class[c->count++] = stamp->class;
            break;
        }
    }
    data_image_free(&item);
}

/* Around what is seen of an object; its area that is seen is counted. */
static data_object find_box(const data_scenes *s, const composition *c, int64_t k) {
    int64_t top = s->H, left = s->W, bottom = 0, right = 0, seen = 0;
    for (int64_t i = 0; i < s->H * s->W; i++) {
        if (c->owner[i] == k) {
            const int64_t y = i / s->W, x = i % s->W;
            top = y < top ? y : top;
            bottom = y + 1;
            left = x < left ? x : left;
            right = x >= right ? x + 1 : right;
            seen++;
        }
    }
    return (data_object){c->class[k], 2 * seen >= c->area[k], (double)left, (double)top, (double)right, (double)bottom};
}

int64_t data_scene_make(const data_scenes *s, int64_t row, uint8_t *pixels, data_object *objects) {
    hiss_rng rng = hiss_rng_keyed(s->seed, HISS_FOR_PREPARE, 1, row);
    const int64_t area = s->H * s->W;
    composition c = {.pixels = pixels, .layer = hiss_alloc((size_t)(area * RGBA)), .owner = hiss_alloc((size_t)area)};
    memset(c.owner, DATA_SCENE_MOST, (size_t)area);
    draw_ground(s, &rng, pixels);
    const int64_t kind = hiss_rng_below(&rng, s->kinds), wanted = 1 + hiss_rng_below(&rng, DATA_SCENE_MOST);
    for (int64_t k = 0; k < wanted; k++) {
        add(s, &rng, kind, &c);
    }
    const int light = draw_light(&rng, LIGHT_OF_SCENE);
    for (int64_t i = 0; i < area * RGB; i++) {
        pixels[i] = lit(pixels[i], light, 255);
    }
    for (int64_t k = 0; k < c.count; k++) {
        objects[k] = find_box(s, &c, k);
    }
    hiss_free(c.owner);
    hiss_free(c.layer);
    return c.count;
}
