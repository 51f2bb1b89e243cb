/* How probable test images are under a method with a latent: the evidence lower bound, the importance-weighted bound
 * above it, its two terms, and how many dimensions of the latent are used (Burda, Grosse & Salakhutdinov 2016, section
 * 5.1: the variance of the posterior's mean over images is above 0.01). Numbers of single images are features of an
 * image, so that reading, tiles and sums over ranks are those of every other judgement.
 *
 * Beside it stands what independent pixels reach, with the mean and variance of each over at most 10,000 training
 * images. The picture is of latents between those of two test images. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "eval/eval_impl.h"
#include "eval/judgements/judgements.h"
#include "hiss/alloc.h"
#include "hiss/rng.h"

enum { PATHS = 6, STEPS = 10 };
#define USED           0.01 /* variance of the posterior's mean of a dimension that says something of the image */
#define LEAST_VARIANCE 1e-4 /* of a pixel, where it is the same in all training images */

static const hiss_row rows[] = {
    JUDGEMENT_ROW("likelihood", HISS_BOOL, likelihood, "true", 0, 0, NULL,
                  "how probable test images are, for a method that can say it"),
    JUDGEMENT_ROW("latent_draws", HISS_INT, latent_draws, "64", 1, 1 << 16, NULL,
                  "draws of the latent for each image; more make the importance-weighted bound tighter"),
};

/* ---- the baseline ---- */

typedef struct independence {
    const hiss_estimator *estimator;
    const double *mean, *deviation; /* [pixels] */
    float *image;                   /* [batch, pixels] */
} independence;

/* A hiss_embed: out[0] [count, 1], nats. */
static hiss_status embed_independent(void *user, int64_t count, const hiss_batch *batch, float *const *out,
                                     hiss_error *err) {
    independence *x = user;
    const hiss_estimator *e = x->estimator;
    const int64_t pixels = e->H * e->W * e->C;
    const hiss_status s = e->image(e->user, count, batch, (float *const[]){x->image}, err);
    for (int64_t i = 0; s == HISS_OK && i < count; i++) {
        double nats = 0.0;
        for (int64_t k = 0; k < pixels; k++) {
            nats += e->independent(e->user, (double)x->image[i * pixels + k], x->mean[k],
                                   fmax(x->deviation[k] * x->deviation[k], LEAST_VARIANCE));
        }
        out[0][i] = (float)nats;
    }
    return s;
}

/* Mean of -log p over test images, of pixels that are drawn by themselves. Collective. */
static hiss_status baseline(const hiss_eval_env *env, const hiss_subject *subject, double *nats, hiss_error *err) {
    const hiss_estimator *e = subject->estimator;
    const int64_t pixels = e->H * e->W * e->C;
    const hiss_layer_size image = {"image", pixels}, one = {"independent pixels", 1};
    const hiss_sample_range drawn = eval_draw_samples(env->seed, subject->bank, EVAL_BASELINE_IMAGES);
    hiss_features *train = NULL, *test = NULL;
    double *mean = hiss_new(double, pixels), *deviation = hiss_new(double, pixels), spread;
    hiss_status s = hiss_features_extract(env, &drawn, 1, &image, e->batch, e->image, e->user, &train, err);
    if (s == HISS_OK) {
        eval_features_moments(env, train, mean, deviation);
        for (int64_t k = 0; k < pixels; k++) { /* no pixel is certain: as if one image more were grey */
            mean[k] = (mean[k] * (double)drawn.count + 0.5) / (double)(drawn.count + 1);
        }
        independence x = {e, mean, deviation, hiss_new(float, e->batch *pixels)};
        s = hiss_features_extract(env, subject->queries, 1, &one, e->batch, embed_independent, &x, &test, err);
        hiss_free(x.image);
    }
    if (s == HISS_OK) {
        eval_features_moments(env, test, nats, &spread);
    }
    hiss_features_destroy(train);
    hiss_features_destroy(test);
    hiss_free(drawn.index);
    hiss_free(mean);
    hiss_free(deviation);
    return s;
}

