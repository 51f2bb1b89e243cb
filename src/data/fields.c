/* Fields: the data sets that make up a sample.
 *
 * A sample is a row of bytes. The values of each field lie in it one after the other, in the type they have in the file,
 * at an offset that is a multiple of their size; float64 is held as float32, an enumeration as its integers. Samples of
 * one field of uint8 are thus their pixels, without gaps.
 *
 * Every field is one data set of as many rows as the first, the image. A read of some rows is one read per field, in
 * which HDF5 puts the values into their places. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"
#include "hiss/number.h"

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
        field->bytes = hiss_field_count(field) * size;
        field->offset = round_up(set->row, size);
        set->row = field->offset + field->bytes;
        largest = size > largest ? size : largest;
    }
    set->row = round_up(set->row, largest);
}

/* ---- types ---- */

static bool is_number(hiss_dtype dtype) {
    return dtype <= HISS_U64 || dtype == HISS_F16 || dtype == HISS_F64;
}

/* What stands for 1, where 0 stands for 0: of integers of 8 and 16 bits, and of pixels of 32, the largest. Numbers of 64
 * bits are counts or names, so they stay; so do floats, and the numbers of an enumeration. */
static double standard_high(hiss_dtype stored, hiss_dtype values, bool pixels) {
    static const double largest[] = {[HISS_U8] = 255, [HISS_I8] = 127, [HISS_U16] = 65535, [HISS_I16] = 32767};
    if (stored == HISS_ENUMERATION) {
        return 1;
    }
    if (values == HISS_U8 || values == HISS_I8 || values == HISS_U16 || values == HISS_I16) {
        return largest[values];
    }
    return pixels && values == HISS_U32 ? 4294967295.0 : pixels && values == HISS_I32 ? 2147483647.0 : 1;
}

/* ---- shapes ---- */

static bool alike(int64_t a, int64_t b) {
    enum { LEAST_SIDE = 8, MOST_ASPECT = 4 };
    return a >= LEAST_SIDE && b >= LEAST_SIDE && a / b < MOST_ASPECT && b / a < MOST_ASPECT;
}

/* The layout that images most likely have whose axes are not [n,H,W,C]; NULL: they may be. Images of up to 4 rows and 8
 * columns of 8 channels or more may, as long as they are far from square: signals. */
static const char *other_layout(const hiss_h5_info *info) {
    enum { MOST_CHANNELS = 4, LEAST_SAMPLES = 64 };
    const int64_t *dim = info->dim;
    if (info->ndim == 4 && dim[1] <= MOST_CHANNELS && alike(dim[2], dim[3])) {
        return "NCHW";
    }
    if (info->ndim == 4 && dim[2] <= MOST_CHANNELS && dim[3] >= LEAST_SAMPLES && alike(dim[0], dim[1])) {
        return "HWCN";
    }
    return NULL;
}

static hiss_status check_guess(const hiss_dataset *set, const data_source *source, const hiss_h5_info *info,
                               hiss_error *err) {
    char found[HISS_H5_INFO_TEXT];
    const char *guess = other_layout(info);
    if (!guess) {
        return HISS_OK;
    }
    const bool first = strcmp(guess, "NCHW") == 0;
    return hiss_fail(err, HISS_EUSER,
                     "%s: data set %s holds %s, which looks like %s; expected [n,H,W,C]: set data.layout: %s%s, or "
                     "NHWC if they are, or name another data set",
                     set->path, source->dataset, hiss_h5_info_text(info, found), first ? "[n,C,H,W]" : "[H,W,C,n]",
                     guess, first ? " (NCWH if MATLAB wrote it)" : "");
}

/* Look at a field's data set: its type, its axes. */
static hiss_status look(hiss_dataset *set, data_source *source, hiss_field *field, hiss_h5_info *info,
                        hiss_error *err) {
    hiss_dtype values = HISS_OTHER;
    char found[HISS_H5_INFO_TEXT];
    const bool image = field == &set->field[DATA_IMAGE];
    hiss_status status = hiss_h5_look(source->file, source->dataset, info, err);
    status = status ? status : hiss_h5_values(source->file, source->dataset, &values, err);
    if (status) {
        return status;
    }
    if (!is_number(values) || (image && !source->layout_word && (info->ndim < 3 || info->ndim > 4))) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s holds %s; expected %sintegers of 8 to 64 bits, float16, float32, float64, "
                         "booleans or an enumeration: convert it, or name another data set",
                         set->path, source->dataset, hiss_h5_info_text(info, found),
                         image ? "[n,H,W,C] or [n,H,W] of " : "");
    }
    if (source->layout_word) {
        status = data_layout_parse(source->layout_word, info, &source->layout, err);
        source->misplaced = status != HISS_OK;
    } else {
        status = image ? check_guess(set, source, info, err) : HISS_OK;
        source->layout = (data_layout){.rows = 0, .ndim = info->ndim - 1, .axis = {1, 2, 3, 4}};
        memcpy(source->layout.letter, "HWC", image ? (size_t)info->ndim - 1 : 0);
    }
    *field = (hiss_field){.name = source->name,
                          .dtype = values == HISS_F64 ? HISS_F32 : values,
                          .ndim = source->layout.ndim,
                          .low = 0,
                          .high = standard_high(info->dtype, values, image)};
    for (int k = 0; k < field->ndim; k++) {
        field->dim[k] = source->dim[k] = info->dim[source->layout.axis[k]];
    }
    return status;
}

