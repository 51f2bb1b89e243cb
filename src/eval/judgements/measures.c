/* What a method measures of itself (hiss_measure_ops): numbers of single images are features of an image, so that reading,
 * tiles and sums over ranks are those of every other judgement; the method makes its numbers, remarks and pictures of
 * their means over test images and over some training images. */
#include <stddef.h>

#include "eval/eval_impl.h"
#include "eval/evaluation.h"
#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"

enum { SHOWN = 10 }; /* images */

static const hiss_row rows[] = {
    JUDGEMENT_ROW("measures", HISS_BOOL, measures, "true", 0, 0, NULL,
                  "what a method that can measures of itself, and its pictures"),
};

typedef struct saying {
    const hiss_eval_env *env;
    const hiss_subject *subject;
    hiss_record *record;
} saying;

static void number(void *say, const hiss_measure *m) {
    const saying *to = say;
    hiss_record_number(to->record, &(hiss_number){.name = m->name,
                                                  .group = m->group,
                                                  .heading = m->heading,
                                                  .unit = m->unit,
                                                  .form = m->digits ? HISS_FORM_GENERAL : HISS_FORM_FIXED,
                                                  .value = m->value,
                                                  .spread = m->spread,
                                                  .baseline = m->baseline,
                                                  .samples = m->samples});
}

static void remark(void *say, const char *text) {
    hiss_record_remark(((const saying *)say)->record, "%s", text);
}

/* Where rank 0 writes a picture; false on other ranks, and where pictures go nowhere. */
static bool draws(const saying *to, const char *file, char path[4096]) {
    snprintf(path, 4096, "%s/%s", to->subject->directory ? to->subject->directory : "", file);
    return to->subject->directory && hiss_comm_rank(to->env->comm) == 0;
}

static hiss_status recorded(const saying *to, const char *file, const char *title, const char *caption, hiss_status s,
                            hiss_error *err) {
    if (to->subject->directory) {
        hiss_record_picture(to->record, file, title, caption);
    }
    return hiss_comm_agree(to->env->comm, s, err);
}

static hiss_status grid(void *say, const char *file, const char *title, const char *caption, int64_t grid_rows,
                        int64_t columns, int64_t H, int64_t W, int64_t C, const float *pixels, hiss_error *err) {
    const saying *to = say;
    char path[4096];
    hiss_status s = HISS_OK;
    if (draws(to, file, path)) {
        const int64_t count = grid_rows * columns * H * W * C;
        uint8_t *bytes = hiss_alloc((size_t)count);
        for (int64_t k = 0; k < count; k++) {
            bytes[k] = eval_byte_of(pixels[k]);
        }
        s = hiss_write_grid(path, grid_rows, columns, H, W, C, bytes, err);
        hiss_free(bytes);
    }
    return recorded(to, file, title, caption, s, err);
}

static hiss_status sound(void *say, const char *file, const char *title, const char *caption, int64_t rate,
                         int64_t sounds, int64_t count, const float *values, hiss_error *err) {
    const saying *to = say;
    char path[4096];
    const hiss_status s = draws(to, file, path) ? hiss_wav_write(path, rate, sounds, count, values, err) : HISS_OK;
    return recorded(to, file, title, caption, s, err);
}

static hiss_status filters(void *say, const char *file, const char *title, const char *caption, int64_t F, int64_t R,
                           int64_t S, int64_t C, const float *w, hiss_error *err) {
    const saying *to = say;
    char path[4096];
    const hiss_status s = draws(to, file, path) ? hiss_filters_write(path, F, R, S, C, w, err) : HISS_OK;
    return recorded(to, file, title, caption, s, err);
}

