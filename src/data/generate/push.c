/* A pusher: clips of an arm that moves at random over a textured table, and of blocks that move only where it pushes them.
 *
 * The arm is a disc, seen from above. Its velocity is drawn anew every 3 to 5 frames, and turns round at the edges of the
 * table. Blocks are squares that stay upright. A frame is made in STEPS small moves of the arm; after each, a block that
 * the disc overlaps gives way along the axis on which they overlap least, just as far as needed, and pushes other blocks
 * the same way; where it cannot, because of the edge or of a block that cannot, the arm stays where it was. There is no
 * momentum: a block rests in every frame in which nothing touches it. So all that cannot be foretold is the arm.
 *
 * It stands in for clips of robots that push things, and is none of their data sets (BAIR and others): what it keeps
 * of them is an agent that nobody can foretell in a world that everybody can.
 *
 * The same world goes on by given velocities (act), rounded to 1/2 of a pixel a frame: what a plan is tried in.
 *
 * Places are integers, in 1/16 of a pixel, so that every machine makes the same bits; the fields' floats hold them
 * exactly. Pixels are the share of 4 x 4 points that a shape covers.
 *
 * Cost: T S^2 pixels, some 0.2 ms for the standard clip. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/generate.h"

enum { IMAGE, CLIP, ACTION, CONTACT, PLACE, FIELDS };
enum { UNIT = 16, STEPS = 8, MOST_BLOCKS = 3, POINTS = 4, LEAST_FRAMES = 3, MOST_FRAMES = 5, TRIES = 200 };

#define DARKER 0.66 /* than the light of the arm in some colour, all else: of 0..1 */
#define SEEN   0.1  /* least sum of light above that, of an arm that is there: a whole pixel has 0.18 */

typedef struct options {
    hiss_generate_options common;
    int64_t frames, size, blocks, speed;
} options;

static const hiss_row rows[] = {
    HISS_GENERATE_ROWS(options),
    {"frames", HISS_INT, offsetof(options, frames), "12", 1, 10000, NULL, "frames of a clip"},
    {"size", HISS_INT, offsetof(options, size), "64", 32, 512, NULL, "rows and columns of a frame"},
    {"blocks", HISS_INT, offsetof(options, blocks), "3", 1, MOST_BLOCKS, NULL, "blocks on the table, at most so many"},
    {"speed", HISS_INT, offsetof(options, speed), "4", 1, 16, NULL,
     "most pixels a frame of the arm, in each direction"},
};

typedef struct point {
    int32_t x, y; /* in 1/UNIT of a pixel */
} point;

typedef struct world {
    int32_t side, radius, half; /* of the table; of the arm; of a block's side */
    int blocks;
    point arm, block[MOST_BLOCKS];
} world;

/* ---- contact ---- */

static int32_t clamp(int32_t value, int32_t low, int32_t high) {
    return value < low ? low : value > high ? high : value;
}

/* Whether the disc overlaps a block. */
static bool touches(const world *w, point arm, point block) {
    const int64_t dx = arm.x - clamp(arm.x, block.x - w->half, block.x + w->half);
    const int64_t dy = arm.y - clamp(arm.y, block.y - w->half, block.y + w->half);
    return dx * dx + dy * dy < (int64_t)w->radius * w->radius;
}

static bool on_table(const world *w, point block) {
    return block.x >= w->half && block.y >= w->half && block.x <= w->side - w->half && block.y <= w->side - w->half;
}

static bool blocks_overlap(const world *w, point a, point b) {
    return abs(a.x - b.x) < 2 * w->half && abs(a.y - b.y) < 2 * w->half;
}

/* Move block k by (dx, dy), and those in its way by as much as they are. False: it cannot; then w is spoilt. */
static bool shift(world *w, int k, int32_t dx, int32_t dy, int depth) {
    w->block[k].x += dx;
    w->block[k].y += dy;
    if (!on_table(w, w->block[k]) || depth == w->blocks) {
        return false;
    }
    for (int other = 0; other < w->blocks; other++) {
        if (other == k || !blocks_overlap(w, w->block[k], w->block[other])) {
            continue;
        }
        const point a = w->block[k], b = w->block[other];
        const int32_t by_x = dx ? 2 * w->half - abs(b.x - a.x) : 0, by_y = dy ? 2 * w->half - abs(b.y - a.y) : 0;
        if (!shift(w, other, dx > 0 ? by_x : -by_x, dy > 0 ? by_y : -by_y, depth + 1)) {
            return false;
        }
    }
    return true;
}

