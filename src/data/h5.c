/* HDF5 files as named arrays. With its neighbours h5_*.c, of which h5_probe.c looks into a file before it is opened
 * here, the only user of the HDF5 library.
 *
 * The data set used last stays open in its file, because HDF5 keeps its cache of chunks per open data set: a reader of
 * single rows would otherwise inflate a whole chunk for each of them.
 *
 * Cost: a read or write is one H5Dread or H5Dwrite of one hyperslab, some 10 us plus the transfer. Sizes are 64 bits
 * throughout; the library cuts transfers at the system's limit by itself. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "h5_chunk.h"
#include "hiss/alloc.h"
#include "hiss/data.h"
#include "hiss/fault.h"

enum { EXPLANATION = 480, CACHE_BYTES = 1 << 25, CACHE_SLOTS = 12421, IMAGE_STEP = 1 << 20 };

/* ---- files ---- */

void hiss_h5_about(char out[HISS_H5_ABOUT]) {
    unsigned major = 0, minor = 0, release = 0;
    hbool_t safe = false;
    H5get_libversion(&major, &minor, &release);
    H5is_library_threadsafe(&safe);
#ifdef H5_HAVE_PARALLEL
    const char *kind = "parallel";
#else
    const char *kind = "serial";
#endif
    snprintf(out, HISS_H5_ABOUT, "%u.%u.%u, %s, %s", major, minor, release, kind,
             safe ? "thread-safe" : "not thread-safe");
}

static hiss_h5 *wrap(const char *path, hid_t id) {
    hiss_h5 *file = hiss_new(hiss_h5, 1);
    *file = (hiss_h5){.path = strcpy(hiss_alloc(strlen(path) + 1), path), .file = id, .dataset = -1};
    file->room = INT64_MAX;
    file->cache_bytes = CACHE_BYTES;
    file->chunks = hiss_new(data_h5_chunks, 1);
    file->slabs = data_h5_slabs_create();
    return file;
}

/* HDF5 reads so many bytes around a row of a contiguous data set; its own 64 KiB are for one who reads them next. */
static hid_t open_to_read(const char *path) {
    enum { SIEVE_BYTES = 4096 };
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_sieve_buf_size(access, SIEVE_BYTES);
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (file >= 0) {
        H5Pclose(access);
    }
    return file;
}

hiss_status data_h5_check_path(const char *path, hiss_error *err) {
    struct stat what;
    if (stat(path, &what) || access(path, R_OK)) {
        return hiss_fail(err, HISS_EUSER, "%s: cannot be read: %s; give the path of an HDF5 file", path,
                         strerror(errno));
    }
    if (S_ISDIR(what.st_mode)) {
        return hiss_fail(err, HISS_EUSER, "%s: is a folder; expected an HDF5 file (hiss prepare makes one of a folder)",
                         path);
    }
    return HISS_OK;
}

/* Why HDF5 does not open it. */
static hiss_status unopened(const char *path, const char *why, bool lacks_memory, hiss_error *err) {
    hiss_status status = HISS_EUSER;
    struct stat what = {0};
    if (lacks_memory) {
        status = hiss_fail(err, HISS_ESYSTEM, "%s: out of memory: HDF5 could not get what it needs to open it; %s",
                           path, data_h5_memory_remedy);
    } else if (strstr(why, "lock file")) {
        status =
            hiss_fail(err, HISS_ESYSTEM,
                      "%s: HDF5 cannot lock it (%s); another process is writing it, or the file system has no locks: "
                      "then set HDF5_USE_FILE_LOCKING=FALSE in the environment",
                      path, why);
    } else if (strstr(why, "h5clear")) { /* of superblocks that have such a mark: HDF5 1.10 and later */
        hiss_fail(err, HISS_EUSER,
                  "%s: it is marked as open for writing: wait for the program that writes it; when that has died, "
                  "h5clear -s %s takes the mark away, and what was not flushed is lost (%s)",
                  path, path, why);
    } else if (strstr(why, "truncated")) {
        hiss_fail(err, HISS_EUSER,
                  "%s: incomplete HDF5 file (%s): its writer or a copy was stopped; copy or write it again", path, why);
    } else if (H5Fis_hdf5(path) == 0 && stat(path, &what) == 0) {
        hiss_fail(err, HISS_EUSER,
                  "%s: not an HDF5 file (%lld bytes without an HDF5 signature); hiss prepare writes one from idx "
                  "files or a folder",
                  path, (long long)what.st_size);
    } else {
        char remedy[HISS_H5_REASON];
        const bool newer = data_h5_remedy(why, remedy);
        hiss_fail(err, HISS_EUSER, "%s: HDF5 cannot open it: %s%s%s", path, why, newer ? "; " : "",
                  newer ? remedy : "");
    }
    return status;
}

