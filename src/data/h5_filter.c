/* Filters of a data set that the HDF5 library cannot run backwards here. HDF5 itself names the last plugin or folder it
 * could not load, which is any. Names: the HDF Group's list of registered filter plugins; the first six are built
 * in. */
#include "h5_impl.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_FILTERS = 32, FILTER_NAME = 40, READ_BYTES = 1 << 30, LZF = 32000 };

static const struct {
    H5Z_filter_t id;
    const char *name;
} registered[] = {
    {1, "gzip"},           {2, "shuffle"},
    {3, "Fletcher32"},     {4, "SZIP"},
    {5, "N-Bit"},          {6, "ScaleOffset"},
    {257, "hzip"},         {258, "fpzip"},
    {305, "LZO"},          {307, "bzip2"},
    {32000, "LZF"},        {32001, "Blosc"},
    {32002, "MAFISC"},     {32003, "Snappy"},
    {32004, "LZ4"},        {32005, "APAX"},
    {32006, "CBF"},        {32007, "JPEG-XR"},
    {32008, "Bitshuffle"}, {32009, "SPDP"},
    {32010, "LPC-Rice"},   {32011, "CCSDS-123"},
    {32012, "JPEG-LS"},    {32013, "zfp"},
    {32014, "fpzip"},      {32015, "Zstandard"},
    {32016, "B3D"},        {32017, "SZ"},
    {32018, "FCIDECOMP"},  {32019, "JPEG"},
    {32020, "VBZ"},        {32021, "FAPEC"},
    {32022, "BitGroom"},   {32023, "Granular BitRound"},
    {32024, "SZ3"},        {32025, "Delta-Rice"},
    {32026, "Blosc2"},     {32027, "FLAC"},
    {32028, "SPERR"},      {32029, "TERSE/PROLIX"},
    {32030, "FFMPEG"},
};

static void name_of(H5Z_filter_t id, char name[FILTER_NAME]) {
    for (size_t i = 0; i < sizeof registered / sizeof *registered; i++) {
        if (registered[i].id == id) {
            snprintf(name, FILTER_NAME, "%s", registered[i].name);
            return;
        }
    }
    for (char *c = name; *c; c++) { /* the file's own word */
        *c = *c < ' ' || *c > '~' ? '?' : *c;
    }
    if (!*name) {
        snprintf(name, FILTER_NAME, "not a registered one");
    }
}

static bool is_there(H5Z_filter_t id) {
    unsigned can = 0;
    return H5Zfilter_avail(id) > 0 && (H5Zget_filter_info(id, &can) < 0 || can & H5Z_FILTER_CONFIG_DECODE_ENABLED);
}

/* A search for a chunk that went through filter number `filter` of the data set. */
typedef struct search {
    int filter;
    hsize_t bytes_left; /* of chunks that are still read */
    bool found;
} search;

static bool went_through(hid_t dataset, const hsize_t *at, hsize_t bytes, void *user) {
    search *s = user;
    uint32_t skipped = ~0u;
    if (bytes == 0 || bytes > s->bytes_left) {
        return true;
    }
    s->bytes_left -= bytes;
    void *stored = malloc(bytes);
    s->found = stored && H5Dread_chunk(dataset, H5P_DEFAULT, at, &skipped, stored) >= 0 && !(skipped >> s->filter & 1);
    free(stored);
    return !s->found;
}

/* Filters may be left out chunk by chunk. Most files need their filters at the first chunk. */
static bool is_needed(hid_t dataset, int filter) {
    search s = {.filter = filter, .bytes_left = READ_BYTES};
    data_h5_each_chunk(dataset, went_through, &s);
    return s.found;
}

bool data_h5_lacks_filter(hid_t dataset, bool any, char *why, size_t size) {
    const hid_t create = H5Dget_create_plist(dataset);
    const int count = H5Pget_nfilters(create);
    int used = 0;
    bool others = false;
    for (int i = 0; i < count && i < MOST_FILTERS; i++) {
        char name[FILTER_NAME] = "";
        unsigned flags = 0;
        size_t nvalues = 0;
        const H5Z_filter_t id = H5Pget_filter2(create, (unsigned)i, &flags, &nvalues, NULL, sizeof name, name, NULL);
        if (id < 0 || is_there(id) || (!any && !is_needed(dataset, i))) {
            continue;
        }
        name[FILTER_NAME - 1] = 0;
        name_of(id, name);
        others = others || id != LZF;
        if ((size_t)used < size) {
            used += snprintf(why + used, size - (size_t)used, "%s %d (%s)", used ? " and" : "its values need filter",
                             id, name);
        }
    }
    H5Pclose(create);
    if (used && (size_t)used < size) { /* plugins of LZF are rare: it is part of h5py */
        snprintf(why + used, size - (size_t)used, ", which this HDF5 lacks; %s",
                 others ? "set HDF5_PLUGIN_PATH to the folder of its plugin, or rewrite the file where it can be read: "
                          "h5repack -f NONE OLD NEW, or -f GZIP=4"
                        : "h5py has it: write the file anew there with compression='gzip', or set HDF5_PLUGIN_PATH to "
                          "the folder of a plugin");
    }
    return used > 0;
}