/* How far a block must go along one axis, away from the arm, until they no longer overlap: place - away of both along the
 * axis, across of the other one. */
static int32_t way_out(const world *w, int32_t away, int32_t across) {
    const int64_t beside = abs(across) > w->half ? abs(across) - w->half : 0;
    int32_t reach = 0; /* of the disc along the axis, at the block's nearest line */
    while ((int64_t)(reach + 1) * (reach + 1) + beside * beside <= (int64_t)w->radius * w->radius) {
        reach++;
    }
    return reach + 1 + w->half - abs(away);
}

/* The arm goes on by (dx, dy), and what it meets gives way. Bit k of the result: it has met block k. */
static unsigned move_arm(world *w, int32_t dx, int32_t dy, bool *moved) {
    world next = *w;
    unsigned met = 0;
    next.arm.x += dx;
    next.arm.y += dy;
    *moved = true;
    for (int k = 0; k < w->blocks && *moved; k++) {
        if (!touches(&next, next.arm, next.block[k])) {
            continue;
        }
        met |= 1u << k;
        const int32_t x = next.block[k].x - next.arm.x, y = next.block[k].y - next.arm.y;
        const int32_t by_x = way_out(&next, x, y), by_y = way_out(&next, y, x);
        *moved =
            by_x < by_y ? shift(&next, k, x < 0 ? -by_x : by_x, 0, 0) : shift(&next, k, 0, y < 0 ? -by_y : by_y, 0);
    }
    for (int k = 0; k < w->blocks && *moved; k++) { /* one that another has pushed back */
        *moved = !touches(&next, next.arm, next.block[k]);
    }
    if (*moved) {
        *w = next;
    }
    return met;
}

/* ---- the world ---- */

static point draw_place(hiss_rng *rng, const world *w, int32_t edge) {
    const int32_t x = (int32_t)hiss_generate_between(rng, edge, w->side - edge);
    return (point){x, (int32_t)hiss_generate_between(rng, edge, w->side - edge)};
}

static bool is_free(const world *w, point block) {
    bool is = !touches(w, w->arm, block);
    for (int k = 0; k < w->blocks; k++) {
        is = is && !blocks_overlap(w, w->block[k], block);
    }
    return is;
}

/* An arm, and blocks beside it and one another: as many as find room, at least one. */
static world draw_world(const options *o, hiss_rng *rng) {
    world w = {.side = (int32_t)(o->size * UNIT),
               .radius = (int32_t)(o->size * UNIT / 10),
               .half = (int32_t)(o->size * UNIT / 11)};
    const int wanted = o->blocks < 2 ? 1 : (int)hiss_generate_between(rng, 2, o->blocks);
    w.arm = draw_place(rng, &w, w.radius);
    for (int k = 0; k < TRIES && w.blocks < wanted; k++) {
        const point place = draw_place(rng, &w, 2 * w.half);
        if (is_free(&w, place)) {
            w.block[w.blocks++] = place;
        }
    }
    return w;
}

/* ---- pictures ---- */

typedef struct colour {
    uint8_t c[3];
} colour;

/* A smooth random pattern: sums of a coarse grid of random heights, between which it is linear. */
static void draw_table(const options *o, hiss_rng *rng, uint8_t *out) {
    enum { GRID = 9, LIGHT = 40 };
    const int64_t S = o->size, cell = (S + GRID - 2) / (GRID - 1);
    int32_t height[GRID][GRID];
    const int32_t base[] = {(int32_t)hiss_generate_between(rng, 90, 150), (int32_t)hiss_generate_between(rng, 80, 130),
                            (int32_t)hiss_generate_between(rng, 60, 110)};
    for (int i = 0; i < GRID * GRID; i++) {
        height[i / GRID][i % GRID] = (int32_t)hiss_generate_between(rng, -LIGHT, LIGHT);
    }
    for (int64_t y = 0; y < S; y++) {
        for (int64_t x = 0; x < S; x++) {
            const int64_t i = y / cell, j = x / cell, v = y % cell, u = x % cell;
            const int64_t sum = (cell - v) * ((cell - u) * height[i][j] + u * height[i][j + 1]) +
                                v * ((cell - u) * height[i + 1][j] + u * height[i + 1][j + 1]);
            const int32_t grain = (int32_t)(hiss_rng_word(rng) >> 29) - 4;
            for (int c = 0; c < 3; c++) {
                out[(y * S + x) * 3 + c] = (uint8_t)clamp(base[c] + (int32_t)(sum / (cell * cell)) + grain, 0, 255);
            }
        }
    }
}

