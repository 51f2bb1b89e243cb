/* How well a method cleans corrupted test images: squared error and PSNR from the clean image, of the corrupted one, of
 * what the method makes of it, and of what the best linear filter does (wiener.c), which is fitted on at most 10,000
 * training images. All are cut to 0..1 before they are compared. Each test image is corrupted once, by draws of its own.
 * Errors of single images are features of an image, as in reconstruction.c. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"

enum { SHOWN = 12, MOST_PIXELS = 3072 };
enum { CLEAN, CORRUPTED, CLEANED, FILTERED, KINDS };
enum { MSE, PSNR, FILTERED_MSE, FILTERED_PSNR, CORRUPTED_MSE, CORRUPTED_PSNR, ERRORS };

static const hiss_row rows[] = {
    JUDGEMENT_ROW(
        "denoising", HISS_BOOL, denoising, "true", 0, 0, NULL,
        "how well a method that can cleans corrupted test images, the best linear filter, and pictures of it"),
};

typedef struct cleaning {
    const hiss_rebuilder *rebuilder;
    float *image[KINDS]; /* [batch, H, W, C] */
    float *spare;        /* the same */
    wiener *filter;      /* NULL: left out */
} cleaning;

static int64_t size_of(const hiss_rebuilder *r) {
    return r->H * r->W * r->C;
}

static cleaning cleaning_create(const hiss_rebuilder *r) {
    cleaning c = {.rebuilder = r, .spare = hiss_new(float, r->batch *size_of(r))};
    for (int kind = 0; kind < KINDS; kind++) {
        c.image[kind] = hiss_new(float, r->batch *size_of(r));
    }
    return c;
}

static void cleaning_destroy(cleaning *c) {
    for (int kind = 0; kind < KINDS; kind++) {
        hiss_free(c->image[kind]);
    }
    hiss_free(c->spare);
    eval_wiener_destroy(c->filter);
}

/* A hiss_embed: out[kind] [count, H, W, C]; FILTERED as it is where there is no filter. */
static hiss_status embed_kinds(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    const cleaning *c = user;
    const hiss_rebuilder *r = c->rebuilder;
    hiss_status s = r->rebuild(r->user, count, batch, (float *const[]){out[CLEAN], c->spare}, err);
    s = s == HISS_OK ? r->clean(r->user, count, batch, out + CORRUPTED, err) : s;
    if (s == HISS_OK && c->filter) {
        memcpy(c->spare, out[CORRUPTED], sizeof(float) * (size_t)(count * size_of(r)));
        eval_wiener_clean(c->filter, count, c->spare, out[FILTERED]);
    }
    return s;
}

/* A hiss_embed: out[0] [count, ERRORS]. */
static hiss_status embed_errors(void *user, int64_t count, const hiss_batch *batch, float *const *out,
                                hiss_error *err) {
    cleaning *c = user;
    const int64_t size = size_of(c->rebuilder);
    const hiss_status s = embed_kinds(c, count, batch, c->image, err);
    for (int64_t i = 0; s == HISS_OK && i < count; i++) {
        const float *clean = c->image[CLEAN] + i * size;
        float *error = out[0] + i * ERRORS;
        eval_compare_images(size, clean, c->image[CLEANED] + i * size, error + MSE);
        eval_compare_images(size, clean, c->image[FILTERED] + i * size, error + FILTERED_MSE);
        eval_compare_images(size, clean, c->image[CORRUPTED] + i * size, error + CORRUPTED_MSE);
    }
    return s;
}

/* A hiss_embed: out[0] [count, H, W, C], the clean image alone. */
static hiss_status embed_image(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    const cleaning *c = user;
    return c->rebuilder->rebuild(c->rebuilder->user, count, batch, (float *const[]){out[0], c->spare}, err);
}

/* The filter, if it can be had; a remark says on how many images it is fitted, or why not. Collective. */
static hiss_status fit(const hiss_eval_env *env, const hiss_subject *subject, cleaning *c, hiss_record *record,
                       hiss_error *err) {
    const hiss_rebuilder *r = c->rebuilder;
    const hiss_layer_size image = {"image", size_of(r)};
    if (image.D > MOST_PIXELS || !subject->bank || subject->bank->count < 2) {
        hiss_record_remark(record,
                           "left out: the linear filter: it is computed for images of at most %d values, these have "
                           "%lld, on two training images or more, found %lld",
                           MOST_PIXELS, (long long)image.D, (long long)(subject->bank ? subject->bank->count : 0));
        return HISS_OK;
    }
    const hiss_sample_range drawn = eval_draw_samples(env->seed, subject->bank, EVAL_BASELINE_IMAGES);
    hiss_features *train = NULL;
    const hiss_status s = hiss_features_extract(env, &drawn, 1, &image, r->batch, embed_image, c, &train, err);
    if (s == HISS_OK) {
        c->filter = eval_wiener_fit(env, train, &r->corruption);
        hiss_record_remark(record,
                           "linear filter: the affine map of least squared error from corrupted to clean images, by "
                           "mean and covariance of %lld training images",
                           (long long)drawn.count);
    }
    hiss_features_destroy(train);
    hiss_free(drawn.index);
    return s;
}

