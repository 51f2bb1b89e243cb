/* Inside src/data: what is on pictures of several objects, for hiss prepare: /targets and /boxes. */
#ifndef HISS_OBJECTS_IMPL_H
#define HISS_OBJECTS_IMPL_H

#include "hiss/alloc.h"
#include "hiss/data.h"

/* An object on a picture, in pixels from its top left corner: x0 <= x < x1. */
typedef struct data_object {
    int32_t class;
    bool judged; /* whether it counts: false for what is hard to see */
    double x0, y0, x1, y1;
} data_object;

/* The rows of a file, in its order. */
typedef struct data_objects {
    int64_t n, classes, most; /* pictures; boxes of each */
    uint8_t *target;          /* [n, classes] 0 absent, 1 present, 255 not judged */
    float *box;               /* [n, most, 5] class, x0, y0, x1, y1; class -1: none */
} data_objects;
enum { DATA_BOX = 5 };
enum { DATA_TARGET_ABSENT = 0, DATA_TARGET_PRESENT = 1, DATA_TARGET_UNJUDGED = 255 };

/* most: boxes of a picture; 0 is taken as 1, since a data set has no axis of 0. */
void data_objects_create(int64_t n, int64_t classes, int64_t most, data_objects *out);
void data_objects_free(data_objects *objects);
/* A class is present when an object of it is judged, unjudged when there are only others. Those that are judged, at most
 * `most`, have boxes, in their order. */
void data_objects_set(data_objects *objects, int64_t row, const data_object *all, int64_t count);
/* Names of classes, one a line, as the attribute classes has them; the arena's. */
const char *data_objects_names(const char *const *name, int64_t count, hiss_arena *arena);
/* Into a file that has none yet. */
hiss_status data_objects_write(const data_objects *objects, hiss_h5 *file, hiss_error *err);

#endif
