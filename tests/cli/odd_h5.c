/* Write an HDF5 file to order, for tests of bad input: odd_h5 FILE NAME=TYPE:SIZExSIZE...[:VALUE] ...
 * TYPE is u8, i16, i32, i64, f32 or bool, as h5py has it. VALUE fills the data set, and VALUE@ROW is that of one row; other values count from
 * 0 to 9 and again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/data.h"

static const struct {
    const char *name;
    size_t size;
} types[] = {[HISS_U8] = {"u8", 1},   [HISS_I16] = {"i16", 2}, [HISS_I32] = {"i32", 4},
             [HISS_I64] = {"i64", 8}, [HISS_F32] = {"f32", 4}, [HISS_ENUMERATION] = {"bool", 1}};

static void put(char *to, hiss_dtype dtype, int64_t value) {
    const int16_t i16 = (int16_t)value;
    const int32_t i32 = (int32_t)value;
    const float f32 = (float)value;
    const void *from = dtype == HISS_I16 ? (const void *)&i16 : dtype == HISS_I32 ? (const void *)&i32 : &value;
    from = dtype == HISS_F32 ? &f32 : from; /* u8: the first byte of a little-endian integer */
    memcpy(to, from, types[dtype].size);
}

static hiss_status add(hiss_h5 *file, const char *order, hiss_error *err) {
    char name[64], type[8];
    int used = 0;
    if (sscanf(order, "%63[^=]=%7[^:]:%n", name, type, &used) != 2 || !used) {
        return hiss_fail(err, HISS_EUSER, "odd_h5: cannot read '%s'", order);
    }
    hiss_h5_info info = {.dtype = HISS_ENUMERATION};
    while (info.dtype > HISS_U8 && (!types[info.dtype].name || strcmp(types[info.dtype].name, type) != 0)) {
        info.dtype--;
    }
    char *rest = NULL;
    int64_t count = 1;
    for (const char *at = order + used; info.ndim < HISS_H5_NDIM; at = rest + 1) {
        info.dim[info.ndim] = strtoll(at, &rest, 10);
        count *= info.dim[info.ndim++];
        if (*rest != 'x') {
            break;
        }
    }
    const size_t size = types[info.dtype].size;
    char *values = hiss_alloc((size_t)count * size + 1);
    char *at = rest;
    const int64_t value = *rest == ':' ? strtoll(rest + 1, &at, 10) : 0,
                  one = *at == '@' ? strtoll(at + 1, NULL, 10) : -1;
    for (int64_t i = 0; i < count; i++) {
        put(values + (size_t)i * size, info.dtype,
            *rest == ':' && (one < 0 || one == i) ? value
            : info.dtype == HISS_ENUMERATION      ? i % 2
                                                  : i % 10);
    }
    hiss_status status = hiss_h5_define(file, name, &info, 0, 0, err);
    status = status ? status : hiss_h5_write(file, name, info.dtype, 0, info.dim[0], values, err);
    hiss_free(values);
    return status;
}

int main(int argc, char **argv) {
    hiss_error err = {0};
    hiss_h5 *file = NULL;
    hiss_status status = argc < 2 ? hiss_fail(&err, HISS_EUSER, "usage: odd_h5 FILE NAME=TYPE:SIZExSIZE[:VALUE] ...")
                                  : hiss_h5_create(argv[1], &file, &err);
    for (int i = 2; i < argc && !status; i++) {
        status = add(file, argv[i], &err);
    }
    hiss_status closed = hiss_h5_close(file, status ? NULL : &err);
    status = status ? status : closed;
    if (status) {
        fprintf(stderr, "%s\n", err.text);
    }
    return hiss_exit_code(status);
}
