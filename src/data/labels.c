/* Labels of a data set: read, checked and made classes when the set is opened, then in memory, 4 bytes a sample.
 *
 * A label is an integer (of any size, booleans and enumerations among them), a float that is whole, a string, or a row
 * of zeros with a single 1, whose column it is. Axes of length 1 do not count, also in front, where MATLAB's row vectors
 * have one, and data.label_column picks one of several columns. What classes come of them is said in classes.c; -1 stands for samples without a label: those whose
 * class is called data.ignore_label, and NaN, netCDF's fill values and empty strings, which stand where other programs have nothing.
 *
 * Sizes of what is computed follow the number of classes, so labels with more different values than half their number
 * are no classes, but identifiers or measurements, and refused before anything of their size is made. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "hiss/number.h"

enum { PIECE_VALUES = 1 << 16, MOST_COLUMNS = 1 << 20, MANY_CLASSES = 1000, LONGEST_NAME = 255 };

typedef struct reader {
    hiss_dataset *set;
    const hiss_data_options *from;
    const char *path, *dataset; /* of the files the labels are in */
    data_files *files, *other;  /* other: not the set's own, or NULL */
    data_joined *joined;
    data_packing *packing; /* of each file: which numbers are no label; or NULL */
    hiss_h5_info info;
    int axis;        /* that counts rows */
    bool by_columns; /* a row's values do not lie one after the other */
    int64_t width;   /* values in a row */
    data_values *values;
    int64_t row;     /* next, of strings */
    const char *key; /* whose value is wrong */
    hiss_status status;
    hiss_error *err;
} reader;

int64_t hiss_dataset_most_classes(int64_t samples) {
    const int64_t most = samples / 2 > MANY_CLASSES ? samples / 2 : MANY_CLASSES;
    return most < INT32_MAX ? most : INT32_MAX;
}

static const char *key_of(const reader *r) {
    return r->from->keys.labels ? r->from->keys.labels : "data.labels";
}

static const char *advice(const reader *r) {
    return strcmp(key_of(r), "data.labels") == 0
               ? "name another data set; to do without labels: --set 'data.labels=\"\"'"
               : "name another data set";
}

/* ---- where they are ---- */

/* NAME of a data set in the set's own file, or FILE:/NAME. */
static hiss_status open_source(reader *r, hiss_arena *arena, hiss_error *err) {
    const char *text = r->from->labels, *colon = NULL;
    for (const char *at = strstr(text, ":/"); at; at = strstr(at + 1, ":/")) {
        colon = at;
    }
    r->path = r->set->path;
    r->files = r->set->files;
    r->dataset = text;
    if (!colon || colon == text) {
        return HISS_OK;
    }
    r->dataset = colon + 1;
    r->path = hiss_arena_format(arena, "%.*s", (int)(colon - text), text);
    hiss_status status = hiss_path_expand(arena, text, r->path, &r->path, err);
    data_files_options how = data_files_how(r->from);
    how.what = "the file of labels";
    how.advice = "give FILE:/NAME of an HDF5 file and a data set in it";
    bool misfollowed;
    status = status ? status : data_files_open(r->path, &how, &r->other, &misfollowed, err);
    r->files = r->other;
    r->path = status ? r->path : data_files_name(r->other);
    return status;
}

/* What is in front of the axis that counts rows: axes of length 1, as in a column by MATLAB, or the other axis of a
 * matrix, if the number of samples tells. */
static hiss_status find_axis(reader *r, hiss_error *err) {
    hiss_h5_info info = {.ndim = 0};
    hiss_h5 *file;
    hiss_status status = data_files_hold(r->files, 0, &file, err);
    if (status) {
        return status;
    }
    status = hiss_h5_look(file, r->dataset, &info, err);
    data_files_release(r->files, file);
    while (r->axis + 1 < info.ndim && info.dim[r->axis] == 1 && r->set->rows > data_files_count(r->files)) {
        r->axis++;
    }
    const int64_t rows = r->other ? r->set->rows : data_joined_first(r->set->source[DATA_IMAGE].joined, 1);
    if (info.ndim == 2 && info.dim[0] != rows && info.dim[1] == rows && data_files_count(r->files) == 1) {
        r->axis = 1;
        r->by_columns = info.dim[0] > 1; /* as in a matrix by MATLAB */
    }
    return status;
}

static bool is_float(hiss_dtype dtype) {
    return dtype == HISS_F16 || dtype == HISS_F32 || dtype == HISS_F64 || dtype == HISS_FLOATING;
}

