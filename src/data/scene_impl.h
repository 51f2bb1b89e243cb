/* Inside src/data: scenes, which are photographed stamps on photographed grounds. */
#ifndef HISS_SCENE_IMPL_H
#define HISS_SCENE_IMPL_H

#include "image_impl.h"
#include "objects_impl.h"

enum { DATA_SCENE_MOST = 4 };    /* objects on a scene */
enum { DATA_SCENE_ALPHA = 128 }; /* of pixels of a stamp that show its object, or more */

typedef struct data_scene_stamp {
    data_image image; /* red, green, blue by alpha, and alpha; its edges touch the object */
    int32_t class;
} data_scene_stamp;

/* Stamps of one class, or classes of one kind of scene. */
typedef struct data_scene_members {
    int32_t *at;
    int64_t count;
} data_scene_members;

typedef struct data_scenes {
    int64_t H, W; /* of a scene, which has 3 channels */
    uint64_t seed;
    data_scene_stamp *stamp; /* [stamps] */
    int64_t stamps;
    data_image *ground; /* [grounds], none smaller than H x W */
    int64_t grounds;
    data_scene_members *of_class; /* [classes] stamps, at least one */
    int64_t classes;
    data_scene_members *of_kind; /* [kinds] classes, at least one */
    int64_t kinds;
} data_scenes;

/* Cut to what is not transparent, and made small enough to be kept: a stamp to some three times what a scene of H x W shows
 * of it at most, a ground to the largest crop. image is replaced. False: a stamp is transparent all over. */
bool data_scene_keep_stamp(data_image *image, int64_t H, int64_t W);
void data_scene_keep_ground(data_image *image, int64_t H, int64_t W);
/* A scene, which depends on seed and row alone: pixels [H,W,3], and its objects, at most DATA_SCENE_MOST. Returns how many.
 * Errors of memory end the program. */
int64_t data_scene_make(const data_scenes *scenes, int64_t row, uint8_t *pixels, data_object *objects);

#endif