static hiss_status lines(void *say, const char *file, const char *title, const char *caption, int panels,
                         const hiss_panel *panel, hiss_error *err) {
    const saying *to = say;
    char path[4096];
    hiss_chart chart[HISS_MAX_PANELS];
    hiss_series *series = hiss_new(hiss_series, HISS_MAX_PANELS * HISS_MAX_LINES), *next = series;
    const bool drawn = draws(to, file, path);
    for (int p = 0; p < panels && drawn; p++) {
        chart[p] = (hiss_chart){.title = panel[p].title,
                                .x_label = panel[p].x_label,
                                .y_label = panel[p].y_label,
                                .series = panel[p].lines,
                                .serie = next,
                                .zero_y = true};
        for (int k = 0; k < panel[p].lines; k++) {
            const hiss_line *line = &panel[p].line[k];
            *next++ = (hiss_series){.name = line->name,
                                    .count = line->count,
                                    .x = line->x,
                                    .y = line->y,
                                    .stroke = line->dashed ? HISS_DASHED : HISS_SOLID,
                                    .colour = line->colour};
        }
    }
    const hiss_status s = drawn ? hiss_charts_write(path, panels, chart, err) : HISS_OK;
    hiss_free(series);
    return recorded(to, file, title, caption, s, err);
}

/* What the method's pictures need of test images that are drawn by seed, on rank 0; NULL on others, and where there are
 * none. Collective. */
static hiss_status show(const hiss_eval_env *env, const hiss_subject *subject, int64_t *shown, float **out,
                        hiss_error *err) {
    const hiss_measurer *m = subject->measurer;
    const int64_t n = subject->queries->count;
    hiss_status s = HISS_OK;
    *shown = m->show && subject->directory ? (n < SHOWN ? n : SHOWN) : 0;
    *out = NULL;
    if (*shown > 0 && hiss_comm_rank(env->comm) == 0) {
        *out = hiss_new(float, *shown * m->shown);
        s = eval_embed_drawn(env->seed, subject->queries, *shown, 1, &m->shown, m->batch, m->show, m->user, out, err);
    }
    return hiss_comm_agree(env->comm, s, err);
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)options;
    const hiss_measurer *m = subject->measurer;
    const hiss_layer_size layer = {"measures", m->width};
    const hiss_sample_range drawn = eval_draw_samples(env->seed, subject->bank, m->training);
    hiss_features *test = NULL, *train = NULL;
    double *value = hiss_new(double, 4 * m->width);
    float *pictures = NULL;
    int64_t shown = 0;
    hiss_status s = hiss_features_extract(env, subject->queries, 1, &layer, m->batch, m->measure, m->user, &test, err);
    s = s == HISS_OK ? hiss_features_extract(env, &drawn, 1, &layer, m->batch, m->measure, m->user, &train, err) : s;
    s = s == HISS_OK ? show(env, subject, &shown, &pictures, err) : s;
    if (s == HISS_OK) {
        saying to = {env, subject, record};
        hiss_measured measured = m->network;
        eval_features_moments(env, test, value, value + m->width);
        eval_features_moments(env, train, value + 2 * m->width, value + 3 * m->width);
        measured.comm = env->comm;
        measured.test = subject->queries->count;
        measured.train = drawn.count;
        measured.test_mean = value;
        measured.test_deviation = value + m->width;
        measured.train_mean = value + 2 * m->width;
        measured.shown = shown;
        measured.show = pictures;
        measured.say = &to;
        measured.number = number;
        measured.remark = remark;
        measured.grid = grid;
        measured.filters = filters;
        measured.sound = sound;
        measured.lines = lines;
        record->judged->baseline = m->baseline;
        s = m->conclude(m->user, &measured, err);
    }
    hiss_features_destroy(test);
    hiss_features_destroy(train);
    hiss_free(drawn.index);
    hiss_free(value);
    hiss_free(pictures);
    return s;
}

const hiss_judgement eval_judgement_measures = {
    .name = "measures",
    .title = "The method's own measures",
    .needs = HISS_NEEDS_NETWORK | HISS_NEEDS_MEASURER,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
