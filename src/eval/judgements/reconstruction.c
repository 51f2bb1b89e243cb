/* How well a method rebuilds test images: mean squared error and PSNR of each, in pixels of 0..1 of the network's
 * input, the rebuilt ones clipped to that range. Errors of single images are features of an image, so that reading,
 * tiles and sums over ranks are those of every other judgement. A perfect image counts as EVAL_PSNR_MOST dB.
 *
 * Beside it stands what principal components reach, as many as the method's code has numbers, fitted on at most 10,000
 * training images and clipped alike: the best that a linear encoder and decoder do. They are left out where their
 * covariance is too large to decompose in passing. */
#include <math.h>
#include <stddef.h>

#include "eval/eval_impl.h"
#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"

enum { SHOWN = 12, MOST_PIXELS = 3072, MOST_COMPONENTS = 512 };
enum { MSE, PSNR, FLAT_MSE, FLAT_PSNR, PCA_MSE, PCA_PSNR, ERRORS }; /* FLAT: of the image's mean colour */

static const hiss_row rows[] = {
    JUDGEMENT_ROW("reconstruction", HISS_BOOL, reconstruction, "true", 0, 0, NULL,
                  "how well a method that can rebuilds test images, and pictures of it"),
};

typedef struct pairs { /* images and what became of them */
    const hiss_rebuilder *rebuilder;
    float *image, *rebuilt; /* [batch, H, W, C] */
    pca *components;        /* NULL: left out */
} pairs;

static int64_t size_of(const hiss_rebuilder *r) {
    return r->H * r->W * r->C;
}

static pairs pairs_create(const hiss_rebuilder *r) {
    const int64_t floats = r->batch * size_of(r);
    return (pairs){r, hiss_new(float, floats), hiss_new(float, floats), NULL};
}

static void pairs_destroy(pairs *p) {
    hiss_free(p->image);
    hiss_free(p->rebuilt);
    eval_pca_destroy(p->components);
}

/* error[0] and error[1]: squared error and PSNR of its mean colour. */
static void compare_flat(const hiss_rebuilder *r, const float *image, float *error) {
    const int64_t C = r->C, pixels = r->H * r->W;
    double square = 0.0;
    for (int64_t c = 0; c < C; c++) {
        double mean = 0.0;
        for (int64_t i = 0; i < pixels; i++) {
            mean += (double)image[i * C + c] / (double)pixels;
        }
        for (int64_t i = 0; i < pixels; i++) {
            const double miss = (double)image[i * C + c] - mean;
            square += miss * miss;
        }
    }
    square /= (double)(pixels * C);
    error[0] = (float)square;
    error[1] = (float)eval_psnr(square);
}

/* A hiss_embed: out[0] [count, ERRORS]. */
static hiss_status embed_errors(void *user, int64_t count, const hiss_batch *batch, float *const *out,
                                hiss_error *err) {
    pairs *p = user;
    const hiss_rebuilder *r = p->rebuilder;
    const int64_t size = size_of(r);
    const hiss_status s = r->rebuild(r->user, count, batch, (float *const[]){p->image, p->rebuilt}, err);
    for (int64_t i = 0; s == HISS_OK && i < count; i++) {
        eval_compare_images(size, p->image + i * size, p->rebuilt + i * size, out[0] + i * ERRORS + MSE);
        compare_flat(r, p->image + i * size, out[0] + i * ERRORS + FLAT_MSE);
    }
    if (s == HISS_OK && p->components) {
        eval_pca_rebuild(p->components, count, p->image, p->rebuilt);
        for (int64_t i = 0; i < count; i++) {
            eval_compare_images(size, p->image + i * size, p->rebuilt + i * size, out[0] + i * ERRORS + PCA_MSE);
        }
    }
    return s;
}

/* A hiss_embed: out[0] [count, H, W, C], the image alone. */
static hiss_status embed_image(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    const pairs *p = user;
    return p->rebuilder->rebuild(p->rebuilder->user, count, batch, (float *const[]){out[0], p->rebuilt}, err);
}

/* Principal components of training images, if they can be had; a remark says of how many, or why not. Collective. */
static hiss_status fit(const hiss_eval_env *env, const hiss_subject *subject, pairs *p, hiss_record *record,
                       hiss_error *err) {
    const hiss_rebuilder *r = p->rebuilder;
    const int64_t size = size_of(r), most = r->code < size ? r->code : size;
    const int64_t n = subject->bank ? subject->bank->count : 0, components = most < n ? most : n - 1;
    if (components < 1) {
        hiss_record_remark(record, "left out: PCA: it needs two training images, found %lld", (long long)n);
        return HISS_OK;
    }
    if (size > MOST_PIXELS || components > MOST_COMPONENTS) {
        hiss_record_remark(record,
                           "left out: PCA: it is computed for images of at most %d values and codes of at most %d; "
                           "these have %lld and %lld",
                           MOST_PIXELS, MOST_COMPONENTS, (long long)size, (long long)r->code);
        return HISS_OK;
    }
    const hiss_layer_size image = {"image", size};
    const hiss_sample_range drawn = eval_draw_samples(env->seed, subject->bank, EVAL_BASELINE_IMAGES);
    hiss_features *train = NULL;
    const hiss_status s = hiss_features_extract(env, &drawn, 1, &image, r->batch, embed_image, p, &train, err);
    if (s == HISS_OK) {
        p->components = eval_pca_fit(env, train, components, r->batch);
        hiss_record_remark(record, "PCA: %lld components, the method's code has %lld; fitted on %lld training images",
                           (long long)components, (long long)r->code, (long long)drawn.count);
    }
    hiss_features_destroy(train);
    hiss_free(drawn.index);
    return s;
}

