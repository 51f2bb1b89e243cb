/* hiss prepare voc: PASCAL VOC as two files, train.h5 of the pictures of trainval.txt and test.h5 of those of test.txt.
 *
 * A folder VOCdevkit/VOC2007 has ImageSets/Main/SET.txt, a name a line, Annotations/NAME.xml and JPEGImages/NAME.jpg. The
 * classes are VOC's twenty where no others occur, so that files of few pictures have the same columns; else those that occur,
 * in the order of their names. Both files have them, and the same number of boxes.
 *
 * Pictures stay as they are stored, also where they note another orientation, for boxes are of their stored rows and columns.
 * All annotations are read first, which gives classes and boxes; pictures then in the order in which they are written. Cost:
 * one pass over the pictures; memory of one, and of all objects. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classes.h"
#include "hiss/alloc.h"
#include "hiss/file.h"
#include "hiss/log.h"
#include "prepare_impl.h"
#include "voc_impl.h"

enum { SETS = 2 };
static const char *const set_name[SETS] = {"trainval", "test"}, *const file_name[SETS] = {"train", "test"};
static const char byte_order_mark[] = "\xEF\xBB\xBF"; /* as editors on Windows put before UTF-8 */
static const char *const voc_class[] = {
    "aeroplane",   "bicycle", "bird",  "boat",      "bottle", "bus",         "car",   "cat",  "chair", "cow",
    "diningtable", "dog",     "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"};

typedef struct entry {
    const char *name, *picture;
    data_voc voc;
} entry;

typedef struct image_set {
    const char *list; /* path of its names */
    bool there;
    entry *all;
    int64_t count, room;
    char output[PREPARE_PATH];
} image_set;

typedef struct reader {
    const hiss_prepare_options *options;
    const char *folder;
    hiss_arena *arena;
    image_set set[SETS];
    data_values *names; /* of all sets, to find those that come twice */
    const char **class_name;
    int64_t classes, most; /* most: boxes of a picture */
    data_writer writer[SETS];
    data_objects objects[SETS];
    int64_t outside, cut; /* objects outside of the stored pictures; less than half inside */
} reader;

/* ---- which pictures ---- */

static hiss_status find_picture(reader *r, const image_set *set, int64_t line, entry *e, hiss_error *err) {
    static const char *const ends[] = {"jpg", "jpeg", "png", "ppm", "pgm"};
    for (int k = 0; k < HISS_COUNT(ends); k++) {
        e->picture = hiss_arena_format(r->arena, "%s/JPEGImages/%s.%s", r->folder, e->name, ends[k]);
        if (hiss_file_exists(e->picture)) {
            return HISS_OK;
        }
    }
    if (data_image_named(e->name)) {
        return hiss_fail(err, HISS_EUSER,
                         "%s:%lld: '%.80s'; expected the name of one picture, without folder or ending: %.*s",
                         set->list, (long long)line, e->name, (int)(strrchr(e->name, '.') - e->name), e->name);
    }
    return hiss_fail(
        err, HISS_EUSER,
        "%s:%lld: there is no picture %s/JPEGImages/%s.jpg; unpack the archives of all sets into one folder", set->list,
        (long long)line, r->folder, e->name);
}

static hiss_status add_name(reader *r, image_set *set, char *text, int64_t line, hiss_error *err) {
    if (line == 1 && strncmp(text, byte_order_mark, sizeof byte_order_mark - 1) == 0) {
        text += sizeof byte_order_mark - 1;
    }
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1])) {
        *--end = '\0';
    }
    while (isspace((unsigned char)*text)) {
        text++;
    }
    if (!*text) {
        return HISS_OK;
    }
    if (strpbrk(text, " \t/")) {
        return hiss_fail(err, HISS_EUSER,
                         "%s:%lld: '%.80s'; expected the name of one picture, without folder or ending", set->list,
                         (long long)line, text);
    }
    const int64_t before = data_values_count(r->names);
    data_values_text(r->names, text, strlen(text));
    if (data_values_count(r->names) == before) {
        return hiss_fail(err, HISS_EUSER, "%s:%lld: picture %.200s is named for the second time in %s and %s.txt",
                         set->list, (long long)line, text, set_name[0], set_name[1]);
    }
    if (set->count == set->room) {
        const int64_t room = set->room ? 2 * set->room : 1024;
        entry *more = hiss_new(entry, room);
        if (set->count) {
            memcpy(more, set->all, sizeof *more * (size_t)set->count);
        }
        hiss_free(set->all);
        set->all = more;
        set->room = room;
    }
    entry *e = &set->all[set->count++];
    *e = (entry){.name = hiss_arena_text(r->arena, text)};
    return find_picture(r, set, line, e, err);
}

