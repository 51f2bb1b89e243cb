/* What is measured of objects that move, in evaluation. Where field `mover` says what truly moves: the intersection over union
 * (IoU) of the true mask with what the network marks (logits above 0), beside that of the masks it learnt from (motion above
 * option `moves`), and beside the best that any of nine thresholds makes of motion, which nobody could choose without the truth.
 * Then the shares that are marked of the ground, of what moves and of what stands still. A cell of the mask is truly what at
 * least half of its pixels are.
 *
 * A network that is sure of nothing marks nothing, as the mean of all masks does. So there is an IoU by rank, too: of as many
 * cells as the true mask has, those with the largest logits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objective/video/movers.h"

enum { GROUND, MOVER, STANDS, KINDS };
enum { THRESHOLDS = 9 }; /* 0.1, 0.2, .. 0.9 */
enum {
    KNOWN,
    CREDIBLE,
    IOU,
    TEACHER_IOU,
    BEST_IOU,
    RANKED_IOU = BEST_IOU + THRESHOLDS,
    SIZE,
    KIND,
    MARKED = KIND + KINDS,
    TEACHER_MARKED = MARKED + KINDS,
    COUNTED = TEACHER_MARKED + KINDS,
    MOVING,
    LOSS,
    NUMBERS
};
enum { TILES = 4 };
static const char masks_file[] = "masks.png";

static int64_t width(void *self) {
    (void)self;
    return NUMBERS;
}

static hiss_status build(void *self, hiss_builder *b, int64_t m, hiss_error *err) {
    movers *v = self;
    const hiss_task *t = v->task;
    v->image = hiss_graph_input(b->graph, "image", HISS_SHAPE(m, t->H, t->W, t->C));
    hiss_graph_keep(b->graph, v->image);
    const hiss_status s = video_movers_mask(v, b, v->image, &v->mask, err);
    if (s == HISS_OK) {
        hiss_graph_keep(b->graph, v->mask);
    }
    return s;
}

static void sample(void *self, const hiss_lane *lane, int64_t i) {
    const movers *v = self;
    objective_video_frame(lane, i, v->middle, hiss_lane_values(lane, v->image, i));
}

/* Field mover, uint8 [H,W]; NULL: there is none. */
static const hiss_field *truth_of(const hiss_task *t) {
    const hiss_field *field = hiss_task_field(t, "mover");
    return field && field->dtype == HISS_U8 && field->ndim == 2 && field->dim[0] == t->H && field->dim[1] == t->W
               ? field
               : NULL;
}

static int kind_of(const movers *v, const uint8_t *mover, int64_t y, int64_t x) {
    const int64_t cell = v->options->cell;
    int64_t count[KINDS] = {0};
    for (int64_t k = 0; k < cell * cell; k++) {
        const int kind = mover[(y * cell + k / cell) * v->task->W + x * cell + k % cell];
        count[kind < KINDS ? kind : GROUND]++;
    }
    return 2 * count[MOVER] >= cell * cell ? MOVER : 2 * count[STANDS] >= cell * cell ? STANDS : GROUND;
}

