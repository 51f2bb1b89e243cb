/* hiss prepare of an npz file: a zip of arrays, of which one holds images and another labels. Rows are kept as they come,
 * so memory holds one; of images whose first index runs fastest (Fortran order) it holds all, since every row lies all
 * over the array.
 *
 * What a header announces must fit the size of the file before memory is taken; arrays grow as they are read. */
#include <string.h>
#include <sys/stat.h>

#include "hiss/alloc.h"
#include "npz_impl.h"

enum { DENSEST = 1100, SMALL = 1 << 20 }; /* deflate gains 1032 : 1 at most (zlib's technical details) */
enum { FIRST_PIECE = 1 << 24, VALUES = 1 << 12 };

typedef struct reader {
    const data_npz_source *source;
    data_archive *archive;
    char place[PREPARE_PATH]; /* file: array */
    int64_t file_bytes;
    data_rows *rows;
    bool has_images;
    int32_t *label; /* [labels] */
    int64_t labels;
    char names[256]; /* of the arrays that are there */
} reader;

static hiss_status fail_short(const reader *r, int64_t expected, int64_t got, hiss_error *err) {
    return hiss_fail(err, HISS_EUSER, "%s: the npy header announces %lld bytes, %lld are there: damaged", r->place,
                     (long long)expected, (long long)got);
}

/* The bytes that the header announces, when the file can hold them. */
static hiss_status count_bytes(const reader *r, const data_npz_header *h, int64_t *out, hiss_error *err) {
    *out = h->size;
    for (int i = 0; i < h->ndim; i++) {
        if (h->dim[i] < 1 || h->dim[i] > INT32_MAX) {
            return hiss_fail(err, HISS_EUSER, "%s: dimension %d is %lld; expected 1 to %d", r->place, i,
                             (long long)h->dim[i], INT32_MAX);
        }
        if (*out > ((int64_t)1 << 46) / h->dim[i]) {
            return hiss_fail(err, HISS_EUSER, "%s: dimension %d is %lld, which is too much beside the others: damaged",
                             r->place, i, (long long)h->dim[i]);
        }
        *out *= h->dim[i];
    }
    return (*out - SMALL) / DENSEST > r->file_bytes
               ? hiss_fail(err, HISS_EUSER,
                           "%s: the npy header announces %lld bytes, more than a file of %lld bytes can hold: damaged",
                           r->place, (long long)*out, (long long)r->file_bytes)
               : HISS_OK;
}

static hiss_status expect_end(const reader *r, hiss_error *err) {
    uint8_t extra;
    int64_t got;
    const hiss_status status = data_archive_read(r->archive, &extra, 1, &got, err);
    return status || !got
               ? status
               : hiss_fail(err, HISS_EUSER, "%s: goes on after what the npy header announces: damaged", r->place);
}

/* ---- images ---- */

/* How far apart neighbours along an axis lie. */
typedef struct strides {
    int64_t H, W, C;
} strides;

static void gather(const uint8_t *from, strides step, const int64_t shape[4], uint8_t *to) {
    for (int64_t h = 0; h < shape[1]; h++) {
        for (int64_t w = 0; w < shape[2]; w++) {
            for (int64_t c = 0; c < shape[3]; c++) {
                *to++ = from[h * step.H + w * step.W + c * step.C];
            }
        }
    }
}

static hiss_status check_images(const reader *r, const data_npz_header *h, int64_t shape[4], hiss_error *err) {
    if (h->kind != 'u' || h->size != 1 || h->ndim < 3 || h->ndim > 4) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: holds values of type %s in %d dimensions; expected images: uint8 (|u1) [n,H,W] or "
                         "[n,H,W,C]; convert them, or name another array with --images",
                         r->place, h->type, h->ndim);
    }
    const bool first = r->source->channels_first && h->ndim == 4;
    shape[0] = h->dim[0];
    shape[1] = h->dim[first ? 2 : 1];
    shape[2] = h->dim[first ? 3 : 2];
    shape[3] = h->ndim == 4 ? h->dim[first ? 1 : 3] : 1;
    return h->ndim == 4 && !r->source->layout_named && shape[3] > 4 && shape[1] <= 4
               ? hiss_fail(err, HISS_EUSER,
                           "%s: images of %lld x %lld with %lld channels look like another layout; add --layout NCHW, "
                           "or --layout NHWC if they are",
                           r->place, (long long)shape[1], (long long)shape[2], (long long)shape[3])
               : HISS_OK;
}

