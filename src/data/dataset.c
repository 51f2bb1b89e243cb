/* A data set of images: what is in the file, checked once at the start, and rows of it.
 *
 * Labels are checked when the set is opened and stay in memory (4 bytes a sample), pixels stay in the file.
 *
 * Positions are rows of the file, or their image under the permutation keyed by (seed, HISS_FOR_ORDER). Scattered rows
 * are read in ascending order, so that every chunk of the file is visited once; rows less than GAP_BYTES apart come in
 * one read, through a staging buffer, as a read costs as much as copying that many bytes.
 *
 * Cost: opening reads all labels, and all pixels when a recorded checksum is verified (about 1 GB/s a core). */
#include "dataset_impl.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/hash.h"
#include "hiss/log.h"

enum { GAP_BYTES = 1 << 15, STAGING_BYTES = 1 << 22, PIECE_BYTES = 1 << 24, PIECE_LABELS = 1 << 12 };
enum { ORDER_FILE, ORDER_PERMUTED };

#define ROW(key_, type_, field_, ...)                                                                                  \
    { key_, type_, offsetof(hiss_data_options, field_), __VA_ARGS__ }
const hiss_row hiss_data_rows[] = {
    ROW("file", HISS_PATH, file, NULL, 0, 0, NULL, "HDF5 file with the training samples; hiss prepare writes one"),
    ROW("images", HISS_STRING, images, "/images", 1, 0, NULL, "data set of pixels in file: uint8 [n,H,W,C] or [n,H,W]"),
    ROW("labels", HISS_STRING, labels, "/labels", 0, 0, NULL,
        "data set of labels in file, integers [n]; may be absent"),
    ROW("order", HISS_CHOICE, order, "file", 0, 0, "file|permuted",
        "which samples a lane reads: rows in file order, or permuted (for files sorted by class)"),
    ROW("mode", HISS_CHOICE, mode, "auto", 0, 0, "auto|memory|stream",
        "hold a rank's pixels in memory or stream them; auto streams what exceeds memory"),
    ROW("memory", HISS_INT, memory, "4GiB", 1, 0x1p62, NULL, "bytes of pixels a rank may hold"),
    ROW("window", HISS_INT, window, "0", 0, 0x1p62, NULL,
        "neighbouring samples shuffled together, read as one piece when streaming; 0: a lane's whole shard"),
    ROW("limit", HISS_INT, limit, "0", 0, 0x1p62, NULL, "use only the first so many samples; 0: all"),
    ROW("verify", HISS_BOOL, verify, "true", 0, 0, NULL, "check the file's recorded checksum at start"),
};
#undef ROW
const int hiss_data_nrows = HISS_COUNT(hiss_data_rows);

struct hiss_dataset {
    hiss_h5 *file; /* NULL: synthetic */
    uint64_t seed; /* of synthetic pixels */
    char *path, *images;
    int64_t rows; /* in the file */
    int64_t n;    /* in use */
    int64_t H, W, C;
    int32_t *label; /* [rows], or NULL */
    int64_t classes;
    bool permuted;
    hiss_permutation order;
    char identity[128];
};

/* ---- checks at the start ---- */

/* Whether these are images whose channels come first, as other programs have them. Images of up to 4 rows and 8 columns
 * of 8 channels or more are not, as long as they are far from square: signals. */
static bool channels_first(const hiss_h5_info *info) {
    enum { MOST_CHANNELS = 4, LEAST_SIDE = 8, MOST_ASPECT = 4 };
    const int64_t C = info->dim[1], H = info->dim[2], W = info->dim[3];
    return info->ndim == 4 && C <= MOST_CHANNELS && H >= LEAST_SIDE && W >= LEAST_SIDE && H / W < MOST_ASPECT &&
           W / H < MOST_ASPECT;
}