static hiss_status check_image(hiss_dataset *set, data_source *source, hiss_field *field, hiss_error *err) {
    hiss_h5_info info;
    char text[HISS_FIELD_TEXT];
    hiss_status status = look(set, source, field, &info, err);
    if (status) {
        return status;
    }
    if (field->ndim < HISS_FIELD_NDIM && !memchr(source->layout.letter, 'C', HISS_H5_NDIM)) {
        field->dim[field->ndim++] = 1;
    }
    set->rows = info.dim[source->layout.rows];
    if (set->rows < 1 || hiss_field_count(field) < 1) {
        return hiss_fail(err, HISS_EUSER, "%s: data set %s is empty: %lld samples of %s; expected at least one image",
                         set->path, source->dataset, (long long)set->rows, hiss_field_text(field, text));
    }
    return HISS_OK;
}

/* ---- further fields ---- */

/* A further field has a row for each image. */
static hiss_status check_field(hiss_dataset *set, data_source *source, hiss_field *field, hiss_error *err) {
    hiss_h5_info info;
    char found[HISS_H5_INFO_TEXT];
    hiss_status status = look(set, source, field, &info, err);
    if (status) {
        return status;
    }
    const int64_t rows = info.dim[source->layout.rows];
    if (rows != set->rows || hiss_field_count(field) < 1) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s holds %s, %lld rows; expected %lld, one for each row of %s, and values in "
                         "them: name another data set",
                         set->path, source->dataset, hiss_h5_info_text(&info, found), (long long)rows,
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

/* The layout that options name for a field; NULL: none. */
static const char *layout_of(const hiss_data_options *options, const char *field) {
    const hiss_yaml *layout = options->layout;
    const bool image = strcmp(field, HISS_FIELD_IMAGE) == 0;
    layout = layout && layout->kind == HISS_YAML_MAP ? hiss_yaml_get(layout, field) : image ? layout : NULL;
    return !layout ? NULL : layout->kind == HISS_YAML_SCALAR ? layout->text : "";
}

static hiss_status open_source(const hiss_dataset *set, const hiss_data_options *options, const char *name,
                               const char *dataset, data_source *source, hiss_error *err) {
    const char *word = layout_of(options, name);
    *source = (data_source){.name = data_text_copy(name),
                            .dataset = data_text_copy(dataset),
                            .layout_word = word ? data_text_copy(word) : NULL};
    return hiss_h5_open_again(set->file, &source->file, err);
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
        char key[sizeof "data.fields." + HISS_FIELD_NAME];
        snprintf(key, sizeof key, "data.fields.%s", entry->key);
        status = open_source(set, options, entry->key, entry->text, source, err);
        status = status ? status : check_field(set, source, field, err);
        status = data_blame(options->keys.config, NULL, source->misplaced ? "data.layout" : key, status, err);
    }
    return status;
}

/* ---- all of them ---- */

/* data.range, of the image. */
static hiss_status read_range(const hiss_data_options *options, hiss_field *image, hiss_error *err) {
    const hiss_yaml *range = options->range, *low = range ? range->first : NULL, *high = low ? low->next : NULL;
    if (!range) {
        return HISS_OK;
    }
    const bool two = range->kind == HISS_YAML_LIST && low && high && !high->next && low->text && high->text;
    if (!two || !hiss_real_parse(low->text, &image->low) || !hiss_real_parse(high->text, &image->high) ||
        !(image->high > image->low)) {
        return data_blame(options->keys.config, NULL, "data.range",
                          hiss_fail(err, HISS_EUSER, "must be a list of two numbers, [LOW, HIGH], the lower first"),
                          err);
    }
    return HISS_OK;
}

/* Pixels whose type says nothing of their range are of 0..1, or standardised, unless data.range says otherwise: look at
 * some of them. */
