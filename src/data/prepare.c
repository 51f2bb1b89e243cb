/* hiss prepare: from files that hold arrays or a folder of pictures to one HDF5 file.
 *
 * The file holds /images uint8 [n,H,W,C], /labels int32 [n] when there are labels, and on / the attributes hiss_format,
 * source, shuffled (0 or 1), seed, sha256 (of the pixels, then of the labels as little-endian int32) and, for folders,
 * classes (one name a line, in the order of the labels). Row i is source number p(i), p being the permutation keyed by
 * (seed, HISS_FOR_PREPARE), or i when shuffling is off. Equal sources and options give equal bytes.
 *
 * Rows are produced in the order of the file: an array is held in memory and copied from, a picture is decoded when
 * its row comes. So a folder may be larger than memory. The file appears under its name only when it is complete.
 *
 * Cost: one pass; SHA-256 and deflate of the pixels; decoding dominates for folders (1 to 5 ms a picture). */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/hash.h"
#include "hiss/log.h"
#include "image_impl.h"

enum { PATH_SIZE = 4096, BUFFER_BYTES = 1 << 22 };
static const double seconds_between_lines = 10;

/* ---- writing ---- */

typedef struct writer {
    const hiss_prepare_options *options;
    char temporary[PATH_SIZE];
    hiss_h5 *file;
    hiss_hash *hash;
    hiss_permutation order;
    int64_t n, row;                     /* rows; bytes of one */
    int64_t written, buffered, at_once; /* rows in the file; waiting in buffer; fitting there */
    uint8_t *buffer;
    int32_t *label; /* [n] in the order of the file, or NULL */
    double told;    /* when the last line of progress was logged */
} writer;

/* Before anything is read. */
static hiss_status check_output(const hiss_prepare_options *o, hiss_error *err) {
    return o->output && *o->output ? hiss_file_expect_writable(o->output, err)
                                   : hiss_fail(err, HISS_EUSER, "no output file is given; name the HDF5 file to write");
}

static hiss_status check_options(const hiss_prepare_options *o, int64_t row, hiss_error *err) {
    if (o->deflate < 0 || o->deflate > 9 || o->chunk < 0 || (o->deflate > 0 && o->chunk == 0)) {
        return hiss_fail(err, HISS_EUSER,
                         "deflate %lld with chunks of %lld rows; expected deflate 0 to 9, and chunks of at least 1 row "
                         "where deflate is on",
                         (long long)o->deflate, (long long)o->chunk);
    }
    if (o->chunk > UINT32_MAX / row) {
        return hiss_fail(err, HISS_EUSER, "a chunk of %lld rows of %lld bytes; HDF5 allows less than 4 GiB: use fewer",
                         (long long)o->chunk, (long long)row);
    }
    return HISS_OK;
}

static hiss_status begin(writer *w, const hiss_prepare_options *options, const int64_t shape[4], bool labelled,
                         hiss_error *err) {
    hiss_h5_info images = {HISS_U8, 4, {shape[0], shape[1], shape[2], shape[3]}}, labels = {HISS_I32, 1, {shape[0]}};
    *w = (writer){.options = options, .n = shape[0], .row = shape[1] * shape[2] * shape[3], .told = hiss_seconds()};
    hiss_status status = check_options(options, w->row, err);
    if (status) {
        return status;
    }
    w->order = hiss_permutation_keyed((uint64_t)options->seed, HISS_FOR_PREPARE, 0, 0, w->n);
    hiss_file_temporary(options->output, w->temporary, sizeof w->temporary);
    if ((status = hiss_h5_create(w->temporary, &w->file, err))) {
        hiss_file_discard(w->temporary);
        return status;
    }
    w->hash = hiss_hash_begin();
    w->at_once = options->chunk * (1 + BUFFER_BYTES / w->row / (options->chunk ? options->chunk : 1));
    w->at_once = options->chunk ? w->at_once : 1 + BUFFER_BYTES / w->row;
    w->at_once = w->at_once < w->n ? w->at_once : w->n;
    w->buffer = hiss_alloc((size_t)(w->at_once * w->row));
    w->label = labelled ? hiss_new(int32_t, w->n) : NULL;
    status = hiss_h5_define(w->file, "/images", &images, options->chunk, (int)options->deflate, err);
    return status || !labelled ? status : hiss_h5_define(w->file, "/labels", &labels, 0, 0, err);
}

