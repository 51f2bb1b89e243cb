/* Stochastic Moving MNIST (Denton & Fergus, "Stochastic video generation with a learned prior", ICML 2018): clips of items
 * that move over a black ground and bounce off its edges, in a new direction each time.
 *
 * The rules are those of the paper's code (data/moving_mnist.py), with S = size, D = item_size, v = speed. An item begins
 * at x, y uniform in 0 .. S - D - 1, with velocities uniform in -v .. v. Then, for each frame: if y < 0, y becomes 0, vy
 * uniform in 1 .. v, and vx uniform in -v .. v; if y >= S - D, y becomes S - D - 1, vy uniform in -v .. -1, and vx as
 * before. Then the same for x, which may overwrite what y has drawn. The item is added to the frame, cut at white, and
 * moves on. With bounce deterministic the velocity is turned round, and nothing is drawn.
 *
 * A hit is the frame in which an item is put back to the edge: there it still is where one would expect it, and its new
 * direction shows in the next one. Field hit has them: 1 top or bottom, 2 left or right, 3 both.
 *
 * Items are images of another data set, scaled to D x D (items.c).
 *
 * Cost: memory for all items at D x D; T D^2 additions for each item of a clip, some 30 us for the standard clip. */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "data/generate/items.h"
#include "hiss/alloc.h"
#include "hiss/generate.h"

enum { MOST_ITEMS = 16 };
enum { IMAGE, CLIP, HIT, ITEM, FIELDS };
enum { HIT_Y = 1, HIT_X = 2 };

typedef struct options {
    hiss_generate_options common;
    const char *items;
    int64_t frames, size, item_size, count, speed;
    bool deterministic;
} options;

static const hiss_row rows[] = {
    HISS_GENERATE_ROWS(options),
    {"items", HISS_PATH, offsetof(options, items), NULL, 0, 0, NULL,
     "HDF5 file of what moves: /images uint8 [n,H,W] or [n,H,W,1], /labels; a sixth of them is for part test"},
    {"count", HISS_INT, offsetof(options, count), "2", 1, MOST_ITEMS, NULL, "items in a clip"},
    {"frames", HISS_INT, offsetof(options, frames), "15", 1, 10000, NULL, "frames of a clip"},
    {"size", HISS_INT, offsetof(options, size), "64", 2, GENERATE_MOST_SIDE, NULL, "rows and columns of a frame"},
    {"item_size", HISS_INT, offsetof(options, item_size), "32", 1, GENERATE_MOST_SIDE - 1, NULL,
     "rows and columns of an item in it"},
    {"speed", HISS_INT, offsetof(options, speed), "4", 1, GENERATE_MOST_SIDE, NULL,
     "most pixels a frame, in each direction"},
    {"deterministic", HISS_BOOL, offsetof(options, deterministic), "false", 0, 0, NULL,
     "bounce as light does, not at random"},
};

typedef struct moving {
    const options *options;
    generate_items items;
} moving;

static void destroy(void *self) {
    moving *m = self;
    generate_items_free(&m->items);
    hiss_free(m);
}

static hiss_status create(const void *opts, void **self, hiss_error *err) {
    const options *o = opts;
    if (o->item_size >= o->size) {
        return hiss_fail_key(err, HISS_EUSER, "generate.item_size",
                             "%lld, but a frame has %lld rows; expected less, so that items can move",
                             (long long)o->item_size, (long long)o->size);
    }
    moving *m = hiss_new(moving, 1);
    m->options = o;
    const hiss_status status = generate_items_read(o->items, o->common.part, o->item_size, &m->items, err);
    if (status) {
        destroy(m);
        return status;
    }
    *self = m;
    return HISS_OK;
}

/* ---- clips ---- */

