/* The orientation that a camera notes beside a picture: tag 0x0112 of the first directory of an Exif block, which is a
 * TIFF file: byte order (II or MM), 42, the offset of the directory, its number of entries, entries of 12 bytes: tag,
 * type, count, value (Exif 2.32, section 4.6). In JPEG the block lies in a segment APP1 after "Exif" and two zeros, in PNG
 * in the chunk eXIf. What is out of place counts as no orientation: pictures are shown without it everywhere. */
#include <string.h>

#include "hiss/alloc.h"
#include "image_impl.h"

enum { UPRIGHT = 1, LAST = 8, ORIENTATION = 0x0112, SHORT = 3, ENTRY = 12 };

/* A number of `bytes` bytes. */
static uint32_t number(const uint8_t *at, int bytes, bool big) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value = value << 8 | at[big ? i : bytes - 1 - i];
    }
    return value;
}

int data_exif_orientation(const uint8_t *block, size_t size) {
    if (size < 8 || block[0] != block[1] || (block[0] != 'I' && block[0] != 'M')) {
        return UPRIGHT;
    }
    const bool big = block[0] == 'M';
    const size_t directory = number(block + 4, 4, big);
    if (number(block + 2, 2, big) != 42 || directory > size - 2) {
        return UPRIGHT;
    }
    const size_t announced = number(block + directory, 2, big), most = (size - 2 - directory) / ENTRY;
    for (size_t i = 0; i < announced && i < most; i++) {
        const uint8_t *entry = block + directory + 2 + i * ENTRY;
        if (number(entry, 2, big) == ORIENTATION) {
            const uint32_t value = number(entry + 8, 2, big);
            const bool sound = number(entry + 2, 2, big) == SHORT && number(entry + 4, 4, big) == 1;
            return sound && value >= UPRIGHT && value <= LAST ? (int)value : UPRIGHT;
        }
    }
    return UPRIGHT;
}

int data_png_orientation(const uint8_t *bytes, size_t size) {
    for (size_t at = 8; size >= 12 && at <= size - 12;) { /* length, type, contents, checksum */
        const size_t length = number(bytes + at, 4, true);
        if (length > size - 12 - at) {
            return UPRIGHT;
        }
        if (memcmp(bytes + at + 4, "eXIf", 4) == 0) {
            return data_exif_orientation(bytes + at + 8, length);
        }
        at += 12 + length;
    }
    return UPRIGHT;
}

/* Orientations are the eight ways to lay a picture down: from 5 on rows and columns change places, and each may be
 * mirrored. */
void data_image_orient(data_image *image, int orientation) {
    if (orientation == UPRIGHT) {
        return;
    }
    const bool swapped = orientation >= 5;
    /* Whether row and column of the picture as it is stored run backwards. */
    const bool row_back = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const bool column_back = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const int64_t H = swapped ? image->W : image->H, W = swapped ? image->H : image->W, C = image->C;
    uint8_t *pixels = hiss_alloc((size_t)(H * W * C)), *to = pixels;
    for (int64_t y = 0; y < H; y++) {
        for (int64_t x = 0; x < W; x++, to += C) {
            const int64_t i = swapped ? x : y, j = swapped ? y : x;
            const int64_t row = row_back ? image->H - 1 - i : i, column = column_back ? image->W - 1 - j : j;
            memcpy(to, image->pixels + (row * image->W + column) * C, (size_t)C);
        }
    }
    hiss_free(image->pixels);
    *image = (data_image){H, W, C, pixels};
}