static hiss_status stream_rows(reader *r, const int64_t shape[4], int64_t bytes, hiss_error *err) {
    const int64_t row = shape[1] * shape[2] * shape[3];
    const bool first = r->source->channels_first && shape[3] > 1;
    uint8_t *buffer = first ? hiss_alloc((size_t)row) : NULL;
    hiss_status status = HISS_OK;
    for (int64_t i = 0; i < shape[0] && !status; i++) {
        int64_t got = 0;
        status = data_archive_read(r->archive, first ? buffer : r->rows->pixels, row, &got, err);
        if (!status && got < row) {
            status = fail_short(r, bytes, i * row + got, err);
        }
        if (!status && first) {
            gather(buffer, (strides){shape[2], 1, shape[1] * shape[2]}, shape, r->rows->pixels);
        }
        status = status ? status : data_rows_add(r->rows, 0, err);
        data_rows_progress(r->rows, (double)(i + 1) / (double)shape[0]);
    }
    hiss_free(buffer);
    return status;
}

/* All values, in memory that grows with what is there. */
static hiss_status read_whole(reader *r, int64_t bytes, uint8_t **out, hiss_error *err) {
    int64_t room = bytes < FIRST_PIECE ? bytes : FIRST_PIECE, all = 0;
    uint8_t *whole = hiss_alloc((size_t)room);
    hiss_status status = HISS_OK;
    for (;;) {
        int64_t got = 0;
        status = data_archive_read(r->archive, whole + all, room - all, &got, err);
        all += got;
        if (status || all == bytes) {
            break;
        }
        if (all < room) {
            status = fail_short(r, bytes, all, err);
            break;
        }
        room = bytes / 2 < room ? bytes : 2 * room;
        uint8_t *more = hiss_alloc((size_t)room);
        memcpy(more, whole, (size_t)all);
        hiss_free(whole);
        whole = more;
    }
    *out = whole;
    return status;
}

static hiss_status gather_rows(reader *r, const int64_t shape[4], int64_t bytes, hiss_error *err) {
    const int64_t n = shape[0], H = shape[1], W = shape[2], C = shape[3];
    const strides step = r->source->channels_first ? (strides){n * C, n * C * H, n} : (strides){n, n * H, n * H * W};
    uint8_t *whole;
    hiss_status status = read_whole(r, bytes, &whole, err);
    for (int64_t i = 0; i < n && !status; i++) {
        gather(whole + i, step, (int64_t[]){n, H, W, C}, r->rows->pixels);
        status = data_rows_add(r->rows, 0, err);
    }
    hiss_free(whole);
    return status;
}

static hiss_status read_images(reader *r, hiss_error *err) {
    data_npz_header h;
    int64_t shape[4] = {0}, bytes = 0;
    hiss_status status = r->has_images ? hiss_fail(err, HISS_EUSER, "%s: is there twice: damaged", r->place)
                                       : data_npz_read_header(r->archive, r->place, &h, err);
    r->has_images = true;
    status = status ? status : check_images(r, &h, shape, err);
    status = status ? status : count_bytes(r, &h, &bytes, err);
    status = status ? status : data_rows_begin(r->rows, shape[1], shape[2], shape[3], err);
    if (status) {
        return status;
    }
    status = h.fortran ? gather_rows(r, shape, bytes, err) : stream_rows(r, shape, bytes, err);
    return status ? status : expect_end(r, err);
}

/* ---- labels ---- */

static hiss_status check_labels(const reader *r, const data_npz_header *h, hiss_error *err) {
    int64_t inner = 1;
    for (int i = 1; i < h->ndim; i++) {
        inner = h->dim[i] == 1 ? inner : 0;
    }
    return !data_npz_is_integer(h) || h->ndim < 1 || !inner
               ? hiss_fail(
                     err, HISS_EUSER,
                     "%s: holds values of type %s in %d dimensions; expected labels: integers [n] or [n,1]; convert "
                     "them with astype(int), name another array with --labels, or go without: --labels none",
                     r->place, h->type, h->ndim)
               : HISS_OK;
}

static hiss_status read_values(reader *r, const data_npz_header *h, hiss_error *err) {
    const int64_t n = h->dim[0];
    uint8_t bytes[8 * VALUES];
    int64_t room = 0;
    while (r->labels < n) {
        const int64_t count = n - r->labels < VALUES ? n - r->labels : VALUES;
        int64_t got = 0;
        hiss_status status = data_archive_read(r->archive, bytes, count * h->size, &got, err);
        if (!status && got < count * h->size) {
            status = fail_short(r, n * h->size, r->labels * h->size + got, err);
        }
        if (status) {
            return status;
        }
        if (r->labels + count > room) {
            room = 2 * room < r->labels + count ? r->labels + count : 2 * room;
            int32_t *more = hiss_new(int32_t, room);
            if (r->labels) {
                memcpy(more, r->label, sizeof *more * (size_t)r->labels);
            }
            hiss_free(r->label);
            r->label = more;
        }
        for (int64_t i = 0; i < count && !status; i++) {
            const int64_t label = data_npz_value(h, bytes + i * h->size);
            if (label < INT32_MIN || label > INT32_MAX) {
                return hiss_fail(err, HISS_EUSER,
                                 "%s: label %lld is %lld; expected whole numbers of 32 bits: number the classes, or go "
                                 "without: --labels none",
                                 r->place, (long long)r->labels, (long long)label);
            }
            r->label[r->labels++] = (int32_t)label;
        }
        if (status) {
            return status;
        }
    }
    return HISS_OK;
}

