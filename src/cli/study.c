/* What hiss scale and hiss compare share: the lock of a study's directory, and the program that its runs are of. */
#include "cli/study.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "hiss/file.h"

hiss_status study_lock(const char *dir, const char *name, bool shared, const char *command, int *lock,
                       hiss_error *err) {
    char path[CLI_PATH];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    hiss_status s = hiss_directories_make(dir, err);
    if (s != HISS_OK) {
        return s;
    }
    *lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (*lock < 0) {
        return hiss_fail(err, HISS_EUSER, "cannot write '%s': %s; %s", path, strerror(errno), hiss_file_remedy(errno));
    }
    if (flock(*lock, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) {
        return HISS_OK;
    }
    return errno == EWOULDBLOCK
               ? hiss_fail(err, HISS_EUSER, "%s is in use by another %s; wait for it", dir, command)
               : hiss_fail(err, HISS_EUSER, "cannot lock '%s': %s; choose a place on a file system that has locks",
                           path, strerror(errno));
}

hiss_status study_program_begin(study_program *p, hiss_error *err) {
    const hiss_status s = cli_program(p->path, err);
    return s != HISS_OK || stat(p->path, &p->built) == 0
               ? s
               : hiss_fail(err, HISS_ESYSTEM, "%s: %s", p->path, strerror(errno));
}

hiss_status study_program_check(const study_program *p, const char *launcher, hiss_error *err) {
    struct stat now;
    hiss_arena *arena = hiss_arena_create();
    const bool found = cli_find_in_path(launcher, arena);
    hiss_arena_destroy(arena);
    if (stat(p->path, &now) != 0) {
        return hiss_fail(err, HISS_EUSER, "%s is not there any more: build it again, and the same command goes on",
                         p->path);
    }
    if (!found) {
        return hiss_fail(err, HISS_EUSER, "%s cannot be started: there is no such program%s; see launch in the study",
                         launcher, strchr(launcher, '/') ? "" : " in PATH");
    }
    if (now.st_ino != p->built.st_ino || now.st_mtime != p->built.st_mtime || now.st_size != p->built.st_size) {
        return hiss_fail(err, HISS_EUSER,
                         "%s has been replaced since this command began: the runs would be of two programs; choose "
                         "another --out, or bring back the program they were begun with",
                         p->path);
    }
    return HISS_OK;
}
