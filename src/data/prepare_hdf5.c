/* hiss prepare of HDF5 files: other people's data sets, in any layout that data.layout can name, as rows of one data set.
 *
 * Each file is opened as a data set of its own, with all that this checks, and its rows are kept in the order in which
 * they are read (prepare_rows.c), for a file is read fastest from its begin to its end. Types are kept; a range that is
 * mapped to bytes is mapped on the way. Every file's classes are matched with those of the files before it, as `hiss
 * eval` matches those of two files; at the end they are numbered anew, in the order in which one file would have them.
 *
 * A test set is a share of each class. Samples are counted class by class, in the order of classes, and each class gives
 * as many as bring the count so far closest to its share, so that the whole is a share, too. Which ones: the first of
 * their class in the order of the permutation keyed by (seed, HISS_FOR_PREPARE). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataset_impl.h"
#include "files.h"
#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "prepare_impl.h"

enum { PIECE_BYTES = 1 << 24 };

typedef struct reader {
    const hiss_hdf5_source *source;
    const hiss_prepare_options *options;
    const char *output[DATA_PARTS]; /* of two, or one and NULL */
    data_rows *rows;
    hiss_dataset *set; /* the file that is read, or, between files, the last that has rows */
    const char *path;  /* of the first file that has rows */
    const char *label_kind;
    hiss_h5_info first;   /* type and shape of the first file's images in memory */
    bool booleans;        /* they are an enumeration's 0 and 1, and stay so */
    float *values;        /* of one sample, as floats */
    data_objects objects; /* of all samples, where files have targets */
    char *target_names;   /* of the first file that has them; NULL: none has */
    int64_t cut;          /* values outside of low..high */
} reader;

/* ---- errors: the data set speaks of keys of a config, the command line has options ---- */

static void replace(char *text, size_t size, const char *key, const char *option) {
    const size_t length = strlen(key);
    for (char *at = strstr(text, key); at; at = strstr(at + strlen(option), key)) {
        char *rest = data_text_copy(at + length);
        snprintf(at, size - (size_t)(at - text), "%s%s", option, rest);
        hiss_free(rest);
    }
}

static hiss_status in_options(hiss_status status, hiss_error *err) {
    static const char *const words[][2] = {
        {"--set 'data.labels=\"\"'", "--labels none"},
        {"data.label_column: ", "--label-column "},
        {"data.ignore_label", "--ignore-label"},
        {"data.missing: ", "--missing "},
        {"data.missing", "--missing"},
        {"data.layout: ", "--layout "},
        {"data.images: ", "--images: "},
        {"data.labels: ", "--labels: "},
        {"set data.follow: true", "add --follow"},
        {"add its folder, as in data.follow: [DIR], if you trust it", "copy it there, or prepare that file itself"},
        {"name the files themselves in data.file", "name the files themselves"},
        {"prepare it again, or set data.verify: false", "prepare it again"},
        {"data.file: ", ""}};
    for (int k = 0; status && err && k < HISS_COUNT(words); k++) {
        replace(err->text, sizeof err->text, words[k][0], words[k][1]);
    }
    return status;
}

/* ---- a file ---- */

/* Which data sets of a file say what is on the pictures, in the form that hiss prepare writes. */
static hiss_status find_objects(const char *path, bool *targets, bool *boxes, hiss_error *err) {
    hiss_h5 *file = NULL;
    hiss_h5_info info;
    hiss_error unused; /* what has another form is none of them */
    *targets = *boxes = false;
    const hiss_status status = hiss_h5_open(path, &file, err);
    if (status == HISS_OK) {
        *targets = hiss_h5_has(file, "/targets") && hiss_h5_look(file, "/targets", &info, &unused) == HISS_OK &&
                   info.dtype == HISS_U8 && info.ndim == 2 && info.dim[1] > 0;
        *boxes = *targets && hiss_h5_has(file, "/boxes") && hiss_h5_look(file, "/boxes", &info, &unused) == HISS_OK &&
                 info.dtype == HISS_F32 && info.ndim == 3 && info.dim[1] > 0 && info.dim[2] == DATA_BOX;
    }
    hiss_h5_close(file, NULL);
    return status;
}