static hiss_status read_labels(reader *r, hiss_error *err) {
    data_npz_header h;
    int64_t bytes;
    hiss_status status = r->label ? hiss_fail(err, HISS_EUSER, "%s: is there twice: damaged", r->place)
                                  : data_npz_read_header(r->archive, r->place, &h, err);
    status = status ? status : check_labels(r, &h, err);
    status = status ? status : count_bytes(r, &h, &bytes, err);
    status = status ? status : read_values(r, &h, err);
    return status ? status : expect_end(r, err);
}

/* ---- the file ---- */

static void note_name(reader *r, const char *name, int64_t length) {
    const size_t used = strlen(r->names);
    snprintf(r->names + used, sizeof r->names - used, "%s%.*s", used ? ", " : "", (int)(length < 64 ? length : 64),
             name);
}

static hiss_status read_member(reader *r, const char *name, hiss_error *err) {
    const int64_t length = (int64_t)strlen(name) - 4;
    if (length < 0 || strcmp(name + length, ".npy") != 0) {
        return HISS_OK;
    }
    note_name(r, name, length);
    const char *images = r->source->images, *labels = r->source->labels;
    const size_t count = (size_t)length;
    const bool is_images = strlen(images) == count && memcmp(name, images, count) == 0;
    const bool is_labels = count > 0 && strlen(labels) == count && memcmp(name, labels, count) == 0;
    snprintf(r->place, sizeof r->place, "%s: %s", r->source->file, is_images ? images : labels);
    return is_images ? read_images(r, err) : is_labels ? read_labels(r, err) : HISS_OK;
}

static hiss_status check_found(const reader *r, hiss_error *err) {
    const data_npz_source *s = r->source;
    const char *missing = !r->has_images ? s->images : s->labels_needed && !r->label ? s->labels : NULL;
    if (missing) {
        return hiss_fail(err, HISS_EUSER, "%s: has no array '%.100s'; it holds %s: name one with --%s%s", s->file,
                         missing, r->names[0] ? r->names : "none", r->has_images ? "labels" : "images",
                         strstr(r->names, "_images") ? ", or the part with --split" : "");
    }
    return r->label && r->labels != r->rows->shape[0]
               ? hiss_fail(err, HISS_EUSER, "%s: %s holds %lld images, %s %lld labels; they must be as many", s->file,
                           s->images, (long long)r->rows->shape[0], s->labels, (long long)r->labels)
               : HISS_OK;
}

hiss_status data_npz_read(const data_npz_source *source, data_rows *rows, int32_t **labels, hiss_error *err) {
    reader r = {.source = source, .rows = rows};
    struct stat info;
    hiss_status status = data_archive_open(source->file, DATA_ZIP, &r.archive, err);
    r.file_bytes = !status && stat(source->file, &info) == 0 ? info.st_size : 0;
    for (const char *name = ""; !status && name;) {
        status = data_archive_next(r.archive, &name, err);
        status = status || !name ? status : read_member(&r, name, err);
    }
    status = status ? status : check_found(&r, err);
    data_archive_close(r.archive);
    if (status) {
        hiss_free(r.label);
        r.label = NULL;
    }
    *labels = r.label;
    return status;
}

hiss_status hiss_prepare_npz(const hiss_prepare_options *options, const char *file, const char *images,
                             const char *labels, hiss_error *err) {
    char image_name[256], label_name[256];
    const char *split = options->split ? options->split : "", *bar = *split ? "_" : "";
    snprintf(image_name, sizeof image_name, "%s%s%s", split, bar, images ? images : "images");
    snprintf(label_name, sizeof label_name, "%s%s%s", split, bar, labels ? labels : "labels");
    const char *layout = options->layout ? options->layout : "NHWC";
    const data_npz_source source = {.file = file,
                                    .images = image_name,
                                    .labels = labels && !*labels ? "" : label_name,
                                    .labels_needed = labels && *labels,
                                    .channels_first = strcmp(layout, "NCHW") == 0,
                                    .layout_named = options->layout != NULL};
    char name[PREPARE_SOURCE];
    data_rows rows;
    int32_t *label = NULL;
    data_rows_create(options, &rows);
    hiss_status status =
        source.channels_first || strcmp(layout, "NHWC") == 0
            ? data_prepare_check_output(options, err)
            : hiss_fail(err, HISS_EUSER, "--layout %.40s: of an npz file it must be NHWC or NCHW", layout);
    status = status ? status : data_prepare_expect_other(options, file, err);
    status = status ? status : data_npz_read(&source, &rows, &label, err);
    snprintf(name, sizeof name, "%s: %s%s%s", file, source.images, label ? ", " : "", label ? source.labels : "");
    status = status ? status : data_rows_write(&rows, label, name, NULL, err);
    hiss_free(label);
    data_rows_destroy(&rows);
    return status;
}
