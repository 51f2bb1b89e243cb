/* A data set: what is in the file, checked once at the start. Its fields (fields.c) stay in the file, where rows of them
 * are read by position (gather.c); its labels (labels.c) are in memory.
 *
 * Cost: opening reads all labels, some rows for the identity, and all pixels when a recorded checksum is verified (about 1 GB/s a core). */
#include "dataset_impl.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/identity.h"
#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/hash.h"
#include "hiss/log.h"

enum { PIECE_BYTES = 1 << 24, PIECE_LABELS = 1 << 12 };
enum { ORDER_FILE, ORDER_PERMUTED };

#define ROW(key_, type_, field_, ...)                                                                                  \
    { key_, type_, offsetof(hiss_data_options, field_), __VA_ARGS__ }
const hiss_row hiss_data_rows[] = {
    ROW("file", HISS_PATH, file, NULL, 0, 0, NULL, "HDF5 file with the training samples; hiss prepare writes one"),
    ROW("images", HISS_STRING, images, "/images", 1, 0, NULL,
        "data set of pixels in file: numbers [n,H,W,C] or [n,H,W], or as layout says"),
    ROW("layout", HISS_NODE, layout, NULL, 0, 0, NULL,
        "the axes of images, as NHWC, NCHW, HWCN or NHW (MATLAB: NCWH); or of fields, as {clip: NTHWC}"),
    ROW("range", HISS_NODE, range, NULL, 0, 0, NULL,
        "pixels for black and white, [low, high]; null: 0 and the largest of an integer type, 0 and 1 of others"),
    ROW("fields", HISS_NODE, fields, NULL, 0, 0, NULL,
        "further parts of a sample, name: data set of numbers [n,...] in file, as {clip: /clips}"),
    ROW("labels", HISS_STRING, labels, "/labels", 0, 0, NULL,
        "data set of labels in file, or FILE:/NAME in another; may be absent: integers, strings, one-hot and others"),
    ROW("label_column", HISS_INT, label_column, "-1", -1, 0x1p31, NULL,
        "column of labels, from 0, where they are many in a row; -1: none, such rows are one-hot"),
    ROW("ignore_label", HISS_STRING, ignore_label, "-1", 0, 0, NULL,
        "label of samples that have none; '': every label is a class"),
    ROW("order", HISS_CHOICE, order, "file", 0, 0, "file|permuted",
        "which samples a lane reads: rows in file order, or permuted (for files sorted by class)"),
    ROW("mode", HISS_CHOICE, mode, "auto", 0, 0, "auto|memory|stream",
        "hold a rank's samples in memory or stream them; auto streams what exceeds memory"),
    ROW("memory", HISS_INT, memory, "4GiB", 1, 0x1p62, NULL, "bytes of samples a rank may hold"),
    ROW("window", HISS_INT, window, "0", 0, 0x1p62, NULL,
        "neighbouring samples shuffled together, read as one piece when streaming; 0: a lane's whole shard"),
    ROW("limit", HISS_INT, limit, "0", 0, 0x1p62, NULL, "use only the first so many samples; 0: all"),
    ROW("verify", HISS_BOOL, verify, "true", 0, 0, NULL, "check the file's recorded checksum at start"),
};
#undef ROW
const int hiss_data_nrows = HISS_COUNT(hiss_data_rows);

/* ---- identity ---- */

/* Recompute the checksum that hiss prepare recorded over /images and /labels. */
static hiss_status verify(hiss_dataset *set, const char *recorded, hiss_error *err) {
    char found[HISS_HASH_TEXT];
    int64_t row = set->field[DATA_IMAGE].bytes, at_once = PIECE_BYTES / row + 1;
    uint8_t *piece = hiss_alloc((size_t)(at_once * row));
    hiss_hash *hash = hiss_hash_begin();
    hiss_status status = HISS_OK;
    for (int64_t begin = 0; begin < set->rows && !status; begin += at_once) {
        int64_t count = set->rows - begin < at_once ? set->rows - begin : at_once;
        status = hiss_h5_read_rows(set->source[DATA_IMAGE].file, set->source[DATA_IMAGE].dataset, HISS_U8, 0, begin,
                                   count, row, piece, err);
        hiss_hash_add(hash, piece, (size_t)(count * row));
    }
    if (!status && hiss_h5_has(set->file, "/labels")) {
        int32_t label[PIECE_LABELS];
        for (int64_t begin = 0; begin < set->rows && !status; begin += PIECE_LABELS) {
            int64_t count = set->rows - begin < PIECE_LABELS ? set->rows - begin : PIECE_LABELS;
            status = hiss_h5_read(set->file, "/labels", HISS_I32, begin, count, label, err);
            hiss_hash_add(hash, label, sizeof(int32_t) * (size_t)count);
        }
    }
    hiss_free(piece);
    hiss_hash_end(hash, found);
    if (!status && strcmp(found, recorded)) {
        status =
            hiss_fail(err, HISS_EUSER,
                      "%s: the pixels and labels have SHA-256 %.16s..., recorded is %.16s...: the file was changed "
                      "or damaged; prepare it again, or set data.verify: false",
                      set->path, found, recorded);
    }
    return status;
}

