/* What processes that were killed have left of files that they wrote. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hiss/file.h"
#include "hiss/log.h"

enum { PATH_TEXT = 4096, LEFT_SECONDS = 600 };

/* Whether nobody writes into a temporary file, as far as is known here: HDF5 locks what it writes. */
static bool is_free(const char *path) {
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    const bool mine = descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    if (descriptor >= 0) {
        close(descriptor);
    }
    return mine;
}

/* The process is none of this machine, but might be one of another, where locks need not be seen: such a file is removed
 * when it was not written for long. */
void hiss_file_clear_rests(const char *who, const char *output) {
    const char *slash = strrchr(output, '/'), *name = slash ? slash + 1 : output;
    char folder[PATH_TEXT], path[2 * PATH_TEXT];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - output) + 1 : 2, slash ? output : "./");
    DIR *dir = opendir(folder);
    const size_t length = strlen(name);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        const long owner = hiss_file_temporary_owner(e->d_name);
        const bool ours =
            owner > 0 && strncmp(e->d_name + 1, name, length) == 0 && strncmp(e->d_name + 1 + length, ".tmp-", 5) == 0;
        struct stat info;
        snprintf(path, sizeof path, "%s%s", slash ? folder : "", e->d_name);
        if (!ours || !hiss_file_owner_gone(owner) || stat(path, &info) != 0 || !is_free(path)) {
            continue;
        }
        const double mib = (double)info.st_size / 1048576.0;
        if (time(NULL) - info.st_mtime < LEFT_SECONDS) {
            hiss_warn("%s: %s (%.1f MiB) is of a process that is gone; remove it, unless one of another machine "
                      "is writing it",
                      who, path, mib);
        } else if (unlink(path) == 0) {
            hiss_info("%s: removed %s (%.1f MiB), which an earlier process left unfinished", who, path, mib);
        }
    }
    if (dir) {
        closedir(dir);
    }
}
