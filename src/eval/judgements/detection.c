/* Whether a network that has learnt which classes are in an image (classify.targets) says where they are, too, though
 * nobody has told it: every window of a test image (detection.c) is cut out, resampled to the network's input and scored by
 * the network as if it were the image. What scores highest of a class is taken for an object of it, and average precision
 * asks for class and box. There is no class `nothing`: a window is as good as the classifier finds it like an image that has
 * the class.
 *
 * Beside it stand the image itself as the only window, which says how much is had without looking for boxes; the same boxes
 * judged by the objects of another image, which says how much is had by knowing how objects lie and how frequent they are;
 * and the share of boxes that are within reach of the windows, the recall of a perfect classifier of them.
 *
 * Images are spread over ranks. An image's windows are scored in batches of their own, so that the scores are the same bits
 * on any number of ranks; what is found is gathered in the order of images, and judged by every rank. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"

#define FIELD_BOXES "boxes"
enum { MOST_FOUND = 20, READ_AT_ONCE = 50, MOST_BATCH = 64 }; /* found of a class in an image; images; windows */
enum { ROWS = 3, COLUMNS = 4, BEST = 3, LEAST_SIDE = 160, LINE = 2 };

static const hiss_row rows[] = {
    JUDGEMENT_ROW("detection", HISS_BOOL, detection, "false", 0, 0, NULL,
                  "of a run that learnt targets: average precision of class and box, by scores of windows; takes time"),
    JUDGEMENT_ROW("detection_limit", HISS_INT, detection_limit, "500", 1, 0x1p31, NULL,
                  "detection true: look for boxes in so many test images, drawn by seed"),
};

typedef struct search {
    const hiss_eval_env *env;
    const hiss_window_scorer *scorer;
    hiss_sample_range range; /* the test images */
    const hiss_field *field; /* boxes */
    int64_t n, K, boxes;     /* images, classes, room for boxes of an image */
    hiss_box window[HISS_WINDOWS];
    hiss_found *found, *whole; /* [n, K, MOST_FOUND]; [n, K]: the image as the only window */
    float *box;                /* [n, boxes, HISS_BOX_VALUES] */
    float *score;              /* [HISS_WINDOWS + batch, K] of one image; room */
} search;

/* ---- what the data say ---- */

static hiss_status expect_field(const search *s, hiss_error *err) {
    const hiss_field *f = s->field;
    char text[HISS_FIELD_TEXT];
    return f->dtype == HISS_F32 && f->ndim == 2 && f->dim[1] == HISS_BOX_VALUES
               ? HISS_OK
               : hiss_fail_key(err, HISS_EUSER, "data.fields." FIELD_BOXES,
                               "boxes are float32 [n, objects, %d]: class, x0, y0, x1, y1 of each, class -1 for none; "
                               "found %s of each sample; name another data set, or set eval.detection: false",
                               HISS_BOX_VALUES, hiss_field_text(f, text));
}

static bool is_sound(const search *s, const float *b) {
    const hiss_field *image = hiss_dataset_field(s->range.set, HISS_FIELD_IMAGE);
    return b[0] == -1.0f ||
           (b[0] >= 0.0f && b[0] < (float)s->K && b[0] == floorf(b[0]) && b[1] >= 0.0f && b[1] < b[3] &&
            b[3] <= (float)image->dim[1] && b[2] >= 0.0f && b[2] < b[4] && b[4] <= (float)image->dim[0]);
}

/* The boxes of image i. */
static hiss_status take_boxes(search *s, int64_t i, const float *values, hiss_error *err) {
    float *to = s->box + i * s->boxes * HISS_BOX_VALUES;
    memcpy(to, values, sizeof *to * (size_t)(s->boxes * HISS_BOX_VALUES));
    for (int64_t b = 0; b < s->boxes; b++) {
        const float *at = to + b * HISS_BOX_VALUES;
        if (!is_sound(s, at)) {
            int64_t H, W, C;
            hiss_dataset_shape(s->range.set, &H, &W, &C);
            return hiss_fail_key(err, HISS_EUSER, "data.fields." FIELD_BOXES,
                                 "%s: object %" PRId64 " of sample %" PRId64
                                 " in data set %s is %g %g %g %g %g; expected "
                                 "class, x0, y0, x1, y1 with class -1 or 0..%" PRId64 ", 0 <= x0 < x1 <= %" PRId64
                                 " and 0 <= y0 < y1 <= %" PRId64 "; correct the file",
                                 hiss_dataset_file(s->range.set), b, hiss_sample_at(&s->range, i),
                                 hiss_field_source(s->range.set, s->field), (double)at[0], (double)at[1], (double)at[2],
                                 (double)at[3], (double)at[4], s->K - 1, W, H);
        }
    }
    return HISS_OK;
}

