/* Clutter: clips of items over a textured ground, of which some move and the others stand still. It is data for methods that
 * learn from motion (Pathak, Girshick, Dollar, Darrell & Hariharan, "Learning features by watching objects move", CVPR
 * 2017; Wang & Gupta, "Unsupervised learning of visual representations using videos", ICCV 2015): all is known of what moves.
 *
 * The ground is noise on a torus: a coarse grid of levels, between which it is interpolated, and a fine one. It drifts by
 * `drift` pixels a frame, in a direction of each clip. Items are cut out of their black: pixels of at least OPAQUE levels
 * cover what is behind them. Movers have a constant velocity, which is not 0, and bounce off the edges as light does; they
 * pass in front of the others. With mover_classes K movers are items of the classes below K, and those that stand of the rest.
 * Otherwise both are of all classes, and no single frame tells which item moves.
 *
 * Each frame is lighter than the one before by the same amount, drawn for each clip within `light`; each of its pixels has
 * noise within `grain`.
 *
 * Items 0 .. movers - 1 move. An item that stands is put where it overlaps no other as that one begins, if TRIES are enough.
 *
 * Cost: memory for all items; T S^2 bytes of noise for a clip. */
#include <stddef.h>
#include <string.h>

#include "data/generate/items.h"
#include "hiss/alloc.h"
#include "hiss/generate.h"

enum { MOST_ITEMS = 16, OPAQUE = 24, TRIES = 20, COARSE = 6, FINE = 2 };
enum { IMAGE, CLIP, PLACE, MOVER, ITEM, FIELDS };
enum { MOVES = 1, STANDS = 2 };

typedef struct options {
    hiss_generate_options common;
    const char *items;
    int64_t frames, size, item_size, count, movers, mover_classes, speed, drift, light, grain;
} options;

static const hiss_row rows[] = {
    HISS_GENERATE_ROWS(options),
    {"items", HISS_PATH, offsetof(options, items), NULL, 0, 0, NULL,
     "HDF5 file of the items: /images uint8 [n,H,W] or [n,H,W,1], /labels; a sixth of them is for part test"},
    {"count", HISS_INT, offsetof(options, count), "4", 1, MOST_ITEMS, NULL, "items in a clip"},
    {"movers", HISS_INT, offsetof(options, movers), "1", 0, MOST_ITEMS, NULL, "those of them that move"},
    {"mover_classes", HISS_INT, offsetof(options, mover_classes), "0", 0, 1 << 20, NULL,
     "items of the classes below this one move, those of the rest stand still; 0: any do"},
    {"frames", HISS_INT, offsetof(options, frames), "9", 1, 10000, NULL, "frames of a clip"},
    {"size", HISS_INT, offsetof(options, size), "48", 2, GENERATE_MOST_SIDE, NULL, "rows and columns of a frame"},
    {"item_size", HISS_INT, offsetof(options, item_size), "16", 1, GENERATE_MOST_SIDE - 1, NULL,
     "rows and columns of an item in it"},
    {"speed", HISS_INT, offsetof(options, speed), "3", 1, GENERATE_MOST_SIDE, NULL,
     "most pixels a frame, in each direction"},
    {"drift", HISS_INT, offsetof(options, drift), "0", 0, GENERATE_MOST_SIDE, NULL,
     "most pixels a frame of the ground, in each direction"},
    {"light", HISS_INT, offsetof(options, light), "1", 0, 255, NULL,
     "most levels a frame by which it gets lighter or darker"},
    {"grain", HISS_INT, offsetof(options, grain), "10", 0, 127, NULL, "most levels of noise of a pixel"},
};

typedef struct clutter {
    const options *options;
    generate_items items;
    int64_t *sorted; /* items by whether their class moves, then in order */
    int64_t moving;  /* the first so many of them do */
} clutter;

static void destroy(void *self) {
    clutter *c = self;
    hiss_free(c->sorted);
    generate_items_free(&c->items);
    hiss_free(c);
}

static hiss_status expect(const options *o, hiss_error *err) {
    if (o->item_size >= o->size) {
        return hiss_fail_key(err, HISS_EUSER, "generate.item_size",
                             "%lld, but a frame has %lld rows; expected less, so that items can move",
                             (long long)o->item_size, (long long)o->size);
    }
    if (o->speed > o->size - o->item_size) {
        return hiss_fail_key(err, HISS_EUSER, "generate.speed",
                             "%lld, but items have %lld pixels to move in; expected at most these", (long long)o->speed,
                             (long long)(o->size - o->item_size));
    }
    if (o->movers > o->count) {
        return hiss_fail_key(err, HISS_EUSER, "generate.movers", "%lld of %lld items; expected at most generate.count",
                             (long long)o->movers, (long long)o->count);
    }
    return HISS_OK;
}

