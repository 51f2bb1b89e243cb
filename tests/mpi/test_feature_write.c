/* Features as files: the rows of all samples in their order on any number of ranks, in each format; nothing is left of a
 * file that could not be written. */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/eval.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "mpi_test.h"

enum { N = 1310, K = 3, WIDE = 5, BATCH = 50 };

static float value(int64_t sample, int64_t d) {
    return (float)value_of(5, (uint64_t)sample, (uint64_t)d);
}

static void write_images(hiss_comm *comm, const char *path) {
    hiss_error err = {0};
    hiss_h5 *file;
    const hiss_h5_info images = {HISS_U8, 4, {N, 1, 1, 1}}, labels = {HISS_I32, 1, {N}}, targets = {HISS_U8, 2, {N, K}};
    uint8_t pixels[N], target[N][K];
    int32_t label[N];
    for (int i = 0; i < N; i++) {
        pixels[i] = (uint8_t)i;
        label[i] = i % 7 == 6 ? -1 : i % 7;
        target[i][0] = (uint8_t)(i % 2);
        target[i][1] = (uint8_t)(i % 3 == 0);
        target[i][2] = i % 5 == 0 ? HISS_NOT_JUDGED : 1;
    }
    CHECK(hiss_h5_create(path, &file, &err) == HISS_OK);
    CHECK(hiss_h5_define(file, "/images", &images, 0, 0, &err) == HISS_OK);
    CHECK(hiss_h5_define(file, "/labels", &labels, 0, 0, &err) == HISS_OK);
    CHECK(hiss_h5_define(file, "/targets", &targets, 0, 0, &err) == HISS_OK);
    CHECK(hiss_h5_write(file, "/images", HISS_U8, 0, N, pixels, &err) == HISS_OK);
    CHECK(hiss_h5_write(file, "/labels", HISS_I32, 0, N, label, &err) == HISS_OK);
    CHECK(hiss_h5_write(file, "/targets", HISS_U8, 0, N, target, &err) == HISS_OK);
    CHECK(hiss_h5_close(file, &err) == HISS_OK);
}

typedef struct network {
    int layers;
    int64_t bad; /* the sample whose features are not finite, or -1 */
} network;

/* A batch goes on with the first samples after the last one. */
static hiss_status embed(void *user, int64_t count, const hiss_batch *batch, float *const *out, hiss_error *err) {
    const network *net = user;
    for (int64_t i = 0; i < batch->m; i++) {
        if (batch->sample[i] != (batch->sample[0] + i) % N) {
            return hiss_fail(err, HISS_EINTERNAL, "a batch is not of samples in a row");
        }
    }
    for (int64_t i = 0; i < count; i++) {
        out[0][i] = batch->sample[i] == net->bad ? NAN : value(batch->sample[i], 0);
        for (int64_t d = 0; d < WIDE && net->layers > 1; d++) {
            out[1][i * WIDE + d] = value(batch->sample[i], d);
        }
    }
    return HISS_OK;
}

static const hiss_layer_size layer[2] = {{"one", 1}, {"wide", WIDE}};
static const hiss_note notes[] = {{"made_by", "a test"}};

static hiss_status write_to(const hiss_eval_env *env, hiss_dataset *set, const char *path, int layers, int64_t bad,
                            hiss_error *err) {
    const hiss_feature_output output = {path, notes, 1};
    const hiss_sample_range all = {.set = set, .count = N};
    network net = {layers, bad};
    return hiss_features_write(env, &all, layers, layer, BATCH, embed, &net, &output, err);
}

static void check_h5(hiss_comm *comm, const char *path) {
    static float wide[N][WIDE], one[N];
    int32_t label[N];
    uint8_t target[N][K];
    char *text;
    hiss_error err = {0};
    hiss_h5 *file;
    hiss_h5_info info;
    CHECK(hiss_h5_open(path, &file, &err) == HISS_OK);
    CHECK(hiss_h5_look(file, "/wide", &info, &err) == HISS_OK && info.ndim == 2 && info.dtype == HISS_F32);
    CHECK(hiss_h5_read(file, "/wide", HISS_F32, 0, N, wide, &err) == HISS_OK);
    CHECK(hiss_h5_read(file, "/one", HISS_F32, 0, N, one, &err) == HISS_OK);
    CHECK(hiss_h5_read(file, "/labels", HISS_I32, 0, N, label, &err) == HISS_OK);
    CHECK(hiss_h5_read(file, "/targets", HISS_U8, 0, N, target, &err) == HISS_OK);
    for (int i = 0; i < N; i++) {
        CHECK(one[i] == value(i, 0) && label[i] == (i % 7 == 6 ? -1 : i % 7));
        CHECK(target[i][0] == i % 2 && target[i][1] == (i % 3 == 0) && target[i][2] == (i % 5 ? 1 : HISS_NOT_JUDGED));
        for (int d = 0; d < WIDE; d++) {
            CHECK(wide[i][d] == value(i, d));
        }
    }
    CHECK(hiss_h5_get_text(file, "/", "made_by", &text, &err) == HISS_OK && strcmp(text, "a test") == 0);
    hiss_free(text);
    CHECK(hiss_h5_get_text(file, "/wide", "layer", &text, &err) == HISS_OK && strcmp(text, "wide") == 0);
    hiss_free(text);
    CHECK(hiss_h5_close(file, &err) == HISS_OK);
}

