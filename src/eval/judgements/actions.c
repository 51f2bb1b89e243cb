/* Whether a method that foretells clips by what is done in them listens to it: how wrong foretold frames are with the true actions,
 * with those of another test clip after the last given frame, and when nothing is done (all numbers of an action 0). A method that
 * looks at frames alone is as wrong with any of them. The baseline is the last given frame, repeated.
 *
 * The pictures show what would be if one thing were done all the time: nothing, and then of an action of two numbers eight
 * directions, of another one its first numbers one by one, up and down; as far as actions go in the root mean square. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "eval/judgements/clips.h"
#include "hiss/alloc.h"
#include "hiss/file.h"

enum { TRUE_ONES, SHUFFLED, NOTHING, CONDITIONS, COPY = CONDITIONS, CURVES };
enum { TRIALS = HISS_ACTED / CONDITIONS, SHOWN = 3, MOST_SHOWN_NUMBERS = (HISS_ACTED - 1) / 2 };

static const char *const condition_names[CURVES] = {"true", "shuffled", "none", "copy"};

static const hiss_row rows[] = {
    JUDGEMENT_ROW(
        "actions", HISS_BOOL, actions, "true", 0, 0, NULL,
        "of a method that sees actions: its error with true, shuffled and no actions; as many clips as future_clips"),
};

typedef struct acting {
    const hiss_eval_env *env;
    const hiss_subject *subject;
    const hiss_forecaster *by;
    hiss_sample_range drawn;
    float *action; /* [clips, frames, A] of the data */
    float *clip;   /* [given + foretold, H, W, C] */
    float *given;  /* [HISS_ACTED, frames, A] */
    float *made;   /* [HISS_ACTED, foretold, H, W, C] */
    double length; /* of an action that is done all the time */
} acting;

static int64_t row_of(const acting *a) {
    return (a->by->given + a->by->foretold) * a->by->actions;
}

static int64_t size_of(const acting *a) {
    return a->by->H * a->by->W * a->by->C;
}

/* Numbers of a clip: errors [CURVES, foretold], the mean square of its actions, whether true ones are better than shuffled ones. */
static int64_t square_at(const acting *a) {
    return CURVES * a->by->foretold;
}

static int64_t better_at(const acting *a) {
    return CURVES * a->by->foretold + 1;
}

static int64_t width_of(const acting *a) {
    return CURVES * a->by->foretold + 2;
}

/* ---- one clip ---- */

static double mean_square(const acting *a, const float *action) {
    double sum = 0.0;
    for (int64_t k = 0; k < row_of(a); k++) {
        sum += (double)action[k] * (double)action[k];
    }
    return sum / (double)(a->by->given + a->by->foretold);
}

/* A method that draws futures is judged by the mean of TRIALS of them. */
static hiss_status judge_clip(void *user, int64_t i, const hiss_batch *batch, float *out, hiss_error *err) {
    acting *a = user;
    const hiss_forecaster *by = a->by;
    const int64_t T = by->foretold, row = row_of(a), size = size_of(a);
    const float *own = a->action + i * row, *other = a->action + (i + 1) % a->drawn.count * row;
    const float *then[CONDITIONS] = {[TRUE_ONES] = own, [SHUFFLED] = other};
    const hiss_status s = by->clip(by->user, 1, batch, &a->clip, err);
    if (s != HISS_OK) {
        return s;
    }
    for (int64_t k = 0; k < HISS_ACTED; k++) {
        eval_clips_join(by, own, then[k % CONDITIONS], a->given + k * row);
    }
    by->futures(by->user, 0, 1, batch, a->given, a->made);
    double total[CURVES] = {0};
    for (int64_t t = 0; t < T; t++) {
        const float *truth = a->clip + (by->given + t) * size, *last = a->clip + (by->given - 1) * size;
        double error[CURVES] = {0};
        error[COPY] = eval_clips_error(by, truth, last);
        for (int64_t k = 0; k < HISS_ACTED; k++) {
            error[k % CONDITIONS] += eval_clips_error(by, truth, a->made + (k * T + t) * size) / TRIALS;
        }
        for (int c = 0; c < CURVES; c++) {
            out[c * T + t] = (float)error[c];
            total[c] += error[c];
        }
    }
    out[square_at(a)] = (float)mean_square(a, own);
    out[better_at(a)] = total[TRUE_ONES] < total[SHUFFLED] ? 1.0f : 0.0f;
    return HISS_OK;
}

