/* What the numbers of a data set stand for.
 *
 * netCDF packs values into integers (CF conventions 1.8, section 8.1): value = scale_factor * number + add_offset, which
 * are attributes of the data set; _FillValue and missing_value (section 2.5.1) are numbers that stand for no value. Files
 * of one kind differ in their scales, so packed values are unpacked while reading, and held as float32. float32 has 24 bits:
 * numbers that may have more are read as float64 and unpacked in it, a piece at a time. float16 with numbers for no value
 * is held as float32, too. An attribute that changes what numbers mean, and is not of that kind, is an error; valid_range
 * and its kin are warned of.
 *
 * Cost: a check of floats is 0.3 ns a value, of integers nothing unless an attribute names a number to look for. */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"
#include "hiss/log.h"

typedef struct reader {
    const char *dataset, *path; /* of a file */
    hiss_h5 *file;
} reader;

/* An attribute that changes what numbers mean, in a way that is none of those above. */
static hiss_status refuse(const reader *r, const char *name, const hiss_h5_attribute *a, const char *expected,
                          hiss_error *err) {
    char what[HISS_H5_SHOWN + 32];
    if (a->kind == HISS_H5_WORDS) {
        snprintf(what, sizeof what, "'%s', a text", a->text);
    } else if (a->kind == HISS_H5_NUMBERS && a->count == 1) {
        snprintf(what, sizeof what, "%g", a->number[0]);
    } else if (a->kind == HISS_H5_NUMBERS) {
        snprintf(what, sizeof what, "%lld numbers", (long long)a->count);
    } else {
        snprintf(what, sizeof what, "neither a text nor numbers");
    }
    return hiss_fail(
        err, HISS_EUSER,
        "%s: attribute %s of data set %s is %s, which hiss does not apply; write the data set anew with %s", r->path,
        name, r->dataset, what, expected);
}

/* scale_factor or add_offset, if there is one. */
static hiss_status read_number(const reader *r, const char *name, bool factor, double *value, bool *found,
                               hiss_error *err) {
    hiss_h5_attribute a;
    hiss_h5_look_at(r->file, r->dataset, name, &a);
    if (a.kind == HISS_H5_ABSENT) {
        return HISS_OK;
    }
    const bool one = a.kind == HISS_H5_NUMBERS && a.count == 1;
    if (!one || !isfinite(a.number[0]) || (factor && a.number[0] == 0)) {
        return refuse(r, name, &a, factor ? "a number other than 0 there" : "a number there", err);
    }
    *value = a.number[0];
    *found = true;
    return HISS_OK;
}

/* _FillValue or missing_value: numbers that stand for no value. */
static hiss_status read_missing(const reader *r, const char *name, data_packing *out, hiss_error *err) {
    hiss_h5_attribute a;
    hiss_h5_look_at(r->file, r->dataset, name, &a);
    if (a.kind != HISS_H5_ABSENT && (a.kind != HISS_H5_NUMBERS || a.count > HISS_H5_MOST_NUMBERS)) {
        return refuse(r, name, &a, "a number there, or up to eight", err);
    }
    for (int64_t k = 0; k < a.count; k++) {
        bool known = false;
        for (int m = 0; m < out->missing; m++) {
            known = known || out->missing_number[m] == a.number[k];
        }
        if (!known) {
            out->missing_number[out->missing++] = a.number[k];
        }
    }
    return HISS_OK;
}

/* Numbers whose sign bit is none: netCDF's classic format has no types for them. */
static hiss_status expect_signs(const reader *r, hiss_error *err) {
    hiss_h5_attribute a;
    hiss_h5_look_at(r->file, r->dataset, "_Unsigned", &a);
    const bool none = a.kind == HISS_H5_ABSENT || (a.kind == HISS_H5_WORDS && strcmp(a.text, "false") == 0) ||
                      (a.kind == HISS_H5_NUMBERS && a.count == 1 && a.number[0] == 0);
    return none ? HISS_OK : refuse(r, "_Unsigned", &a, "a type without sign", err);
}

