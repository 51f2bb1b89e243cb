/* HDF5 data sets from a stranger: opened as options say, verified, first and last rows read, and all of a small set, with
 * labels and further fields; again with the classes of itself; prepared; as the items of a generator. The options are the last bytes of the input, behind the word "keys", which HDF5 does not look
 * at; an input without them has the standard ones. */
#include "fuzz.h"

#include <string.h>

#include "hiss/alloc.h"
#include "hiss/generate.h"

enum { KEYS = 10, WORD = 4 };
enum { PERMUTED = 1, FOLLOW = 2, GENERATE = 4, PREPARE = 8, CLASSES = 16 }; /* bits of the last key */
int fuzz_read;
static char folder[] = "/dev/shm/hiss-fuzz-XXXXXX", path[64], twin[64], prepared[64];

static void leave_nothing(void) {
    unlink(path);
    unlink(twin);
    unlink(prepared);
    rmdir(folder);
}

static void make_folder(void) {
    hiss_log_setup(HISS_LOG_ERROR, 0);
    if (!mkdtemp(folder)) {
        abort();
    }
    snprintf(path, sizeof path, "%s/input.h5", folder);
    snprintf(twin, sizeof twin, "%s/twin.h5", folder);
    snprintf(prepared, sizeof prepared, "%s/prepared", folder);
    atexit(leave_nothing);
}

/* ---- options ---- */

static const char *const images[] = {"/images", "/t2m", "/X", "/full", "/sen2", "/packed", "/labels", "/clip"};
static const char *const labels[] = {"/labels", "''", "/Y", "/label", "/text", "/enum", "/images", "/regime"};
static const char *const layouts[] = {
    "null", "NHWC",  "NCHW",  "HWCN", "NCWH",  "NHW",  "NWH",   "HWC",
    "HW",   "NdHWC", "NDHWC", "dHWC", "NtHWC", "NHdW", "CWdHN", "{image: NHWC, more: NHWC}"};
static const char *const ranges[] = {"null", "[0, 255]", "[0, 1]", "[-1e30, 1e30]"};
static const char *const missing[] = {"null", "0", "-1e30", "7"};
static const char *const fields[] = {"null", "{more: /labels}", "{more: /t2m, clip: /clip}", "{a: /images, b: /Y}"};
static const char *const ignored[] = {"'-1'", "''", "'3'", "ant"};
enum { ONE, LIST, PATTERN, FILES };
enum { APART = 8, LABELS }; /* behind those of the list: /labels of the twin */

#define PICK(list_, byte_) (list_)[(byte_) % (sizeof(list_) / sizeof *(list_))]

static const char *labels_of(const uint8_t key[KEYS], char out[128]) {
    const int number = key[2] % LABELS;
    snprintf(out, 128, number == APART ? "'%s:/labels'" : "%s", number == APART ? twin : labels[number % APART]);
    return out;
}

/* Options by these bytes. Returns whether they name the twin, too. */
static bool choose(const uint8_t key[KEYS], hiss_config **config, hiss_data_options *options) {
    char text[1024], file[256], label[128];
    hiss_error err;
    const int several = key[0] % FILES;
    if (several == LIST) {
        snprintf(file, sizeof file, "[%s, %s]", path, twin);
    } else {
        snprintf(file, sizeof file, "'%s/%s'", folder, several == PATTERN ? "*.h5" : "input.h5");
    }
    snprintf(text, sizeof text,
             "data: {file: %s, memory: 1MiB, images: %s, labels: %s, layout: %s, range: %s, missing: %s, fields: %s, "
             "ignore_label: %s, "
             "label_column: %d, order: %s, follow: %s}",
             file, PICK(images, key[1]), labels_of(key, label), PICK(layouts, key[3]), PICK(ranges, key[4]),
             PICK(missing, key[5]), PICK(fields, key[6]), PICK(ignored, key[7]), key[8] % 8 - 1,
             key[9] & PERMUTED ? "permuted" : "file", key[9] & FOLLOW ? "true" : "false");
    if (hiss_config_parse("fuzz", text, config, &err) ||
        hiss_config_section(*config, "data", hiss_data_rows, hiss_data_nrows, options, &err)) {
        abort();
    }
    return several != ONE || key[2] % LABELS == APART;
}

/* ---- a data set ---- */

static void look_at_values(const hiss_dataset *set, const uint8_t *row) {
    const hiss_field *field;
    const int count = hiss_dataset_fields(set, &field);
    for (int k = 0; k < count; k++) {
        float *values = hiss_new(float, hiss_field_count(&field[k]));
        hiss_field_floats(&field[k], row + field[k].offset, field[k].low, values);
        hiss_free(values);
    }
}

