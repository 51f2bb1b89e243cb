/* Rows of a data set by position.
 *
 * Positions are rows of the file, or their image under the permutation keyed by (seed, HISS_FOR_ORDER). Scattered rows
 * are read in ascending order, so that every chunk of the file is visited once; rows less than GAP_BYTES apart come in
 * one read, through a staging buffer, as a read costs as much as copying that many bytes, unless they are in several
 * files. Samples of which there is a
 * decoded copy (copy.c) are read from it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "copy.h"
#include "hiss/alloc.h"

enum { GAP_BYTES = 1 << 15, STAGING_BYTES = 1 << 22 };
static const int64_t COPIED = 1ll << 61; /* samples in the decoded copy have places behind all rows of the file */

void data_gather_create(const hiss_dataset *set, int64_t capacity, data_gather *out) {
    int64_t row = set->row;
    *out = (data_gather){.pick = hiss_new(struct data_pick, capacity),
                         .capacity = capacity,
                         .staging_rows = STAGING_BYTES / row + 1,
                         .staging = hiss_alloc((size_t)((STAGING_BYTES / row + 1) * row))};
}

void data_gather_destroy(data_gather *gather) {
    hiss_free(gather->pick);
    hiss_free(gather->staging);
}

void data_gather_add(const hiss_dataset *set, data_gather *gather, int64_t position, uint8_t *to) {
    assert(gather->count < gather->capacity && 0 <= position && position < set->n);
    gather->pick[gather->count++] = (struct data_pick){
        data_copy_holds(set->copy, position, 1) ? COPIED + position : data_set_row_of(set, position), to};
}

static hiss_status read_places(hiss_dataset *set, int64_t place, int64_t count, uint8_t *out, hiss_error *err) {
    return place >= COPIED ? data_copy_read(set->copy, place - COPIED, count, out, err)
                           : data_fields_read(set, place, count, out, err);
}

static int by_row(const void *a, const void *b) {
    int64_t left = ((const struct data_pick *)a)->row, right = ((const struct data_pick *)b)->row;
    return (left > right) - (left < right);
}

/* Whether what lies between two places may be read along with them: not where it is in other files. */
static bool in_one_file(const hiss_dataset *set, int64_t place, int64_t next) {
    return place >= COPIED || !set->files || next - place < data_joined_run(set->source[DATA_IMAGE].joined, place);
}

hiss_status data_gather_run(hiss_dataset *set, data_gather *gather, hiss_error *err) {
    int64_t row = set->row, count = gather->count, gap = set->files ? GAP_BYTES : 0; /* nothing is made in vain */
    struct data_pick *pick = gather->pick;
    gather->count = 0;
    qsort(pick, (size_t)count, sizeof *pick, by_row);
    for (int64_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && (pick[next].row - pick[next - 1].row - 1) * row <= gap &&
                           pick[next].row - pick[i].row < gather->staging_rows &&
                           in_one_file(set, pick[next - 1].row, pick[next].row);
             next++) {
        }
        int64_t span = pick[next - 1].row - pick[i].row + 1;
        uint8_t *to = next == i + 1 ? pick[i].to : gather->staging;
        hiss_status status = read_places(set, pick[i].row, span, to, err);
        if (status) {
            return status;
        }
        for (int64_t k = i; next > i + 1 && k < next; k++) {
            memcpy(pick[k].to, gather->staging + (pick[k].row - pick[i].row) * row, (size_t)row);
        }
    }
    return HISS_OK;
}

/* The samples position[count], or, where that is NULL, those from begin on. */
static hiss_status gather_list(hiss_dataset *set, int64_t begin, int64_t count, const int64_t *position, uint8_t *rows,
                               hiss_error *err) {
    data_gather gather;
    data_gather_create(set, count, &gather);
    for (int64_t i = 0; i < count; i++) {
        data_gather_add(set, &gather, position ? position[i] : begin + i, rows + i * set->row);
    }
    const hiss_status status = data_gather_run(set, &gather, err);
    data_gather_destroy(&gather);
    return status;
}

hiss_status hiss_dataset_read(hiss_dataset *set, int64_t begin, int64_t count, uint8_t *rows, int32_t *labels,
                              hiss_error *err) {
    assert(0 <= begin && 0 <= count && count <= set->n - begin && (!labels || set->label));
    for (int64_t i = 0; labels && i < count; i++) {
        labels[i] = data_set_label(set, begin + i);
    }
    if (!rows) {
        return HISS_OK;
    }
    if (data_copy_holds(set->copy, begin, count)) {
        return data_copy_read(set->copy, begin, count, rows, err);
    }
    if (data_set_in_file_order(set)) {
        return data_fields_read(set, begin, count, rows, err);
    }
    return gather_list(set, begin, count, NULL, rows, err);
}

hiss_status hiss_dataset_read_list(hiss_dataset *set, int64_t count, const int64_t *position, uint8_t *rows,
                                   int32_t *labels, hiss_error *err) {
    for (int64_t i = 0; labels && i < count; i++) {
        labels[i] = data_set_label(set, position[i]);
    }
    return rows ? gather_list(set, 0, count, position, rows, err) : HISS_OK;
}
