/* Features of an HDF5 file: pixels and a made-up network, cut into pieces of any size; errors common to all ranks; what
 * is held out; a whole evaluation, written as JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "features.h"
#include "hiss/file.h"
#include "hiss/judge.h"
#include "hiss/log.h"
#include "mpi_test.h"

enum { N = 1310, SIDE = 4, PIXELS = SIDE * SIDE };

static uint8_t pixel(int64_t sample, int64_t i) {
    return (uint8_t)(hash2((uint64_t)sample, (uint64_t)i) % 100 + (uint64_t)(i == made_label(1, sample)) * 120);
}

static void write_file(hiss_comm *comm, const char *path) {
    hiss_error err = {0};
    hiss_h5 *file;
    hiss_h5_info images = {HISS_U8, 4, {N, SIDE, SIDE, 1}}, labels = {HISS_I32, 1, {N}};
    uint8_t pixels[PIXELS];
    CHECK(hiss_h5_create(path, &file, &err) == HISS_OK);
    CHECK(hiss_h5_define(file, "/images", &images, 0, 0, &err) == HISS_OK);
    CHECK(hiss_h5_define(file, "/labels", &labels, 0, 0, &err) == HISS_OK);
    for (int64_t i = 0; i < N; i++) {
        int32_t label = made_label(1, i);
        for (int64_t j = 0; j < PIXELS; j++) {
            pixels[j] = pixel(i, j);
        }
        CHECK(hiss_h5_write(file, "/images", HISS_U8, i, 1, pixels, &err) == HISS_OK);
        CHECK(hiss_h5_write(file, "/labels", HISS_I32, i, 1, &label, &err) == HISS_OK);
    }
    CHECK(hiss_h5_close(file, &err) == HISS_OK);
}

/* Layers: the sum of the pixels, and the pixels in reverse. */
typedef struct network {
    int64_t largest;         /* count seen */
    int64_t fail_at, nan_at; /* which call; -1: none */
    int64_t calls;
    const hiss_sample_range *range;
    bool broken; /* a batch was not that range's samples in a row, its first after its last */
} network;

