/* An HDF5 data set from a stranger: opened, verified, first and last rows read, and all of a small set. */
#include "fuzz.h"

#include "hiss/alloc.h"
#include "hiss/data.h"

int fuzz_read;
static char folder[] = "/dev/shm/hiss-fuzz-XXXXXX", path[64];

static void leave_nothing(void) {
    unlink(path);
    rmdir(folder);
}

static void make_folder(void) {
    hiss_log_setup(HISS_LOG_ERROR, 0);
    if (!mkdtemp(folder)) {
        abort();
    }
    snprintf(path, sizeof path, "%s/input.h5", folder);
    atexit(leave_nothing);
}

/* Whole slabs of chunks, as a rank reads them that holds its samples in memory. */
static void read_all(hiss_dataset *set) {
    enum { MOST_BYTES = 1 << 22 };
    const int64_t n = hiss_dataset_count(set), row = hiss_dataset_row(set);
    if (n <= MOST_BYTES / row) {
        hiss_error err;
        uint8_t *rows = hiss_alloc((size_t)(n * row));
        (void)hiss_dataset_read(set, 0, n, rows, NULL, &err);
        hiss_free(rows);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!*path) {
        make_folder();
    }
    fuzz_write(path, data, size);
    hiss_data_options options = {
        .file = path, .images = "/images", .labels = "/labels", .label_column = -1, .verify = true};
    hiss_dataset *set = NULL;
    hiss_error err;
    if (hiss_dataset_open(&options, 1, &set, &err) == HISS_OK) {
        int64_t H, W, C;
        hiss_dataset_shape(set, &H, &W, &C);
        uint8_t *pixels = hiss_alloc((size_t)(H * W * C));
        (void)hiss_dataset_read(set, 0, 1, pixels, NULL, &err);
        fuzz_read += hiss_dataset_read(set, hiss_dataset_count(set) - 1, 1, pixels, NULL, &err) == HISS_OK;
        hiss_free(pixels);
        read_all(set);
        hiss_dataset_close(set);
    }
    return 0;
}