/* Number of the source of the row that comes next, and where its pixels go. */
static int64_t next_source(const writer *w) {
    int64_t i = w->written + w->buffered;
    return w->options->shuffle ? hiss_permutation_at(&w->order, i) : i;
}

static uint8_t *next_pixels(const writer *w) {
    return w->buffer + w->buffered * w->row;
}

static hiss_status add(writer *w, int32_t label, hiss_error *err) {
    if (w->label) {
        w->label[w->written + w->buffered] = label;
    }
    w->buffered++;
    if (w->buffered < w->at_once && w->written + w->buffered < w->n) {
        return HISS_OK;
    }
    hiss_hash_add(w->hash, w->buffer, (size_t)(w->buffered * w->row));
    hiss_status status = hiss_h5_write(w->file, "/images", HISS_U8, w->written, w->buffered, w->buffer, err);
    w->written += w->buffered;
    w->buffered = 0;
    if (hiss_seconds() - w->told > seconds_between_lines) {
        w->told = hiss_seconds();
        hiss_info("prepare: %lld of %lld images", (long long)w->written, (long long)w->n);
    }
    return status;
}

/* The facts that make the file known again. */
static hiss_status sign(writer *w, const char *source, const char *classes, hiss_error *err) {
    char sum[HISS_HASH_TEXT];
    hiss_hash_end(w->hash, sum);
    w->hash = NULL;
    hiss_status status = hiss_h5_set_text(w->file, "/", "hiss_format", HISS_IMAGES_FORMAT, err);
    status = status ? status : hiss_h5_set_text(w->file, "/", "source", source, err);
    status = status ? status : hiss_h5_set_i64(w->file, "/", "shuffled", w->options->shuffle, err);
    status = status ? status : hiss_h5_set_i64(w->file, "/", "seed", w->options->seed, err);
    status = status ? status : hiss_h5_set_text(w->file, "/", "sha256", sum, err);
    return status || !classes ? status : hiss_h5_set_text(w->file, "/", "classes", classes, err);
}

/* Complete and publish, or, when status says so, remove. */
static hiss_status end(writer *w, hiss_status status, const char *source, const char *classes, hiss_error *err) {
    if (!w->file) {
        return status;
    }
    assert(status || w->written == w->n);
    if (!status && w->label) {
        hiss_hash_add(w->hash, w->label, sizeof(int32_t) * (size_t)w->n);
        status = hiss_h5_write(w->file, "/labels", HISS_I32, 0, w->n, w->label, err);
    }
    status = status ? status : sign(w, source, classes, err);
    hiss_status closed = hiss_h5_close(w->file, status ? NULL : err);
    status = status ? status : closed;
    if (w->hash) {
        char unused[HISS_HASH_TEXT];
        hiss_hash_end(w->hash, unused);
    }
    hiss_free(w->buffer);
    hiss_free(w->label);
    if (status) {
        hiss_file_discard(w->temporary);
        return status;
    }
    status = hiss_file_publish(w->temporary, w->options->output, err);
    if (!status) {
        hiss_info("prepare: wrote %s: %lld images of %lld bytes", w->options->output, (long long)w->n,
                  (long long)w->row);
    }
    return status;
}

/* ---- arrays ---- */

static const char *const format_names[] = {
#define FORMAT(name) #name,
#include "data/list.h"
#undef FORMAT
    NULL};

typedef hiss_status array_reader(const char *path, data_array *out, hiss_error *err);
static array_reader *const format_readers[] = {
#define FORMAT(name) data_##name##_read,
#include "data/list.h"
#undef FORMAT
};

const char *const *hiss_prepare_formats(void) {
    return format_names;
}

