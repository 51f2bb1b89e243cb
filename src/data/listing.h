/* Inside src/data: the files below a folder whose folders are classes. */
#ifndef HISS_LISTING_H
#define HISS_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "hiss/alloc.h"
#include "hiss/status.h"

typedef struct data_listed {
    const char *path;
    int32_t label; /* number of its class; -1: none */
} data_listed;

typedef struct data_listing {
    hiss_arena *arena; /* of all texts; the owner's */
    data_listed *all;  /* [count] in the order of their names */
    int64_t count, room;
    int64_t skipped;     /* files of other names */
    const char *alone;   /* the first without a class */
    const char **folder; /* [folders] names of the classes */
    int64_t folders;
} data_listing;

/* Which files, and what to call them. */
typedef struct data_wanted {
    bool (*named)(const char *path);
    const char *what, *endings; /* "pictures"; ".jpg or .png" */
    bool kinds;                 /* folders are kinds of scenes, which hold classes */
} data_wanted;

/* list: {.arena = ...}. Warns of classes without files, or kinds. Errors: no files; files beside folders, where these are
 * classes; a class of a kind without files; a class whose name is of two lines; what cannot be read. */
hiss_status data_listing_scan(data_listing *list, const data_wanted *wanted, const char *folder, hiss_error *err);
void data_listing_add(data_listing *list, const char *path, int32_t label);
/* Names of the classes, one a line; the list's. */
char *data_listing_classes(const data_listing *list);
void data_listing_free(data_listing *list);

#endif
