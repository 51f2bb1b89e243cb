/* What is known of rows that are sound, hiss prepare wav having written it beside them: attributes `rate` and `overlap` of
 * their data set. Files of one set, and those of a set to evaluate, must have one rate, or what was learnt would be heard at
 * another pitch. */
#include <inttypes.h>
#include <string.h>

#include "dataset_impl.h"
#include "hiss/alloc.h"

struct data_sound {
    hiss_sound known;
    const char *path; /* of the file that it is from; not owned */
};

static hiss_status expect_rate(const struct data_sound *known, const char *path, int64_t rate, hiss_error *err) {
    return rate == known->known.rate ? HISS_OK
                                     : hiss_fail(err, HISS_EUSER,
                                                 "%s: its sound has %" PRId64 " values a second, that of %s %" PRId64
                                                 "; convert one of them, and prepare it anew",
                                                 path, rate, known->path, known->known.rate);
}

static bool whole(const hiss_h5_attribute *a) {
    return a->kind == HISS_H5_NUMBERS && a->count == 1 && a->number[0] >= 0 && a->number[0] < 1e9;
}

static hiss_status take(hiss_dataset *set, int64_t number, hiss_error *err) {
    const char *path = data_files_path(set->files, number), *dataset = set->source[DATA_IMAGE].dataset;
    hiss_h5_attribute rate, overlap;
    hiss_h5 *file;
    const hiss_status status = data_files_hold(set->files, number, &file, err);
    if (status) {
        return status;
    }
    hiss_h5_look_at(file, dataset, "rate", &rate);
    hiss_h5_look_at(file, dataset, "overlap", &overlap);
    data_files_release(set->files, file);
    if (!whole(&rate) || rate.number[0] < 1) {
        return HISS_OK;
    }
    if (set->sound) {
        return expect_rate(set->sound, path, (int64_t)rate.number[0], err);
    }
    set->sound = hiss_new(struct data_sound, 1);
    *set->sound = (struct data_sound){{.rate = (int64_t)rate.number[0]}, path};
    set->sound->known.overlap = whole(&overlap) ? (int64_t)overlap.number[0] : 0;
    return HISS_OK;
}

hiss_status data_sound_read(hiss_dataset *set, hiss_error *err) {
    hiss_status status = HISS_OK;
    for (int64_t i = 0; set->field[DATA_IMAGE].dtype == HISS_I16 && i < data_files_count(set->files) && !status; i++) {
        status = take(set, i, err);
    }
    return status;
}

hiss_status hiss_dataset_expect_sound(const hiss_dataset *set, const hiss_dataset *known, hiss_error *err) {
    return set->sound && known->sound ? expect_rate(known->sound, set->path, set->sound->known.rate, err) : HISS_OK;
}

const hiss_sound *hiss_dataset_sound(const hiss_dataset *set) {
    return set->sound ? &set->sound->known : NULL;
}