static hiss_status embed(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    network *net = user;
    net->largest = count > net->largest ? count : net->largest;
    for (int64_t i = 0; i < batch->m; i++) {
        const int64_t at = (batch->sample[0] - net->range->begin + i) % net->range->count;
        net->broken |= batch->sample[i] != net->range->begin + at;
        net->broken |= batch->label[i] != made_label(1, batch->sample[i]);
        for (int64_t j = 0; j < PIXELS; j++) {
            net->broken |= batch->row[i][j] != pixel(batch->sample[i], j);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        out[0][i] = 0.0f;
        for (int64_t j = 0; j < PIXELS; j++) {
            out[0][i] += (float)batch->row[i][j];
            out[1][i * PIXELS + PIXELS - 1 - j] = (float)batch->row[i][j];
        }
    }
    if (net->calls == net->nan_at) {
        out[1][PIXELS + 3] = NAN;
    }
    return net->calls++ == net->fail_at ? hiss_fail(err, HISS_EUSER, "made to fail") : HISS_OK;
}

static const hiss_layer_size layers[2] = {{"sum", 1}, {"reverse", PIXELS}};

static void check_extract(const hiss_eval_env *env, const hiss_sample_range *range, int64_t batch) {
    hiss_comm *comm = env->comm;
    hiss_features *f[2], *raw;
    hiss_error err = {0};
    network net = {0, -1, -1, 0, range, false};
    const int64_t D = PIXELS;
    hiss_field image = *hiss_dataset_field(range->set, HISS_FIELD_IMAGE);
    CHECK(hiss_features_extract(env, range, 2, layers, batch, embed, &net, f, &err) == HISS_OK);
    CHECK(hiss_features_extract(env, range, 1, &(hiss_layer_size){"pixels", D}, batch, hiss_embed_pixels, &image, &raw,
                                &err) == HISS_OK);
    CHECK(net.largest <= batch && !net.broken && f[0]->n == range->count && f[1]->classes == CLASSES);
    for (int64_t i = 0; i < (raw->end - raw->first) * HISS_TILE; i++) {
        int64_t position = raw->first * HISS_TILE + i, sample = range->begin + position;
        bool real = position < range->count;
        float sum = 0.0f;
        for (int64_t j = 0; j < PIXELS; j++) {
            float value = real ? (float)pixel(sample, j) : 0.0f;
            sum += value;
            CHECK(raw->rows[i * D + j] == value / 255.0f);
            CHECK(f[1]->rows[i * D + D - 1 - j] == value);
        }
        CHECK(f[0]->rows[i] == sum);
        CHECK(f[0]->label[i] == (real ? made_label(1, sample) : -1) && f[1]->label[i] == f[0]->label[i]);
    }
    hiss_features_destroy(f[0]);
    hiss_features_destroy(f[1]);
    hiss_features_destroy(raw);
}

/* The last rank that owns a tile fails in its first piece: what it says must hold on all ranks. */
static void check_errors(const hiss_eval_env *env, const hiss_sample_range *range) {
    hiss_comm *comm = env->comm;
    const int P = hiss_comm_size(comm);
    int64_t offsets[65];
    hiss_partition((range->count + HISS_TILE - 1) / HISS_TILE, P, offsets);
    int odd = P - 1;
    while (offsets[odd + 1] == offsets[odd]) {
        odd--;
    }
    const bool me = hiss_comm_rank(comm) == odd;
    hiss_features *f[2];
    hiss_error err = {0};
    network net = {0, me ? 0 : -1, -1, 0, range, false};
    CHECK(hiss_features_extract(env, range, 2, layers, 100, embed, &net, f, &err) == HISS_EUSER);
    CHECK(strcmp(err.text, "made to fail") == 0 && !f[0] && !f[1]);
    net = (network){0, -1, me ? 0 : -1, 0, range, false};
    CHECK(hiss_features_extract(env, range, 2, layers, 100, embed, &net, f, &err) == HISS_EUSER);
    char expected[96];
    const int64_t sample = hiss_sample_at(range, offsets[odd] * HISS_TILE + 1);
    snprintf(expected, sizeof expected, "feature 3 of layer reverse is nan for sample %lld", (long long)sample);
    CHECK(strstr(err.text, expected));
}

static int32_t label_at(const hiss_sample_range *range, int64_t i) {
    int32_t label;
    hiss_error err;
    return hiss_sample_read(range, i, 1, NULL, &label, &err) == HISS_OK ? label : -1;
}

/* Both parts together are all samples once, ascending; shares of classes are equal to a sample. */
static void check_parts(hiss_comm *comm, const hiss_sample_range *train, const hiss_sample_range *test, int64_t n) {
    int64_t size[CLASSES] = {0}, held[CLASSES] = {0}, a = 0, b = 0;
    for (int64_t i = 0; i < n; i++) {
        const bool in_test = b < test->count && hiss_sample_at(test, b) == i;
        CHECK(in_test || (a < train->count && hiss_sample_at(train, a) == i));
        const int32_t label = in_test ? label_at(test, b++) : label_at(train, a++);
        size[label]++;
        held[label] += in_test;
    }
    CHECK(a == train->count && b == test->count);
    for (int c = 0; c < CLASSES; c++) {
        CHECK(fabs((double)held[c] - (double)(size[c] * test->count) / (double)n) <= 1.0);
    }
}

static void check_open(hiss_comm *comm, const char *path) {
    hiss_data_options data = {.file = path, .images = "/images", .labels = "/labels"};
    hiss_eval_options options = {0};
    hiss_sample_range train, test, again[2];
    char samples[HISS_EVAL_SAMPLES];
    hiss_error err = {0};
    CHECK(hiss_eval_open(&options, &data, 1, &train, &test, samples, &err) == HISS_OK);
    CHECK(train.set == test.set && test.count == N / 6 && train.count == N - N / 6);
    CHECK(strstr(samples, "218 of 1310 samples held out") && strstr(samples, "of each class, drawn by seed 1"));
    CHECK(hiss_comm_equal(comm, test.index, (int64_t)sizeof(int64_t) * test.count));
    check_parts(comm, &train, &test, N);
    CHECK(hiss_eval_open(&options, &data, 2, &again[0], &again[1], samples, &err) == HISS_OK);
    CHECK(memcmp(again[1].index, test.index, sizeof(int64_t) * (size_t)test.count) != 0);
    hiss_eval_close(&again[0], &again[1]);
    hiss_eval_close(&train, &test);
    options = (hiss_eval_options){.train = path, .test = "/nowhere/test.h5"};
    CHECK(hiss_eval_open(&options, &data, 1, &train, &test, samples, &err) != HISS_OK);
    CHECK(strstr(err.text, "/nowhere/test.h5") && !train.set && !test.set);
    options = (hiss_eval_options){.train_limit = 700, .test_limit = 100};
    CHECK(hiss_eval_open(&options, &data, 1, &train, &test, samples, &err) == HISS_OK);
    CHECK(train.count == 700 && test.count == 100 && strstr(samples, "eval.train_limit") &&
          strstr(samples, "test_limit"));
    hiss_eval_close(&train, &test);
    data.labels = "";
    CHECK(hiss_eval_open(&(hiss_eval_options){0}, &data, 1, &train, &test, samples, &err) == HISS_OK);
    CHECK(test.count == N / 6 && strstr(samples, "of all samples") && test.index[0] < N / 12);
    hiss_eval_close(&train, &test);
}

/* labels[n] of a file of 1 x 1 pictures. */
static void write_labels(hiss_comm *comm, const char *path, int64_t n, const int32_t *labels) {
    hiss_error err = {0};
    hiss_h5 *file;
    const hiss_h5_info images = {HISS_U8, 4, {n, 1, 1, 1}}, info = {HISS_I32, 1, {n}};
    uint8_t *pixels = hiss_new(uint8_t, n);
    CHECK(hiss_h5_create(path, &file, &err) == HISS_OK);
    CHECK(hiss_h5_define(file, "/images", &images, 0, 0, &err) == HISS_OK);
    CHECK(hiss_h5_define(file, "/labels", &info, 0, 0, &err) == HISS_OK);
    CHECK(hiss_h5_write(file, "/images", HISS_U8, 0, n, pixels, &err) == HISS_OK);
    CHECK(hiss_h5_write(file, "/labels", HISS_I32, 0, n, labels, &err) == HISS_OK);
    CHECK(hiss_h5_close(file, &err) == HISS_OK);
    hiss_free(pixels);
}

/* Held out of classes of any size, in a file sorted by class: one sample stays in training, two are shared. */
static void check_small_classes(hiss_comm *comm, const char *path) {
    static const int64_t size[5] = {40, 1, 2, 3, 12};
    enum { ALL = 58 };
    int32_t label[ALL];
    int64_t at = 0, held[5] = {0};
    for (int c = 0; c < 5; c++) {
        for (int64_t i = 0; i < size[c]; i++) {
            label[at++] = c;
        }
    }
    const hiss_data_options data = {.file = path, .images = "/images", .labels = "/labels"};
    hiss_sample_range train, test;
    char samples[HISS_EVAL_SAMPLES];
    hiss_error err = {0};
    for (int alone = 0; alone < 2; alone++) { /* alone: a class for every sample; nothing can be held out */
        for (int64_t i = 0; alone && i < ALL; i++) {
            label[i] = (int32_t)i;
        }
        hiss_comm_barrier(comm);
        if (hiss_comm_rank(comm) == 0) {
            write_labels(comm, path, ALL, label);
        }
        hiss_comm_barrier(comm);
        const hiss_status s = hiss_eval_open(&(hiss_eval_options){0}, &data, 1, &train, &test, samples, &err);
        if (alone) {
            CHECK(s == HISS_EUSER && strstr(err.text, "classes has one sample") && !train.set && !test.set);
            break;
        }
        CHECK(s == HISS_OK);
        for (int64_t i = 0; i < test.count; i++) {
            held[label[hiss_sample_at(&test, i)]]++;
        }
        CHECK(held[0] >= 6 && held[0] <= 7 && held[1] == 0 && held[2] == 1 && held[3] == 1 && held[4] == 2);
        CHECK(train.count + test.count == ALL && !strstr(samples, "no training sample"));
        hiss_eval_close(&train, &test);
        CHECK(hiss_eval_open(&(hiss_eval_options){.test = path, .train_limit = 3}, &data, 1, &train, &test, samples,
                             &err) == HISS_OK);
        CHECK(train.count == 3 && test.count == ALL && strstr(samples, "of classes that no training sample has"));
        hiss_eval_close(&train, &test);
    }
    hiss_comm_barrier(comm);
}

static hiss_eval_options all_judgements(hiss_comm *comm) {
    hiss_eval_options options = {.draws = 2, .iterations = 1000};
    for (const hiss_judgement *const *j = hiss_judgements(); *j; j++) {
        CHECK((*j)->nrows >= 1 && (*j)->rows[0].type == HISS_BOOL && strcmp((*j)->rows[0].key, (*j)->name) == 0);
        *(bool *)((char *)&options + (*j)->rows[0].offset) = true;
    }
    return options;
}

static char *written(hiss_comm *comm, const char *path) {
    static char text[1 << 16];
    FILE *file = fopen(path, "r");
    CHECK(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void print(const hiss_evaluation *e, char *text, size_t size) {
    FILE *stream = fmemopen(text, size, "w");
    hiss_evaluation_print(stream, e);
    hiss_evaluation_html(stream, e);
    hiss_evaluation_details_html(stream, e);
    fclose(stream);
}

/* What is read back from eval.json is written as what was read. */
static void check_round_trip(hiss_comm *comm, const char *json, const hiss_evaluation *e) {
    static char shown[1 << 16], text[1 << 16];
    hiss_evaluation *back = NULL;
    hiss_error err = {0};
    CHECK(hiss_evaluation_write(json, e, &err) == HISS_OK);
    CHECK(hiss_evaluation_write("/nowhere/eval.json", e, &err) == HISS_ESYSTEM);
    CHECK(hiss_evaluation_read(json, &back, &err) == HISS_OK);
    snprintf(text, sizeof text, "%s", written(comm, json));
    print(back, shown, sizeof shown);
    CHECK(hiss_evaluation_write(json, back, &err) == HISS_OK && strcmp(text, written(comm, json)) == 0);
    hiss_evaluation_destroy(back);
    for (const char *cut = text;
         (cut = strchr(cut + 1, ',')) != NULL;) { /* cut anywhere it is an error that says where */
        FILE *file = fopen(json, "w");
        CHECK(file && fwrite(text, 1, (size_t)(cut - text), file) > 0 && fclose(file) == 0);
        CHECK(hiss_evaluation_read(json, &back, &err) == HISS_EUSER && strstr(err.text, "eval.json:"));
    }
    CHECK(strstr(shown, "how they were drawn\n"));
}

/* judgements that have something to say of a layer, for bits of needs that are there */
static void check_said(hiss_comm *comm, const hiss_evaluation *e, const char *subject, bool labels) {
    CHECK(isnan(hiss_evaluation_value(e, subject, "knn", "cosine.5")) == !labels);
    CHECK(isnan(hiss_evaluation_value(e, subject, "linear", "percent")) == !labels);
    CHECK(isnan(hiss_evaluation_value(e, subject, "few_labels", "10.knn5")) == !labels);
    CHECK(isnan(hiss_evaluation_value(e, subject, "few_labels", "1000.knn5"))); /* the samples are too few for it */
    CHECK(!isnan(hiss_evaluation_value(e, subject, "statistics", "participation_ratio")));
    CHECK(isnan(hiss_evaluation_value(e, subject, "knn", "no such number")));
    CHECK(isnan(hiss_evaluation_value(e, "nobody", "knn", "cosine.5")));
}

static void check_run(const hiss_eval_env *env, const char *path, const char *json) {
    hiss_comm *comm = env->comm;
    hiss_data_options data = {.file = path, .images = "/images", .labels = "/labels"};
    hiss_eval_options options = all_judgements(comm);
    hiss_sample_range train, test;
    char samples[HISS_EVAL_SAMPLES];
    hiss_features *f[2];
    hiss_error err = {0};
    CHECK(hiss_eval_open(&options, &data, 1, &train, &test, samples, &err) == HISS_OK);
    hiss_field image = *hiss_dataset_field(train.set, HISS_FIELD_IMAGE);
    const hiss_layer_size layer = {"pixels", PIXELS};
    CHECK(hiss_features_extract(env, &train, 1, &layer, 250, hiss_embed_pixels, &image, &f[0], &err) == HISS_OK);
    CHECK(hiss_features_extract(env, &test, 1, &layer, 250, hiss_embed_pixels, &image, &f[1], &err) == HISS_OK);
    hiss_evaluation *e = hiss_evaluation_create("how they were drawn\n");
    CHECK(hiss_evaluation_judge(e, env, &options, &(hiss_subject){.name = "a/pixels", .train = f[0], .test = f[1]},
                                &err) == HISS_OK);
    options.linear = options.few_labels = false;
    CHECK(hiss_evaluation_judge(e, env, &options,
                                &(hiss_subject){.name = "a \"quoted\" <name>", .train = f[0], .test = f[1]},
                                &err) == HISS_OK);
    check_said(comm, e, "a/pixels", true);
    CHECK(hiss_evaluation_value(e, "a/pixels", "linear", "percent") > 80.0);
    CHECK(hiss_evaluation_value(e, "a/pixels", "knn", "cosine.20") > 80.0);
    CHECK(hiss_evaluation_value(e, "a/pixels", "few_labels", "100.draws") == 2.0);
    CHECK(hiss_evaluation_value(e, "a/pixels", "knn", "l2.1") ==
          hiss_evaluation_value(e, "a \"quoted\" <name>", "knn", "l2.1"));
    CHECK(isnan(hiss_evaluation_value(e, "a \"quoted\" <name>", "linear", "percent")));
    if (hiss_comm_rank(comm) == 0) {
        check_round_trip(comm, json, e);
    }
    hiss_evaluation_destroy(e);
    f[0]->classes = f[1]->classes = 0; /* as where there are no labels */
    options = all_judgements(comm);
    e = hiss_evaluation_create("how they were drawn\n");
    CHECK(hiss_evaluation_judge(e, env, &options, &(hiss_subject){.name = "a/pixels", .train = f[0], .test = f[1]},
                                &err) == HISS_OK);
    check_said(comm, e, "a/pixels", false);
    if (hiss_comm_rank(comm) == 0) {
        static char text[1 << 16];
        print(e, text, sizeof text);
        CHECK(strstr(text, "left out: knn: needs labels") && strstr(text, "left out: linear: needs labels"));
        check_round_trip(comm, json, e);
    }
    hiss_evaluation_destroy(e);
    hiss_features_destroy(f[0]);
    hiss_features_destroy(f[1]);
    hiss_eval_close(&train, &test);
}

/* Features of known statistics, on n samples. */
static void check_statistics(const hiss_eval_env *env, int64_t n) {
    enum { D = 6 };
    hiss_comm *comm = env->comm;
    hiss_eval_options options = {.statistics = true};
    hiss_error err = {0};
    /* 0: all alike; 1: one direction, dead ones beside it; 2: +- unit vectors; 3: all zero; 4: alike or zero */
    for (int kind = 0; kind < 5; kind++) {
        hiss_features *f = hiss_features_create(env, n, D, 0);
        for (int64_t i = f->first * HISS_TILE; i < f->end * HISS_TILE && i < n; i++) {
            float *row = f->rows + (i - f->first * HISS_TILE) * D;
            for (int64_t d = 0; d < D; d++) {
                row[d] = kind == 0 ? 1.5f : kind == 1 ? 3.0f : kind == 4 && i % 2 ? 1.5f : 0.0f;
            }
            if (kind == 1) {
                row[2] += i % 2 ? 1.0f : -1.0f;
            } else if (kind == 2) {
                row[i / 2 % D] = i % 2 ? 1.0f : -1.0f;
            }
        }
        hiss_evaluation *e = hiss_evaluation_create("");
        CHECK(hiss_evaluation_judge(e, env, &options, &(hiss_subject){.name = "x", .train = f, .test = f}, &err) ==
              HISS_OK);
        const double rank = hiss_evaluation_value(e, "x", "statistics", "participation_ratio");
        const double dead = hiss_evaluation_value(e, "x", "statistics", "dead_percent");
        const double cosine = hiss_evaluation_value(e, "x", "statistics", "mean_cosine");
        const double expected_rank[] = {0.0, 1.0, D, 0.0, 1.0};
        const double expected_dead[] = {100.0, 100.0 * (D - 1) / D, 0.0, 100.0, 0.0};
        CHECK(fabs(rank - expected_rank[kind]) < (kind == 2 && n > 2000 ? 0.05 : 1e-5));
        CHECK(fabs(dead - expected_dead[kind]) < 1e-9);
        CHECK(kind == 3                ? isnan(cosine)
              : kind == 0 || kind == 4 ? fabs(cosine - 1.0) < 1e-6
              : kind == 1              ? cosine > 0.9
                                       : fabs(cosine + 1.0 / (double)(n - 1)) < 1e-9);
        hiss_evaluation_destroy(e);
        hiss_features_destroy(f);
    }
}

/* A hiss_embed of a rebuilder: pixels that are off by a tenth, or by nothing. user: how much. */
static hiss_status rebuild_off(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    (void)err;
    for (int64_t i = 0; i < count * PIXELS; i++) {
        out[0][i] = 0.25f + (float)batch->row[i / PIXELS][i % PIXELS] / 510.0f;
        out[1][i] = out[0][i] + *(const float *)user;
    }
    return HISS_OK;
}

/* Errors of known size, the same on any number of ranks, and a picture of them; without a rebuilder the judgement is
 * left out. */
static void check_reconstruction(const hiss_eval_env *env, const char *path, const char *folder) {
    hiss_comm *comm = env->comm;
    const hiss_data_options data = {.file = path, .images = "/images", .labels = "/labels"};
    const hiss_eval_options options = {.reconstruction = true};
    hiss_model *model = hiss_model_create();
    hiss_error err = {0};
    hiss_sample_range range = {.begin = 17, .count = 1200};
    char picture[96];
    CHECK(hiss_dataset_open(&data, 1, &range.set, &err) == HISS_OK);
    int64_t H, W, C;
    hiss_dataset_shape(range.set, &H, &W, &C);
    for (int off = 0; off < 3; off++) {
        float amount = off == 0 ? 0.0f : 0.1f;
        const hiss_rebuilder rebuilder = {
            .rebuild = rebuild_off, .user = &amount, .H = H, .W = W, .C = C, .batch = 64, .code = 4};
        const hiss_subject subject = {.name = "trained",
                                      .queries = &range,
                                      .model = model,
                                      .rebuilder = off < 2 ? &rebuilder : NULL,
                                      .directory = folder};
        hiss_evaluation *e = hiss_evaluation_create("");
        CHECK(hiss_evaluation_judge(e, env, &options, &subject, &err) == HISS_OK);
        const double mse = hiss_evaluation_value(e, "trained", "reconstruction", "mse");
        const double psnr = hiss_evaluation_value(e, "trained", "reconstruction", "psnr");
        CHECK(off == 0   ? mse == 0.0 && psnr == 100.0
              : off == 1 ? fabs(mse - 0.01) < 1e-6 && fabs(psnr - 20.0) < 1e-3
                         : isnan(mse));
        hiss_evaluation_destroy(e);
    }
    snprintf(picture, sizeof picture, "%s/reconstruction.png", folder);
    CHECK(hiss_file_exists(picture));
    hiss_comm_barrier(comm);
    if (hiss_comm_rank(comm) == 0) {
        remove(picture);
    }
    hiss_dataset_close(range.set);
    hiss_model_destroy(model);
}

/* What k components leave of the pixels of rebuild_off, by power iteration: per pixel and sample of a range of 1200. */
static double error_of_components(int k) {
    double mean[PIXELS] = {0}, a[PIXELS][PIXELS] = {{0}}, left = 0.0;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 17; i < 1217; i++) {
            for (int64_t x = 0; x < PIXELS; x++) {
                mean[x] += pass ? 0.0 : pixel(i, x) / 510.0 / 1200.0;
                for (int64_t y = 0; y < PIXELS && pass; y++) {
                    a[x][y] += (pixel(i, x) / 510.0 - mean[x]) * (pixel(i, y) / 510.0 - mean[y]) / 1200.0;
                }
            }
        }
    }
    for (int found = 0; found < k; found++) {
        double v[PIXELS] = {0}, next[PIXELS], value = 0.0;
        v[found] = 1.0;
        for (int round = 0; round < 10000; round++) {
            value = 0.0;
            for (int x = 0; x < PIXELS; x++) {
                next[x] = 0.0;
                for (int y = 0; y < PIXELS; y++) {
                    next[x] += a[x][y] * v[y];
                }
                value += next[x] * next[x];
            }
            value = sqrt(value);
            for (int x = 0; x < PIXELS; x++) {
                v[x] = next[x] / value;
            }
        }
        for (int x = 0; x < PIXELS; x++) {
            for (int y = 0; y < PIXELS; y++) {
                a[x][y] -= value * v[x] * v[y];
            }
        }
    }
    for (int x = 0; x < PIXELS; x++) {
        left += a[x][x] / PIXELS;
    }
    return left;
}

/* Principal components beside a rebuilder: the error that their eigenvalues leave, on any number of ranks; none where the
 * code is as wide as the image; left out where there is nothing to fit them on. */
static void check_components(const hiss_eval_env *env, const char *path) {
    hiss_comm *comm = env->comm;
    static const struct {
        int64_t code, bank;
    } cases[] = {{1, 1200}, {4, 1200}, {11, 1200}, {PIXELS, 1200}, {3 * PIXELS, 1200}, {4, 1}, {4, 0}};
    const hiss_data_options data = {.file = path, .images = "/images", .labels = "/labels"};
    const hiss_eval_options options = {.reconstruction = true};
    hiss_model *model = hiss_model_create();
    hiss_error err = {0};
    hiss_sample_range range = {.begin = 17, .count = 1200};
    CHECK(hiss_dataset_open(&data, 1, &range.set, &err) == HISS_OK);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        float amount = 0.1f;
        const hiss_rebuilder rebuilder = {
            .rebuild = rebuild_off, .user = &amount, .H = SIDE, .W = SIDE, .C = 1, .batch = 64, .code = cases[c].code};
        const hiss_sample_range bank = {.set = range.set, .begin = 17, .count = cases[c].bank};
        const hiss_subject subject = {.name = "trained",
                                      .bank = cases[c].bank > 0 ? &bank : NULL,
                                      .queries = &range,
                                      .model = model,
                                      .rebuilder = &rebuilder};
        hiss_evaluation *e = hiss_evaluation_create("");
        CHECK(hiss_evaluation_judge(e, env, &options, &subject, &err) == HISS_OK);
        const double mse = hiss_evaluation_value(e, "trained", "reconstruction", "pca_mse");
        const double psnr = hiss_evaluation_value(e, "trained", "reconstruction", "pca_psnr");
        if (cases[c].bank < 2) {
            CHECK(isnan(mse) && isnan(psnr));
        } else if (cases[c].code >= PIXELS) {
            CHECK(mse < 1e-12 && psnr == 100.0);
        } else {
            CHECK(fabs(mse / error_of_components((int)cases[c].code) - 1.0) < 1e-5);
            CHECK(psnr >= -10.0 * log10(mse) - 1e-3 && psnr < 100.0);
        }
        CHECK(fabs(hiss_evaluation_value(e, "trained", "reconstruction", "mse") - 0.01) < 1e-6);
        hiss_evaluation_destroy(e);
    }
    hiss_dataset_close(range.set);
    hiss_model_destroy(model);
}