/* ---- looking ---- */

/* Score all windows of the first image of a batch. */
static void score_windows(search *s, const hiss_batch *image) {
    const int64_t m = s->scorer->batch;
    const uint8_t *row[MOST_BATCH];
    int64_t sample[MOST_BATCH];
    hiss_box box[MOST_BATCH];
    const hiss_batch batch = {.m = m, .sample = sample, .row = row};
    assert(m <= MOST_BATCH);
    for (int64_t k = 0; k < m; k++) {
        row[k] = image->row[0];
        sample[k] = image->sample[0];
    }
    for (int64_t first = 0; first < HISS_WINDOWS; first += m) {
        for (int64_t k = 0; k < m; k++) {
            box[k] = s->window[first + k < HISS_WINDOWS ? first + k : 0];
        }
        s->scorer->score(s->scorer->user, &batch, box, s->score + first * s->K);
    }
}

/* What is found in image i, by its scores. */
static hiss_status find(search *s, int64_t i, hiss_error *err) {
    for (int64_t k = 0; k < HISS_WINDOWS * s->K; k++) {
        if (!isfinite(s->score[k])) {
            return hiss_fail(
                err, HISS_EUSER,
                "the score of class %" PRId64 " is %g in a window of sample %" PRId64
                "; the network has diverged: take an earlier checkpoint, or train with a lower learning rate",
                k % s->K, (double)s->score[k], hiss_sample_at(&s->range, i));
        }
    }
    for (int64_t k = 0; k < s->K; k++) {
        s->whole[i * s->K + k] = (hiss_found){s->score[k], 0};
        hiss_suppress(s->window, s->score + k, s->K, MOST_FOUND, s->found + (i * s->K + k) * MOST_FOUND);
    }
    return HISS_OK;
}

/* Put what each rank has of its images, bytes of each image, where all have it. Collective. */
static void share(const search *s, const int64_t *images, void *all, int64_t bytes) {
    hiss_comm *comm = s->env->comm;
    const int size = hiss_comm_size(comm), rank = hiss_comm_rank(comm);
    int64_t *offsets = hiss_new(int64_t, size + 1);
    char *mine = hiss_alloc((size_t)((images[rank + 1] - images[rank]) * bytes + 1));
    for (int r = 0; r <= size; r++) {
        offsets[r] = images[r] * bytes;
    }
    memcpy(mine, (char *)all + offsets[rank], (size_t)(offsets[rank + 1] - offsets[rank]));
    hiss_comm_gather(comm, mine, offsets, all, 0);
    hiss_comm_broadcast(comm, all, s->n * bytes, 0);
    hiss_free(mine);
    hiss_free(offsets);
}

/* Look at all images. Collective. */
static hiss_status look(search *s, hiss_error *err) {
    hiss_comm *comm = s->env->comm;
    const int size = hiss_comm_size(comm), rank = hiss_comm_rank(comm);
    int64_t *images = hiss_new(int64_t, size + 1), i = 0;
    hiss_samples *samples = hiss_samples_create(s->range.set, READ_AT_ONCE);
    hiss_status status = HISS_OK;
    hiss_partition(s->n, size, images);
    for (i = images[rank]; i < images[rank + 1] && status == HISS_OK; i++) {
        const int64_t at = (i - images[rank]) % READ_AT_ONCE, left = images[rank + 1] - i;
        if (at == 0) {
            status = hiss_samples_read(samples, &s->range, i, left < READ_AT_ONCE ? left : READ_AT_ONCE, err);
        }
        const hiss_batch image = hiss_samples_batch(samples, at, 1);
        status = status ? status : take_boxes(s, i, hiss_batch_values(&image, 0, s->field), err);
        if (status == HISS_OK) {
            score_windows(s, &image);
            status = find(s, i, err);
        }
    }
    hiss_samples_destroy(samples);
    status = hiss_comm_agree_at(comm, status, i, err);
    if (status == HISS_OK) {
        share(s, images, s->found, s->K * MOST_FOUND * (int64_t)sizeof *s->found);
        share(s, images, s->whole, s->K * (int64_t)sizeof *s->whole);
        share(s, images, s->box, s->boxes * HISS_BOX_VALUES * (int64_t)sizeof *s->box);
    }
    hiss_free(images);
    return status;
}

/* ---- the picture ---- */

static const uint8_t white[] = {255, 255, 255}, green[] = {26, 200, 80}, red[] = {235, 48, 39};

