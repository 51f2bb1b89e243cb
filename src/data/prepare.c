/* hiss prepare: the HDF5 file that all its sources end in.
 *
 * The file holds /images [n,H,W,C], of uint8 or, from HDF5, what was there, /labels int32 [n] when there are labels, and on / the attributes hiss_format,
 * source, shuffled (0 or 1), seed, sha256 (of the pixels, then of the labels as little-endian int32) and, for folders,
 * classes (one name a line, in the order of the labels). Row i is source number p(i), p being the permutation keyed by
 * (seed, HISS_FOR_PREPARE), or i when shuffling is off. Equal sources and options give equal bytes.
 *
 * Arrays that are held in memory are written row by row as they lie there (prepare_arrays.c). All other sources bring
 * their rows in an order of their own, and only at their end show how many there are (prepare_rows.c). The file appears
 * under its name only when it is complete.
 *
 * Cost: one pass; SHA-256 and deflate of the pixels. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "prepare_impl.h"

enum { BUFFER_BYTES = 1 << 22 };

hiss_status data_prepare_check_output(const hiss_prepare_options *o, hiss_error *err) {
    if (!o->output || !*o->output) {
        return hiss_fail(err, HISS_EUSER, "no output file is given; name the HDF5 file to write");
    }
    hiss_file_clear_rests("prepare", o->output);
    return hiss_file_expect_writable(o->output, err);
}

hiss_status data_prepare_expect_other(const hiss_prepare_options *options, const char *input, hiss_error *err) {
    const char *output = options->output;
    struct stat a, b;
    const bool same =
        input && stat(output, &a) == 0 && stat(input, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    return same ? hiss_fail(err, HISS_EUSER, "--output %s is the file that is read; choose another name", output)
                : HISS_OK;
}

int64_t data_prepare_bytes(hiss_dtype dtype) {
    return dtype == HISS_ENUMERATION ? 1 : hiss_dtype_bytes(dtype);
}

hiss_status data_prepare_check_size(const hiss_prepare_options *o, hiss_error *err) {
    return o->height < 1 || o->width < 1 || o->height > HISS_PREPARE_SIDE || o->width > HISS_PREPARE_SIDE ||
                   (o->channels != 1 && o->channels != 3)
               ? hiss_fail(
                     err, HISS_EUSER,
                     "stored images of %lld x %lld x %lld; give height and width from 1 to %d, and 1 or 3 channels",
                     (long long)o->height, (long long)o->width, (long long)o->channels, HISS_PREPARE_SIDE)
           : o->tiles && (o->tiles < o->height || o->tiles < o->width || o->tiles > HISS_PREPARE_SIDE)
               ? hiss_fail(err, HISS_EUSER,
                           "tiles of %lld x %lld out of pictures whose short side is %lld; expected a side from "
                           "the larger of height and width to %d",
                           (long long)o->height, (long long)o->width, (long long)o->tiles, HISS_PREPARE_SIDE)
               : HISS_OK;
}

hiss_status data_prepare_check_options(const hiss_prepare_options *o, int64_t row, hiss_error *err) {
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

hiss_status data_output_create(const char *output, char temporary[PREPARE_PATH], hiss_h5 **file, hiss_error *err) {
    hiss_file_temporary(output, temporary, PREPARE_PATH);
    const hiss_status status = hiss_h5_create(temporary, file, err);
    if (status) {
        hiss_file_discard(temporary);
    }
    return status;
}

hiss_status data_output_close(hiss_h5 *file, const char *temporary, hiss_status status, hiss_error *err) {
    const hiss_status closed = hiss_h5_close(file, status ? NULL : err);
    status = status ? status : closed;
    if (status) {
        hiss_file_discard(temporary);
    }
    return status;
}

hiss_status data_cut_check(const hiss_cut *cut, hiss_error *err) {
    return cut->length < 1 || cut->overlap < 0 || cut->overlap >= cut->length
               ? hiss_fail(
                     err, HISS_EUSER,
                     "rows of --length %lld with --overlap %lld; expected a length of 1 or more, and less overlap",
                     (long long)cut->length, (long long)cut->overlap)
               : HISS_OK;
}

int64_t data_cut_rows(const hiss_cut *cut, int64_t count, int64_t *left) {
    const int64_t L = cut->length, hop = L - cut->overlap, rest = count < L ? count : (count - L) % hop;
    const int64_t whole = count < L ? 0 : 1 + (count - L) / hop;
    *left = cut->pad ? 0 : rest;
    return whole + (cut->pad && rest > 0);
}

const char *data_cut_left(int64_t left, const char *what, char out[DATA_CUT_TEXT]) {
    *out = '\0';
    if (left) {
        snprintf(out, DATA_CUT_TEXT, "; %lld %s behind the last whole rows left out", (long long)left, what);
    }
    return out;
}

hiss_status data_cut_sign(hiss_h5 *file, const hiss_prepare_options *options, const char *source, hiss_error *err) {
    hiss_status status = hiss_h5_set_text(file, "/", "hiss_format", HISS_ROWS_FORMAT, err);
    status = status ? status : hiss_h5_set_text(file, "/", "source", source, err);
    status = status ? status : hiss_h5_set_i64(file, "/", "shuffled", options->shuffle, err);
    return status ? status : hiss_h5_set_i64(file, "/", "seed", options->seed, err);
}

static int64_t row_bytes(const hiss_h5_info *images) {
    int64_t bytes = data_prepare_bytes(images->dtype);
    for (int k = 1; k < images->ndim; k++) {
        bytes *= images->dim[k];
    }
    return bytes;
}

hiss_status data_writer_begin_as(data_writer *w, const hiss_prepare_options *options, const hiss_h5_info *images,
                                 bool labelled, hiss_error *err) {
    const hiss_h5_info labels = {HISS_I32, 1, {images->dim[0]}};
    *w = (data_writer){.options = options,
                       .dtype = images->dtype,
                       .n = images->dim[0],
                       .row = row_bytes(images),
                       .told = hiss_seconds()};
    hiss_status status = data_prepare_check_options(options, w->row, err);
    if (status) {
        return status;
    }
    w->order = hiss_permutation_keyed((uint64_t)options->seed, HISS_FOR_PREPARE, 0, 0, w->n);
    if ((status = data_output_create(options->output, w->temporary, &w->file, err))) {
        return status;
    }
    w->hash = hiss_hash_begin();
    w->at_once = options->chunk * (1 + BUFFER_BYTES / w->row / (options->chunk ? options->chunk : 1));
    w->at_once = options->chunk ? w->at_once : 1 + BUFFER_BYTES / w->row;
    w->at_once = w->at_once < w->n ? w->at_once : w->n;
    w->buffer = hiss_alloc((size_t)(w->at_once * w->row));
    w->label = labelled ? hiss_new(int32_t, w->n) : NULL;
    status = hiss_h5_define(w->file, "/images", images, options->chunk, (int)options->deflate, err);
    return status || !labelled ? status : hiss_h5_define(w->file, "/labels", &labels, 0, 0, err);
}

hiss_status data_writer_begin(data_writer *w, const hiss_prepare_options *options, const int64_t shape[4],
                              bool labelled, hiss_error *err) {
    const hiss_h5_info images = {HISS_U8, 4, {shape[0], shape[1], shape[2], shape[3]}};
    return data_writer_begin_as(w, options, &images, labelled, err);
}

int64_t data_writer_next(const data_writer *w) {
    int64_t i = w->written + w->buffered;
    return w->options->shuffle ? hiss_permutation_at(&w->order, i) : i;
}

uint8_t *data_writer_pixels(const data_writer *w) {
    return w->buffer + w->buffered * w->row;
}

hiss_status data_writer_add(data_writer *w, int32_t label, hiss_error *err) {
    if (w->label) {
        w->label[w->written + w->buffered] = label;
    }
    w->buffered++;
    if (w->buffered < w->at_once && w->written + w->buffered < w->n) {
        return HISS_OK;
    }
    hiss_hash_add(w->hash, w->buffer, (size_t)(w->buffered * w->row));
    hiss_status status = hiss_h5_write(w->file, "/images", w->dtype, w->written, w->buffered, w->buffer, err);
    w->written += w->buffered;
    w->buffered = 0;
    if (hiss_seconds() - w->told > PREPARE_SECONDS) {
        w->told = hiss_seconds();
        hiss_info("prepare: %lld of %lld images", (long long)w->written, (long long)w->n);
    }
    return status;
}

/* The facts that make the file known again. */
static hiss_status sign(data_writer *w, const char *source, const char *classes, hiss_error *err) {
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

hiss_status data_writer_complete(data_writer *w, hiss_status status, const char *source, const char *classes,
                                 hiss_error *err) {
    if (!w->file) {
        return status;
    }
    assert(status || w->written == w->n);
    if (!status && w->label) {
        hiss_hash_add(w->hash, w->label, sizeof(int32_t) * (size_t)w->n);
        status = hiss_h5_write(w->file, "/labels", HISS_I32, 0, w->n, w->label, err);
    }
    status = status ? status : sign(w, source, classes, err);
    status = data_output_close(w->file, w->temporary, status, err);
    if (w->hash) {
        char unused[HISS_HASH_TEXT];
        hiss_hash_end(w->hash, unused);
    }
    hiss_free(w->buffer);
    hiss_free(w->label);
    return status;
}

hiss_status data_writer_publish(const data_writer *w, hiss_error *err) {
    const hiss_status status = hiss_file_publish(w->temporary, w->options->output, err);
    if (!status) {
        hiss_info("prepare: wrote %s: %lld image%s of %lld bytes", w->options->output, (long long)w->n,
                  w->n == 1 ? "" : "s", (long long)w->row);
    }
    return status;
}

hiss_status data_writer_end(data_writer *w, hiss_status status, const char *source, const char *classes,
                            hiss_error *err) {
    status = data_writer_complete(w, status, source, classes, err);
    return status ? status : data_writer_publish(w, err);
}