hiss_status data_h5_open_probed(const char *path, data_h5_finding finding, const char *found, hiss_h5 **out,
                                hiss_error *err) {
    if (finding == HISS_H5_DANGEROUS) {
        return hiss_fail(err, HISS_EUSER, "%s: %s", path, found);
    }
    char why[HISS_H5_REASON];
    const bool opens = finding == HISS_H5_FINE;
    const hid_t file = opens && !hiss_fault("h5.open") ? open_to_read(path) : -1;
    if (file < 0) {
        const bool lacks_memory = opens && data_h5_lacks_memory();
        return unopened(path, opens ? data_h5_reason(why) : found, lacks_memory, err);
    }
    *out = wrap(path, file);
    return HISS_OK;
}

hiss_status hiss_h5_open(const char *path, hiss_h5 **out, hiss_error *err) {
    char why[HISS_H5_REASON];
    const hiss_status status = data_h5_check_path(path, err);
    if (status) {
        return status;
    }
    data_h5_enter();
    const data_h5_finding finding = data_h5_probe(path, NULL, why);
    return data_h5_leave(data_h5_open_probed(path, finding, why, out, err));
}

hiss_status hiss_h5_create(const char *path, hiss_h5 **out, hiss_error *err) {
    data_h5_enter();
    hid_t file = hiss_fault("h5.create") ? -1 : H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (file < 0) {
        char text[HISS_H5_REASON];
        const char *why = data_h5_system_reason(text);
        return data_h5_leave(hiss_fail(err, HISS_ESYSTEM, "%s: cannot be created: %s; %s", path, why,
                                       data_h5_writing_remedy(why, "check that the folder exists and allows writing")));
    }
    data_h5_leave(HISS_OK);
    *out = wrap(path, file);
    (*out)->writing = true;
    return HISS_OK;
}

hiss_status hiss_h5_create_image(const char *name, hiss_h5 **out, hiss_error *err) {
    data_h5_enter();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, IMAGE_STEP, false);
    hid_t file = hiss_fault("h5.create") ? -1 : H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    if (file < 0) {
        char why[HISS_H5_REASON];
        return data_h5_leave(
            hiss_fail(err, HISS_ESYSTEM, "%s: cannot be made in memory: %s", name, data_h5_reason(why)));
    }
    data_h5_leave(HISS_OK);
    *out = wrap(name, file);
    (*out)->writing = (*out)->image = true;
    return HISS_OK;
}

int64_t hiss_h5_image(hiss_h5 *file, void *bytes, int64_t size) {
    data_h5_enter();
    H5Fflush(file->file, H5F_SCOPE_LOCAL);
    const int64_t found = hiss_fault("h5.image") ? -1 : H5Fget_file_image(file->file, bytes, bytes ? (size_t)size : 0);
    data_h5_leave(HISS_OK);
    return found;
}

static void forget_dataset(hiss_h5 *file) {
    if (file->dataset >= 0) {
        H5Dclose(file->dataset);
        file->dataset = -1;
    }
    hiss_free(file->there);
    hiss_free(file->there_name);
    file->there = file->there_name = NULL;
    data_h5_virtual_close(file->virtual);
    file->virtual = NULL;
}

hiss_status hiss_h5_close(hiss_h5 *file, hiss_error *err) {
    if (!file) {
        return HISS_OK;
    }
    data_h5_enter();
    hiss_status status = HISS_OK;
    bool closed = file->dataset < 0 || H5Dclose(file->dataset) >= 0;
    file->dataset = -1;
    forget_dataset(file);
    closed = H5Fclose(file->file) >= 0 && closed;
    if (!closed || hiss_fault(file->writing ? "h5.close" : "h5.close_read")) {
        char text[HISS_H5_REASON];
        const char *why = data_h5_system_reason(text);
        status = hiss_fail(err, HISS_ESYSTEM, "%s: cannot be finished: %s; %s", file->path, why,
                           data_h5_writing_remedy(why, "check the disk"));
    }
    data_h5_leave(status);
    if (!file->lent) {
        data_h5_slabs_destroy(file->slabs);
    }
    hiss_free(file->chunks);
    hiss_free(file->path);
    hiss_free(file);
    return status;
}

