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

typedef struct grid {
    int ndim;
    hsize_t dim[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
    hsize_t chunks; /* that there should be, at most MOST_CHUNKS + 1 */
} grid;

/* False for what has no chunks. */
static bool grid_of(hid_t dataset, grid *g) {
    const hid_t create = H5Dget_create_plist(dataset), space = H5Dget_space(dataset);
    g->ndim = H5Sget_simple_extent_dims(space, g->dim, NULL);
    const bool chunked =
        H5Pget_layout(create) == H5D_CHUNKED && g->ndim > 0 && H5Pget_chunk(create, H5S_MAX_RANK, g->chunk) == g->ndim;
    g->chunks = 1;
    for (int i = 0; chunked && i < g->ndim; i++) {
        const hsize_t along = g->dim[i] / g->chunk[i] + (g->dim[i] % g->chunk[i] > 0);
        g->chunks = along > MOST_CHUNKS ? MOST_CHUNKS + 1 : g->chunks * along;
        g->chunks = g->chunks > MOST_CHUNKS ? MOST_CHUNKS + 1 : g->chunks;
    }
    H5Sclose(space);
    H5Pclose(create);
    return chunked;
}

/* On to the next place of a chunk, the last axis first. False after the last one. */
static bool advance(const grid *g, hsize_t *at) {
    for (int i = g->ndim - 1; i >= 0; i--) {
        if ((at[i] += g->chunk[i]) < g->dim[i]) {
            return true;
        }
        at[i] = 0;
    }
    return false;
}

void data_h5_each_chunk(hid_t dataset, data_h5_chunk_visitor visit, void *user) {
    grid g;
    hsize_t at[H5S_MAX_RANK] = {0};
    bool more = grid_of(dataset, &g) && g.chunks > 0;
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

bool data_h5_unwritten(hid_t dataset, char *text, size_t size) {
    const hid_t create = H5Dget_create_plist(dataset);
    const H5D_layout_t layout = H5Pget_layout(create);
    const bool outside = H5Pget_external_count(create) != 0;
    H5Pclose(create);
    grid g;
    hsize_t there = 0;
    const bool chunked = grid_of(dataset, &g);
    if (g.ndim < 1 || g.dim[0] < 1 || outside || (layout != H5D_CONTIGUOUS && !chunked)) {
        return false;
    }
    if (H5Dget_storage_size(dataset) == 0) {
        snprintf(text, size, "nothing was ever written to it: all %llu rows hold its fill value",
                 (unsigned long long)g.dim[0]);
        return true;
    }
    const hid_t space = H5Dget_space(dataset);
    const bool known = chunked && H5Dget_num_chunks(dataset, space, &there) >= 0;
    H5Sclose(space);
    if (!known || there >= g.chunks) {
        return false;
    }
    if (g.chunks > MOST_CHUNKS) {
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
