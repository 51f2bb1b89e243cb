/* Inside src/data: the arrays of npz files (numpy.savez, numpy.savez_compressed). */
#ifndef HISS_NPZ_IMPL_H
#define HISS_NPZ_IMPL_H

#include <stdbool.h>

#include "archive_impl.h"
#include "prepare_impl.h"

enum { DATA_NPZ_NDIM = 8 };
typedef struct data_npz_header {
    char type[32]; /* as the file writes it: <i4 */
    char kind;     /* u, i, b (bool), f, ... */
    int size;      /* bytes of a value */
    bool big;      /* byte order */
    bool fortran;  /* the first index runs fastest */
    int ndim;
    int64_t dim[DATA_NPZ_NDIM]; /* 0 to 2^46 each */
} data_npz_header;

/* Read the header of the member that is open. place: how errors name it. */
hiss_status data_npz_read_header(data_archive *archive, const char *place, data_npz_header *out, hiss_error *err);
bool data_npz_is_integer(const data_npz_header *header); /* of 1, 2, 4 or 8 bytes, or bool */
/* An integer; one beyond int64_t is its largest. */
int64_t data_npz_value(const data_npz_header *header, const uint8_t *bytes);

/* Images and labels of an npz file: rows of `rows`, and labels[*count], hiss_free them; NULL when the file has none.
 *   images, labels   names of the arrays; labels "" for none
 *   labels_needed    whether it is an error that there are no labels */
typedef struct data_npz_source {
    const char *file, *images, *labels;
    bool labels_needed;
    bool channels_first;
    bool layout_named; /* then it is believed, however the shape looks */
} data_npz_source;
hiss_status data_npz_read(const data_npz_source *source, data_rows *rows, int32_t **labels, hiss_error *err);

#endif