/* Rank 0. */
static hiss_status draw(const hiss_subject *subject, uint64_t seed, int64_t count, hiss_error *err) {
    const hiss_rebuilder *r = subject->rebuilder;
    const int64_t size = size_of(r), D[] = {size, size};
    float *image = hiss_new(float, count *size), *rebuilt = hiss_new(float, count *size);
    uint8_t *bytes = hiss_alloc((size_t)(2 * count * size));
    hiss_status s = eval_embed_drawn(seed, subject->queries, count, 2, D, r->batch, r->rebuild, r->user,
                                     (float *const[]){image, rebuilt}, err);
    for (int64_t k = 0; k < count * size; k++) {
        uint8_t *pair = bytes + 2 * (k / size) * size;
        pair[k % size] = eval_byte_of(image[k]);
        pair[size + k % size] = eval_byte_of(rebuilt[k]);
    }
    if (s == HISS_OK) {
        char path[4096];
        snprintf(path, sizeof path, "%s/reconstruction.png", subject->directory);
        s = hiss_write_pairs(path, count, r->H, r->W, r->C, bytes, err);
    }
    hiss_free(image);
    hiss_free(rebuilt);
    hiss_free(bytes);
    return s;
}

static void record_error(hiss_record *record, const char *name, const char *heading, const char *unit, hiss_form form,
                         double value, double spread, double baseline, int64_t samples) {
    hiss_record_number(record, &(hiss_number){.name = name,
                                              .group = "test images rebuilt",
                                              .heading = heading,
                                              .unit = unit,
                                              .form = form,
                                              .value = value,
                                              .spread = spread,
                                              .baseline = baseline,
                                              .samples = samples});
}

static void record_errors(hiss_record *record, const pairs *p, const double *mean, const double *deviation, int64_t n) {
    record_error(record, "mse", "squared error", "", HISS_FORM_GENERAL, mean[MSE], deviation[MSE], mean[FLAT_MSE], n);
    record_error(record, "psnr", "PSNR", "dB", HISS_FORM_FIXED, mean[PSNR], deviation[PSNR], mean[FLAT_PSNR], n);
    if (p->components) {
        const double nan = (double)NAN;
        record_error(record, "pca_mse", "PCA's error", "", HISS_FORM_GENERAL, mean[PCA_MSE], deviation[PCA_MSE], nan,
                     n);
        record_error(record, "pca_psnr", "PCA's PSNR", "dB", HISS_FORM_FIXED, mean[PCA_PSNR], deviation[PCA_PSNR], nan,
                     n);
    }
    hiss_record_remark(record, "mean and standard deviation over images, of pixels in 0..1 (rebuilt ones clipped)");
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)options;
    const int64_t n = subject->queries->count, count = n < SHOWN ? n : SHOWN;
    const hiss_layer_size layer = {"reconstruction", ERRORS};
    hiss_features *errors = NULL;
    pairs p = pairs_create(subject->rebuilder);
    hiss_status s = fit(env, subject, &p, record, err);
    s = s == HISS_OK ? hiss_features_extract(env, subject->queries, 1, &layer, subject->rebuilder->batch, embed_errors,
                                             &p, &errors, err)
                     : s;
    if (s == HISS_OK) {
        double mean[ERRORS], deviation[ERRORS];
        eval_features_moments(env, errors, mean, deviation);
        record_errors(record, &p, mean, deviation, n);
    }
    if (s == HISS_OK && subject->directory) {
        s = hiss_comm_rank(env->comm) == 0 ? draw(subject, env->seed, count, err) : HISS_OK;
        s = hiss_comm_agree(env->comm, s, err);
        hiss_record_picture(record, "reconstruction.png", "Reconstruction",
                            "Test images, drawn by seed, each above what the method rebuilds from its code.");
    }
    hiss_features_destroy(errors);
    pairs_destroy(&p);
    return s;
}

const hiss_judgement eval_judgement_reconstruction = {
    .name = "reconstruction",
    .title = "Reconstruction",
    .baseline = "each image's mean colour",
    .needs = HISS_NEEDS_NETWORK | HISS_NEEDS_REBUILDER,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