static hiss_status open_file(reader *r, const char *path, hiss_dataset **out, hiss_error *err) {
    const hiss_hdf5_source *s = r->source;
    bool targets, boxes;
    hiss_error why;
    const hiss_status looked = find_objects(path, &targets, &boxes, &why);
    hiss_yaml box = {.kind = HISS_YAML_SCALAR, .key = "boxes", .text = "/boxes", .file = path};
    hiss_yaml target = {.kind = HISS_YAML_SCALAR, .key = HISS_FIELD_TARGETS, .text = "/targets", .file = path};
    const hiss_yaml fields = {.kind = HISS_YAML_MAP, .first = &target};
    target.next = boxes ? &box : NULL;
    targets = targets && data_layout_axis(r->options->layout) != DATA_APART;
    hiss_yaml layout = {.kind = HISS_YAML_SCALAR, .text = r->options->layout};
    hiss_yaml one = {.kind = HISS_YAML_SCALAR, .text = "1"}; /* pixels may be of any range, which is kept or named */
    hiss_yaml zero = {.kind = HISS_YAML_SCALAR, .text = "0", .next = &one};
    const hiss_yaml missing = {.kind = HISS_YAML_SCALAR, .text = s->missing};
    const hiss_yaml yes = {.kind = HISS_YAML_SCALAR, .text = "true"};
    const hiss_yaml range = {.kind = HISS_YAML_LIST, .first = &zero};
    const hiss_data_options options = {.file = path,
                                       .images = s->images ? s->images : "/images",
                                       .labels = s->labels ? s->labels : "/labels",
                                       .layout = r->options->layout ? &layout : NULL,
                                       .range = &range,
                                       .missing = s->missing ? &missing : NULL,
                                       .follow = s->follow ? &yes : NULL,
                                       .fields = targets ? &fields : NULL,
                                       .label_column = s->label_column,
                                       .ignore_label = s->ignore_label,
                                       .classes_of = r->set,
                                       .piece = s->nfiles > 1,
                                       .verify = true};
    const hiss_status status = in_options(hiss_dataset_open(&options, 0, out, err), err);
    if (status != HISS_OK || looked == HISS_OK) {
        return status; /* who opens a file in earnest says best what is wrong with it */
    }
    hiss_dataset_close(*out);
    *out = NULL;
    *err = why;
    return looked;
}

static hiss_h5_info samples_of(const hiss_dataset *set) {
    const hiss_field *image = &set->field[DATA_IMAGE];
    const bool named = data_joined_info(set->source[DATA_IMAGE].joined)->dtype == HISS_ENUMERATION;
    hiss_h5_info info = {named ? HISS_ENUMERATION : image->dtype, 1 + image->ndim, {set->rows}};
    memcpy(info.dim + 1, image->dim, sizeof *image->dim * (size_t)image->ndim);
    return info;
}

/* The first file says what all are, and what is written. */
static hiss_status begin(reader *r, hiss_error *err) {
    r->first = samples_of(r->set);
    r->booleans = r->first.dtype == HISS_ENUMERATION && !r->source->scaled;
    r->values = hiss_new(float, hiss_field_count(&r->set->field[DATA_IMAGE]));
    hiss_h5_info written = r->first;
    written.dtype = r->source->scaled ? HISS_U8 : written.dtype;
    return data_rows_begin_as(r->rows, &written, err);
}

static hiss_status check_alike(const reader *r, const hiss_dataset *set, hiss_error *err) {
    const hiss_h5_info info = samples_of(set);
    bool alike = info.ndim == r->first.ndim && (info.dtype == r->first.dtype || r->source->scaled);
    for (int k = 1; k < info.ndim; k++) {
        alike = alike && info.dim[k] == r->first.dim[k];
    }
    char found[HISS_H5_INFO_TEXT], expected[HISS_H5_INFO_TEXT];
    return alike ? HISS_OK
                 : hiss_fail(err, HISS_EUSER,
                             "%s: data set %s holds samples %s, %s holds %s; files that are joined must be alike in "
                             "type and shape: prepare them one by one%s",
                             set->path, set->source[DATA_IMAGE].dataset, hiss_h5_info_text(&info, found), r->path,
                             hiss_h5_info_text(&r->first, expected),
                             info.ndim == r->first.ndim && info.dtype != r->first.dtype
                                 ? ", or with --scale LO:HI, which makes all uint8"
                                 : "");
}

