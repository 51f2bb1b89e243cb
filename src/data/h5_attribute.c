/* Attributes of HDF5 objects: one text or one number each, or of any kind. */
#include <stdio.h>
#include <string.h>

#include "h5_chunk.h"
#include "hiss/alloc.h"
#include "hiss/fault.h"

enum { TEXT_BYTES = 1 << 20 }; /* longest text of fixed length that is read */

static hid_t open_object(hiss_h5 *file, const char *dataset, hiss_error *err) {
    hid_t object = H5Oopen(file->file, dataset, H5P_DEFAULT);
    if (object < 0) {
        char why[HISS_H5_REASON];
        data_h5_reason(why);
        data_h5_missing(file, dataset, why, err);
    }
    return object;
}

/* Write one value as a scalar attribute, in place of one that is there. */
static hiss_status set_attribute(hiss_h5 *file, const char *dataset, const char *name, hid_t type, const void *value,
                                 hiss_error *err) {
    hid_t object = open_object(file, dataset, err);
    if (object < 0) {
        return HISS_EUSER;
    }
    if (H5Aexists(object, name) > 0) {
        H5Adelete(object, name);
    }
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    hiss_status status = HISS_OK;
    if (attribute < 0 || hiss_fault("h5.write_attribute") || H5Awrite(attribute, type, value) < 0) {
        char why[HISS_H5_REASON];
        status = hiss_fail(err, HISS_ESYSTEM, "%s: cannot write attribute %s of %s: %s", file->path, name, dataset,
                           data_h5_reason(why));
    }
    if (attribute >= 0) {
        H5Aclose(attribute);
    }
    H5Sclose(space);
    H5Oclose(object);
    return status;
}

hiss_status hiss_h5_set_text(hiss_h5 *file, const char *dataset, const char *name, const char *text, hiss_error *err) {
    data_h5_enter();
    /* Of variable length: only such text may be longer than an object header of 64 KiB. */
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    hiss_status status = set_attribute(file, dataset, name, type, &text, err);
    H5Tclose(type);
    return data_h5_leave(status);
}

hiss_status hiss_h5_set_i64(hiss_h5 *file, const char *dataset, const char *name, int64_t value, hiss_error *err) {
    data_h5_enter();
    return data_h5_leave(set_attribute(file, dataset, name, H5T_NATIVE_INT64, &value, err));
}

static char *read_text(hid_t attribute, hid_t type) {
    char *text = NULL;
    if (H5Tis_variable_str(type) > 0) {
        char *found = NULL;
        if (H5Aread(attribute, type, &found) >= 0 && found) {
            text = strcpy(hiss_alloc(strlen(found) + 1), found);
        }
        H5free_memory(found);
    } else if (H5Tget_size(type) <= TEXT_BYTES) {
        text = hiss_alloc(H5Tget_size(type) + 1);
        if (H5Aread(attribute, type, text) < 0) {
            hiss_free(text);
            text = NULL;
        }
    }
    return text;
}

static herr_t pass(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    (void)object, (void)name, (void)info, (void)user;
    return 0;
}

/* Where the value of an attribute goes: one of the two. */
typedef struct target {
    char **text;
    int64_t *integer;
} target;

/* Whether the attribute holds one value of that kind, which is read then. */
static bool take(hid_t attribute, hid_t type, const target *to) {
    const H5T_class_t class = H5Tget_class(type);
    if (to->text) {
        *to->text = class == H5T_STRING ? read_text(attribute, type) : NULL;
        return *to->text != NULL;
    }
    return class == H5T_INTEGER && H5Aread(attribute, H5T_NATIVE_INT64, to->integer) >= 0;
}

static hiss_status get_attribute(hiss_h5 *file, const char *dataset, const char *name, target to, hiss_error *err) {
    hid_t object = open_object(file, dataset, err);
    if (object < 0) {
        return HISS_EUSER;
    }
    /* Where one cannot be decoded, the process that looked into the file has seen none. */
    if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, pass, NULL) < 0) {
        char why[HISS_H5_REASON], remedy[HISS_H5_REASON];
        data_h5_reason(why);
        data_h5_remedy(why, remedy);
        H5Oclose(object);
        return hiss_fail(err, HISS_ESYSTEM, "%s: the attributes of %s cannot be read: %s; %s", file->path, dataset, why,
                         remedy);
    }
    hid_t attribute = H5Aexists(object, name) > 0 ? H5Aopen(object, name, H5P_DEFAULT) : -1;
    H5Oclose(object);
    if (attribute < 0) {
        return hiss_fail(err, HISS_EUSER, "%s: %s has no attribute %s", file->path, dataset, name);
    }
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    const bool fine = H5Sget_simple_extent_npoints(space) == 1 && take(attribute, type, &to);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return fine ? HISS_OK
                : hiss_fail(err, HISS_EUSER, "%s: attribute %s of %s is not one %s", file->path, name, dataset,
                            to.text ? "text" : "integer");
}

hiss_status hiss_h5_get_text(hiss_h5 *file, const char *dataset, const char *name, char **text, hiss_error *err) {
    data_h5_enter();
    return data_h5_leave(get_attribute(file, dataset, name, (target){.text = text}, err));
}

hiss_status hiss_h5_get_i64(hiss_h5 *file, const char *dataset, const char *name, int64_t *value, hiss_error *err) {
    data_h5_enter();
    return data_h5_leave(get_attribute(file, dataset, name, (target){.integer = value}, err));
}

/* ---- of any kind ---- */

static void look_at(hid_t attribute, hiss_h5_attribute *out) {
    const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    const H5T_class_t class = H5Tget_class(type);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    out->kind = HISS_H5_STRANGE;
    if (class == H5T_STRING && count == 1) {
        char *text = read_text(attribute, type);
        snprintf(out->text, sizeof out->text, "%s", text ? text : "");
        out->kind = text ? HISS_H5_WORDS : HISS_H5_STRANGE;
        hiss_free(text);
    } else if ((class == H5T_INTEGER || class == H5T_FLOAT) && count >= 0 && count <= TEXT_BYTES) {
        double *number = hiss_new(double, count + 1);
        if (count == 0 || H5Aread(attribute, H5T_NATIVE_DOUBLE, number) >= 0) {
            *out = (hiss_h5_attribute){.kind = HISS_H5_NUMBERS, .count = count};
            memcpy(out->number, number,
                   sizeof *number * (size_t)(count < HISS_H5_MOST_NUMBERS ? count : HISS_H5_MOST_NUMBERS));
        }
        hiss_free(number);
    }
    H5Sclose(space);
    H5Tclose(type);
}

void hiss_h5_look_at(hiss_h5 *file, const char *dataset, const char *name, hiss_h5_attribute *out) {
    *out = (hiss_h5_attribute){.kind = HISS_H5_ABSENT};
    data_h5_enter();
    if (data_h5_use(file, dataset, NULL) == HISS_OK &&
        H5Aiterate2(file->dataset, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, pass, NULL) >= 0) {
        const hid_t attribute = H5Aexists(file->dataset, name) > 0 ? H5Aopen(file->dataset, name, H5P_DEFAULT) : -1;
        if (attribute >= 0) {
            look_at(attribute, out);
            H5Aclose(attribute);
        } else {
            out->in_source = file->virtual && data_h5_virtual_attribute(file->virtual, name);
        }
    }
    data_h5_leave(HISS_OK);
}
