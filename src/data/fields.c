/* Fields: the data sets that make up a sample.
 *
 * A sample is a row of bytes. The values of each field lie in it one after the other, in the type they have in the file,
 * at an offset that is a multiple of their size; float64 is held as float32, an enumeration as its integers. Samples of
 * one field of uint8 are thus their pixels, without gaps.
 *
 * Every field is one data set of as many rows as the first, the image. A read of some rows is one read per field, in
 * which HDF5 puts the values into their places. */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"

static int64_t values_of(const hiss_field *field) {
    int64_t count = 1;
    for (int i = 0; i < field->ndim; i++) {
        count *= field->dim[i];
    }
    return count;
}

/* ---- places ---- */

static int64_t round_up(int64_t n, int64_t unit) {
    return (n + unit - 1) / unit * unit;
}

/* Give each field its place in a row. */
static void place(hiss_dataset *set) {
    int64_t largest = 1;
    set->row = 0;
    for (int k = 0; k < set->fields; k++) {
        hiss_field *field = &set->field[k];
        const int64_t size = hiss_dtype_bytes(field->dtype);
        field->bytes = values_of(field) * size;
        field->offset = round_up(set->row, size);
        set->row = field->offset + field->bytes;
        largest = size > largest ? size : largest;
    }
    set->row = round_up(set->row, largest);
}

/* ---- the image ---- */

/* Whether these are images whose channels come first, as other programs have them. Images of up to 4 rows and 8 columns
 * of 8 channels or more are not, as long as they are far from square: signals. */
static bool channels_first(const hiss_h5_info *info) {
    enum { MOST_CHANNELS = 4, LEAST_SIDE = 8, MOST_ASPECT = 4 };
    const int64_t C = info->dim[1], H = info->dim[2], W = info->dim[3];
    return info->ndim == 4 && C <= MOST_CHANNELS && H >= LEAST_SIDE && W >= LEAST_SIDE && H / W < MOST_ASPECT &&
           W / H < MOST_ASPECT;
}

static hiss_status check_image(hiss_dataset *set, const data_source *source, hiss_field *field, hiss_error *err) {
    hiss_h5_info info;
    hiss_status status = hiss_h5_look(source->file, source->dataset, &info, err);
    if (status) {
        return status;
    }
    char found[HISS_H5_INFO_TEXT];
    if (info.dtype != HISS_U8 || info.ndim < 3 || info.ndim > 4) {
        return hiss_fail(
            err, HISS_EUSER,
            "%s: data set %s holds %s; expected uint8 [n,H,W,C] or [n,H,W]: convert it, or name another data set",
            set->path, source->dataset, hiss_h5_info_text(&info, found));
    }
    if (channels_first(&info)) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s holds %s, which looks like [n,C,H,W]; expected [n,H,W,C], channels last: "
                         "write it anew as [%lld,%lld,%lld,%lld] (numpy: x.transpose(0, 2, 3, 1)), or name another "
                         "data set",
                         set->path, source->dataset, hiss_h5_info_text(&info, found), (long long)info.dim[0],
                         (long long)info.dim[2], (long long)info.dim[3], (long long)info.dim[1]);
    }
    const int64_t C = info.ndim == 4 ? info.dim[3] : 1;
    set->rows = info.dim[0];
    *field = (hiss_field){.name = source->name, .dtype = HISS_U8, .ndim = 3, .dim = {info.dim[1], info.dim[2], C}};
    if (set->rows < 1 || values_of(field) < 1) {
        return hiss_fail(
            err, HISS_EUSER, "%s: data set %s is empty: [%lld,%lld,%lld,%lld]; expected at least one image", set->path,
            source->dataset, (long long)set->rows, (long long)info.dim[1], (long long)info.dim[2], (long long)C);
    }
    return HISS_OK;
}

/* ---- further fields ---- */

static bool is_number(hiss_dtype dtype) {
    return dtype <= HISS_U64 || dtype == HISS_F16 || dtype == HISS_F64;
}

/* Look at the data set of a further field: numbers, a row for each image. */
static hiss_status check_field(hiss_dataset *set, const data_source *source, hiss_field *field, hiss_error *err) {
    hiss_h5_info info;
    hiss_dtype values = HISS_OTHER;
    hiss_status status = hiss_h5_look(source->file, source->dataset, &info, err);
    status = status ? status : hiss_h5_values(source->file, source->dataset, &values, err);
    if (status) {
        return status;
    }
    char found[HISS_H5_INFO_TEXT];
    *field = (hiss_field){.name = source->name,
                          .dtype = values == HISS_F64 ? HISS_F32 : values,
                          .ndim = info.ndim - 1,
                          .dim = {info.dim[1], info.dim[2], info.dim[3], info.dim[4]}};
    if (!is_number(values) || values_of(field) < 1) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s holds %s; expected integers of 8 to 64 bits, float16, float32, float64, "
                         "booleans or an enumeration, at least one of them in a row: name another data set",
                         set->path, source->dataset, hiss_h5_info_text(&info, found));
    }
    if (info.dim[0] != set->rows) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s holds %s, %lld rows; expected %lld, one for each row of %s: name another "
                         "data set",
                         set->path, source->dataset, hiss_h5_info_text(&info, found), (long long)info.dim[0],
                         (long long)set->rows, set->source[DATA_IMAGE].dataset);
    }
    return HISS_OK;
}

static bool is_name(const char *text) {
    const size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '_') {
            return false;
        }
    }
    return length >= 1 && length <= HISS_FIELD_NAME && isalpha((unsigned char)text[0]);
}

