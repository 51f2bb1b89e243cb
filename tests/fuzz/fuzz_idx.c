/* An idx file from a stranger, plain or compressed. */
#include "fuzz.h"

#include "data/image_impl.h"

int fuzz_read;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[32];
    const int file = fuzz_file(data, size, path);
    data_array idx;
    hiss_error err;
    if (data_idx_read(path, &idx, &err) == HISS_OK) {
        fuzz_read++;
        int64_t values = 1;
        for (int i = 0; i < idx.ndim; i++) {
            values *= idx.dim[i];
        }
        (void)(data_array_at(&idx, 0) + data_array_at(&idx, values - 1));
        data_array_free(&idx);
    }
    close(file);
    return 0;
}
