/* What stochastic video generation measures of itself, with the true frames before each: how much the latent tells of a frame
 * that the frames before do not (the divergence of posterior and prior, in nats), how wide the learned prior is (its deviation,
 * in the mean over dimensions), and how wrong the next frame is when the latent is the prior's mean.
 *
 * Where the data say when something hits the edge (field hit [T,items], not 0 in the frame in which the item is there), that is
 * laid beside it. The new direction shows in the next frame, so that frame's latent must tell, and its prior must be wide: the one
 * that knows the frames up to the hit. The second frame of a clip is in neither heap: before it nothing was seen to move, so that it is
 * as open as one after a hit. (Denton & Fergus 2018, section 4.1 and figure 4.) */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/parts/judge.h"
#include "objective/video/svg.h"

enum { ERROR, COPY_ERROR, DIVERGENCE, NUMBERS };
enum { AFTER, REST, TIMES };
enum { OF_DIVERGENCE, OF_DEVIATION, OF_FRAMES, SUMS };                       /* the last: how many frames they are of */
enum { BEFORE_HIT = 3, AFTER_HIT = 5, PLACES = BEFORE_HIT + 1 + AFTER_HIT }; /* frames around a hit */
enum { SHOWN_CLIPS = 4, MOST_HITS = 32, TRAINING = 100 };

static const char figure[] = "svg-prior.svg";

static const hiss_field *hit_field(const svg *v) {
    return v->options->prior == SVG_PRIOR_NONE ? NULL : objective_video_hits(v->task, v->frames);
}

/* Numbers of a clip: NUMBERS, then [TIMES, SUMS], [PLACES, SUMS] where there are hits. */
static int64_t width(void *self) {
    return NUMBERS + (hit_field(self) ? (TIMES + PLACES) * SUMS : 0);
}

static int64_t time_at(int time, int sum) {
    return NUMBERS + time * SUMS + sum;
}

static int64_t place_at(int64_t place, int sum) {
    return NUMBERS + (TIMES + place) * SUMS + sum;
}

/* Shown of a clip: [frames] of the prior's deviation, [frames] whether there is a hit. */
static int64_t shown(void *self) {
    return 2 * ((const svg *)self)->frames;
}

/* ---- the graph ---- */

static void keep(hiss_graph *g, hiss_value value) {
    if (value >= 0) {
        hiss_graph_keep(g, value);
    }
}

/* The latent of frame t, whose code is there, and what is expected of it. */
static hiss_value infer(svg *v, hiss_builder *b, int64_t t, const hiss_value *code, svg_state *posterior,
                        svg_state *prior) {
    svg_values *x = &v->measured;
    video_svg_infer(v, b, t, code, posterior, prior, x);
    keep(b->graph, x->mean[t]);
    keep(b->graph, x->log_variance[t]);
    if (v->options->prior == SVG_PRIOR_FIXED) {
        return hiss_graph_scale(b->graph, x->mean[t], 0.0);
    }
    keep(b->graph, x->prior_mean[t]);
    keep(b->graph, x->prior_log_variance[t]);
    return x->prior_mean[t];
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    svg *v = self;
    hiss_graph *g = b->graph;
    svg_values *x = &v->measured;
    hiss_value code[VIDEO_MOST_FRAMES], skip[VIDEO_MOST_FRAMES][SVG_MOST_LEVELS];
    svg_state posterior = video_svg_start(v, b, m, 1), prior = posterior,
              predictor = video_svg_start(v, b, m, v->options->layers);
    objective_video_frame_inputs(v->task, g, "frame", m, v->frames, x->frame);
    for (int64_t t = 0; t < v->frames; t++) {
        keep(g, x->frame[t]);
    }
    code[0] = video_svg_encode(v, b, x->frame[0], skip[0]);
    for (int64_t t = 1; t < v->frames && hiss_graph_status(g, err) == HISS_OK; t++) {
        hiss_value latent = -1;
        code[t] = video_svg_encode(v, b, x->frame[t], skip[t]);
        if (v->options->prior != SVG_PRIOR_NONE) {
            latent = infer(v, b, t, code, &posterior, &prior);
        }
        x->action[t - 1] = video_svg_action(v, b, m, t - 1);
        const hiss_value next = video_svg_foretell(v, b, code[t - 1], latent, x->action[t - 1], &predictor);
        x->made[t] = video_svg_decode(v, b, next, skip[video_svg_skipped(v, t)]);
        keep(g, x->made[t]);
    }
    return hiss_graph_status(g, err);
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const svg *v = self;
    objective_video_put_frames(lane, i, v->frames, v->measured.frame);
    video_svg_put_actions(v, lane, i, v->measured.action);
}

/* ---- one clip ---- */

static double deviation(const svg *v, const hiss_lane *lane, int64_t i, int64_t t) {
    if (v->options->prior == SVG_PRIOR_FIXED) {
        return 1.0;
    }
    const float *log_variance = hiss_lane_values(lane, v->measured.prior_log_variance[t], i);
    double sum = 0.0;
    for (int64_t k = 0; k < v->options->latent; k++) {
        sum += exp(0.5 * (double)log_variance[k]);
    }
    return sum / (double)v->options->latent;
}