static hiss_status check_shape(reader *r, hiss_error *err) {
    char found[HISS_H5_INFO_TEXT];
    const hiss_dtype dtype = r->info.dtype;
    r->width = 1;
    for (int i = 0; i < r->info.ndim; i++) {
        if (i == r->axis) {
            continue;
        }
        const int64_t most = r->info.dim[i] > 0 ? MOST_COLUMNS / r->info.dim[i] : MOST_COLUMNS;
        r->width = r->width > most ? MOST_COLUMNS + 1 : r->width * r->info.dim[i];
    }
    const bool number = hiss_dtype_is_integer(dtype) || is_float(dtype);
    if (r->info.dim[r->axis] != r->set->rows || r->width < 1 || r->width > MOST_COLUMNS ||
        !(number || (dtype == HISS_TEXT && r->width == 1))) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s holds %s; expected integers [%lld], one for each row of %s, or as many "
                         "booleans, enumerations, whole floats or strings, or one-hot rows [%lld,K]: %s",
                         r->path, r->dataset, hiss_h5_info_text(&r->info, found), (long long)r->set->rows,
                         r->set->source[DATA_IMAGE].dataset, (long long)r->set->rows, advice(r));
    }
    return HISS_OK;
}

static hiss_status check_column(reader *r, hiss_error *err) {
    const int64_t column = r->from->label_column;
    char found[HISS_H5_INFO_TEXT];
    if (column < r->width) {
        return HISS_OK;
    }
    r->key = "data.label_column";
    return hiss_fail(err, HISS_EUSER, "%lld, but data set %s of %s holds %s: its columns are 0 to %lld",
                     (long long)column, r->dataset, r->path, hiss_h5_info_text(&r->info, found),
                     (long long)(r->width - 1));
}

/* ---- numbers ---- */

static hiss_status fail_too_many(const reader *r) {
    return hiss_fail(r->err, HISS_EUSER,
                     "%s: data set %s has more than %lld different values in %lld rows: identifiers or measurements, "
                     "not classes; %s",
                     r->path, r->dataset, (long long)hiss_dataset_most_classes(r->set->rows), (long long)r->set->rows,
                     advice(r));
}

static hiss_status fail_columns(const reader *r, int64_t row) {
    char found[HISS_H5_INFO_TEXT];
    return hiss_fail(
        r->err, HISS_EUSER,
        "%s: data set %s holds %s, %lld columns, and row %lld is not one-hot (a single 1 among zeros): they "
        "are not classes; choose a column, as in data.label_column: 0 (0 to %lld), or %s",
        r->path, r->dataset, hiss_h5_info_text(&r->info, found), (long long)r->width, (long long)row,
        (long long)(r->width - 1), advice(r));
}

/* A value as it was read: of 64 bits, whose kind the data set has. */
typedef union cell {
    int64_t whole;
    double real;
} cell;

/* The column of the single 1; -1: the row is none of that kind. */
static int64_t hot_column(const cell *value, int64_t width, bool real) {
    int64_t hot = -1;
    for (int64_t k = 0; k < width; k++) {
        const bool one = real ? value[k].real == 1.0 : value[k].whole == 1;
        const bool zero = real ? value[k].real == 0.0 : value[k].whole == 0;
        if (!zero && (!one || hot >= 0)) {
            return -1;
        }
        hot = one ? k : hot;
    }
    return hot;
}

/* A float that is whole, and exact. */
static hiss_status whole_number(const reader *r, int64_t row, double real, int64_t *number) {
    if (!(fabs(real) <= 0x1p53) || real != floor(real)) {
        const char *path = data_joined_place(r->joined, row, &row);
        return hiss_fail(r->err, HISS_EUSER,
                         "%s: row %lld of data set %s is %g; expected class numbers, which are whole: these are "
                         "measurements; %s",
                         path, (long long)row, r->dataset, real, advice(r));
    }
    *number = (int64_t)real;
    return HISS_OK;
}