/* ---- data sets ---- */

static hiss_status describe(hiss_h5 *file, const char *dataset, hid_t id, hiss_h5_info *info, hiss_error *err) {
    hid_t type = H5Dget_type(id), space = H5Dget_space(id);
    char why[EXPLANATION];
    hsize_t dim[H5S_MAX_RANK];
    hiss_status status = HISS_OK;
    const H5S_class_t extent = H5Sget_simple_extent_type(space);
    int ndim = H5Sget_simple_extent_dims(space, dim, NULL);
    const bool virtual = file->virtual != NULL; /* its sources were checked */
    info->dtype = data_h5_dtype(type);
    file->values = data_h5_values(type);
    if (extent == H5S_SCALAR && file->scalars) {
        ndim = 1;
        dim[0] = 1;
    }
    if (extent == H5S_NULL || ndim == 0) {
        status = hiss_fail(err, HISS_EUSER, "%s: data set %s %s; expected 1 to %d dimensions", file->path, dataset,
                           extent == H5S_NULL ? "is empty: it has a type, but no values (H5S_NULL)"
                                              : "is a single value (H5S_SCALAR)",
                           HISS_H5_NDIM);
    } else if (ndim < 1 || ndim > HISS_H5_NDIM) {
        status = hiss_fail(err, HISS_EUSER, "%s: data set %s has %d dimensions; expected 1 to %d", file->path, dataset,
                           ndim, HISS_H5_NDIM);
    } else if (!file->writing && !virtual &&
               (data_h5_refuses(id, why, sizeof why) || data_h5_lacks_filter(id, false, why, sizeof why))) {
        status = hiss_fail(err, HISS_EUSER, "%s: data set %s is not read: %s%s", file->path, dataset, why,
                           file->follow && data_h5_is_virtual(id) ? "; or set data.follow: true" : "");
    } else {
        info->ndim = ndim;
        for (int i = 0; i < HISS_H5_NDIM; i++) {
            info->dim[i] = i < ndim ? (int64_t)dim[i] : 0;
        }
    }
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

/* Open with a cache of chunks of so many bytes. */
static hid_t open_dataset(hiss_h5 *file, const char *dataset, size_t cache_bytes, char why[HISS_H5_REASON]) {
    hid_t access = data_h5_inside_only();
    H5Pset_chunk_cache(access, CACHE_SLOTS, cache_bytes, 0.75);
    hid_t id = H5Dopen2(file->file, dataset, access);
    data_h5_reason(why);
    H5Pclose(access);
    return id;
}

/* The same, also of what lies in other files, where that is allowed. An error, or a data set. */
static hiss_status open_anywhere(hiss_h5 *file, const char *dataset, hid_t *id, hiss_error *err) {
    char why[HISS_H5_REASON], where[DATA_H5_PATH], object[DATA_H5_PATH];
    *id = open_dataset(file, dataset, file->cache_bytes, why);
    const bool outside = *id < 0 ? data_h5_outside(file->file, dataset, where, object) : data_h5_is_virtual(*id);
    if (!outside || !file->follow || !file->follow->on) {
        return *id >= 0 ? HISS_OK : data_h5_missing(file, dataset, why, err);
    }
    if (*id >= 0) {
        H5Dclose(*id);
    }
    const hid_t access = data_h5_inside_only();
    H5Pset_chunk_cache(access, CACHE_SLOTS, file->cache_bytes, 0.75);
    const hiss_status status = data_h5_open_followed(file, dataset, access, id, err);
    if (status && *id >= 0) {
        H5Dclose(*id);
    }
    H5Pclose(access);
    return status;
}

/* The cache is for chunks that HDF5 has to read as a whole; with it, it would read others as a whole, too, where one row
 * is asked for. */
hiss_status data_h5_use(hiss_h5 *file, const char *dataset, hiss_error *err) {
    if (file->dataset >= 0 && !strcmp(file->name, dataset)) {
        return HISS_OK;
    }
    forget_dataset(file);
    if (strlen(dataset) >= HISS_H5_NAME) {
        return hiss_fail(err, HISS_EUSER, "%s: the name of data set %.60s... has more than %d characters", file->path,
                         dataset, HISS_H5_NAME - 1);
    }
    char why[HISS_H5_REASON];
    hid_t id;
    hiss_status status = open_anywhere(file, dataset, &id, err);
    if (status) {
        return status;
    }
    status = describe(file, dataset, id, &file->info, err);
    *file->chunks = status ? (data_h5_chunks){0} : data_h5_chunks_of(id, &file->info, file->values);
    if (!status && !file->writing && file->chunks->chunk_bytes > 0 && !file->chunks->dear && !file->there) {
        H5Dclose(id);
        id = open_dataset(file, dataset, 0, why);
    }
    if (status) {
        H5Dclose(id);
        return status;
    }
    file->dataset = id;
    strcpy(file->name, dataset);
    return HISS_OK;
}

bool hiss_h5_has(hiss_h5 *file, const char *dataset) {
    data_h5_enter();
    const bool has = data_h5_named(file->file, dataset);
    data_h5_leave(HISS_OK);
    return has;
}

hiss_status hiss_h5_look(hiss_h5 *file, const char *dataset, hiss_h5_info *info, hiss_error *err) {
    data_h5_enter();
    hiss_status status = data_h5_use(file, dataset, err);
    if (!status) {
        *info = file->info;
    }
    return data_h5_leave(status);
}

bool hiss_h5_unwritten(hiss_h5 *file, const char *dataset, char out[HISS_H5_INFO_TEXT]) {
    data_h5_enter();
    const bool lacks =
        data_h5_use(file, dataset, NULL) == HISS_OK && data_h5_unwritten(file->dataset, out, HISS_H5_INFO_TEXT);
    data_h5_leave(HISS_OK);
    return lacks;
}

static hiss_status each(hiss_h5 *file, bool all_of_them, hiss_h5_visit visit, void *user, hiss_error *err) {
    data_h5_enter();
    data_h5_names all = data_h5_names_of(file);
    data_h5_leave(HISS_OK);
    hiss_status status = HISS_OK;
    for (int64_t i = 0; i < all.count && !status; i++) {
        hiss_h5_info info;
        const bool known = hiss_h5_look(file, all.name[i], &info, all_of_them ? err : NULL) == HISS_OK;
        if (all_of_them || (known && info.dtype <= HISS_F32)) {
            status = visit(user, all.name[i], known ? &info : NULL, err);
        }
    }
    data_h5_names_free(&all);
    return status;
}

hiss_status hiss_h5_each(hiss_h5 *file, hiss_h5_visit visit, void *user, hiss_error *err) {
    return each(file, false, visit, user, err);
}

hiss_status hiss_h5_list(hiss_h5 *file, hiss_h5_visit visit, void *user, hiss_error *err) {
    return each(file, true, visit, user, err);
}

hiss_status hiss_h5_values(hiss_h5 *file, const char *dataset, hiss_dtype *values, hiss_error *err) {
    data_h5_enter();
    hiss_status status = data_h5_use(file, dataset, err);
    if (!status) {
        *values = file->values;
    }
    return data_h5_leave(status);
}

static hiss_status expect_dtype(const hiss_h5 *file, hiss_dtype dtype, hiss_error *err) {
    const hiss_dtype found = file->info.dtype;
    return found == dtype || (dtype == HISS_I64 && hiss_dtype_is_integer(found))
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER, "%s: data set %s holds %s; expected %s", file->path, file->name,
                           hiss_dtype_name(found), hiss_dtype_name(dtype));
}

