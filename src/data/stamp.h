/* Inside src/data: whether a file is still the one that was opened. */
#ifndef HISS_STAMP_H
#define HISS_STAMP_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "hiss/status.h"

typedef struct data_stamp {
    dev_t device;
    ino_t number;
    off_t bytes;
    struct timespec written, seen; /* when it was, at first and at the last comparison */
} data_stamp;

/* False when the file cannot be looked at. */
bool data_stamp_take(const char *path, data_stamp *out);

typedef enum data_change {
    DATA_UNCHANGED,
    DATA_TOUCHED, /* its time alone is another: it may have been written */
    DATA_CHANGED  /* an error, which says how */
} data_change;
data_change data_stamp_compare(data_stamp *stamp, const char *path, hiss_error *err);
/* From now on the time that was seen is the file's. */
void data_stamp_accept(data_stamp *stamp);
/* The error that a touched file was written. */
hiss_status data_stamp_overwritten(const char *path, hiss_error *err);

#endif
