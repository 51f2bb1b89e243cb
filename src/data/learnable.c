/* Which classes of targets can be learnt of: those that some sample in use has, and some has not. Cost: one pass over the
 * targets. */
#include "dataset_impl.h"
#include "hiss/alloc.h"
#include "hiss/log.h"

enum { PIECE_BYTES = 1 << 22 };

/* Whether any sample in use of each class has it, and has it not. Rows are read in the order of the file. */
static hiss_status find_values(hiss_dataset *set, const hiss_field *field, bool *has, bool *lacks, hiss_error *err) {
    const int64_t K = hiss_field_count(field), at_once = 1 + PIECE_BYTES / set->row;
    bool *used = hiss_new(bool, set->rows);
    uint8_t *rows = hiss_alloc((size_t)((at_once < set->rows ? at_once : set->rows) * set->row));
    hiss_status status = HISS_OK;
    for (int64_t i = 0; i < set->n; i++) {
        used[data_set_row_of(set, i)] = true;
    }
    for (int64_t begin = 0; begin < set->rows && !status; begin += at_once) {
        const int64_t count = set->rows - begin < at_once ? set->rows - begin : at_once;
        status = data_fields_read_one(set, (int)(field - set->field), begin, count, rows, err);
        for (int64_t i = 0; i < count && !status; i++) {
            const uint8_t *target = rows + i * set->row + field->offset;
            for (int64_t k = 0; k < K && used[begin + i]; k++) {
                has[k] = has[k] || target[k] == 1;
                lacks[k] = lacks[k] || target[k] == 0;
            }
        }
    }
    hiss_free(rows);
    hiss_free(used);
    return status;
}

hiss_status hiss_dataset_warn_of_targets(hiss_dataset *set, hiss_error *err) {
    enum { MOST = 10 };
    const hiss_field *field = hiss_dataset_field(set, HISS_FIELD_TARGETS);
    if (!field || field->dtype != HISS_U8 || !set->files) {
        return HISS_OK;
    }
    const int64_t K = hiss_field_count(field);
    bool *has = hiss_new(bool, K), *lacks = hiss_new(bool, K);
    hiss_status status = find_values(set, field, has, lacks, err);
    int64_t told = 0;
    for (int64_t k = 0; k < K && !status; k++) {
        char name[DATA_LINE_SHOWN + 3];
        if (has[k] && lacks[k]) {
            continue;
        }
        if (told++ < MOST) {
            hiss_warn("%s: class %lld of data set %s%s%s: %s, so that nothing can be learnt of it", set->path,
                      (long long)k, hiss_field_source(set, field), set->target_names ? ", " : "",
                      set->target_names ? data_line_show(set->target_names, k, name) : "",
                      has[k]     ? "all samples that are judged have it"
                      : lacks[k] ? "no sample has it"
                                 : "no sample is judged (255)");
        }
    }
    if (told > MOST) {
        hiss_warn("%s: the same of %lld more classes", set->path, (long long)told - MOST);
    }
    hiss_free(has);
    hiss_free(lacks);
    return status;
}