static void draw_frame(uint8_t *pixels, int64_t H, int64_t W, int64_t factor, const hiss_box *box,
                       const uint8_t *colour) {
    const int64_t x0 = lrintf(box->x0 * (float)factor), x1 = lrintf(box->x1 * (float)factor);
    const int64_t y0 = lrintf(box->y0 * (float)factor), y1 = lrintf(box->y1 * (float)factor);
    for (int64_t y = y0; y < y1 && y < H; y++) {
        for (int64_t x = x0; x < x1 && x < W; x++) {
            if (y < y0 + LINE || y >= y1 - LINE || x < x0 + LINE || x >= x1 - LINE) {
                memcpy(pixels + (y * W + x) * 3, colour, 3);
            }
        }
    }
}

/* The highest scores of an image, of all classes: places in found and right, -1 where there are no more. */
static void choose_best(const search *s, int64_t i, int64_t best[BEST]) {
    const int64_t first = i * s->K * MOST_FOUND;
    for (int k = 0; k < BEST; k++) {
        best[k] = -1;
        for (int64_t at = first; at < first + s->K * MOST_FOUND; at++) {
            bool open = s->found[at].window >= 0;
            for (int other = 0; other < k; other++) {
                open = open && best[other] != at;
            }
            best[k] = open && (best[k] < 0 || s->found[at].score > s->found[best[k]].score) ? at : best[k];
        }
    }
}

/* Image i with its frames: pixels [factor H, factor W, 3]; values [H, W, C]: the image from 0 to 1. */
static void draw_image(const search *s, int64_t i, const bool *right, int64_t factor, const float *values,
                       uint8_t *pixels) {
    int64_t H, W, C, best[BEST];
    hiss_dataset_shape(s->range.set, &H, &W, &C);
    for (int64_t k = 0; k < H * factor * W * factor; k++) {
        const float *from = values + (k / (W * factor) / factor * W + k % (W * factor) / factor) * C;
        for (int c = 0; c < 3; c++) {
            pixels[k * 3 + c] = eval_byte_of(from[C >= 3 ? c : 0]);
        }
    }
    choose_best(s, i, best);
    for (int k = BEST - 1; k >= 0; k--) {
        if (best[k] >= 0) {
            draw_frame(pixels, H * factor, W * factor, factor, &s->window[s->found[best[k]].window],
                       right[best[k]] ? green : red);
        }
    }
    for (int64_t b = 0; b < s->boxes; b++) {
        const float *at = s->box + (i * s->boxes + b) * HISS_BOX_VALUES;
        if (at[0] >= 0.0f) {
            draw_frame(pixels, H * factor, W * factor, factor, &(hiss_box){at[1], at[2], at[3], at[4]}, white);
        }
    }
}

/* Rank 0. */
static hiss_status draw(const search *s, const bool *right, const char *path, hiss_error *err) {
    const hiss_field *image = hiss_dataset_field(s->range.set, HISS_FIELD_IMAGE);
    const int64_t H = image->dim[0], W = image->dim[1], longer = H > W ? H : W;
    const int64_t factor = (LEAST_SIDE + longer - 1) / longer, size = H * W * factor * factor * 3;
    const int64_t columns = s->n < COLUMNS ? s->n : COLUMNS, lines = (s->n + columns - 1) / columns;
    const int64_t shown = columns * (lines < ROWS ? lines : ROWS);
    uint8_t *pixels = hiss_alloc((size_t)(shown * size)), *row = hiss_alloc((size_t)hiss_dataset_row(s->range.set));
    float *values = hiss_new(float, hiss_field_count(image));
    hiss_status status = HISS_OK;
    memset(pixels, 255, (size_t)(shown * size));
    for (int64_t i = 0; i < s->n && i < shown && status == HISS_OK; i++) {
        status = hiss_sample_read(&s->range, i, 1, row, NULL, err);
        hiss_field_floats(image, row + image->offset, image->low, values);
        for (int64_t k = 0; k < hiss_field_count(image); k++) {
            values[k] /= (float)(image->high - image->low);
        }
        draw_image(s, i, right, factor, values, pixels + i * size);
    }
    status = status ? status : hiss_write_grid(path, shown / columns, columns, H * factor, W * factor, 3, pixels, err);
    hiss_free(pixels);
    hiss_free(row);
    hiss_free(values);
    return status;
}

/* ---- what is said ---- */

static void record_control(const search *s, hiss_record *record, const char *name, const char *heading, double value) {
    hiss_record_number(record, &(hiss_number){.name = name,
                                              .group = "beside it",
                                              .heading = heading,
                                              .unit = "%",
                                              .value = value,
                                              .spread = (double)NAN,
                                              .baseline = (double)NAN,
                                              .samples = s->n});
}

