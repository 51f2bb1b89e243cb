/* Checks of the place where a run writes: can it, how fast, is there room, do locks work, do all ranks see it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "hiss/clock.h"
#include "hiss/file.h"
#include "hiss/interrupt.h"

/* The directory above path that exists. */
static void existing_parent(const char *path, char out[CLI_PATH]) {
    snprintf(out, CLI_PATH, "%s", path);
    do {
        char *slash = strrchr(out, '/');
        if (!slash) {
            snprintf(out, CLI_PATH, ".");
            return;
        }
        slash[slash == out] = 0;
    } while (!hiss_file_exists(out));
}

/* ---- writing ---- */

/* Seconds to write mib MiB durably; negative: errno tells why not. */
static double write_for(const char *path, int64_t mib) {
    const double start = hiss_seconds();
    const int file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    char *piece = hiss_alloc(1 << 20);
    bool good = file >= 0;
    for (size_t i = 0; i < 1 << 20; i++) {
        piece[i] = (char)(i * 2654435761u >> 13); /* nothing a file system would squeeze */
    }
    for (int64_t k = 0; k < mib && good; k++) {
        good = write(file, piece, 1 << 20) == 1 << 20;
    }
    good = good && fsync(file) == 0;
    const int why = errno;
    if (file >= 0) {
        close(file);
    }
    hiss_free(piece);
    errno = why;
    return good ? hiss_seconds() - start : -1.0;
}

static bool check_writing(const doctor *d, const char *parent, int64_t mib) {
    enum { SLOW_SECONDS = 1, SLOW_MIB = 20, LEAST_MIB = 1024 };
    char path[CLI_PATH + 32];
    hiss_error err = {0};
    struct statvfs disk;
    snprintf(path, sizeof path, "%s/.hiss-doctor-%ld", parent, (long)getpid());
    hiss_interrupt_remove(path);
    const double start = hiss_seconds();
    const hiss_status s = hiss_file_write_text(path, "hiss doctor\n", &err);
    const double small = hiss_seconds() - start, large = s == HISS_OK && mib > 0 ? write_for(path, mib) : 0.0;
    const int why = errno;
    hiss_file_discard(path);
    const double rate = large > 0.0 ? (double)mib / large : 0.0;
    const double room =
        statvfs(parent, &disk) == 0 ? (double)disk.f_bavail * (double)disk.f_frsize / 0x1p20 : LEAST_MIB;
    if (s != HISS_OK) {
        doctor_tell(d, FINDING_FAIL, "%s; choose another --run", err.text);
    } else if (large < 0.0) {
        doctor_tell(d, FINDING_FAIL, "%s: %lld MiB cannot be written: %s; make room or choose another --run", parent,
                    (long long)mib, strerror(why));
    } else if (room < LEAST_MIB) {
        doctor_tell(d, FINDING_WARN, "%s: %.0f MiB are free; checkpoints may not fit", parent, room);
    } else if (small > SLOW_SECONDS) {
        doctor_tell(d, FINDING_WARN, "%s: writing a small file durably takes %.1f s; checkpoints will stall training",
                    parent, small);
    } else if (mib > 0 && rate < SLOW_MIB) {
        doctor_tell(d, FINDING_WARN, "%s: takes %.1f MiB/s, %d would be little; checkpoints will stall training",
                    parent, rate, SLOW_MIB);
    } else {
        doctor_tell(d, FINDING_OK, "%s: writable, a small file is safe after %.1f ms, %.0f MiB/s, %.1f GiB free",
                    parent, 1e3 * small, rate, room / 1024.0);
    }
    return s == HISS_OK;
}

/* ---- locks ---- */

enum { SEEN = 1, LOCKS = 2, EXCLUDES = 4 };

/* Rank 0 holds a lock on a file, and the last rank tries to take it, too. */
static void check_locks(const doctor *d, const char *parent) {
    const int last = hiss_comm_size(d->comm) - 1, rank = hiss_comm_rank(d->comm);
    const char *hdf5 = getenv("HDF5_USE_FILE_LOCKING");
    char path[CLI_PATH + 32];
    int64_t mine = 0, id = getpid();
    int held = -1, why = 0;
    hiss_comm_broadcast(d->comm, &id, sizeof id, 0);
    snprintf(path, sizeof path, "%s/.hiss-doctor-lock-%lld", parent, (long long)id);
    if (rank == 0) {
        hiss_interrupt_remove(path);
        held = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
        mine |= held >= 0 && flock(held, LOCK_EX | LOCK_NB) == 0 ? LOCKS : 0;
        why = mine & LOCKS ? 0 : errno;
    }
    hiss_comm_barrier(d->comm);
    const int second = open(path, O_RDWR | O_CLOEXEC);
    mine |= second >= 0 ? SEEN : 0;
    if (rank == last && second >= 0 && flock(second, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        mine |= EXCLUDES;
    }
    if (second >= 0) {
        close(second);
    }
    int64_t *all = doctor_gather(d, &mine, sizeof mine);
    doctor_name *host = doctor_hosts(d);
    int blind = -1;
    for (int r = last; r >= 0; r--) {
        blind = all[r] & SEEN ? blind : r;
    }
    /* without FALSE, HDF5 does without locks where the system has no such call, but not where it refuses */
    const bool hdf5_locks = (!hdf5 || strcmp(hdf5, "FALSE") != 0) && why != ENOSYS;
    if (blind >= 0) {
        doctor_tell(d, FINDING_FAIL,
                    "%s: rank %d (%s) does not see what rank 0 writes there, and could not resume; choose a --run on a "
                    "file system that all nodes share",
                    parent, blind, host[blind]);
    } else if (!(all[0] & LOCKS)) {
        doctor_tell(d, hdf5_locks ? FINDING_FAIL : FINDING_WARN,
                    "%s: this file system has no locks: two runs in one directory would not notice each other%s",
                    parent, hdf5_locks ? ", and HDF5 opens no file; export HDF5_USE_FILE_LOCKING=FALSE" : "");
    } else if (!(all[last] & EXCLUDES)) {
        doctor_tell(d, FINDING_WARN,
                    "%s: a lock of rank 0 does not keep rank %d (%s) out: two runs in one directory would not notice "
                    "each other; give every run its own",
                    parent, last, host[last]);
    } else {
        doctor_tell(d, FINDING_OK, "%s: all ranks see it, locks work", parent);
    }
    if (held >= 0) {
        close(held);
    }
    if (rank == 0) {
        hiss_file_discard(path);
    }
    hiss_free(host);
    hiss_free(all);
}

static void check_hdf5(const doctor *d) {
    char about[HISS_H5_ABOUT];
    const char *locking = getenv("HDF5_USE_FILE_LOCKING");
    hiss_h5_about(about);
    doctor_tell(d, FINDING_OK, "HDF5 %s, HDF5_USE_FILE_LOCKING %s", about, locking ? locking : "unset");
}

void doctor_files(const doctor *d, const char *run, int64_t mib) {
    char parent[CLI_PATH];
    struct stat info;
    if (stat(run, &info) == 0 && !S_ISDIR(info.st_mode)) {
        doctor_tell(d, FINDING_FAIL, "--run '%s' is a file; give the path of a directory", run);
        return;
    }
    existing_parent(run, parent);
    const bool writable = hiss_comm_rank(d->comm) == 0 && check_writing(d, parent, mib);
    check_hdf5(d);
    if (hiss_comm_max_i64(d->comm, writable)) {
        check_locks(d, parent);
    }
}