/* Of one file; *packed when it is. */
static hiss_status read_one(const reader *r, data_packing *out, bool *packed, hiss_error *err) {
    *out = (data_packing){.scale = 1, .offset = 0};
    hiss_status status = expect_signs(r, err);
    status = status ? status : read_number(r, "scale_factor", true, &out->scale, packed, err);
    status = status ? status : read_number(r, "add_offset", false, &out->offset, packed, err);
    status = status ? status : read_missing(r, "_FillValue", out, err);
    return status ? status : read_missing(r, "missing_value", out, err);
}

/* Say which attributes of a file are not applied. */
static bool warn(const reader *r) {
    static const char *const applied[] = {"scale_factor", "add_offset", "_FillValue", "missing_value"};
    static const char *const others[] = {"valid_range", "valid_min", "valid_max"};
    bool warned = false;
    hiss_h5_attribute a;
    for (int k = 0; k < HISS_COUNT(applied) && !warned; k++) {
        hiss_h5_look_at(r->file, r->dataset, applied[k], &a);
        if (a.in_source) {
            hiss_warn(
                "%s: data set %s is virtual, and attribute %s, which only its sources have, is not applied; write "
                "the attributes of the sources to it, too",
                r->path, r->dataset, applied[k]);
            warned = true;
        }
    }
    bool valid = false;
    for (int k = 0; k < HISS_COUNT(others) && !valid; k++) {
        hiss_h5_look_at(r->file, r->dataset, others[k], &a);
        if (a.kind != HISS_H5_ABSENT) {
            hiss_warn("%s: attribute %s of data set %s is not applied: values outside of it are taken as they are",
                      r->path, others[k], r->dataset);
            valid = true;
        }
    }
    return warned || valid;
}

/* Whether float32 does not hold all numbers of the type. */
static bool is_wide(hiss_dtype stored) {
    return stored == HISS_I32 || stored == HISS_U32 || stored == HISS_I64 || stored == HISS_U64 || stored == HISS_F64;
}

/* As a value of float64 is when it is held as float32. */
static double held(double number) {
    return fabs(number) <= (double)FLT_MAX || isnan(number) ? (double)(float)number : copysign(HUGE_VAL, number);
}

hiss_status data_packing_list(data_files *files, const char *dataset, hiss_dtype stored, data_packing **out,
                              bool *packed, hiss_error *err) {
    const int64_t count = data_files_count(files);
    hiss_status status = HISS_OK;
    bool telling = false, warned = hiss_log_rank() > 0;
    data_packing *list = hiss_new(data_packing, count);
    *packed = false;
    for (int64_t k = 0; k < count && !status; k++) {
        reader r = {.dataset = dataset, .path = data_files_path(files, k)};
        status = data_files_hold(files, k, &r.file, err);
        if (!status) {
            status = read_one(&r, &list[k], packed, err);
            telling = telling || *packed || list[k].missing > 0;
            warned = warned || (!status && warn(&r));
            data_files_release(files, r.file);
        }
    }
    if (!telling) {
        hiss_free(list);
        list = NULL;
    }
    for (int64_t k = 0; k < count && list && stored == HISS_F32; k++) {
        for (int m = 0; m < list[k].missing; m++) {
            list[k].missing_number[m] = held(list[k].missing_number[m]);
        }
    }
    *out = list;
    return status;
}

hiss_status data_packing_find(data_source *source, hiss_dtype stored, hiss_error *err) {
    const hiss_status status =
        data_packing_list(source->files, source->dataset, stored, &source->packing, &source->packed, err);
    const int64_t files = data_files_count(source->files);
    bool missing = false;
    for (int64_t k = 0; k < files && source->packing; k++) {
        missing = missing || source->packing[k].missing > 0;
    }
    source->packed =
        source->packed || (missing && stored == HISS_F16); /* float16 has no place for what replaces them */
    source->wide = source->packed && is_wide(stored);
    for (int64_t k = 0; k < files && source->packing && !source->wide && (source->packed || stored == HISS_F64); k++) {
        for (int m = 0; m < source->packing[k].missing; m++) {
            source->packing[k].missing_number[m] = held(source->packing[k].missing_number[m]);
        }
    }
    return status;
}

