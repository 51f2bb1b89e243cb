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
#include <math.h>
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"
#include "hiss/generate.h"
#include "hiss/log.h"
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

static bool is_prepared(const data_source *source) {
    hiss_h5 *file;
    hiss_error unused;
    if (data_files_hold(source->files, 0, &file, &unused)) {
        return false;
    }
    const bool ours = data_prepared(file, source->dataset, &unused);
    data_files_release(source->files, file);
    return ours;
}

static hiss_status check_guess(const hiss_dataset *set, const data_source *source, const hiss_h5_info *info,
                               hiss_error *err) {
    char found[HISS_H5_INFO_TEXT];
    const char *guess = other_layout(info);
    if (!guess || is_prepared(source)) {
        return HISS_OK;
    }
    const bool first = strcmp(guess, "NCHW") == 0;
    return hiss_fail(err, HISS_EUSER,
                     "%s: data set %s holds %s, which looks like %s; expected [n,H,W,C]: set data.layout: %s%s, or "
                     "NHWC if they are, or name another data set",
                     set->path, source->dataset, hiss_h5_info_text(info, found), first ? "[n,C,H,W]" : "[H,W,C,n]",
                     guess, first ? " (NCWH if MATLAB wrote it)" : "");
}

/* The axes of a sample, of which t, d and C, the last ones, are one. */
static void set_shape(const data_source *source, hiss_field *field) {
    const data_layout *layout = &source->layout;
    bool channels = false;
    field->ndim = 0;
    for (int k = 0; k < layout->ndim; k++) {
        const bool more = layout->letter[k] && strchr("tdC", layout->letter[k]);
        if (more && channels) {
            field->dim[field->ndim - 1] *= source->dim[k];
        } else {
            field->dim[field->ndim++] = source->dim[k];
        }
        channels = channels || more;
    }
}

/* Look at a field's data set: its type, its axes. */
static hiss_status look(hiss_dataset *set, data_source *source, hiss_field *field, hiss_h5_info *info,
                        hiss_error *err) {
    hiss_dtype values = HISS_OTHER;
    char found[HISS_H5_INFO_TEXT];
    const bool image = field == &set->field[DATA_IMAGE];
    const int axis = source->layout_word ? data_layout_axis(source->layout_word) : set->apart ? DATA_APART : 0;
    hiss_status status =
        data_files_join(source->files, source->dataset, axis, false, &source->joined, &source->misfiled, err);
    if (status) {
        return status;
    }
    *info = *data_joined_info(source->joined);
    values = data_joined_values(source->joined);
    if (is_number(values) && image && !source->layout_word && info->ndim == 5) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s holds %s; expected [n,H,W,C] or [n,H,W]: name its axes; data.layout: NdHWC, "
                         "say, makes depth part of the channels, and NtHWC time",
                         set->path, source->dataset, hiss_h5_info_text(info, found));
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
    status = status ? status : data_packing_find(source, values, err);
    values = source->packed ? HISS_F32 : values;
    *field = (hiss_field){.name = source->name,
                          .dtype = values == HISS_F64 ? HISS_F32 : values,
                          .enumeration = info->dtype == HISS_ENUMERATION,
                          .low = 0,
                          .high = standard_high(info->dtype, values, image)};
    for (int k = 0; k < source->layout.ndim; k++) {
        source->dim[k] = info->dim[source->layout.axis[k]];
    }
    set_shape(source, field);
    return status;
}