/* The checksum speaks of the data set /images only, and in files by hiss prepare only. */
static bool has_checksum(hiss_dataset *set) {
    char *format = NULL;
    hiss_error err;
    if (strcmp(set->source[DATA_IMAGE].dataset + (*set->source[DATA_IMAGE].dataset == '/'), "images") != 0) {
        return false;
    }
    const hiss_status status = hiss_h5_get_text(set->file, "/", "hiss_format", &format, &err);
    if (status == HISS_ESYSTEM) {
        hiss_warn("%s; no checksum is verified", err.text);
    }
    const bool ours = status == HISS_OK && !strcmp(format, HISS_IMAGES_FORMAT);
    hiss_free(format);
    return ours;
}

static hiss_status read_sample(void *set_, int64_t count, const int64_t *row, uint8_t *out, hiss_error *err) {
    hiss_dataset *set = set_;
    hiss_status status = HISS_OK;
    memset(out, 0, (size_t)(count * set->row)); /* what lies between fields */
    for (int64_t k = 0; k < count && !status; k++) {
        status = data_fields_read(set, row[k], 1, out + k * set->row, err);
    }
    return status;
}

static hiss_status identify(hiss_dataset *set, bool check, hiss_error *err) {
    char *recorded = NULL, rows[IDENTITY_DIGITS + 1], labels[IDENTITY_DIGITS + 1];
    size_t size;
    const bool has = has_checksum(set) && hiss_h5_get_text(set->file, "/", "sha256", &recorded, NULL) == HISS_OK;
    hiss_status status = has && check ? verify(set, recorded, err) : HISS_OK;
    status = status ? status : data_identity_rows(set->rows, set->row, read_sample, set, rows, err);
    FILE *text = hiss_text_open(&set->identity, &size);
    for (int k = 0; k < set->fields && !status; k++) {
        if (k > DATA_IMAGE) {
            fprintf(text, ", %s ", set->field[k].name);
        }
        data_fields_describe(set, k, text);
    }
    if (!status) {
        fprintf(text, IDENTITY_PIXELS "%s", rows);
    }
    if (!status && set->label) {
        char *classes = hiss_dataset_class_lines(set);
        data_identity_labels(set->rows, set->label, classes, labels);
        free(classes);
        fprintf(text, IDENTITY_LABELS "%s", labels);
    }
    if (!status && has) {
        fprintf(text, IDENTITY_SHA256 "%.64s", recorded);
    }
    hiss_free(recorded);
    fclose(text);
    return status;
}

/* ---- whose fault it is ---- */

/* Put the place of the key in front of the error. A key that is not set speaks with the value of another, standard. */
hiss_status data_blame(const hiss_config *config, const char *key, const char *standard, hiss_status status,
                       hiss_error *err) {
    char where[HISS_WHERE], other[HISS_WHERE];
    const hiss_error why = status && err ? *err : (hiss_error){0};
    key = key ? key : standard;
    if (!status || !err) {
        return status;
    }
    if (strcmp(key, standard) == 0 || (config && hiss_config_has(config, key))) {
        return hiss_fail(err, status, "%s: %s", hiss_config_where(config, key, where), why.text);
    }
    return hiss_fail(err, status, "%s (not set; as %s): %s", key, hiss_config_where(config, standard, other), why.text);
}

