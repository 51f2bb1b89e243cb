/* Temporal order (Misra, Zitnick & Hebert, "Shuffle and learn: unsupervised learning using temporal order verification",
 * ECCV 2016): are three frames of a clip in order?
 *
 * Of five frames a < b < c < d < e of a clip, (b, c, d) are in order, (b, a, d) and (b, e, d) are not. Half of all triples
 * are reversed, which does not change the answer. The frames pass through the same layers in one batch, BatchNorm is over
 * all three, and a classifier sees the three codes.
 *
 * b and d are at most `window` frames apart, a is at least `gap` before b, and e at least `gap` after d. A pair b, d is
 * drawn by the motion between its frames: the mean absolute difference of neighbouring frames. Where samples have a field
 * hit, pairs whose surroundings are free of hits are preferred: what bounces is not in order in any way that shows.
 *
 * identical is the control: three times the frame b. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/parts/clip.h"
#include "objective/parts/pixels.h"
#include "objective/pretext/siamese.h"

enum { TRIPLE = 3, DRAW_OF_TRIPLE = 2130 }; /* the last: when, of evaluation's streams */
enum { SHUFFLED, ORDERED, ANSWERS };
enum { IS_ORDERED = SIAMESE_WIDTH, ORDERED_HIT, WIDTH };

typedef struct options {
    int64_t window, gap;
    double negatives;
    bool identical, motion, avoid_hits;
    siamese_options siamese;
} options;