/* Items of the classes that move first. */
static hiss_status sort(clutter *c, hiss_error *err) {
    const int64_t K = c->options->mover_classes, n = c->items.count;
    const int32_t *label = c->items.label;
    if (K > 0 && !label) {
        return hiss_fail_key(err, HISS_EUSER, "generate.mover_classes", "%lld, but %s has no /labels; set it to 0",
                             (long long)K, c->options->items);
    }
    int64_t at = 0;
    c->sorted = hiss_new(int64_t, n);
    for (int stands = 0; stands < 2; stands++) {
        for (int64_t i = 0; i < n; i++) {
            if ((K > 0 && label[i] >= K) == (stands == 1)) {
                c->sorted[at++] = i;
            }
        }
        c->moving = stands ? c->moving : at;
    }
    if (K > 0 && (c->moving == 0 || c->moving == n)) {
        return hiss_fail_key(err, HISS_EUSER, "generate.mover_classes",
                             "%lld, but %s items of %s are of classes below that; expected some, not all", (long long)K,
                             c->moving ? "all" : "no", c->options->items);
    }
    return HISS_OK;
}

static hiss_status create(const void *opts, void **self, hiss_error *err) {
    const options *o = opts;
    hiss_status status = expect(o, err);
    if (status) {
        return status;
    }
    clutter *c = hiss_new(clutter, 1);
    c->options = o;
    status = generate_items_read(o->items, o->common.part, o->item_size, &c->items, err);
    status = status == HISS_OK ? sort(c, err) : status;
    if (status) {
        destroy(c);
        return status;
    }
    *self = c;
    return HISS_OK;
}

static int fields(const void *self, hiss_field *out) {
    const options *o = ((const clutter *)self)->options;
    const int64_t S = o->size, T = o->frames;
    out[IMAGE] = (hiss_field){.name = HISS_FIELD_IMAGE, .dtype = HISS_U8, .ndim = 3, .dim = {S, S, 1}};
    out[CLIP] = (hiss_field){.name = "clip", .dtype = HISS_U8, .ndim = 4, .dim = {T, S, S, 1}};
    out[PLACE] = (hiss_field){.name = "place", .dtype = HISS_F32, .ndim = 3, .dim = {T, o->count, 2}};
    out[MOVER] = (hiss_field){.name = "mover", .dtype = HISS_U8, .ndim = 2, .dim = {S, S}};
    out[ITEM] = (hiss_field){.name = "item_label", .dtype = HISS_I32, .ndim = 1, .dim = {o->count}};
    return FIELDS;
}

/* ---- the ground ---- */

/* Add levels of -amplitude .. amplitude on a grid of about `cell` pixels, interpolated on the torus. grid [S,S] is scratch. */
static void add_noise(hiss_rng *rng, int64_t S, int64_t cell, int amplitude, uint8_t *grid, uint8_t *out) {
    const int64_t n = S / cell > 1 ? S / cell : 1;
    for (int64_t k = 0; k < n * n; k++) {
        grid[k] = (uint8_t)hiss_rng_below(rng, 2 * amplitude + 1);
    }
    for (int64_t y = 0; y < S; y++) {
        const int64_t i = y * n / S, fy = y * n % S, below = (i + 1) % n;
        for (int64_t x = 0; x < S; x++) {
            const int64_t j = x * n / S, fx = x * n % S, right = (j + 1) % n;
            const int64_t top = grid[i * n + j] * (S - fx) + grid[i * n + right] * fx;
            const int64_t bottom = grid[below * n + j] * (S - fx) + grid[below * n + right] * fx;
            out[y * S + x] = (uint8_t)(out[y * S + x] + (top * (S - fy) + bottom * fy) / (S * S) - amplitude);
        }
    }
}

static void draw_ground(hiss_rng *rng, int64_t S, uint8_t *grid, uint8_t *out) {
    memset(out, (int)hiss_generate_between(rng, 70, 130), (size_t)(S * S));
    add_noise(rng, S, COARSE, 45, grid, out);
    add_noise(rng, S, FINE, 20, grid, out);
}

/* ---- items ---- */

typedef struct thing {
    int64_t item, x, y, vx, vy;
} thing;

static bool overlaps(const options *o, const thing *a, const thing *b) {
    const int64_t D = o->item_size;
    return a->x < b->x + D && b->x < a->x + D && a->y < b->y + D && b->y < a->y + D;
}

static int64_t draw_item(const clutter *c, hiss_rng *rng, bool moves) {
    const bool any = c->options->mover_classes == 0;
    const int64_t first = any || moves ? 0 : c->moving, end = any || !moves ? c->items.count : c->moving;
    return c->sorted[first + hiss_rng_below(rng, end - first)];
}