static hiss_status take_row(reader *r, int64_t row, const cell *value, bool real) {
    const int64_t column = r->from->label_column;
    int64_t number = 0;
    if (r->width > 1 && column < 0) {
        number = hot_column(value, r->width, real);
        if (number < 0) {
            return fail_columns(r, row);
        }
    } else {
        value += r->width > 1 ? column : 0;
        const bool wide = r->info.dtype == HISS_U64;
        const double plain = real ? value->real : wide ? (double)(uint64_t)value->whole : (double)value->whole;
        if (isnan(plain) || data_packing_misses(r->packing, r->files, r->joined, row, plain)) {
            r->set->label[row] = -1;
            return HISS_OK;
        }
        number = value->whole;
        const hiss_status status = real ? whole_number(r, row, value->real, &number) : HISS_OK;
        if (status) {
            return status;
        }
    }
    const int64_t index = data_values_number(r->values, number);
    r->set->label[row] = (int32_t)index;
    return index < 0 ? fail_too_many(r) : HISS_OK;
}

/* Values of some rows that lie column by column. Returns them row by row. */
static const cell *by_rows(const cell *columns, int64_t count, int64_t width, cell *out) {
    for (int64_t k = 0; k < width; k++) {
        for (int64_t i = 0; i < count; i++) {
            out[i * width + k] = columns[k * count + i];
        }
    }
    return out;
}

static hiss_status read_numbers(reader *r, hiss_dtype as) {
    const int64_t at_once = PIECE_VALUES / r->width + 1, rows = r->set->rows;
    cell *piece = hiss_new(cell, at_once * r->width);
    cell *turned = r->by_columns ? hiss_new(cell, at_once * r->width) : NULL;
    hiss_status status = HISS_OK;
    for (int64_t begin = 0, count; begin < rows && !status; begin += count) {
        count = rows - begin < at_once ? rows - begin : at_once;
        if (r->axis > 0 && data_joined_run(r->joined, begin) < count) {
            count = data_joined_run(r->joined, begin);
        }
        status = data_joined_read(r->joined, as, begin, count, 0, piece, r->err);
        const cell *rows_of = turned && !status ? by_rows(piece, count, r->width, turned) : piece;
        for (int64_t i = 0; i < count && !status; i++) {
            status = take_row(r, begin + i, rows_of + i * r->width, as == HISS_F64);
        }
    }
    hiss_free(turned);
    hiss_free(piece);
    return status;
}

/* ---- strings ---- */

static bool take_text(void *user, const char *text, size_t bytes) {
    reader *r = user;
    int64_t index = -1;
    if (bytes > LONGEST_NAME) {
        int64_t row;
        const char *path = data_joined_place(r->joined, r->row, &row);
        r->status =
            hiss_fail(r->err, HISS_EUSER,
                      "%s: row %lld of data set %s is a text of %zu bytes; expected names of classes, of at most "
                      "%d: %s",
                      path, (long long)row, r->dataset, bytes, LONGEST_NAME, advice(r));
    } else if (bytes > 0 && (index = data_values_text(r->values, text, bytes)) < 0) {
        r->status = fail_too_many(r);
    }
    r->set->label[r->row++] = (int32_t)index;
    return r->status == HISS_OK;
}

static hiss_status read_texts(reader *r) {
    const hiss_status status = data_joined_texts(r->joined, take_text, r, r->err);
    return status ? status : r->status;
}

/* ---- classes ---- */

static void take_member(void *user, int64_t value, const char *name) {
    data_names_add(user, value, name, strlen(name));
}

/* The names that hiss prepare has recorded, one a line, for the numbers in /labels. */
static void read_recorded(const reader *r, hiss_h5 *file, data_names *names) {
    char *format = NULL, *lines = NULL;
    const bool ours = strcmp(r->dataset + (*r->dataset == '/'), "labels") == 0 &&
                      hiss_h5_get_text(file, "/", "hiss_format", &format, NULL) == HISS_OK &&
                      (strcmp(format, HISS_IMAGES_FORMAT) == 0 || strcmp(format, HISS_ROWS_FORMAT) == 0) &&
                      hiss_h5_get_text(file, "/", "classes", &lines, NULL) == HISS_OK;
    int64_t number = 0;
    for (const char *at = ours ? lines : NULL; at; number++) {
        const size_t length = strcspn(at, "\n");
        data_names_add(names, number, at, length);
        at = at[length] ? at + length + 1 : NULL;
    }
    hiss_free(format);
    hiss_free(lines);
}

static bool same_names(const data_names *a, const data_names *b) {
    bool same = a->count == b->count;
    for (int64_t i = 0; i < a->count && same; i++) {
        same = a->at[i].value == b->at[i].value && strcmp(a->at[i].name, b->at[i].name) == 0;
    }
    return same;
}

