/* Inside src/data: the way from a source of hiss prepare to the HDF5 file. */
#ifndef HISS_PREPARE_IMPL_H
#define HISS_PREPARE_IMPL_H

#include <stdio.h>

#include "hiss/data.h"
#include "hiss/hash.h"
#include "image_impl.h"
#include "objects_impl.h"

enum { PREPARE_PATH = 4096, PREPARE_SOURCE = 2 * PREPARE_PATH };
enum { PREPARE_SECONDS = 10 }; /* between lines of progress */

/* Before anything is read: the output is named and can be written. What a killed process has left of it is removed, or
 * warned of. */
hiss_status data_prepare_check_output(const hiss_prepare_options *options, hiss_error *err);
/* Writing replaces what is there: never what is read. input may be NULL. */
hiss_status data_prepare_expect_other(const hiss_prepare_options *options, const char *input, hiss_error *err);
/* Bytes of a value as it is written; enumerations are booleans. */
int64_t data_prepare_bytes(hiss_dtype dtype);
/* Chunks and compression, for rows of so many bytes; and the size of the stored images, where they are scaled. */
hiss_status data_prepare_check_options(const hiss_prepare_options *options, int64_t row, hiss_error *err);
hiss_status data_prepare_check_size(const hiss_prepare_options *options, hiss_error *err);
/* The file that becomes output, under a temporary name beside it. */
hiss_status data_output_create(const char *output, char temporary[PREPARE_PATH], hiss_h5 **file, hiss_error *err);
/* status: of what was written into it. Returns it, or that of closing; after an error nothing is left. */
hiss_status data_output_close(hiss_h5 *file, const char *temporary, hiss_status status, hiss_error *err);

/* ---- sequences cut into rows ---- */

hiss_status data_cut_check(const hiss_cut *cut, hiss_error *err);
/* Rows of a sequence of count values; *left: those behind the last row. */
int64_t data_cut_rows(const hiss_cut *cut, int64_t count, int64_t *left);
/* "; 36 words behind the last whole rows left out", or nothing where there are none. Returns out. */
enum { DATA_CUT_TEXT = 128 };
const char *data_cut_left(int64_t left, const char *what, char out[DATA_CUT_TEXT]);
/* The facts on / of files that hold such rows. */
hiss_status data_cut_sign(hiss_h5 *file, const hiss_prepare_options *options, const char *source, hiss_error *err);

/* ---- the file, row by row in its own order ---- */

typedef struct data_writer {
    const hiss_prepare_options *options;
    char temporary[PREPARE_PATH];
    hiss_h5 *file;
    hiss_hash *hash;
    hiss_permutation order;
    hiss_dtype dtype;
    int64_t n, row;                     /* rows; bytes of one */
    int64_t written, buffered, at_once; /* rows in the file; waiting in buffer; fitting there */
    uint8_t *buffer;
    int32_t *label; /* [n] in the order of the file, or NULL */
    double told;    /* when the last line of progress was logged */
} data_writer;

/* images: of what /images holds. The other is of bytes [n,H,W,C]. */
hiss_status data_writer_begin_as(data_writer *w, const hiss_prepare_options *options, const hiss_h5_info *images,
                                 bool labelled, hiss_error *err);
hiss_status data_writer_begin(data_writer *w, const hiss_prepare_options *options, const int64_t shape[4],
                              bool labelled, hiss_error *err);
/* Number of the source's row that comes next, and where its pixels go. */
int64_t data_writer_next(const data_writer *w);
uint8_t *data_writer_pixels(const data_writer *w);
hiss_status data_writer_add(data_writer *w, int32_t label, hiss_error *err);
/* Complete, or, when status says so, remove: also after a begin that failed. classes: names, one a line, or
 * NULL. Returns status, or why it cannot be completed. Then what is complete gets its name. */
hiss_status data_writer_complete(data_writer *w, hiss_status status, const char *source, const char *classes,
                                 hiss_error *err);
hiss_status data_writer_publish(const data_writer *w, hiss_error *err);
/* Both. */
hiss_status data_writer_end(data_writer *w, hiss_status status, const char *source, const char *classes,
                            hiss_error *err);

/* ---- rows of a source that are not counted beforehand ---- */

typedef struct data_rows {
    const hiss_prepare_options *options;
    hiss_dtype dtype;
    int ndim;
    int64_t shape[HISS_H5_NDIM]; /* [ndim]: shape[0] rows so far; shape[1] is 0 before data_rows_begin */
    FILE *file;                  /* their pixels; it has no name */
    uint8_t *pixels;             /* of the row that comes next */
    int32_t *label;              /* [shape[0]] */
    int64_t room;                /* of label */
    const data_objects *objects; /* [shape[0]] what is on them, in the same order; NULL: that is not known */
    const char *target_names;    /* of the columns of targets, a line each, or NULL */
    int64_t broken;              /* pictures that cannot be read */
    hiss_error why;              /* of the first of them */
    double told;                 /* when the last line of progress was logged */
} data_rows;

void data_rows_create(const hiss_prepare_options *options, data_rows *out);
void data_rows_destroy(data_rows *rows);
/* Type and shape of a row: those of images, but for their number; or bytes. */
hiss_status data_rows_begin_as(data_rows *rows, const hiss_h5_info *images, hiss_error *err);
hiss_status data_rows_begin(data_rows *rows, int64_t H, int64_t W, int64_t C, hiss_error *err);
/* Keep rows->pixels as a row. */
hiss_status data_rows_add(data_rows *rows, int32_t label, hiss_error *err);
/* Keep a picture, scaled, and free it; or, when there is an error why it is unreadable, count it as broken and warn. */
hiss_status data_rows_add_picture(data_rows *rows, data_image *image, const hiss_error *unreadable, int32_t label,
                                  hiss_error *err);
/* Every now and then a line of progress. share: of the source that is read. */
void data_rows_progress(data_rows *rows, double share);
/* Write the file. labels: of the rows, or NULL. An error when pictures were broken, unless they may be. */
hiss_status data_rows_write(data_rows *rows, const int32_t *labels, const char *source, const char *classes,
                            hiss_error *err);
/* The same for several files, each of some of the rows: all are complete before one of them gets its name. */
enum { DATA_PARTS = 2 };
typedef struct data_part {
    const char *output;
    const int64_t *row; /* [count], ascending; NULL: all */
    int64_t count;
} data_part;
hiss_status data_rows_write_parts(data_rows *rows, const data_part *parts, int nparts, const int32_t *labels,
                                  const char *source, const char *classes, hiss_error *err);

#endif
