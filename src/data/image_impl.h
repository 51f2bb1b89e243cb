/* Inside src/data: pictures in files, and idx files. */
#ifndef HISS_IMAGE_IMPL_H
#define HISS_IMAGE_IMPL_H

#include "hiss/data.h"

typedef struct data_image {
    int64_t H, W, C; /* C is 1 (grey) or 3 (red, green, blue) */
    uint8_t *pixels; /* [H,W,C] */
} data_image;

bool data_image_named(const char *name); /* whether the name ends like a picture's */
/* Decode a file by its first bytes. Errors name the file. */
hiss_status data_image_read(const char *path, data_image *out, hiss_error *err);
void data_image_free(data_image *image);
/* Scale until the picture just covers height x width, cut the centre, convert to 1 or 3 channels. */
void data_image_fit(const data_image *image, int64_t height, int64_t width, int64_t channels, uint8_t *out);

enum { HISS_IDX_NDIM = 4 };
typedef struct data_idx {
    int type; /* 8 uint8, 9 int8, 11 int16, 12 int32: as in the file */
    int ndim;
    int64_t dim[HISS_IDX_NDIM];
    uint8_t *bytes; /* big-endian, as in the file */
} data_idx;
/* Read a whole idx file, plain or gzip. */
hiss_status data_idx_read(const char *path, data_idx *out, hiss_error *err);
void data_idx_free(data_idx *idx);
int64_t data_idx_at(const data_idx *idx, int64_t i); /* i-th value */

#endif