static void check_names(hiss_comm *comm) {
    char name[64];
    const char *rest = " conv2, fc1,,z ";
    const char *expected[] = {"conv2", "fc1", "z"};
    for (int i = 0; i < 3; i++) {
        rest = hiss_names_next(rest, name);
        CHECK(rest && strcmp(name, expected[i]) == 0);
    }
    CHECK(!hiss_names_next(rest, name) && !hiss_names_next(NULL, name));
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err = {0};
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_kernels_enter_thread();
    hiss_log_setup(HISS_LOG_WARNING, hiss_comm_rank(comm));
    hiss_eval_env env = {comm, hiss_kernels_blas(), 1};
    char folder[] = "/tmp/hiss-features-XXXXXX", path[64], json[64];
    if (hiss_comm_rank(comm) == 0) {
        CHECK(mkdtemp(folder));
    }
    hiss_comm_broadcast(comm, folder, sizeof folder, 0);
    snprintf(path, sizeof path, "%s/images.h5", folder);
    snprintf(json, sizeof json, "%s/eval.json", folder);
    if (hiss_comm_rank(comm) == 0) {
        write_file(comm, path);
    }
    hiss_comm_barrier(comm);
    hiss_data_options data = {.file = path, .images = "/images", .labels = "/labels"};
    hiss_sample_range range = {.begin = 17, .count = 1200};
    CHECK(hiss_dataset_open(&data, 1, &range.set, &err) == HISS_OK);
    check_extract(&env, &range, 250);
    check_extract(&env, &range, 64);
    check_errors(&env, &range);
    hiss_dataset_close(range.set);
    check_open(comm, path);
    check_run(&env, path, json);
    check_statistics(&env, 12 * 50);
    check_statistics(&env, 12 * 250);
    check_reconstruction(&env, path, folder);
    check_components(&env, path);
    check_small_classes(comm, path);
    check_names(comm);
    hiss_comm_barrier(comm);
    if (hiss_comm_rank(comm) == 0) {
        remove(path);
        remove(json);
        remove(folder);
    }
    return finish_test(comm);
}