static bool in_disc(point centre, int32_t size, int32_t x, int32_t y) {
    const int64_t dx = x - centre.x, dy = y - centre.y;
    return dx * dx + dy * dy < (int64_t)size * size;
}

static bool in_square(point centre, int32_t size, int32_t x, int32_t y) {
    return abs(x - centre.x) < size && abs(y - centre.y) < size;
}

static void draw_shape(const options *o, bool inside(point, int32_t, int32_t, int32_t), point centre, int32_t size,
                       colour ink, uint8_t *frame) {
    const int32_t S = (int32_t)o->size;
    const int32_t top = clamp((centre.y - size) / UNIT, 0, S), bottom = clamp((centre.y + size) / UNIT + 1, 0, S);
    const int32_t left = clamp((centre.x - size) / UNIT, 0, S), right = clamp((centre.x + size) / UNIT + 1, 0, S);
    for (int32_t y = top; y < bottom; y++) {
        for (int32_t x = left; x < right; x++) {
            int covered = 0;
            for (int p = 0; p < POINTS * POINTS; p++) { /* in the middle of 4 x 4 parts of the pixel */
                covered += inside(centre, size, x * UNIT + 2 + p % POINTS * 4, y * UNIT + 2 + p / POINTS * 4);
            }
            uint8_t *pixel = frame + (y * S + x) * 3;
            for (int c = 0; c < 3; c++) {
                pixel[c] = (uint8_t)((ink.c[c] * covered + pixel[c] * (16 - covered) + 8) / 16);
            }
        }
    }
}

static void draw_frame(const options *o, const world *w, const uint8_t *table, const colour *ink, uint8_t *frame) {
    static const colour dark = {{35, 35, 40}}, light = {{215, 215, 220}};
    memcpy(frame, table, (size_t)(o->size * o->size * 3));
    for (int k = 0; k < w->blocks; k++) {
        draw_shape(o, in_square, w->block[k], w->half, ink[k], frame);
    }
    draw_shape(o, in_disc, w->arm, w->radius, dark, frame);
    draw_shape(o, in_disc, w->arm, w->radius * 3 / 5, light, frame);
}

/* ---- rows ---- */

static int fields(const void *self, hiss_field *out) {
    const options *o = self;
    const int64_t S = o->size, T = o->frames;
    out[IMAGE] = (hiss_field){.name = HISS_FIELD_IMAGE, .dtype = HISS_U8, .ndim = 3, .dim = {S, S, 3}};
    out[CLIP] = (hiss_field){.name = "clip", .dtype = HISS_U8, .ndim = 4, .dim = {T, S, S, 3}};
    out[ACTION] = (hiss_field){.name = "action", .dtype = HISS_F32, .ndim = 2, .dim = {T, 2}};
    out[CONTACT] = (hiss_field){.name = "contact", .dtype = HISS_U8, .ndim = 1, .dim = {T}};
    out[PLACE] = (hiss_field){.name = "place", .dtype = HISS_F32, .ndim = 3, .dim = {T, 1 + o->blocks, 2}};
    return FIELDS;
}

/* Places of arm and blocks in pixels; -1 where there is no block. */
static void tell_places(const options *o, const world *w, float *out) {
    for (int64_t k = 0; k < 1 + o->blocks; k++) {
        const point p = k == 0 ? w->arm : k <= w->blocks ? w->block[k - 1] : (point){-UNIT, -UNIT};
        out[2 * k] = (float)p.x / UNIT;
        out[2 * k + 1] = (float)p.y / UNIT;
    }
}

