/* Durable files: temporary name, flush, fsync, rename, fsync of the directory. POSIX makes the rename atomic, so a
 * reader sees the old file or the new one; the two fsyncs make it so after a power failure, too. */
#include "hiss/file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hiss/alloc.h"
#include "hiss/fault.h"
#include "hiss/interrupt.h"

bool hiss_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

hiss_status hiss_file_expect(const char *path, const char *what, const char *advice, hiss_error *err) {
    char here[PATH_MAX] = "";
    if (hiss_file_exists(path)) {
        return HISS_OK;
    }
    const bool relative = path[0] != '/' && getcwd(here, sizeof here);
    return hiss_fail(err, HISS_EUSER, "%s %.300s does not exist%s%.300s%s; %s", what, path,
                     relative ? " (looked in " : "", here, relative ? ")" : "", advice);
}

hiss_status hiss_file_expect_text(const char *path, const char *what, const char *advice, hiss_error *err) {
    struct stat info;
    const hiss_status status = hiss_file_expect(path, what, advice, err);
    if (status == HISS_OK && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        return hiss_fail(err, HISS_EUSER, "%s %.300s is a directory; %s", what, path, advice);
    }
    return status;
}

FILE *hiss_file_open(const char *path) {
    struct stat info;
    FILE *file = fopen(path, "rbe");
    if (file && fstat(fileno(file), &info) == 0 && S_ISDIR(info.st_mode)) {
        fclose(file);
        errno = EISDIR;
        return NULL;
    }
    return file;
}

/* ---- before work begins ---- */

/* EFBIG is one of two limits: that of the process, or that of the file system. */
static const char *size_remedy(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY
               ? "the file system holds no file of this size: write a smaller one, or choose another place"
               : "raise the limit of a file's size (ulimit -f), or choose another place";
}

const char *hiss_file_remedy(int why) {
    return why == ENOSPC || why == EDQUOT                 ? "make room, or choose another place"
           : why == EIO || why == EILSEQ || why == EMFILE ? "try again, or choose another place"
           : why == EFBIG                                 ? size_remedy()
           : why == ENAMETOOLONG                          ? "choose a shorter name"
                                                          : "check that the folder exists and allows writing";
}

hiss_status hiss_file_expect_writable(const char *path, hiss_error *err) {
    struct stat info;
    char temporary[PATH_MAX + 32];
    const size_t length = strlen(path);
    if (length == 0 || length >= PATH_MAX) {
        return hiss_fail(err, HISS_ESYSTEM, "cannot write '%.200s': its name is %s; choose another", path,
                         length == 0 ? "empty" : "too long");
    }
    if (path[length - 1] == '/' || (stat(path, &info) == 0 && !S_ISREG(info.st_mode))) {
        return hiss_fail(err, HISS_ESYSTEM, "cannot write '%s': it is %s; give the name of a file", path,
                         path[length - 1] == '/' || S_ISDIR(info.st_mode) ? "a directory" : "not a regular file");
    }
    hiss_file_temporary(path, temporary, sizeof temporary);
    const int descriptor = open(temporary, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666), why = errno;
    if (descriptor >= 0) {
        close(descriptor);
    }
    hiss_file_discard(temporary);
    return descriptor >= 0
               ? HISS_OK
               : hiss_fail(err, HISS_ESYSTEM, "cannot write '%s': %s; %s", path, strerror(why), hiss_file_remedy(why));
}

/* ---- directories ---- */

static hiss_status make_one(const char *prefix, const char *path, hiss_error *err) {
    struct stat info;
    if (!hiss_fault("file.mkdir") && mkdir(prefix, 0777) == 0) {
        return HISS_OK;
    }
    int why = errno;
    if (stat(prefix, &info) == 0) {
        return S_ISDIR(info.st_mode)
                   ? HISS_OK
                   : hiss_fail(err, HISS_ESYSTEM,
                               "cannot make directory '%s': '%s' exists and is not a directory; choose another name",
                               path, prefix);
    }
    return hiss_fail(err, HISS_ESYSTEM, "cannot make directory '%s': mkdir '%s': %s; %s", path, prefix, strerror(why),
                     why == ENOSPC || why == EDQUOT ? hiss_file_remedy(why) : "choose a place that can be written");
}

hiss_status hiss_directories_make(const char *path, hiss_error *err) {
    char prefix[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof prefix) {
        return hiss_fail(err, HISS_ESYSTEM, "cannot make directory '%s': its name is %s; choose another", path,
                         length == 0 ? "empty" : "too long");
    }
    memcpy(prefix, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if ((path[i] == '/' || path[i] == '\0') && path[i - 1] != '/') {
            prefix[i] = '\0';
            hiss_status status = make_one(prefix, path, err);
            if (status != HISS_OK) {
                return status;
            }
            prefix[i] = path[i];
        }
    }
    return HISS_OK;
}

