/* Inside src/data/h5*.c: data sets in chunks. */
#ifndef HISS_H5_CHUNK_H
#define HISS_H5_CHUNK_H

#include "h5_impl.h"
#include "unfilter.h"

/* How the open data set of a file lies in chunks. */
typedef struct data_h5_chunks {
    bool dear; /* one row costs a whole slab: all chunks that hold a part of it */
    bool ours; /* hiss decodes the chunks by itself */
    hiss_dtype dtype;
    int ndim;
    int64_t dim[HISS_H5_NDIM], chunk[HISS_H5_NDIM], grid[HISS_H5_NDIM]; /* grid: chunks along each axis */
    int64_t value_bytes, chunk_bytes, row_values;
    int filters;
    data_filter filter[DATA_MOST_FILTERS];
    uint8_t fill[sizeof(int64_t)]; /* the value of what was never written */
} data_h5_chunks;

/* h5_layout.c. Under the lock. dear is false for contiguous data sets, and for those in chunks of whole rows without a
 * filter; values: the type of their values. */
data_h5_chunks data_h5_chunks_of(hid_t dataset, const hiss_h5_info *info, hiss_dtype values);

/* h5_chunk.c. Decode rows [begin, begin + count) of a data set that is ours, each chunk once, several at a time; row i
 * begins at out + i * stride. False when a chunk cannot be decoded: HDF5 will say why. Without the lock. */
bool data_h5_decode(hiss_h5 *file, const char *dataset, const data_h5_chunks *chunks, int64_t begin, int64_t count,
                    int64_t stride, uint8_t *out);

/* h5_slab.c: decoded slabs that are kept, those used last. One thread at a time holds them. */
typedef struct data_h5_slab {
    char dataset[HISS_H5_NAME];
    hiss_dtype dtype;
    int64_t file, index, used, bytes; /* file: its number; used: when; bytes: of rows */
    uint8_t *rows;                    /* NULL: none */
} data_h5_slab;
typedef struct data_h5_slabs data_h5_slabs;
extern const int64_t data_h5_kept_bytes; /* of them all, unless one is larger */
data_h5_slabs *data_h5_slabs_create(void);
void data_h5_slabs_destroy(data_h5_slabs *slabs);
void data_h5_slabs_hold(data_h5_slabs *slabs);
void data_h5_slabs_release(data_h5_slabs *slabs);
data_h5_slab *data_h5_slab_find(data_h5_slabs *slabs, int64_t file, const char *dataset, hiss_dtype dtype,
                                int64_t index);
/* A slab to be filled; older ones make room. */
data_h5_slab *data_h5_slab_add(data_h5_slabs *slabs, int64_t file, const char *dataset, hiss_dtype dtype, int64_t index,
                               int64_t bytes);
void data_h5_slab_drop(data_h5_slabs *slabs, data_h5_slab *slab);
void data_h5_slabs_forget(data_h5_slabs *slabs); /* all of them */
/* Let a file have these slabs, of other files, too; number: of the file among them. */
void data_h5_lend(hiss_h5 *file, data_h5_slabs *slabs, int64_t number);

/* h5.c. Under the lock: make dataset the open one. Without it: hiss_h5_read_rows by HDF5 alone. */
hiss_status data_h5_use(hiss_h5 *file, const char *dataset, hiss_error *err);
hiss_status data_h5_read_plain(hiss_h5 *file, const char *dataset, hiss_dtype dtype, int dimension, int64_t begin,
                               int64_t count, int64_t stride, void *out, hiss_error *err);

#endif