/* Check that rows [begin, begin + count) exist in the data set in use, and select them. */
static hiss_status select_rows(hiss_h5 *file, int dimension, int64_t begin, int64_t count, hid_t *there, hid_t *here,
                               hiss_error *err) {
    const hiss_h5_info *info = &file->info;
    if (begin < 0 || count < 0 || begin > info->dim[dimension] || count > info->dim[dimension] - begin) {
        return hiss_fail(err, HISS_EUSER, "%s: data set %s has %lld rows; rows %lld to %lld were asked for", file->path,
                         file->name, (long long)info->dim[dimension], (long long)begin, (long long)(begin + count - 1));
    }
    hsize_t start[HISS_H5_NDIM] = {0}, extent[HISS_H5_NDIM];
    for (int i = 0; i < info->ndim; i++) {
        extent[i] = (hsize_t)info->dim[i];
    }
    start[dimension] = (hsize_t)begin;
    extent[dimension] = (hsize_t)count;
    *there = H5Dget_space(file->dataset);
    if (H5Sget_simple_extent_type(*there) != H5S_SCALAR) {
        H5Sselect_hyperslab(*there, H5S_SELECT_SET, start, NULL, extent, NULL);
    }
    *here = H5Screate_simple(info->ndim, extent, NULL);
    return HISS_OK;
}

