/* Labels of a data set: read and checked when the set is opened, then in memory, 4 bytes a sample. */
#include <stdio.h>
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"
#include "hiss/log.h"

enum { PIECE_LABELS = 1 << 12 };

int64_t hiss_dataset_most_classes(int64_t samples) {
    const int64_t most = samples > HISS_MOST_CLASSES ? samples : HISS_MOST_CLASSES;
    return most < INT32_MAX ? most : INT32_MAX;
}

/* The value as it is in the file: what is read is cut to the range of int64. */
static const char *label_text(hiss_dataset *set, const char *labels, int64_t row, hiss_dtype dtype, int64_t value,
                              char text[32]) {
    uint64_t whole = 0;
    const bool wide = dtype == HISS_U64 && value == INT64_MAX &&
                      hiss_h5_read(set->file, labels, HISS_U64, row, 1, &whole, NULL) == HISS_OK;
    if (wide) {
        snprintf(text, 32, "%llu", (unsigned long long)whole);
    } else {
        snprintf(text, 32, "%lld", (long long)value);
    }
    return text;
}

static hiss_status fail_label(hiss_dataset *set, const hiss_data_options *from, int64_t row, const char *value,
                              int64_t most, hiss_error *err) {
    const char *key = from->keys.labels ? from->keys.labels : "data.labels";
    const bool ours = strcmp(key, "data.labels") == 0;
    return hiss_fail(err, HISS_EUSER,
                     "%s: row %lld of data set %s is %s; expected class numbers from 0 to %lld: number the classes 0, "
                     "1, 2, ..., or name another data set%s",
                     set->path, (long long)row, from->labels, value, (long long)(most - 1),
                     ours ? "; to do without labels: --set 'data.labels=\"\"'" : "");
}

/* One wrong label makes as many classes as it is large; a file whose classes are numbered with gaps is in order. */
static void warn_of_gaps(const hiss_dataset *set, const hiss_data_options *from) {
    if (hiss_log_rank() != 0) {
        return;
    }
    bool *seen = hiss_new(bool, set->classes);
    int64_t used = 0, largest = 0;
    for (int64_t i = 0; i < set->rows; i++) {
        used += !seen[set->label[i]];
        seen[set->label[i]] = true;
        largest = set->label[i] > set->label[largest] ? i : largest;
    }
    if (2 * used < set->classes && 2 * used < set->rows) {
        char where[HISS_WHERE];
        const char *key = from->keys.labels ? from->keys.labels : "data.labels";
        hiss_warn("%s: %s: %lld classes by the largest label of data set %s, %lld in row %lld, but only %lld of them "
                  "have samples; is that label right?",
                  hiss_config_where(from->keys.config, key, where), set->path, (long long)set->classes, from->labels,
                  (long long)set->label[largest], (long long)largest, (long long)used);
    }
    hiss_free(seen);
}

hiss_status data_labels_read(hiss_dataset *set, const hiss_data_options *from, hiss_error *err) {
    const char *labels = from->labels;
    hiss_h5_info info;
    hiss_status status = hiss_h5_look(set->file, labels, &info, err);
    if (status) {
        return status;
    }
    if (!hiss_dtype_is_integer(info.dtype) || info.ndim != 1 || info.dim[0] != set->rows) {
        char found[HISS_H5_INFO_TEXT];
        return hiss_fail(err, HISS_EUSER,
                         "%s: data set %s holds %s; expected integers [%lld], one for each row of %s: name another "
                         "data set",
                         set->path, labels, hiss_h5_info_text(&info, found), (long long)set->rows,
                         set->source[DATA_IMAGE].dataset);
    }
    const int64_t most = hiss_dataset_most_classes(set->rows);
    set->label = hiss_new(int32_t, set->rows);
    int64_t piece[PIECE_LABELS];
    for (int64_t begin = 0; begin < set->rows; begin += PIECE_LABELS) {
        int64_t count = set->rows - begin < PIECE_LABELS ? set->rows - begin : PIECE_LABELS;
        if ((status = hiss_h5_read(set->file, labels, HISS_I64, begin, count, piece, err))) {
            return status;
        }
        for (int64_t i = 0; i < count; i++) {
            const int64_t value = piece[i];
            if (value < 0 || value >= most) {
                char text[32];
                label_text(set, labels, begin + i, info.dtype, value, text);
                return fail_label(set, from, begin + i, text, most, err);
            }
            set->label[begin + i] = (int32_t)value;
            set->classes = value >= set->classes ? value + 1 : set->classes;
        }
    }
    warn_of_gaps(set, from);
    return HISS_OK;
}