static hiss_status check_span(const hiss_dataset *set, const hiss_data_options *options, hiss_error *err) {
    enum { ROWS = 16, MOST = 16 };
    const hiss_field *image = &set->field[DATA_IMAGE];
    const data_source *source = &set->source[DATA_IMAGE];
    const bool floats = image->dtype == HISS_F32 || image->dtype == HISS_F16;
    const bool further = options->keys.images != NULL; /* samples to evaluate: what is set for training holds */
    if (options->range || (!floats && image->dtype != HISS_I64 && image->dtype != HISS_U64)) {
        return HISS_OK;
    }
    const int64_t count = hiss_field_count(image), rows = set->rows < ROWS ? set->rows : ROWS;
    void *row = hiss_alloc((size_t)image->bytes);
    float *values = hiss_new(float, count), low = 0, high = 0;
    hiss_status status = HISS_OK;
    for (int64_t k = 0; k < rows && !status; k++) {
        status = hiss_h5_read_rows(source->file, source->dataset, image->dtype, source->layout.rows,
                                   k * (set->rows / rows), 1, 0, row, err);
        hiss_field_floats(image, row, 0, values);
        for (int64_t i = 0; i < count && !status; i++) {
            low = values[i] < low ? values[i] : low;
            high = values[i] > high ? values[i] : high;
        }
    }
    hiss_free(values);
    hiss_free(row);
    if (!status && (low < -MOST || high > MOST) && further) {
        status =
            hiss_fail(err, HISS_EUSER,
                      "%s: data set %s has values from %g to %g; expected about 0..1, as data.range is not set for "
                      "the training samples: write these in the same range",
                      set->path, source->dataset, (double)low, (double)high);
    } else if (!status && (low < -MOST || high > MOST)) {
        status = hiss_fail(err, HISS_EUSER,
                           "%s: data set %s has values from %g to %g; expected about 0..1: set data.range to "
                           "the values for black and white, such as [%g, %g], or to [0, 1] to take them as they are",
                           set->path, source->dataset, (double)low, (double)high, low < 0 ? (double)low : 0.0,
                           high > 16 && high <= 255 && low >= 0 ? 255.0 : (double)high);
    }
    return status;
}

/* Room for pieces of those fields whose axes are not in order. */
static void make_piece(hiss_dataset *set) {
    int64_t most = 0;
    for (int k = 0; k < set->fields; k++) {
        const int64_t bytes = data_layout_piece(set->field[k].bytes);
        most = !data_layout_in_order(&set->source[k].layout) && bytes > most ? bytes : most;
    }
    set->piece = most > 0 ? hiss_alloc((size_t)most) : NULL;
}

static hiss_status find_dearest(hiss_dataset *set, hiss_error *err) {
    hiss_status status = HISS_OK;
    for (int k = 0; k < set->fields && !status; k++) {
        hiss_h5_layout layout = {.rows_at_once = 1};
        if (set->source[k].layout.rows == 0) {
            status = hiss_h5_layout_of(set->source[k].file, set->source[k].dataset, &layout, err);
        }
        if (!set->dearest || layout.rows_at_once > set->dearest_layout.rows_at_once) {
            set->dearest_layout = layout;
            set->dearest = set->source[k].dataset;
        }
    }
    return status;
}

/* Each name under data.layout is that of a field. */
static hiss_status check_layout_names(const hiss_dataset *set, const hiss_data_options *options, hiss_error *err) {
    const hiss_yaml *map = options->layout && options->layout->kind == HISS_YAML_MAP ? options->layout : NULL;
    for (const hiss_yaml *entry = map ? map->first : NULL; entry; entry = entry->next) {
        if (!hiss_dataset_field(set, entry->key)) {
            char key[sizeof "data.layout." + HISS_FIELD_NAME];
            snprintf(key, sizeof key, "data.layout.%.*s", HISS_FIELD_NAME, entry->key);
            return data_blame(options->keys.config, NULL, key,
                              hiss_fail(err, HISS_EUSER,
                                        "there is no field '%.80s'; it is image, or one that data.fields names",
                                        entry->key),
                              err);
        }
    }
    return HISS_OK;
}

hiss_status data_fields_check(hiss_dataset *set, const hiss_data_options *options, hiss_error *err) {
    const hiss_data_keys *keys = &options->keys;
    data_source *source = &set->source[DATA_IMAGE];
    hiss_field *image = &set->field[DATA_IMAGE];
    set->fields = 1;
    hiss_status status = open_source(set, options, HISS_FIELD_IMAGE, options->images, source, err);
    status = status ? status : check_image(set, source, image, err);
    if (!status) {
        place(set);
        status = check_span(set, options, err);
    }
    status = source->misplaced ? data_blame(keys->config, NULL, "data.layout", status, err)
                               : data_blame(keys->config, keys->images, "data.images", status, err);
    status = status ? status : read_range(options, image, err);
    status = status ? status : add_further(set, options, err);
    status = status ? status : check_layout_names(set, options, err);
    if (!status) {
        place(set);
        make_piece(set);
        status = find_dearest(set, err);
    }
    return status;
}