static hiss_status cannot_read(hiss_h5 *file, int64_t begin, int64_t count, hiss_error *err) {
    char reason[HISS_H5_REASON], lack[EXPLANATION];
    data_h5_reason(reason);
    if (data_h5_lacks_memory()) {
        return hiss_fail(err, HISS_ESYSTEM,
                         "%s: out of memory: HDF5 could not get what it needs to read data set %s; %s", file->path,
                         file->name, data_h5_memory_remedy);
    }
    if (data_h5_lacks_filter(file->dataset, true, lack, sizeof lack)) {
        return hiss_fail(err, HISS_EUSER, "%s: data set %s is not read: %s", file->path, file->name, lack);
    }
    return hiss_fail(err, HISS_ESYSTEM,
                     "%s: cannot read rows %lld to %lld of data set %s: %s; the file is damaged or the file system "
                     "fails",
                     file->path, (long long)begin, (long long)(begin + count - 1), file->name, reason);
}

static herr_t read_values(const hiss_h5 *file, hid_t type, hid_t here, hid_t there, void *out) {
    return file->virtual ? data_h5_virtual_read(file->virtual, type, here, there, out)
                         : H5Dread(file->dataset, type, here, there, H5P_DEFAULT, out);
}

hiss_status hiss_h5_read(hiss_h5 *file, const char *dataset, hiss_dtype dtype, int64_t begin, int64_t count, void *out,
                         hiss_error *err) {
    hid_t there, here;
    data_h5_enter();
    hiss_status status = data_h5_use(file, dataset, err);
    if (status || (status = expect_dtype(file, dtype, err)) ||
        (status = select_rows(file, 0, begin, count, &there, &here, err))) {
        return data_h5_leave(status);
    }
    if (count && (hiss_fault("h5.read") || read_values(file, data_h5_native(dtype), here, there, out) < 0)) {
        status = cannot_read(file, begin, count, err);
    }
    H5Sclose(here);
    H5Sclose(there);
    return data_h5_leave(status);
}

hiss_status data_h5_read_plain(hiss_h5 *file, const char *dataset, hiss_dtype dtype, int dimension, int64_t begin,
                               int64_t count, int64_t stride, void *out, hiss_error *err) {
    hid_t there, here;
    data_h5_enter();
    hiss_status status = data_h5_use(file, dataset, err);
    if (status || (status = select_rows(file, dimension, begin, count, &there, &here, err))) {
        return data_h5_leave(status);
    }
    const hid_t type = data_h5_memory_type(dtype);
    const int64_t size = hiss_dtype_bytes(dtype), values = count ? H5Sget_select_npoints(here) / count : 0;
    assert(stride % size == 0 && (stride >= values * size || stride == 0) && (dimension == 0 || stride == 0));
    if (count && stride > values * size) {
        const hsize_t all[2] = {(hsize_t)count, (hsize_t)(stride / size)}, start[2] = {0, 0};
        const hsize_t extent[2] = {(hsize_t)count, (hsize_t)values};
        H5Sclose(here);
        here = H5Screate_simple(2, all, NULL);
        H5Sselect_hyperslab(here, H5S_SELECT_SET, start, NULL, extent, NULL);
    }
    if (count && (hiss_fault("h5.read") || read_values(file, type, here, there, out) < 0)) {
        status = cannot_read(file, begin, count, err);
    }
    H5Tclose(type);
    H5Sclose(here);
    H5Sclose(there);
    return data_h5_leave(status);
}

hiss_status hiss_h5_read_texts(hiss_h5 *file, const char *dataset, hiss_h5_text_visit visit, void *user,
                               hiss_error *err) {
    char why[HISS_H5_REASON];
    data_h5_enter();
    hiss_status status = data_h5_use(file, dataset, err);
    if (!status && file->info.dtype != HISS_TEXT) {
        char found[HISS_H5_INFO_TEXT];
        status = hiss_fail(err, HISS_EUSER, "%s: data set %s holds %s; expected strings", file->path, file->name,
                           hiss_h5_info_text(&file->info, found));
    }
    if (!status && data_h5_probe(file->there ? file->there : file->path, file->there ? file->there_name : dataset,
                                 why) != HISS_H5_FINE) {
        status = hiss_fail(err, HISS_EUSER, "%s: the strings of data set %s cannot be read: %s", file->path, file->name,
                           why);
    }
    if (!status && data_h5_read_texts(file->dataset, visit, user) < 0) {
        status = cannot_read(file, 0, file->info.dim[0], err);
    }
    return data_h5_leave(status);
}

