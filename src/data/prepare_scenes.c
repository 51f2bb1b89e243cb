/* hiss prepare scenes: pictures of several objects out of stamps, which are photographs of one with alpha, and grounds.
 *
 * Stamps lie in KIND/CLASS/, and classes are numbered in the order of their names, whatever their kinds; a class may be of
 * several kinds. Files are taken in the order of their names, so that equal folders and options give equal bytes. Which
 * stamps and grounds go into which file is said by the folders alone.
 *
 * Cost: every stamp and ground is decoded once and kept as large as it is ever shown; then src/data/scene.c. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "hiss/alloc.h"
#include "hiss/log.h"
#include "listing.h"
#include "prepare_impl.h"
#include "scene_impl.h"

typedef struct source {
    const hiss_prepare_options *options;
    const hiss_scenes_source *given;
    hiss_arena *arena;
    data_listing stamps, grounds;
    const char **class_name; /* [scenes.classes], sorted */
    data_scenes scenes;
} source;

static bool is_png(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && strcasecmp(dot, ".png") == 0;
}

/* ---- classes ---- */

/* The class of a stamp FOLDER/KIND/CLASS/...; NULL: it lies in none. */
static const char *class_of(source *s, const data_listed *stamp) {
    const char *kind = s->stamps.folder[stamp->label];
    const char *name = stamp->path + strlen(s->given->stamps) + 1 + strlen(kind) + 1, *slash = strchr(name, '/');
    return slash ? hiss_arena_format(s->arena, "%.*s", (int)(slash - name), name) : NULL;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static hiss_status find_classes(source *s, hiss_error *err) {
    const int64_t n = s->stamps.count;
    const char **name = hiss_arena_alloc(s->arena, sizeof *name * (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        const bool kind = s->stamps.all[i].label >= 0;
        name[i] = kind ? class_of(s, &s->stamps.all[i]) : NULL;
        if (!name[i]) {
            return hiss_fail(err, HISS_EUSER, "%s: lies in no class; expected stamps in folders %s/KIND/CLASS",
                             s->stamps.all[i].path, s->given->stamps);
        }
    }
    s->class_name = hiss_arena_alloc(s->arena, sizeof *name * (size_t)n);
    memcpy(s->class_name, name, sizeof *name * (size_t)n);
    qsort(s->class_name, (size_t)n, sizeof *name, by_name);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(s->class_name[i], s->class_name[count - 1]) != 0) {
            s->class_name[count++] = s->class_name[i];
        }
    }
    s->scenes.classes = count;
    for (int64_t i = 0; i < n; i++) {
        const char **at = bsearch(&name[i], s->class_name, (size_t)count, sizeof *name, by_name);
        s->scenes.stamp[i].class = (int32_t)(at - s->class_name);
    }
    return HISS_OK;
}

static void add_member(data_scene_members *members, int32_t number) {
    if (members->count == 0 || members->at[members->count - 1] != number) {
        members->at[members->count++] = number;
    }
}

/* Which stamps are of a class, and which classes of a kind. Kinds without a stamp are none. */
static void group(source *s) {
    data_scenes *to = &s->scenes;
    to->of_class = hiss_arena_alloc(s->arena, sizeof *to->of_class * (size_t)to->classes);
    to->of_kind = hiss_arena_alloc(s->arena, sizeof *to->of_kind * (size_t)s->stamps.folders);
    int32_t *room = hiss_arena_alloc(s->arena, sizeof *room * (size_t)(2 * to->stamps));
    for (int64_t c = 0; c < to->classes; c++) {
        to->of_class[c] = (data_scene_members){room, 0};
        for (int32_t i = 0; i < to->stamps; i++) {
            if (to->stamp[i].class == c) {
                add_member(&to->of_class[c], i);
            }
        }
        room += to->of_class[c].count;
    }
    for (int64_t k = 0; k < s->stamps.folders; k++) {
        data_scene_members *kind = &to->of_kind[to->kinds];
        *kind = (data_scene_members){room, 0};
        for (int64_t i = 0; i < to->stamps; i++) { /* by the order of names, those of a class follow one another */
            if (s->stamps.all[i].label == k) {
                add_member(kind, to->stamp[i].class);
            }
        }
        room += kind->count;
        to->kinds += kind->count > 0;
    }
}

/* ---- pictures ---- */

static hiss_status read_stamps(source *s, hiss_error *err) {
    hiss_status status = HISS_OK;
    for (int64_t i = 0; i < s->stamps.count && !status; i++) {
        data_image *image = &s->scenes.stamp[i].image;
        status = data_image_read_alpha(s->stamps.all[i].path, image, err);
        if (!status && !data_scene_keep_stamp(image, s->scenes.H, s->scenes.W)) {
            status = hiss_fail(err, HISS_EUSER,
                               "%s: has no pixel of alpha %d or more, of 255; expected a stamp that shows an object",
                               s->stamps.all[i].path, DATA_SCENE_ALPHA);
        }
    }
    return status;
}