/* What stands under data.fields must be NAME: DATASET. */
static hiss_status check_entry(const hiss_dataset *set, const hiss_yaml *entry, hiss_error *err) {
    if (set->fields == HISS_MAX_FIELDS) {
        return hiss_fail(err, HISS_EUSER, "data.fields: more than %d fields; leave some out", HISS_MAX_FIELDS - 1);
    }
    if (!is_name(entry->key) || strcmp(entry->key, HISS_FIELD_IMAGE) == 0) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data.fields: '%.80s' cannot be the name of a field; expected a letter, then up to %d "
                         "letters, digits and underscores, and not image, which is data.images",
                         entry->file, entry->key, HISS_FIELD_NAME - 1);
    }
    if (entry->kind != HISS_YAML_SCALAR || !entry->text[0]) {
        return hiss_fail(err, HISS_EUSER, "%s: data.fields.%s must be the name of a data set, such as /%s", entry->file,
                         entry->key, entry->key);
    }
    return HISS_OK;
}

static hiss_status add_further(hiss_dataset *set, const hiss_data_options *options, hiss_error *err) {
    const hiss_yaml *map = options->fields;
    if (map && map->kind != HISS_YAML_MAP) {
        return data_blame(options->keys.config, NULL, "data.fields",
                          hiss_fail(err, HISS_EUSER, "must be a section of lines NAME: DATASET"), err);
    }
    hiss_status status = HISS_OK;
    for (const hiss_yaml *entry = map ? map->first : NULL; entry && !status; entry = entry->next) {
        if ((status = check_entry(set, entry, err))) {
            break;
        }
        data_source *source = &set->source[set->fields];
        hiss_field *field = &set->field[set->fields++];
        *source = (data_source){data_text_copy(entry->key), data_text_copy(entry->text), NULL};
        char key[sizeof "data.fields." + HISS_FIELD_NAME];
        snprintf(key, sizeof key, "data.fields.%s", source->name);
        status = hiss_h5_open_again(set->file, &source->file, err);
        status = status ? status : check_field(set, source, field, err);
        status = data_blame(options->keys.config, NULL, key, status, err);
    }
    return status;
}

/* ---- all of them ---- */

hiss_status data_fields_check(hiss_dataset *set, const hiss_data_options *options, hiss_error *err) {
    const hiss_data_keys *keys = &options->keys;
    data_source *image = &set->source[DATA_IMAGE];
    *image = (data_source){data_text_copy(HISS_FIELD_IMAGE), data_text_copy(options->images), NULL};
    set->fields = 1;
    hiss_status status = hiss_h5_open_again(set->file, &image->file, err);
    status = status ? status : check_image(set, image, &set->field[DATA_IMAGE], err);
    status = data_blame(keys->config, keys->images, "data.images", status, err);
    status = status ? status : add_further(set, options, err);
    if (!status) {
        place(set);
    }
    return status;
}

void data_fields_synthetic(hiss_dataset *set, int64_t H, int64_t W, int64_t C) {
    set->fields = 1;
    set->source[DATA_IMAGE].name = data_text_copy(HISS_FIELD_IMAGE);
    set->field[DATA_IMAGE] =
        (hiss_field){.name = set->source[DATA_IMAGE].name, .dtype = HISS_U8, .ndim = 3, .dim = {H, W, C}};
    place(set);
}

void data_fields_destroy(hiss_dataset *set) {
    for (int k = 0; k < set->fields; k++) {
        hiss_h5_close(set->source[k].file, NULL);
        hiss_free(set->source[k].name);
        hiss_free(set->source[k].dataset);
    }
}

const char *hiss_field_source(const hiss_dataset *set, const hiss_field *field) {
    const char *dataset = set->source[field - set->field].dataset;
    return dataset ? dataset : field->name;
}

const char *hiss_field_text(const hiss_field *field, char out[HISS_FIELD_TEXT]) {
    int used = snprintf(out, HISS_FIELD_TEXT, "%s [", hiss_dtype_name(field->dtype));
    for (int i = 0; i < field->ndim; i++) {
        used +=
            snprintf(out + used, (size_t)(HISS_FIELD_TEXT - used), "%s%lld", i ? "," : "", (long long)field->dim[i]);
    }
    snprintf(out + used, (size_t)(HISS_FIELD_TEXT - used), "]");
    return out;
}

void data_fields_describe(const hiss_dataset *set, int field, FILE *stream) {
    const hiss_field *f = &set->field[field];
    fprintf(stream, "%s [%lld", hiss_dtype_name(f->dtype), (long long)set->rows);
    for (int i = 0; i < f->ndim; i++) {
        fprintf(stream, ",%lld", (long long)f->dim[i]);
    }
    fputc(']', stream);
}

/* ---- rows ---- */

static void make_pixels(const hiss_dataset *set, int64_t row, uint8_t *out) {
    hiss_rng rng = hiss_rng_keyed(set->seed, HISS_FOR_TESTS, 0, row);
    for (int64_t i = 0; i < set->row; i += 4) {
        const uint32_t word = hiss_rng_word(&rng);
        memcpy(out + i, &word, (size_t)(set->row - i < 4 ? set->row - i : 4));
    }
}

hiss_status data_fields_read(hiss_dataset *set, int64_t begin, int64_t count, uint8_t *out, hiss_error *err) {
    for (int64_t i = 0; !set->file && i < count; i++) {
        make_pixels(set, begin + i, out + i * set->row);
    }
    hiss_status status = HISS_OK;
    for (int k = 0; set->file && k < set->fields && !status; k++) {
        const data_source *source = &set->source[k];
        const hiss_field *field = &set->field[k];
        status = hiss_h5_read_rows(source->file, source->dataset, field->dtype, begin, count, set->row,
                                   out + field->offset, err);
    }
    return status;
}
