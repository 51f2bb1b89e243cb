/* A picture from a stranger: decoded and scaled. */
#include "fuzz.h"

#include "data/image_impl.h"

int fuzz_read;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[32];
    const int file = fuzz_file(data, size, path);
    hiss_image image;
    hiss_error err;
    if (hiss_image_read(path, &image, &err) == HISS_OK) {
        fuzz_read++;
        uint8_t small[8 * 8 * 3];
        hiss_image_fit(&image, 8, 8, 3, small);
        hiss_image_free(&image);
    }
    close(file);
    return 0;
}