static hiss_status read_grounds(source *s, hiss_error *err) {
    hiss_status status = HISS_OK;
    for (int64_t i = 0; i < s->grounds.count && !status; i++) {
        data_image *image = &s->scenes.ground[i];
        status = data_image_read(s->grounds.all[i].path, image, err);
        if (!status && (image->H < s->scenes.H || image->W < s->scenes.W)) {
            status = hiss_fail(err, HISS_EUSER, "%s: has %lld x %lld pixels; expected a ground of at least %lld x %lld",
                               s->grounds.all[i].path, (long long)image->H, (long long)image->W, (long long)s->scenes.H,
                               (long long)s->scenes.W);
        }
        if (!status) {
            data_scene_keep_ground(image, s->scenes.H, s->scenes.W);
        }
    }
    return status;
}

static hiss_status read_source(source *s, hiss_error *err) {
    const data_wanted stamps = {is_png, "stamps", ".png", true};
    const data_wanted grounds = {data_image_named, "pictures", ".jpg, .jpeg, .png, .ppm or .pgm", false};
    data_scenes *to = &s->scenes;
    hiss_status status = data_listing_scan(&s->stamps, &stamps, s->given->stamps, err);
    status = status ? status : data_listing_scan(&s->grounds, &grounds, s->given->grounds, err);
    if (status) {
        return status;
    }
    to->stamps = s->stamps.count;
    to->stamp = hiss_new(data_scene_stamp, to->stamps);
    to->grounds = s->grounds.count;
    to->ground = hiss_new(data_image, to->grounds);
    memset(to->stamp, 0, sizeof *to->stamp * (size_t)to->stamps);
    memset(to->ground, 0, sizeof *to->ground * (size_t)to->grounds);
    status = find_classes(s, err);
    if (!status) {
        group(s);
        hiss_info("prepare: %lld stamps of %lld classes for %lld kinds of scenes, %lld grounds", (long long)to->stamps,
                  (long long)to->classes, (long long)to->kinds, (long long)to->grounds);
        status = read_stamps(s, err);
    }
    return status ? status : read_grounds(s, err);
}

static void free_source(source *s) {
    for (int64_t i = 0; i < s->scenes.stamps; i++) {
        data_image_free(&s->scenes.stamp[i].image);
    }
    for (int64_t i = 0; i < s->scenes.grounds; i++) {
        data_image_free(&s->scenes.ground[i]);
    }
    hiss_free(s->scenes.stamp);
    hiss_free(s->scenes.ground);
    data_listing_free(&s->grounds);
    s->stamps.arena = NULL; /* the same */
    data_listing_free(&s->stamps);
}

/* ---- the file ---- */

static hiss_status write_scenes(const source *s, hiss_error *err) {
    const int64_t n = s->given->rows, shape[] = {n, s->scenes.H, s->scenes.W, 3};
    hiss_prepare_options options = *s->options;
    options.shuffle = false; /* they are drawn one by one */
    data_objects objects;
    data_writer w;
    data_objects_create(n, s->scenes.classes, DATA_SCENE_MOST, &objects);
    hiss_status status = data_writer_begin(&w, &options, shape, false, err);
    for (int64_t i = 0; i < n && !status; i++) {
        data_object object[DATA_SCENE_MOST];
        const int64_t count = data_scene_make(&s->scenes, i, data_writer_pixels(&w), object);
        data_objects_set(&objects, i, object, count);
        status = data_writer_add(&w, 0, err);
    }
    status = status ? status : data_objects_write(&objects, w.file, err);
    const char *classes = data_objects_names(s->class_name, s->scenes.classes, s->arena);
    const char *name = hiss_arena_format(s->arena, "scenes of %s on %s", s->given->stamps, s->given->grounds);
    status = data_writer_end(&w, status, name, classes, err);
    data_objects_free(&objects);
    return status;
}

hiss_status hiss_prepare_scenes(const hiss_prepare_options *options, const hiss_scenes_source *given, hiss_error *err) {
    hiss_status status = data_prepare_check_size(options, err);
    status = status ? status : data_prepare_check_output(options, err);
    if (status) {
        return status;
    }
    hiss_arena *arena = hiss_arena_create();
    source s = {.options = options,
                .given = given,
                .arena = arena,
                .stamps = {.arena = arena},
                .grounds = {.arena = arena},
                .scenes = {.H = options->height, .W = options->width, .seed = (uint64_t)options->seed}};
    status = read_source(&s, err);
    status = status ? status : write_scenes(&s, err);
    free_source(&s);
    return status;
}
