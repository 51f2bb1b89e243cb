/* Context prediction: of two patches of an image, the second is one of the eight neighbours of the first; which? To
 * tell where a neighbour belongs one has to know what the things are that the patches show. (Doersch, Gupta & Efros,
 * "Unsupervised visual representation learning by context prediction", ICCV 2015, section 3.) Directions are numbered
 *     0 1 2
 *     3   4
 *     5 6 7
 * and the loss is the cross-entropy of the right one. Each image gives one pair at a step, drawn anew each time:
 * direction, place of the first patch, and a shift of each.
 *
 * What would solve the task without knowing anything is closed: lines go on from a patch into the next one (a gap
 * between patches, and each is shifted by up to `jitter` pixels); light changes slowly (each patch has mean 0 and mean
 * square 1); lenses bend colours apart (colour dropping); things in the middle of black say where a patch was (the
 * canvas of parts/patches.c).
 *
 * second_only is the control: the first patch is blank, so nothing is left that the direction could be told from. */
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/pretext/siamese.h"

enum { FIRST, SECOND, PARTS, DIRECTIONS = 8, DRAW_OF_PAIR = 2070 }; /* the last: when, of evaluation's streams */
static const char picture[] = "context.png";

typedef struct options {
    int64_t patch, gap, jitter;
    bool color_dropping, second_only;
    objective_scene_options scene;
    siamese_options siamese;
} options;