/* What files call the numbers; they must agree. */
static hiss_status read_names(const reader *r, data_names *names, hiss_error *err) {
    hiss_status status = HISS_OK;
    for (int64_t k = 0; k < data_files_count(r->files) && !status; k++) {
        data_names others = {0};
        hiss_h5 *file;
        if ((status = data_files_hold(r->files, k, &file, err))) {
            break;
        }
        status = hiss_h5_members(file, r->dataset, take_member, k ? &others : names, err);
        read_recorded(r, file, k ? &others : names);
        if (!status && k > 0 && !same_names(names, &others)) {
            status =
                hiss_fail(err, HISS_EUSER,
                          "%s: the classes of data set %s have other names or numbers than in the first file; "
                          "expected the same in all %lld files: write their labels alike, or %s",
                          data_files_path(r->files, k), r->dataset, (long long)data_files_count(r->files), advice(r));
        }
        data_files_release(r->files, file);
        data_names_free(&others);
    }
    return status;
}

/* Labels are numbers of values so far. Returns how many are none. */
static int64_t renumber(hiss_dataset *set, const int32_t *class_of) {
    int64_t without = 0;
    for (int64_t i = 0; i < set->rows; i++) {
        set->label[i] = set->label[i] < 0 ? -1 : class_of[set->label[i]];
        without += set->label[i] < 0;
    }
    return without;
}

/* Numbers by size, those of uint64 too; names by their bytes. */
static bool is_before(const data_classes *c, int64_t a, int64_t b) {
    const data_class *x = &c->at[a], *y = &c->at[b];
    const bool below = x->name[0] == '-';
    if (c->named || below != (y->name[0] == '-')) {
        return c->named ? strcmp(x->name, y->name) < 0 : below;
    }
    return below ? x->value < y->value : (uint64_t)x->value < (uint64_t)y->value;
}

/* The first and the last one in their order, which may not be that of the classes. */
static void find_ends(const data_classes *c, const char **first, const char **last) {
    int64_t low = 0, high = 0;
    for (int64_t k = 1; k < c->count; k++) {
        low = is_before(c, k, low) ? k : low;
        high = is_before(c, high, k) ? k : high;
    }
    *first = c->at[low].name;
    *last = c->at[high].name;
}

void data_labels_tell(const char *path, const char *dataset, const data_classes *c, bool some_have_none) {
    bool told = c->named || some_have_none;
    for (int64_t k = 0; k < c->count && !told; k++) {
        told = c->at[k].value != k;
    }
    if (told && c->count > 0) {
        const char *first, *last;
        find_ends(c, &first, &last);
        hiss_info("%s: %lld class%s in data set %s, %s%s%s%s", path, (long long)c->count, c->count == 1 ? "" : "es",
                  dataset, first, c->count > 1 ? " to " : "", c->count > 1 ? last : "",
                  some_have_none ? "; some samples have no label" : "");
    }
}

/* Of the set that says which classes there are: another may have samples without a label where it has none. */
static void warn_of_ignored(const reader *r, const char *ignored) {
    const data_classes *c = &r->set->classes;
    const bool standard = strcmp(ignored, "-1") == 0, found = c->count < data_values_count(r->values);
    if (*ignored && !standard && !found && c->count > 0 && !r->from->classes_of && hiss_log_rank() == 0) {
        const char *first, *last;
        find_ends(c, &first, &last);
        hiss_warn("%s: no sample of data set %s has the label '%s', which is to be ignored; its labels are %s%s%s",
                  r->path, r->dataset, ignored, first, c->count > 1 ? " to " : "", c->count > 1 ? last : "");
    }
}

static hiss_status make_classes(reader *r, hiss_error *err) {
    const hiss_data_options *from = r->from;
    hiss_dataset *set = r->set;
    const char *ignored = from->ignore_label ? from->ignore_label : "-1";
    data_names names = {0};
    hiss_status status = HISS_OK;
    if (hiss_dtype_is_integer(r->info.dtype) && r->width == 1) {
        status = read_names(r, &names, err);
    }
    int32_t *class_of = hiss_new(int32_t, data_values_count(r->values) + 1);
    data_classes_of(r->values, &names, ignored, &set->classes, class_of);
    const int64_t without = renumber(set, class_of);
    if (!from->piece) {
        data_labels_tell(r->path, r->dataset, &set->classes, without > 0);
    }
    warn_of_ignored(r, ignored);
    if (set->classes.count == 0 && !status) {
        status = hiss_fail(
            err, HISS_EUSER,
            "%s: all %lld labels of data set %s mean that there is none (they are %s, NaN, _FillValue or empty); set "
            "data.ignore_label to another value, or %s",
            r->path, (long long)set->rows, r->dataset, *ignored ? ignored : "''", advice(r));
    } else if (from->classes_of && from->classes_of->label) {
        data_classes_match(&set->classes, &from->classes_of->classes, class_of);
        renumber(set, class_of);
    }
    hiss_free(class_of);
    data_names_free(&names);
    return status;
}

