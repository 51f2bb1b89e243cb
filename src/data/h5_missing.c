/* Why a data set cannot be had: the name is followed step by step, through groups and soft links, to the place where
 * it goes wrong. HDF5 says of all of these only that something is not there. */
#include "h5_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hiss/alloc.h"

enum { LIST_SIZE = 400, MOST_LINKS = 16, PATH_SIZE = DATA_H5_PATH, SHOWN = 160 };

typedef enum end {
    END_DATASET,  /* at a data set, or what may be one: it cannot be opened */
    END_GROUP,    /* at a group */
    END_TYPE,     /* at a data type */
    END_NOTHING,  /* nothing has the name trail.at */
    END_NO_GROUP, /* trail.at should be a group and is something else */
    END_CLOSED,   /* group trail.at cannot be read: trail.why */
    END_OUTSIDE,  /* trail.at is a link into another file: trail.why */
    END_CIRCLE    /* soft links without end */
} end;

typedef struct trail {
    char path[PATH_SIZE]; /* what is looked for; changes at soft links */
    char at[PATH_SIZE];
    char why[PATH_SIZE];
    char file[PATH_SIZE], object[PATH_SIZE]; /* where a link into another file leads, with the rest of the path */
    int links;
} trail;

/* Put a soft link's target in place of trail.at, the first `length` characters of the path. */
static bool follow(trail *t, const char *target, size_t length) {
    char whole[PATH_SIZE];
    t->at[*target == '/' ? 0 : (size_t)(strrchr(t->at, '/') - t->at) + 1] = 0; /* relative to the link's group */
    const int size = snprintf(whole, sizeof whole, "%s%s%s", t->at, target, t->path + length);
    if (size >= PATH_SIZE || ++t->links > MOST_LINKS) {
        return false;
    }
    strcpy(t->path, whole);
    return true;
}

static end at_link(hid_t file, trail *t, const H5L_info_t *info, size_t length, bool *again) {
    char value[PATH_SIZE] = "";
    const char *where = "", *object = "";
    if (info->u.val_size >= sizeof value || H5Lget_val(file, t->at, value, sizeof value - 1, H5P_DEFAULT) < 0) {
        return END_CIRCLE;
    }
    if (info->type == H5L_TYPE_SOFT) {
        *again = follow(t, value, length);
        return END_CIRCLE;
    }
    if (info->type == H5L_TYPE_EXTERNAL) {
        H5Lunpack_elink_val(value, info->u.val_size, NULL, &where, &object);
    }
    snprintf(t->why, sizeof t->why, "%.*s, object %.*s", SHOWN, where, SHOWN, object);
    snprintf(t->file, sizeof t->file, "%s", where);
    if (snprintf(t->object, sizeof t->object, "%s%s", object, t->path + length) >= PATH_SIZE) {
        t->file[0] = 0;
    }
    return END_OUTSIDE;
}

static end kind_of(hid_t object) {
    const H5I_type_t type = H5Iget_type(object);
    return type == H5I_GROUP ? END_GROUP : type == H5I_DATATYPE ? END_TYPE : END_DATASET;
}

/* One step: from the beginning to the first link that leads elsewhere (then *again), to what is wrong, or to the
 * end. */
static end step(hid_t file, trail *t, bool *again) {
    *again = false;
    strcpy(t->at, "/");
    end kind = END_GROUP;
    for (size_t length = strspn(t->path, "/"); t->path[length]; length += strspn(t->path + length, "/")) {
        char parent[PATH_SIZE];
        H5L_info_t info;
        strcpy(parent, t->at);
        const size_t begin = length;
        length += strcspn(t->path + length, "/");
        if (length == begin + 1 && t->path[begin] == '.') { /* here */
            continue;
        }
        snprintf(t->at, sizeof t->at, "%.*s", (int)length, t->path);
        if (kind != END_GROUP) {
            strcpy(t->at, parent);
            return END_NO_GROUP;
        }
        const htri_t there = H5Lexists(file, t->at, H5P_DEFAULT);
        if (there == 0) {
            return END_NOTHING;
        }
        if (there < 0 || H5Lget_info(file, t->at, &info, H5P_DEFAULT) < 0) {
            data_h5_reason(t->why);
            strcpy(t->at, parent);
            return END_CLOSED;
        }
        if (info.type != H5L_TYPE_HARD) {
            return at_link(file, t, &info, length, again);
        }
        const hid_t object = H5Oopen(file, t->at, H5P_DEFAULT);
        if (object < 0) {
            data_h5_reason(t->why);
            return t->path[length + strspn(t->path + length, "/")] ? END_CLOSED : END_DATASET;
        }
        kind = kind_of(object);
        H5Oclose(object);
    }
    return kind;
}