static hiss_status check_labelled(const reader *r, hiss_error *err) {
    const char *has = r->set->label ? r->set->path : r->path;
    const char *lacks = r->set->label ? r->path : r->set->path;
    const char *kind = r->set->label ? r->set->label_kind : NULL;
    if (kind && r->label_kind && strcmp(kind, r->label_kind) != 0) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: labels are %s, those of %s are %s; write them alike in all files, or go without: "
                         "--labels none",
                         r->set->path, kind, r->path, r->label_kind);
    }
    return (kind != NULL) == (r->label_kind != NULL)
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER, "%s has labels, %s has none; label all, or go without: --labels none", has,
                           lacks);
}

/* ---- values ---- */

/* One sample, as it is written. */
static hiss_status convert(reader *r, int64_t row, const uint8_t *sample, uint8_t *out, hiss_error *err) {
    const hiss_field *image = &r->set->field[DATA_IMAGE];
    const int64_t count = hiss_field_count(image);
    const double low = r->source->low, high = r->source->high;
    if (!r->source->scaled && !r->booleans) {
        memcpy(out, sample, (size_t)image->bytes);
        return HISS_OK;
    }
    hiss_field_floats(image, sample, 0, r->values);
    for (int64_t i = 0; i < count; i++) {
        const double value = r->values[i], scaled = (value - low) * (255 / (high - low));
        if (r->booleans && value != 0 && value != 1) {
            return hiss_fail(
                err, HISS_EUSER,
                "%s: row %lld of data set %s, an enumeration, holds %g; expected 0 and 1: say which values "
                "are black and white, as in --scale 0:%g",
                r->set->path, (long long)row, r->set->source[DATA_IMAGE].dataset, value, value);
        }
        r->cut += r->source->scaled && (value < low || value > high);
        out[i] = (uint8_t)(r->booleans ? value : !(scaled > 0) ? 0 : scaled < 255 ? scaled + 0.5 : 255);
    }
    return HISS_OK;
}

/* All files have targets of as many classes, or none has. */
static hiss_status check_objects(const reader *r, hiss_error *err) {
    const hiss_field *targets = hiss_dataset_field(r->set, HISS_FIELD_TARGETS);
    const int64_t K = targets ? hiss_field_count(targets) : 0;
    return K == r->objects.classes
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER,
                           "%s has targets of %lld classes, %s of %lld; prepare files of one kind, or one by one",
                           r->set->path, (long long)K, r->path, (long long)r->objects.classes);
}

/* What is on a picture goes with it. */
static void keep_objects(reader *r, const uint8_t *sample) {
    const hiss_field *targets = hiss_dataset_field(r->set, HISS_FIELD_TARGETS);
    const hiss_field *boxes = hiss_dataset_field(r->set, "boxes");
    if (targets) {
        const float *box = boxes ? (const float *)(const void *)(sample + boxes->offset) : NULL;
        data_objects_add(&r->objects, sample + targets->offset, box, boxes ? boxes->dim[0] : 0);
    }
}

static hiss_status read_rows(reader *r, int64_t file, hiss_error *err) {
    hiss_dataset *set = r->set;
    const int64_t n = set->rows, at_once = PIECE_BYTES / set->row + 1;
    uint8_t *piece = hiss_alloc((size_t)((at_once < n ? at_once : n) * set->row));
    hiss_status status = HISS_OK;
    for (int64_t begin = 0; begin < n && !status; begin += at_once) {
        const int64_t count = n - begin < at_once ? n - begin : at_once;
        status = hiss_dataset_read(set, begin, count, piece, NULL, err);
        for (int64_t i = 0; i < count && !status; i++) {
            status = convert(r, begin + i, piece + i * set->row, r->rows->pixels, err);
            keep_objects(r, piece + i * set->row);
            status = status ? status : data_rows_add(r->rows, set->label ? set->label[begin + i] : 0, err);
        }
        const double here = (double)(begin + count) / (double)n;
        data_rows_progress(r->rows, ((double)file + here) / (double)r->source->nfiles);
    }
    hiss_free(piece);
    return status;
}

