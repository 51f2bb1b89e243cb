/* How well a method foretells test clips: it is shown the frames that it is given, and what it makes is laid beside those that
 * followed. Given frames are never counted. Each future is compared frame by frame, by SSIM and PSNR (similarity.c), in pixels of
 * 0..1.
 *
 * A method that draws futures is judged as in Denton & Fergus 2018, section 4: of so many draws the one counts which is best for
 * the clip, by its mean over frames, by each measure for itself. That rewards spread, so beside it stand the mean over all draws,
 * and the best of fewer: of k out of n, in the mean over all choices of k, the largest has the value
 *     sum over i of C(i - 1, k - 1) / C(n, k) x_(i)       with x_(1) <= x_(2) <= ... .
 * The baseline is the last given frame, repeated.
 *
 * Clips are drawn by seed. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/judgements/clips.h"
#include "eval/similarity.h"
#include "hiss/alloc.h"
#include "hiss/file.h"

enum { SSIM, PSNR, MEASURES };
enum { BEST, MEAN, COPY, CURVES };
enum { SHARPNESS, COPY_SHARPNESS, BEST_FUTURE, SINGLES }; /* BEST_FUTURE: its number, by SSIM */
enum { SHOWN = 6, SHOWN_FUTURES = 3, MOST_STEPS = 12 };

static const char *const measure_names[MEASURES] = {"ssim", "psnr"};

static const hiss_row rows[] = {
    JUDGEMENT_ROW("futures", HISS_BOOL, futures, "true", 0, 0, NULL,
                  "how well a method foretells how clips go on, and pictures of it"),
    JUDGEMENT_ROW("future_clips", HISS_INT, future_clips, "256", 1, 1 << 24, NULL,
                  "test clips that are foretold, drawn by seed"),
    JUDGEMENT_ROW("future_draws", HISS_INT, future_draws, "100", 1, 1 << 16, NULL,
                  "futures drawn of each, by methods that draw them"),
    JUDGEMENT_ROW("future_frames", HISS_INT, future_frames, "0", 0, 1 << 16, NULL,
                  "frames that are foretold, by all judgements of clips; 0: as many as in training"),
    JUDGEMENT_ROW("ssim", HISS_CHOICE, ssim, "uniform", 0, 0, "uniform|gaussian",
                  "window of SSIM: uniform, 7 x 7, as scikit-image has it; gaussian, 11 x 11"),
};

typedef struct futures {
    const hiss_eval_env *env;
    const hiss_eval_options *options;
    const hiss_subject *subject;
    const hiss_forecaster *by;
    int64_t clips, draws, steps;
    int64_t step[MOST_STEPS]; /* of how many draws the best is told: 1, 2, 5, 10, ... draws */
    float *clip, *made;       /* [given + foretold, H, W, C]; [by->made, foretold, H, W, C] */
    float *score;             /* [MEASURES, draws, foretold] of one clip */
} futures;

static int64_t size_of(const futures *f) {
    return f->by->H * f->by->W * f->by->C;
}

/* Numbers of a clip: curves [MEASURES, CURVES, foretold], best of k [MEASURES, steps], SINGLES. */
static int64_t width_of(const futures *f) {
    return MEASURES * (CURVES * f->by->foretold + f->steps) + SINGLES;
}

static int64_t curve_at(const futures *f, int measure, int curve) {
    return (measure * CURVES + curve) * f->by->foretold;
}

static int64_t step_at(const futures *f, int measure) {
    return MEASURES * CURVES * f->by->foretold + measure * f->steps;
}

static int64_t single_at(const futures *f, int single) {
    return MEASURES * (CURVES * f->by->foretold + f->steps) + single;
}

/* ---- one clip ---- */

static const float *truth(const futures *f, int64_t t) {
    return f->clip + (f->by->given + t) * size_of(f);
}