/* ---- what is said ---- */

static void say(const acting *a, hiss_record *record, const double *mean) {
    static const char *const heading[CONDITIONS] = {"true actions", "shuffled", "none"};
    const int64_t T = a->by->foretold;
    const double copy = eval_clips_mean(T, mean + COPY * T);
    for (int c = 0; c < CONDITIONS; c++) {
        char name[64];
        const double error = eval_clips_mean(T, mean + c * T);
        snprintf(name, sizeof name, "mse.%s", condition_names[c]);
        hiss_record_number(record, &(hiss_number){.name = name,
                                                  .group = "mean squared error of foretold frames, by actions",
                                                  .heading = heading[c],
                                                  .unit = "",
                                                  .form = HISS_FORM_GENERAL,
                                                  .value = error,
                                                  .spread = (double)NAN,
                                                  .baseline = c == TRUE_ONES ? copy : (double)NAN,
                                                  .samples = a->drawn.count});
    }
    hiss_record_number(record, &(hiss_number){.name = "better",
                                              .group = "mean squared error of foretold frames, by actions",
                                              .heading = "true ones better",
                                              .unit = "%",
                                              .value = 100.0 * mean[better_at(a)],
                                              .spread = (double)NAN,
                                              .baseline = (double)NAN,
                                              .samples = a->drawn.count});
    for (int c = 0; c < CONDITIONS; c++) {
        char name[64];
        snprintf(name, sizeof name, "psnr.%s", condition_names[c]);
        eval_record_detail(record, name, NULL, "dB", HISS_FORM_FIXED, eval_psnr(eval_clips_mean(T, mean + c * T)));
    }
    hiss_record_remark(
        record,
        "%lld test clips, %lld frames foretold of each, pixels of 0..1; shuffled: from the last given frame on "
        "actions of another clip; none: all 0; better: share of clips",
        (long long)a->drawn.count, (long long)T);
}

static hiss_status draw_chart(const acting *a, const double *mean, hiss_error *err) {
    static const char *const name[CURVES] = {"true actions", "shuffled", "none", "last given frame"};
    const int64_t T = a->by->foretold;
    hiss_series series[CURVES];
    double *frame = hiss_new(double, T);
    char path[EVAL_CLIPS_PATH];
    for (int64_t t = 0; t < T; t++) {
        frame[t] = (double)(a->by->given + t + 1);
    }
    for (int c = 0; c < CURVES; c++) {
        series[c] = (hiss_series){
            .name = name[c], .count = T, .x = frame, .y = mean + c * T, .stroke = c == COPY ? HISS_DASHED : HISS_SOLID};
    }
    const hiss_chart chart = {.title = "Foretold frames by actions",
                              .x_label = "frame",
                              .y_label = "mean squared error",
                              .series = CURVES,
                              .serie = series,
                              .zero_y = true};
    snprintf(path, sizeof path, "%s/actions.svg", a->subject->directory);
    const hiss_status s = hiss_charts_write(path, 1, &chart, err);
    hiss_free(frame);
    return s;
}

/* ---- one thing done all the time ---- */

static int64_t columns_of(const acting *a) {
    const int64_t A = a->by->actions;
    return A == 2 ? HISS_ACTED : 1 + 2 * (A < MOST_SHOWN_NUMBERS ? A : MOST_SHOWN_NUMBERS);
}

/* The action [A] of column k, as long as length. */
static void direct(const acting *a, int64_t k, double length, float *out) {
    const int64_t A = a->by->actions;
    memset(out, 0, sizeof *out * (size_t)A);
    if (k > 0 && A == 2) {
        const double angle = (double)(k - 1) * 0.78539816339744831; /* an eighth of a circle */
        out[0] = (float)(length * cos(angle));
        out[1] = (float)(length * sin(angle));
    } else if (k > 0) {
        out[(k - 1) / 2] = (float)(k % 2 ? length : -length);
    }
}

