/* What is on pictures of several objects: /targets uint8 [n,K], and /boxes float32 [n,M,5], which hiss prepare writes. */
#include <assert.h>
#include <string.h>

#include "hiss/alloc.h"
#include "hiss/hash.h"
#include "objects_impl.h"

enum { PIECE_BYTES = 1 << 22 };
#define OBJECTS_SHA256 "objects_sha256" /* attribute of /: of the values of /targets, then of /boxes */

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

static void set_none(float *box, int64_t count) {
    static const float none[DATA_BOX] = {-1};
    for (int64_t k = 0; k < count; k++) {
        memcpy(box + k * DATA_BOX, none, sizeof none);
    }
}

/* Room for so many rows of so many boxes. */
static void grow(data_objects *o, int64_t room, int64_t most) {
    uint8_t *target = hiss_new(uint8_t, room * o->classes);
    float *box = hiss_new(float, room *most *DATA_BOX + 1);
    for (int64_t i = 0; i < o->n; i++) {
        memcpy(target + i * o->classes, o->target + i * o->classes, (size_t)o->classes);
        if (o->most) {
            memcpy(box + i * most * DATA_BOX, o->box + i * o->most * DATA_BOX,
                   sizeof *box * (size_t)(o->most * DATA_BOX));
        }
        set_none(box + (i * most + o->most) * DATA_BOX, most - o->most);
    }
    hiss_free(o->target);
    hiss_free(o->box);
    o->target = target;
    o->box = box;
    o->room = room;
    o->most = most;
}

void data_objects_add(data_objects *o, const uint8_t *target, const float *box, int64_t most) {
    if (o->n == o->room || most > o->most) {
        grow(o, o->n < o->room ? o->room : o->room ? 2 * o->room : 1024, most > o->most ? most : o->most);
    }
    float *to = o->box + o->n * o->most * DATA_BOX;
    memcpy(o->target + o->n++ * o->classes, target, (size_t)o->classes);
    if (most) {
        memcpy(to, box, sizeof *box * (size_t)(most * DATA_BOX));
    }
    set_none(to + most * DATA_BOX, o->most - most);
}

void data_objects_copy(data_objects *objects, int64_t to, const data_objects *others, int64_t from) {
    const int64_t boxes = others->most * DATA_BOX;
    assert(objects->classes == others->classes && objects->most >= others->most);
    memcpy(objects->target + to * objects->classes, others->target + from * others->classes, (size_t)others->classes);
    if (boxes) {
        memcpy(objects->box + to * boxes, others->box + from * boxes, sizeof(float) * (size_t)boxes);
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
    char sum[HISS_HASH_TEXT];
    hiss_hash *hash = hiss_hash_begin();
    hiss_status status = hiss_h5_define(file, "/targets", &targets, 0, 0, err);
    status = status ? status : hiss_h5_write(file, "/targets", HISS_U8, 0, n, objects->target, err);
    hiss_hash_add(hash, objects->target, (size_t)(n * objects->classes));
    if (objects->most) {
        status = status ? status : hiss_h5_define(file, "/boxes", &boxes, 0, 0, err);
        status = status ? status : hiss_h5_write(file, "/boxes", HISS_F32, 0, n, objects->box, err);
        hiss_hash_add(hash, objects->box, sizeof(float) * (size_t)(n * objects->most * DATA_BOX));
    }
    hiss_hash_end(hash, sum);
    return status ? status : hiss_h5_set_text(file, "/", OBJECTS_SHA256, sum, err);
}

/* All values of a data set, where it is there and of that type. */
static hiss_status hash_values(hiss_h5 *file, const char *dataset, hiss_dtype dtype, hiss_hash *hash, hiss_error *err) {
    hiss_h5_info info;
    if (!hiss_h5_has(file, dataset)) {
        return HISS_OK;
    }
    hiss_status status = hiss_h5_look(file, dataset, &info, err);
    int64_t row = hiss_dtype_bytes(dtype);
    for (int k = 1; k < info.ndim && !status; k++) {
        row *= info.dim[k];
    }
    if (status || row < 1) {
        return status;
    }
    const int64_t at_once = PIECE_BYTES / row + 1, n = info.dim[0];
    uint8_t *piece = hiss_alloc((size_t)((at_once < n ? at_once : n) * row + 1));
    for (int64_t begin = 0; begin < n && !status; begin += at_once) {
        const int64_t count = n - begin < at_once ? n - begin : at_once;
        status = hiss_h5_read(file, dataset, dtype, begin, count, piece, err);
        if (!status) {
            hiss_hash_add(hash, piece, (size_t)(count * row));
        }
    }
    hiss_free(piece);
    return status;
}

char *data_objects_checksum(hiss_h5 *file) {
    char *recorded = NULL;
    return hiss_h5_get_text(file, "/", OBJECTS_SHA256, &recorded, NULL) == HISS_OK ? recorded : NULL;
}

hiss_status data_objects_verify(hiss_h5 *file, const char *path, hiss_error *err) {
    char *recorded = data_objects_checksum(file), found[HISS_HASH_TEXT];
    if (!recorded) {
        return HISS_OK;
    }
    hiss_hash *hash = hiss_hash_begin();
    hiss_status status = hash_values(file, "/targets", HISS_U8, hash, err);
    status = status ? status : hash_values(file, "/boxes", HISS_F32, hash, err);
    hiss_hash_end(hash, found);
    if (!status && strcmp(found, recorded) != 0) {
        status = hiss_fail(err, HISS_EUSER,
                           "%s: targets and boxes have SHA-256 %.16s..., recorded is %.16s...: the file was changed or "
                           "damaged; prepare it again, or set data.verify: false",
                           path, found, recorded);
    }
    hiss_free(recorded);
    return status;
}