static void check_npy(hiss_comm *comm, const char *path) {
    size_t size;
    unsigned char *bytes = hiss_file_bytes(path, &size);
    CHECK(bytes && size == 128 + sizeof(float) * N && memcmp(bytes, "\x93NUMPY\x01\x00\x76\x00{'descr': '", 21) == 0);
    CHECK(strstr((char *)bytes + 10, "<f4', 'fortran_order': False, 'shape': (1310, 1), }  ") && bytes[127] == '\n');
    for (int i = 0; i < N; i++) {
        const float found = value(i, 0);
        CHECK(memcmp(bytes + 128 + sizeof found * (size_t)i, &found, sizeof found) == 0);
    }
    hiss_free(bytes);
}

static void check_csv(hiss_comm *comm, const char *path) {
    char line[256];
    int lines = 0;
    FILE *in = fopen(path, "r");
    CHECK(in && fgets(line, sizeof line, in) && strcmp(line, "one_0,label\n") == 0);
    for (; fgets(line, sizeof line, in); lines++) {
        char *end;
        CHECK(strtof(line, &end) == value(lines, 0) && *end == ',');
        CHECK(strtol(end + 1, &end, 10) == (lines % 7 == 6 ? -1 : lines % 7) && *end == '\n');
    }
    CHECK(lines == N);
    fclose(in);
}

static int entries(const char *folder) {
    DIR *dir = opendir(folder);
    int count = 0;
    while (dir && readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count - 2;
}

static void check_errors(const hiss_eval_env *env, hiss_dataset *set, const char *folder) {
    static const char *const names[] = {"bad.h5", "bad.npy", "bad.csv"};
    hiss_comm *comm = env->comm;
    char path[96];
    hiss_error err = {0};
    for (int k = 0; k < 3; k++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[k]);
        CHECK(write_to(env, set, path, 1, 1307, &err) == HISS_EUSER);
        CHECK(strstr(err.text, "feature 0 of layer one is nan for sample 1307"));
        snprintf(path, sizeof path, "%s/none/%s", folder, names[k]);
        CHECK(write_to(env, set, path, 1, -1, &err) == HISS_ESYSTEM && strstr(err.text, "none/"));
    }
    snprintf(path, sizeof path, "%s/two.npy", folder);
    CHECK(write_to(env, set, path, 2, -1, &err) == HISS_EUSER && strstr(err.text, "can hold one layer, not 2"));
    CHECK(hiss_feature_output_expect("a.b/features", 1, &err) == HISS_EUSER && strstr(err.text, ".csv"));
    CHECK(hiss_feature_output_expect("a.npy", 1, &err) == HISS_OK &&
          hiss_feature_output_expect("a.hdf5", 9, &err) == HISS_OK);
    const hiss_layer_size labels = {"labels", 1};
    const hiss_sample_range all = {.set = set, .count = N};
    network net = {1, -1};
    snprintf(path, sizeof path, "%s/bad.h5", folder);
    CHECK(hiss_features_write(env, &all, 1, &labels, BATCH, embed, &net, &(hiss_feature_output){.path = path}, &err) !=
          HISS_OK);
    CHECK(strstr(err.text, "layer labels is called as what else is in the file"));
    CHECK(entries(folder) == 4); /* images.h5, and one of each format */
}

int main(int argc, char **argv) {
    hiss_comm *comm;
    hiss_error err = {0};
    if (hiss_comm_open(&argc, &argv, &comm, &err) != HISS_OK) {
        return 1;
    }
    hiss_log_setup(HISS_LOG_WARNING, hiss_comm_rank(comm));
    const hiss_eval_env env = {comm, hiss_kernels_blas(), 1};
    const bool root = hiss_comm_rank(comm) == 0;
    char folder[] = "/tmp/hiss-feature-write-XXXXXX", path[4][96];
    static const char *const names[] = {"images.h5", "all.h5", "one.npy", "one.csv"};
    if (root) {
        CHECK(mkdtemp(folder));
    }
    hiss_comm_broadcast(comm, folder, sizeof folder, 0);
    for (int k = 0; k < 4; k++) {
        snprintf(path[k], sizeof path[k], "%s/%s", folder, names[k]);
    }
    if (root) {
        write_images(comm, path[0]);
    }
    hiss_comm_barrier(comm);
    hiss_yaml targets = {.kind = HISS_YAML_SCALAR, .key = "targets", .text = "/targets"};
    const hiss_yaml fields = {.kind = HISS_YAML_MAP, .first = &targets};
    const hiss_data_options data = {.file = path[0], .images = "/images", .labels = "/labels", .fields = &fields};
    hiss_dataset *set;
    CHECK(hiss_dataset_open(&data, 1, &set, &err) == HISS_OK);
    for (int k = 1; k < 4; k++) {
        CHECK(write_to(&env, set, path[k], k == 1 ? 2 : 1, -1, &err) == HISS_OK);
    }
    if (root) {
        check_h5(comm, path[1]);
        check_npy(comm, path[2]);
        check_csv(comm, path[3]);
    }
    hiss_comm_barrier(comm);
    check_errors(&env, set, folder);
    hiss_dataset_close(set);
    hiss_comm_barrier(comm);
    if (root) {
        hiss_directory_remove(folder);
    }
    return finish_test(comm);
}
