/* Samples that are read for a feature pass or for evaluation: ranges of a data set, and pieces of them in memory. */
#include <assert.h>

#include "hiss/alloc.h"
#include "hiss/data.h"

struct hiss_samples {
    int64_t most, bytes; /* samples; of one */
    bool labelled;
    uint8_t *rows;
    const uint8_t **row;
    int64_t *sample;
    int32_t *label;
};

int64_t hiss_sample_at(const hiss_sample_range *range, int64_t i) {
    return range->index ? range->index[i] : range->begin + i;
}

hiss_status hiss_sample_read(const hiss_sample_range *range, int64_t i, int64_t count, uint8_t *rows, int32_t *labels,
                             hiss_error *err) {
    return range->index ? hiss_dataset_read_list(range->set, count, range->index + i, rows, labels, err)
                        : hiss_dataset_read(range->set, range->begin + i, count, rows, labels, err);
}

hiss_samples *hiss_samples_create(const hiss_dataset *set, int64_t most) {
    hiss_samples *s = hiss_new(hiss_samples, 1);
    *s = (hiss_samples){.most = most, .bytes = hiss_dataset_row(set), .labelled = hiss_dataset_labelled(set)};
    s->rows = hiss_alloc((size_t)(most * s->bytes));
    s->row = hiss_new(const uint8_t *, most);
    s->sample = hiss_new(int64_t, most);
    s->label = hiss_new(int32_t, most);
    for (int64_t i = 0; i < most; i++) {
        s->row[i] = s->rows + i * s->bytes;
    }
    return s;
}

void hiss_samples_destroy(hiss_samples *s) {
    if (s) {
        hiss_free(s->rows);
        hiss_free(s->row);
        hiss_free(s->sample);
        hiss_free(s->label);
        hiss_free(s);
    }
}

hiss_status hiss_samples_read(hiss_samples *s, const hiss_sample_range *range, int64_t first, int64_t count,
                              hiss_error *err) {
    assert(count <= s->most && range->count > 0);
    hiss_status status = HISS_OK;
    for (int64_t i = 0; i < count && status == HISS_OK;) {
        const int64_t at = (first + i) % range->count;
        const int64_t run = range->count - at < count - i ? range->count - at : count - i;
        status = hiss_sample_read(range, at, run, s->rows + i * s->bytes, s->labelled ? s->label + i : NULL, err);
        for (int64_t j = 0; j < run; j++) {
            s->sample[i + j] = hiss_sample_at(range, at + j);
        }
        i += run;
    }
    return status;
}

hiss_batch hiss_samples_batch(const hiss_samples *s, int64_t at, int64_t m) {
    assert(at + m <= s->most);
    return (hiss_batch){
        .m = m, .sample = s->sample + at, .row = s->row + at, .label = s->labelled ? s->label + at : NULL};
}

const void *hiss_batch_values(const hiss_batch *batch, int64_t i, const hiss_field *field) {
    return batch->row[i] + field->offset;
}