static hiss_status blame_file(const hiss_data_keys *keys, hiss_status status, hiss_error *err) {
    return data_blame(keys->config, keys->file, "data.file", status, err);
}

static void warn_of_unwritten(const hiss_dataset *set, const char *name) {
    char unwritten[HISS_H5_INFO_TEXT];
    if (hiss_log_rank() == 0 && hiss_h5_unwritten(set->file, name, unwritten)) {
        hiss_warn("%s: data set %s: %s", set->path, name, unwritten);
    }
}

static hiss_status open_labels(hiss_dataset *set, const hiss_data_options *options, hiss_error *err) {
    if (!options->labels || !*options->labels) {
        return HISS_OK;
    }
    const bool standard = !strcmp(options->labels, "/labels"); /* any other name was asked for, so it must exist */
    if (standard && !hiss_h5_has(set->file, options->labels)) {
        hiss_info("%s has no labels (no data set %s)", set->path, options->labels);
        return HISS_OK;
    }
    hiss_error why = {0};
    const char *key = NULL;
    const hiss_data_keys *keys = &options->keys;
    hiss_status status = data_labels_read(set, options, &key, &why);
    status = data_blame(keys->config, strcmp(key, "data.labels") == 0 ? keys->labels : NULL, key, status, &why);
    if (status && options->label_use == HISS_LABELS_OPTIONAL) {
        if (hiss_log_rank() == 0) {
            hiss_warn("%s; going on without labels", why.text);
        }
        return HISS_OK;
    }
    if (status && err) {
        *err = why;
    }
    if (!status && options->label_use == HISS_LABELS_NEEDED) {
        data_labels_keep(set);
    }
    return status;
}

static hiss_status check_all(hiss_dataset *set, const hiss_data_options *options, hiss_error *err) {
    const hiss_data_keys *keys = &options->keys;
    hiss_status status = data_fields_check(set, options, err);
    status = status ? status : open_labels(set, options, err);
    if (!status && set->label) {
        warn_of_unwritten(set, options->labels);
    }
    for (int k = 0; k < set->fields && !status; k++) {
        warn_of_unwritten(set, set->source[k].dataset);
    }
    return status ? status : blame_file(keys, identify(set, options->verify, err), err);
}

char *data_text_copy(const char *text) {
    return strcpy(hiss_alloc(strlen(text) + 1), text);
}

hiss_status hiss_dataset_open(const hiss_data_options *options, uint64_t seed, hiss_dataset **out, hiss_error *err) {
    if (!options->file || !*options->file) {
        return hiss_fail(err, HISS_EUSER,
                         "data.file is not set; give the HDF5 file with the samples, as in `data: {file: train.h5}`");
    }
    hiss_h5 *file;
    hiss_status status = hiss_file_expect(options->file, "the data file",
                                          "give the path of an HDF5 file; `hiss prepare` writes one", err);
    status = status ? status : hiss_h5_open(options->file, &file, err);
    if (status) {
        return blame_file(&options->keys, status, err);
    }
    hiss_dataset *set = hiss_new(hiss_dataset, 1);
    *set = (hiss_dataset){.file = file, .path = data_text_copy(options->file)};
    pthread_mutex_init(&set->lock, NULL);
    if ((status = check_all(set, options, err))) {
        hiss_dataset_close(set);
        return status;
    }
    const int64_t rows = set->kept ? set->kept_count : set->rows;
    set->n = options->limit > 0 && options->limit < rows ? options->limit : rows;
    set->permuted = options->order == ORDER_PERMUTED;
    set->order = hiss_permutation_keyed(seed, HISS_FOR_ORDER, 0, 0, rows);
    *out = set;
    return HISS_OK;
}

hiss_dataset *hiss_dataset_synthetic(int64_t n, int64_t H, int64_t W, int64_t C, int64_t classes, uint64_t seed) {
    assert(n >= 1 && H >= 1 && W >= 1 && C >= 1 && classes >= 0);
    hiss_dataset *set = hiss_new(hiss_dataset, 1);
    *set = (hiss_dataset){.seed = seed, .rows = n, .n = n, .classes = data_classes_numbered(classes)};
    pthread_mutex_init(&set->lock, NULL);
    data_fields_synthetic(set, H, W, C);
    set->label = classes ? hiss_new(int32_t, n) : NULL;
    for (int64_t i = 0; classes && i < n; i++) {
        set->label[i] = (int32_t)(i % classes);
    }
    size_t size;
    FILE *text = hiss_text_open(&set->identity, &size);
    fputs("synthetic ", text);
    data_fields_describe(set, DATA_IMAGE, text);
    fclose(text);
    return set;
}