#define ROW(key_, type_, ...)                                                                                          \
    { #key_, type_, offsetof(options, key_), __VA_ARGS__ }
static const hiss_row rows[] = {
    ROW(patch, HISS_INT, "12", 2, 1024, NULL, "side of a patch, in pixels"),
    ROW(gap, HISS_INT, "4", 0, 1024, NULL, "pixels between neighbouring patches, before they are shifted"),
    ROW(jitter, HISS_INT, "2", 0, 1024, NULL, "each patch is shifted by up to so many pixels, in both directions"),
    ROW(color_dropping, HISS_BOOL, "true", 0, 0, NULL,
        "of colour images each patch keeps one channel, the others become faint noise"),
    ROW(second_only, HISS_BOOL, "false", 0, 0, NULL,
        "a control: the first patch is blank, so that nothing can be told"),
    OBJECTIVE_SCENE_ROWS(options, scene),
    SIAMESE_ROWS(options, siamese, "64", "128"),
};
#undef ROW
static const int nrows = HISS_COUNT(rows);

typedef struct context {
    siamese base;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
} context;

static int64_t stride_of(const options *o) {
    return o->patch + o->gap;
}

/* On a canvas, which is a torus, three patches in a row must not meet; elsewhere two lie within the image. */
static int64_t need_of(const context *c, int64_t patch, int64_t gap, int64_t jitter) {
    return c->base.scene.canvas ? 3 * (patch + gap) : 2 * patch + gap + 2 * jitter;
}

/* Whether no two directions are of the same offset: along an axis that of neighbours is stride +- 2 jitter, and that of
 * patches side by side +- 2 jitter. A canvas, which has room for three strides, keeps opposite neighbours apart, too. */
static bool directions_differ(int64_t patch, int64_t gap, int64_t jitter) {
    return 4 * jitter < patch + gap;
}

/* Less jitter; a wider gap, where there is room for it. */
static hiss_status fail_directions(const context *c, hiss_error *err) {
    const options *o = c->options;
    const objective_scene *scene = &c->base.scene;
    const int64_t side = scene->H < scene->W ? scene->H : scene->W, gap = 4 * o->jitter + 1 - o->patch;
    char sets[160], advice[256] = "";
    snprintf(sets, sizeof sets, "--set context_prediction.jitter=%lld", (long long)((stride_of(o) - 1) / 4));
    pretext_siamese_advise(advice, sizeof advice, "shift less", sets);
    snprintf(sets, sizeof sets, "--set context_prediction.gap=%lld", (long long)gap);
    pretext_siamese_advise(advice, sizeof advice, "make the gap wider",
                           need_of(c, o->patch, gap, o->jitter) <= side ? sets : "");
    return hiss_fail_key(err, HISS_EUSER, "context_prediction.jitter",
                         "with shifts of up to %lld, the same two places can be of several directions, since "
                         "neighbours are patch + gap = %lld apart: expected less than a quarter of that%s",
                         (long long)o->jitter, (long long)stride_of(o), advice);
}

/* Smaller patches, where the layers take such; else no gap and no jitter, where that is enough; a canvas. */
static hiss_status fail_room(context *c, hiss_error *err) {
    const options *o = c->options;
    const objective_scene *scene = &c->base.scene;
    const int64_t side = scene->H < scene->W ? scene->H : scene->W, need = need_of(c, o->patch, o->gap, o->jitter),
                  on_canvas = 3 * stride_of(o) > side ? 3 * stride_of(o) : side + 1;
    int64_t patch = o->patch;
    while (patch > 2 && need_of(c, patch, o->gap, o->jitter) > side) {
        patch--;
    }
    char sets[160] = "", advice[256] = "";
    if (need_of(c, patch, o->gap, o->jitter) <= side && directions_differ(patch, o->gap, o->jitter) &&
        pretext_siamese_takes(&c->base, patch)) {
        snprintf(sets, sizeof sets, "--set context_prediction.patch=%lld", (long long)patch);
        pretext_siamese_advise(advice, sizeof advice, "make the patches smaller", sets);
    } else if (need_of(c, o->patch, 0, 0) <= side) {
        pretext_siamese_advise(advice, sizeof advice, "leave out gap and shifts",
                               "--set context_prediction.gap=0 --set context_prediction.jitter=0");
    }
    snprintf(sets, sizeof sets, "--set context_prediction.canvas=%lld", (long long)on_canvas);
    pretext_siamese_advise(advice, sizeof advice,
                           scene->canvas ? "make the canvas larger" : "put the images on a canvas",
                           on_canvas <= OBJECTIVE_SCENE_MOST ? sets : "");
    if (scene->canvas) {
        return hiss_fail_key(err, HISS_EUSER, "context_prediction.canvas",
                             "patches of %lld with a gap of %lld need a canvas of at least %lld, found %lld%s",
                             (long long)o->patch, (long long)o->gap, (long long)need, (long long)scene->H, advice);
    }
    return hiss_fail_key(err, HISS_EUSER, "context_prediction.patch",
                         "two patches of %lld with a gap of %lld and a jitter of %lld need images of at least %lld x "
                         "%lld, found %lld x %lld%s",
                         (long long)o->patch, (long long)o->gap, (long long)o->jitter, (long long)need, (long long)need,
                         (long long)scene->H, (long long)scene->W, advice);
}

static hiss_status check_room(context *c, hiss_error *err) {
    const options *o = c->options;
    const int64_t need = need_of(c, o->patch, o->gap, o->jitter);
    if (!directions_differ(o->patch, o->gap, o->jitter)) {
        return fail_directions(c, err);
    }
    return c->base.scene.H >= need && c->base.scene.W >= need ? HISS_OK : fail_room(c, err);
}

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    context *c = hiss_new(context, 1);
    c->placement = placement;
    c->options = opts;
    *self = c;
    const int64_t span = c->options->patch + 2 * stride_of(c->options); /* of a patch and its neighbours */
    c->base = (siamese){.task = task,
                        .options = &c->options->siamese,
                        .method = "context_prediction",
                        .side_key = "context_prediction.patch",
                        .parts = PARTS,
                        .side = c->options->patch,
                        .answers = DIRECTIONS,
                        .scene = objective_scene_of(&c->options->scene, task)};
    c->base.shown_side = span > c->base.scene.H ? span : c->base.scene.H;
    const hiss_status s = check_room(c, err);
    return s == HISS_OK ? pretext_siamese_open(&c->base, err) : s;
}

static void destroy(void *self) {
    if (self) {
        pretext_siamese_close(&((context *)self)->base);
        hiss_free(self);
    }
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    return pretext_siamese_encode(&((const context *)self)->base, b, image, taps, err);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    context *c = self;
    return pretext_siamese_build(&c->base, b, c->placement->m, err);
}

/* ---- pairs of patches ---- */

/* -1, 0 or 1 along each axis. */
static void step_of(int64_t direction, int64_t *dy, int64_t *dx) {
    const int64_t place = direction < 4 ? direction : direction + 1; /* of 3 x 3, row by row */
    *dy = place / 3 - 1;
    *dx = place % 3 - 1;
}

