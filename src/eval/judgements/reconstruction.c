/* How well a method rebuilds test images: mean squared error and PSNR of each, in pixels of 0..1 of the network's
 * input, the rebuilt ones clipped to that range. Errors of single images are features of an image, so that reading,
 * tiles and sums over ranks are those of every other judgement. A perfect image counts as PSNR_MOST dB. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"

enum { SHOWN = 12, PSNR_MOST = 100 };
enum { MSE, PSNR, FLAT_MSE, FLAT_PSNR, ERRORS }; /* FLAT: of the image's mean colour */

static const hiss_row rows[] = {
    JUDGEMENT_ROW("reconstruction", HISS_BOOL, reconstruction, "true", 0, 0, NULL,
                  "how well a method that can rebuilds test images, and pictures of it"),
};

typedef struct pairs { /* images and what became of them */
    const hiss_rebuilder *rebuilder;
    float *image, *rebuilt; /* [batch, H, W, C] */
} pairs;

static pairs pairs_create(const hiss_rebuilder *r) {
    const int64_t floats = r->batch * r->H * r->W * r->C;
    return (pairs){r, hiss_new(float, floats), hiss_new(float, floats)};
}

static void pairs_destroy(pairs *p) {
    hiss_free(p->image);
    hiss_free(p->rebuilt);
}

static double psnr(double mse) {
    return mse > 0.0 ? fmin(-10.0 * log10(mse), PSNR_MOST) : PSNR_MOST;
}

/* error [ERRORS] of one image */
static void compare(const hiss_rebuilder *r, const float *image, const float *rebuilt, float *error) {
    const int64_t C = r->C, pixels = r->H * r->W;
    double square = 0.0, flat = 0.0;
    for (int64_t c = 0; c < C; c++) {
        double mean = 0.0;
        for (int64_t i = 0; i < pixels; i++) {
            mean += (double)image[i * C + c] / (double)pixels;
        }
        for (int64_t i = 0; i < pixels; i++) {
            const double x = (double)image[i * C + c], miss = x - fmin(fmax((double)rebuilt[i * C + c], 0.0), 1.0);
            square += miss * miss;
            flat += (x - mean) * (x - mean);
        }
    }
    square /= (double)(pixels * C);
    flat /= (double)(pixels * C);
    error[MSE] = (float)square;
    error[PSNR] = (float)psnr(square);
    error[FLAT_MSE] = (float)flat;
    error[FLAT_PSNR] = (float)psnr(flat);
}

/* A hiss_embed: out[0] [count, ERRORS]. */
static hiss_status embed_errors(void *user, int64_t count, const hiss_batch *batch, float *const *out,
                                hiss_error *err) {
    pairs *p = user;
    const int64_t floats = p->rebuilder->H * p->rebuilder->W * p->rebuilder->C;
    const hiss_status s =
        p->rebuilder->rebuild(p->rebuilder->user, count, batch, (float *const[]){p->image, p->rebuilt}, err);
    for (int64_t i = 0; s == HISS_OK && i < count; i++) {
        compare(p->rebuilder, p->image + i * floats, p->rebuilt + i * floats, out[0] + i * ERRORS);
    }
    return s;
}

/* mean[ERRORS], deviation[ERRORS] over all samples. Collective. */
static void summarise(const hiss_eval_env *env, const hiss_features *f, double *mean, double *deviation) {
    for (int pass = 0; pass < 2; pass++) {
        tile_sum *sum = eval_tile_sum_create(env, f, NULL, ERRORS);
        for (int64_t i = 0; i < sum->local; i++) {
            const float *tile = tile_rows(f, sum->tile[i]);
            for (int64_t k = 0; k < tile_count(f, sum->tile[i]) * ERRORS; k++) {
                const double x = (double)tile[k] - (pass ? mean[k % ERRORS] : 0.0);
                eval_tile_sum_vector(sum, i)[k % ERRORS] += pass ? x * x : x;
            }
        }
        eval_tile_sum_run(sum, pass ? deviation : mean);
        eval_tile_sum_destroy(sum);
        for (int e = 0; e < ERRORS; e++) {
            if (pass) {
                deviation[e] = f->n > 1 ? sqrt(deviation[e] / (double)(f->n - 1)) : 0.0;
            } else {
                mean[e] /= (double)f->n;
            }
        }
    }
}

static uint8_t byte_of(float pixel) {
    return (uint8_t)lrint(255.0 * fmin(fmax((double)pixel, 0.0), 1.0));
}

/* Rank 0. */
static hiss_status draw(const hiss_subject *subject, uint64_t seed, pairs *p, int64_t count, hiss_error *err) {
    const hiss_rebuilder *r = p->rebuilder;
    const int64_t floats = r->H * r->W * r->C;
    int64_t index[SHOWN];
    uint8_t *bytes = hiss_alloc((size_t)(2 * count * floats));
    hiss_samples *samples = hiss_samples_create(subject->queries->set, r->batch);
    hiss_status s = HISS_OK;
    char path[4096];
    hiss_draw_shown(seed, subject->queries->count, count, index);
    for (int64_t i = 0; i < count; i++) {
        index[i] = hiss_sample_at(subject->queries, index[i]);
    }
    const hiss_sample_range shown = {.set = subject->queries->set, .count = count, .index = index};
    for (int64_t first = 0; first < count && s == HISS_OK; first += r->batch) {
        const int64_t some = count - first < r->batch ? count - first : r->batch;
        s = hiss_samples_read(samples, &shown, first, r->batch, err);
        const hiss_batch batch = hiss_samples_batch(samples, 0, r->batch);
        s = s == HISS_OK ? r->rebuild(r->user, some, &batch, (float *const[]){p->image, p->rebuilt}, err) : s;
        for (int64_t k = 0; s == HISS_OK && k < some * floats; k++) {
            uint8_t *pair = bytes + 2 * (first + k / floats) * floats;
            pair[k % floats] = byte_of(p->image[k]);
            pair[floats + k % floats] = byte_of(p->rebuilt[k]);
        }
    }
    if (s == HISS_OK) {
        snprintf(path, sizeof path, "%s/reconstruction.png", subject->directory);
        s = hiss_write_pairs(path, count, r->H, r->W, r->C, bytes, err);
    }
    hiss_samples_destroy(samples);
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

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)options;
    const int64_t n = subject->queries->count, count = n < SHOWN ? n : SHOWN;
    const hiss_layer_size layer = {"reconstruction", ERRORS};
    hiss_features *errors = NULL;
    pairs p = pairs_create(subject->rebuilder);
    hiss_status s = hiss_features_extract(env, subject->queries, 1, &layer, subject->rebuilder->batch, embed_errors, &p,
                                          &errors, err);
    if (s == HISS_OK) {
        double mean[ERRORS], deviation[ERRORS];
        summarise(env, errors, mean, deviation);
        record_error(record, "mse", "squared error", "", HISS_FORM_GENERAL, mean[MSE], deviation[MSE], mean[FLAT_MSE],
                     n);
        record_error(record, "psnr", "PSNR", "dB", HISS_FORM_FIXED, mean[PSNR], deviation[PSNR], mean[FLAT_PSNR], n);
        hiss_record_remark(record, "mean and standard deviation over images, of pixels in 0..1 (rebuilt ones clipped)");
    }
    if (s == HISS_OK && subject->directory) {
        s = hiss_comm_rank(env->comm) == 0 ? draw(subject, env->seed, &p, count, err) : HISS_OK;
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
