/* augment.mean and augment.std `auto`: mean and standard deviation of each channel over the training set.
 *
 * The samples are cut in TILES parts by their number alone. A rank measures every P-th part, sample by sample in order;
 * the parts are then joined in their order on all ranks. So the numbers, to the last bit, depend on the samples alone.
 * Cost: each sample is read once more, by one rank. A run that goes on has them from its checkpoint. */
#include <math.h>

#include "hiss/log.h"
#include "train/moments.h"
#include "train/trainer.h"

enum { TILES = 64, PIECE_ROWS = 64 };

/* Samples [begin, end) into channel[C]. */
static hiss_status measure_part(trainer *t, int64_t begin, int64_t end, moments *channel, hiss_error *err) {
    const hiss_field *image = &t->task.field[0];
    const int64_t row = hiss_dataset_row(t->set), C = t->task.C, count = hiss_field_count(image);
    uint8_t *rows = hiss_alloc((size_t)(PIECE_ROWS * row));
    float *values = hiss_new(float, count);
    hiss_status s = HISS_OK;
    for (int64_t at = begin; at < end && s == HISS_OK; at += PIECE_ROWS) {
        const int64_t some = end - at < PIECE_ROWS ? end - at : PIECE_ROWS;
        s = hiss_dataset_read(t->set, at, some, rows, NULL, err);
        for (int64_t i = 0; i < some && s == HISS_OK; i++) {
            hiss_field_floats(image, rows + i * row + image->offset, image->low, values);
            train_moments_add(count / C, C, values, channel);
        }
    }
    hiss_free(values);
    hiss_free(rows);
    return s;
}

static hiss_status measure_all(trainer *t, hiss_scaling *scaling, hiss_error *err) {
    const int64_t n = hiss_dataset_count(t->set), C = t->task.C, tile = (n + TILES - 1) / TILES;
    const int P = hiss_comm_size(t->comm), rank = hiss_comm_rank(t->comm);
    const double span = t->task.field[0].high - t->task.field[0].low;
    moments *part = hiss_new(moments, TILES * C), *whole = hiss_new(moments, C);
    hiss_status s = HISS_OK;
    for (int64_t k = rank; k < TILES && s == HISS_OK; k += P) {
        const int64_t begin = k * tile < n ? k * tile : n, end = begin + tile < n ? begin + tile : n;
        s = measure_part(t, begin, end, part + k * C, err);
    }
    s = hiss_comm_agree(t->comm, s, err);
    for (int64_t k = 0; k < TILES * C && s == HISS_OK; k++) {
        const double count = hiss_comm_sum(t->comm, part[k].count), mean = hiss_comm_sum(t->comm, part[k].mean);
        train_moments_join(&whole[k % C], count, mean, hiss_comm_sum(t->comm, part[k].squares));
    }
    for (int64_t c = 0; c < C && s == HISS_OK; c++) {
        const double std = sqrt(whole[c].squares / whole[c].count) / span;
        scaling->mean[c] = scaling->measured_mean ? whole[c].mean / span : scaling->mean[scaling->count > 1 ? c : 0];
        scaling->std[c] = !scaling->measured_std ? scaling->std[scaling->count > 1 ? c : 0] : std > 1e-6 ? std : 1;
    }
    scaling->count = (int)C;
    hiss_free(whole);
    hiss_free(part);
    return s;
}

hiss_status train_scaling(trainer *t, hiss_error *err) {
    hiss_scaling *scaling = &t->request->experiment->augment.scaling;
    if (!hiss_scaling_measured(scaling)) {
        return HISS_OK;
    }
    const hiss_status s = t->scaled ? HISS_OK : measure_all(t, scaling, err);
    for (int c = 0; c < scaling->count && s == HISS_OK; c++) {
        hiss_info("augment: channel %d: mean %.6g, std %.6g%s", c, scaling->mean[c], scaling->std[c],
                  t->scaled ? ", as recorded" : "");
    }
    return s;
}