/* Places of both patches along one axis of `length` pixels. */
static void draw_places(const context *c, int64_t length, int64_t step, hiss_rng *rng, int64_t at[PARTS]) {
    const options *o = c->options;
    const int64_t away = step * stride_of(o);
    if (c->base.scene.canvas) {
        at[FIRST] = hiss_rng_below(rng, length);
    } else {
        const int64_t room = length - o->patch - stride_of(o) * (step != 0) - 2 * o->jitter;
        at[FIRST] = o->jitter + (away < 0 ? -away : 0) + hiss_rng_below(rng, room + 1);
    }
    at[SECOND] = at[FIRST] + away;
    for (int k = 0; k < PARTS; k++) {
        at[k] += hiss_rng_below(rng, 2 * o->jitter + 1) - o->jitter;
    }
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const context *c = self;
    const options *o = c->options;
    const int64_t pixels = o->patch * o->patch, C = c->base.task->C;
    hiss_rng rng = pretext_siamese_draws(&c->base, lane, i, DRAW_OF_PAIR);
    int64_t dy, dx, y[PARTS], x[PARTS];
    const int64_t direction = hiss_rng_below(&rng, DIRECTIONS);
    step_of(direction, &dy, &dx);
    const float *scene = objective_scene_paint(&c->base.scene, lane, i, &rng);
    draw_places(c, c->base.scene.H, dy, &rng, y);
    draw_places(c, c->base.scene.W, dx, &rng, x);
    for (int k = 0; k < PARTS; k++) {
        float *patch = pretext_siamese_patch(&c->base, lane, i, k);
        objective_patch_cut(&c->base.scene, scene, y[k], x[k], o->patch, patch);
        if (o->color_dropping && C == 3) {
            objective_patch_drop_colors(pixels, C, patch, &rng);
        } else {
            objective_patch_normalize(pixels, C, patch);
        }
    }
    if (o->second_only) {
        memset(pretext_siamese_patch(&c->base, lane, i, FIRST), 0, sizeof(float) * (size_t)(pixels * C));
    }
    pretext_siamese_answer(&c->base, lane, i, direction);
}

/* ---- what evaluation measures ---- */

static int64_t width(void *self) {
    (void)self;
    return SIAMESE_WIDTH;
}

static hiss_status measure_build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    return pretext_siamese_measure_build(&((context *)self)->base, b, m, err);
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    context *c = self;
    int64_t dy, dx;
    const int64_t stride = stride_of(c->options), right = pretext_siamese_measure(&c->base, lane, i, out);
    float *shown = pretext_siamese_show(&c->base, lane, i);
    if (shown) {
        step_of(right, &dy, &dx);
        pretext_siamese_show_patch(&c->base, lane, i, FIRST, stride, stride, shown);
        pretext_siamese_show_patch(&c->base, lane, i, SECOND, stride * (1 + dy), stride * (1 + dx), shown);
    }
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    const context *c = self;
    const options *o = c->options;
    char caption[256];
    snprintf(caption, sizeof caption,
             "Test images%s, and beside each the two patches of it that the network sees: the first in the middle, the "
             "second where it belongs, without the shifts.%s",
             c->base.scene.canvas ? " on their canvas" : "", o->second_only ? " The first is blank: a control." : "");
    if (o->second_only) {
        m->remark(m->say, "second_only is on: the network sees the second patch alone, and should not beat guessing.");
    }
    return pretext_siamese_conclude(&c->base, m, "direction of the second patch told right", picture, caption, err);
}

/* The control is to be no better. */
static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const context *c = self;
    return c->options->second_only ? -1 : pretext_siamese_below_chance(&c->base, metrics, nmetrics, line, size);
}

static void describe(void *self, char *line, size_t size) {
    const context *c = self;
    const options *o = c->options;
    snprintf(line, size, "context_prediction: patches of %lld, gap %lld, jitter %lld, out of %s of %lld x %lld%s",
             (long long)o->patch, (long long)o->gap, (long long)o->jitter, c->base.scene.canvas ? "a canvas" : "images",
             (long long)c->base.scene.H, (long long)c->base.scene.W,
             o->second_only ? "; the first is blank (a control)" : "");
    if (2 * o->jitter > o->gap) {
        const size_t used = strlen(line);
        snprintf(line + used, size - used,
                 "; patches may overlap by %lld pixels, which tell the direction by themselves: a jitter of %lld or a "
                 "gap of %lld keeps them apart",
                 (long long)(2 * o->jitter - o->gap), (long long)(o->gap / 2), (long long)(2 * o->jitter));
    }
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

const hiss_objective_ops objective_context_prediction = {
    .name = "context_prediction",
    .summary = "tell on which of eight sides of a patch another one lies",
    .sections = {{"context_prediction", rows, &nrows, 0}},
    .sizes = "context_prediction.hidden, context_prediction.code",
    .options_bytes = sizeof(options),
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .measure = &measures,
};
