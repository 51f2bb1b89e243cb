/* Features of an HDF5 file: pixels and a made-up network, cut into pieces of any size; errors common to all ranks; what
 * is held out; a whole evaluation, written as JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "features.h"
#include "hiss/file.h"
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
} network;

static hiss_status embed(void *user, int64_t count, const uint8_t *pixels, float *const *out, hiss_error *err) {
    network *net = user;
    net->largest = count > net->largest ? count : net->largest;
    for (int64_t i = 0; i < count; i++) {
        out[0][i] = 0.0f;
        for (int64_t j = 0; j < PIXELS; j++) {
            out[0][i] += (float)pixels[i * PIXELS + j];
            out[1][i * PIXELS + PIXELS - 1 - j] = (float)pixels[i * PIXELS + j];
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
    network net = {0, -1, -1, 0};
    int64_t D = PIXELS;
    CHECK(hiss_features_extract(env, range, 2, layers, batch, embed, &net, f, &err) == HISS_OK);
    CHECK(hiss_features_extract(env, range, 1, &(hiss_layer_size){"pixels", D}, batch, hiss_embed_pixels, &D, &raw,
                                &err) == HISS_OK);
    CHECK(net.largest <= batch && f[0]->n == range->count && f[1]->classes == CLASSES);
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
    network net = {0, me ? 0 : -1, -1, 0};
    CHECK(hiss_features_extract(env, range, 2, layers, 100, embed, &net, f, &err) == HISS_EUSER);
    CHECK(strcmp(err.text, "made to fail") == 0 && !f[0] && !f[1]);
    net = (network){0, -1, me ? 0 : -1, 0};
    CHECK(hiss_features_extract(env, range, 2, layers, 100, embed, &net, f, &err) == HISS_EUSER);
    char expected[96];
    const int64_t sample = range->begin + offsets[odd] * HISS_TILE + 1;
    snprintf(expected, sizeof expected, "feature 3 of layer reverse is nan for sample %lld", (long long)sample);
    CHECK(strstr(err.text, expected));
}

static void check_open(hiss_comm *comm, const char *path) {
    hiss_data_options data = {.file = path, .images = "/images", .labels = "/labels"};
    hiss_eval_options options = {0};
    hiss_sample_range train, test;
    hiss_error err = {0};
    CHECK(hiss_eval_open(&options, &data, 1, &train, &test, &err) == HISS_OK);
    CHECK(train.set == test.set && test.count == N / 6 && train.count == N - N / 6 && test.begin == train.count);
    hiss_eval_close(&train, &test);
    options = (hiss_eval_options){.train = path, .test = "/nowhere/test.h5"};
    CHECK(hiss_eval_open(&options, &data, 1, &train, &test, &err) != HISS_OK);
    CHECK(strstr(err.text, "/nowhere/test.h5") && !train.set && !test.set);
    options = (hiss_eval_options){.train_limit = 700, .test_limit = 100};
    CHECK(hiss_eval_open(&options, &data, 1, &train, &test, &err) == HISS_OK);
    CHECK(train.count == 700 && test.count == 100 && test.begin == N - N / 6);
    hiss_eval_close(&train, &test);
}

/* All lines of the table but the last (a sentence) and the group heads end in one column. */
static void check_table(hiss_comm *comm, const hiss_eval_result *results) {
    char text[4096] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    hiss_eval_print(stream, 2, results);
    fclose(stream);
    int width[8] = {0}, line = 0;
    for (const char *s = text; *s && line < 8; s++) {
        line += *s == '\n';
        width[line] += *s != '\n' && ((unsigned char)*s & 0xC0) != 0x80;
    }
    CHECK(line == 5 && width[0] == width[1] && width[1] == width[2] && width[2] == width[3]);
}

static void check_run(const hiss_eval_env *env, const char *path, const char *json) {
    hiss_comm *comm = env->comm;
    hiss_data_options data = {.file = path, .images = "/images", .labels = "/labels"};
    hiss_eval_options options = {.knn = true, .linear = true, .few_labels = true, .draws = 2, .iterations = 40};
    hiss_sample_range train, test;
    hiss_features *f[2];
    hiss_eval_result results[2];
    hiss_error err = {0};
    int64_t D = PIXELS;
    CHECK(hiss_eval_open(&options, &data, 1, &train, &test, &err) == HISS_OK);
    const hiss_layer_size layer = {"pixels", PIXELS};
    CHECK(hiss_features_extract(env, &train, 1, &layer, 250, hiss_embed_pixels, &D, &f[0], &err) == HISS_OK);
    CHECK(hiss_features_extract(env, &test, 1, &layer, 250, hiss_embed_pixels, &D, &f[1], &err) == HISS_OK);
    hiss_eval_set set = {"pixels", f[0], f[1]};
    CHECK(hiss_eval_run(env, &options, &set, &results[0], &err) == HISS_OK);
    options.linear = options.few_labels = false;
    set.name = "a \"quoted\" name";
    CHECK(hiss_eval_run(env, &options, &set, &results[1], &err) == HISS_OK);
    CHECK(results[0].linear.percent > 80.0 && results[0].knn.percent[HISS_COSINE][2] > 80.0);
    CHECK(results[0].few[0].draws == 2 && results[0].few[1].draws == 2 && results[0].few[2].draws == 0);
    CHECK(results[1].knn.percent[HISS_L2][0] == results[0].knn.percent[HISS_L2][0] && !results[1].has_linear);
    if (hiss_comm_rank(comm) == 0) {
        check_table(comm, results);
        CHECK(hiss_eval_write(json, 2, results, &err) == HISS_OK);
        CHECK(hiss_file_exists(json));
        CHECK(hiss_eval_write("/nowhere/eval.json", 2, results, &err) == HISS_ESYSTEM);
    }
    f[1]->classes = 0;
    CHECK(hiss_eval_run(env, &options, &set, &results[1], &err) == HISS_EUSER && strstr(err.text, "test"));
    hiss_features_destroy(f[0]);
    hiss_features_destroy(f[1]);
    hiss_eval_close(&train, &test);
}

static void check_names(hiss_comm *comm) {
    char name[64];
    const char *rest = " conv2, fc1,,z ";
    const char *expected[] = {"conv2", "fc1", "z"};
    for (int i = 0; i < 3; i++) {
        rest = hiss_next_name(rest, name);
        CHECK(rest && strcmp(name, expected[i]) == 0);
    }
    CHECK(!hiss_next_name(rest, name) && !hiss_next_name(NULL, name));
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
    hiss_sample_range range = {NULL, 17, 1200};
    CHECK(hiss_dataset_open(&data, 1, &range.set, &err) == HISS_OK);
    check_extract(&env, &range, 250);
    check_extract(&env, &range, 64);
    check_errors(&env, &range);
    hiss_dataset_close(range.set);
    check_open(comm, path);
    check_run(&env, path, json);
    check_names(comm);
    hiss_comm_barrier(comm);
    if (hiss_comm_rank(comm) == 0) {
        remove(path);
        remove(json);
        remove(folder);
    }
    return finish_test(comm);
}