/* Rank 0: a row of images of each kind. */
static hiss_status draw(const hiss_subject *subject, uint64_t seed, int64_t count, cleaning *c, hiss_error *err) {
    const hiss_rebuilder *r = subject->rebuilder;
    const int64_t size = size_of(r), kinds = c->filter ? KINDS : FILTERED, D[KINDS] = {size, size, size, size};
    float *pixel = hiss_new(float, KINDS *count *size), *out[KINDS];
    uint8_t *bytes = hiss_alloc((size_t)(kinds * count * size));
    for (int kind = 0; kind < KINDS; kind++) {
        out[kind] = pixel + kind * count * size;
    }
    hiss_status s = eval_embed_drawn(seed, subject->queries, count, KINDS, D, r->batch, embed_kinds, c, out, err);
    for (int64_t k = 0; k < kinds * count * size; k++) {
        bytes[k] = eval_byte_of(pixel[k]);
    }
    if (s == HISS_OK) {
        char path[4096];
        snprintf(path, sizeof path, "%s/denoising.png", subject->directory);
        s = hiss_write_grid(path, kinds, count, r->H, r->W, r->C, bytes, err);
    }
    hiss_free(pixel);
    hiss_free(bytes);
    return s;
}

static void record_pair(hiss_record *record, const char *name, const char *heading, const double *mean,
                        const double *deviation, const double *baseline, int64_t samples) {
    char mse[32], psnr[32], error[64], quality[64];
    snprintf(mse, sizeof mse, "%smse", name);
    snprintf(psnr, sizeof psnr, "%spsnr", name);
    snprintf(error, sizeof error, "%ssquared error", heading);
    snprintf(quality, sizeof quality, "%sPSNR", heading);
    const double nan = (double)NAN;
    hiss_number n = {.name = mse,
                     .group = "corrupted test images cleaned",
                     .heading = error,
                     .unit = "",
                     .form = HISS_FORM_GENERAL,
                     .value = mean[0],
                     .spread = deviation[0],
                     .baseline = baseline ? baseline[0] : nan,
                     .samples = samples};
    hiss_record_number(record, &n);
    n.name = psnr;
    n.heading = quality;
    n.unit = "dB";
    n.form = HISS_FORM_FIXED;
    n.value = mean[1];
    n.spread = deviation[1];
    n.baseline = baseline ? baseline[1] : nan;
    hiss_record_number(record, &n);
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)options;
    const hiss_corruption_moments *m = &subject->rebuilder->corruption;
    const int64_t n = subject->queries->count, count = n < SHOWN ? n : SHOWN;
    const hiss_layer_size layer = {"denoising", ERRORS};
    if (m->keep == 1.0 && m->keep2 == 1.0 && m->add2 == 0.0) {
        hiss_record_leave_out(record, "the method's corruption changes nothing: its level is 0");
        return HISS_OK;
    }
    hiss_features *errors = NULL;
    cleaning c = cleaning_create(subject->rebuilder);
    hiss_status s = fit(env, subject, &c, record, err);
    s = s == HISS_OK ? hiss_features_extract(env, subject->queries, 1, &layer, subject->rebuilder->batch, embed_errors,
                                             &c, &errors, err)
                     : s;
    if (s == HISS_OK) {
        double mean[ERRORS], deviation[ERRORS];
        eval_features_moments(env, errors, mean, deviation);
        record_pair(record, "", "", mean + MSE, deviation + MSE, mean + CORRUPTED_MSE, n);
        if (c.filter) {
            record_pair(record, "linear_", "linear filter's ", mean + FILTERED_MSE, deviation + FILTERED_MSE, NULL, n);
        }
        hiss_record_remark(record,
                           "mean and standard deviation over images, each corrupted once; pixels in 0..1, cut to "
                           "that range");
    }
    if (s == HISS_OK && subject->directory) {
        s = hiss_comm_rank(env->comm) == 0 ? draw(subject, env->seed, count, &c, err) : HISS_OK;
        s = hiss_comm_agree(env->comm, s, err);
        hiss_record_picture(record, "denoising.png", "Denoising",
                            c.filter
                                ? "Test images, drawn by seed: clean, corrupted, cleaned by the method, cleaned by "
                                  "the best linear filter."
                                : "Test images, drawn by seed: clean, corrupted, cleaned by the method.");
    }
    hiss_features_destroy(errors);
    cleaning_destroy(&c);
    return s;
}

const hiss_judgement eval_judgement_denoising = {
    .name = "denoising",
    .title = "Denoising",
    .baseline = "the corrupted images as they are",
    .needs = HISS_NEEDS_NETWORK | HISS_NEEDS_REBUILDER | HISS_NEEDS_CORRUPTION,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