void hiss_dataset_close(hiss_dataset *set) {
    if (set) {
        hiss_h5_close(set->file, NULL);
        hiss_free(set->label);
        hiss_free(set->kept);
        data_classes_free(&set->classes);
        data_fields_destroy(set);
        pthread_mutex_destroy(&set->lock);
        free(set->identity);
        hiss_free(set->path);
        hiss_free(set);
    }
}

/* ---- facts ---- */

int64_t hiss_dataset_count(const hiss_dataset *set) {
    return set->n;
}

int hiss_dataset_fields(const hiss_dataset *set, const hiss_field **fields) {
    *fields = set->field;
    return set->fields;
}

const hiss_field *hiss_dataset_field(const hiss_dataset *set, const char *name) {
    for (int k = 0; k < set->fields; k++) {
        if (strcmp(set->field[k].name, name) == 0) {
            return &set->field[k];
        }
    }
    return NULL;
}

const char *hiss_dataset_file(const hiss_dataset *set) {
    return set->file ? set->path : "synthetic images";
}

int64_t hiss_dataset_row(const hiss_dataset *set) {
    return set->row;
}

void hiss_dataset_shape(const hiss_dataset *set, int64_t *H, int64_t *W, int64_t *C) {
    const hiss_field *image = &set->field[DATA_IMAGE];
    assert(image->ndim == 3);
    *H = image->dim[0];
    *W = image->dim[1];
    *C = image->dim[2];
}

bool hiss_dataset_labelled(const hiss_dataset *set) {
    return set->label != NULL;
}

int64_t hiss_dataset_classes(const hiss_dataset *set) {
    return set->classes.count;
}

const char *hiss_dataset_class(const hiss_dataset *set, int64_t c) {
    assert(0 <= c && c < set->classes.count);
    return set->classes.at[c].name;
}

bool hiss_dataset_classes_named(const hiss_dataset *set) {
    bool named = false;
    for (int64_t c = 0; c < set->classes.count && !named; c++) {
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)c);
        named = strcmp(set->classes.at[c].name, number) != 0;
    }
    return named;
}

char *hiss_dataset_class_lines(const hiss_dataset *set) {
    char *text = NULL;
    size_t size;
    FILE *stream = hiss_text_open(&text, &size);
    for (int64_t c = 0; c < set->classes.count; c++) {
        fprintf(stream, "%s\n", set->classes.at[c].name);
    }
    fclose(stream);
    return text;
}

const char *hiss_dataset_identity(const hiss_dataset *set) {
    return set->identity;
}

double hiss_dataset_amplification(const hiss_dataset *set, int64_t window) {
    const double at_once = (double)set->dearest_layout.rows_at_once;
    return !set->file ? 1.0 : window > 0 ? 1.0 + (at_once - 1.0) / (double)window : at_once;
}

const char *hiss_dataset_dearest(const hiss_dataset *set) {
    return set->dearest;
}

bool data_set_in_file_order(const hiss_dataset *set) {
    return !set->permuted && !set->kept;
}

int64_t data_set_row_of(const hiss_dataset *set, int64_t position) {
    const int64_t place = set->permuted ? hiss_permutation_at(&set->order, position) : position;
    return set->kept ? set->kept[place] : place;
}

/* The place of a row among those in use, or -1. */
static int64_t place_of(const hiss_dataset *set, int64_t row) {
    int64_t low = 0, high = set->kept_count;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        low = set->kept[middle] < row ? middle + 1 : low;
        high = set->kept[middle] < row ? high : middle;
    }
    return low < set->kept_count && set->kept[low] == row ? low : -1;
}

int64_t data_set_position_of(const hiss_dataset *set, int64_t row) {
    const int64_t place = set->kept ? place_of(set, row) : row;
    return set->permuted && place >= 0 ? hiss_permutation_find(&set->order, place) : place;
}

int32_t data_set_label(const hiss_dataset *set, int64_t position) {
    return set->label[data_set_row_of(set, position)];
}
