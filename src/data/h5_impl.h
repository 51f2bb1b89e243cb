/* Inside src/data/h5*.c. All calls but enter are made under the one lock around the HDF5 library. */
#ifndef HISS_H5_IMPL_H
#define HISS_H5_IMPL_H

#define H5_USE_110_API
#include <hdf5.h>

#include <stdbool.h>
#include <stddef.h>

#include "hiss/data.h"

enum { HISS_H5_NAME = 256, HISS_H5_REASON = 256 };

struct hiss_h5 {
    char *path;
    bool writing; /* made by hiss_h5_create: no stranger's */
    hid_t file;
    hid_t dataset; /* the data set used last, or -1 */
    char name[HISS_H5_NAME];
    hiss_h5_info info;
    bool image; /* lives in memory only */
};

void hiss_h5_enter(void);                      /* take the lock */
hiss_status hiss_h5_leave(hiss_status status); /* give it back, and return status */
/* What HDF5 says about its last failure. Any other call into HDF5 forgets it. */
const char *hiss_h5_reason(char out[HISS_H5_REASON]);
/* The error that a data set cannot be opened: it is not there, and these are; or `why`. */
hiss_status hiss_h5_missing(hiss_h5 *file, const char *dataset, const char *why, hiss_error *err);

/* ---- which files hiss lets into its process ---- */

/* Why hiss does not read this data set, into why[size]; false when it does. */
bool hiss_h5_refuses(hid_t dataset, char *why, size_t size);

/* Access properties that do not follow links into other files; H5Pclose them. */
hid_t hiss_h5_inside_only(void);

/* Go through the file in a process of its own. What follows when it does not come to a good end is in why. */
typedef enum hiss_h5_finding {
    HISS_H5_FINE,
    HISS_H5_UNOPENABLE, /* why: what HDF5 says */
    HISS_H5_DANGEROUS   /* why: a sentence for the user */
} hiss_h5_finding;
hiss_h5_finding hiss_h5_probe(const char *path, char why[HISS_H5_REASON]);

#endif