#define ROW(key_, type_, ...)                                                                                          \
    { #key_, type_, offsetof(options, key_), __VA_ARGS__ }
static const hiss_row rows[] = {
    ROW(window, HISS_INT, "4", 2, VIDEO_MOST_FRAMES, NULL, "most frames from the first to the last of those in order"),
    ROW(gap, HISS_INT, "2", 1, VIDEO_MOST_FRAMES, NULL,
        "least frames between these and one from outside, which is put between them"),
    ROW(negatives, HISS_FLOAT, "0.75", 0.05, 0.95, NULL, "share of triples that are out of order"),
    ROW(motion, HISS_BOOL, "true", 0, 0, NULL, "frames with much motion between them are drawn more often"),
    ROW(avoid_hits, HISS_BOOL, "true", 0, 0, NULL,
        "where samples have a field hit: frames between which nothing bounces, if there are such"),
    ROW(identical, HISS_BOOL, "false", 0, 0, NULL,
        "a control: three times the same frame, so that no order can be told"),
    SIAMESE_ROWS(options, siamese, "64", "64"),
};
#undef ROW
static const int nrows = HISS_COUNT(rows);

typedef struct order {
    siamese base;
    const hiss_placement *placement; /* NULL: no training */
    const options *options;
    int64_t frames;         /* of a clip that are looked at */
    int64_t window;         /* options->window, or what fits */
    const hiss_field *hits; /* NULL: not looked at */
} order;

static hiss_status create(const hiss_task *task, const hiss_placement *placement, const void *opts, void **self,
                          hiss_error *err) {
    order *c = hiss_new(order, 1);
    *self = c;
    c->placement = placement;
    c->options = opts;
    c->base = (siamese){.task = task,
                        .options = &c->options->siamese,
                        .method = "temporal_order",
                        .side_key = "data.file",
                        .parts = TRIPLE,
                        .answers = ANSWERS};
    const hiss_field *clip = hiss_task_field(task, VIDEO_FIELD_CLIP);
    if (clip) {
        const hiss_status s = objective_video_expect_clips("temporal_order", task, 2 * c->options->gap + 3,
                                                           "2 temporal_order.gap + 3", err);
        if (s != HISS_OK) {
            return s;
        }
        c->frames = clip->dim[0] < VIDEO_MOST_FRAMES ? clip->dim[0] : VIDEO_MOST_FRAMES;
        const int64_t room = c->frames - 1 - 2 * c->options->gap;
        c->window = c->options->window < room ? c->options->window : room;
        c->hits = c->options->avoid_hits ? objective_video_hits(task, c->frames) : NULL;
    }
    return pretext_siamese_open(&c->base, err);
}

static void destroy(void *self) {
    if (self) {
        pretext_siamese_close(&((order *)self)->base);
        hiss_free(self);
    }
}

static hiss_status encode(void *self, hiss_builder *b, hiss_value image, hiss_taps *taps, hiss_error *err) {
    return pretext_siamese_encode(&((const order *)self)->base, b, image, taps, err);
}

static hiss_status build(void *self, int phase, hiss_builder *b, hiss_error *err) {
    (void)phase;
    order *c = self;
    return pretext_siamese_build(&c->base, b, c->placement->m, err);
}

/* ---- triples ---- */

/* before[t]: motion of the frames 0 .. t, added up; a whole number, so that sums are exact. */
static void add_up_motion(const order *c, const hiss_lane *lane, int64_t i, int64_t before[VIDEO_MOST_FRAMES]) {
    const hiss_task *task = c->base.task;
    const int64_t pixels = task->H * task->W * task->C;
    const uint8_t *clip = hiss_batch_values(lane->batch, i, hiss_task_field(task, VIDEO_FIELD_CLIP));
    before[0] = 0;
    for (int64_t t = 1; t < c->frames; t++) {
        int64_t sum = 0;
        for (int64_t k = 0; c->options->motion && k < pixels; k++) {
            sum += abs(clip[t * pixels + k] - clip[(t - 1) * pixels + k]);
        }
        before[t] = before[t - 1] + sum;
    }
}

/* free_from[t]: the first frame from which on there is no hit before frame t; free_to[t]: the last frame up to which there
 * is none after it. */
static void find_free(const order *c, const hiss_lane *lane, int64_t i, bool look, int64_t *free_from,
                      int64_t *free_to) {
    const int64_t last = c->frames - 1;
    free_from[0] = 0;
    free_to[last] = last;
    for (int64_t t = 1; t <= last; t++) {
        free_from[t] = look && objective_video_hit(lane, i, c->hits, t - 1) ? t - 1 : free_from[t - 1];
    }
    for (int64_t t = last - 1; t >= 0; t--) {
        free_to[t] = look && objective_video_hit(lane, i, c->hits, t + 1) ? t + 1 : free_to[t + 1];
    }
}

/* Draw b and d with room for a and e, which lie in *first .. b - gap and d + gap .. *last. False: there are none. */
static bool draw_pair(const order *c, const hiss_lane *lane, int64_t i, bool look, const int64_t *before, hiss_rng *rng,
                      int64_t at[4]) {
    const options *o = c->options;
    int64_t from[VIDEO_MOST_FRAMES], to[VIDEO_MOST_FRAMES];
    double total = 0.0, left = 0.0;
    int64_t found = 0;
    find_free(c, lane, i, look, from, to);
    for (int pass = 0; pass < 2; pass++) {
        left = pass ? total * (double)hiss_rng_uniform(rng) : 0.0;
        for (int64_t b = o->gap; b < c->frames; b++) {
            for (int64_t d = b + 2; d <= b + c->window && d + o->gap < c->frames; d++) {
                if (from[d] > b - o->gap || to[b] < d + o->gap) {
                    continue;
                }
                const double weight = 1.0 + (double)(before[d] - before[b]) / (double)(d - b);
                total += pass ? 0.0 : weight;
                left -= pass ? weight : 0.0;
                found++;
                if (pass) {
                    memcpy(at, (int64_t[]){from[d], b, d, to[b]}, 4 * sizeof *at);
                }
                if (pass && left < 0.0) {
                    return true;
                }
            }
        }
    }
    return found > 0;
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const order *c = self;
    const options *o = c->options;
    int64_t before[VIDEO_MOST_FRAMES], at[4] = {0};
    hiss_rng rng = pretext_siamese_draws(&c->base, lane, i, DRAW_OF_TRIPLE);
    add_up_motion(c, lane, i, before);
    if (!c->hits || !draw_pair(c, lane, i, true, before, &rng, at)) {
        draw_pair(c, lane, i, false, before, &rng, at);
    }
    const bool ordered = (double)hiss_rng_uniform(&rng) >= o->negatives;
    const int64_t b = at[1], d = at[2], earlier = b - o->gap - at[0] + 1, later = at[3] - d - o->gap + 1;
    int64_t middle = b + 1 + hiss_rng_below(&rng, d - b - 1);
    if (!ordered) {
        middle =
            hiss_rng_below(&rng, 2) ? at[0] + hiss_rng_below(&rng, earlier) : d + o->gap + hiss_rng_below(&rng, later);
    }
    const bool reversed = hiss_rng_below(&rng, 2);
    const int64_t frame[TRIPLE] = {reversed ? d : b, middle, reversed ? b : d};
    for (int k = 0; k < TRIPLE; k++) {
        objective_video_frame(lane, i, o->identical ? b : frame[k], pretext_siamese_patch(&c->base, lane, i, k));
    }
    pretext_siamese_answer(&c->base, lane, i, ordered ? ORDERED : SHUFFLED);
}

/* ---- what evaluation measures ---- */

static int64_t width(void *self) {
    (void)self;
    return WIDTH;
}

static hiss_status measure_build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    return pretext_siamese_measure_build(&((order *)self)->base, b, m, err);
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const int64_t right = pretext_siamese_measure(&((order *)self)->base, lane, i, out);
    out[IS_ORDERED] = right == ORDERED ? 1.0f : 0.0f;
    out[ORDERED_HIT] = out[IS_ORDERED] * out[SIAMESE_HIT];
}

