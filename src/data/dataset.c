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
#include "hiss/generate.h"
#include "hiss/hash.h"
#include "hiss/log.h"
#include "objects_impl.h"
#include "stamp.h"

enum { PIECE_BYTES = 1 << 24, PIECE_LABELS = 1 << 12 };

#define ROW(key_, type_, field_, ...)                                                                                  \
    { key_, type_, offsetof(hiss_data_options, field_), __VA_ARGS__ }
const hiss_row hiss_data_rows[] = {
    ROW("file", HISS_PATHS, file, NULL, 0, 0, NULL,
        "HDF5 file with the training samples, as hiss prepare writes one; or several, as [A, B] or train-*.h5"),
    ROW("follow", HISS_NODE, follow, NULL, 0, 0, NULL,
        "true: read virtual data sets and links into other files below the folder of file, or a list of folders more"),
    ROW("generate", HISS_NAME, generate, "none", 0, 0, hiss_generator_choices,
        "make the samples, by section generate, instead of reading a file"),
    ROW("images", HISS_STRING, images, "/images", 1, 0, NULL,
        "data set of pixels in file: numbers [n,H,W,C] or [n,H,W], or as layout says"),
    ROW("layout", HISS_NODE, layout, NULL, 0, 0, NULL,
        "the axes of images, as NHWC, NCHW, HWCN or NHW (MATLAB: NCWH); or of fields, as {clip: NTHWC}"),
    ROW("range", HISS_NODE, range, NULL, 0, 0, NULL,
        "pixels for black and white, [low, high]; null: 0 and the largest of an integer type, 0 and 1 of others"),
    ROW("missing", HISS_NODE, missing, NULL, 0, 0, NULL,
        "value in place of pixels that have none (NaN, or as netCDF's _FillValue says); null: they are an error"),
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
    ROW("labelled", HISS_INT, labelled, "0", 0, 0x1p31, NULL,
        "for methods that learn from few labels: samples of each class, drawn by seed, which all ranks hold"),
    ROW("verify", HISS_BOOL, verify, "true", 0, 0, NULL, "check the file's recorded checksum at start"),
};
#undef ROW
const int hiss_data_nrows = HISS_COUNT(hiss_data_rows);

/* ---- identity ---- */

/* Recompute the checksum that hiss prepare recorded over /images and /labels of a file. */
static hiss_status verify(hiss_dataset *set, int64_t number, hiss_h5 *file, const char *recorded, hiss_error *err) {
    char found[HISS_HASH_TEXT];
    const data_source *source = &set->source[DATA_IMAGE];
    const int64_t first = data_joined_first(source->joined, number),
                  end = data_joined_first(source->joined, number + 1);
    const int64_t row = set->field[DATA_IMAGE].bytes, at_once = PIECE_BYTES / row + 1;
    uint8_t *piece = hiss_alloc((size_t)(at_once * row));
    hiss_hash *hash = hiss_hash_begin();
    hiss_status status = HISS_OK;
    for (int64_t begin = first; begin < end && !status; begin += at_once) {
        const int64_t count = end - begin < at_once ? end - begin : at_once;
        status = data_joined_read(source->joined, set->field[DATA_IMAGE].dtype, begin, count, row, piece, err);
        hiss_hash_add(hash, piece, (size_t)(count * row));
    }
    if (!status && hiss_h5_has(file, "/labels")) {
        int32_t label[PIECE_LABELS];
        for (int64_t begin = 0; begin < end - first && !status; begin += PIECE_LABELS) {
            const int64_t count = end - first - begin < PIECE_LABELS ? end - first - begin : PIECE_LABELS;
            status = hiss_h5_read(file, "/labels", HISS_I32, begin, count, label, err);
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
                      data_files_path(set->files, number), found, recorded);
    }
    return status;
}

bool data_prepared(hiss_h5 *file, const char *images, hiss_error *err) {
    char *format = NULL;
    *err = (hiss_error){0};
    const bool ours = strcmp(images + (*images == '/'), "images") == 0 &&
                      hiss_h5_get_text(file, "/", "hiss_format", &format, err) == HISS_OK &&
                      strcmp(format, HISS_IMAGES_FORMAT) == 0;
    hiss_free(format);
    return ours;
}