static end look_for(hid_t file, const char *dataset, trail *t) {
    *t = (trail){.path = ""};
    bool again = snprintf(t->path, sizeof t->path, "/%s", dataset + strspn(dataset, "/")) < PATH_SIZE;
    end found = END_NOTHING;
    while (again) {
        found = step(file, t, &again);
    }
    return found;
}

bool data_h5_named(hid_t file, const char *dataset) {
    trail t;
    const end found = look_for(file, dataset, &t);
    return found != END_NOTHING || t.links > 0;
}

bool data_h5_outside(hid_t file, const char *dataset, char where[DATA_H5_PATH], char object[DATA_H5_PATH]) {
    trail t;
    const bool outside = look_for(file, dataset, &t) == END_OUTSIDE && t.file[0];
    if (outside) {
        strcpy(where, t.file);
        strcpy(object, t.object);
    }
    return outside;
}

/* The names of the data sets there are, as far as they fit. */
static void list_names(hiss_h5 *file, char list[LIST_SIZE]) {
    data_h5_names all = data_h5_names_of(file);
    snprintf(list, LIST_SIZE, all.count ? "it has: %s" : "it holds no data set at all", all.count ? all.name[0] : "");
    for (int64_t i = 1; i < all.count; i++) {
        hiss_list_add(list, LIST_SIZE, all.name[i]);
    }
    data_h5_names_free(&all);
}

bool data_h5_remedy(const char *why, char out[HISS_H5_REASON]) {
    unsigned major = 0, minor = 0, release = 0;
    const bool newer = strstr(why, "version") || strstr(why, "unknown") || strstr(why, "bad flag");
    H5get_libversion(&major, &minor, &release);
    if (newer) {
        snprintf(out, HISS_H5_REASON,
                 "it is newer than this HDF5 (%u.%u.%u), or damaged or half-written: write it for HDF5 %u.%u (h5py: "
                 "libver=('earliest', 'v%u%02u'))",
                 major, minor, release, major, minor, major, minor);
    } else {
        snprintf(out, HISS_H5_REASON, "the file is damaged, or its writer was stopped");
    }
    return newer;
}

hiss_status data_h5_missing(hiss_h5 *file, const char *dataset, const char *why, hiss_error *err) {
    trail t;
    char name[SHOWN + PATH_SIZE], list[LIST_SIZE] = "", remedy[HISS_H5_REASON];
    const end found = look_for(file->file, dataset, &t);
    const char *const path = file->path;
    snprintf(name, sizeof name, t.links ? "%s, a link to %.*s," : "%s", dataset, SHOWN, t.path);
    if (found == END_NOTHING || found == END_GROUP || found == END_TYPE) {
        list_names(file, list);
    }
    data_h5_remedy(found == END_CLOSED ? t.why : why, remedy);
    switch (found) {
    case END_GROUP:
        return hiss_fail(err, HISS_EUSER, "%s: %s is a group; expected a data set; %s", path, name, list);
    case END_TYPE:
        return hiss_fail(err, HISS_EUSER, "%s: %s is a data type without values; expected a data set; %s", path, name,
                         list);
    case END_NO_GROUP:
        return hiss_fail(err, HISS_EUSER, "%s: data set %s cannot be found: %.*s is not a group", path, name, SHOWN,
                         t.at);
    case END_CLOSED:
        return hiss_fail(err, HISS_EUSER, "%s: data set %s cannot be opened: group %.*s: %.*s; %s", path, dataset,
                         SHOWN, t.at, SHOWN, t.why, remedy);
    case END_OUTSIDE:
        return hiss_fail(
            err, HISS_EUSER,
            "%s: data set %s is not read: %.*s is a link into another file (%s), and such links are not "
            "followed; name that file, or copy the data into this one where both lie: h5repack --merge OLD NEW%s",
            path, dataset, SHOWN, t.at, t.why, file->follow ? "; or set data.follow: true" : "");
    case END_CIRCLE:
        return hiss_fail(err, HISS_EUSER, "%s: data set %s cannot be found: its soft links lead nowhere or in a circle",
                         path, dataset);
    case END_NOTHING:
        return t.links ? hiss_fail(err, HISS_EUSER, "%s: data set %s is a soft link to %.*s, which does not exist; %s",
                                   path, dataset, SHOWN, t.path, list)
                       : hiss_fail(err, HISS_EUSER, "%s: has no data set %s; %s", path, dataset, list);
    default:
        return hiss_fail(err, HISS_EUSER, "%s: data set %s cannot be opened: %s; %s", path, name, why, remedy);
    }
}
