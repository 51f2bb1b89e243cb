/* Inside src/data: the way from a source of hiss prepare to the HDF5 file. */
#ifndef HISS_PREPARE_IMPL_H
#define HISS_PREPARE_IMPL_H

#include <stdio.h>

#include "hiss/data.h"
#include "hiss/hash.h"
#include "image_impl.h"

enum { PREPARE_PATH = 4096, PREPARE_SOURCE = 2 * PREPARE_PATH };
enum { PREPARE_SECONDS = 10 }; /* between lines of progress */

/* Before anything is read: the output is named and can be written. */
hiss_status data_prepare_check_output(const hiss_prepare_options *options, hiss_error *err);
/* Writing replaces what is there: never what is read. input may be NULL. */
hiss_status data_prepare_expect_other(const hiss_prepare_options *options, const char *input, hiss_error *err);
/* Chunks and compression, for rows of so many bytes; and the size of the stored images, where they are scaled. */
hiss_status data_prepare_check_options(const hiss_prepare_options *options, int64_t row, hiss_error *err);
hiss_status data_prepare_check_size(const hiss_prepare_options *options, hiss_error *err);

/* ---- the file, row by row in its own order ---- */

typedef struct data_writer {
    const hiss_prepare_options *options;
    char temporary[PREPARE_PATH];
    hiss_h5 *file;
    hiss_hash *hash;
    hiss_permutation order;
    int64_t n, row;                     /* rows; bytes of one */
    int64_t written, buffered, at_once; /* rows in the file; waiting in buffer; fitting there */
    uint8_t *buffer;
    int32_t *label; /* [n] in the order of the file, or NULL */
    double told;    /* when the last line of progress was logged */
} data_writer;

hiss_status data_writer_begin(data_writer *w, const hiss_prepare_options *options, const int64_t shape[4],
                              bool labelled, hiss_error *err);
/* Number of the source's row that comes next, and where its pixels go. */
int64_t data_writer_next(const data_writer *w);
uint8_t *data_writer_pixels(const data_writer *w);
hiss_status data_writer_add(data_writer *w, int32_t label, hiss_error *err);
/* Complete and publish, or, when status says so, remove: also after a begin that failed. classes: names, one a line, or
 * NULL. Returns status, or why it cannot be completed. */
hiss_status data_writer_end(data_writer *w, hiss_status status, const char *source, const char *classes,
                            hiss_error *err);

/* ---- rows of a source that are not counted beforehand ---- */

typedef struct data_rows {
    const hiss_prepare_options *options;
    int64_t shape[4]; /* shape[0] rows so far; shape[1] is 0 before data_rows_begin */
    FILE *file;       /* their pixels; it has no name */
    uint8_t *pixels;  /* of the row that comes next */
    int32_t *label;   /* [shape[0]] */
    int64_t room;     /* of label */
    int64_t broken;   /* pictures that cannot be read */
    hiss_error why;   /* of the first of them */
    double told;      /* when the last line of progress was logged */
} data_rows;

void data_rows_create(const hiss_prepare_options *options, data_rows *out);
void data_rows_destroy(data_rows *rows);
/* Shape of a row. */
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

#endif
