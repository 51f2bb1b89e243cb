/* Inside src/data: the members of an archive, one after the other. Nothing of it is ever written under a name that it
 * gives. */
#ifndef HISS_ARCHIVE_IMPL_H
#define HISS_ARCHIVE_IMPL_H

#include <stdint.h>

#include "hiss/status.h"

typedef enum data_archive_kind { DATA_ZIP, DATA_TAR } data_archive_kind; /* tar: plain or by gzip */
typedef struct data_archive data_archive;

/* Errors name the file, and say so when hiss was built without libarchive. */
hiss_status data_archive_open(const char *path, data_archive_kind kind, data_archive **out, hiss_error *err);
void data_archive_close(data_archive *archive); /* NULL is allowed */
/* Name of the next regular file, valid until the next call; NULL at the end. */
hiss_status data_archive_next(data_archive *archive, const char **name, hiss_error *err);
/* Up to count bytes of it; fewer only at its end. */
hiss_status data_archive_read(data_archive *archive, void *out, int64_t count, int64_t *got, hiss_error *err);
/* How many bytes of the file itself have been read. */
int64_t data_archive_position(const data_archive *archive);

#endif
