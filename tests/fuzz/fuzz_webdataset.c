/* A shard of WebDataset from a stranger, plain or compressed. */
#include "fuzz.h"

#include "data/webdataset_impl.h"

#ifdef HISS_HAS_ARCHIVE
int fuzz_read;
#else
int fuzz_read = 1; /* none can be */
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[32];
    const int file = fuzz_file(data, size, path);
    const hiss_prepare_options options = {.output = "/dev/shm/hiss-fuzz.h5", .height = 4, .width = 4, .channels = 3};
    const char *const files[] = {path};
    const data_webdataset_source source = {files, 1, NULL, NULL};
    data_rows rows;
    bool labelled;
    hiss_error err;
    data_rows_create(&options, &rows);
    if (data_webdataset_read(&source, &rows, &labelled, &err) == HISS_OK) {
        fuzz_read++;
    }
    data_rows_destroy(&rows);
    close(file);
    return 0;
}