/* Of the file that has the row. */
static const data_packing *packing_of(const data_packing *list, const data_files *files, const data_joined *joined,
                                      int64_t row) {
    static const data_packing none = {.scale = 1, .offset = 0};
    int64_t file = 0;
    for (int64_t end = list ? data_files_count(files) : 0; end - file > 1;) {
        const int64_t middle = file + (end - file) / 2;
        if (data_joined_first(joined, middle) <= row) {
            file = middle;
        } else {
            end = middle;
        }
    }
    return list ? &list[file] : &none;
}

static const data_packing *packing_at(const data_source *source, int64_t row) {
    return packing_of(source->packing, source->files, source->joined, row);
}

bool data_packing_limits(hiss_dtype dtype, double *least, double *most) {
    static const double lowest[] = {
        [HISS_I8] = INT8_MIN, [HISS_I16] = INT16_MIN, [HISS_I32] = INT32_MIN, [HISS_I64] = -0x1p53, [HISS_U64] = 0};
    static const double highest[] = {
        [HISS_U8] = UINT8_MAX,   [HISS_I8] = INT8_MAX,   [HISS_U16] = UINT16_MAX, [HISS_I16] = INT16_MAX,
        [HISS_U32] = UINT32_MAX, [HISS_I32] = INT32_MAX, [HISS_U64] = 0x1p53,     [HISS_I64] = 0x1p53};
    const bool whole = dtype <= HISS_U64 && dtype != HISS_F32;
    *least = whole ? lowest[dtype] : -(double)FLT_MAX;
    *most = whole ? highest[dtype] : (double)FLT_MAX;
    return whole;
}

hiss_status data_packing_replace(data_source *source, const hiss_field *field, double value, const char *text,
                                 hiss_error *err) {
    double least, most;
    const bool whole = data_packing_limits(field->dtype, &least, &most);
    if (!(value >= least && value <= most) || (whole && value != floor(value))) {
        return hiss_fail(err, HISS_EUSER,
                         "%.40s, but pixels of data set %s are %s: expected a %snumber from %.*g to %.*g", text,
                         source->dataset, whole ? hiss_dtype_name(field->dtype) : "float32", whole ? "whole " : "",
                         whole ? 17 : 6, least, whole ? 17 : 6, most);
    }
    source->replaced = true;
    source->replacement = value;
    return HISS_OK;
}

static bool is_missing(const data_packing *packing, double number) {
    bool missing = false;
    for (int m = 0; m < packing->missing; m++) {
        missing = missing || number == packing->missing_number[m];
    }
    return missing;
}

bool data_packing_misses(const data_packing *list, const data_files *files, const data_joined *joined, int64_t row,
                         double number) {
    return list && is_missing(packing_of(list, files, joined, row), number);
}

/* Values of a packed sample; NaN where one is missing. */
static void unpack_wide(const data_source *source, const data_packing *packing, int64_t count, const double *number,
                        float *value) {
    for (int64_t k = 0; k < count; k++) {
        const bool missing = is_missing(packing, number[k]) || isnan(number[k]);
        value[k] = !missing           ? (float)(packing->scale * number[k] + packing->offset)
                   : source->replaced ? (float)source->replacement
                                      : NAN;
    }
}

