/* What the fuzz targets share: bytes as a file, and the entry point that libFuzzer or replay.c calls. */
#ifndef HISS_FUZZ_H
#define HISS_FUZZ_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hiss/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Inputs that the target could read to the end; a target that reads none looks at nothing. */
extern int fuzz_read;

/* A file in memory with these bytes; path[32] gets a name under which it can be opened. Returns its descriptor: close
 * it. Not for HDF5, which wants a name in a folder. */
static inline int fuzz_file(const uint8_t *data, size_t size, char path[32]) {
    hiss_log_setup(HISS_LOG_ERROR, 0);
    const int file = (int)memfd_create("input", MFD_CLOEXEC);
    if (file < 0 || (size > 0 && write(file, data, size) != (ssize_t)size)) {
        abort();
    }
    snprintf(path, 32, "/proc/self/fd/%d", file);
    return file;
}

static inline void fuzz_write(const char *path, const uint8_t *data, size_t size) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
}

#endif