/* The arm's way to the next frame. It turns round where it would leave the table, or cannot go on. */
static unsigned advance(world *w, point *velocity) {
    unsigned met = 0;
    for (int step = 0; step < STEPS; step++) {
        const int32_t x = velocity->x / STEPS, y = velocity->y / STEPS;
        bool moved;
        velocity->x = w->arm.x + x < w->radius || w->arm.x + x > w->side - w->radius ? -velocity->x : velocity->x;
        velocity->y = w->arm.y + y < w->radius || w->arm.y + y > w->side - w->radius ? -velocity->y : velocity->y;
        met |= move_arm(w, velocity->x / STEPS, velocity->y / STEPS, &moved);
        if (!moved) {
            *velocity = (point){-velocity->x, -velocity->y};
        }
    }
    return met;
}

/* A given velocity in whole steps, no faster than the arm can go. */
static int32_t paced(const options *o, float pixels) {
    const float most = (float)o->speed;
    const float within = pixels > most ? most : pixels > -most ? pixels : pixels <= -most ? -most : 0.0f;
    return (int32_t)lrintf(within * UNIT / STEPS) * STEPS;
}

/* From frame `from` on, velocities are those of given [T,2]. */
static void make_by(const options *o, int64_t row, int64_t from, const float *given, void *const *out) {
    const int64_t frame = o->size * o->size * 3;
    static const colour inks[] = {
        {{200, 50, 45}}, {{45, 110, 200}}, {{230, 190, 50}}, {{70, 160, 80}}, {{150, 80, 170}}};
    colour ink[MOST_BLOCKS];
    uint8_t *clip = out[CLIP], *contact = out[CONTACT], *image = out[IMAGE];
    float *action = out[ACTION], *place = out[PLACE];
    hiss_rng rng = hiss_generate_rng(&o->common, row);
    world w = draw_world(o, &rng);
    point velocity = {0, 0};
    const int64_t most = o->speed * UNIT / STEPS, first = hiss_rng_below(&rng, HISS_COUNT(inks));
    for (int k = 0; k < MOST_BLOCKS; k++) {
        ink[k] = inks[(first + k) % HISS_COUNT(inks)];
    }
    draw_table(o, &rng, image); /* where the first frame goes at the end */
    for (int64_t t = 0, left = 0; t < o->frames; t++, left--) {
        if (left == 0) {
            left = hiss_generate_between(&rng, LEAST_FRAMES, MOST_FRAMES);
            velocity.x = (int32_t)(STEPS * hiss_generate_between(&rng, -most, most));
            velocity.y = (int32_t)(STEPS * hiss_generate_between(&rng, -most, most));
        }
        if (t >= from) {
            velocity = (point){paced(o, given[2 * t]), paced(o, given[2 * t + 1])};
        }
        draw_frame(o, &w, image, ink, clip + t * frame);
        tell_places(o, &w, place + t * (1 + o->blocks) * 2);
        action[2 * t] = (float)velocity.x / UNIT;
        action[2 * t + 1] = (float)velocity.y / UNIT;
        contact[t] = (uint8_t)advance(&w, &velocity);
    }
    memcpy(image, clip, (size_t)frame);
}

static void make(const void *self, int64_t row, void *const *out) {
    make_by(self, row, INT64_MAX, NULL, out);
}

static void act(const void *self, int64_t row, int64_t from, const float *action, void *const *out) {
    make_by(self, row, from, action, out);
}

/* The arm's inner disc is the only thing that is light in all colours: its centre is that of the light above what table and blocks
 * have. */
static bool find(const void *self, const float *picture, float out[2]) {
    const options *o = self;
    double sum = 0.0, x = 0.0, y = 0.0;
    for (int64_t k = 0; k < o->size * o->size; k++) {
        const float *pixel = picture + 3 * k;
        const double least = fmin(fmin((double)pixel[0], (double)pixel[1]), (double)pixel[2]);
        const double light = least > DARKER ? least - DARKER : 0.0;
        sum += light;
        x += light * ((double)(k % o->size) + 0.5);
        y += light * ((double)(k / o->size) + 0.5);
    }
    out[0] = sum > 0.0 ? (float)(x / sum) : 0.0f;
    out[1] = sum > 0.0 ? (float)(y / sum) : 0.0f;
    return sum > SEEN;
}

const hiss_generator generate_push = {
    .name = "push",
    .summary = "clips of an arm that moves at random and pushes blocks over a table (not the BAIR data)",
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .options_bytes = sizeof(options),
    .fields = fields,
    .make = make,
    .act = act,
    .find = find,
};
