/* Inside src/data/h5*.c: which HDF5 files hiss lets into its process. All calls are made under the lock of h5.c. */
#ifndef HISS_H5_IMPL_H
#define HISS_H5_IMPL_H

#define H5_USE_110_API
#include <hdf5.h>

#include <stdbool.h>
#include <stddef.h>

/* Why hiss does not read this data set, into why[size]; false when it does. */
bool hiss_h5_refuses(hid_t dataset, char *why, size_t size);

/* Access properties that do not follow links into other files; H5Pclose them. */
hid_t hiss_h5_inside_only(void);

/* Go through the file in a process of its own: false, with the reason in why[size], when that process does not come to
 * a good end. */
bool hiss_h5_probe(const char *path, char *why, size_t size);

#endif
