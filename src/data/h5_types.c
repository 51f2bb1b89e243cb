/* Types of numbers: what the file has, what HDF5 shall make of it in memory. */
#include <assert.h>
#include <stdio.h>

#include "h5_impl.h"

/* Whose class, size (0: any) and sign of integers fit: the first row that does. */
static const struct {
    const char *text;
    H5T_class_t class;
    size_t size;
    H5T_sign_t sign;
} types[] = {
    [HISS_U8] = {"uint8", H5T_INTEGER, 1, H5T_SGN_NONE},
    [HISS_I16] = {"int16", H5T_INTEGER, 2, H5T_SGN_2},
    [HISS_I32] = {"int32", H5T_INTEGER, 4, H5T_SGN_2},
    [HISS_I64] = {"int64", H5T_INTEGER, 8, H5T_SGN_2},
    [HISS_F32] = {"float32", H5T_FLOAT, 4, H5T_SGN_ERROR},
    [HISS_I8] = {"int8", H5T_INTEGER, 1, H5T_SGN_2},
    [HISS_U16] = {"uint16", H5T_INTEGER, 2, H5T_SGN_NONE},
    [HISS_U32] = {"uint32", H5T_INTEGER, 4, H5T_SGN_NONE},
    [HISS_U64] = {"uint64", H5T_INTEGER, 8, H5T_SGN_NONE},
    [HISS_INTEGER] = {"integers of an unusual size", H5T_INTEGER, 0, H5T_SGN_ERROR},
    [HISS_ENUMERATION] = {"an enumeration", H5T_ENUM, 0, H5T_SGN_ERROR},
    [HISS_F16] = {"float16", H5T_FLOAT, 2, H5T_SGN_ERROR},
    [HISS_F64] = {"float64", H5T_FLOAT, 8, H5T_SGN_ERROR},
    [HISS_FLOATING] = {"floats of an unusual size", H5T_FLOAT, 0, H5T_SGN_ERROR},
    [HISS_TEXT] = {"strings", H5T_STRING, 0, H5T_SGN_ERROR},
    [HISS_RECORD] = {"records", H5T_COMPOUND, 0, H5T_SGN_ERROR},
    [HISS_VARIABLE] = {"values of variable length", H5T_VLEN, 0, H5T_SGN_ERROR},
    [HISS_ARRAY] = {"arrays", H5T_ARRAY, 0, H5T_SGN_ERROR},
    [HISS_OPAQUE] = {"opaque values", H5T_OPAQUE, 0, H5T_SGN_ERROR},
    [HISS_REFERENCE] = {"references", H5T_REFERENCE, 0, H5T_SGN_ERROR},
    [HISS_OTHER] = {"values of another kind", H5T_NO_CLASS, 0, H5T_SGN_ERROR},
};

const char *hiss_dtype_name(hiss_dtype dtype) {
    return types[dtype].text;
}

bool hiss_dtype_is_integer(hiss_dtype dtype) {
    return types[dtype].class == H5T_INTEGER || types[dtype].class == H5T_ENUM;
}

int64_t hiss_dtype_bytes(hiss_dtype dtype) {
    return (int64_t)types[dtype].size;
}

hid_t data_h5_native(hiss_dtype dtype) {
    switch (dtype) {
    case HISS_U8:
        return H5T_NATIVE_UINT8;
    case HISS_I8:
        return H5T_NATIVE_INT8;
    case HISS_U16:
        return H5T_NATIVE_UINT16;
    case HISS_I16:
        return H5T_NATIVE_INT16;
    case HISS_U32:
        return H5T_NATIVE_UINT32;
    case HISS_I32:
        return H5T_NATIVE_INT32;
    case HISS_U64:
        return H5T_NATIVE_UINT64;
    case HISS_I64:
        return H5T_NATIVE_INT64;
    case HISS_F64:
        return H5T_NATIVE_DOUBLE;
    default:
        assert(dtype == HISS_F32);
        return H5T_NATIVE_FLOAT;
    }
}

/* IEEE 754 half precision: sign at bit 15, 5 bits of exponent, 10 of mantissa. */
static const struct {
    size_t sign, exponent, exponent_bits, mantissa, mantissa_bits, bias;
} half = {15, 10, 5, 0, 10, 15};

static bool is_half(hid_t type) {
    size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;
    return H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) >= 0 && sign == half.sign &&
           exponent == half.exponent && exponent_bits == half.exponent_bits && mantissa == half.mantissa &&
           mantissa_bits == half.mantissa_bits && H5Tget_ebias(type) == half.bias;
}

/* The booleans of h5py. */
static hid_t boolean(void) {
    const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    H5Tenum_insert(type, "FALSE", &(int8_t){0});
    H5Tenum_insert(type, "TRUE", &(int8_t){1});
    return type;
}

hid_t data_h5_memory_type(hiss_dtype dtype) {
    if (dtype == HISS_ENUMERATION) {
        return boolean();
    }
    if (dtype != HISS_F16) {
        return H5Tcopy(data_h5_native(dtype));
    }
    const hid_t type = H5Tcopy(H5T_NATIVE_FLOAT);
    H5Tset_fields(type, half.sign, half.exponent, half.exponent_bits, half.mantissa, half.mantissa_bits);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, half.bias);
    return type;
}

hiss_dtype data_h5_dtype(hid_t type) {
    const H5T_class_t class = H5Tget_class(type);
    const size_t size = H5Tget_size(type);
    const H5T_sign_t sign = class == H5T_INTEGER ? H5Tget_sign(type) : H5T_SGN_ERROR;
    int i = 0;
    while (i < HISS_OTHER && (types[i].class != class || (types[i].size && types[i].size != size) ||
                              (types[i].sign != H5T_SGN_ERROR && types[i].sign != sign))) {
        i++;
    }
    return i == HISS_F16 && !is_half(type) ? HISS_FLOATING : (hiss_dtype)i;
}

hiss_dtype data_h5_values(hid_t type) {
    if (H5Tget_class(type) != H5T_ENUM) {
        return data_h5_dtype(type);
    }
    const hid_t integers = H5Tget_super(type);
    const hiss_dtype values = data_h5_dtype(integers);
    H5Tclose(integers);
    return values;
}

const char *hiss_h5_info_text(const hiss_h5_info *info, char out[HISS_H5_INFO_TEXT]) {
    int used = snprintf(out, HISS_H5_INFO_TEXT, "%s [", hiss_dtype_name(info->dtype));
    for (int i = 0; i < info->ndim; i++) {
        used +=
            snprintf(out + used, (size_t)(HISS_H5_INFO_TEXT - used), "%s%lld", i ? "," : "", (long long)info->dim[i]);
    }
    snprintf(out + used, (size_t)(HISS_H5_INFO_TEXT - used), "]");
    return out;
}