/* An eval_clip_judge: pixels [columns, frames, H, W, C]. */
static hiss_status sweep(void *user, int64_t i, const hiss_batch *batch, float *pixels, hiss_error *err) {
    acting *a = user;
    const hiss_forecaster *by = a->by;
    const int64_t frames = by->given + by->foretold, row = row_of(a), size = size_of(a);
    const hiss_status s = by->clip(by->user, 1, batch, &a->clip, err);
    memset(a->given, 0, sizeof *a->given * (size_t)(HISS_ACTED * row));
    for (int64_t k = 0; k < columns_of(a) && s == HISS_OK; k++) {
        float *given = a->given + k * row;
        eval_clips_join(by, a->action + i * row, NULL, given);
        for (int64_t t = by->given - 1; t < frames; t++) {
            direct(a, k, a->length, given + t * by->actions);
        }
    }
    if (s == HISS_OK) {
        by->futures(by->user, 0, 1, batch, a->given, a->made);
    }
    for (int64_t k = 0; k < columns_of(a) && s == HISS_OK; k++) {
        eval_clips_put(by, a->clip, a->made + k * by->foretold * size, pixels + k * frames * size);
    }
    return s;
}

/* Rank 0 draws. Collective. */
static hiss_status show(acting *a, const double *mean, hiss_record *record, hiss_error *err) {
    const hiss_forecaster *by = a->by;
    const int64_t floats = columns_of(a) * (by->given + by->foretold) * size_of(a);
    const int64_t clips = a->drawn.count < SHOWN ? a->drawn.count : SHOWN;
    const eval_clips shown = {.drawn = &a->drawn, .batch = by->batch, .width = floats, .judge = sweep, .user = a};
    float *pixels = hiss_new(float, clips *floats);
    hiss_status s = HISS_OK;
    a->length = sqrt(mean[square_at(a)]);
    if (hiss_comm_rank(a->env->comm) == 0) {
        s = draw_chart(a, mean, err);
        s = s == HISS_OK ? eval_clips_judge_first(&shown, clips, pixels, err) : s;
        s = s == HISS_OK ? eval_clips_write(by, a->subject->directory, "actions", clips, columns_of(a), 0, pixels, err)
                         : s;
    }
    s = hiss_comm_agree(a->env->comm, s, err);
    hiss_record_picture(
        record, "actions.svg", "Error by actions",
        "Mean squared error of foretold frames, in the mean over test clips, with the clip's actions, with those of "
        "another one, and with none.");
    const char *caption = by->actions == 2 ? "Of each start: nothing is done, then the same action in every frame, in "
                                             "eight directions: along x, then turning from "
                                             "x to y. Given frames have a green border, made ones a red one."
                                           : "Of each start: nothing is done, then the same action in every frame: the "
                                             "first numbers of an action one by one, "
                                             "up and down. Given frames have a green border, made ones a red one.";
    hiss_record_picture(record, "actions.png", "What would be if", caption);
    hiss_record_picture(record, "actions-strips.png", "What would be if, frame by frame", caption);
    hiss_free(pixels);
    return s;
}

/* ---- the judgement ---- */

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    const hiss_forecaster *by = subject->actor;
    acting a = {.env = env, .subject = subject, .by = by};
    if (subject->queries->count < 2 || options->future_clips < 2) {
        hiss_record_leave_out(record, "it needs two test clips (eval.future_clips), whose actions change places");
        return HISS_OK;
    }
    a.drawn = eval_draw_samples(env->seed, subject->queries, options->future_clips);
    const int64_t width = width_of(&a), size = size_of(&a), row = row_of(&a);
    float *all = hiss_new(float, a.drawn.count *width);
    double *mean = hiss_new(double, 2 * width);
    a.action = hiss_new(float, a.drawn.count *row);
    a.clip = hiss_new(float, (by->given + by->foretold) * size);
    a.given = hiss_new(float, HISS_ACTED *row);
    a.made = hiss_new(float, HISS_ACTED * by->foretold * size);
    const eval_clips clips = {env, subject->name, "actions", &a.drawn, by->batch, width, judge_clip, &a};
    hiss_status s = hiss_comm_agree(env->comm, eval_clips_actions(by, &a.drawn, a.action, err), err);
    s = s == HISS_OK ? eval_clips_judge(&clips, all, err) : s;
    if (s == HISS_OK) {
        eval_clips_moments(a.drawn.count, width, all, mean, mean + width);
        say(&a, record, mean);
    }
    if (s == HISS_OK && subject->directory) {
        s = show(&a, mean, record, err);
    }
    hiss_free(a.action);
    hiss_free(a.clip);
    hiss_free(a.given);
    hiss_free(a.made);
    hiss_free(all);
    hiss_free(mean);
    hiss_free(a.drawn.index);
    return s;
}

const hiss_judgement eval_judgement_actions = {
    .name = "actions",
    .title = "Actions",
    .baseline = "the last given frame",
    .needs = HISS_NEEDS_NETWORK | HISS_NEEDS_ACTOR,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