static double divergence(const svg *v, const hiss_lane *lane, int64_t i, int64_t t) {
    const svg_values *x = &v->measured;
    const bool learned = v->options->prior == SVG_PRIOR_LEARNED;
    const float *mean = hiss_lane_values(lane, x->mean[t], i), *log_v = hiss_lane_values(lane, x->log_variance[t], i);
    const float *prior_mean = learned ? hiss_lane_values(lane, x->prior_mean[t], i) : NULL,
                *prior_log_v = learned ? hiss_lane_values(lane, x->prior_log_variance[t], i) : NULL;
    double nats = 0.0;
    for (int64_t k = 0; k < v->options->latent; k++) {
        const double l1 = (double)log_v[k], l2 = learned ? (double)prior_log_v[k] : 0.0;
        const double off = (double)mean[k] - (learned ? (double)prior_mean[k] : 0.0);
        nats += 0.5 * (l2 - l1 + expm1(l1 - l2) + off * off * exp(-l2));
    }
    return nats;
}

static void add(float *sums, double nats, double wide) {
    sums[OF_DIVERGENCE] += (float)nats;
    sums[OF_DEVIATION] += (float)wide;
    sums[OF_FRAMES] += 1.0f;
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const svg *v = self;
    const svg_values *x = &v->measured;
    const double each = 1.0 / (double)(v->frames - 1);
    const bool latent = v->options->prior != SVG_PRIOR_NONE;
    const hiss_field *hit = hit_field(v);
    memset(out, 0, sizeof *out * (size_t)width(self));
    for (int64_t t = 1; t < v->frames; t++) {
        const float *frame = hiss_lane_values(lane, x->frame[t], i);
        out[ERROR] += (float)(each * objective_video_squared(v->task, frame, hiss_lane_values(lane, x->made[t], i)));
        out[COPY_ERROR] +=
            (float)(each * objective_video_squared(v->task, frame, hiss_lane_values(lane, x->frame[t - 1], i)));
        if (!latent) {
            continue;
        }
        const double nats = divergence(v, lane, i, t), wide = deviation(v, lane, i, t);
        out[DIVERGENCE] += (float)(each * nats);
        for (int64_t s = 0; s < v->frames && hit; s++) { /* a hit in frame s */
            if (t - s >= -BEFORE_HIT && t - s <= AFTER_HIT && objective_video_hit(lane, i, hit, s)) {
                add(out + place_at(t - s + BEFORE_HIT, 0), nats, wide);
            }
        }
        if (hit && t > 1) {
            add(out + time_at(objective_video_hit(lane, i, hit, t - 1) ? AFTER : REST, 0), nats, wide);
        }
    }
}

static void show(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const svg *v = self;
    const hiss_field *hit = hit_field(v);
    for (int64_t t = 0; t < v->frames; t++) {
        out[t] = t > 0 && v->options->prior == SVG_PRIOR_LEARNED ? (float)deviation(v, lane, i, t) : 0.0f;
        out[v->frames + t] = hit && objective_video_hit(lane, i, hit, t) ? 1.0f : 0.0f;
    }
}

/* ---- what is said ---- */

static const double nan_ = (double)NAN;

static double ratio(const hiss_measured *m, int sum) {
    const double *mean = m->test_mean;
    return mean[time_at(AFTER, sum)] / mean[time_at(AFTER, OF_FRAMES)] /
           (mean[time_at(REST, sum)] / mean[time_at(REST, OF_FRAMES)]);
}

static void say_hits(const svg *v, const hiss_measured *m) {
    static const char group[] = "after a hit";
    const double *mean = m->test_mean, after = mean[time_at(AFTER, OF_FRAMES)], rest = mean[time_at(REST, OF_FRAMES)];
    if (after <= 0.0 || rest <= 0.0) {
        return;
    }
    const double n = (double)m->test;
    objective_say(m, group, "divergence_after_hit", "the latent tells", "nats",
                  mean[time_at(AFTER, OF_DIVERGENCE)] / after, nan_, mean[time_at(REST, OF_DIVERGENCE)] / rest,
                  (int64_t)llround(n * after));
    objective_say(m, group, "divergence_ratio", "over the rest", "", ratio(m, OF_DIVERGENCE), nan_, nan_,
                  (int64_t)llround(n * after));
    if (v->options->prior == SVG_PRIOR_LEARNED) {
        objective_say(m, group, "deviation_after_hit", "prior's deviation", "",
                      mean[time_at(AFTER, OF_DEVIATION)] / after, nan_, mean[time_at(REST, OF_DEVIATION)] / rest,
                      (int64_t)llround(n * after));
        objective_say(m, group, "deviation_ratio", "over the rest", "", ratio(m, OF_DEVIATION), nan_, nan_,
                      (int64_t)llround(n * after));
    }
}