static void say(const hiss_measured *m, const char *name, const char *heading, double value, int64_t samples) {
    m->number(m->say, &(hiss_measure){.name = name,
                                      .group = "order of three frames told right",
                                      .heading = heading,
                                      .unit = "%",
                                      .value = 100.0 * value,
                                      .spread = NAN,
                                      .baseline = 50.0,
                                      .samples = samples});
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    (void)err;
    const order *c = self;
    const double *test = m->test_mean;
    if (test[IS_ORDERED] > 0.0 && test[IS_ORDERED] < 1.0) { /* few test clips may have triples of one kind alone */
        const double ordered = test[ORDERED_HIT] / test[IS_ORDERED];
        const double shuffled = (test[SIAMESE_HIT] - test[ORDERED_HIT]) / (1.0 - test[IS_ORDERED]);
        say(m, "balanced_accuracy", "mean of both", 0.5 * (ordered + shuffled), m->test);
        say(m, "recall_ordered", "in order", ordered, m->test);
        say(m, "recall_shuffled", "out of order", shuffled, m->test);
    } else {
        m->remark(m->say, "All triples of the test clips are of one kind: nothing is said of order. Take more clips.");
    }
    if (c->options->identical) {
        m->remark(m->say, "identical is on: the network sees one frame three times, and should not beat guessing.");
    }
    return HISS_OK;
}

/* Guessing by the share loses its entropy; the control is to be no better. */
static int below_chance(void *self, const hiss_named *metrics, int nmetrics, char *line, size_t size) {
    const options *o = ((const order *)self)->options;
    const double loss = hiss_named_value(metrics, nmetrics, "loss"), p = o->negatives;
    const double chance = -p * log(p) - (1.0 - p) * log(1.0 - p);
    snprintf(line, size, "the mean loss was %.4f, where guessing gives %.4f", loss, chance);
    return o->identical ? -1 : !(loss < chance);
}

static void describe(void *self, char *line, size_t size) {
    const order *c = self;
    const options *o = c->options;
    snprintf(line, size, "temporal_order: three of %lld frames, up to %lld apart%s, gap %lld, %.0f %% out of order%s%s",
             (long long)c->frames, (long long)c->window, c->window < o->window ? " (more do not fit)" : "",
             (long long)o->gap, 100.0 * o->negatives, c->hits ? "; between hits where there is room" : "",
             o->identical ? "; all alike (a control)" : "");
}

static const hiss_input inputs[] = {
    {HISS_FIELD_IMAGE, 3, 0, "images [H,W,C]", "image", "image"},
    {VIDEO_FIELD_CLIP, 4, 1u << HISS_U8, "clips, uint8 [T,H,W,C],", NULL, NULL},
    {0},
};
static const hiss_input_ops input = {.inputs = inputs, .sample = sample};
static const hiss_report_ops report = {.below_chance = below_chance, .describe = describe};
static const hiss_measure_ops measures = {.baseline = "guessing",
                                          .width = width,
                                          .build = measure_build,
                                          .sample = sample,
                                          .measure = measure,
                                          .conclude = conclude};

const hiss_objective_ops objective_temporal_order = {
    .name = "temporal_order",
    .summary = "tell whether three frames of a clip are in order",
    .sections = {{"temporal_order", rows, &nrows, 0}},
    .sizes = "temporal_order.hidden, temporal_order.code",
    .options_bytes = sizeof(options),
    .unit_pixels = objective_needs_unit_pixels,
    .create = create,
    .destroy = destroy,
    .build = build,
    .encode = encode,
    .input = &input,
    .report = &report,
    .measure = &measures,
};
