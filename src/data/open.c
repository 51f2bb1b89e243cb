/* Opening a data set, of a file or of a generator. */
#include "dataset_impl.h"
#include "hiss/generate.h"

enum { ORDER_FILE, ORDER_PERMUTED };

hiss_status hiss_dataset_open(const hiss_data_options *options, uint64_t seed, hiss_dataset **out, hiss_error *err) {
    hiss_dataset *set = NULL;
    const hiss_status status = options->generate && hiss_generator_named(options->generate)
                                   ? data_generated_open(options, &set, err)
                                   : data_file_open(options, &set, err);
    if (status) {
        return status;
    }
    const int64_t rows = set->kept ? set->kept_count : set->rows;
    set->n = options->limit > 0 && options->limit < rows ? options->limit : rows;
    set->permuted = options->order == ORDER_PERMUTED;
    set->order = hiss_permutation_keyed(seed, HISS_FOR_ORDER, 0, 0, rows ? rows : 1);
    *out = set;
    return HISS_OK;
}