static hiss_status check_images(hiss_dataset *set, hiss_error *err) {
    hiss_h5_info info;
    hiss_status status = hiss_h5_look(set->file, set->images, &info, err);
    if (status) {
        return status;
    }
    char found[HISS_H5_INFO_TEXT];
    if (info.dtype != HISS_U8 || info.ndim < 3 || info.ndim > 4) {
        return hiss_fail(
            err, HISS_EUSER,
            "%s: data set %s holds %s; expected uint8 [n,H,W,C] or [n,H,W]: convert it, or name another data set",
            set->path, set->images, hiss_h5_info_text(&info, found));
    }
    if (channels_first(&info)) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s holds %s, which looks like [n,C,H,W]; expected [n,H,W,C], channels last: "
                         "write it anew as [%lld,%lld,%lld,%lld] (numpy: x.transpose(0, 2, 3, 1)), or name another "
                         "data set",
                         set->path, set->images, hiss_h5_info_text(&info, found), (long long)info.dim[0],
                         (long long)info.dim[2], (long long)info.dim[3], (long long)info.dim[1]);
    }
    set->rows = info.dim[0];
    set->H = info.dim[1];
    set->W = info.dim[2];
    set->C = info.ndim == 4 ? info.dim[3] : 1;
    if (set->rows < 1 || set->H < 1 || set->W < 1 || set->C < 1) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s is empty: [%lld,%lld,%lld,%lld]; expected at least one image", set->path,
                         set->images, (long long)set->rows, (long long)set->H, (long long)set->W, (long long)set->C);
    }
    return HISS_OK;
}

int64_t hiss_dataset_most_classes(int64_t samples) {
    const int64_t most = samples > HISS_MOST_CLASSES ? samples : HISS_MOST_CLASSES;
    return most < INT32_MAX ? most : INT32_MAX;
}

/* The value as it is in the file: what is read is cut to the range of int64. */
static const char *label_text(hiss_dataset *set, const char *labels, int64_t row, hiss_dtype dtype, int64_t value,
                              char text[32]) {
    uint64_t whole = 0;
    const bool wide = dtype == HISS_U64 && value == INT64_MAX &&
                      hiss_h5_read(set->file, labels, HISS_U64, row, 1, &whole, NULL) == HISS_OK;
    if (wide) {
        snprintf(text, 32, "%llu", (unsigned long long)whole);
    } else {
        snprintf(text, 32, "%lld", (long long)value);
    }
    return text;
}

static hiss_status fail_label(hiss_dataset *set, const hiss_data_options *from, int64_t row, const char *value,
                              int64_t most, hiss_error *err) {
    const char *key = from->keys.labels ? from->keys.labels : "data.labels";
    const bool ours = strcmp(key, "data.labels") == 0;
    return hiss_fail(err, HISS_EUSER,
                     "%s: row %lld of data set %s is %s; expected class numbers from 0 to %lld: number the classes 0, "
                     "1, 2, ..., or name another data set%s",
                     set->path, (long long)row, from->labels, value, (long long)(most - 1),
                     ours ? "; to do without labels: --set 'data.labels=\"\"'" : "");
}

/* One wrong label makes as many classes as it is large; a file whose classes are numbered with gaps is in order. */
static void warn_of_gaps(const hiss_dataset *set, const hiss_data_options *from) {
    if (hiss_log_rank() != 0) {
        return;
    }
    bool *seen = hiss_new(bool, set->classes);
    int64_t used = 0, largest = 0;
    for (int64_t i = 0; i < set->rows; i++) {
        used += !seen[set->label[i]];
        seen[set->label[i]] = true;
        largest = set->label[i] > set->label[largest] ? i : largest;
    }
    if (2 * used < set->classes && 2 * used < set->rows) {
        char where[HISS_WHERE];
        const char *key = from->keys.labels ? from->keys.labels : "data.labels";
        hiss_warn("%s: %s: %lld classes by the largest label of data set %s, %lld in row %lld, but only %lld of them "
                  "have samples; is that label right?",
                  hiss_config_where(from->keys.config, key, where), set->path, (long long)set->classes, from->labels,
                  (long long)set->label[largest], (long long)largest, (long long)used);
    }
    hiss_free(seen);
}

