/* An npz file from a stranger. */
#include "fuzz.h"

#include "data/npz_impl.h"
#include "hiss/alloc.h"

#ifdef HISS_HAS_ARCHIVE
int fuzz_read;
#else
int fuzz_read = 1; /* none can be */
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[32];
    const int file = fuzz_file(data, size, path);
    const hiss_prepare_options options = {.output = "/dev/shm/hiss-fuzz.h5"};
    hiss_error err;
    for (int layout = 0; layout < 2; layout++) {
        const data_npz_source source = {path, "images", "labels", false, layout == 1, false};
        data_rows rows;
        int32_t *labels = NULL;
        data_rows_create(&options, &rows);
        if (data_npz_read(&source, &rows, &labels, &err) == HISS_OK) {
            fuzz_read++;
        }
        hiss_free(labels);
        data_rows_destroy(&rows);
    }
    close(file);
    return 0;
}
