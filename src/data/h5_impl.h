/* Inside src/data/h5*.c. All calls but enter are made under the one lock around the HDF5 library. */
#ifndef HISS_H5_IMPL_H
#define HISS_H5_IMPL_H

#define H5_USE_110_API
#include <hdf5.h>

#include <stdbool.h>
#include <stddef.h>

#include "hiss/data.h"

enum { HISS_H5_NAME = 256, HISS_H5_REASON = 400 };

struct hiss_h5 {
    char *path;
    bool writing; /* made by hiss_h5_create: no stranger's */
    hid_t file;
    hid_t dataset; /* the data set used last, or -1 */
    char name[HISS_H5_NAME];
    hiss_h5_info info;
    hiss_dtype values;             /* of the data set used last */
    bool image;                    /* lives in memory only */
    int64_t room;                  /* bytes that may be decoded at a time, besides what a reader asked for */
    struct data_h5_chunks *chunks; /* of the data set used last */
    struct data_h5_slabs *slabs;
};

void data_h5_enter(void);                      /* take the lock */
hiss_status data_h5_leave(hiss_status status); /* give it back, and return status */
/* What HDF5 says about its last failure. Any other call into HDF5 forgets it. */
const char *data_h5_reason(char out[HISS_H5_REASON]);

hiss_dtype data_h5_dtype(hid_t type);
hiss_dtype data_h5_values(hid_t type);       /* of an enumeration that of its integers, else data_h5_dtype */
hid_t data_h5_native(hiss_dtype dtype);      /* of integers and HISS_F32; belongs to the library */
hid_t data_h5_memory_type(hiss_dtype dtype); /* the same, and of HISS_F16; H5Tclose it */

/* Call visit for the strings of a data set in order while it returns true. Negative: HDF5 has the reason. */
herr_t data_h5_read_texts(hid_t dataset, hiss_h5_text_visit visit, void *user);
/* Call visit for the members of a type, if it is an enumeration. */
void data_h5_members(hid_t type, hiss_h5_member_visit visit, void *user);

/* Whether that was for want of memory, and what to do then. */
bool data_h5_lacks_memory(void);
extern const char data_h5_memory_remedy[];

/* ---- what is in a file ---- */

/* Call visit for every object by the links of the file, each once; object is negative when it cannot be opened, path
 * NULL when it has HISS_H5_NAME characters or more. Negative when a group cannot be read to its end: why. */
typedef void (*data_h5_visitor)(hid_t object, const char *path, void *user);
herr_t data_h5_walk(hid_t file, data_h5_visitor visit, void *user, char why[HISS_H5_REASON]);

typedef struct data_h5_names {
    char **name; /* sorted */
    int64_t count, room;
} data_h5_names;
data_h5_names data_h5_names_of(hiss_h5 *file); /* of its data sets; data_h5_names_free them */
void data_h5_names_free(data_h5_names *all);

/* Whether the file names a data set so, even one that cannot be opened. */
bool data_h5_named(hid_t file, const char *dataset);
/* The error that a data set cannot be had, and where on the way to it that shows; why: HDF5's reason. */
hiss_status data_h5_missing(hiss_h5 *file, const char *dataset, const char *why, hiss_error *err);
/* What to do about metadata that HDF5 refuses for this reason. True when the file may just be newer. */
bool data_h5_remedy(const char *why, char out[HISS_H5_REASON]);
/* Call visit for every place of a chunk, with its first element and the bytes stored for it (0: never written), until it
 * says false; of the first 4 million. */
typedef bool (*data_h5_chunk_visitor)(hid_t dataset, const hsize_t *at, hsize_t bytes, void *user);
void data_h5_each_chunk(hid_t dataset, data_h5_chunk_visitor visit, void *user);
/* How many rows were never written, or not whole, into text[size]; false when all were. */
bool data_h5_unwritten(hid_t dataset, char *text, size_t size);
/* Why the values cannot be decoded: filters that are not there, or false. any: also those that every
 * chunk does without. */
bool data_h5_lacks_filter(hid_t dataset, bool any, char *why, size_t size);

/* ---- which files are safe to open in this process ---- */

/* Why hiss does not read this data set, into why[size]; false when it does. */
bool data_h5_refuses(hid_t dataset, char *why, size_t size);

/* Access properties that do not follow links into other files; H5Pclose them. */
hid_t data_h5_inside_only(void);

/* Go through the file in a process of its own, or, where texts is given, through the strings of that data set. Unless
 * HISS_H5_FINE, why holds the reason. */
typedef enum data_h5_finding {
    HISS_H5_FINE,
    HISS_H5_UNOPENABLE, /* why: what HDF5 says */
    HISS_H5_DANGEROUS   /* why: a sentence for the user */
} data_h5_finding;
data_h5_finding data_h5_probe(const char *path, const char *texts, char why[HISS_H5_REASON]);

#endif