hiss_status hiss_file_remove(const char *path, hiss_error *err) {
    if ((!hiss_fault("file.unlink") && unlink(path) == 0) || errno == ENOENT) {
        return HISS_OK;
    }
    return hiss_fail(err, HISS_ESYSTEM, "cannot remove '%s': %s; check that its folder allows writing", path,
                     strerror(errno));
}

void hiss_directory_remove(const char *path) {
    if (unlink(path) == 0) {
        return;
    }
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char inside[PATH_MAX];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            (size_t)snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name) < sizeof inside) {
            hiss_directory_remove(inside);
        }
    }
    if (dir) {
        closedir(dir);
    }
    rmdir(path);
}

unsigned char *hiss_file_bytes(const char *path, size_t *size) {
    FILE *in = hiss_file_open(path);
    unsigned char *bytes = NULL;
    if (in && fseek(in, 0, SEEK_END) == 0) {
        const long length = ftell(in);
        rewind(in);
        bytes = hiss_alloc((size_t)(length > 0 ? length : 0) + 1);
        *size = fread(bytes, 1, (size_t)(length > 0 ? length : 0), in);
    }
    if (in) {
        fclose(in);
    }
    return bytes;
}

/* Length of the directory part of path, its last slash included; 0 if there is none. */
static int directory_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash - path) + 1 : 0;
}

void hiss_file_temporary(const char *path, char *out, size_t size) {
    int directory = directory_length(path);
    int length = snprintf(out, size, "%.*s.%s.tmp-%ld", directory, path, path + directory, (long)getpid());
    assert(length >= 0 && (size_t)length < size);
    (void)length;
    hiss_interrupt_remove(out);
}

void hiss_file_discard(const char *temporary) {
    unlink(temporary);
    hiss_interrupt_forget(temporary);
}

/* Returns 0, or errno of the call that failed, named in *step. */
static int sync_path(const char *path, int flags, const char **step) {
    const bool directory = flags & O_DIRECTORY;
    int descriptor = hiss_fault(directory ? "directory.open" : "file.open") ? -1 : open(path, flags | O_CLOEXEC);
    *step = "open";
    if (descriptor < 0) {
        return errno;
    }
    *step = "fsync";
    int why = !hiss_fault(directory ? "directory.fsync" : "file.fsync") && fsync(descriptor) == 0 ? 0 : errno;
    if (close(descriptor) != 0 && why == 0) {
        *step = "close";
        why = errno;
    }
    return why;
}

static hiss_status give_up(const char *temporary, const char *path, const char *step, int why, hiss_error *err) {
    hiss_file_discard(temporary);
    return hiss_fail(err, HISS_ESYSTEM, "cannot write '%s': %s of '%s': %s; %s", path, step, temporary, strerror(why),
                     hiss_file_remedy(why));
}

hiss_status hiss_file_publish(const char *temporary, const char *path, hiss_error *err) {
    const char *step;
    int why = sync_path(temporary, O_RDONLY, &step);
    if (why != 0) {
        return give_up(temporary, path, step, why, err);
    }
    if (hiss_fault("file.rename") || rename(temporary, path) != 0) {
        return give_up(temporary, path, "rename", errno, err);
    }
    hiss_interrupt_forget(temporary);
    char directory[PATH_MAX];
    int length = directory_length(path);
    snprintf(directory, sizeof directory, "%.*s", length > 0 ? length : 1, length > 0 ? path : ".");
    why = sync_path(directory, O_RDONLY | O_DIRECTORY, &step);
    if (why != 0 && why != EINVAL) { /* EINVAL: this file system does not sync directories */
        return hiss_fail(err, HISS_ESYSTEM, "'%s' is written, but %s of its directory '%s' failed: %s; %s", path, step,
                         directory, strerror(why), hiss_file_remedy(why));
    }
    return HISS_OK;
}