static int falling(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Of the cells above `threshold` and those of kind MOVER. */
static double iou(int64_t cells, const float *score, double threshold, const uint8_t *kind) {
    int64_t both = 0, any = 0;
    for (int64_t k = 0; k < cells; k++) {
        const bool marked = (double)score[k] > threshold, moves = kind[k] == MOVER;
        both += marked && moves;
        any += marked || moves;
    }
    return any ? (double)both / (double)any : 0.0;
}

static void compare(const movers *v, const float *logit, const float *motion, const uint8_t *kind, float *out) {
    const int64_t cells = v->rows * v->columns;
    int64_t moving = 0;
    for (int64_t k = 0; k < cells; k++) {
        moving += kind[k] == MOVER;
    }
    if (moving == 0) {
        return;
    }
    float *sorted = hiss_new(float, cells);
    memcpy(sorted, logit, sizeof *sorted * (size_t)cells);
    qsort(sorted, (size_t)cells, sizeof *sorted, falling);
    const double last = moving < cells ? (double)sorted[moving] : -INFINITY;
    hiss_free(sorted);
    out[KNOWN] = 1.0f;
    out[IOU] = (float)iou(cells, logit, 0.0, kind);
    out[TEACHER_IOU] = (float)iou(cells, motion, v->options->moves, kind);
    for (int k = 0; k < THRESHOLDS; k++) {
        out[BEST_IOU + k] = (float)iou(cells, motion, 0.1 * (k + 1), kind);
    }
    out[RANKED_IOU] = (float)iou(cells, logit, last, kind);
    out[SIZE] = (float)moving / (float)cells;
    for (int64_t k = 0; k < cells; k++) {
        out[KIND + kind[k]] += 1.0f;
        out[MARKED + kind[k]] += logit[k] > 0.0f;
        out[TEACHER_MARKED + kind[k]] += (double)motion[k] > v->options->moves;
    }
}

static void measure(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const movers *v = self;
    const int64_t cells = v->rows * v->columns;
    const hiss_field *truth = truth_of(v->task);
    const float *logit = hiss_lane_values(lane, v->mask, i);
    float *motion = hiss_new(float, 2 * cells), *weight = motion + cells, left_out = 0.0f;
    uint8_t *kind = hiss_new(uint8_t, cells);
    memset(out, 0, sizeof *out * NUMBERS);
    video_movers_motion(v, lane, i, motion);
    video_movers_weights(v, lane, i, weight, &left_out);
    double loss = 0.0;
    for (int64_t k = 0; k < cells; k++) {
        const double x = (double)(weight[k] * logit[k]);
        loss += weight[k] != 0.0f ? fmax(-x, 0.0) + log1p(exp(-fabs(x))) : 0.0;
        out[COUNTED] += weight[k] * weight[k];
        out[MOVING] += weight[k] > 0.0f;
    }
    out[LOSS] = (float)loss;
    out[CREDIBLE] = 1.0f - left_out;
    if (truth) {
        const uint8_t *mover = hiss_batch_values(lane->batch, i, truth);
        for (int64_t k = 0; k < cells; k++) {
            kind[video_movers_cell(v, k / v->columns, k % v->columns)] =
                (uint8_t)kind_of(v, mover, k / v->columns, k % v->columns);
        }
        compare(v, logit, motion, kind, out);
    }
    hiss_free(kind);
    hiss_free(motion);
}

/* ---- of all images ---- */

static void say(const hiss_measured *m, const char *name, const char *group, const char *heading, const char *unit,
                double value, double baseline, double share, bool digits) {
    m->number(m->say, &(hiss_measure){.name = name,
                                      .group = group,
                                      .heading = heading,
                                      .unit = unit,
                                      .value = value,
                                      .spread = NAN,
                                      .baseline = baseline,
                                      .samples = (int64_t)llround(share * (double)m->test),
                                      .digits = digits});
}

static double percent(double part, double of) {
    return of > 0.0 ? 100.0 * part / of : (double)NAN;
}

static void say_truth(const hiss_measured *m) {
    static const char overlap[] = "intersection over union with what truly moves";
    static const char marked[] = "cells that are marked, of";
    const double *mean = m->test_mean, known = mean[KNOWN], size = mean[SIZE] / known, nan = (double)NAN;
    say(m, "iou", overlap, "mask", "%", percent(mean[IOU], known), percent(mean[TEACHER_IOU], known), known, false);
    say(m, "ranked_iou", overlap, "by rank", "%", percent(mean[RANKED_IOU], known), nan, known, false);
    double best = 0.0;
    for (int k = 0; k < THRESHOLDS; k++) {
        best = fmax(best, mean[BEST_IOU + k]);
    }
    say(m, "best_motion_iou", overlap, "best of motion", "%", percent(best, known), nan, known, false);
    say(m, "guessed_iou", overlap, "guessed", "%", 100.0 * size / (2.0 - size), nan, known, false);
    static const char *const names[] = {"ground_marked", "mover_marked", "still_marked"};
    static const char *const headings[] = {"the ground", "what moves", "what stands still"};
    for (int k = 0; k < KINDS; k++) {
        say(m, names[k], marked, headings[k], "%", percent(mean[MARKED + k], mean[KIND + k]),
            percent(mean[TEACHER_MARKED + k], mean[KIND + k]), known, false);
    }
}

static hiss_status conclude(void *self, const hiss_measured *m, hiss_error *err) {
    const movers *v = self;
    const hiss_task *t = v->task;
    const double *mean = m->test_mean, counted = mean[COUNTED], p = mean[MOVING] / counted, nan = (double)NAN;
    static const char group[] = "masks of motion";
    if (counted > 0.0) {
        const double constant = p > 0.0 && p < 1.0 ? -p * log(p) - (1.0 - p) * log(1.0 - p) : 0.0;
        say(m, "cross_entropy", group, "cross-entropy of a cell", "nats", mean[LOSS] / counted, nan, 1.0, true);
        say(m, "constant", group, "of the share that moves", "nats", constant, nan, 1.0, true);
    }
    say(m, "learnt_from", group, "clips that count", "%", 100.0 * mean[CREDIBLE], nan, 1.0, false);
    if (mean[KNOWN] > 0.0) {
        say_truth(m);
        m->remark(m->say, "by rank: of as many cells as truly move, those with the largest logits; best of motion: the "
                          "masks of motion at the best of nine thresholds; guessed: as many cells as truly move, "
                          "anywhere");
    } else {
        m->remark(
            m->say,
            "no field mover, uint8 [H,W], of what truly moves (1): masks are compared with those of motion alone");
    }
    if (v->options->shuffled) {
        m->remark(m->say, "a control: the network learnt the masks of other clips");
    }
    return m->shown > 0
               ? m->grid(
                     m->say, masks_file, "What moves",
                     "Test images, drawn by seed, a row each: the frame; motion in its clip; the mask that the network "
                     "makes of the frame, as probabilities; what truly moves (white) and what stands still (grey).",
                     m->shown, TILES, t->H, t->W, 1, m->show, err)
               : HISS_OK;
}

/* ---- pictures ---- */

static int64_t shown(void *self) {
    const hiss_task *t = ((const movers *)self)->task;
    return TILES * t->H * t->W;
}

static void show(void *self, const hiss_lane *lane, int64_t i, float *out) {
    const movers *v = self;
    const hiss_task *t = v->task;
    const hiss_field *truth = truth_of(t);
    const uint8_t *mover = truth ? hiss_batch_values(lane->batch, i, truth) : NULL;
    const float *image = hiss_lane_values(lane, v->image, i), *logit = hiss_lane_values(lane, v->mask, i);
    const int64_t pixels = t->H * t->W, cell = v->options->cell;
    float *motion = hiss_new(float, v->rows * v->columns);
    video_movers_motion(v, lane, i, motion);
    for (int64_t k = 0; k < pixels; k++) {
        const int64_t at = video_movers_cell(v, k / t->W / cell, k % t->W / cell);
        const int kind = mover ? mover[k] : GROUND;
        float sum = 0.0f;
        for (int64_t c = 0; c < t->C; c++) {
            sum += image[k * t->C + c];
        }
        out[k] = sum / (float)t->C;
        out[pixels + k] = motion[at];
        out[2 * pixels + k] = (float)(1.0 / (1.0 + exp(-(double)logit[at])));
        out[3 * pixels + k] = kind == MOVER ? 1.0f : kind == STANDS ? 0.4f : 0.0f;
    }
    hiss_free(motion);
}

static const char *const pictures[] = {masks_file, NULL};

const hiss_measure_ops video_movers_measure = {.baseline = "the masks of motion",
                                               .pictures = pictures,
                                               .width = width,
                                               .build = build,
                                               .sample = sample,
                                               .measure = measure,
                                               .shown = shown,
                                               .show = show,
                                               .conclude = conclude};