static hiss_status read_labels(hiss_dataset *set, const hiss_data_options *from, hiss_error *err) {
    const char *labels = from->labels;
    hiss_h5_info info;
    hiss_status status = hiss_h5_look(set->file, labels, &info, err);
    if (status) {
        return status;
    }
    if (!hiss_dtype_is_integer(info.dtype) || info.ndim != 1 || info.dim[0] != set->rows) {
        char found[HISS_H5_INFO_TEXT];
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s holds %s; expected integers [%lld], one for each row of %s: name another "
                         "data set",
                         set->path, labels, hiss_h5_info_text(&info, found), (long long)set->rows, set->images);
    }
    const int64_t most = hiss_dataset_most_classes(set->rows);
    set->label = hiss_new(int32_t, set->rows);
    int64_t piece[PIECE_LABELS];
    for (int64_t begin = 0; begin < set->rows; begin += PIECE_LABELS) {
        int64_t count = set->rows - begin < PIECE_LABELS ? set->rows - begin : PIECE_LABELS;
        if ((status = hiss_h5_read(set->file, labels, HISS_I64, begin, count, piece, err))) {
            return status;
        }
        for (int64_t i = 0; i < count; i++) {
            const int64_t value = piece[i];
            if (value < 0 || value >= most) {
                char text[32];
                label_text(set, labels, begin + i, info.dtype, value, text);
                return fail_label(set, from, begin + i, text, most, err);
            }
            set->label[begin + i] = (int32_t)value;
            set->classes = value >= set->classes ? value + 1 : set->classes;
        }
    }
    warn_of_gaps(set, from);
    return HISS_OK;
}