/* No output is a file to which links have led. */
static hiss_status expect_unread(const reader *r, hiss_error *err) {
    for (int k = 0; k < DATA_PARTS; k++) {
        if (r->output[k] && data_files_follow(r->set->files, r->output[k])) {
            return hiss_fail(err, HISS_EUSER,
                             "--output %s is a file that is read, as %s leads there; choose another name", r->output[k],
                             r->set->path);
        }
    }
    return HISS_OK;
}

static hiss_status read_files(reader *r, hiss_error *err) {
    hiss_status status = data_paths_once(r->source->file, r->source->nfiles, err);
    int64_t empty = 0, first_empty = 0;
    for (int64_t k = 0; k < r->source->nfiles && !status; k++) {
        hiss_dataset *set;
        if ((status = open_file(r, r->source->file[k], &set, err))) {
            break;
        }
        if (set->rows == 0) {
            first_empty = empty++ ? first_empty : k;
            status = r->set ? check_alike(r, set, err) : HISS_OK;
            hiss_dataset_close(set);
            continue;
        }
        const bool first = r->set == NULL;
        hiss_dataset_close(r->set);
        r->set = set;
        if (first) {
            r->path = r->source->file[k];
            r->label_kind = set->label ? set->label_kind : NULL;
            const hiss_field *targets = hiss_dataset_field(set, HISS_FIELD_TARGETS);
            r->objects.classes = targets ? hiss_field_count(targets) : 0;
        }
        if (!r->target_names && set->target_names) {
            r->target_names = data_text_copy(set->target_names);
        }
        if ((status = expect_unread(r, err))) {
            break;
        }
        status = first ? begin(r, err) : check_alike(r, set, err);
        status = status ? status : check_labelled(r, err);
        status = status ? status : check_objects(r, err);
        status = status ? status : read_rows(r, k, err);
        status = status ? status : in_options(hiss_dataset_unchanged(set, err), err);
    }
    if (status || empty == 0) {
        return status;
    }
    if (empty == r->source->nfiles) {
        return hiss_fail(err, HISS_EUSER, "%s and %lld more files have no rows; expected at least one image",
                         r->source->file[0], (long long)empty - 1);
    }
    data_warn_of_empty(r->source->file[first_empty], empty - 1);
    return HISS_OK;
}

static void tell(const reader *r) {
    const int64_t values = r->rows->shape[0] * hiss_field_count(&r->set->field[DATA_IMAGE]);
    if (r->cut) {
        hiss_warn("prepare: %lld of %lld values are outside of --scale %g:%g and become 0 or 255", (long long)r->cut,
                  (long long)values, r->source->low, r->source->high);
    }
    const data_layout *layout = &r->set->source[DATA_IMAGE].layout;
    const bool channels = memchr(layout->letter, 'C', sizeof layout->letter) != NULL;
    char word[HISS_H5_NDIM + 3] = "N";
    int length = 1;
    for (int k = 0; k < layout->ndim; k++) {
        word[length] = layout->letter[k];
        length += word[length] != 't' && word[length] != 'd'; /* these have become part of the channels */
    }
    snprintf(word + length, sizeof word - (size_t)length, "%s", channels || length > HISS_FIELD_NDIM ? "" : "C");
    if (strcmp(word, "NHWC") != 0) {
        hiss_info("prepare: the axes of /images are data.layout: %s", word);
    }
}

/* ---- classes ---- */

/* Whether the classes are called by their numbers, which the file can hold, where -1 is no class. */
static bool numbers_suffice(const data_classes *c) {
    bool fine = c->numbered && !c->named;
    for (int64_t k = 0; k < c->count && fine; k++) {
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)c->at[k].value);
        fine = c->at[k].value != -1 && c->at[k].value >= INT32_MIN && c->at[k].value <= INT32_MAX &&
               strcmp(c->at[k].name, number) == 0;
    }
    return fine;
}

