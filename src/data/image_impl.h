/* Inside src/data: pictures in files, and files that hold an array. */
#ifndef HISS_IMAGE_IMPL_H
#define HISS_IMAGE_IMPL_H

#include "hiss/data.h"

typedef struct data_image {
    int64_t H, W, C; /* C is 1 (grey), 3 (red, green, blue) or, with alpha, 4 */
    uint8_t *pixels; /* [H,W,C] */
} data_image;

bool data_image_named(const char *name); /* whether the name ends like a picture's */
/* Decode a file, or the bytes of one, by its first bytes, and turn it upright. Errors name the file and say why it is
 * unreadable. */
hiss_status data_image_read(const char *path, data_image *out, hiss_error *err);
hiss_status data_image_decode(const char *name, const uint8_t *bytes, size_t size, data_image *out, hiss_error *err);
/* The same of a file, but as it is stored, whatever orientation it notes: for pictures with places in them. */
hiss_status data_image_read_stored(const char *path, data_image *out, hiss_error *err);
/* The same as the first for a PNG file with alpha, which has 4 channels then. */
hiss_status data_image_read_alpha(const char *path, data_image *out, hiss_error *err);
void data_image_free(data_image *image);
/* The orientation 1 to 8 that an Exif block, or the eXIf chunk of a PNG file, gives; 1, upright, when there is none. */
int data_exif_orientation(const uint8_t *block, size_t size);
int data_png_orientation(const uint8_t *bytes, size_t size);
/* Turn a picture that is stored in this orientation upright: H and W may change places. */
void data_image_orient(data_image *image, int orientation);
/* Scale until the picture just covers height x width, cut the centre, convert to 1 or 3 channels; 4 channels stay 4, colours
 * multiplied by alpha. */
void data_image_fit(const data_image *image, int64_t height, int64_t width, int64_t channels, uint8_t *out);

enum { HISS_ARRAY_NDIM = 4 };
typedef struct data_array {
    int type; /* 8 uint8, 9 int8, 11 int16, 12 int32: as in idx files */
    int ndim;
    int64_t dim[HISS_ARRAY_NDIM];
    uint8_t *bytes; /* big-endian, as in idx files; data_array_free them */
} data_array;
/* Read a whole file: those of src/data/list.h. After an error there is nothing to free. Not collective. */
#define FORMAT(name) hiss_status data_##name##_read(const char *path, data_array *out, hiss_error *err);
#include "data/list.h"
#undef FORMAT
void data_array_free(data_array *idx);
int64_t data_array_at(const data_array *idx, int64_t i); /* i-th value */

#endif