static void look_at_classes(const hiss_dataset *set) {
    char *lines = hiss_dataset_class_lines(set);
    (void)hiss_dataset_classes_named(set);
    free(lines);
}

/* Whole slabs of chunks, as a rank reads them that holds its samples in memory. */
static void read_all(hiss_dataset *set) {
    enum { MOST_BYTES = 1 << 22 };
    const int64_t n = hiss_dataset_count(set), row = hiss_dataset_row(set);
    if (n <= MOST_BYTES / row) {
        hiss_error err;
        uint8_t *rows = hiss_alloc((size_t)(n * row));
        int32_t *label = hiss_dataset_labelled(set) ? hiss_new(int32_t, n) : NULL;
        (void)hiss_dataset_read(set, 0, n, rows, label, &err);
        hiss_free(label);
        hiss_free(rows);
    }
}

static void read_set(hiss_dataset *set) {
    hiss_error err;
    uint8_t *row = hiss_alloc((size_t)hiss_dataset_row(set));
    (void)hiss_dataset_read(set, 0, 1, row, NULL, &err);
    if (hiss_dataset_read(set, hiss_dataset_count(set) - 1, 1, row, NULL, &err) == HISS_OK) {
        fuzz_read++;
        look_at_values(set, row);
    }
    hiss_free(row);
    look_at_classes(set);
    read_all(set);
}

/* ---- what else reads data sets ---- */

static void prepare(const uint8_t key[KEYS], bool both) {
    const char *const files[] = {path, twin}, *layout = PICK(layouts, key[3]), *number = PICK(missing, key[5]);
    const hiss_prepare_options options = {.output = prepared,
                                          .seed = 1,
                                          .shuffle = key[9] & PERMUTED,
                                          .chunk = key[8] / 8 % 4,
                                          .deflate = key[8] / 8 % 4 ? 1 : 0,
                                          .layout = key[3] % 16 ? layout : NULL};
    const hiss_hdf5_source source = {.file = files,
                                     .nfiles = both ? 2 : 1,
                                     .images = PICK(images, key[1]),
                                     .labels = key[2] % LABELS == 1 ? "" : labels[key[2] % LABELS % APART],
                                     .label_column = key[8] % 8 - 1,
                                     .ignore_label = key[7] % 4 == 3 ? "ant" : NULL,
                                     .scaled = key[4] % 2,
                                     .high = 255,
                                     .missing = key[5] % 4 ? number : NULL};
    hiss_error err;
    fuzz_read += hiss_prepare_hdf5(&options, &source, &err) == HISS_OK;
}

static void generate(void) {
    const hiss_generator *g = hiss_generator_named("moving");
    void *options = hiss_alloc(g->options_bytes);
    char text[256];
    hiss_config *config;
    hiss_dataset *set = NULL;
    hiss_error err;
    snprintf(text, sizeof text, "generate: {items: %s, rows: 3, frames: 2, size: 8, item_size: 4}", path);
    if (hiss_config_parse("fuzz", text, &config, &err) ||
        hiss_config_section(config, "generate", g->rows, g->nrows, options, &err)) {
        abort();
    }
    if (hiss_dataset_generate(g, options, true, &set, &err) == HISS_OK) {
        read_set(set);
        hiss_dataset_close(set);
    }
    hiss_config_destroy(config);
    hiss_free(options);
}

/* As that of a test is opened beside that of the training. */
static void open_again(hiss_data_options options, const hiss_dataset *first) {
    hiss_dataset *set = NULL;
    hiss_error err;
    options.classes_of = first;
    if (hiss_dataset_open(&options, 1, &set, &err) == HISS_OK) {
        read_set(set);
        hiss_dataset_close(set);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t key[KEYS] = {0};
    hiss_config *config;
    hiss_data_options options = {0};
    hiss_dataset *set = NULL;
    hiss_error err;
    if (!*path) {
        make_folder();
    }
    if (size >= WORD + KEYS && memcmp(data + size - WORD - KEYS, "keys", WORD) == 0) {
        memcpy(key, data + size - KEYS, KEYS);
    }
    fuzz_write(path, data, size);
    unlink(twin);
    const bool both = choose(key, &config, &options);
    if (both) {
        fuzz_write(twin, data, size);
    }
    options.label_use = ((const int[]){HISS_LABELS_CHECKED, HISS_LABELS_OPTIONAL, HISS_LABELS_NEEDED})[key[8] / 8 % 3];
    if (key[9] & GENERATE) {
        generate();
    } else if (key[9] & PREPARE) {
        prepare(key, both);
    } else if (hiss_dataset_open(&options, 1, &set, &err) == HISS_OK) {
        read_set(set);
        if (key[9] & CLASSES) {
            open_again(options, set);
        }
        hiss_dataset_close(set);
    }
    hiss_config_destroy(config);
    return 0;
}
