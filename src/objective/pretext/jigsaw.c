/* Jigsaw puzzles: an image is cut into 3 x 3 tiles, which are shown in another order; in which of N known orders? The
 * answer needs what the tiles show and how the parts of things lie to one another. (Noroozi & Favaro, "Unsupervised
 * learning of visual representations by solving jigsaw puzzles", ECCV 2016, sections 3 and 4.) The loss is the
 * cross-entropy of the right order.
 *
 * A tile lies at a random place within its cell, so that neighbours do not meet, and each channel of a tile has mean 0
 * and mean square 1, so that light does not tell them. Each image comes in an order drawn anew at each step: with one
 * order for each, the network would learn the images by heart. The N orders are far from one another (permutations.c),
 * else two answers would differ in what hardly any tile could tell.
 *
 * On a canvas, which is a torus, the grid has a random place as well.
 *
 * identical is the control: nine times the same tile, which is the same in any order. */
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/pretext/permutations.h"
#include "objective/pretext/siamese.h"

enum { ACROSS = 3, TILES = PERMUTED };
enum { DRAW_OF_PUZZLE = 2071 }; /* when, of evaluation's streams */
enum { SEED_OF_ORDERS = 1 };    /* not the run's, which evaluation may change */
static const char picture[] = "jigsaw.png";

typedef struct options {
    int64_t tile, cell, permutations;
    bool identical;
    objective_scene_options scene;
    siamese_options siamese;
} options;

#define ROW(key_, type_, ...)                                                                                          \
    { #key_, type_, offsetof(options, key_), __VA_ARGS__ }
static const hiss_row rows[] = {
    ROW(tile, HISS_INT, "12", 2, 1024, NULL, "side of a tile, in pixels"),
    ROW(cell, HISS_INT, "16", 2, 1024, NULL,
        "side of its cell, in which it has a random place; at least that of a tile"),
    ROW(permutations, HISS_INT, "30", 2, PERMUTATIONS_MOST, NULL, "N, orders to tell from one another"),
    ROW(identical, HISS_BOOL, "false", 0, 0, NULL, "a control: all tiles are the first, so that no order can be told"),
    OBJECTIVE_SCENE_ROWS(options, scene),
    SIAMESE_ROWS(options, siamese, "32", "128"),
};
#undef ROW
static const int nrows = HISS_COUNT(rows);

typedef struct jigsaw {
    siamese base;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
    uint8_t *orders; /* [N, TILES]: which tile stands at each place */
} jigsaw;

/* Smaller cells, with smaller tiles where theirs do not fit; a canvas that is large enough. */
static hiss_status fail_room(jigsaw *j, hiss_error *err) {
    const options *o = j->options;
    const objective_scene *scene = &j->base.scene;
    const int64_t need = ACROSS * o->cell, cell = (scene->H < scene->W ? scene->H : scene->W) / ACROSS,
                  tile = o->tile < cell ? o->tile : cell;
    char advice[256] = "", sets[128] = "";
    if (tile >= 2 && pretext_siamese_takes(&j->base, tile)) {
        snprintf(sets, sizeof sets, "--set jigsaw.cell=%lld --set jigsaw.tile=%lld", (long long)cell, (long long)tile);
    }
    pretext_siamese_advise(advice, sizeof advice, "make the cells smaller", sets);
    snprintf(sets, sizeof sets, "--set jigsaw.canvas=%lld", (long long)need);
    pretext_siamese_advise(advice, sizeof advice,
                           scene->canvas ? "make the canvas larger" : "put the images on a canvas",
                           need <= OBJECTIVE_SCENE_MOST ? sets : "");
    return hiss_fail_key(err, HISS_EUSER, scene->canvas ? "jigsaw.canvas" : "jigsaw.cell",
                         "3 x 3 cells of %lld need %lld x %lld pixels, found %lld x %lld%s", (long long)o->cell,
                         (long long)need, (long long)need, (long long)scene->H, (long long)scene->W, advice);
}

static hiss_status check_room(jigsaw *j, hiss_error *err) {
    const options *o = j->options;
    const objective_scene *scene = &j->base.scene;
    if (o->tile > o->cell) {
        return hiss_fail_key(err, HISS_EUSER, "jigsaw.tile",
                             "%lld, larger than jigsaw.cell, %lld, in which it lies; make the cells larger (--set "
                             "jigsaw.cell=%lld) or the tiles smaller (--set jigsaw.tile=%lld)",
                             (long long)o->tile, (long long)o->cell, (long long)o->tile, (long long)o->cell);
    }
    return scene->H < ACROSS * o->cell || scene->W < ACROSS * o->cell ? fail_room(j, err) : HISS_OK;
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    jigsaw *j = hiss_new(jigsaw, 1);
    j->placement = placement;
    j->options = opts;
    *self = j;
    j->base = (siamese){.task = task,
                        .options = &j->options->siamese,
                        .method = "jigsaw",
                        .side_key = "jigsaw.tile",
                        .room_key = "jigsaw.cell",
                        .room = j->options->cell,
                        .parts = TILES,
                        .side = j->options->tile,
                        .answers = j->options->permutations,
                        .scene = objective_scene_of(&j->options->scene, task)};
    j->base.shown_side = ACROSS * j->options->cell > j->base.scene.H ? ACROSS * j->options->cell : j->base.scene.H;
    hiss_status s = check_room(j, err);
    s = s == HISS_OK ? pretext_siamese_open(&j->base, err) : s;
    if (s == HISS_OK) {
        j->orders = hiss_new(uint8_t, j->options->permutations * TILES);
        pretext_permutations(SEED_OF_ORDERS, j->options->permutations, j->orders);
    }
    return s;
}

static void destroy(void *self) {
    jigsaw *j = self;
    if (j) {
        pretext_siamese_close(&j->base);
        hiss_free(j->orders);
        hiss_free(j);
    }
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    return pretext_siamese_encode(&((const jigsaw *)self)->base, b, image, taps, err);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    jigsaw *j = self;
    return pretext_siamese_build(&j->base, b, j->placement->m, err);
}

/* ---- puzzles ---- */

/* The corner of a grid of cells along one axis. */
static int64_t draw_corner(const jigsaw *j, int64_t length, hiss_rng *rng) {
    return hiss_rng_below(rng, j->base.scene.canvas ? length : length - ACROSS * j->options->cell + 1);
}

/* Offsets are drawn in the order of the cells, whatever the order of the tiles. */
static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const jigsaw *j = self;
    const options *o = j->options;
    const int64_t pixels = o->tile * o->tile, C = j->base.task->C;
    hiss_rng rng = pretext_siamese_draws(&j->base, lane, i, DRAW_OF_PUZZLE);
    const int64_t order = hiss_rng_below(&rng, o->permutations);
    const uint8_t *tile_at = j->orders + order * TILES;
    const float *scene = objective_scene_paint(&j->base.scene, lane, i, &rng);
    const int64_t top = draw_corner(j, j->base.scene.H, &rng), left = draw_corner(j, j->base.scene.W, &rng);
    int64_t y[TILES], x[TILES];
    for (int k = 0; k < TILES; k++) {
        y[k] = top + k / ACROSS * o->cell + hiss_rng_below(&rng, o->cell - o->tile + 1);
        x[k] = left + k % ACROSS * o->cell + hiss_rng_below(&rng, o->cell - o->tile + 1);
    }
    for (int place = 0; place < TILES; place++) {
        float *tile = pretext_siamese_patch(&j->base, lane, i, place);
        const int cell = o->identical ? 0 : tile_at[place];
        objective_patch_cut(&j->base.scene, scene, y[cell], x[cell], o->tile, tile);
        objective_patch_normalize_channels(pixels, C, tile);
    }
    pretext_siamese_answer(&j->base, lane, i, order);
}

