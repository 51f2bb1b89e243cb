/* hiss prepare of a folder of pictures, whose sub-folders are classes. Pictures are decoded in the order of their names. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hiss/alloc.h"
#include "hiss/log.h"
#include "prepare_impl.h"

typedef struct picture {
    const char *path;
    int32_t label;
} picture;

typedef struct listing {
    hiss_arena *arena;
    picture *all;
    int64_t count, room;
    int64_t skipped;
    char **folder; /* names of sub-folders */
    int64_t folders;
} listing;

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static void add_picture(listing *list, const char *path, int32_t label) {
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 1024;
        picture *more = hiss_new(picture, list->room);
        if (list->count) {
            memcpy(more, list->all, sizeof *more * (size_t)list->count);
        }
        hiss_free(list->all);
        list->all = more;
    }
    list->all[list->count++] = (picture){path, label};
}

/* Add the pictures of one folder, in name order. Sub-folders are named in list->folder when deep, else skipped. */
static hiss_status scan(listing *list, const char *folder, int32_t label, bool deep, hiss_error *err) {
    struct dirent **entry;
    int count = scandir(folder, &entry, visible, by_name);
    if (count < 0) {
        return hiss_fail(err, HISS_EUSER, "%s: cannot be read as a folder: %s%s", folder, strerror(errno),
                         errno == ENOTDIR ? "; expected a folder of pictures (an HDF5 file is used as it is: data.file)"
                                          : "; give the path of a folder of pictures");
    }
    list->folder = deep ? hiss_arena_alloc(list->arena, sizeof(char *) * (size_t)count) : list->folder;
    for (int i = 0; i < count; i++) {
        char *path = hiss_arena_format(list->arena, "%s/%s", folder, entry[i]->d_name);
        struct stat what;
        bool there = stat(path, &what) == 0;
        if (there && S_ISDIR(what.st_mode) && deep) {
            list->folder[list->folders++] = hiss_arena_text(list->arena, entry[i]->d_name);
        } else if (there && S_ISREG(what.st_mode) && data_image_named(path)) {
            add_picture(list, path, label);
        } else {
            list->skipped++;
        }
        free(entry[i]);
    }
    free(entry);
    return HISS_OK;
}

/* List a folder: pictures without labels, or one class for each sub-folder. */
static hiss_status list_all(listing *list, const char *folder, hiss_error *err) {
    hiss_status status = scan(list, folder, 0, true, err);
    if (status) {
        return status;
    }
    if (list->folders && list->count) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: holds pictures (%s) as well as folders (%s); expected either pictures, or one folder for "
                         "each class",
                         folder, list->all[0].path, list->folder[0]);
    }
    for (int64_t c = 0; c < list->folders && !status; c++) {
        int64_t before = list->count;
        status = scan(list, hiss_arena_format(list->arena, "%s/%s", folder, list->folder[c]), (int32_t)c, false, err);
        if (!status && list->count == before) {
            hiss_warn("prepare: class folder %s/%s holds no pictures; its label %lld stays unused", folder,
                      list->folder[c], (long long)c);
        }
    }
    if (!status && !list->count) {
        status =
            hiss_fail(err, HISS_EUSER,
                      "%s: holds no pictures (%lld other files); expected .jpg, .jpeg, .png, .ppm or .pgm, in it or "
                      "in class folders",
                      folder, (long long)list->skipped);
    }
    return status;
}

static char *class_names(const listing *list) {
    size_t size = 1, used = 0;
    for (int64_t c = 0; c < list->folders; c++) {
        size += strlen(list->folder[c]) + 1;
    }
    char *names = hiss_arena_alloc(list->arena, size);
    for (int64_t c = 0; c < list->folders; c++) {
        used += (size_t)snprintf(names + used, size - used, "%s%s", c ? "\n" : "", list->folder[c]);
    }
    return names;
}

static hiss_status write_folder(const hiss_prepare_options *o, const char *folder, const listing *list,
                                hiss_error *err) {
    data_rows rows;
    data_rows_create(o, &rows);
    hiss_status status = data_rows_begin(&rows, o->height, o->width, o->channels, err);
    for (int64_t i = 0; i < list->count && !status; i++) {
        data_image image;
        hiss_error why;
        const bool read = data_image_read(list->all[i].path, &image, &why) == HISS_OK;
        status = data_rows_add_picture(&rows, &image, read ? NULL : &why, list->all[i].label, err);
        data_rows_progress(&rows, (double)(i + 1) / (double)list->count);
    }
    const bool labelled = list->folders > 0;
    status =
        status ? status
               : data_rows_write(&rows, labelled ? rows.label : NULL, folder, labelled ? class_names(list) : NULL, err);
    data_rows_destroy(&rows);
    return status;
}

hiss_status hiss_prepare_folder(const hiss_prepare_options *o, const char *folder, hiss_error *err) {
    hiss_status status = data_prepare_check_size(o, err);
    status = status ? status : data_prepare_check_output(o, err);
    if (status) {
        return status;
    }
    listing list = {.arena = hiss_arena_create()};
    status = list_all(&list, folder, err);
    if (!status) {
        hiss_info("prepare: %s: %lld pictures in %lld class folders, %lld other entries skipped", folder,
                  (long long)list.count, (long long)list.folders, (long long)list.skipped);
        status = write_folder(o, folder, &list, err);
    }
    hiss_free(list.all);
    hiss_arena_destroy(list.arena);
    return status;
}