static void say(const svg *v, const hiss_measured *m) {
    static const char group[] = "the next frame, of true ones";
    objective_say(m, group, "next_psnr", "PSNR", "dB", objective_video_decibels(m->test_mean[ERROR]), nan_,
                  objective_video_decibels(m->test_mean[COPY_ERROR]), m->test);
    if (v->options->prior != SVG_PRIOR_NONE) {
        objective_say(m, group, "divergence", "the latent tells", "nats", m->test_mean[DIVERGENCE],
                      m->test_deviation[DIVERGENCE], nan_, m->test);
    }
    if (hit_field(v)) {
        say_hits(v, m);
    }
    m->remark(m->say,
              "PSNR of the mean squared error, where the latent is the mean of the prior; its baseline is the frame "
              "before. What is said of a hit is of the frame after it; its baseline are all other frames "
              "but a clip's second, before which nothing was seen to move.");
}

/* ---- the figure: the prior's deviation around hits, and in clips, where dashed lines are hits ---- */

typedef struct clip_lines {
    double at[VIDEO_MOST_FRAMES], value[VIDEO_MOST_FRAMES], hit_x[MOST_HITS][2], hit_y[MOST_HITS][2];
    hiss_line line[1 + MOST_HITS];
    int lines;
} clip_lines;

static void draw_clip(const svg *v, const float *of, double top, clip_lines *c) {
    c->lines = 1;
    for (int64_t t = 1; t < v->frames; t++) {
        c->at[t - 1] = (double)(t + 1);
        c->value[t - 1] = (double)of[t];
    }
    c->line[0] = (hiss_line){.name = "prior's deviation", .count = v->frames - 1, .x = c->at, .y = c->value};
    for (int64_t t = 0; t < v->frames && c->lines <= MOST_HITS; t++) {
        if (of[v->frames + t] > 0.0f) {
            const int k = c->lines - 1;
            c->hit_x[k][0] = c->hit_x[k][1] = (double)(t + 1);
            c->hit_y[k][0] = 0.0;
            c->hit_y[k][1] = top;
            c->line[c->lines++] = (hiss_line){.name = k == 0 ? "hit" : NULL,
                                              .count = 2,
                                              .x = c->hit_x[k],
                                              .y = c->hit_y[k],
                                              .dashed = true,
                                              .colour = 2};
        }
    }
}

static int draw_around(const hiss_measured *m, double at[PLACES], double value[PLACES], hiss_line *line,
                       hiss_panel *panel) {
    bool known = true;
    for (int64_t p = 0; p < PLACES; p++) {
        const double frames = m->test_mean[place_at(p, OF_FRAMES)];
        known = known && frames > 0.0;
        at[p] = (double)(p - BEFORE_HIT);
        value[p] = frames > 0.0 ? m->test_mean[place_at(p, OF_DEVIATION)] / frames : nan_;
    }
    *line = (hiss_line){.count = PLACES, .x = at, .y = value};
    *panel = (hiss_panel){.title = "Mean over test clips",
                          .x_label = "frames after a hit",
                          .y_label = "prior's deviation",
                          .lines = 1,
                          .line = line};
    return known ? 1 : 0;
}

static hiss_status draw(const svg *v, const hiss_measured *m, hiss_error *err) {
    double at[PLACES], value[PLACES], top = 0.0;
    hiss_line around;
    hiss_panel panel[1 + SHOWN_CLIPS];
    int panels = hit_field(v) ? draw_around(m, at, value, &around, &panel[0]) : 0;
    clip_lines *clips = hiss_new(clip_lines, SHOWN_CLIPS);
    for (int64_t k = 0; m->show && k < m->shown * 2 * v->frames; k++) {
        top = k / v->frames % 2 == 0 ? fmax(top, (double)m->show[k]) : top;
    }
    for (int64_t i = 0; i < SHOWN_CLIPS && i < m->shown; i++) {
        if (m->show) {
            draw_clip(v, m->show + i * 2 * v->frames, top, &clips[i]);
        }
        panel[panels++] = (hiss_panel){.title = i == 0 ? "Single clips" : NULL,
                                       .x_label = "frame",
                                       .y_label = "prior's deviation",
                                       .lines = clips[i].lines,
                                       .line = clips[i].line};
    }
    const hiss_status s =
        m->lines(m->say, figure, "How uncertain the next frame is",
                 "The deviation of the learned prior, in the mean over its dimensions; dashed lines are "
                 "hits, whose new direction shows one frame later.",
                 panels, panel, err);
    hiss_free(clips);
    return s;
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    const svg *v = self;
    say(v, m);
    return v->options->prior == SVG_PRIOR_LEARNED && m->shown > 0 ? draw(v, m, err) : HISS_OK;
}

static const char *const pictures[] = {figure, NULL};

const hiss_measure_ops video_svg_measure = {
    .baseline = "the frame before, or all other frames",
    .pictures = pictures,
    .training = TRAINING,
    .width = width,
    .build = build,
    .sample = sample,
    .measure = measure,
    .shown = shown,
    .show = show,
    .conclude = conclude,
};