/* The checksum speaks of the data set /images only, and in files by hiss prepare only. NULL: there is none. */
static char *checksum_of(const hiss_dataset *set, hiss_h5 *file) {
    char *recorded = NULL;
    hiss_error err = {0};
    const bool ours = !set->apart && data_prepared(file, set->source[DATA_IMAGE].dataset, &err);
    if (!ours && err.code == HISS_ESYSTEM) {
        hiss_warn("%s; no checksum is verified", err.text);
    }
    return ours && hiss_h5_get_text(file, "/", "sha256", &recorded, NULL) == HISS_OK ? recorded : NULL;
}

/* Verify each file that has a checksum; *recorded is that of an only file. */
static hiss_status verify_all(hiss_dataset *set, bool check, char **recorded, hiss_error *err) {
    const int64_t count = data_files_count(set->files);
    hiss_status status = HISS_OK;
    for (int64_t k = 0; k < count && !status && (check || count == 1); k++) {
        hiss_h5 *file;
        if ((status = data_files_hold(set->files, k, &file, err))) {
            break;
        }
        char *checksum = checksum_of(set, file);
        status = checksum && check ? verify(set, k, file, checksum, err) : HISS_OK;
        status =
            status || !checksum || !check ? status : data_objects_verify(file, data_files_path(set->files, k), err);
        data_files_release(set->files, file);
        if (count == 1) {
            *recorded = checksum;
        } else {
            hiss_free(checksum);
        }
    }
    return status;
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

/* Whether the samples are still those of the identity, where times say that files may have been written. */
static hiss_status expect_same_samples(hiss_dataset *set, const char *touched, hiss_error *err) {
    char *recorded = NULL, rows[IDENTITY_DIGITS + 1], expected[sizeof IDENTITY_PIXELS + IDENTITY_DIGITS];
    data_files_forget(set->files);
    for (int k = 0; k < set->fields; k++) {
        data_files_forget(set->source[k].files);
    }
    hiss_error why;
    hiss_status status = verify_all(set, set->verify, &recorded, &why);
    status = status ? status : data_identity_rows(set->rows, set->row, read_sample, set, rows, &why);
    hiss_free(recorded);
    snprintf(expected, sizeof expected, IDENTITY_PIXELS "%s", rows);
    return !status && strstr(set->identity, expected) ? HISS_OK : data_stamp_overwritten(touched, err);
}

hiss_status hiss_dataset_unchanged(hiss_dataset *set, hiss_error *err) {
    const char *touched;
    int64_t count;
    if (!set->files || !atomic_exchange(&set->read, false)) {
        return HISS_OK;
    }
    hiss_status status = data_files_unchanged(set->files, &touched, &count, err);
    if (status || !count) {
        return status;
    }
    if ((status = expect_same_samples(set, touched, err))) {
        return status;
    }
    data_files_accept(set->files);
    if (hiss_log_rank() == 0) {
        char more[64] = "";
        if (count > 1) {
            snprintf(more, sizeof more, " and %lld more files", (long long)count - 1);
        }
        hiss_warn("%s%s: touched while in use: size and samples are those from before, as far as was compared", touched,
                  more);
    }
    return HISS_OK;
}

/* The checksum of what is read of targets and boxes, of an only file; hiss_free it. NULL: there is none. */
static char *objects_checksum(hiss_dataset *set) {
    hiss_h5 *file;
    const bool read = hiss_dataset_field(set, HISS_FIELD_TARGETS) || hiss_dataset_field(set, "boxes");
    if (!read || data_files_count(set->files) != 1 || data_files_hold(set->files, 0, &file, NULL) != HISS_OK) {
        return NULL;
    }
    char *checksum = data_objects_checksum(file);
    data_files_release(set->files, file);
    return checksum;
}

static hiss_status identify(hiss_dataset *set, bool check, hiss_error *err) {
    char *recorded = NULL, rows[IDENTITY_DIGITS + 1], labels[IDENTITY_DIGITS + 1];
    size_t size;
    hiss_status status = verify_all(set, check, &recorded, err);
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
    if (!status && recorded) {
        fprintf(text, IDENTITY_SHA256 "%.64s", recorded);
    }
    char *objects = status ? NULL : objects_checksum(set);
    if (objects) {
        fprintf(text, IDENTITY_OBJECTS "%.64s", objects);
    }
    hiss_free(objects);
    hiss_free(recorded);
    fclose(text);
    return status;
}

/* ---- whose fault it is ---- */

static hiss_status blame_file(const hiss_data_keys *keys, hiss_status status, hiss_error *err) {
    return data_blame(keys->config, keys->file, "data.file", status, err);
}

static hiss_status open_labels(hiss_dataset *set, const hiss_data_options *options, hiss_error *err) {
    if (!options->labels || !*options->labels) {
        return HISS_OK;
    }
    const bool standard = !strcmp(options->labels, "/labels"); /* any other name was asked for, so it must exist */
    if (standard && !data_files_has(set->files, options->labels)) {
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
    if (status || set->rows == 0) {
        return status;
    }
    data_joined_warn_of_empty(set->source[DATA_IMAGE].joined);
    status = blame_file(keys, data_targets_read(set, options->classes_of, err), err);
    status = status ? status : blame_file(keys, data_vocabulary_read(set, err), err);
    status = status ? status : blame_file(keys, data_sound_read(set, err), err);
    status = status ? status : open_labels(set, options, err);
    for (int k = 0; k < set->fields && !status; k++) {
        data_joined_warn(set->source[k].joined);
    }
    return status ? status : blame_file(keys, identify(set, options->verify, err), err);
}

char *data_text_copy(const char *text) {
    return strcpy(hiss_alloc(strlen(text) + 1), text);
}

static hiss_status check_follow(const hiss_data_options *options, hiss_error *err) {
    const hiss_yaml *follow = options->follow;
    const bool word = follow && follow->kind == HISS_YAML_SCALAR;
    if (!follow || (follow->kind == HISS_YAML_LIST && follow->first) ||
        (word && (strcmp(follow->text, "true") == 0 || strcmp(follow->text, "false") == 0))) {
        return HISS_OK;
    }
    return hiss_fail(err, HISS_EUSER, "must be true, false, or a list of folders, found %s%.100s%s", word ? "'" : "",
                     word ? follow->text : "something else", word ? "'" : "");
}

hiss_status data_file_open(const hiss_data_options *options, hiss_dataset **out, hiss_error *err) {
    if (!options->file || !*options->file) {
        return hiss_fail(
            err, HISS_EUSER,
            "data.file is not set; give the HDF5 file with the samples, as in `data: {file: train.h5}`, or let "
            "data.generate make them");
    }
    data_files *files;
    bool misfollowed = false;
    hiss_status status = check_follow(options, err);
    if (status) {
        return data_blame(options->keys.config, NULL, "data.follow", status, err);
    }
    const data_files_options how = data_files_how(options);
    status = data_files_open(options->file, &how, &files, &misfollowed, err);
    if (misfollowed) {
        return data_blame(options->keys.config, NULL, "data.follow", status, err);
    }
    if (status) {
        return blame_file(&options->keys, status, err);
    }
    hiss_dataset *set = hiss_new(hiss_dataset, 1);
    *set = (hiss_dataset){.files = files, .path = data_files_name(files), .verify = options->verify};
    pthread_mutex_init(&set->lock, NULL);
    if ((status = check_all(set, options, err))) {
        hiss_dataset_close(set);
        return status;
    }
    *out = set;
    return HISS_OK;
}

void hiss_dataset_close(hiss_dataset *set) {
    if (set) {
        if (set->generator && set->generator->destroy) {
            set->generator->destroy(set->generated);
        }
        hiss_free(set->options);
        hiss_free(set->name);
        hiss_free(set->label);
        hiss_free(set->target_names);
        hiss_free(set->kept);
        data_classes_free(&set->classes);
        data_fields_destroy(set);
        data_vocabulary_destroy(set);
        hiss_free(set->sound);
        data_files_close(set->files);
        pthread_mutex_destroy(&set->lock);
        free(set->identity);
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
    return set->path;
}

const char *hiss_dataset_files_text(const hiss_dataset *set, char out[HISS_FILES_TEXT]) {
    enum { SHOWN = 500 };
    const int64_t count = set->files ? data_files_count(set->files) : 1;
    if (count == 1) {
        return NULL;
    }
    const data_joined *images = set->source[DATA_IMAGE].joined;
    const char *first = data_files_path(set->files, 0), *last = data_files_path(set->files, count - 1);
    snprintf(out, HISS_FILES_TEXT, "%lld files of %lld rows, from %.*s (%lld) to %.*s (%lld)", (long long)count,
             (long long)set->rows, SHOWN, first, (long long)data_joined_first(images, 1), SHOWN, last,
             (long long)(set->rows - data_joined_first(images, count - 1)));
    return out;
}

bool hiss_dataset_generated(const hiss_dataset *set) {
    return set->generator != NULL;
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
    return !set->files ? 1.0 : window > 0 ? 1.0 + (at_once - 1.0) / (double)window : at_once;
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