static hiss_status read_list(reader *r, image_set *set, hiss_error *err) {
    FILE *in = hiss_file_open(set->list);
    char *line = NULL;
    size_t capacity = 0;
    hiss_status status = HISS_OK;
    if (!in && (errno != ENOENT || set == r->set)) {
        return hiss_fail(err, HISS_EUSER, "%s: cannot be read: %s; give the folder of a year, as VOCdevkit/VOC2007",
                         set->list, strerror(errno));
    }
    set->there = in;
    for (int64_t k = 1; in && !status && getline(&line, &capacity, in) > 0; k++) {
        status = add_name(r, set, line, k, err);
    }
    free(line);
    if (in) {
        fclose(in);
    }
    return status || !in || set->count > 0
               ? status
               : hiss_fail(err, HISS_EUSER, "%s: names no pictures; expected a name in each line", set->list);
}

static hiss_status read_lists(reader *r, hiss_error *err) {
    hiss_status status = HISS_OK;
    r->names = data_values_create(DATA_TEXT, INT64_MAX);
    for (int k = 0; k < SETS && !status; k++) {
        r->set[k].list = hiss_arena_format(r->arena, "%s/ImageSets/Main/%s.txt", r->folder, set_name[k]);
        status = read_list(r, &r->set[k], err);
    }
    data_values_destroy(r->names);
    if (!status && !r->set[1].there && hiss_file_exists(r->set[1].output)) {
        return hiss_fail(err, HISS_EUSER,
                         "%s is there, but no %s, so that it would be the test of other pictures; remove it, or choose "
                         "another --output",
                         r->set[1].output, r->set[1].list);
    }
    if (!status && !r->set[1].there) {
        hiss_warn("prepare: there is no %s, so no test.h5; it is in the archive VOCtest_06-Nov-2007.tar",
                  r->set[1].list);
    }
    return status;
}

/* ---- what is on them ---- */

