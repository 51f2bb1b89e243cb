/* Rows of data sets whose chunks are dear: a slab, which is all chunks that hold a part of the same rows, is decoded as a
 * whole.
 *
 * Whole slabs are decoded where they are wanted. Parts of them come out of slabs that stay decoded (h5_slab.c), so that a
 * reader of neighbours, or of scattered rows in ascending order, decodes each slab once. Slabs too large to be kept
 * beside others are not kept for a reader of half of them or more, and none that exceeds the file's room: then the
 * part is decoded alone, though its chunks are decoded whole. */
#include <assert.h>
#include <string.h>

#include "h5_chunk.h"

/* A read of some rows, as it is handed down. */
typedef struct request {
    hiss_h5 *file;
    const char *dataset;
    hiss_dtype dtype;
    const data_h5_chunks *c;
    int64_t row_bytes, stride;
} request;

static int64_t slab_rows(const data_h5_chunks *c, int64_t first) {
    return c->dim[0] - first < c->chunk[0] ? c->dim[0] - first : c->chunk[0];
}

static hiss_status decode_rows(const request *r, int64_t begin, int64_t count, int64_t stride, uint8_t *out,
                               hiss_error *err) {
    if (r->c->ours && r->dtype == r->c->dtype && data_h5_decode(r->file, r->dataset, r->c, begin, count, stride, out)) {
        return HISS_OK;
    }
    return data_h5_read_plain(r->file, r->dataset, r->dtype, 0, begin, count, stride, out, err);
}

/* Copy rows of one slab, decoding it unless it is kept. */
static hiss_status read_kept(const request *r, int64_t begin, int64_t count, uint8_t *out, hiss_error *err) {
    data_h5_slabs *all = r->file->slabs;
    const int64_t index = begin / r->c->chunk[0], first = index * r->c->chunk[0], rows = slab_rows(r->c, first);
    hiss_status status = HISS_OK;
    data_h5_slabs_hold(all);
    data_h5_slab *slab = data_h5_slab_find(all, r->file->number, r->dataset, r->dtype, index);
    if (!slab) {
        slab = data_h5_slab_add(all, r->file->number, r->dataset, r->dtype, index, rows * r->row_bytes);
        status = decode_rows(r, first, rows, r->row_bytes, slab->rows, err);
    }
    if (status) {
        data_h5_slab_drop(all, slab);
    } else if (r->stride == r->row_bytes) {
        memcpy(out, slab->rows + (begin - first) * r->row_bytes, (size_t)(count * r->row_bytes));
    } else {
        for (int64_t i = 0; i < count; i++) {
            memcpy(out + i * r->stride, slab->rows + (begin - first + i) * r->row_bytes, (size_t)r->row_bytes);
        }
    }
    data_h5_slabs_release(all);
    return status;
}

/* Read the first rows: all of the whole slabs that `begin` is the first row of, else what is wanted of one. */
static hiss_status read_some(const request *r, int64_t begin, int64_t count, uint8_t *out, int64_t *done,
                             hiss_error *err) {
    const data_h5_chunks *c = r->c;
    const int64_t first = begin - begin % c->chunk[0], rows = slab_rows(c, first), end = begin + count;
    if (begin == first && count >= rows) {
        *done = end == c->dim[0] ? count : count - end % c->chunk[0];
        return decode_rows(r, begin, *done, r->stride, out, err);
    }
    *done = first + rows < end ? first + rows - begin : count;
    const bool once = rows > data_h5_kept_bytes / r->row_bytes && 2 * *done >= rows;
    return once || rows > r->file->room / r->row_bytes ? decode_rows(r, begin, *done, r->stride, out, err)
                                                       : read_kept(r, begin, *done, out, err);
}

hiss_status hiss_h5_read_rows(hiss_h5 *file, const char *dataset, hiss_dtype dtype, int dimension, int64_t begin,
                              int64_t count, int64_t stride, void *out, hiss_error *err) {
    data_h5_enter();
    hiss_status status = data_h5_use(file, dataset, err);
    const data_h5_chunks c = *file->chunks;
    data_h5_leave(status);
    const bool inside = begin >= 0 && count > 0 && begin <= c.dim[0] && count <= c.dim[0] - begin;
    if (status || !c.dear || file->writing || !inside || dimension != 0) {
        return status ? status : data_h5_read_plain(file, dataset, dtype, dimension, begin, count, stride, out, err);
    }
    const int64_t row_bytes = c.row_values * hiss_dtype_bytes(dtype);
    stride = stride ? stride : row_bytes;
    const request r = {file, dataset, dtype, &c, row_bytes, stride};
    assert(stride % hiss_dtype_bytes(dtype) == 0 && stride >= r.row_bytes);
    uint8_t *to = out;
    for (int64_t done = 0; count > 0 && !status; begin += done, count -= done, to += done * stride) {
        status = read_some(&r, begin, count, to, &done, err);
    }
    return status;
}

hiss_status hiss_h5_layout_of(hiss_h5 *file, const char *dataset, hiss_h5_layout *out, hiss_error *err) {
    data_h5_enter();
    const hiss_status status = data_h5_use(file, dataset, err);
    const data_h5_chunks c = *file->chunks;
    data_h5_leave(status);
    *out = (hiss_h5_layout){.rows_at_once = 1};
    if (!status && c.dear) {
        *out = (hiss_h5_layout){.rows_at_once = c.chunk[0] < c.dim[0] ? c.chunk[0] : c.dim[0],
                                .chunk_bytes = c.chunk_bytes};
    }
    return status;
}

void hiss_h5_keep(hiss_h5 *file, int64_t bytes) {
    file->room = bytes;
    data_h5_slabs_forget(file->slabs);
}