static int by_value_then_name(const void *a, const void *b) {
    const data_class *x = *(data_class *const *)a, *y = *(data_class *const *)b;
    return x->value != y->value ? (x->value > y->value ? 1 : -1) : strcmp(x->name, y->name);
}

/* What is written for each class. Returns their names, one a line, hiss_free them; NULL: they are their numbers. */
static char *number_classes(const data_classes *c, int32_t *number) {
    if (numbers_suffice(c)) {
        for (int64_t k = 0; k < c->count; k++) {
            number[k] = (int32_t)c->at[k].value;
        }
        return NULL;
    }
    const data_class **sorted = hiss_new(const data_class *, c->count);
    size_t bytes = 1, used = 0;
    for (int64_t k = 0; k < c->count; k++) {
        sorted[k] = &c->at[k];
        bytes += strlen(c->at[k].name) + 1;
    }
    qsort(sorted, (size_t)c->count, sizeof *sorted, by_value_then_name);
    char *names = hiss_alloc(bytes);
    for (int64_t k = 0; k < c->count; k++) {
        number[sorted[k] - c->at] = (int32_t)k;
        used += (size_t)snprintf(names + used, bytes - used, "%s%s", k ? "\n" : "", sorted[k]->name);
    }
    hiss_free(sorted);
    return names;
}

/* ---- train and test ---- */

/* Rows of the test set, and the others. label: class of each row, in -1 .. classes - 1; NULL: all are of one. */
static void split(const hiss_prepare_options *options, double share, int64_t n, const int32_t *label, int64_t classes,
                  data_part *train, data_part *test) {
    int64_t *left = hiss_new(int64_t, classes + 1), sum = 0, taken = 0;
    for (int64_t i = 0; i < n; i++) {
        left[label ? label[i] + 1 : 0]++;
    }
    for (int64_t c = 0; c <= classes; c++) { /* how many of each */
        sum += left[c];
        left[c] = (int64_t)floor(share * (double)sum + 0.5) - taken;
        taken += left[c];
    }
    const hiss_permutation order = hiss_permutation_keyed((uint64_t)options->seed, HISS_FOR_PREPARE, 0, 0, n);
    bool *is_test = hiss_new(bool, n);
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = hiss_permutation_at(&order, i);
        int64_t *of_class = &left[label ? label[row] + 1 : 0];
        is_test[row] = *of_class > 0;
        *of_class -= is_test[row];
    }
    int64_t *rows[2] = {hiss_new(int64_t, n - taken), hiss_new(int64_t, taken)}, used[2] = {0, 0};
    for (int64_t i = 0; i < n; i++) {
        rows[is_test[i]][used[is_test[i]]++] = i;
    }
    hiss_free(is_test);
    hiss_free(left);
    train->row = rows[0];
    train->count = used[0];
    test->row = rows[1];
    test->count = used[1];
}

static hiss_status write_split(reader *r, const char *train, const char *test, const int32_t *class_of,
                               const int32_t *labels, const char *source, const char *classes, hiss_error *err) {
    data_part parts[DATA_PARTS] = {{.output = train}, {.output = test}};
    const int64_t n = r->rows->shape[0];
    split(r->options, r->source->test_share, n, class_of, r->set->classes.count, &parts[0], &parts[1]);
    hiss_status status =
        parts[0].count && parts[1].count
            ? data_rows_write_parts(r->rows, parts, DATA_PARTS, labels, source, classes, err)
            : hiss_fail(err, HISS_EUSER, "--split %g of %lld samples leaves %s empty; choose another share",
                        r->source->test_share, (long long)n, parts[0].count ? "test.h5" : "train.h5");
    hiss_free((void *)(uintptr_t)parts[0].row);
    hiss_free((void *)(uintptr_t)parts[1].row);
    return status;
}

/* What one file would have been said to have. */
static void tell_classes(const reader *r) {
    bool none = false;
    for (int64_t i = 0; i < r->rows->shape[0]; i++) {
        none = none || r->rows->label[i] < 0;
    }
    data_labels_tell("prepare", r->source->labels ? r->source->labels : "/labels", &r->set->classes, none);
}