static hiss_status read_annotations(reader *r, hiss_error *err) {
    hiss_status status = HISS_OK;
    for (int k = 0; k < SETS; k++) {
        for (int64_t i = 0; i < r->set[k].count && !status; i++) {
            entry *e = &r->set[k].all[i];
            const char *path = hiss_arena_format(r->arena, "%s/Annotations/%s.xml", r->folder, e->name);
            status = data_voc_read(path, r->arena, &e->voc, err);
            int64_t boxes = 0;
            for (int64_t o = 0; o < e->voc.count && !status; o++) {
                boxes += !e->voc.all[o].difficult;
            }
            r->most = boxes > r->most ? boxes : r->most;
        }
    }
    return status;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **find_class(const reader *r, const char *name) {
    return bsearch(&name, r->class_name, (size_t)r->classes, sizeof name, by_name);
}

/* Those of VOC, or, where there is another, all that there are. */
static hiss_status find_classes(reader *r, hiss_error *err) {
    int64_t objects = 0, others = 0;
    const data_voc_object *first = NULL;
    const char *path = NULL;
    for (int k = 0; k < SETS; k++) {
        for (int64_t i = 0; i < r->set[k].count; i++) {
            objects += r->set[k].all[i].voc.count;
        }
    }
    if (!objects) {
        return hiss_fail(err, HISS_EUSER, "%s/Annotations: no picture has an <object>; expected some", r->folder);
    }
    const char **all = hiss_arena_alloc(r->arena, sizeof *all * (size_t)(objects + HISS_COUNT(voc_class)));
    memcpy(all, voc_class, sizeof voc_class);
    r->class_name = all;
    r->classes = HISS_COUNT(voc_class);
    int64_t count = 0;
    const char **found = hiss_arena_alloc(r->arena, sizeof *found * (size_t)objects);
    for (int k = 0; k < SETS; k++) {
        for (int64_t i = 0; i < r->set[k].count; i++) {
            const data_voc *v = &r->set[k].all[i].voc;
            for (int64_t o = 0; o < v->count; o++) {
                const bool other = !find_class(r, v->all[o].class);
                first = other && !first ? &v->all[o] : first;
                path = other && !path ? v->path : path;
                found[count++] = v->all[o].class;
                others += other;
            }
        }
    }
    if (others) {
        qsort(found, (size_t)count, sizeof *found, by_name);
        r->class_name = found;
        r->classes = 0;
        for (int64_t i = 0; i < count; i++) {
            if (i == 0 || strcmp(found[i], found[r->classes - 1]) != 0) {
                found[r->classes++] = found[i];
            }
        }
        hiss_warn(
            "%s:%lld: class '%.80s' is none of PASCAL VOC's twenty, nor are those of %lld objects more: columns are "
            "the %lld classes that there are, by name, and not those of files of PASCAL VOC",
            path, (long long)first->line, first->class, (long long)others - 1, (long long)r->classes);
    }
    return HISS_OK;
}

/* ---- the files ---- */

static hiss_status check_size(const data_voc *v, const entry *e, const data_image *image, hiss_error *err) {
    return v->W == 0 || v->H == 0 || (v->W == image->W && v->H == image->H)
               ? HISS_OK
               : hiss_fail(
                     err, HISS_EUSER,
                     "%s: <size> is %lld x %lld, but %s has %lld x %lld pixels (width x height); boxes are of the "
                     "picture as it was: take that one",
                     v->path, (long long)v->W, (long long)v->H, e->picture, (long long)image->W, (long long)image->H);
}

static void place(reader *r, int k, const data_voc *v, const data_image *image, int64_t row) {
    const hiss_prepare_options *o = r->options;
    data_object *all = hiss_new(data_object, v->count + 1);
    int64_t count = 0;
    for (int64_t i = 0; i < v->count; i++) {
        const int32_t class = (int32_t)(find_class(r, v->all[i].class) - r->class_name);
        const bool inside = data_voc_place(&v->all[i], class, image->H, image->W, o->height, o->width, &all[count]);
        r->outside += !inside;
        r->cut += inside && !all[count].judged && !v->all[i].difficult;
        count += inside;
    }
    data_objects_set(&r->objects[k], row, all, count);
    hiss_free(all);
}

static hiss_status write_set(reader *r, int k, hiss_error *err) {
    const hiss_prepare_options *o = &r->options[k];
    const image_set *set = &r->set[k];
    data_writer *w = &r->writer[k];
    const int64_t shape[] = {set->count, o->height, o->width, o->channels};
    data_objects_create(set->count, r->classes, r->most, &r->objects[k]);
    hiss_status status = data_writer_begin(w, o, shape, false, err);
    for (int64_t row = 0; row < set->count && !status; row++) {
        const entry *e = &set->all[data_writer_next(w)];
        data_image image;
        status = data_image_read_stored(e->picture, &image, err);
        if (status) {
            break;
        }
        status = check_size(&e->voc, e, &image, err);
        data_image_fit(&image, o->height, o->width, o->channels, data_writer_pixels(w));
        place(r, k, &e->voc, &image, row);
        data_image_free(&image);
        status = status ? status : data_writer_add(w, 0, err);
    }
    status = status ? status : data_objects_write(&r->objects[k], w->file, err);
    status = data_writer_complete(w, status, set->list, data_objects_names(r->class_name, r->classes, r->arena), err);
    data_objects_free(&r->objects[k]);
    return status;
}

/* Both are complete before one gets its name. */
static hiss_status write_sets(reader *r, hiss_error *err) {
    hiss_status status = HISS_OK;
    int complete = 0, published = 0;
    for (int k = 0; k < SETS && !status && r->set[k].there; k++, complete += !status) {
        status = write_set(r, k, err);
    }
    for (int k = 0; k < complete && !status; k++, published += !status) {
        status = data_writer_publish(&r->writer[k], err);
    }
    for (int k = 0; k < complete && status; k++) {
        if (k < published) {
            hiss_file_remove(r->set[k].output, NULL);
        } else {
            hiss_file_discard(r->writer[k].temporary);
        }
    }
    if (!status && r->outside + r->cut > 0) {
        hiss_info(
            "prepare: the centre of the pictures is kept: %lld objects lie outside, and %lld less than half inside, "
            "which are not judged",
            (long long)r->outside, (long long)r->cut);
    }
    return status;
}

static hiss_status prepare(reader *r, hiss_error *err) {
    hiss_status status = read_lists(r, err);
    status = status ? status : read_annotations(r, err);
    status = status ? status : find_classes(r, err);
    if (!status) {
        hiss_info("prepare: %s: %lld and %lld pictures, %lld classes, at most %lld objects in a picture", r->folder,
                  (long long)r->set[0].count, (long long)r->set[1].count, (long long)r->classes, (long long)r->most);
        status = write_sets(r, err);
    }
    for (int k = 0; k < SETS; k++) {
        hiss_free(r->set[k].all);
    }
    return status;
}

hiss_status hiss_prepare_voc(const hiss_prepare_options *options, const char *folder, hiss_error *err) {
    hiss_prepare_options of_set[SETS] = {*options, *options};
    const char *output = options->output ? options->output : "";
    reader r = {.options = of_set, .folder = folder};
    hiss_status status = data_prepare_check_size(options, err);
    if (status) {
        return status;
    }
    const bool there = hiss_file_exists(output);
    status = hiss_directories_make(output, err);
    for (int k = 0; k < SETS && !status; k++) {
        snprintf(r.set[k].output, sizeof r.set[k].output, "%s/%s.h5", output, file_name[k]);
        of_set[k].output = r.set[k].output;
        status = data_prepare_check_output(&of_set[k], err);
    }
    if (!status) {
        r.arena = hiss_arena_create();
        status = prepare(&r, err);
        hiss_arena_destroy(r.arena);
    }
    if (status && !there) {
        rmdir(output); /* when nothing is in it */
    }
    return status;
}