/* ---- what evaluation measures ---- */

static int64_t width(void *self) {
    (void)self;
    return SIAMESE_WIDTH;
}

static hiss_status measure_build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    return pretext_siamese_measure_build(&((jigsaw *)self)->base, b, m, err);
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    jigsaw *j = self;
    pretext_siamese_measure(&j->base, lane, i, out);
    float *shown = pretext_siamese_show(&j->base, lane, i);
    for (int k = 0; shown && k < TILES; k++) {
        const int64_t margin = (j->options->cell - j->options->tile) / 2;
        pretext_siamese_show_patch(&j->base, lane, i, k, k / ACROSS * j->options->cell + margin,
                                   k % ACROSS * j->options->cell + margin, shown);
    }
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    const jigsaw *j = self;
    char text[256];
    snprintf(text, sizeof text, "Two of the %lld orders differ in at least %lld of 9 places.%s",
             (long long)j->options->permutations,
             (long long)pretext_least_distance(j->options->permutations, j->orders),
             j->options->identical ? " All tiles are the same (jigsaw.identical): nothing should beat guessing." : "");
    m->remark(m->say, text);
    snprintf(text, sizeof text, "Test images%s, and beside each its tiles in the order that the network sees.%s",
             j->base.scene.canvas ? " on their canvas" : "",
             j->options->identical ? " All are the same: a control." : "");
    return pretext_siamese_conclude(&j->base, m, "order of the tiles told right", picture, text, err);
}

/* The control is to be no better. */
static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const jigsaw *j = self;
    return j->options->identical ? -1 : pretext_siamese_below_chance(&j->base, metrics, nmetrics, line, size);
}

static void describe(void *self, char *line, size_t size) {
    const jigsaw *j = self;
    const options *o = j->options;
    snprintf(
        line, size,
        "jigsaw: %lld orders of 3 x 3 tiles, at least %lld places apart; tiles of %lld in cells of %lld out of %s of "
        "%lld x %lld%s",
        (long long)o->permutations, (long long)pretext_least_distance(o->permutations, j->orders), (long long)o->tile,
        (long long)o->cell, j->base.scene.canvas ? "a canvas" : "images", (long long)j->base.scene.H,
        (long long)j->base.scene.W, o->identical ? "; all alike (a control)" : "");
}

static const hiss_input_ops input = {.sample = sample};
static const hiss_report_ops report = {.below_chance = below_chance, .describe = describe};
static const char *const pictures[] = {picture, NULL};
static const hiss_measure_ops measures = {.baseline = "guessing",
                                          .pictures = pictures,
                                          .width = width,
                                          .build = measure_build,
                                          .sample = sample,
                                          .measure = measure,
                                          .conclude = conclude};

const hiss_objective_ops objective_jigsaw = {
    .name = "jigsaw",
    .summary = "tell in which of N orders the tiles of an image are",
    .sections = {{"jigsaw", rows, &nrows, 0}},
    .sizes = "jigsaw.hidden, jigsaw.code",
    .options_bytes = sizeof(options),
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .measure = &measures,
};