/* By the boxes of the next image. */
static hiss_precisions judge_by_others(const search *s) {
    const int64_t each = s->boxes * HISS_BOX_VALUES;
    float *other = hiss_new(float, s->n *each);
    memcpy(other, s->box + each, sizeof *other * (size_t)((s->n - 1) * each));
    memcpy(other + (s->n - 1) * each, s->box, sizeof *other * (size_t)each);
    const hiss_precisions p = hiss_box_precisions(s->n, s->K, MOST_FOUND, s->found, s->window, s->boxes, other, NULL);
    hiss_free(other);
    return p;
}

/* right  out  [n, K, MOST_FOUND] */
static void record_all(const search *s, hiss_record *record, bool *right) {
    hiss_precisions p = hiss_box_precisions(s->n, s->K, MOST_FOUND, s->found, s->window, s->boxes, s->box, right);
    hiss_precisions whole = hiss_box_precisions(s->n, s->K, 1, s->whole, s->window, s->boxes, s->box, NULL);
    hiss_precisions others = judge_by_others(s);
    int64_t objects = 0;
    for (int64_t b = 0; b < s->n * s->boxes; b++) {
        objects += s->box[b * HISS_BOX_VALUES] >= 0.0f;
    }
    if (p.judged == 0) {
        hiss_record_leave_out(record, "none of the test images has a box");
    } else {
        eval_record_precisions(record, &p, "class and box, mean average precision", s->n);
        record_control(s, record, "whole", "the image as the only window", 100.0 * whole.mean.area);
        record_control(s, record, "shuffled", "by the boxes of another image", 100.0 * others.mean.area);
        record_control(s, record, "reachable", "boxes that a window reaches",
                       hiss_box_reachable(s->window, s->n, s->boxes, s->box));
        hiss_record_remark(record,
                           "%" PRId64
                           " boxes; %d windows of each image, resampled to the network's input; found: at most "
                           "%d of a class, none overlapping a higher score by more than %g; right: by %g or more (IoU)",
                           objects, HISS_WINDOWS, MOST_FOUND, HISS_SUPPRESSED, HISS_MATCHED);
    }
    hiss_precisions_destroy(&p);
    hiss_precisions_destroy(&whole);
    hiss_precisions_destroy(&others);
}

static hiss_status record_picture(const search *s, const char *directory, const bool *right, hiss_record *record,
                                  hiss_error *err) {
    hiss_status status = HISS_OK;
    if (hiss_comm_rank(s->env->comm) == 0) {
        char path[4096];
        snprintf(path, sizeof path, "%s/detections.png", directory);
        status = draw(s, right, path, err);
    }
    hiss_record_picture(record, "detections.png", "Boxes found",
                        "Test images, drawn by seed. White: the objects. Green and red: the three boxes found of the "
                        "highest scores, right and wrong in class and place.");
    return hiss_comm_agree(s->env->comm, status, err);
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    const hiss_dataset *set = subject->queries->set;
    search s = {.env = env, .scorer = subject->scorer, .field = hiss_dataset_field(set, FIELD_BOXES)};
    int64_t H, W, C;
    if (!s.field) {
        hiss_record_leave_out(record, "the samples have no field boxes; name their data set, as in --set "
                                      "'data.fields={targets: /targets, boxes: /boxes}'");
        return HISS_OK;
    }
    hiss_status status = expect_field(&s, err);
    if (status != HISS_OK) {
        return status;
    }
    hiss_dataset_shape(set, &H, &W, &C);
    hiss_windows(H, W, s.window);
    s.range = eval_draw_samples(env->seed, subject->queries, options->detection_limit);
    s.n = s.range.count;
    s.K = s.scorer->classes;
    s.boxes = s.field->dim[0];
    s.found = hiss_new(hiss_found, s.n * s.K * MOST_FOUND);
    s.whole = hiss_new(hiss_found, s.n * s.K);
    s.box = hiss_new(float, s.n *s.boxes *HISS_BOX_VALUES);
    s.score = hiss_new(float, (HISS_WINDOWS + s.scorer->batch) * s.K);
    bool *right = hiss_new(bool, s.n *s.K *MOST_FOUND);
    status = look(&s, err);
    if (status == HISS_OK) {
        record_all(&s, record, right);
        status = subject->directory ? record_picture(&s, subject->directory, right, record, err) : HISS_OK;
    }
    void *const all[] = {s.range.index, s.found, s.whole, s.box, s.score, right};
    for (int i = 0; i < HISS_COUNT(all); i++) {
        hiss_free(all[i]);
    }
    return status;
}

const hiss_judgement eval_judgement_detection = {
    .name = "detection",
    .title = "Boxes found by scores of windows",
    .needs = HISS_NEEDS_NETWORK | HISS_NEEDS_SCORER,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