hiss_status hiss_file_write_by(const char *path, void (*write)(FILE *stream, const void *user), const void *user,
                               hiss_error *err) {
    char temporary[PATH_MAX + 32];
    if (strlen(path) >= PATH_MAX) {
        return hiss_fail(err, HISS_ESYSTEM, "cannot write '%s': its name is too long; choose a shorter one", path);
    }
    hiss_file_temporary(path, temporary, sizeof temporary);
    FILE *file = hiss_fault("file.create") ? NULL : fopen(temporary, "we");
    if (!file) {
        return give_up(temporary, path, "open", errno, err);
    }
    errno = 0;
    write(file, user);
    int why = hiss_fault("file.write") || ferror(file) ? (errno ? errno : EIO) : 0;
    if (fclose(file) != 0 && why == 0) {
        why = errno;
    }
    return why == 0 ? hiss_file_publish(temporary, path, err) : give_up(temporary, path, "write", why, err);
}

/* ---- bytes, verified ---- */

enum { PIECE = 1 << 22, COMPARED = 1 << 16 };

/* Each returns 0 or errno. */
static int write_all(int descriptor, const char *bytes, size_t count) {
    for (size_t at = 0; at < count;) {
        const size_t piece = count - at < PIECE ? count - at : PIECE;
        const ssize_t wrote = hiss_fault("file.write") ? (errno = ENOSPC, -1) : write(descriptor, bytes + at, piece);
        if (wrote < 0 && errno != EINTR) {
            return errno;
        }
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

/* EILSEQ: it holds other bytes. */
static int compare_all(int descriptor, const char *bytes, size_t count) {
    char found[COMPARED];
    size_t at = 0;
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED); /* what the disk has, not the system's copy */
    for (;;) {
        const ssize_t got = pread(descriptor, found, sizeof found, (off_t)at);
        if (got < 0 && errno != EINTR) {
            return errno;
        }
        if (got == 0) {
            return at == count ? 0 : EILSEQ;
        }
        if (got > 0 && ((size_t)got > count - at || memcmp(found, bytes + at, (size_t)got) != 0)) {
            return EILSEQ;
        }
        at += got > 0 ? (size_t)got : 0;
    }
}

hiss_status hiss_file_write_verified(const char *path, const void *bytes, size_t count, hiss_error *err) {
    char temporary[PATH_MAX + 32];
    if (strlen(path) >= PATH_MAX) {
        return hiss_fail(err, HISS_ESYSTEM, "cannot write '%s': its name is too long; choose a shorter one", path);
    }
    hiss_file_temporary(path, temporary, sizeof temporary);
    const char *step = "open";
    const int descriptor =
        hiss_fault("file.create") ? -1 : open(temporary, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0666);
    int why = descriptor < 0 ? errno : 0;
    if (why == 0) {
        step = "write";
        why = write_all(descriptor, bytes, count);
    }
    if (why == 0) {
        step = "fsync";
        why = hiss_fault("file.fsync") ? EIO : fsync(descriptor) == 0 ? 0 : errno;
    }
    if (why == 0) {
        step = "reading back";
        why = hiss_fault("file.compare") ? EILSEQ : compare_all(descriptor, bytes, count);
    }
    if (descriptor >= 0 && close(descriptor) != 0 && why == 0) {
        step = "close";
        why = errno;
    }
    if (why == EILSEQ) {
        hiss_file_discard(temporary);
        return hiss_fail(err, HISS_ESYSTEM,
                         "cannot write '%s': other bytes are read back than were written; the disk or the "
                         "network to it is failing: choose another place",
                         path);
    }
    return why == 0 ? hiss_file_publish(temporary, path, err) : give_up(temporary, path, step, why, err);
}

long hiss_file_temporary_owner(const char *name) {
    const char *mark = NULL;
    for (const char *at = name; *name == '.' && (at = strstr(at, ".tmp-")); at++) {
        mark = at;
    }
    char *end = NULL;
    const long owner = mark && mark > name ? strtol(mark + 5, &end, 10) : 0;
    return end && end > mark + 5 && *end == 0 && owner > 0 ? owner : 0;
}

/* Whether a process has ended, and only its parent has not asked how. Its state stands behind its name, which may hold
 * any bytes, in /proc/PID/stat. */
static bool is_zombie(long process) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%ld/stat", process);
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = descriptor >= 0 ? read(descriptor, text, sizeof text - 1) : -1;
    if (descriptor >= 0) {
        close(descriptor);
    }
    const char *name_end = length > 0 ? strrchr(text, ')') : NULL;
    return name_end && strncmp(name_end, ") Z", 3) == 0;
}

bool hiss_file_owner_gone(long owner) {
    return kill((pid_t)owner, 0) == 0 ? is_zombie(owner) : errno == ESRCH;
}

/* ---- text ---- */

static void write_text(FILE *stream, const void *text) {
    fputs(text, stream);
}

hiss_status hiss_file_write_text(const char *path, const char *text, hiss_error *err) {
    return hiss_file_write_by(path, write_text, text, err);
}