static double compare(const futures *f, int measure, const float *a, const float *b) {
    const hiss_forecaster *by = f->by;
    const eval_ssim_window window = f->options->ssim == 0 ? EVAL_SSIM_UNIFORM : EVAL_SSIM_GAUSSIAN;
    return measure == PSNR ? eval_frame_psnr(by->H, by->W, by->C, a, b)
                           : eval_ssim(window, 1.0, by->H, by->W, by->C, a, b);
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of values [n], sorted: the largest of k, in the mean over all choices. */
static double best_of(int64_t k, int64_t n, const double *value) {
    double share = (double)k / (double)n, sum = 0.0; /* C(n - 1, k - 1) / C(n, k), of the last */
    for (int64_t i = n; i >= k; i--) {
        sum += share * value[i - 1];
        share *= i > 1 ? (double)(i - k) / (double)(i - 1) : 0.0;
    }
    return sum;
}

/* What the scores of a clip's futures say of it. */
static void summarise(const futures *f, int measure, float *out) {
    const int64_t T = f->by->foretold, n = f->draws;
    const float *score = f->score + measure * n * T;
    double *mean = hiss_new(double, n);
    int64_t best = 0;
    for (int64_t k = 0; k < n; k++) {
        for (int64_t t = 0; t < T; t++) {
            mean[k] += (double)score[k * T + t] / (double)T;
        }
        best = mean[k] > mean[best] ? k : best;
    }
    if (measure == SSIM) {
        out[single_at(f, BEST_FUTURE)] = (float)best;
    }
    for (int64_t t = 0; t < T; t++) {
        double sum = 0.0;
        for (int64_t k = 0; k < n; k++) {
            sum += (double)score[k * T + t];
        }
        out[curve_at(f, measure, BEST) + t] = score[best * T + t];
        out[curve_at(f, measure, MEAN) + t] = (float)(sum / (double)n);
        out[curve_at(f, measure, COPY) + t] = (float)compare(f, measure, truth(f, t), truth(f, -1));
    }
    qsort(mean, (size_t)n, sizeof *mean, ascending);
    for (int64_t k = 0; k < f->steps; k++) {
        out[step_at(f, measure) + k] = (float)best_of(f->step[k], n, mean);
    }
    hiss_free(mean);
}

/* An eval_clip_judge. */
static hiss_status judge_clip(void *user, int64_t i, const hiss_batch *batch, float *out, hiss_error *err) {
    futures *f = user;
    const hiss_forecaster *by = f->by;
    (void)i;
    const int64_t T = by->foretold, size = size_of(f);
    const hiss_status s = by->clip(by->user, 1, batch, &f->clip, err);
    for (int64_t first = 0; first < f->draws && s == HISS_OK; first += by->made) {
        by->futures(by->user, first, 1, batch, NULL, f->made);
        for (int64_t k = 0; k < by->made && first + k < f->draws; k++) {
            for (int64_t t = 0; t < T; t++) {
                const float *made = f->made + (k * T + t) * size;
                for (int measure = 0; measure < MEASURES; measure++) {
                    f->score[(measure * f->draws + first + k) * T + t] = (float)compare(f, measure, truth(f, t), made);
                }
                if (first + k == 0) {
                    const double sharp = eval_sharpness_difference(by->H, by->W, by->C, truth(f, t), made),
                                 copy = eval_sharpness_difference(by->H, by->W, by->C, truth(f, t), truth(f, -1));
                    out[single_at(f, SHARPNESS)] += (float)(sharp / (double)T);
                    out[single_at(f, COPY_SHARPNESS)] += (float)(copy / (double)T);
                }
            }
        }
    }
    for (int measure = 0; measure < MEASURES && s == HISS_OK; measure++) {
        summarise(f, measure, out);
    }
    return s;
}

/* ---- what is said ---- */

static void say(const futures *f, hiss_record *record, const char *name, const char *heading, const char *unit,
                double value, double spread, double baseline) {
    hiss_record_number(record, &(hiss_number){.name = name,
                                              .group = "futures of test clips",
                                              .heading = heading,
                                              .unit = unit,
                                              .form = *unit ? HISS_FORM_FIXED : HISS_FORM_GENERAL,
                                              .value = value,
                                              .spread = spread,
                                              .baseline = baseline,
                                              .samples = f->clips});
}

static void say_numbers(const futures *f, hiss_record *record, const double *mean, const double *deviation) {
    static const char *const heading[MEASURES][2] = {{"best SSIM", "mean SSIM"}, {"best PSNR", "mean PSNR"}};
    static const char *const unit[MEASURES] = {"", "dB"};
    const int64_t T = f->by->foretold;
    const bool draws = f->draws > 1;
    for (int m = 0; m < MEASURES; m++) {
        char name[64];
        const double copy = eval_clips_mean(T, mean + curve_at(f, m, COPY));
        const int64_t last = step_at(f, m) + f->steps - 1;
        say(f, record, measure_names[m],
            draws       ? heading[m][0]
            : m == SSIM ? "SSIM"
                        : "PSNR",
            unit[m], mean[last], deviation[last], copy);
        if (draws) {
            snprintf(name, sizeof name, "mean_%s", measure_names[m]);
            say(f, record, name, heading[m][1], unit[m], eval_clips_mean(T, mean + curve_at(f, m, MEAN)), (double)NAN,
                copy);
        }
    }
    say(f, record, "sharpness", "sharpness difference", "dB", mean[single_at(f, SHARPNESS)],
        deviation[single_at(f, SHARPNESS)], mean[single_at(f, COPY_SHARPNESS)]);
    for (int64_t k = 0; k < MEASURES * f->steps && draws; k++) {
        const int m = (int)(k / f->steps);
        char name[64];
        snprintf(name, sizeof name, "%s_of.%lld", measure_names[m], (long long)f->step[k % f->steps]);
        eval_record_detail(record, name, NULL, unit[m], HISS_FORM_GENERAL, mean[step_at(f, m) + k % f->steps]);
    }
    hiss_record_remark(record,
                       "%lld test clips, %lld frames given and %lld foretold, of which the given ones do not count; "
                       "pixels of 0..1, SSIM with a window of %s",
                       (long long)f->clips, (long long)f->by->given, (long long)T,
                       f->options->ssim == 0 ? "7 x 7" : "11 x 11, Gaussian");
    if (draws) {
        hiss_record_remark(record, "best: of %lld futures of each clip, by the mean over its frames, for each measure",
                           (long long)f->draws);
    }
}

typedef struct table {
    const futures *f;
    const double *mean; /* [width] */
} table;

static const char *const curve_names[CURVES] = {"best", "mean", "copy"};

/* Frame by frame, as lines "frame,best_ssim,...". */
static void write_table(FILE *out, const void *user) {
    const table *t = user;
    const futures *f = t->f;
    fputs("frame", out);
    for (int k = 0; k < MEASURES * CURVES; k++) {
        fprintf(out, ",%s_%s", curve_names[k % CURVES], measure_names[k / CURVES]);
    }
    fputc('\n', out);
    for (int64_t i = 0; i < f->by->foretold; i++) {
        fprintf(out, "%lld", (long long)(f->by->given + i + 1));
        for (int k = 0; k < MEASURES * CURVES; k++) {
            fprintf(out, ",%.6g", t->mean[curve_at(f, k / CURVES, k % CURVES) + i]);
        }
        fputc('\n', out);
    }
}

/* A chart of each measure over the frames, and of the best of k where futures are drawn. */
static hiss_status draw_charts(const futures *f, const double *mean, hiss_error *err) {
    static const char *const label[MEASURES] = {"SSIM", "PSNR, dB"};
    static const char *const name[CURVES] = {"best", "mean", "last given frame"};
    const int64_t T = f->by->foretold;
    const int charts = f->draws > 1 ? 2 * MEASURES : MEASURES;
    hiss_chart chart[2 * MEASURES];
    hiss_series series[MEASURES][CURVES], steps[MEASURES];
    double *frame = hiss_new(double, T), of[MOST_STEPS];
    char path[EVAL_CLIPS_PATH];
    for (int64_t t = 0; t < T; t++) {
        frame[t] = (double)(f->by->given + t + 1);
    }
    for (int64_t k = 0; k < f->steps; k++) {
        of[k] = (double)f->step[k];
    }
    for (int m = 0; m < MEASURES; m++) {
        int drawn = 0;
        for (int c = 0; c < CURVES; c++) {
            if (c == MEAN && f->draws == 1) {
                continue;
            }
            series[m][drawn++] = (hiss_series){.name = f->draws == 1 && c == BEST ? "made" : name[c],
                                               .count = T,
                                               .x = frame,
                                               .y = mean + curve_at(f, m, c),
                                               .stroke = c == COPY ? HISS_DASHED : HISS_SOLID};
        }
        chart[m] = (hiss_chart){.x_label = "frame", .y_label = label[m], .series = drawn, .serie = series[m]};
        steps[m] = (hiss_series){.count = f->steps, .x = of, .y = mean + step_at(f, m), .dots = true};
        chart[MEASURES + m] = (hiss_chart){
            .x_label = "best of so many futures", .y_label = label[m], .series = 1, .serie = &steps[m], .log_x = true};
    }
    chart[0].title = "Foretold frames of test clips";
    snprintf(path, sizeof path, "%s/futures.svg", f->subject->directory);
    const hiss_status s = hiss_charts_write(path, charts, chart, err);
    hiss_free(frame);
    return s;
}

/* ---- pictures ---- */

enum { ROW_TRUTH, ROW_BEST, ROW_FUTURES };

static int64_t rows_of_clip(const futures *f) {
    const int64_t shown = f->draws < SHOWN_FUTURES ? f->draws : SHOWN_FUTURES;
    return f->draws > 1 ? ROW_FUTURES + shown : ROW_FUTURES;
}

typedef struct drawing {
    const futures *f;
    const float *all; /* [clips, width] */
} drawing;

/* An eval_clip_judge: pixels [rows_of_clip, frames, H, W, C]. */
static hiss_status draw_clip(void *user, int64_t i, const hiss_batch *batch, float *pixels, hiss_error *err) {
    const drawing *d = user;
    const futures *f = d->f;
    const hiss_forecaster *by = f->by;
    const int64_t floats = by->foretold * size_of(f), row = by->given * size_of(f) + floats, height = rows_of_clip(f);
    const int64_t best = (int64_t)d->all[i * width_of(f) + single_at(f, BEST_FUTURE)];
    const hiss_status s = by->clip(by->user, 1, batch, (float *const[]){f->clip}, err);
    if (s != HISS_OK) {
        return s;
    }
    eval_clips_put(by, f->clip, truth(f, 0), pixels + ROW_TRUTH * row);
    by->futures(by->user, best / by->made * by->made, 1, batch, NULL, f->made);
    eval_clips_put(by, f->clip, f->made + best % by->made * floats, pixels + ROW_BEST * row);
    if (height > ROW_FUTURES) {
        by->futures(by->user, 0, 1, batch, NULL, f->made);
    }
    for (int64_t k = ROW_FUTURES; k < height; k++) {
        eval_clips_put(by, f->clip, f->made + (k - ROW_FUTURES) * floats, pixels + k * row);
    }
    return HISS_OK;
}

/* all [clips, width]. Rank 0. */
static hiss_status draw(const futures *f, const hiss_sample_range *drawn, const float *all, hiss_error *err) {
    const hiss_forecaster *by = f->by;
    const int64_t clips = f->clips < SHOWN ? f->clips : SHOWN, height = rows_of_clip(f);
    const int64_t floats = height * (by->given + by->foretold) * size_of(f);
    float *pixels = hiss_new(float, clips *floats);
    drawing d = {f, all};
    const eval_clips shown = {.drawn = drawn, .batch = by->batch, .width = floats, .judge = draw_clip, .user = &d};
    hiss_status s = eval_clips_judge_first(&shown, clips, pixels, err);
    s = s == HISS_OK
            ? eval_clips_write(by, f->subject->directory, "futures", clips, height, 1u << ROW_TRUTH, pixels, err)
            : s;
    hiss_free(pixels);
    return s;
}

/* Rank 0 draws; Collective. */
static hiss_status show(const futures *f, const hiss_sample_range *drawn, const float *all, const double *mean,
                        hiss_record *record, hiss_error *err) {
    hiss_status s = HISS_OK;
    if (hiss_comm_rank(f->env->comm) == 0) {
        char path[EVAL_CLIPS_PATH];
        const table t = {f, mean};
        snprintf(path, sizeof path, "%s/futures.csv", f->subject->directory);
        s = hiss_file_write_by(path, write_table, &t, err);
        s = s == HISS_OK ? draw_charts(f, mean, err) : s;
        s = s == HISS_OK ? draw(f, drawn, all, err) : s;
    }
    s = hiss_comm_agree(f->env->comm, s, err);
    hiss_record_picture(record, "futures.svg", "Foretold frames",
                        "How alike foretold frames and true ones are, in the mean over test clips; given frames are "
                        "not counted.");
    const char *caption =
        f->draws > 1
            ? "Of each test clip: as it is, the best future by SSIM, and the first ones drawn; frames that are "
              "given have a green border, those that are made a red one."
            : "Of each test clip: as it is, and as it is foretold; frames that are given have a green border, "
              "those that are made a red one.";
    hiss_record_picture(record, "futures.png", "Futures", caption);
    hiss_record_picture(record, "futures-strips.png", "Futures, frame by frame", caption);
    return s;
}

/* ---- the judgement ---- */

/* 1, 2, 5, 10, 20, ... as far as draws go, and draws. */
static void list_steps(futures *f) {
    static const int64_t each[] = {1, 2, 5};
    int64_t next = 1;
    for (int64_t power = 1; next < f->draws && f->steps < MOST_STEPS - 1; power *= 10) {
        for (int k = 0; k < 3 && next < f->draws && f->steps < MOST_STEPS - 1; k++) {
            next = each[k] * power;
            if (next < f->draws) {
                f->step[f->steps++] = next;
            }
        }
    }
    f->step[f->steps++] = f->draws;
}

/* Whether frames are as large as the window. */
static hiss_status check(const futures *f, hiss_error *err) {
    const int64_t side = f->options->ssim == 0 ? EVAL_SSIM_UNIFORM : EVAL_SSIM_GAUSSIAN;
    return f->by->H >= side && f->by->W >= side
               ? HISS_OK
               : hiss_fail(
                     err, HISS_EUSER,
                     "eval.ssim: the window is %lldx%lld, found frames of %lldx%lld; choose the smaller window, or "
                     "judge no futures: eval.futures: false",
                     (long long)side, (long long)side, (long long)f->by->H, (long long)f->by->W);
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    const hiss_forecaster *by = subject->forecaster;
    const int64_t n = subject->queries->count;
    futures f = {.env = env,
                 .options = options,
                 .subject = subject,
                 .by = by,
                 .clips = n < options->future_clips ? n : options->future_clips,
                 .draws = by->made > 1 ? options->future_draws : 1};
    hiss_status s = check(&f, err);
    if (s != HISS_OK) {
        return s;
    }
    list_steps(&f);
    const int64_t width = width_of(&f), size = size_of(&f);
    const hiss_sample_range drawn = eval_draw_samples(env->seed, subject->queries, f.clips);
    float *all = hiss_new(float, f.clips *width);
    double *mean = hiss_new(double, 2 * width);
    f.clip = hiss_new(float, (by->given + by->foretold) * size);
    f.made = hiss_new(float, by->made * by->foretold * size);
    f.score = hiss_new(float, MEASURES *f.draws * by->foretold);
    const eval_clips clips = {env, subject->name, "futures", &drawn, by->batch, width, judge_clip, &f};
    s = eval_clips_judge(&clips, all, err);
    if (s == HISS_OK) {
        eval_clips_moments(f.clips, width, all, mean, mean + width);
        say_numbers(&f, record, mean, mean + width);
    }
    if (s == HISS_OK && subject->directory) {
        s = show(&f, &drawn, all, mean, record, err);
    }
    hiss_free(f.clip);
    hiss_free(f.made);
    hiss_free(f.score);
    hiss_free(all);
    hiss_free(mean);
    hiss_free(drawn.index);
    return s;
}

const hiss_judgement eval_judgement_futures = {
    .name = "futures",
    .title = "Futures",
    .baseline = "the last given frame",
    .needs = HISS_NEEDS_NETWORK | HISS_NEEDS_FORECASTER,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