/* ---- pictures, on rank 0 ---- */

static hiss_status draw_grid(const hiss_estimator *e, int64_t grid_rows, int64_t columns, const float *latent,
                             const char *path, hiss_error *err) {
    const int64_t pixels = e->H * e->W * e->C, count = grid_rows * columns;
    float *image = hiss_new(float, e->batch *pixels);
    uint8_t *bytes = hiss_alloc((size_t)(count * pixels));
    for (int64_t first = 0; first < count; first += e->batch) {
        const int64_t some = count - first < e->batch ? count - first : e->batch;
        e->decode(e->user, some, latent + first * e->latent, image);
        for (int64_t k = 0; k < some * pixels; k++) {
            bytes[first * pixels + k] = eval_byte_of(image[k]);
        }
    }
    const hiss_status s = hiss_write_grid(path, grid_rows, columns, e->H, e->W, e->C, bytes, err);
    hiss_free(image);
    hiss_free(bytes);
    return s;
}

/* Straight paths from the mean of q(z | x) of one test image to that of another: a row each. */
static hiss_status draw_paths(const hiss_subject *subject, uint64_t seed, int64_t paths, const char *path,
                              hiss_error *err) {
    const hiss_estimator *e = subject->estimator;
    const int64_t K = e->latent, width = HISS_ESTIMATES + 2 * K;
    float *estimate = hiss_new(float, 2 * paths * width), *latent = hiss_new(float, paths *STEPS *K);
    hiss_status s =
        eval_embed_drawn(seed, subject->queries, 2 * paths, 1, &width, e->batch, e->estimate, e->user, &estimate, err);
    for (int64_t i = 0; i < paths * STEPS * K; i++) {
        const float *from = estimate + i / (STEPS * K) * 2 * width + HISS_ESTIMATES + K, *to = from + width;
        const float along = (float)(i / K % STEPS) / (float)(STEPS - 1);
        latent[i] = (1.0f - along) * from[i % K] + along * to[i % K];
    }
    s = s == HISS_OK ? draw_grid(e, paths, STEPS, latent, path, err) : s;
    hiss_free(estimate);
    hiss_free(latent);
    return s;
}

static hiss_status draw(const hiss_eval_env *env, const hiss_subject *subject, hiss_record *record, hiss_error *err) {
    const int64_t pairs = subject->queries->count / 2, paths = pairs < PATHS ? pairs : PATHS;
    hiss_status s = HISS_OK;
    if (paths == 0) {
        return HISS_OK;
    }
    if (hiss_comm_rank(env->comm) == 0) {
        char path[4096];
        snprintf(path, sizeof path, "%s/interpolation.png", subject->directory);
        s = draw_paths(subject, env->seed, paths, path, err);
    }
    s = hiss_comm_agree(env->comm, s, err);
    hiss_record_picture(record, "interpolation.png", "Between images",
                        "From the latent of one test image (left) to that of another (right), on a straight line.");
    return s;
}

/* ---- numbers ---- */

static const char *const group_total = "-log p(x) of test images", *const group_terms = "terms of the bound";

static void record_nats(hiss_record *record, const char *group, const char *name, const char *heading, const char *unit,
                        double value, double spread, double base, int64_t samples) {
    hiss_record_number(record, &(hiss_number){.name = name,
                                              .group = group,
                                              .heading = heading,
                                              .unit = unit,
                                              .form = HISS_FORM_FIXED,
                                              .main = group == group_total && *unit == 'n',
                                              .value = value,
                                              .spread = spread,
                                              .baseline = base,
                                              .samples = samples});
}

