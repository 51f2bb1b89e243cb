/* Files that change under a reader.
 *
 * A file is the one that was opened when device, number and size are the same; with the same time it was not written
 * either. The time by which it was read or linked has no say. A file whose time alone is new may have been touched, as
 * those are who clean up scratch file systems expect, or written in place: only its values can tell.
 *
 * Network file systems answer for a while from memory, but ask again when a file is opened. */
#include "stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMEDY "put back what was there and start again, and leave data files as they are until the end"

static bool look_at(const char *path, struct stat *info) {
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const bool there = file >= 0 ? fstat(file, info) == 0 : stat(path, info) == 0;
    if (file >= 0) {
        close(file);
    }
    return there;
}

bool data_stamp_take(const char *path, data_stamp *out) {
    struct stat info;
    if (!look_at(path, &info)) {
        return false;
    }
    *out = (data_stamp){info.st_dev, info.st_ino, info.st_size, info.st_mtim, info.st_mtim};
    return true;
}

data_change data_stamp_compare(data_stamp *stamp, const char *path, hiss_error *err) {
    struct stat now;
    if (!look_at(path, &now)) {
        if (errno == ENOENT || errno == ENOTDIR || errno == ESTALE) {
            hiss_fail(err, HISS_EUSER, "%s: was removed or renamed while it was in use; " REMEDY, path);
        } else {
            hiss_fail(err, HISS_ESYSTEM, "%s: cannot be looked at any more: %s; check its rights and the file system",
                      path, strerror(errno));
        }
        return DATA_CHANGED;
    }
    if (now.st_dev != stamp->device || now.st_ino != stamp->number) {
        hiss_fail(
            err, HISS_EUSER,
            "%s: was replaced by another file while it was in use (it had %lld bytes, the new one has %lld); " REMEDY,
            path, (long long)stamp->bytes, (long long)now.st_size);
        return DATA_CHANGED;
    }
    if (now.st_size != stamp->bytes) {
        hiss_fail(err, HISS_EUSER, "%s: was changed while it was in use: it had %lld bytes, now it has %lld; " REMEDY,
                  path, (long long)stamp->bytes, (long long)now.st_size);
        return DATA_CHANGED;
    }
    stamp->seen = now.st_mtim;
    return stamp->seen.tv_sec == stamp->written.tv_sec && stamp->seen.tv_nsec == stamp->written.tv_nsec ? DATA_UNCHANGED
                                                                                                        : DATA_TOUCHED;
}

void data_stamp_accept(data_stamp *stamp) {
    stamp->written = stamp->seen;
}

hiss_status data_stamp_overwritten(const char *path, hiss_error *err) {
    return hiss_fail(err, HISS_EUSER,
                     "%s: was overwritten while it was in use: its size is the same, what it holds is not; " REMEDY,
                     path);
}