/* Recompute the checksum that hiss prepare recorded over /images and /labels. */
static hiss_status verify(hiss_dataset *set, const char *recorded, hiss_error *err) {
    char found[HISS_HASH_TEXT];
    int64_t row = data_set_row(set), at_once = PIECE_BYTES / row + 1;
    uint8_t *piece = hiss_alloc((size_t)(at_once * row));
    hiss_hash *hash = hiss_hash_begin();
    hiss_status status = HISS_OK;
    for (int64_t begin = 0; begin < set->rows && !status; begin += at_once) {
        int64_t count = set->rows - begin < at_once ? set->rows - begin : at_once;
        status = hiss_h5_read(set->file, set->images, HISS_U8, begin, count, piece, err);
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
    if (strcmp(set->images + (*set->images == '/'), "images") != 0) {
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

static hiss_status identify(hiss_dataset *set, bool check, hiss_error *err) {
    char *recorded = NULL;
    if (has_checksum(set) && hiss_h5_get_text(set->file, "/", "sha256", &recorded, NULL) == HISS_OK) {
        snprintf(set->identity, sizeof set->identity, "sha256 %s", recorded);
        hiss_status status = check ? verify(set, recorded, err) : HISS_OK;
        hiss_free(recorded);
        return status;
    }
    snprintf(set->identity, sizeof set->identity, "%lld bytes uint8 [%lld,%lld,%lld,%lld]",
             (long long)(set->rows * data_set_row(set)), (long long)set->rows, (long long)set->H, (long long)set->W,
             (long long)set->C);
    return HISS_OK;
}

/* ---- whose fault it is ---- */

/* Put the place of the key in front of the error. A key that is not set speaks with the value of another, standard. */
static hiss_status blame(const hiss_config *config, const char *key, const char *standard, hiss_status status,
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
    return blame(keys->config, keys->file, "data.file", status, err);
}

static hiss_status check_all(hiss_dataset *set, const hiss_data_options *options, hiss_error *err) {
    const hiss_data_keys *keys = &options->keys;
    hiss_status status = blame(keys->config, keys->images, "data.images", check_images(set, err), err);
    if (!status && options->labels && *options->labels) {
        bool standard = !strcmp(options->labels, "/labels"); /* any other name was asked for, so it must exist */
        if (standard && !hiss_h5_has(set->file, options->labels)) {
            hiss_info("%s has no labels (no data set %s)", set->path, options->labels);
        } else {
            status = blame(keys->config, keys->labels, "data.labels", read_labels(set, options, err), err);
        }
    }
    return status ? status : blame_file(keys, identify(set, options->verify, err), err);
}

static char *copy_text(const char *text) {
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
    *set = (hiss_dataset){.file = file, .path = copy_text(options->file), .images = copy_text(options->images)};
    if ((status = check_all(set, options, err))) {
        hiss_dataset_close(set);
        return status;
    }
    set->n = options->limit > 0 && options->limit < set->rows ? options->limit : set->rows;
    set->permuted = options->order == ORDER_PERMUTED;
    set->order = hiss_permutation_keyed(seed, HISS_FOR_ORDER, 0, 0, set->rows);
    *out = set;
    return HISS_OK;
}

hiss_dataset *hiss_dataset_synthetic(int64_t n, int64_t H, int64_t W, int64_t C, int64_t classes, uint64_t seed) {
    assert(n >= 1 && H >= 1 && W >= 1 && C >= 1 && classes >= 0);
    hiss_dataset *set = hiss_new(hiss_dataset, 1);
    *set = (hiss_dataset){.seed = seed, .rows = n, .n = n, .H = H, .W = W, .C = C, .classes = classes};
    set->label = classes ? hiss_new(int32_t, n) : NULL;
    for (int64_t i = 0; classes && i < n; i++) {
        set->label[i] = (int32_t)(i % classes);
    }
    snprintf(set->identity, sizeof set->identity, "synthetic uint8 [%lld,%lld,%lld,%lld]", (long long)n, (long long)H,
             (long long)W, (long long)C);
    return set;
}

void hiss_dataset_close(hiss_dataset *set) {
    if (set) {
        hiss_h5_close(set->file, NULL);
        hiss_free(set->label);
        hiss_free(set->images);
        hiss_free(set->path);
        hiss_free(set);
    }
}

/* ---- facts ---- */

int64_t hiss_dataset_count(const hiss_dataset *set) {
    return set->n;
}

void hiss_dataset_shape(const hiss_dataset *set, int64_t *H, int64_t *W, int64_t *C) {
    *H = set->H;
    *W = set->W;
    *C = set->C;
}

int64_t data_set_row(const hiss_dataset *set) {
    return set->H * set->W * set->C;
}

bool hiss_dataset_labelled(const hiss_dataset *set) {
    return set->label != NULL;
}

int64_t hiss_dataset_classes(const hiss_dataset *set) {
    return set->classes;
}

const char *hiss_dataset_identity(const hiss_dataset *set) {
    return set->identity;
}

bool data_set_in_file_order(const hiss_dataset *set) {
    return !set->permuted;
}

static int64_t row_of(const hiss_dataset *set, int64_t position) {
    return set->permuted ? hiss_permutation_at(&set->order, position) : position;
}

int32_t data_set_label(const hiss_dataset *set, int64_t position) {
    return set->label[row_of(set, position)];
}

/* ---- rows ---- */

static void make_pixels(const hiss_dataset *set, int64_t row, uint8_t *out) {
    const int64_t bytes = data_set_row(set);
    hiss_rng rng = hiss_rng_keyed(set->seed, HISS_FOR_TESTS, 0, row);
    for (int64_t i = 0; i < bytes; i += 4) {
        const uint32_t word = hiss_rng_word(&rng);
        memcpy(out + i, &word, (size_t)(bytes - i < 4 ? bytes - i : 4));
    }
}

static hiss_status read_rows(hiss_dataset *set, int64_t begin, int64_t count, uint8_t *out, hiss_error *err) {
    if (set->file) {
        return hiss_h5_read(set->file, set->images, HISS_U8, begin, count, out, err);
    }
    for (int64_t i = 0; i < count; i++) {
        make_pixels(set, begin + i, out + i * data_set_row(set));
    }
    return HISS_OK;
}

void data_gather_create(const hiss_dataset *set, int64_t capacity, data_gather *out) {
    int64_t row = data_set_row(set);
    *out = (data_gather){.pick = hiss_new(struct data_pick, capacity),
                         .capacity = capacity,
                         .staging_rows = STAGING_BYTES / row + 1,
                         .staging = hiss_alloc((size_t)((STAGING_BYTES / row + 1) * row))};
}

void data_gather_destroy(data_gather *gather) {
    hiss_free(gather->pick);
    hiss_free(gather->staging);
}

void data_gather_add(const hiss_dataset *set, data_gather *gather, int64_t position, uint8_t *to) {
    assert(gather->count < gather->capacity && 0 <= position && position < set->n);
    gather->pick[gather->count++] = (struct data_pick){row_of(set, position), to};
}

static int by_row(const void *a, const void *b) {
    int64_t left = ((const struct data_pick *)a)->row, right = ((const struct data_pick *)b)->row;
    return (left > right) - (left < right);
}

hiss_status data_gather_run(hiss_dataset *set, data_gather *gather, hiss_error *err) {
    int64_t row = data_set_row(set), count = gather->count;
    struct data_pick *pick = gather->pick;
    gather->count = 0;
    qsort(pick, (size_t)count, sizeof *pick, by_row);
    for (int64_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && (pick[next].row - pick[next - 1].row - 1) * row <= GAP_BYTES &&
                           pick[next].row - pick[i].row < gather->staging_rows;
             next++) {
        }
        int64_t span = pick[next - 1].row - pick[i].row + 1;
        uint8_t *to = next == i + 1 ? pick[i].to : gather->staging;
        hiss_status status = read_rows(set, pick[i].row, span, to, err);
        if (status) {
            return status;
        }
        for (int64_t k = i; next > i + 1 && k < next; k++) {
            memcpy(pick[k].to, gather->staging + (pick[k].row - pick[i].row) * row, (size_t)row);
        }
    }
    return HISS_OK;
}

/* The samples position[count], or, where that is NULL, those from begin on. */
static hiss_status gather_list(hiss_dataset *set, int64_t begin, int64_t count, const int64_t *position,
                               uint8_t *pixels, hiss_error *err) {
    data_gather gather;
    data_gather_create(set, count, &gather);
    for (int64_t i = 0; i < count; i++) {
        data_gather_add(set, &gather, position ? position[i] : begin + i, pixels + i * data_set_row(set));
    }
    const hiss_status status = data_gather_run(set, &gather, err);
    data_gather_destroy(&gather);
    return status;
}

hiss_status hiss_dataset_read(hiss_dataset *set, int64_t begin, int64_t count, uint8_t *pixels, int32_t *labels,
                              hiss_error *err) {
    assert(0 <= begin && 0 <= count && count <= set->n - begin && (!labels || set->label));
    for (int64_t i = 0; labels && i < count; i++) {
        labels[i] = data_set_label(set, begin + i);
    }
    if (!pixels) {
        return HISS_OK;
    }
    if (!set->permuted) {
        return read_rows(set, begin, count, pixels, err);
    }
    return gather_list(set, begin, count, NULL, pixels, err);
}

hiss_status hiss_dataset_read_list(hiss_dataset *set, int64_t count, const int64_t *position, uint8_t *pixels,
                                   int32_t *labels, hiss_error *err) {
    for (int64_t i = 0; labels && i < count; i++) {
        labels[i] = data_set_label(set, position[i]);
    }
    return pixels ? gather_list(set, 0, count, position, pixels, err) : HISS_OK;
}
