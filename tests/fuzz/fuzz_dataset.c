/* An HDF5 data set from a stranger: opened, verified, first and last rows read. */
#include "fuzz.h"

#include "hiss/alloc.h"
#include "hiss/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[32];
    const int file = fuzz_file(data, size, path);
    hiss_data_options options = {.file = path, .images = "/images", .labels = "/labels", .verify = true};
    hiss_dataset *set = NULL;
    hiss_error err;
    if (hiss_dataset_open(&options, 1, &set, &err) == HISS_OK) {
        int64_t H, W, C;
        hiss_dataset_shape(set, &H, &W, &C);
        uint8_t *pixels = hiss_alloc((size_t)(H * W * C));
        (void)hiss_dataset_read(set, 0, 1, pixels, NULL, &err);
        (void)hiss_dataset_read(set, hiss_dataset_count(set) - 1, 1, pixels, NULL, &err);
        hiss_free(pixels);
        hiss_dataset_close(set);
    }
    close(file);
    return 0;
}
