/* Loaded before the C library into a program that is to meet an odd system:
 *   ODD_FILES=DIRECTORY     files under it stand for those of the same path under /proc and /sys, where it has them
 *   ODD_CORES=HEX           the cores this process may use
 *   ODD_CLOCK=SECONDS       the day's clock is ahead
 *   ODD_SHM=BYTES           free in /dev/shm
 *   ODD_FREE=BYTES          free elsewhere
 *   ODD_FSYNC=MILLISECONDS  every fsync takes so much longer
 *   ODD_FLOCK=none|blind    there are no file locks; or they keep nobody out
 *   ODD_WRITE=BYTES         writes of at least so many bytes find no room
 *   ODD_MPI=TEXT            what the MPI library says it is */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

FILE *fopen(const char *path, const char *mode) {
    FILE *(*next)(const char *, const char *);
    char odd[4096];
    *(void **)&next = dlsym(RTLD_NEXT, "fopen");
    if (getenv("ODD_FILES") && (strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0)) {
        snprintf(odd, sizeof odd, "%s%s", getenv("ODD_FILES"), path);
        path = access(odd, R_OK) == 0 ? odd : path;
    }
    return next(path, mode);
}

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *mask) {
    if (!getenv("ODD_CORES")) {
        const long got = syscall(SYS_sched_getaffinity, pid, size, mask);
        return got < 0 ? -1 : 0;
    }
    const unsigned long cores = strtoul(getenv("ODD_CORES"), NULL, 16);
    CPU_ZERO_S(size, mask);
    for (size_t k = 0; k < 64; k++) {
        if (cores >> k & 1) {
            CPU_SET_S(k, size, mask);
        }
    }
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    const long got = syscall(SYS_clock_gettime, clock, now);
    if (clock == CLOCK_REALTIME && getenv("ODD_CLOCK")) {
        now->tv_sec += atol(getenv("ODD_CLOCK"));
    }
    return (int)got;
}

int statvfs(const char *path, struct statvfs *disk) {
    int (*next)(const char *, struct statvfs *);
    *(void **)&next = dlsym(RTLD_NEXT, "statvfs");
    const char *bytes = getenv(strcmp(path, "/dev/shm") == 0 ? "ODD_SHM" : "ODD_FREE");
    const int got = next(path, disk);
    if (bytes && atol(bytes) < 0) {
        errno = ENOENT;
        return -1;
    }
    if (bytes && got == 0 && disk->f_frsize > 0) {
        disk->f_bavail = (fsblkcnt_t)(atol(bytes) / (long)disk->f_frsize);
    }
    return got;
}

int fsync(int file) {
    if (getenv("ODD_FSYNC")) {
        const long ms = atol(getenv("ODD_FSYNC"));
        nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
    }
    return (int)syscall(SYS_fsync, file);
}

int flock(int file, int operation) {
    const char *how = getenv("ODD_FLOCK");
    if (how && strcmp(how, "none") == 0) {
        errno = ENOLCK;
        return -1;
    }
    return how ? 0 : (int)syscall(SYS_flock, file, operation);
}

ssize_t write(int file, const void *bytes, size_t count) {
    if (getenv("ODD_WRITE") && count >= (size_t)atol(getenv("ODD_WRITE"))) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_write, file, bytes, count);
}

int MPI_Get_library_version(char *text, int *length) {
    int (*next)(char *, int *);
    *(void **)&next = dlsym(RTLD_NEXT, "MPI_Get_library_version");
    const int got = next(text, length);
    if (getenv("ODD_MPI")) {
        *length = snprintf(text, 128, "%s", getenv("ODD_MPI"));
    }
    return got;
}
