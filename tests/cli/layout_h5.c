/* Write an HDF5 file whose data sets hold the same samples in many ways: layout_h5 FILE NAME=TYPE:LAYOUT[:FACTOR] ...
 * TYPE is u8, i8, u16, i16, u32, i32, i64, u64, f16, f32, f64 or bool, with BE behind it in big-endian order; nan and inf
 * are f32 with one such value in row 17; odd before a type, or alone for f32, is a 1000 there. LAYOUT is a word of
 * data.layout. Values are 0..255, and that 1000, times FACTOR (1). A FACTOR that begins with p has attributes as netCDF packs values: scale_factor, whose product with what is stored are 0..255, and
 * add_offset; with q also _FillValue, the largest value. */
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAD_ROW = 17 };
static const char axes[] = "NTDHWC";
static const hsize_t sizes[] = {96, 3, 2, 12, 10, 3};

static hid_t number(const char *type) {
    const bool big = strstr(type, "BE") != NULL;
    type += strncmp(type, "odd", 3) == 0 ? 3 : 0;
    if (strncmp(type, "f16", 3) == 0) {
        const hid_t half = H5Tcopy(big ? H5T_IEEE_F32BE : H5T_IEEE_F32LE);
        H5Tset_fields(half, 15, 10, 5, 0, 10);
        H5Tset_size(half, 2);
        H5Tset_ebias(half, 15);
        return half;
    }
    const struct {
        const char *name;
        hid_t little, big;
    } types[] = {{"u8", H5T_STD_U8LE, H5T_STD_U8BE},     {"i8", H5T_STD_I8LE, H5T_STD_I8BE},
                 {"u16", H5T_STD_U16LE, H5T_STD_U16BE},  {"i16", H5T_STD_I16LE, H5T_STD_I16BE},
                 {"u32", H5T_STD_U32LE, H5T_STD_U32BE},  {"i32", H5T_STD_I32LE, H5T_STD_I32BE},
                 {"i64", H5T_STD_I64LE, H5T_STD_I64BE},  {"u64", H5T_STD_U64LE, H5T_STD_U64BE},
                 {"f64", H5T_IEEE_F64LE, H5T_IEEE_F64BE}};
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        if (strncmp(type, types[k].name, strlen(types[k].name)) == 0) {
            return H5Tcopy(big ? types[k].big : types[k].little);
        }
    }
    return H5Tcopy(big ? H5T_IEEE_F32BE : H5T_IEEE_F32LE);
}

static hid_t boolean(void) { /* as h5py has it */
    const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    for (signed char value = 0; value < 2; value++) {
        H5Tenum_insert(type, value ? "TRUE" : "FALSE", &value);
    }
    return type;
}

static double value_at(const hsize_t *at) { /* one thing in each image: position by sample */
    const long n = (long)at[0], h = (long)at[3], w = (long)at[4], c = (long)at[5];
    const long far = labs(h - n % 12) + labs(w - n % 10);
    return (double)((far < 5 ? 240 - 48 * far : 0) + 3 * c + (long)at[1] + 2 * (long)at[2]);
}

static void attribute(hid_t set, const char *name, double value) {
    const hid_t one = H5Screate(H5S_SCALAR);
    const hid_t there = H5Acreate2(set, name, H5T_IEEE_F64LE, one, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(there, H5T_NATIVE_DOUBLE, &value);
    H5Aclose(there);
    H5Sclose(one);
}

static int add(hid_t file, char *order) {
    char *type = strchr(order, '='), *layout = type ? strchr(type, ':') : NULL;
    if (!layout) {
        return 1;
    }
    *type++ = *layout++ = '\0';
    char *factor = strchr(layout, ':');
    const char packed = factor && strchr("pq", factor[1]) ? factor[1] : '\0';
    const double times = factor ? strtod(factor + 1 + (packed != '\0'), NULL) : 1;
    const int ndim = factor ? (int)(factor - layout) : (int)strlen(layout);
    hsize_t dim[6], count = 1, axis[6];
    for (int k = 0; k < ndim; k++) {
        axis[k] = (hsize_t)(strchr(axes, layout[k]) - axes);
        dim[k] = sizes[axis[k]];
        count *= dim[k];
    }
    double *values = calloc(count, sizeof *values);
    signed char *truths = calloc(count, 1);
    for (hsize_t i = 0; i < count; i++) {
        hsize_t at[6] = {0}, rest = i;
        for (int k = ndim - 1; k >= 0; k--) {
            at[axis[k]] = rest % dim[k];
            rest /= dim[k];
        }
        values[i] = times * value_at(at);
        truths[i] = value_at(at) > 127;
        if (at[0] == BAD_ROW && at[3] == 3 && at[4] == 4 && at[5] == 0) {
            values[i] = strcmp(type, "nan") == 0       ? (double)NAN
                        : strcmp(type, "inf") == 0     ? HUGE_VAL
                        : strncmp(type, "odd", 3) == 0 ? 1000 * times
                                                       : values[i];
        }
    }
    const bool is_bool = strcmp(type, "bool") == 0;
    const hid_t stored = is_bool ? boolean() : number(type), space = H5Screate_simple(ndim, dim, NULL);
    const hid_t set = H5Dcreate2(file, order, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const herr_t wrote = is_bool ? H5Dwrite(set, stored, H5S_ALL, H5S_ALL, H5P_DEFAULT, truths)
                                 : H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    if (packed) {
        attribute(set, "scale_factor", 1 / times);
        attribute(set, "add_offset", 0);
    }
    if (packed == 'q') {
        attribute(set, "_FillValue", 246 * times);
    }
    H5Dclose(set);
    H5Sclose(space);
    H5Tclose(stored);
    free(truths);
    free(values);
    return wrote < 0;
}

int main(int argc, char **argv) {
    const hid_t file = argc < 2 ? -1 : H5Fcreate(argv[1], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    int failed = file < 0;
    for (int i = 2; i < argc && !failed; i++) {
        failed = add(file, argv[i]);
    }
    return failed || H5Fclose(file) < 0;
}
