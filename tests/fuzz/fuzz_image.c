/* A picture from a stranger: decoded and scaled. */
#include "fuzz.h"

#include "data/image_impl.h"

int fuzz_read;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[32];
    const int file = fuzz_file(data, size, path);
    data_image image;
    hiss_error err;
    if (data_image_read(path, &image, &err) == HISS_OK) {
        fuzz_read++;
        uint8_t small[8 * 8 * 3];
        data_image_fit(&image, 8, 8, 3, small);
        data_image_free(&image);
    }
    close(file);
    return 0;
}
