/* Inside src/data/h5*.c. All calls but enter are made under the one lock around the HDF5 library. */
#ifndef HISS_H5_IMPL_H
#define HISS_H5_IMPL_H

#define H5_USE_110_API
#include <hdf5.h>

#include <stdbool.h>
#include <stddef.h>

#include "hiss/data.h"
#include "stamp.h"

enum { HISS_H5_NAME = 256, HISS_H5_REASON = 400, DATA_H5_PATH = 1024 };

/* Which other files may be reached from one. */
typedef struct data_h5_follow {
    bool on;
    char **folder; /* [folders] by their real paths; the first is that of the first file */
    int64_t folders;
    struct data_h5_probed {
        char *path; /* real */
        data_stamp stamp;
    } * file; /* [probed] that are fine */
    int64_t probed;
} data_h5_follow;

struct hiss_h5 {
    char *path;
    bool writing; /* made by hiss_h5_create: no stranger's */
    hid_t file;
    hid_t dataset; /* the data set used last, or -1 */
    char name[HISS_H5_NAME];
    hiss_h5_info info;
    hiss_dtype values;             /* of the data set used last */
    bool image;                    /* lives in memory only */
    bool scalars;                  /* a single value is read as [1] */
    size_t cache_bytes;            /* for chunks that HDF5 decodes */
    int64_t room;                  /* bytes that may be decoded at a time, besides what a reader asked for */
    struct data_h5_chunks *chunks; /* of the data set used last */
    struct data_h5_slabs *slabs;   /* of its own, unless lent */
    bool lent;
    int64_t number;                  /* among the files that share them */
    data_h5_follow *follow;          /* NULL: not asked; of whoever opened it */
    char *there, *there_name;        /* where the data set used last is, when links were followed; else NULL */
    struct data_h5_virtual *virtual; /* its sources, when it is virtual; else NULL */
};

void data_h5_enter(void);                      /* take the lock */
hiss_status data_h5_leave(hiss_status status); /* give it back, and return status */
/* What HDF5 says about its last failure. Any other call into HDF5 forgets it. */
const char *data_h5_reason(char out[HISS_H5_REASON]);

/* The same, but only what the system said, if it did. What to do then when a file cannot be written. */
const char *data_h5_system_reason(char out[HISS_H5_REASON]);
const char *data_h5_writing_remedy(const char *why, const char *otherwise);

hiss_dtype data_h5_dtype(hid_t type);
hiss_dtype data_h5_values(hid_t type);       /* of an enumeration that of its integers, else data_h5_dtype */
hid_t data_h5_native(hiss_dtype dtype);      /* of integers and HISS_F32; belongs to the library */
hid_t data_h5_memory_type(hiss_dtype dtype); /* the same, of HISS_F16, and booleans; H5Tclose it */

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
/* Whether the way to a data set leads out of the file: to an object of another one. */
bool data_h5_outside(hid_t file, const char *dataset, char where[DATA_H5_PATH], char object[DATA_H5_PATH]);
/* What to do about metadata that HDF5 refuses for this reason. True when the file may just be newer. */
bool data_h5_remedy(const char *why, char out[HISS_H5_REASON]);
/* The extent of a data set and how chunks divide it: h5_layout.c. */
typedef struct data_h5_grid {
    int ndim;
    hsize_t dim[H5S_MAX_RANK];
    bool chunked;                                      /* what follows is 0 unless it is */
    hsize_t chunk[H5S_MAX_RANK], chunks[H5S_MAX_RANK]; /* along each axis: values of a chunk, and how many chunks */
} data_h5_grid;
data_h5_grid data_h5_grid_of(hid_t dataset);
/* Call visit for every place of a chunk, with its first element and the bytes stored for it (0: never written), until it
 * says false; of the first 4 million. */
typedef bool (*data_h5_chunk_visitor)(hid_t dataset, const hsize_t *at, hsize_t bytes, void *user);
void data_h5_each_chunk(hid_t dataset, data_h5_chunk_visitor visit, void *user);
/* How many values of a virtual data set lie in sources, and how many it has. */
void data_h5_virtual_count(hid_t dataset, double *mapped, double *all);
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
/* The same of many files, by one process, up to the first that is not fine: its number, or count. */
data_h5_finding data_h5_probe_files(int64_t count, const char *const *path, int64_t *failed, char why[HISS_H5_REASON]);
/* Open a file with that finding, which is an error unless fine. */
hiss_status data_h5_open_probed(const char *path, data_h5_finding finding, const char *found, hiss_h5 **out,
                                hiss_error *err);
/* An error unless there is a file that can be read. Without the lock. */
hiss_status data_h5_check_path(const char *path, hiss_error *err);

/* ---- links into other files: h5_follow.c ---- */

/* Allow what lies below a folder, or below that of a file. */
hiss_status data_h5_follow_allow(data_h5_follow *follow, const char *folder, hiss_error *err);
hiss_status data_h5_follow_beside(data_h5_follow *follow, const char *file, hiss_error *err);
void data_h5_follow_free(data_h5_follow *follow);
/* As data_files_unchanged and data_files_accept, of the files that links have led to. */
hiss_status data_h5_follow_unchanged(data_h5_follow *follow, const char **touched, int64_t *count, hiss_error *err);
void data_h5_follow_accept(data_h5_follow *follow);
/* Open a data set where links lead, and a virtual one with its sources, all of them checked. */
hiss_status data_h5_open_followed(hiss_h5 *file, const char *dataset, hid_t access, hid_t *out, hiss_error *err);
bool data_h5_is_virtual(hid_t dataset);
typedef struct data_h5_virtual data_h5_virtual;
void data_h5_virtual_close(data_h5_virtual *v);                             /* NULL is allowed */
bool data_h5_virtual_attribute(const data_h5_virtual *v, const char *name); /* whether a source has it */
/* As H5Dread of the data set, from its sources. */
herr_t data_h5_virtual_read(const data_h5_virtual *v, hid_t type, hid_t here, hid_t there, void *out);

#endif