hiss_status hiss_h5_members(hiss_h5 *file, const char *dataset, hiss_h5_member_visit visit, void *user,
                            hiss_error *err) {
    data_h5_enter();
    const hiss_status status = data_h5_use(file, dataset, err);
    if (!status) {
        const hid_t type = H5Dget_type(file->dataset);
        data_h5_members(type, visit, user);
        H5Tclose(type);
    }
    return data_h5_leave(status);
}

hiss_status hiss_h5_define(hiss_h5 *file, const char *dataset, const hiss_h5_info *info, int64_t chunk_rows,
                           int deflate, hiss_error *err) {
    assert(info->ndim >= 1 && info->ndim <= HISS_H5_NDIM && (deflate == 0 || chunk_rows > 0));
    hsize_t dim[HISS_H5_NDIM], chunk[HISS_H5_NDIM];
    for (int i = 0; i < info->ndim; i++) {
        dim[i] = chunk[i] = (hsize_t)info->dim[i];
    }
    data_h5_enter();
    hid_t links = H5Pcreate(H5P_LINK_CREATE), create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(info->ndim, dim, NULL);
    H5Pset_create_intermediate_group(links, 1);
    H5Pset_obj_track_times(create, false); /* equal contents give equal files */
    if (file->image) {
        H5Pset_alloc_time(create, H5D_ALLOC_TIME_EARLY);
        H5Pset_fill_time(create, H5D_FILL_TIME_NEVER);
    }
    bool fine = true;
    if (chunk_rows > 0 && info->dim[0] > 0) {
        chunk[0] = (hsize_t)(chunk_rows < info->dim[0] ? chunk_rows : info->dim[0]);
        fine = H5Pset_chunk(create, info->ndim, chunk) >= 0 &&
               (!deflate || H5Pset_deflate(create, (unsigned)deflate) >= 0);
    }
    fine = fine && !hiss_fault("h5.define");
    const hid_t type = data_h5_memory_type(info->dtype);
    hid_t id = fine ? H5Dcreate2(file->file, dataset, type, space, links, create, H5P_DEFAULT) : -1;
    char why[HISS_H5_REASON];
    hiss_status status = HISS_OK;
    if (id < 0) {
        data_h5_system_reason(why);
        status = hiss_fail(err, HISS_ESYSTEM, "%s: cannot make data set %s in chunks of %lld rows: %s; %s", file->path,
                           dataset, (long long)chunk_rows, why, data_h5_writing_remedy(why, "choose other chunks"));
    } else {
        H5Dclose(id);
    }
    H5Tclose(type);
    H5Sclose(space);
    H5Pclose(create);
    H5Pclose(links);
    return data_h5_leave(status);
}

hiss_status hiss_h5_place(hiss_h5 *file, const char *dataset, int64_t *offset, hiss_error *err) {
    data_h5_enter();
    hiss_status status = data_h5_use(file, dataset, err);
    if (!status) {
        const haddr_t at = H5Dget_offset(file->dataset);
        *offset = (int64_t)at;
        if (at == HADDR_UNDEF) {
            status = hiss_fail(err, HISS_EINTERNAL, "%s: data set %s has no place", file->path, dataset);
        }
    }
    return data_h5_leave(status);
}

hiss_status hiss_h5_write(hiss_h5 *file, const char *dataset, hiss_dtype dtype, int64_t begin, int64_t count,
                          const void *rows, hiss_error *err) {
    hid_t there, here;
    data_h5_enter();
    hiss_status status = data_h5_use(file, dataset, err);
    if (status || (status = expect_dtype(file, dtype, err)) ||
        (status = select_rows(file, 0, begin, count, &there, &here, err))) {
        return data_h5_leave(status);
    }
    const hid_t type = data_h5_memory_type(dtype);
    if (count && (hiss_fault("h5.write") || H5Dwrite(file->dataset, type, here, there, H5P_DEFAULT, rows) < 0)) {
        char text[HISS_H5_REASON];
        const char *why = data_h5_system_reason(text);
        status = hiss_fail(err, HISS_ESYSTEM, "%s: cannot write rows %lld to %lld of data set %s: %s; %s", file->path,
                           (long long)begin, (long long)(begin + count - 1), dataset, why,
                           data_h5_writing_remedy(why, "check the disk"));
    }
    H5Tclose(type);
    H5Sclose(here);
    H5Sclose(there);
    return data_h5_leave(status);
}