static int descending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* How the divergence is shared among the dimensions, and which of them are used. */
static void record_latent(hiss_record *record, int64_t K, const double *divergence, const double *deviation,
                          int64_t samples) {
    enum { SHOWN = 20 };
    char line[SHOWN * 12] = "";
    double *sorted = hiss_new(double, K);
    int64_t used = 0;
    for (int64_t k = 0; k < K; k++) {
        sorted[k] = divergence[k];
        used += deviation[k] * deviation[k] > USED;
    }
    qsort(sorted, (size_t)K, sizeof *sorted, descending);
    for (int64_t k = 0; k < K && k < SHOWN; k++) {
        const size_t at = strlen(line);
        snprintf(line + at, sizeof line - at, "%s%.2f", k ? " " : "", sorted[k]);
    }
    hiss_record_number(record, &(hiss_number){.name = "used",
                                              .group = group_terms,
                                              .heading = "dimensions used",
                                              .unit = "",
                                              .form = HISS_FORM_COUNT,
                                              .value = (double)used,
                                              .spread = (double)NAN,
                                              .baseline = (double)NAN,
                                              .samples = samples});
    hiss_record_remark(record, "divergence of the latent's dimensions, the largest first%s, in nats: %s",
                       K > SHOWN ? " (the first 20)" : "", line);
    hiss_free(sorted);
}

static hiss_status run(const hiss_eval_env *env, const hiss_eval_options *options, const hiss_subject *subject,
                       hiss_record *record, hiss_error *err) {
    (void)options;
    const hiss_estimator *e = subject->estimator;
    const int64_t n = subject->queries->count, K = e->latent, width = HISS_ESTIMATES + 2 * K;
    const hiss_layer_size layer = {"likelihood", width};
    hiss_features *f = NULL;
    double base = (double)NAN, *mean = hiss_new(double, width), *deviation = hiss_new(double, width);
    hiss_status s = hiss_features_extract(env, subject->queries, 1, &layer, e->batch, e->estimate, e->user, &f, err);
    s = s == HISS_OK ? baseline(env, subject, &base, err) : s;
    if (s == HISS_OK) {
        const double bit = (double)(e->H * e->W * e->C) * 0.69314718055994530942;
        const double nan = (double)NAN;
        eval_features_moments(env, f, mean, deviation);
        record_nats(record, group_total, "bound", "bound", "nats", -mean[HISS_ESTIMATE_BOUND],
                    deviation[HISS_ESTIMATE_BOUND], base, n);
        record_nats(record, group_total, "importance", "importance-weighted", "nats", -mean[HISS_ESTIMATE_IMPORTANCE],
                    deviation[HISS_ESTIMATE_IMPORTANCE], base, n);
        record_nats(record, group_total, "bits", "per value", "bits", -mean[HISS_ESTIMATE_IMPORTANCE] / bit, nan,
                    base / bit, n);
        record_nats(record, group_terms, "reconstruction", "-log p(x | z)", "nats", -mean[HISS_ESTIMATE_LIKELIHOOD],
                    deviation[HISS_ESTIMATE_LIKELIHOOD], nan, n);
        record_nats(record, group_terms, "divergence", "divergence", "nats", mean[HISS_ESTIMATE_DIVERGENCE],
                    deviation[HISS_ESTIMATE_DIVERGENCE], nan, n);
        hiss_record_remark(record, "%s; %lld draws of the latent for each image", e->data, (long long)e->draws);
        record_latent(record, K, mean + HISS_ESTIMATES, deviation + HISS_ESTIMATES + K, n);
    }
    s = s == HISS_OK && subject->directory ? draw(env, subject, record, err) : s;
    hiss_features_destroy(f);
    hiss_free(mean);
    hiss_free(deviation);
    return s;
}

const hiss_judgement eval_judgement_likelihood = {
    .name = "likelihood",
    .title = "Likelihood",
    .baseline = "independent pixels",
    .needs = HISS_NEEDS_NETWORK | HISS_NEEDS_ESTIMATOR,
    .rows = rows,
    .nrows = HISS_COUNT(rows),
    .run = run,
};