/* label() draws the first item as this does. */
static void draw_things(const clutter *c, hiss_rng *rng, thing *things) {
    const options *o = c->options;
    const int64_t places = o->size - o->item_size + 1;
    for (int64_t k = 0; k < o->count; k++) {
        thing *t = things + k;
        const bool moves = k < o->movers;
        *t = (thing){.item = draw_item(c, rng, moves)};
        bool taken = true;
        for (int tries = 0; taken && tries < TRIES; tries++) {
            taken = false;
            t->x = hiss_rng_below(rng, places);
            t->y = hiss_rng_below(rng, places);
            for (int64_t j = 0; j < k; j++) {
                taken = taken || overlaps(o, t, things + j);
            }
        }
        while (moves && t->vx == 0 && t->vy == 0) {
            t->vx = hiss_generate_between(rng, -o->speed, o->speed);
            t->vy = hiss_generate_between(rng, -o->speed, o->speed);
        }
    }
}

static void advance(int64_t last, int64_t *place, int64_t *velocity) {
    *place += *velocity;
    if (*place < 0 || *place > last) {
        *place = *place < 0 ? -*place : 2 * last - *place;
        *velocity = -*velocity;
    }
}

/* mover: NULL, or where the item is marked. */
static void draw(const clutter *c, const thing *t, uint8_t mark, uint8_t *frame, uint8_t *mover) {
    const int64_t S = c->options->size, D = c->options->item_size;
    const uint8_t *pixel = c->items.pixels + t->item * D * D;
    for (int64_t k = 0; k < D * D; k++) {
        const int64_t at = (t->y + k / D) * S + t->x + k % D;
        if (pixel[k] >= OPAQUE) {
            frame[at] = pixel[k];
            if (mover) {
                mover[at] = mark;
            }
        }
    }
}

/* Four pixels of noise from each word. */
static void add_grain(hiss_rng *rng, int64_t pixels, int64_t grain, int64_t light, uint8_t *frame) {
    uint32_t word = 0;
    for (int64_t k = 0; k < pixels; k++) {
        word = k % 4 == 0 ? hiss_rng_word(rng) : word >> 8;
        const int64_t sum = frame[k] + light + (int64_t)(word & 255) * (2 * grain + 1) / 256 - grain;
        frame[k] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
}

static void make(const void *self, int64_t row, void *const *out) {
    const clutter *c = self;
    const options *o = c->options;
    const int64_t S = o->size, T = o->frames, middle = T / 2;
    uint8_t *image = out[IMAGE], *clip = out[CLIP], *mover = out[MOVER];
    float *place = out[PLACE];
    int32_t *item_label = out[ITEM];
    thing things[MOST_ITEMS];
    hiss_rng rng = hiss_generate_rng(&o->common, row);
    draw_things(c, &rng, things);
    const int64_t dx = hiss_generate_between(&rng, -o->drift, o->drift),
                  dy = hiss_generate_between(&rng, -o->drift, o->drift);
    const int64_t light = hiss_generate_between(&rng, -o->light, o->light);
    draw_ground(&rng, S, mover, image);
    memset(mover, 0, (size_t)(S * S));
    for (int64_t t = 0; t < T; t++) {
        uint8_t *frame = clip + t * S * S;
        for (int64_t k = 0; k < S * S; k++) {
            const int64_t y = ((k / S - t * dy) % S + S) % S, x = ((k % S - t * dx) % S + S) % S;
            frame[k] = image[y * S + x];
        }
        for (int64_t k = o->count - 1; k >= 0; k--) {
            thing *at = things + k;
            draw(c, at, k < o->movers ? MOVES : STANDS, frame, t == middle ? mover : NULL);
            place[(t * o->count + k) * 2] = (float)(2 * at->x + o->item_size - 1) * 0.5f;
            place[(t * o->count + k) * 2 + 1] = (float)(2 * at->y + o->item_size - 1) * 0.5f;
            item_label[k] = c->items.label ? c->items.label[at->item] : -1;
            advance(S - o->item_size, &at->x, &at->vx);
            advance(S - o->item_size, &at->y, &at->vy);
        }
        add_grain(&rng, S * S, o->grain, light * (t - middle), frame);
    }
    memcpy(image, clip + middle * S * S, (size_t)(S * S));
}

/* ---- labels: of clips of one mover ---- */

static int64_t classes(const void *self) {
    const clutter *c = self;
    return c->items.label && c->options->movers == 1 ? c->items.classes.count : 0;
}

static int32_t label(const void *self, int64_t row) {
    const clutter *c = self;
    hiss_rng rng = hiss_generate_rng(&c->options->common, row);
    return c->items.label[draw_item(c, &rng, true)];
}

static const char *class_name(const void *self, int64_t k) {
    return ((const clutter *)self)->items.classes.at[k].name;
}

static const char *items(const void *self) {
    return ((const clutter *)self)->items.hash;
}

const hiss_generator generate_clutter = {
    .name = "clutter",
    .summary = "clips of items over a textured ground, of which some move and the others stand still",
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .options_bytes = sizeof(options),
    .create = create,
    .destroy = destroy,
    .fields = fields,
    .make = make,
    .classes = classes,
    .label = label,
    .class_name = class_name,
    .items = items,
};
