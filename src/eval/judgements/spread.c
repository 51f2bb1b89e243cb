/* Whether futures of a clip differ where they may, and there alone: where the arm is in them, as the generator of the clips finds it in
 * made frames, and what changes in places where it never came.
 *
 * The spread of the arm is its root mean square distance from its mean place in the futures of a clip. Beside it stands how far the true
 * arm is from that mean. Where futures are drawn as truth is, the two are equal but for 1 / futures of the squares; futures that
 * are all alike have no spread, and the same or a larger distance.
 *
 * What changes since the last given frame is a mean squared difference of pixels, over those that are further from every place that the
 * arm has had since than blocks that it pushes reach. In the true clip nothing changes there but for blocks that blocks push.
 * (Denton & Fergus 2018, section 4.3, show on films of a robot what this measures.) */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "eval/judgements/clips.h"
#include "hiss/alloc.h"

enum { NEAREST, SEEN, STILL_MADE, STILL_TRUE, CHANGE_MADE, CHANGE_TRUE, SINGLES };
enum {
    SPREAD,
    MISS,
    STAY,
    CURVES
}; /* squares by frame; STAY: of the true arm from its place in the last given frame */

static const double beside = 0.3; /* of a frame's height: what is nearer to the arm may be touched */

static const hiss_row rows[] = {
    JUDGEMENT_ROW(
        "spread", HISS_BOOL, spread, "true", 0, 0, NULL,
        "on clips of a generator that finds its arm: places of it in futures, and what stands still; clips as futures"),
};

typedef struct spreading {
    const hiss_forecaster *by;
    hiss_sample_range drawn;
    const hiss_field *place;
    float *clip;  /* [given + foretold, H, W, C] */
    float *made;  /* [made, foretold, H, W, C] */
    float *found; /* [made, foretold, 2]; NAN: not seen */
} spreading;

static int64_t size_of(const spreading *p) {
    return p->by->H * p->by->W * p->by->C;
}

static int64_t curve_at(const spreading *p, int curve) {
    return SINGLES + curve * p->by->foretold;
}

/* ---- one clip ---- */

static double square_of(const float a[2], const float b[2]) {
    const double x = (double)a[0] - (double)b[0], y = (double)a[1] - (double)b[1];
    return x * x + y * y;
}

/* The true arm in foretold frame t, -1 the last given one. */
static void true_arm(const spreading *p, const hiss_batch *batch, int64_t t, float out[2]) {
    const float *place = hiss_batch_values(batch, 0, p->place);
    memcpy(out, place + (p->by->given + t) * p->place->dim[1] * 2, 2 * sizeof *out);
}

/* Find the arm in all made frames; the share of them where it is seen. */
static double find_arms(spreading *p) {
    const int64_t frames = p->by->made * p->by->foretold;
    int64_t seen = 0;
    for (int64_t k = 0; k < frames; k++) {
        float *at = p->found + 2 * k;
        const bool is = hiss_dataset_find(p->drawn.set, p->made + k * size_of(p), at);
        at[0] = is ? at[0] : NAN;
        seen += is;
    }
    return (double)seen / (double)frames;
}

/* Squares of frame t into out. */
static void place_arms(const spreading *p, const hiss_batch *batch, int64_t t, float *out) {
    const int64_t T = p->by->foretold;
    float truth[2], start[2], mean[2] = {0};
    double seen = 0.0, spread = 0.0;
    for (int64_t k = 0; k < p->by->made; k++) {
        const float *at = p->found + 2 * (k * T + t);
        if (!isnan(at[0])) {
            mean[0] += at[0];
            mean[1] += at[1];
            seen += 1.0;
        }
    }
    true_arm(p, batch, t, truth);
    true_arm(p, batch, -1, start);
    for (int c = 0; c < 2; c++) { /* an arm that no future shows has stayed */
        mean[c] = seen > 0.0 ? (float)((double)mean[c] / seen) : start[c];
    }
    for (int64_t k = 0; k < p->by->made; k++) {
        const float *at = p->found + 2 * (k * T + t);
        spread += isnan(at[0]) ? 0.0 : square_of(at, mean) / seen;
    }
    out[curve_at(p, SPREAD) + t] = (float)spread;
    out[curve_at(p, MISS) + t] = (float)square_of(truth, mean);
    out[curve_at(p, STAY) + t] = (float)square_of(truth, start);
}