static hiss_status check_image(hiss_dataset *set, data_source *source, hiss_field *field, bool piece, hiss_error *err) {
    hiss_h5_info info;
    char text[HISS_FIELD_TEXT];
    hiss_status status = look(set, source, field, &info, err);
    if (status) {
        return status;
    }
    if (field->ndim < HISS_FIELD_NDIM && !data_layout_has_channels(&source->layout)) {
        field->dim[field->ndim++] = 1;
    }
    if (field->ndim == 2 && source->layout.letter[0] == 'W') { /* signals [W] or [W,C] are images of one row */
        memmove(field->dim + 1, field->dim, 2 * sizeof field->dim[0]);
        field->dim[0] = 1;
        field->ndim = 3;
    }
    set->rows = info.dim[source->layout.rows];
    if ((set->rows < 1 && !piece) || hiss_field_count(field) < 1) {
        return hiss_fail(err, HISS_EUSER, "%s: data set %s is empty: %lld samples of %s; expected at least one image",
                         set->path, source->dataset, (long long)set->rows, hiss_field_text(field, text));
    }
    if (source->packed && (source->packing[0].scale != 1 || source->packing[0].offset != 0)) {
        hiss_info("%s: data set %s is packed: a value is %g times its number plus %g", set->path, source->dataset,
                  source->packing[0].scale, source->packing[0].offset);
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

static void open_source(const hiss_dataset *set, const hiss_data_options *options, const char *name,
                        const char *dataset, data_source *source) {
    const char *word = layout_of(options, name);
    *source = (data_source){.name = data_text_copy(name),
                            .dataset = data_text_copy(dataset),
                            .layout_word = word ? data_text_copy(word) : NULL,
                            .files = data_files_again(set->files)};
}

/* Which key's value is wrong, where the data set of a field, which `key` names, is. */
static hiss_status blame(const hiss_data_keys *keys, const data_source *source, const char *key, const char *standard,
                         hiss_status status, hiss_error *err) {
    return source->misplaced  ? data_blame(keys->config, NULL, "data.layout", status, err)
           : source->misfiled ? data_blame(keys->config, keys->file, "data.file", status, err)
                              : data_blame(keys->config, key, standard, status, err);
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
        open_source(set, options, entry->key, entry->text, source);
        status = check_field(set, source, field, err);
        status = blame(&options->keys, source, NULL, key, status, err);
    }
    return status;
}

/* ---- all of them ---- */

/* data.missing, of the image. */
static hiss_status read_missing(const hiss_data_options *options, data_source *source, const hiss_field *image,
                                hiss_error *err) {
    const hiss_yaml *missing = options->missing;
    double value;
    if (!missing) {
        return HISS_OK;
    }
    if (missing->kind != HISS_YAML_SCALAR || !hiss_real_parse(missing->text, &value)) {
        return data_blame(options->keys.config, NULL, "data.missing",
                          hiss_fail(err, HISS_EUSER, "must be a number, or null"), err);
    }
    return data_blame(options->keys.config, NULL, "data.missing",
                      data_packing_replace(source, image, value, missing->text, err), err);
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

static void find_dearest(hiss_dataset *set) {
    for (int k = 0; k < set->fields; k++) {
        hiss_h5_layout layout = {.rows_at_once = 1};
        if (set->source[k].layout.rows == 0) {
            layout = data_joined_layout(set->source[k].joined);
        }
        if (!set->dearest || layout.rows_at_once > set->dearest_layout.rows_at_once) {
            set->dearest_layout = layout;
            set->dearest = set->source[k].dataset;
        }
    }
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
    data_source *source = &set->source[DATA_IMAGE];
    hiss_field *image = &set->field[DATA_IMAGE];
    set->fields = 1;
    open_source(set, options, HISS_FIELD_IMAGE, options->images, source);
    set->apart = data_layout_axis(source->layout_word) == DATA_APART;
    hiss_status status = check_image(set, source, image, options->piece, err);
    if (!status) {
        place(set);
        status = read_missing(options, source, image, err);
        if (status) {
            return status;
        }
        status = data_range_check(set, options, err);
    }
    status = blame(&options->keys, source, options->keys.images, "data.images", status, err);
    status = status ? status : data_range_read(set, options, err);
    data_range_limit(set, options);
    status = status ? status : add_further(set, options, err);
    status = status ? status : check_layout_names(set, options, err);
    if (!status) {
        place(set);
        make_piece(set);
        find_dearest(set);
    }
    return status;
}

void data_fields_keep(hiss_dataset *set, int64_t bytes) {
    for (int k = 0; set->files && k < set->fields; k++) {
        data_files_keep(set->source[k].files, bytes / set->fields);
    }
}

void data_fields_generated(hiss_dataset *set, const hiss_field *field, int fields) {
    assert(1 <= fields && fields <= HISS_MAX_FIELDS && field[DATA_IMAGE].dtype == HISS_U8 &&
           field[DATA_IMAGE].ndim == 3 && strcmp(field[DATA_IMAGE].name, HISS_FIELD_IMAGE) == 0);
    set->fields = fields;
    for (int k = 0; k < fields; k++) {
        data_source *source = &set->source[k];
        source->name = data_text_copy(field[k].name);
        source->layout = (data_layout){.ndim = field[k].ndim, .axis = {1, 2, 3, 4}};
        set->field[k] = field[k];
        set->field[k].name = source->name;
        set->field[k].high = standard_high(field[k].dtype, field[k].dtype, k == DATA_IMAGE);
    }
    place(set);
}

void data_fields_destroy(hiss_dataset *set) {
    for (int k = 0; k < set->fields; k++) {
        data_files_close(set->source[k].files);
        hiss_free(set->source[k].name);
        hiss_free(set->source[k].dataset);
        hiss_free(set->source[k].layout_word);
        hiss_free(set->source[k].packing);
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
}

/* ---- rows ---- */

static hiss_status check_values(const hiss_dataset *set, int k, int64_t begin, int64_t count, uint8_t *rows,
                                hiss_error *err) {
    hiss_status status = HISS_OK;
    for (int64_t i = 0; i < count && !status; i++) {
        status = data_check_sample(set, k, begin + i, rows + i * set->row + set->field[k].offset, err);
    }
    return status;
}

static hiss_status read_field(hiss_dataset *set, int k, int64_t begin, int64_t count, uint8_t *out, hiss_error *err) {
    const data_source *source = &set->source[k];
    const hiss_field *field = &set->field[k];
    hiss_status status;
    if (data_layout_in_order(&source->layout)) {
        status = data_packing_read(source, field, begin, count, set->row, out + field->offset, err);
    } else {
        pthread_mutex_lock(&set->lock);
        status = data_layout_read(source, field, begin, count, set->row, set->piece, out + field->offset, err);
        pthread_mutex_unlock(&set->lock);
    }
    return status ? status : check_values(set, k, begin, count, out, err);
}

/* Where the values of each field go, in a row. */
static void place_fields(const hiss_dataset *set, uint8_t *row, void *to[HISS_MAX_FIELDS]) {
    for (int k = 0; k < HISS_MAX_FIELDS; k++) {
        to[k] = k < set->fields ? row + set->field[k].offset : NULL;
    }
}

bool hiss_dataset_acts(const hiss_dataset *set) {
    return set->generator && set->generator->act;
}

void hiss_dataset_act(const hiss_dataset *set, int64_t sample, int64_t from, const float *action, uint8_t *row) {
    void *to[HISS_MAX_FIELDS];
    assert(hiss_dataset_acts(set));
    place_fields(set, row, to);
    set->generator->act(set->generated, data_set_row_of(set, sample), from, action, to);
}

bool hiss_dataset_finds(const hiss_dataset *set) {
    return set->generator && set->generator->find;
}

bool hiss_dataset_find(const hiss_dataset *set, const float *picture, float out[2]) {
    assert(hiss_dataset_finds(set));
    return set->generator->find(set->generated, picture, out);
}

void data_fields_make(const hiss_dataset *set, int64_t begin, int64_t count, uint8_t *out) {
    for (int64_t i = 0; i < count; i++) {
        void *to[HISS_MAX_FIELDS];
        place_fields(set, out + i * set->row, to);
        set->generator->make(set->generated, begin + i, to);
    }
}

hiss_status data_fields_read_one(hiss_dataset *set, int k, int64_t begin, int64_t count, uint8_t *out,
                                 hiss_error *err) {
    assert(set->files);
    atomic_store(&set->read, true);
    return read_field(set, k, begin, count, out, err);
}

hiss_status data_fields_read(hiss_dataset *set, int64_t begin, int64_t count, uint8_t *out, hiss_error *err) {
    hiss_status status = HISS_OK;
    if (!set->files) {
        data_fields_make(set, begin, count, out);
    } else {
        atomic_store(&set->read, true);
    }
    for (int k = 0; set->files && k < set->fields && !status; k++) {
        status = read_field(set, k, begin, count, out, err);
    }
    return status;
}