/* What attributes say of numbers: which are no label. */
static hiss_status read_packing(reader *r, hiss_dtype values, hiss_error *err) {
    bool packed;
    hiss_status status = data_packing_list(r->files, r->dataset, values, &r->packing, &packed, err);
    for (int64_t k = 0; k < data_files_count(r->files) && packed && !status; k++) {
        if (r->packing[k].scale != 1 || r->packing[k].offset != 0) {
            status =
                hiss_fail(err, HISS_EUSER,
                          "%s: data set %s is packed (it has the attribute scale_factor or add_offset), and labels "
                          "are not unpacked; write the class numbers themselves, without these, or %s",
                          data_files_path(r->files, k), r->dataset, advice(r));
        }
    }
    return status;
}

/* ---- all of it ---- */

static hiss_status read_all(reader *r, hiss_arena *arena, hiss_error *err) {
    bool misfiled = false;
    hiss_status status = open_source(r, arena, err);
    if (status) {
        return status;
    }
    const bool apart = r->set->apart && !r->other;
    status = apart ? HISS_OK : find_axis(r, err);
    status =
        status ? status
               : data_files_join(r->files, r->dataset, apart ? DATA_APART : r->axis, true, &r->joined, &misfiled, err);
    if (status) {
        return status;
    }
    r->info = *data_joined_info(r->joined);
    const hiss_dtype values = data_joined_values(r->joined);
    status = check_shape(r, err);
    status = status ? status : check_column(r, err);
    status = status || r->info.dtype == HISS_TEXT ? status : read_packing(r, values, err);
    if (status) {
        return status;
    }
    const bool text = r->info.dtype == HISS_TEXT, real = is_float(values), wide = values == HISS_U64;
    r->set->label_kind = text                                        ? "strings"
                         : r->width > 1 && r->from->label_column < 0 ? "one-hot rows"
                         : real                                      ? "floats"
                         : wide                                      ? "integers of 64 bits without sign"
                                                                     : "integers";
    r->values = data_values_create(text                                                    ? DATA_TEXT
                                   : wide && (r->width == 1 || r->from->label_column >= 0) ? DATA_UNSIGNED
                                                                                           : DATA_SIGNED,
                                   hiss_dataset_most_classes(r->set->rows));
    r->set->label = hiss_new(int32_t, r->set->rows);
    status = text ? read_texts(r) : read_numbers(r, real ? HISS_F64 : wide ? HISS_U64 : HISS_I64);
    status = status ? status : make_classes(r, err);
    if (!status) {
        data_joined_warn(r->joined);
    }
    return status;
}

hiss_status data_labels_read(hiss_dataset *set, const hiss_data_options *from, const char **key, hiss_error *err) {
    reader r = {.set = set, .from = from, .err = err, .key = "data.labels"};
    hiss_arena *arena = hiss_arena_create();
    const hiss_status status = read_all(&r, arena, err);
    *key = r.key;
    data_values_destroy(r.values);
    hiss_free(r.packing);
    data_files_close(r.other);
    hiss_arena_destroy(arena);
    if (status) {
        data_classes_free(&set->classes);
        hiss_free(set->label);
        set->label = NULL;
    }
    return status;
}

void data_labels_keep(hiss_dataset *set) {
    int64_t count = 0;
    for (int64_t i = 0; i < set->rows; i++) {
        count += set->label[i] >= 0;
    }
    if (count == set->rows) {
        return;
    }
    set->kept = hiss_new(int64_t, count);
    set->kept_count = 0;
    for (int64_t i = 0; i < set->rows; i++) {
        if (set->label[i] >= 0) {
            set->kept[set->kept_count++] = i;
        }
    }
    if (hiss_log_rank() == 0) {
        hiss_warn("%s: %lld of %lld samples have no label and are left out", set->path, (long long)(set->rows - count),
                  (long long)set->rows);
    }
}
