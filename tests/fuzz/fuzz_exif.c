/* Where a camera notes the orientation of a picture: an Exif block, and a PNG file that may hold one. */
#include "fuzz.h"

#include "data/image_impl.h"

int fuzz_read;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const int block = data_exif_orientation(data, size), chunk = data_png_orientation(data, size);
    if (block < 1 || block > 8 || chunk < 1 || chunk > 8) {
        abort();
    }
    fuzz_read += block != 1 || chunk != 1;
    return 0;
}
