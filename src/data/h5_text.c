/* Words in HDF5 files: strings, and the names of an enumeration's values.
 *
 * Strings of variable length lie in heaps that the library believes (it may crash on damaged ones), so a process of its
 * own reads them first (h5_probe.c). They are read some thousand at a time, and handed on before the next ones are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "h5_impl.h"
#include "hiss/alloc.h"
#include "hiss/fault.h"

enum { ENUM_BYTES = 64, PIECE = 1 << 12, PIECE_BYTES = 1 << 24 };

/* Bytes of a string of fixed length without what fills it up. */
static size_t text_length(const char *text, size_t size, H5T_str_t padding) {
    if (padding == H5T_STR_NULLTERM) {
        return strnlen(text, size);
    }
    while (size > 0 && (text[size - 1] == '\0' || (padding == H5T_STR_SPACEPAD && text[size - 1] == ' '))) {
        size--;
    }
    return size;
}

/* What was read into buffer, for as long as visit wants more. */
static bool hand_on(hid_t type, int64_t count, void *buffer, hiss_h5_text_visit visit, void *user) {
    const bool variable = H5Tis_variable_str(type) > 0;
    const size_t size = H5Tget_size(type);
    const H5T_str_t padding = H5Tget_strpad(type);
    bool more = true;
    for (int64_t i = 0; i < count && more; i++) {
        const char *text = variable ? ((char **)buffer)[i] : (char *)buffer + (size_t)i * size;
        more = visit(user, text, !text ? 0 : variable ? strlen(text) : text_length(text, size, padding));
    }
    return more;
}

herr_t data_h5_read_texts(hid_t dataset, hiss_h5_text_visit visit, void *user) {
    const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    const bool variable = H5Tis_variable_str(type) > 0;
    hsize_t dim[H5S_MAX_RANK] = {0}, start[H5S_MAX_RANK] = {0};
    const int ndim = H5Sget_simple_extent_dims(space, dim, NULL);
    int axis = 0; /* the only one of more than one row */
    while (axis < ndim - 1 && dim[axis] == 1) {
        axis++;
    }
    const hsize_t rows =
        ndim > 0 ? dim[axis] : (hsize_t)H5Sget_simple_extent_npoints(space); /* a single value, or none */
    const size_t size = variable ? sizeof(char *) : H5Tget_size(type);
    const hsize_t most = PIECE_BYTES / size < 1 ? 1 : PIECE_BYTES / size < PIECE ? PIECE_BYTES / size : PIECE;
    void *buffer = malloc(most * size);
    herr_t status = buffer ? 0 : -1;
    bool more = true;
    for (; start[axis] < rows && status >= 0 && more; start[axis] += dim[axis]) {
        dim[axis] = rows - start[axis] < most ? rows - start[axis] : most;
        if (ndim > 0) {
            H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dim, NULL);
        }
        const hid_t here = H5Screate_simple(ndim, dim, NULL);
        status = hiss_fault("h5.read") ? -1 : H5Dread(dataset, type, here, space, H5P_DEFAULT, buffer);
        const hid_t reason = status < 0 ? H5Eget_current_stack() : -1; /* any other call would forget it */
        if (status >= 0) {
            more = hand_on(type, (int64_t)dim[axis], buffer, visit, user);
        }
        if (status >= 0 && variable) {
            H5Dvlen_reclaim(type, here, H5P_DEFAULT, buffer);
        }
        H5Sclose(here);
        if (reason >= 0) {
            H5Eset_current_stack(reason);
        }
    }
    const hid_t reason = status < 0 ? H5Eget_current_stack() : -1;
    free(buffer);
    H5Sclose(space);
    H5Tclose(type);
    if (reason >= 0) {
        H5Eset_current_stack(reason);
    }
    return status;
}

hiss_status hiss_h5_write_texts(hiss_h5 *file, const char *dataset, int64_t count, int64_t bytes, const char *texts,
                                hiss_error *err) {
    const hsize_t dim[] = {(hsize_t)count};
    data_h5_enter();
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, dim, NULL),
                create = H5Pcreate(H5P_DATASET_CREATE);
    H5Tset_size(type, (size_t)bytes);
    H5Tset_cset(type, H5T_CSET_UTF8);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Pset_obj_track_times(create, false); /* equal contents give equal files */
    const hid_t id =
        hiss_fault("h5.define") ? -1 : H5Dcreate2(file->file, dataset, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    hiss_status status = HISS_OK;
    if (id < 0 || hiss_fault("h5.write") || H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts) < 0) {
        char text[HISS_H5_REASON];
        const char *why = data_h5_system_reason(text);
        status = hiss_fail(err, HISS_ESYSTEM, "%s: cannot write the strings of %s: %s; %s", file->path, dataset, why,
                           data_h5_writing_remedy(why, "check the disk"));
    }
    if (id >= 0) {
        H5Dclose(id);
    }
    H5Pclose(create);
    H5Sclose(space);
    H5Tclose(type);
    return data_h5_leave(status);
}

void data_h5_members(hid_t type, hiss_h5_member_visit visit, void *user) {
    const int count = H5Tget_class(type) == H5T_ENUM ? H5Tget_nmembers(type) : 0;
    const hid_t integers = count > 0 ? H5Tget_super(type) : -1;
    for (int i = 0; i < count && H5Tget_size(integers) <= ENUM_BYTES; i++) {
        union {
            char bytes[ENUM_BYTES];
            int64_t value;
        } member = {{0}};
        char *name = H5Tget_member_name(type, (unsigned)i);
        if (name && H5Tget_member_value(type, (unsigned)i, &member) >= 0 &&
            H5Tconvert(integers, H5T_NATIVE_INT64, 1, &member, NULL, H5P_DEFAULT) >= 0) {
            visit(user, member.value, name);
        }
        H5free_memory(name);
    }
    if (integers >= 0) {
        H5Tclose(integers);
    }
}