hiss_status data_packing_read(const data_source *source, const hiss_field *field, int64_t begin, int64_t count,
                              int64_t stride, void *out, hiss_error *err) {
    enum { PIECE_VALUES = 1 << 17 };
    if (!source->wide) {
        return data_joined_read(source->joined, field->dtype, begin, count, stride, out, err);
    }
    const bool rows = source->layout.rows <= 0; /* else the values of a sample are scattered, and all of one file */
    const int64_t values = hiss_field_count(field), step = stride ? stride : field->bytes;
    const int64_t some = PIECE_VALUES / values + 1, at_once = rows && some < count ? some : count;
    assert(field->dtype == HISS_F32 && (rows || stride == 0));
    double *number = hiss_new(double, at_once *values);
    hiss_status status = HISS_OK;
    for (int64_t done = 0; done < count && !status; done += at_once) {
        const int64_t left = count - done < at_once ? count - done : at_once;
        status = data_joined_read(source->joined, HISS_F64, begin + done, left, 0, number, err);
        for (int64_t i = 0; i < left && !status; i++) {
            float *to = (float *)(void *)((uint8_t *)out + (done + i) * step);
            unpack_wide(source, packing_at(source, begin + (rows ? done + i : 0)), values, number + i * values, to);
        }
    }
    hiss_free(number);
    return status;
}

#define CHECK_INTEGERS(type_)                                                                                          \
    for (int64_t k = 0; k < count && packing->missing > 0; k++) {                                                      \
        type_ *number = (type_ *)values + k;                                                                           \
        if (is_missing(packing, (double)*number)) {                                                                    \
            missing = true;                                                                                            \
            *number = source->replaced ? (type_)source->replacement : *number;                                         \
        }                                                                                                              \
    }                                                                                                                  \
    break

const char *data_packing_unpack(const data_source *source, const hiss_field *field, int64_t row, void *values) {
    const data_packing *packing = packing_at(source, row);
    const int64_t count = hiss_field_count(field);
    const uint16_t *half = values;
    float *real = values;
    bool finite = true, missing = false;
    switch (field->dtype) {
    case HISS_U8:
        CHECK_INTEGERS(uint8_t);
    case HISS_I8:
        CHECK_INTEGERS(int8_t);
    case HISS_U16:
        CHECK_INTEGERS(uint16_t);
    case HISS_I16:
        CHECK_INTEGERS(int16_t);
    case HISS_U32:
        CHECK_INTEGERS(uint32_t);
    case HISS_I32:
        CHECK_INTEGERS(int32_t);
    case HISS_U64:
        CHECK_INTEGERS(uint64_t);
    case HISS_I64:
        CHECK_INTEGERS(int64_t);
    case HISS_F16:
        for (int64_t k = 0; k < count; k++) {
            finite = finite && (half[k] & 0x7C00) != 0x7C00;
        }
        break;
    default:
        assert(field->dtype == HISS_F32);
        for (int64_t k = 0; k < count && source->wide; k++) {
            const bool none = isnan(real[k]) && packing->missing > 0;
            missing = missing || none;
            finite = finite && (none || isfinite(real[k]));
        }
        for (int64_t k = 0; k < count && !source->wide; k++) {
            if ((isnan(real[k]) && source->replaced) || is_missing(packing, (double)real[k])) {
                missing = true;
                real[k] = source->replaced ? (float)source->replacement : 0;
            } else if (source->packed) {
                real[k] = (float)(packing->scale * (double)real[k] + packing->offset);
            }
            finite = finite && isfinite(real[k]);
        }
    }
    return !finite                        ? "not finite as floats (NaN or infinity)"
           : missing && !source->replaced ? "missing (they are its _FillValue or missing_value)"
                                          : NULL;
}

bool data_packing_overflows(const data_source *source, const hiss_field *field, int64_t row, double *value) {
    const data_packing *packing = packing_at(source, row);
    const int64_t count = hiss_field_count(field);
    double *number = hiss_new(double, count);
    bool over = false;
    if (field->dtype == HISS_F32 && data_joined_read(source->joined, HISS_F64, row, 1, 0, number, NULL) == HISS_OK) {
        for (int64_t k = 0; k < count && !over; k++) {
            *value = packing->scale * number[k] + packing->offset;
            over = isfinite(*value) && fabs(*value) > (double)FLT_MAX &&
                   !is_missing(packing, source->wide ? number[k] : held(number[k]));
        }
    }
    hiss_free(number);
    return over;
}
