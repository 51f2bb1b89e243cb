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
    int64_t n, classes, most; /* pictures; boxes of each, 0 where none are kept */
    uint8_t *target;          /* [n, classes] 0 absent, 1 present, 255 not judged */
    float *box;               /* [n, most, 5] class, x0, y0, x1, y1; class -1: none */
    int64_t room;             /* rows that target and box have room for */
} data_objects;
enum { DATA_BOX = 5 };
enum { DATA_TARGET_ABSENT = 0, DATA_TARGET_PRESENT = 1, DATA_TARGET_UNJUDGED = 255 };

/* most: boxes of a picture; 0 is taken as 1, since a data set has no axis of 0. */
void data_objects_create(int64_t n, int64_t classes, int64_t most, data_objects *out);
void data_objects_free(data_objects *objects);
/* A class is present when an object of it is judged, unjudged when there are only others. Those that are judged, at most
 * `most`, have boxes, in their order. */
void data_objects_set(data_objects *objects, int64_t row, const data_object *all, int64_t count);
/* One more row of what some file has, of `classes` targets and `most` boxes, which may be more than those of rows before. */
void data_objects_add(data_objects *objects, const uint8_t *target, const float *box, int64_t most);
/* Row `from` of others, which are alike, as row `to`. */
void data_objects_copy(data_objects *objects, int64_t to, const data_objects *others, int64_t from);
/* Names of classes, one a line, as the attribute classes has them; the arena's. */
const char *data_objects_names(const char *const *name, int64_t count, hiss_arena *arena);
/* Into a file that has none yet, with their checksum. */
hiss_status data_objects_write(const data_objects *objects, hiss_h5 *file, hiss_error *err);
/* That checksum, hiss_free it; NULL: the file has none. */
char *data_objects_checksum(hiss_h5 *file);
/* Whether those of a file are what its checksum says, where it has one. Reads them all. */
hiss_status data_objects_verify(hiss_h5 *file, const char *path, hiss_error *err);

#endif
