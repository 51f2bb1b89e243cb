/* Inside src/data: samples decoded once, in a file without a name. */
#ifndef HISS_COPY_H
#define HISS_COPY_H

#include "dataset_impl.h"

typedef struct data_copy data_copy;
/* Decode the samples at positions [begin, end) into a file in $TMPDIR, or /var/tmp, taking memory of about `budget` bytes.
 * HISS_OK with *out NULL, and why[HISS_COPY_WHY], where there is no room for it. Errors are those of reading. */
enum { DATA_COPY_WHY = 240 };
hiss_status data_copy_create(hiss_dataset *set, int64_t begin, int64_t end, int64_t budget, data_copy **out,
                             char why[DATA_COPY_WHY], hiss_error *err);
void data_copy_destroy(data_copy *copy); /* NULL is allowed */
const char *data_copy_folder(const data_copy *copy);
bool data_copy_holds(const data_copy *copy, int64_t position, int64_t count); /* copy may be NULL */
hiss_status data_copy_read(const data_copy *copy, int64_t position, int64_t count, uint8_t *out, hiss_error *err);

#endif
