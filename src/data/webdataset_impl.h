/* Inside src/data: shards of WebDataset. */
#ifndef HISS_WEBDATASET_IMPL_H
#define HISS_WEBDATASET_IMPL_H

#include <stdbool.h>

#include "archive_impl.h"
#include "prepare_impl.h"

typedef struct data_webdataset_source {
    const char *const *file;
    int64_t nfiles;
    const char *images, *labels; /* as of hiss_prepare_webdataset */
} data_webdataset_source;
/* Begin rows, and read all shards into them; labelled: whether rows->label are labels. */
hiss_status data_webdataset_read(const data_webdataset_source *source, data_rows *rows, bool *labelled,
                                 hiss_error *err);

#endif
