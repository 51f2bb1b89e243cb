/* All objects of an HDF5 file, each once, by the links that lie in the file.
 *
 * A worklist of addresses, breadth first: an object that cannot be opened is visited as such and keeps nobody from the
 * others, groups may be nested as deeply and linked in as many circles as the file likes. (H5Ovisit gives up at the
 * first object that it cannot describe, and what comes behind stays unseen.) Soft and external links are not followed:
 * what they lead to in this file has a link of its own.
 *
 * The worklist doubles as the set of what was seen, through a table of slots with linear probing. It uses malloc,
 * not hiss_alloc: the process that looks into a file (h5_probe.c) may run out of memory without a word.
 *
 * Cost: one H5Oopen_by_addr an object, and memory for its address and name. */
#include "h5_impl.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"

enum { FIRST_ROOM = 64 };

typedef struct place {
    haddr_t address;
    char *path; /* NULL: too long to be asked for */
} place;

typedef struct worklist {
    place *at;
    size_t count, room;
    size_t *slot; /* [2 * room]: 1 + index in at, or 0 */
    const char *group;
    bool full;
} worklist;

static size_t slot_of(const worklist *list, haddr_t address) {
    const size_t mask = 2 * list->room - 1;
    size_t s = (size_t)(address * 0x9E3779B97F4A7C15u >> 20) & mask;
    while (list->slot[s] && list->at[list->slot[s] - 1].address != address) {
        s = (s + 1) & mask;
    }
    return s;
}

static bool grow(worklist *list) {
    const size_t room = list->room ? 2 * list->room : FIRST_ROOM;
    place *at = realloc(list->at, sizeof(place) * room);
    list->at = at ? at : list->at;
    size_t *slot = at ? calloc(2 * room, sizeof *slot) : NULL;
    if (!slot) {
        return false;
    }
    free(list->slot);
    list->slot = slot;
    list->room = room;
    for (size_t i = 0; i < list->count; i++) {
        list->slot[slot_of(list, list->at[i].address)] = i + 1;
    }
    return true;
}

static bool add(worklist *list, haddr_t address, char *path) {
    if (list->count == list->room && !grow(list)) {
        free(path);
        return false;
    }
    const size_t s = slot_of(list, address);
    if (list->slot[s]) {
        free(path);
        return true;
    }
    list->at[list->count++] = (place){address, path};
    list->slot[s] = list->count;
    return true;
}

static char *join(const char *group, const char *name) {
    const size_t length = group ? strlen(group) : HISS_H5_NAME, extra = strlen(name);
    if (length + extra + 2 > HISS_H5_NAME) {
        return NULL;
    }
    char *path = malloc(length + extra + 2);
    if (path) {
        memcpy(path, group, length);
        path[length] = '/';
        memcpy(path + length + (length > 1), name, extra + 1); /* the first group is "/" already */
    }
    return path;
}

static herr_t add_link(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    (void)group;
    worklist *list = user;
    list->full = info->type == H5L_TYPE_HARD && !add(list, info->u.address, join(list->group, name));
    return list->full ? 1 : 0;
}

static herr_t walk(hid_t file, worklist *list, data_h5_visitor visit, void *user, char why[HISS_H5_REASON]) {
    char *root = malloc(2);
    H5O_info_t info;
    if (!root || H5Oget_info2(file, &info, H5O_INFO_BASIC) < 0 || !add(list, info.addr, strcpy(root, "/"))) {
        snprintf(why, HISS_H5_REASON, "its first group cannot be read");
        return -1;
    }
    for (size_t i = 0; i < list->count; i++) {
        const hid_t object = H5Oopen_by_addr(file, list->at[i].address);
        const char *path = list->at[i].path;
        visit(object, path, user);
        if (object < 0) {
            continue;
        }
        herr_t status = 0;
        if (H5Iget_type(object) == H5I_GROUP) {
            list->group = path;
            status = H5Literate(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, add_link, list);
        }
        if (status != 0) {
            char reason[HISS_H5_REASON];
            snprintf(why, HISS_H5_REASON, "group %.80s cannot be read: %.120s", path ? path : "of a very long name",
                     list->full ? "no memory" : data_h5_reason(reason));
        }
        H5Oclose(object);
        if (status != 0) {
            return -1;
        }
    }
    return 0;
}

herr_t data_h5_walk(hid_t file, data_h5_visitor visit, void *user, char why[HISS_H5_REASON]) {
    worklist list = {0};
    const herr_t status = walk(file, &list, visit, user, why);
    for (size_t i = 0; i < list.count; i++) {
        free(list.at[i].path);
    }
    free(list.at);
    free(list.slot);
    return status;
}

/* ---- names ---- */

static void collect(hid_t object, const char *path, void *user) {
    data_h5_names *all = user;
    if (!path || (object >= 0 && H5Iget_type(object) != H5I_DATASET)) {
        return;
    }
    if (all->count == all->room) {
        all->room = all->room ? 2 * all->room : 16;
        char **more = hiss_new(char *, all->room);
        if (all->count) {
            memcpy(more, all->name, sizeof(char *) * (size_t)all->count);
        }
        hiss_free(all->name);
        all->name = more;
    }
    all->name[all->count++] = strcpy(hiss_alloc(strlen(path) + 1), path);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

data_h5_names data_h5_names_of(hiss_h5 *file) {
    data_h5_names all = {0};
    char why[HISS_H5_REASON];
    data_h5_walk(file->file, collect, &all, why);
    if (all.count) {
        qsort(all.name, (size_t)all.count, sizeof(char *), by_text);
    }
    return all;
}

void data_h5_names_free(data_h5_names *all) {
    for (int64_t i = 0; i < all->count; i++) {
        hiss_free(all->name[i]);
    }
    hiss_free(all->name);
}
