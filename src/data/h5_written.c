/* Which chunks of a data set were written. HDF5 stores chunks when something is written to them, and answers with the
 * fill value for those that are not there.
 *
 * The chunks are asked for one after the other, by their place: an index is a tree or a table, so that costs a look-up
 * each. (H5Dget_chunk_info walks the index up to the number asked for, which is quadratic over all of them.)
 *
 * Cost: a walk of the index when all chunks are there; else some microseconds a chunk that should be. */
#include "h5_impl.h"

#include <stdio.h>

enum { MOST_CHUNKS = 1 << 22 };

/* How many there should be, at most MOST_CHUNKS + 1. */
static hsize_t chunks_of(const data_h5_grid *g) {
    hsize_t all = 1;
    for (int i = 0; i < g->ndim; i++) {
        all = g->chunks[i] > MOST_CHUNKS ? MOST_CHUNKS + 1 : all * g->chunks[i];
        all = all > MOST_CHUNKS ? MOST_CHUNKS + 1 : all;
    }
    return all;
}

/* On to the next place of a chunk, the last axis first. False after the last one. */
static bool advance(const data_h5_grid *g, hsize_t *at) {
    for (int i = g->ndim - 1; i >= 0; i--) {
        if ((at[i] += g->chunk[i]) < g->dim[i]) {
            return true;
        }
        at[i] = 0;
    }
    return false;
}

void data_h5_each_chunk(hid_t dataset, data_h5_chunk_visitor visit, void *user) {
    const data_h5_grid g = data_h5_grid_of(dataset);
    hsize_t at[H5S_MAX_RANK] = {0};
    bool more = g.chunked && chunks_of(&g) > 0;
    for (int visited = 0; more && visited < MOST_CHUNKS; visited++) {
        hsize_t bytes = 0;
        const bool there = H5Dget_chunk_storage_size(dataset, at, &bytes) >= 0 && bytes > 0;
        more = visit(dataset, at, there ? bytes : 0, user) && advance(&g, at);
    }
}

typedef struct tally {
    hsize_t rows, chunk_rows; /* of the data set, of a chunk */
    hsize_t missing, first;   /* rows, row */
    bool counted;             /* the rows that begin where the last chunk did */
    hsize_t begin;            /* where that was */
} tally;

static bool count_missing(hid_t dataset, const hsize_t *at, hsize_t bytes, void *user) {
    tally *t = user;
    (void)dataset;
    t->counted = t->counted && t->begin == at[0];
    t->begin = at[0];
    if (!bytes && !t->counted) {
        const hsize_t left = t->rows - at[0];
        t->first = t->missing ? t->first : at[0];
        t->missing += left < t->chunk_rows ? left : t->chunk_rows;
        t->counted = true;
    }
    return true;
}

void data_h5_virtual_count(hid_t dataset, double *mapped, double *all) {
    const hid_t create = H5Dget_create_plist(dataset), space = H5Dget_space(dataset);
    size_t count = 0;
    *all = (double)H5Sget_simple_extent_npoints(space);
    *mapped = 0;
    H5Pget_virtual_count(create, &count);
    for (size_t i = 0; i < count; i++) {
        const hid_t part = H5Pget_virtual_vspace(create, i);
        const hssize_t points = H5Sget_select_npoints(part);
        *mapped += points < 0 ? *all : (double)points; /* without end */
        H5Sclose(part);
    }
    H5Sclose(space);
    H5Pclose(create);
}

static bool virtual_gaps(hid_t dataset, char *text, size_t size) {
    double mapped, all;
    data_h5_virtual_count(dataset, &mapped, &all);
    snprintf(text, size, "it is virtual, and %.0f of its %.0f values lie in no file: they hold its fill value",
             all - mapped, all);
    return mapped < all;
}

bool data_h5_unwritten(hid_t dataset, char *text, size_t size) {
    const hid_t create = H5Dget_create_plist(dataset);
    const H5D_layout_t layout = H5Pget_layout(create);
    const bool outside = H5Pget_external_count(create) != 0;
    H5Pclose(create);
    if (layout == H5D_VIRTUAL) {
        return virtual_gaps(dataset, text, size);
    }
    const data_h5_grid g = data_h5_grid_of(dataset);
    hsize_t there = 0;
    if (g.ndim < 1 || g.dim[0] < 1 || outside || (layout != H5D_CONTIGUOUS && !g.chunked)) {
        return false;
    }
    if (H5Dget_storage_size(dataset) == 0) {
        snprintf(text, size, "nothing was ever written to it: all %llu rows hold its fill value",
                 (unsigned long long)g.dim[0]);
        return true;
    }
    const hid_t space = H5Dget_space(dataset);
    const bool known = g.chunked && H5Dget_num_chunks(dataset, space, &there) >= 0;
    H5Sclose(space);
    if (!known || there >= chunks_of(&g)) {
        return false;
    }
    if (chunks_of(&g) > MOST_CHUNKS) {
        snprintf(text, size, "only %llu of its chunks were ever written, and there should be more than %d",
                 (unsigned long long)there, MOST_CHUNKS);
        return true;
    }
    tally t = {.rows = g.dim[0], .chunk_rows = g.chunk[0]};
    data_h5_each_chunk(dataset, count_missing, &t);
    snprintf(text, size,
             "%llu of its %llu rows were never written, or not whole, from row %llu on: they hold its fill value",
             (unsigned long long)t.missing, (unsigned long long)t.rows, (unsigned long long)t.first);
    return t.missing > 0;
}
