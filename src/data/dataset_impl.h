/* Inside src/data: rows of a data set by position, many at once. */
#ifndef HISS_DATASET_IMPL_H
#define HISS_DATASET_IMPL_H

#include "hiss/data.h"

/* Bytes of one sample's pixels. */
int64_t data_set_row(const hiss_dataset *set);
/* Whether position i is row i of the file. */
bool data_set_in_file_order(const hiss_dataset *set);
/* Label of a sample; the set must be labelled. */
int32_t data_set_label(const hiss_dataset *set, int64_t position);

/* A list of samples to fetch, and room to fetch neighbours in one read. */
typedef struct data_gather {
    struct data_pick {
        int64_t row; /* of the file */
        uint8_t *to;
    } * pick;
    int64_t count, capacity;
    uint8_t *staging;
    int64_t staging_rows;
} data_gather;
void data_gather_create(const hiss_dataset *set, int64_t capacity, data_gather *out);
void data_gather_destroy(data_gather *gather);
void data_gather_add(const hiss_dataset *set, data_gather *gather, int64_t position, uint8_t *to);
/* Read what was added, in file order, and empty the list. Allocates nothing. */
hiss_status data_gather_run(hiss_dataset *set, data_gather *gather, hiss_error *err);

/* Value of the attribute hiss_format of / in files by hiss prepare. */
#define HISS_IMAGES_FORMAT "hiss images 1"

#endif
