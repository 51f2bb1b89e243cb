/* Loaded before the HDF5 library: a call of ODD_CALL (H5Fopen, or H5Dread of the data set ODD_SET or any) in a forked
 * process makes it do ODD_HDF5, as damaged files make the library do:
 *   crash      write to no address
 *   loop       count for ever
 *   allocate   let the library ask for 64 GiB
 *   kill       end by SIGKILL, as the system ends processes for want of memory
 *   sleep      nothing, for ever */
#define _GNU_SOURCE
#define H5_USE_110_API
#include <hdf5.h>

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pid_t first;

__attribute__((constructor)) static void note_process(void) {
    first = getpid();
}

/* A file in memory whose first block is to be that large. */
static void allocate(void) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, (size_t)64 << 30, 0);
    const hid_t file = H5Fcreate("memory", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Fclose(file);
    H5Pclose(access);
}

static void go_wrong_at(const char *call) {
    const char *what = getenv("ODD_HDF5"), *where = getenv("ODD_CALL");
    volatile unsigned long count = 0;
    if (!what || getpid() == first || strcmp(where ? where : "H5Fopen", call) != 0) {
        return;
    }
    if (strcmp(what, "crash") == 0) {
        *(volatile int *)(count & 1) = 0;
    } else if (strcmp(what, "allocate") == 0) {
        allocate();
    } else if (strcmp(what, "kill") == 0) {
        raise(SIGKILL);
    }
    while (strcmp(what, "loop") == 0) {
        count++;
    }
    while (strcmp(what, "sleep") == 0) {
        sleep(1);
    }
}

hid_t H5Fopen(const char *path, unsigned flags, hid_t access) {
    hid_t (*next)(const char *, unsigned, hid_t);
    *(void **)&next = dlsym(RTLD_NEXT, "H5Fopen");
    go_wrong_at("H5Fopen");
    return next(path, flags, access);
}

herr_t H5Dread(hid_t set, hid_t type, hid_t here, hid_t there, hid_t transfer, void *values) {
    herr_t (*next)(hid_t, hid_t, hid_t, hid_t, hid_t, void *);
    *(void **)&next = dlsym(RTLD_NEXT, "H5Dread");
    char name[64] = "";
    const char *only = getenv("ODD_SET");
    H5Iget_name(set, name, sizeof name);
    if (!only || strcmp(name, only) == 0) {
        go_wrong_at("H5Dread");
    }
    return next(set, type, here, there, transfer, values);
}
