/* How a data set lies in chunks, and whether hiss decodes them by itself: chunks behind deflate, shuffle and Fletcher32 or
 * none of them, whose values are stored as this machine has them. */
#include <string.h>

#include "h5_chunk.h"

/* Whether all filters are known, and listed then. */
static bool list_filters(hid_t create, int64_t value_bytes, data_h5_chunks *c) {
    const int count = H5Pget_nfilters(create);
    for (int i = 0; i < count; i++) {
        unsigned flags = 0;
        size_t nvalues = 0;
        const H5Z_filter_t id = H5Pget_filter2(create, (unsigned)i, &flags, &nvalues, NULL, 0, NULL, NULL);
        const bool known = id == H5Z_FILTER_DEFLATE || id == H5Z_FILTER_SHUFFLE || id == H5Z_FILTER_FLETCHER32;
        if (!known || i == DATA_MOST_FILTERS) {
            return false;
        }
        c->filter[c->filters++] = (data_filter){id == H5Z_FILTER_DEFLATE   ? DATA_DEFLATE
                                                : id == H5Z_FILTER_SHUFFLE ? DATA_SHUFFLE
                                                                           : DATA_FLETCHER32,
                                                value_bytes};
    }
    return true;
}

/* Whether the file has the values as this machine has them; an enumeration is its integers. */
static bool is_native(hid_t type, hiss_dtype values) {
    if (values > HISS_U64 && values != HISS_F16) {
        return false;
    }
    const hid_t here = data_h5_memory_type(values), there = H5Tget_class(type) == H5T_ENUM ? H5Tget_super(type) : type;
    const bool equal = H5Tequal(there, here) > 0;
    H5Tclose(here);
    if (there != type) {
        H5Tclose(there);
    }
    return equal;
}

static void get_fill(hid_t create, hid_t type, data_h5_chunks *c) {
    H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
    if (H5Pfill_value_defined(create, &defined) < 0 || defined == H5D_FILL_VALUE_UNDEFINED ||
        H5Pget_fill_value(create, type, c->fill) < 0) {
        memset(c->fill, 0, sizeof c->fill);
    }
}

data_h5_grid data_h5_grid_of(hid_t dataset) {
    const hid_t create = H5Dget_create_plist(dataset), space = H5Dget_space(dataset);
    data_h5_grid g = {0};
    hsize_t chunk[H5S_MAX_RANK];
    g.ndim = H5Sget_simple_extent_dims(space, g.dim, NULL);
    g.chunked =
        H5Pget_layout(create) == H5D_CHUNKED && g.ndim > 0 && H5Pget_chunk(create, H5S_MAX_RANK, chunk) == g.ndim;
    for (int i = 0; g.chunked && i < g.ndim; i++) {
        g.chunk[i] = chunk[i] > 0 ? chunk[i] : 1; /* a damaged file's */
        g.chunks[i] = g.dim[i] / g.chunk[i] + (g.dim[i] % g.chunk[i] > 0);
    }
    H5Sclose(space);
    H5Pclose(create);
    return g;
}

data_h5_chunks data_h5_chunks_of(hid_t dataset, const hiss_h5_info *info, hiss_dtype values) {
    data_h5_chunks c = {.dtype = values, .ndim = info->ndim, .row_values = 1};
    const data_h5_grid g = data_h5_grid_of(dataset);
    bool empty = false;
    for (int i = 0; i < g.ndim; i++) {
        empty = empty || g.dim[i] == 0;
    }
    if (!g.chunked || g.ndim != c.ndim || empty) {
        return c;
    }
    const hid_t create = H5Dget_create_plist(dataset), type = H5Dget_type(dataset);
    bool whole_rows = true;
    unsigned options = 0;
    c.chunk_bytes = c.value_bytes = (int64_t)H5Tget_size(type);
    for (int i = 0; i < c.ndim; i++) {
        c.dim[i] = (int64_t)g.dim[i];
        c.chunk[i] = (int64_t)g.chunk[i];
        c.grid[i] = (int64_t)g.chunks[i];
        c.chunk_bytes *= c.chunk[i]; /* HDF5 has chunks of less than 4 GiB only */
        c.row_values *= i > 0 ? c.dim[i] : 1;
        whole_rows = whole_rows && (i == 0 || c.chunk[i] == c.dim[i]);
    }
    const bool known = list_filters(create, c.value_bytes, &c);
    c.dear = H5Pget_nfilters(create) > 0 || !whole_rows;
    c.ours = c.dear && known && is_native(type, values) && H5Pget_chunk_opts(create, &options) >= 0 && options == 0;
    if (c.ours) {
        get_fill(create, type, &c);
    }
    H5Tclose(type);
    H5Pclose(create);
    return c;
}