void data_fields_keep(hiss_dataset *set, int64_t bytes) {
    for (int k = 0; set->file && k < set->fields; k++) {
        hiss_h5_keep(set->source[k].file, bytes / set->fields);
    }
}

void data_fields_synthetic(hiss_dataset *set, int64_t H, int64_t W, int64_t C) {
    set->fields = 1;
    set->source[DATA_IMAGE].name = data_text_copy(HISS_FIELD_IMAGE);
    set->field[DATA_IMAGE] =
        (hiss_field){.name = set->source[DATA_IMAGE].name, .dtype = HISS_U8, .ndim = 3, .dim = {H, W, C}, .high = 255};
    set->source[DATA_IMAGE].layout = (data_layout){.ndim = 3, .axis = {1, 2, 3}};
    place(set);
}

void data_fields_destroy(hiss_dataset *set) {
    for (int k = 0; k < set->fields; k++) {
        hiss_h5_close(set->source[k].file, NULL);
        hiss_free(set->source[k].name);
        hiss_free(set->source[k].dataset);
        hiss_free(set->source[k].layout_word);
    }
    hiss_free(set->piece);
}

const char *hiss_field_source(const hiss_dataset *set, const hiss_field *field) {
    const char *dataset = set->source[field - set->field].dataset;
    return dataset ? dataset : field->name;
}

void data_fields_describe(const hiss_dataset *set, int field, FILE *stream) {
    const hiss_field *f = &set->field[field];
    fprintf(stream, "%s [%lld", hiss_dtype_name(f->dtype), (long long)set->rows);
    for (int i = 0; i < f->ndim; i++) {
        fprintf(stream, ",%lld", (long long)f->dim[i]);
    }
    fputc(']', stream);
    if (set->source[field].layout_word) {
        fprintf(stream, " of %s", set->source[field].layout_word);
    }
}

/* ---- rows ---- */

static void make_pixels(const hiss_dataset *set, int64_t row, uint8_t *out) {
    hiss_rng rng = hiss_rng_keyed(set->seed, HISS_FOR_TESTS, 0, row);
    for (int64_t i = 0; i < set->row; i += 4) {
        const uint32_t word = hiss_rng_word(&rng);
        memcpy(out + i, &word, (size_t)(set->row - i < 4 ? set->row - i : 4));
    }
}

/* Floats must be numbers: one that is not would be in all parameters after the next step. */
static hiss_status check_finite(const hiss_dataset *set, int k, int64_t begin, int64_t count, const uint8_t *rows,
                                hiss_error *err) {
    const hiss_field *field = &set->field[k];
    const int64_t values = hiss_field_count(field);
    for (int64_t i = 0; i < count; i++) {
        const void *row = rows + i * set->row + field->offset;
        const float *floats = row;
        const uint16_t *half = row;
        bool finite = true;
        for (int64_t v = 0; v < values && field->dtype == HISS_F32; v++) {
            finite = finite && isfinite(floats[v]);
        }
        for (int64_t v = 0; v < values && field->dtype == HISS_F16; v++) {
            finite = finite && (half[v] & 0x7C00) != 0x7C00;
        }
        if (!finite) {
            return hiss_fail(err, HISS_EUSER,
                             "%s: row %lld of data set %s has values that are not finite as floats (NaN or infinity); "
                             "expected numbers: replace them, or leave the row out",
                             set->path, (long long)(begin + i), set->source[k].dataset);
        }
    }
    return HISS_OK;
}

static hiss_status read_field(hiss_dataset *set, int k, int64_t begin, int64_t count, uint8_t *out, hiss_error *err) {
    const data_source *source = &set->source[k];
    const hiss_field *field = &set->field[k];
    hiss_status status;
    if (data_layout_in_order(&source->layout)) {
        status = hiss_h5_read_rows(source->file, source->dataset, field->dtype, 0, begin, count, set->row,
                                   out + field->offset, err);
    } else {
        pthread_mutex_lock(&set->lock);
        status = data_layout_read(source, field, begin, count, set->row, set->piece, out + field->offset, err);
        pthread_mutex_unlock(&set->lock);
    }
    const bool floats = field->dtype == HISS_F32 || field->dtype == HISS_F16;
    return status || !floats ? status : check_finite(set, k, begin, count, out, err);
}

hiss_status data_fields_read(hiss_dataset *set, int64_t begin, int64_t count, uint8_t *out, hiss_error *err) {
    hiss_status status = HISS_OK;
    for (int64_t i = 0; !set->file && i < count; i++) {
        make_pixels(set, begin + i, out + i * set->row);
    }
    for (int k = 0; set->file && k < set->fields && !status; k++) {
        status = read_field(set, k, begin, count, out, err);
    }
    return status;
}
