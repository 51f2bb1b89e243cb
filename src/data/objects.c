/* What is on pictures of several objects: /targets uint8 [n,K], and /boxes float32 [n,M,5], which hiss prepare writes. */
#include <assert.h>
#include <string.h>

#include "hiss/alloc.h"
#include "objects_impl.h"

void data_objects_create(int64_t n, int64_t classes, int64_t most, data_objects *out) {
    assert(n >= 0 && classes >= 1 && most >= 0);
    *out = (data_objects){.n = n, .classes = classes, .most = most ? most : 1};
    out->target = hiss_new(uint8_t, n * classes);
    out->box = hiss_new(float, n * out->most * DATA_BOX);
    memset(out->target, DATA_TARGET_ABSENT, (size_t)(n * classes));
}

void data_objects_free(data_objects *objects) {
    hiss_free(objects->target);
    hiss_free(objects->box);
    *objects = (data_objects){0};
}

void data_objects_set(data_objects *objects, int64_t row, const data_object *all, int64_t count) {
    uint8_t *target = objects->target + row * objects->classes;
    float *box = objects->box + row * objects->most * DATA_BOX;
    int64_t boxes = 0;
    for (int64_t k = 0; k < count; k++) {
        const data_object *o = &all[k];
        assert(o->class >= 0 && o->class < objects->classes);
        if (o->judged) {
            assert(boxes < objects->most);
            const float values[DATA_BOX] = {(float)o->class, (float)o->x0, (float)o->y0, (float)o->x1, (float)o->y1};
            memcpy(box + boxes++ * DATA_BOX, values, sizeof values);
            target[o->class] = DATA_TARGET_PRESENT;
        } else if (target[o->class] == DATA_TARGET_ABSENT) {
            target[o->class] = DATA_TARGET_UNJUDGED;
        }
    }
    for (; boxes < objects->most; boxes++) {
        static const float none[DATA_BOX] = {-1};
        memcpy(box + boxes * DATA_BOX, none, sizeof none);
    }
}

const char *data_objects_names(const char *const *name, int64_t count, hiss_arena *arena) {
    const char *names = name[0];
    for (int64_t c = 1; c < count; c++) {
        names = hiss_arena_format(arena, "%s\n%s", names, name[c]);
    }
    return names;
}

hiss_status data_objects_write(const data_objects *objects, hiss_h5 *file, hiss_error *err) {
    const int64_t n = objects->n;
    const hiss_h5_info targets = {HISS_U8, 2, {n, objects->classes}};
    const hiss_h5_info boxes = {HISS_F32, 3, {n, objects->most, DATA_BOX}};
    hiss_status status = hiss_h5_define(file, "/targets", &targets, 0, 0, err);
    status = status ? status : hiss_h5_define(file, "/boxes", &boxes, 0, 0, err);
    status = status ? status : hiss_h5_write(file, "/targets", HISS_U8, 0, n, objects->target, err);
    return status ? status : hiss_h5_write(file, "/boxes", HISS_F32, 0, n, objects->box, err);
}