static hiss_status check_arrays(const char *images, const data_array *x, const char *labels, const data_array *y,
                                hiss_error *err) {
    if (x->type != 8 || x->ndim < 3) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: holds values of type %02x in %d dimensions; expected images: type 08 (uint8) [n,H,W] or "
                         "[n,H,W,C]; are images and labels swapped?",
                         images, (unsigned)x->type, x->ndim);
    }
    if (!labels) {
        return HISS_OK;
    }
    if (y->ndim != 1) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: has %d dimensions; expected labels in one dimension; are images and labels swapped?",
                         labels, y->ndim);
    }
    if (x->dim[0] != y->dim[0]) {
        return hiss_fail(err, HISS_EUSER, "%s holds %lld images, %s %lld labels; they must be as many: pair the files",
                         images, (long long)x->dim[0], labels, (long long)y->dim[0]);
    }
    return HISS_OK;
}

static hiss_status write_arrays(const hiss_prepare_options *options, const char *images, const data_array *x,
                                const char *labels, const data_array *y, hiss_error *err) {
    int64_t shape[4] = {x->dim[0], x->dim[1], x->dim[2], x->ndim == 4 ? x->dim[3] : 1};
    char source[2 * PATH_SIZE];
    snprintf(source, sizeof source, "%s%s%s", images, labels ? ", " : "", labels ? labels : "");
    writer w;
    hiss_status status = begin(&w, options, shape, labels != NULL, err);
    for (int64_t i = 0; i < shape[0] && !status; i++) {
        int64_t from = next_source(&w);
        memcpy(next_pixels(&w), x->bytes + from * w.row, (size_t)w.row);
        status = add(&w, labels ? (int32_t)data_array_at(y, from) : 0, err);
    }
    return end(&w, status, source, NULL, err);
}

/* Writing replaces what is there: never what is read. */
static hiss_status expect_other(const char *output, const char *input, hiss_error *err) {
    struct stat a, b;
    const bool same =
        input && stat(output, &a) == 0 && stat(input, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    return same ? hiss_fail(err, HISS_EUSER, "--output %s is the file that is read; choose another name", output)
                : HISS_OK;
}

hiss_status hiss_prepare_arrays(const hiss_prepare_options *options, const char *format, const char *images,
                                const char *labels, hiss_error *err) {
    data_array x = {0}, y = {0};
    int k = 0;
    while (format_names[k] && strcmp(format_names[k], format) != 0) {
        k++;
    }
    assert(format_names[k]);
    hiss_status status = check_output(options, err);
    status = status ? status : expect_other(options->output, images, err);
    status = status ? status : expect_other(options->output, labels, err);
    status = status ? status : format_readers[k](images, &x, err);
    if (!status && labels) {
        status = format_readers[k](labels, &y, err);
    }
    status = status ? status : check_arrays(images, &x, labels, &y, err);
    status = status ? status : write_arrays(options, images, &x, labels, &y, err);
    data_array_free(&y);
    data_array_free(&x);
    return status;
}

/* ---- folders ---- */

typedef struct picture {
    const char *path;
    int32_t label;
} picture;

typedef struct listing {
    hiss_arena *arena;
    picture *all;
    int64_t count, room;
    int64_t skipped;
    char **folder; /* names of sub-folders */
    int64_t folders;
} listing;

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static void add_picture(listing *list, const char *path, int32_t label) {
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 1024;
        picture *more = hiss_new(picture, list->room);
        if (list->count) {
            memcpy(more, list->all, sizeof *more * (size_t)list->count);
        }
        hiss_free(list->all);
        list->all = more;
    }
    list->all[list->count++] = (picture){path, label};
}

