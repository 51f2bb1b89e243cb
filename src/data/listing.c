/* The files below a folder whose folders are classes: for hiss prepare of pictures and of sound.
 *
 * A folder holds either files, which have no class, or folders, which are classes 0, 1, ... in the order of their names.
 * All files below a class are of that class, however deep they lie. Entries are taken in the order of their names by
 * bytes; those that begin with a dot are not seen. A folder that is met again inside of itself, by a link, is an error. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hiss/alloc.h"
#include "hiss/log.h"
#include "listing.h"

/* Folders on the way to one. */
typedef struct way {
    const struct way *above;
    dev_t device;
    ino_t number;
} way;

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

void data_listing_add(data_listing *list, const char *path, int32_t label) {
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 1024;
        data_listed *more = hiss_new(data_listed, list->room);
        if (list->count) {
            memcpy(more, list->all, sizeof *more * (size_t)list->count);
        }
        hiss_free(list->all);
        list->all = more;
    }
    list->all[list->count++] = (data_listed){path, label};
}

static hiss_status expect_new(const way *here, const char *folder, hiss_error *err) {
    for (const way *w = here->above; w; w = w->above) {
        if (w->device == here->device && w->number == here->number) {
            return hiss_fail(err, HISS_EUSER, "%s: is a link to a folder that it lies in; remove it", folder);
        }
    }
    return HISS_OK;
}

/* Names of classes stand one a line in the file that is made. */
static hiss_status check_name(const char *path, const char *name, hiss_error *err) {
    return !strpbrk(name, "\n\r")
               ? HISS_OK
               : hiss_fail(err, HISS_EUSER, "%s: the name of this class folder has a line break; rename it", path);
}

static hiss_status scan(data_listing *list, const data_wanted *wanted, const char *folder, int32_t label,
                        const way *above, hiss_error *err);

/* A folder KIND/CLASS is a class, or, deeper, part of one. */
static hiss_status take_below(data_listing *list, const data_wanted *wanted, const char *path, const char *name,
                              int32_t label, const way *here, hiss_error *err) {
    const bool class = wanted->kinds && here->above && !here->above->above;
    const int64_t before = list->count;
    hiss_status status = class ? check_name(path, name, err) : HISS_OK;
    status = status ? status : scan(list, wanted, path, label, here, err);
    return status || !class || list->count > before
               ? status
               : hiss_fail(err, HISS_EUSER,
                           "%s: this class folder holds no %s (%s); classes are numbered by those that have some: add "
                           "one, or remove the folder",
                           path, wanted->what, wanted->endings);
}

/* An entry of a folder; one at the top, label -1, that is a folder is a class. */
static hiss_status take(data_listing *list, const data_wanted *wanted, const char *path, const char *name,
                        int32_t label, const way *here, hiss_error *err) {
    struct stat info;
    const bool there = stat(path, &info) == 0;
    if (there && S_ISDIR(info.st_mode)) {
        if (label >= 0) {
            return take_below(list, wanted, path, name, label, here, err);
        }
        const int64_t before = list->count, class = list->folders++;
        list->folder[class] = hiss_arena_text(list->arena, name);
        hiss_status status = wanted->kinds ? HISS_OK : check_name(path, name, err);
        status = status ? status : scan(list, wanted, path, (int32_t) class, here, err);
        if (!status && list->count == before && wanted->kinds) {
            hiss_warn("prepare: folder %s holds no %s; there are no scenes of this kind", path, wanted->what);
        } else if (!status && list->count == before) {
            hiss_warn("prepare: class folder %s holds no %s; its label %lld stays unused", path, wanted->what,
                      (long long)class);
        }
        return status;
    }
    if (wanted->named(path) && (!there || S_ISREG(info.st_mode))) { /* what is not there will be missed by its name */
        list->alone = label < 0 && !list->alone ? path : list->alone;
        data_listing_add(list, path, label);
    } else {
        list->skipped++;
    }
    return HISS_OK;
}

static hiss_status scan(data_listing *list, const data_wanted *wanted, const char *folder, int32_t label,
                        const way *above, hiss_error *err) {
    struct dirent **entry;
    struct stat info = {0};
    const int count = scandir(folder, &entry, visible, by_name);
    if (count < 0) {
        return hiss_fail(err, HISS_EUSER, "%s: cannot be read as a folder: %s; %s a folder of %s%s", folder,
                         strerror(errno), errno == ENOTDIR ? "expected" : "give the path of", wanted->what,
                         errno == ENOTDIR ? " (an HDF5 file is used as it is: data.file)" : "");
    }
    stat(folder, &info);
    const way here = {above, info.st_dev, info.st_ino};
    hiss_status status = expect_new(&here, folder, err);
    if (!above) {
        list->folder = hiss_arena_alloc(list->arena, sizeof(char *) * (size_t)(count + 1));
    }
    for (int k = 0; k < count; k++) {
        const char *path = hiss_arena_format(list->arena, "%s/%s", folder, entry[k]->d_name);
        status = status ? status : take(list, wanted, path, entry[k]->d_name, label, &here, err);
        free(entry[k]);
    }
    free(entry);
    return status;
}

hiss_status data_listing_scan(data_listing *list, const data_wanted *wanted, const char *folder, hiss_error *err) {
    const hiss_status status = scan(list, wanted, folder, -1, NULL, err);
    if (status) {
        return status;
    }
    if (list->folders && list->alone && !wanted->kinds) {
        return hiss_fail(err, HISS_EUSER,
                         "%s: holds %s (%s) as well as folders (%s); expected either %s, or one folder for each class",
                         folder, wanted->what, list->alone, list->folder[0], wanted->what);
    }
    return list->count ? HISS_OK
                       : hiss_fail(err, HISS_EUSER, "%s: holds no %s (%lld other files); expected %s, in %s", folder,
                                   wanted->what, (long long)list->skipped, wanted->endings,
                                   wanted->kinds ? "folders KIND/CLASS" : "it or in class folders");
}

char *data_listing_classes(const data_listing *list) {
    size_t size = 1, used = 0;
    for (int64_t c = 0; c < list->folders; c++) {
        size += strlen(list->folder[c]) + 1;
    }
    char *names = hiss_arena_alloc(list->arena, size);
    *names = '\0';
    for (int64_t c = 0; c < list->folders; c++) {
        used += (size_t)snprintf(names + used, size - used, "%s%s", c ? "\n" : "", list->folder[c]);
    }
    return names;
}

void data_listing_free(data_listing *list) {
    hiss_free(list->all);
    hiss_arena_destroy(list->arena);
    *list = (data_listing){0};
}