/* Of the futures, how far the nearest one's arm is from the true one, in the last frame. */
static double nearest(const spreading *p, const hiss_batch *batch) {
    const int64_t T = p->by->foretold;
    float truth[2];
    double least = (double)INFINITY;
    true_arm(p, batch, T - 1, truth);
    for (int64_t k = 0; k < p->by->made; k++) {
        const float *at = p->found + 2 * (k * T + T - 1);
        least = isnan(at[0]) ? least : fmin(least, square_of(at, truth));
    }
    return isinf(least) ? (double)p->by->H : sqrt(least);
}

/* Mean squared change of the last frame of a clip [foretold] since the last given one: of all pixels, and of those where the arm, found
 * at [foretold, 2], never came near. */
static void measure_change(const spreading *p, const float *frames, const float *arm, const float start[2], double *all,
                           double *still) {
    const hiss_forecaster *by = p->by;
    const float *last = frames + (by->foretold - 1) * size_of(p), *before = p->clip + (by->given - 1) * size_of(p);
    const double reach = beside * (double)by->H * beside * (double)by->H;
    double sum = 0.0, away = 0.0;
    int64_t pixels = 0;
    for (int64_t k = 0; k < by->H * by->W; k++) {
        const float at[2] = {(float)(k % by->W) + 0.5f, (float)(k / by->W) + 0.5f};
        bool near = square_of(at, start) < reach;
        double change = 0.0;
        for (int64_t t = 0; t < by->foretold && !near; t++) {
            near = !isnan(arm[2 * t]) && square_of(at, arm + 2 * t) < reach;
        }
        for (int64_t c = 0; c < by->C; c++) {
            const double off = (double)last[k * by->C + c] - (double)before[k * by->C + c];
            change += off * off / (double)by->C;
        }
        sum += change;
        away += near ? 0.0 : change;
        pixels += !near;
    }
    *all += sum / (double)(by->H * by->W);
    *still += pixels ? away / (double)pixels : 0.0;
}

/* An eval_clip_judge. */
static hiss_status judge_clip(void *user, int64_t i, const hiss_batch *batch, float *out, hiss_error *err) {
    spreading *p = user;
    const hiss_forecaster *by = p->by;
    const int64_t T = by->foretold;
    const hiss_status s = by->clip(by->user, 1, batch, &p->clip, err);
    float start[2];
    double all = 0.0, still = 0.0, true_all = 0.0, true_still = 0.0;
    (void)i;
    if (s != HISS_OK) {
        return s;
    }
    by->futures(by->user, 0, 1, batch, NULL, p->made);
    out[SEEN] = (float)find_arms(p);
    for (int64_t t = 0; t < T; t++) {
        place_arms(p, batch, t, out);
    }
    out[NEAREST] = (float)nearest(p, batch);
    true_arm(p, batch, -1, start);
    for (int64_t k = 0; k < by->made; k++) {
        measure_change(p, p->made + k * T * size_of(p), p->found + 2 * k * T, start, &all, &still);
    }
    for (int64_t t = 0; t < T; t++) { /* over the first future's, which is done with */
        true_arm(p, batch, t, p->found + 2 * t);
    }
    measure_change(p, p->clip + by->given * size_of(p), p->found, start, &true_all, &true_still);
    out[CHANGE_MADE] = (float)(all / (double)by->made);
    out[STILL_MADE] = (float)(still / (double)by->made);
    out[CHANGE_TRUE] = (float)true_all;
    out[STILL_TRUE] = (float)true_still;
    return HISS_OK;
}

/* ---- what is said ---- */

static void say_number(const spreading *p, hiss_record *record, const char *group, const char *name,
                       const char *heading, const char *unit, double value, double baseline) {
    hiss_record_number(record, &(hiss_number){.name = name,
                                              .group = group,
                                              .heading = heading,
                                              .unit = unit,
                                              .form = *unit ? HISS_FORM_FIXED : HISS_FORM_GENERAL,
                                              .value = value,
                                              .spread = (double)NAN,
                                              .baseline = baseline,
                                              .samples = p->drawn.count});
}

