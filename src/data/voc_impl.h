/* Inside src/data: annotations of PASCAL VOC, and what of them is on a picture that was scaled. */
#ifndef HISS_VOC_IMPL_H
#define HISS_VOC_IMPL_H

#include "hiss/alloc.h"
#include "image_impl.h"
#include "objects_impl.h"

typedef struct data_voc_object {
    const char *class;
    int64_t line; /* where its name stands */
    bool difficult;
    double x0, y0, x1, y1; /* of the picture, in pixels from its top left corner: x0 <= x < x1 */
} data_voc_object;

typedef struct data_voc {
    const char *path; /* of the annotation */
    int64_t H, W;     /* of its picture; 0: it does not say */
    data_voc_object *all;
    int64_t count;
} data_voc;

/* All in arena. Errors, FILE:LINE: what is no annotation. */
hiss_status data_voc_read(const char *path, hiss_arena *arena, data_voc *out, hiss_error *err);
/* An object of this class in a picture of H x W that is stored as height x width (data_image_fit). False: it lies outside of
 * what is stored. Judged is what is not difficult, and of whose box at least half is inside. */
bool data_voc_place(const data_voc_object *object, int32_t class, int64_t H, int64_t W, int64_t height, int64_t width,
                    data_object *out);

#endif