/* Add the pictures of one folder, in name order. Sub-folders are named in list->folder when deep, else skipped. */
static hiss_status scan(listing *list, const char *folder, int32_t label, bool deep, hiss_error *err) {
    struct dirent **entry;
    int count = scandir(folder, &entry, visible, by_name);
    if (count < 0) {
        return hiss_fail(err, HISS_EUSER, "%s: cannot be read as a folder: %s%s", folder, strerror(errno),
                         errno == ENOTDIR ? "; expected a folder of pictures (an HDF5 file is used as it is: data.file)"
                                          : "; give the path of a folder of pictures");
    }
    list->folder = deep ? hiss_arena_alloc(list->arena, sizeof(char *) * (size_t)count) : list->folder;
    for (int i = 0; i < count; i++) {
        char *path = hiss_arena_format(list->arena, "%s/%s", folder, entry[i]->d_name);
        struct stat what;
        bool there = stat(path, &what) == 0;
        if (there && S_ISDIR(what.st_mode) && deep) {
            list->folder[list->folders++] = hiss_arena_text(list->arena, entry[i]->d_name);
        } else if (there && S_ISREG(what.st_mode) && data_image_named(path)) {
            add_picture(list, path, label);
        } else {
            list->skipped++;
        }
        free(entry[i]);
    }
    free(entry);
    return HISS_OK;
}

/* List a folder: pictures without labels, or one class for each sub-folder. */
static hiss_status list_all(listing *list, const char *folder, hiss_error *err) {
    hiss_status status = scan(list, folder, 0, true, err);
    if (status) {
        return status;
    }
    if (list->folders && list->count) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: holds pictures (%s) as well as folders (%s); expected either pictures, or one folder for "
                         "each class",
                         folder, list->all[0].path, list->folder[0]);
    }
    for (int64_t c = 0; c < list->folders && !status; c++) {
        int64_t before = list->count;
        status = scan(list, hiss_arena_format(list->arena, "%s/%s", folder, list->folder[c]), (int32_t)c, false, err);
        if (!status && list->count == before) {
            hiss_warn("prepare: class folder %s/%s holds no pictures; its label %lld stays unused", folder,
                      list->folder[c], (long long)c);
        }
    }
    if (!status && !list->count) {
        status =
            hiss_fail(err, HISS_EUSER,
                      "%s: holds no pictures (%lld other files); expected .jpg, .jpeg, .png, .ppm or .pgm, in it or "
                      "in class folders",
                      folder, (long long)list->skipped);
    }
    return status;
}

static char *class_names(const listing *list) {
    size_t size = 1, used = 0;
    for (int64_t c = 0; c < list->folders; c++) {
        size += strlen(list->folder[c]) + 1;
    }
    char *names = hiss_arena_alloc(list->arena, size);
    for (int64_t c = 0; c < list->folders; c++) {
        used += (size_t)snprintf(names + used, size - used, "%s%s", c ? "\n" : "", list->folder[c]);
    }
    return names;
}

static hiss_status write_folder(const hiss_prepare_options *o, const char *folder, const listing *list,
                                hiss_error *err) {
    int64_t shape[4] = {list->count, o->height, o->width, o->channels};
    writer w;
    hiss_status status = begin(&w, o, shape, list->folders > 0, err);
    for (int64_t i = 0; i < list->count && !status; i++) {
        const picture *p = &list->all[next_source(&w)];
        data_image image;
        if (!(status = data_image_read(p->path, &image, err))) {
            data_image_fit(&image, o->height, o->width, o->channels, next_pixels(&w));
            data_image_free(&image);
            status = add(&w, p->label, err);
        }
    }
    return end(&w, status, folder, list->folders ? class_names(list) : NULL, err);
}

hiss_status hiss_prepare_folder(const hiss_prepare_options *o, const char *folder, hiss_error *err) {
    if (o->height < 1 || o->width < 1 || o->height > 16384 || o->width > 16384 ||
        (o->channels != 1 && o->channels != 3)) {
        return hiss_fail(
            err, HISS_EUSER,
            "stored images of %lld x %lld x %lld; give height and width from 1 to 16384, and 1 or 3 channels",
            (long long)o->height, (long long)o->width, (long long)o->channels);
    }
    hiss_status status = check_output(o, err);
    if (status) {
        return status;
    }
    listing list = {.arena = hiss_arena_create()};
    status = list_all(&list, folder, err);
    if (!status) {
        hiss_info("prepare: %s: %lld pictures in %lld class folders, %lld other entries skipped", folder,
                  (long long)list.count, (long long)list.folders, (long long)list.skipped);
        status = write_folder(o, folder, &list, err);
    }
    hiss_free(list.all);
    hiss_arena_destroy(list.arena);
    return status;
}