static void say(const spreading *p, hiss_record *record, const double *mean) {
    static const char arm[] = "the arm in the last foretold frame, pixels",
                      rest[] = "mean squared change since the last given frame";
    const int64_t last = p->by->foretold - 1;
    const double none = (double)NAN, stay = sqrt(mean[curve_at(p, STAY) + last]);
    say_number(p, record, arm, "spread", "spread", "pixels", sqrt(mean[curve_at(p, SPREAD) + last]), none);
    say_number(p, record, arm, "miss", "truth from mean", "pixels", sqrt(mean[curve_at(p, MISS) + last]), stay);
    say_number(p, record, arm, "nearest", "nearest future", "pixels", mean[NEAREST], none);
    say_number(p, record, arm, "seen", "arm seen", "%", 100.0 * mean[SEEN], none);
    say_number(p, record, rest, "change.made", "made", "", mean[CHANGE_MADE], none);
    say_number(p, record, rest, "change.true", "true", "", mean[CHANGE_TRUE], none);
    say_number(p, record, rest, "still.made", "made, no arm near", "", mean[STILL_MADE], none);
    say_number(p, record, rest, "still.true", "true, no arm near", "", mean[STILL_TRUE], none);
    hiss_record_remark(
        record,
        "%lld futures of each of %lld test clips; spread: of the arm from its mean place in them, root mean square; no "
        "arm near: pixels more than %.1f pixels from all its places",
        (long long)p->by->made, (long long)p->drawn.count, beside * (double)p->by->H);
}

/* Rank 0 draws. Collective. */
static hiss_status draw(const spreading *p, const hiss_eval_env *env, const char *directory, const double *mean,
                        hiss_record *record, hiss_error *err) {
    static const char *const name[CURVES] = {"spread of futures", "truth from their mean",
                                             "truth from the last given place"};
    const int64_t T = p->by->foretold;
    double *at = hiss_new(double, (1 + CURVES) * T);
    hiss_series series[CURVES];
    char path[EVAL_CLIPS_PATH];
    for (int64_t t = 0; t < T; t++) {
        at[t] = (double)(p->by->given + t + 1);
        for (int c = 0; c < CURVES; c++) {
            at[(1 + c) * T + t] = sqrt(mean[curve_at(p, c) + t]);
        }
    }
    for (int c = 0; c < CURVES; c++) {
        series[c] = (hiss_series){.name = name[c],
                                  .count = T,
                                  .x = at,
                                  .y = at + (1 + c) * T,
                                  .stroke = c == STAY ? HISS_DASHED : HISS_SOLID};
    }
    const hiss_chart chart = {.title = "Where the arm is",
                              .x_label = "frame",
                              .y_label = "pixels, root mean square",
                              .series = CURVES,
                              .serie = series,
                              .zero_y = true};
    snprintf(path, sizeof path, "%s/spread.svg", directory);
    const hiss_status s = hiss_comm_rank(env->comm) == 0 ? hiss_charts_write(path, 1, &chart, err) : HISS_OK;
    hiss_free(at);
    hiss_record_picture(
        record, "spread.svg", "Spread of the arm",
        "How far the arm is from its mean place in the futures of a clip, and how far the true one is from there.");
    return hiss_comm_agree(env->comm, s, err);
}

/* ---- the judgement ---- */

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    const hiss_forecaster *by = subject->forecaster;
    spreading p = {.by = by, .place = eval_clips_place(by, subject->queries->set)};
    if (!p.place || !hiss_dataset_finds(subject->queries->set)) {
        hiss_record_leave_out(
            record, "it needs test clips of a generator that finds its arm in pictures, such as push (eval.generate)");
        return HISS_OK;
    }
    p.drawn = eval_draw_samples(env->seed, subject->queries, options->future_clips);
    const int64_t width = SINGLES + CURVES * by->foretold;
    float *all = hiss_new(float, p.drawn.count *width);
    double *mean = hiss_new(double, 2 * width);
    p.clip = hiss_new(float, (by->given + by->foretold) * size_of(&p));
    p.made = hiss_new(float, by->made * by->foretold * size_of(&p));
    p.found = hiss_new(float, by->made * by->foretold * 2);
    const eval_clips clips = {env, subject->name, "spread", &p.drawn, by->batch, width, judge_clip, &p};
    hiss_status s = eval_clips_judge(&clips, all, err);
    if (s == HISS_OK) {
        eval_clips_moments(p.drawn.count, width, all, mean, mean + width);
        say(&p, record, mean);
    }
    if (s == HISS_OK && subject->directory) {
        s = draw(&p, env, subject->directory, mean, record, err);
    }
    hiss_free(p.clip);
    hiss_free(p.made);
    hiss_free(p.found);
    hiss_free(all);
    hiss_free(mean);
    hiss_free(p.drawn.index);
    return s;
}

const hiss_judgement eval_judgement_spread = {
    .name = "spread",
    .title = "Spread",
    .baseline = "the last given place",
    .needs = HISS_NEEDS_NETWORK | HISS_NEEDS_FORECASTER,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
