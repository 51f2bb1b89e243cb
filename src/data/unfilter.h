/* Inside src/data: the filters of HDF5 that hiss undoes by itself. */
#ifndef HISS_UNFILTER_H
#define HISS_UNFILTER_H

#include <stdbool.h>
#include <stdint.h>

enum { DATA_MOST_FILTERS = 4, DATA_CHECKSUM_BYTES = 4 };
typedef enum data_filter_kind { DATA_DEFLATE, DATA_SHUFFLE, DATA_FLETCHER32 } data_filter_kind;
typedef struct data_filter {
    data_filter_kind kind;
    int64_t value_bytes; /* of DATA_SHUFFLE */
} data_filter;

/* Undo filters, the last one first, of stored[stored_bytes]; bit i of `skipped`: filter i was not applied. out[bytes]
 * gets the values; out and work have room for data_unfilter_room; work may be NULL unless data_unfilter_needs_work. False
 * unless exactly `bytes` come out and the checksums agree. Any thread. */
int64_t data_unfilter_room(const data_filter *filter, int count, int64_t bytes);
bool data_unfilter_needs_work(const data_filter *filter, int count); /* two of them move bytes */
bool data_unfilter(const data_filter *filter, int count, unsigned skipped, const uint8_t *stored, int64_t stored_bytes,
                   int64_t bytes, uint8_t *out, uint8_t *work);

#endif