static hiss_status write_files(reader *r, const char *train, const char *test, hiss_error *err) {
    const int64_t n = r->rows->shape[0];
    const char *const *file = r->source->file;
    char source[PREPARE_SOURCE], *classes = NULL;
    int32_t *labels = NULL;
    snprintf(source, sizeof source, r->source->nfiles > 1 ? "%s ... %s (%lld files)" : "%s", file[0],
             file[r->source->nfiles - 1], (long long)r->source->nfiles);
    if (r->set->label) {
        int32_t *number = hiss_new(int32_t, r->set->classes.count);
        classes = number_classes(&r->set->classes, number);
        if (r->source->nfiles > 1) {
            tell_classes(r);
        }
        labels = hiss_new(int32_t, n);
        for (int64_t i = 0; i < n; i++) {
            labels[i] = r->rows->label[i] < 0 ? -1 : number[r->rows->label[i]];
        }
        hiss_free(number);
    }
    r->rows->objects = r->objects.classes ? &r->objects : NULL;
    r->rows->target_names = r->target_names;
    const hiss_status status =
        test ? write_split(r, train, test, labels ? r->rows->label : NULL, labels, source, classes, err)
             : data_rows_write(r->rows, labels, source, classes, err);
    hiss_free(labels);
    hiss_free(classes);
    return status;
}

/* ---- all of it ---- */

static hiss_status check_names(const hiss_prepare_options *options, const hiss_hdf5_source *s, hiss_error *err) {
    hiss_status status = data_prepare_check_output(options, err);
    for (int64_t k = 0; k < s->nfiles && !status; k++) {
        status = data_prepare_expect_other(options, s->file[k], err);
    }
    const char *name = s->labels ? strstr(s->labels, ":/") : NULL;
    if (status || !name) {
        return status;
    }
    for (const char *next = name; next; next = strstr(next + 1, ":/")) {
        name = next;
    }
    char *file = data_text_copy(s->labels);
    file[name - s->labels] = '\0';
    status = s->nfiles > 1
                 ? hiss_fail(err, HISS_EUSER,
                             "--labels %.300s: labels in a file of their own are for one file of images, and %lld are "
                             "given; prepare them one by one",
                             s->labels, (long long)s->nfiles)
                 : data_prepare_expect_other(options, file, err);
    hiss_free(file);
    return status;
}

static hiss_status prepare(const hiss_prepare_options *options, const hiss_hdf5_source *source, const char *train,
                           const char *test, hiss_error *err) {
    data_rows rows;
    data_rows_create(options, &rows);
    reader r = {.source = source, .options = options, .output = {train, test}, .rows = &rows};
    hiss_status status = read_files(&r, err);
    if (!status) {
        tell(&r);
        status = write_files(&r, train, test, err);
    }
    hiss_dataset_close(r.set);
    hiss_free(r.values);
    data_objects_free(&r.objects);
    hiss_free(r.target_names);
    data_rows_destroy(&rows);
    return status;
}

hiss_status hiss_prepare_hdf5(const hiss_prepare_options *options, const hiss_hdf5_source *source, hiss_error *err) {
    if (!(source->test_share > 0)) {
        const hiss_status status = check_names(options, source, err);
        return status ? status : prepare(options, source, options->output, NULL, err);
    }
    char path[DATA_PARTS][PREPARE_PATH];
    const char *folder = options->output ? options->output : "";
    const bool there = hiss_file_exists(folder);
    hiss_status status = hiss_directories_make(folder, err);
    for (int k = 0; k < DATA_PARTS && !status; k++) {
        hiss_prepare_options part = *options;
        snprintf(path[k], sizeof path[k], "%s/%s.h5", folder, k ? "test" : "train");
        part.output = path[k];
        status = check_names(&part, source, err);
    }
    hiss_prepare_options inside = *options; /* rows wait beside the files */
    inside.output = path[0];
    status = status ? status : prepare(&inside, source, path[0], path[1], err);
    if (status && !there) {
        rmdir(folder); /* when nothing is in it */
    }
    return status;
}