static int fields(const void *self, hiss_field *out) {
    const options *o = ((const moving *)self)->options;
    const int64_t S = o->size, T = o->frames;
    out[IMAGE] = (hiss_field){.name = HISS_FIELD_IMAGE, .dtype = HISS_U8, .ndim = 3, .dim = {S, S, 1}};
    out[CLIP] = (hiss_field){.name = "clip", .dtype = HISS_U8, .ndim = 4, .dim = {T, S, S, 1}};
    out[HIT] = (hiss_field){.name = "hit", .dtype = HISS_U8, .ndim = 2, .dim = {T, o->count}};
    out[ITEM] = (hiss_field){.name = "item_label", .dtype = HISS_I32, .ndim = 1, .dim = {o->count}};
    return FIELDS;
}

/* Place and velocity along an axis, and the velocity along the other one. True when the item was at the edge. */
static bool bounce(const options *o, hiss_rng *rng, int64_t *place, int64_t *velocity, int64_t *other) {
    const int64_t last = o->size - o->item_size - 1, v = o->speed;
    const bool low = *place < 0;
    if (!low && *place <= last) {
        return false;
    }
    *place = low ? 0 : last;
    if (o->deterministic) {
        *velocity = -*velocity;
    } else {
        *velocity = low ? hiss_generate_between(rng, 1, v) : hiss_generate_between(rng, -v, -1);
        *other = hiss_generate_between(rng, -v, v);
    }
    return true;
}

static void draw(const options *o, const uint8_t *item, int64_t x, int64_t y, uint8_t *frame) {
    const int64_t D = o->item_size;
    for (int64_t i = 0; i < D; i++) {
        uint8_t *line = frame + (y + i) * o->size + x;
        for (int64_t j = 0; j < D; j++) {
            const int sum = line[j] + item[i * D + j];
            line[j] = (uint8_t)(sum < 255 ? sum : 255);
        }
    }
}

static void move_item(const moving *m, hiss_rng *rng, const uint8_t *item, uint8_t *clip, uint8_t *hit) {
    const options *o = m->options;
    const int64_t free_places = o->size - o->item_size, v = o->speed;
    int64_t x = hiss_rng_below(rng, free_places), y = hiss_rng_below(rng, free_places);
    int64_t vx = hiss_generate_between(rng, -v, v), vy = hiss_generate_between(rng, -v, v);
    for (int64_t t = 0; t < o->frames; t++) {
        const bool by_y = bounce(o, rng, &y, &vy, &vx), by_x = bounce(o, rng, &x, &vx, &vy);
        hit[t * o->count] = (uint8_t)((by_y ? HIT_Y : 0) + (by_x ? HIT_X : 0));
        draw(o, item, x, y, clip + t * o->size * o->size);
        x += vx;
        y += vy;
    }
}

static void make(const void *self, int64_t row, void *const *out) {
    const moving *m = self;
    const options *o = m->options;
    const int64_t frame = o->size * o->size;
    uint8_t *clip = out[CLIP], *hit = out[HIT];
    int32_t *item_label = out[ITEM];
    hiss_rng rng = hiss_generate_rng(&o->common, row);
    memset(clip, 0, (size_t)(o->frames * frame));
    for (int64_t k = 0; k < o->count; k++) {
        const int64_t item = hiss_rng_below(&rng, m->items.count);
        item_label[k] = m->items.label ? m->items.label[item] : -1;
        move_item(m, &rng, m->items.pixels + item * o->item_size * o->item_size, clip, hit + k);
    }
    memcpy(out[IMAGE], clip, (size_t)frame);
}

/* ---- labels: of clips of one item ---- */

static int64_t classes(const void *self) {
    const moving *m = self;
    return m->items.label && m->options->count == 1 ? m->items.classes.count : 0;
}

static int32_t label(const void *self, int64_t row) {
    const moving *m = self;
    hiss_rng rng = hiss_generate_rng(&m->options->common, row);
    return m->items.label[hiss_rng_below(&rng, m->items.count)];
}

static const char *class_name(const void *self, int64_t c) {
    return ((const moving *)self)->items.classes.at[c].name;
}

static const char *items(const void *self) {
    return ((const moving *)self)->items.hash;
}

const hiss_generator generate_moving = {
    .name = "moving",
    .summary = "Stochastic Moving MNIST: clips of items that bounce off the edges at random",
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
